"""How far forecasts were from what happened.

Every loss is computed per series and cutoff, then averaged over the cutoffs of a series, then over series, so that a
series counts once whatever its length. Values that were not observed are skipped.

MASE divides by the mean absolute error that the seasonal-naive method makes inside the training part before the
cutoff; where that part is no longer than a season, by that of the naive method. The losses themselves are those of
``utilsforecast``.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import ParameterError
from forecast.evaluation.intervals import levels_of, quantile_columns
from forecast.evaluation.scoring import Scored, score
from forecast.evaluation.summary import Evaluation
from forecast.evaluation.verdict import judge
from forecast.models.base import Model
from forecast.series.panel import Panel

Codes = npt.NDArray[np.int64]
POINT_METRICS = ("MASE", "sMAPE", "MAE", "RMSE")
NAIVE = ("SeasonalNaive", "Naive", "Drift", "HistoricMean")
_GROUP, _TARGET = "__group__", "__target__"  # names that no model has


def evaluate(cv: pd.DataFrame, panel: Panel, models: Sequence[Model], baseline: str = "SeasonalNaive") -> Evaluation:
    """Compare the models of a backtest.

    Parameters
    ----------
    cv : DataFrame
        What ``backtest`` returned.
    panel : Panel
        The panel that was backtested; MASE takes its scales from it.
    models : sequence of Model
        The models that were backtested, or some of them.
    baseline : str, default "SeasonalNaive"
        The model that skill is measured against, by its name or its class's name. If it is not among the
        models, the best naive one is taken; if there is none, there is no skill.

    Returns
    -------
    Evaluation
        ``table`` with MASE, skill (1 - MASE / MASE of the baseline), sMAPE (from 0 to 1: the mean of
        |y - f| / (|y| + |f|)), MAE, RMSE (units of the target); with quantiles also pinball (their mean
        loss, units of the target) and CRPS (twice the summed pinball loss over the summed absolute target); with
        levels also coverage-<level> (0 to 1). Then ``verdict`` and ``notes``.

    Raises
    ------
    ParameterError
        If a model has no column in ``cv``.
    DataError
        If ``cv`` is not of this panel, lacks forecasts, or covers no observed value.

    References
    ----------
    Hyndman, R. J., Koehler, A. B. (2006). Another look at measures of forecast accuracy. International Journal
    of Forecasting, 22(4), 679-688.

    Rangapuram, S. S. et al. (2021). End-to-end learning of coherent probabilistic forecasts for hierarchical
    time series. ICML.
    """
    scored = score(cv, panel, [model.name for model in models])
    windows = scored.series * scored.n_windows + scored.window  # one code per series and cutoff
    point = {metric: _point_losses(scored, windows, metric) for metric in POINT_METRICS}
    table = pd.DataFrame({metric: _mean_over_series(losses, scored) for metric, losses in point.items()})
    notes = list(scored.notes)
    yardstick = _yardstick(models, table["MASE"], baseline, notes)
    if yardstick is not None:
        own = float(table["MASE"][yardstick])
        table.insert(1, "skill", 1 - table["MASE"] / own if own > 0 else np.nan)
    table = table.join(_quantile_scores(scored, windows))
    metric = "MASE" if table["MASE"].notna().any() else "MAE"
    if metric == "MAE":
        notes.append("MASE does not exist for these series, so the models are compared by MAE.")
    losses = point[metric]
    verdict = judge(
        models,
        table[metric],
        losses.groupby(losses.index % scored.n_windows).mean().dropna(),
        metric=metric,
        skill=table.get("skill"),
        baseline=yardstick,
        overlap=scored.overlap,
    )
    table = table.sort_values(metric, kind="stable").rename_axis(index="model")
    return Evaluation(table, verdict, yardstick, tuple(notes))


def by_series(cv: pd.DataFrame, panel: Panel, models: Sequence[Model], metric: str = "MASE") -> pd.DataFrame:
    """One metric per series (index, in the panel's order) and model (columns), averaged over cutoffs.

    Parameters
    ----------
    cv, panel, models
        As for ``evaluate``.
    metric : {"MASE", "sMAPE", "MAE", "RMSE"}
        Which loss.
    """
    scored = score(cv, panel, [model.name for model in models])
    losses = _point_losses(scored, scored.series * scored.n_windows + scored.window, metric)
    table = losses.groupby(losses.index // scored.n_windows).mean()
    return table.set_axis(pd.Index(panel.ids[table.index], name=panel.columns.id), axis=0)


def by_horizon(cv: pd.DataFrame, panel: Panel, models: Sequence[Model], metric: str = "MASE") -> pd.DataFrame:
    """One metric per step ahead (index ``step``, from 1) and model (columns), averaged over cutoffs, then series.

    Parameters
    ----------
    cv, panel, models
        As for ``evaluate``.
    metric : {"MASE", "sMAPE", "MAE", "RMSE"}
        Which loss.
    """
    scored = score(cv, panel, [model.name for model in models])
    width = scored.horizon + 1
    losses = _point_losses(scored, scored.series * width + scored.step, metric)
    return losses.groupby(losses.index % width).mean().rename_axis(index="step")


def _point_losses(scored: Scored, groups: Codes, metric: str) -> pd.DataFrame:
    """The loss of each model's point forecasts (columns) in each group of rows (index)."""
    from utilsforecast.losses import mae, rmse, smape

    losses: dict[str, Callable[..., Any]] = {"MASE": mae, "sMAPE": smape, "MAE": mae, "RMSE": rmse}
    if metric not in losses:
        raise ParameterError(f"The metric {metric!r} is unknown; choose one of {', '.join(losses)}.")
    # |y / s - f / s| = |y - f| / s: on scaled values, the mean absolute error is the MASE
    scale = scored.scale if metric == "MASE" else 1.0
    return _grouped(losses[metric], scored, groups, scored.models, scored.models, scale)


def _grouped(
    loss: Callable[..., Any],
    scored: Scored,
    groups: Codes,
    columns: Iterable[str],
    models: Any,
    scale: Any = 1.0,
    **options: Any,
) -> pd.DataFrame:
    """A loss of utilsforecast per group of rows, indexed by the group's code."""
    divisor = pd.Series(scale, index=scored.forecasts.index)
    frame = scored.forecasts[list(columns)].div(divisor, axis=0)
    frame[_GROUP], frame[_TARGET] = groups, scored.target / divisor
    result: pd.DataFrame = loss(frame, models, id_col=_GROUP, target_col=_TARGET, **options)
    return result.set_index(_GROUP).sort_index()


def _mean_over_series(losses: pd.DataFrame, scored: Scored) -> pd.Series:
    per_series = losses.groupby(losses.index // scored.n_windows).mean()
    return per_series.mean().reindex(scored.models)


def _quantile_scores(scored: Scored, windows: Codes) -> pd.DataFrame:
    """pinball, CRPS and coverage of the models that have quantiles; no columns if none has."""
    from utilsforecast.losses import coverage, mqloss, scaled_crps

    rows: dict[str, dict[str, float]] = {model: {} for model in scored.models}
    all_levels = levels_of(scored.forecasts.columns)
    # a window of zeros has no scale for the CRPS
    moved = pd.Series(np.abs(scored.target)).groupby(windows).sum() > 0
    for model, row in rows.items():
        quantiles = quantile_columns(list(scored.forecasts.columns), model)
        if quantiles:
            names = list(quantiles.values())
            options = {"columns": names, "models": {model: names}, "quantiles": np.array(list(quantiles))}
            row["pinball"] = _one(_grouped(mqloss, scored, windows, **options), scored)
            row["CRPS"] = _one(_grouped(scaled_crps, scored, windows, **options)[moved], scored)
        for level in all_levels.get(model, []):
            columns = [f"{model}-lo-{level}", f"{model}-hi-{level}"]
            inside = _grouped(coverage, scored, windows, columns, [model], level=level)
            row[f"coverage-{level}"] = _one(inside, scored)
    table = pd.DataFrame.from_dict(rows, orient="index")
    order = sorted(table.columns, key=lambda name: (name.startswith("coverage"), name != "pinball", _level(name)))
    return table[order]


def _one(losses: pd.DataFrame, scored: Scored) -> float:
    return float(losses.groupby(losses.index // scored.n_windows).mean().iloc[:, 0].mean())


def _level(name: str) -> float:
    return float(name.removeprefix("coverage-")) if name.startswith("coverage-") else 0.0


def _yardstick(models: Sequence[Model], mase: pd.Series, baseline: str, notes: list[str]) -> str | None:
    """The name of the model that skill is measured against."""
    for model in models:
        if baseline in (model.name, model.default_name):
            return model.name
    naive = [model.name for model in models if model.default_name in NAIVE]
    known = mase.reindex(naive).dropna()
    if known.empty:
        notes.append(f"{baseline} is not among the models, nor any other naive one, so there is no skill.")
        return None
    best = str(known.idxmin())
    notes.append(f"{baseline} is not among the models, so skill is measured against {best}.")
    return best
