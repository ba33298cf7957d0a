"""The gates of one mLSTM head at one step, forward and backward, as scalars; shared by every target.

Beck et al. 2024, arXiv 2405.04517. The memory of a head is a matrix ``C`` and a vector ``n``, both scaled by
``exp(-m)`` so that nothing overflows; ``C exp(m)`` does not depend on m. Therefore m counts as a constant in the
backward pass, and may be any number that keeps the factors of the memory at most 1. The paper's is
``max(log f + m_prev, i)``; ours is not below 0 either, so that ``exp(-m)``, with which ``|n q|`` is compared, is at
most 1.
"""

from forecast_kernels.jit import cell
from forecast_kernels.scalars import exp, log_sigmoid, sigmoid


@cell
def mlstm_kept(f: float, m_prev: float) -> float:
    """Logarithm of the scale that the memory has after forgetting; ``f`` is the gate before its sigmoid."""
    return log_sigmoid(f) + m_prev


@cell
def mlstm_stabiliser(i: float, kept: float) -> float:
    """The new m."""
    T = type(kept)
    larger = kept if kept > i else i
    return larger if larger > T(0) else T(0)


@cell
def mlstm_factor(logarithm: float, m: float) -> float:
    """What i (or the kept memory) is multiplied with: at most 1."""
    return exp(logarithm - m)


@cell
def mlstm_floor(m: float) -> float:
    """The least divisor, ``exp(-m)``; not below exp(-80), so that it is never 0."""
    T = type(m)
    return exp(-(m if m < T(80) else T(80)))


@cell
def mlstm_normaliser(reading: float, floor: float) -> tuple[float, float]:
    """Of ``n q``: one over ``max(|n q|, floor)``, and the sign of n q, or 0 where the floor is the larger."""
    T = type(reading)
    size = abs(reading)
    floored = size <= floor  # NaN is not
    sign = T(1) if reading > T(0) else T(-1)
    return T(1) / (floor if floored else size), T(0) if floored else sign


@cell
def mlstm_forget_backward(f: float, dlog_f: float) -> float:
    """Backward of the logarithm of the forget gate: returns df."""
    return dlog_f * sigmoid(-f)
