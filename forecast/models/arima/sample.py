"""A history made ready for estimation: differenced, its gaps turned into columns of a regression.

Notation: N values of a history, n = N - d - D s differenced ones, k independent directions of unobserved values.

An unobserved value is filled by interpolation and given a column: what one unit more there would change. Estimating
these columns together with the model, and adding the determinant of their information to the likelihood, is the
same as leaving the values out (Gómez, Maravall and Peña, "Missing observations in ARIMA models", Journal of
Econometrics 88, 1999), and lets series with gaps be differenced by hand like others.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sample:
    """The differenced history with the directions in which its unobserved values may move."""

    levels: Floats  # (N,) from the first to the last observed value, gaps filled
    level_gaps: Floats  # (k, N) directions of unobserved values, in levels
    w: Floats  # (n,) differenced
    gaps: Floats  # (k, n) the directions, differenced: of full rank
    regressors: Floats  # (m, n) differenced

    @property
    def n(self) -> int:
        """How many differenced values count: gaps carry no information."""
        return len(self.w) - len(self.gaps)

    @property
    def size(self) -> int:
        """Values that a likelihood goes through: all once more for each gap."""
        return len(self.w) * (1 + len(self.gaps))


def difference(rows: Floats, d: int, D: int, season_length: int) -> Floats:
    """Difference along the last axis: D times at the season's lag, then d times at lag 1."""
    for _ in range(D):
        rows = rows[..., season_length:] - rows[..., :-season_length]
    return np.diff(rows, n=d, axis=-1)


def trimmed(y: Floats) -> Floats:
    """The history from its first to its last observed value; a view."""
    seen = np.flatnonzero(~np.isnan(y))
    return y[seen[0] : seen[-1] + 1]


def filled(y: Floats, season_length: int) -> Floats:
    """Fill gaps linearly between values of the same season, or between neighbours where a season has none."""
    gap = np.isnan(y)
    if not gap.any():
        return y
    t = np.arange(len(y))
    out = y.copy()
    out[gap] = np.interp(t[gap], t[~gap], y[~gap])
    if season_length > 1 and len(y) > 2 * season_length:
        for season in range(season_length):
            own = t[season::season_length]
            seen = ~gap[own]
            if seen.any() and not seen.all():
                out[own[~seen]] = np.interp(own[~seen], own[seen], y[own[seen]])
    return out


def recent(y: Floats, max_length: int | None, budget: float) -> Floats:
    """The longest tail of at most ``max_length`` values with n k^2 <= ``budget`` for its k gaps."""
    y = trimmed(y)
    if max_length is not None:
        y = y[-max_length:]
    gaps = np.cumsum(np.isnan(y[::-1]))
    cost = np.arange(1, len(y) + 1) * gaps.astype(np.float64) ** 2
    return trimmed(y[len(y) - int(np.searchsorted(cost, budget, side="right")) :])


def make_sample(y: Floats, d: int, D: int, season_length: int, X: Floats | None = None) -> Sample:
    """Difference a history, from its first to its last observed value.

    A history too short to give a differenced value is lengthened by unobserved ones. The regressors X (N, m) are those
    of its values, finite.
    """
    inner = trimmed(y)
    first = int(np.argmax(~np.isnan(y)))
    outer = np.zeros((0, len(inner))) if X is None else X[first : first + len(inner)].T
    short = d + D * season_length + 1 - len(inner)
    if short > 0:
        inner = np.concatenate([np.full(short, np.nan), inner])
        outer = np.pad(outer, ((0, 0), (short, 0)))
    missing = np.flatnonzero(np.isnan(inner))
    levels = filled(inner, season_length)
    level_gaps = np.zeros((len(missing), len(inner)))
    level_gaps[np.arange(len(missing)), missing] = 1.0
    level_gaps, gaps = _independent(level_gaps, difference(level_gaps, d, D, season_length))
    regressors = difference(outer, d, D, season_length)
    return Sample(levels, level_gaps, difference(levels, d, D, season_length), gaps, regressors)


def _independent(level_gaps: Floats, gaps: Floats) -> tuple[Floats, Floats]:
    """Keep the directions that differencing does not wipe out; along the others the filled values stay."""
    if not len(gaps):
        return level_gaps, gaps
    u, sizes, _ = np.linalg.svd(gaps, full_matrices=False)
    keep = u[:, sizes > 1e-9 * max(1.0, sizes[0])].T
    return keep @ level_gaps, keep @ gaps
