"""Batches to learn from, without end."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from forecast.series.windows import Windows, WindowsBetween

AT_ONCE = 1 << 20  # windows that are put into a random order at once: 8 MB


class Batches(Protocol):
    """What is learned from, in an order that never ends."""

    def take(self, count: int) -> tuple[Any, ...]:
        """The next batches, as the first arguments of a learner's ``learn``."""


class ShuffledBatches:
    """All windows in random order, then in another one; the last batch of an order may be smaller.

    Of more than ``AT_ONCE`` windows an order holds so many, drawn at random.
    """

    def __init__(self, windows: Windows | WindowsBetween, size: int, rng: np.random.Generator) -> None:
        self.windows, self.size, self.rng = windows, size, rng
        self.order, self.at = self._shuffled(), 0

    def _shuffled(self) -> npt.NDArray[np.int64]:
        count = len(self.windows)
        return self.rng.permutation(count) if count <= AT_ONCE else self.rng.integers(count, size=AT_ONCE)

    def take(self, count: int) -> tuple[Windows, npt.NDArray[np.int64]]:
        """The windows of the next batches, one after the other, and where each begins and ends."""
        chosen, bounds = [], [0]
        for _ in range(count):
            if self.at >= len(self.order):
                self.order, self.at = self._shuffled(), 0
            chosen.append(self.order[self.at : self.at + self.size])
            bounds.append(bounds[-1] + len(chosen[-1]))
            self.at += self.size
        return self.windows[np.concatenate(chosen)], np.array(bounds)
