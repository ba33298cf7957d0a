"""What was estimated, in words and numbers, for one series."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from forecast.models.arima.compiled import Compiled
from forecast.models.arima.estimate import Estimate
from forecast.models.arima.prediction import GAP_BUDGET, one_step_errors
from forecast.models.arima.regression import less_regressors, recent_rows
from forecast.models.arima.sample import make_sample

Floats = npt.NDArray[np.float64]

DIFFERENCE = 1e-4  # of a coefficient, for second derivatives of the log-likelihood


def summary(name: str, found: Estimate, y: Floats, X: Floats, covariates: Sequence[str], ic: str) -> str:
    """Text of several lines.

    Parameters
    ----------
    name : str
        Of the series.
    found : Estimate
        Its orders and parameters.
    y : ndarray, (N,)
        Its history on the scale of the model, NaN where unobserved.
    X : ndarray, (N, m)
        Its regressors, NaN where unknown.
    covariates : sequence of str
        Names of the regressors.
    ic : str
        Criterion to tell.
    """
    lines = [f"{name}: {found.described}, {found.n} observed values after differencing"]
    kinds = ("ar", "ma", "seasonal ar", "seasonal ma")
    terms = [f"{kind} {i + 1}" for kind, size in zip(kinds, found.orders.sizes, strict=True) for i in range(size)]
    kept = np.isfinite(found.beta)
    used = [covariate for covariate, one in zip(covariates, kept.tolist(), strict=True) if one]
    model, width = _model(found, y, X), max([14, *(len(covariate) + 2 for covariate in used)])
    for term, value, error in zip(terms, found.coefficients, standard_errors(found, model), strict=True):
        lines.append(f"  {term:<{width}}{value:>12.4f}   standard error {error:.4f}")
    for covariate, value, error in zip(used, found.beta[kept], model.beta_errors(found), strict=True):
        lines.append(f"  {covariate:<{width}}{value:>12.6g}   standard error {error:.4g}")
    if found.orders.constant:
        lines.append(f"  {'drift' if found.orders.lost else 'mean':<{width}}{found.constant:>12.6g}")
    lines.append(f"  {'variance':<{width}}{found.sigma2:>12.6g}")
    if np.isfinite(found.loglik):
        names = {"aicc": "AICc", "aic": "AIC", "bic": "BIC"}
        lines.append(f"  log-likelihood {found.loglik:.2f}, {names[ic]} {found.criterion(ic):.2f}")
    p = ljung_box(found, less_regressors(found.beta, y, X)) if np.isfinite(found.loglik) else None
    if p is not None:
        lines.append(
            f"  Ljung-Box p {p:.3f}: the residuals {'look like noise' if p >= 0.05 else 'are still correlated'}"
        )
    return "\n".join(lines)


def _model(found: Estimate, y: Floats, X: Floats) -> Compiled:
    y, X = recent_rows(y, X[:, np.isfinite(found.beta)], None, GAP_BUDGET)
    orders = found.orders
    return Compiled(make_sample(y, orders.d, orders.D, orders.season_length, X), orders)


def standard_errors(found: Estimate, model: Compiled) -> Floats:
    """(p + q + P + Q,) from the curvature of the log-likelihood; NaN at the edge of what is stationary."""
    orders, k = found.orders, found.orders.size
    step = DIFFERENCE * np.eye(k)

    def at(move: Floats) -> float:
        return model.log_likelihood(orders, found.coefficients + move)

    information = np.empty((k, k))
    with np.errstate(invalid="ignore"):
        for i in range(k):
            for j in range(i + 1):
                corners = at(step[i] + step[j]) - at(step[i] - step[j]) - at(step[j] - step[i]) + at(-step[i] - step[j])
                information[i, j] = information[j, i] = -corners / (4 * DIFFERENCE**2)
        if not np.isfinite(information).all():
            return np.full(k, np.nan)
        return np.asarray(np.sqrt(np.diag(np.linalg.pinv(information))))


def ljung_box(found: Estimate, y: Floats) -> float | None:
    """Probability of residuals at least as correlated if they were noise; None where there are too few.

    Over two seasons, or 10 lags where there is none, but no more than a fifth of the residuals. Source: Ljung and Box,
    "On a measure of lack of fit in time series models", Biometrika 65 (1978).
    """
    from statsmodels.stats.diagnostic import acorr_ljungbox

    standardized = one_step_errors(found, y)[1]
    standardized = standardized[np.isfinite(standardized)]
    season = found.orders.season_length
    lags = min(2 * season if season > 1 else 10, len(standardized) // 5)
    if lags <= found.orders.size:
        return None
    test = acorr_ljungbox(standardized, lags=[lags], model_df=found.orders.size)
    return float(test["lb_pvalue"].iloc[0])
