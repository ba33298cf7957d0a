"""Chunks of steps as rows of whole BLOCKs: what mLSTM does with them beside products of matrices.

Notation: L steps of a chunk, J values a row. Loops over a block say ``min(BLOCK, J - first)`` though that is BLOCK:
LLVM makes one vector of a loop of at most 16, but takes one of exactly 16 apart before it looks for vectors, and
expects more of one of any length (two to three times slower).
"""

from forecast_kernels.jit import kernel, wide_vectors
from forecast_kernels.matmul.tile import place
from forecast_kernels.mlstm.cell import mlstm_normaliser
from forecast_kernels.mlstm.product import BLOCK, Pointer


@kernel
def gather(
    source: Pointer,  # read: value t at t * step
    step: int,
    L: int,
    target: Pointer,  # written: value t at t * target_step
    target_step: int,
) -> None:
    """Values of one head at the steps of a chunk, or back to where they were."""
    for t in range(L):
        target[t * target_step] = source[t * step]


@kernel
def scale_rows(
    values: Pointer,  # (rows, J) multiplied
    J: int,
    rows: int,
    factors: Pointer,  # read: the factor of row r at r * step
    step: int,
) -> None:
    """Multiply each row by its factor; with a step of 0, all by the same."""
    wide_vectors()
    for r in range(rows):
        factor = factors[r * step]
        for first in range(0, J, BLOCK):
            here = place(values, r * J + first)
            for j in range(min(BLOCK, J - first)):
                here[j] *= factor


@kernel
def add_rows(
    values: Pointer,  # (rows, J) read
    J: int,
    rows: int,
    columns: int,  # at most J
    out: Pointer,  # (rows, columns) added to: row r at r * out_row
    out_row: int,
    add: bool,  # or written
) -> None:
    """Put rows back among those of other heads."""
    wide_vectors()
    for r in range(rows):
        for first in range(0, columns, BLOCK):
            here, there = place(values, r * J + first), place(out, r * out_row + first)
            for j in range(min(BLOCK, columns - first)):
                there[j] = there[j] + here[j] if add else here[j]


@kernel
def dot_rows(
    a: Pointer,  # (rows, J) read
    b: Pointer,  # (rows, J) read, or one row for all with a b_row of 0
    b_row: int,
    J: int,
    rows: int,
    out: Pointer,  # (rows,) written
) -> None:
    """Inner product of each row with another."""
    wide_vectors()
    T = type(out[0])
    for r in range(rows):
        total = T(0)
        for first in range(0, J, BLOCK):
            left, right = place(a, r * J + first), place(b, r * b_row + first)
            for j in range(min(BLOCK, J - first)):
                total += left[j] * right[j]
        out[r] = total


@kernel
def weigh(
    w: Pointer,  # (L,) read: factors of the input
    f: Pointer,  # (L,) read: factors of the memory
    L: int,
    J: int,
    d: Pointer,  # (J,) written: weights of the steps at the last one
    reach: Pointer,  # (L,) written: product of the factors f up to a step
    scores: Pointer,  # (L, J) multiplied by the weights up to the diagonal's blocks; 0 right of the diagonal
    sums: Pointer,  # (L,) written: sums of the rows
) -> None:
    """Weigh the products of queries and keys."""
    wide_vectors()
    T = type(d[0])
    for j in range(J):
        d[j] = 0
    kept = T(1)
    for t in range(L):
        forget, new, total = f[t], w[t], T(0)
        for first in range(0, t + 1, BLOCK):
            weights, row = place(d, first), place(scores, t * J + first)
            for j in range(min(BLOCK, J - first)):
                weights[j] = new if first + j == t else forget * weights[j]
            for j in range(min(BLOCK, J - first)):
                row[j] *= weights[j]
                total += row[j]
        sums[t] = total
        kept *= forget
        reach[t] = kept


@kernel
def weigh_backward(
    w: Pointer,  # (L,) read
    f: Pointer,  # (L,) read
    inverse: Pointer,  # (L,) read: one over the divisors
    e: Pointer,  # (L,) read: gradients of the divided readings of n
    L: int,
    J: int,
    d: Pointer,  # (J,) written as in `weigh`
    reach: Pointer,  # (L,) written as in `weigh`, over the divisors
    scores: Pointer,  # (L, J) products of queries and keys on entry, weighed and divided on return
    dscores: Pointer,  # (L, J) gradient of what scores are on return on entry, of what they are on entry on return
    dlog: Pointer,  # (L, J) written: gradient of the weights' logarithms
) -> float:
    """Weigh again, and backward of it; returns the product of all f."""
    wide_vectors()
    T = type(d[0])
    for j in range(J):
        d[j] = 0
    kept: float = T(1)
    for t in range(L):
        forget, new, over, extra = f[t], w[t], inverse[t], e[t]
        for first in range(0, t + 1, BLOCK):
            at = t * J + first
            weights, row, drow, g = place(d, first), place(scores, at), place(dscores, at), place(dlog, at)
            for j in range(min(BLOCK, J - first)):
                weights[j] = new if first + j == t else forget * weights[j]
            for j in range(min(BLOCK, J - first)):
                row[j] *= weights[j] * over
                g[j] = row[j] * (drow[j] + extra)
            for j in range(min(BLOCK, J - first)):
                drow[j] = (drow[j] + extra) * weights[j] * over
        kept *= forget
        reach[t] = kept * over
    return kept


@kernel
def sum_rectangles(
    dlog: Pointer,  # (L, J) read up to the diagonal's blocks, 0 right of the diagonal
    L: int,
    J: int,
    below: Pointer,  # (J,) written: sums of the columns
    corners: Pointer,  # (L,) written: sum over steps from s on, of what was written before s
) -> None:
    """Gradients of the logarithms of factors: sums alone, no differences of larger sums."""
    wide_vectors()
    T = type(below[0])
    for j in range(J):
        below[j] = 0
    for t in range(L - 1, -1, -1):
        total = T(0)
        for first in range(0, t + 1, BLOCK):
            sums, row = place(below, first), place(dlog, t * J + first)
            for j in range(min(BLOCK, J - first)):
                sums[j] += row[j]
            for j in range(min(BLOCK, J - first)):
                total += sums[j] if first + j < t else T(0)
        corners[t] = total


@kernel
def normalise(
    reading: Pointer,  # (L,) read: of n
    floor: Pointer,  # (L,) least divisor on entry, one over the divisor on return
    sign: Pointer,  # (L,) written
    L: int,
) -> None:
    """Divisors of a chunk."""
    for t in range(L):
        floor[t], sign[t] = mlstm_normaliser(reading[t], floor[t])
