"""What a seasonal ARIMA process expects next, and what it expected of every value.

Notation: as in cpu.py; h steps ahead. ``difference`` = [1, ..] is the polynomial (1 - B)^d (1 - B^s)^D that took the
levels of a series to the ``rows`` of an ARMA process; [1] where nothing was differenced.
"""

import math

import numpy as np

from forecast_kernels.arima.cpu import DETERMINANT, GAIN, PHI, Workspace, advance, log_likelihood, whiten_given
from forecast_kernels.arima.polynomials import Arma
from forecast_kernels.jit import Array, kernel, part
from forecast_kernels.lanes import load, store

NOTHING = 1e-10  # a gap that moves a whitened value by less does not move it


@part
def _undo_difference(
    difference: Array,  # (m + 1,) read
    past: Array,  # (N,) read: levels before; those not given are 0
    path: Array,  # (h,) updated: differenced values become levels
) -> None:
    N = past.shape[0]
    for i in range(path.shape[0]):
        for j in range(1, difference.shape[0]):
            if j <= i:
                path[i] -= difference[j] * path[i - j]
            elif N + i - j >= 0:
                path[i] -= difference[j] * past[N + i - j]


@part
def _continue(
    state: int,  # r + 1 values updated: what is known of the next r
    r: int,
    constant: float,
    path: Array,  # (h,) written: the next h values without innovations, above the constant
    work: Workspace,
) -> None:
    memory, phi = work.memory, work.at.span * PHI
    for i in range(path.shape[0]):
        known = memory[state, 0]
        path[i] = known + constant
        for j in range(r):
            memory[state + j, 0] = memory[state + j + 1, 0] + memory[phi + j, 0] * known


@kernel
def forecast(
    arma: Arma,
    coefficients: Array,  # (k,) read
    difference: Array,  # (m + 1,) read
    rows: Array,  # (c, n) read: finite; the differenced series less its mean, then gaps
    levels: Array,  # (c, N) read: the same, not differenced, N >= m
    constant: float,  # the mean of the differenced series
    paths: Array,  # (c, h) scratch
    mean: Array,  # (h,) written
    variance: Array,  # (h,) written: of the forecast errors, as a multiple of the innovations' variance
    work: Workspace,
) -> bool:
    """Forecast the levels after the last one; False if the process is not, or hardly, stationary.

    The gaps are estimated from all observed values, and what is not known of them widens the variance.
    """
    c, h, memory, at = rows.shape[0], mean.shape[0], work.memory, work.at
    r = max(arma.p + arma.P * arma.season, arma.q + arma.Q * arma.season)
    log_likelihood(arma, coefficients, rows, c - 1, work)
    if not memory[at.results + DETERMINANT, 0] < np.inf:
        return False
    for j in range(c):
        _continue(at.states + j * at.span, r, constant if j == 0 else 0.0, paths[j], work)
        _undo_difference(difference, levels[j], paths[j])
    for i in range(h):
        mean[i] = paths[0, i]
        variance[i] = 0.0
        for j in range(1, c):
            mean[i] -= memory[at.slopes + j, 0] * paths[j, i]
        # What one standard deviation of each independent part of the gaps would change.
        for j in range(1, c):
            for k in range(1, j):
                paths[j, i] -= memory[at.normal + j * c + k, 0] * paths[k, i]
            paths[j, i] /= memory[at.normal + j * c + j, 0]
            variance[i] += paths[j, i] * paths[j, i]

    # Each innovation to come, of one standard deviation, and what it does to the values after it.
    deviation = load(memory, at.deviations + at.n)
    for first in range(h):
        path = paths[0, first:]
        size = memory[at.deviations + at.n, 0]
        path[0] = size
        for i in range(r):
            memory[at.states + i, 0] = memory[at.span * GAIN + i, 0] / size
        _continue(at.states, r, 0.0, path[1:], work)
        _undo_difference(difference, levels[0, :0], path)
        for i in range(path.shape[0]):
            variance[first + i] += path[i] * path[i]
        deviation = advance(r, deviation, memory, at)
        store(memory, at.deviations + at.n, deviation)
    return True


@kernel
def one_step_errors(
    arma: Arma,
    coefficients: Array,  # (k,) read
    rows: Array,  # (c, n) read: finite; the series less what it is regressed on, then gaps
    errors: Array,  # (n,) written: NaN where the value is unobserved, or needed to tell a gap from the rest
    deviations: Array,  # (n,) written: of these errors, as a multiple of the innovations'
    work: Workspace,
) -> bool:
    """Errors of the forecasts of every value from those before it; False if the process is not stationary.

    What is known of the gaps is updated with every value: recursive least squares by Givens rotations.
    """
    c, n = rows.shape
    memory, at = work.memory, work.at
    whiten_given(arma, coefficients, rows, work)
    if not memory[at.results + DETERMINANT, 0] < np.inf:
        return False
    for i in range(c * c):
        memory[at.normal + i, 0] = 0.0
    for t in range(n):
        shrink, determined = 1.0, True
        for j in range(1, c):
            root, entry = at.normal + j * c, memory[at.white + j * n + t, 0]
            if abs(entry) < NOTHING:
                continue
            known = memory[root + j, 0]
            length = math.hypot(known, entry)
            cosine, sine = known / length, entry / length
            determined = determined and known != 0.0
            for k in range(c):  # what is known of gap j from those after it, and of its size
                if k == 0 or k >= j:
                    place = at.white + k * n + t
                    above, below = memory[root + k, 0], memory[place, 0]
                    memory[root + k, 0] = cosine * above + sine * below
                    memory[place, 0] = cosine * below - sine * above
            shrink *= cosine
        deviations[t] = memory[at.deviations + t, 0] / shrink if determined else np.inf
        errors[t] = memory[at.white + t, 0] * deviations[t] if determined else np.nan
    return True
