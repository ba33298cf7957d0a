"""The Theta method: the mean of a trend line and of simple exponential smoothing, seasonally adjusted.

The weight of the smoothing and whether there is a season come from statsmodels' ThetaModel; the rest follows from
these and from any history. Source: Assimakopoulos and Nikolopoulos, "The theta model: a decomposition approach to
forecasting", International Journal of Forecasting 16 (2000); the form used is that of Hyndman and Billah, "Unmasking
the Theta method", International Journal of Forecasting 19 (2003).

Notation: n values of a history without gaps, h steps ahead, alpha the weight.
"""

import warnings

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter
from statsmodels.tsa.forecasting.theta import ThetaModel
from statsmodels.tsa.seasonal import seasonal_decompose

Floats = npt.NDArray[np.float64]

FEWEST = 5  # values from which a weight can be told
SEASONS = {"none": "no season", "add": "additive season", "mul": "multiplicative season"}


def estimate(y: Floats, season_length: int) -> tuple[str, Floats] | None:
    """Kind of season, a key of ``SEASONS``, and alpha (1,); None where there are too few values."""
    if len(y) < FEWEST:
        return None
    seasonal = season_length > 1 and len(y) > 2 * season_length
    model = ThetaModel(y, period=season_length if seasonal else 1, deseasonalize=seasonal)
    with warnings.catch_warnings(action="ignore"):  # of searches that end early
        try:
            result = model.fit()
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            return None
    alpha = float(result.params["alpha"])
    if not 0 <= alpha <= 1:
        return None
    indices = result.forecast_components(season_length)["seasonal"]
    return (model.method if np.ptp(indices) > 0 else "none"), np.array([alpha])


def moments(kind: str, alpha: float, y: Floats, season_length: int, h: int) -> tuple[Floats, Floats]:
    """Mean and standard deviation, (h,) each, of the values after a history of at least two values."""
    n, ahead = len(y), np.arange(h)
    season = np.full(n + h, 1.0 if kind == "mul" else 0.0)
    if kind != "none" and n > 2 * season_length and not (kind == "mul" and (y <= 0).any()):
        season = np.resize(_indices(y, season_length, kind), n + h)
    x = y / season[:n] if kind == "mul" else y - season[:n]
    slope = float(np.polyfit(np.arange(n), x, 1)[0])
    levels = lfilter([alpha], [1.0, alpha - 1.0], x, zi=[(1 - alpha) * x[0]])[0]
    grown = (1 - (1 - alpha) ** n) / alpha if alpha > 0 else 0.0
    mean = levels[-1] + 0.5 * slope * (ahead + grown)
    deviation = np.std(x[1:] - levels[:-1]) * np.sqrt(1 + ahead * alpha**2)
    if kind == "mul":
        return mean * season[n:], deviation * np.abs(season[n:])
    return mean + season[n:], deviation


def _indices(y: Floats, season_length: int, kind: str) -> Floats:
    return np.asarray(seasonal_decompose(y, model=kind, period=season_length).seasonal[:season_length])
