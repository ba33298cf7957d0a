"""Sums on the GPU in a fixed order: the same bits whatever the GPU.

Those over whole arrays are float64: a kernel of BLOCKS blocks writes a partial sum each to ``result[1:]``, from which a
last block makes ``result[0]``: a result is an array (BLOCKS + 1,) of float64, of which the first value is what the
CPU's twin returns.

Those over the rows of a matrix have the matrix's dtype: a block takes COLUMNS of it through all rows, LINES at a time.
"""

import math
from typing import Any

import numpy as np
from numba import cuda

from forecast_kernels.jit import Array
from forecast_kernels.jit_cuda import THREADS, cuda_kernel, cuda_part, launch, simulated

BLOCKS = 2 if simulated() else 128
COLUMNS, LINES = (4, 2) if simulated() else (8, 64)  # eight float32 are what memory hands over at once


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


def column_blocks(columns: int) -> int:
    """Blocks of (COLUMNS, LINES) threads for so many columns."""
    return -(-columns // COLUMNS)


@cuda_part
def sum_lines(value: float, like: Array) -> float:
    """Sum over a block's lines of a value of each of its threads, in each column; all of them call this."""
    shared = cuda.shared.array((LINES, COLUMNS), like.dtype)
    column, line = cuda.threadIdx.x, cuda.threadIdx.y
    cuda.syncthreads()  # what was there before has been read
    shared[line, column] = value
    cuda.syncthreads()
    total: float = shared[0, column]
    for k in range(1, LINES):
        total += shared[k, column]
    return total


def sum_rows(
    x: Array,  # (M, N) read
    out: Array,  # (N,) written
    stream: Any = 0,
) -> None:
    """Add up the rows without a workspace."""
    launch(_sum_rows, column_blocks(out.shape[0]), (COLUMNS, LINES), stream, x, out)


@cuda_kernel
def _sum_rows(
    x: Array,  # (M, N) read
    out: Array,  # (N,) written
) -> None:
    j, line = cuda.grid(2)
    value = out.dtype.type(0)
    if j < x.shape[1]:
        for r in range(line, x.shape[0], LINES):
            value += x[r, j]
    total = sum_lines(value, out)
    if line == 0 and j < x.shape[1]:
        out[j] = total
