"""Series of our own making: what real ones may look like, drawn at random.

Notation: S series, n values each, m season (1 for none). All functions return (S, n), of about unit variation around
0, but for `counts`.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

Floats = npt.NDArray[np.float64]
Rng = np.random.Generator


def structural(rng: Rng, S: int, n: int, m: int) -> Floats:
    """Innovations state space: level, damped trend and a season that change slowly or not at all.

    The additive ETS of Hyndman et al. (2008), equation 2.1, with smoothing parameters drawn anew for each series.
    """
    alpha = np.where(rng.random(S) < 0.2, 0.0, rng.beta(1.0, 2.0, S))
    beta = alpha * np.where(rng.random(S) < 0.5, 0.0, rng.beta(1.0, 4.0, S))
    gamma = (1 - alpha) * np.where(rng.random(S) < 0.4, 0.0, rng.beta(1.0, 6.0, S))
    phi = np.where(rng.random(S) < 0.5, 1.0, rng.uniform(0.8, 1.0, S))
    level, trend = np.zeros(S), rng.normal(0, 1, S) * np.where(rng.random(S) < 0.4, 0.0, 10 ** rng.uniform(-2, -0.3, S))
    noise = 10 ** rng.uniform(-1.5, 0.0, S)
    season = patterns(rng, S, m)
    out = np.empty((S, n))
    innovations = rng.standard_t(6, (n, S)) * noise
    for t in range(n):
        error, phase = innovations[t], t % m
        out[:, t] = level + phi * trend + season[:, phase] + error
        level = level + phi * trend + alpha * error
        trend = phi * trend + beta * error
        if m > 1:
            season[:, phase] += gamma * error
    return out


def patterns(rng: Rng, S: int, m: int) -> Floats:
    """(S, m) seasonal patterns of mean 0: smooth, with spikes, or any; a fifth of the series has none."""
    if m <= 1:
        return np.zeros((S, max(m, 1)))
    phase = 2 * np.pi * np.arange(m) / m
    out = np.zeros((S, m))
    for harmonic in range(1, min(m // 2, 6) + 1):
        size = rng.normal(0, 1, (2, S, 1)) * rng.uniform(0.3, 1.0) / harmonic
        out += size[0] * np.sin(harmonic * phase) + size[1] * np.cos(harmonic * phase)
    rough = rng.normal(0, 1, (S, m)) * (rng.random((S, 1)) < 0.4)
    spikes = rng.normal(0, 3, (S, m)) * (rng.random((S, m)) < 1.5 / m) * (rng.random((S, 1)) < 0.4)
    out += rough + spikes
    out -= out.mean(axis=1, keepdims=True)
    spread = np.maximum(out.std(axis=1, keepdims=True), 1e-9)
    size = 10 ** rng.uniform(-1.0, 0.5, (S, 1)) * (rng.random((S, 1)) < 0.8)
    return np.asarray(out / spread * size)


def seasonal_arma(rng: Rng, S: int, n: int, m: int) -> Floats:
    """(1 - a B)(1 - b B)(1 - s B^m) y = (1 + c B) e, of stable coefficients, integrated for some, plus a pattern."""
    burn = 3 * m + 20
    a, b = rng.uniform(-0.3, 0.98, S), rng.uniform(-0.5, 0.5, S)
    s = rng.uniform(0, 0.9, S) * (rng.random(S) < 0.7) * (m > 1)
    c = rng.uniform(-0.7, 0.7, S)
    e = rng.standard_t(8, (n + burn + 1, S))
    first, second = np.zeros((n + burn, S)), np.zeros((n + burn, S))
    y = np.zeros((n + burn, S))
    for t in range(n + burn):
        first[t] = a * first[t - 1] * (t > 0) + e[t + 1] + c * e[t]
        second[t] = b * second[t - 1] * (t > 0) + first[t]
        y[t] = second[t] + (s * y[t - m] if t >= m else 0.0)
    y = y[burn:].T
    walks = rng.random(S) < 0.4
    y[walks] = np.cumsum(y[walks], axis=1) * 0.3
    return np.asarray(standard(y) + _tiled(patterns(rng, S, m), n, rng) * (rng.random((S, 1)) < 0.6))


def broken_trend(rng: Rng, S: int, n: int, m: int) -> Floats:
    """Straight lines with a few breaks of slope and of level, a season that grows or shrinks, and noise."""
    t = np.arange(n)
    out = rng.normal(0, 2.0 / n, (S, 1)) * t
    for _ in range(3):
        at, here = rng.integers(0, n, (S, 1)), rng.random((S, 1)) < 0.5
        out += here * rng.normal(0, 3.0 / n, (S, 1)) * np.maximum(t - at, 0)
        at, here = rng.integers(0, n, (S, 1)), rng.random((S, 1)) < 0.25
        out += here * rng.normal(0, 1.0, (S, 1)) * (t >= at)
    growth = np.exp(rng.normal(0, 0.5, (S, 1)) * t / n)
    noise = rng.standard_t(5, (S, n)) * 10 ** rng.uniform(-1.5, 0.0, (S, 1))
    return np.asarray(out + _tiled(patterns(rng, S, m), n, rng) * growth + noise)


def gaussian_process(rng: Rng, S: int, n: int, m: int) -> Floats:
    """Sums and products of random kernels: smooth, rough, periodic, linear, noise; drawn by Cholesky's factor."""
    t = np.arange(n, dtype=float)
    gap = np.abs(t[:, None] - t[None, :])
    kernels: list[Callable[[], Floats]] = [
        lambda: np.exp(-0.5 * (gap / (n * 10 ** rng.uniform(-1.3, 0.3))) ** 2),
        lambda: np.exp(-gap / (n * 10 ** rng.uniform(-1.5, 0.5))),
        lambda: np.outer(t - t.mean(), t - t.mean()) / n**2 * 10,
    ]
    if m > 1:
        wave = np.sin(np.pi * gap / m) ** 2
        kernels += [lambda: np.exp(-2 * wave / rng.uniform(0.3, 1.5) ** 2)] * 2
    out = np.empty((S, n))
    for s in range(S):
        total = np.zeros((n, n))
        for _ in range(rng.integers(1, 4)):
            part = kernels[rng.integers(len(kernels))]()
            if rng.random() < 0.3:
                part = part * kernels[rng.integers(len(kernels))]()
            total += part * 10 ** rng.uniform(-1, 0.5)
        noise = 10 ** rng.uniform(-3, -0.3) * np.trace(total) / n
        with threadpool_limits(1):  # small matrices: several threads would only wait for each other
            factor = np.linalg.cholesky(total + (noise + 1e-6 * np.trace(total) / n) * np.eye(n))
        out[s] = factor @ rng.normal(size=n)
    return out


def counts(rng: Rng, S: int, n: int, m: int) -> Floats:
    """Whole numbers from a rate that moves slowly and with the season: Poisson, overdispersed, or intermittent."""
    moves = standard(np.cumsum(rng.normal(0, 1, (S, n)), axis=1)) * rng.uniform(0, 0.5, (S, 1))
    pattern = _tiled(patterns(rng, S, m), n, rng)
    pattern = pattern / np.maximum(np.abs(pattern).max(axis=1, keepdims=True), 1e-9) * rng.uniform(0, 0.6, (S, 1))
    mean = np.exp(rng.uniform(np.log(0.3), np.log(300), (S, 1)))
    rate = mean * np.exp(moves + pattern)
    shape = 10 ** rng.uniform(0.3, 2.5, (S, 1))
    over = rng.random((S, 1)) < 0.5
    rate = np.where(over, rate * rng.gamma(np.broadcast_to(shape, rate.shape)) / shape, rate)
    seen = (rng.random((S, n)) < rng.uniform(0.2, 0.9, (S, 1))) | (rng.random((S, 1)) < 0.8)
    return np.asarray(rng.poisson(np.minimum(rate, 1e6)) * seen, float)


def steady(rng: Rng, S: int, n: int, m: int) -> Floats:
    """A season that never changes around a level that hardly moves, and much noise; a third as counts.

    Of such series the mean of many past seasons tells more than the last one.
    """
    season = _tiled(patterns(rng, S, m), n, rng)
    season = season / np.maximum(season.std(axis=1, keepdims=True), 1e-9) * (rng.random((S, 1)) < 0.85)
    noise = 10 ** rng.uniform(-0.5, 0.7, (S, 1))
    walk = np.cumsum(rng.normal(0, 1, (S, n)), axis=1) * noise
    walk = walk * rng.uniform(0, 0.1, (S, 1)) * (rng.random((S, 1)) < 0.5)
    slope = rng.normal(0, 1.0, (S, 1)) * (rng.random((S, 1)) < 0.3) * np.arange(n) / n
    y = season + walk + slope + rng.normal(0, 1, (S, n)) * noise
    level = 10 ** rng.uniform(0.7, 1.7, (S, 1)) * y.std(axis=1, keepdims=True)
    rate = 10 ** rng.uniform(0.3, 3.0, (S, 1)) * np.exp((season + walk / noise) * rng.uniform(0.02, 0.3, (S, 1)))
    counted = rng.poisson(np.minimum(rate, 1e6))
    return np.asarray(np.where(rng.random((S, 1)) < 0.33, counted, level + y), float)


def standard(y: Floats) -> Floats:
    """Each row with mean 0 and variance 1, unless it is constant."""
    centred = y - y.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(centred.std(axis=1, keepdims=True), 1e-9))


def _tiled(pattern: Floats, n: int, rng: Rng) -> Floats:
    """(S, n) a pattern repeated, from a random phase on."""
    m = pattern.shape[1]
    return pattern[:, (np.arange(n) + rng.integers(m)) % m]


KINDS: dict[Callable[[Rng, int, int, int], Floats], float] = {
    structural: 0.4, seasonal_arma: 0.2, broken_trend: 0.2, gaussian_process: 0.1, counts: 0.1,
}  # fmt: skip


def draw(rng: Rng, S: int, n: int, m: int) -> list[Floats]:
    """About S series of all kinds, of random lengths up to n, most of them positive and some growing exponentially."""
    out: list[Floats] = []
    for kind, share in KINDS.items():
        y = kind(rng, max(1, round(share * S)), n, m)
        if kind is not counts:
            y = _dressed(rng, y)
        lengths = rng.integers(min(n, max(2 * m + 4, 8)), n + 1, len(y))
        out += [row[-length:] for row, length in zip(y, lengths, strict=True)]
    return out


def _dressed(rng: Rng, y: Floats) -> Floats:
    """Levels and units: a third as exponentials, the others around a level of some deviations or of none."""
    y = standard(y)
    S = len(y)
    exponential = np.exp(np.clip(y * rng.uniform(0.05, 0.8, (S, 1)), -20, 20))
    level = np.where(rng.random((S, 1)) < 0.8, 10 ** rng.uniform(0.5, 2.0, (S, 1)), 0.0)
    return np.asarray(np.where(rng.random((S, 1)) < 0.35, exponential, level + y) * 10 ** rng.uniform(-1, 4, (S, 1)))
