"""Which season the networks are told."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from forecast.models.recurrent.defaults import LONGER
from forecast.series.panel import Panel

SAMPLE = 50  # series that judge
WEEKDAYS = 7  # days that are forecast, each from what came before it


def season_of(panel: Panel, forecast: Callable[[int, Panel], npt.NDArray[np.float64]]) -> int:
    """The panel's season, or the week of hourly and finer data where the day is forecast better by it.

    Judged on the last seven days of series of three weeks and more.

    Parameters
    ----------
    panel : Panel
        Histories of S series.
    forecast : callable
        Points (S', h) of the next day of a panel of S' series, the networks being told a season.
    """
    day = panel.season_length
    week = LONGER.get(day)
    long = np.flatnonzero(panel.lengths >= 3 * week + WEEKDAYS * day) if week else np.array([], np.int64)
    if week is None or 2 * len(long) < len(panel):
        return day
    judges = panel.select(long[:: -(-len(long) // SAMPLE)])
    errors = dict.fromkeys((day, week), 0.0)
    for days in range(1, WEEKDAYS + 1):
        ends = judges.lengths - days * day
        steps = judges.indptr[:-1, None] + ends[:, None] + np.arange(day)
        truth, scale = judges.y[steps], _spreads(judges)
        for season in errors:
            wrong = np.abs(truth - forecast(season, judges.head(ends))) / scale[:, None]
            errors[season] += float(np.nansum(wrong))
    return min(errors, key=errors.__getitem__)


def _spreads(panel: Panel) -> npt.NDArray[np.float64]:
    """(S,) standard deviation of each series, 1 where it is constant."""
    found = np.array([np.nanstd(panel.series(s)) for s in range(len(panel))])
    return np.where(found > 0, found, 1.0)
