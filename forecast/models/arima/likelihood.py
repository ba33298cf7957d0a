"""Exact Gaussian likelihood of a seasonal ARMA process.

Notation: n values, p and q the degrees of the expanded autoregressive and moving-average polynomials
``ar = [1, -phi_1, ..]`` and ``ma = [1, theta_1, ..]``, innovations of variance 1.

After Ansley (1979): with ``z_t = w_t`` for t <= p and ``z_t = ar(B) w_t = ma(B) e_t`` after, the covariance matrix
of z is banded, so that LAPACK's banded Cholesky whitens the series. This is the likelihood that a Kalman filter over
the state-space form gives, to rounding (the tests hold it against statsmodels' SARIMAX), in a fifth to a twentieth of
the time that ``SARIMAX.loglike`` takes, and several columns can be whitened at once: the mean and unobserved values
are then a linear regression and no parameters of the search.

Source: C. F. Ansley, "An algorithm for the exact likelihood of a mixed autoregressive-moving average process",
Biometrika 66 (1979).
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack
from scipy.signal import lfilter

Floats = npt.NDArray[np.float64]


class Whitener:
    """The linear map from n values of an ARMA process to n independent innovations of variance 1.

    Parameters
    ----------
    ar, ma : ndarray, (p + 1,) and (q + 1,)
        Expanded polynomials of a stationary process, constant term 1 first.
    n : int
        Number of values, at least 1.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the process is so close to non-stationary that its covariance matrix is not positive definite in float64.
    """

    def __init__(self, ar: Floats, ma: Floats, n: int) -> None:
        self.ar = ar
        self.n = n
        self._factor, info = lapack.dpbtrf(_banded_covariance(ar, ma, n), lower=1, overwrite_ab=1)
        if info:
            raise np.linalg.LinAlgError(f"the covariance matrix is not positive definite at row {info}")

    @property
    def log_determinant(self) -> float:
        """Logarithm of the determinant of the covariance matrix of the n values."""
        return 2.0 * float(np.log(self._factor[0]).sum())

    def __call__(self, rows: Floats) -> Floats:
        """Whiten each row of ``rows`` (c, n); the result is (n, c)."""
        head = min(len(self.ar) - 1, self.n)
        z = rows.copy()
        for lag in np.flatnonzero(self.ar[1:]) + 1:  # few, though the polynomial may span seasons
            z[:, head:] += self.ar[lag] * rows[:, head - lag : self.n - lag]
        white, info = lapack.dtbtrs(self._factor, z.T, uplo="L", overwrite_b=1)
        if info:
            raise np.linalg.LinAlgError("the Cholesky factor is singular")
        return np.asarray(white)

    def inverse_tail(self, h: int) -> Floats:
        """(h, h) map from the last h innovations to the last h values, given all before; needs n - h >= p."""
        tail = np.zeros((h, h))
        for lag in range(min(len(self._factor), h)):
            tail[np.arange(lag, h), np.arange(h - lag)] = self._factor[lag, self.n - h : self.n - lag]
        return np.asarray(lfilter([1.0], self.ar, tail, axis=0))


def _banded_covariance(ar: Floats, ma: Floats, n: int) -> Floats:
    """Covariance of z in LAPACK's lower band storage: entry [l, j] is the covariance of z_{j + l} and z_j."""
    p, q = len(ar) - 1, len(ma) - 1
    width = max(p, q + 1)
    band = np.zeros((n, width)).T  # column-major, as LAPACK works in place
    band[: q + 1, p:] = np.correlate(ma, ma, "full")[q:, None]
    if p:
        own, cross = _autocovariances(ar, ma)
        both = np.zeros((2, width))
        both[0, :p], both[1, : q + 1] = own[:p], cross
        head = min(p, n)
        band[:, :head] = np.where(_within(p, width), both[0][:, None], both[1][:, None])[:, :head]
    return band


def _autocovariances(ar: Floats, ma: Floats) -> tuple[Floats, Floats]:
    """Covariances of w_t with w_{t + l}, l = 0..p, and with ma(B) e_{t + l}, l = 0..q."""
    p, q = len(ar) - 1, len(ma) - 1
    impulse = np.zeros(q + 1)
    impulse[0] = 1.0
    cross = np.correlate(ma, lfilter(ma, ar, impulse), "full")[q:]
    # Multiplying ar(B) w_t = ma(B) e_t by w_{t - l} gives: sum over j of ar_j own_{|l - j|} = cross_l.
    places, powers = _places(p)
    system = np.bincount(places, weights=ar[powers], minlength=(p + 1) ** 2)
    right = np.zeros(p + 1)
    right[: min(p, q) + 1] = cross[: p + 1]
    own, info = lapack.dgesv(system.reshape(p + 1, p + 1), right)[2:]
    if info:
        raise np.linalg.LinAlgError("the process is not stationary")
    return own, cross


@lru_cache(maxsize=512)
def _places(p: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Where the coefficients stand in the system of ``_autocovariances``: flat indices of [l, |l - j|], and their j."""
    lags = np.arange(p + 1)
    return (lags[:, None] * (p + 1) + np.abs(lags[:, None] - lags)).ravel(), np.tile(lags, p + 1)


@lru_cache(maxsize=512)
def _within(p: int, width: int) -> npt.NDArray[np.bool_]:
    """(width, p) whether z_{j + l} still belongs to the first p values, which are not filtered."""
    return np.arange(width)[:, None] + np.arange(p) < p
