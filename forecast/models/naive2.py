"""Naive2: the naive method on seasonally adjusted values, the yardstick of the competitions M1 to M4.

Notation: n values of a history, m steps of a season.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from forecast.models.naive import Moments, Seasonal, random_walk
from forecast.series.panel import Panel

Floats = npt.NDArray[np.float64]

CRITICAL = 1.645  # 90 %, two-sided: a season is adjusted for when its autocorrelation is beyond that
SEASONS = 3  # the fewest in a history for the test


@dataclass(frozen=True)
class Naive2(Seasonal):
    """The last value without its season, repeated, and the season put back.

    The season is tested for by its autocorrelation and taken out by a classical multiplicative decomposition. A
    history of fewer than three seasons, without a season, or with a value that is not positive is forecast as `Naive`
    does. Gaps are bridged by straight lines for test and decomposition.

    Makridakis, S., Spiliotis, E., Assimakopoulos, V. (2020). The M4 competition: 100,000 time series and 61
    forecasting methods. International Journal of Forecasting, 36(1), 54-74.

    Raises
    ------
    ParameterError
        If ``season_length`` is less than 1.
    """

    default_name: ClassVar[str] = "Naive2"

    def moments(self, y: Floats, season_length: int, h: int) -> Moments:
        indices = seasonal_indices(y, season_length)
        n, m = len(y), len(indices)
        mean, deviation = random_walk(y / indices[np.arange(n) % m], h, drift=False)
        ahead = indices[np.arange(n, n + h) % m]
        return mean * ahead, deviation * ahead

    def _summary(self, panel: Panel) -> str:
        m = self.season_of(panel)
        count = sum(len(seasonal_indices(panel.series(s), m)) > 1 for s in range(len(panel)))
        return f"season of {m} step{'s' * (m > 1)}, found in {count} of {len(panel)} series"


def seasonal_indices(y: Floats, m: int) -> Floats:
    """(m,) factors of the season, by position from the first value, of mean 1; (1,) of 1 where there is no season.

    Parameters
    ----------
    y : ndarray, (n,)
        History with an observed value; NaN where unobserved.
    m : int
        Steps of a season.
    """
    seen = np.flatnonzero(~np.isnan(y))
    filled = np.interp(np.arange(len(y)), seen, y[seen])
    if filled.min() <= 0 or not _is_seasonal(filled, m):
        return np.ones(1)
    weights = np.full(m, 1.0) if m % 2 else np.concatenate([[0.5], np.ones(m - 1), [0.5]])
    trend = np.convolve(filled, weights / m, mode="valid")
    first = len(weights) // 2
    ratios = filled[first : first + len(trend)] / trend
    season = (np.arange(len(ratios)) + first) % m
    factors: Floats = np.bincount(season, ratios, m) / np.bincount(season, minlength=m)
    factors /= factors.mean()
    return factors


def _is_seasonal(y: Floats, m: int) -> bool:
    """Whether the autocorrelation at lag m is larger than Bartlett's bound for that of a process with shorter ones."""
    n = len(y)
    centred = y - y.mean()
    energy = float(centred @ centred)
    if m < 2 or n < SEASONS * m or energy == 0:
        return False
    r = np.array([centred[lag:] @ centred[:-lag] for lag in range(1, m + 1)]) / energy
    return bool(abs(r[-1]) > CRITICAL * np.sqrt((1 + 2 * np.square(r[:-1]).sum()) / n))
