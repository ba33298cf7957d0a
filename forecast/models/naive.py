"""The baselines that every other method must beat.

Forecasts and intervals follow Hyndman and Athanasopoulos, "Forecasting: Principles and Practice" (3rd ed.), sections
5.2 and 5.5. A gap makes the last known value older: each method is read as the random walk that it assumes, whose
variance grows with the steps since the value that the forecast repeats.

Notation: T observed values of a series, sigma the standard deviation of one-step residuals, n - K in its denominator
for n residuals and K estimated parameters.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from forecast.errors import ParameterError
from forecast.models.base import Fitted, Forecast, Model, State
from forecast.models.moments import check_observed, forecast_each
from forecast.progress import Progress
from forecast.series.panel import Panel

Floats = npt.NDArray[np.float64]
Moments = tuple[Floats, Floats]


class FittedBaseline(Fitted):
    """A baseline: it has nothing to keep, everything is in the history."""

    def __init__(self, model: "Baseline", summary: str) -> None:
        self.model: Baseline = model
        self.summary = summary

    def _predict(self, panel: Panel, h: int, quantiles: tuple[float, ...]) -> Forecast:
        check_observed(panel, self.model.name)
        season = self.model.season_of(panel)
        return forecast_each(panel, h, quantiles, lambda s: self.model.moments(panel.series(s), season, h))

    def describe(self) -> str:
        return self.summary

    def state(self) -> State:
        return {}, {"summary": self.summary}

    @classmethod
    def from_state(cls, model: Any, arrays: Mapping[str, npt.NDArray[Any]], extra: Mapping[str, Any]) -> Self:
        return cls(model, str(extra["summary"]))


class Baseline(Model):
    """What the baselines share."""

    fitted_type = FittedBaseline

    def _fit(self, panel: Panel, h: int | None, progress: Progress) -> FittedBaseline:
        check_observed(panel, self.name)
        return FittedBaseline(self, self._summary(panel))

    def season_of(self, panel: Panel) -> int:
        """Steps of a season, for those that know seasons."""
        return panel.season_length

    def _summary(self, panel: Panel) -> str:
        return ""

    @abstractmethod
    def moments(self, y: Floats, season_length: int, h: int) -> Moments:
        """Mean and standard deviation, (h,) each, of the steps after a history (n,) with an observed value."""


@dataclass(frozen=True)
class Naive(Baseline):
    """The last observed value, repeated; sigma sqrt(h)."""

    default_name: ClassVar[str] = "Naive"

    alias: str | None = None
    """Name of the forecast column."""

    def moments(self, y: Floats, season_length: int, h: int) -> Moments:
        return random_walk(y, h, drift=False)


@dataclass(frozen=True)
class Drift(Baseline):
    """The line through the first and the last observed value; sigma sqrt(h (1 + h / (T - 1)))."""

    default_name: ClassVar[str] = "Drift"

    alias: str | None = None
    """Name of the forecast column."""

    def moments(self, y: Floats, season_length: int, h: int) -> Moments:
        return random_walk(y, h, drift=True)


@dataclass(frozen=True)
class HistoricMean(Baseline):
    """The mean of all observed values; sigma sqrt(1 + 1 / T)."""

    default_name: ClassVar[str] = "HistoricMean"

    alias: str | None = None
    """Name of the forecast column."""

    def moments(self, y: Floats, season_length: int, h: int) -> Moments:
        values = y[~np.isnan(y)]
        sigma = _deviation(values - values.mean(), 1)
        return np.full(h, values.mean()), np.full(h, sigma * np.sqrt(1 + 1 / len(values)))


@dataclass(frozen=True)
class Seasonal(Baseline):
    """What the baselines that know seasons share."""

    season_length: int | None = None
    """Steps of a season; the panel's, by frequency, if None."""
    alias: str | None = None
    """Name of the forecast column."""

    def __post_init__(self) -> None:
        if self.season_length is not None and self.season_length < 1:
            raise ParameterError(f"season_length is {self.season_length}; it must be at least 1.")

    def season_of(self, panel: Panel) -> int:
        return panel.season_length if self.season_length is None else self.season_length


@dataclass(frozen=True)
class SeasonalNaive(Seasonal):
    """The last observed value of the same season; sigma sqrt(seasons since it).

    A season without any observed value takes the last observed value of all; a history in which no season was
    observed twice takes its intervals from `Naive`.

    Raises
    ------
    ParameterError
        If ``season_length`` is less than 1.
    """

    default_name: ClassVar[str] = "SeasonalNaive"

    def _summary(self, panel: Panel) -> str:
        m = self.season_of(panel)
        short = sum(len(np.unique(np.flatnonzero(~np.isnan(panel.series(s))) % m)) < m for s in range(len(panel)))
        text = f"season of {m} step{'s' * (m > 1)}"
        if short:
            text += f"; {short} of {len(panel)} series lack values of some seasons: their last value stands in"
        return text

    def moments(self, y: Floats, season_length: int, h: int) -> Moments:
        m = season_length
        t = np.flatnonzero(~np.isnan(y))
        last = np.full(m, -1)
        last[t % m] = t  # of equal seasons the latest is written last
        future = np.arange(len(y), len(y) + h)
        source = last[future % m]
        known = source >= 0

        by_season = t[np.argsort(t % m, kind="stable")]
        steps = np.diff(by_season)
        same = np.diff(by_season % m) == 0
        residuals = np.diff(y[by_season])[same] / np.sqrt(steps[same] // m)

        mean, deviation = random_walk(y, h, drift=False)
        mean[known] = y[source[known]]
        if len(residuals):
            deviation[known] = _deviation(residuals, 0) * np.sqrt((future - source)[known] // m)
        return mean, deviation


def random_walk(y: Floats, h: int, drift: bool) -> Moments:
    """Mean and standard deviation, (h,) each, of the steps after a history (n,), with or without a drift."""
    t = np.flatnonzero(~np.isnan(y))
    steps = np.diff(t)
    span = int(t[-1] - t[0])
    ahead = len(y) - 1 - t[-1] + np.arange(1, h + 1)
    slope = (y[t[-1]] - y[t[0]]) / span if drift and span else 0.0
    sigma = _deviation((np.diff(y[t]) - slope * steps) / np.sqrt(steps), int(drift))
    growth = ahead * (1 + ahead / span) if drift and span else ahead
    return y[t[-1]] + slope * ahead, sigma * np.sqrt(growth)


def _deviation(residuals: Floats, parameters: int) -> float:
    """Standard deviation of residuals around zero; 0 when there are too few to tell."""
    free = len(residuals) - parameters
    return float(np.sqrt(np.square(residuals).sum() / free)) if free > 0 else 0.0
