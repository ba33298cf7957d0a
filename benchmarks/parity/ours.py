"""Our side of every case: weights copied from the package's layout, gradients back into it.

Notation: B rows, T steps, D inputs, H units, N heads of P; E inner width of an mLSTM layer. The package puts the batch
first, we put the time first.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.layers import MatrixMemory, Program
from forecast.learning.network import Layer
from forecast_kernels.network import table

Array = npt.NDArray[Any]
Found = dict[str, Array]  # "out", and "grad.NAME" by the package's names


def turned(values: Array) -> Array:
    """(B, T, ..) <-> (T, B, ..)"""
    return np.ascontiguousarray(np.swapaxes(values, 0, 1))


def slstm_cell(given: Mapping[str, Array], N: int) -> Found:
    """The cell alone: our layer's input is what the package calls so, the pre-activations, gate after gate."""
    x, R, b = turned(given["in.x"]), given["in.R"], given["in.b"]
    T, B, H = *x.shape[:2], x.shape[2] // 4
    P = H // N
    program = Program([Layer("cell", table.SLSTM, 4 * H, H, T, heads=N)], B, x.dtype)
    eye = np.eye(4 * H).reshape(4 * H, 4, N, P).transpose(0, 2, 1, 3)  # columns (gate, head, P) -> (head, gate, P)
    program.network.load({
        "cell.Wx": eye[:, :, :2].reshape(4 * H, 2 * H), "cell.Wy": eye[:, :, 2:].reshape(4 * H, 2 * H),
        "cell.R": R.reshape(N, 4 * P, P).transpose(0, 2, 1), "cell.b": b.reshape(4, N, P).swapaxes(0, 1).reshape(-1),
    })  # fmt: skip
    out = turned(program.forward(x))
    dx, d = program.backward(turned(given["dout"]))
    return {
        "out": out, "grad.x": turned(dx), "grad.R": d["cell.R"].transpose(0, 2, 1),
        "grad.b": d["cell.b"].reshape(N, 4, P).swapaxes(0, 1).reshape(-1),
    }  # fmt: skip


def slstm_layer(given: Mapping[str, Array], N: int) -> Found:
    """Convolution, gates, cell and the norm of each head."""
    x = turned(given["in.x"])
    T, B, H = x.shape
    P, taps = H // N, given["in.conv1d.conv.weight"].shape[2]
    program = Program([
        *_copied(T, H),
        Layer("conv", table.CONV, H, H, T, taps=taps),
        Layer("cell", table.SLSTM, H, H, T, second="input", heads=N),
        Layer("heads", table.NORM, H, H, T, heads=N),
    ], B, x.dtype)  # fmt: skip
    slots = (("Wx", ("fgate", "igate")), ("Wy", ("zgate", "ogate")))  # the package's names, in the order i f, z o
    kernel, bias = "slstm_cell._recurrent_kernel_", "slstm_cell._bias_"
    program.network.load({
        **_copying(H), **_convolution(given, "conv1d.conv"),
        **{
            f"cell.{ours}": np.stack([
                diagonal(given[f"in.{name}.weight"]).reshape(H, N, P) for name in names
            ], axis=2).reshape(H, 2 * H)
            for ours, names in slots
        },
        "cell.R": given[f"in.{kernel}"].reshape(N, 4 * P, P).transpose(0, 2, 1),
        "cell.b": given[f"in.{bias}"].reshape(4, N, P).swapaxes(0, 1).reshape(-1),
        "heads.scale": 1 + given["in.group_norm.weight"], "heads.bias": np.zeros(H),
    })  # fmt: skip
    out = turned(program.forward(x))
    dx, d = program.backward(turned(given["dout"]))
    found = {"out": out, "grad.x": turned(dx), **_convolution_back(d, "conv1d.conv")}
    for ours, names in slots:
        for k, name in enumerate(names):
            whole = d[f"cell.{ours}"].reshape(H, N, 2, P)[:, :, k].reshape(H, H)
            found[f"grad.{name}.weight"] = blocks(whole, N)
    found[f"grad.{kernel}"] = d["cell.R"].transpose(0, 2, 1)
    found[f"grad.{bias}"] = d["cell.b"].reshape(N, 4, P).swapaxes(0, 1).reshape(-1)
    return found | {"grad.group_norm.weight": d["heads.scale"]}


def mlstm_cell(given: Mapping[str, Array], form: str, length: int) -> Found:
    """The kernels alone."""
    B, N, T, P = given["in.q"].shape
    qkv = [np.ascontiguousarray(given[f"in.{name}"].transpose(2, 0, 1, 3)).reshape(T, B, N * P) for name in "qkv"]
    gates = [np.ascontiguousarray(given[f"in.{name}"].transpose(2, 0, 1)) for name in "if"]
    memory = MatrixMemory(form, T, B, N, P, qkv[0].dtype, length)
    out = turned(memory.forward(*qkv, *gates))
    d = memory.backward(turned(given["dout"]))
    found = {f"grad.{name}": d[k].reshape(T, B, N, P).transpose(1, 2, 0, 3) for k, name in enumerate("qkv")}
    return {"out": out} | found | {"grad.i": d[3].transpose(1, 2, 0), "grad.f": d[4].transpose(1, 2, 0)}


def mlstm_layer(given: Mapping[str, Array], N: int) -> Found:
    """Up in two, convolution, q k v, gates, cell, the norm of each head, skip, gate, down."""
    x = turned(given["in.x"])
    T, B, D = x.shape
    E, taps = given["in.learnable_skip"].shape[0], given["in.conv1d.conv.weight"].shape[2]
    P = E // N
    program = Program([
        *_copied(T, D),
        Layer("up", table.DENSE, D, E, T, source="input"),
        Layer("conv", table.CONV, E, E, T, taps=taps),
        Layer("cell", table.MLSTM, E, E, T, second="up", heads=N),
        Layer("gate", table.DENSE, D, E, T, source="input"),
        Layer("heads", table.NORM, E, E, T, source="cell", heads=N),
        Layer("skip", table.SKIP, E, E, T, second="conv"),
        Layer("gated", table.GATE, E, E, T, second="gate"),
        Layer("down", table.DENSE, E, D, T),
    ], B, x.dtype)  # fmt: skip
    whole = {name: diagonal(given[f"in.{name}_proj.weight"]) for name in "qkv"}
    parts = {g: np.split(given[f"in.mlstm_cell.{g}gate.weight"].T, 3) for g in "if"}  # of q, k and v, (E, N) each
    program.network.load({
        **_copying(D), **_convolution(given, "conv1d.conv"),
        "up.W": given["in.proj_up.weight"][:E].T, "up.b": np.zeros(E),
        "gate.W": given["in.proj_up.weight"][E:].T, "gate.b": np.zeros(E),
        "cell.W": np.stack([[w[n * P : n * P + P, n * P : n * P + P] for n in range(N)] for w in whole.values()]),
        "cell.b": np.zeros((3, E)),
        "cell.Wg": np.stack([whole["q"] @ parts[g][0] + whole["k"] @ parts[g][1] for g in "if"]),
        "cell.bg": np.stack([given[f"in.mlstm_cell.{g}gate.bias"] for g in "if"]),
        "heads.scale": 1 + given["in.mlstm_cell.outnorm.weight"], "heads.bias": np.zeros(E),
        "skip.scale": given["in.learnable_skip"], "down.W": given["in.proj_down.weight"].T, "down.b": np.zeros(D),
    })  # fmt: skip
    out = turned(program.forward(x))
    dx, d = program.backward(turned(given["dout"]))
    found = {"out": out, "grad.x": turned(dx), **_convolution_back(d, "conv1d.conv")}
    for part, name in enumerate("qkv"):
        dwhole = np.zeros((E, E), x.dtype)
        for n in range(N):
            dwhole[n * P : n * P + P, n * P : n * P + P] = d["cell.W"][part, n]
        for gate, g in enumerate("if") if name != "v" else ():
            dwhole += d["cell.Wg"][gate] @ parts[g][part].T
        found[f"grad.{name}_proj.weight"] = blocks(dwhole, E // given["in.q_proj.weight"].shape[2])
    for gate, g in enumerate("if"):
        of_qk = [whole[name].T @ d["cell.Wg"][gate] for name in "qk"]
        found[f"grad.mlstm_cell.{g}gate.weight"] = np.concatenate(of_qk).T  # that of v has no counterpart
        found[f"grad.mlstm_cell.{g}gate.bias"] = d["cell.bg"][gate]
    return found | {
        "grad.proj_up.weight": np.concatenate([d["up.W"].T, d["gate.W"].T]),
        "grad.mlstm_cell.outnorm.weight": d["heads.scale"], "grad.learnable_skip": d["skip.scale"],
        "grad.proj_down.weight": d["down.W"].T,
    }  # fmt: skip


def diagonal(weight: Array) -> Array:
    """Of blocks (K, outputs, inputs) one matrix (inputs, outputs) that is 0 elsewhere."""
    K, outputs, inputs = weight.shape
    whole = np.zeros((K, inputs, K, outputs), weight.dtype)
    whole[np.arange(K), :, np.arange(K)] = weight.transpose(0, 2, 1)
    return whole.reshape(K * inputs, K * outputs)


def blocks(whole: Array, K: int) -> Array:
    """The way back; what is beside the blocks is left out."""
    inputs, outputs = whole.shape[0] // K, whole.shape[1] // K
    return whole.reshape(K, inputs, K, outputs)[np.arange(K), :, np.arange(K)].transpose(0, 2, 1)


def _copied(T: int, D: int) -> list[Layer]:
    """A layer that passes the input on, for others to name it as their source."""
    return [Layer("input", table.DENSE, D, D, T)]


def _copying(D: int) -> dict[str, Array]:
    return {"input.W": np.eye(D), "input.b": np.zeros(D)}


def _convolution(given: Mapping[str, Array], name: str) -> dict[str, Array]:
    return {"conv.W": given[f"in.{name}.weight"][:, 0].T, "conv.b": given[f"in.{name}.bias"]}


def _convolution_back(d: Mapping[str, Array], name: str) -> dict[str, Array]:
    return {f"grad.{name}.weight": d["conv.W"].T[:, None], f"grad.{name}.bias": d["conv.b"]}
