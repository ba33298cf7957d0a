"""Transforms of whole series and their inverses; what is done per window happens in the gather kernel.

Notation: S series, N values of all series.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
CALM = 0.15


def allows_log(y: Floats, indptr: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """(S,) whether every observed value of a series is positive (and there is one)."""
    smallest = _fold(np.fmin, np.where(np.isnan(y), np.inf, y), indptr, np.inf)
    return (smallest > 0) & (smallest < np.inf)


def is_calm(y: Floats, indptr: npt.NDArray[np.int64], lag: int) -> npt.NDArray[np.bool_]:
    """(S,) whether a series allows logarithms whose changes over ``lag`` values are below `CALM` (root mean square).

    Of a series that falls close to zero now and then, logarithms tell of little else.
    """
    allowed = allows_log(y, indptr)
    rows = np.repeat(allowed, np.diff(indptr))
    logs = np.log(y, out=np.full(len(y), np.nan), where=rows)
    ends = np.repeat(indptr[1:], np.diff(indptr))
    inside = np.arange(len(y)) + lag < ends
    later = np.concatenate([logs[lag:], np.full(min(lag, len(y)), np.nan)])
    changes = np.where(inside, later - logs, np.nan)
    pairs = _fold(np.add, (~np.isnan(changes)).astype(np.float64), indptr, 0.0)
    squares = _fold(np.add, np.nan_to_num(changes) ** 2, indptr, 0.0)
    return allowed & (pairs > 0) & (squares < CALM**2 * pairs)


def transformed(y: Floats, indptr: npt.NDArray[np.int64], log: npt.NDArray[np.bool_]) -> Floats:
    """(N,) the logarithm of the values of the series marked in ``log`` (S,), the others as they are."""
    rows = np.repeat(log, np.diff(indptr))
    return np.log(y, out=y.copy(), where=rows)


def restored(values: npt.NDArray[Any], log: npt.NDArray[np.bool_]) -> Floats:
    """Inverse of `transformed` for forecasts (S, ...)."""
    rows = log.reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray(np.exp(values, out=values.astype(np.float64), where=rows))


def levels(y: Floats, indptr: npt.NDArray[np.int64]) -> Floats:
    """(S, 2) mean and standard deviation of the observed values of each series; (0, 0) where there is none."""
    seen = ~np.isnan(y)
    values = np.where(seen, y, 0.0)
    count = np.maximum(_fold(np.add, seen.astype(np.float64), indptr, 0.0), 1.0)
    mean = _fold(np.add, values, indptr, 0.0) / count
    deviation = np.where(seen, values - np.repeat(mean, np.diff(indptr)), 0.0)
    return np.stack([mean, np.sqrt(_fold(np.add, deviation**2, indptr, 0.0) / count)], axis=1)


def _fold(reduce: np.ufunc, values: Floats, indptr: npt.NDArray[np.int64], empty: float) -> Floats:
    """Reduce each series' values; reduceat alone would give an empty series its neighbour's value."""
    out = np.full(len(indptr) - 1, empty)
    filled = np.diff(indptr) > 0
    if filled.any():
        out[filled] = reduce.reduceat(values, indptr[:-1][filled])
    return out
