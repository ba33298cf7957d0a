"""Losses over observed targets, with their gradients, on the GPU.

Notation: B rows, S steps of the horizon, Q outputs a step (quantiles; 1 for a point); N places, V symbols. Each loss is
a weighted sum, which stays on the device; whoever asks for it divides by the sum of the weights.
"""

import math
from typing import Any

from numba import cuda

from forecast_kernels.jit import Array
from forecast_kernels.jit_cuda import THREADS, cuda_kernel, launch
from forecast_kernels.loss.cell import ABSOLUTE, HUBER, QUANTILE, SQUARED, loss_and_slope
from forecast_kernels.reduction.gpu import BLOCKS, block_sum, finish_sum
from forecast_kernels.scalars import exp

__all__ = [
    "ABSOLUTE", "HUBER", "QUANTILE", "SQUARED", "cross_entropy_forward_backward", "loss_forward_backward",
]  # fmt: skip


def loss_forward_backward(
    kind: int,  # SQUARED, ABSOLUTE, HUBER or QUANTILE
    prediction: Array,  # (B, S * Q) read, Q fastest
    target: Array,  # (B, S) read
    mask: Array,  # (B, S) read: weight of what is observed, as 1; 0: not observed
    quantiles: Array,  # (Q,) read: probabilities, for QUANTILE
    delta: float,  # where HUBER turns from squared to absolute
    dprediction: Array,  # (B, S * Q) written: gradient of the sum
    result: Array,  # (BLOCKS + 1,) written: float64, the first the loss
    stream: Any = 0,
) -> None:
    """Sum of the loss over observed steps and outputs: (y-f)², |y-f|, Huber's (1964), or Koenker & Bassett's (1978)."""
    number = prediction.dtype.type(delta)
    arguments = kind, prediction, target, mask, quantiles, number, dprediction, result
    launch(_loss_forward_backward, BLOCKS, THREADS, stream, *arguments)
    finish_sum(result, False, stream)


@cuda_kernel
def _loss_forward_backward(
    kind: int,  # as in loss_forward_backward
    prediction: Array,
    target: Array,
    mask: Array,
    quantiles: Array,
    delta: float,
    dprediction: Array,
    result: Array,  # (BLOCKS + 1,) partial sums written
) -> None:
    T = prediction.dtype.type
    S, Q = target.shape[1], quantiles.shape[0]
    total = 0.0
    for i in range(cuda.grid(1), target.shape[0] * S * Q, cuda.gridsize(1)):
        r, k = i // (S * Q), i % (S * Q)
        s = k // Q
        if mask[r, s] == T(0):
            dprediction[r, k] = T(0)
        else:
            loss, slope = loss_and_slope(kind, prediction[r, k] - target[r, s], quantiles[k - s * Q], delta)
            dprediction[r, k] = mask[r, s] * slope
            total += mask[r, s] * loss
    total = block_sum(total)
    if cuda.threadIdx.x == 0:
        result[1 + cuda.blockIdx.x] = total


def cross_entropy_forward_backward(
    logits: Array,  # (N, V) read
    target: Array,  # (N,) read: the symbol that came, as a whole number of any type; below 0 where none is judged
    dlogits: Array,  # (N, V) written: gradient of the sum, softmax less one at the target
    result: Array,  # (BLOCKS + 1,) written: float64, the first the loss
    stream: Any = 0,
) -> None:
    """Sum of ``-log softmax(logits)[target]`` in nats; the largest logit is taken off first, so nothing overflows."""
    launch(_cross_entropy_forward_backward, BLOCKS, THREADS, stream, logits, target, dlogits, result)
    finish_sum(result, False, stream)


@cuda_kernel
def _cross_entropy_forward_backward(
    logits: Array,  # (N, V) read
    target: Array,  # (N,) read
    dlogits: Array,  # (N, V) written
    result: Array,  # (BLOCKS + 1,) partial sums written
) -> None:
    """A place a thread: the rows of its neighbours are in the cache when it reads on in its own."""
    T = logits.dtype.type
    V = logits.shape[1]
    total = 0.0
    for n in range(cuda.grid(1), logits.shape[0], cuda.gridsize(1)):
        symbol = int(target[n])
        if symbol < 0:
            for v in range(V):
                dlogits[n, v] = T(0)
        else:
            largest = logits[n, 0]
            for v in range(V):
                largest = max(largest, logits[n, v])
            mass = T(0)
            for v in range(V):
                power = exp(logits[n, v] - largest)
                dlogits[n, v] = power
                mass += power
            total += math.log(mass) - (logits[n, symbol] - largest)
            share = T(1) / mass
            for v in range(V):
                dlogits[n, v] *= share
            dlogits[n, symbol] -= T(1)
    total = block_sum(total)
    if cuda.threadIdx.x == 0:
        result[1 + cuda.blockIdx.x] = total
