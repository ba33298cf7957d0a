"""Arithmetic of regular grids: stamps to whole numbers (ordinals) and back, for whole arrays at once.

A grid numbers its stamps so that neighbours differ by one; what an ordinal cannot hold (the time of day of
calendar grids) is the remainder. Notation: S stamps.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import DataError

Stamps = npt.NDArray[Any]  # datetime64[ns], or int64 for integer time
Ints = npt.NDArray[np.int64]
MonthDay = Literal["start", "end", "business start", "business end"]

DAY = 86_400_000_000_000  # nanoseconds
MANY = 10_000  # stamps; with fewer, looking for equal ones does not pay
LAST_DAY = 106_751  # days from 1970 that datetime64[ns] can hold, on either side


class Split(NamedTuple):
    """Stamps as whole numbers."""

    ordinals: Ints  # (S,)
    remainders: Ints  # (S,) nanoseconds after midnight, 0 where ordinals hold the time of day
    on_grid: npt.NDArray[np.bool_]  # (S,)


class Grid(ABC):
    """A numbering of stamps; a step of the frequency is ``step`` ordinals."""

    step: int

    @abstractmethod
    def split(self, stamps: Stamps) -> Split:
        """Number the stamps; the ordinal of a stamp off the grid means nothing."""

    @abstractmethod
    def join(self, ordinals: Ints, remainders: Ints) -> Stamps:
        """The inverse of ``split`` for stamps on the grid."""


@dataclass(frozen=True)
class IntegerGrid(Grid):
    """Integer time."""

    step: int

    def split(self, stamps: Stamps) -> Split:
        ordinals = np.asarray(stamps, dtype=np.int64)
        return Split(ordinals, np.zeros_like(ordinals), np.ones(ordinals.shape, dtype=bool))

    def join(self, ordinals: Ints, remainders: Ints) -> Stamps:
        return ordinals


@dataclass(frozen=True)
class TickGrid(Grid):
    """Steps of constant duration, numbered in nanoseconds; of whole weeks, on one day of the week."""

    step: int
    weekday: int | None = None  # Monday is 0

    def split(self, stamps: Stamps) -> Split:
        ordinals = nanoseconds(stamps)
        on_grid = np.ones(ordinals.shape, dtype=bool)
        if self.weekday is not None:
            on_grid = weekdays(ordinals // DAY) == self.weekday
        return Split(ordinals, np.zeros_like(ordinals), on_grid)

    def join(self, ordinals: Ints, remainders: Ints) -> Stamps:
        return ordinals.view("datetime64[ns]")


@dataclass(frozen=True)
class BusinessGrid(Grid):
    """Monday to Friday; holidays are gaps."""

    step: int

    def split(self, stamps: Stamps) -> Split:
        return Split(*once_each(self._split, nanoseconds(stamps)))

    def _split(self, ns: Ints) -> Split:
        days, remainders = np.divmod(ns, DAY)
        day_of_week = weekdays(days)
        return Split((days + 3) // 7 * 5 + np.minimum(day_of_week, 4), remainders, day_of_week < 5)

    def join(self, ordinals: Ints, remainders: Ints) -> Stamps:
        weeks, day_of_week = np.divmod(ordinals, 5)
        return stamps_of(weeks * 7 + day_of_week - 3, remainders)


@dataclass(frozen=True)
class MonthGrid(Grid):
    """One day of each month, numbered in months from January 1970."""

    step: int
    at: MonthDay
    cycle: int = 1  # 3 for quarters, 12 for years: only months with number % cycle == phase are on the grid
    phase: int = 0

    def split(self, stamps: Stamps) -> Split:
        return Split(*once_each(self._split, nanoseconds(stamps)))

    def _split(self, ns: Ints) -> Split:
        days, remainders = np.divmod(ns, DAY)
        months = months_of(days)
        on_grid = (day_in_month(months, self.at) == days) & (months % self.cycle == self.phase)
        return Split(months, remainders, on_grid)

    def join(self, ordinals: Ints, remainders: Ints) -> Stamps:
        (days,) = once_each(lambda months: (day_in_month(months, self.at),), ordinals)
        return stamps_of(days, remainders)


def once_each(function: Callable[[Ints], tuple[npt.NDArray[Any], ...]], numbers: Ints) -> list[npt.NDArray[Any]]:
    """An elementwise function, computed once for each different number: the series of a panel share their stamps."""
    if numbers.ndim != 1 or numbers.size < MANY:
        return list(function(numbers))
    codes, unique = pd.factorize(numbers)
    return [values[codes] for values in function(unique)]


def nanoseconds(stamps: Stamps) -> Ints:
    """Nanoseconds from 1970 as int64."""
    return np.asarray(stamps, dtype="datetime64[ns]").view(np.int64)


def stamps_of(days: Ints, remainders: Ints) -> Stamps:
    """Stamps from days since 1970 and nanoseconds after midnight."""
    check_range(days)
    return np.asarray(days * DAY + remainders).view("datetime64[ns]")


def check_range(days: npt.NDArray[Any]) -> None:
    """Refuse days that datetime64[ns] would silently wrap around."""
    if np.any(np.abs(days) > LAST_DAY):
        raise DataError(
            "The stamps leave the years 1678 to 2261 that nanosecond stamps can hold; "
            "use integer time (such as the year as a number) instead."
        )


def weekdays(days: Ints) -> Ints:
    """Day of the week of days since 1970; Monday is 0."""
    return np.asarray((days + 3) % 7)


def months_of(days: Ints) -> Ints:
    """Months since January 1970 of days since 1970."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def day_in_month(months: Ints, at: MonthDay) -> Ints:
    """Days since 1970 of the first or last (business) day of months since January 1970."""
    if at.endswith("start"):
        days = first_days(months)
        return days + np.array([0, 0, 0, 0, 0, 2, 1])[weekdays(days)] if at == "business start" else days
    days = first_days(months + 1) - 1
    return days - np.array([0, 0, 0, 0, 0, 1, 2])[weekdays(days)] if at == "business end" else days


def first_days(months: Ints) -> Ints:
    """Days since 1970 of the first day of months since January 1970."""
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def shown(stamp: Any) -> str:
    """A stamp as people write it: without the time of day at midnight."""
    text = str(pd.Timestamp(stamp)) if isinstance(stamp, np.datetime64) else str(stamp)
    return text.removesuffix(" 00:00:00")
