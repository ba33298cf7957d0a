"""Losses of groups of rows: the figures that tables are made of.

The losses themselves are those of ``utilsforecast``; scaled ones are computed on scaled values, because
|y / s - f / s| = |y - f| / s.

Notation: a cell is a series in one window, or a series at one step ahead.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.evaluation.intervals import levels_of, quantile_columns
from forecast.evaluation.scoring import Scored

Codes = npt.NDArray[np.int64]
Losses = dict[str, pd.DataFrame]  # metric -> one row per group (index: its code), one column per model that has it
_GROUP, _TARGET = "__group__", "__target__"  # names that no model has


def cell_losses(scored: Scored, cells: Codes) -> Losses:
    """Losses that are averaged over cells: all but the pooled ones.

    Parameters
    ----------
    scored : Scored
        Rows of a backtest.
    cells : ndarray, (R,)
        Code of each row's cell.

    Returns
    -------
    dict
        MASE, RMSSE, sMAPE (0 to 1), MAPE, MAE, RMSE; where there are quantiles pinball, CRPS and pinball-<quantile>;
        where there are levels MSIS-<level> and coverage-<level> (0 to 1).
    """
    from utilsforecast.losses import mae, mape, rmse, smape

    names, table = scored.models, _Table(scored, cells)
    found = {
        "MASE": table.loss(mae, names, names, scored.scale),
        "RMSSE": table.loss(rmse, names, names, scored.square_scale),
        "sMAPE": table.loss(smape, names, names),
        "MAPE": table.loss(mape, names, names),
        "MAE": table.loss(mae, names, names),
        "RMSE": table.loss(rmse, names, names),
    }
    return found | _quantile_losses(scored, table) | _interval_losses(scored, table)


def pooled_losses(scored: Scored, groups: Codes) -> Losses:
    """WAPE, and where there are quantiles WQL: sums of errors over sums of absolute targets, of all rows of a group."""
    from utilsforecast.losses import scaled_crps, wape

    table = _Table(scored, groups)
    found = {"WAPE": table.loss(wape, scored.models, scored.models)}
    asked = _asked_quantiles(scored)
    if asked:
        weighted = [_of_quantiles(table, scaled_crps, model, quantiles) for model, quantiles in asked.items()]
        found["WQL"] = pd.concat(weighted, axis=1)[table.moved]
    return found


def _quantile_losses(scored: Scored, table: "_Table") -> Losses:
    from utilsforecast.losses import mqloss, quantile_loss, scaled_crps

    found: dict[str, list[pd.DataFrame]] = {}
    for model, quantiles in _asked_quantiles(scored).items():
        found.setdefault("pinball", []).append(_of_quantiles(table, mqloss, model, quantiles))
        # a cell of zeros has no scale for the CRPS
        found.setdefault("CRPS", []).append(_of_quantiles(table, scaled_crps, model, quantiles)[table.moved])
        for q, column in quantiles.items():
            single = table.loss(quantile_loss, [column], {model: column}, q=q)
            found.setdefault(f"pinball-{q:g}", []).append(single)
    return {name: pd.concat(parts, axis=1) for name, parts in found.items()}


def _interval_losses(scored: Scored, table: "_Table") -> Losses:
    from utilsforecast.losses import coverage, winkler_score

    found: dict[str, list[pd.DataFrame]] = {}
    levels = levels_of(scored.forecasts.columns)
    for model in scored.models:
        for level in levels.get(model, []):
            bounds = [f"{model}-lo-{level}", f"{model}-hi-{level}"]
            score = table.loss(winkler_score, bounds, [model], scored.scale, level=level)
            found.setdefault(f"MSIS-{level}", []).append(score)
            found.setdefault(f"coverage-{level}", []).append(table.loss(coverage, bounds, [model], level=level))
    return {name: pd.concat(parts, axis=1) for name, parts in found.items()}


def _asked_quantiles(scored: Scored) -> dict[str, dict[float, str]]:
    """Model -> quantile -> column, of the models that have quantiles."""
    columns = list(scored.forecasts.columns)
    found = {model: quantile_columns(columns, model) for model in scored.models}
    return {model: quantiles for model, quantiles in found.items() if quantiles}


def _of_quantiles(table: "_Table", loss: Callable[..., Any], model: str, quantiles: dict[float, str]) -> pd.DataFrame:
    names = list(quantiles.values())
    return table.loss(loss, names, {model: names}, quantiles=np.array(list(quantiles)))


class _Table:
    """Rows with the code of their group, as utilsforecast takes them."""

    def __init__(self, scored: Scored, groups: Codes) -> None:
        self._scored, self._groups = scored, groups
        self.moved = pd.Series(np.abs(scored.target)).groupby(groups).sum() > 0

    def loss(
        self, loss: Callable[..., Any], columns: Iterable[str], models: Any, scale: Any = 1.0, **options: Any
    ) -> pd.DataFrame:
        """A loss of utilsforecast per group, indexed by the group's code."""
        divisor = pd.Series(scale, index=self._scored.forecasts.index)
        frame = self._scored.forecasts[list(columns)].div(divisor, axis=0)
        frame[_GROUP], frame[_TARGET] = self._groups, self._scored.target / divisor
        result: pd.DataFrame = loss(frame, models, id_col=_GROUP, target_col=_TARGET, **options)
        return result.set_index(_GROUP).sort_index()
