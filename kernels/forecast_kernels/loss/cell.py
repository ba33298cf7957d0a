"""The loss of one output and its slope, as scalars; shared by every target."""

from forecast_kernels.jit import cell

SQUARED, ABSOLUTE, HUBER, QUANTILE = 0, 1, 2, 3


@cell
def loss_and_slope(kind: int, error: float, tau: float, delta: float) -> tuple[float, float]:
    """Loss of ``error = f - y`` and its derivative by f; see `loss_forward_backward` for the arguments."""
    T = type(error)
    zero, one, half = T(0), T(1), T(0.5)
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
        slope = one - tau if error > zero else (-tau if error < zero else zero)
        loss = slope * error
    return loss, slope
