"""Maximum likelihood estimation of a seasonal ARMA process, without the interpreter.

Notation: n values, k coefficients, seen by the search as real numbers x (see polynomials.py).

With the innovations' variance, the mean and the gaps concentrated out, the likelihood is a monotone function of a sum
of squares (Ansley 1979), so that the residuals' derivatives J give not only the gradient but most of the curvature:
Levenberg-Marquardt. The rest of the curvature matters where a model has more coefficients than the series needs; a
secant update estimates it, and is used while it predicts better (Dennis, Gay and Welsch, "An adaptive nonlinear
least-squares algorithm", ACM Transactions on Mathematical Software 7, 1981). On 136 models of series of M1 this took
75 likelihoods a fit where Levenberg-Marquardt took 102, and BFGS and L-BFGS with differences 190. The derivatives are
forward differences: the likelihoods for seven of them come with the one at the point itself.
"""

import math
from typing import NamedTuple

import numpy as np

from forecast_kernels.arima.cpu import DETERMINANT, MISFIT, SCRATCH, SQUARE, Layout, Workspace, misfits
from forecast_kernels.arima.polynomials import Arma
from forecast_kernels.arima.start import solve
from forecast_kernels.jit import Array, cell, kernel, part
from forecast_kernels.lanes import LANES, load, splat, store

BESIDE = LANES - 1  # derivatives that come with a likelihood
DIFFERENCE = 1e-6
ROUGH = 1e-3  # gain in log-likelihood of a step, or forecast for one, at which a first climb ends
LONGEST = 100  # passes of a climb
DAMPING = 0.01  # at first


class Fit(NamedTuple):
    """What a fit found, beside the parameters."""

    log_likelihood: float  # -inf if there is none
    sigma2: float  # variance of the innovations
    passes: int  # over the series, with eight likelihoods each
    converged: bool


@cell
def _change(x: float) -> float:
    """The difference of x for a derivative: away from the bound."""
    return -math.copysign(DIFFERENCE * (1.0 + abs(x)), x)


@part
def _look(arma: Arma, x: Array, k: int, chunk: int, rows: Array, gaps: int, work: Workspace) -> float:
    """Misfit at ``x``, in lane 0; in the others, those for the derivatives of this chunk."""
    memory, at = work.memory, work.at
    for i in range(k):
        for lane in range(LANES):
            memory[at.points + i, lane] = x[i]
        if i // BESIDE == chunk:
            memory[at.points + i, 1 + i % BESIDE] += _change(x[i])
    misfits(arma, rows, gaps, memory, at)
    return float(memory[at.results + MISFIT, 0])


@part
def _derive(x: Array, k: int, chunk: int, gaps: int, memory: Array, at: Layout) -> None:
    """After `_look`: residuals, scaled such that their squares sum to the misfit, in lane 0; else their derivatives."""
    inverse, factor = at.results + SCRATCH, at.results + SCRATCH + 1
    base = math.exp(0.5 * memory[at.results + DETERMINANT, 0] / (at.n - gaps))
    for lane in range(LANES):
        i = chunk * BESIDE + lane - 1
        known = lane > 0 and i < k and memory[at.results + MISFIT, lane] < np.inf
        scale = math.exp(0.5 * memory[at.results + DETERMINANT, lane] / (at.n - gaps))
        memory[inverse, lane] = 1.0 / _change(x[i]) if known else 0.0
        memory[factor, lane] = scale * memory[inverse, lane] if known else 0.0
    for t in range(at.n):
        white, place, residual = at.white + t, at.derivatives + chunk * at.n + t, memory[at.white + t, 0] * base
        store(memory, place, load(memory, white) * load(memory, factor) - splat(residual) * load(memory, inverse))
        memory[place, 0] = residual


@part
def _against(
    start: int,  # place of n values read: row times 8 + lane
    k: int,
    products: Array,  # (k,) written: of the values and the derivatives
    memory: Array,
    at: Layout,
) -> None:
    row, lane = start // LANES, start % LANES
    for first in range(0, k, BESIDE):
        place, value = at.derivatives + first // BESIDE * at.n, splat(0.0)
        for t in range(at.n):
            value += splat(memory[row + t, lane]) * load(memory, place + t)
        store(memory, at.results + SCRATCH, value)
        for i in range(first, min(k, first + BESIDE)):
            products[i] = memory[at.results + SCRATCH, 1 + i - first]


@part
def _update_curvature(
    curvature: Array,  # (k, ..) updated
    k: int,
    step: Array,  # (k,) read: the last step
    gradient: Array,  # (k,) read: after it
    before: Array,  # (k,) read: before it
    stale: Array,  # (k,) read: derivatives before it times residuals after it
    bends: Array,  # (k,) scratch
) -> None:
    """Secant estimate of what J J' leaves out of the curvature, sized as Dennis, Gay and Welsch do."""
    bend, known, wanted = 0.0, 0.0, 0.0
    for i in range(k):
        bends[i] = 0.0
        for j in range(k):
            bends[i] += curvature[i, j] * step[j]
        bend += step[i] * (gradient[i] - before[i])
        known += step[i] * bends[i]
        wanted += step[i] * (gradient[i] - stale[i])
    if not bend > 0.0:
        return
    size = min(1.0, abs(wanted / known)) if known != 0.0 else 1.0
    excess = (wanted - size * known) / bend
    for i in range(k):
        y, u = gradient[i] - before[i], gradient[i] - stale[i] - size * bends[i]
        for j in range(k):
            z, v = gradient[j] - before[j], gradient[j] - stale[j] - size * bends[j]
            curvature[i, j] = size * curvature[i, j] + (u * z + y * v - excess * y * z) / bend


@cell
def _climb(
    arma: Arma,
    x: Array,  # (k,) updated
    k: int,
    rows: Array,
    gaps: int,
    tolerance: float,
    work: Workspace,
) -> tuple[float, int, bool]:
    """Misfit at the place to which ``x`` moved, number of passes over the series, and whether it is a minimum."""
    memory, at, vectors, observed = work.memory, work.at, work.vectors, work.at.n - gaps
    gradient, information, curvature = vectors[0], vectors[1 : k + 1], vectors[k + 1 : 2 * k + 1]
    damped, factor, before = vectors[2 * k + 1 : 3 * k + 1], vectors[3 * k + 1 : 4 * k + 1], vectors[4 * k + 1]
    stale, step, trial = vectors[4 * k + 2], vectors[4 * k + 3], vectors[4 * k + 4]
    best, plain, bent, passes, steps, small = np.inf, 0.0, 0.0, 0, 0, False
    damping, growth, secant = DAMPING, 2.0, False
    for i in range(k):
        trial[i] = x[i]
        for j in range(k):
            curvature[i, j] = 0.0
    while passes < LONGEST:
        found = _look(arma, trial, k, 0, rows, gaps, work)
        passes += 1
        if found < best:
            if steps > 0:
                gained = best - found
                small = 0.5 * observed * gained < tolerance * best
                ratio = gained / (bent if secant else plain)
                damping *= max(0.1, 1.0 - (2.0 * ratio - 1.0) ** 3)
                growth, secant = 2.0, abs(bent - gained) < abs(plain - gained)
                base = math.exp(0.5 * memory[at.results + DETERMINANT, 0] / observed)
                _against(at.white * LANES, k, stale, memory, at)
                for i in range(k):
                    stale[i] *= base
            best = found
            for i in range(k):
                x[i], before[i] = trial[i], gradient[i]
            if small:
                return best, passes, True
            for chunk in range(1 + (k - 1) // BESIDE):
                if chunk > 0:
                    _look(arma, x, k, chunk, rows, gaps, work)
                    passes += 1
                _derive(x, k, chunk, gaps, memory, at)
            for i in range(-1, k):
                place = (
                    (at.derivatives + i // BESIDE * at.n) * LANES + 1 + i % BESIDE if i >= 0 else at.derivatives * LANES
                )
                _against(place, k, vectors[1 + i], memory, at)
            if steps > 0:
                _update_curvature(curvature, k, step, gradient, before, stale, vectors[4 * k + 5])
            steps += 1
        elif steps == 0:
            return best, passes, False
        else:
            damping *= growth
            growth *= 2.0

        solved = False
        while not solved:
            for i in range(k):
                for j in range(k):
                    damped[i, j] = information[i, j] + (curvature[i, j] if secant else 0.0)
                damped[i, i] += damping * max(information[i, i], 1e-12 * best)
                step[i] = -gradient[i]
            solved = solve(damped, factor, step, k)
            if not solved:
                damping = max(4.0 * damping, DAMPING)
                if not damping < 1e12:
                    return best, passes, False
        plain, bent = 0.0, 0.0  # what the two models of the misfit say that the step will gain
        for i in range(k):
            trial[i] = x[i] + step[i]
            value, bend = 2.0 * gradient[i], 0.0
            for j in range(k):
                value += information[i, j] * step[j]
                bend += curvature[i, j] * step[j]
            plain -= step[i] * value
            bent -= step[i] * (value + bend)
        if 0.5 * observed * (bent if secant else plain) < tolerance * best:
            return best, passes, True
    return best, passes, False


@kernel
def fit_arma(
    arma: Arma,
    rows: Array,  # (c, n) read: finite; the series, then gaps, then other regressors (a mean: ones); c - 1 < n
    gaps: int,  # how many of the rows are gaps
    starts: Array,  # (S, k) read: real numbers to climb from, such as `promising_starts` or neighbours give
    tolerance: float,  # gain in log-likelihood of a step at which the search ends
    x: Array,  # (k,) updated: real numbers, a start for a neighbour; climbed from where there are no other starts
    coefficients: Array,  # (k,) written
    slopes: Array,  # (c - 1,) written: how far the gaps move, and the coefficients of the regressors
    work: Workspace,
) -> Fit:
    """Fit by maximum likelihood; nothing is NaN where the rows are finite.

    The starts are climbed roughly, and the best one on to the top: of a likelihood with several maxima, this is the
    surest way to a high one.
    """
    k, memory, at = x.shape[0], work.memory, work.at
    given, trial = starts.shape[0], work.vectors[4 * k + 6]
    rough = tolerance if given == 1 else max(tolerance, ROUGH)
    best, passes, converged = np.inf, 0, False
    for climb in range(given + 1):
        if climb == given > 0 and rough == tolerance:
            break
        for i in range(k):
            trial[i] = starts[climb, i] if climb < given else x[i]
        found, more, converged = _climb(arma, trial, k, rows, gaps, rough if climb < given else tolerance, work)
        passes += more
        if climb == 0 or found <= best:
            best = found
            for i in range(k):
                x[i] = trial[i]
    best = _look(arma, x, k, 0, rows, gaps, work)
    for i in range(k):
        coefficients[i] = memory[at.coefficients + i, 0]
    for j in range(slopes.shape[0]):
        slopes[j] = memory[at.slopes + j + 1, 0]
    observed = at.n - gaps
    if not 0.0 < best < np.inf:
        return Fit(-np.inf, best, passes, False)
    log_likelihood = -0.5 * observed * (math.log(2.0 * math.pi * best / observed) + 1.0)
    return Fit(log_likelihood, memory[at.results + SQUARE, 0] / observed, passes, converged)
