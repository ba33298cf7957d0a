"""The same layers of the package `xlstm`: its own PyTorch code for the CPU behind the linear layers that ours have.

sLSTM is its cell with the backend "vanilla"; mLSTM its functions `parallel_stabilized_simple` and `chunkwise_simple`.
Denormal numbers are flushed to zero, as ours are; the forward pass alone runs in inference mode.
"""

import time
from collections.abc import Callable

import numpy as np
import torch
from xlstm.blocks.mlstm.backends import chunkwise_simple, parallel_stabilized_simple
from xlstm.blocks.slstm.cell import sLSTMCell, sLSTMCellConfig

from benchmarks.speed.sides.cells_shapes import CellShape, values
from benchmarks.speed.worker import serve

CHUNK = 64
Given = dict[str, torch.Tensor]


def _slstm(shape: CellShape, given: Given) -> Callable[[], torch.Tensor]:
    _, B, T, H, N = shape
    P = shape.head
    cell = sLSTMCell(sLSTMCellConfig(hidden_size=H, num_heads=N, backend="vanilla", dtype="float32"))
    parts = [given.pop(name).detach().reshape(H, N, 2, P) for name in ("Wx", "Wy")]
    W = torch.cat([part[:, :, k].reshape(H, H) for part in parts for k in range(2)], dim=1)  # i f z o, heads within
    R, b = given.pop("R").detach().reshape(N, P, 4, P), given.pop("b").detach().reshape(N, 4, P)
    given["W"] = W.contiguous().requires_grad_()
    with torch.no_grad():
        cell._recurrent_kernel_.copy_(R.permute(0, 2, 3, 1).reshape(N, 4 * P, P))
        cell._bias_.copy_(b.permute(1, 0, 2).reshape(-1))
    given |= dict(cell.named_parameters())

    def forward() -> torch.Tensor:
        h, _ = cell(given["x"] @ given["W"])
        return h.permute(0, 2, 1, 3).reshape(B, T, H)

    return forward


def _memory(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, i: torch.Tensor, f: torch.Tensor, form: str
) -> torch.Tensor:
    """h (B, T, H) of q, k, v (B, N, T, P) and gates (B, N, T)."""
    if form == "chunkwise":
        h = chunkwise_simple(
            q.contiguous(), k.contiguous(), v.contiguous(), i.contiguous(), f.contiguous(), chunk_size=CHUNK
        )
    else:
        h = parallel_stabilized_simple(q, k, v, i[..., None], f[..., None])
    return h.transpose(1, 2).flatten(2)


def _mlstm(shape: CellShape, given: Given, form: str) -> Callable[[], torch.Tensor]:
    _, B, T, _, N = shape

    def forward() -> torch.Tensor:
        x = given["x"].reshape(B, T, N, shape.head).transpose(1, 2)
        qkv = (x @ given["W"][k] + given["b"][k].reshape(N, 1, -1) for k in range(3))
        gates = ((given["x"] @ given["Wg"][k] + given["bg"][k]).transpose(1, 2) for k in range(2))
        return _memory(*qkv, *gates, form=form)

    return forward


def _mlstm_cell(shape: CellShape, given: Given, form: str) -> Callable[[], torch.Tensor]:
    _, B, T, _, N = shape

    def forward() -> torch.Tensor:
        qkv = (given[name].reshape(B, T, N, shape.head).transpose(1, 2) for name in "qkv")
        return _memory(*qkv, *(given[name].transpose(1, 2) for name in "if"), form=form)

    return forward


class Side:
    """Several layers, by the keys they were prepared under."""

    def __init__(self) -> None:
        torch.set_flush_denormal(True)
        torch.set_num_threads(1)
        self.layers: dict[str, tuple[Callable[[], torch.Tensor], torch.Tensor, Given]] = {}

    def prepare(self, key: str, shape: list[object], form: str = "") -> list[float]:
        """Set up a layer; returns the last outputs of its first row."""
        made = CellShape(*shape)  # type: ignore[arg-type]
        given = {name: torch.tensor(np.ascontiguousarray(value)) for name, value in values(made).items()}
        dout = given.pop("dout")
        for value in given.values():
            value.requires_grad_()
        if made.kind == "slstm":
            forward = _slstm(made, given)
        else:
            forward = (_mlstm if made.kind == "mlstm" else _mlstm_cell)(made, given, form)
        self.layers[key] = forward, dout, given
        self._both(key)
        with torch.inference_mode():
            out: list[float] = forward()[0, -1].tolist()
        return out

    def drop(self) -> None:
        """Forget all layers."""
        self.layers.clear()

    def _both(self, key: str) -> None:
        forward, dout, given = self.layers[key]
        for value in given.values():
            value.grad = None
        forward().backward(dout)

    def forward(self, key: str, seconds: float) -> float:
        """Seconds of a forward pass, over so many seconds."""
        with torch.inference_mode():
            return timed(self.layers[key][0], seconds)

    def both(self, key: str, seconds: float) -> float:
        """Seconds of a forward and backward pass."""
        return timed(lambda: self._both(key), seconds)


def timed(work: Callable[[], object], seconds: float) -> float:
    """Seconds of one call."""
    done, start = 0, time.perf_counter()
    while done < 1 or time.perf_counter() - start < seconds:
        work()
        done += 1
    return (time.perf_counter() - start) / done


if __name__ == "__main__":
    side = Side()
    serve({"prepare": side.prepare, "drop": side.drop, "forward": side.forward, "both": side.both})
