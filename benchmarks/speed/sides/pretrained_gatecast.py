"""Forecasts of the pretrained networks, and of the fastest baseline that fits a model to each series."""

import time
from statistics import median

from benchmarks.speed.sides.growth_gatecast import frame
from benchmarks.speed.worker import serve
from forecast import AutoARIMA, Forecaster, Pretrained
from forecast.models.base import Model
from forecast.series import datasets
from forecast.series.frame import read_panel

HORIZON, SERIES, TURNS = 12, 10_000, 50
QUANTILES = (0.1, 0.9)


def measure() -> dict[str, float]:
    """Seconds of one series and of many, both in memory; everything has been compiled and run once before."""
    one, many = read_panel(datasets.load("air_passengers")), read_panel(frame(SERIES), freq="MS")
    fitted = Pretrained().fit(one, HORIZON)
    fitted.predict(one, HORIZON, QUANTILES)

    def seconds() -> float:
        start = time.perf_counter()
        fitted.predict(one, HORIZON, QUANTILES)
        return time.perf_counter() - start

    few = many.select([*range(100)])
    return {
        "one": median(seconds() for _ in range(TURNS)),
        "many": _fit_and_predict(Pretrained(), many),
        "arima": _fit_and_predict(AutoARIMA(), few) / 100 * SERIES,
    }


def _fit_and_predict(model: Model, panel: object) -> float:
    forecaster = Forecaster(model)
    start = time.perf_counter()
    forecaster.fit(panel, h=HORIZON).predict(HORIZON, level=[80])  # type: ignore[arg-type]
    return time.perf_counter() - start


if __name__ == "__main__":
    serve({"measure": measure})
