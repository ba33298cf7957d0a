"""The M4 competition's measures, and those of intervals, on arrays of equal horizons.

Notation: S series, h steps, Q quantiles, m season.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
DECILES = tuple(k / 10 for k in range(1, 10))


@dataclass(frozen=True)
class Scores:
    """Means over series."""

    smape: float  # per cent
    mase: float
    crps: float
    wql: float
    coverage_80: float
    coverage_95: float


def smape(truth: Floats, forecast: Floats) -> float:
    """Symmetric mean absolute percentage error, 0 to 200."""
    size = np.abs(truth) + np.abs(forecast)
    errors = np.divide(200 * np.abs(truth - forecast), size, out=np.zeros_like(size), where=size != 0)
    errors[np.isnan(truth)] = np.nan
    return _mean_over_series(errors)


def mase(truth: Floats, forecast: Floats, scales: Floats) -> float:
    """Mean absolute scaled error; series without a scale are left out."""
    return _mean_over_series(np.abs(truth - forecast) / scales[:, None])


def scales(past: Sequence[Floats], m: int) -> Floats:
    """(S,) mean |y[t] - y[t - m]| of each history; NaN where there is none or it is 0."""
    out = np.full(len(past), np.nan)
    for s, y in enumerate(past):
        difference = np.abs(y[m:] - y[:-m])
        if np.isfinite(difference).any() and np.nanmean(difference) > 0:
            out[s] = np.nanmean(difference)
    return out


def coverage(truth: Floats, low: Floats, high: Floats) -> float:
    """Share of the observed values inside the intervals."""
    seen = ~np.isnan(truth)
    return float(((low <= truth) & (truth <= high))[seen].mean())


def scaled_crps(truth: Floats, quantiles: Floats, probabilities: Sequence[float]) -> float:
    """Mean over series of twice the mean pinball loss of quantiles (S, h, Q), over the mean |y| of the horizon."""
    pinball, size = _pinball(truth, quantiles, probabilities), np.abs(truth)
    seen = np.nansum(size, axis=1) > 0
    return float(np.mean(np.nansum(pinball[seen], axis=1) / np.nansum(size[seen], axis=1)))


def wql(truth: Floats, quantiles: Floats, probabilities: Sequence[float]) -> float:
    """Weighted quantile loss: the same of all series together, so that large ones weigh more."""
    return float(np.nansum(_pinball(truth, quantiles, probabilities)) / np.nansum(np.abs(truth)))


def _pinball(truth: Floats, quantiles: Floats, probabilities: Sequence[float]) -> Floats:
    """(S, h) twice the pinball loss, mean over the probabilities; NaN where unobserved."""
    error, tau = truth[:, :, None] - quantiles, np.array(probabilities)
    return np.asarray(2 * np.maximum(tau * error, (tau - 1) * error).mean(axis=2))


def owa(scores: Scores, naive2: Scores) -> float:
    """Overall weighted average: the mean of sMAPE and MASE, each over Naive2's."""
    return (scores.smape / naive2.smape + scores.mase / naive2.mase) / 2


def _mean_over_series(errors: Floats) -> float:
    seen = ~np.isnan(errors).all(axis=1)
    return float(np.nanmean(errors[seen], axis=1).mean())
