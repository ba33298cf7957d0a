"""Embedding on the CPU: a row of learned numbers for each symbol, forward and backward.

Notation: N places, V symbols, E numbers of a symbol.
"""

from forecast_kernels.jit import Array, kernel


@kernel
def embedding_forward(
    x: Array,  # (N,) read: symbols as whole numbers in the network's own type, 0 to V - 1
    W: Array,  # (V, E) read
    out: Array,  # (N, E) written
) -> None:
    """``out[n] = W[x[n]]``."""
    for n in range(x.shape[0]):
        source, row = W[int(x[n])], out[n]
        for j in range(out.shape[1]):
            row[j] = source[j]


@kernel
def embedding_backward(
    x: Array,  # (N,) read
    dout: Array,  # (N, E) read: gradient of out
    dW: Array,  # (V, E) written
) -> None:
    """Gradient of the rows: each adds up what comes from its places, in their order."""
    zero = dW.dtype.type(0)
    for v in range(dW.shape[0]):
        row = dW[v]
        for j in range(dW.shape[1]):
            row[j] = zero
    for n in range(x.shape[0]):
        drow, row = dout[n], dW[int(x[n])]
        for j in range(dW.shape[1]):
            row[j] += drow[j]
