"""Dense layer on the CPU, forward and backward.

Notation: B rows, D inputs, H outputs. Activations: 0 none, 1 ReLU.
"""

import numpy as np

from forecast_kernels.jit import Array, kernel


@kernel
def dense_forward(
    x: Array,  # (B, D) read
    W: Array,  # (D, H) read
    b: Array,  # (H,) read
    activation: int,  # 0 none, 1 ReLU
    out: Array,  # (B, H) written
) -> None:
    """``out = activation(x W + b)``."""
    np.dot(x, W, out)
    zero = out.dtype.type(0)
    for r in range(out.shape[0]):
        for j in range(out.shape[1]):
            value = out[r, j] + b[j]
            out[r, j] = zero if activation == 1 and value < zero else value  # NaN stays NaN


@kernel
def dense_backward(
    x: Array,  # (B, D) read
    W: Array,  # (D, H) read
    out: Array,  # (B, H) read, as forward left it
    activation: int,  # 0 none, 1 ReLU
    dout: Array,  # (B, H) gradient of out; overwritten by the gradient before the activation
    dx: Array,  # (B, D) written
    dW: Array,  # (D, H) written
    db: Array,  # (H,) written
) -> None:
    """Gradients of the input and the parameters."""
    zero = out.dtype.type(0)
    for j in range(out.shape[1]):
        db[j] = zero
    for r in range(out.shape[0]):
        for j in range(out.shape[1]):
            if activation == 1 and out[r, j] <= zero:
                dout[r, j] = zero
            db[j] += dout[r, j]
    np.dot(dout, W.T, dx)
    np.dot(x.T, dout, dW)
