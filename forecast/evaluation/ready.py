"""Models that are ready to forecast: fitted, and with calibrated intervals if these are asked for."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from forecast.errors import DataError
from forecast.evaluation.conformal import Calibration, calibration, naive_errors, paired, plan
from forecast.evaluation.cutoffs import history_at, in_batches, realised, rolling_windows
from forecast.models.base import Fitted, Forecast, Model, check_kind
from forecast.progress import Progress
from forecast.series.panel import Panel, stack
from forecast.words import counted, joined


class Calibrator(NamedTuple):
    """A model that was fitted on a shortened history, to forecast the windows that calibrate."""

    fitted: Fitted
    ids: tuple[Any, ...]
    """The series that it was fitted on."""


@dataclass(frozen=True)
class Ready:
    """A fitted model, with what calibrates its intervals if they are to be."""

    fitted: Fitted
    calibration: Calibration | None = None
    uncalibrated: tuple[str, ...] = ()
    """Which of the intervals asked for are not calibrated, and why: beginnings of sentences."""
    calibrator: Calibrator | None = None

    def predict(self, panel: Panel, h: int, asked: tuple[float, ...]) -> Forecast:
        """Forecast with the quantiles asked for."""
        if self.calibration is None:
            return self.fitted.predict(panel, h, asked)
        both = paired(asked)
        found = self.calibration.applied(_with_quantiles(self.fitted, panel, h, both), both, panel)
        return Forecast(found.point, found.quantiles[:, :, [both.index(q) for q in asked]])


def make_ready(
    model: Model,
    history: Panel,
    h: int,
    asked: tuple[float, ...],
    calibrated: bool,
    progress: Progress,
    fitted: Fitted | None = None,
    mode: str = "realised",
    before: Ready | None = None,
) -> Ready:
    """Fit a model, if it is not yet, and calibrate its quantiles on windows at the end of the history, if asked to.

    ``before`` is the same model made ready at an earlier cutoff: what calibrated it, calibrates again.
    """
    check_kind(model, history, asked)
    fitted = fitted or model.fit(history, h, progress)
    if not calibrated or not asked:
        return Ready(fitted)
    found, calibrator = _calibration(
        model, history, h, fitted.horizon or h, paired(asked), progress, mode, before.calibrator if before else None
    )
    flat = int((naive_errors(history) == 0).sum())
    if found is not None and flat == len(history):
        reasons = ["Without any change in the histories there is nothing to calibrate intervals by"]
        return Ready(fitted, found, tuple(reasons), calibrator)
    reasons = [f"The intervals of {flat} of {len(history)} series that never change are not calibrated"] if flat else []
    unknown = found.unknown if found is not None else tuple(q for q in paired(asked) if q < 0.5)
    if unknown:
        levels = " and ".join(f"{100 * (1 - 2 * p):g} %" for p in reversed(unknown))
        reasons.insert(0, f"The histories are too short to calibrate {levels} intervals {counted(h, 'step')} ahead")
        if not model.has_quantiles:
            raise DataError(f"{reasons[0]}, and {model.name} has none of its own; leave out level and quantiles.")
    return Ready(fitted, found, tuple(reasons), calibrator)


def calibration_notes(ready: Iterable[Ready]) -> list[str]:
    """Sentences on intervals that could not be calibrated, one for all models of which the same is to be said."""
    owners: dict[str, list[str]] = {}
    for one in ready:
        for reason in one.uncalibrated:
            owners.setdefault(reason, []).append(f"{one.fitted.model.name}'s")
    return [f"{reason}; they are {joined(names)} own." for reason, names in owners.items()]


def _calibration(
    model: Model,
    history: Panel,
    h: int,
    trained: int,
    levels: tuple[float, ...],
    progress: Progress,
    mode: str,
    calibrator: Calibrator | None,
) -> tuple[Calibration | None, Calibrator | None]:
    """Calibrate a model on the last windows of a history, by one fit before the first of them.

    ``trained`` is the horizon that the model to be calibrated was trained for. A fit on an earlier part of the same
    series, ``calibrator``, does as well; the one that was used comes back.
    """
    planned = plan(history, h)
    if planned is None:
        return None, None
    windows = rolling_windows(history, h, planned.n_windows, planned.step, refit=False)
    before = history_at(history, windows[0], None, h, mode)
    if calibrator is None or calibrator.ids != tuple(before.ids):
        calibrator = Calibrator(model.fit(before, trained, progress), tuple(before.ids))
    quantiles = []
    progress.start(f"conformal scores of {model.name}", len(windows))
    try:
        for batch in in_batches(windows, None):
            known = stack([history_at(history, window, None, h, mode) for window in batch])
            quantiles.append(_with_quantiles(calibrator.fitted, known, h, levels).quantiles)
            progress.advance(len(batch))
    finally:
        progress.finish()
    truth = np.concatenate([realised(history, window, h) for window in windows])
    series = np.tile(np.arange(len(before)), len(windows))
    return calibration(before, truth, np.concatenate(quantiles), levels, series), calibrator


def _with_quantiles(fitted: Fitted, panel: Panel, h: int, quantiles: tuple[float, ...]) -> Forecast:
    """A forecast whose quantiles are all the point where the model has none."""
    if fitted.model.has_quantiles:
        return fitted.predict(panel, h, quantiles)
    point = fitted.predict(panel, h).point
    return Forecast(point, np.repeat(point[:, :, None], len(quantiles), axis=2))
