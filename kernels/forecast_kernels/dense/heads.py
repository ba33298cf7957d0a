"""Dense layer within each head on the CPU, forward and backward: a product with a block-diagonal matrix.

Notation: M rows, N heads of P columns side by side, H = N P; Q = P filled up to whole blocks.
"""

from forecast_kernels.jit import Array, cell, kernel
from forecast_kernels.matmul.cpu import DEPTH
from forecast_kernels.matmul.tile import place
from forecast_kernels.mlstm.product import copy_rows, copy_transposed, number, padded, product, truth


def heads_workspace(head: int) -> int:
    """Values of workspace that the kernels need for heads of P columns."""
    return max(head, DEPTH) * padded(head)


_padded = cell(padded)


@kernel
def heads_forward(
    x: Array,  # (M, H) read
    W: Array,  # (N, P, P) read
    b: Array,  # (H,) read
    out: Array,  # (M, H) written
    work: Array,  # at least heads_workspace(P) values
) -> None:
    """``out = x W + b`` in each head."""
    M, H = x.shape
    N, P = W.shape[:2]
    Q = _padded(P)
    for n in range(N):
        copy_rows(place(W[n], 0), P, P, P, place(work, 0), Q)
        product(place(x, n * P), H, number(1), place(work, 0), Q, P, place(out, n * P), H, M, P, truth(False))
    for r in range(M):
        row = out[r]
        for j in range(H):
            row[j] += b[j]


@kernel
def heads_backward(
    x: Array,  # (M, H) read
    W: Array,  # (N, P, P) read
    dout: Array,  # (M, H) read: gradient of out
    dx: Array,  # (M, H) written
    dW: Array,  # (N, P, P) written
    db: Array,  # (H,) written
    work: Array,  # at least heads_workspace(P) values
) -> None:
    """Gradients of the input and the parameters."""
    M, H = x.shape
    N, P = W.shape[:2]
    Q = _padded(P)
    for j in range(H):
        db[j] = 0
    for r in range(M):
        row = dout[r]
        for j in range(H):
            db[j] += row[j]
    for n in range(N):
        for p in range(P):
            row = dW[n, p]
            for j in range(P):
                row[j] = 0
        copy_transposed(place(W[n], 0), P, P, P, place(work, 0), Q)
        product(place(dout, n * P), H, number(1), place(work, 0), Q, P, place(dx, n * P), H, M, P, truth(False))
        for start in range(0, M, DEPTH):
            depth, here = min(DEPTH, M - start), start * H + n * P
            copy_rows(place(dout, here), H, depth, P, place(work, 0), Q)
            product(place(x, here), number(1), H, place(work, 0), Q, depth, place(dW[n], 0), P, P, P, truth(True))
