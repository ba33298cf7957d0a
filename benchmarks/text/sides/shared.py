"""The text, the network's shape and its weights at the start: the same for both sides.

Notation: V symbols, E numbers of a symbol, H hidden, B streams, T steps a chunk.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

HELD_OUT = 0.05


class Shape(NamedTuple):
    """An embedding, a stack of LSTM layers and a linear output, and how it is trained."""

    embed: int
    hidden: int
    layers: int
    batch: int
    steps: int
    rate: float


def symbols(path: str) -> tuple[Array, Array, int]:
    """Symbols of the text to learn and of that held out, and V: symbol 0 is the beginning, others are characters."""
    text = Path(path).read_text(encoding="utf-8-sig")
    known = {character: k + 1 for k, character in enumerate(sorted(set(text)))}
    found = np.array([0, *(known[character] for character in text)], np.int32)
    kept = len(found) - round(HELD_OUT * len(found))
    return found[:kept], found[kept - 1 :], len(known) + 1


def torch_weights(shape: Shape, symbols: int) -> dict[str, Array]:
    """Weights in PyTorch's layout, drawn as PyTorch draws them."""
    rng = np.random.default_rng(1)
    E, H, limit = shape.embed, shape.hidden, shape.hidden**-0.5

    def draw(*size: int) -> Array:
        return rng.uniform(-limit, limit, size).astype(np.float32)

    weights = {"embed.weight": rng.standard_normal((symbols, E)).astype(np.float32)}
    for k in range(shape.layers):
        weights[f"lstm.weight_ih_l{k}"] = draw(4 * H, H if k else E)
        weights[f"lstm.weight_hh_l{k}"] = draw(4 * H, H)
        weights[f"lstm.bias_ih_l{k}"], weights[f"lstm.bias_hh_l{k}"] = draw(4 * H), draw(4 * H)
    return weights | {"linear.weight": draw(symbols, H), "linear.bias": draw(symbols)}
