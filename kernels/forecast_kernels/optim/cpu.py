"""Optimizer steps over one flat parameter buffer.

Notation: P parameters, G groups of batch rows, each with its own gradient.
"""

import math

from forecast_kernels.jit import Array, kernel
from forecast_kernels.optim.cell import adam_factors, adam_moments, adam_parameter


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
    factors = adam_factors(step, rate, beta1, beta2, weight_decay, norm, clip)
    shrink, keep, rate1, root2, eps = T(factors[0]), T(factors[1]), T(factors[2]), T(factors[3]), T(epsilon)
    for p in range(theta.shape[0]):
        m[p], v[p] = adam_moments(gradient[p] * shrink, m[p], v[p], beta1, beta2)
        theta[p] = adam_parameter(theta[p], m[p], v[p], keep, rate1, root2, eps)
