"""Rolling-origin backtests: what every model would have forecast at earlier cutoffs.

Notation: S series, W windows, h steps ahead, n_s the length of series s.

The cutoff of window w (counted from 0, the earliest) lies ``h + (W - 1 - w) * step_size`` values before the end of
each series, so the last window ends at each series' last value, whatever the lengths. A model is only ever handed
the part of the panel up to the cutoff.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import DataError, ParameterError
from forecast.evaluation.ahead import check_mode, with_ahead
from forecast.evaluation.intervals import attach, check_levels, check_quantiles, column_names, probabilities
from forecast.models.base import Fitted, Model, covariate_notes
from forecast.progress import Progress, Silent
from forecast.series.panel import Panel

CUTOFF = "cutoff"
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
    future_exog : {"realised", "last"}, default "realised"
        What models see after a cutoff of the covariates that are declared as known ahead: the values that came, or the
        values of the last season before the cutoff again (without a season the last value), as if nothing had been
        known. Of historic covariates they never see anything after the cutoff.

    Returns
    -------
    DataFrame
        Per series, cutoff and step one row, in this order: identifier, time, ``cutoff`` (the last stamp before
        the forecast), target (NaN where unobserved), and per model the point forecast and the columns of
        ``intervals.column_names``. Sentences on series that were left out are in ``attrs["notes"]``.

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
    progress = progress or Silent()
    windows = _windows(panel, h, n_windows, step, refit)
    fitted: list[Fitted] = []
    frames = []
    progress.start("backtest", n_windows * len(models))
    try:
        for window in windows:
            history = _history(panel, window, input_size)
            history = with_ahead(history, panel, _first(panel, window), h, future_exog)
            frame = _truth(panel, window, history, h)
            if window.refit:
                fitted = []
            for position, model in enumerate(models):
                if window.refit:
                    fitted.append(model.fit(history, h, progress))
                forecast = fitted[position].predict(history, h, probabilities(level, quantiles))
                frame = attach(frame, model.name, forecast, level, quantiles)
                progress.advance()
            frames.append(frame)
    finally:
        progress.finish()
    return _in_order(frames, windows, h, [*_notes(windows), *covariate_notes(models, panel)])


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
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ParameterError(f"Two columns would be called {twice!r}; give one of the models another alias.")


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


def _history(panel: Panel, window: Window, input_size: int | None) -> Panel:
    """What was known at the cutoff, of the series that take part."""
    usable = panel.select(window.usable)
    known = usable.head(window.lengths[window.usable])
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


def _truth(panel: Panel, window: Window, history: Panel, h: int) -> pd.DataFrame:
    """Identifier, time, cutoff and what happened: len(history) * h rows."""
    columns = panel.columns
    first = _first(panel, window)
    frame = history.future_frame(h)
    frame[CUTOFF] = history.outward(np.repeat(history.ends, h))
    frame[columns.target] = panel.y[(first[:, None] + np.arange(h)).ravel()]
    return frame


def _in_order(frames: list[pd.DataFrame], windows: list[Window], h: int, notes: list[str]) -> pd.DataFrame:
    """All windows under each other, series by series, each from its earliest cutoff to its latest."""
    together = pd.concat(frames, ignore_index=True)
    series = np.concatenate([np.repeat(np.flatnonzero(window.usable), h) for window in windows])
    frame = together.take(np.argsort(series, kind="stable")).reset_index(drop=True).infer_objects()
    frame.attrs["notes"] = notes
    return frame


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
