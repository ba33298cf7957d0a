"""The gates of one LSTM unit, forward and backward, as scalars; shared by every target.

Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000. A gradient is ``d`` + the name; ``pre`` is a
gate before its activation; ``u = tanh(c)``.
"""

from forecast_kernels.jit import cell
from forecast_kernels.scalars import tanh


@cell
def lstm_state(i: float, f: float, g: float, c_prev: float) -> float:
    """Advance the cell: returns c."""
    return f * c_prev + i * g


@cell
def lstm_output(o: float, c: float) -> float:
    """What the unit shows of its cell: returns h."""
    return o * tanh(c)


@cell
def lstm_output_backward(o: float, c: float, dh: float, dc: float) -> tuple[float, float]:
    """Backward of `lstm_output`; ``dc`` comes from the next step. Returns dpre_o and the whole dc."""
    T = type(c)
    u = tanh(c)
    return dh * u * o * (T(1) - o), dc + dh * o * (T(1) - u * u)


@cell
def lstm_input_backward(i: float, g: float, dc: float) -> tuple[float, float]:
    """Backward of what `lstm_state` lets in: returns dpre_i, dpre_g."""
    T = type(dc)
    return dc * g * i * (T(1) - i), dc * i * (T(1) - g * g)


@cell
def lstm_forget_backward(f: float, c_prev: float, dc: float) -> tuple[float, float]:
    """Backward of what `lstm_state` keeps: returns dpre_f and the dc for the step before."""
    T = type(dc)
    return dc * c_prev * f * (T(1) - f), dc * f
