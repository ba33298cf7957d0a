"""Refuse a config that cannot work, with the field's name, the value found and the range."""

from collections.abc import Callable
from dataclasses import fields
from math import inf
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast.errors import ParameterError
from forecast.learning.training import LOSSES, SCHEDULES
from forecast.series.columns import listed
from forecast.series.panel import Panel
from forecast_kernels.windows import cpu as kernels

if TYPE_CHECKING:
    from forecast.models.recurrent.base import PatchNetwork

UNITS = {"deviation": kernels.DEVIATION, "difference": kernels.DIFFERENCE}
SCALERS = {"none": kernels.NONE, "last": kernels.LAST, "mean": kernels.MEAN, "series": kernels.SERIES}

TRANSFORMS = ("auto", "log", "calm", "none")

_LEAST = {
    "horizon": 1, "context_length": 1, "patch_length": 1, "season_length": 0, "hidden_size": 1, "num_layers": 1,
    "embedding_size": 0, "head_size": 0, "num_heads": 1, "conv_width": 0,
    "batch_size": 1, "max_steps": 0, "max_epochs": 1, "seed": 0, "n_members": 1,
    "finetune_steps": 0, "early_stopping_patience": 0, "val_size": 0, "val_check_steps": 1,
    "num_threads": 1,
}  # fmt: skip
_RANGES: dict[str, tuple[Callable[[float], bool], str]] = {
    "learning_rate": (lambda value: 0 < value < inf, "above 0"),
    "huber_delta": (lambda value: 0 < value < inf, "above 0"),
    "dropout": (lambda value: 0 <= value < 1, "in [0, 1)"),
    "weight_decay": (lambda value: 0 <= value < inf, "at least 0"),
    "clip_norm": (lambda value: 0 <= value < inf, "at least 0"),
}
_CHOICES = {
    "loss": tuple(LOSSES), "point": ("median", "mean"), "schedule": SCHEDULES, "transform": TRANSFORMS,
    "scaler": ("auto", *SCALERS), "unit": ("auto", *UNITS), "loss_unit": ("window", "series"),
    "device": ("cpu", "auto", "cuda"),
}  # fmt: skip


def check_fields(model: Any) -> None:
    """Check every field of a dataclass that has a range or a choice of its own, by itself."""
    whose = f"{type(model).__name__}'s"
    may_be_none = {field.name for field in fields(model) if field.default is None}
    names = {field.name for field in fields(model)}
    for name, least in ((name, least) for name, least in _LEAST.items() if name in names):
        value = getattr(model, name)
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= least
        if not whole and not (value is None and name in may_be_none):
            raise ParameterError(f"{whose} {name} is {value!r}; it must be a whole number of at least {least}.")
    for name, (allowed, range_) in ((name, _RANGES[name]) for name in _RANGES if name in names):
        value = getattr(model, name)
        if not isinstance(value, Real) or isinstance(value, bool) or not allowed(float(value)):
            raise ParameterError(f"{whose} {name} is {value!r}; it must be a number {range_}.")
    for name, choices in ((name, _CHOICES[name]) for name in _CHOICES if name in names):
        if getattr(model, name) not in choices:
            raise ParameterError(f"{whose} {name} is {getattr(model, name)!r}; it must be one of {', '.join(choices)}.")


def check_config(model: "PatchNetwork") -> None:
    """Check every field by itself, then those that depend on each other."""
    check_fields(model)
    whose = f"{type(model).__name__}'s"
    if model.point == "mean" and model.loss not in ("quantile", "squared"):
        raise ParameterError(f"{whose} loss {model.loss!r} learns no mean; take loss='quantile' or leave point out.")
    for name in ("mask_input", "covariates", "linear_path", "stream"):
        if not isinstance(getattr(model, name), bool):
            raise ParameterError(f"{whose} {name} is {getattr(model, name)!r}; it must be True or False.")
    if model.stream and model.scaler not in ("auto", "series", "none"):
        raise ParameterError(
            f"{whose} scaler {model.scaler!r} moves with the window, which stream=True cannot follow; take "
            "scaler='series' or 'none', or leave it out."
        )
    if model.stream and model.linear_path:
        raise ParameterError(
            f"{whose} linear_path=True looks at the values of a whole context, which stream=True does not keep; take "
            "one of them."
        )
    if not _are_probabilities(model.quantiles):
        raise ParameterError(
            f"{whose} quantiles are {model.quantiles}; they must ascend strictly between 0 and 1 and hold 0.5."
        )
    patch, context = model.patch_length, model.context_length
    if patch is not None and context is not None and patch > context:
        raise ParameterError(f"{whose} patch_length {patch} is longer than its context_length {context}.")
    if model.early_stopping_patience and not model.val_size:
        raise ParameterError(f"{whose} early_stopping_patience needs val_size: the values held out to judge by.")


def check_stream(model: "PatchNetwork", panel: Panel) -> None:
    """Refuse covariates that change with time: their means move with the window.

    Raises
    ------
    ParameterError
        With their names.
    """
    moving = panel.declared.known + panel.declared.historic
    if model.covariates and moving:
        raise ParameterError(
            f"{model.name} with stream=True takes no covariates that change with time, but the data declare "
            f"{listed(moving)}; give covariates=False, or stream=False."
        )


def _are_probabilities(values: Any) -> bool:
    """Whether they are numbers that ascend strictly between 0 and 1, one of them 0.5."""
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        return False
    return 0.5 in numbers and all(0 < q < 1 for q in numbers) and numbers == sorted(set(numbers))
