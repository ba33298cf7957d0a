"""What stands between the products of a gated block, on the GPU: gate, skip and sum, forward and backward.

Notation: N values; M rows of D values.
"""

from typing import Any

from numba import cuda

from forecast_kernels.gate.cell import swish, swish_backward
from forecast_kernels.jit import Array
from forecast_kernels.jit_cuda import THREADS, cuda_kernel, launch, simulated

_COLUMNS, _LINES = (4, 2) if simulated() else (32, 8)  # of a block that adds up rows


def gate_forward(
    x: Array,  # (N,) read
    z: Array,  # (N,) read: the gate before its activation
    out: Array,  # (N,) written
    stream: Any = 0,
) -> None:
    """``out = x swish(z)``."""
    launch(_gate_forward, -(-x.shape[0] // THREADS), THREADS, stream, x, z, out)


@cuda_kernel
def _gate_forward(x: Array, z: Array, out: Array) -> None:
    k = cuda.grid(1)
    if k < x.shape[0]:
        out[k] = x[k] * swish(z[k])


def gate_backward(
    x: Array,  # (N,) read
    z: Array,  # (N,) read
    dout: Array,  # (N,) read: gradient of out
    dx: Array,  # (N,) written
    dz: Array,  # (N,) written
    stream: Any = 0,
) -> None:
    """Gradients of both inputs."""
    launch(_gate_backward, -(-x.shape[0] // THREADS), THREADS, stream, x, z, dout, dx, dz)


@cuda_kernel
def _gate_backward(x: Array, z: Array, dout: Array, dx: Array, dz: Array) -> None:
    k = cuda.grid(1)
    if k < x.shape[0]:
        dx[k], dz[k] = dout[k] * swish(z[k]), dout[k] * x[k] * swish_backward(z[k])


def skip_forward(
    x: Array,  # (M, D) read
    y: Array,  # (M, D) read
    scale: Array,  # (D,) read
    out: Array,  # (M, D) written
    stream: Any = 0,
) -> None:
    """``out = x + scale y``: a skip connection of which the network learns the weight of each column."""
    launch(_skip_forward, -(-x.size // THREADS), THREADS, stream, x, y, scale, out)


@cuda_kernel
def _skip_forward(x: Array, y: Array, scale: Array, out: Array) -> None:
    i = cuda.grid(1)
    if i < x.size:
        r, j = i // x.shape[1], i % x.shape[1]
        out[r, j] = x[r, j] + scale[j] * y[r, j]


def skip_backward(
    y: Array,  # (M, D) read
    scale: Array,  # (D,) read
    dout: Array,  # (M, D) read: gradient of out
    dx: Array,  # (M, D) written
    dy: Array,  # (M, D) written
    dscale: Array,  # (D,) written
    stream: Any = 0,
) -> None:
    """Gradients of both inputs and of the weights."""
    blocks = -(-y.shape[1] // _COLUMNS)
    launch(_skip_backward, blocks, (_COLUMNS, _LINES), stream, y, scale, dout, dx, dy, dscale)


@cuda_kernel
def _skip_backward(y: Array, scale: Array, dout: Array, dx: Array, dy: Array, dscale: Array) -> None:
    """A block takes some columns through all rows, and adds up what its lines found in a fixed order."""
    T = y.dtype.type
    shared = cuda.shared.array((_LINES, _COLUMNS), y.dtype)
    column, line = cuda.threadIdx.x, cuda.threadIdx.y
    j = cuda.blockIdx.x * _COLUMNS + column
    total = T(0)
    if j < y.shape[1]:
        for r in range(line, y.shape[0], _LINES):
            g = dout[r, j]
            dx[r, j], dy[r, j] = g, g * scale[j]
            total += g * y[r, j]
    shared[line, column] = total
    cuda.syncthreads()
    if line == 0 and j < y.shape[1]:
        total = T(0)
        for k in range(_LINES):
            total += shared[k, column]
        dscale[j] = total


def add(
    x: Array,  # (N,) read
    out: Array,  # (N,) added to
    stream: Any = 0,
) -> None:
    """``out += x``: a residual connection, and how gradients of several uses of one value come together."""
    launch(_add, -(-x.shape[0] // THREADS), THREADS, stream, x, out)


@cuda_kernel
def _add(x: Array, out: Array) -> None:
    k = cuda.grid(1)
    if k < x.shape[0]:
        out[k] += x[k]
