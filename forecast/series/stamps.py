"""Time columns of any spelling as stamps: ISO, quarters, weeks, slashed dates, month names, numbers.

Notation: n rows, U different texts among them.
"""

import re
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import DataError
from forecast.series.grid import Ints, Stamps, shown, stamps_of
from forecast.series.numbers import MISSING, factorized, is_texts
from forecast.series.table import Source

FIX = "write it like 2024-01-31 or 2024-01-31 13:00, within the years 1678 to 2261"
UNIX_1990, UNIX_2100 = 631_152_000, 4_102_444_800  # seconds since 1970
OFFSET = re.compile(r"(?:\d[ ]?(Z|UTC|GMT)|:\d{2}(?:[.,]\d+)?[ ]?([+-]\d{2}(?::?\d{2})?))$", re.IGNORECASE)
QUARTER = re.compile(r"(?P<year>\d{4})[ \-/_.:]*Q(?P<quarter>[1-4])|Q(?P<quarter2>[1-4])[ \-/]*(?P<year2>\d{4})", re.I)
MONTH = re.compile(r"(?P<year>\d{4})[ \-/.]*M?(?P<month>\d{1,2})|(?P<month2>\d{1,2})[/.\-](?P<year2>\d{4})", re.I)
WEEK = re.compile(r"(?P<year>\d{4})[ \-/]*W(?P<week>\d{1,2})", re.I)
SLASHED = re.compile(r"(\d{1,4})([/.-])(\d{1,2})[/.-](\d{1,4})(?:[ T,]+(.+))?")
CLOCK_12 = re.compile(r"(\d{1,2})(:\d{2}(?::\d{2})?)[ ]?([AP])\.?M\.?", re.I)
NAMED_MONTHS = (
    "%Y %b", "%b %Y", "%b-%Y", "%Y-%b", "%b-%y", "%b %y", "%Y %B", "%B %Y", "%B-%Y",
    "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d %B %Y", "%b %d %Y", "%b %d, %Y", "%B %d %Y", "%B %d, %Y", "%Y-%b-%d",
)  # fmt: skip


class Times(NamedTuple):
    """A column read as stamps."""

    stamps: Stamps  # (n,) int64 for integer time; datetime64[ns] in UTC where aware, of the local clock elsewhere
    aware: npt.NDArray[np.bool_]  # (n,) whether the stamp came with a time zone
    zone: str | None  # the one zone of all aware stamps
    notes: tuple[str, ...] = ()


class Reading(NamedTuple):
    """What one way of reading made of the texts."""

    stamps: Stamps  # (U,) NaT where it could not
    note: str | None = None


def read_times(column: "pd.Series[Any]", name: str, source: Source, tz: str | None) -> Times:
    """Read a whole column as stamps; refuse the first that cannot be read, by its row and value.

    Parameters
    ----------
    column : Series (n,)
        Dates, periods, texts or numbers.
    name : str
        Of the column, for messages.
    source : Source
        Where the rows stand, for messages.
    tz : str, optional
        The zone that the caller gave, which allows stamps of several offsets.

    Raises
    ------
    DataError
        If a stamp is missing or cannot be read, or if time zones are mixed and ``tz`` is not given.
    """
    missing = column.isna().to_numpy(dtype=bool)
    if missing.any():
        raise _no_stamp(name, source, int(missing.argmax()))
    dtype = column.dtype
    if isinstance(dtype, pd.PeriodDtype):
        return _plain(pd.DatetimeIndex(column.dt.to_timestamp()))
    if isinstance(dtype, pd.DatetimeTZDtype):
        index = pd.DatetimeIndex(column)
        zone = getattr(dtype.tz, "key", None) or getattr(dtype.tz, "zone", None) or str(dtype.tz)
        return Times(_ns(index.tz_convert("UTC").tz_localize(None)), np.ones(len(index), dtype=bool), zone)
    if pd.api.types.is_datetime64_dtype(dtype):
        return _plain(pd.DatetimeIndex(column))
    if pd.api.types.is_numeric_dtype(dtype):
        return _read_numbers(column, name, source)
    if is_texts(column):
        return _read_texts(column, name, source, tz)
    raise DataError(f"Column {name!r} of {source.label} is of type {dtype}, which is no time; {FIX}.")


def readable_share(texts: list[str]) -> float:
    """The share of some texts that can be read as stamps."""
    return float(np.mean(~np.isnat(_best_reading(texts).stamps))) if texts else 0.0


def _no_stamp(name: str, source: Source, row: int) -> DataError:
    return DataError(f"Column {name!r} has no time stamp in {source.row(row)}; fill it in or remove the row.")


def _plain(index: pd.DatetimeIndex) -> Times:
    return Times(_ns(index), np.zeros(len(index), dtype=bool), None)


def _ns(index: pd.DatetimeIndex) -> Stamps:
    try:
        return index.as_unit("ns").to_numpy()
    except pd.errors.OutOfBoundsDatetime:
        outside = index[(index.year < 1678) | (index.year > 2261)]
        raise DataError(
            f"The stamp {outside[0]} is out of reach; use the years 1678 to 2261, or the year as a number."
        ) from None


# ------------------------------------------------------------------------------------------------- numbers


def _read_numbers(column: "pd.Series[Any]", name: str, source: Source) -> Times:
    if pd.api.types.is_integer_dtype(column.dtype):
        numbers = column.to_numpy(dtype=np.int64)
    else:
        values = column.to_numpy(dtype=np.float64)
        broken = ~((values == np.floor(values)) & (np.abs(values) < 2**53))
        if broken.any():
            row = int(broken.argmax())
            raise DataError(
                f"Column {name!r} has the time {values[row]:g} in {source.row(row)}; "
                "integer time must be whole numbers, and dates must be written like 2024-01-31."
            )
        numbers = values.astype(np.int64)
    stamps, zone = _digits_as_days(numbers), None
    if stamps is None:
        stamps, zone = _digits_as_seconds(numbers), "UTC"
    if stamps is None:
        return Times(numbers, np.zeros(len(numbers), dtype=bool), None)
    example = f"{numbers[0]} is {shown(stamps[0])}" + (f" {zone}" if zone else "")
    note = f"The numbers in column {name!r} are read as dates: {example}."
    return Times(stamps, np.full(len(stamps), zone is not None), zone, (note,))


def _digits_as_seconds(numbers: Ints) -> Stamps | None:
    """Stamps from seconds, milli-, micro- or nanoseconds since 1970, if all lie in the years 1990 to 2100."""
    for unit, factor in (("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)):
        if numbers.min() >= UNIX_1990 * factor and numbers.max() < UNIX_2100 * factor:
            return numbers.astype(f"datetime64[{unit}]").astype("datetime64[ns]")
    return None


def _digits_as_days(numbers: Ints) -> Stamps | None:
    """Dates from numbers such as 20240131 or 202401, if all of them are; None for plain integer time."""
    low, high = numbers.min(), numbers.max()
    if low > 18_000_000 and high < 22_000_000:
        months, day = np.divmod(numbers, 100)
    elif low > 180_000 and high < 220_000:
        months, day = numbers, np.ones_like(numbers)
    else:
        return None
    year, month = np.divmod(months, 100)
    first = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = first.astype("datetime64[D]") + (day - 1)
    same_month = days.astype("datetime64[M]") == first
    are_dates = np.all((month >= 1) & (month <= 12) & (day >= 1) & same_month)
    return days.astype("datetime64[ns]") if are_dates else None


def combine_parts(parts: dict[str, Ints]) -> Times:
    """Stamps from columns of whole numbers: year with quarter, or with month, or with month and day."""
    month = (parts["quarter"] - 1) * 3 + 1 if "quarter" in parts else parts["month"]
    first = ((parts["year"] - 1970) * 12 + month - 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    stamps = stamps_of(first + parts.get("day", np.ones_like(month)) - 1, np.zeros_like(first))
    return Times(stamps, np.zeros(len(stamps), dtype=bool), None)


# --------------------------------------------------------------------------------------------------- texts


def _read_texts(column: "pd.Series[Any]", name: str, source: Source, tz: str | None) -> Times:
    codes, unique = factorized(column)
    texts = [text.strip() for text in unique]
    blank = np.array([text in MISSING for text in texts])[codes]
    if blank.any():
        raise _no_stamp(name, source, int(blank.argmax()))
    reading = _best_reading(texts)
    unread = np.isnat(reading.stamps)[codes]
    if unread.any():
        row = int(unread.argmax())
        value = texts[codes[row]]
        raise DataError(f"Column {name!r} has {value!r} in {source.row(row)}, which is no time; {FIX}.")
    offsets = _offsets(texts)
    zone = _one_zone(offsets, texts, name, tz)
    aware = np.array([offset is not None for offset in offsets])
    notes = () if reading.note is None else (f"Column {name!r}: {reading.note}",)
    return Times(reading.stamps[codes], aware[codes], zone, notes)


def _offsets(texts: list[str]) -> list[str | None]:
    """The offset from UTC at the end of each text: ``+01:00``, ``UTC``, or None."""
    found = [OFFSET.search(text) for text in texts]
    return [None if match is None else _offset(match[2]) for match in found]


def _offset(digits: str | None) -> str:
    if digits is None or digits.strip("+-0:") == "":
        return "UTC"
    return f"{digits[:3]}:{digits[3:].lstrip(':') or '00'}"


def _one_zone(offsets: list[str | None], texts: list[str], name: str, tz: str | None) -> str | None:
    kinds = sorted({offset or "" for offset in offsets})
    if len(kinds) == 1 or tz is not None:
        return f"UTC{kinds[0]}" if kinds[0][:1] in {"+", "-"} else kinds[0] or None
    first, second = (texts[next(i for i, offset in enumerate(offsets) if (offset or "") == kind)] for kind in kinds[:2])
    raise DataError(
        f"Column {name!r} mixes time zones, as in {first!r} and {second!r}; "
        "name the zone that they should be in, such as --tz Europe/Paris (tz='Europe/Paris')."
    )


def _best_reading(texts: list[str]) -> Reading:
    """The way of reading that understands most of the texts; the first of them if several do."""
    best = _iso(texts)
    for read in (_calendar_units, _slashed, _named_months):
        if not np.isnat(best.stamps).any():
            return best
        best = min(best, read(texts), key=lambda reading: int(np.isnat(reading.stamps).sum()))
    return best


def _iso(texts: list[str]) -> Reading:
    trimmed = np.array([re.sub(r"[ ]?(UTC|GMT)$", "Z", text, flags=re.I) for text in texts], dtype=object)
    aware = np.array([OFFSET.search(text) is not None for text in texts])
    stamps = np.full(len(texts), np.datetime64("NaT"), dtype="datetime64[ns]")
    for kind in (aware, ~aware):  # apart, because pandas 2 gives stamps without an offset that of the one before
        stamps[kind] = _coerced(trimmed[kind].tolist(), "ISO8601")
    return Reading(stamps)


def _coerced(texts: list[str], pattern: str) -> Stamps:
    index = pd.to_datetime(pd.Index(texts, dtype=object), format=pattern, errors="coerce", utc=True).tz_localize(None)
    inside = (index.year >= 1678) & (index.year <= 2261)
    return pd.DatetimeIndex(index.where(inside)).as_unit("ns").to_numpy()


def _calendar_units(texts: list[str]) -> Reading:
    """Quarters (1970 Q1), months (1962M01, 3/1962) and ISO weeks (2020-W05, its Monday)."""
    return Reading(np.array([_calendar_unit(text) for text in texts], dtype="datetime64[ns]"))


def _calendar_unit(text: str) -> np.datetime64:
    for pattern in (QUARTER, MONTH, WEEK):
        found = pattern.fullmatch(text)
        if found is None:
            continue
        parts = {key.rstrip("2"): int(value) for key, value in found.groupdict().items() if value is not None}
        if "week" in parts:
            fourth = np.datetime64(f"{parts['year']}-01-04", "D")  # always in the first ISO week
            monday = fourth - (fourth.astype(np.int64) + 3) % 7
            return monday + 7 * (parts["week"] - 1) if 1 <= parts["week"] <= 53 else np.datetime64("NaT")
        month = parts["month"] if "month" in parts else parts["quarter"] * 3 - 2
        return np.datetime64(f"{parts['year']}-{month:02}", "D") if 1 <= month <= 12 else np.datetime64("NaT")
    return np.datetime64("NaT")


def _slashed(texts: list[str]) -> Reading:
    """Dates such as 1/31/1981 or 31.1.81 10:30; one order of day and month for all of them."""
    found = [SLASHED.fullmatch(text) for text in texts]
    orders = {"day": _ordered(found, 1, 3), "month": _ordered(found, 3, 1)}
    unread = {order: int(np.isnat(stamps).sum()) for order, stamps in orders.items()}
    if unread["day"] != unread["month"] or np.array_equal(orders["day"], orders["month"], equal_nan=True):
        return Reading(orders[min(unread, key=lambda order: unread[order])])
    # Ambiguous: take the order in which the dates run forward; failing that, the custom of the separator.
    dotted = any(match is not None and match[2] == "." for match in found)
    falls = {
        order: (int((np.diff(orders[order]) < np.timedelta64(0)).sum()), dotted != (order == "day")) for order in orders
    }
    chosen = min(falls, key=lambda order: falls[order])
    example = next(text for text, match in zip(texts, found, strict=True) if match is not None and match[1] != match[3])
    stamp = orders[chosen][texts.index(example)]
    return Reading(orders[chosen], f"dates are read {chosen} first: {example!r} is {str(stamp)[:10]}.")


def _ordered(found: "list[re.Match[str] | None]", day: int, month: int) -> Stamps:
    """Stamps with the day and the month in the given groups; NaT where that makes no date."""

    def iso(match: "re.Match[str] | None") -> str:
        if match is None:
            return ""
        if len(match[1]) == 4:
            date = f"{match[1]}-{match[3]:0>2}-{match[4]:0>2}"
        else:
            date = f"{_full_year(match[4])}-{match[month]:0>2}-{match[day]:0>2}"
        return f"{date} {_clock(match[5])}" if match[5] else date

    return _coerced([iso(match) for match in found], "ISO8601")


def _full_year(digits: str) -> str:
    """1969 to 2068 for two digits, as POSIX has it."""
    return digits if len(digits) != 2 else f"{'19' if digits >= '69' else '20'}{digits}"


def _clock(text: str) -> str:
    """A time of day on 24 hours."""
    found = CLOCK_12.fullmatch(text.strip())
    if found is None:
        return text
    return f"{int(found[1]) % 12 + (12 if found[3].upper() == 'P' else 0):02}{found[2]}"


def _named_months(texts: list[str]) -> Reading:
    """Dates with English names of months, in the one format that fits most of them."""
    if not any(re.search(r"[A-Za-z]{3}", text) for text in texts):
        return Reading(np.full(len(texts), np.datetime64("NaT"), dtype="datetime64[ns]"))
    formats = [date + clock for clock in ("", " %H:%M", " %H:%M:%S") for date in NAMED_MONTHS]
    sample = texts[:50]
    chosen = min(formats, key=lambda pattern: int(np.isnat(_coerced(sample, pattern)).sum()))
    note = "two-digit years are read as 1969 to 2068." if "%y" in chosen else None
    return Reading(_coerced(texts, chosen), note)
