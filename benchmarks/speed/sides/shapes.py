"""Networks whose steps are timed, and their data and weights, the same for every side.

Notation: B batch, T time, D inputs, H hidden.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

BATCHES = 4  # different ones, so that no side sees the same values in every step


class Shape(NamedTuple):
    """A stack of LSTM layers and one linear output on the last state."""

    batch: int
    time: int
    inputs: int
    hidden: int
    layers: int

    @property
    def context(self) -> int:
        """Values of a window: T steps of D values."""
        return self.time * self.inputs

    @property
    def windows(self) -> int:
        return BATCHES * self.batch

    @property
    def forward_flops(self) -> int:
        """Floating-point operations of the LSTM layers' matrix products, forward; backward needs twice as many."""
        B, T, D, H, layers = self
        return sum(2 * B * T * (width + H) * 4 * H for width in (D, *[H] * (layers - 1)))


def series(shape: Shape) -> Array:
    """One series that holds all windows: window k starts at k, and its target follows its context."""
    rng = np.random.default_rng(0)
    time = np.arange(shape.windows + shape.context)
    return np.asarray(np.sin(0.1 * time) + 0.1 * rng.standard_normal(len(time)))


def torch_weights(shape: Shape) -> dict[str, Array]:
    """Weights in PyTorch's layout, drawn as PyTorch draws them."""
    rng = np.random.default_rng(1)
    limit = shape.hidden**-0.5

    def draw(*size: int) -> Array:
        return rng.uniform(-limit, limit, size).astype(np.float32)

    H, weights = shape.hidden, {}
    for k in range(shape.layers):
        weights[f"lstm.weight_ih_l{k}"] = draw(4 * H, H if k else shape.inputs)
        weights[f"lstm.weight_hh_l{k}"] = draw(4 * H, H)
        weights[f"lstm.bias_ih_l{k}"], weights[f"lstm.bias_hh_l{k}"] = draw(4 * H), draw(4 * H)
    return weights | {"linear.weight": draw(1, H), "linear.bias": draw(1)}
