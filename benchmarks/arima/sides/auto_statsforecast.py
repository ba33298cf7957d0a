"""statsforecast's AutoARIMA on one series at a time, with its own defaults."""

import time
import warnings
from typing import Any

import numpy as np
from statsforecast.models import AutoARIMA

from benchmarks.speed.worker import serve


def fit(y: list[float], season: int, h: int) -> dict[str, Any]:
    """Search, estimate, forecast."""
    values = np.array(y)
    began = time.process_time()
    model = AutoARIMA(season_length=season).fit(values)
    mean = model.predict(h)["mean"]
    spent = time.process_time() - began
    p, q, P, Q, _, d, D = (int(one) for one in model.model_["arma"])
    found = model.model_["coef"]
    names = [f"{kind}{i + 1}" for kind, count in (("ar", p), ("ma", q), ("sar", P), ("sma", Q)) for i in range(count)]
    constant = "intercept" in found or "drift" in found
    return {
        "seconds": spent,
        "orders": [p, d, q, P, D, Q, season, constant],
        "coefficients": [float(found[name]) for name in names],
        "mean": mean.tolist(),
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    fit([float(t % 4 + t % 7) for t in range(40)], 4, 1)  # what a first fit loads is not its search
    serve({"fit": fit})
