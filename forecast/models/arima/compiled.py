"""Estimates, forecasts and errors of a seasonal ARIMA by compiled kernels.

Notation: n differenced values with k gaps, m regressors, N = n + d + D s levels, h steps ahead.
"""

import numpy as np
import numpy.typing as npt

from forecast.models.arima.estimate import Estimate
from forecast.models.arima.orders import Orders
from forecast.models.arima.sample import Sample, difference
from forecast_kernels.arima.cpu import Workspace, log_likelihood, workspace
from forecast_kernels.arima.fit import fit_arma
from forecast_kernels.arima.forecast import forecast, one_step_errors
from forecast_kernels.arima.polynomials import Arma
from forecast_kernels.arima.start import STARTS, promising_starts

Floats = npt.NDArray[np.float64]

ROUGHLY, PRECISELY = 1e-3, 1e-8  # gain in log-likelihood at which a search ends


class Compiled:
    """Exact maximum likelihood on one sample; one at a time, as its models share their memory.

    Parameters
    ----------
    sample : Sample
        Differenced as all orders to come say.
    largest : Orders
        No model has more coefficients of either kind, p + q and P + Q.
    """

    is_fast = True

    def __init__(self, sample: Sample, largest: Orders) -> None:
        self.sample = sample
        self._center = float(sample.w.mean())
        ones = np.ones((1, len(sample.w)))
        self._centers = sample.regressors.mean(axis=1)
        self._rows = np.concatenate([sample.w[None], sample.gaps, sample.regressors])
        centered = sample.regressors - self._centers[:, None]
        self._centered = np.concatenate([sample.w[None] - self._center, sample.gaps, centered, ones])
        self._work = _memory(largest, self._centered)

    def starts(self, orders: Orders) -> Floats:
        """(<= 17, p + q + P + Q) starts of searches, the most promising first."""
        starts = np.empty((STARTS, orders.size))
        return starts[: promising_starts(_arma(orders), self._of(orders), len(self.sample.gaps), starts, self._work)]

    def estimate(self, orders: Orders, starts: Floats, precise: bool = False) -> Estimate | None:
        """Climb from each of ``starts`` (S, p + q + P + Q); None if there is no likelihood where the climbs end.

        ``precise`` climbs on until the log-likelihood is known to about 1e-8; else it ends at about 0.001.
        """
        rows = self._of(orders)
        x, coefficients = np.zeros(orders.size), np.empty(orders.size)
        slopes = np.empty(len(rows) - 1)
        tolerance = PRECISELY if precise else ROUGHLY
        gaps = len(self.sample.gaps)
        found = fit_arma(_arma(orders), rows, gaps, starts, tolerance, x, coefficients, slopes, self._work)
        if not np.isfinite(found.log_likelihood):
            return None
        beta = slopes[gaps : gaps + len(self._centers)]
        constant = float(slopes[-1] + self._center - self._centers @ beta) if orders.constant else 0.0
        return Estimate(
            orders, coefficients, constant, found.sigma2, found.log_likelihood, self.sample.n, beta=beta, start=x
        )

    def log_likelihood(self, orders: Orders, coefficients: Floats) -> float:
        """At given coefficients, with the best constant and variance; -inf if the process is not stationary."""
        return log_likelihood(_arma(orders), coefficients, self._of(orders), len(self.sample.gaps), self._work)[0]

    def beta_errors(self, found: Estimate) -> Floats:
        """(m,) standard errors of the regressors' coefficients, those of the process being given."""
        self.log_likelihood(found.orders, found.coefficients)
        (memory, at, _), c = self._work, len(self._of(found.orders))
        factor = np.tril(memory[at.normal : at.normal + c * c, 0].reshape(c, c)[1:, 1:])  # of the information
        first = len(self.sample.gaps)
        variances = np.square(np.linalg.inv(factor)).sum(axis=0)[first : first + len(self._centers)]
        return np.asarray(np.sqrt(found.variance * variances))

    def _of(self, orders: Orders) -> Floats:
        return self._centered if orders.constant else self._rows


def forecasts(found: Estimate, sample: Sample, h: int) -> tuple[Floats, Floats]:
    """Mean and variance of the ``h`` values after a history; (h,) each."""
    orders = found.orders
    rows = np.concatenate([sample.w[None] - found.constant, sample.gaps])
    levels = np.concatenate([sample.levels[None], sample.level_gaps])
    polynomial = difference_polynomial(orders.d, orders.D, orders.season_length)
    mean, variance, paths = np.empty(h), np.empty(h), np.empty((len(rows), h))
    if not forecast(
        _arma(orders), found.coefficients, polynomial, rows, levels, found.constant, paths, mean, variance,
        _memory(orders, rows),
    ):  # fmt: skip
        mean[:] = np.nan  # of coefficients that no fit ends at: `Fitted.predict` names the series
    return mean, found.variance * variance


def errors(found: Estimate, sample: Sample) -> tuple[Floats, Floats]:
    """Errors of the one-step forecasts of the n differenced values, which are those of the levels.

    Returns
    -------
    errors, deviations : ndarray, (n,)
        NaN and infinite where a value is unobserved, or first tells what an unobserved one was.
    """
    rows = np.concatenate([sample.w[None] - found.constant, sample.gaps])
    errors, deviations = np.full((2, rows.shape[1]), np.nan)
    one_step_errors(_arma(found.orders), found.coefficients, rows, errors, deviations, _memory(found.orders, rows))
    with np.errstate(invalid="ignore"):  # no variance times an infinite deviation
        return errors, np.sqrt(found.variance) * deviations


def difference_polynomial(d: int, D: int, season_length: int) -> Floats:
    """(1 - B)^d (1 - B^s)^D, constant term first."""
    impulse = np.zeros(2 * (d + D * season_length) + 1)
    impulse[d + D * season_length] = 1.0
    return difference(impulse, d, D, season_length)


def _arma(o: Orders) -> Arma:
    return Arma(o.p, o.q, o.P, o.Q, o.season_length)


def _memory(largest: Orders, rows: Floats) -> Workspace:
    degrees = largest.p + largest.q + (largest.P + largest.Q) * largest.season_length
    return workspace(rows.shape[1], len(rows), degrees, largest.size)
