"""What stands between the products of a gated block, on the CPU: gate, skip and sum, forward and backward.

The gate is that of gated feed-forward layers (Dauphin et al. 2017) with swish (Shazeer 2020, SwiGLU). Notation: N
values; M rows of D values.
"""

from forecast_kernels.gate.cell import swish, swish_backward
from forecast_kernels.jit import Array, kernel, wide_vectors


@kernel
def gate_forward(
    x: Array,  # (N,) read
    z: Array,  # (N,) read: the gate before its activation
    out: Array,  # (N,) written
) -> None:
    """``out = x swish(z)``."""
    wide_vectors()
    for k in range(x.shape[0]):
        out[k] = x[k] * swish(z[k])


@kernel
def gate_backward(
    x: Array,  # (N,) read
    z: Array,  # (N,) read
    dout: Array,  # (N,) read: gradient of out
    dx: Array,  # (N,) written
    dz: Array,  # (N,) written
) -> None:
    """Gradients of both inputs."""
    wide_vectors()
    for k in range(x.shape[0]):
        dx[k] = dout[k] * swish(z[k])
    for k in range(x.shape[0]):
        dz[k] = dout[k] * x[k] * swish_backward(z[k])


@kernel
def skip_forward(
    x: Array,  # (M, D) read
    y: Array,  # (M, D) read
    scale: Array,  # (D,) read
    out: Array,  # (M, D) written
) -> None:
    """``out = x + scale y``: a skip connection of which the network learns the weight of each column."""
    wide_vectors()
    for r in range(x.shape[0]):
        a, b, o = x[r], y[r], out[r]
        for j in range(x.shape[1]):
            o[j] = a[j] + scale[j] * b[j]


@kernel
def skip_backward(
    y: Array,  # (M, D) read
    scale: Array,  # (D,) read
    dout: Array,  # (M, D) read: gradient of out
    dx: Array,  # (M, D) written
    dy: Array,  # (M, D) written
    dscale: Array,  # (D,) written
) -> None:
    """Gradients of both inputs and of the weights."""
    wide_vectors()
    for j in range(scale.shape[0]):
        dscale[j] = 0
    for r in range(y.shape[0]):
        b, g, da, db = y[r], dout[r], dx[r], dy[r]
        for j in range(y.shape[1]):
            da[j] = g[j]
            db[j] = g[j] * scale[j]
            dscale[j] += g[j] * b[j]


@kernel
def add(
    x: Array,  # (N,) read
    out: Array,  # (N,) added to
) -> None:
    """``out += x``: a residual connection, and how gradients of several uses of one value come together."""
    wide_vectors()
    for k in range(x.shape[0]):
        out[k] += x[k]
