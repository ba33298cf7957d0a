"""Where to begin the search for the coefficients of a seasonal ARMA process.

Source: Hannan and Rissanen, "Recursive estimation of mixed autoregressive-moving average order", Biometrika 69 (1982).
"""

import math

import numpy as np

from forecast_kernels.arima.cpu import MISFIT, Workspace, misfits
from forecast_kernels.arima.polynomials import Arma
from forecast_kernels.jit import Array, cell, kernel, part
from forecast_kernels.lanes import LANES

STARTS = 17  # at most
STEEP = 1.5  # first number of each kind in the starts with all combinations of signs
EXTRA = 10  # lags of the long autoregression, beyond twice the degrees of the model
FARTHEST = 0.95  # partial autocorrelation of a start


@part
def solve(
    matrix: Array,  # (k, ..) read: lower part, positive definite
    factor: Array,  # (k, ..) written: its Cholesky factor
    vector: Array,  # (k,) updated: the right-hand side becomes the solution
    k: int,
) -> bool:
    """Solve a small linear system; False if the matrix is not positive definite."""
    for i in range(k):
        for j in range(i + 1):
            value = matrix[i, j]
            for m in range(j):
                value -= factor[i, m] * factor[j, m]
            if j < i:
                factor[i, j] = value / factor[j, j]
            elif value > 1e-12 * matrix[i, i]:
                factor[i, i] = math.sqrt(value)
            else:
                return False
    for i in range(k):
        for m in range(i):
            vector[i] -= factor[i, m] * vector[m]
        vector[i] /= factor[i, i]
    for i in range(k - 1, -1, -1):
        for m in range(i + 1, k):
            vector[i] -= factor[m, i] * vector[m]
        vector[i] /= factor[i, i]
    return True


@cell
def _products(x: Array, y: Array, lag: int, other: int, first: int) -> float:
    """Sum of x[t - lag] y[t - other] from ``first`` on."""
    value = 0.0
    for t in range(first, x.shape[0]):
        value += x[t - lag] * y[t - other]
    return value


@part
def _innovations(
    y: Array,  # (n,) read
    lags: int,
    e: Array,  # (n,) written: errors of forecasts from up to ``lags`` past values
    covariances: Array,  # (lags + 1,) written: sums of products
    phi: Array,  # (lags,) written
) -> None:
    """Fit autoregressions of growing order by Levinson's recursion."""
    n = y.shape[0]
    for lag in range(lags + 1):
        covariances[lag] = _products(y, y, 0, lag, lag)
    error = covariances[0]
    e[0] = y[0]
    for t in range(1, n):
        order = min(t, lags)
        if t <= lags:
            r = covariances[order]
            for i in range(order - 1):
                r -= phi[i] * covariances[order - 1 - i]
            r = r / error if error > 0.0 else 0.0
            for i in range(order // 2):
                left, right = phi[i], phi[order - 2 - i]
                phi[i] = left - r * right
                phi[order - 2 - i] = right - r * left
            phi[order - 1] = r
            error *= (1.0 - r) * (1.0 + r)
        value = y[t]
        for i in range(order):
            value -= phi[i] * y[t - 1 - i]
        e[t] = value


@part
def _inside(
    block: Array,  # (m,) autoregressive coefficients -> real numbers as the search sees them, in place
) -> None:
    """Partial autocorrelations by undoing the recursion of Durbin and Levinson, each brought inside the bounds."""
    for j in range(block.shape[0] - 1, -1, -1):
        r = min(max(block[j], -FARTHEST), FARTHEST)
        block[j] = r / math.sqrt(1.0 - r * r)
        for i in range((j + 1) // 2):
            left, right = block[i], block[j - 1 - i]
            block[i] = (left + r * right) / (1.0 - r * r)
            block[j - 1 - i] = (right + r * left) / (1.0 - r * r)


@part
def _hannan_rissanen(
    arma: Arma,
    scratch: Array,  # (4, n): row 0 read: the series less what it is regressed on; others written
    x: Array,  # (k,) written: a start; zeros where the series is too short for one
    vectors: Array,  # (2 k, ..) scratch
) -> None:
    """Regress the series on its own past and on the errors of a long autoregression.

    The products of seasonal and other coefficients are left out of the regression.
    """
    k, n = x.shape[0], scratch.shape[1]
    p, q, P, Q, season = arma
    reach = max(max(p, q), max(P, Q) * season)
    for i in range(k):
        x[i] = 0.0
    if n - reach < 2 * k:
        return
    y = scratch[0]
    lags = min(n // 3, 2 * (p + q + (P + Q) * season) + EXTRA)
    _innovations(y, lags, scratch[1], scratch[2], scratch[3])
    matrix = vectors[:k]
    for i in range(k):
        kind, lag = _place(arma, i)
        x[i] = _products(scratch[kind % 2], y, lag, 0, reach)
        for j in range(i + 1):
            other_kind, other = _place(arma, j)
            matrix[i, j] = _products(scratch[kind % 2], scratch[other_kind % 2], lag, other, reach)
        matrix[i, i] *= 1.0 + 1e-6
    if not solve(matrix, vectors[k : 2 * k], x, k):
        for i in range(k):
            x[i] = 0.0
    for i in range(p, p + q):
        x[i] = -x[i]
    for i in range(p + q + P, k):
        x[i] = -x[i]
    _inside(x[:p])
    _inside(x[p : p + q])
    _inside(x[p + q : p + q + P])
    _inside(x[p + q + P :])


@cell
def _place(arma: Arma, i: int) -> tuple[int, int]:
    """Kind and lag of coefficient i."""
    if i < arma.p:
        return 0, i + 1
    i -= arma.p
    if i < arma.q:
        return 1, i + 1
    i -= arma.q
    if i < arma.P:
        return 2, (i + 1) * arma.season
    return 3, (i - arma.P + 1) * arma.season


@kernel
def promising_starts(
    arma: Arma,
    rows: Array,  # (c, n) read: as `misfits` takes them
    gaps: int,
    starts: Array,  # (S, k) written: at most 17, the most promising first
    work: Workspace,
) -> int:
    """Starts for a fit that look at several regions; returns how many there are.

    One is the regression of Hannan and Rissanen; in the others, the first coefficient of each kind is far from 0, with
    all combinations of signs.
    """
    k, memory, at, ours = starts.shape[1], work.memory, work.at, work.vectors
    for i in range(k):  # white noise: for the residuals of an ordinary regression
        for lane in range(LANES):
            memory[at.points + i, lane] = 0.0
    misfits(arma, rows, gaps, memory, at)
    scratch = memory[at.derivatives :].reshape(-1)[: 4 * at.n].reshape(4, at.n)
    for t in range(at.n):
        scratch[0, t] = memory[at.white + t, 0]
    count = 1
    for i in range(1, STARTS):
        first, rest = 0, i - 1
        for j in range(k):
            ours[i, j] = 0.0
        for size in (arma.p, arma.q, arma.P, arma.Q):
            if size > 0:
                ours[i, first] = STEEP if rest % 2 else -STEEP
                rest //= 2
            first += size
        count += rest == 0
    _hannan_rissanen(arma, scratch, ours[0, :k], ours[STARTS:])
    for base in range(0, count, LANES):
        for lane in range(LANES):
            for i in range(k):
                memory[at.points + i, lane] = ours[min(base + lane, count - 1), i]
        misfits(arma, rows, gaps, memory, at)
        for lane in range(min(LANES, count - base)):
            ours[base + lane, k] = memory[at.results + MISFIT, lane]
    found: int = min(count, starts.shape[0])
    for i in range(found):
        place = 0
        for j in range(count):
            if ours[j, k] < ours[place, k]:
                place = j
        ours[place, k] = np.inf
        for j in range(k):
            starts[i, j] = ours[place, j]
    return found
