"""What each network of the family is trained on: real series, series made of real ones, and series of our own making.

Notation: m season. Each source has a weight, the share of the training windows that come from it; within a source every
series is drawn equally often.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.pretrain import real, synthetic
from benchmarks.pretrain.synthetic import Floats, Rng
from forecast.errors import DataError

FILES = {
    "yearly": "m4_yearly.parquet", "quarterly": "m4_quarterly.parquet", "weekly": "m4_weekly.parquet",
    "hourly": "m4_hourly.parquet", "kdd": "kdd_cup_2018.parquet",
}  # fmt: skip
HORIZONS = {"yearly": 6, "quarterly": 8, "weekly": 13, "hourly": 48, "kdd": 48}


@dataclass(frozen=True)
class Source:
    """Series of one origin."""

    name: str
    weight: float
    series: list[Floats]
    seasons: list[int]  # of each series


Real = dict[str, list[Floats]]


def read(folder: Path, holdout: bool) -> Real:
    """The training parts; with ``holdout`` without the last horizon of each series, to choose settings by.

    Raises
    ------
    DataError
        If a file is not in the folder.
    """
    places = {name: next(iter(sorted(folder.rglob(file))), None) for name, file in FILES.items()}
    for name, place in places.items():
        if place is None:
            raise DataError(f"{folder} has no file {FILES[name]}, nor has a folder in it; see docs/pretrained.md.")
    found = {name: real.training_parts(place) for name, place in places.items() if place is not None}
    if holdout:
        found = {
            name: [y[: -HORIZONS[name]] for y in series if len(y) > HORIZONS[name] + 4]
            for name, series in found.items()
        }
    return found


def _source(name: str, weight: float, series: Sequence[Floats], season: int) -> Source:
    return Source(name, weight, list(series), [season] * len(series))


def _made(weight: float, seasons: Sequence[int], count: int, n: int, rng: Rng) -> Source:
    """About ``count`` synthetic series, shared among the seasons; at least nine seasons long at most."""
    made = [(m, synthetic.draw(rng, max(10, count // len(seasons)), max(n, min(9 * m, 1000)), m)) for m in seasons]
    return Source("synthetic", weight, [y for _, drawn in made for y in drawn], [m for m, drawn in made for _ in drawn])


def _steady(weight: float, seasons: Sequence[int], count: int, n: int, rng: Rng) -> Source:
    """Synthetic series of the kind that is worth averaging, at most ten seasons long or ``n``."""
    made = [(m, synthetic.steady(rng, count // len(seasons), max(n, min(10 * m, 1000)), m)) for m in seasons]
    drawn = [(y[-int(rng.integers(2 * m + 4, len(y) + 1)) :], m) for m, several in made for y in several]
    return Source("steady", weight, [y for y, _ in drawn], [m for _, m in drawn])


def _pieces(series: Sequence[Floats], length: int) -> list[Floats]:
    """Long series cut into pieces, those without much that was observed left out."""
    cut = [y[start : start + length] for y in series for start in range(0, len(y) - length + 1, length)]
    return [y for y in cut if np.isfinite(y).mean() > 0.5]


def _years(found: Real, rng: Rng) -> list[Source]:
    yearly, quarterly = found["yearly"], found["quarterly"]
    return [
        _source("M4 Yearly", 0.6, yearly, 1),
        _source("M4 Quarterly, by year", 0.08, real.aggregated(quarterly, 4), 1),
        _source("short pieces", 0.1, real.cut(yearly, 6000, 6, 20, rng), 1),
        _source("pieces with gaps", 0.04, real.with_gaps(real.cut(yearly, 4000, 15, 60, rng), rng), 1),
        _made(0.18, (1,), 8000, 80, rng),
    ]


def _quarters(found: Real, rng: Rng) -> list[Source]:
    quarterly = found["quarterly"]
    return [
        _source("M4 Quarterly", 0.54, quarterly, 4),
        _source("mixtures", 0.06, real.mixtures(quarterly, 8000, rng), 4),
        _source("short pieces", 0.08, real.cut(quarterly, 6000, 7, 40, rng), 4),
        _source("pieces with gaps", 0.04, real.with_gaps(real.cut(quarterly, 4000, 20, 100, rng), rng), 4),
        _source("M4 Hourly, by 6 hours", 0.03, real.aggregated(found["hourly"], 6), 4),
        _source("M4 Weekly, by 13 weeks", 0.03, real.aggregated(found["weekly"], 13), 4),
        _made(0.22, (2, 3, 4, 4, 4, 5, 6), 8000, 100, rng),
    ]


def _months(found: Real, rng: Rng) -> list[Source]:
    monthly = real.monthly(found["quarterly"], rng)
    weekly = real.aggregated(found["weekly"], 52 / 12)
    both = monthly + weekly
    return [
        _source("M4 Quarterly, as months", 0.18, monthly, 12),
        _source("mixtures", 0.06, real.mixtures(both, 8000, rng), 12),
        _source("with noise", 0.06, real.with_noise(both, 8000, rng), 12),
        _source("M4 Yearly, as months", 0.05, [y for y in found["yearly"] if len(y) >= 30], 12),
        _source("M4 Weekly, by month", 0.05, weekly, 12),
        _source("M4 Hourly, by 2 hours", 0.07, real.aggregated(found["hourly"], 2), 12),
        _source("M4 Hourly, by day", 0.03, real.aggregated(found["hourly"], 24), 7),
        _source("KDD, by 2 hours", 0.02, _pieces(real.aggregated(found["kdd"], 2), 600), 12),
        _source("KDD, by day", 0.02, real.aggregated(found["kdd"], 24), 7),
        _source("short pieces", 0.08, real.cut(both, 8000, 14, 60, rng), 12),
        _source("pieces with gaps", 0.03, real.with_gaps(real.cut(both, 4000, 30, 150, rng), rng), 12),
        _made(0.2, (12,) * 8 + (7, 7, 7, 8, 9, 10, 13, 14, 16, 18, 20, 23), 8000, 150, rng),
        _steady(0.17, (12, 12, 12, 7), 6000, 150, rng),
    ]


def _weeks(found: Real, rng: Rng) -> list[Source]:
    weekly = found["weekly"]
    return [
        _source("M4 Weekly", 0.63, weekly, 52),
        _source("mixtures", 0.06, real.mixtures(weekly, 1000, rng), 52),
        _source("with noise", 0.06, real.with_noise(weekly, 1000, rng), 52),
        _source("short pieces", 0.05, real.cut(weekly, 2000, 60, 300, rng), 52),
        _made(0.2, (52,), 2000, 400, rng),
    ]


def _hours(found: Real, rng: Rng) -> list[Source]:
    hourly, kdd = found["hourly"], _pieces(found["kdd"], 1500)
    return [
        _source("M4 Hourly, weeks", 0.55, hourly, 168),
        _source("M4 Hourly, days", 0.12, hourly, 24),
        _source("KDD, days", 0.08, kdd, 24),
        _source("KDD, weeks", 0.05, kdd, 168),
        _made(0.15, (24, 24, 24, 48, 30, 36, 96), 2500, 500, rng),
        _steady(0.1, (24, 24, 48), 1200, 500, rng),
    ]


CORPORA: dict[str, Callable[[Real, Rng], list[Source]]] = {
    "none": _years, "quarters": _quarters, "months": _months, "weeks": _weeks, "hours": _hours,
}  # fmt: skip
