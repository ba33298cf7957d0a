"""Weights trained elsewhere: PyTorch's and Keras's layouts, turned into ours.

PyTorch's ``nn.LSTM`` keeps ``weight_ih_l0`` (4H, D), ``weight_hh_l0`` (4H, H) and two biases, ``nn.Linear`` a
``weight`` (out, in); Keras's ``LSTM`` keeps ``kernel`` (D, 4H), ``recurrent_kernel`` (H, 4H) and one ``bias``,
``Dense`` a ``kernel`` (in, out). Both have the gates in our order, i f g o.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from forecast.errors import ModelFileError, ParameterError
from forecast.learning.network import Network
from forecast_kernels.network import table as kernels

Arrays = dict[str, npt.NDArray[Any]]


def read_weights(source: Mapping[str, npt.NDArray[Any]] | str | Path, network: Network) -> Arrays:
    """Parameters of a network by our names, from weights in PyTorch's, Keras's or our own layout.

    Parameters
    ----------
    source : mapping of str to array, or path
        A ``state_dict`` as arrays, ``{w.path: w.numpy() for w in model.weights}`` of a Keras model, or a
        safetensors file of either.
    network : Network
        Says which layers there are. Dense layers are taken in the order in which they come.

    Raises
    ------
    ParameterError
        If the number or the shape of the layers differ.
    ModelFileError
        If the file cannot be read.
    """
    values = _load(Path(source)) if isinstance(source, str | Path) else {k: np.asarray(v) for k, v in source.items()}
    if set(network.views()) <= set(values):
        return values
    try:
        recurrent, dense = _layers(values)
    except KeyError as error:
        raise ParameterError(f"The weights hold no {error}, which other layers need; save all of them.") from error
    named: Arrays = {}
    for kind, found, what in ((kernels.LSTM, recurrent, "LSTM"), (kernels.DENSE, dense, "dense")):
        layers = [layer for layer in network.layers if layer.kind == kind]
        if len(layers) != len(found):
            raise ParameterError(f"The weights hold {len(found)} {what} layers; this network has {len(layers)}.")
        for layer, arrays in zip(layers, found, strict=True):
            named |= {f"{layer.name}.{name}": a for name, a in arrays.items()}
    return named


def _layers(values: Arrays) -> tuple[list[Arrays], list[Arrays]]:
    """LSTM and dense layers of either layout; KeyError where a part is missing."""
    if any("weight_ih_l" in name for name in values):
        return _torch(values)
    if any("recurrent_kernel" in name for name in values):
        return _keras(values)
    raise ParameterError(
        f"The weights hold {sorted(values)}; expected PyTorch's weight_ih_l0 ... or Keras's recurrent_kernel ..."
    )


def _load(path: Path) -> Arrays:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise ModelFileError(f"{path} cannot be read as a safetensors file of weights: {error}.") from error


def _torch(values: Arrays) -> tuple[list[Arrays], list[Arrays]]:
    """LSTM and dense layers of a ``state_dict``, by any module names."""
    marks = {name: re.match(r"(.*)weight_ih_l(\d+)$", name) for name in values}
    stacks = sorted((int(m[2]), m[1]) for m in marks.values() if m)
    recurrent = []
    for k, prefix in stacks:
        bias = [values[f"{prefix}bias_{part}_l{k}"] for part in ("ih", "hh") if f"{prefix}bias_{part}_l{k}" in values]
        W, R = values[f"{prefix}weight_ih_l{k}"].T, values[f"{prefix}weight_hh_l{k}"].T
        recurrent.append({"W": W, "R": R, "b": np.sum(bias, axis=0) if bias else np.zeros(W.shape[1])})
    dense = []
    for name, weight in values.items():
        if name.endswith("weight") and weight.ndim == 2:
            bias_name = f"{name[: -len('weight')]}bias"
            dense.append({"W": weight.T, "b": values.get(bias_name, np.zeros(len(weight)))})
    return recurrent, dense


def _keras(values: Arrays) -> tuple[list[Arrays], list[Arrays]]:
    """LSTM and dense layers by Keras's variable names, whatever stands around them."""
    layers: dict[tuple[str, str], Arrays] = {}
    for name, array in values.items():
        match = re.match(r"(.*?)(recurrent_kernel|kernel|bias)([^/]*)$", name)
        if match:
            part = {"kernel": "W", "recurrent_kernel": "R", "bias": "b"}[match[2]]
            layers.setdefault((match[1], match[3]), {})[part] = array
    for (before, after), layer in layers.items():
        if "W" not in layer:
            raise KeyError(f"{before}kernel{after}")
        layer.setdefault("b", np.zeros(layer["W"].shape[1]))
    recurrent = [layer for layer in layers.values() if "R" in layer]
    return recurrent, [layer for layer in layers.values() if "R" not in layer]
