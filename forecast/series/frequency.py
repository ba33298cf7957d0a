"""Frequencies: what an alias such as ``MS`` means, and which one a set of stamps has.

Notation: S stamps, N stamps of all series together.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import DataError, ParameterError
from forecast.series.grid import (
    DAY,
    BusinessGrid,
    Grid,
    IntegerGrid,
    Ints,
    MonthDay,
    MonthGrid,
    Stamps,
    TickGrid,
    check_range,
    day_in_month,
    months_of,
    nanoseconds,
    weekdays,
)

LEAST_COMPLETE = 0.2  # share of neighbouring stamps that must be one step apart
GOOD_ALIASES = "MS, ME, QS-JAN, QE-DEC, YS-JAN, W-SUN, D, B, h, 30min or an integer such as 1"

TICKS = {  # alias -> nanoseconds, the largest first
    "D": DAY,
    "h": 3_600_000_000_000,
    "min": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
MONTHLY: dict[str, tuple[int, MonthDay]] = {  # alias -> months of a step, and the day of the month
    "MS": (1, "start"),
    "ME": (1, "end"),
    "BMS": (1, "business start"),
    "BME": (1, "business end"),
    "QS": (3, "start"),
    "QE": (3, "end"),
    "BQS": (3, "business start"),
    "BQE": (3, "business end"),
    "YS": (12, "start"),
    "YE": (12, "end"),
    "BYS": (12, "business start"),
    "BYE": (12, "business end"),
}
LEGACY = {
    "M": "ME", "BM": "BME", "Q": "QE", "BQ": "BQE", "A": "YE", "Y": "YE", "AS": "YS", "BA": "BYE", "BY": "BYE",
    "BAS": "BYS", "H": "h", "T": "min", "S": "s", "L": "ms", "U": "us", "N": "ns",
    "d": "D", "w": "W", "b": "B", "q": "QE", "y": "YE",
}  # fmt: skip
PLACES: tuple[MonthDay, ...] = ("start", "end", "business start", "business end")
WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WORDS = {
    "D": "daily", "B": "business-daily", "W": "weekly", "M": "monthly", "Q": "quarterly", "Y": "yearly",
    "h": "hourly", "min": "minutely", "s": "secondly",
}  # fmt: skip
PLURALS = {
    "D": "days", "B": "business days", "W": "weeks", "M": "months", "Q": "quarters", "Y": "years", "h": "hours",
    "min": "minutes", "s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds",
}  # fmt: skip


@dataclass(frozen=True)
class Frequency:
    """The distance between neighbouring stamps, and where they lie."""

    alias: str
    """A pandas alias such as ``MS``, ``QE-DEC``, ``W-SUN``, ``30min``, or an integer step such as ``1``."""

    @property
    def is_integer(self) -> bool:
        """Whether time is a whole number rather than a date."""
        return self.alias.isdigit()

    @property
    def is_wall_clock(self) -> bool:
        """Whether a step is a day or coarser, so that it follows the calendar of a time zone and not its hours."""
        grid = self.grid
        return not isinstance(grid, IntegerGrid) and (not isinstance(grid, TickGrid) or grid.step % DAY == 0)

    @property
    def grid(self) -> Grid:
        """The arithmetic behind the alias."""
        return _grid(self.alias)

    @property
    def season_length(self) -> int:
        """The usual number of steps in a season: 12 for months, 24 for hours, 7 for days ...; 1 when there is none."""
        number, unit, _ = _parts(self.alias)
        if self.is_integer:
            return 1
        if unit in MONTHLY:
            return _whole_ratio(12, number * MONTHLY[unit][0])
        if unit in TICKS and unit != "D":
            step = number * TICKS[unit]
            if step >= TICKS["min"]:
                return _whole_ratio(DAY, step)
            return _whole_ratio(TICKS["h"], step) if step >= TICKS["s"] else 1
        return _whole_ratio({"D": 7, "B": 5, "W": 52}[unit], number)

    def range(self, start: Any, n: int) -> Stamps:
        """(n,) stamps, the first of which is ``start``."""
        first = np.asarray(start, dtype=np.int64 if self.is_integer else "datetime64[ns]")
        return self.shift(np.repeat(first, n), np.arange(n))

    def shift(self, stamps: Stamps, steps: int | npt.NDArray[Any]) -> Stamps:
        """Move stamps that lie on the grid.

        Parameters
        ----------
        stamps : ndarray (S,)
            Stamps on the grid.
        steps : int or ndarray (S,)
            How many steps to move each; negative goes back.

        Returns
        -------
        ndarray (S,)
            The moved stamps.

        Raises
        ------
        DataError
            If a stamp would leave the years that nanosecond stamps can hold.
        """
        grid = self.grid
        ordinals, remainders, _ = grid.split(stamps)
        moved = ordinals + np.asarray(steps, dtype=np.int64) * grid.step
        if isinstance(grid, TickGrid):  # in floats, because the integers have wrapped around by now
            check_range((ordinals + np.asarray(steps, dtype=np.float64) * grid.step) / DAY)
        return grid.join(moved, remainders)

    def positions(self, stamps: Stamps, origin: Any) -> Ints:
        """Count the steps from an origin on the grid.

        Parameters
        ----------
        stamps : ndarray (S,)
            Any stamps.
        origin : stamp or ndarray (S,)
            Where to count from, one for all or one for each stamp.

        Returns
        -------
        ndarray of int64 (S,)
            Steps from the origin; -1 where a stamp lies off the grid or before the origin.
        """
        grid = self.grid
        here = grid.split(np.asarray(stamps))
        zero = grid.split(np.asarray(origin))
        distances = here.ordinals - zero.ordinals
        steps = distances // grid.step
        on_grid = here.on_grid & (here.remainders == zero.remainders) & (steps * grid.step == distances) & (steps >= 0)
        return np.where(on_grid, steps, -1)

    def on_grid(self, stamps: Stamps) -> npt.NDArray[np.bool_]:
        """(S,) whether each stamp may be the first of a series: a Sunday for ``W-SUN``, a month end for ``ME``."""
        return self.grid.split(np.asarray(stamps)).on_grid

    def describe(self) -> str:
        """The frequency in words, e.g. ``monthly (MS)`` or ``every 30 minutes (30min)``."""
        number, unit, _ = _parts(self.alias)
        if self.is_integer:
            return "integer time" if number == 1 else f"integer time in steps of {number}"
        key = unit if unit in PLURALS else unit.removeprefix("B")[0]
        if number == 1 and key in WORDS:
            return f"{WORDS[key]} ({self.alias})"
        return f"every {number} {PLURALS[key]} ({self.alias})"


def _whole_ratio(season: int, step: int) -> int:
    return season // step if season % step == 0 else 1


def _parts(alias: str) -> tuple[int, str, str]:
    """Number, unit and anchor of a well-formed alias: ``2QS-JAN`` -> (2, "QS", "JAN"), ``1`` -> (1, "", "")."""
    found = re.fullmatch(r"(\d*)([A-Za-z]*)-?([A-Z]*)", alias)
    if found is None:
        raise ParameterError(f"The frequency {alias!r} is not known; give a pandas alias: {GOOD_ALIASES}.")
    return int(found[1] or 1), found[2], found[3]


@lru_cache(maxsize=256)
def _grid(alias: str) -> Grid:
    number, unit, anchor = _parts(alias)
    if not unit:
        return IntegerGrid(number)
    if unit == "B":
        return BusinessGrid(number)
    if unit == "W":
        return TickGrid(number * 7 * DAY, WEEKDAYS.index(anchor))
    if unit in TICKS:
        return TickGrid(number * TICKS[unit])
    months, at = MONTHLY[unit]
    phase = MONTHS.index(anchor) % months if anchor else 0
    return MonthGrid(number * months, at, cycle=months, phase=phase)


def _tick_alias(step: int) -> str:
    """The alias of a constant step in its largest unit: 3,600,000,000,000 -> ``h``."""
    unit = next(unit for unit, size in TICKS.items() if step % size == 0)
    return _numbered(step // TICKS[unit], unit)


def _numbered(number: int, unit: str) -> str:
    return unit if number == 1 else f"{number}{unit}"


def parse_frequency(alias: str | int) -> Frequency:
    """Read a frequency that a user gave.

    Parameters
    ----------
    alias : str or int
        A pandas alias (``MS``, ``QE-DEC``, ``W``, ``D``, ``30min`` ...), also one that pandas has given up
        (``M``, ``Q``, ``A``, ``H``, ``T``, ``S``), or an integer step for integer time.

    Returns
    -------
    Frequency
        With the alias in full: ``W`` becomes ``W-SUN``, ``60min`` becomes ``h``.

    Raises
    ------
    ParameterError
        If there is no such frequency.
    """
    unknown = ParameterError(f"The frequency {alias!r} is not known; give a pandas alias: {GOOD_ALIASES}.")
    text = str(alias).strip()
    found = re.fullmatch(r"(\d*)\s*([A-Za-z]*)(?:-([A-Za-z]{3}))?", text)
    if isinstance(alias, bool) or not text or found is None or found[1].strip("0") == "" != found[1]:
        raise unknown
    number, unit = int(found[1] or 1), LEGACY.get(found[2], found[2])
    anchor = (found[3] or "").upper()
    if not unit and not anchor:
        return Frequency(str(number))
    if unit == "W" and (anchor or "SUN") in WEEKDAYS:
        return Frequency(f"{_numbered(number, unit)}-{anchor or 'SUN'}")
    if unit in MONTHLY and MONTHLY[unit][0] > 1 and (not anchor or anchor in MONTHS):
        default = "DEC" if unit.endswith("E") else "JAN"
        return Frequency(f"{_numbered(number, unit)}-{anchor or default}")
    if anchor or unit not in {"B", *MONTHLY, *TICKS}:
        raise unknown
    return Frequency(_tick_alias(number * TICKS[unit]) if unit in TICKS else _numbered(number, unit))


def infer_frequency(series_of_stamps: Sequence[Stamps]) -> Frequency:
    """Find the one frequency of several series.

    Gaps are allowed: the frequency is the coarsest grid on which all stamps lie, as long as at least a fifth
    of all neighbouring stamps are one step apart.

    Parameters
    ----------
    series_of_stamps : sequence of ndarray (n,)
        Ascending stamps of each series: datetime64, or integers. Series of one stamp only have to fit in.

    Returns
    -------
    Frequency
        Its alias as pandas writes it; a step of integer time as a number.

    Raises
    ------
    DataError
        If no series has two stamps, or if the stamps are irregular; the sentence names those at fault.
    """
    lengths = np.array([len(stamps) for stamps in series_of_stamps], dtype=np.int64)
    return infer_flat(np.concatenate([*series_of_stamps]), np.concatenate([[0], np.cumsum(lengths)]))


def infer_flat(stamps: Stamps, indptr: Ints, ids: npt.NDArray[np.object_] | None = None) -> Frequency:
    """``infer_frequency`` for series that lie one after another.

    Parameters
    ----------
    stamps : ndarray (N,)
        Series s owns ``stamps[indptr[s]:indptr[s + 1]]``.
    indptr : ndarray of int64 (S + 1,)
        Where the series begin.
    ids : ndarray (S,), optional
        Names of the series, for messages.
    """
    inner = np.ones(len(stamps), dtype=bool)
    inner[indptr[:-1][np.diff(indptr) > 0]] = False  # the first of a series has no distance to the stamp before it
    later = np.flatnonzero(inner)
    if len(later) == 0:
        raise DataError(
            "No series has two stamps, so the frequency cannot be inferred; give it, for example --freq MS (freq='MS')."
        )
    frequency = _coarsest(stamps, later)
    # A grid that is so fine that hardly any of its steps is there fits anything.
    grid = frequency.grid
    if np.mean(np.diff(grid.split(stamps).ordinals)[later - 1] == grid.step) >= LEAST_COMPLETE:
        return frequency
    row = _odd_row(stamps, later)
    before, stamp = shown(stamps[row - 1]), shown(stamps[row])
    owner = "" if ids is None or len(ids) == 1 else f" of series {ids[np.searchsorted(indptr, row, 'right') - 1]!r}"
    raise DataError(
        f"The stamps{owner} are irregular: {stamp} comes after {before} and fits no common "
        "step; resample to a regular frequency, or give the one that they should have, such as --freq D (freq='D')."
    )


def _coarsest(stamps: Stamps, later: Ints) -> Frequency:
    """The coarsest frequency on which all stamps lie; ``later`` are the rows that have one before them."""
    if stamps.dtype.kind in "iu":
        return Frequency(str(_common_step(np.diff(stamps)[later - 1])))
    ns = nanoseconds(stamps)
    step = _common_step(np.diff(ns)[later - 1])
    if step % DAY:
        return Frequency(_tick_alias(step))
    unique = np.sort(np.unique(pd.unique(ns) // DAY))
    months = months_of(unique)
    for at in PLACES:  # months first, since their distances in days have no common step
        if (
            len(unique) > 1
            and np.array_equal(day_in_month(months, at), unique)
            and len(np.unique(months)) == len(months)
        ):
            numbers = MonthGrid(1, at).split(stamps).ordinals
            return _month_frequency(months, _common_step(np.diff(numbers)[later - 1]), at)
    day_of_week = weekdays(unique)
    if step % (7 * DAY) == 0 and np.all(day_of_week == day_of_week[0]):
        return Frequency(f"{_numbered(step // (7 * DAY), 'W')}-{WEEKDAYS[day_of_week[0]]}")
    if step == DAY and day_of_week.max() < 5 and _crosses_weekend(ns // DAY, later):
        return Frequency("B")
    return Frequency(_tick_alias(step))


def _common_step(distances: Ints) -> int:
    return int(np.gcd.reduce(pd.unique(distances)))


def _crosses_weekend(days: Ints, later: Ints) -> bool:
    before = days[later - 1]
    return bool(np.any(days[later] - before > 4 - weekdays(before)))


def _odd_row(stamps: Stamps, later: Ints) -> int:
    """The row that breaks the pattern: off the day of the month that the others keep, or at an unusual distance."""
    if stamps.dtype.kind == "M":
        days = nanoseconds(stamps) // DAY
        for at in PLACES:
            off = day_in_month(months_of(days), at) != days
            if np.mean(off[later]) < 0.2 and np.any(off[later]):
                return int(later[off[later].argmax()])
    distances = np.diff(stamps)[later - 1]
    values, counts = np.unique(distances, return_counts=True)
    odd = distances % values[counts.argmax()] != np.zeros(1, dtype=distances.dtype)
    return int(later[odd.argmax()])


def _month_frequency(months: Ints, step: int, at: MonthDay) -> Frequency:
    """Months, quarters or years with the anchor under which pandas knows them."""
    span = 12 if step % 12 == 0 else 3 if step == 3 else 1
    if np.any(months % span != months[0] % span):  # the series start in different months of the year
        span = 1
    unit = next(unit for unit, rule in MONTHLY.items() if rule == (span, at))
    if span == 1:
        return Frequency(_numbered(step, unit))
    phase = int(months[0] % span)
    anchor = MONTHS[phase] if at.endswith("start") or span == 12 else MONTHS[phase + 9]
    return Frequency(f"{_numbered(step // span, unit)}-{anchor}")


def shown(stamp: Any) -> str:
    """A stamp as people write it: without the time of day at midnight."""
    text = str(pd.Timestamp(stamp)) if isinstance(stamp, np.datetime64) else str(stamp)
    return text.removesuffix(" 00:00:00")
