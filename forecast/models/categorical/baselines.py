"""What a model of categories must beat: the most frequent one, and a Markov chain of first order.

Counts start at one half, as if each category had been seen half a time (Krichevsky and Trofimov 1981): nothing that may
come has the probability zero.

Notation: K categories, h steps ahead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from forecast.models.base import State
from forecast.models.categorical.base import CategoricalModel, FittedCategorical, Floats, checked_categories
from forecast.models.moments import check_observed
from forecast.progress import Progress
from forecast.series.panel import Category, Panel

PRIOR = 0.5  # of a count


class FittedMostFrequent(FittedCategorical):
    """Nothing to keep but the categories: the counts are in the history."""

    def __init__(self, model: "MostFrequent", categories: tuple[Category, ...]) -> None:
        self.model: MostFrequent = model
        self.categories = categories

    def probabilities(self, y: Floats, h: int) -> Floats:
        counts = np.bincount(y[~np.isnan(y)].astype(np.int64), minlength=len(self.categories)) + PRIOR
        return np.tile(counts / counts.sum(), (h, 1))

    def state(self) -> State:
        return {}, {"categories": list(self.categories)}

    @classmethod
    def from_state(cls, model: Any, arrays: Mapping[str, npt.NDArray[Any]], extra: Mapping[str, Any]) -> Self:
        return cls(model, checked_categories(extra["categories"]))


@dataclass(frozen=True)
class MostFrequent(CategoricalModel):
    """The shares that the categories have in the history of a series, the same for every step."""

    default_name: ClassVar[str] = "MostFrequent"
    fitted_type = FittedMostFrequent

    alias: str | None = None
    """Name of the forecast column."""

    def _fit(self, panel: Panel, h: int | None, progress: Progress) -> FittedMostFrequent:
        check_observed(panel, self.name)
        return FittedMostFrequent(self, panel.categories)


class FittedMarkovChain(FittedCategorical):
    """Transition probabilities."""

    def __init__(self, model: "MarkovChain", categories: tuple[Category, ...], transitions: Floats) -> None:
        self.model: MarkovChain = model
        self.categories = categories
        self.transitions = transitions  # (K, K) from the row's category to the column's

    def probabilities(self, y: Floats, h: int) -> Floats:
        last = int(np.flatnonzero(~np.isnan(y))[-1])
        now = np.zeros(len(self.categories))
        now[int(y[last])] = 1.0
        now = now @ np.linalg.matrix_power(self.transitions, len(y) - 1 - last)  # over the steps that were not observed
        out = np.empty((h, len(now)))
        for step in range(h):
            now = now @ self.transitions
            out[step] = now / now.sum()
        return out

    def describe(self) -> str:
        stays = ", ".join(f"{name} {p:.0%}" for name, p in zip(self.categories, np.diag(self.transitions), strict=True))
        return f"{len(self.categories)} categories; chance to stay: {stays}"

    def state(self) -> State:
        return {"transitions": self.transitions}, {"categories": list(self.categories)}

    @classmethod
    def from_state(cls, model: Any, arrays: Mapping[str, npt.NDArray[Any]], extra: Mapping[str, Any]) -> Self:
        categories, transitions = checked_categories(extra["categories"]), arrays["transitions"]
        if transitions.shape != (len(categories),) * 2 or not np.allclose(transitions.sum(axis=1), 1):
            raise ValueError("the transitions do not fit the categories")
        return cls(model, categories, transitions)


@dataclass(frozen=True)
class MarkovChain(CategoricalModel):
    """The next category depends on the last one alone, in the same way in all series and at all times."""

    default_name: ClassVar[str] = "MarkovChain"
    fitted_type = FittedMarkovChain

    alias: str | None = None
    """Name of the forecast column."""

    def _fit(self, panel: Panel, h: int | None, progress: Progress) -> FittedMarkovChain:
        check_observed(panel, self.name)
        inside = np.ones(len(panel.y), np.bool_)
        inside[panel.indptr[:-1]] = False  # the first value of a series follows nothing
        before, after = panel.y[:-1], panel.y[1:]
        seen = inside[1:] & ~np.isnan(before) & ~np.isnan(after)
        counts = np.full((len(panel.categories),) * 2, PRIOR)
        np.add.at(counts, (before[seen].astype(np.int64), after[seen].astype(np.int64)), 1)
        return FittedMarkovChain(self, panel.categories, counts / counts.sum(axis=1, keepdims=True))
