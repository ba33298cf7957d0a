"""Inverted dropout (Srivastava et al. 2014) on the GPU; drops what the CPU drops.

Notation: N values.
"""

import math
from typing import Any

import numpy as np
from numba import cuda

from forecast_kernels.jit import Array
from forecast_kernels.jit_cuda import THREADS, cuda_kernel, launch
from forecast_kernels.scalars import mix

_BITS = 24  # of `scalars.uniform`


def dropout(
    x: Array,  # (N,) read
    rate: float,  # share of values set to zero, below 1; 0 copies
    seed: Array,  # (1,) read: uint64, the same seed drops the same values
    out: Array,  # (N,) written: forward maps values, backward maps gradients
    stream: Any = 0,
) -> None:
    """Zero a share of the values and scale up the rest, so that the mean stays; its own backward pass."""
    # uniform(seed, k) < rate, in whole numbers: the GPU's float64 may be slow
    limit = np.uint64(math.ceil(rate * (1 << _BITS)))
    keep = x.dtype.type(1.0 / (1.0 - rate))
    launch(_dropout, -(-x.shape[0] // THREADS), THREADS, stream, x, limit, keep, seed, out)


@cuda_kernel
def _dropout(
    x: Array,  # (N,) read
    limit: np.uint64,  # dropped if the random bits are below
    keep: float,  # factor on the rest
    seed: Array,  # (1,) read
    out: Array,  # (N,) written
) -> None:
    T = x.dtype.type
    k = cuda.grid(1)
    if k < x.shape[0]:
        drawn = mix(seed[0], np.uint64(k)) >> np.uint64(40)
        out[k] = T(0) if drawn < limit else x[k] * keep
