"""Dense layer on the CPU, forward and backward.

Notation: B rows, D inputs, H outputs. Activations: 0 none, 1 ReLU.
"""

import numpy as np

from forecast_kernels.jit import kernel


@kernel
def dense_forward(
    x,  # (B, D) read
    W,  # (D, H) read
    b,  # (H,) read
    activation,  # 0 none, 1 ReLU
    out,  # (B, H) written
):
    """``out = activation(x W + b)``."""
    np.dot(x, W, out)
    zero = out.dtype.type(0)
    for r in range(out.shape[0]):
        for j in range(out.shape[1]):
            value = out[r, j] + b[j]
            out[r, j] = zero if activation == 1 and value < zero else value  # NaN stays NaN


@kernel
def dense_backward(
    x,  # (B, D) read
    W,  # (D, H) read
    out,  # (B, H) read, as forward left it
    activation,  # 0 none, 1 ReLU
    dout,  # (B, H) gradient of out; overwritten by the gradient before the activation
    dx,  # (B, D) written
    dW,  # (D, H) written
    db,  # (H,) written
):
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
