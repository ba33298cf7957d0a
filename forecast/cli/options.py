"""Options that several commands share, and how their texts become values."""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecast import defaults
from forecast.errors import ParameterError

if TYPE_CHECKING:
    from forecast.models.base import Model
    from forecast.series.panel import Panel

DATA, COVARIATES, MODELS, OUTPUT = "Data", "Covariates", "Models", "Output"  # the groups of options in a command's help
DEFAULT_MODELS = ",".join(defaults.DEFAULT_MODELS)
DEFAULT_LEVELS = "80,95"
AUTO = "auto"
_OF_NETWORKS = (  # field, option, what to add
    ("n_members", "--members", "lstm"),
    ("finetune_steps", "--finetune", "pretrained"),
    ("stream", "--stream", "lstm or xlstm"),
)

File = Annotated[
    Path,
    typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="CSV or Parquet file: long, wide or one series."),
]
Horizon = Annotated[int, typer.Option("--horizon", "-h", min=1, metavar="N", help="How many steps to forecast.")]

FutureData = Annotated[
    Path | None,
    typer.Option(
        "--future-data",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="Table with the values of --future over the horizon; rows of FILE with an empty target do as well.",
        rich_help_panel=COVARIATES,
    ),
]
FutureExog = Annotated[
    str,
    typer.Option(
        "--future-exog",
        metavar="MODE",
        help="What a backtest lets models see of --future: the realised values, or the last season's again (last).",
        rich_help_panel=COVARIATES,
    ),
]

Models = Annotated[
    str,
    typer.Option(
        "--models",
        metavar="NAMES",
        help="Any of pretrained, lstm, xlstm, auto-arima, arima, auto-ets, theta, seasonal-naive, naive2, naive, "
        "drift, historic-mean, joined by commas; for categories: categorical-lstm, markov-chain, most-frequent.",
        rich_help_panel=MODELS,
    ),
]
Level = Annotated[
    str,
    typer.Option(
        "--level",
        metavar="PERCENT",
        help="Prediction intervals in percent, joined by commas, or 'none'.",
        rich_help_panel=MODELS,
    ),
]
Intervals = Annotated[
    str,
    typer.Option(
        "--intervals",
        metavar="KIND",
        help="native: as the models give them; conformal: calibrated on windows before the cutoff, by one more fit; "
        "auto: conformal for up to 10 series with history enough.",
        rich_help_panel=MODELS,
    ),
]
NonNegative = Annotated[
    bool,
    typer.Option("--non-negative", metavar="", help="Raise forecasts below zero to zero.", rich_help_panel=MODELS),
]
Integer = Annotated[
    bool,
    typer.Option(
        "--integer",
        metavar="",
        help="Round forecasts to whole numbers, bounds of intervals outwards.",
        rich_help_panel=MODELS,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", min=0, metavar="N", help="Start of the random numbers in training.", rich_help_panel=MODELS),
]
Members = Annotated[
    int | None,
    typer.Option(
        "--members",
        min=1,
        metavar="N",
        help="Train each network N times from other random numbers, and forecast the mean: steadier, N times as long.",
        rich_help_panel=MODELS,
    ),
]
Finetune = Annotated[
    int | None,
    typer.Option(
        "--finetune",
        min=1,
        metavar="N",
        help="Train pretrained networks on for N steps, and keep what came of it where it forecasts FILE better.",
        rich_help_panel=MODELS,
    ),
]
Stream = Annotated[
    bool,
    typer.Option(
        "--stream",
        metavar="",
        help="LSTM and XLSTM forecast from the whole history and keep the state it ends in: 'forecast update' then "
        "costs a step for each new row.",
        rich_help_panel=MODELS,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="NAME",
        help="Where networks are trained: cpu, cuda (an NVIDIA GPU), or auto (cpu).",
        rich_help_panel=MODELS,
    ),
]

Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write the forecasts to this .csv, .parquet or .json file.",
        rich_help_panel=OUTPUT,
    ),
]
Json = Annotated[
    bool, typer.Option("--json", metavar="", help="Print one JSON document instead.", rich_help_panel=OUTPUT)
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", metavar="", help="Print the result only, without notes and progress.", rich_help_panel=OUTPUT
    ),
]


def with_future_data(panel: "Panel", file: Path | None, horizon: int) -> "Panel":
    """The panel with the values of ``--future-data``."""
    from forecast.series.future import with_future

    return panel if file is None else with_future(panel, file, horizon)


def given(
    seed: int | None, device: str, members: int | None = None, finetune: int | None = None, stream: bool = False
) -> dict[str, Any]:
    """What models are told, where they have such an option; an option that was not typed is left out."""
    typed = {
        "seed": seed, "device": _device(device), "n_members": members, "finetune_steps": finetune,
        "stream": stream or None,
    }  # fmt: skip
    return {name: value for name, value in typed.items() if value is not None}


def models_of(names: str, wanted: Mapping[str, Any]) -> "list[Model]":
    """The models that ``--models`` names, with seed, device and number of networks where a model has them."""
    from forecast.models import create

    models = [create(name) for name in dict.fromkeys(split(names))]
    if not models:
        raise ParameterError(f"--models is {names!r}; name at least one, e.g. --models lstm,seasonal-naive.")
    for field, option, suited_to in _OF_NETWORKS:
        if field in wanted and not any(hasattr(model, field) for model in models):
            typed = option if wanted[field] is True else f"{option} {wanted[field]}"
            raise ParameterError(f"{typed} is for none of --models {names}; add {suited_to}.")
    return [_with_options(model, wanted) for model in models]


def suited(
    panel: "Panel", methods: "list[Model]", models: str, level: str, wanted: Mapping[str, Any]
) -> "tuple[list[Model], list[float]]":
    """Models and levels for this panel: if none were chosen, those that forecast categories or use covariates."""
    from forecast.series.roles import NOTHING

    if models == DEFAULT_MODELS and (panel.categories or panel.declared != NOTHING):
        names = defaults.CATEGORICAL_MODELS if panel.categories else defaults.COVARIATE_MODELS
        methods = models_of(",".join(names), wanted)
    return methods, levels_for(panel, level)


def levels_for(panel: "Panel", level: str) -> list[float]:
    """The percentages of ``--level``; by default none for categories, which have probabilities instead."""
    return [] if panel.categories and level == DEFAULT_LEVELS else percentages_of(level)


def percentages_of(text: str) -> list[float]:
    """The percentages of ``--level``."""
    if text.strip().lower() == "none":
        return []
    try:
        levels = [float(part) for part in split(text)]
    except ValueError:
        raise ParameterError(f"--level is {text!r}; give percentages such as --level 80,95, or none.") from None
    return [int(level) if level.is_integer() else level for level in levels]


def intervals_of(text: str) -> str:
    """The kind of ``--intervals``."""
    kind = text.strip().lower()
    if kind not in ("native", "conformal", AUTO):
        raise ParameterError(f"--intervals is {text!r}; choose native, conformal or auto.")
    return kind


def intervals_for(kind: str, panel: "Panel", horizon: int, windows: int, step: int | None, levels: list[float]) -> str:
    """What ``--intervals auto`` comes to for a panel that is backtested on so many windows, or 0."""
    if kind != AUTO:
        return kind
    from forecast.evaluation.conformal import suits

    back = horizon + (windows - 1) * (step or horizon) if windows else 0
    first = panel.select(panel.lengths > back)
    suited = len(first) > 0 and suits(first.head(first.lengths - back), horizon, levels)
    return "conformal" if suited else "native"


def metrics_of(text: str | None, models: "list[Model]") -> list[str] | None:
    """The metrics of ``--metrics``, which these models must allow."""
    if text is None:
        return None
    from forecast.evaluation.summary import check_metrics

    metrics = list(check_metrics(split(text)) or ())
    if not metrics:
        raise ParameterError(f"--metrics is {text!r}; name at least one, e.g. --metrics mase,wape.")
    if "OWA" in metrics and not any(model.default_name == "Naive2" for model in models):
        raise ParameterError("OWA is relative to Naive2; add naive2 to --models.")
    return metrics


def breakdown_of(text: str | None) -> str | None:
    """What ``--by`` tells apart."""
    if text not in (None, "series", "step", "window"):
        raise ParameterError(f"--by is {text!r}; choose series, step or window.")
    return text


def split(text: str | None) -> list[str]:
    """Names that are joined by commas."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _device(name: str) -> str:
    if name not in ("auto", "cpu", "cuda"):
        raise ParameterError(f"--device is {name!r}; choose auto, cpu or cuda.")
    if name == "cuda":  # Numba takes its time to be imported
        from forecast.learning.device import check_device

        return check_device(name, "--device cpu")
    return "cpu"


def _with_options(model: "Model", wanted: Mapping[str, Any]) -> "Model":
    known = {field.name for field in fields(model)}  # type: ignore[arg-type]  # every model is a dataclass
    return replace(model, **{name: value for name, value in wanted.items() if name in known})  # type: ignore[type-var]
