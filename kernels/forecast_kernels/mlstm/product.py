"""Products of the small matrices of one head, on tiles of `matmul`, and what they are made ready with.

Matrices are pointers with the distance of their rows, counted in values: so a head is read where it stands among the
others. A right operand has rows of whole BLOCKs, filled up with zeros; packing it would take as long as the product.
"""

from typing import Any

import numpy as np

from forecast_kernels.jit import cell, kernel
from forecast_kernels.matmul.tile import VECTORS, copy_vectors, lanes_of, place, tile_product

Pointer = Any

BLOCK = 16  # a whole number of vectors of any processor and dtype


def padded(count: int) -> int:
    """Values that a row of ``count`` takes."""
    return -(-count // BLOCK) * BLOCK


@cell
def number(value: int) -> int:
    """The number as any other: a literal is a type of its own, for which a kernel would be compiled again."""
    return int(np.int64(value))


@cell
def truth(value: bool) -> bool:
    """Likewise of True and False."""
    return bool(np.bool_(value))


@cell
def _strip(
    tile: int,
    vectors: int,
    a: Pointer,
    a_row: int,
    a_step: int,
    b: Pointer,
    b_row: int,
    depth: int,
    out: Pointer,
    out_row: int,
    rows: int,
    columns: int,
    add: bool,
) -> None:
    """Columns of a product that so many ``vectors`` hold, ``tile`` rows at a time; both are literals."""
    r = 0
    while r < rows:
        a_here, out_here = place(a, r * a_row), place(out, r * out_row)
        if rows - r >= tile:
            tile_product(tile, vectors, a_here, a_row, a_step, b, b_row, 0, depth, out_here, out_row, columns, add)
            r += tile
        else:
            tile_product(1, vectors, a_here, a_row, a_step, b, b_row, 0, depth, out_here, out_row, columns, add)
            r += 1


@kernel
def product(
    a: Pointer,  # read: a[r, k] at r * a_row + k * a_step
    a_row: int,
    a_step: int,
    b: Pointer,  # read: b[k, n] at k * b_row + n, rows of whole BLOCKs
    b_row: int,
    depth: int,
    out: Pointer,  # written or added to: out[r, n] at r * out_row + n
    out_row: int,
    rows: int,
    columns: int,
    add: bool,
) -> None:
    """``out (+)= a b``."""
    lanes = lanes_of(out)
    n = 0
    while n < columns:
        b_here, out_here, left = place(b, n), place(out, n), columns - n
        if VECTORS == 4 and left > 3 * lanes:
            _strip(4, 4, a, a_row, a_step, b_here, b_row, depth, out_here, out_row, rows, left, add)
            n += 4 * lanes
        elif left > lanes:
            _strip(6, 2, a, a_row, a_step, b_here, b_row, depth, out_here, out_row, rows, left, add)
            n += 2 * lanes
        else:
            _strip(8, 1, a, a_row, a_step, b_here, b_row, depth, out_here, out_row, rows, left, add)
            n += lanes


@kernel
def copy_rows(
    source: Pointer,  # read: row r at r * source_row
    source_row: int,
    rows: int,
    columns: int,
    target: Pointer,  # written: row r at r * target_row
    target_row: int,  # whole BLOCKs, filled up with zeros
) -> None:
    """Copy a matrix."""
    lanes = lanes_of(source)
    for r in range(rows):
        for n in range(0, target_row, lanes):
            copy_vectors(1, place(source, r * source_row + n), columns - n, place(target, r * target_row + n))


@kernel
def copy_transposed(
    source: Pointer,  # (rows, columns) read: row r at r * source_row
    source_row: int,
    rows: int,
    columns: int,
    target: Pointer,  # (columns, rows) written: row n at n * target_row
    target_row: int,  # whole BLOCKs, filled up with zeros
) -> None:
    """Copy the transpose of a matrix."""
    for n in range(columns):
        for r in range(rows):
            target[n * target_row + r] = source[r * source_row + n]
        for r in range(rows, target_row):
            target[n * target_row + r] = 0
