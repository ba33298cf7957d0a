"""Swish as a scalar, forward and backward; shared by every target.

Ramachandran et al. 2017: ``x sigmoid(x)``, also known as SiLU.
"""

from forecast_kernels.jit import cell
from forecast_kernels.scalars import sigmoid


@cell
def swish(x: float) -> float:
    """Returns ``x sigmoid(x)``."""
    return x * sigmoid(x)


@cell
def swish_backward(x: float) -> float:
    """Slope of `swish` at x."""
    T = type(x)
    s = sigmoid(x)
    return s + x * s * (T(1) - s)
