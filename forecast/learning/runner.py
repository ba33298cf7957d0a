"""What learns from windows, judges and forecasts them in batches, whatever the device.

Notation: n windows, h horizon, Q outputs a step, P parameters.
"""

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from forecast.series.windows import Windows
from forecast_kernels.network.cpu import LEARN, PREDICT, SCORE

if TYPE_CHECKING:
    from forecast.learning.training import Schedule, WindowData

Array = npt.NDArray[Any]


class Runner(ABC):
    """A network with its data, and workspaces for batches of up to ``batch`` windows."""

    batch: int
    data: "WindowData"

    def learn(
        self,
        windows: Windows,
        bounds: npt.NDArray[np.int64],
        seeds: npt.NDArray[np.uint64],
        rates: npt.NDArray[np.float64],
        step: int,
        schedule: "Schedule",
    ) -> tuple[Array, Array]:
        """A training step a batch, ``step`` being those done before.

        Returns loss and number of terms (batches, 2), and the norms of the gradients (batches,); a step whose norm is
        not finite changes nothing.
        """
        return self._run(self.data, windows, bounds, LEARN, seeds, rates, step, schedule)[1:]

    @abstractmethod
    def state(self) -> Array:
        """Parameters, first and second moments of their gradients, as a copy (3, P)."""

    @abstractmethod
    def resume(self, state: Array) -> None:
        """Go on learning from what `state` gave."""

    def score(self, data: "WindowData", windows: Windows) -> float:
        """Mean loss over windows, without dropout."""
        total, count = self._all(data, windows, SCORE)[1].sum(axis=0)
        return float(total / count) if count else math.inf  # nothing observed judges no weights

    def forward(self, windows: Windows) -> npt.NDArray[np.float64]:
        """Forecasts (n, h * Q)."""
        return self._all(self.data, windows, PREDICT)[0]

    def _all(self, data: "WindowData", windows: Windows, mode: int) -> tuple[Array, Array, Array]:
        """Run all windows in their order."""
        bounds = np.arange(0, len(windows) + self.batch, self.batch)
        bounds[-1] = len(windows)
        seeds, rates = np.zeros(len(bounds) - 1, np.uint64), np.zeros(len(bounds) - 1)
        return self._run(data, windows, bounds, mode, seeds, rates, 0, None)

    @abstractmethod
    def _run(
        self,
        data: "WindowData",
        windows: Windows,
        bounds: npt.NDArray[np.int64],
        mode: int,
        seeds: npt.NDArray[np.uint64],
        rates: npt.NDArray[np.float64],
        step: int,
        schedule: "Schedule | None",
    ) -> tuple[Array, Array, Array]:
        """Forecasts (n, h * Q); loss and number of terms (batches, 2); norms of the gradients (batches,)."""
