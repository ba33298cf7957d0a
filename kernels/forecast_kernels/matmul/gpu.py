"""Matrix products on the GPU: any orientation, any sizes, and the same bits whatever the GPU.

Notation: ``out (M, N) = a (M, K) b (K, N)``; either factor may be given transposed. A block computes a tile of TILE x
TILE, a thread EACH x EACH of it. Where few tiles have to add up many terms, as in gradients of weights, the terms are
split among more blocks, whose sums are then added in a fixed order.

Where matrices are parts of others, as those of a head, flat arrays are given with the distances of values in them.
"""

from typing import Any

import numpy as np
from numba import cuda

from forecast_kernels.jit import Array
from forecast_kernels.jit_cuda import THREADS, cuda_kernel, cuda_part, launch, simulated

TILE, DEPTH, EACH = (8, 4, 2) if simulated() else (64, 16, 4)
_ROW = TILE + EACH  # of a tile in shared memory: shifted from bank to bank, and still aligned
_ALIGNMENT = None if simulated() else 16  # bytes: four values are then read at once
SIDE, SUMS = TILE // EACH, EACH * EACH
_TILE_THREADS = SIDE * SIDE
_BLOCKS = 6 if simulated() else 264  # enough to fill a large GPU
_TERMS = 8 if simulated() else 256  # that a block should add up at least
_COLUMNS, _LINES = (4, 2) if simulated() else (32, 8)  # of a block that adds up rows


def _splits(rows: int, columns: int, terms: int) -> int:
    """Among how many blocks the terms of a tile are split."""
    tiles = -(-rows // TILE) * -(-columns // TILE)
    return max(1, min(terms // _TERMS, _BLOCKS // tiles))


def product_workspace(rows: int, columns: int) -> int:
    """Values of workspace that `product` needs, however many terms there are."""
    tiles = -(-rows // TILE) * -(-columns // TILE)
    return rows * columns * (_BLOCKS // tiles) if 2 * tiles <= _BLOCKS else 0


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
    grid = -(-N // TILE), -(-M // TILE), splits
    ending = bias is not None, out.reshape(M * N) if bias is None else bias, activation
    launch(_tiles, grid, _TILE_THREADS, stream, a, a_turned, b, b_turned, depth, *ending, parts)
    if splits > 1:
        launch(_add_parts, -(-N * M // THREADS), THREADS, stream, parts, *ending, out)


def column_sums_workspace(columns: int) -> int:
    """Values of workspace that `column_sums` needs."""
    return _BLOCKS * columns


def column_sums(
    x: Array,  # (M, N) read
    out: Array,  # (N,) written
    packed: Array,  # at least column_sums_workspace(N) values, workspace
    stream: Any = 0,
) -> None:
    """Add up the rows."""
    M, N = x.shape
    splits = max(1, min(M // _TERMS, _BLOCKS))
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
    of_a = cuda.shared.array((DEPTH, _ROW), parts.dtype, alignment=_ALIGNMENT)
    of_b = cuda.shared.array((DEPTH, _ROW), parts.dtype, alignment=_ALIGNMENT)
    sums = cuda.local.array(SUMS, parts.dtype)
    for k in range(SUMS):
        sums[k] = T(0)
    splits, M, N = parts.shape
    K = a.shape[0] if a_turned else a.shape[1]
    thread, split = cuda.threadIdx.x, cuda.blockIdx.z
    first_row, first_column = cuda.blockIdx.y * TILE, cuda.blockIdx.x * TILE
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


STAGE = 2 * DEPTH * _ROW  # values of shared memory that `add_products` needs, from its start
PRODUCT_THREADS = _TILE_THREADS  # of its block


@cuda_part
def clear_sums(sums: Array) -> None:
    """Set a thread's sums of a tile to zeros."""
    for i in range(SUMS):
        sums[i] = sums.dtype.type(0)


@cuda_part
def tile_row(i: int) -> int:
    """Row within the tile of sum i of a thread."""
    row: int = cuda.threadIdx.x // SIDE + i // EACH * SIDE
    return row


@cuda_part
def tile_column(i: int) -> int:
    """Column within the tile of sum i of a thread."""
    column: int = cuda.threadIdx.x % SIDE + i % EACH * SIDE
    return column


@cuda_part
def add_products(
    sums: Array,  # (EACH * EACH,) of a thread: added to
    shared: Array,  # at least STAGE values of shared memory
    a: Array,  # flat; a[m, k] at a_at + m * a_row + k * a_step
    a_at: int,
    a_row: int,
    a_step: int,
    rows: int,  # of a from a_at on
    b: Array,  # flat; b[k, n] at b_at + k * b_row + n * b_step
    b_at: int,
    b_row: int,
    b_step: int,
    columns: int,  # of b from b_at on
    depth: int,  # terms
    factors: int,  # where in shared memory a factor for each term lies; -1 for none
) -> None:
    """Add ``a diag(factors) b`` to a tile; all PRODUCT_THREADS threads of the block call this.

    Neighbouring threads read neighbouring values, whichever way the matrices lie.
    """
    number = sums.dtype.type
    thread = cuda.threadIdx.x
    top, left = np.uint64(thread // SIDE), np.uint64(DEPTH * _ROW + thread % SIDE)
    for start in range(0, depth, DEPTH):
        cuda.syncthreads()  # what was there before has been read
        for i in range(thread, TILE * DEPTH, _TILE_THREADS):
            if a_step == 1:
                k, m = i % DEPTH, i // DEPTH
            else:
                k, m = i // TILE, i % TILE
            value = number(0)
            if m < rows and start + k < depth:
                value = a[np.uint64(a_at + m * a_row + (start + k) * a_step)]
                if factors >= 0:
                    value *= shared[np.uint64(factors + start + k)]
            shared[np.uint64(k * _ROW + m)] = value
        for i in range(thread, TILE * DEPTH, _TILE_THREADS):
            if b_step == 1:
                k, n = i // TILE, i % TILE
            else:
                k, n = i % DEPTH, i // DEPTH
            value = number(0)
            if n < columns and start + k < depth:
                value = b[np.uint64(b_at + (start + k) * b_row + n * b_step)]
            shared[np.uint64(DEPTH * _ROW + k * _ROW + n)] = value
        cuda.syncthreads()
        for k in range(DEPTH):
            term = np.uint64(k * _ROW)
            for i in range(EACH):
                for j in range(EACH):
                    sums[i * EACH + j] += (
                        shared[term + top + np.uint64(i * SIDE)] * shared[term + left + np.uint64(j * SIDE)]
                    )


def groups_workspace(rows: int, columns: int) -> int:
    """Values of workspace that `product_of_groups` needs, however many groups and terms there are."""
    return _BLOCKS * min(rows, TILE) * min(columns, TILE)


def product_of_groups(
    groups: int,  # G
    size: tuple[int, int, int],  # M, N, K
    a: Array,  # flat, read
    of_a: tuple[int, int, int],  # distances of groups, of rows and of terms
    b: Array,  # flat, read
    of_b: tuple[int, int, int],  # distances of groups, of terms and of columns
    bias: Array | None,  # (G N,) read: added to each row
    out: Array,  # flat, written
    of_out: tuple[int, int],  # distances of groups and of rows
    packed: Array | None = None,  # at least groups_workspace(M, N) values, workspace; without it terms are not split
    add: bool = False,  # whether to add to what is in out
    stream: Any = 0,
) -> None:
    """``out = a b + bias`` in each group."""
    M, N, K = size
    tiles = -(-M // TILE), -(-N // TILE)
    splits = 1 if packed is None else max(1, min(K // _TERMS, _BLOCKS // (groups * tiles[0] * tiles[1])))
    depth = -(-K // (splits * DEPTH)) * DEPTH
    split = packed is not None and splits > 1
    parts, distances = (packed, (M * N, N)) if split else (out, of_out)
    ending = bias is not None, out if bias is None else bias
    launch(
        _tiles_of_groups, (tiles[1], tiles[0], splits * groups), _TILE_THREADS, stream, groups, M, N, K, depth,
        a, *of_a, b, *of_b, *ending, add and not split, parts, *distances, shared=STAGE * out.dtype.itemsize,
    )  # fmt: skip
    if split:
        arguments = packed, splits, groups, M, N, *ending, add, out, *of_out
        launch(_add_parts_of_groups, -(-groups * M * N // THREADS), THREADS, stream, *arguments)


@cuda_kernel
def _tiles_of_groups(
    groups: int,
    M: int,
    N: int,
    K: int,
    depth: int,  # terms of a block
    a: Array,  # see product_of_groups
    a_group: int,
    a_row: int,
    a_step: int,
    b: Array,
    b_group: int,
    b_row: int,
    b_step: int,
    biased: bool,  # if there is one part alone
    bias: Array,  # read if biased
    add: bool,  # likewise
    out: Array,  # written: group after group, part after part
    out_group: int,
    out_row: int,
) -> None:
    shared = cuda.shared.array(0, out.dtype)
    sums = cuda.local.array(SUMS, out.dtype)
    clear_sums(sums)
    group, begin = cuda.blockIdx.z % groups, cuda.blockIdx.z // groups * depth
    top, left = cuda.blockIdx.y * TILE, cuda.blockIdx.x * TILE
    add_products(
        sums, shared, a, group * a_group + top * a_row + begin * a_step, a_row, a_step, M - top, b,
        group * b_group + begin * b_row + left * b_step, b_row, b_step, N - left, min(depth, K - begin), -1,
    )  # fmt: skip
    for i in range(SUMS):
        row, column = top + tile_row(i), left + tile_column(i)
        if row < M and column < N:
            at = cuda.blockIdx.z * out_group + row * out_row + column
            value = sums[i]
            if cuda.gridDim.z == groups:
                value = _ended(value, biased, bias, group * N + column, 0)
            out[at] = out[at] + value if add else value


@cuda_kernel
def _add_parts_of_groups(
    parts: Array,  # flat: (splits, groups, M, N) read
    splits: int,
    groups: int,
    M: int,
    N: int,
    biased: bool,
    bias: Array,  # read if biased
    add: bool,
    out: Array,  # see product_of_groups
    out_group: int,
    out_row: int,
) -> None:
    """Add the parts, in their order."""
    i = cuda.grid(1)
    if i < groups * M * N:
        group, row, column = i // (M * N), i // N % M, i % N
        value = out.dtype.type(0)
        for split in range(splits):
            value += parts[split * groups * M * N + i]
        value = _ended(value, biased, bias, group * N + column, 0)
        at = group * out_group + row * out_row + column
        out[at] = out[at] + value if add else value


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
