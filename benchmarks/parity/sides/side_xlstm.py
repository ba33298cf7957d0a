"""The package's cells and layers, with weights and inputs drawn at random; what they give goes to a file."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from xlstm.blocks.mlstm.backends import chunkwise_simple, parallel_stabilized_simple, recurrent_step_stabilized_simple
from xlstm.blocks.mlstm.layer import mLSTMLayer, mLSTMLayerConfig
from xlstm.blocks.slstm.cell import sLSTMCell, sLSTMCellConfig
from xlstm.blocks.slstm.layer import sLSTMLayer, sLSTMLayerConfig

from benchmarks.speed.worker import serve

CHUNK = 16


def _draw(*size: int, spread: float = 1.0) -> torch.Tensor:
    return (spread * torch.randn(*size, dtype=torch.float64)).requires_grad_()


def _slstm_cell(T: int, B: int, H: int, N: int) -> tuple[dict[str, torch.Tensor], Callable[..., torch.Tensor]]:
    cell = sLSTMCell(sLSTMCellConfig(hidden_size=H, num_heads=N, backend="vanilla", dtype="float32"))
    given = {"x": _draw(B, T, 4 * H), "R": _draw(*cell._recurrent_kernel_.shape, spread=0.3), "b": _draw(4 * H)}

    def run(x: torch.Tensor, R: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        named = {"_recurrent_kernel_": R, "_bias_": b}
        h, _ = torch.func.functional_call(cell, named, (x,))
        return h.permute(0, 2, 1, 3).reshape(B, T, H)

    return given, run


def _of_module(module: torch.nn.Module, x: torch.Tensor) -> tuple[dict[str, torch.Tensor], Callable[..., torch.Tensor]]:
    given = {name: _draw(*value.shape, spread=0.3) for name, value in module.named_parameters()}
    for name in ("mlstm_cell.igate.weight", "mlstm_cell.fgate.weight"):
        if name in given:
            with torch.no_grad():
                given[name][:, 2 * given[name].shape[1] // 3 :] = 0
    return {"x": x, **given}, lambda x, **named: torch.func.functional_call(module, named, (x,))


def _slstm_layer(T: int, B: int, H: int, N: int) -> tuple[dict[str, torch.Tensor], Callable[..., torch.Tensor]]:
    layer = sLSTMLayer(sLSTMLayerConfig(embedding_dim=H, num_heads=N, backend="vanilla", dtype="float32"))
    return _of_module(layer, _draw(B, T, H))


def _mlstm_layer(
    T: int, B: int, H: int, N: int, eps: float
) -> tuple[dict[str, torch.Tensor], Callable[..., torch.Tensor]]:
    layer = mLSTMLayer(mLSTMLayerConfig(embedding_dim=H, num_heads=N, context_length=T))
    layer.mlstm_cell.backend_fn = partial(parallel_stabilized_simple, eps=eps)
    return _of_module(layer, _draw(B, T, H))


def _mlstm_cell(
    T: int, B: int, H: int, N: int, eps: float, form: str
) -> tuple[dict[str, torch.Tensor], Callable[..., torch.Tensor]]:
    given = {name: _draw(B, N, T, H // N) for name in "qkv"} | {"i": _draw(B, N, T), "f": _draw(B, N, T)}

    def run(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, i: torch.Tensor, f: torch.Tensor) -> torch.Tensor:
        if form == "parallel":
            h = parallel_stabilized_simple(q, k, v, i[..., None], f[..., None], eps=eps)
        elif form == "chunkwise":
            h = chunkwise_simple(q, k, v, i, f, chunk_size=CHUNK, eps=eps)
        else:
            P, steps = H // N, []
            state = tuple(q.new_zeros(B, N, *size) for size in ((P, P), (P, 1), (1, 1)))
            for t in range(T):
                parts = (value[:, :, t : t + 1].clone() for value in (q, k, v))
                gates = (value[:, :, t, None, None] for value in (i, f))
                step, state = recurrent_step_stabilized_simple(*state, *parts, *gates, eps=eps)
                steps.append(step)
            h = torch.cat(steps, dim=2)
        return h.permute(0, 2, 1, 3).reshape(B, T, H)

    return given, run


CASES: Mapping[str, Callable[..., tuple[dict[str, torch.Tensor], Callable[..., torch.Tensor]]]] = {
    "slstm cell": _slstm_cell,
    "slstm layer": _slstm_layer,
    "mlstm cell": _mlstm_cell,
    "mlstm layer": _mlstm_layer,
}


def run(case: str, path: str, dtype: str, sizes: list[int], **options: object) -> None:
    """Leave in a file what goes in, ``in.NAME``, the output and its gradient, and all gradients, ``grad.NAME``."""
    torch.manual_seed(0)
    given, function = CASES[case](*sizes, **options)
    given = {name: value.detach().to(getattr(torch, dtype)).requires_grad_() for name, value in given.items()}
    out = function(**given)
    dout = torch.randn(*out.shape, dtype=torch.float64).to(out.dtype)
    out.backward(dout)
    found = {"out": out.detach(), "dout": dout} | {f"in.{name}": value.detach() for name, value in given.items()}
    found |= {f"grad.{name}": value.grad for name, value in given.items()}
    np.savez(path, **{name: value.numpy() for name, value in found.items()})


if __name__ == "__main__":
    serve({"run": run})
