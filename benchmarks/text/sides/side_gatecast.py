"""Our side: the runner and the continuation that `forecast.TextModel` uses."""

import math
import time

import numpy as np

from benchmarks.speed.worker import serve
from benchmarks.text.sides.shared import Shape, symbols, torch_weights
from forecast.learning.network import Network, symbol_layers
from forecast.learning.symbols import ChunkRunner, Continuation, Streams, cut, score_symbols
from forecast.learning.training import Schedule
from forecast_kernels.jit import threads


class Side:
    """One network."""

    def prepare(self, path: str, shape: list[float]) -> int:
        """Set up the network and the streams; returns the steps of a pass."""
        self.shape = Shape(*shape)  # type: ignore[arg-type]
        learned, self.held_out, self.count = symbols(path)
        self.network = self._network(self.shape.steps)
        views = self.network.views()
        weights = torch_weights(self.shape, self.count)
        views["embed.W"][:] = weights["embed.weight"]
        for k in range(self.shape.layers):
            views[f"lstm.{k}.W"][:] = weights[f"lstm.weight_ih_l{k}"].T
            views[f"lstm.{k}.R"][:] = weights[f"lstm.weight_hh_l{k}"].T
            views[f"lstm.{k}.b"][:] = weights[f"lstm.bias_ih_l{k}"] + weights[f"lstm.bias_hh_l{k}"]
        views["output.W"][:], views["output.b"][:] = weights["linear.weight"].T, weights["linear.bias"]
        pieces = cut(learned[:-1], learned[1:], self.shape.batch, self.shape.steps)
        self.streams = Streams(pieces, self.shape.batch, self.shape.steps)
        self.runner = ChunkRunner(self.network, self.shape.batch, 0.0, training=True)
        self.done = 0
        with threads():
            self.runner.score(self.streams)  # loads what is compiled
        return self.streams.chunks

    def _network(self, steps: int) -> Network:
        E, H, layers = self.shape[:3]
        return Network(symbol_layers(steps=steps, symbols=self.count, embed=E, hidden=H, layers=layers, dropout=0.0))

    def train(self) -> float:
        """Seconds of a pass over the text."""
        count = self.streams.chunks
        schedule = Schedule(count, self.shape.batch, self.shape.rate, decay="constant", clip_norm=1.0)
        with threads():
            start = time.perf_counter()
            chunks = self.streams.take(count)
            self.runner.learn(*chunks, np.zeros(count, np.uint64), np.full(count, self.shape.rate), self.done, schedule)
            seconds = time.perf_counter() - start
        self.done += count
        return seconds

    def judge(self) -> float:
        """Bits per character of the held-out text."""
        loss, count = score_symbols(self.network, [(self.held_out[:-1], self.held_out[1:])])
        return loss / count / math.log(2)

    def generate(self, count: int) -> float:
        """Seconds a symbol."""
        one_step = self._network(1)
        one_step.theta = self.network.theta
        text = Continuation(one_step, 1)
        start = time.perf_counter()
        for _ in text.draw(np.zeros(1, np.int32), count, 1.0, 0, 1.0, 0):
            pass
        return (time.perf_counter() - start) / count


if __name__ == "__main__":
    side = Side()
    serve({"prepare": side.prepare, "train": side.train, "judge": side.judge, "generate": side.generate})
