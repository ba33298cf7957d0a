"""Regressors beside a history: which rows and columns of them count.

Notation: N values of a history, X (N, m) regressors, NaN where unknown; n differenced values.
"""

import numpy as np
import numpy.typing as npt

from forecast.models.arima.orders import Orders
from forecast.models.arima.sample import Sample, make_sample, recent

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NOTHING = 1e-10  # of the size of a column: what is smaller after differencing or centring is rounding
COLLINEAR = 1e-6  # of a column: if others leave less of it, they explain it
EACH = 2  # observed values that a column must be worth


def masked(y: Floats, X: Floats) -> tuple[Floats, Floats]:
    """A value whose regressors are not all known counts as unobserved; what is known of those is set to 0."""
    known = np.isfinite(X.sum(axis=1))
    return np.where(known, y, np.nan), np.where(known[:, None], X, 0.0)


def recent_rows(y: Floats, X: Floats, max_length: int | None, budget: float) -> tuple[Floats, Floats]:
    """The tail of a history that `recent` gives, once it is masked, and its regressors."""
    y, X = masked(y, X)
    if np.isnan(y).all():
        return y[:0], X[:0]
    end = int(np.flatnonzero(~np.isnan(y))[-1]) + 1
    used = recent(y, max_length, budget)
    return used, X[end - len(used) : end]


def candidates(y: Floats, X: Floats, fewest: int, max_length: int | None, budget: float) -> Ints:
    """Columns that enough values are observed together with; those of which least is known are given up first."""
    known = (~np.isnan(X[~np.isnan(y)])).sum(axis=0)
    columns = np.flatnonzero(known)
    while len(columns):
        seen = int(np.isfinite(recent_rows(y, X[:, columns], max_length, budget)[0]).sum())
        if seen >= fewest + EACH * len(columns):
            break
        columns = columns[known[columns] > known[columns].min()]
    return columns


def residuals(y: Floats, X: Floats) -> Floats:
    """(N,) what an ordinary regression on X leaves, about the mean of y; NaN where y is."""
    if not X.shape[1]:
        return y
    seen = ~np.isnan(y)
    centred = X - X[seen].mean(axis=0)
    size = np.abs(centred[seen]).max(axis=0)
    centred = centred / np.where(size > 0, size, 1.0)
    slopes = np.linalg.lstsq(centred[seen], y[seen] - y[seen].mean(), rcond=None)[0]
    return np.asarray(y - centred @ slopes)


def informative(y: Floats, X: Floats, orders: Orders, fewest: int) -> Ints:
    """Columns that say something of the differenced history; none if it is too short for so many.

    A column is left out if it is zero once it is differenced, or if the gaps, the constant and the columns before it
    explain it.
    """
    if not X.shape[1]:
        return np.empty(0, np.int64)
    sample = make_sample(y, orders.d, orders.D, orders.season_length, X)
    basis = np.linalg.qr(np.concatenate([np.ones((int(orders.constant), len(sample.w))), sample.gaps]).T)[0]
    kept = []
    for c, column in enumerate(sample.regressors):
        rest = column - orders.constant * column.mean()
        size = float(np.linalg.norm(rest))
        if size <= NOTHING * np.sqrt(len(rest)) * np.abs(X[:, c]).max():
            continue
        for _ in range(2):  # once leaves rounding errors
            rest = rest - basis @ (basis.T @ rest)
        left = float(np.linalg.norm(rest))
        if left > COLLINEAR * size:
            kept.append(c)
            basis = np.column_stack([basis, rest / left])
    return np.array(kept if sample.n >= fewest + EACH * len(kept) else [], np.int64)


def scales(sample: Sample) -> Floats:
    """(m,) sizes of the differenced columns: by these divided, they are of one order of magnitude."""
    deviations, sizes = sample.regressors.std(axis=1), np.sqrt(np.square(sample.regressors).mean(axis=1))
    return np.where(deviations > NOTHING * sizes, deviations, np.where(sizes > 0, sizes, 1.0))


def exact(sample: Sample, constant: bool) -> tuple[Floats, float] | None:
    """Coefficients (m,) and constant, if they explain the differenced history to rounding."""
    ones = np.ones((int(constant), len(sample.w)))
    rows = np.concatenate([sample.regressors, ones, sample.gaps])
    slopes = np.linalg.lstsq(rows.T, sample.w, rcond=None)[0]
    left = np.abs(sample.w - slopes @ rows).max()
    if left > max(NOTHING * np.abs(sample.w).max(), 1e-13 * np.abs(sample.levels).max()):
        return None
    m = len(sample.regressors)
    return slopes[:m], float(slopes[m]) if constant else 0.0


def less_regressors(beta: Floats, y: Floats, X: Floats) -> Floats:
    """(N,) what the regression leaves of a history; NaN where unobserved, or where a regressor is unknown.

    Parameters
    ----------
    beta : ndarray, (m,)
        Coefficients; NaN for columns that were left out.
    """
    kept = np.isfinite(beta)
    y, X = masked(y, X[:, kept])
    return y - X @ beta[kept]
