"""Dense layer on the CPU, forward and backward.

Notation: B rows, D inputs, H outputs. Activations: 0 none, 1 ReLU.
"""

from forecast_kernels.jit import Array, kernel
from forecast_kernels.matmul.cpu import TRANSPOSED, multiply, multiply_transposed, pack, pack_transposed, packed_size


def dense_workspace(inputs: int, outputs: int) -> int:
    """Values of workspace that `dense_forward` and `dense_backward` need."""
    return max(packed_size(inputs, outputs), packed_size(outputs, inputs), TRANSPOSED)


@kernel
def dense_forward(
    x: Array,  # (B, D) read
    W: Array,  # (D, H) read
    b: Array,  # (H,) read
    activation: int,  # 0 none, 1 ReLU
    out: Array,  # (B, H) written
    packed: Array,  # at least dense_workspace(D, H) values, workspace
) -> None:
    """``out = activation(x W + b)``."""
    pack(W, packed)
    multiply(x, packed, out)
    zero = out.dtype.type(0)
    for r in range(out.shape[0]):
        row = out[r]
        for j in range(out.shape[1]):
            value = row[j] + b[j]
            row[j] = zero if activation == 1 and value < zero else value  # NaN stays NaN


@kernel
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
) -> None:
    """Gradients of the input and the parameters."""
    zero = out.dtype.type(0)
    for j in range(out.shape[1]):
        db[j] = zero
    for r in range(out.shape[0]):
        row, drow = out[r], dout[r]
        for j in range(out.shape[1]):
            if activation == 1 and row[j] <= zero:
                drow[j] = zero
            db[j] += drow[j]
    if dx.shape[0] == x.shape[0]:
        pack_transposed(W, packed)
        multiply(dout, packed, dx)
    multiply_transposed(x, dout, packed, dW, False)
