"""What a run was asked for."""

import sys
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """Settings that sections share."""

    python: str
    """The Python of our side, with gatecast's dependencies."""
    torch_python: str
    xlstm_python: str
    """The package xlstm and torch."""
    keras_python: str
    """Keras and JAX."""
    tensorflow_python: str
    """Keras and TensorFlow."""
    neuralforecast_python: str
    repeats: int | None
    """Turns of each side; None: as many as the section finds enough."""
    block: float
    """Seconds that a side repeats its step before the other's turn."""
    command: str
    """How this run was started."""
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True)
    """Told of each result as it comes."""

    def turns(self, usual: int) -> int:
        """Turns of each side in a section that usually takes so many."""
        return usual if self.repeats is None else self.repeats
