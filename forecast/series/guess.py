"""Which column is what: identifier, time, target, covariates; guessed when plain, refused when not."""

import difflib
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from forecast.errors import DataError
from forecast.series.numbers import MISSING, TRUTH, is_texts, to_numbers
from forecast.series.stamps import FIX, readable_share
from forecast.series.table import Table

Kind = Literal["stamps", "numbers", "flags", "text", "empty"]

ID_NAMES = ("unique_id", "id", "series_id", "series", "item_id", "ts_id")
ROW_KEY_NAMES = {"id", "item_id", "ts_id"}  # these may also be keys of the rows
ID_LIKE_NAMES = (
    "item", "sku", "product", "product_id", "store", "store_id", "shop", "customer", "customer_id", "station", "sensor",
    "meter", "location", "site", "region", "country", "state", "city", "symbol", "ticker", "name", "key", "group",
)  # fmt: skip
TIME_NAMES = (
    "ds", "timestamp", "datetime", "date_time", "time", "date", "period", "month", "quarter", "week", "day", "year",
)  # fmt: skip
INTEGER_TIME_NAMES = (*TIME_NAMES, "t", "step", "time_step", "timestep", "time_idx", "index", "yr")
CYCLES = {"month", "quarter", "week", "day", "hour"}  # as numbers, these usually come round again
ROW_NUMBER_NAMES = {"rownames", "row", "rowid", "row_id", "row_number", "index", *ID_NAMES}
TARGET_NAMES = ("y", "target", "value", "values")
TARGET_LIKE_NAMES = (
    "sales", "demand", "quantity", "qty", "units", "volume", "load", "revenue", "count", "users", "price",
)  # fmt: skip
PART_NAMES = {"yr": "year", "qtr": "quarter"}
PART_RANGES = {"year": (1678, 2261), "quarter": (1, 4), "month": (1, 12), "day": (1, 31)}
SAMPLE_ROWS = 200
MANY_REPEATS = 0.1  # share of rows with the time of another, from which on they must be of several series
FEW_REPEATS = 0.05  # share of rows with the series and time of another, up to which they count as mistakes
ALL_COLUMNS = "*"


@dataclass(frozen=True)
class Roles:
    """The columns of a table by what they are."""

    time: tuple[str, ...]  # one column, or year with its parts, or none: rows are counted
    id: str | None
    target: str | None  # None in a wide table
    series: tuple[str, ...]  # the columns of a wide table, each of them a series
    covariates: tuple[str, ...]
    notes: tuple[str, ...]


class Guess:
    """What is known of a table while its columns are being given their roles."""

    def __init__(self, table: Table) -> None:
        self.frame, self.label = table.frame, table.source.label
        self.kinds = {name: kind_of(self.frame[name]) for name in self.frame.columns}
        self.taken: set[str] = set()
        self.notes: list[str] = []

    def take(self, *names: str) -> None:
        self.taken.update(names)

    def free(self, *kinds: Kind) -> list[str]:
        """Columns without a role, of some kinds."""
        return [name for name, kind in self.kinds.items() if name not in self.taken and (not kinds or kind in kinds)]

    def preferred(self, preference: Sequence[str], candidates: Iterable[str]) -> str | None:
        """The candidate that comes first in an order of names, whatever their case."""
        by_name = {name.strip().casefold(): name for name in reversed(list(candidates))}
        return next((by_name[name] for name in preference if name in by_name), None)


def assign_roles(table: Table, id_col: str | None, time_col: str | None, target_col: str | None) -> Roles:
    """Give each column its role; names that the caller gave always win.

    Parameters
    ----------
    table : Table
        At least one row.
    id_col, time_col, target_col : str, optional
        The caller's names. The target ``*`` takes every numeric column as a series of its own.

    Raises
    ------
    DataError
        If a named column is missing, or a role cannot be told; the sentence lists the candidates.
    """
    guess = Guess(table)
    given = {"--id": id_col, "--time": time_col, "--target": None if target_col == ALL_COLUMNS else target_col}
    for option, name in given.items():
        if name is not None:
            _check_given(guess, option, name)
            guess.take(name)
    _drop_row_numbers(guess)
    id_name = id_col or _id_by_name(guess)
    time = (time_col,) if time_col is not None else _time(guess, id_name)
    if id_name is None and time and target_col != ALL_COLUMNS:
        id_name = _id_by_distinctness(guess, time)
    series = () if given["--target"] or id_name else _wide_columns(guess, time, wide=target_col == ALL_COLUMNS)
    target = None if series else given["--target"] or _target(guess)
    if target is not None:
        guess.take(target)
    covariates = () if series else tuple(guess.free("numbers", "flags"))
    _describe(guess, id_name, time, target, covariates, all_given=None not in (time_col, target_col))
    return Roles(time, id_name, target, series, covariates, tuple(guess.notes))


def kind_of(column: "pd.Series[Any]") -> Kind:
    """What a column holds, judged from a sample; dirt in a minority of cells is left to be found later."""
    dtype = column.dtype
    if isinstance(dtype, pd.DatetimeTZDtype | pd.PeriodDtype) or pd.api.types.is_datetime64_dtype(dtype):
        return "stamps"
    if pd.api.types.is_bool_dtype(dtype):
        return "flags"
    if pd.api.types.is_numeric_dtype(dtype):
        return "numbers" if column.notna().any() else "empty"
    if not is_texts(column):
        return "text"
    sample = column.iloc[:: max(1, len(column) // SAMPLE_ROWS)].dropna().astype(str).str.strip()
    texts = [text for text in sample.tolist() if text not in MISSING]
    if not texts:
        return "empty" if column.dropna().astype(str).str.strip().isin(MISSING).all() else "text"
    if all(text.casefold() in TRUTH for text in texts):
        return "flags"
    numbers = to_numbers(pd.Series(texts, dtype=object))
    if numbers.bad.mean() < 0.5 and not any(len(text) > 1 and text[0] == "0" and text.isdigit() for text in texts):
        return "numbers"
    return "stamps" if readable_share(texts) > 0.5 else "text"


def listed(names: Iterable[str]) -> str:
    """Names in quotes, the first ten of them."""
    names = list(names)
    return ", ".join(repr(name) for name in names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _check_given(guess: Guess, option: str, name: str) -> None:
    if name in guess.taken:
        raise DataError(f"Column {name!r} is given twice; {option} needs a column of its own.")
    if name not in guess.kinds:
        close = difflib.get_close_matches(name, list(guess.kinds), n=1)
        hint = f"the nearest name is {close[0]!r}, of the columns " if close else "name one of "
        raise DataError(f"{guess.label} has no column {name!r} for {option}; {hint}{listed(guess.kinds)}.")


def _drop_row_numbers(guess: Guess) -> None:
    for position, name in enumerate(guess.frame.columns):
        called_so = (position == 0 and is_unnamed(name)) or name.casefold() in ROW_NUMBER_NAMES
        if name in guess.taken or guess.kinds[name] != "numbers" or not called_so:
            continue
        values = to_numbers(guess.frame[name]).values
        if values[0] in (0, 1) and len(values) > 1 and np.array_equal(values, values[0] + np.arange(len(values))):
            guess.take(name)
            guess.notes.append(f"Column {name!r} only numbers the rows and is ignored.")


def is_unnamed(name: str) -> bool:
    """Whether a column has no name in its file."""
    return name.strip() == "" or name.startswith("Unnamed: ")


def _id_by_name(guess: Guess) -> str | None:
    name = guess.preferred(ID_NAMES, guess.free())
    if name is None:
        return None
    guess.take(name)
    if name.casefold() in ROW_KEY_NAMES and len(guess.frame) > 1 and guess.frame[name].is_unique:
        guess.notes.append(f"Column {name!r} differs in every row, so it is not taken as the series identifier.")
        return None
    return name


# ---------------------------------------------------------------------------------------------------- time


def _time(guess: Guess, id_name: str | None) -> tuple[str, ...]:
    time = _stamp_column(guess) or _part_columns(guess) or _integer_column(guess, id_name)
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


def _stamp_column(guess: Guess) -> tuple[str, ...]:
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
    return tuple(candidates)


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


# -------------------------------------------------------------------------------------- identifier, target


def _id_by_distinctness(guess: Guess, time: tuple[str, ...]) -> str | None:
    """The one column that tells rows of the same time apart, if many rows share their time."""
    rows = len(guess.frame)
    if guess.frame.duplicated(list(time)).mean() < MANY_REPEATS:
        return None
    texts = guess.free("text")
    likely = [name for name in guess.free("numbers") if name.casefold() in ID_LIKE_NAMES]
    repeats = {
        name: int(guess.frame.duplicated([name, *time]).sum())
        for name in texts + likely
        if guess.frame[name].nunique() <= rows / 2
    }
    candidates = [name for name, count in repeats.items() if count <= FEW_REPEATS * rows]
    fewest = [name for name in candidates if repeats[name] == min(repeats.values())]
    chosen = guess.preferred(ID_LIKE_NAMES, fewest) or (fewest[0] if len(fewest) == 1 else None)
    if chosen is None and fewest:
        raise DataError(
            f"Several columns of {guess.label} could tell the series apart: {listed(fewest)}; "
            "name one with --id (id_col=)."
        )
    if chosen is not None:
        guess.take(chosen)
    return chosen


def _wide_columns(guess: Guess, time: tuple[str, ...], *, wide: bool) -> tuple[str, ...]:
    """The columns of a table that has one series in each of them, or none if it is not plainly such a table."""
    numbers = guess.free("numbers")
    if wide:
        if not numbers:
            raise DataError(f"{guess.label} has no numeric column; the columns are {listed(guess.kinds)}.")
        guess.take(*numbers)
        return tuple(numbers)
    telling = guess.preferred((*TARGET_NAMES, *TARGET_LIKE_NAMES), numbers)
    if len(numbers) < 2 or len(numbers) < len(guess.free()) or not time or telling is not None:
        return ()
    long = guess.frame.duplicated(list(time)).mean() >= MANY_REPEATS
    if long or any(_is_binary(guess.frame[name]) for name in numbers):
        return ()
    guess.notes.append(
        f"Each of the {len(numbers)} columns {listed(numbers)} is taken as a series; "
        f"{_option('target', numbers[0])} forecasts one, with the others as covariates."
    )
    guess.take(*numbers)
    return tuple(numbers)


def _is_binary(column: "pd.Series[Any]") -> bool:
    return bool(column.dropna().isin([0, 1]).all())


def _target(guess: Guess) -> str:
    numbers = guess.free("numbers")
    named = guess.preferred(TARGET_NAMES, guess.free("numbers", "flags", "text", "empty"))
    if named is not None:
        return named
    if len(numbers) == 1:
        return numbers[0]
    if not numbers:
        raise DataError(
            f"{guess.label} has no numeric column that could be the target; the columns are {listed(guess.kinds)}."
        )
    likely = guess.preferred(TARGET_LIKE_NAMES, numbers) or numbers[0]
    raise DataError(
        f"Several columns of {guess.label} could be the target: {listed(numbers)}; "
        f"name one, for example {_option('target', likely)}, or all of them with {_option('target', ALL_COLUMNS)}."
    )


def _option(role: str, name: str) -> str:
    return f"--{role} {shlex.quote(name)} ({role}_col={name!r})"


def _describe(
    guess: Guess,
    id_name: str | None,
    time: tuple[str, ...],
    target: str | None,
    covariates: tuple[str, ...],
    *,
    all_given: bool,
) -> None:
    """Say aloud what was guessed, and what is left aside."""
    if not all_given:
        roles = {"id": [id_name] if id_name else [], "time": time, "target": [target] if target else []}
        roles["covariates"] = covariates
        told = [f"{role} {listed(names)}" for role, names in roles.items() if names]
        guess.notes += [f"Columns: {', '.join(told)}."] if told else []
    left = guess.free("stamps", "text", "empty")
    if left:
        guess.notes.append(f"Ignored, since not numeric: {listed(left)}.")
