"""Inverted dropout (Srivastava et al. 2014) on the CPU; backward draws the same numbers again instead of storing them.

Notation: N values.
"""

import numpy as np

from forecast_kernels.jit import Array, kernel
from forecast_kernels.scalars import uniform


@kernel
def dropout(
    x: Array,  # (N,) read
    rate: float,  # share of values set to zero, below 1; 0 copies
    seed: np.uint64,  # uint64: the same seed drops the same values
    out: Array,  # (N,) written: forward maps values, backward maps gradients
) -> None:
    """Zero a share of the values and scale up the rest, so that the mean stays; its own backward pass."""
    T = x.dtype.type
    keep = T(1.0 / (1.0 - rate))
    for k in range(x.shape[0]):
        out[k] = T(0) if uniform(seed, np.uint64(k)) < rate else x[k] * keep
