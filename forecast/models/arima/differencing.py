"""How often to difference a series: tests on its level and on the strength of its season."""

import numpy as np
import numpy.typing as npt

from forecast.models.arima.decomposition import stl
from forecast.models.arima.sample import difference, filled, trimmed

Floats = npt.NDArray[np.float64]

STRONG_SEASON = 0.64  # chosen by Hyndman and colleagues to minimise the MASE of ARIMA forecasts
KPSS_CRITICAL = 0.463  # 5 % point of the level statistic, Kwiatkowski et al. (1992), table 1


def choose_differencing(
    y: Floats, season_length: int, *, d: int | None = None, D: int | None = None, max_d: int = 2, max_D: int = 1
) -> tuple[int, int]:
    """Numbers of first and of seasonal differences, those given being kept.

    Seasonal differences are taken while the season is strong, then first differences while KPSS rejects a constant
    level at 5 %; neither goes on once the series is constant. These are the rules of ``nsdiffs`` and ``ndiffs`` of the
    R package forecast.

    Parameters
    ----------
    y : ndarray, (N,)
        History with at least one observed value; NaN where unobserved.
    season_length : int
        Steps in a season; 1 for none.
    """
    y = filled(trimmed(y), season_length)
    if D is None:
        D = 0
        while max_D > D and seasonal_strength(y, season_length) > STRONG_SEASON:
            y = difference(y, 0, 1, season_length)
            D += 1
    else:
        y = difference(y, 0, D, season_length)
    if d is None:
        d = 0
        while d < max_d and not is_constant(y) and kpss_statistic(y) > KPSS_CRITICAL:
            y = np.diff(y)
            d += 1
    return d, D


def seasonal_strength(y: Floats, season_length: int) -> float:
    """Share of the detrended variance that the season of an STL decomposition explains, in [0, 1].

    0 where the series is constant or has two seasons or fewer. Source: Wang, Smith and Hyndman, "Characteristic-based
    clustering for time series data", Data Mining and Knowledge Discovery 13 (2006).
    """
    if season_length < 2 or len(y) <= 2 * season_length or is_constant(y):
        return 0.0
    season, trend = stl(y, season_length)
    detrended = float(np.var(y - trend))
    return max(0.0, 1.0 - float(np.var(y - trend - season)) / detrended) if detrended > 0 else 0.0


def kpss_statistic(y: Floats) -> float:
    """Level statistic of Kwiatkowski, Phillips, Schmidt and Shin with a Bartlett window of trunc(3 sqrt(n) / 13) lags.

    The number of lags is that of ``ndiffs`` of the R package forecast.
    """
    n = len(y)
    lags = int(3 * np.sqrt(n) / 13)
    e = y - y.mean()
    variance = e @ e + 2 * sum((1 - i / (lags + 1)) * float(e[i:] @ e[:-i]) for i in range(1, lags + 1))
    return float(np.square(np.cumsum(e)).sum() / (n * variance))


def is_constant(y: Floats, scale: float = 0.0) -> bool:
    """Whether all values are equal, to the rounding of values as large as ``scale``; fewer than two always are."""
    return len(y) < 2 or bool(np.ptp(y) <= max(1e-10 * np.abs(y).max(), 1e-13 * scale))
