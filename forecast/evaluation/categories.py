"""How good the probabilities of categories were.

``logloss`` is the mean of -log(p) of the category that came, ``Brier`` the mean of the squared distances of all
probabilities from 1 for the category that came and 0 for the others (from 0 to 2), ``accuracy`` how often the likeliest
category came. As for numbers, they are means over the windows of a series, then over series; what was not observed is
skipped.

References
----------
Brier, G. W. (1950). Verification of forecasts expressed in terms of probability. Monthly Weather Review, 78(1), 1-3.

Good, I. J. (1952). Rational decisions. Journal of the Royal Statistical Society B, 14(1), 107-114.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from forecast.errors import DataError, ParameterError
from forecast.evaluation.backtest import CUTOFF
from forecast.evaluation.intervals import probability_columns
from forecast.evaluation.scoring import locate, windows_of
from forecast.evaluation.summary import Evaluation, chosen_columns
from forecast.evaluation.verdict import judge
from forecast.models.base import Model
from forecast.series.panel import Category, Panel

LEAST = 1e-15  # a probability below it counts as so much: a single surprise is not worse than all else together


def evaluate_categories(
    cv: pd.DataFrame, panel: Panel, models: Sequence[Model], baseline: str, metrics: tuple[str, ...] | None
) -> Evaluation:
    """``forecast.evaluate`` for a panel of categories; ``skill`` is that of logloss.

    Raises
    ------
    ParameterError
        If a model has no probabilities in ``cv``, or a metric cannot be computed.
    DataError
        If ``cv`` is not of this panel, or covers no observed value.
    """
    judged = _judge_rows(cv, panel, models)
    cells = judged.cells("window")
    table = _overall(cells)
    notes = list(cv.attrs.get("notes", ()))
    if judged.unseen:
        notes.append(f"{judged.unseen} of {len(cv)} test values were not observed and are skipped.")
    yardstick = _yardstick(models, table["logloss"], baseline)
    if yardstick is not None:
        table.insert(1, "skill", 1 - table["logloss"] / table["logloss"][yardstick])
    windows = pd.DataFrame({name: losses["logloss"].groupby("window").mean() for name, losses in cells.items()})
    verdict = judge(
        models,
        table["logloss"],
        windows,
        metric="logloss",
        skill=table.get("skill"),
        baseline=yardstick,
        overlap=judged.overlap,
    )
    table = table.sort_values("logloss", kind="stable").rename_axis(index="model")
    chosen_columns(table.columns, metrics)  # complains of a metric that is not there now, not when it is printed
    return Evaluation(table, verdict, yardstick, tuple(notes), metrics)


def breakdown_categories(
    cv: pd.DataFrame, panel: Panel, models: Sequence[Model], by: str, baseline: str, metrics: tuple[str, ...] | None
) -> pd.DataFrame:
    """``forecast.evaluation.metrics.breakdown`` for a panel of categories."""
    judged = _judge_rows(cv, panel, models)
    cells = judged.cells("step" if by == "step" else "window")
    names = [model.name for model in models]
    figures = pd.concat({name: cells[name].groupby(by).mean() for name in names}, names=["model"])
    figures = figures.swaplevel().reindex(pd.MultiIndex.from_product([sorted(set(judged.keys[by])), names]))
    yardstick = _yardstick(models, _overall(judged.cells("window"))["logloss"], baseline)
    if yardstick is not None:
        own = figures["logloss"].xs(yardstick, level=1)
        each = own.where(own > 0).reindex(figures.index.get_level_values(0)).to_numpy()
        figures.insert(1, "skill", 1 - figures["logloss"] / each)
    table = figures[chosen_columns(figures.columns, metrics)].rename_axis(["key", "model"]).reset_index()
    keys = table.pop("key").to_numpy()
    name = panel.columns.id if by == "series" else by
    table.insert(0, name, panel.ids[keys] if by == "series" else keys + (by == "window"))
    return table.infer_objects()


class _Judged(NamedTuple):
    """The R rows of a backtest whose target was observed."""

    losses: dict[str, pd.DataFrame]  # model -> R rows
    keys: dict[str, pd.Series]  # series, window and step -> (R,): place in the panel, counted from 0, counted from 1
    unseen: int  # rows that were not observed
    overlap: int  # how many neighbouring windows share a stamp

    def cells(self, within: str) -> dict[str, pd.DataFrame]:
        """Model -> mean losses of each series and window, or each series and step."""
        keys = [self.keys["series"], self.keys[within]]
        return {name: losses.groupby(keys).mean() for name, losses in self.losses.items()}


def _judge_rows(cv: pd.DataFrame, panel: Panel, models: Sequence[Model]) -> _Judged:
    for name in (panel.columns.id, panel.columns.time, CUTOFF, panel.columns.target):
        if name not in cv:
            raise DataError(f"The backtest has no column {name!r}; pass the frame that backtest returned.")
    came = pd.Index(panel.categories).get_indexer(pd.Index(cv[panel.columns.target].to_numpy(object)))
    seen = came >= 0
    if not seen.any():
        raise DataError(
            f"No value of {panel.columns.target!r} was observed in the test windows, so nothing can be compared; "
            "use windows that end earlier."
        )
    series, position = locate(cv, panel)
    pairs, pair = np.unique(np.stack([series, position]), axis=1, return_inverse=True)
    pair = pair.ravel()  # NumPy 2.0 keeps an axis here
    window, spacing = windows_of(pairs)
    step = cv[panel.columns.time].groupby(pair).rank(method="first").to_numpy().astype(np.int64)
    places = {"series": series, "window": window[pair], "step": step}
    return _Judged(
        losses={
            model.name: _losses(cv, model.name, panel.categories, came)[seen].reset_index(drop=True) for model in models
        },
        keys={name: pd.Series(values[seen], name=name) for name, values in places.items()},
        unseen=int((~seen).sum()),
        overlap=1 if spacing is None else -(-int(step.max()) // spacing),
    )


def _overall(cells: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """A row for each model: means over the windows of a series, then over series."""
    return pd.DataFrame({name: losses.groupby("series").mean().mean() for name, losses in cells.items()}).T


def _losses(cv: pd.DataFrame, model: str, categories: Sequence[Category], came: np.ndarray) -> pd.DataFrame:
    """Losses of every row; ``came`` is the place of the category that came, -1 where that is unknown."""
    columns = probability_columns(model, categories)
    missing = [name for name in columns if name not in cv]
    if missing:
        raise ParameterError(f"The backtest has no probabilities of {model!r}: there is no column {missing[0]!r}.")
    p = cv[columns].to_numpy(np.float64)
    rows = np.arange(len(p))
    hit = np.zeros_like(p)
    hit[rows, came] = 1.0
    return pd.DataFrame(
        {
            "logloss": -np.log(np.maximum(p[rows, came], LEAST)),
            "Brier": ((p - hit) ** 2).sum(axis=1),
            "accuracy": (p.argmax(axis=1) == came).astype(np.float64),
        },
        index=cv.index,
    )


def _yardstick(models: Sequence[Model], scores: pd.Series, baseline: str) -> str | None:
    """The model of that name, else the best one that is no network."""
    named = [model.name for model in models if baseline in (model.name, model.default_name)]
    plain = scores[[model.name for model in models if not model.is_network]]
    return named[0] if named else None if plain.empty else str(plain.idxmin())
