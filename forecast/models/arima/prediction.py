"""Forecasts of a seasonal ARIMA from any history, with its parameters kept."""

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from forecast.models.arima.estimation import Estimate, profile
from forecast.models.arima.likelihood import Whitener
from forecast.models.arima.sample import difference, make_sample, recent

Floats = npt.NDArray[np.float64]

GAP_BUDGET = 1e8  # n k^2 of the history that is used, for n values with k gaps


def predict(found: Estimate, y: Floats, h: int) -> tuple[Floats, Floats]:
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

    Returns
    -------
    mean, deviation : ndarray, (h,)
    """
    orders = found.orders
    trailing = int(np.argmax(~np.isnan(y[::-1])))  # unobserved values at the end are steps ahead like others
    ahead = h + trailing
    sample = make_sample(recent(y, None, GAP_BUDGET), orders.d, orders.D, orders.season_length, orders.reach)
    ar, ma = found.polynomials()
    n = len(sample.w)
    whitener = Whitener(ar, ma, n + ahead)
    rows = np.concatenate([sample.w[None] - found.constant, sample.gaps])
    history = profile(Whitener(ar, ma, n), rows, len(sample.gaps))

    # Innovations of a future that stays at its mean, and the map from innovations to values, give the forecast.
    white = whitener(np.pad(rows, ((0, 0), (0, ahead))))[n:]
    to_values = whitener.inverse_tail(ahead)
    future = -(to_values @ white)
    future[:, 0] += found.constant
    past = np.concatenate([sample.levels[None], sample.level_gaps])
    levels = _integrate(future.T, past, found)
    mean = levels[0] - history.slopes @ levels[1:]

    spread = _integrate(to_values.T, np.zeros((ahead, orders.lost)), found).T
    variance = np.square(spread).sum(axis=1)
    if len(sample.gaps):
        variance += np.square(np.linalg.solve(history.root, levels[1:])).sum(axis=0)
    deviation = np.sqrt(found.variance * variance)
    return mean[trailing:], deviation[trailing:]


def _integrate(future: Floats, past: Floats, found: Estimate) -> Floats:
    """Undo differencing: rows of differenced values (c, h), continuing rows of levels (c, N), become levels."""
    orders = found.orders
    if not orders.lost:
        return future
    polynomial = difference_polynomial(orders.d, orders.D, orders.season_length)
    last = past[:, ::-1][:, : orders.lost]
    # lfilter's state that continues past levels: what they still add to each of the next ``lost`` values.
    state = np.stack([-(last[:, : orders.lost - i] @ polynomial[i + 1 :]) for i in range(orders.lost)], axis=1)
    return np.asarray(lfilter([1.0], polynomial, future, zi=state)[0])


def difference_polynomial(d: int, D: int, season_length: int) -> Floats:
    """(1 - B)^d (1 - B^s)^D, constant term first."""
    impulse = np.zeros(2 * (d + D * season_length) + 1)
    impulse[d + D * season_length] = 1.0
    return difference(impulse, d, D, season_length)
