"""Matrix products on the CPU, made of register tiles.

Notation: M rows, N columns, K depth; ``width`` columns make a panel, the widest tile. The right operand is packed
first: panel after panel, each (K, width) contiguous, the last one filled up with zeros to all or one vector. That costs
K N moves, few beside the M K N products.
"""

from typing import Any

from forecast_kernels.jit import Array, cell, kernel
from forecast_kernels.matmul.tile import VECTORS, copy_vectors, lanes_of, place, tile_product

Pointer = Any

_PAIR = 2 * VECTORS
DEPTH = 256  # rows that `multiply_transposed` had best be given at a time: both operands then stay in the caches
SHORT = 128  # of these, those that it packs at a time: a panel, used for all tiles, then stays in the first cache


def packed_size(K: int, N: int) -> int:
    """Values that a packed (K, N) matrix takes, at most."""
    return K * -(-N // 64) * 64  # VECTORS * lanes is 64 at most


TRANSPOSED = packed_size(SHORT, 64)  # values of workspace for `multiply_transposed`


@cell
def _step(values: Pointer, columns: int) -> int:
    """Values of a row of a panel of so many columns: a whole number of vectors, all or one."""
    lanes: int = lanes_of(values)
    return VECTORS * lanes if columns > lanes else lanes


@cell
def _tile(
    rows: int,
    a: Pointer,
    a_row: int,
    a_step: int,
    b: Pointer,
    b_step: int,
    depth: int,
    out: Pointer,
    out_row: int,
    columns: int,
    add: bool,
) -> None:
    """A tile of ``rows`` (a literal) rows, as wide as its panel."""
    if b_step > lanes_of(out):
        tile_product(rows, VECTORS, a, a_row, a_step, b, b_step, 0, depth, out, out_row, columns, add)
    else:
        tile_product(rows, 1, a, a_row, a_step, b, b_step, 0, depth, out, out_row, columns, add)


@kernel
def _panel(
    a: Pointer,  # read: a[r, k] at r * a_row + k * a_step
    a_row: int,
    a_step: int,
    packed: Pointer,  # read: one panel
    depth: int,
    out: Pointer,  # written or added to: out[r, n] at r * out_row + n
    out_row: int,
    rows: int,
    columns: int,
    add: bool,
) -> None:
    """One panel's part of a product, in tiles of 6, 4 or 1 rows and of all or one vector of columns."""
    step = _step(out, columns)
    r = 0
    while r < rows:
        a_here, out_here = place(a, r * a_row), place(out, r * out_row)
        more = rows - r
        if more >= 6 and more != 8:
            _tile(6, a_here, a_row, a_step, packed, step, depth, out_here, out_row, columns, add)
            r += 6
        elif more >= 4:
            _tile(4, a_here, a_row, a_step, packed, step, depth, out_here, out_row, columns, add)
            r += 4
        else:
            _tile(1, a_here, a_row, a_step, packed, step, depth, out_here, out_row, columns, add)
            r += 1


@kernel
def _pack_panel(
    source: Pointer,  # read: rows at multiples of row
    row: int,
    columns: int,
    target: Pointer,  # written: one panel
    rows: int,
) -> None:
    """Pack one panel."""
    step = _step(source, columns)
    for k in range(rows):
        here, there = place(source, k * row), place(target, k * step)
        if step > lanes_of(source):
            copy_vectors(VECTORS, here, columns, there)
        else:
            copy_vectors(1, here, columns, there)


@kernel
def pack(
    W: Array,  # (K, N) read
    packed: Array,  # at least packed_size(K, N) values, written
) -> None:
    """Pack a matrix as right operand of `multiply`."""
    K, N = W.shape
    width = VECTORS * lanes_of(W)
    for first in range(0, N, width):
        _pack_panel(place(W, first), N, min(width, N - first), place(packed, first * K), K)


@kernel
def pack_transposed(
    W: Array,  # (N, K) read
    packed: Array,  # at least packed_size(K, N) values, written
) -> None:
    """Pack the transpose of a matrix as right operand of `multiply`."""
    N, K = W.shape
    lanes = lanes_of(W)
    for first in range(0, N, VECTORS * lanes):
        step = _step(W, N - first)
        for n in range(first, first + step, lanes):  # few rows at a time: their lines stay in the first cache
            count = max(0, min(lanes, N - n))
            for k in range(K):
                # slices, here and elsewhere: a plain loop index needs no check for negative values, and vectorises
                at = first * K + k * step + n - first
                here, column = packed[at : at + lanes], W[n : n + count, k]
                for j in range(count):
                    here[j] = column[j]
                for j in range(count, lanes):
                    here[j] = 0


@kernel
def multiply(
    a: Array,  # (M, K) read
    packed: Array,  # right operand (K, N), packed
    out: Array,  # (M, N) written
) -> None:
    """``out = a b``."""
    M, K = a.shape
    N = out.shape[1]
    width = VECTORS * lanes_of(out)
    # A sum waits four cycles for its next product: for a single row two panels at a time keep eight of them going.
    pairs = N // (2 * width) * 2 * width if M == 1 else 0
    for first in range(0, pairs, 2 * width):
        b = place(packed, first * K)
        tile_product(
            1, _PAIR, place(a, 0), K, 1, b, width, K * width, K, place(out, first), N, 2 * width, False
        )  # fmt: skip
    for first in range(pairs, N, width):
        columns = min(width, N - first)
        _panel(place(a, 0), K, 1, place(packed, first * K), K, place(out, first), N, M, columns, False)


@kernel
def multiply_transposed(
    a: Array,  # (M, K) read
    b: Array,  # (M, N) read
    packed: Array,  # at least TRANSPOSED values, workspace
    out: Array,  # (K, N) written, or added to
    add: bool,
) -> None:
    """``out (+)= a^T b``: the gradient of weights."""
    M, K = a.shape
    N = out.shape[1]
    width = VECTORS * lanes_of(out)
    if M == 0 and not add:  # a group without rows has no gradient, not that of the batch before
        for k in range(K):
            row = out[k]
            for n in range(N):
                row[n] = 0
    for start in range(0, M, SHORT):
        depth = min(SHORT, M - start)
        for first in range(0, N, width):
            columns = min(width, N - first)
            _pack_panel(place(b, start * N + first), N, columns, place(packed, 0), depth)
            a_here, b_here = place(a, start * K), place(packed, 0)
            _panel(a_here, 1, K, b_here, depth, place(out, first), N, K, columns, add or start > 0)
