"""Aliases of frequencies as text: which there are, what they mean, how they are said in words."""

import re
from functools import lru_cache

from forecast.errors import ParameterError
from forecast.series.grid import DAY, BusinessGrid, Grid, IntegerGrid, MonthDay, MonthGrid, TickGrid

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

WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WORDS = {
    "D": "daily", "B": "business-daily", "W": "weekly", "M": "monthly", "Q": "quarterly", "Y": "yearly",
    "h": "hourly",
}  # fmt: skip
PLURALS = {
    "D": "days", "B": "business days", "W": "weeks", "M": "months", "Q": "quarters", "Y": "years", "h": "hours",
    "min": "minutes", "s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds",
}  # fmt: skip


def canonical(alias: str | int) -> str:
    """The alias in full: ``W`` -> ``W-SUN``, ``60min`` -> ``h``, ``M`` -> ``ME``; refuses what is none."""
    unknown = ParameterError(f"The frequency {alias!r} is not known; give a pandas alias: {GOOD_ALIASES}.")
    text = str(alias).strip()
    found = re.fullmatch(r"(\d*)\s*([A-Za-z]*)(?:-([A-Za-z]{3}))?", text)
    if isinstance(alias, bool) or not text or found is None or found[1].strip("0") == "" != found[1]:
        raise unknown
    number, unit = int(found[1] or 1), LEGACY.get(found[2], found[2])
    anchor = (found[3] or "").upper()
    if not unit and not anchor:
        return str(number)
    if unit == "W" and (anchor or "SUN") in WEEKDAYS:
        return f"{numbered(number, unit)}-{anchor or 'SUN'}"
    if unit in MONTHLY and MONTHLY[unit][0] > 1 and (not anchor or anchor in MONTHS):
        default = "DEC" if unit.endswith("E") else "JAN"
        return f"{numbered(number, unit)}-{anchor or default}"
    if anchor or unit not in {"B", *MONTHLY, *TICKS}:
        raise unknown
    return tick_alias(number * TICKS[unit]) if unit in TICKS else numbered(number, unit)


def parts(alias: str) -> tuple[int, str, str]:
    """Number, unit and anchor of a canonical alias: ``2QS-JAN`` -> (2, "QS", "JAN"), ``1`` -> (1, "", "")."""
    found = re.fullmatch(r"(\d*)([A-Za-z]*)-?([A-Z]*)", alias)
    if found is None:
        raise ParameterError(f"The frequency {alias!r} is not known; give a pandas alias: {GOOD_ALIASES}.")
    return int(found[1] or 1), found[2], found[3]


def numbered(number: int, unit: str) -> str:
    """``2`` and ``MS`` -> ``2MS``; ``1`` and ``MS`` -> ``MS``."""
    return unit if number == 1 else f"{number}{unit}"


def tick_alias(step: int) -> str:
    """The alias of a constant step in its largest unit: 3,600,000,000,000 -> ``h``."""
    unit = next(unit for unit, size in TICKS.items() if step % size == 0)
    return numbered(step // TICKS[unit], unit)


@lru_cache(maxsize=256)
def grid_of(alias: str) -> Grid:
    """The arithmetic of a canonical alias."""
    number, unit, anchor = parts(alias)
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


def usual_season(alias: str) -> int:
    """The usual number of steps in a season of a canonical alias; 1 when there is none."""
    number, unit, _ = parts(alias)
    if not unit:
        return 1
    if unit in MONTHLY:
        return _whole_ratio(12, number * MONTHLY[unit][0])
    if unit in TICKS and unit != "D":
        step = number * TICKS[unit]
        if step >= TICKS["min"]:
            return _whole_ratio(DAY, step)
        return _whole_ratio(TICKS["h"], step) if step >= TICKS["s"] else 1
    return _whole_ratio({"D": 7, "B": 5, "W": 52}[unit], number)


def _whole_ratio(season: int, step: int) -> int:
    return season // step if season % step == 0 else 1


def in_words(alias: str) -> str:
    """A canonical alias in words: ``monthly (MS)``, ``every 30 minutes (30min)``."""
    number, unit, _ = parts(alias)
    if not unit:
        return "integer time" if number == 1 else f"integer time in steps of {number}"
    key = unit if unit in PLURALS else unit.removeprefix("B")[0]
    if number == 1 and key in WORDS:
        return f"{WORDS[key]} ({alias})"
    step = PLURALS[key].removesuffix("s") if number == 1 else f"{number} {PLURALS[key]}"
    return f"every {step} ({alias})"
