"""Compile every kernel that training and prediction need, once for a processor, with progress."""

from collections.abc import Callable

import numpy as np

from forecast.learning.network import Network, recurrent_layers
from forecast.learning.training import Objective, Schedule, WindowData, predict, train
from forecast.progress import Progress, Silent
from forecast_kernels.dense.cpu import dense_backward, dense_forward
from forecast_kernels.jit import cache_folder, compile_for
from forecast_kernels.loss.cpu import loss_forward_backward
from forecast_kernels.lstm.cpu import lstm_backward, lstm_forward
from forecast_kernels.windows.cpu import MEAN, Windowing, gather_windows

LABEL = "Compiling kernels (once on this machine)"
_warm = False


def is_warm() -> bool:
    """Whether the kernels are compiled: in this process, or in the cache."""
    folder = cache_folder()
    return _warm or (folder is not None and (folder / "complete").exists())


def warmup(progress: Progress | None = None) -> None:
    """Compile the kernels, or do nothing if they are; about ten seconds the first time."""
    global _warm
    if is_warm():
        return
    progress = progress or Silent()
    steps = _steps()
    progress.start(LABEL, len(steps))
    try:
        for step in steps:
            step()
            progress.advance()
    finally:
        progress.finish()
    _warm = True
    folder = cache_folder()
    if folder is not None:
        (folder / "complete").touch()


def _steps() -> list[Callable[[], object]]:
    """Small parts first, so that progress moves; the last trains and predicts with a tiny network."""
    flat, wide, deep = (np.zeros((1,) * n, np.float32) for n in (1, 2, 3))
    double, whole = np.zeros((1, 1)), np.zeros((1, 2), np.int64)
    spec = Windowing(2, 1, 1, 0, MEAN, 1)
    values = WindowData(np.arange(4.0), np.array([0, 4]), np.ones((1, 2)), np.ones(1))

    def run() -> None:
        objective = Objective(spec, "quantile", (0.5,), 1.0, 0.1)
        layers = recurrent_layers(
            steps=2, inputs=2, embed=1, hidden=1, layers=2, dropout=True, extra=0, head=1, outputs=1
        )
        network = Network(layers)
        windows = np.array([[0, 2], [0, 3]])
        train(network, values, windows, objective, Schedule(1, 2, 1e-3), Silent())
        predict(network, values, windows, objective)

    return [
        lambda: compile_for(gather_windows, *values, whole, spec, deep, wide, double, double[0], wide, wide),
        lambda: compile_for(lstm_forward, deep, wide, flat, deep, deep, deep, deep, flat),
        lambda: compile_for(lstm_backward, wide, deep, deep, deep, deep, deep, wide, flat, wide, wide, flat),
        lambda: compile_for(dense_forward, wide, wide, flat, 0, wide, flat),
        lambda: compile_for(dense_backward, wide, wide, wide, 0, wide, wide, wide, flat, flat),
        lambda: compile_for(loss_forward_backward, 0, wide, wide, wide, flat, np.float32(1), wide),
        run,
    ]
