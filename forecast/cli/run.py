"""``forecast run``: compare models on the last windows of a file, then forecast, the winner first."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecast.cli import options
from forecast.cli.facts import facts_of
from forecast.cli.files import PICTURES, TABLES, check_place, write_frame, write_pictures
from forecast.cli.progress import phase, progress_on_stderr
from forecast.cli.reading import GUESSED, Reading, reads
from forecast.cli.screen import evaluation_parts, forecast_parts, plot_of, records, show, show_json, tell
from forecast.errors import ParameterError
from forecast.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forecast.models.base import Model
    from forecast.series.panel import Panel

MAX_WINDOWS = 4
REFIT_UP_TO = 1_000  # values in all: fitting afresh at every window, as in use, then still takes seconds

Plot = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        metavar="FILE",
        help="Draw history and forecast to this PNG file, and the training loss to NAME-loss.png beside it.",
        rich_help_panel=options.OUTPUT,
    ),
]
Windows = Annotated[
    int | None,
    typer.Option(
        "--windows",
        min=1,
        metavar="N",
        help="Windows at the end to compare the models on; by default as many as the history allows, up to 4.",
        rich_help_panel=options.MODELS,
    ),
]
Best = Annotated[
    bool, typer.Option("--best", metavar="", help="Forecast with the winner only.", rich_help_panel=options.MODELS)
]


@reads
def run(
    file: options.File,
    horizon: options.Horizon,
    models: options.Models = options.DEFAULT_MODELS,
    windows: Windows = None,
    level: options.Level = options.DEFAULT_LEVELS,
    intervals: options.Intervals = options.AUTO,
    non_negative: options.NonNegative = False,
    integer: options.Integer = False,
    best: Best = False,
    seed: options.Seed = None,
    members: options.Members = None,
    finetune: options.Finetune = None,
    device: options.Device = "auto",
    reading: Reading = GUESSED,
    future_data: options.FutureData = None,
    future_exog: options.FutureExog = "realised",
    output: options.Output = None,
    plot: Plot = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Compare models on the last windows of FILE, name the winner, and forecast.

    Example: forecast run sales.csv -h 12 --plot sales.png --output forecasts.csv
    """
    check_place("--output", output, TABLES, file)
    check_place("--plot", plot, PICTURES)
    wanted = options.given(seed, device, members, finetune)
    methods, levels = options.models_of(models, wanted), options.percentages_of(level)
    kind = options.intervals_of(intervals)
    panel = reading.panel(file, quiet)
    methods, levels = options.suited(panel, methods, models, level, wanted)
    if plot is not None and panel.categories:
        raise ParameterError(f"--plot draws numbers, but {panel.columns.target!r} holds categories; leave it out.")
    panel = options.with_future_data(panel, future_data, horizon)
    check_future(methods, panel, horizon)
    count, refit = windows or windows_for(panel, horizon), len(panel.y) <= REFIT_UP_TO
    kind = options.intervals_for(kind, panel, horizon, count, None, levels)
    limits: dict[str, Any] = {"intervals": kind, "non_negative": non_negative, "integer": integer}

    from forecast.forecaster import Forecaster
    from forecast.series.categories import perhaps_codes

    tell(list(filter(None, [perhaps_codes(panel)])), quiet)
    with progress_on_stderr(quiet) as progress:
        forecaster = Forecaster(methods)
        cv = forecaster.backtest(
            panel, horizon, count, refit=refit, level=levels, progress=progress, future_exog=future_exog, **limits
        )
        with phase(progress, "evaluation"):
            evaluation = forecaster.evaluate(cv)
        winner = evaluation.verdict.winner
        chosen = [model for model in methods if model.name == winner or not best]
        forecaster = Forecaster(sorted(chosen, key=lambda model: model.name != winner))
        forecaster.fit(panel, horizon, progress)
        frame = forecaster.predict(horizon, levels, progress=progress, **limits)

    tell(frame.attrs["notes"], quiet)
    write_frame(frame, output, quiet)
    write_pictures(forecaster, frame, winner, plot, quiet)
    if as_json:
        show_json(
            {
                "data": facts_of(panel),
                "windows": count,
                "refit": refit,
                "intervals": kind if levels else None,
                "evaluation": evaluation.to_dict(),
                "winner": winner,
                "forecast": records(frame),
            }
        )
    elif quiet:
        show(*forecast_parts(panel, frame, winner))
    else:
        fits = "fitted afresh at each" if refit and count > 1 else "fitted before the first"
        intervals_are = f", {kind} intervals" if levels else ""
        heading = f"Backtest of {counted(count, 'window')} of {counted(horizon, 'step')}, {fits}{intervals_are}:"
        show(heading, *evaluation_parts(evaluation))
        show(
            f"\nForecast of the next {counted(horizon, 'step')}, the winner first:",
            *forecast_parts(panel, frame, winner),
            *([] if panel.categories else [plot_of(panel, frame, winner)]),
        )


def check_future(methods: "Sequence[Model]", panel: "Panel", horizon: int) -> None:
    """Refuse a future that is not known before the work of the backtest, not after it."""
    from forecast.series.future import reaching

    if any(method.uses_covariates for method in methods):
        reaching(panel, horizon)


def windows_for(panel: "Panel", horizon: int) -> int:
    """As many windows as leave half of the series two seasons, or a horizon, to learn from: 1 to 4."""
    import numpy as np

    typical = int(np.median(panel.lengths))
    spare = typical - max(2 * panel.season_length, horizon)
    return min(max(spare // horizon, 1), MAX_WINDOWS)
