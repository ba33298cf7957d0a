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

    def __init__(self, y: Floats, sample: Sample) -> None:
        self.sample = sample
        self._scale = float(sample.w.std())
        self._y = y / self._scale  # the variance is one of the parameters of the search

    def starts(self, orders: Orders) -> Floats:
        """(1, p + q + P + Q) coefficients that SARIMAX proposes."""
        with _quietly():
            return _coefficients(_model(self._y, orders).start_params, orders)[None]

    def estimate(self, orders: Orders, starts: Floats, precise: bool = False) -> Estimate | None:
        """Climb from each of ``starts``, coefficients (S, p + q + P + Q); None if all climbs fail."""
        model = _model(self._y, orders)
        found = [self._climb(model, orders, start, PRECISELY if precise else ROUGHLY) for start in starts]
        return max((one for one in found if one is not None), key=lambda one: one.loglik, default=None)

    def _climb(self, model: SARIMAX, orders: Orders, start: Floats, iterations: int) -> Estimate | None:
        with _quietly():
            parameters = np.array(model.start_params)
            parameters[orders.constant : -1] = 0.98 * start  # one on the unit circle would stand for infinity
            try:
                result = model.fit(parameters, maxiter=iterations, disp=0, cov_type="none")
            except np.linalg.LinAlgError:
                return None
        diffuse = 0.5 * orders.lost * float(np.log(2 * np.pi))
        loglik = float(result.llf) + diffuse - self.sample.n * float(np.log(self._scale))
        if not np.isfinite(loglik):
            return None
        sigma2 = float(result.params[-1]) * self._scale**2
        constant = float(result.params[0]) * _steps(orders) * self._scale if orders.constant else 0.0
        coefficients = _coefficients(result.params, orders)
        return Estimate(orders, coefficients, constant, sigma2, loglik, self.sample.n, start=coefficients)


def forecasts(found: Estimate, y: Floats, h: int) -> tuple[Floats, Floats]:
    """Mean and variance of the ``h`` values after a history (N,) that ends with an observed value."""
    ahead = _trend(found.orders, len(y) + h)[len(y) :] if found.orders.constant else None
    with _quietly():
        result = _filtered(found, y).get_forecast(h, exog=ahead)
    return np.asarray(result.predicted_mean), found.variance / found.sigma2 * np.asarray(result.var_pred_mean)


def _filtered(found: Estimate, y: Floats):  # type: ignore[no-untyped-def]
    constant = [found.constant / _steps(found.orders)] if found.orders.constant else []
    return _model(y, found.orders).filter([*constant, *found.coefficients, found.sigma2])


def _model(y: Floats, o: Orders) -> SARIMAX:
    return SARIMAX(
        y,
        exog=_trend(o, len(y)) if o.constant else None,
        order=(o.p, o.d, o.q),
        seasonal_order=(o.P, o.D, o.Q, o.season_length if o.P or o.D or o.Q else 0),
        use_exact_diffuse=True,
    )


def _trend(orders: Orders, n: int) -> Floats:
    """What the constant of the differenced series, for each of its steps, is in levels."""
    return np.arange(float(n)) if orders.lost else np.ones(n)


def _steps(orders: Orders) -> int:
    return orders.season_length if orders.D else 1


def _coefficients(parameters: Floats, orders: Orders) -> Floats:
    return np.array(parameters[orders.constant : -1], np.float64)


def _quietly() -> warnings.catch_warnings:
    """statsmodels warns of starts that are not stationary and of climbs that end early: part of a search."""
    return warnings.catch_warnings(action="ignore")
