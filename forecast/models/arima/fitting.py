"""From one history to one estimate: what is done where nothing can be estimated, and which values are used.

Notation: n values of a history, k of them gaps, s steps in a season.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from forecast.models.arima.compiled import Compiled
from forecast.models.arima.differencing import choose_differencing, is_constant
from forecast.models.arima.estimate import Estimate
from forecast.models.arima.orders import LONGEST_SEASON, Orders
from forecast.models.arima.sample import Sample, make_sample, recent
from forecast.models.arima.search import Estimator, Search, Space

Floats = npt.NDArray[np.float64]

FEWEST = 6  # differenced values for a search: with fewer, AICc would rather forecast 0 than spend a mean
SEARCH_BUDGET = 2e6  # n k^2 of a search: more gaps would make it last longer than some seconds
FIT_BUDGET = 2e7  # the same where one model is estimated


def fit_automatic(
    y: Floats,
    season_length: int,
    *,
    d: int | None,
    D: int | None,
    max_p: int,
    max_q: int,
    max_P: int,
    max_Q: int,
    max_order: int,
    max_d: int,
    max_D: int,
    ic: str,
    stepwise: bool,
    allow_drift: bool,
    allow_mean: bool,
    max_length: int | None,
    time_limit: float | None,
    engine: str,
) -> Estimate:
    """Choose the orders of a history with an observed value, and estimate; the arguments are `AutoARIMA`'s fields."""
    y = recent(y, max_length, SEARCH_BUDGET)
    d, D = choose_differencing(y, season_length, d=d, D=D, max_d=max_d, max_D=max_D)
    constant = (allow_mean, allow_drift, False)[min(d + D, 2)]
    plain = _without_estimation(y, Orders(0, d, 0, 0, D, 0, season_length, constant), FEWEST)
    if plain is not None:
        return plain
    sample = make_sample(y, d, D, season_length)
    most = int(np.isfinite(y).sum()) // 3
    seasons = most // season_length if 1 < season_length <= LONGEST_SEASON else 0
    space = Space(
        d, D, season_length,
        min(max_p, most), min(max_q, most), min(max_P, seasons), min(max_Q, seasons), max_order, constant,
    )  # fmt: skip
    search = Search(_estimator(engine, y, sample, space.largest()), ic, time_limit)
    found = (search.stepwise(space) if stepwise else search.exhaustive(space)) or random_walk(y)
    return replace(found, cut_short=search.cut_short)


def fit_fixed(y: Floats, orders: Orders, max_length: int | None, engine: str = "compiled") -> Estimate:
    """Estimate given orders on a history with an observed value."""
    y = recent(y, max_length, FIT_BUDGET)
    plain = _without_estimation(y, orders, orders.size + orders.constant + 2)
    if plain is not None:
        return plain
    sample = make_sample(y, orders.d, orders.D, orders.season_length)
    return Search(_estimator(engine, y, sample, orders)).fixed(orders) or random_walk(y)


def _estimator(engine: str, y: Floats, sample: Sample, largest: Orders) -> Estimator:
    if engine == "compiled":
        return Compiled(sample, largest)
    from forecast.models.arima.statespace import StateSpace

    return StateSpace(y, sample)


def random_walk(y: Floats) -> Estimate:
    """What is left where there are too few values for more."""
    sample = make_sample(y, 1, 0, 1)
    return _plain(Orders(0, 1, 0, 0, 0, 0, 1, False), sample)


def _without_estimation(y: Floats, orders: Orders, fewest: int) -> Estimate | None:
    """What a history gets that has too few values, or is constant once it is differenced."""
    if len(y) - orders.lost < fewest:
        return random_walk(y)
    sample = make_sample(y, orders.d, orders.D, orders.season_length)
    if sample.n < fewest:
        return random_walk(y)
    if not is_constant(sample.w, float(np.abs(sample.levels).max())):
        return None
    plain = orders._replace(p=0, q=0, P=0, Q=0)
    return _plain(plain, sample) if plain.constant or plain.lost else random_walk(y)


def _plain(orders: Orders, sample: Sample) -> Estimate:
    """White noise around a known constant; gaps, filled by straight lines, share the change that they span."""
    constant = float(sample.w.mean()) if orders.constant else 0.0
    n = sample.n
    sigma2 = float(np.square(sample.w - constant).sum()) / n if n else 0.0
    return Estimate(orders, np.empty(0), constant, sigma2, np.nan, n)
