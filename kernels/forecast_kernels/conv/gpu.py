"""Causal depthwise convolution over time, followed by swish, on the GPU, forward and backward.

Notation: T time, B batch rows, D columns, each with weights of its own, K width, A inputs of before. Time-major.
``W[K - 1]`` weighs the step itself, ``W[0]`` the one K - 1 steps before. What came before the first step is given, or
it is 0. A thread has one value.
"""

from typing import Any

from numba import cuda

from forecast_kernels.gate.cell import swish, swish_backward
from forecast_kernels.jit import Array
from forecast_kernels.jit_cuda import THREADS, cuda_kernel, launch
from forecast_kernels.reduction.gpu import COLUMNS, LINES, column_blocks, sum_lines, sum_rows


def conv_forward(
    x: Array,  # (T, B, D) read
    past: Array,  # (A, B, D) read: the last inputs before x; A is K - 1, or 0 where there are none
    W: Array,  # (K, D) read
    b: Array,  # (D,) read
    pre: Array,  # (T, B, D) written: before swish
    out: Array,  # (T, B, D) written
    stream: Any = 0,
) -> None:
    """``out[t] = swish(b + sum over k < K of W[K - 1 - k] x[t - k])``."""
    launch(_conv_forward, -(-x.size // THREADS), THREADS, stream, x, *_of_before(past, x), W, b, pre, out)


def conv_backward(
    x: Array,  # (T, B, D) read
    past: Array,  # (A, B, D) read
    W: Array,  # (K, D) read
    pre: Array,  # (T, B, D) as forward left it; overwritten by its gradient
    dout: Array,  # (T, B, D) read: gradient of out
    dx: Array,  # (T, B, D) written
    dW: Array,  # (K, D) written
    db: Array,  # (D,) written
    stream: Any = 0,
) -> None:
    """Gradients of the input and the parameters; what came before is a constant."""
    T, B, D = x.shape
    launch(_swish_backward, -(-x.size // THREADS), THREADS, stream, dout, pre)
    launch(_input_backward, -(-x.size // THREADS), THREADS, stream, W, pre, dx)
    before, A = _of_before(past, x)
    rows, earlier, dpre = x.reshape(T * B, D), before.reshape(before.shape[0] * B, D), pre.reshape(T * B, D)
    grid = column_blocks(D), W.shape[0]
    launch(_weights_backward, grid, (COLUMNS, LINES), stream, rows, earlier, A, dpre, B, dW)
    sum_rows(dpre, db, stream)


def _of_before(past: Array, x: Array) -> tuple[Array, int]:
    """Inputs of before and their number; of none nothing is read, but an array has to be there."""
    A = past.shape[0]
    return (past if A else x), A


@cuda_kernel
def _conv_forward(
    x: Array,  # (T, B, D) read
    past: Array,  # (A, B, D) read, if A is not 0
    A: int,
    W: Array,  # (K, D) read
    b: Array,  # (D,) read
    pre: Array,  # (T, B, D) written
    out: Array,  # (T, B, D) written
) -> None:
    _, B, D = x.shape
    K = W.shape[0]
    i = cuda.grid(1)
    if i < x.size:
        t, r, j = i // (B * D), i // D % B, i % D
        value = b[j]
        for k in range(min(K, t + 1)):
            value += W[K - 1 - k, j] * x[t - k, r, j]
        for k in range(t + 1, min(K, t + 1 + A)):
            value += W[K - 1 - k, j] * past[A + t - k, r, j]
        pre[t, r, j], out[t, r, j] = value, swish(value)


@cuda_kernel
def _swish_backward(
    dout: Array,  # (T, B, D) read
    pre: Array,  # (T, B, D) overwritten by its gradient
) -> None:
    _, B, D = pre.shape
    i = cuda.grid(1)
    if i < pre.size:
        t, r, j = i // (B * D), i // D % B, i % D
        pre[t, r, j] = dout[t, r, j] * swish_backward(pre[t, r, j])


@cuda_kernel
def _input_backward(
    W: Array,  # (K, D) read
    dpre: Array,  # (T, B, D) read
    dx: Array,  # (T, B, D) written
) -> None:
    T, B, D = dx.shape
    K = W.shape[0]
    i = cuda.grid(1)
    if i < dx.size:
        t, r, j = i // (B * D), i // D % B, i % D
        value = dx.dtype.type(0)
        for k in range(min(K, T - t)):
            value += W[K - 1 - k, j] * dpre[t + k, r, j]
        dx[t, r, j] = value


@cuda_kernel
def _weights_backward(
    x: Array,  # (T B, D) read
    past: Array,  # (A B, D) read, if A is not 0
    A: int,
    dpre: Array,  # (T B, D) read
    B: int,
    dW: Array,  # (K, D) written
) -> None:
    """A block takes some columns through all rows, for one of the K weights."""
    j, line, k = cuda.grid(2)[0], cuda.threadIdx.y, cuda.blockIdx.y
    value = dW.dtype.type(0)
    if j < x.shape[1]:
        for r in range(k * B + line, x.shape[0], LINES):
            value += dpre[r, j] * x[r - k * B, j]
        # rows of the first k steps, less those that reach back farther than what is known
        for r in range(max(0, k - A) * B + line, min(k * B, x.shape[0]), LINES):
            value += dpre[r, j] * past[A * B + r - k * B, j]
    total = sum_lines(value, dW)
    if line == 0 and j < x.shape[1]:
        dW[dW.shape[0] - 1 - k, j] = total
