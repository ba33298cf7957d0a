"""Quantiles between the learned ones, and forecasts beyond the horizon by feeding forecasts back.

Notation: S series, h steps asked for, K learned quantiles, Q quantiles asked for, M sample paths.
"""

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from forecast.learning.training import WindowData

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Block = Callable[[WindowData, Ints, int, Ints], Floats]
"""Forecasts (S', horizon, K) by data (S' series) and their cutoffs (S',), the last so many values before which are
forecasts that were fed back, and the series (S',) of the panel that they go on from."""

PATHS = 200  # sample paths: the 2.5 % quantile then rests on five of them


def interpolated(values: Floats, grid: Floats, quantiles: tuple[float, ...]) -> Floats:
    """Quantiles (..., Q) from learned ones (..., K) at probabilities ``grid``, linear in the normal score.

    Beyond the outermost learned quantiles the last slope goes on, as a normal tail.
    """
    if not quantiles:
        return values[..., :0]
    place, weight = _places(grid, np.array(quantiles))
    return np.sort(values[..., place] * (1 - weight) + values[..., place + 1] * weight, axis=-1)


def mean_weights(grid: Floats) -> Floats:
    """(K,) weights of the learned quantiles in the mean: the integral of `interpolated` over all probabilities."""
    points = 10_000
    place, weight = _places(grid, (np.arange(points) + 0.5) / points)
    left, right = (np.bincount(p, w, len(grid)) for p, w in ((place, 1 - weight), (place + 1, weight)))
    return np.asarray((left + right) / points)


def _places(grid: Floats, quantiles: Floats) -> tuple[npt.NDArray[np.intp], Floats]:
    """Left neighbour among the grid, and the weight of the right one, for each probability."""
    score = np.array([NormalDist().inv_cdf(float(p)) for p in grid])
    wanted: Floats = np.vectorize(NormalDist().inv_cdf)(quantiles)
    place = np.clip(np.searchsorted(score, wanted, side="right") - 1, 0, len(grid) - 2)
    return place, (wanted - score[place]) / (score[place + 1] - score[place])


def simulate(
    block: Block,
    data: WindowData,
    tail: int,
    h: int,
    horizon: int,
    grid: Floats,
    quantiles: tuple[float, ...],
    seed: int,
) -> tuple[Floats, Floats]:
    """Forecasts beyond the network's horizon: point (S, h) and quantiles (S, h, Q).

    The point forecast feeds back its own medians. Quantiles are those of sample paths, each fed back with draws from
    the forecast distribution of its own past, so that uncertainty accumulates.
    """
    middle = int(np.argmin(np.abs(grid - 0.5)))
    point = _roll(block, data, np.arange(len(data.indptr) - 1), tail, h, horizon, lambda out: out[:, :, middle])
    if not quantiles:
        return point, np.empty((*point.shape, 0))

    def draw(out: Floats) -> Floats:
        place, weight = _places(grid, rng.uniform(1e-4, 1 - 1e-4, out.shape[:2]))
        left = np.take_along_axis(out, place[..., None], axis=2)[..., 0]
        right = np.take_along_axis(out, place[..., None] + 1, axis=2)[..., 0]
        return np.asarray(left * (1 - weight) + right * weight)

    spread = np.empty((*point.shape, len(quantiles)))
    for s in range(len(point)):
        rng = np.random.default_rng(seed)  # the same draws for each, so that a series does not depend on its neighbours
        alone = WindowData(
            np.tile(data.y[data.indptr[s] : data.indptr[s + 1]], PATHS),
            np.arange(PATHS + 1) * (data.indptr[s + 1] - data.indptr[s]),
            np.repeat(data.levels[s : s + 1], PATHS, axis=0),
            np.repeat(data.floors[s : s + 1], PATHS),
            np.repeat(data.seasons[s : s + 1], PATHS),
            data.exog,
            np.repeat(data.spans[s : s + 1], PATHS, axis=0),
            np.repeat(data.statics[s : s + 1], PATHS, axis=0),
        )
        paths = _roll(block, alone, np.full(PATHS, s), tail, h, horizon, draw)
        spread[s] = np.quantile(paths, quantiles, axis=0).T
    return point, spread


def _roll(
    block: Block, data: WindowData, series: Ints, tail: int, h: int, horizon: int, choose: Callable[[Floats], Floats]
) -> Floats:
    """Forecast block after block, each seeing what ``choose`` made of the block before: (S, h)."""
    lengths = np.diff(data.indptr)
    S, width = len(lengths), tail + h
    y = np.full((S, width), np.nan)
    for s in range(S):
        past = data.y[data.indptr[s] : data.indptr[s + 1]][-tail:]
        y[s, tail - len(past) : tail] = past
    spans = data.spans.copy()
    spans[:, 0] += (lengths - tail)[: len(spans)]  # without covariates there are none
    flat = data._replace(y=y.reshape(-1), indptr=np.arange(S + 1) * width, spans=spans)
    for done in range(0, h, horizon):
        values = choose(block(flat, np.full(S, tail + done), done, series))
        y[:, tail + done : tail + done + horizon] = values[:, : h - done]
    return y[:, tail:]
