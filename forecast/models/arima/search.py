"""Search for the orders of a seasonal ARIMA whose differencing is known.

The stepwise search follows Hyndman and Khandakar ("Automatic time series forecasting: the forecast package for R",
Journal of Statistical Software 27, 2008): start from a few simple models, go on to neighbours while that lowers the
criterion. Their search can stop at a ridge, and their estimates at a lesser maximum of a likelihood that has several;
``python -m benchmarks.arima search`` measures by how much. So on short samples the models that the steps did not reach
get a quick estimate each, and those that end close to the best are estimated again from more starts. On long samples,
where an estimate takes longer and the steps are surer, the steps suffice.
"""

import time
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Protocol

import numpy as np
import numpy.typing as npt

from forecast.models.arima.estimate import Estimate, split
from forecast.models.arima.orders import Orders
from forecast.models.arima.sample import Sample

Floats = npt.NDArray[np.float64]

QUICK, NORMAL, THOROUGH = 1, 3, 7  # climbs of an estimation
SWEPT = 4  # coefficients at most of the models that are tried beside the steps
LONG = 300  # values, counted again for each gap, from which on models beside the steps take too long
WIDTH = 2  # the neighbours of this many best models are tried
CLOSE = 3.0  # models whose criterion is this close to the best are estimated with care

# Changes to (p, q, P, Q): one of them, or both orders of a kind.
_STEPS = [
    *((dp, dq, 0, 0) for dp, dq in product((-1, 0, 1), repeat=2) if dp or dq),
    *((0, 0, dP, dQ) for dP, dQ in product((-1, 0, 1), repeat=2) if dP or dQ),
]


class Estimator(Protocol):
    """Estimates models on one sample, in coordinates of its own in which 0 is the absence of a coefficient."""

    sample: Sample
    is_fast: bool  # whether many models more can be tried than a stepwise search needs

    def starts(self, orders: Orders) -> Floats:
        """(S, p + q + P + Q) where to climb from, the most promising first."""

    def estimate(self, orders: Orders, starts: Floats, precise: bool = False) -> Estimate | None:
        """Climb from each of ``starts``; None if no climb ends at a likelihood."""


@dataclass(frozen=True)
class Space:
    """The models that may be chosen: these share their differencing, so that their likelihoods compare."""

    d: int
    D: int
    season_length: int
    max_p: int
    max_q: int
    max_P: int
    max_Q: int
    max_order: int  # bound on p + q + P + Q
    constant: bool  # whether a mean or drift may be had

    def orders(self, p: int, q: int, P: int, Q: int, constant: bool) -> Orders:
        """Orders with this space's differencing."""
        return Orders(p, self.d, q, P, self.D, Q, self.season_length, constant)

    def __contains__(self, o: Orders) -> bool:
        return (
            0 <= o.p <= self.max_p
            and 0 <= o.q <= self.max_q
            and 0 <= o.P <= self.max_P
            and 0 <= o.Q <= self.max_Q
            and o.size <= self.max_order
            and (self.constant or not o.constant)
        )

    def everything(self) -> list[Orders]:
        """All models, those with few coefficients first."""
        return _everything(self)

    def largest(self) -> Orders:
        """As many coefficients of either kind, p + q and P + Q, as any model has."""
        ordinary = min(self.max_p + self.max_q, self.max_order)
        seasonal = min(self.max_P + self.max_Q, self.max_order)
        return self.orders(ordinary, 0, seasonal, 0, self.constant)

    def starts(self) -> list[Orders]:
        """The models to try first, as far as they are allowed."""
        found = [self.orders(0, 0, 0, 0, False)]
        for p, q, P, Q in [(0, 0, 0, 0), (1, 0, 1, 0), (0, 1, 0, 1), (2, 2, 1, 1), (2, 1, 1, 1)]:
            sizes = min(p, self.max_p), min(q, self.max_q), min(P, self.max_P), min(Q, self.max_Q)
            found.append(self.orders(*sizes, self.constant))
        return [o for o in found if o in self]

    def neighbours(self, o: Orders) -> list[Orders]:
        """Models one step away."""
        near = [o._replace(p=o.p + a, q=o.q + b, P=o.P + c, Q=o.Q + d) for a, b, c, d in _STEPS]
        near.append(o._replace(constant=not o.constant))
        return [n for n in near if n in self]


class Search:
    """Estimates models on one sample and remembers the best estimate of each.

    Parameters
    ----------
    estimator : Estimator
        Holds the sample.
    ic : str, default "aicc"
        Criterion that chooses.
    time_limit : float, optional
        Seconds from now after which no further model is estimated, once there is one.
    """

    def __init__(self, estimator: Estimator, ic: str = "aicc", time_limit: float | None = None) -> None:
        self.ic = ic
        self.cut_short = False
        """Whether the time limit kept a model from being estimated."""
        self.tried: dict[Orders, Estimate] = {}
        self.scores: dict[Orders, float] = {}
        """The criterion of every model that was tried; infinite if it is not to be trusted."""
        self._estimator = estimator
        self._effort: dict[Orders, int] = {}
        self._deadline = np.inf if time_limit is None else time.perf_counter() + time_limit

    def stepwise(self, space: Space) -> Estimate | None:
        """The best model that the stepwise search finds; None if the sample is too short for any."""
        for orders in space.starts():
            self.estimate(orders, NORMAL)
        expanded: set[Orders] = set()
        while todo := [o for o in self._ranking()[:WIDTH] if o not in expanded]:
            expanded.add(todo[0])
            for orders in space.neighbours(todo[0]):
                self.estimate(orders, QUICK)
        if self._estimator.is_fast and self._estimator.sample.size <= LONG:
            likely = {o.constant for o in self._close(1.0)}
            for orders in space.everything():
                if orders.constant in likely and orders.size <= SWEPT:
                    self.estimate(orders, QUICK)
        return self._settled(space)

    def among(self, rough: "Search") -> Estimate | None:
        """The best of the models that came out best of a search on the same sample with its gaps filled."""
        for orders in filter(self._is_possible, rough._close()):
            self._remember(orders, self._estimator.estimate(orders, rough.tried[orders].start[None]), QUICK)
        ranking = self._ranking()
        return self._precisely(ranking[0]) if ranking else None

    def exhaustive(self, space: Space) -> Estimate | None:
        """The best model of the whole space."""
        for orders in space.everything():
            self.estimate(orders, NORMAL)
        return self._settled(space)

    def fixed(self, orders: Orders) -> Estimate | None:
        """The best estimate of given orders, from many starts; None if there is none."""
        self.estimate(orders, THOROUGH)
        return self._precisely(orders) if orders in self.tried else None

    def estimate(self, orders: Orders, effort: int) -> None:
        """Climb ``effort`` times in all, with the climbs of earlier calls, unless there are too few values."""
        spent = self._effort.get(orders, 0)
        if effort <= spent or not self._is_possible(orders):
            return
        if self.scores and time.perf_counter() > self._deadline:
            self.cut_short = True
            return
        starts = self._starts(orders, spent, effort)
        self._remember(orders, self._estimator.estimate(orders, starts) if len(starts) else None, effort)

    def _is_possible(self, orders: Orders) -> bool:
        """Whether there are enough values."""
        sample = self._estimator.sample
        return sample.n > orders.size + orders.constant + len(sample.regressors) + 2

    def _remember(self, orders: Orders, found: Estimate | None, effort: int) -> None:
        self._effort[orders] = effort
        if found is not None and (orders not in self.tried or found.loglik > self.tried[orders].loglik):
            self.tried[orders] = found
            self.scores[orders] = found.score(self.ic)

    def _settled(self, space: Space) -> Estimate | None:
        """The best model, once those close to it were estimated with care, with and without a constant."""
        done: set[Orders] = set()
        while todo := [o for o in self._close() if o not in done]:
            done.add(todo[0])
            self.estimate(todo[0], NORMAL)
            twin = todo[0]._replace(constant=not todo[0].constant)
            if twin in space:
                self.estimate(twin, NORMAL)
        ranking = self._ranking()
        return self._precisely(ranking[0]) if ranking else None

    def _precisely(self, orders: Orders) -> Estimate:
        found = self.tried[orders]
        return self._estimator.estimate(orders, found.start[None], precise=True) or found

    def _close(self, margin: float = CLOSE) -> list[Orders]:
        best = min(self.scores.values(), default=np.inf)
        return [o for o in self._ranking() if self.scores[o] < best + margin]

    def _ranking(self) -> list[Orders]:
        return sorted((o for o, score in self.scores.items() if score < np.inf), key=self.scores.__getitem__)

    def _starts(self, orders: Orders, spent: int, effort: int) -> Floats:
        """Starts of the climbs ``spent`` to ``effort``: first the best nested model, then what looks promising."""
        nested = [self.tried[o] for o in _smaller(orders) if o in self.tried]
        if not nested:
            nested = [found for o, found in self.tried.items() if _is_nested(o, orders)]
        first = [_padded(max(nested, key=lambda found: found.loglik), orders)] if nested else []
        if len(first) == effort:
            return np.array(first)
        return np.concatenate([*(start[None] for start in first), self._estimator.starts(orders)])[spent:effort]


@lru_cache(maxsize=64)  # the series of a panel share a few
def _everything(space: Space) -> list[Orders]:
    ranges = [range(bound + 1) for bound in (space.max_p, space.max_q, space.max_P, space.max_Q)]
    found = (space.orders(p, q, P, Q, c) for p, q, P, Q in product(*ranges) for c in (False, True))
    return sorted((o for o in found if o in space), key=lambda o: o.size)


def _smaller(o: Orders) -> list[Orders]:
    """Models with one parameter less, of which not all exist."""
    p, d, q, P, D, Q, season_length, constant = o
    less = [(p - 1, q, P, Q), (p, q - 1, P, Q), (p, q, P - 1, Q), (p, q, P, Q - 1)]
    return [o._replace(constant=False)] * constant + [
        Orders(p, d, q, P, D, Q, season_length, constant) for p, q, P, Q in less
    ]


def _is_nested(o: Orders, other: Orders) -> bool:
    return o.p <= other.p and o.q <= other.q and o.P <= other.P and o.Q <= other.Q and o.constant <= other.constant


def _padded(found: Estimate, orders: Orders) -> Floats:
    """The coefficients of a nested model, zeros for those it has not."""
    start, first = np.zeros(orders.size), 0
    for part, size in zip(split(found.orders, found.start), orders.sizes, strict=True):
        start[first : first + len(part)] = part
        first += size
    return start
