"""PyTorch's training steps and inference: ``nn.LSTM``, a linear output on the last state, squared error, Adam.

As fast as PyTorch's own means make it: time-major input, batches that lie ready, gradients set to None, the optimizer's
defaults, inference mode, and no work in Python but the loop. Denormal numbers are flushed to zero, which is not
PyTorch's default: gradients that vanish over 168 steps made its training five times slower.
"""

import time
from itertools import cycle

import numpy as np
import torch
from torch import nn

from benchmarks.speed.sides.shapes import Shape, series, torch_weights
from benchmarks.speed.worker import serve


class Net(nn.Module):  # type: ignore[misc, unused-ignore]
    """The stack and its output."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.lstm = nn.LSTM(shape.inputs, shape.hidden, shape.layers)
        self.linear = nn.Linear(shape.hidden, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(T, B, D) to (B, 1)."""
        h, _ = self.lstm(x)
        return self.linear(h[-1])


class Side:
    """One network at a time."""

    def __init__(self) -> None:
        torch.set_flush_denormal(True)  # before there are other threads, which inherit it
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # float32 as ours is

    def prepare(self, shape: list[int], count: int, device: str = "cpu") -> list[float]:
        """Set up a network for ``count`` threads; returns its outputs for the first batch."""
        torch.set_num_threads(count)
        self.device = device
        made = Shape(*shape)
        B, T, D, _, _ = made
        self.net = Net(made).to(device)
        self.net.load_state_dict({name: torch.tensor(value) for name, value in torch_weights(made).items()})
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=1e-3)
        self.loss = nn.MSELoss()
        y = series(made).astype(np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(y, made.context + 1)  # context and target
        self.batches = []
        for at in range(0, made.windows, B):
            part = windows[at : at + B]
            x = part[:, :-1].reshape(B, T, D).transpose(1, 0, 2)
            pair = torch.tensor(np.ascontiguousarray(x)), torch.tensor(part[:, -1:].copy())
            self.batches.append((pair[0].to(device), pair[1].to(device)))
        self.endless = cycle(self.batches)
        with torch.inference_mode():
            outputs: list[float] = self.net(self.batches[0][0])[:, 0].tolist()
        for _ in range(3):
            self._step()
        self._wait()
        return outputs

    def _wait(self) -> None:
        """Until the GPU has done what it was told."""
        if self.device == "cuda":
            torch.cuda.synchronize()

    def _step(self) -> None:
        x, y = next(self.endless)
        self.optimizer.zero_grad(set_to_none=True)
        self.loss(self.net(x), y).backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()

    def train(self, seconds: float) -> float:
        """Seconds of a training step, over so many seconds or three steps."""
        done, start = 0, time.perf_counter()
        while done < 3 or time.perf_counter() - start < seconds:
            self._step()
            done += 1
        self._wait()
        return (time.perf_counter() - start) / done

    def infer(self, seconds: float) -> float:
        """Seconds of the inference of a batch, over so many seconds or three batches."""
        done, start = 0, time.perf_counter()
        with torch.inference_mode():
            while done < 3 or time.perf_counter() - start < seconds:
                self.net(next(self.endless)[0])
                done += 1
        self._wait()
        return (time.perf_counter() - start) / done


if __name__ == "__main__":
    side = Side()
    serve({"prepare": side.prepare, "train": side.train, "infer": side.infer, "gpu": torch.cuda.is_available})
