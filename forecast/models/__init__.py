"""The methods by the names that the command line knows; a class is imported when it is first asked for."""

import difflib
from collections.abc import Iterable
from dataclasses import fields
from importlib import import_module
from typing import Any

from forecast.errors import ParameterError
from forecast.models.base import Model

MODELS = {
    "pretrained": "forecast.models.pretrained:Pretrained",
    "lstm": "forecast.models.recurrent:LSTM",
    "xlstm": "forecast.models.recurrent:XLSTM",
    "auto-arima": "forecast.models.arima:AutoARIMA",
    "arima": "forecast.models.arima:ARIMA",
    "auto-ets": "forecast.models.smoothing:AutoETS",
    "theta": "forecast.models.smoothing:Theta",
    "seasonal-naive": "forecast.models.naive:SeasonalNaive",
    "naive2": "forecast.models.naive2:Naive2",
    "naive": "forecast.models.naive:Naive",
    "drift": "forecast.models.naive:Drift",
    "historic-mean": "forecast.models.naive:HistoricMean",
    "categorical-lstm": "forecast.models.categorical:CategoricalLSTM",
    "markov-chain": "forecast.models.categorical:MarkovChain",
    "most-frequent": "forecast.models.categorical:MostFrequent",
}


def class_of(name: str) -> type[Model]:
    """The class of a model by its name, e.g. ``class_of("auto-arima")``.

    Raises
    ------
    ParameterError
        If no model has that name.
    """
    place = MODELS.get(name.lower())
    if place is None:
        raise ParameterError(f"There is no model {name!r}{_nearest(name, MODELS)}; the models are {', '.join(MODELS)}.")
    module, kind = place.split(":")
    found: type[Model] = getattr(import_module(module), kind)
    return found


def name_of(model: Model) -> str:
    """The registered name of a model: ``class_of``'s inverse."""
    kind = type(model)
    names = [name for name, place in MODELS.items() if place.split(":")[1] == kind.__name__]
    if not names or class_of(names[0]) is not kind:
        raise ParameterError(f"{kind.__name__} is not a registered model; the models are {', '.join(MODELS)}.")
    return names[0]


def create(name: str, **options: Any) -> Model:
    """A model by its name, e.g. ``create("auto-arima", max_p=3)``.

    Parameters
    ----------
    name : str
        One of ``MODELS``.
    **options
        Fields of the model's config.

    Raises
    ------
    ParameterError
        If no model has that name, or the model has no such option.
    """
    kind = class_of(name)
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for option in options:
        if option not in known:
            raise ParameterError(
                f"{kind.__name__} has no option {option!r}{_nearest(option, known)}; "
                f"its options are {', '.join(known)}."
            )
    return kind(**options)


def _nearest(word: str, words: Iterable[str]) -> str:
    near = difflib.get_close_matches(word.lower(), list(words), n=1)
    return f"; did you mean {near[0]!r}" if near else ""
