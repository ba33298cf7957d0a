"""``forecast fit``, ``forecast update`` and ``forecast predict``: learn now, forecast later."""

from pathlib import Path
from typing import Annotated

import typer

from forecast.cli import options
from forecast.cli.facts import facts_of
from forecast.cli.files import TABLES, check_place, write_frame
from forecast.cli.progress import progress_on_stderr
from forecast.cli.reading import GUESSED, Reading, reads
from forecast.cli.screen import forecast_parts, records, say, show, show_json, tell
from forecast.words import counted

ModelOut = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Write the fitted models to this file.")]
ModelIn = Annotated[
    Path, typer.Argument(metavar="MODEL", exists=True, dir_okay=False, help="A file that 'forecast fit' wrote.")
]
NewRows = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="Rows after the last stamp of each series in MODEL, in the columns that 'forecast fit' read.",
    ),
]
UpdatedOut = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write the result to this file and leave MODEL as it is."),
]
Newer = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="Newer histories of the same series to forecast from; what was learned is kept.",
    ),
]
TrainingHorizon = Annotated[
    int | None,
    typer.Option(
        "--horizon", "-h", min=1, metavar="N", help="The horizon that networks train for; by default one season."
    ),
]


@reads
def fit(
    file: options.File,
    output: ModelOut,
    horizon: TrainingHorizon = None,
    models: options.Models = options.DEFAULT_MODELS,
    seed: options.Seed = None,
    members: options.Members = None,
    finetune: options.Finetune = None,
    stream: options.Stream = False,
    device: options.Device = "auto",
    reading: Reading = GUESSED,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Fit models to all of FILE and keep them for 'forecast predict'.

    Example: forecast fit sales.csv -h 12 --models lstm,auto-arima -o sales.model
    """
    check_place("--output", output, source=file)
    wanted = options.given(seed, device, members, finetune, stream)
    methods = options.models_of(models, wanted)
    panel = reading.panel(file, quiet)
    methods, _ = options.suited(panel, methods, models, "none", wanted)

    from forecast.forecaster import Forecaster

    with progress_on_stderr(quiet) as progress:
        forecaster = Forecaster(methods).fit(panel, horizon, progress)
    forecaster.save(output)
    tell(forecaster.panel_.notes[len(panel.notes) :], quiet)
    learned = {name: fitted.describe() for name, fitted in forecaster.fitted_.items()}
    if as_json:
        show_json({"data": facts_of(panel), "model": str(output), "learned": learned})
    elif not quiet:
        show("\n".join(f"{name}: {text}" if text else name for name, text in learned.items()))
        say(f"Wrote {output}; forecast with: forecast predict {output} -h {horizon or panel.season_length}")


def update(
    model: ModelIn,
    file: NewRows,
    output: UpdatedOut = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Put the newer rows in FILE behind the histories in MODEL; what was learned is kept.

    Example: forecast update sales.model sales-of-today.csv
    """
    place = output or model
    check_place("--output" if output else "MODEL", place, source=file)

    from forecast.forecaster import Forecaster
    from forecast.models.base import compile_kernels

    forecaster = Forecaster.load(model)
    before = forecaster.panel_.lengths
    with progress_on_stderr(quiet) as progress:
        compile_kernels([fitted.model for fitted in forecaster.fitted_.values()], progress)
        forecaster.update(file)
    added = forecaster.panel_.lengths - before
    forecaster.save(place)
    if as_json:
        show_json({"data": facts_of(forecaster.panel_), "model": str(place), "added": int(added.sum())})
    elif not quiet:
        steps, series = counted(int(added.sum()), "step"), counted(int((added > 0).sum()), "series", "series")
        say(f"Added {steps} to {series} and wrote {place}; forecast with: forecast predict {place} -h N")


def predict(
    model: ModelIn,
    horizon: options.Horizon,
    file: Newer = None,
    level: options.Level = options.DEFAULT_LEVELS,
    future_data: options.FutureData = None,
    intervals: options.Intervals = "native",
    non_negative: options.NonNegative = False,
    integer: options.Integer = False,
    output: options.Output = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Forecast with the models in MODEL, from their own histories or from newer ones in FILE.

    Example: forecast predict sales.model -h 12 sales-until-today.csv --output forecasts.csv
    """
    check_place("--output", output, TABLES, file)
    levels, kind = options.percentages_of(level), options.intervals_of(intervals)

    from forecast.forecaster import Forecaster
    from forecast.models.base import compile_kernels

    forecaster = Forecaster.load(model)
    panel = forecaster.panel_
    if file is not None:
        panel = forecaster.read(file)
        tell(panel.notes, quiet)
    panel = options.with_future_data(panel, future_data, horizon)
    levels = options.levels_for(panel, level)
    kind = options.intervals_for(kind, panel, horizon, 0, None, levels)
    with progress_on_stderr(quiet) as progress:
        compile_kernels([fitted.model for fitted in forecaster.fitted_.values()], progress)
        frame = forecaster.predict(
            horizon, levels, df=panel, intervals=kind, non_negative=non_negative, integer=integer, progress=progress
        )
    tell(frame.attrs["notes"], quiet)
    write_frame(frame, output, quiet)
    if as_json:
        show_json({"data": facts_of(panel), "forecast": records(frame)})
    else:
        show(*forecast_parts(panel, frame))
