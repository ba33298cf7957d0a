"""Optimizer steps over one flat parameter buffer on the GPU.

Notation: P parameters, G groups of batch rows, each with its own gradient. What changes from step to step lies on the
device, so that steps can follow each other, or be recorded once and repeated, without a word from the host.
"""

import math
from typing import Any

from numba import cuda

from forecast_kernels.jit import Array
from forecast_kernels.jit_cuda import THREADS, cuda_kernel, launch
from forecast_kernels.optim.cell import adam_factors, adam_moments, adam_parameter
from forecast_kernels.reduction.gpu import BLOCKS, block_sum, finish_sum


def sum_gradients(
    gradients: Array,  # (G, P) read
    scale: Array,  # (1,) read: float64, factor on the sum, e.g. 1 / number of observed targets
    total: Array,  # (P,) written
    result: Array,  # (BLOCKS + 1,) written: float64, the first the global norm of the scaled sum
    stream: Any = 0,
) -> None:
    """Add the groups' gradients in a fixed order; results in the global norm of the scaled sum."""
    launch(_sum_gradients, BLOCKS, THREADS, stream, gradients, scale, total, result)
    finish_sum(result, True, stream)


@cuda_kernel
def _sum_gradients(
    gradients: Array,  # (G, P) read
    scale: Array,  # (1,) read
    total: Array,  # (P,) written
    result: Array,  # (BLOCKS + 1,) partial sums of squares written
) -> None:
    T = total.dtype.type
    factor, square = T(scale[0]), 0.0
    for p in range(cuda.grid(1), total.shape[0], cuda.gridsize(1)):
        value = gradients[0, p]
        for g in range(1, gradients.shape[0]):
            value += gradients[g, p]
        value *= factor
        total[p] = value
        square += float(value) * float(value)
    square = block_sum(square)
    if cuda.threadIdx.x == 0:
        result[1 + cuda.blockIdx.x] = square


def adam_step(
    theta: Array,  # (P,) updated
    gradient: Array,  # (P,) read
    m: Array,  # (P,) updated: first moment
    v: Array,  # (P,) updated: second moment
    step: Array,  # (1,) read: int64, 1 for the first
    rate: Array,  # (1,) read: float64, learning rate
    beta1: float,
    beta2: float,
    epsilon: float,
    weight_decay: float,  # decoupled from the gradient: 0 is Adam, else AdamW
    norm: Array,  # (1,) or more, read: float64, the first the global norm; nothing is done unless finite
    clip: float,  # largest norm let through; 0 for no clipping
    stream: Any = 0,
) -> None:
    """Adam (Kingma & Ba 2015) or AdamW (Loshchilov & Hutter 2019), after clipping by the global norm (Pascanu 2013)."""
    numbers = beta1, beta2, epsilon, weight_decay
    arguments = theta, gradient, m, v, step, rate, *map(float, numbers), norm, float(clip)
    launch(_adam_step, BLOCKS, THREADS, stream, *arguments)


@cuda_kernel
def _adam_step(
    theta: Array,  # as in adam_step
    gradient: Array,
    m: Array,
    v: Array,
    step: Array,
    rate: Array,
    beta1: float,
    beta2: float,
    epsilon: float,
    weight_decay: float,
    norm: Array,
    clip: float,
) -> None:
    T = theta.dtype.type
    factors = cuda.shared.array(4, theta.dtype)
    if not math.isfinite(norm[0]):
        return
    if cuda.threadIdx.x == 0:  # powers of float64 are too dear for every thread
        of_step = adam_factors(step[0], rate[0], beta1, beta2, weight_decay, norm[0], clip)
        factors[0], factors[1], factors[2], factors[3] = of_step
    cuda.syncthreads()
    shrink, keep, rate1, root2, eps = factors[0], factors[1], factors[2], factors[3], T(epsilon)
    for p in range(cuda.grid(1), theta.shape[0], cuda.gridsize(1)):
        m_p, v_p = adam_moments(gradient[p] * shrink, m[p], v[p], beta1, beta2)
        theta[p] = adam_parameter(theta[p], m_p, v_p, keep, rate1, root2, eps)
        m[p], v[p] = m_p, v_p
