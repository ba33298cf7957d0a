"""Exact Gaussian likelihood of a seasonal ARMA process on the CPU, in float64.

Notation: n values, c rows (the series first, then what is regressed on), a and b the degrees of ``ar`` and ``ma`` (see
polynomials.py), r = max(a, b), innovations of variance 1. The memory (m, 8) holds eight processes of the same orders
side by side: a fit needs the likelihoods around a point for its derivatives, and eight take two to three times as long
as one (n = 131, r = 14: 5 microseconds against 2).

One-step forecasts come from the state of the companion form: what the values so far imply for the next r. Without
gaps the process is stationary, so the gain need not come from a Riccati recursion of O(r²) or more a step: the
difference of two successive state covariances has rank one, and the recursions of Chandrasekhar type carry the gain K
and that one direction W at O(r) a step,

    kappa = W_0 / F,  U = T W,  K, W = K - kappa U, U - kappa K,  F = F (1 - kappa²),

the state-space face of Levinson's and Schur's algorithms: kappa is the next partial autocorrelation of the process, F
the variance of the one-step forecast. Once W has died away, gain and variance stand still.

Gaps, a mean and other regressors are columns of a generalised least squares regression, whose rows are whitened as the
series is. A gap is a column that is free to move the unobserved value, and the determinant of the gaps' information
is part of the likelihood, which makes it exactly that of the observed values (Gómez, Maravall and Peña, "Missing
observations in ARIMA models", Journal of Econometrics 88, 1999).

Sources: Morf, Sidhu and Kailath, "Some new algorithms for recursive estimation in constant, linear, discrete-time
systems", IEEE Transactions on Automatic Control 19 (1974); Pearlman, "An algorithm for the exact likelihood of a
high-order autoregressive-moving average process", Biometrika 67 (1980).
"""

import math
from typing import Any, NamedTuple

import numpy as np

from forecast_kernels.arima.polynomials import Arma, constrain, expand, to_partials
from forecast_kernels.jit import Array, cell, kernel, part
from forecast_kernels.lanes import LANES, load, splat, sqrt, store

STILL = 1e-8  # gain and variance stand still once W / F is smaller: the square of that is left to change
CHECK = 16  # steps between two looks at that
LARGEST = 1e10  # variance of the process: float64 loses its digits on the way down to that of the innovations, 1
RANK = 1e-13  # a pivot that falls to this share of its start belongs to a row that the others explain


# Blocks of ``span`` numbers at the beginning of the memory.
AR, MA, PHI = 0, 1, 2  # a + 1, b + 1, r: coefficients
GAIN, BACK = 3, 4  # r, r + 1: K and W after the last value
PARTIALS, PSI, MIXED, OWN, PURE = 5, 6, 7, 8, 9  # scratch; the last has two blocks
BLOCKS = 11
# Single numbers in ``results``.
DETERMINANT, SQUARE, MISFIT, SCRATCH = 0, 1, 2, 3  # logarithm of the determinant, sum of squares; scratch has two
RESULTS = 5


class Layout(NamedTuple):
    """Where things begin in the memory (m, 8) of the kernels, beside the blocks."""

    n: int  # number of values
    span: int  # of a block
    states: int  # a block for each row: what the values imply for the next r
    deviations: int  # n + 1: of the one-step forecasts of every value and the next
    white: int  # n for each row: errors of the one-step forecasts over their standard deviations
    normal: int  # c for each row: Cholesky factor of the regression
    slopes: int  # c: coefficients of the regression, from 1
    results: int
    points: int  # k: real numbers
    coefficients: int  # k
    derivatives: int  # n for each seven coefficients


class Workspace(NamedTuple):
    """Memory of the kernels; see `workspace`."""

    memory: Array  # (m, 8)
    at: Layout
    vectors: Array  # (4 k + 17, k + 1) of a fit


def workspace(n: int, c: int, degrees: int, k: int) -> Workspace:
    """Memory for n values in up to c rows, and for models of up to k coefficients with a + b <= ``degrees``."""
    sizes = (degrees + 2, (degrees + 2) * c, n + 1, c * n, c * c, c, RESULTS, k, k, n * (1 + k // (LANES - 1)))
    ends = np.cumsum([BLOCKS * sizes[0], *sizes[1:]]).tolist()
    at = Layout(n, sizes[0], *ends[:-1])
    buffer = np.empty((ends[-1] + 1) * LANES)
    aligned = buffer[-buffer.ctypes.data // buffer.itemsize % LANES :]  # lanes that do not straddle cache lines
    return Workspace(aligned[: ends[-1] * LANES].reshape(-1, LANES), at, np.empty((4 * k + 17, k + 1)))


@part
def _add(
    memory: Array,  # (m, 8)
    target: int,
    count: int,
    sign: float,
    factor: int,
    source: int,
    step: int,
) -> None:
    """Add a factor times the values source, source + step, .. to those at the target."""
    for lane in range(memory.shape[1]):
        if memory[factor, lane] != 0.0:  # seasonal polynomials are mostly zeros
            break
    else:
        return
    value = splat(sign) * load(memory, factor)
    for i in range(count):
        store(memory, target + i, load(memory, target + i) + value * load(memory, source + step * i))


@part
def first_gain(
    a: int,
    b: int,
    memory: Array,  # (m, 8): ar, ma read; gain written: covariances of the first value with the next r it implies
    at: Layout,
) -> None:
    """Gain of the first value, and its standard deviation into ``deviations``; NaN where it is not stationary.

    The autocovariances of the autoregressive part come from its partial autocorrelations in O(a²), and are then
    filtered by the moving average; no linear system is solved.
    """
    ar, ma, phi, gain = at.span * AR, at.span * MA, at.span * PHI, at.span * GAIN
    partials, psi, mixed, own = at.span * PARTIALS, at.span * PSI, at.span * MIXED, at.span * OWN
    last = a + b  # lags 0 .. last are needed
    zero, one = splat(0.0), splat(1.0)
    pure = at.span * PURE + last  # covariances at lags -last .. last of the process with 1 in place of ma
    for j in range(a):
        store(memory, partials + j, zero - load(memory, ar + j + 1))
    to_partials(memory, partials, a)
    error = one
    for j in range(a):
        r = load(memory, partials + j)
        root = sqrt((one - r) * (one + r))  # NaN unless r is a partial autocorrelation
        error = error / (root * root)
    store(memory, pure, error)
    for lag in range(1, last + 1):
        value = zero
        if lag <= a:
            r = load(memory, partials + lag - 1)
            value = r * error
            error = error * ((one - r) * (one + r))
            for i in range(1, lag):
                value += load(memory, phi + i - 1) * load(memory, pure + lag - i)
            for i in range(lag // 2):
                left, right = load(memory, phi + i), load(memory, phi + lag - 2 - i)
                store(memory, phi + i, left - r * right)
                store(memory, phi + lag - 2 - i, right - r * left)
            store(memory, phi + lag - 1, r)
        else:
            for i in range(1, a + 1):
                value -= load(memory, ar + i) * load(memory, pure + lag - i)
        store(memory, pure + lag, value)
        store(memory, pure - lag, value)
    for lag in range(b):  # covariances of the process with its past innovations
        value = load(memory, ma + lag)
        for j in range(1, min(a, lag) + 1):
            value -= load(memory, ar + j) * load(memory, psi + lag - j)
        store(memory, psi + lag, value)
    for i in range(last + 1):
        store(memory, mixed + i, zero)
        store(memory, own + i, zero)
        store(memory, gain + i, zero)
    for j in range(b + 1):
        _add(memory, mixed, last + 1, 1.0, ma + j, pure - j, 1)
    for j in range(b + 1):
        _add(memory, own, a + 1, 1.0, ma + j, mixed + j, 1)
    for j in range(1, a + 1):
        _add(memory, gain, j, -1.0, ar + j, own + j - 1, -1)
    for j in range(1, b + 1):
        _add(memory, gain, j, 1.0, ma + j, psi + j - 1, -1)
    store(memory, at.deviations, sqrt(load(memory, own)))


@cell
def advance(r: int, deviation: Any, memory: Array, at: Layout) -> Any:
    """Gain and standard deviation of the next value, from this one's."""
    one, phi, gain, back = splat(1.0), at.span * PHI, at.span * GAIN, at.span * BACK
    first = load(memory, back)
    kappa = first / (deviation * deviation)
    for i in range(r):
        forward, backward = load(memory, gain + i), load(memory, back + i + 1) + load(memory, phi + i) * first
        store(memory, gain + i, forward - kappa * backward)
        store(memory, back + i, backward - kappa * forward)
    return deviation * sqrt((one - kappa) * (one + kappa))


@part
def whiten(
    a: int,
    b: int,
    rows: Array,  # (c, n) read: finite
    memory: Array,  # (m, 8): ar, ma read; white, deviations, states, gain, back, determinant written
    at: Layout,
) -> None:
    """Errors of the one-step forecasts of every row, and the log determinant of the covariance of n values.

    The log determinant is NaN where the process is not, or hardly, stationary.
    """
    c, n = rows.shape
    r = max(a, b)
    ar, phi, gain, back = at.span * AR, at.span * PHI, at.span * GAIN, at.span * BACK
    zero, one = splat(0.0), splat(1.0)
    first_gain(a, b, memory, at)
    for lane in range(memory.shape[1]):
        memory[at.results + DETERMINANT, lane] = 0.0 if memory[at.deviations, lane] ** 2 < LARGEST else np.nan
    for i in range(r):
        store(memory, phi + i, zero - load(memory, ar + i + 1) if i < a else zero)
        store(memory, back + i, load(memory, gain + i))
    store(memory, back + r, zero)
    for i in range(c * at.span):
        store(memory, at.states + i, zero)

    moving, product, deviation = r > 0, one, load(memory, at.deviations)
    inverse = one / deviation
    for t in range(n):
        for j in range(c):
            state = at.states + j * at.span
            known = load(memory, state)
            error = (splat(rows[j, t]) - known) * inverse
            store(memory, at.white + j * n + t, error)
            error = error * inverse
            for i in range(r):
                value = load(memory, state + i + 1) + load(memory, phi + i) * known
                store(memory, state + i, value + load(memory, gain + i) * error)
        product = product * deviation
        if moving:
            deviation = advance(r, deviation, memory, at)
            inverse = one / deviation
        store(memory, at.deviations + t + 1, deviation)
        if t % CHECK == CHECK - 1 or t == n - 1:
            store(memory, at.results + SCRATCH, product)
            for lane in range(memory.shape[1]):  # a logarithm costs as much as a step
                memory[at.results + DETERMINANT, lane] += 2.0 * math.log(memory[at.results + SCRATCH, lane])
            product = one
            moving = moving and _is_moving(back, r, deviation, memory, at)


@cell
def _is_moving(back: int, r: int, deviation: Any, memory: Array, at: Layout) -> bool:
    """Whether gain and variance still change in any lane; NaN does not move."""
    size, bound = splat(0.0), splat(STILL) * deviation * deviation
    for i in range(r):
        size += load(memory, back + i) * load(memory, back + i)
    store(memory, at.results + SCRATCH, size / (bound * bound))
    moving = False
    for lane in range(memory.shape[1]):
        moving = moving or memory[at.results + SCRATCH, lane] > 1.0
    return moving


@part
def regress(
    c: int,
    gaps: int,  # how many of the rows, from 1, are gaps
    memory: Array,  # (m, 8): white updated: row 0 minus what the others explain; determinant updated; others written
    at: Layout,
) -> None:
    """Least squares of the first row on the others, and the sum of squares that is left.

    The log determinant of the gaps' information is added to that of the covariance; NaN where a row is explained by
    the others.
    """
    n, white = at.n, at.white
    for j in range(1, c):
        row = at.normal + j * c
        for k in range(j + 1):
            value = splat(0.0)
            for t in range(n):
                value += load(memory, white + j * n + t) * load(memory, white + k * n + t)
            store(memory, row + k, value)
        for k in range(1, j + 1):
            other, value = at.normal + k * c, load(memory, row + k)
            for i in range(1, k):
                value -= load(memory, row + i) * load(memory, other + i)
            rest = value - splat(RANK) * load(memory, row + j)
            store(memory, row + k, value / load(memory, other + k) if k < j else sqrt(rest))
        for lane in range(memory.shape[1]):
            if j <= gaps:
                memory[at.results + DETERMINANT, lane] += 2.0 * math.log(memory[row + j, lane])
        value = load(memory, row)
        for i in range(1, j):
            value -= load(memory, row + i) * load(memory, at.slopes + i)
        store(memory, at.slopes + j, value / load(memory, row + j))
    for j in range(c - 1, 0, -1):
        value = load(memory, at.slopes + j)
        for i in range(j + 1, c):
            value -= load(memory, at.normal + i * c + j) * load(memory, at.slopes + i)
        value = value / load(memory, at.normal + j * c + j)
        store(memory, at.slopes + j, value)
        for t in range(n):
            store(memory, white + t, load(memory, white + t) - value * load(memory, white + j * n + t))
    square = splat(0.0)
    for t in range(n):
        square += load(memory, white + t) * load(memory, white + t)
    store(memory, at.results + SQUARE, square)


@kernel
def misfits(
    arma: Arma,
    rows: Array,  # (c, n) read: finite; the series, then gaps, then other regressors (a mean: ones)
    gaps: int,
    memory: Array,  # (m, 8): points read: real numbers; all that is not scratch written
    at: Layout,
) -> None:
    """Eight fits with given coefficients: ``misfit`` is least where the likelihood is greatest, inf where none is.

    The misfit is the sum of squares times the n-th root of the determinant: the likelihood is ``(misfit / n)^(-n/2)``
    to a factor, with n the number of observed values.
    """
    a, b = arma.p + arma.P * arma.season, arma.q + arma.Q * arma.season
    constrain(arma, memory, at.points, at.coefficients)
    expand(arma, memory, at.coefficients, at.span * AR, at.span * MA)
    whiten(a, b, rows, memory, at)
    regress(rows.shape[0], gaps, memory, at)
    for lane in range(memory.shape[1]):
        misfit = memory[at.results + SQUARE, lane] * math.exp(memory[at.results + DETERMINANT, lane] / (at.n - gaps))
        memory[at.results + MISFIT, lane] = misfit if misfit < np.inf else np.inf


@part
def whiten_given(
    arma: Arma,
    coefficients: Array,  # (k,) read
    rows: Array,  # (c, n) read: finite
    work: Workspace,  # memory: as `whiten` leaves it, the same in all lanes
) -> None:
    """Whiten with given coefficients."""
    memory, at = work.memory, work.at
    for i in range(coefficients.shape[0]):
        store(memory, at.coefficients + i, splat(coefficients[i]))
    expand(arma, memory, at.coefficients, at.span * AR, at.span * MA)
    whiten(arma.p + arma.P * arma.season, arma.q + arma.Q * arma.season, rows, memory, at)


@kernel
def log_likelihood(
    arma: Arma,
    coefficients: Array,  # (k,) read
    rows: Array,  # (c, n) read: as `misfits` takes them
    gaps: int,
    work: Workspace,  # memory: as `misfits` leaves it, the same in all lanes
) -> tuple[float, float]:
    """Exact log-likelihood of the observed values, with the best variance of the innovations, and that variance.

    The log-likelihood is -inf if the process is not, or hardly, stationary, and if nothing is left to explain.
    """
    memory, at = work.memory, work.at
    whiten_given(arma, coefficients, rows, work)
    regress(rows.shape[0], gaps, memory, at)
    observed, square = at.n - gaps, memory[at.results + SQUARE, 0]
    value = observed * (math.log(2.0 * math.pi * square / observed) + 1.0) + memory[at.results + DETERMINANT, 0]
    if not -np.inf < value < np.inf:
        return -np.inf, np.inf
    return -0.5 * value, square / observed
