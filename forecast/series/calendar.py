"""Covariates that the stamps tell by themselves: the place in the year, week and day, and public holidays.

Notation: n stamps.
"""

import importlib.util
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import ParameterError
from forecast.series.frequency import Frequency
from forecast.series.grid import DAY, BusinessGrid, TickGrid
from forecast.series.panel import Panel, Stamps
from forecast.series.roles import CYCLES, FLAGS, Declared

Floats = npt.NDArray[np.float64]
_OF_A_DAY = ("hour", "minute")
_OF_DAYS = ("dayofmonth", "dayofweek", "weekend")


def check_calendar(declared: Declared, frequency: Frequency) -> None:
    """Refuse features that the frequency cannot have, such as the hour of a month.

    Raises
    ------
    ParameterError
        With the feature and the frequency.
    """
    asked = declared.calendar + (("holidays",) if declared.holidays else ())
    if frequency.is_integer and asked:
        raise ParameterError(f"The time is whole numbers, which have no calendar; leave out {asked[0]!r}.")
    for name in asked:
        fine = not frequency.is_wall_clock if name in _OF_A_DAY else _is_daily(frequency)
        if not fine and name in (*_OF_A_DAY, *_OF_DAYS, "holidays"):
            raise ParameterError(
                f"The calendar feature {name!r} says nothing of data that are {frequency.describe()}; leave it out."
            )


def _is_daily(frequency: Frequency) -> bool:
    """Whether a step is a day or shorter."""
    grid = frequency.grid
    return isinstance(grid, BusinessGrid) or (isinstance(grid, TickGrid) and grid.step <= DAY)


def computed(panel: Panel, stamps: Stamps) -> dict[str, Floats]:
    """Values (n,) of every covariate in ``panel.declared.computed`` at stamps (n,) of the panel's grid.

    A cycle becomes a sine and a cosine, so that its end meets its beginning; days are those of the caller's time zone.
    """
    declared = panel.declared
    if not declared.computed:
        return {}
    index = pd.DatetimeIndex(panel.outward(stamps))
    values: list[Floats] = []
    for name in (one for one in declared.calendar if one in CYCLES):
        angle = 2 * np.pi * _share(name, index)
        values += [np.sin(angle), np.cos(angle)]
    values += [_floats(index.day_of_week) // 5 for name in declared.calendar if name in FLAGS]
    values += [_holidays(place, index) for place in declared.holidays]
    return {name: one for name, one in zip(declared.computed, values, strict=True)}


def _share(name: str, index: pd.DatetimeIndex) -> Floats:
    """How much of its cycle has passed at each stamp, in [0, 1)."""
    if name == "month":
        return (_floats(index.month) - 1) / 12
    if name == "quarter":
        return (_floats(index.quarter) - 1) / 4
    if name == "dayofyear":
        return (_floats(index.day_of_year) - 1) / 366
    if name == "dayofmonth":
        return (_floats(index.day) - 1) / _floats(index.days_in_month)
    if name == "dayofweek":
        return _floats(index.day_of_week) / 7
    if name == "hour":
        return (_floats(index.hour) + _floats(index.minute) / 60) / 24
    return _floats(index.minute) / 60


def _floats(values: "pd.Index[Any]") -> Floats:
    return values.to_numpy(dtype=np.float64)


def _holidays(place: str, index: pd.DatetimeIndex) -> Floats:
    """1 on the public holidays of a country, or of one of its subdivisions, else 0."""
    if importlib.util.find_spec("holidays") is None:
        raise ParameterError(
            'Public holidays need the package holidays; install it with: pip install "gatecast[holidays]".'
        )
    import holidays

    country, _, subdivision = place.partition("-")
    years = range(int(index.year.min()), int(index.year.max()) + 1)
    try:
        dates = holidays.country_holidays(country, subdiv=subdivision or None, years=years)
    except NotImplementedError:
        raise ParameterError(
            f"The holidays of {place!r} are not known; give a country by its ISO code such as AT, or with a "
            "subdivision as DE-BY."
        ) from None
    days = index.tz_localize(None).normalize()
    return np.asarray(days.isin(pd.DatetimeIndex(list(dates))), dtype=np.float64)
