"""What every model promises: an immutable config with ``fit``, and a fitted object with ``predict``.

Notation: S series, h steps ahead, Q quantiles.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from forecast.errors import DataError, ParameterError
from forecast.progress import Progress, Silent
from forecast.series.columns import listed
from forecast.series.future import reaching
from forecast.series.panel import Category, Panel
from forecast.series.roles import Declared

Floats = npt.NDArray[np.float64]
State = tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]


@dataclass(frozen=True)
class Forecast:
    """Forecasts of all series of a panel."""

    point: Floats  # (S, h)
    quantiles: Floats  # (S, h, Q), ascending along Q; Q = 0 when none were asked for
    probabilities: Floats | None = None  # (S, h, K) of K categories, where those are forecast: points are places in
    categories: tuple[Category, ...] = ()  # (K,)

    def __post_init__(self) -> None:
        if self.quantiles.shape[:2] != self.point.shape:
            raise AssertionError(f"quantiles {self.quantiles.shape} do not fit points {self.point.shape}")


class Fitted(ABC):
    """A model with what it learned. Predicting never changes it."""

    model: "Model"

    @property
    def horizon(self) -> int | None:
        """Steps that it was trained to forecast at once; None if any number of steps is alike."""
        return None

    def predict(self, panel: Panel, h: int, quantiles: Sequence[float] = ()) -> Forecast:
        """Forecast the ``h`` steps after the end of every series of ``panel``.

        The panel may be the one that the model was fitted on, or a longer or shorter history of the same
        series (a later or earlier cutoff): parameters are kept, the history is taken from the panel.

        Parameters
        ----------
        panel : Panel
            Histories of S series.
        h : int
            Steps ahead, at least 1.
        quantiles : sequence of float
            Probabilities in (0, 1), ascending.

        Returns
        -------
        Forecast
            ``point`` (S, h) and ``quantiles`` (S, h, Q).

        Raises
        ------
        ParameterError
            If ``h`` or a quantile is out of range.
        DataError
            If a covariate that the model uses is not known over the horizon, or a forecast came out as NaN or infinite.
        """
        if h < 1:
            raise ParameterError(f"The horizon h is {h}; it must be at least 1.")
        levels = tuple(float(q) for q in quantiles)
        if any(not 0 < q < 1 for q in levels) or list(levels) != sorted(set(levels)):
            raise ParameterError(f"Quantiles must ascend strictly between 0 and 1; got {list(levels)}.")
        check_kind(self.model, panel, levels)
        if self.model.uses_covariates:
            panel = reaching(panel, h)
        forecast = self._predict(panel, h, levels)
        bad = ~np.isfinite(forecast.point).all(axis=1)
        if bad.any():
            name = panel.ids[int(np.flatnonzero(bad)[0])]
            raise DataError(
                f"{self.model.name} gave a non-finite forecast for series {name!r}; check its values for extremes."
            )
        return forecast

    def update(self, panel: Panel, before: Panel) -> None:  # noqa: B027 - most models have nothing to keep
        """Take note that the histories ``before`` have grown to ``panel``: the same series, with newer values.

        What was learned stays as it is. Models that keep a state see the new values alone.
        """

    def resume(self, panel: Panel) -> None:  # noqa: B027 - as ``update``
        """Take note of the histories that stand in the file which this was rebuilt from.

        Raises
        ------
        ValueError
            If what was rebuilt does not fit them.
        """

    @abstractmethod
    def _predict(self, panel: Panel, h: int, quantiles: tuple[float, ...]) -> Forecast:
        """``predict`` of checked arguments; ``panel.ahead`` is complete for ``h`` if the model uses covariates."""

    @abstractmethod
    def state(self) -> State:
        """Return what must be stored: named arrays, and a JSON-able dict."""

    @classmethod
    @abstractmethod
    def from_state(cls, model: Any, arrays: Mapping[str, npt.NDArray[Any]], extra: Mapping[str, Any]) -> Self:
        """Rebuild from ``state()``; the inverse, bit for bit."""

    def describe(self) -> str:
        """One line on what was learned, e.g. the orders of an ARIMA; empty when there is nothing to say."""
        return ""


class Model(ABC):
    """A forecasting method as an immutable config: subclasses are frozen dataclasses, checked on construction."""

    is_network: ClassVar[bool] = False  # networks are judged against the baselines in the verdict
    is_categorical: ClassVar[bool] = False  # whether it forecasts categories, and not numbers
    kernels: ClassVar[tuple[str, ...]] = ()  # the groups that ``learning.warmup`` compiles for it
    default_name: ClassVar[str]
    fitted_type: ClassVar[type[Fitted]]
    alias: str | None

    @property
    def uses_covariates(self) -> bool:
        """Whether the covariates that a panel declares are used, if it has any."""
        return False

    def ignored(self, declared: Declared) -> tuple[str, ...]:
        """Which of the declared covariates are not used."""
        return () if self.uses_covariates else (*declared.columns, *declared.computed)

    @property
    def has_quantiles(self) -> bool:
        """Whether it forecasts quantiles, and not points alone."""
        return True

    @property
    def name(self) -> str:
        """The name of this model's forecast column: ``alias``, or the class's own name."""
        return self.alias or self.default_name

    def fit(self, panel: Panel, h: int | None = None, progress: Progress | None = None) -> Fitted:
        """Learn from a panel; the config itself is not changed, and fitting again starts afresh.

        Parameters
        ----------
        panel : Panel
            Histories of S series.
        h : int, optional
            The horizon that will be asked for, for models that train for one (direct multi-horizon networks).
        progress : Progress, optional
            Told how far the work is.
        """
        if h is not None and h < 1:
            raise ParameterError(f"The horizon h is {h}; it must be at least 1.")
        check_kind(self, panel)
        return self._fit(panel, h, progress or Silent())

    @abstractmethod
    def _fit(self, panel: Panel, h: int | None, progress: Progress) -> Fitted: ...


def check_kind(model: Model, panel: Panel, quantiles: Sequence[float] = ()) -> None:
    """Refuse a model of numbers for categories, and the other way round, and quantiles of categories.

    Raises
    ------
    DataError
        Telling which models there are.
    ParameterError
        If there are quantiles.
    """
    if model.is_categorical and quantiles:
        raise ParameterError(
            f"{model.name} forecasts probabilities of categories, which have no intervals; "
            "leave out level and quantiles (--level)."
        )
    if model.is_categorical == bool(panel.categories):
        return
    target = panel.columns.target
    if model.is_categorical:
        raise DataError(
            f"{model.name} forecasts categories, but column {target!r} holds numbers; if they stand for states, "
            "say so with --categorical (categorical=True)."
        )
    raise DataError(
        f"{model.name} forecasts numbers, but column {target!r} holds categories ({listed(panel.categories)}); take "
        "CategoricalLSTM, MarkovChain or MostFrequent (--models categorical-lstm,markov-chain,most-frequent), or name "
        "another column with --target (target_col=)."
    )


def covariate_notes(models: Sequence[Model], panel: Panel) -> list[str]:
    """Sentences on the declared covariates that models do not use, one for all models that ignore the same."""
    ignoring: dict[tuple[str, ...], list[str]] = {}
    for model in models:
        ignoring.setdefault(model.ignored(panel.declared), []).append(model.name)
    return [
        f"{', '.join(names)} {'does' if len(names) == 1 else 'do'} not use the covariates {listed(columns)}."
        for columns, names in ignoring.items()
        if columns
    ]


def compile_kernels(models: Iterable[Model], progress: Progress | None = None) -> None:
    """Compile what these models need, or do nothing if it is: together, which takes less time than one by one."""
    groups = dict.fromkeys(group for model in models for group in model.kernels)
    if groups:
        from forecast.learning.warmup import warmup

        warmup(progress, *groups)
