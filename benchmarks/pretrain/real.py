"""Real series of the training parts, and what can be made of them: other frequencies, other seasons, mixtures, noise,
pieces, gaps.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.pretrain.synthetic import Floats, Rng, patterns
from forecast.series.table import read_table


def training_parts(path: Path) -> list[Floats]:
    """The training part of each series of a file with the columns unique_id, y and split."""
    frame = read_table(path)
    frame = frame[frame["split"].astype(str) == "train"]
    return [one.to_numpy(float) for _, one in frame.groupby("unique_id", sort=False)["y"]]


def aggregated(series: Sequence[Floats], step: float) -> list[Floats]:
    """Means over ``step`` values, whole or not, counted from the end: hours become days, weeks become months."""
    out = []
    for y in series:
        count = int(len(y) / step)
        if count >= 8:
            bounds = len(y) - np.round(np.arange(count, -1, -1) * step).astype(int)
            seen = np.concatenate([[0.0], np.cumsum(np.nan_to_num(y))])
            known = np.concatenate([[0], np.cumsum(~np.isnan(y))])
            number = np.diff(known[bounds])
            out.append(np.where(number > 0, np.diff(seen[bounds]) / np.maximum(number, 1), np.nan))
    return out


def monthly(series: Sequence[Floats], rng: Rng) -> list[Floats]:
    """Months of quarters: the deseasonalised level between the middles of quarters, with a season of twelve months
    that follows the one of four quarters, and noise of a month's own.
    """
    out = []
    shapes = patterns(rng, len(series), 12)
    for y, shape in zip(series, shapes, strict=True):
        if len(y) < 12 or not (y > 0).all():
            continue
        x = np.log(y)
        trend = np.convolve(np.pad(x, 2, mode="edge"), [0.125, 0.25, 0.25, 0.25, 0.125], "valid")
        season = np.array([(x - trend)[k::4].mean() for k in range(4)])
        season -= season.mean()
        rest = x - trend - season[np.arange(len(x)) % 4]
        middles, months = 3 * np.arange(len(x)) + 1.0, np.arange(3 * len(x))
        level = np.interp(months, middles, trend + rest)
        four = np.interp(np.arange(-1, 14) % 12, np.arange(12), np.repeat(season, 3))[1:13]
        own = shape / max(shape.std(), 1e-9) * season.std() * 10 ** rng.uniform(-0.5, 0.5)
        noise = rng.normal(0, 1, len(months)) * max(rest.std(), 1e-4) * 10 ** rng.uniform(-0.6, 0.4)
        out.append(np.exp(level + (four + own)[months % 12] + noise))
    return out


def mixtures(series: Sequence[Floats], count: int, rng: Rng) -> list[Floats]:
    """Weighted sums of two or three series, each over its own mean size, over the last steps that all have."""
    out = []
    for _ in range(count):
        chosen = [series[k] for k in rng.integers(len(series), size=rng.integers(2, 4))]
        n = min(map(len, chosen))
        weights = rng.dirichlet(np.full(len(chosen), 1.5))
        sizes = [max(float(np.nanmean(np.abs(y[-n:]))), 1e-9) for y in chosen]
        out.append(np.sum([w * y[-n:] / size for w, y, size in zip(weights, chosen, sizes, strict=True)], axis=0))
    return out


def with_noise(series: Sequence[Floats], count: int, rng: Rng) -> list[Floats]:
    """Series with noise of a quarter to twice their mean change from step to step, with outliers in every other one."""
    out = []
    for k in rng.integers(len(series), size=count):
        y = series[k]
        size = float(np.nanmean(np.abs(np.diff(y)))) * 2 ** rng.uniform(-2, 1)
        freedom = 3 if rng.random() < 0.5 else 100  # Student's t: few degrees of freedom have outliers
        noisy = y + size * rng.standard_t(freedom, len(y))
        out.append(np.abs(noisy) if np.nanmin(y) > 0 else noisy)
    return out


def cut(series: Sequence[Floats], count: int, least: int, most: int, rng: Rng) -> list[Floats]:
    """Pieces of between ``least`` and ``most`` values: histories as short as some users' are."""
    out = []
    for k in rng.integers(len(series), size=count):
        y = series[k]
        length = int(rng.integers(min(least, len(y)), min(most, len(y)) + 1))
        start = int(rng.integers(0, len(y) - length + 1))
        out.append(y[start : start + length])
    return [y for y in out if np.isfinite(y).sum() >= 4]


def with_gaps(series: Sequence[Floats], rng: Rng) -> list[Floats]:
    """The same series with values taken away: single ones, and a run; those of which little is left, left out."""
    out = []
    for whole in series:
        y = whole.copy()
        y[rng.random(len(y)) < rng.uniform(0, 0.2)] = np.nan
        start = int(rng.integers(len(y)))
        y[start : start + int(rng.integers(1, max(2, len(y) // 6)))] = np.nan
        out.append(y)
    return [y for y in out if np.isfinite(y).sum() >= 6]
