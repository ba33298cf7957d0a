"""Matrix products on the GPU: any orientation, any sizes, and the same bits whatever the GPU.

Notation: ``out (M, N) = a (M, K) b (K, N)``; either factor may be given transposed. A block computes a tile of TILE x
TILE, a thread EACH x EACH of it. Where few tiles have to add up many terms, as in gradients of weights, the terms are
split among more blocks, whose sums are then added in a fixed order.
"""

from typing import Any

import numpy as np
from numba import cuda

from forecast_kernels.jit import Array
from forecast_kernels.jit_cuda import THREADS, cuda_kernel, cuda_part, launch, simulated

TILE, DEPTH, EACH = (8, 4, 2) if simulated() else (64, 16, 4)
ROW = TILE + EACH  # of a tile in shared memory: shifted from bank to bank, and still aligned
_ALIGNMENT = None if simulated() else 16  # bytes: four values are then read at once
SIDE, SUMS = TILE // EACH, EACH * EACH
_TILE_THREADS = SIDE * SIDE
BLOCKS = 6 if simulated() else 264  # enough to fill a large GPU
TERMS = 8 if simulated() else 256  # that a block should add up at least
_COLUMNS, _LINES = (4, 2) if simulated() else (32, 8)  # of a block that adds up rows


def _splits(rows: int, columns: int, terms: int) -> int:
    """Among how many blocks the terms of a tile are split."""
    tiles = -(-rows // TILE) * -(-columns // TILE)
    return max(1, min(terms // TERMS, BLOCKS // tiles))


def product_workspace(rows: int, columns: int) -> int:
    """Values of workspace that `product` needs, however many terms there are."""
    tiles = -(-rows // TILE) * -(-columns // TILE)
    return rows * columns * (BLOCKS // tiles) if 2 * tiles <= BLOCKS else 0


def product(
    a: Array,  # (M, K), or (K, M) if it is turned; read
    a_turned: bool,
    b: Array,  # (K, N), or (N, K) if it is turned; read
    b_turned: bool,
    bias: Array | None,  # (N,) read: added to each row
    activation: int,  # 0 none, 1 ReLU
    out: Array,  # (M, N) written
    packed: Array | None = None,  # at least product_workspace(M, N) values, workspace; without it terms are not split
    stream: Any = 0,
) -> None:
    """``out = activation(a b + bias)``."""
    M, N = out.shape
    K = a.shape[0] if a_turned else a.shape[1]
    if M == 0 or N == 0:
        return
    splits = 1 if packed is None else _splits(M, N, K)
    parts = out.reshape(1, M, N) if packed is None or splits == 1 else packed[: splits * M * N].reshape(splits, M, N)
    depth = -(-K // (splits * DEPTH)) * DEPTH
    grid = -(-N // TILE) * -(-M // TILE), splits  # tiles side by side: of them there may be more than a grid has lines
    ending = bias is not None, out.reshape(M * N) if bias is None else bias, activation
    launch(_tiles, grid, _TILE_THREADS, stream, a, a_turned, b, b_turned, depth, *ending, parts)
    if splits > 1:
        launch(_add_parts, -(-N * M // THREADS), THREADS, stream, parts, *ending, out)


def column_sums_workspace(columns: int) -> int:
    """Values of workspace that `column_sums` needs."""
    return BLOCKS * columns


def column_sums(
    x: Array,  # (M, N) read
    out: Array,  # (N,) written
    packed: Array,  # at least column_sums_workspace(N) values, workspace
    stream: Any = 0,
) -> None:
    """Add up the rows."""
    M, N = x.shape
    splits = max(1, min(M // TERMS, BLOCKS))
    parts = out.reshape(1, N) if splits == 1 else packed[: splits * N].reshape(splits, N)
    lines = -(-M // splits)
    grid = -(-N // _COLUMNS), splits
    launch(_add_rows, grid, (_COLUMNS, _LINES), stream, x, lines, parts)
    if splits > 1:
        launch(_add_rows, (grid[0], 1), (_COLUMNS, _LINES), stream, parts, splits, out.reshape(1, N))


@cuda_part
def _ended(value: float, biased: bool, bias: Array, column: int, activation: int) -> float:
    """What is done to a sum at last."""
    T = type(value)
    if biased:
        value += bias[column]
    return T(0) if activation == 1 and value < T(0) else value  # NaN stays NaN


@cuda_kernel
def _tiles(
    a: Array,  # (M, K) or (K, M) read
    a_turned: bool,
    b: Array,  # (K, N) or (N, K) read
    b_turned: bool,
    depth: int,  # terms of a block
    biased: bool,
    bias: Array,  # (N,) read if biased
    activation: int,
    parts: Array,  # (splits, M, N) written: products, finished if there is one alone
) -> None:
    """A tile of ``out``, or of a part of it."""
    T = parts.dtype.type
    of_a = cuda.shared.array((DEPTH, ROW), parts.dtype, alignment=_ALIGNMENT)
    of_b = cuda.shared.array((DEPTH, ROW), parts.dtype, alignment=_ALIGNMENT)
    sums = cuda.local.array(SUMS, parts.dtype)
    for k in range(SUMS):
        sums[k] = T(0)
    splits, M, N = parts.shape
    K = a.shape[0] if a_turned else a.shape[1]
    thread, split, across = cuda.threadIdx.x, cuda.blockIdx.y, (N + TILE - 1) // TILE
    first_row, first_column = cuda.blockIdx.x // across * TILE, cuda.blockIdx.x % across * TILE
    left, top = np.uint64(EACH * (thread % SIDE)), np.uint64(EACH * (thread // SIDE))
    begin = split * depth
    end = min(begin + depth, K)
    for start in range(begin, end, DEPTH):
        # Neighbouring threads read neighbouring values, whichever way the matrix lies.
        for i in range(thread, TILE * DEPTH, _TILE_THREADS):
            if a_turned:
                k, r = i // TILE, i % TILE
            else:
                k, r = i % DEPTH, i // DEPTH
            row, depth_at = first_row + r, start + k
            value = T(0)
            if row < M and depth_at < end:
                value = a[depth_at, row] if a_turned else a[row, depth_at]
            of_a[k, r] = value
        for i in range(thread, TILE * DEPTH, _TILE_THREADS):
            if b_turned:
                k, c = i % DEPTH, i // DEPTH
            else:
                k, c = i // TILE, i % TILE
            column, depth_at = first_column + c, start + k
            value = T(0)
            if column < N and depth_at < end:
                value = b[column, depth_at] if b_turned else b[depth_at, column]
            of_b[k, c] = value
        cuda.syncthreads()
        for k in range(DEPTH):
            term = np.uint64(k)  # unsigned places are not looked at whether they count from the end
            for i in range(EACH):
                for j in range(EACH):
                    sums[i * EACH + j] += of_a[term, top + np.uint64(i)] * of_b[term, left + np.uint64(j)]
        cuda.syncthreads()
    for i in range(EACH):
        for j in range(EACH):
            row, column = first_row + int(top) + i, first_column + int(left) + j
            if row < M and column < N:
                value = sums[i * EACH + j]
                if splits == 1:
                    value = _ended(value, biased, bias, column, activation)
                parts[split, row, column] = value


@cuda_kernel
def _add_parts(
    parts: Array,  # (splits, M, N) read
    biased: bool,
    bias: Array,  # (N,) read if biased
    activation: int,
    out: Array,  # (M, N) written
) -> None:
    """Add the parts, in their order."""
    T = out.dtype.type
    M, N = out.shape
    i = cuda.grid(1)
    if i < M * N:
        row, column = i // N, i % N
        value = T(0)
        for split in range(parts.shape[0]):
            value += parts[split, row, column]
        out[row, column] = _ended(value, biased, bias, column, activation)


@cuda_kernel
def _add_rows(
    x: Array,  # (M, N) read
    lines: int,  # rows that a block adds up
    parts: Array,  # (splits, N) written
) -> None:
    """Sums of the columns over some of the rows."""
    T = parts.dtype.type
    shared = cuda.shared.array((_LINES, _COLUMNS), parts.dtype)
    M, N = x.shape
    column, line, split = cuda.grid(2)[0], cuda.threadIdx.y, cuda.blockIdx.y
    value = T(0)
    if column < N:
        for row in range(split * lines + line, min((split + 1) * lines, M), _LINES):
            value += x[row, column]
    shared[line, cuda.threadIdx.x] = value
    cuda.syncthreads()
    if line == 0 and column < N:
        value = T(0)
        for k in range(_LINES):
            value += shared[k, cuda.threadIdx.x]
        parts[split, column] = value


def transpose(
    x: Array,  # (M, N) read
    out: Array,  # (N, M) written
    stream: Any = 0,
) -> None:
    """Transpose a matrix."""
    tiles = -(-x.shape[1] // SIDE), -(-x.shape[0] // SIDE)
    launch(_transpose, tiles, (SIDE, SIDE), stream, x, out)


@cuda_kernel
def _transpose(
    x: Array,  # (M, N) read
    out: Array,  # (N, M) written
) -> None:
    column, row = cuda.grid(2)
    if row < x.shape[0] and column < x.shape[1]:
        out[column, row] = x[row, column]
