"""Our AutoARIMA on one series at a time, and the AICc of anybody's model by our exact likelihood."""

import time
from typing import Any

import numpy as np

from benchmarks.speed.worker import serve
from forecast.learning.warmup import warmup
from forecast.models.arima import AutoARIMA
from forecast.models.arima.compiled import Compiled
from forecast.models.arima.estimate import Estimate
from forecast.models.arima.orders import Orders
from forecast.models.arima.prediction import predict
from forecast.models.arima.sample import make_sample


def fit(y: list[float], season: int, h: int) -> dict[str, Any]:
    """Search, estimate, forecast."""
    values = np.array(y)
    began = time.process_time()
    found = AutoARIMA().fit_series(values, season)
    mean, _ = predict(found, values, h)
    spent = time.process_time() - began
    return {
        "seconds": spent,
        "orders": list(found.orders),
        "coefficients": found.coefficients.tolist(),
        "mean": mean.tolist(),
    }


def aicc(y: list[float], orders: list[int], coefficients: list[float]) -> float:
    """At given coefficients, with the best constant and variance; infinite if the process is not stationary."""
    given = Orders(*orders[:-1], constant=bool(orders[-1]))
    sample = make_sample(np.array(y), given.d, given.D, given.season_length)
    loglik = Compiled(sample, given).log_likelihood(given, np.array(coefficients))
    return Estimate(given, np.array(coefficients), 0.0, 1.0, loglik, sample.n).criterion("aicc")


if __name__ == "__main__":
    warmup(None, "arima")
    fit([float(t % 4 + t % 7) for t in range(40)], 4, 1)  # what a first fit loads is not its search
    serve({"fit": fit, "aicc": aicc})
