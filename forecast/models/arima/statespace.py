"""Estimates and forecasts of a seasonal ARIMA by statsmodels' SARIMAX, for those who want its numbers.

The Kalman filter runs over the undifferenced history, with an exact diffuse start. Its likelihood counts the values
that differencing would take away; without them it is the one of the differenced history.
"""

import warnings

import numpy as np
import numpy.typing as npt
from statsmodels.tsa.statespace.sarimax import SARIMAX

from forecast.models.arima.estimate import Estimate
from forecast.models.arima.orders import Orders
from forecast.models.arima.sample import Sample

Floats = npt.NDArray[np.float64]

ROUGHLY, PRECISELY = 50, 500  # iterations of a search at most


class StateSpace:
    """Maximum likelihood on one history by SARIMAX."""

    is_fast = False

    def __init__(self, y: Floats, X: Floats, sample: Sample) -> None:
        self.sample = sample
        self._X, self._centre = X, X.mean(axis=0)
        self._scale = float(sample.w.std())
        self._y = y / self._scale  # the variance is one of the parameters of the search

    def starts(self, orders: Orders) -> Floats:
        """(1, p + q + P + Q) coefficients that SARIMAX proposes."""
        with _quietly():
            return self._split(self._model(orders).start_params, orders)[1][None]

    def estimate(self, orders: Orders, starts: Floats, precise: bool = False) -> Estimate | None:
        """Climb from each of ``starts``, coefficients (S, p + q + P + Q); None if all climbs fail."""
        model = self._model(orders)
        found = [self._climb(model, orders, start, PRECISELY if precise else ROUGHLY) for start in starts]
        return max((one for one in found if one is not None), key=lambda one: one.loglik, default=None)

    def _climb(self, model: SARIMAX, orders: Orders, start: Floats, iterations: int) -> Estimate | None:
        with _quietly():
            parameters = np.array(model.start_params)
            parameters[len(parameters) - 1 - orders.size : -1] = (
                0.98 * start
            )  # one on the unit circle would stand for infinity
            try:
                result = model.fit(parameters, maxiter=iterations, disp=0, cov_type="none")
            except np.linalg.LinAlgError:
                return None
        diffuse = 0.5 * orders.lost * float(np.log(2 * np.pi))
        loglik = float(result.llf) + diffuse - self.sample.n * float(np.log(self._scale))
        if not np.isfinite(loglik):
            return None
        sigma2 = float(result.params[-1]) * self._scale**2
        beta, coefficients = self._split(result.params, orders)
        constant = float(result.params[0]) * _steps(orders) * self._scale if orders.constant else 0.0
        if orders.constant and not orders.lost:
            constant -= float(self._centre @ beta) * self._scale
        n = self.sample.n
        return Estimate(orders, coefficients, constant, sigma2, loglik, n, beta=beta * self._scale, start=coefficients)

    def _model(self, orders: Orders) -> SARIMAX:
        is_free = orders.constant or orders.lost > 0  # to move the columns: near 0 they are told from a constant
        return _model(self._y, orders, self._X - is_free * self._centre)

    def _split(self, parameters: Floats, orders: Orders) -> tuple[Floats, Floats]:
        """Coefficients of the regressors, and of the process."""
        first = orders.constant + self._X.shape[1]
        values = np.array(parameters, np.float64)
        return values[int(orders.constant) : first], values[first:-1]


def forecasts(found: Estimate, y: Floats, h: int) -> tuple[Floats, Floats]:
    """Mean and variance of the ``h`` values after a history (N,) that ends with an observed value."""
    ahead = _trend(found.orders, len(y) + h)[len(y) :] if found.orders.constant else None
    with _quietly():
        result = _filtered(found, y).get_forecast(h, exog=ahead)
    return np.asarray(result.predicted_mean), found.variance / found.sigma2 * np.asarray(result.var_pred_mean)


def _filtered(found: Estimate, y: Floats):  # type: ignore[no-untyped-def]
    constant = [found.constant / _steps(found.orders)] if found.orders.constant else []
    return _model(y, found.orders, np.empty((len(y), 0))).filter([*constant, *found.coefficients, found.sigma2])


def _model(y: Floats, o: Orders, X: Floats) -> SARIMAX:
    exog = np.column_stack([_trend(o, len(y)), X]) if o.constant else X
    return SARIMAX(
        y,
        exog=exog if exog.shape[1] else None,
        order=(o.p, o.d, o.q),
        seasonal_order=(o.P, o.D, o.Q, o.season_length if o.P or o.D or o.Q else 0),
        use_exact_diffuse=True,
    )


def _trend(orders: Orders, n: int) -> Floats:
    """What the constant of the differenced series, for each of its steps, is in levels."""
    return np.arange(float(n)) if orders.lost else np.ones(n)


def _steps(orders: Orders) -> int:
    return orders.season_length if orders.D else 1


def _quietly() -> warnings.catch_warnings:
    """statsmodels warns of starts that are not stationary and of climbs that end early: part of a search."""
    return warnings.catch_warnings(action="ignore")
