"""Which column is what: identifier, time, target, covariates; guessed when plain, refused when not."""

import difflib
import shlex
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast.errors import DataError
from forecast.series.columns import MANY_REPEATS, Guess, is_unnamed, listed
from forecast.series.guess_time import find_time
from forecast.series.numbers import to_numbers
from forecast.series.roles import NOTHING, Declared
from forecast.series.table import Table

ID_NAMES = ("unique_id", "id", "series_id", "series", "item_id", "ts_id")
ROW_KEY_NAMES = {"id", "item_id", "ts_id"}  # these may also be keys of the rows
ID_LIKE_NAMES = (
    "item", "sku", "product", "product_id", "store", "store_id", "shop", "customer", "customer_id", "station", "sensor",
    "meter", "location", "site", "region", "country", "state", "city", "symbol", "ticker", "name", "key", "group",
)  # fmt: skip
ROW_NUMBER_NAMES = {"rownames", "row", "rowid", "row_id", "row_number", "index", *ID_NAMES}
TARGET_NAMES = ("y", "target", "value", "values")
TARGET_LIKE_NAMES = (
    "sales", "demand", "quantity", "qty", "units", "volume", "load", "revenue", "count", "users", "price",
)  # fmt: skip
FEW_REPEATS = 0.05  # share of rows with the series and time of another, up to which they count as mistakes
ALL_COLUMNS = "*"


@dataclass(frozen=True)
class Roles:
    """The columns of a table by what they are."""

    time: tuple[str, ...]  # one column; date and time of day; year and its parts; none if rows are counted
    id: str | None
    target: str | None  # None in a wide table
    series: tuple[str, ...]  # the columns of a wide table, each of them a series
    covariates: tuple[str, ...]
    notes: tuple[str, ...]


def assign_roles(
    table: Table,
    id_col: str | None,
    time_col: str | None,
    target_col: str | None,
    *,
    declared: Declared = NOTHING,
) -> Roles:
    """Give each column its role; names that the caller gave always win.

    Parameters
    ----------
    table : Table
        At least one row.
    id_col, time_col, target_col : str, optional
        The caller's names. The target ``*`` takes every numeric column as a series of its own.
    declared : Declared, optional
        The covariates that the caller named: they get no other role. Static ones may stand elsewhere.

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
    for option in ("future", "historic"):
        for name in getattr(declared, option):
            _check_given(guess, f"--{option}", name)
            guess.take(name)
    guess.take(*(name for name in declared.static if name.casefold() not in ID_NAMES))  # an identifier may be both
    every = target_col == ALL_COLUMNS
    if every and id_col is not None:
        raise DataError(f"The target {ALL_COLUMNS!r} makes each column a series, so there is no --id; leave one out.")
    _drop_row_numbers(guess)
    id_name = id_col or (None if every else _id_by_name(guess))
    time = (time_col,) if time_col is not None else find_time(guess, id_name)
    if id_name is None and time and not every:
        id_name = _id_by_distinctness(guess, time)
    series = () if given["--target"] or id_name else _wide_columns(guess, time, every=every)
    target = None if series else given["--target"] or _target(guess, long=id_name is not None)
    if target is not None:
        guess.take(target)
    unused = () if series else tuple(guess.free("numbers", "flags"))
    _describe(guess, id_name, time, target, declared, unused, all_given=None not in (time_col, target_col))
    covariates = declared.future + declared.historic + unused
    return Roles(time, id_name, target, series, covariates, tuple(guess.notes))


def _check_given(guess: Guess, option: str, name: str) -> None:
    if name in guess.taken:
        raise DataError(f"Column {name!r} is given twice; {option} needs a column of its own.")
    if name not in guess.kinds:
        close = difflib.get_close_matches(name, list(guess.kinds), n=1)
        hint = f"the nearest name is {close[0]!r}, of the columns " if close else "name one of "
        raise DataError(f"{guess.beginning} has no column {name!r} for {option}; {hint}{listed(guess.kinds)}.")


def _drop_row_numbers(guess: Guess) -> None:
    for position, name in enumerate(guess.frame.columns):
        called_so = (position == 0 and is_unnamed(name)) or name.casefold() in ROW_NUMBER_NAMES
        if name in guess.taken or guess.kinds[name] != "numbers" or not called_so:
            continue
        values = to_numbers(guess.frame[name]).values
        if values[0] in (0, 1) and len(values) > 1 and np.array_equal(values, values[0] + np.arange(len(values))):
            guess.take(name)
            guess.notes.append(f"Column {name!r} only numbers the rows and is ignored.")


def _id_by_name(guess: Guess) -> str | None:
    name = guess.preferred(ID_NAMES, guess.free())
    if name is None:
        return None
    guess.take(name)
    if name.casefold() in ROW_KEY_NAMES and len(guess.frame) > 1 and guess.frame[name].is_unique:
        guess.notes.append(f"Column {name!r} differs in every row, so it is not taken as the series identifier.")
        return None
    return name


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


def _wide_columns(guess: Guess, time: tuple[str, ...], *, every: bool) -> tuple[str, ...]:
    """The columns of a table that has one series in each of them, or none if it is not plainly such a table."""
    numbers = guess.free("numbers")
    if every:
        if not numbers:
            raise DataError(f"{guess.beginning} has no numeric column; the columns are {listed(guess.kinds)}.")
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
        f"{_option('target', numbers[0])} forecasts one, and --future (future=) declares a covariate."
    )
    guess.take(*numbers)
    return tuple(numbers)


def _is_binary(column: "pd.Series[Any]") -> bool:
    values = to_numbers(column).values
    return bool(np.all((values == 0) | (values == 1) | np.isnan(values)))


def _target(guess: Guess, *, long: bool) -> str:
    numbers = guess.free("numbers")
    named = guess.preferred(TARGET_NAMES, guess.free("numbers", "flags", "text", "empty"))
    if named is not None:
        return named
    if len(numbers) == 1:
        return numbers[0]
    if not numbers:
        raise DataError(
            f"{guess.beginning} has no numeric column that could be the target; the columns are {listed(guess.kinds)}: "
            "name one with --target (target_col=) if its texts are categories."
        )
    likely = guess.preferred(TARGET_LIKE_NAMES, numbers) or numbers[0]
    every = "" if long else f", or all of them with {_option('target', ALL_COLUMNS)}"
    raise DataError(
        f"Several columns of {guess.label} could be the target: {listed(numbers)}; "
        f"name one, for example {_option('target', likely)}{every}."
    )


def _option(role: str, name: str) -> str:
    return f"--{role} {shlex.quote(name)} ({role}_col={name!r})"


def _describe(
    guess: Guess,
    id_name: str | None,
    time: tuple[str, ...],
    target: str | None,
    declared: Declared,
    unused: tuple[str, ...],
    *,
    all_given: bool,
) -> None:
    """Say aloud what was guessed, and what is left aside."""
    if not all_given:
        roles = {"id": [id_name] if id_name else [], "time": time, "target": [target] if target else []}
        roles |= {"future": declared.future, "historic": declared.historic, "static": declared.static}
        told = [f"{role} {listed(names)}" for role, names in roles.items() if names]
        guess.notes += [f"Columns: {', '.join(told)}."] if told else []
    if unused:
        guess.notes.append(
            f"Not used: {listed(unused)}; declare as covariates those known ahead with --future (future=), "
            "others with --historic (historic=)."
        )
    left = [name for name in guess.free("stamps", "text", "empty") if not is_unnamed(name)]
    if left:
        guess.notes.append(f"Ignored, since not numeric: {listed(left)}.")
