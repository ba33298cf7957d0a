"""Search for the orders of a seasonal ARIMA whose differencing is known.

The stepwise search follows Hyndman and Khandakar ("Automatic time series forecasting: the forecast package for R",
Journal of Statistical Software 27, 2008): start from a few simple models, go on to neighbours while that lowers the
criterion. Their search can stop at a ridge, and their estimates at a lesser maximum of a likelihood that has several;
``benchmarks/arima_search.py`` measures by how much. So the models that the steps did not reach get a quick estimate
each, and those that end close to the best are estimated again from more starts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt

from forecast.models.arima.estimation import Estimate, estimate, misfit, split
from forecast.models.arima.orders import Orders
from forecast.models.arima.sample import Sample

Floats = npt.NDArray[np.float64]

QUICK, NORMAL, THOROUGH = 1, 3, 7  # starts of an estimation
WIDTH = 2  # the neighbours of this many best models are tried
CLOSE = 3.0  # models whose criterion is this close to the best are estimated thoroughly

# Changes to (p, q, P, Q): one of them, or both orders of a kind.
_STEPS = [
    *((dp, dq, 0, 0) for dp, dq in product((-1, 0, 1), repeat=2) if dp or dq),
    *((0, 0, dP, dQ) for dP, dQ in product((-1, 0, 1), repeat=2) if dP or dQ),
]


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
        ranges = [range(bound + 1) for bound in (self.max_p, self.max_q, self.max_P, self.max_Q)]
        found = (self.orders(p, q, P, Q, c) for p, q, P, Q in product(*ranges) for c in (False, True))
        return sorted((o for o in found if o in self), key=lambda o: o.size)

    def starts(self) -> list[Orders]:
        """The models to try first, as far as they are allowed."""
        found = [self.orders(0, 0, 0, 0, False)]
        for p, q, P, Q in [(0, 0, 0, 0), (1, 0, 1, 0), (0, 1, 0, 1), (2, 2, 1, 1), (2, 1, 1, 1)]:
            sizes = min(p, self.max_p), min(q, self.max_q), min(P, self.max_P), min(Q, self.max_Q)
            found.append(self.orders(*sizes, self.constant))
        return [o for o in found if o in self]

    def neighbours(self, o: Orders) -> list[Orders]:
        """Models one step away."""
        near = [replace(o, p=o.p + a, q=o.q + b, P=o.P + c, Q=o.Q + d) for a, b, c, d in _STEPS]
        near.append(replace(o, constant=not o.constant))
        return [n for n in near if n in self]


class Search:
    """Estimates models on one sample and remembers the best estimate of each."""

    def __init__(self, sample: Sample, ic: str = "aicc") -> None:
        self.sample = sample
        self.ic = ic
        self.tried: dict[Orders, Estimate] = {}
        self._starts: dict[Orders, Iterator[Floats]] = {}
        self._used: dict[Orders, int] = {}

    def stepwise(self, space: Space) -> Estimate | None:
        """The best model that the stepwise search finds; None if the sample is too short for any."""
        for orders in space.starts():
            self.estimate(orders, NORMAL)
        expanded: set[Orders] = set()
        while todo := [o for o in self._ranking()[:WIDTH] if o not in expanded]:
            expanded.add(todo[0])
            for orders in space.neighbours(todo[0]):
                self.estimate(orders, NORMAL)
        likely = {o.constant for o in self._close(1.0)}
        for orders in space.everything():
            if orders.constant in likely:
                self.estimate(orders, QUICK)
        return self._settled(space)

    def exhaustive(self, space: Space) -> Estimate | None:
        """The best model of the whole space."""
        for orders in space.everything():
            self.estimate(orders, NORMAL)
        return self._settled(space)

    def estimate(self, orders: Orders, effort: int) -> None:
        """Estimate from ``effort`` starts in all, with those of earlier calls, unless there are too few values."""
        if self.sample.n <= orders.size + orders.constant + 2:
            return
        starts = self._starts.setdefault(orders, self._promising(orders))
        while self._used.get(orders, 0) < effort and (start := next(starts, None)) is not None:
            self._used[orders] = self._used.get(orders, 0) + 1
            try:
                found = estimate(self.sample, orders, start)
            except np.linalg.LinAlgError:
                continue  # another start may fare better
            if orders not in self.tried or found.loglik > self.tried[orders].loglik:
                self.tried[orders] = found

    def fixed(self, orders: Orders) -> Estimate | None:
        """The best estimate of given orders, from many starts; None if there is none."""
        self.estimate(orders, THOROUGH)
        return self._precisely(orders) if orders in self.tried else None

    def score(self, orders: Orders) -> float:
        """The criterion of a model that was tried; infinite if it is not to be trusted."""
        found = self.tried[orders]
        return np.inf if found.is_near_unit_root else found.criterion(self.ic)

    def _settled(self, space: Space) -> Estimate | None:
        """The best model, once those close to it were estimated thoroughly, with and without a constant."""
        done: set[Orders] = set()
        while todo := [o for o in self._close() if o not in done]:
            done.add(todo[0])
            self.estimate(todo[0], THOROUGH)
            twin = replace(todo[0], constant=not todo[0].constant)
            if twin in space:
                self.estimate(twin, NORMAL)
        ranking = self._ranking()
        return self._precisely(ranking[0]) if ranking else None

    def _precisely(self, orders: Orders) -> Estimate:
        return estimate(self.sample, orders, self.tried[orders].start, precise=True)

    def _close(self, margin: float = CLOSE) -> list[Orders]:
        ranking = self._ranking()
        return [o for o in ranking if self.score(o) < self.score(ranking[0]) + margin]

    def _ranking(self) -> list[Orders]:
        return sorted((o for o in self.tried if np.isfinite(self.score(o))), key=self.score)

    def _promising(self, orders: Orders) -> Iterator[Floats]:
        """Starts: the best model nested in this one, then either sign for the first coefficient of each kind."""
        nested = [found for o, found in self.tried.items() if _is_nested(o, orders)]
        if nested:
            yield _padded(max(nested, key=lambda found: found.loglik), orders)
        sizes = [size for size in (orders.p, orders.q, orders.P, orders.Q) if size]
        first = np.cumsum([0, *sizes])[:-1]
        spread = []
        for signs in product((-0.7, 0.7), repeat=len(sizes)):
            start = np.zeros(orders.size)
            start[first] = signs
            spread.append(start)
        yield from sorted(spread, key=lambda start: misfit(self.sample, orders, start))


def _is_nested(o: Orders, other: Orders) -> bool:
    return o.p <= other.p and o.q <= other.q and o.P <= other.P and o.Q <= other.Q and o.constant <= other.constant


def _padded(found: Estimate, orders: Orders) -> Floats:
    """The coefficients of a nested model, zeros for those it has not."""
    parts = split(found.orders, found.start)
    sizes = (orders.p, orders.q, orders.P, orders.Q)
    return np.concatenate([np.pad(part, (0, size - len(part))) for part, size in zip(parts, sizes, strict=True)])
