"""The gates of one LSTM unit, forward and backward, as scalars; shared by every target.

Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000. A gradient is ``d`` + the name; ``pre`` is a
gate before its activation; ``u = tanh(c)``.
"""

from forecast_kernels.jit import cell
from forecast_kernels.scalars import sigmoid, tanh


@cell
def lstm_gates(pre_i: float, pre_f: float, pre_g: float, pre_o: float) -> tuple[float, float, float, float]:
    """Activate the four gates: returns i, f, g, o."""
    return sigmoid(pre_i), sigmoid(pre_f), tanh(pre_g), sigmoid(pre_o)


@cell
def lstm_state(i: float, f: float, g: float, o: float, c_prev: float) -> tuple[float, float]:
    """Advance the cell: returns c, h."""
    c = f * c_prev + i * g
    return c, o * tanh(c)


@cell
def lstm_state_backward(
    i: float, f: float, g: float, o: float, c_prev: float, c: float, dh: float, dc: float
) -> tuple[float, float, float, float, float]:
    """BPTT through one unit.

    ``dc`` comes from the next step. Returns dpre_i, dpre_f, dpre_g, dpre_o and the ``dc`` for the step before.
    """
    T = type(c)
    one = T(1)
    u = tanh(c)
    dc = dc + dh * o * (one - u * u)
    dpre_i = dc * g * i * (one - i)
    dpre_f = dc * c_prev * f * (one - f)
    dpre_g = dc * i * (one - g * g)
    dpre_o = dh * u * o * (one - o)
    return dpre_i, dpre_f, dpre_g, dpre_o, dc * f
