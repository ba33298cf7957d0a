"""How far forecasts were from what happened.

Losses are computed per series and cutoff, then averaged over the cutoffs of a series, then over series, so that a
series counts once whatever its length. WAPE and WQL are the exception: sums of errors over sums of absolute targets,
so that a series counts by its volume. Values that were not observed are skipped.

MASE divides by the mean absolute error that the seasonal-naive method makes inside the training part before the
cutoff; where that part is no longer than a season, by that of the naive method. RMSSE does so with squared errors,
and MSIS divides the interval score by the scale of MASE. OWA is the competition M4's: the mean of sMAPE and MASE, each
relative to that of the method Naive2.

References
----------
Hyndman, R. J., Koehler, A. B. (2006). Another look at measures of forecast accuracy. International Journal of
Forecasting, 22(4), 679-688.

Makridakis, S., Spiliotis, E., Assimakopoulos, V. (2020). The M4 competition: 100,000 time series and 61 forecasting
methods. International Journal of Forecasting, 36(1), 54-74.

Rangapuram, S. S. et al. (2021). End-to-end learning of coherent probabilistic forecasts for hierarchical time series.
ICML.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from forecast.errors import ParameterError
from forecast.evaluation.categories import breakdown_categories, evaluate_categories
from forecast.evaluation.losses import Codes, Losses, cell_losses, pooled_losses
from forecast.evaluation.scoring import Scored, score
from forecast.evaluation.summary import FAMILIES, Evaluation, check_metrics, chosen_columns
from forecast.evaluation.verdict import PRECISION, judge
from forecast.models.base import Model
from forecast.series.panel import Panel

NAIVE = ("SeasonalNaive", "Naive", "Naive2", "Drift", "HistoricMean")
REFERENCE = "Naive2"  # what OWA is relative to
TOLERANCE = 0.1  # by which coverage may fall short before the reader is told
MIN_COVERED = 20  # values from which on that is more than chance
BY = ("series", "step", "window")


def evaluate(
    cv: pd.DataFrame,
    panel: Panel,
    models: Sequence[Model],
    baseline: str = "SeasonalNaive",
    metrics: Iterable[str] | None = None,
    season_length: int | None = None,
) -> Evaluation:
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
    metrics : iterable of str, optional
        What to print, in this order, e.g. ``["MASE", "OWA", "coverage"]``; ``table`` holds all in any case.
    season_length : int, optional
        Season of the scale of MASE, RMSSE and MSIS; the panel's if left out (M4 takes 1 for weekly and daily data).

    Returns
    -------
    Evaluation
        ``table`` with MASE, skill (1 - MASE / MASE of the baseline), OWA if ``Naive2`` is among the models, sMAPE
        (from 0 to 1: the mean of |y - f| / (|y| + |f|)), MAE and RMSE (units of the target), RMSSE, MAPE (values of
        zero are left out) and WAPE; with quantiles also pinball (their mean loss, units of the target),
        pinball-<quantile>, CRPS (twice the mean pinball loss over the mean absolute target, per series and
        cutoff) and WQL (the same of all series together); with levels also MSIS-<level> and coverage-<level>
        (0 to 1). Then ``verdict`` and ``notes``. Of categories: see `forecast.evaluation.categories`.

    Raises
    ------
    ParameterError
        If a model has no column in ``cv``, or a metric is unknown or cannot be computed.
    DataError
        If ``cv`` is not of this panel, lacks forecasts, or covers no observed value.
    """
    wanted = check_metrics(metrics)
    if panel.categories:
        return evaluate_categories(cv, panel, models, baseline, wanted)
    scored = score(cv, panel, [model.name for model in models], season_length)
    cells, width = _cells(scored, None)
    losses = cell_losses(scored, cells)
    figures = _aggregated(scored, cells, losses, width, None)
    notes = list(scored.notes)
    yardstick = _yardstick(models, figures["MASE"].iloc[0], baseline, notes)
    table = _table(figures, models, yardstick).droplevel(0)
    metric = "MASE" if table["MASE"].notna().any() else "MAE"
    if cv.attrs.get("intervals") == "native" and len(scored.target) >= MIN_COVERED:
        notes += _too_narrow(table)
    if metric == "MAE":
        notes.append("MASE does not exist for these series, so the models are compared by MAE.")
    cell_means = losses[metric]
    verdict = judge(
        models,
        table[metric],
        cell_means.groupby(cell_means.index % width).mean().dropna(),
        metric=metric,
        skill=table.get("skill"),
        baseline=yardstick,
        overlap=scored.overlap,
        noise=_noise(scored) if metric == "MAE" else 0.0,
    )
    table = table.sort_values(metric, kind="stable").rename_axis(index="model")
    chosen_columns(table.columns, wanted)  # complains of a metric that is not there now, not when it is printed
    return Evaluation(table, verdict, yardstick, tuple(notes), wanted)


def breakdown(
    cv: pd.DataFrame,
    panel: Panel,
    models: Sequence[Model],
    by: str = "series",
    baseline: str = "SeasonalNaive",
    metrics: Iterable[str] | None = None,
    season_length: int | None = None,
) -> pd.DataFrame:
    """The figures of ``evaluate`` for each series, step ahead or window.

    Parameters
    ----------
    cv, panel, models, baseline, season_length
        As for ``evaluate``.
    by : {"series", "step", "window"}
        What to tell apart. Steps count from 1; window 1 has the earliest cutoff, and the last ends with the data.
    metrics : iterable of str, optional
        Columns to keep; all if left out.

    Returns
    -------
    DataFrame
        One row per series, step or window (the first column, with the caller's name of the identifier, ``step`` or
        ``window``) and ``model``, in the order of the panel and of ``models``; then the metrics.

    Raises
    ------
    ParameterError
        If ``by`` or a metric is unknown.
    """
    if by not in BY:
        raise ParameterError(f"by is {by!r}; choose one of {', '.join(BY)}.")
    wanted = check_metrics(metrics)
    if panel.categories:
        return breakdown_categories(cv, panel, models, by, baseline, wanted)
    scored = score(cv, panel, [model.name for model in models], season_length)
    cells, width = _cells(scored, by)
    figures = _aggregated(scored, cells, cell_losses(scored, cells), width, by)
    overall = figures["MASE"].mean()
    table = _table(figures, models, _yardstick(models, overall, baseline, []))
    table = table[chosen_columns(table.columns, wanted)].reset_index()
    keys = table.pop("key").to_numpy()
    name = panel.columns.id if by == "series" else by
    table.insert(0, name, panel.ids[keys] if by == "series" else keys + (by == "window"))
    return table.infer_objects()


def _cells(scored: Scored, by: str | None) -> tuple[Codes, int]:
    """(R,) the cell of each row, ``series * width + window`` or ``+ step``, and that width."""
    if by == "step":
        return scored.series * (scored.horizon + 1) + scored.step, scored.horizon + 1
    return scored.series * scored.n_windows + scored.window, scored.n_windows


def _aggregated(scored: Scored, cells: Codes, losses: Losses, width: int, by: str | None) -> Losses:
    """Metric -> one row per key (series, step or window; 0 for all), one column per model."""

    def keys(codes: pd.Index) -> pd.Index:
        return 0 * codes if by is None else codes // width if by == "series" else codes % width

    def reduced(means: pd.DataFrame) -> pd.DataFrame:
        if by in ("step", "window"):
            return means.groupby(means.index % width).mean()
        each = means.groupby(means.index // width).mean()
        return each if by == "series" else each.mean().to_frame().T

    return {name: reduced(means) for name, means in losses.items()} | pooled_losses(scored, cells, losses, keys)


def _table(figures: Losses, models: Sequence[Model], yardstick: str | None) -> pd.DataFrame:
    """Rows by key and model, columns by metric."""
    names = [model.name for model in models]
    mase, smape = figures["MASE"], figures["sMAPE"]
    if yardstick is not None:
        own = mase[yardstick]
        figures["skill"] = 1 - mase.div(own.where(own > 0), axis=0)
    reference = next((model.name for model in models if model.default_name == REFERENCE), None)
    if reference is not None:
        relative = [part.div(part[reference].where(part[reference] > 0), axis=0) for part in (smape, mase)]
        figures["OWA"] = (relative[0] + relative[1]) / 2
    index = pd.MultiIndex.from_product([figures["MAE"].index, names], names=["key", "model"])
    values = {
        name: figures[name].reindex(index=figures["MAE"].index, columns=names).to_numpy().ravel()
        for name in sorted(figures, key=_rank)
    }
    return pd.DataFrame(values, index=index)


def _rank(column: str) -> tuple[bool, int, float]:
    """Where a column stands: families in their order, members by their number, single quantiles last."""
    family, _, member = column.partition("-")
    return family == "pinball" and bool(member), FAMILIES.index(family), float(member or 0)


def _noise(scored: Scored) -> float:
    """The absolute error that is nothing but rounding; where all values are zero, of values around one."""
    return PRECISION * (float(np.abs(scored.target).max()) or 1.0)


def _too_narrow(table: pd.DataFrame) -> list[str]:
    """A sentence on models whose intervals hold far fewer values than they promise, by the lowest level."""
    coverage = [str(column) for column in table if str(column).startswith("coverage-")]
    if not coverage:
        return []
    level = coverage[0].removeprefix("coverage-")
    low = table.index[table[coverage[0]] < float(level) / 100 - TOLERANCE]
    if low.empty:
        return []
    found = ", ".join(f"{model} {float(table[coverage[0]][model]):.0%}" for model in map(str, low))
    return [
        f"The {level} % intervals held far fewer values than that ({found}); "
        "--intervals conformal (intervals='conformal') calibrates them."
    ]


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
