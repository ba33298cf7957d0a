"""What either method learns of one series."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

PLAIN = ""  # the form of a series that is constant or too short: its last value is repeated


@dataclass(frozen=True, eq=False)
class Estimate:
    """A form, and the parameters that belong to it."""

    form: str
    parameters: Floats
    filled: bool  # whether gaps of the history were filled


def random_walk(y: Floats, h: int) -> tuple[Floats, Floats]:
    """Mean and standard deviation, (h,) each, of a walk on from a history (n,) without gaps."""
    steps = np.diff(y)
    sigma = float(np.sqrt(np.mean(np.square(steps)))) if len(steps) else 0.0
    return np.full(h, y[-1]), sigma * np.sqrt(np.arange(1, h + 1))
