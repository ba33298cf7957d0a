"""Covariates over the horizon: read from a table of their own, computed from the stamps, and complete or refused.

Notation: n rows, S series, h steps ahead, K steps for which values are known.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import DataError
from forecast.series.calendar import computed
from forecast.series.columns import Guess, listed
from forecast.series.frame import table_of, times_of
from forecast.series.grid import Ints, Stamps, shown
from forecast.series.guess_time import find_time
from forecast.series.numbers import to_numbers
from forecast.series.panel import Panel
from forecast.series.table import Table
from forecast.series.zones import settle

Floats = npt.NDArray[np.float64]
SHOWN = 3  # series that a message names


def with_future(panel: Panel, data: "str | Path | pd.DataFrame", h: int) -> Panel:
    """The panel with the values that ``data`` holds of its future covariates in the ``h`` steps after its series.

    Parameters
    ----------
    panel : Panel
        With future covariates declared.
    data : str, Path or DataFrame
        The panel's time column and its future covariates, and its identifier column; without one, all series share
        the values. Other columns, stamps outside the horizon and other series are passed over.
    h : int
        Steps ahead.

    Raises
    ------
    DataError
        If a column is missing, a value is no number, a stamp comes twice or lies between two steps.
    """
    names = panel.declared.future
    if not names:
        raise DataError(
            "Future values were given, but no covariate is declared as known ahead; name the columns with --future "
            "(future=)."
        )
    table = table_of(data)
    guess = Guess(table)
    missing = [name for name in names if name not in guess.kinds]
    if missing:
        raise DataError(
            f"The future values have no column {missing[0]!r}, which is declared as known ahead; "
            f"their columns are {listed(guess.kinds)}."
        )
    guess.take(*names)
    series, rows = _series(panel, table, guess)
    stamps = _stamps(panel, table, guess, series)[rows]
    values = np.stack([_numbers(table, name)[rows] for name in names])
    steps = panel.frequency.positions(stamps, panel.starts[series]) - panel.lengths[series]
    _check_grid(panel, series, stamps, steps)
    inside = (steps >= 0) & (steps < h)
    places = series[inside] * h + steps[inside]
    _check_distinct(panel, places, h)
    ahead = dict(panel.ahead)
    for name, given in zip(names, values[:, inside], strict=True):
        known = np.full(len(panel) * h, np.nan)
        known[places] = given
        before = _reaching(ahead.get(name), len(panel), h)
        ahead[name] = np.where(np.isnan(known), before.ravel(), known).reshape(len(panel), h)
    return replace(panel, ahead=ahead)


def _series(panel: Panel, table: Table, guess: Guess) -> tuple[Ints, Ints]:
    """Series (n',) and row (n',) of each value: of those rows that are of this panel, or all rows for each series."""
    size = len(table.frame)
    if panel.columns.id not in table.frame:
        return np.repeat(np.arange(len(panel)), size), np.tile(np.arange(size), len(panel))
    guess.take(panel.columns.id)
    place = {str(name): s for s, name in enumerate(panel.ids)}  # a file may have read 1 as '1'
    column = table.frame[panel.columns.id]
    if pd.api.types.is_float_dtype(column.dtype):
        column = column.astype("Int64")
    found = column.astype(str).map(place)
    rows = np.flatnonzero(found.notna().to_numpy())
    return found.to_numpy(dtype=np.float64)[rows].astype(np.int64), rows


def _stamps(panel: Panel, table: Table, guess: Guess, series: Ints) -> Stamps:
    """(n,) stamps of all rows, as the panel has them."""
    name = panel.columns.time
    time = (name,) if name in table.frame else find_time(guess, panel.columns.id)
    times = times_of(table, time, panel.columns.tz, panel.frequency)
    codes = np.zeros(len(table.frame), dtype=np.int64)
    if panel.columns.id in table.frame:
        codes = pd.factorize(table.frame[panel.columns.id].astype(str))[0].astype(np.int64)
    stamps, zone, _ = settle(times, codes, panel.columns.tz, panel.frequency, table.source)
    if panel.columns.tz is None and zone is not None:
        raise DataError(
            f"The stamps of the future values are in the zone {zone}, those of the history in none; give both alike."
        )
    if panel.frequency.is_integer != (stamps.dtype.kind == "i"):
        raise DataError(
            f"The time {shown(stamps[0])} of the future values is of another kind than that of the history, which ends "
            f"at {shown(panel.outward(panel.ends[:1])[0])}; write both alike."
        )
    return stamps


def _numbers(table: Table, name: str) -> Floats:
    numbers = to_numbers(table.frame[name])
    bad = numbers.bad | np.isinf(numbers.values)
    if bad.any():
        row = int(bad.argmax())
        raise DataError(
            f"Column {name!r} of the future values has {str(table.frame[name].iloc[row])!r} in "
            f"{table.source.row(row)}, which is no number; correct it."
        )
    return numbers.values


def _check_grid(panel: Panel, series: Ints, stamps: Stamps, steps: Ints) -> None:
    """Refuse a later stamp that lies between two steps."""
    off = (steps < 0) & (stamps > panel.ends[series])
    if off.any():
        row = int(off.argmax())
        raise DataError(
            f"The future values have the stamp {shown(panel.outward(stamps[row : row + 1])[0])} for series "
            f"{panel.ids[series[row]]!r}, which is no step of its {panel.frequency.describe()} history; "
            f"the next one is {shown(panel.outward(panel.future(1)[series[row]])[0])}."
        )


def _check_distinct(panel: Panel, places: Ints, h: int) -> None:
    unique, counts = np.unique(places, return_counts=True)
    if np.any(counts > 1):
        s, step = divmod(int(unique[counts > 1][0]), h)
        stamp = shown(panel.outward(panel.future(h)[s])[step])
        raise DataError(
            f"The future values have {counts.max()} rows for series {panel.ids[s]!r} at {stamp}; keep one of them, and "
            f"tell series apart in column {panel.columns.id!r}."
        )


def reaching(panel: Panel, h: int) -> Panel:
    """The panel with every covariate that is known ahead, complete over the ``h`` steps after each series.

    Returns
    -------
    Panel
        ``ahead[name]`` is (S, h) without NaN for each name in ``declared.known``; computed ones are added.

    Raises
    ------
    DataError
        If a value is missing; the sentence names the covariate, the series and the stamps.
    """
    declared = panel.declared
    if not declared.known:
        return panel
    ahead = {name: _reaching(panel.ahead.get(name), len(panel), h) for name in declared.future}
    _check_complete(panel, ahead, h)
    if declared.computed:
        values = computed(panel, panel.future(h).ravel())
        ahead |= {name: one.reshape(len(panel), h) for name, one in values.items()}
    return replace(panel, ahead=ahead)


def _reaching(values: Floats | None, series: int, h: int) -> Floats:
    """(S, h) of values (S, K), unknown where K ends before."""
    out = np.full((series, h), np.nan)
    if values is not None:
        out[:, : values.shape[1]] = values[:, :h]
    return out


def _check_complete(panel: Panel, ahead: dict[str, Floats], h: int) -> None:
    for name, values in ahead.items():
        missing = np.isnan(values)
        lacking = np.flatnonzero(missing.any(axis=1))
        if not len(lacking):
            continue
        told = [_told(panel, int(s), missing[s], h) for s in lacking[:SHOWN]]
        more = f" and {len(lacking) - SHOWN:,} more series" if len(lacking) > SHOWN else ""
        raise DataError(
            f"Covariate {name!r} is declared as known ahead, but has no value for series {', '.join(told)}{more}; give "
            "the values with --future-data (future=), or in rows with an empty target after the last value."
        )


def _told(panel: Panel, s: int, missing: npt.NDArray[np.bool_], h: int) -> str:
    """``'BE' at 2016-12-31 (1 stamp)``, or from the first missing stamp to the last."""
    stamps = panel.outward(panel.select(np.array([s])).future(h)[0])[missing]
    if len(stamps) == 1:
        return f"{panel.ids[s]!r} at {shown(stamps[0])}"
    return f"{panel.ids[s]!r} from {shown(stamps[0])} to {shown(stamps[-1])} ({len(stamps)} stamps)"


def last_season(values: Any, season: int, h: int) -> Floats:
    """(h,) a continuation of past values (n,): those of the last season again, or the last known value.

    A value that is unknown a season ago is replaced by the last known one; all are NaN if none is known.
    """
    past = np.asarray(values, dtype=np.float64)
    known = past[~np.isnan(past)]
    out = np.full(h, known[-1] if len(known) else np.nan)
    if season > 1 and len(past) >= season:
        again = np.resize(past[-season:], h)
        out = np.where(np.isnan(again), out, again)
    return out
