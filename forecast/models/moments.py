"""Forecasts of methods that give each series a mean and a standard deviation for every step ahead."""

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from forecast.errors import DataError
from forecast.models.base import Forecast
from forecast.series.panel import Panel

Floats = npt.NDArray[np.float64]


def forecast_each(
    panel: Panel, h: int, quantiles: tuple[float, ...], moments: Callable[[int], tuple[Floats, Floats]]
) -> Forecast:
    """Gaussian forecasts from ``moments(s)``: mean and standard deviation, (h,) each, of series s."""
    both = np.empty((2, len(panel), h))
    for s in range(len(panel)):
        both[:, s] = moments(s)
    z = np.array([NormalDist().inv_cdf(q) for q in quantiles])
    return Forecast(both[0], both[0][:, :, None] + both[1][:, :, None] * z)


def check_observed(panel: Panel, method: str) -> None:
    """Refuse series without any observed value.

    Raises
    ------
    DataError
        Naming the first of them.
    """
    seen = np.concatenate([[0], np.cumsum(~np.isnan(panel.y))])
    empty = np.flatnonzero(seen[panel.indptr[1:]] == seen[panel.indptr[:-1]])
    if len(empty):
        raise DataError(
            f"Series {panel.ids[empty[0]]!r} has no observed value, so {method} has nothing to go by; "
            "leave that series out or fill in at least one value."
        )
