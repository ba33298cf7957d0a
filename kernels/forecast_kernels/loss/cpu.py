"""Losses over observed targets, with their gradients.

Notation: B rows, S steps of the horizon, Q outputs a step (quantiles; 1 for a point); N places, V symbols. Each loss is
a weighted sum; whoever calls divides by the sum of the weights.
"""

import math

from forecast_kernels.jit import Array, kernel, wide_vectors
from forecast_kernels.loss.cell import ABSOLUTE, HUBER, QUANTILE, SQUARED, loss_and_slope
from forecast_kernels.scalars import exp

__all__ = [
    "ABSOLUTE", "HUBER", "QUANTILE", "SQUARED", "cross_entropy_forward_backward", "loss_forward_backward",
]  # fmt: skip


@kernel
def loss_forward_backward(
    kind: int,  # SQUARED, ABSOLUTE, HUBER or QUANTILE
    prediction: Array,  # (B, S * Q) read, Q fastest
    target: Array,  # (B, S) read
    mask: Array,  # (B, S) read: weight of what is observed, as 1; 0: not observed
    quantiles: Array,  # (Q,) read: probabilities, for QUANTILE
    delta: float,  # where HUBER turns from squared to absolute
    dprediction: Array,  # (B, S * Q) written: gradient of the sum
) -> float:
    """Sum of the loss over observed steps and outputs: (y-f)², |y-f|, Huber's (1964), or Koenker & Bassett's (1978)."""
    T = prediction.dtype.type
    zero = T(0)
    total = 0.0
    Q = quantiles.shape[0]
    for r in range(target.shape[0]):
        for s in range(target.shape[1]):
            for q in range(Q):
                k = s * Q + q
                if mask[r, s] == zero:
                    dprediction[r, k] = zero
                    continue
                error = prediction[r, k] - target[r, s]
                loss, slope = loss_and_slope(kind, error, quantiles[q], delta)
                total += mask[r, s] * loss
                dprediction[r, k] = mask[r, s] * slope
    return total


@kernel
def cross_entropy_forward_backward(
    logits: Array,  # (N, V) read
    target: Array,  # (N,) read: the symbol that came, as a whole number of any type; below 0 where none is judged
    dlogits: Array,  # (N, V) written: gradient of the sum, softmax less one at the target
) -> float:
    """Sum of ``-log softmax(logits)[target]`` in nats; the largest logit is taken off first, so nothing overflows."""
    wide_vectors()
    T = logits.dtype.type
    V = logits.shape[1]
    total = 0.0
    for n in range(logits.shape[0]):
        row, drow = logits[n], dlogits[n]
        symbol = int(target[n])
        if symbol < 0:
            for v in range(V):
                drow[v] = T(0)
            continue
        largest = row[0]
        for v in range(V):
            largest = max(largest, row[v])
        for v in range(V):
            drow[v] = exp(row[v] - largest)
        mass = T(0)
        for v in range(V):
            mass += drow[v]
        total += math.log(mass) - (row[symbol] - largest)
        share = T(1) / mass
        for v in range(V):
            drow[v] *= share
        drow[symbol] -= T(1)
    return total
