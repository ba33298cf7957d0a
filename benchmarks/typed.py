"""What was typed: options from a command line, and the model that a user would write for them."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from forecast.models.base import Model


def options(pairs: Sequence[str]) -> dict[str, Any]:
    """``["max_steps=300", "scaler=last"]`` as keyword arguments."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        try:
            found[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            found[name] = value
    return found


def call(model: Model, given: Mapping[str, Any]) -> str:
    """The model as typed, without what is the default anyway."""
    told = {name: value for name, value in given.items() if getattr(type(model), name) != value}
    return f"{type(model).__name__}({', '.join(f'{name}={value!r}' for name, value in told.items())})"
