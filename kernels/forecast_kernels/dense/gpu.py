"""Dense layer on the GPU, forward and backward; twins of cpu.py, and of heads.py, whose layer is within each head.

Notation: B rows, D inputs, H outputs. Activations: 0 none, 1 ReLU. Of heads: M rows, N heads of P columns side by side,
H = N P.
"""

from typing import Any

from numba import cuda

from forecast_kernels.jit import Array
from forecast_kernels.jit_cuda import THREADS, cuda_kernel, launch
from forecast_kernels.matmul.gpu import column_sums, column_sums_workspace, product, product_workspace
from forecast_kernels.reduction.gpu import sum_rows
from forecast_kernels.tiles.gpu import groups_workspace, product_of_groups


def dense_workspace(inputs: int, outputs: int) -> int:
    """Values of workspace that `dense_forward` and `dense_backward` need."""
    return max(product_workspace(inputs, outputs), column_sums_workspace(outputs))


def dense_forward(
    x: Array,  # (B, D) read
    W: Array,  # (D, H) read
    b: Array,  # (H,) read
    activation: int,  # 0 none, 1 ReLU
    out: Array,  # (B, H) written
    packed: Array,  # at least dense_workspace(D, H) values, workspace; not needed
    stream: Any = 0,
) -> None:
    """``out = activation(x W + b)``."""
    product(x, False, W, False, b, activation, out, None, stream)


def dense_backward(
    x: Array,  # (B, D) read
    W: Array,  # (D, H) read
    out: Array,  # (B, H) read, as forward left it
    activation: int,  # 0 none, 1 ReLU
    dout: Array,  # (B, H) gradient of out; overwritten by the gradient before the activation
    dx: Array,  # (B, D) written; (0, D) where nobody needs it
    dW: Array,  # (D, H) written
    db: Array,  # (H,) written
    packed: Array,  # at least dense_workspace(D, H) values, workspace
    stream: Any = 0,
) -> None:
    """Gradients of the input and the parameters."""
    if activation == 1:
        launch(_relu_backward, -(-out.size // THREADS), THREADS, stream, out, dout)
    column_sums(dout, db, packed, stream)
    if dx.shape[0] == x.shape[0]:
        product(dout, False, W, True, None, 0, dx, None, stream)
    product(x, True, dout, False, None, 0, dW, packed, stream)


@cuda_kernel
def _relu_backward(
    out: Array,  # (B, H) read
    dout: Array,  # (B, H) updated
) -> None:
    """Nothing flows back to where nothing came out."""
    T = dout.dtype.type
    i = cuda.grid(1)
    if i < out.size:
        row, column = i // out.shape[1], i % out.shape[1]
        if out[row, column] <= T(0):
            dout[row, column] = T(0)


def heads_workspace(head: int) -> int:
    """Values of workspace that the kernels need for heads of P columns."""
    return groups_workspace(head, head)


def heads_forward(
    x: Array,  # (M, H) read
    W: Array,  # (N, P, P) read
    b: Array,  # (H,) read
    out: Array,  # (M, H) written
    work: Array,  # at least heads_workspace(P) values, workspace; not needed
    stream: Any = 0,
) -> None:
    """``out = x W + b`` in each head."""
    M, H = x.shape
    N, P = W.shape[:2]
    flat, weights, written = x.reshape(M * H), W.reshape(W.size), out.reshape(M * H)
    product_of_groups(N, (M, P, P), flat, (P, H, 1), weights, (P * P, P, 1), b, written, (P, H), stream=stream)


def heads_backward(
    x: Array,  # (M, H) read
    W: Array,  # (N, P, P) read
    dout: Array,  # (M, H) read: gradient of out
    dx: Array,  # (M, H) written
    dW: Array,  # (N, P, P) written
    db: Array,  # (H,) written
    work: Array,  # at least heads_workspace(P) values, workspace
    stream: Any = 0,
) -> None:
    """Gradients of the input and the parameters."""
    M, H = x.shape
    N, P = W.shape[:2]
    sum_rows(dout, db, stream)
    flat, above, size = x.reshape(M * H), dout.reshape(M * H), P * P
    product_of_groups(
        N, (M, P, P), above, (P, H, 1), W.reshape(W.size), (size, 1, P), None, dx.reshape(M * H), (P, H), stream=stream
    )
    product_of_groups(
        N, (P, P, M), flat, (P, 1, H), above, (P, H, 1), None, dW.reshape(W.size), (size, P), work, stream=stream
    )
