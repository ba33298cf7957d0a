"""The polynomials of a seasonal ARMA process: kept stationary and invertible, multiplied out.

Notation: the process is ``phi(B) Phi(B^s) w_t = theta(B) Theta(B^s) e_t`` with ``phi(B) = 1 - phi_1 B - ..`` and
``theta(B) = 1 + theta_1 B + ..``; k = p + q + P + Q coefficients in the order phi, theta, Phi, Theta. Multiplied out:
``ar = [1, -phi_1, ..]`` and ``ma = [1, theta_1, ..]``, of degrees a = p + P s and b = q + Q s. A memory (.., 8) holds
eight processes of the same orders side by side; things in it are named by where they begin.

Sources: Monahan, "A note on enforcing stationarity in autoregressive-moving average models", Biometrika 71 (1984);
the map from real numbers to partial autocorrelations, x / sqrt(1 + x²), is the one of statsmodels.
"""

from typing import NamedTuple

from forecast_kernels.jit import Array, cell, kernel, part
from forecast_kernels.lanes import load, splat, sqrt, store


class Arma(NamedTuple):
    """The orders (p, q)(P, Q)[s]."""

    p: int
    q: int
    P: int
    Q: int
    season: int  # s, 1 for none


@cell
def _from_partials(
    memory: Array,  # (.., 8): m values from ``first``: partial autocorrelations -> autoregressive coefficients
    first: int,
    m: int,
) -> None:
    """The recursion of Durbin and Levinson, in place."""
    for j in range(1, m):
        r = load(memory, first + j)
        for i in range((j + 1) // 2):
            left, right = load(memory, first + i), load(memory, first + j - 1 - i)
            store(memory, first + i, left - r * right)
            store(memory, first + j - 1 - i, right - r * left)


@cell
def to_partials(
    memory: Array,  # (.., 8): m values from ``first``: autoregressive coefficients -> partial autocorrelations
    first: int,
    m: int,
) -> None:
    """Undo the recursion of Durbin and Levinson, in place; of unstable coefficients, not all results are below 1."""
    one = splat(1.0)
    for j in range(m - 1, 0, -1):
        r = load(memory, first + j)
        share = one / ((one - r) * (one + r))
        for i in range((j + 1) // 2):
            left, right = load(memory, first + i), load(memory, first + j - 1 - i)
            store(memory, first + i, (left + r * right) * share)
            store(memory, first + j - 1 - i, (right + r * left) * share)


@cell
def _size(arma: Arma, kind: int) -> int:
    return (arma.p, arma.q, arma.P, arma.Q)[kind]


@kernel
def constrain(
    arma: Arma,
    memory: Array,  # (.., 8)
    x: int,  # k values read: any real numbers
    coefficients: int,  # k values written: those of stationary, invertible polynomials
) -> None:
    """Map real numbers to coefficients, factor by factor."""
    one, sign = splat(1.0), splat(1.0)
    for kind in range(4):
        m = _size(arma, kind)
        for i in range(m):
            value = load(memory, x + i)
            store(memory, coefficients + i, value / sqrt(one + value * value))
        _from_partials(memory, coefficients, m)
        for i in range(m):
            store(memory, coefficients + i, sign * load(memory, coefficients + i))
        x, coefficients, sign = x + m, coefficients + m, splat(0.0) - sign


@part
def expand(
    arma: Arma,
    memory: Array,  # (.., 8)
    coefficients: int,  # k values read
    ar: int,  # a + 1 values written
    ma: int,  # b + 1 values written
) -> None:
    """Multiply the seasonal factors in."""
    short, seasonal, product, sign = coefficients, coefficients + arma.p + arma.q, ar, splat(-1.0)
    for kind in range(2):
        m, M = _size(arma, kind), _size(arma, kind + 2)
        for i in range(m + M * arma.season + 1):
            store(memory, product + i, splat(0.0))
        for j in range(M + 1):
            outer = sign * load(memory, seasonal + j - 1) if j else splat(1.0)
            place = product + j * arma.season
            store(memory, place, load(memory, place) + outer)
            for i in range(m):
                inner = outer * sign * load(memory, short + i)
                store(memory, place + i + 1, load(memory, place + i + 1) + inner)
        short, seasonal, product, sign = short + m, seasonal + M, ma, splat(1.0)
