"""Adam's step of one parameter, as scalars; shared by every target."""

import math

from forecast_kernels.jit import cell


@cell
def adam_factors(
    step: int, rate: float, beta1: float, beta2: float, weight_decay: float, norm: float, clip: float
) -> tuple[float, float, float, float]:
    """What all parameters of a step share, in float64; see `adam_step` for the arguments.

    Returns the factor of the gradient, that of the parameter, the rate of the unbiased first moment, and the factor of
    the second's root.
    """
    shrink = clip / (norm + 1e-6) if 0 < clip < norm + 1e-6 else 1.0
    return shrink, 1 - rate * weight_decay, rate / (1 - beta1**step), 1 / math.sqrt(1 - beta2**step)


@cell
def adam_moments(g: float, m: float, v: float, beta1: float, beta2: float) -> tuple[float, float]:
    """Advance both moments by a gradient; the betas are float64."""
    T = type(g)
    return T(beta1) * m + T(1 - beta1) * g, T(beta2) * v + T(1 - beta2) * g * g


@cell
def adam_parameter(theta: float, m: float, v: float, keep: float, rate: float, root: float, epsilon: float) -> float:
    """The parameter after a step."""
    T = type(theta)
    return theta * keep - rate * m / (T(math.sqrt(v)) * root + epsilon)
