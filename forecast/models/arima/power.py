"""Powers and logarithms that make the variance of a series even.

Source: Box and Cox, "An analysis of transformations", Journal of the Royal Statistical Society B 26 (1964).
"""

import numpy as np
import numpy.typing as npt

from forecast.models.arima.sample import trimmed

Floats = npt.NDArray[np.float64]

TRANSFORMS = ("none", "log", "boxcox")
_POWERS = np.linspace(0.0, 1.0, 21)  # below 0 values have no upper bound, above 1 a trend is bent up


def choose_power(y: Floats, season_length: int, transform: str) -> float | None:
    """Power of Box and Cox for a positive history: 0 is the logarithm, None leaves the values as they are.

    For "boxcox", the power from 0 to 1, in steps of 0.05, at which the standard deviations of the seasons (of pairs
    where there are none) vary least in proportion to that power of their means. Source: Guerrero, "Time-series analysis
    supported by power transformations", Journal of Forecasting 12 (1993).
    """
    if transform == "none":
        return None
    if transform == "log":
        return 0.0
    y = trimmed(y)
    width = max(season_length, 2)
    seasons = y[len(y) % width :].reshape(-1, width)
    seasons = seasons[~np.isnan(seasons).any(axis=1)]
    if len(seasons) < 2:
        return None
    means, deviations = seasons.mean(axis=1), seasons.std(axis=1, ddof=1)
    if not deviations.any():
        return None
    ratios = deviations / means ** (1 - _POWERS[:, None])  # (powers, seasons)
    return float(_POWERS[np.argmin(ratios.std(axis=1) / ratios.mean(axis=1))])


def transformed(y: Floats, power: float | None) -> Floats:
    """Values on the scale of the model."""
    if power is None:
        return y
    return np.log(y) if power == 0 else (y**power - 1) / power


def back(z: Floats, power: float | None) -> Floats:
    """Values on the scale of the series; what lies below the least value of the transformation becomes 0."""
    if power is None:
        return z
    return np.exp(z) if power == 0 else np.maximum(1 + power * z, 0.0) ** (1 / power)
