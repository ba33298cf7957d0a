"""Prediction intervals as columns: which quantiles a level needs, and what its columns are called.

The names are the ecosystem's: ``LSTM-lo-80`` and ``LSTM-hi-80`` bound the central 80 % interval of the model
``LSTM``; a single quantile is ``LSTM-q-0.1``.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import ParameterError
from forecast.models.base import Forecast
from forecast.series.panel import Category

_BOUND = re.compile(r"^(?P<model>.+)-(?P<side>lo|hi)-(?P<level>\d+(?:\.\d*[1-9])?)$")
_QUANTILE = re.compile(r"^(?P<model>.+)-q-(?P<quantile>0\.\d+)$")


def check_levels(levels: Iterable[float] | None) -> tuple[float, ...]:
    """Coverage levels in percent, ascending and without repeats.

    Raises
    ------
    ParameterError
        If a level is not a number between 0 and 100.
    """
    return _checked(levels, 100.0, "level", "a list of percentages strictly between 0 and 100, e.g. level=[80, 95]")


def check_quantiles(quantiles: Iterable[float] | None) -> tuple[float, ...]:
    """Probabilities, ascending and without repeats.

    Raises
    ------
    ParameterError
        If a quantile is not a number between 0 and 1.
    """
    return _checked(
        quantiles, 1.0, "quantiles", "a list of probabilities strictly between 0 and 1, e.g. quantiles=[0.1, 0.9]"
    )


def level_quantiles(levels: Iterable[float] | None) -> list[float]:
    """The quantiles that bound the central intervals of these levels.

    Parameters
    ----------
    levels : iterable of float
        Coverage in percent, each between 0 and 100.

    Returns
    -------
    list of float
        Ascending, e.g. ``[0.025, 0.1, 0.9, 0.975]`` for 80 and 95.
    """
    return sorted({bound for level in check_levels(levels) for bound in _bounds(level)})


def probabilities(level: Iterable[float] | None = None, quantiles: Iterable[float] | None = None) -> tuple[float, ...]:
    """All quantiles to ask of a model so that ``attach`` can write these levels and quantiles."""
    return tuple(sorted({*level_quantiles(level), *(_rounded(q) for q in check_quantiles(quantiles))}))


def column_names(
    model: str, level: Iterable[float] | None = None, quantiles: Iterable[float] | None = None
) -> list[str]:
    """The columns of a model's intervals from low to high, then those of its single quantiles.

    Returns
    -------
    list of str
        E.g. ``["LSTM-lo-95", "LSTM-lo-80", "LSTM-hi-80", "LSTM-hi-95", "LSTM-q-0.5"]``.
    """
    return [name for name, _ in _columns(model, level, quantiles)]


def probability_columns(model: str, categories: Iterable[Category]) -> list[str]:
    """The columns of the probabilities of categories, e.g. ``["CategoricalLSTM-p-idle", "CategoricalLSTM-p-busy"]``."""
    return [f"{model}-p-{name}" for name in categories]


def attach(
    frame: pd.DataFrame,
    model: str,
    forecast: Forecast,
    level: Iterable[float] | None = None,
    quantiles: Iterable[float] | None = None,
) -> pd.DataFrame:
    """Add a model's point forecasts, intervals and quantiles to a frame of S * h rows.

    Parameters
    ----------
    frame : DataFrame
        One row per series and step, series by series, as ``Panel.future_frame`` gives them.
    model : str
        Name of the point column.
    forecast : Forecast
        What the model predicted when it was asked for ``probabilities(level, quantiles)``.
    level, quantiles : iterable of float, optional
        The intervals (percent) and single quantiles (probabilities) to write.

    Returns
    -------
    DataFrame
        A new frame with the columns added at the right.
    """
    where = {q: i for i, q in enumerate(probabilities(level, quantiles))}
    if forecast.quantiles.shape[2] != len(where):
        raise AssertionError(f"{forecast.quantiles.shape[2]} quantiles were forecast, {len(where)} were asked for")
    values: dict[str, npt.NDArray[Any]] = {model: forecast.point.ravel()}
    if forecast.probabilities is not None:
        values[model] = np.array(forecast.categories, object)[forecast.point.astype(np.int64).ravel()]
        for k, name in enumerate(probability_columns(model, forecast.categories)):
            values[name] = forecast.probabilities[:, :, k].ravel()
    for name, q in _columns(model, level, quantiles):
        values[name] = forecast.quantiles[:, :, where[q]].ravel()
    return pd.concat([frame, pd.DataFrame(values, index=frame.index)], axis=1)


def levels_of(columns: Iterable[str]) -> dict[str, list[float]]:
    """The levels for which a model has both bounds among these columns; the inverse of ``column_names``.

    Returns
    -------
    dict
        Model name -> levels in percent, ascending; whole levels are ints, as the ecosystem writes them. Models
        without an interval are not in it.
    """
    bounds: dict[tuple[str, float], set[str]] = {}
    for found in filter(None, (_BOUND.match(str(column)) for column in columns)):
        key = (found["model"], _whole(float(found["level"])))
        bounds.setdefault(key, set()).add(found["side"])
    levels: dict[str, list[float]] = {}
    for model, level in sorted(bounds):
        if len(bounds[model, level]) == 2:
            levels.setdefault(model, []).append(level)
    return levels


def quantile_columns(columns: Sequence[str], model: str) -> dict[float, str]:
    """The columns that hold a quantile of this model, bounds of intervals included.

    Returns
    -------
    dict
        Quantile -> column, ascending. Where an interval and a single quantile are the same number, the
        single quantile's column is taken.
    """
    found: dict[float, str] = {}
    for level in levels_of(columns).get(model, []):
        low, high = _bounds(level)
        found |= {low: f"{model}-lo-{level}", high: f"{model}-hi-{level}"}
    for column in columns:
        match = _QUANTILE.match(str(column))
        if match and match["model"] == model:
            found[_rounded(float(match["quantile"]))] = column
    return dict(sorted(found.items()))


def _columns(model: str, level: Iterable[float] | None, quantiles: Iterable[float] | None) -> list[tuple[str, float]]:
    """Column names with the quantile that each holds."""
    levels = [_whole(value) for value in check_levels(level)]
    low = [(f"{model}-lo-{value}", _bounds(value)[0]) for value in reversed(levels)]
    high = [(f"{model}-hi-{value}", _bounds(value)[1]) for value in levels]
    single = [(f"{model}-q-{np.format_float_positional(q, trim='-')}", _rounded(q)) for q in check_quantiles(quantiles)]
    return low + high + single


def _bounds(level: float) -> tuple[float, float]:
    return _rounded((100 - level) / 200), _rounded((100 + level) / 200)


def _rounded(q: float) -> float:
    """Free of the noise of ``(100 - 80) / 200``, so that equal quantiles compare equal."""
    return round(float(q), 10)


def _whole(level: float) -> float:
    return int(level) if float(level).is_integer() else level


def _checked(values: Iterable[float] | None, upper: float, name: str, good: str) -> tuple[float, ...]:
    if values is None:
        return ()
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ParameterError(f"{name} is {values!r}; give {good}.")
    values = list(values)
    for value in values:
        number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
        if not number or not 0 < value < upper:
            raise ParameterError(f"{name} has {value!r}; give {good}.")
    return tuple(sorted({float(value) for value in values}))
