"""Matrix products on the CPU, made of register tiles.

Notation: M rows, N columns, K depth; ``width`` columns make a panel, the widest tile. The right operand is packed
first: panel after panel, each (K, width) contiguous, the last one narrower. That costs K N moves, few beside the M K N
products.
"""

from forecast_kernels.jit import Array, cell, kernel
from forecast_kernels.matmul.tile import VECTORS, copy_vectors, lanes_of, tile_product

_PAIR = 2 * VECTORS
DEPTH = 256  # products that `multiply_transposed` adds up in one go: both operands then stay in the caches


@cell
def _tile(
    rows: int,
    a: Array,
    a_start: int,
    a_row: int,
    a_step: int,
    packed: Array,
    b_start: int,
    b_step: int,
    depth: int,
    out: Array,
    out_start: int,
    out_row: int,
    columns: int,
    add: bool,
) -> None:
    """A tile of ``rows`` (a literal) rows, as wide as there are columns to fill."""
    if columns > lanes_of(out):
        tile_product(
            rows, VECTORS, a, a_start, a_row, a_step, packed, b_start, b_step, 0, depth, out, out_start, out_row,
            columns, add,
        )  # fmt: skip
    else:
        tile_product(
            rows, 1, a, a_start, a_row, a_step, packed, b_start, b_step, 0, depth, out, out_start, out_row, columns, add
        )


@kernel
def _panel(
    a: Array,  # read, flat: a[r, k] at a_start + r * a_row + k * a_step
    a_start: int,
    a_row: int,
    a_step: int,
    packed: Array,  # read, flat: one panel from b_start, (depth, columns)
    b_start: int,
    depth: int,
    out: Array,  # written or added to, flat: out[r, n] at out_start + r * out_row + n
    out_start: int,
    out_row: int,
    rows: int,
    columns: int,
    add: bool,
) -> None:
    """One panel's part of a product, in tiles of 6, 4 or 1 rows and of all or one vector of columns."""
    n = 0
    while n < columns:
        r = 0
        while r < rows:
            at, to, left = a_start + r * a_row, out_start + r * out_row + n, columns - n
            more = rows - r
            if more >= 6 and more != 8:
                _tile(6, a, at, a_row, a_step, packed, b_start + n, columns, depth, out, to, out_row, left, add)
                r += 6
            elif more >= 4:
                _tile(4, a, at, a_row, a_step, packed, b_start + n, columns, depth, out, to, out_row, left, add)
                r += 4
            else:
                _tile(1, a, at, a_row, a_step, packed, b_start + n, columns, depth, out, to, out_row, left, add)
                r += 1
        n += VECTORS * lanes_of(out) if columns - n > lanes_of(out) else lanes_of(out)


@kernel
def _pair(
    a: Array,  # (K,) read
    packed: Array,  # read, flat: two whole panels from b_start, (2, K, width)
    b_start: int,
    out: Array,  # written, flat: out[n] at out_start + n
    out_start: int,
) -> None:
    """Two panels' part of a single row: a sum waits four cycles for its next product, so eight are kept going."""
    K, width = a.shape[0], VECTORS * lanes_of(out)
    tile_product(
        1, _PAIR, a, 0, K, 1, packed, b_start, width, K * width, K, out, out_start, 0, 2 * width, False
    )  # fmt: skip


@kernel
def pack(
    W: Array,  # (K, N) read
    packed: Array,  # at least K * N values, written
) -> None:
    """Pack a matrix as right operand of `multiply`."""
    K, N = W.shape
    width, flat = VECTORS * lanes_of(W), W.ravel()
    for k in range(K):
        for first in range(0, N, width):
            columns = min(width, N - first)
            copy_vectors(flat, k * N + first, packed, first * K + k * columns, columns)


@kernel
def pack_transposed(
    W: Array,  # (N, K) read
    packed: Array,  # at least K * N values, written
) -> None:
    """Pack the transpose of a matrix as right operand of `multiply`."""
    N, K = W.shape
    lanes = lanes_of(W)
    width = VECTORS * lanes
    for first in range(0, N, width):
        columns = min(width, N - first)
        for n in range(0, columns, lanes):  # few rows at a time: their lines stay in the first cache
            count = min(lanes, columns - n)
            for k in range(K):
                # slices, here and elsewhere: a plain loop index needs no check for negative values, and vectorises
                at = first * K + k * columns + n
                here, column = packed[at : at + count], W[first + n : first + n + count, k]
                for j in range(count):
                    here[j] = column[j]


@kernel
def multiply(
    a: Array,  # (M, K) read
    packed: Array,  # right operand (K, N), packed
    out: Array,  # (M, N) written
) -> None:
    """``out = a b``."""
    M, K = a.shape
    N = out.shape[1]
    width, flat, flat_out = VECTORS * lanes_of(out), a.ravel(), out.ravel()  # once: a view of an array costs a little
    begin = N // (2 * width) * 2 * width if M == 1 else 0
    for first in range(0, begin, 2 * width):
        _pair(flat, packed, first * K, flat_out, first)
    for first in range(begin, N, width):
        columns = min(width, N - first)
        _panel(flat, 0, K, 1, packed, first * K, K, flat_out, first, N, M, columns, False)


@kernel
def multiply_transposed(
    a: Array,  # (M, K) read
    b: Array,  # (M, N) read
    packed: Array,  # at least DEPTH * N values, workspace
    out: Array,  # (K, N) written, or added to
    add: bool,
) -> None:
    """``out (+)= a^T b``: the gradient of weights."""
    M, K = a.shape
    N = out.shape[1]
    width, flat, flat_out = VECTORS * lanes_of(out), a.ravel(), out.ravel()
    for start in range(0, M, DEPTH):
        depth = min(DEPTH, M - start)
        pack(b[start : start + depth], packed)
        for first in range(0, N, width):
            columns = min(width, N - first)
            _panel(
                flat, start * K, 1, K, packed, first * depth, depth, flat_out, first, N, K, columns, add or start > 0
            )  # fmt: skip
