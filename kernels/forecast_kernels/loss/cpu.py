"""Losses over observed targets, with their gradients.

Notation: B rows, S steps of the horizon, Q outputs a step (quantiles; 1 for a point). Each loss is a sum; whoever calls
divides by the number of observed terms.
"""

from forecast_kernels.jit import Array, kernel

SQUARED, ABSOLUTE, HUBER, QUANTILE = 0, 1, 2, 3


@kernel
def loss_forward_backward(
    kind: int,  # SQUARED, ABSOLUTE, HUBER or QUANTILE
    prediction: Array,  # (B, S * Q) read, Q fastest
    target: Array,  # (B, S) read
    mask: Array,  # (B, S) read: 1 observed, 0 not
    quantiles: Array,  # (Q,) read: probabilities, for QUANTILE
    delta: float,  # where HUBER turns from squared to absolute
    dprediction: Array,  # (B, S * Q) written: gradient of the sum
) -> float:
    """Sum of the loss over observed steps and outputs: (y-f)², |y-f|, Huber's (1964), or Koenker & Bassett's (1978)."""
    T = prediction.dtype.type
    zero, one, half = T(0), T(1), T(0.5)
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
                sign = one if error > zero else (-one if error < zero else zero)
                if kind == SQUARED:
                    loss, slope = error * error, error + error
                elif kind == ABSOLUTE:
                    loss, slope = abs(error), sign
                elif kind == HUBER:
                    if abs(error) <= delta:
                        loss, slope = half * error * error, error
                    else:
                        loss, slope = delta * (abs(error) - half * delta), delta * sign
                else:
                    # below the target each unit costs tau, above it 1 - tau
                    slope = one - quantiles[q] if error > zero else (-quantiles[q] if error < zero else zero)
                    loss = slope * error
                total += loss
                dprediction[r, k] = slope
    return total
