"""The ARIMA models of a panel: configs, and the orders and parameters of each series."""

import os
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from forecast.errors import DataError, ParameterError
from forecast.models.arima.orders import LONGEST_SEASON, Orders
from forecast.models.base import Fitted, Forecast, Model, State
from forecast.models.moments import check_observed, forecast_each
from forecast.progress import Progress
from forecast.series.panel import Panel

if TYPE_CHECKING:
    from forecast.models.arima.estimate import Estimate

Floats = npt.NDArray[np.float64]
CRITERIA = ("aicc", "aic", "bic")
ENGINES = ("compiled", "statsmodels")


class FittedARIMA(Fitted):
    """Orders and parameters of each series, by its identifier."""

    def __init__(self, model: "SeriesARIMA", estimates: "Mapping[Any, Estimate]", season_length: int) -> None:
        self.model: SeriesARIMA = model
        self.estimates = dict(estimates)
        self.season_length = season_length

    def _predict(self, panel: Panel, h: int, quantiles: tuple[float, ...]) -> Forecast:
        from threadpoolctl import threadpool_limits

        from forecast.models.arima.prediction import predict

        check_observed(panel, self.model.name)
        unseen = [name for name in panel.ids if name not in self.estimates]
        if unseen:
            raise DataError(
                f"{self.model.name} was not fitted on series {unseen[0]!r}; "
                "fit it again with that series, or leave the series out."
            )
        with threadpool_limits(1):
            return forecast_each(
                panel,
                h,
                quantiles,
                lambda s: predict(self.estimates[panel.ids[s]], panel.series(s), h, self.model.engine),
            )

    def describe(self) -> str:
        found = list(self.estimates.values())
        plain = sum(not np.isfinite(one.loglik) for one in found)
        if len(found) == 1:
            criterion = f"{_NAMES[self.model.ic]} {found[0].criterion(self.model.ic):.1f}"
            text = f"{found[0].orders}, {'constant or too short for more' if plain else criterion}"
        else:
            common = Counter(str(one.orders) for one in found).most_common()
            text = f"{len(found)} series: " + ", ".join(f"{orders} in {count}" for orders, count in common[:3])
            text += f", {len(common) - 3} other orders" if len(common) > 3 else ""
            text += f"; {plain} constant or too short to estimate" if plain else ""
        return text + self.model.remark(self.season_length)

    def state(self) -> State:
        found = list(self.estimates.values())
        arrays = {
            "orders": np.array([one.orders for one in found], np.int64),
            "coefficients": np.concatenate([one.coefficients for one in found]),
            "moments": np.array([(one.constant, one.sigma2, one.loglik) for one in found], np.float64),
            "n": np.array([one.n for one in found], np.int64),
        }
        ids = [name.item() if isinstance(name, np.generic) else name for name in self.estimates]
        return arrays, {"ids": ids, "season_length": self.season_length}

    @classmethod
    def from_state(cls, model: Any, arrays: Mapping[str, npt.NDArray[Any]], extra: Mapping[str, Any]) -> Self:
        from forecast.models.arima.estimate import Estimate

        orders = [_stored_orders(row) for row in arrays["orders"].tolist()]
        sizes = np.array([one.size for one in orders])
        if len(orders) != len(extra["ids"]) or sizes.sum() != len(arrays["coefficients"]):
            raise ValueError("the coefficients do not fit the orders")
        coefficients = np.split(arrays["coefficients"], np.cumsum(sizes)[:-1])
        rows = zip(orders, coefficients, arrays["moments"].tolist(), arrays["n"].tolist(), strict=True)
        estimates = [
            Estimate(one, values, constant, sigma2, loglik, n) for one, values, (constant, sigma2, loglik), n in rows
        ]
        return cls(model, dict(zip(extra["ids"], estimates, strict=True)), int(extra["season_length"]))


class SeriesARIMA(Model):
    """What the two models share: a fit for each series on its own."""

    kernels: ClassVar[str] = "arima"
    fitted_type = FittedARIMA
    engine: str
    ic: str
    n_jobs: int | None
    season_length: int | None

    def _fit(self, panel: Panel, h: int | None, progress: Progress) -> FittedARIMA:
        from threadpoolctl import threadpool_limits

        from forecast.learning.warmup import warmup

        check_observed(panel, self.name)
        season = self.season_length or panel.season_length
        warmup(progress, self.kernels)
        histories = [panel.series(s) for s in range(len(panel))]
        jobs = 1 if self.engine == "statsmodels" else self.n_jobs or _cores()  # it works under the interpreter's lock
        progress.start(self.name, len(panel))
        try:
            with threadpool_limits(1):
                estimates = _each(lambda y: self.fit_series(y, season), histories, jobs, progress.advance)
        finally:
            progress.finish()
        return FittedARIMA(self, dict(zip(panel.ids, estimates, strict=True)), season)

    @abstractmethod
    def fit_series(self, y: Floats, season_length: int) -> "Estimate":
        """Fit one history (n,), NaN where unobserved, with at least one observed value."""

    def remark(self, season_length: int) -> str:
        """What is to be said of a fit with that season."""
        return ""


@dataclass(frozen=True)
class ARIMA(SeriesARIMA):
    """Seasonal ARIMA of given orders, by exact maximum likelihood; the default is Box and Jenkins' airline model.

    A series with too few values for its coefficients is forecast as a random walk, a constant one as such.

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
    """Estimate on this many last values, fewer where there are many gaps; None for all."""
    n_jobs: int | None = None
    """Threads at most; None for one per core."""
    engine: str = "compiled"
    """What estimates and forecasts: "compiled", or "statsmodels", whose search tries fewer models and takes longer."""
    alias: str | None = None
    """Name of the forecast column."""

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

    def fit_series(self, y: Floats, season_length: int) -> "Estimate":
        from forecast.models.arima.fitting import fit_fixed

        (p, d, q), (P, D, Q) = self.order, self.seasonal_order if season_length > 1 else (0, 0, 0)
        constant = d + D == 0 if self.constant is None else self.constant
        return fit_fixed(y, Orders(p, d, q, P, D, Q, season_length, constant), self.max_length, self.engine)

    def remark(self, season_length: int) -> str:
        return "; no season, so no seasonal orders" if season_length == 1 and any(self.seasonal_order) else ""


@dataclass(frozen=True)
class AutoARIMA(SeriesARIMA):
    """Seasonal ARIMA whose orders are chosen for each series.

    Seasonal differences by the strength of the season, first differences by KPSS, the other orders by the corrected
    Akaike criterion of exact likelihoods, with the stepwise search of Hyndman and Khandakar (Journal of Statistical
    Software 27, 2008). A series with fewer than 6 differenced values is forecast as a random walk, a constant one
    as such.

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
    max_order: int = 5
    """Bound on p + q + P + Q."""
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
    """Choose and estimate on this many last values, fewer where there are many gaps; None for all."""
    n_jobs: int | None = None
    """Threads at most; None for one per core."""
    engine: str = "compiled"
    """What estimates and forecasts: "compiled", or "statsmodels", whose search tries fewer models and takes longer."""
    alias: str | None = None
    """Name of the forecast column."""

    def __post_init__(self) -> None:
        for name in ("max_p", "max_q", "max_P", "max_Q", "max_order", "max_d", "max_D", "d", "D"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 0):
                raise ParameterError(f"{name} is {value!r}; it must be a whole number that is not negative.")
        if self.ic not in CRITERIA:
            raise ParameterError(f"ic is {self.ic!r}; it must be one of {', '.join(CRITERIA)}.")
        _check_shared(self)

    def fit_series(self, y: Floats, season_length: int) -> "Estimate":
        from forecast.models.arima.fitting import fit_automatic

        options = asdict(self)
        for name in ("season_length", "n_jobs", "alias"):
            del options[name]
        return fit_automatic(y, season_length, **options)

    def remark(self, season_length: int) -> str:
        if season_length > LONGEST_SEASON and self.max_P + self.max_Q:
            return f"; a season of {season_length} steps is too long for seasonal ARMA terms, so P = Q = 0"
        return ""


_NAMES = {"aicc": "AICc", "aic": "AIC", "bic": "BIC"}


def _check_shared(model: ARIMA | AutoARIMA) -> None:
    if model.engine not in ENGINES:
        raise ParameterError(f"engine is {model.engine!r}; it must be one of {', '.join(ENGINES)}.")
    for name, least in (("season_length", 1), ("n_jobs", 1), ("max_length", 10)):
        value = getattr(model, name)
        if value is not None and (not isinstance(value, int) or value < least):
            raise ParameterError(f"{name} is {value!r}; it must be a whole number of at least {least}, or None.")


def _each(
    fit: "Callable[[Floats], Estimate]", histories: Sequence[Floats], n_jobs: int, advance: Callable[[], None]
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


def _stored_orders(row: list[int]) -> Orders:
    if len(row) != 8 or min(row) < 0 or max(row) > 100_000:
        raise ValueError(f"orders {row} make no sense")
    p, d, q, P, D, Q, season_length, constant = row
    return Orders(p, d, q, P, D, Q, season_length, bool(constant))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
