"""Fit one model as a user would, and judge its forecasts."""

import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.accuracy.data import Split
from benchmarks.accuracy.scores import DECILES, Floats, Scores, coverage, mase, scaled_crps, scales, smape, wql
from benchmarks.accuracy.sets import DataSet
from benchmarks.typed import call
from forecast.forecaster import Forecaster
from forecast.models import create
from forecast.models.recurrent import FittedNetwork

LEVELS = (80, 95)
NETWORKS = ("lstm", "xlstm")


@dataclass(frozen=True)
class Run:
    """One model on one data set."""

    name: str
    call: str
    """How a user would write the model."""
    scores: Scores
    detail: str
    """What was learned or chosen."""
    fit_seconds: float
    predict_seconds: float
    peak_memory: int
    """Of the process until then, in bytes."""


def run(name: str, dataset: DataSet, split: Split, options: Mapping[str, Any], intervals: str = "native") -> list[Run]:
    """Fit, forecast and score one model by its name in the registry; ``options`` are those of networks.

    An ensemble of networks is followed by its first network alone, which is what ``n_members=1`` gives.
    """
    given = {**dataset.options, **options} if name in NETWORKS else {}
    if name == "pretrained":
        given = {field: value for field, value in options.items() if field not in ("n_members", "seed")}
    if name == "naive2":
        given = {"season_length": dataset.mase_season}
    forecaster = Forecaster(create(name, **given), freq=dataset.freq, season_length=dataset.season_length)
    start = time.perf_counter()
    forecaster.fit(split.history, h=dataset.horizon)
    seconds = time.perf_counter() - start
    runs = [_judged(forecaster, dataset, split, given, seconds, intervals)]
    (fitted,) = forecaster.fitted_.values()
    if name in NETWORKS and isinstance(fitted, FittedNetwork) and len(fitted.networks) > 1:
        single = replace(fitted.model, n_members=1, alias=f"{fitted.model.name}, first network")
        alone = type(fitted)(single, fitted.resolved, fitted.networks[:1], fitted.histories[:1], fitted.inputs)
        forecaster.fitted_ = {single.name: alone}
        share = {**given, "n_members": 1}
        runs.append(_judged(forecaster, dataset, split, share, seconds / len(fitted.networks), intervals))
    return runs


def _judged(
    forecaster: Forecaster,
    dataset: DataSet,
    split: Split,
    given: Mapping[str, Any],
    fit_seconds: float,
    intervals: str,
) -> Run:
    """Forecast with the one fitted model, and score it."""
    ((name, fitted),) = forecaster.fitted_.items()
    start = time.perf_counter()
    frame = forecaster.predict(dataset.horizon, level=LEVELS, quantiles=DECILES, intervals=intervals)
    predict_seconds = time.perf_counter() - start
    shape = (len(split.ids), dataset.horizon)
    order = split.ids.get_indexer(pd.Index(frame["unique_id"].astype(str)))[:: dataset.horizon]
    values = {column: np.empty(shape) for column in frame.columns.drop(["unique_id", "ds"])}
    for column, table in values.items():
        table[order] = frame[column].to_numpy(float).reshape(shape)
    return Run(
        name=name,
        call=call(fitted.model, given),
        scores=_scores(name, values, dataset, split),
        detail=fitted.describe() if isinstance(fitted, FittedNetwork) else "",
        fit_seconds=fit_seconds,
        predict_seconds=predict_seconds,
        peak_memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    )


def _scores(name: str, values: Mapping[str, Floats], dataset: DataSet, split: Split) -> Scores:
    inside = [coverage(split.truth, values[f"{name}-lo-{level}"], values[f"{name}-hi-{level}"]) for level in LEVELS]
    quantiles = np.stack([values[f"{name}-q-{q}"] for q in DECILES], axis=2)
    return Scores(
        smape=smape(split.truth, values[name]),
        mase=mase(split.truth, values[name], scales(split.past, dataset.mase_season)),
        crps=scaled_crps(split.truth, quantiles, DECILES),
        wql=wql(split.truth, quantiles, DECILES),
        coverage_80=inside[0],
        coverage_95=inside[1],
    )
