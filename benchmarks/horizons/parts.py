"""From the file to the training part, and to the windows that models are judged by.

Notation: N rows, C channels, W windows, h horizon.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.horizons.sets import DataSet
from forecast.errors import DataError
from forecast.series.panel import Panel
from forecast.series.table import read_table

Floats = npt.NDArray[np.float64]
SPLITS = ("test", "validation")
BATCH = 32  # of the published code, which leaves out the last batch if it is not full
AT_ONCE = 500_000  # values of histories that are forecast in one call


@dataclass(frozen=True, eq=False)
class Split:
    """What the models learn from, and where they are judged."""

    values: Floats
    """(N, C) standardised by the training part."""
    channels: tuple[str, ...]
    """Names of the columns."""
    train: int
    """Rows of the training part."""
    horizon: int
    """h."""
    cutoffs: npt.NDArray[np.int64]
    """(W,) rows before each forecast."""

    @property
    def history(self) -> pd.DataFrame:
        """The training part, wide; time counts rows."""
        frame = pd.DataFrame(self.values[: self.train], columns=list(self.channels))
        frame.insert(0, "row", np.arange(self.train))
        return frame

    def windows(self, known: Panel, length: int) -> Iterator[tuple[Panel, Floats]]:
        """Histories of some windows' channels, cut to their last values, with what came after: (series, h).

        Parameters
        ----------
        known : Panel
            The training part as it was read, whose series are the channels.
        length : int
            Values that a history has at most.
        """
        order = [self.channels.index(str(name)) for name in known.ids]
        length = min(length, int(self.cutoffs[0]))
        past = np.lib.stride_tricks.sliding_window_view(self.values[:, order], length, axis=0)  # (N - length + 1, C, .)
        future = np.lib.stride_tricks.sliding_window_view(self.values[:, order], self.horizon, axis=0)
        step = max(1, AT_ONCE // (length * len(order)))
        for at in range(0, len(self.cutoffs), step):
            cutoffs = self.cutoffs[at : at + step]
            yield _panel(known, past[cutoffs - length], cutoffs - length), future[cutoffs].reshape(-1, self.horizon)


def _panel(known: Panel, past: Floats, starts: npt.NDArray[np.int64]) -> Panel:
    """The channels (C) of windows (W, C, length) as series of a panel, window by window."""
    W, C, length = past.shape
    return Panel(
        ids=np.tile(known.ids, W),
        indptr=np.arange(W * C + 1, dtype=np.int64) * length,
        y=past.reshape(-1),
        starts=np.repeat(starts, C),
        frequency=known.frequency,
        season_length=known.season_length,
        columns=known.columns,
        covariates={},
    )


def read_split(path: Path, dataset: DataSet, horizon: int, split: str, every: int = 1) -> Split:
    """Read a data set, standardise it, and find the windows.

    Parameters
    ----------
    path : Path
        Parquet or CSV: one column for each channel; columns that are not numbers are left out.
    dataset : DataSet
        Says where the parts end.
    horizon : int
        Steps to forecast.
    split : {"test", "validation"}
        The part to judge by.
    every : int, default 1
        Take each k-th window only, for a quick look.

    Raises
    ------
    DataError
        If the file is too short for the parts, or a part for the horizon.
    """
    table = read_table(path).select_dtypes("number")
    values = table.to_numpy(float)
    train, validation, test = dataset.ends or _ends(len(values))
    if len(values) < test:
        raise DataError(f"{path.name} has {len(values):,} rows, but {dataset.title} has {test:,}; give the whole file.")
    begin, end = (validation, test) if split == "test" else (train, validation)
    count = (end - begin - horizon + 1) // BATCH * BATCH
    if count < 1:
        raise DataError(
            f"The {split} part of {path.name} has {end - begin:,} rows, which hold no {BATCH} windows of {horizon} "
            "steps; give a shorter horizon."
        )
    seen = values[:end]
    standardised = (seen - seen[:train].mean(axis=0)) / seen[:train].std(axis=0)
    return Split(standardised, tuple(map(str, table)), train, horizon, np.arange(begin, begin + count)[::every])


def _ends(rows: int) -> tuple[int, int, int]:
    return int(rows * 0.7), rows - int(rows * 0.2), rows
