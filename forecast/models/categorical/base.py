"""What models of categories share.

Notation: S series, h steps ahead, K categories.
"""

from abc import abstractmethod
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from forecast.models.base import Fitted, Forecast, Model
from forecast.series.categories import are_categories, recoded
from forecast.series.panel import Category, Panel

Floats = npt.NDArray[np.float64]


class CategoricalModel(Model):
    """A model that forecasts the probabilities of categories; its point is the likeliest one, the first of equals."""

    is_categorical: ClassVar[bool] = True

    @property
    def has_quantiles(self) -> bool:
        return False


class FittedCategorical(Fitted):
    """What such a model learned."""

    categories: tuple[Category, ...]  # (K,) those of the data that it was fitted on

    def _predict(self, panel: Panel, h: int, quantiles: tuple[float, ...]) -> Forecast:
        panel = recoded(panel, self.categories)
        found = self.all_probabilities(panel, h)
        point = found.argmax(axis=2).astype(np.float64)
        return Forecast(point, np.empty((*point.shape, 0)), found, self.categories)

    def all_probabilities(self, panel: Panel, h: int) -> Floats:
        """(S, h, K) of the steps after each series."""
        return np.array([self.probabilities(panel.series(s), h) for s in range(len(panel))])

    @abstractmethod
    def probabilities(self, y: Floats, h: int) -> Floats:
        """(h, K) of the steps after a history (n,) of places in ``categories``, NaN where unobserved."""


def checked_categories(names: object) -> tuple[Category, ...]:
    """Categories from a document.

    Raises
    ------
    ValueError
        If they are none.
    """
    if not isinstance(names, list) or not names or not are_categories(names):
        raise ValueError("the categories are neither texts nor whole numbers")
    return tuple(names)
