"""Frequencies: what an alias such as ``MS`` means, and which one a set of stamps has.

Notation: S stamps, N stamps of all series together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import DataError
from forecast.series.aliases import (
    MONTHLY,
    MONTHS,
    WEEKDAYS,
    canonical,
    grid_of,
    in_words,
    numbered,
    tick_alias,
    usual_season,
)
from forecast.series.grid import (
    DAY,
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
    shown,
    weekdays,
)

LEAST_COMPLETE = 0.2  # share of neighbouring stamps that must be one step apart
SERIES_TO_SEARCH = 1_000  # for the one at fault
PLACES: tuple[MonthDay, ...] = ("start", "end", "business start", "business end")


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
        return grid_of(self.alias)

    @property
    def season_length(self) -> int:
        """The usual number of steps in a season: 12 for months, 24 for hours, 7 for days ...; 1 when there is none."""
        return usual_season(self.alias)

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
        return in_words(self.alias)


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
    return Frequency(canonical(alias))


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
    for stamps in series_of_stamps:
        back = np.flatnonzero(stamps[1:] <= stamps[:-1])
        if len(back):
            raise DataError(
                f"The stamp {shown(stamps[back[0] + 1])} comes after {shown(stamps[back[0]])}; "
                "sort the stamps of each series, and keep one of each."
            )
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
    if _is_complete(frequency, stamps, later):
        return frequency
    raise _irregular(stamps, indptr, np.arange(len(indptr) - 1).astype(object) if ids is None else ids)


def _is_complete(frequency: Frequency, stamps: Stamps, later: Ints) -> bool:
    """Whether enough of the steps are there; a grid that is fine enough fits anything."""
    grid = frequency.grid
    return bool(np.mean(np.diff(grid.split(stamps).ordinals)[later - 1] == grid.step) >= LEAST_COMPLETE)


def _irregular(stamps: Stamps, indptr: Ints, ids: npt.NDArray[np.object_]) -> DataError:
    """What is wrong: the first series that is irregular by itself, or the first two that differ."""
    day = _common_day(stamps)
    if day is not None:
        return DataError(
            f"The stamps lie on day {day} of their months, as {shown(stamps[0])}, which no frequency has; "
            "move them to the first day of the month."
        )
    regular: dict[str, Any] = {}
    for name, (begin, end) in zip(ids[:SERIES_TO_SEARCH], pairwise(indptr), strict=False):
        own, later = stamps[begin:end], np.arange(1, end - begin)
        if len(later) == 0:
            continue
        frequency = _coarsest(own, later)
        if not _is_complete(frequency, own, later):
            row = _odd_row(own, later)
            before, stamp = shown(own[row - 1]), shown(own[row])
            owner = f" of series {name!r}" if len(ids) > 1 else ""
            return DataError(
                f"The stamps{owner} are irregular: {stamp} comes after {before} and fits no common step; "
                "resample to a regular frequency, or give the one that they should have, such as --freq D (freq='D')."
            )
        regular.setdefault(frequency.describe(), name)
    kinds = " while ".join(f"{name!r} is {words}" for words, name in list(regular.items())[:2])
    return DataError(f"The series have no common frequency: {kinds}; put them into separate files, or resample them.")


def _common_day(stamps: Stamps) -> int | None:
    """The day of the month that all stamps share, if there are many and they do."""
    if stamps.dtype.kind != "M" or len(stamps) < 3:
        return None
    days = np.unique(nanoseconds(stamps) // DAY)
    of_month = days - day_in_month(months_of(days), "start") + 1
    return int(of_month[0]) if len(days) > 2 and np.all(of_month == of_month[0]) else None


def _coarsest(stamps: Stamps, later: Ints) -> Frequency:
    """The coarsest frequency on which all stamps lie; ``later`` are the rows that have one before them."""
    if stamps.dtype.kind in "iu":
        return Frequency(str(_common_step(np.diff(stamps)[later - 1])))
    ns = nanoseconds(stamps)
    step = _common_step(np.diff(ns)[later - 1])
    if step % DAY:
        return Frequency(tick_alias(step))
    unique = np.unique(pd.unique(ns) // DAY)
    months = months_of(unique)
    for at in PLACES:  # months first, since their distances in days have no common step
        if np.array_equal(day_in_month(months, at), unique):
            numbers = MonthGrid(1, at).split(stamps).ordinals
            return _month_frequency(months, _common_step(np.diff(numbers)[later - 1]), at)
    day_of_week = weekdays(unique)
    if step % (7 * DAY) == 0 and np.all(day_of_week == day_of_week[0]):
        return Frequency(f"{numbered(step // (7 * DAY), 'W')}-{WEEKDAYS[day_of_week[0]]}")
    if step == DAY and day_of_week.max() < 5 and _crosses_weekend(ns // DAY, later):
        return Frequency("B")
    return Frequency(tick_alias(step))


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
        return Frequency(numbered(step, unit))
    phase = int(months[0] % span)
    anchor = MONTHS[phase] if at.endswith("start") or span == 12 else MONTHS[phase + 9]
    return Frequency(f"{numbered(step // span, unit)}-{anchor}")
