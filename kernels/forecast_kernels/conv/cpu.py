"""Causal depthwise convolution over time, followed by swish, on the CPU, forward and backward.

Notation: T time, B batch rows, D columns, each with weights of its own, K width, A inputs of before. Time-major.
``W[K - 1]`` weighs the step itself, ``W[0]`` the one K - 1 steps before. What came before the first step is given, or
it is 0.
"""

from forecast_kernels.gate.cell import swish, swish_backward
from forecast_kernels.jit import Array, kernel, wide_vectors


@kernel
def conv_forward(
    x: Array,  # (T, B, D) read
    past: Array,  # (A, B, D) read: the last inputs before x; A is K - 1, or 0 where there are none
    W: Array,  # (K, D) read
    b: Array,  # (D,) read
    pre: Array,  # (T, B, D) written: before swish
    out: Array,  # (T, B, D) written
) -> None:
    """``out[t] = swish(b + sum over k < K of W[K - 1 - k] x[t - k])``."""
    wide_vectors()
    T, B, D = x.shape
    K, A = W.shape[0], past.shape[0]
    for t in range(T):
        for r in range(B):
            p, o = pre[t, r], out[t, r]
            for j in range(D):
                p[j] = b[j]
            for k in range(min(K, t + 1)):
                v, w = x[t - k, r], W[K - 1 - k]
                for j in range(D):
                    p[j] += w[j] * v[j]
            for k in range(t + 1, min(K, t + 1 + A)):
                v, w = past[A + t - k, r], W[K - 1 - k]
                for j in range(D):
                    p[j] += w[j] * v[j]
            for j in range(D):
                o[j] = swish(p[j])


@kernel
def conv_backward(
    x: Array,  # (T, B, D) read
    past: Array,  # (A, B, D) read
    W: Array,  # (K, D) read
    pre: Array,  # (T, B, D) as forward left it; overwritten by its gradient
    dout: Array,  # (T, B, D) read: gradient of out
    dx: Array,  # (T, B, D) written
    dW: Array,  # (K, D) written
    db: Array,  # (D,) written
) -> None:
    """Gradients of the input and the parameters; what came before is a constant."""
    wide_vectors()
    T, B, D = x.shape
    K, A = W.shape[0], past.shape[0]
    for j in range(D):
        db[j] = 0
        for k in range(K):
            dW[k, j] = 0
    for t in range(T):
        for r in range(B):
            p, g, d = pre[t, r], dout[t, r], dx[t, r]
            for j in range(D):
                p[j] = g[j] * swish_backward(p[j])
                db[j] += p[j]
                d[j] = 0
            for k in range(min(K, t + 1)):
                v, dv, w, dw = x[t - k, r], dx[t - k, r], W[K - 1 - k], dW[K - 1 - k]
                for j in range(D):
                    dw[j] += p[j] * v[j]
                    dv[j] += p[j] * w[j]
            for k in range(t + 1, min(K, t + 1 + A)):
                v, dw = past[A + t - k, r], dW[K - 1 - k]
                for j in range(D):
                    dw[j] += p[j] * v[j]
