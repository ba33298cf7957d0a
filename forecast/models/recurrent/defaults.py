"""What an LSTM does when it is not told: season, patches, context, transform, by the data at hand.

Measured on validation windows cut from the training parts of the competitions M1 and M4 and of hospital counts
(``benchmarks/accuracy``); frequencies that are not among them follow the same pattern: a patch is a season or a natural
part of it.
"""

from typing import NamedTuple

import numpy as np

from forecast.series.panel import Panel

# season -> patch length, number of patches
_PATCHES = {1: (6, 3), 4: (4, 6), 5: (5, 6), 7: (7, 6), 12: (12, 3), 24: (24, 7), 48: (48, 7), 52: (13, 8),
            96: (48, 14), 168: (24, 14), 336: (48, 14), 672: (96, 14)}  # fmt: skip
LONGER = {24: 168, 48: 336, 96: 672}  # the week beside the day
_WEEKLY, _COARSER = 52, (1, 4, 12)  # seasons
_MANY = 50  # series from which a network learns by itself how far to trust the season
_CONTEXTS = 2  # in the longest history at least: a network that seldom sees a full one forecasts badly from it


class Patching(NamedTuple):
    """How a context is cut."""

    patch: int
    patches: int


class Size(NamedTuple):
    """How large a network, and how long it learns."""

    hidden: int
    layers: int
    batch: int
    steps: int


_SIZES = (
    (2_000, Size(32, 1, 32, 500)),
    (20_000, Size(64, 2, 64, 800)),
    (100_000, Size(64, 2, 128, 800)),
    (500_000, Size(128, 2, 128, 4_000)),
    (float("inf"), Size(128, 2, 256, 8_000)),
)


def choose_size(windows: int) -> Size:
    """Units, layers, windows a step and steps by the number of windows that there are to learn from."""
    return next(size for limit, size in _SIZES if windows < limit)


def choose_season(panel: Panel, horizon: int) -> int:
    """Season of the seasonal-naive forecast that the network corrects, or 0 when the last value is a better start.

    Compares, over the history, the mean absolute error of repeating the value of one season ago (the panel's season,
    and the week for hourly and finer data) with that of repeating the last value over the horizon. With many series
    there is always a season: the network learns when to lean on it, and forecasts better with it than without.
    """
    seasons = [panel.season_length, LONGER.get(panel.season_length, 0)]
    longest = int(panel.lengths.max())
    usable = [s for s in seasons if s > 1 and longest >= 3 * s + horizon]
    if not usable:
        short = panel.season_length
        return short if short > 1 and longest >= 2 * short + 1 else 0
    leads = np.unique(np.linspace(1, horizon, min(horizon, 12)).astype(int))

    def error(season: int) -> float:
        lags = [season * -(-int(lead) // season) for lead in leads]
        return float(np.mean([_lag_error(panel, lag) for lag in lags]))

    best = min(usable, key=error)
    return best if len(panel) >= _MANY or error(best) < error(1) else 0


def _lag_error(panel: Panel, lag: int) -> float:
    """Mean over series of the mean |y[t] - y[t - lag]|, in units of each series' standard deviation."""
    errors = []
    for s in range(0, len(panel), max(1, len(panel) // 500)):  # a sample is enough to choose a season
        y = panel.series(s)
        if len(y) > lag:
            difference = np.abs(y[lag:] - y[:-lag])
            spread = np.nanstd(y) if np.isfinite(y).any() else 0.0
            if spread > 0 and np.isfinite(difference).any():
                errors.append(float(np.nanmean(difference) / spread))
    return float(np.mean(errors)) if errors else np.inf


def choose_patching(season: int, longest: int, horizon: int) -> Patching:
    """Patch length and number for a season (0 or 1 for none), at most half of the history that can be learned."""
    patch, count = _PATCHES.get(max(season, 1), (0, 0))
    if not patch:
        patch = max(p for p in range(1, min(season, 48) + 1) if season % p == 0)
        count = 3 * season // patch
    most = max(1, (longest - horizon) // (_CONTEXTS * patch))
    return Patching(patch, min(count, most))


def choose_transform(panel: Panel) -> str:
    """Which series are modelled in logarithms; see the field ``transform``.

    Growth multiplies: weekly and coarser data are better forecast in logarithms. Of many series, where a network has
    seen growth anyway, only calm ones, but for weekly data.
    """
    season = panel.season_length
    if season not in (_WEEKLY, *_COARSER):
        return "none"
    return "log" if season == _WEEKLY or len(panel) < _MANY else "calm"


def choose_unit(panel: Panel) -> str:
    """What a window is measured in; see the field ``unit``.

    In differences, errors weigh as MASE weighs them, and a trend does not make a window look calm: better on the
    validation windows of M4's and M1's yearly, quarterly and monthly sets, worse on the weekly and the hourly one. Of
    few series it is better on some and worse on others.
    """
    return "difference" if panel.season_length in _COARSER and len(panel) >= _MANY else "deviation"
