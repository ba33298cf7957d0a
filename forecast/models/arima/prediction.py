"""Forecasts and one-step errors of a seasonal ARIMA on any history, with its parameters kept."""

import numpy as np
import numpy.typing as npt

from forecast.models.arima.compiled import errors, forecasts
from forecast.models.arima.estimate import Estimate
from forecast.models.arima.sample import make_sample, recent

Floats = npt.NDArray[np.float64]

GAP_BUDGET = 2e7  # n k^2 of the history that is used, for n values with k gaps
FORECAST_BUDGET = 2e6  # the same of a forecast, of which backtests and calibration make many


def predict(
    found: Estimate, y: Floats, h: int, engine: str = "compiled", max_length: int | None = None
) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the ``h`` values after a history.

    Gaps are estimated from all observed values, and what is not known of them widens the intervals. The uncertainty
    of the parameters does not, as is usual.

    Parameters
    ----------
    found : Estimate
        Orders and parameters.
    y : ndarray, (N,)
        History with at least one observed value; NaN where unobserved, also at its end.
    h : int
        Steps ahead.
    engine : str, default "compiled"
        What forecasts, "compiled" or "statsmodels".
    max_length : int, optional
        Forecast from this many last values; None for all.

    Returns
    -------
    mean, deviation : ndarray, (h,)
    """
    orders = found.orders
    trailing = int(np.argmax(~np.isnan(y[::-1])))  # unobserved values at the end are steps ahead like others
    y = recent(y, max_length, FORECAST_BUDGET)
    if engine == "statsmodels" and np.isfinite(found.loglik):
        from forecast.models.arima.statespace import forecasts as forecasts_of_statsmodels

        mean, variance = forecasts_of_statsmodels(found, y, h + trailing)
    else:
        sample = make_sample(y, orders.d, orders.D, orders.season_length)
        mean, variance = forecasts(found, sample, h + trailing)
    return mean[trailing:], np.sqrt(variance)[trailing:]


def one_step_errors(found: Estimate, y: Floats) -> tuple[Floats, Floats]:
    """Errors of the forecasts of every value from those before it, and these errors over their standard deviations.

    Returns
    -------
    errors, standardized : ndarray, (N,)
        NaN where ``y`` is unobserved, where too few values come before, and in what is too old to be used.
    """
    orders, seen = found.orders, np.flatnonzero(~np.isnan(y))
    used = recent(y, None, GAP_BUDGET)
    both = np.full((2, len(y)), np.nan)
    if len(used) > orders.lost:
        error, deviation = errors(found, make_sample(used, orders.d, orders.D, orders.season_length))
        last = seen[-1] + 1
        with np.errstate(invalid="ignore", divide="ignore"):  # without any variance nothing can be standardized
            both[:, last - len(error) : last] = error, error / deviation
    return both[0], both[1]
