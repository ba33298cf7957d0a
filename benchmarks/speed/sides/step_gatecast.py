"""Our training steps and inference, through the loop that `forecast.LSTM` learns with; a matrix product's speed."""

import time
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.speed.sides.shapes import Shape, series, torch_weights
from benchmarks.speed.worker import serve
from forecast.learning.network import Network, recurrent_layers
from forecast.learning.training import Objective, Schedule, WindowData, _runner, train
from forecast.learning.weights import read_weights
from forecast.progress import Silent
from forecast_kernels.device import gpu
from forecast_kernels.jit import threads
from forecast_kernels.windows.cpu import NONE, Windowing

PEAK_SIZE = 2048  # rows and columns of the product that stands for what the machine can do


class Stopwatch(Silent):
    """When the training loop reports, and how many steps it has done since it did before."""

    def __init__(self) -> None:
        self.moments: list[tuple[float, int]] = []

    def advance(self, steps: int = 1, **figures: float) -> None:
        self.moments.append((time.perf_counter(), steps))

    @property
    def seconds_per_step(self) -> float:
        """Mean from the first report to the last: the setting-up of the loop is left out."""
        (first, _), (last, _) = self.moments[0], self.moments[-1]
        return (last - first) / sum(steps for _, steps in self.moments[1:])


class Side:
    """One network at a time."""

    def prepare(self, shape: list[int], device: str = "cpu") -> list[float]:
        """Set up a network; returns its outputs for the first batch."""
        self.shape, self.device = Shape(*shape), device
        B, T, D, H, layers = self.shape
        self.network = Network(
            recurrent_layers(
                steps=T, inputs=D, embed=0, hidden=H, layers=layers, dropout=False, extra=0, head=0, outputs=1
            )
        )
        self.network.load(read_weights(torch_weights(self.shape), self.network))
        y = series(self.shape)
        self.data = WindowData(y, np.array([0, len(y)]), np.array([[0.0, 1.0]]), np.ones(1), np.zeros(1, np.int64))
        cutoffs = self.shape.context + np.arange(self.shape.windows)
        self.windows = np.stack([np.zeros_like(cutoffs), cutoffs], axis=1)
        self.objective = Objective(Windowing(self.shape.context, D, 1, 0, NONE, 0), "squared", (0.5,), 1.0, 0.0)
        self.runner = _runner(self.network, self.data, self.objective, B, False, device)
        with threads():
            outputs: list[float] = self.runner.forward(self.windows[:B])[:, 0].tolist()
        self._train(2)  # loads what is compiled
        self.step = self._train(4)
        return outputs

    def train(self, seconds: float) -> float:
        """Seconds of a training step, over about so many seconds."""
        self.step = self._train(max(4, 1 + round(seconds / self.step)))
        return self.step

    def _train(self, steps: int) -> float:
        watch = Stopwatch()
        schedule = Schedule(steps, self.shape.batch, 1e-3, decay="constant", clip_norm=1.0)
        train(self.network, self.data, self.windows, self.objective, schedule, watch, device=self.device)
        return watch.seconds_per_step

    def infer(self, seconds: float) -> float:
        """Seconds of the inference of a batch, over so many seconds or three batches."""
        B, done = self.shape.batch, 0
        with threads():
            start = time.perf_counter()
            while done < 3 or time.perf_counter() - start < seconds:
                at = done * B % self.shape.windows
                self.runner.forward(self.windows[at : at + B])
                done += 1
            return (time.perf_counter() - start) / done


def found_gpu() -> tuple[str, str]:
    """Name of the GPU, and what it lacks."""
    return gpu().name, gpu().missing


def peak(count: int) -> float:
    """Floating-point operations a second of a large float32 matrix product by ``count`` threads."""
    a = np.ones((PEAK_SIZE, PEAK_SIZE), np.float32)
    out: Any = np.empty_like(a)
    with threadpool_limits(count, "blas"):
        start = time.perf_counter()
        np.dot(a, a, out)
        return 2 * PEAK_SIZE**3 / (time.perf_counter() - start)


if __name__ == "__main__":
    side = Side()
    serve({"prepare": side.prepare, "train": side.train, "infer": side.infer, "peak": peak, "gpu": found_gpu})
