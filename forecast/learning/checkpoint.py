"""Training that goes on where it was stopped, with the numbers of one that never was.

Kept is what cannot be drawn again: parameters, moments and the history. The order of the batches and the seeds of
dropout come from the schedule's seed, and are drawn again up to the step that was reached.
"""

import os
import time
import zipfile
from pathlib import Path

import numpy as np

from forecast.errors import ModelFileError
from forecast.learning.batches import Batches
from forecast.learning.runner import Runner
from forecast.learning.training import History


class Checkpoint:
    """A file that holds how far a training has come; it is replaced now and then, and whole at any time.

    Parameters
    ----------
    path : Path
        The file; beside it one with the suffix ``.tmp`` is written, which then takes its place.
    key : str
        Of all that the weights depend on: data, network and schedule.
    seconds : float, default 30
        Between one writing and the next.
    """

    def __init__(self, path: Path, key: str, seconds: float = 30.0) -> None:
        self.path, self.key, self.seconds = path, key, seconds
        self._temporary = path.with_name(f"{path.name}.tmp")
        self._written = time.monotonic()

    def restore(self, runner: Runner, batches: Batches) -> History:
        """Bring both from the start to where the file was written; the history until there, empty without a file.

        Raises
        ------
        ModelFileError
            If the file is damaged, or of another training.
        """
        self._written = time.monotonic()
        if not self.path.exists():
            return History()
        try:
            with open(self.path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
                key, state, reported, losses = (file[name] for name in ("key", "state", "reported", "losses"))
        except (OSError, LookupError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ModelFileError(f"{self.path} is no checkpoint, or it is damaged; delete it to train anew.") from error
        if str(key) != self.key or state.shape != runner.state().shape:
            raise ModelFileError(f"{self.path} is a checkpoint of another training; delete it to train anew.")
        runner.resume(state)
        history = History(dict(zip(reported.tolist(), losses.tolist(), strict=True)), steps=int(reported[-1]))
        for _ in range(history.steps):
            batches.take(1)
        return history

    def save(self, runner: Runner, history: History) -> None:
        """Write the file, unless that was done a short while ago; for the step of the last report."""
        if time.monotonic() - self._written < self.seconds:
            return
        reported, losses = np.array(list(history.losses)), np.array(list(history.losses.values()))
        with open(self._temporary, "wb") as file:
            np.savez(file, key=np.array(self.key), state=runner.state(), reported=reported, losses=losses)
        os.replace(self._temporary, self.path)
        self._written = time.monotonic()

    def remove(self) -> None:
        """Delete the file, when what came of the training is safe."""
        for path in (self.path, self._temporary):
            path.unlink(missing_ok=True)
