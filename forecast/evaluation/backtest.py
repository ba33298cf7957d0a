"""Rolling-origin backtests: what every model would have forecast at earlier cutoffs.

Notation: S series, W windows, h steps ahead, n_s the length of series s.

The cutoff of window w (counted from 0, the earliest) lies ``h + (W - 1 - w) * step_size`` values before the end of
each series, so the last window ends at each series' last value, whatever the lengths. A model is only ever handed
the part of the panel up to the cutoff.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import DataError, ParameterError
from forecast.evaluation.ahead import check_mode, mode_notes, with_ahead
from forecast.evaluation.conformal import Calibration, calibration, naive_errors, paired, plan
from forecast.evaluation.intervals import (
    attach,
    check_levels,
    check_quantiles,
    column_names,
    probabilities,
    probability_columns,
)
from forecast.evaluation.output import Output
from forecast.models.base import Fitted, Floats, Forecast, Model, check_kind, covariate_notes
from forecast.progress import Progress, Silent
from forecast.series.panel import Panel, stack
from forecast.words import counted, joined

CUTOFF = "cutoff"
INTERVALS = ("native", "conformal")
CHUNK = 250_000  # values of histories that are forecast in one call: 2 MB stay in the caches, more was slower
MIN_TRAINING = 2  # observed values before a cutoff, the least from which a level and a change can be told


@dataclass(frozen=True)
class Window:
    """One cutoff for every series that is long enough."""

    lengths: npt.NDArray[np.int64]  # (S,) values before the cutoff; 0 or less where a series does not reach it
    usable: npt.NDArray[np.bool_]  # (S,) whether the series takes part
    refit: bool  # whether the models are fitted afresh at this cutoff


def backtest(
    models: Sequence[Model],
    panel: Panel,
    h: int,
    n_windows: int = 1,
    step_size: int | None = None,
    refit: bool | int = True,
    input_size: int | None = None,
    level: Iterable[float] | None = None,
    quantiles: Iterable[float] | None = None,
    progress: Progress | None = None,
    *,
    intervals: str = "native",
    non_negative: bool = False,
    integer: bool = False,
    sink: Callable[[pd.DataFrame], None] | None = None,
    keep: bool = True,
    future_exog: str = "realised",
) -> pd.DataFrame:
    """Forecast the last windows of a panel as if they had not happened yet.

    Parameters
    ----------
    models : sequence of Model
        Methods to compare; their names must differ.
    panel : Panel
        Histories of S series. A series takes part in a window if at least two observed values lie before its
        cutoff; the others are left out of that window.
    h : int
        Steps ahead, at least 1.
    n_windows : int, default 1
        How many cutoffs.
    step_size : int, optional
        Values between two cutoffs; by default ``h``, so that the windows touch without overlap.
    refit : bool or int, default True
        True fits at every cutoff; False fits once, at the first cutoff, and only predicts from the longer
        histories of the later ones; an int k fits at every k-th cutoff. Series too short for the cutoff of
        a fit are left out until the next one.
    input_size : int, optional
        Cut each history to its last ``input_size`` values before models see it: a rolling window instead of
        an expanding one.
    level : iterable of float, optional
        Prediction intervals in percent, e.g. ``[80, 95]``.
    quantiles : iterable of float, optional
        Single quantiles, e.g. ``[0.1, 0.5, 0.9]``.
    progress : Progress, optional
        Told after each model of each window.
    intervals : {"native", "conformal"}, default "native"
        Quantiles as the models give them, or calibrated on windows before the cutoff (see
        `forecast.evaluation.conformal`); each fit then comes with a second one, on a shortened history.
    non_negative : bool, default False
        Raise points and quantiles below zero to zero.
    integer : bool, default False
        Round points and medians to whole numbers, other quantiles outwards.
    sink : callable, optional
        Handed the rows of some windows as soon as they are there, cutoff by cutoff.
    keep : bool, default True
        False returns no rows, for results that only ``sink`` can hold.
    future_exog : {"realised", "last"}, default "realised"
        What models see after a cutoff of the covariates that are declared as known ahead: the values that came, or the
        values of the last season before the cutoff again (without a season the last value), as if nothing had been
        known. Of historic covariates they never see anything after the cutoff.

    Returns
    -------
    DataFrame
        Per series, cutoff and step one row, in this order: identifier, time, ``cutoff`` (the last stamp before
        the forecast), target (NaN where unobserved), and per model the point forecast and the columns of
        ``intervals.column_names``. Sentences on series that were left out are in ``attrs["notes"]``, the kind of
        intervals is in ``attrs["intervals"]``.

    Raises
    ------
    ParameterError
        If a number is out of range, or two models have one name.
    DataError
        If all series are too short for some window.

    References
    ----------
    Tashman, L. J. (2000). Out-of-sample tests of forecasting accuracy: an analysis and review. International
    Journal of Forecasting, 16(4), 437-450.
    """
    step = h if step_size is None else step_size
    for name, value in [("h", h), ("n_windows", n_windows), ("step_size", step)]:
        _check_count(name, value, 1)
    if input_size is not None:
        _check_count("input_size", input_size, MIN_TRAINING)
    level, quantiles = check_levels(level), check_quantiles(quantiles)
    check_names(models, panel, level, quantiles)
    check_mode(future_exog)
    asked, calibrated, output = (
        probabilities(level, quantiles),
        check_intervals(intervals),
        Output(non_negative, integer),
    )
    progress = progress or Silent()
    windows = _windows(panel, h, n_windows, step, refit)
    notes = dict.fromkeys([*_notes(windows), *covariate_notes(models, panel), *mode_notes(future_exog, panel)])
    fitted: list[Ready] = []
    frames = []
    progress.start("backtest", n_windows * len(models))
    try:
        for batch in _batches(windows, input_size):
            histories = [_history(panel, window, input_size, h, future_exog) for window in batch]
            truths = [_truth(panel, window, history, h) for window, history in zip(batch, histories, strict=True)]
            frame = pd.concat(truths, ignore_index=True)
            if batch[0].refit:
                fitted = [
                    make_ready(model, histories[0], h, asked, calibrated, progress, mode=future_exog)
                    for model in models
                ]
                notes |= dict.fromkeys(calibration_notes(fitted))
            known = stack(histories)
            for model, ready in zip(models, fitted, strict=True):
                forecast = output.of(ready.predict(known, h, asked), asked)
                frame = attach(frame, model.name, forecast, level, quantiles)
                progress.advance(len(batch))
            if sink is not None:
                sink(frame.infer_objects())
            if keep:
                frames.append(frame)
    finally:
        progress.finish()
    together = _in_order(frames, windows, h) if keep else frame.iloc[:0].copy()
    together.attrs |= {"notes": list(notes), "intervals": intervals}
    return together


def check_names(
    models: Sequence[Model],
    panel: Panel,
    level: Iterable[float] | None = None,
    quantiles: Iterable[float] | None = None,
) -> None:
    """See that all columns that these models will write differ from each other and from the panel's.

    Raises
    ------
    ParameterError
        If there is no model, or two columns would have one name.
    """
    if not models:
        raise ParameterError("There is no model; give at least one.")
    names = [panel.columns.id, panel.columns.time, CUTOFF, panel.columns.target]
    for model in models:
        names += [model.name, *column_names(model.name, level, quantiles)]
        names += probability_columns(model.name, panel.categories) if model.is_categorical else []
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ParameterError(f"Two columns would be called {twice!r}; give one of the models another alias.")


def check_intervals(intervals: str) -> bool:
    """Whether intervals are to be calibrated.

    Raises
    ------
    ParameterError
        If they are neither native nor conformal.
    """
    if intervals not in INTERVALS:
        raise ParameterError(f"intervals is {intervals!r}; choose one of {', '.join(INTERVALS)}.")
    return intervals == "conformal"


@dataclass(frozen=True)
class Ready:
    """A fitted model, with what calibrates its intervals if they are to be."""

    fitted: Fitted
    calibration: Calibration | None = None
    uncalibrated: tuple[str, ...] = ()
    """Which of the intervals asked for are not calibrated, and why: beginnings of sentences."""

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
) -> Ready:
    """Fit a model, if it is not yet, and calibrate its quantiles on windows at the end of the history, if asked to."""
    check_kind(model, history, asked)
    fitted = fitted or model.fit(history, h, progress)
    if not calibrated or not asked:
        return Ready(fitted)
    found = _calibration(model, history, h, fitted.horizon or h, paired(asked), progress, mode)
    flat = int((naive_errors(history) == 0).sum())
    if found is not None and flat == len(history):
        return Ready(fitted, found, ("Without any change in the histories there is nothing to calibrate intervals by",))
    reasons = [f"The intervals of {flat} of {len(history)} series that never change are not calibrated"] if flat else []
    unknown = found.unknown if found is not None else tuple(q for q in paired(asked) if q < 0.5)
    if unknown:
        levels = " and ".join(f"{100 * (1 - 2 * p):g} %" for p in reversed(unknown))
        reasons.insert(0, f"The histories are too short to calibrate {levels} intervals {counted(h, 'step')} ahead")
        if not model.has_quantiles:
            raise DataError(f"{reasons[0]}, and {model.name} has none of its own; leave out level and quantiles.")
    return Ready(fitted, found, tuple(reasons))


def calibration_notes(ready: Iterable[Ready]) -> list[str]:
    """Sentences on intervals that could not be calibrated, one for all models of which the same is to be said."""
    owners: dict[str, list[str]] = {}
    for one in ready:
        for reason in one.uncalibrated:
            owners.setdefault(reason, []).append(f"{one.fitted.model.name}'s")
    return [f"{reason}; they are {joined(names)} own." for reason, names in owners.items()]


def _calibration(
    model: Model, history: Panel, h: int, trained: int, levels: tuple[float, ...], progress: Progress, mode: str
) -> Calibration | None:
    """Calibrate a model on the last windows of a history, by one fit before the first of them.

    ``trained`` is the horizon that the model to be calibrated was trained for.
    """
    planned = plan(history, h)
    if planned is None:
        return None
    windows = _windows(history, h, planned.n_windows, planned.step, refit=False)
    before = _history(history, windows[0], None, h, mode)
    fitted = model.fit(before, trained, progress)
    quantiles = []
    progress.start(f"conformal scores of {model.name}", len(windows))
    try:
        for batch in _batches(windows, None):
            known = stack([_history(history, window, None, h, mode) for window in batch])
            quantiles.append(_with_quantiles(fitted, known, h, levels).quantiles)
            progress.advance(len(batch))
    finally:
        progress.finish()
    truth = np.concatenate([_realised(history, window, h) for window in windows])
    series = np.tile(np.arange(len(before)), len(windows))
    return calibration(before, truth, np.concatenate(quantiles), levels, series)


def _with_quantiles(fitted: Fitted, panel: Panel, h: int, quantiles: tuple[float, ...]) -> Forecast:
    """A forecast whose quantiles are all the point where the model has none."""
    if fitted.model.has_quantiles:
        return fitted.predict(panel, h, quantiles)
    point = fitted.predict(panel, h).point
    return Forecast(point, np.repeat(point[:, :, None], len(quantiles), axis=2))


def _batches(windows: list[Window], input_size: int | None) -> Iterator[list[Window]]:
    """Neighbouring windows that share a fit, as many as may be forecast in one call."""
    batch: list[Window] = []
    values = 0
    for window in windows:
        lengths = window.lengths[window.usable]
        size = int(lengths.sum() if input_size is None else np.minimum(lengths, input_size).sum())
        if batch and (window.refit or values + size > CHUNK):
            yield batch
            batch, values = [], 0
        batch.append(window)
        values += size
    yield batch


def _windows(panel: Panel, h: int, n_windows: int, step: int, refit: bool | int) -> list[Window]:
    """The windows from the earliest to the latest, each with the series that take part."""
    every = _refit_interval(refit, n_windows)
    observed = np.concatenate([[0], np.cumsum(np.isfinite(panel.y))])
    windows: list[Window] = []
    for w in range(n_windows):
        lengths = panel.lengths - h - (n_windows - 1 - w) * step
        before = observed[panel.indptr[:-1] + np.maximum(lengths, 0)] - observed[panel.indptr[:-1]]
        refits = w % every == 0
        usable = before >= MIN_TRAINING if refits else windows[-1].usable
        if not usable.any():
            raise _too_short(panel, h, n_windows, step)
        windows.append(Window(lengths, usable, refits))
    return windows


def _refit_interval(refit: bool | int, n_windows: int) -> int:
    if refit is True:
        return 1
    if refit is False:
        return n_windows
    _check_count("refit", refit, 1)
    return refit


def _history(panel: Panel, window: Window, input_size: int | None, h: int, mode: str) -> Panel:
    """What was known at the cutoff, of the series that take part; of the steps after it, what ``mode`` allows."""
    usable = panel.select(window.usable)
    known = usable.head(window.lengths[window.usable])
    known = with_ahead(known, panel, _first(panel, window), h, mode)
    return known if input_size is None else _last_values(known, input_size)


def _last_values(panel: Panel, k: int) -> Panel:
    """The last ``k`` values of each series, or all that it has."""
    lengths = np.minimum(panel.lengths, k)
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows = np.arange(indptr[-1]) + np.repeat(panel.indptr[1:] - indptr[1:], lengths)
    return replace(
        panel,
        indptr=indptr,
        y=panel.y[rows],
        starts=panel.frequency.shift(panel.starts, panel.lengths - lengths),
        covariates={name: values[rows] for name, values in panel.covariates.items()},
    )


def _first(panel: Panel, window: Window) -> npt.NDArray[np.int64]:
    """Row of the first step after the cutoff, of each series that takes part."""
    return np.asarray(panel.indptr[:-1][window.usable] + window.lengths[window.usable])


def _realised(panel: Panel, window: Window, h: int) -> Floats:
    """(S', h) what happened after the cutoff, of each series that takes part."""
    return np.asarray(panel.y[_first(panel, window)[:, None] + np.arange(h)])


def _truth(panel: Panel, window: Window, history: Panel, h: int) -> pd.DataFrame:
    """Identifier, time, cutoff and what happened: len(history) * h rows."""
    columns = panel.columns
    frame = history.future_frame(h)
    frame[CUTOFF] = history.outward(np.repeat(history.ends, h))
    frame[columns.target] = panel.labels(_realised(panel, window, h).ravel())
    return frame


def _in_order(frames: list[pd.DataFrame], windows: list[Window], h: int) -> pd.DataFrame:
    """All windows under each other, series by series, each from its earliest cutoff to its latest."""
    together = pd.concat(frames, ignore_index=True)
    series = np.concatenate([np.repeat(np.flatnonzero(window.usable), h) for window in windows])
    return together.take(np.argsort(series, kind="stable")).reset_index(drop=True).infer_objects()


def _notes(windows: list[Window]) -> list[str]:
    usable = np.stack([window.usable for window in windows])  # (W, S)
    nowhere = int((~usable.any(axis=0)).sum())
    somewhere = int((usable.any(axis=0) & ~usable.all(axis=0)).sum())
    total = usable.shape[1]
    notes = []
    if nowhere:
        notes.append(f"{nowhere} of {total} series are too short for the backtest and were left out of it.")
    if somewhere:
        notes.append(f"{somewhere} of {total} series are too short for the earlier cutoffs and were left out there.")
    return notes


def _too_short(panel: Panel, h: int, n_windows: int, step: int) -> DataError:
    longest = int(panel.lengths.max())
    needed = h + (n_windows - 1) * step + MIN_TRAINING
    spare = longest - h - MIN_TRAINING
    if longest >= needed:
        fix = "its values before the first cutoff are not observed; start the data later or use fewer windows"
    elif spare >= 0:
        fix = f"use n_windows={spare // step + 1} or a shorter horizon"
    elif longest > MIN_TRAINING:
        fix = f"use n_windows=1 and h={longest - MIN_TRAINING} at most"
    else:
        fix = "give longer histories"
    name = panel.ids[int(panel.lengths.argmax())]
    return DataError(
        f"The longest series, {name!r}, has {longest} values, but a backtest with h={h}, n_windows={n_windows} and "
        f"step_size={step} needs {needed}: {fix}."
    )


def _check_count(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ParameterError(f"{name} is {value!r}; it must be a whole number of at least {least}.")
