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


def pooled_losses(scored: Scored, cells: Codes, losses: Losses, groups: Callable[[pd.Index], Any]) -> Losses:
    """WAPE, and where there are quantiles WQL: sums of errors over sums of absolute targets, of all rows of a group.

    Parameters
    ----------
    scored, cells
        As for `cell_losses`.
    losses : dict
        What that returned.
    groups : callable
        From codes of cells to codes of groups.
    """
    sizes = pd.Series(np.abs(scored.target)).groupby(cells).agg(["sum", "count"])

    def pooled(means: pd.DataFrame) -> pd.DataFrame:
        errors, values = means.mul(sizes["count"], axis=0), sizes["sum"]
        values = values.groupby(groups(values.index)).sum()
        return errors.groupby(groups(errors.index)).sum(min_count=1).div(values.where(values > 0), axis=0)

    found = {"WAPE": pooled(losses["MAE"])}
    return found | ({"WQL": 2 * pooled(losses["pinball"])} if "pinball" in losses else {})


def _quantile_losses(scored: Scored, table: "_Table") -> Losses:
    from utilsforecast.losses import quantile_loss

    columns: dict[float, dict[str, str]] = {}  # quantile -> model -> column
    for model in scored.models:
        for q, column in quantile_columns(list(scored.forecasts.columns), model).items():
            columns.setdefault(q, {})[model] = column
    if not columns:
        return {}
    # one call a quantile for all models: a call takes ten milliseconds whatever it is given
    single = {q: table.loss(quantile_loss, of.values(), of, q=q) for q, of in sorted(columns.items())}
    mean = pd.concat(single.values()).groupby(level=0).mean()
    mean = mean[[model for model in scored.models if model in mean]]
    # a cell of zeros has no scale for the CRPS
    crps = 2 * mean.div(table.level, axis=0)[table.level > 0]
    return {"pinball": mean, "CRPS": crps} | {f"pinball-{q:g}": losses for q, losses in single.items()}


def _interval_losses(scored: Scored, table: "_Table") -> Losses:
    from utilsforecast.losses import coverage, winkler_score

    levels = levels_of(scored.forecasts.columns)
    found: Losses = {}
    for level in sorted({level for model in scored.models for level in levels.get(model, [])}):
        names = [model for model in scored.models if level in levels.get(model, [])]
        bounds = [f"{model}-{side}-{level}" for model in names for side in ("lo", "hi")]
        found[f"MSIS-{level}"] = table.loss(winkler_score, bounds, names, scored.scale, level=level)
        found[f"coverage-{level}"] = table.loss(coverage, bounds, names, level=level)
    return found


class _Table:
    """Rows with the code of their group, as utilsforecast takes them."""

    def __init__(self, scored: Scored, groups: Codes) -> None:
        self._scored, self._groups = scored, groups
        self.level = pd.Series(np.abs(scored.target)).groupby(groups).mean()

    def loss(
        self, loss: Callable[..., Any], columns: Iterable[str], models: Any, scale: Any = 1.0, **options: Any
    ) -> pd.DataFrame:
        """A loss of utilsforecast per group, indexed by the group's code."""
        divisor = pd.Series(scale, index=self._scored.forecasts.index)
        frame = self._scored.forecasts[list(columns)].div(divisor, axis=0)
        frame[_GROUP], frame[_TARGET] = self._groups, self._scored.target / divisor
        result: pd.DataFrame = loss(frame, models, id_col=_GROUP, target_col=_TARGET, **options)
        return result.set_index(_GROUP).sort_index()
