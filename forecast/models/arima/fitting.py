"""From one history to one estimate: what is done where nothing can be estimated, and which values are used.

Notation: n values of a history, k of them gaps, s steps in a season; X (n, m) regressors, NaN where unknown.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from forecast.models.arima.compiled import Compiled
from forecast.models.arima.differencing import choose_differencing, is_constant
from forecast.models.arima.estimate import Estimate
from forecast.models.arima.orders import LONGEST_SEASON, Orders
from forecast.models.arima.regression import candidates, exact, informative, recent_rows, residuals, scales
from forecast.models.arima.sample import Sample, filled, make_sample
from forecast.models.arima.search import LONG, Estimator, Search, Space

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FEWEST = 6  # differenced values for a search: with fewer, AICc would rather forecast 0 than spend a mean
SEARCH_BUDGET = 2e6  # n k^2 of a search: more gaps would make it last longer than some seconds
FEW_GAPS = 1 / 3  # share of the values up to which orders chosen with them filled forecast as well
FIT_BUDGET = 2e7  # the same where one model is estimated


def fit_automatic(
    y: Floats,
    X: Floats,
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
    """Choose the orders of a history with an observed value, and estimate; the arguments are `AutoARIMA`'s fields.

    Differencing is chosen by what an ordinary regression leaves of the history, as ``auto.arima`` of the R package
    forecast does. Where no regressor says anything, the history is fitted as if there were none.
    """

    def estimate(y: Floats, X: Floats, orders: Orders) -> Estimate:
        sample = make_sample(y, orders.d, orders.D, season_length, X)
        most = int(np.isfinite(y).sum()) // 3
        seasons = most // season_length if 1 < season_length <= LONGEST_SEASON else 0
        space = Space(
            orders.d, orders.D, season_length,
            min(max_p, most), min(max_q, most), min(max_P, seasons), min(max_Q, seasons), max_order, orders.constant,
        )  # fmt: skip
        search = Search(_estimator(engine, y, X, sample, space.largest()), ic, time_limit)
        if not stepwise:
            found = search.exhaustive(space)
        elif 0 < len(sample.gaps) <= FEW_GAPS * len(sample.w) and sample.size > LONG and engine == "compiled":
            whole = make_sample(filled(y, season_length), orders.d, orders.D, season_length, X)
            rough = Search(Compiled(whole, space.largest()), ic, time_limit)
            found = search.among(rough) if rough.stepwise(space) else None
            search.cut_short |= rough.cut_short
        else:
            found = search.stepwise(space)
        return replace(found or random_walk(y), cut_short=search.cut_short)

    columns = candidates(y, X, FEWEST, max_length, SEARCH_BUDGET)
    while True:
        known = recent_rows(y, X[:, columns], max_length, SEARCH_BUDGET)
        differences = choose_differencing(residuals(*known), season_length, d=d, D=D, max_d=max_d, max_D=max_D)
        constant = (allow_mean, allow_drift, False)[min(sum(differences), 2)]
        orders = Orders(0, differences[0], 0, 0, differences[1], 0, season_length, constant)
        kept = columns[informative(*known, orders, FEWEST)]
        if len(kept) or not len(columns):
            return _regressed(y, X, kept, orders, FEWEST, max_length, SEARCH_BUDGET, estimate)
        columns = kept


def fit_fixed(
    y: Floats, orders: Orders, max_length: int | None, engine: str = "compiled", X: Floats | None = None
) -> Estimate:
    """Estimate given orders on a history with an observed value."""

    def estimate(y: Floats, X: Floats, orders: Orders) -> Estimate:
        sample = make_sample(y, orders.d, orders.D, orders.season_length, X)
        return Search(_estimator(engine, y, X, sample, orders)).fixed(orders) or random_walk(y)

    X = np.empty((len(y), 0)) if X is None else X
    fewest = orders.size + orders.constant + 2
    columns = candidates(y, X, fewest, max_length, FIT_BUDGET)
    kept = columns[informative(*recent_rows(y, X[:, columns], max_length, FIT_BUDGET), orders, fewest)]
    return _regressed(y, X, kept, orders, fewest, max_length, FIT_BUDGET, estimate)


def _regressed(
    y: Floats,
    X: Floats,
    kept: Ints,
    orders: Orders,
    fewest: int,
    max_length: int | None,
    budget: float,
    estimate: Callable[[Floats, Floats, Orders], Estimate],
) -> Estimate:
    """Estimate with the columns ``kept``, scaled; the coefficients come back in their own units, NaN for the others."""
    y, used = recent_rows(y, X[:, kept], max_length, budget)
    size = scales(make_sample(y, orders.d, orders.D, orders.season_length, used))
    used = used / size
    found = _without_estimation(y, used, orders, fewest) or estimate(y, used, orders)
    beta = np.full(X.shape[1], np.nan)
    if len(found.beta):
        beta[kept] = found.beta / size
    return replace(found, beta=beta)


def _estimator(engine: str, y: Floats, X: Floats, sample: Sample, largest: Orders) -> Estimator:
    if engine == "compiled":
        return Compiled(sample, largest)
    from forecast.models.arima.statespace import StateSpace

    return StateSpace(y, X, sample)


def random_walk(y: Floats) -> Estimate:
    """What is left where there are too few values for more."""
    sample = make_sample(y, 1, 0, 1)
    return _plain(Orders(0, 1, 0, 0, 0, 0, 1, False), sample)


def _without_estimation(y: Floats, X: Floats, orders: Orders, fewest: int) -> Estimate | None:
    """What a history gets that has too few values, or is constant or explained by X once it is differenced."""
    if len(y) - orders.lost < fewest:
        return random_walk(y)
    sample = make_sample(y, orders.d, orders.D, orders.season_length, X)
    if sample.n < fewest:
        return random_walk(y)
    plain = orders._replace(p=0, q=0, P=0, Q=0)
    if is_constant(sample.w, float(np.abs(sample.levels).max())):
        return _plain(plain, sample) if plain.constant or plain.lost else random_walk(y)
    known = exact(sample, orders.constant) if X.shape[1] else None
    return Estimate(plain, np.empty(0), known[1], 0.0, np.nan, sample.n, beta=known[0]) if known else None


def _plain(orders: Orders, sample: Sample) -> Estimate:
    """White noise around a known constant; gaps, filled by straight lines, share the change that they span."""
    constant = float(sample.w.mean()) if orders.constant else 0.0
    n = sample.n
    sigma2 = float(np.square(sample.w - constant).sum()) / n if n else 0.0
    return Estimate(orders, np.empty(0), constant, sigma2, np.nan, n)
