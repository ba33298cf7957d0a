"""Layer norm (Ba et al. 2016) and group norm per head (Wu & He 2018) on the CPU, forward and backward.

Notation: M rows, D values a row in N heads of P = D / N; each head is normalised by itself. One head is layer norm.
"""

from forecast_kernels.jit import Array, kernel, wide_vectors
from forecast_kernels.norm.cell import norm_inverse, norm_value, norm_value_backward


@kernel
def norm_forward(
    x: Array,  # (M, D) read
    scale: Array,  # (D,) read
    bias: Array,  # (D,) read
    moments: Array,  # (M, N, 2) written: mean and 1 / standard deviation
    out: Array,  # (M, D) written
) -> None:
    """``out = (x - mean) / sqrt(variance + EPSILON) scale + bias`` in each head of each row."""
    wide_vectors()
    T = x.dtype.type
    N = moments.shape[1]
    P = x.shape[1] // N
    for r in range(x.shape[0]):
        for n in range(N):
            at = n * P
            v, o, s, b = x[r, at : at + P], out[r, at : at + P], scale[at : at + P], bias[at : at + P]
            mean = T(0)
            for j in range(P):
                mean += v[j]
            mean /= T(P)
            variance = T(0)
            for j in range(P):
                variance += (v[j] - mean) * (v[j] - mean)
            inverse = norm_inverse(variance / T(P))
            for j in range(P):
                o[j] = norm_value(v[j], mean, inverse, s[j], b[j])
            moments[r, n, 0], moments[r, n, 1] = mean, inverse


@kernel
def norm_backward(
    x: Array,  # (M, D) read
    scale: Array,  # (D,) read
    moments: Array,  # (M, N, 2) read, as forward left it
    dout: Array,  # (M, D) read: gradient of out
    dx: Array,  # (M, D) written
    dscale: Array,  # (D,) written
    dbias: Array,  # (D,) written
) -> None:
    """Gradients of the input and the parameters; mean and variance depend on the input too."""
    wide_vectors()
    T = x.dtype.type
    N = moments.shape[1]
    P = x.shape[1] // N
    for j in range(N * P):
        dscale[j] = dbias[j] = T(0)
    for r in range(x.shape[0]):
        for n in range(N):
            at, mean, inverse = n * P, moments[r, n, 0], moments[r, n, 1]
            v, g, d, s = x[r, at : at + P], dout[r, at : at + P], dx[r, at : at + P], scale[at : at + P]
            ds, db = dscale[at : at + P], dbias[at : at + P]
            total = along = T(0)  # sums of the gradient of the normalised values, and of that times the values
            for j in range(P):
                normal = (v[j] - mean) * inverse
                total += g[j] * s[j]
                along += g[j] * s[j] * normal
            total, along = total / T(P), along / T(P)
            for j in range(P):
                d[j] = norm_value_backward((v[j] - mean) * inverse, g[j] * s[j], inverse, total, along)
            for j in range(P):
                ds[j] += g[j] * (v[j] - mean) * inverse
                db[j] += g[j]
