"""Lines up a backtest with its panel: which series, window and step each row is, and the scale of its errors.

Notation: R rows of a backtest whose target was observed, S series, W windows, h steps ahead.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import is_datetime64_any_dtype, is_integer_dtype

from forecast.errors import DataError, ParameterError
from forecast.evaluation.backtest import CUTOFF
from forecast.models.base import Floats
from forecast.series.panel import Panel

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Scored:
    """The observed rows of a backtest, ready for losses."""

    models: list[str]
    forecasts: pd.DataFrame  # R rows; points, bounds and quantiles
    target: Floats  # (R,)
    scale: Floats  # (R,) of absolute errors, for MASE; NaN where it does not exist
    square_scale: Floats  # (R,) of squared errors, for RMSSE: the root of their mean
    series: Positions  # (R,) position in the panel
    window: Positions  # (R,) 0 is the earliest; the last window of every series is W - 1
    step: Positions  # (R,) 1 to h
    n_windows: int
    horizon: int
    overlap: int  # how many neighbouring windows share a stamp
    notes: tuple[str, ...]


def score(cv: pd.DataFrame, panel: Panel, models: Sequence[str], season_length: int | None = None) -> Scored:
    """Line up the rows of ``cv`` with the panel.

    ``season_length`` is that of the seasonal-naive method whose errors are the scale; the panel's if None.

    Raises
    ------
    ParameterError
        If a model has no column in ``cv``.
    DataError
        If ``cv`` is not of this panel, lacks forecasts, or covers no observed value.
    """
    columns = panel.columns
    _check_columns(cv, panel, models)
    series, position = locate(cv, panel)
    pairs, row_pair = np.unique(np.stack([series, position]), axis=1, return_inverse=True)
    row_pair = row_pair.ravel()  # NumPy 2.0 keeps an axis here
    window, spacing = windows_of(pairs)
    step = cv[columns.time].groupby(row_pair).rank(method="first").to_numpy().astype(np.int64)
    horizon = int(step.max())
    scale, square_scale = _scales(panel, pairs, season_length or panel.season_length)
    target = cv[columns.target].to_numpy(dtype=np.float64)
    seen = np.isfinite(target)
    if not seen.any():
        raise DataError(
            f"No value of {columns.target!r} was observed in the test windows, so nothing can be compared; "
            "use windows that end earlier."
        )
    forecasts = cv.drop(columns=[columns.id, columns.time, CUTOFF, columns.target])[seen].reset_index(drop=True)
    return Scored(
        models=list(models),
        forecasts=forecasts,
        target=target[seen],
        scale=scale[row_pair][seen],
        square_scale=square_scale[row_pair][seen],
        series=series[seen],
        window=window[row_pair][seen],
        step=step[seen],
        n_windows=int(window.max()) + 1,
        horizon=horizon,
        overlap=1 if spacing is None else -(-horizon // spacing),
        notes=(*cv.attrs.get("notes", ()), *_notes(pairs, scale, seen)),
    )


def _check_columns(cv: pd.DataFrame, panel: Panel, models: Sequence[str]) -> None:
    columns = panel.columns
    needed = [columns.id, columns.time, CUTOFF, columns.target]
    missing = [name for name in needed if name not in cv]
    if missing:
        raise DataError(f"The backtest has no column {missing[0]!r}; pass the frame that backtest returned.")
    if not models:
        raise ParameterError("There is no model to evaluate; give at least one.")
    if cv.empty:
        raise DataError("The backtest has no rows; pass the frame that backtest returned.")
    for model in models:
        if model not in cv:
            found = ", ".join(str(name) for name in cv.columns if name not in needed)
            raise ParameterError(f"The backtest has no forecasts of {model!r}; its columns are {found}.")
        missed = ~np.isfinite(cv[model].to_numpy(dtype=np.float64))
        if missed.any():
            name = cv[columns.id].iloc[int(np.flatnonzero(missed)[0])]
            raise DataError(
                f"{model} has {int(missed.sum())} missing forecasts, the first for series {name!r}; "
                "models can only be compared where all of them forecast."
            )


def locate(cv: pd.DataFrame, panel: Panel) -> tuple[Positions, Positions]:
    """(R,) position of each row's series in the panel, and of its cutoff in the series."""
    names = cv[panel.columns.id]
    series = pd.Index(panel.ids).get_indexer(pd.Index(names.to_numpy(dtype=object))).astype(np.int64)
    if (series < 0).any():
        stranger = names.iloc[int(np.flatnonzero(series < 0)[0])]
        raise DataError(f"Series {stranger!r} of the backtest is not in the panel; pass the data that were backtested.")
    _check_stamps(cv[CUTOFF], panel)
    cutoffs = pd.Index(cv[CUTOFF])
    position = np.empty(len(cv), dtype=np.int64)
    # series that start together share their stamps
    starts, group = np.unique(panel.starts[series], return_inverse=True)
    for g, start in enumerate(starts):
        rows = np.flatnonzero(group == g)
        longest = int(panel.lengths[series[rows]].max())
        stamps = panel.outward(panel.frequency.range(start, longest))
        found = stamps.searchsorted(cutoffs[rows], side="right") - 1
        wrong = (found < 0) | (stamps[found] != cutoffs[rows]) | (found >= panel.lengths[series[rows]])
        if wrong.any():
            row = rows[int(np.flatnonzero(wrong)[0])]
            raise DataError(
                f"The cutoff {cutoffs[row]} of series {names.iloc[row]!r} is not a stamp of the panel; "
                "pass the data that were backtested."
            )
        position[rows] = found
    return series, position


def _check_stamps(cutoffs: pd.Series, panel: Panel) -> None:
    integer = panel.frequency.is_integer
    if not (is_integer_dtype(cutoffs.dtype) if integer else is_datetime64_any_dtype(cutoffs.dtype)):
        fix = "whole numbers" if integer else "stamps; convert it with pandas.to_datetime"
        raise DataError(f"The column {CUTOFF!r} holds {cutoffs.dtype} instead of {fix}.")
    zone = getattr(cutoffs.dtype, "tz", None)
    if (zone is None) != (panel.columns.tz is None):
        raise DataError(
            f"The column {CUTOFF!r} has the time zone {zone}, the panel {panel.columns.tz}; "
            "bring both to the same one with tz_localize or tz_convert."
        )


def windows_of(pairs: Positions) -> tuple[Positions, int | None]:
    """(P,) the window of each pair of a series and a cutoff, and the values between two cutoffs, if there are two.

    Counted from the end, because short series lack the earliest windows.
    """
    series, position = pairs
    last = np.searchsorted(series, series, side="right") - 1
    from_end = last - np.arange(len(series))
    gaps = np.diff(position)[np.diff(series) == 0]
    return from_end.max() - from_end, int(gaps.min()) if len(gaps) else None


def _scales(panel: Panel, pairs: Positions, season_length: int) -> tuple[Floats, Floats]:
    """Mean absolute and root mean squared error, (P,) each, of the seasonal-naive method before each cutoff.

    Where no two observed values lie a season apart, that of the naive method; NaN where there is none.
    """
    scales = np.empty((2, pairs.shape[1]))
    chosen, first, counts = np.unique(pairs[0], return_index=True, return_counts=True)
    for s, start, count in zip(chosen, first, counts, strict=True):
        rows = slice(start, start + count)
        y, cutoffs = panel.series(int(s)), pairs[1][rows]
        seasonal = _naive_errors(y, cutoffs, season_length)
        own = np.where(np.isnan(seasonal), _naive_errors(y, cutoffs, 1), seasonal)
        # differences that are only rounding, as of 0.1 + 0.2 and 0.3, would make errors look endless
        noise = 8 * np.finfo(np.float64).eps * np.fmax.accumulate(np.abs(y))[cutoffs]
        scales[:, rows] = np.where(own <= noise, np.nan, own)
    return scales[0], scales[1]


def _naive_errors(y: Floats, cutoffs: Positions, lag: int) -> Floats:
    """(2, C) mean absolute and root mean squared difference over ``lag`` values, of the values up to each cutoff.

    NaN where there is no difference.
    """
    differences = np.abs(y[lag:] - y[:-lag])
    total = np.nancumsum([differences, differences**2], axis=1)
    total = np.pad(total, ((0, 0), (1, 0)))
    count = np.concatenate([[0], np.cumsum(np.isfinite(differences))])
    known = np.clip(cutoffs + 1 - lag, 0, len(differences))  # differences that end at or before the cutoff
    errors = np.full((2, len(cutoffs)), np.nan)
    np.divide(total[:, known], count[known], out=errors, where=count[known] > 0)
    errors[1] = np.sqrt(errors[1])
    return errors


def _notes(pairs: Positions, scale: Floats, seen: npt.NDArray[np.bool_]) -> list[str]:
    notes = []
    unseen = int((~seen).sum())
    if unseen:
        notes.append(f"{unseen} of {len(seen)} test values were not observed and are skipped.")
    flat = np.unique(pairs[0][np.isnan(scale)]).size
    if flat:
        total = np.unique(pairs[0]).size
        notes.append(f"MASE leaves out {flat} of {total} series where nothing changes before a cutoff.")
    return notes
