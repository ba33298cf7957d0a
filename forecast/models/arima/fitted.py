"""The orders and parameters of each series of a panel, and what can be told with them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from forecast.errors import DataError
from forecast.models.arima.orders import Orders
from forecast.models.arima.power import back, transformed
from forecast.models.base import Fitted, Forecast, State
from forecast.models.moments import check_observed, forecast_each
from forecast.series.panel import Panel

if TYPE_CHECKING:
    from forecast.models.arima.estimate import Estimate
    from forecast.models.arima.model import SeriesARIMA

Floats = npt.NDArray[np.float64]

SHOWN = 6  # covariates that a description names
_NAMES = {"aicc": "AICc", "aic": "AIC", "bic": "BIC"}


class FittedARIMA(Fitted):
    """Orders and parameters of each series, by its identifier."""

    def __init__(
        self,
        model: "SeriesARIMA",
        estimates: "Mapping[Any, Estimate]",
        season_length: int,
        covariates: Sequence[str] = (),
    ) -> None:
        self.model: SeriesARIMA = model
        self.estimates = dict(estimates)
        self.season_length = season_length
        self.covariates = tuple(covariates)
        """Names of the regressors, in the order of each estimate's ``beta``."""

    def _predict(self, panel: Panel, h: int, quantiles: tuple[float, ...]) -> Forecast:
        from threadpoolctl import threadpool_limits

        from forecast.models.arima.prediction import predict
        from forecast.models.arima.regression import less_regressors

        histories = list(self._histories(panel, h))

        def moments(s: int) -> tuple[Floats, Floats]:
            found, y, X = histories[s]
            errors = less_regressors(found.beta, y, X[: len(y)])
            mean, deviation = predict(found, errors, h, self.model.engine, self.model.max_length)
            kept = np.isfinite(found.beta)
            return mean + X[len(y) :, kept] @ found.beta[kept], deviation

        with threadpool_limits(1):
            forecast = forecast_each(panel, h, quantiles, moments)
        for s, (found, _, _) in enumerate(histories):
            forecast.point[s] = back(forecast.point[s], found.power)
            forecast.quantiles[s] = back(forecast.quantiles[s], found.power)
        return forecast

    def fitted_values(self, panel: Panel) -> Floats:
        """Forecasts of every value of ``panel`` from those before it, by the parameters that were learned.

        Returns
        -------
        ndarray, (N,)
            In the order of ``panel.y``; NaN where that or a regressor is unobserved, and at the beginning of a series,
            where too few values come before.

        Raises
        ------
        DataError
            If the model was not fitted on some series, or has nothing to go by.
        """
        from forecast.models.arima.prediction import one_step_errors
        from forecast.models.arima.regression import less_regressors

        values = []
        for found, y, X in self._histories(panel):
            errors = one_step_errors(found, less_regressors(found.beta, y, X))[0]
            values.append(back(y - errors, found.power))
        return np.concatenate(values)

    def summary(self, panel: Panel) -> str:
        """Orders, coefficients with standard errors, criterion and a test of the residuals, for each series.

        Parameters
        ----------
        panel : Panel
            The histories that the model was fitted on, or later ones.
        """
        from forecast.models.arima.summary import summary

        histories = self._histories(panel)
        return "\n\n".join(
            summary(str(name), *history, self.covariates, self.model.ic)
            for name, history in zip(panel.ids, histories, strict=True)
        )

    def _histories(self, panel: Panel, h: int = 0) -> "Iterator[tuple[Estimate, Floats, Floats]]":
        """Estimate, history (n,) on the scale of the model and regressors (n + h, m) of each series."""
        check_observed(panel, self.model.name)
        unseen = [name for name in panel.ids if name not in self.estimates]
        if unseen:
            raise DataError(
                f"{self.model.name} was not fitted on series {unseen[0]!r}; "
                "fit it again with that series, or leave the series out."
            )
        self.model.check_positive(panel)
        columns = self._columns(panel)
        for s, name in enumerate(panel.ids):
            found, y = self.estimates[name], panel.series(s)
            X = panel.regressors(s, h)[:, columns] if columns else np.empty((len(y) + h, 0))
            if np.isnan(y[np.isfinite(X[: len(y), np.isfinite(found.beta)]).all(axis=1)]).all():
                raise DataError(
                    f"Series {name!r} has no value at which the covariates of {self.model.name} are known, so there is "
                    "nothing to go by; fill in their past values."
                )
            yield found, transformed(y, found.power), X

    def _columns(self, panel: Panel) -> list[int]:
        """Places of the regressors among what is known ahead."""
        missing = [name for name in self.covariates if name not in panel.declared.known]
        if missing:
            raise DataError(
                f"{self.model.name} was fitted with the covariate {missing[0]!r}, which these data do not declare as "
                "known ahead; declare it (future=), or fit again without it."
            )
        return [panel.declared.known.index(name) for name in self.covariates]

    def describe(self) -> str:
        found = list(self.estimates.values())
        plain = sum(not np.isfinite(one.loglik) for one in found)
        if len(found) == 1:
            criterion = f"{_NAMES[self.model.ic]} {found[0].criterion(self.model.ic):.1f}"
            text = f"{found[0].described}, {'constant or too short for more' if plain else criterion}"
        else:
            common = Counter(one.described for one in found).most_common()
            text = f"{len(found)} series: " + ", ".join(f"{orders} in {count}" for orders, count in common[:3])
            text += f", {len(common) - 3} other orders" if len(common) > 3 else ""
            text += f"; {plain} constant or too short to estimate" if plain else ""
        cut_short = sum(one.cut_short for one in found)
        if cut_short:
            text += f"; the time limit ended the search early{f' in {cut_short}' if len(found) > 1 else ''}"
        return text + self._regression() + self.model.remark(self.season_length)

    def _regression(self) -> str:
        """What became of the covariates."""
        if not self.covariates:
            return ""
        beta = np.array([one.beta for one in self.estimates.values()])
        left_out = np.isnan(beta).sum(axis=0).tolist()
        only = len(beta) == 1
        used = [
            f"{name} {value:.4g}" if only else name
            for name, value, count in zip(self.covariates, beta[0].tolist(), left_out, strict=True)
            if count < len(beta)
        ]
        text = f"; regression on {_listed(used)}" if used else ""
        without = [
            name if only else f"{name} in {count}"
            for name, count in zip(self.covariates, left_out, strict=True)
            if count
        ]
        if without:
            text += f"; left out as constant, explained by others or too many: {_listed(without)}"
        return text

    def state(self) -> State:
        found = list(self.estimates.values())
        arrays = {
            "orders": np.array([one.orders for one in found], np.int64),
            "coefficients": np.concatenate([one.coefficients for one in found]),
            "moments": np.array([(one.constant, one.sigma2, one.loglik) for one in found], np.float64),
            "n": np.array([one.n for one in found], np.int64),
            "powers": np.array([np.nan if one.power is None else one.power for one in found], np.float64),
            "cut_short": np.array([one.cut_short for one in found], np.bool_),
            "beta": np.array([one.beta for one in found], np.float64),
        }
        ids = [name.item() if isinstance(name, np.generic) else name for name in self.estimates]
        return arrays, {"ids": ids, "season_length": self.season_length, "covariates": list(self.covariates)}

    @classmethod
    def from_state(cls, model: Any, arrays: Mapping[str, npt.NDArray[Any]], extra: Mapping[str, Any]) -> Self:
        from forecast.models.arima.estimate import Estimate

        orders = [_stored_orders(row) for row in arrays["orders"].tolist()]
        sizes = np.array([one.size for one in orders])
        if len(orders) != len(extra["ids"]) or sizes.sum() != len(arrays["coefficients"]):
            raise ValueError("the coefficients do not fit the orders")
        names = tuple(extra["covariates"])
        if arrays["beta"].shape != (len(orders), len(names)):
            raise ValueError("the regression does not fit the covariates")
        coefficients = np.split(arrays["coefficients"], np.cumsum(sizes)[:-1])
        columns = [arrays[name].tolist() for name in ("moments", "n", "powers", "cut_short")]
        rows = zip(orders, coefficients, *columns, arrays["beta"], strict=True)
        estimates = [
            Estimate(one, values, constant, sigma2, loglik, n, None if np.isnan(power) else power, cut_short, beta)
            for one, values, (constant, sigma2, loglik), n, power, cut_short, beta in rows
        ]
        return cls(model, dict(zip(extra["ids"], estimates, strict=True)), int(extra["season_length"]), names)


def _listed(texts: list[str]) -> str:
    more = [f"{len(texts) - SHOWN} more"] if len(texts) > SHOWN else []
    return ", ".join(texts[:SHOWN] + more)


def _stored_orders(row: list[int]) -> Orders:
    if len(row) != 8 or min(row) < 0 or max(row) > 100_000:
        raise ValueError(f"orders {row} make no sense")
    p, d, q, P, D, Q, season_length, constant = row
    return Orders(p, d, q, P, D, Q, season_length, bool(constant))
