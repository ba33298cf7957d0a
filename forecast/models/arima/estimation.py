"""Maximum likelihood estimation of one seasonal ARIMA on one sample.

The coefficients are the only parameters of the search: the innovation variance, the mean and unobserved values are
concentrated out. What is left is a sum of squares (Ansley 1979), so Levenberg-Marquardt finds its least value in
a handful of steps. Each polynomial is written in partial autocorrelations, which keeps it stationary or invertible
(Monahan, "A note on enforcing stationarity in autoregressive-moving average models", Biometrika 71, 1984).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack
from scipy.optimize import leastsq

from forecast.models.arima.likelihood import Whitener
from forecast.models.arima.orders import Orders
from forecast.models.arima.sample import Sample

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
    start: Floats = field(default_factory=lambda: np.empty(0))
    """(p + q + P + Q,) where the climb ended, in its own coordinates, to start a neighbour from; empty once stored."""

    @property
    def n_parameters(self) -> int:
        """Coefficients, constant and variance."""
        return self.orders.size + self.orders.constant + 1

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

    def polynomials(self) -> tuple[Floats, Floats]:
        """Expanded ``ar`` and ``ma``, seasonal factors multiplied in."""
        return _expand(self.orders, split(self.orders, self.coefficients))

    @cached_property
    def is_near_unit_root(self) -> bool:
        """Whether a factor has a root of modulus under 1.01: in B, or in B^s for the seasonal autoregressive one.

        The seasonal moving average is left free: at its unit root the seasonal pattern is a fixed one, which forecasts
        as well (MASE 1.440 against 1.441 with the bound on 240 series of M1), and a bound there would cut a
        neighbourhood of good models into pieces that a stepwise search does not cross.
        """
        phi, theta, seasonal_phi, _ = split(self.orders, self.coefficients)
        factors = [np.concatenate([[1.0], part]) for part in (-phi, theta, -seasonal_phi) if len(part)]
        return any(NEAR_UNIT_ROOT * np.abs(np.roots(factor)).max(initial=0.0) > 1 for factor in factors)


@dataclass(frozen=True, eq=False)
class Profile:
    """What concentrating out the mean and the unobserved values leaves."""

    residuals: Floats  # (n_w,) whitened
    slopes: Floats  # (k [+ 1],) how far the unobserved directions move [and the mean]
    root: Floats  # (k [+ 1], k [+ 1]) lower triangular R with RR' the information on the slopes, per 1 / sigma2
    log_determinant: float  # of the covariance of the observed values, per sigma2


def profile(whitener: Whitener, rows: Floats, k: int) -> Profile:
    """Regress the whitened series, row 0 of ``rows``, on the whitened others, k gaps first."""
    white = whitener(rows)
    y, columns = white[:, 0], white[:, 1:]
    log_determinant = whitener.log_determinant
    if len(rows) == 1:
        return Profile(y, np.empty(0), np.empty((0, 0)), log_determinant)
    root = np.asarray(np.linalg.cholesky(columns.T @ columns), np.float64)
    slopes = lapack.dpotrs(root, columns.T @ y, lower=1)[0]
    log_determinant += 2.0 * float(np.log(np.diag(root)[:k]).sum())
    return Profile(np.asarray(y - columns @ slopes), slopes, np.asarray(root, dtype=np.float64), log_determinant)


def estimate(sample: Sample, orders: Orders, start: Floats, precise: bool = False) -> Estimate:
    """Fit by maximum likelihood, climbing from ``start``.

    Parameters
    ----------
    sample : Sample
        Differenced as ``orders`` says.
    orders : Orders
        What to fit.
    start : ndarray, (p + q + P + Q,)
        Any real numbers: zeros for white noise, or ``Estimate.start`` of a neighbour, padded with zeros.
    precise : bool
        Climb on until rounding stops it; else until the log-likelihood is known to about 0.01.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the likelihood cannot be computed in float64 where the climb ends.
    """
    rows = _rows(sample, orders)
    x = start
    with np.errstate(all="ignore"):
        if orders.size:
            # A short first step (factor) matters most: from a long one, one model in five ends in a lesser maximum.
            x = leastsq(
                lambda x: _objective(sample, orders, rows, x),
                start,
                ftol=1e-12 if precise else 1e-5,
                xtol=1e-8 if precise else 1e-3,
                gtol=0.0,
                epsfcn=1e-12,
                factor=0.3,
                maxfev=60 * orders.size,
                full_output=True,  # for the sake of its silence
            )[0]
        return _at(sample, orders, np.asarray(x), rows)


def misfit(sample: Sample, orders: Orders, start: Floats) -> float:
    """What ``estimate`` minimises, at ``start``."""
    with np.errstate(all="ignore"):
        return float(np.square(_objective(sample, orders, _rows(sample, orders), start)).sum())


def _objective(sample: Sample, orders: Orders, rows: Floats, x: Floats) -> Floats:
    """(n_w,) residuals whose sum of squares is the concentrated likelihood's, to a monotone map."""
    try:
        whitener = Whitener(*_expand(orders, _constrain(orders, x)), rows.shape[1])
        found = profile(whitener, rows, len(sample.gaps))
        scaled = found.residuals * np.exp(0.5 * found.log_determinant / sample.n)
    except np.linalg.LinAlgError:
        scaled = np.full(rows.shape[1], np.nan)
    return scaled if np.isfinite(scaled).all() else np.full(rows.shape[1], 10.0 * np.linalg.norm(rows[0]) + 1.0)


def _at(sample: Sample, orders: Orders, x: Floats, rows: Floats) -> Estimate:
    parts = _constrain(orders, x)
    found = profile(Whitener(*_expand(orders, parts), rows.shape[1]), rows, len(sample.gaps))
    n = sample.n
    sigma2 = float(found.residuals @ found.residuals) / n
    loglik = -0.5 * (n * (np.log(2 * np.pi * sigma2) + 1) + found.log_determinant)
    constant = float(found.slopes[-1]) if orders.constant else 0.0
    return Estimate(orders, np.concatenate(parts), constant, sigma2, float(loglik), n, x)


def _rows(sample: Sample, orders: Orders) -> Floats:
    parts = [sample.w[None], sample.gaps]
    if orders.constant:
        parts.append(np.ones((1, len(sample.w))))
    return np.concatenate(parts)


def split(orders: Orders, x: Floats) -> list[Floats]:
    """Coefficients, or what stands for them, as parts of lengths p, q, P and Q."""
    i, j, k = orders.p, orders.p + orders.q, orders.p + orders.q + orders.P
    return [x[:i], x[i:j], x[j:k], x[k:]]


def _constrain(orders: Orders, x: Floats) -> list[Floats]:
    """Any real numbers -> phi, theta, seasonal phi, seasonal theta of stationary, invertible polynomials."""
    partials = x / np.sqrt(1 + x * x)
    phi, theta, seasonal_phi, seasonal_theta = (_from_partials(part) for part in split(orders, partials))
    return [phi, -theta, seasonal_phi, -seasonal_theta]


def _from_partials(partials: Floats) -> Floats:
    """Partial autocorrelations -> autoregressive coefficients, by Durbin and Levinson."""
    phi = partials[:1]
    for r in partials[1:]:
        phi = np.concatenate([phi - r * phi[::-1], [r]])
    return phi


def _expand(orders: Orders, parts: Sequence[Floats]) -> tuple[Floats, Floats]:
    phi, theta, seasonal_phi, seasonal_theta = parts
    return (
        _product(-phi, -seasonal_phi, orders.season_length),
        _product(theta, seasonal_theta, orders.season_length),
    )


def _product(short: Floats, seasonal: Floats, season_length: int) -> Floats:
    polynomial = np.concatenate([[1.0], short])
    if not len(seasonal):
        return polynomial
    long = np.zeros(len(seasonal) * season_length + 1)
    long[0] = 1.0
    long[season_length::season_length] = seasonal
    return np.convolve(polynomial, long)
