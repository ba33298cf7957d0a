"""Seasonal ARMA models, and how the tests call the kernels on them."""

from dataclasses import dataclass

import numpy as np

from forecast_kernels.arima.cpu import log_likelihood, workspace
from forecast_kernels.arima.fit import fit_arma
from forecast_kernels.arima.forecast import forecast, one_step_errors
from forecast_kernels.arima.polynomials import Arma
from forecast_kernels.arima.start import promising_starts
from tests import naive


@dataclass
class Case:
    """A process with coefficients, and a series (n,) with NaN where unobserved and regressors (c, n)."""

    arma: Arma
    coefficients: np.ndarray
    y: np.ndarray
    regressors: np.ndarray

    def __post_init__(self):
        gaps = np.flatnonzero(np.isnan(self.y))
        moves = np.zeros((len(gaps), len(self.y)))
        moves[np.arange(len(gaps)), gaps] = 1.0
        self.gaps = len(gaps)
        self.rows = np.vstack([np.nan_to_num(self.y)[None], moves, self.regressors])
        self.work = memory_for(self.arma, self.rows)

    def polynomials(self):
        arma = self.arma
        phi, theta, Phi, Theta = np.split(self.coefficients, np.cumsum([arma.p, arma.q, arma.P]))
        return (
            naive.seasonal_product(-phi, -Phi, arma.season),
            naive.seasonal_product(theta, Theta, arma.season),
        )

    def log_likelihood(self):
        return log_likelihood(self.arma, self.coefficients, self.rows, self.gaps, self.work)

    def slopes(self):
        """Of the regressors, after `log_likelihood`."""
        first = self.work.at.slopes + 1 + self.gaps
        return self.work.memory[first : first + len(self.regressors), 0].copy()

    def errors(self):
        errors, deviations = np.empty((2, len(self.y)))
        rows = self.rows[: 1 + self.gaps]
        assert one_step_errors(self.arma, self.coefficients, rows, errors, deviations, self.work)
        return errors, deviations

    def forecast(self, h):
        rows = self.rows[: 1 + self.gaps]
        mean, variance, paths = np.empty(h), np.empty(h), np.empty((len(rows), h))
        one = np.ones(1)
        assert forecast(self.arma, self.coefficients, one, rows, rows, 0.0, paths, mean, variance, self.work)
        return mean, variance

    def fit(self, tries=3, starts=None, tolerance=1e-8):
        x, slopes = np.empty(len(self.coefficients)), np.empty(len(self.rows) - 1)
        coefficients = np.empty_like(x)
        if starts is None:
            starts = np.empty((tries, len(x)))
            starts = starts[: promising_starts(self.arma, self.rows, self.gaps, starts, self.work)]
        work = self.work
        found = fit_arma(self.arma, self.rows, self.gaps, starts, tolerance, x, coefficients, slopes, work)
        return found, x, coefficients, slopes


def memory_for(arma, rows):
    degrees = arma.p + arma.q + (arma.P + arma.Q) * arma.season
    return workspace(rows.shape[1], len(rows), degrees, arma.p + arma.q + arma.P + arma.Q)


def coefficients_of(arma, x):
    """The coefficients that real numbers stand for, by the plain formulas."""
    partials = np.asarray(x) / np.sqrt(1 + np.square(x))
    parts = np.split(partials, np.cumsum([arma.p, arma.q, arma.P]))
    return np.concatenate([sign * naive.from_partials(part) for part, sign in zip(parts, (1, -1, 1, -1), strict=True)])


def simulated(arma, coefficients, n, seed):
    """A series of the process, after a run-in."""
    case = Case(arma, np.asarray(coefficients), np.zeros(1), np.empty((0, 1)))
    ar, ma = case.polynomials()
    e = np.random.default_rng(seed).normal(size=n + 300 + len(ar) + len(ma))
    w = np.zeros_like(e)
    for t in range(max(len(ar), len(ma)), len(e)):
        w[t] = ma @ e[t - np.arange(len(ma))] - ar[1:] @ w[t - np.arange(1, len(ar))]
    return w[-n:]


def random_case(orders, n, seed, gaps=(), regressors=0):
    """A case with moderate coefficients and a series of that very process."""
    rng = np.random.default_rng(seed)
    arma = Arma(*orders)
    coefficients = coefficients_of(arma, rng.normal(size=sum(orders[:4])))
    y = simulated(arma, coefficients, n, seed) + 0.5
    y[list(gaps)] = np.nan
    X = np.vstack([np.ones(n), np.arange(n) / n, rng.normal(size=n)])[:regressors]
    return Case(arma, coefficients, y, X)
