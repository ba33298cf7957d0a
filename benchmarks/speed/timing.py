"""Sides in turns, and what is told of their times."""

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median, quantiles

PAUSE = 0.02  # seconds; threads that a side left waiting go to sleep meanwhile


def alternate(sides: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Call each side in turn, ``repeats`` times; returns what they returned, by side."""
    values: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, measure in sides.items():
            values[name].append(measure())
            time.sleep(PAUSE)
    return values


def ratio_text(peer: Sequence[float], ours: Sequence[float]) -> str:
    """How many times faster we are: the ratio of medians, and the quartiles of the turns' ratios, "2.10 (2.0-2.3)"."""
    whole = median(peer) / median(ours)
    turns = [p / o for p, o in zip(peer, ours, strict=True)]
    if len(turns) < 2:
        return f"{whole:.2f}"
    low, _, high = quantiles(turns, n=4, method="inclusive")
    return f"{whole:.2f} ({low:.1f}-{high:.1f})"


def duration(seconds: float) -> str:
    """With three digits and a unit: "0.285 ms", "12.3 ms", "3.51 s"."""
    value, unit = (seconds, "s") if seconds >= 1 else (seconds * 1e3, "ms")
    return f"{float(f'{value:.3g}'):g} {unit}"
