"""Layer norm and group norm per head on the GPU, forward and backward.

Notation: M rows, D values a row in N heads of P = D / N; each head is normalised by itself. A line of LANES threads
takes a head of a row.
"""

from typing import Any

from numba import cuda

from forecast_kernels.jit import Array
from forecast_kernels.jit_cuda import cuda_kernel, cuda_part, launch, simulated
from forecast_kernels.norm.cell import norm_inverse, norm_value, norm_value_backward
from forecast_kernels.reduction.gpu import COLUMNS, LINES, column_blocks, sum_lines

_LANES, _HEADS = (4, 2) if simulated() else (32, 4)  # of a block


def norm_forward(
    x: Array,  # (M, D) read
    scale: Array,  # (D,) read
    bias: Array,  # (D,) read
    moments: Array,  # (M, N, 2) written: mean and 1 / standard deviation
    out: Array,  # (M, D) written
    stream: Any = 0,
) -> None:
    """``out = (x - mean) / sqrt(variance + EPSILON) scale + bias`` in each head of each row."""
    launch(_norm_forward, _blocks(moments), (_LANES, _HEADS), stream, x, scale, bias, moments, out)


def norm_backward(
    x: Array,  # (M, D) read
    scale: Array,  # (D,) read
    moments: Array,  # (M, N, 2) read, as forward left it
    dout: Array,  # (M, D) read: gradient of out
    dx: Array,  # (M, D) written
    dscale: Array,  # (D,) written
    dbias: Array,  # (D,) written
    stream: Any = 0,
) -> None:
    """Gradients of the input and the parameters; mean and variance depend on the input too."""
    launch(_norm_backward, _blocks(moments), (_LANES, _HEADS), stream, x, scale, moments, dout, dx)
    blocks = column_blocks(x.shape[1])
    launch(_parameters_backward, blocks, (COLUMNS, LINES), stream, x, moments, dout, dscale, dbias)


def _blocks(moments: Array) -> int:
    heads: int = moments.shape[0] * moments.shape[1]
    return -(-heads // _HEADS)


@cuda_part
def _line_sum(value: float, sums: Array) -> float:
    """Sum of a value of each thread of a line, which all of them get; all threads of the block call this."""
    lane, line = cuda.threadIdx.x, cuda.threadIdx.y
    sums[line, lane] = value
    cuda.syncthreads()
    total: float = sums[line, 0]
    for k in range(1, _LANES):
        total += sums[line, k]
    return total


@cuda_kernel
def _norm_forward(
    x: Array,  # (M, D) read
    scale: Array,  # (D,) read
    bias: Array,  # (D,) read
    moments: Array,  # (M, N, 2) written
    out: Array,  # (M, D) written
) -> None:
    T = x.dtype.type
    values = cuda.shared.array((_HEADS, _LANES), x.dtype)
    squares = cuda.shared.array((_HEADS, _LANES), x.dtype)
    N = moments.shape[1]
    P = x.shape[1] // N
    head, lane = cuda.blockIdx.x * _HEADS + cuda.threadIdx.y, cuda.threadIdx.x
    there = head < x.shape[0] * N  # all threads add up, those of no head as well
    r, at = (head // N, head % N * P) if there else (0, 0)
    total = T(0)
    for j in range(at + lane, at + P, _LANES):
        total += x[r, j]
    mean = _line_sum(total, values) / T(P)
    total = T(0)
    for j in range(at + lane, at + P, _LANES):
        total += (x[r, j] - mean) * (x[r, j] - mean)
    inverse = norm_inverse(_line_sum(total, squares) / T(P))
    if there:
        for j in range(at + lane, at + P, _LANES):
            out[r, j] = norm_value(x[r, j], mean, inverse, scale[j], bias[j])
        if lane == 0:
            moments[r, head % N, 0], moments[r, head % N, 1] = mean, inverse


@cuda_kernel
def _norm_backward(
    x: Array,  # (M, D) read
    scale: Array,  # (D,) read
    moments: Array,  # (M, N, 2) read
    dout: Array,  # (M, D) read
    dx: Array,  # (M, D) written
) -> None:
    T = x.dtype.type
    totals = cuda.shared.array((_HEADS, _LANES), x.dtype)
    products = cuda.shared.array((_HEADS, _LANES), x.dtype)
    N = moments.shape[1]
    P = x.shape[1] // N
    head, lane = cuda.blockIdx.x * _HEADS + cuda.threadIdx.y, cuda.threadIdx.x
    there = head < x.shape[0] * N
    r, at = (head // N, head % N * P) if there else (0, 0)
    mean, inverse = moments[r, at // P, 0], moments[r, at // P, 1]
    total = along = T(0)  # sums of the gradient of the normalised values, and of that times the values
    for j in range(at + lane, at + P, _LANES):
        dnormal = dout[r, j] * scale[j]
        total += dnormal
        along += dnormal * ((x[r, j] - mean) * inverse)
    total, along = _line_sum(total, totals) / T(P), _line_sum(along, products) / T(P)
    if there:
        for j in range(at + lane, at + P, _LANES):
            normal = (x[r, j] - mean) * inverse
            dx[r, j] = norm_value_backward(normal, dout[r, j] * scale[j], inverse, total, along)


@cuda_kernel
def _parameters_backward(
    x: Array,  # (M, D) read
    moments: Array,  # (M, N, 2) read
    dout: Array,  # (M, D) read
    dscale: Array,  # (D,) written
    dbias: Array,  # (D,) written
) -> None:
    """A block takes some columns through all rows."""
    T = x.dtype.type
    M, D = x.shape
    P = D // moments.shape[1]
    j, line = cuda.grid(2)
    of_scale = of_bias = T(0)
    if j < D:
        n = j // P
        for r in range(line, M, LINES):
            of_scale += dout[r, j] * ((x[r, j] - moments[r, n, 0]) * moments[r, n, 1])
            of_bias += dout[r, j]
    of_scale, of_bias = sum_lines(of_scale, dscale), sum_lines(of_bias, dbias)
    if line == 0 and j < D:
        dscale[j], dbias[j] = of_scale, of_bias
