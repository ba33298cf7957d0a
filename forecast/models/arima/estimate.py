"""What an estimation of a seasonal ARIMA gives: orders, coefficients and their likelihood."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from forecast.models.arima.orders import Orders

Floats = npt.NDArray[np.float64]

NEAR_UNIT_ROOT = 1.01  # a polynomial with a root of smaller modulus is not trusted


@dataclass(frozen=True, eq=False)
class Estimate:
    """The orders and parameters of one series."""

    orders: Orders
    coefficients: Floats  # (p + q + P + Q,) phi, theta, seasonal phi, seasonal theta
    constant: float  # mean of the differenced series; 0 without a constant
    sigma2: float  # maximum likelihood variance of the innovations
    loglik: float
    n: int  # observed differenced values
    power: float | None = None  # of Box and Cox, on whose scale all else is; None for the series' own scale
    cut_short: bool = False  # whether a time limit ended the search
    start: Floats = field(default_factory=lambda: np.empty(0))
    """(p + q + P + Q,) where the search ended, in the estimator's coordinates, for a neighbour; empty once stored."""

    @property
    def n_parameters(self) -> int:
        """Coefficients, constant and variance."""
        return self.orders.size + self.orders.constant + 1

    @property
    def described(self) -> str:
        """Orders, and the transformation of the values."""
        if self.power is None:
            return str(self.orders)
        return f"{self.orders} of {'logarithms' if self.power == 0 else f'powers {self.power:g}'}"

    @property
    def variance(self) -> float:
        """Innovation variance for intervals: free of the bias that estimated coefficients bring."""
        return self.sigma2 * self.n / max(self.n - self.n_parameters + 1, 1)

    def criterion(self, ic: str) -> float:
        """AICc, AIC or BIC; infinite where the sample is too short for it."""
        k, n = self.n_parameters, self.n
        if ic == "bic":
            return -2 * self.loglik + k * float(np.log(n))
        aic = -2 * self.loglik + 2 * k
        if ic == "aic":
            return aic
        return aic + 2 * k * (k + 1) / (n - k - 1) if n > k + 1 else np.inf

    @property
    def is_near_unit_root(self) -> bool:
        """Whether a factor has a root of modulus under 1.01: in B, or in B^s for the seasonal autoregressive one.

        The seasonal moving average is left free: at its unit root the seasonal pattern is a fixed one, which forecasts
        as well (MASE 1.440 against 1.441 with the bound on 240 series of M1), and a bound there would cut a
        neighbourhood of good models into pieces that a stepwise search does not cross.
        """
        phi, theta, seasonal_phi, _ = split(self.orders, self.coefficients)
        return not all(_is_stable(factor.tolist()) for factor in (phi, -theta, seasonal_phi))


def split(orders: Orders, x: Floats) -> list[Floats]:
    """Coefficients, or what stands for them, as parts of lengths p, q, P and Q."""
    i, j, k = orders.p, orders.p + orders.q, orders.p + orders.q + orders.P
    return [x[:i], x[i:j], x[j:k], x[k:]]


def _is_stable(phi: list[float]) -> bool:
    """Whether 1 - phi_1 B - .. has no root of modulus under 1.01: by the recursion of Durbin and Levinson, undone."""
    phi = [value * NEAR_UNIT_ROOT ** (i + 1) for i, value in enumerate(phi)]
    while phi:
        *rest, r = phi
        if not abs(r) < 1:
            return False
        phi = [(one + r * other) / (1 - r * r) for one, other in zip(rest, reversed(rest), strict=True)]
    return True
