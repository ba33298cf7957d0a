"""Fit one model as a user would, and judge its forecasts."""

import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.accuracy.data import Split
from benchmarks.accuracy.scores import DECILES, Floats, Scores, coverage, mase, scaled_crps, scales, smape
from benchmarks.accuracy.sets import DataSet
from forecast.forecaster import Forecaster
from forecast.models import create
from forecast.models.base import Model

LEVELS = (80, 95)


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


def run(name: str, dataset: DataSet, split: Split, options: Mapping[str, Any]) -> Run:
    """Fit, forecast and score one model by its name in the registry; ``options`` are the LSTM's."""
    given = {**dataset.options, **options} if name == "lstm" else {}
    if name == "naive2":
        given = {"season_length": dataset.mase_season}
    model = create(name, **given)
    forecaster = Forecaster(model, freq=dataset.freq, season_length=dataset.season_length)
    start = time.perf_counter()
    forecaster.fit(split.history, h=dataset.horizon)
    fitted = time.perf_counter()
    frame = forecaster.predict(dataset.horizon, level=LEVELS, quantiles=DECILES)
    done = time.perf_counter()
    shape = (len(split.ids), dataset.horizon)
    order = split.ids.get_indexer(pd.Index(frame["unique_id"].astype(str)))[:: dataset.horizon]
    columns = [name for name in frame.columns if name not in ("unique_id", "ds")]
    values = {column: np.empty(shape) for column in columns}
    for column in columns:
        values[column][order] = frame[column].to_numpy(float).reshape(shape)
    return Run(
        name=model.name,
        call=_call(model, given),
        scores=_scores(model.name, values, dataset, split),
        detail=forecaster.fitted_[model.name].describe() if name == "lstm" else "",
        fit_seconds=fitted - start,
        predict_seconds=done - fitted,
        peak_memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    )


def _call(model: Model, given: Mapping[str, Any]) -> str:
    """The model as typed, without what is the default anyway."""
    told = {name: value for name, value in given.items() if getattr(type(model), name) != value}
    return f"{type(model).__name__}({', '.join(f'{name}={value!r}' for name, value in told.items())})"


def _scores(name: str, values: Mapping[str, Floats], dataset: DataSet, split: Split) -> Scores:
    inside = [coverage(split.truth, values[f"{name}-lo-{level}"], values[f"{name}-hi-{level}"]) for level in LEVELS]
    quantiles = np.stack([values[f"{name}-q-{q}"] for q in DECILES], axis=2)
    return Scores(
        smape=smape(split.truth, values[name]),
        mase=mase(split.truth, values[name], scales(split.past, dataset.mase_season)),
        crps=scaled_crps(split.truth, quantiles, DECILES),
        coverage_80=inside[0],
        coverage_95=inside[1],
    )
