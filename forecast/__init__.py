"""gatecast: time-series forecasting with compiled LSTM kernels, and an honest comparison with ARIMA.

The public names are imported when first used, so that ``import forecast`` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forecast.errors import (
        DataError,
        DeviceError,
        ForecastError,
        ModelFileError,
        NotFittedError,
        ParameterError,
    )
    from forecast.evaluation.backtest import backtest
    from forecast.evaluation.metrics import evaluate
    from forecast.forecaster import Forecaster
    from forecast.models.arima import ARIMA, AutoARIMA
    from forecast.models.categorical import CategoricalLSTM, MarkovChain, MostFrequent
    from forecast.models.naive import Drift, HistoricMean, Naive, SeasonalNaive
    from forecast.models.naive2 import Naive2
    from forecast.models.pretrained import Pretrained
    from forecast.models.recurrent import LSTM, XLSTM
    from forecast.models.smoothing import AutoETS, Theta
    from forecast.series import datasets
    from forecast.series.frame import read_panel
    from forecast.text import TextModel

_PLACES = {
    "forecast.errors": (
        "DataError",
        "DeviceError",
        "ForecastError",
        "ModelFileError",
        "NotFittedError",
        "ParameterError",
    ),
    "forecast.evaluation.backtest": ("backtest",),
    "forecast.evaluation.metrics": ("evaluate",),
    "forecast.forecaster": ("Forecaster",),
    "forecast.models.arima": ("ARIMA", "AutoARIMA"),
    "forecast.models.categorical": ("CategoricalLSTM", "MarkovChain", "MostFrequent"),
    "forecast.models.naive": ("Drift", "HistoricMean", "Naive", "SeasonalNaive"),
    "forecast.models.naive2": ("Naive2",),
    "forecast.models.pretrained": ("Pretrained",),
    "forecast.models.recurrent": ("LSTM", "XLSTM"),
    "forecast.models.smoothing": ("AutoETS", "Theta"),
    "forecast.series.frame": ("read_panel",),
    "forecast.text": ("TextModel",),
}
_HOME = {name: module for module, names in _PLACES.items() for name in names}

__all__ = [  # noqa: RUF022 - by kind
    "Forecaster",
    "ARIMA",
    "AutoARIMA",
    "AutoETS",
    "CategoricalLSTM",
    "Drift",
    "HistoricMean",
    "LSTM",
    "MarkovChain",
    "MostFrequent",
    "Naive",
    "Naive2",
    "Pretrained",
    "SeasonalNaive",
    "Theta",
    "XLSTM",
    "TextModel",
    "backtest",
    "datasets",
    "evaluate",
    "read_panel",
    "DataError",
    "DeviceError",
    "ForecastError",
    "ModelFileError",
    "NotFittedError",
    "ParameterError",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name == "datasets":
        return import_module("forecast.series.datasets")
    if name == "__version__":
        from importlib.metadata import version

        return version("gatecast")
    raise AttributeError(f"module 'forecast' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
