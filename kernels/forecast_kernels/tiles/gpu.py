"""Products of matrices that are parts of others, as those of a head, and of matrices in shared memory, on the GPU.

Notation: ``out (M, N) = a (M, K) b (K, N)``. Arrays are flat, and given with the distances of values in them. A block
computes tiles as those of matmul/gpu.py, but the EACH x EACH sums of a thread lie SIDE apart: so neighbouring threads
read neighbouring values of shared memory, and write neighbouring ones.

Of chunks: L steps, at most LONGEST, P values a step; LINE is the distance of rows of (L, L) matrices in shared memory,
so that neither rows nor columns meet in one bank.
"""

from typing import Any

import numpy as np
from numba import cuda

from forecast_kernels.jit import Array
from forecast_kernels.jit_cuda import THREADS, cuda_kernel, cuda_part, launch
from forecast_kernels.matmul.gpu import BLOCKS, DEPTH, EACH, ROW, SIDE, SUMS, TERMS, TILE

STAGE = 2 * DEPTH * ROW  # values of shared memory that `add_products` needs, from its start
PRODUCT_THREADS = SIDE * SIDE  # of its block
LONGEST = 64  # steps of a chunk: three matrices of so many rows fit into the shared memory of any GPU
LINE = LONGEST + 1


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
    top, left = np.uint64(thread // SIDE), np.uint64(DEPTH * ROW + thread % SIDE)
    for start in range(0, depth, DEPTH):
        cuda.syncthreads()  # what was there before has been read
        for i in range(thread, TILE * DEPTH, PRODUCT_THREADS):
            if a_step == 1:
                k, m = i % DEPTH, i // DEPTH
            else:
                k, m = i // TILE, i % TILE
            value = number(0)
            if m < rows and start + k < depth:
                value = a[np.uint64(a_at + m * a_row + (start + k) * a_step)]
                if factors >= 0:
                    value *= shared[np.uint64(factors + start + k)]
            shared[np.uint64(k * ROW + m)] = value
        for i in range(thread, TILE * DEPTH, PRODUCT_THREADS):
            if b_step == 1:
                k, n = i // TILE, i % TILE
            else:
                k, n = i % DEPTH, i // DEPTH
            value = number(0)
            if n < columns and start + k < depth:
                value = b[np.uint64(b_at + (start + k) * b_row + n * b_step)]
            shared[np.uint64(DEPTH * ROW + k * ROW + n)] = value
        cuda.syncthreads()
        for k in range(DEPTH):
            term = np.uint64(k * ROW)
            for i in range(EACH):
                for j in range(EACH):
                    sums[i * EACH + j] += (
                        shared[term + top + np.uint64(i * SIDE)] * shared[term + left + np.uint64(j * SIDE)]
                    )


def groups_workspace(rows: int, columns: int) -> int:
    """Values of workspace that `product_of_groups` needs, however many groups and terms there are."""
    return BLOCKS * min(rows, TILE) * min(columns, TILE)


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
    splits = 1 if packed is None else max(1, min(K // TERMS, BLOCKS // (groups * tiles[0] * tiles[1])))
    depth = -(-K // (splits * DEPTH)) * DEPTH
    split = packed is not None and splits > 1
    parts, distances = (packed, (M * N, N)) if split else (out, of_out)
    ending = bias is not None, out if bias is None else bias
    launch(
        _tiles_of_groups, (tiles[1] * tiles[0], splits * groups), PRODUCT_THREADS, stream, groups, M, N, K, depth,
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
    group, begin, across = cuda.blockIdx.y % groups, cuda.blockIdx.y // groups * depth, (N + TILE - 1) // TILE
    top, left = cuda.blockIdx.x // across * TILE, cuda.blockIdx.x % across * TILE
    add_products(
        sums, shared, a, group * a_group + top * a_row + begin * a_step, a_row, a_step, M - top, b,
        group * b_group + begin * b_row + left * b_step, b_row, b_step, N - left, min(depth, K - begin), -1,
    )  # fmt: skip
    for i in range(SUMS):
        row, column = top + tile_row(i), left + tile_column(i)
        if row < M and column < N:
            at = cuda.blockIdx.y * out_group + row * out_row + column
            value = sums[i]
            if biased and cuda.gridDim.y == groups:
                value += bias[group * N + column]
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
        if biased:
            value += bias[group * N + column]
        at = group * out_group + row * out_row + column
        out[at] = out[at] + value if add else value


@cuda_part
def causal(
    sums: Array,
    shared: Array,
    a: Array,  # flat, read: row t at at + t * step
    b: Array,  # flat, read: row j likewise
    at: int,
    step: int,
    L: int,
    P: int,
    to: int,  # (L, LINE) of shared memory, written up to the diagonal's tiles; 0 right of the diagonal
) -> None:
    """Products of the rows of two matrices, each with those before it."""
    for top in range(0, L, TILE):
        for left in range(0, top + 1, TILE):
            clear_sums(sums)
            add_products(
                sums, shared, a, at + top * step, step, 1, L - top, b, at + left * step, 1, step, L - left, P, -1
            )
            for i in range(SUMS):
                t, j = top + tile_row(i), left + tile_column(i)
                if t < L and j < L:
                    shared[to + t * LINE + j] = sums[i] if j <= t else sums.dtype.type(0)


@cuda_part
def weighed(
    sums: Array,
    shared: Array,
    weights: int,  # (L, LINE) of shared memory, read up to the diagonal's tiles
    turned: bool,  # whether the weights are transposed: a step gets from those after it, not from those before it
    b: Array,  # flat, read: row j at at + j * step
    at: int,
    step: int,
    L: int,
    P: int,
    out: Array,  # flat, written: row t likewise
    add: bool,  # or added to
) -> None:
    """``weights b``."""
    for top in range(0, L, TILE):
        for left in range(0, P, TILE):
            clear_sums(sums)
            begin, end = (top, L) if turned else (0, min(top + TILE, L))
            across, along = (1, LINE) if turned else (LINE, 1)
            add_products(
                sums, shared, shared, weights + top * across + begin * along, across, along, L - top, b,
                at + begin * step + left, step, 1, P - left, end - begin, -1,
            )  # fmt: skip
            for i in range(SUMS):
                t, p = top + tile_row(i), left + tile_column(i)
                if t < L and p < P:
                    x = at + t * step + p
                    out[x] = out[x] + sums[i] if add else sums[i]


@cuda_part
def through_memory(
    sums: Array,
    shared: Array,
    a: Array,  # flat, read: row t at at + t * step
    at: int,
    step: int,
    L: int,
    P: int,
    memory: Array,  # flat: (.., P, P) read
    turned: bool,  # whether it is transposed
    place: int,  # its number
    factors: int,  # (L,) of shared memory, read: factors of the rows
    out: Array,  # flat, written: row t likewise
) -> None:
    """``diag(factors) a memory``."""
    for top in range(0, L, TILE):
        for left in range(0, P, TILE):
            clear_sums(sums)
            across, along = (1, P) if turned else (P, 1)
            add_products(
                sums, shared, a, at + top * step, step, 1, L - top, memory, place * P * P + left * along, across,
                along, P - left, P, -1,
            )  # fmt: skip
            for i in range(SUMS):
                t, p = top + tile_row(i), left + tile_column(i)
                if t < L and p < P:
                    out[at + t * step + p] = shared[factors + t] * sums[i]


@cuda_part
def advance(
    sums: Array,
    shared: Array,
    a: Array,  # flat, read: row t at at + t * step
    b: Array,  # flat, read: row t likewise
    at: int,
    step: int,
    L: int,
    P: int,
    factors: int,  # (L,) of shared memory, read
    memory: Array,  # flat: (.., P, P) read and written
    kept: bool,  # whether there is anything before
    last: float,  # its factor
    before: int,  # number of the matrix that is read
    after: int,  # of the one that is written, which may be the same
) -> None:
    """``memory = last memory + a^T diag(factors) b``."""
    for top in range(0, P, TILE):
        for left in range(0, P, TILE):
            clear_sums(sums)
            add_products(sums, shared, a, at + top, 1, step, P - top, b, at + left, step, 1, P - left, L, factors)
            for i in range(SUMS):
                row, p = top + tile_row(i), left + tile_column(i)
                if row < P and p < P:
                    old = last * memory[(before * P + row) * P + p] if kept else sums.dtype.type(0)
                    memory[(after * P + row) * P + p] = old + sums[i]
