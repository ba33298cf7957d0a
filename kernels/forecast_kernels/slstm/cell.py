"""The gates of one sLSTM unit, forward and backward, as scalars; shared by every target.

Beck et al. 2024 (xLSTM, arXiv 2405.04517), with the forget gate log f = logsigmoid(f~): it needs no exponential that
could overflow, and a sequence of any length keeps m between its smallest and largest i~. (The paper's other choice,
f = exp(f~), lets m grow with the length, and its rounding with it.)

With a = log f + m[t-1] and m = max(a, i~), one of i' = exp(i~ - m) and f' = exp(a - m) is 1 and the other is
exp(-|i~ - a|). So one number holds both, the ``balance``: f' if i' is 1, and -i' if f' is 1. It is never 0, or its
sign could be lost: a weight below 1e-37 counts as 1e-37. And n, once it holds an input, is 1 at least, so that
h = o c / n needs no guard.

A gradient is ``d`` + the name; ``pre`` is a gate before its activation. h does not depend on m, which is a constant
of the backward pass.
"""

from forecast_kernels.jit import cell
from forecast_kernels.scalars import exp, log1p


@cell
def slstm_gates(pre_i: float, pre_f: float, m_prev: float) -> tuple[float, float, float]:
    """Weigh the input against the memory: returns the balance, 1 - f (which backward needs), and m."""
    T = type(pre_f)
    small = exp(-abs(pre_f))
    log_f = (pre_f if pre_f < T(0) else T(0)) - log1p(small)
    a = log_f + m_prev
    lead = pre_i - a
    lesser = exp(-abs(lead))
    lesser = T(1e-37) if lesser < T(1e-37) else lesser
    forgotten = (small if pre_f > T(0) else T(1)) / (T(1) + small)
    return lesser if lead >= T(0) else -lesser, forgotten, pre_i if lead >= T(0) else a


@cell
def slstm_input(balance: float) -> float:
    """Weight of the new input, i'."""
    T = type(balance)
    return -balance if balance < T(0) else T(1)


@cell
def slstm_forget(balance: float) -> float:
    """Weight of what was there before, f'."""
    T = type(balance)
    return T(1) if balance < T(0) else balance


@cell
def slstm_cell(balance: float, z: float, c_prev: float) -> float:
    """Advance the cell: returns c."""
    return slstm_forget(balance) * c_prev + slstm_input(balance) * z


@cell
def slstm_normaliser(balance: float, n_prev: float) -> float:
    """Advance the normaliser: returns n."""
    return slstm_forget(balance) * n_prev + slstm_input(balance)


@cell
def slstm_output(o: float, c: float, n: float) -> float:
    """What the unit shows: returns h."""
    return o * c / n


@cell
def slstm_output_backward(o: float, c: float, share: float) -> tuple[float, float]:
    """Backward of h = o c / n, ``share`` = dh / n: returns dpre_o and what is added to dc."""
    T = type(o)
    return share * c * o * (T(1) - o), share * o


@cell
def slstm_forget_backward(
    balance: float, forgotten: float, c_prev: float, n_prev: float, dc: float, dn: float
) -> float:
    """Backward of what is kept, and of the forget gate: returns dpre_f."""
    return (dc * c_prev + dn * n_prev) * slstm_forget(balance) * forgotten


@cell
def slstm_input_backward(balance: float, z: float, dc: float, dn: float) -> tuple[float, float]:
    """Backward of what is let in: returns dpre_i and dpre_z."""
    T = type(z)
    i = slstm_input(balance)
    return (dc * z + dn) * i, dc * i * (T(1) - z * z)
