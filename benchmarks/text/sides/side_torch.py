"""PyTorch's side: ``nn.Embedding``, ``nn.LSTM``, ``nn.Linear``, cross-entropy, Adam; the state is carried, detached.

As fast as PyTorch's own means make it: time-major chunks that lie ready, gradients set to None, denormal numbers
flushed to zero, inference mode, and no work in Python but the loop.
"""

import math
import time

import numpy as np
import torch
from torch import nn

from benchmarks.speed.worker import serve
from benchmarks.text.sides.shared import Shape, symbols, torch_weights


class Net(nn.Module):  # type: ignore[misc, unused-ignore]
    """The network; its state goes in and out."""

    def __init__(self, shape: Shape, count: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(count, shape.embed)
        self.lstm = nn.LSTM(shape.embed, shape.hidden, shape.layers)
        self.linear = nn.Linear(shape.hidden, count)

    def forward(self, x: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor] | None) -> tuple[torch.Tensor, ...]:
        """(T, B) to logits (T, B, V), and the state after them."""
        h, state = self.lstm(self.embed(x), state)
        return self.linear(h), state


class Side:
    """One network."""

    def __init__(self) -> None:
        torch.set_flush_denormal(True)  # before there are other threads, which inherit it

    def prepare(self, path: str, shape: list[float], count: int) -> int:
        """Set up the network for ``count`` threads, and the chunks; returns the steps of a pass."""
        torch.set_num_threads(count)
        made = Shape(*shape)  # type: ignore[arg-type]
        learned, held_out, self.count = symbols(path)
        self.net = Net(made, self.count)
        weights = torch_weights(made, self.count)
        self.net.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=made.rate)
        self.loss = nn.CrossEntropyLoss(ignore_index=-1)
        self.chunks = _chunks(learned, made.batch, made.steps)
        self.held_out = _chunks(held_out, 1, made.steps)
        return len(self.chunks)

    def train(self) -> float:
        """Seconds of a pass over the text."""
        state, start = None, time.perf_counter()
        for x, y in self.chunks:
            self.optimizer.zero_grad(set_to_none=True)
            logits, state = self.net(x, state)
            self.loss(logits.view(-1, self.count), y.view(-1)).backward()
            nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
            self.optimizer.step()
            state = tuple(part.detach() for part in state)
        return time.perf_counter() - start

    def judge(self) -> float:
        """Bits per character of the held-out text."""
        state, total, count = None, 0.0, 0
        with torch.inference_mode():
            for x, y in self.held_out:
                logits, state = self.net(x, state)
                judged = int((y >= 0).sum())
                total += float(self.loss(logits.view(-1, self.count), y.view(-1))) * judged
                count += judged
        return total / count / math.log(2)

    def generate(self, count: int) -> float:
        """Seconds a symbol."""
        symbol, state = torch.zeros(1, 1, dtype=torch.int64), None
        with torch.inference_mode():
            start = time.perf_counter()
            for _ in range(count):
                logits, state = self.net(symbol, state)
                symbol = torch.multinomial(torch.softmax(logits[0], 1), 1)
                int(symbol)
            return (time.perf_counter() - start) / count


def _chunks(found: np.ndarray, batch: int, steps: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Inputs and targets (T, B) of each chunk; -1 where there is none any more."""
    length = math.ceil((len(found) - 1) / batch)
    width = math.ceil(length / steps) * steps
    x, y = np.zeros((batch, width), np.int64), np.full((batch, width), -1, np.int64)
    for row in range(batch):
        part = found[row * length : min((row + 1) * length, len(found) - 1) + 1]
        x[row, : len(part) - 1], y[row, : len(part) - 1] = part[:-1], part[1:]
    pairs = ((x[:, at : at + steps], y[:, at : at + steps]) for at in range(0, width, steps))
    return [tuple(torch.tensor(np.ascontiguousarray(one.T)) for one in pair) for pair in pairs]  # type: ignore[misc]


if __name__ == "__main__":
    side = Side()
    serve({"prepare": side.prepare, "train": side.train, "judge": side.judge, "generate": side.generate})
