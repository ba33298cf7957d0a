"""Time zones: on the way in, stamps lose theirs; sub-daily ones are counted in UTC, daily and coarser ones by the local
calendar (``Panel.outward`` is the way back)."""

import difflib
import zoneinfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import DataError, ParameterError
from forecast.series.frequency import Frequency
from forecast.series.grid import DAY, Ints, Stamps, nanoseconds
from forecast.series.stamps import Times
from forecast.series.table import Source


def check_zone(tz: str | None) -> None:
    """Refuse a time zone that does not exist."""
    if tz is None:
        return
    try:
        pd.DatetimeIndex([]).tz_localize(tz)
    except (KeyError, ValueError, TypeError, OSError):  # which of them depends on the version of pandas
        close = difflib.get_close_matches(str(tz), zoneinfo.available_timezones(), n=1)
        raise ParameterError(
            f"The time zone {tz!r} is not known; give a name such as {close[0] if close else 'Europe/Paris'!r}."
        ) from None


def settle(
    times: Times, codes: Ints, tz: str | None, frequency: Frequency | None, source: Source
) -> tuple[Stamps, str | None, tuple[str, ...]]:
    """Stamps as a panel holds them, the zone to give back, and what to say.

    Parameters
    ----------
    times : Times
        n stamps as they were read.
    codes : ndarray of int (n,)
        The series of each stamp.
    tz : str, optional
        The zone that the caller gave; otherwise the stamps' own.
    frequency : Frequency, optional
        If given, it decides between hours and calendar; otherwise stamps at the same time of day are calendar days.
    source : Source
        Where the rows stand, for messages.
    """
    zone = tz or times.zone
    if times.stamps.dtype.kind == "i":
        if tz is not None:
            raise DataError(
                f"The time of {source.label} is whole numbers, which are in no time zone; leave out --tz (tz=)."
            )
        return times.stamps, None, ()
    if zone is None:
        return times.stamps, None, ()
    check_zone(zone)
    wall = times.stamps.copy()
    wall[times.aware] = _local(times.stamps[times.aware], zone)
    wall = _back_to_midnight(wall, codes, zone)
    if frequency.is_wall_clock if frequency is not None else _same_time_of_day(wall, codes).all():
        return wall, zone, ()
    naive = np.flatnonzero(~times.aware)
    universal = times.stamps.copy()
    universal[naive], notes = _universal(wall[naive], codes[naive], naive, zone, source)
    return universal, zone, notes


def _local(universal: Stamps, zone: str) -> Stamps:
    index = pd.DatetimeIndex(universal).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    return index.as_unit("ns").to_numpy()


def _same_time_of_day(wall: Stamps, codes: Ints) -> npt.NDArray[np.bool_]:
    """(n,) whether a stamp has the time of day of the first row of its series."""
    first = np.zeros(codes.max() + 1, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    clock = nanoseconds(wall) % DAY
    return np.asarray(clock == clock[first[codes]])


def _back_to_midnight(wall: Stamps, codes: Ints, zone: str) -> Stamps:
    """Undo the shift of midnights that a change of clocks skips: they come as 01:00, but mean the day."""
    odd = np.flatnonzero(~_same_time_of_day(wall, codes))
    midnights = wall[odd].astype("datetime64[D]").astype("datetime64[ns]")
    skipped = pd.DatetimeIndex(midnights).tz_localize(zone, ambiguous=True, nonexistent="NaT").isna()
    shown = pd.DatetimeIndex(midnights).tz_localize(zone, ambiguous=True, nonexistent="shift_forward").tz_localize(None)
    moved = skipped & (shown == pd.DatetimeIndex(wall[odd]))
    wall[odd[moved]] = midnights[moved]
    return wall


def _universal(wall: Stamps, codes: Ints, rows: Ints, zone: str, source: Source) -> tuple[Stamps, tuple[str, ...]]:
    """Local times in UTC; of the two equal hours in autumn, the one that comes first in the rows is the earlier."""
    index = pd.DatetimeIndex(wall)
    skipped = index.tz_localize(zone, ambiguous=True, nonexistent="NaT").isna()
    if skipped.any():
        row = int(skipped.argmax())
        raise DataError(
            f"The stamp {index[row]} in {source.row(int(rows[row]))} does not exist in {zone}, where clocks were set "
            "forward; give with --tz (tz=) the zone in which the stamps were taken, for example UTC."
        )
    twice = np.flatnonzero(index.tz_localize(zone, ambiguous="NaT").isna())
    earlier = np.ones(len(wall), dtype=bool)
    pairs = pd.DataFrame({"code": codes[twice], "stamp": wall[twice]})
    earlier[twice] = pairs.groupby(["code", "stamp"]).cumcount().to_numpy() == 0
    universal = index.tz_localize(zone, ambiguous=earlier).tz_convert("UTC").tz_localize(None).as_unit("ns").to_numpy()
    note = f"{len(twice)} local times that {zone} has twice were told apart by their order."
    return universal, (note,) if len(twice) else ()
