"""Naive2, and the M4 competition's measures.

Notation: S series, h steps, Q quantiles, n values of a history, m season.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
DECILES = tuple(k / 10 for k in range(1, 10))
SEASONALITY = 1.645  # normal quantile of the M4's 90 % test


@dataclass(frozen=True)
class Scores:
    """Means over series."""

    smape: float  # per cent
    mase: float
    crps: float | None = None
    coverage_80: float | None = None
    coverage_95: float | None = None


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
    """Twice the pinball loss of quantiles (S, h, Q), over the mean |y| of each series' horizon; means of both."""
    error = truth[:, :, None] - quantiles
    tau = np.array(probabilities)
    pinball = 2 * np.maximum(tau * error, (tau - 1) * error).mean(axis=2)
    size = np.nanmean(np.abs(truth), axis=1)
    return _mean_over_series(pinball[size > 0] / size[size > 0, None])


def owa(scores: Scores, naive2: Scores) -> float:
    """Overall weighted average: the mean of sMAPE and MASE, each over Naive2's."""
    return (scores.smape / naive2.smape + scores.mase / naive2.mase) / 2


def naive2(past: Sequence[Floats], m: int, h: int) -> Floats:
    """(S, h) the last value, seasonally adjusted by multiplicative indices where a 90 % test finds a season."""
    out = np.empty((len(past), h))
    for s, y in enumerate(past):
        out[s] = y[~np.isnan(y)][-1]
        if _is_seasonal(y, m):
            indices = _indices(y, m)
            out[s] *= indices[(len(y) + np.arange(h)) % m] / indices[(len(y) - 1) % m]
    return out


def _is_seasonal(y: Floats, m: int) -> bool:
    """Whether the autocorrelation at lag m passes the test of the M4 competition."""
    if m == 1 or len(y) < 3 * m or np.isnan(y).any() or np.ptp(y) == 0:
        return False
    centred = y - y.mean()
    r = np.array([centred[k:] @ centred[:-k] for k in range(1, m + 1)]) / (centred @ centred)
    return bool(abs(r[-1]) > SEASONALITY * np.sqrt((1 + 2 * (r[:-1] ** 2).sum()) / len(y)))


def _indices(y: Floats, m: int) -> Floats:
    """(m,) seasonal indices with mean 1: mean ratios to the centred moving average, by phase."""
    weights = np.ones(m) if m % 2 else np.concatenate([[0.5], np.ones(m - 1), [0.5]])
    trend = np.convolve(y, weights / m, "valid")
    first = len(weights) // 2
    ratio = y[first : first + len(trend)] / trend
    phase = (first + np.arange(len(trend))) % m
    means = np.array([ratio[phase == k].mean() for k in range(m)])
    return np.asarray(means / means.mean())


def _mean_over_series(errors: Floats) -> float:
    seen = ~np.isnan(errors).all(axis=1)
    return float(np.nanmean(errors[seen], axis=1).mean())
