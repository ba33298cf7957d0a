"""Optimizer steps over one flat parameter buffer.

Notation: P parameters, G groups of batch rows, each with its own gradient.
"""

import math

from forecast_kernels.jit import Array, kernel


@kernel
def sum_gradients(
    gradients: Array,  # (G, P) read
    scale: float,  # factor on the sum, e.g. 1 / number of observed targets
    total: Array,  # (P,) written
) -> float:
    """Add the groups' gradients in a fixed order; returns the global norm of the scaled sum."""
    G, P = gradients.shape
    for p in range(P):
        total[p] = gradients[0, p]
    for g in range(1, G):
        for p in range(P):
            total[p] += gradients[g, p]
    square = 0.0
    for p in range(P):
        total[p] *= scale
        square += float(total[p]) * float(total[p])
    return math.sqrt(square)


@kernel
def adam_step(
    theta: Array,  # (P,) updated
    gradient: Array,  # (P,) read
    m: Array,  # (P,) updated: first moment
    v: Array,  # (P,) updated: second moment
    step: int,  # 1 for the first
    rate: float,  # learning rate
    beta1: float,
    beta2: float,
    epsilon: float,
    weight_decay: float,  # decoupled from the gradient: 0 is Adam, else AdamW
    norm: float,  # global norm of the gradient
    clip: float,  # largest norm let through; 0 for no clipping
) -> None:
    """Adam (Kingma & Ba 2015) or AdamW (Loshchilov & Hutter 2019), after clipping by the global norm (Pascanu 2013)."""
    T = theta.dtype.type
    shrink = T(clip / (norm + 1e-6)) if 0 < clip < norm + 1e-6 else T(1)
    b1, b2, eps, keep = T(beta1), T(beta2), T(epsilon), T(1 - rate * weight_decay)
    a1, a2 = T(1 - beta1), T(1 - beta2)
    rate1 = T(rate / (1 - beta1**step))
    root2 = T(1 / math.sqrt(1 - beta2**step))
    for p in range(theta.shape[0]):
        g = gradient[p] * shrink
        m[p] = b1 * m[p] + a1 * g
        v[p] = b2 * v[p] + a2 * g * g
        theta[p] = theta[p] * keep - rate1 * m[p] / (T(math.sqrt(v[p])) * root2 + eps)
