"""Season and trend by loess (STL), of values without gaps.

At equal distances loess is a linear map that depends on the number of values alone, so its weights are found once for
each smoothing, and the season's sub-series, all first steps, all second ones, are smoothed together.

Notation: n values, m season length, q neighbours of a smoothing.

References
----------
Cleveland, R. B., Cleveland, W. S., McRae, J. E., Terpenning, I. (1990). STL: a seasonal-trend decomposition procedure
based on loess. Journal of Official Statistics, 6(1), 3-73.
"""

from math import ceil

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

ROUNDS = 5  # of season and trend in turn; enough to settle without robustness weights


def stl(y: Floats, season_length: int, seasonal: int = 11) -> tuple[Floats, Floats]:
    """Season and trend, (n,) each; what they leave of ``y`` is the remainder.

    Parameters
    ----------
    y : ndarray, (n,)
        More than two seasons, without gaps.
    season_length : int
        Steps of a season, at least 2.
    seasonal : int, default 11
        Neighbours, in seasons, by which the season of a year is smoothed, constantly; odd. Trend and low-pass filter
        are smoothed linearly, by as many neighbours as the reference says.
    """
    n, m = len(y), season_length
    smooth_trend = _Loess(n, _odd(ceil(1.5 * m / (1 - 1.5 / seasonal))), 1)
    smooth_low = _Loess(n, _odd(m + 1), 1)
    subseries = [np.arange(phase, n, m) for phase in range(m)]
    lengths = sorted({len(at) for at in subseries})
    together = [np.stack([at for at in subseries if len(at) == k]) for k in lengths]  # (phases, k)
    smoothers = [_Loess(k, seasonal, 0, beyond=1) for k in lengths]
    season, trend = np.zeros(n), np.zeros(n)
    for _ in range(ROUNDS):
        cycle = np.empty(n + 2 * m)  # from one season before the first value to one after the last
        for at, smooth in zip(together, smoothers, strict=True):
            ends = at[:, :1], at + m, at[:, -1:] + 2 * m
            cycle[np.hstack(ends)] = smooth((y - trend)[at])
        season = cycle[m:-m] - smooth_low(_mean(_mean(_mean(cycle, m), m), 3))
        trend = smooth_trend(y - season)
    return season, trend


class _Loess:
    """Local regressions at positions ``-beyond`` to ``n - 1 + beyond`` of n values at equal distances.

    Weights are tricube; where there are fewer values than ``length``, a neighbourhood reaches beyond them.
    """

    def __init__(self, n: int, length: int, degree: int, beyond: int = 0) -> None:
        q = min(length, n)
        at = np.arange(-beyond, n + beyond)
        self.left = np.clip(at - (q - 1) // 2, 0, n - q)  # first neighbour of each
        near = self.left[:, None] + np.arange(q)
        far = np.abs(near - at[:, None])
        reach = (far.max(axis=1, keepdims=True) + max(length - n, 0) // 2).astype(float)
        weights = np.where(far <= 0.999 * reach, (1 - (far / reach) ** 3) ** 3, 0.0)
        weights /= weights.sum(axis=1, keepdims=True)
        if degree:
            center = (weights * near).sum(axis=1, keepdims=True)
            spread = (weights * (near - center) ** 2).sum(axis=1, keepdims=True)
            sloped = spread > (0.001 * (n - 1)) ** 2  # else all weight is on one neighbour
            slope = np.divide(near - center, spread, out=np.zeros(near.shape), where=sloped)
            weights *= 1 + (at[:, None] - center) * slope
        self.weights = weights  # (positions, q)

    def __call__(self, y: Floats) -> Floats:
        """Smooth along the last axis: (..., n) to (..., positions)."""
        windows = np.lib.stride_tricks.sliding_window_view(y, self.weights.shape[1], axis=-1)
        smoothed: Floats = np.einsum("...pq,pq->...p", windows[..., self.left, :], self.weights)
        return smoothed


def _odd(length: int) -> int:
    """The next odd number."""
    return length + 1 - length % 2


def _mean(y: Floats, length: int) -> Floats:
    """Moving averages where there are ``length`` values."""
    sums = np.cumsum(np.concatenate([[0.0], y]))
    averages: Floats = (sums[length:] - sums[:-length]) / length
    return averages
