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

import numpy as np
import pandas as pd

from forecast.errors import DataError, ParameterError
from forecast.evaluation.backtest import CUTOFF
from forecast.evaluation.intervals import probability_columns
from forecast.evaluation.scoring import locate, windows_of
from forecast.evaluation.summary import Evaluation, chosen_columns
from forecast.evaluation.verdict import judge
from forecast.models.base import Model
from forecast.series.panel import Panel

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
    keys = [pd.Series(series[seen], name="series"), pd.Series(window[pair][seen], name="window")]
    cells = {
        model.name: _losses(cv, model.name, panel.categories, came)[seen].reset_index(drop=True).groupby(keys).mean()
        for model in models
    }
    table = pd.DataFrame({name: losses.groupby("series").mean().mean() for name, losses in cells.items()}).T
    notes = list(cv.attrs.get("notes", ()))
    if not seen.all():
        notes.append(f"{int((~seen).sum())} of {len(seen)} test values were not observed and are skipped.")
    yardstick = _yardstick(models, table["logloss"], baseline)
    if yardstick is not None:
        table.insert(1, "skill", 1 - table["logloss"] / table["logloss"][yardstick])
    horizon = int(np.bincount(pair).max())
    windows = pd.DataFrame({name: losses["logloss"].groupby("window").mean() for name, losses in cells.items()})
    verdict = judge(
        models,
        table["logloss"],
        windows,
        metric="logloss",
        skill=table.get("skill"),
        baseline=yardstick,
        overlap=1 if spacing is None else -(-horizon // spacing),
    )
    table = table.sort_values("logloss", kind="stable").rename_axis(index="model")
    chosen_columns(table.columns, metrics)  # complains of a metric that is not there now, not when it is printed
    return Evaluation(table, verdict, yardstick, tuple(notes), metrics)


def _losses(cv: pd.DataFrame, model: str, categories: Sequence[str], came: np.ndarray) -> pd.DataFrame:
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
