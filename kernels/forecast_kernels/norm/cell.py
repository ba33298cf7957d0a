"""Normalisation of one value, forward and backward, as scalars; shared by every target."""

import math

from forecast_kernels.jit import cell

EPSILON = 1e-5  # added to the variance


@cell
def norm_inverse(variance: float) -> float:
    """One over the standard deviation."""
    T = type(variance)
    return T(1) / T(math.sqrt(variance + T(EPSILON)))


@cell
def norm_value(x: float, mean: float, inverse: float, scale: float, bias: float) -> float:
    """The normalised value, scaled and shifted."""
    return (x - mean) * inverse * scale + bias


@cell
def norm_value_backward(normal: float, dnormal: float, inverse: float, total: float, along: float) -> float:
    """Returns dx; ``total`` and ``along`` are the means of dnormal and of dnormal times the normalised values."""
    return inverse * (dnormal - total - normal * along)
