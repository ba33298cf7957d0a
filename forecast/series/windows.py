"""Which (series, cutoff) pairs a network learns from; the gather kernel turns them into batches.

A window is a pair: the first ``cutoff`` values of the series are its past, what follows is its target.
Notation: S series, n windows.
"""

import numpy as np
import numpy.typing as npt

Windows = npt.NDArray[np.int64]  # (n, 2): series, cutoff


def windows_between(first: npt.NDArray[np.int64], last: npt.NDArray[np.int64]) -> Windows:
    """All windows with ``first[s] <= cutoff <= last[s]``, ordered by series and cutoff.

    Parameters
    ----------
    first, last : (S,) int64
        Bounds of the cutoffs of each series; a series with ``first > last`` has none.
    """
    counts = np.maximum(last - first + 1, 0)
    series = np.repeat(np.arange(len(counts)), counts)
    offsets = np.arange(len(series)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.stack([series, first[series] + offsets], axis=1).astype(np.int64)


def windows_at_end(lengths: npt.NDArray[np.int64]) -> Windows:
    """The windows (S, 2) from which the future is forecast: everything known, one for each series."""
    return np.stack([np.arange(len(lengths)), lengths], axis=1).astype(np.int64)
