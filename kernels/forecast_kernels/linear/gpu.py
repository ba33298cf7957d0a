"""What a linear path around the stack needs beside its product, on the GPU: what goes in and where it comes out.

Notation: T patches, B rows, F inputs a patch, of which the first P are the values; S steps of the horizon, Q outputs a
step. A thread has one value of what is written.
"""

from typing import Any

from numba import cuda

from forecast_kernels.jit import Array
from forecast_kernels.jit_cuda import THREADS, cuda_kernel, launch


def flat_forward(
    x: Array,  # (T, B, F) read
    values: int,  # P
    out: Array,  # (B, T * P) written
    stream: Any = 0,
) -> None:
    """The values of all patches of a row side by side, without mask and covariates."""
    launch(_flat_forward, -(-out.size // THREADS), THREADS, stream, x, values, out)


@cuda_kernel
def _flat_forward(
    x: Array,  # (T, B, F) read
    values: int,  # P
    out: Array,  # (B, T * P) written
) -> None:
    i = cuda.grid(1)
    if i < out.size:
        r, k = i // out.shape[1], i % out.shape[1]
        out[r, k] = x[k // values, r, k % values]


def flat_backward(
    dout: Array,  # (B, T * P) read: gradient of out
    values: int,  # P
    dx: Array,  # (T, B, F) written; (0, B, F) where nobody needs it
    stream: Any = 0,
) -> None:
    """Gradient of the input; what was left out has none."""
    if dx.shape[0]:
        launch(_flat_backward, -(-dx.size // THREADS), THREADS, stream, dout, values, dx)


@cuda_kernel
def _flat_backward(
    dout: Array,  # (B, T * P) read
    values: int,  # P
    dx: Array,  # (T, B, F) written
) -> None:
    number = dx.dtype.type
    _, B, F = dx.shape
    i = cuda.grid(1)
    if i < dx.size:
        t, r, p = i // (B * F), i // F % B, i % F
        dx[t, r, p] = dout[r, t * values + p] if p < values else number(0)


def shift_forward(
    x: Array,  # (B, S * Q) read, Q fastest
    y: Array,  # (B, S) read
    out: Array,  # (B, S * Q) written
    stream: Any = 0,
) -> None:
    """All outputs of a step are moved by the same: ``out[:, s, q] = x[:, s, q] + y[:, s]``."""
    launch(_shift_forward, -(-out.size // THREADS), THREADS, stream, x, y, out)


@cuda_kernel
def _shift_forward(
    x: Array,  # (B, S * Q) read
    y: Array,  # (B, S) read
    out: Array,  # (B, S * Q) written
) -> None:
    i = cuda.grid(1)
    if i < out.size:
        r, k = i // out.shape[1], i % out.shape[1]
        out[r, k] = x[r, k] + y[r, k // (out.shape[1] // y.shape[1])]


def shift_backward(
    dout: Array,  # (B, S * Q) read: gradient of out
    dx: Array,  # (B, S * Q) written
    dy: Array,  # (B, S) written
    stream: Any = 0,
) -> None:
    """Gradients of both inputs."""
    launch(_shift_backward, -(-dy.size // THREADS), THREADS, stream, dout, dx, dy)


@cuda_kernel
def _shift_backward(
    dout: Array,  # (B, S * Q) read
    dx: Array,  # (B, S * Q) written
    dy: Array,  # (B, S) written
) -> None:
    """A thread has a step with all its outputs, which it adds up in their order."""
    i = cuda.grid(1)
    if i < dy.size:
        r, s = i // dy.shape[1], i % dy.shape[1]
        Q = dx.shape[1] // dy.shape[1]
        total = dy.dtype.type(0)
        for k in range(s * Q, s * Q + Q):
            value = dout[r, k]
            dx[r, k] = value
            total += value
        dy[r, s] = total
