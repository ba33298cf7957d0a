"""Embedding on the GPU: a row of learned numbers for each symbol, forward and backward.

Notation: N places, V symbols, E numbers of a symbol.
"""

from typing import Any

from numba import cuda

from forecast_kernels.jit import Array
from forecast_kernels.jit_cuda import THREADS, WARP, cuda_kernel, launch


def embedding_forward(
    x: Array,  # (N,) read: symbols as whole numbers in the network's own type, 0 to V - 1
    W: Array,  # (V, E) read
    out: Array,  # (N, E) written
    stream: Any = 0,
) -> None:
    """``out[n] = W[x[n]]``."""
    launch(_embedding_forward, -(-out.size // THREADS), THREADS, stream, x, W, out)


@cuda_kernel
def _embedding_forward(
    x: Array,  # (N,) read
    W: Array,  # (V, E) read
    out: Array,  # (N, E) written
) -> None:
    i = cuda.grid(1)
    if i < out.size:
        n, j = i // out.shape[1], i % out.shape[1]
        out[n, j] = W[int(x[n]), j]


def embedding_backward(
    x: Array,  # (N,) read
    dout: Array,  # (N, E) read: gradient of out
    dW: Array,  # (V, E) written
    stream: Any = 0,
) -> None:
    """Gradient of the rows: each adds up what comes from its places, in their order."""
    V, E = dW.shape
    launch(_embedding_backward, (-(-E // WARP), V), WARP, stream, x, dout, dW)


@cuda_kernel
def _embedding_backward(
    x: Array,  # (N,) read
    dout: Array,  # (N, E) read
    dW: Array,  # (V, E) written
) -> None:
    """A row of dW a block: it looks at all places, so that no two blocks add to the same number."""
    T = dW.dtype.type
    j, v = cuda.grid(1), cuda.blockIdx.y
    if j < dW.shape[1]:
        value = T(0)
        for n in range(x.shape[0]):
            if int(x[n]) == v:
                value += dout[n, j]
        dW[v, j] = value
