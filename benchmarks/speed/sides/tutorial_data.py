"""The tutorials' series: a sine wave with noise, 500 points, so 490 windows of 10."""

from typing import Any

import numpy as np
import numpy.typing as npt

WINDOW, UNITS, EPOCHS, BATCH = 10, 50, 20, 32


def values() -> npt.NDArray[np.float64]:
    """500 values."""
    rng = np.random.default_rng(0)
    return np.asarray(np.sin(0.1 * np.arange(500)) + 0.1 * rng.standard_normal(500))


def windows() -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Contexts (490, 10, 1) and targets (490, 1), float32."""
    cut = np.lib.stride_tricks.sliding_window_view(values().astype(np.float32), WINDOW + 1)
    return cut[:, :WINDOW, None].copy(), cut[:, WINDOW:].copy()
