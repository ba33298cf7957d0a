"""A task that a small network learns in a second: two noisy sines of period six, four steps ahead."""

import numpy as np

from forecast.learning.network import Network, recurrent_layers
from forecast.learning.training import Objective, WindowData
from forecast_kernels.windows.cpu import NONE, Windowing

SPEC = Windowing(context=12, patch=3, horizon=4, seasonal=0, center=NONE, masked=1)
OBJECTIVE = Objective(SPEC, "quantile", (0.1, 0.5, 0.9), delta=1.0, dropout=0.1)
LENGTHS = (70, 50)


def data(seed=0, noise=0.1):
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.sin(np.arange(n) * 2 * np.pi / 6 + s) for s, n in enumerate(LENGTHS)])
    indptr = np.cumsum([0, *LENGTHS]).astype(np.int64)
    none = np.zeros(2, np.int64)
    return WindowData(y + rng.normal(0, noise, len(y)), indptr, np.array([[0.0, 1.0]] * 2), np.full(2, 0.01), none)


def windows(first=6, until=4):
    """Every cutoff of both series from ``first`` to ``until`` before the end."""
    return np.array([[s, k] for s, n in enumerate(LENGTHS) for k in range(first, n - until + 1)])


def network(seed=0, quantiles=3):
    layers = recurrent_layers(
        steps=4, inputs=6, embed=8, hidden=8, layers=2, dropout=True, extra=0, head=8, outputs=4 * quantiles
    )
    made = Network(layers)
    made.initialise(seed)
    return made
