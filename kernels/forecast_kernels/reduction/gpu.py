"""Sums over whole arrays on the GPU, in float64 and in a fixed order: the same bits whatever the GPU.

A kernel of BLOCKS blocks writes a partial sum each to ``result[1:]``, from which a last block makes ``result[0]``: a
result is an array (BLOCKS + 1,) of float64, of which the first value is what the CPU's twin returns.
"""

import math
from typing import Any

import numpy as np
from numba import cuda

from forecast_kernels.jit import Array
from forecast_kernels.jit_cuda import THREADS, cuda_kernel, cuda_part, launch, simulated

BLOCKS = 2 if simulated() else 128


@cuda_part
def block_sum(value: float) -> float:
    """Sum of a float64 of each of THREADS threads; all of them call this."""
    shared = cuda.shared.array(THREADS, np.float64)
    thread, half = cuda.threadIdx.x, THREADS // 2
    shared[thread] = value
    cuda.syncthreads()
    while half > 0:
        if thread < half:
            shared[thread] += shared[thread + half]
        cuda.syncthreads()
        half //= 2
    total: float = shared[0]
    cuda.syncthreads()  # all have read it before the next sum is written there
    return total


def finish_sum(result: Array, root: bool, stream: Any = 0) -> None:
    """Add up the partial sums, and take the square root if asked."""
    launch(_finish, 1, THREADS, stream, result, root)


@cuda_kernel
def _finish(
    result: Array,  # (BLOCKS + 1,) float64: partial sums read, the first value written
    root: bool,
) -> None:
    value = 0.0
    for k in range(cuda.threadIdx.x, BLOCKS, THREADS):
        value += result[1 + k]
    total = block_sum(value)
    if cuda.threadIdx.x == 0:
        result[0] = math.sqrt(total) if root else total
