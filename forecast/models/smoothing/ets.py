"""Exponential smoothing in its state-space forms, by statsmodels' ETSModel.

A form is written as usual, error, trend, season: "AAN", "MAdM"; "N" is none, "A" additive, "M" multiplicative, "d"
damped. Source: Hyndman, Koehler, Ord and Snyder, "Forecasting with Exponential Smoothing" (Springer 2008).

Notation: n values of a history without gaps, s steps in a season, h steps ahead, Q quantiles.
"""

import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

Floats = npt.NDArray[np.float64]

FEWEST = 10  # values from which first states can be told
LONGEST_SEASON = 24  # more states than that cannot be learned from the histories that there are
PATHS = 2000  # simulated, for quantiles
_NAMES = {"N": None, "A": "add", "M": "mul"}


def choose(y: Floats, season_length: int, multiplicative: bool) -> tuple[str, Floats] | None:
    """Form of the least AICc, and its smoothing parameters; None if no form can be estimated.

    The first states are computed from the first values (Hyndman et al. 2008, section 2.6) and counted as parameters.
    """
    best, least = None, np.inf
    for form in forms(len(y), season_length, multiplicative and bool((y > 0).all())):
        with warnings.catch_warnings(action="ignore"):  # of searches that end early: their AICc tells
            try:
                result = _model(y, form, season_length).fit(disp=False)
            except (ValueError, ArithmeticError, np.linalg.LinAlgError):
                continue
            score, ahead = _aicc(float(result.llf), form, season_length, len(y)), result.forecast(season_length)
        if score < least and np.isfinite(ahead).all():
            best, least = (form, np.asarray(result.params, np.float64)), score
    return best


def forms(n: int, season_length: int, positive: bool) -> list[str]:
    """Forms that n values allow, simple ones first; additive errors do not go with multiplicative seasons."""
    if n < FEWEST:
        return []
    seasons = "N"
    if 1 < season_length <= LONGEST_SEASON and n >= max(2 * season_length, FEWEST + 2 * (season_length // 2)):
        seasons = "NAM" if positive else "NA"
    errors = "AM" if positive else "A"
    found = [error + trend + season for season in seasons for trend in ("N", "A", "Ad") for error in errors]
    return [form for form in found if (form[0], form[-1]) != ("A", "M")]


def forecast(
    form: str, parameters: Floats, y: Floats, season_length: int, h: int, quantiles: Sequence[float]
) -> tuple[Floats, Floats]:
    """Points (h,) and quantiles (h, Q) after a history that allows the form; the parameters are kept."""
    model = _model(y, form, season_length)
    with warnings.catch_warnings(action="ignore"):
        result = model.smooth(parameters)
        point = np.asarray(result.forecast(h), np.float64)
        if not len(quantiles):
            return point, np.empty((h, 0))
        errors = np.random.default_rng(0).normal(size=(h, PATHS // 2)) * _deviation(result, len(y), len(parameters))
        paths = result.simulate(h, anchor="end", repetitions=PATHS, random_errors=np.hstack([errors, -errors]))
    return point, np.quantile(np.asarray(paths).reshape(h, PATHS), quantiles, axis=1).T


def _deviation(result, n: int, k: int) -> float:  # type: ignore[no-untyped-def]
    """Of the errors, relative ones if they are multiplicative; free of the bias that parameters bring."""
    return float(np.sqrt(np.sum(np.square(result.resid)) / max(n - k, 1)))


def _model(y: Floats, form: str, season_length: int) -> ETSModel:
    season = _NAMES[form[-1]]
    return ETSModel(
        y,
        error=_NAMES[form[0]],
        trend=_NAMES[form[1]],
        damped_trend="d" in form,
        seasonal=season,
        seasonal_periods=season_length if season else None,
        initialization_method="heuristic",
    )


def _aicc(loglik: float, form: str, season_length: int, n: int) -> float:
    trend, season = form[1] == "A", form[-1] != "N"
    smoothing = 1 + trend + season + ("d" in form)
    k = smoothing + 1 + trend + (season_length - 1) * season + 1
    return -2 * loglik + 2 * k + 2 * k * (k + 1) / (n - k - 1) if n > k + 1 else np.inf
