"""Which season the networks are told."""

import numpy as np

from forecast.models.recurrent.defaults import LONGER, lag_error
from forecast.series.panel import Panel


def season_of(panel: Panel) -> int:
    """The panel's season, or the week of hourly and finer data where it repeats better than the day.

    That is judged on histories of three weeks at least, by the mean absolute difference at either lag.
    """
    day = panel.season_length
    week = LONGER.get(day)
    if week is None or int(np.median(panel.lengths)) < 3 * week:
        return day
    return min((week, day), key=lambda lag: lag_error(panel, lag))
