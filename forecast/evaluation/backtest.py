"""Rolling-origin backtests: what every model would have forecast at earlier cutoffs.

Notation: S series, W windows, h steps ahead, n_s the length of series s.

The cutoff of window w (counted from 0, the earliest) lies ``h + (W - 1 - w) * step_size`` values before the end of
each series, so the last window ends at each series' last value, whatever the lengths. A model is only ever handed
the part of the panel up to the cutoff.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd

from forecast.errors import ParameterError
from forecast.evaluation.ahead import check_mode, mode_notes
from forecast.evaluation.cutoffs import (
    MIN_TRAINING,
    Window,
    check_count,
    history_at,
    in_batches,
    realised,
    rolling_windows,
    window_notes,
)
from forecast.evaluation.intervals import (
    attach,
    check_levels,
    check_quantiles,
    column_names,
    probabilities,
    probability_columns,
)
from forecast.evaluation.output import Output
from forecast.evaluation.ready import Ready, calibration_notes, make_ready
from forecast.models.base import Model, covariate_notes
from forecast.progress import Progress, Silent
from forecast.series.panel import Panel, stack

CUTOFF = "cutoff"
INTERVALS = ("native", "conformal")


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
        `forecast.evaluation.conformal`); the first fit then comes with a second one, on a shortened history.
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
        check_count(name, value, 1)
    if input_size is not None:
        check_count("input_size", input_size, MIN_TRAINING)
    level, quantiles = check_levels(level), check_quantiles(quantiles)
    check_names(models, panel, level, quantiles)
    check_mode(future_exog)
    asked, calibrated, output = (
        probabilities(level, quantiles),
        check_intervals(intervals),
        Output(non_negative, integer),
    )
    progress = progress or Silent()
    windows = rolling_windows(panel, h, n_windows, step, refit)
    notes = dict.fromkeys([*window_notes(windows), *covariate_notes(models, panel), *mode_notes(future_exog, panel)])
    fitted: list[Ready] = []
    frames = []
    progress.start("backtest", n_windows * len(models))
    try:
        for batch in in_batches(windows, input_size):
            histories = [history_at(panel, window, input_size, h, future_exog) for window in batch]
            truths = [_truth(panel, window, history, h) for window, history in zip(batch, histories, strict=True)]
            frame = pd.concat(truths, ignore_index=True)
            if batch[0].refit:
                before: list[Ready | None] = [*fitted] or [None] * len(models)
                fitted = [
                    make_ready(model, histories[0], h, asked, calibrated, progress, mode=future_exog, before=ready)
                    for model, ready in zip(models, before, strict=True)
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


def _truth(panel: Panel, window: Window, history: Panel, h: int) -> pd.DataFrame:
    """Identifier, time, cutoff and what happened: len(history) * h rows."""
    columns = panel.columns
    frame = history.future_frame(h)
    frame[CUTOFF] = history.outward(np.repeat(history.ends, h))
    frame[columns.target] = panel.labels(realised(panel, window, h).ravel())
    return frame


def _in_order(frames: list[pd.DataFrame], windows: list[Window], h: int) -> pd.DataFrame:
    """All windows under each other, series by series, each from its earliest cutoff to its latest."""
    together = pd.concat(frames, ignore_index=True)
    series = np.concatenate([np.repeat(np.flatnonzero(window.usable), h) for window in windows])
    return together.take(np.argsort(series, kind="stable")).reset_index(drop=True).infer_objects()
