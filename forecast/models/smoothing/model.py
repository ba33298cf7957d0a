"""Exponential smoothing of a panel, as configs, and what they learn of each series."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from forecast.errors import DataError, ParameterError
from forecast.models.arima.differencing import is_constant
from forecast.models.arima.sample import filled, trimmed
from forecast.models.base import Fitted, Forecast, Model, State
from forecast.models.moments import check_observed
from forecast.models.smoothing.estimate import PLAIN, Estimate, random_walk
from forecast.progress import Progress
from forecast.series.panel import Panel

Floats = npt.NDArray[np.float64]
Ahead = tuple[Floats, Floats]  # points (h,) and quantiles (h, Q)


class FittedSmoothing(Fitted):
    """Form and parameters of each series, by its identifier."""

    def __init__(self, model: "Smoothing", estimates: Mapping[Any, Estimate], season_length: int) -> None:
        self.model: Smoothing = model
        self.estimates = dict(estimates)
        self.season_length = season_length

    def _predict(self, panel: Panel, h: int, quantiles: tuple[float, ...]) -> Forecast:
        check_observed(panel, self.model.name)
        unseen = [name for name in panel.ids if name not in self.estimates]
        if unseen:
            raise DataError(
                f"{self.model.name} was not fitted on series {unseen[0]!r}; "
                "fit it again with that series, or leave the series out."
            )
        found = [self._ahead(self.estimates[name], panel.series(s), h, quantiles) for s, name in enumerate(panel.ids)]
        return Forecast(np.array([point for point, _ in found]), np.array([levels for _, levels in found]))

    def _ahead(self, found: Estimate, y: Floats, h: int, quantiles: tuple[float, ...]) -> Ahead:
        trailing = int(np.argmax(~np.isnan(y[::-1])))  # unobserved values at the end are steps ahead like others
        y = filled(trimmed(y), self.season_length)
        if found.form == PLAIN or not self.model.is_enough(y, found.form, self.season_length):
            point, levels = gaussian(*random_walk(y, h + trailing), quantiles)
        else:
            point, levels = self.model.ahead(found, y, self.season_length, h + trailing, quantiles)
        return point[trailing:], levels[trailing:]

    def describe(self) -> str:
        found = list(self.estimates.values())
        plain = sum(one.form == PLAIN for one in found)
        if plain == len(found) == 1:
            text = "last value repeated, as the series is constant or too short for more"
        else:
            common = Counter(one.form for one in found if one.form != PLAIN).most_common()
            parts = [self.model.form_text(form) + (f" in {count}" if len(found) > 1 else "") for form, count in common]
            parts += [f"last value repeated in {plain}, constant or too short for more"] if plain else []
            text = (f"{len(found)} series: " if len(found) > 1 else "") + ", ".join(parts)
        gaps = sum(one.filled for one in found)
        if gaps:
            text += "; gaps filled by interpolation" + (f" in {gaps}" if len(found) > 1 else "")
        return text + self.model.remark(self.season_length)

    def state(self) -> State:
        found = list(self.estimates.values())
        arrays = {
            "parameters": np.concatenate([one.parameters for one in found]),
            "sizes": np.array([len(one.parameters) for one in found], np.int64),
            "filled": np.array([one.filled for one in found], np.bool_),
        }
        ids = [name.item() if isinstance(name, np.generic) else name for name in self.estimates]
        return arrays, {"ids": ids, "forms": [one.form for one in found], "season_length": self.season_length}

    @classmethod
    def from_state(cls, model: Any, arrays: Mapping[str, npt.NDArray[Any]], extra: Mapping[str, Any]) -> Self:
        sizes, known = arrays["sizes"], model.known_forms()
        if sizes.min() < 0 or sizes.sum() != len(arrays["parameters"]) or not known.issuperset(extra["forms"]):
            raise ValueError("the parameters do not fit the forms")
        parameters = np.split(arrays["parameters"], np.cumsum(sizes)[:-1])
        rows = zip(extra["forms"], parameters, arrays["filled"].tolist(), strict=True)
        estimates = [Estimate(*row) for row in rows]
        return cls(model, dict(zip(extra["ids"], estimates, strict=True)), int(extra["season_length"]))


class Smoothing(Model):
    """What the two methods share: a fit for each series on its own, gaps filled."""

    fitted_type = FittedSmoothing
    season_length: int | None

    def __post_init__(self) -> None:
        value = self.season_length
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ParameterError(f"season_length is {value!r}; it must be a whole number of at least 1, or None.")

    def _fit(self, panel: Panel, h: int | None, progress: Progress) -> FittedSmoothing:
        from threadpoolctl import threadpool_limits

        check_observed(panel, self.name)
        season = self.season_length or panel.season_length
        estimates = {}
        progress.start(self.name, len(panel))
        try:
            with threadpool_limits(1):
                for s, name in enumerate(panel.ids):
                    estimates[name] = self.fit_series(panel.series(s), season)
                    progress.advance()
        finally:
            progress.finish()
        return FittedSmoothing(self, estimates, season)

    def fit_series(self, y: Floats, season_length: int) -> Estimate:
        """Fit one history (n,), NaN where unobserved, with at least one observed value."""
        y = trimmed(y)
        gaps = bool(np.isnan(y).any())
        y = filled(y, season_length)
        found = None if is_constant(y) else self.estimate(y, season_length)
        return Estimate(*(found or (PLAIN, np.empty(0))), gaps)

    @abstractmethod
    def estimate(self, y: Floats, season_length: int) -> tuple[str, Floats] | None:
        """Form and parameters of a history without gaps that is not constant; None if it is too short."""

    @abstractmethod
    def is_enough(self, y: Floats, form: str, season_length: int) -> bool:
        """Whether a history can be forecast by a form."""

    @abstractmethod
    def ahead(self, found: Estimate, y: Floats, season_length: int, h: int, quantiles: Sequence[float]) -> Ahead:
        """Forecast a history without gaps, parameters kept."""

    @abstractmethod
    def form_text(self, form: str) -> str:
        """A form in words."""

    @abstractmethod
    def known_forms(self) -> set[str]:
        """All forms that there are."""

    def remark(self, season_length: int) -> str:
        """What is to be said of a fit with that season."""
        return ""


@dataclass(frozen=True)
class AutoETS(Smoothing):
    """Exponential smoothing whose form is chosen for each series: error, trend and season, additive or multiplicative.

    The form has the least AICc of those that a series allows, as in the R package forecast: multiplicative forms need
    values above 0, a season needs two whole ones and 24 steps at most. A series with fewer than 10 values or without
    any change repeats its last one. Gaps are filled by interpolation. Intervals come from 2000 simulated paths, the
    same in every run.

    Source: Hyndman, Koehler, Snyder and Grose, "A state space framework for automatic forecasting using exponential
    smoothing methods", International Journal of Forecasting 18 (2002).

    Raises
    ------
    ParameterError
        If a field is out of its range.
    """

    default_name: ClassVar[str] = "AutoETS"

    season_length: int | None = None
    """Steps of a season; the panel's, by frequency, if None."""
    multiplicative: bool = True
    """Whether errors and seasons in proportion to the level may be chosen."""
    alias: str | None = None
    """Name of the forecast column."""

    def estimate(self, y: Floats, season_length: int) -> tuple[str, Floats] | None:
        from forecast.models.smoothing.ets import choose

        return choose(y, season_length, self.multiplicative)

    def is_enough(self, y: Floats, form: str, season_length: int) -> bool:
        from forecast.models.smoothing.ets import forms

        return form in forms(len(y), season_length, bool((y > 0).all()))

    def ahead(self, found: Estimate, y: Floats, season_length: int, h: int, quantiles: Sequence[float]) -> Ahead:
        from forecast.models.smoothing.ets import forecast

        return forecast(found.form, found.parameters, y, season_length, h, quantiles)

    def form_text(self, form: str) -> str:
        return f"ETS({form[0]},{form[1:-1]},{form[-1]})"

    def known_forms(self) -> set[str]:
        from forecast.models.smoothing.ets import forms

        return {PLAIN, *forms(100, 2, True)}

    def remark(self, season_length: int) -> str:
        from forecast.models.smoothing.ets import LONGEST_SEASON

        if season_length > LONGEST_SEASON:
            return f"; a season of {season_length} steps is too long for exponential smoothing, so there is none"
        return ""


@dataclass(frozen=True)
class Theta(Smoothing):
    """The Theta method: half the slope of the trend on top of simple exponential smoothing.

    A season that its autocorrelation shows is taken out before, as a factor where all values are above 0, else as a
    summand. A series with fewer than 5 values or without any change repeats its last one. Gaps are filled by
    interpolation.

    Source: Assimakopoulos and Nikolopoulos, "The theta model: a decomposition approach to forecasting", International
    Journal of Forecasting 16 (2000).

    Raises
    ------
    ParameterError
        If a field is out of its range.
    """

    default_name: ClassVar[str] = "Theta"

    season_length: int | None = None
    """Steps of a season; the panel's, by frequency, if None."""
    alias: str | None = None
    """Name of the forecast column."""

    def estimate(self, y: Floats, season_length: int) -> tuple[str, Floats] | None:
        from forecast.models.smoothing.theta import estimate

        return estimate(y, season_length)

    def is_enough(self, y: Floats, form: str, season_length: int) -> bool:
        return len(y) > 1

    def ahead(self, found: Estimate, y: Floats, season_length: int, h: int, quantiles: Sequence[float]) -> Ahead:
        from forecast.models.smoothing.theta import moments

        return gaussian(*moments(found.form, float(found.parameters[0]), y, season_length, h), quantiles)

    def form_text(self, form: str) -> str:
        from forecast.models.smoothing.theta import SEASONS

        return SEASONS[form]

    def known_forms(self) -> set[str]:
        from forecast.models.smoothing.theta import SEASONS

        return {PLAIN, *SEASONS}


def gaussian(mean: Floats, deviation: Floats, quantiles: Sequence[float]) -> Ahead:
    """Points and quantiles of normal distributions."""
    z = np.array([NormalDist().inv_cdf(q) for q in quantiles])
    return mean, mean[:, None] + deviation[:, None] * z
