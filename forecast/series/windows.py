"""Which (series, cutoff) pairs a network learns from; the gather kernel turns them into batches.

A window is a pair: the first ``cutoff`` values of the series are its past, what follows is its target.
Notation: S series, n windows.
"""

import numpy as np
import numpy.typing as npt

Windows = npt.NDArray[np.int64]  # (n, 2): series, cutoff


class WindowsBetween:
    """All windows with ``first[s] <= cutoff <= last[s]``, ordered by series and cutoff, and made when asked for.

    ``windows[numbers]`` gives those of an array of numbers, ``windows[:]`` all; kept are 16 bytes a series.

    Parameters
    ----------
    first, last : (S,) int64
        Bounds of the cutoffs of each series; a series with ``first > last`` has none.
    """

    def __init__(self, first: npt.NDArray[np.int64], last: npt.NDArray[np.int64]) -> None:
        self._ends = np.cumsum(np.maximum(last - first + 1, 0))  # number of the first window of the next series
        self._last = last

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, numbers: npt.NDArray[np.int64] | slice) -> Windows:
        if isinstance(numbers, slice):
            numbers = np.arange(len(self))[numbers]
        series = np.searchsorted(self._ends, numbers, side="right")
        return np.stack([series, self._last[series] + 1 + numbers - self._ends[series]], axis=1).astype(np.int64)


def windows_at_end(lengths: npt.NDArray[np.int64]) -> Windows:
    """The windows (S, 2) from which the future is forecast: everything known, one for each series."""
    return np.stack([np.arange(len(lengths)), lengths], axis=1).astype(np.int64)
