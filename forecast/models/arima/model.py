"""The ARIMA models of a panel, as configs."""

import os
from abc import abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from forecast.errors import DataError, ParameterError
from forecast.models.arima.fitted import FittedARIMA
from forecast.models.arima.orders import LONGEST_SEASON, Orders
from forecast.models.arima.power import TRANSFORMS, choose_power, transformed
from forecast.models.base import Model
from forecast.models.moments import check_observed
from forecast.progress import Progress
from forecast.series.panel import Panel
from forecast.series.roles import Declared

if TYPE_CHECKING:
    from forecast.models.arima.estimate import Estimate

Floats = npt.NDArray[np.float64]
CRITERIA = ("aicc", "aic", "bic")
ENGINES = ("compiled", "statsmodels")


class SeriesARIMA(Model):
    """What the two models share: a fit for each series on its own."""

    kernels: ClassVar[tuple[str, ...]] = ("arima",)
    fitted_type = FittedARIMA
    engine: str
    ic: str
    max_length: int | None
    transform: str
    n_jobs: int | None
    season_length: int | None
    covariates: bool

    @property
    def uses_covariates(self) -> bool:
        return self.covariates

    def ignored(self, declared: Declared) -> tuple[str, ...]:
        return (*declared.historic, *declared.static) if self.covariates else super().ignored(declared)

    def _fit(self, panel: Panel, h: int | None, progress: Progress) -> FittedARIMA:
        from threadpoolctl import threadpool_limits

        from forecast.learning.warmup import warmup

        check_observed(panel, self.name)
        self.check_positive(panel)
        season = self.season_length or panel.season_length
        warmup(progress, *self.kernels)
        names = panel.declared.known if self.covariates else ()
        histories = [(panel.series(s), panel.regressors(s)[:, : len(names)]) for s in range(len(panel))]
        jobs = 1 if self.engine == "statsmodels" else self.n_jobs or _cores()  # it works under the interpreter's lock
        progress.start(self.name, len(panel))
        try:
            with threadpool_limits(1):
                estimates = _each(
                    lambda pair: self.fit_series(pair[0], season, pair[1]), histories, jobs, progress.advance
                )
        finally:
            progress.finish()
        return FittedARIMA(self, dict(zip(panel.ids, estimates, strict=True)), season, names)

    def fit_series(self, y: Floats, season_length: int, X: Floats | None = None) -> "Estimate":
        """Fit one history.

        Parameters
        ----------
        y : ndarray, (n,)
            NaN where unobserved, with at least one observed value; positive to be transformed.
        season_length : int
            Steps of a season.
        X : ndarray, (n, m), optional
            Regressors, NaN where unknown.
        """
        power = choose_power(y, season_length, self.transform)
        X = np.empty((len(y), 0)) if X is None else X
        return replace(self._estimate(transformed(y, power), X, season_length), power=power)

    @abstractmethod
    def _estimate(self, y: Floats, X: Floats, season_length: int) -> "Estimate":
        """Fit one history on the scale of the model."""

    def check_positive(self, panel: Panel) -> None:
        """Refuse values that cannot be transformed.

        Raises
        ------
        DataError
            Naming the first series that has one.
        """
        bad = np.flatnonzero(panel.y <= 0)
        if self.transform != "none" and len(bad):
            name = panel.ids[int(np.searchsorted(panel.indptr, bad[0], side="right")) - 1]
            raise DataError(
                f"Series {name!r} has the value {panel.y[bad[0]]:g}, but transform={self.transform!r} needs values "
                "above 0; leave the transformation or that series out."
            )

    def remark(self, season_length: int) -> str:
        """What is to be said of a fit with that season."""
        return ""


@dataclass(frozen=True)
class ARIMA(SeriesARIMA):
    """Seasonal ARIMA of given orders, by exact maximum likelihood; the default is Box and Jenkins' airline model.

    A series with too few values for its coefficients is forecast as a random walk, a constant one as such. Covariates
    that are known ahead are regressors: the model is that of the errors of a regression on them.

    Raises
    ------
    ParameterError
        If a field is out of its range.
    """

    default_name: ClassVar[str] = "ARIMA"
    ic: ClassVar[str] = "aicc"  # type: ignore[misc]

    order: tuple[int, int, int] = (0, 1, 1)
    """p, d, q."""
    seasonal_order: tuple[int, int, int] = (0, 1, 1)
    """P, D, Q; left out where a season is one step."""
    season_length: int | None = None
    """Steps of a season; the panel's, by frequency, if None."""
    constant: bool | None = None
    """Whether to estimate a mean, or with one difference a drift; None: a mean, if nothing is differenced."""
    max_length: int | None = None
    """Estimate and forecast by this many last values, fewer where there are many gaps; None for all."""
    transform: str = "none"
    """Scale of the model: "none", "log", or "boxcox" with a power for each series; the point is then the median."""
    n_jobs: int | None = None
    """Threads at most; None for one per core."""
    engine: str = "compiled"
    """What estimates and forecasts: "compiled", or "statsmodels", whose search tries fewer models and takes longer."""
    alias: str | None = None
    """Name of the forecast column."""
    covariates: bool = True
    """Whether to regress on the covariates that are known ahead, if the panel declares any; of each series, those are
    left out that are constant or explained by others, and all where there are too few values for so many."""

    def __post_init__(self) -> None:
        for name in ("order", "seasonal_order"):
            value = tuple(getattr(self, name))
            object.__setattr__(self, name, value)
            if len(value) != 3 or any(not isinstance(one, int) or one < 0 for one in value):
                raise ParameterError(f"{name} is {value}; it must be three whole numbers from 0 up, such as (0, 1, 1).")
        if self.constant and self.order[1] + self.seasonal_order[1] > 1:
            raise ParameterError(
                f"constant=True needs at most one difference, and order {self.order} with seasonal_order "
                f"{self.seasonal_order} takes {self.order[1] + self.seasonal_order[1]}; leave constant out."
            )
        _check_shared(self)

    def _estimate(self, y: Floats, X: Floats, season_length: int) -> "Estimate":
        from forecast.models.arima.fitting import fit_fixed

        (p, d, q), (P, D, Q) = self.order, self.seasonal_order if season_length > 1 else (0, 0, 0)
        constant = d + D == 0 if self.constant is None else self.constant
        return fit_fixed(y, Orders(p, d, q, P, D, Q, season_length, constant), self.max_length, self.engine, X)

    def remark(self, season_length: int) -> str:
        return "; no season, so no seasonal orders" if season_length == 1 and any(self.seasonal_order) else ""


@dataclass(frozen=True)
class AutoARIMA(SeriesARIMA):
    """Seasonal ARIMA whose orders are chosen for each series.

    Seasonal differences by the strength of the season, first differences by KPSS, the other orders by the corrected
    Akaike criterion of exact likelihoods, with the stepwise search of Hyndman and Khandakar (Journal of Statistical
    Software 27, 2008). A series with fewer than 6 differenced values is forecast as a random walk, a constant one
    as such. Covariates that are known ahead are regressors: the model, its differences too, is that of the errors of a
    regression on them.

    Raises
    ------
    ParameterError
        If a field is out of its range.
    """

    default_name: ClassVar[str] = "AutoARIMA"

    max_p: int = 5
    """Most autoregressive coefficients."""
    max_q: int = 5
    """Most moving-average coefficients."""
    max_P: int = 2
    """Most seasonal autoregressive coefficients."""
    max_Q: int = 2
    """Most seasonal moving-average coefficients."""
    max_order: int = 8
    """Bound on p + q + P + Q, at most 5 of which are reached without a step from a good model."""
    max_d: int = 2
    """Most first differences."""
    max_D: int = 1
    """Most seasonal differences."""
    d: int | None = None
    """First differences; None: by test."""
    D: int | None = None
    """Seasonal differences; None: by test."""
    season_length: int | None = None
    """Steps of a season; the panel's, by frequency, if None."""
    ic: str = "aicc"
    """Criterion that chooses: "aicc", "aic" or "bic"."""
    stepwise: bool = True
    """Search stepwise; otherwise estimate all models within the bounds with care, in a few times the time."""
    allow_drift: bool = True
    """Whether a series that is differenced once may have a drift."""
    allow_mean: bool = True
    """Whether a series that is not differenced may have a mean."""
    max_length: int | None = 1000
    """Choose, estimate and forecast by this many last values, fewer where there are many gaps; None for all."""
    time_limit: float | None = None
    """Seconds a series after which the search ends with the best model so far; results then depend on the machine."""
    transform: str = "none"
    """Scale of the model: "none", "log", or "boxcox" with a power for each series; the point is then the median."""
    n_jobs: int | None = None
    """Threads at most; None for one per core."""
    engine: str = "compiled"
    """What estimates and forecasts: "compiled", or "statsmodels", whose search tries fewer models and takes longer."""
    alias: str | None = None
    """Name of the forecast column."""
    covariates: bool = True
    """Whether to regress on the covariates that are known ahead, if the panel declares any; of each series, those are
    left out that are constant or explained by others, and all where there are too few values for so many."""

    def __post_init__(self) -> None:
        for name in ("max_p", "max_q", "max_P", "max_Q", "max_order", "max_d", "max_D", "d", "D"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 0):
                raise ParameterError(f"{name} is {value!r}; it must be a whole number that is not negative.")
        if self.ic not in CRITERIA:
            raise ParameterError(f"ic is {self.ic!r}; it must be one of {', '.join(CRITERIA)}.")
        limit = self.time_limit
        if limit is not None and (not isinstance(limit, int | float) or not limit > 0):
            raise ParameterError(f"time_limit is {limit!r}; it must be a number of seconds above 0, or None.")
        _check_shared(self)

    def _estimate(self, y: Floats, X: Floats, season_length: int) -> "Estimate":
        from forecast.models.arima.fitting import fit_automatic

        options = asdict(self)
        for name in ("season_length", "transform", "n_jobs", "alias", "covariates"):
            del options[name]
        return fit_automatic(y, X, season_length, **options)

    def remark(self, season_length: int) -> str:
        if season_length > LONGEST_SEASON and self.max_P + self.max_Q:
            return f"; a season of {season_length} steps is too long for seasonal ARMA terms, so P = Q = 0"
        return ""


def _check_shared(model: ARIMA | AutoARIMA) -> None:
    for name, known in (("engine", ENGINES), ("transform", TRANSFORMS)):
        if getattr(model, name) not in known:
            raise ParameterError(f"{name} is {getattr(model, name)!r}; it must be one of {', '.join(known)}.")
    for name, least in (("season_length", 1), ("n_jobs", 1), ("max_length", 10)):
        value = getattr(model, name)
        if value is not None and (not isinstance(value, int) or value < least):
            raise ParameterError(f"{name} is {value!r}; it must be a whole number of at least {least}, or None.")


def _each(
    fit: "Callable[[tuple[Floats, Floats]], Estimate]",
    histories: Sequence[tuple[Floats, Floats]],
    n_jobs: int,
    advance: Callable[[], None],
) -> "list[Estimate]":
    """Fit all histories; kernels leave the interpreter's lock to the other threads."""
    found = []
    with ThreadPoolExecutor(n_jobs) as pool:
        try:
            for estimate in pool.map(fit, histories):
                found.append(estimate)
                advance()
        except BaseException:  # also on Ctrl-C
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return found


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
