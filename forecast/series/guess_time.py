"""Which column is the time, or which columns together."""

import re
from typing import Any

import numpy as np
import pandas as pd

from forecast.errors import DataError
from forecast.series.columns import MANY_REPEATS, SAMPLE_ROWS, Guess, is_unnamed, listed
from forecast.series.numbers import to_numbers
from forecast.series.stamps import FIX

TIME_NAMES = (
    "ds", "timestamp", "datetime", "date_time", "time", "date", "period", "month", "quarter", "week", "day", "year",
)  # fmt: skip
INTEGER_TIME_NAMES = (*TIME_NAMES, "t", "step", "time_step", "timestep", "time_idx", "index", "yr")
CYCLES = {"month", "quarter", "week", "day", "hour"}  # as numbers, these usually come round again
PART_NAMES = {"yr": "year", "qtr": "quarter"}
PART_RANGES = {"year": (1678, 2261), "quarter": (1, 4), "month": (1, 12), "day": (1, 31)}
HOUR_NAMES = {"hour", "hr"}
CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?([ ]?[AaPp][Mm])?")


def find_time(guess: Guess, id_name: str | None) -> tuple[str, ...]:
    """The time of a table: one column; a date and a time of day; parts of a date; or nothing, if rows are counted."""
    time = _stamp_column(guess, id_name) or _part_columns(guess) or _integer_column(guess, id_name)
    guess.take(*time)
    if time:
        return time
    distinct = [name for name in guess.free("text") if guess.frame[name].nunique() > len(guess.frame) / 2]
    if id_name is not None or distinct:
        sample = f" (column {distinct[0]!r} has {guess.frame[distinct[0]].iloc[0]!r})" if distinct else ""
        raise DataError(
            f"No column of {guess.label} reads as time{sample}; name it with --time (time_col=) and {FIX}; "
            f"the columns are {listed(guess.kinds)}."
        )
    guess.notes.append(f"There is no time column: the {len(guess.frame)} rows are taken as steps 0, 1, 2 ... of time.")
    return ()


def _stamp_column(guess: Guess, id_name: str | None) -> tuple[str, ...]:
    candidates = guess.free("stamps")
    if len(candidates) > 1:
        preferred = guess.preferred(TIME_NAMES, candidates)
        distinct = [name for name in candidates if guess.frame[name].is_unique]
        if preferred is None and len(distinct) != 1:
            raise DataError(
                f"Several columns of {guess.label} read as time: {listed(candidates)}; "
                "name one with --time (time_col=)."
            )
        candidates = [preferred or distinct[0]]
    if not candidates:
        return ()
    clock = _clock_column(guess, candidates[0], id_name)
    if clock is None:
        return (candidates[0],)
    guess.notes.append(f"The time is put together from the columns {listed([candidates[0], clock])}.")
    return (candidates[0], clock)


def _clock_column(guess: Guess, date: str, id_name: str | None) -> str | None:
    """The column with the time of day, if another has dates without, and has them over and over."""
    texts = [name for name in guess.free("text") if _all_clocks(guess.frame[name].iloc[:SAMPLE_ROWS])]
    hours = [name for name in guess.free("numbers") if name.casefold() in HOUR_NAMES]
    clock = next((name for name in texts + hours if name in texts or _in_range(guess.frame[name], 0, 23)), None)
    keys = [date] if id_name is None else [id_name, date]
    if clock is None or guess.frame.duplicated(keys).mean() < MANY_REPEATS:
        return None
    return None if guess.frame[date].astype(str).str.contains(":").any() else clock


def _all_clocks(column: "pd.Series[Any]") -> bool:
    return bool(column.astype(str).str.fullmatch(CLOCK).all())


def with_clock(dates: "pd.Series[Any]", clock: "pd.Series[Any]") -> "pd.Series[Any]":
    """Dates and times of day (or hours as numbers) as one column of texts."""
    hours = to_numbers(clock)
    texts = clock.astype(str)
    if not hours.bad.any():
        texts = pd.Series([f"{hour:02.0f}:00" for hour in hours.values], index=clock.index)
    return dates.astype(str) + " " + texts


def _part_columns(guess: Guess) -> tuple[str, ...]:
    """Columns ``year`` and ``quarter``, or ``year``, ``month`` and perhaps ``day``."""
    parts = {part_of(name): name for name in guess.free("numbers") if part_of(name) in PART_RANGES}
    fitting = {part: name for part, name in parts.items() if _in_range(guess.frame[name], *PART_RANGES[part])}
    for wanted in (("year", "month", "day"), ("year", "month"), ("year", "quarter")):
        if all(part in fitting for part in wanted):
            names = tuple(fitting[part] for part in wanted)
            guess.notes.append(f"The time is put together from the columns {listed(names)}.")
            return names
    return ()


def part_of(name: str) -> str:
    """What part of a date a column is called after: ``Yr`` -> ``year``."""
    return PART_NAMES.get(name.strip().casefold(), name.strip().casefold())


def _in_range(column: "pd.Series[Any]", low: int, high: int) -> bool:
    values = to_numbers(column).values
    return bool(np.all((values >= low) & (values <= high) & (values == np.floor(values))))


def _integer_column(guess: Guess, id_name: str | None) -> tuple[str, ...]:
    first = str(guess.frame.columns[0])
    for name in [*(n for n in [guess.preferred(INTEGER_TIME_NAMES, guess.free("numbers"))] if n), first]:
        if name in guess.taken or guess.kinds[name] != "numbers":
            continue
        keys = [name] if id_name is None else [id_name, name]
        values = to_numbers(guess.frame[name]).values
        whole = bool(np.all(values == np.floor(values)))
        if name == first and is_unnamed(name) and whole and np.all(np.diff(values) > 0):
            return (name,)
        comes_round = name.casefold() in CYCLES and guess.frame.duplicated(keys).any()
        if name.casefold() in INTEGER_TIME_NAMES and not comes_round:
            return (name,)
    return ()
