"""Fit one model as a user would, and judge its forecasts from every window."""

import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.horizons.parts import Split
from benchmarks.horizons.sets import DataSet
from benchmarks.typed import call
from forecast.forecaster import Forecaster
from forecast.models import create
from forecast.models.base import Fitted
from forecast.models.recurrent import FittedNetwork
from forecast.progress import Progress

NETWORKS = ("lstm", "xlstm")
HISTORY = 2_048  # values before a forecast that models are handed, if their context is not longer


@dataclass(frozen=True)
class Run:
    """One model on one data set and horizon."""

    name: str
    call: str
    """How a user would write the model."""
    mse: float
    mae: float
    detail: str
    """What was learned or chosen."""
    fit_seconds: float
    predict_seconds: float
    peak_memory: int
    """Of the process until then, in bytes."""


def run(name: str, dataset: DataSet, split: Split, options: Mapping[str, Any], progress: Progress) -> Run:
    """Fit, forecast and score one model by its name in the registry; ``options`` are those of networks."""
    given = {**dataset.chosen(name, split.horizon), **options} if name in NETWORKS else {}
    forecaster = Forecaster(create(name, **given), freq=1, season_length=dataset.season_length, target_col="*")
    start = time.perf_counter()
    forecaster.fit(split.history, h=split.horizon, progress=progress)
    fitted_at = time.perf_counter()
    ((column, fitted),) = forecaster.fitted_.items()
    mse, mae = _errors(forecaster, fitted, split, progress)
    return Run(
        name=column,
        call=call(fitted.model, given),
        mse=mse,
        mae=mae,
        detail=fitted.describe(),
        fit_seconds=fitted_at - start,
        predict_seconds=time.perf_counter() - fitted_at,
        peak_memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    )


def _errors(forecaster: Forecaster, fitted: Fitted, split: Split, progress: Progress) -> tuple[float, float]:
    """MSE and MAE over all windows, channels and steps; some windows at a time, so that memory does not grow."""
    context = (fitted.resolved.context_length or 0) if isinstance(fitted, FittedNetwork) else 0
    channels = len(forecaster.panel_)
    squares, sizes, count = 0.0, 0.0, 0
    progress.start(f"windows forecast by {fitted.model.name}", len(split.cutoffs))
    try:
        for panel, truth in split.windows(forecaster.panel_, max(HISTORY, context)):
            error = fitted.predict(panel, split.horizon).point - truth
            squares += float(np.square(error).sum())
            sizes += float(np.abs(error).sum())
            count += error.size
            progress.advance(len(panel) // channels)
    finally:
        progress.finish()
    return squares / count, sizes / count
