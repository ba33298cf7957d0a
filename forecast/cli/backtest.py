"""``forecast backtest``: models on rolling origins, in full."""

from pathlib import Path
from typing import Annotated

import typer

from forecast.cli import options
from forecast.cli.facts import facts_of
from forecast.cli.files import PAGES, TABLES, check_place, write_file, write_frame
from forecast.cli.progress import phase, progress_on_stderr
from forecast.cli.reading import GUESSED, Reading, reads
from forecast.cli.screen import breakdown_parts, evaluation_parts, records, show, show_json

Windows = Annotated[
    int, typer.Option("--windows", min=1, metavar="N", help="How many windows.", rich_help_panel="Windows")
]
Step = Annotated[
    int | None,
    typer.Option(
        "--step",
        min=1,
        metavar="N",
        help="Steps from one window to the next; by default the horizon.",
        rich_help_panel="Windows",
    ),
]
Refit = Annotated[
    bool,
    typer.Option(
        "--refit/--no-refit",
        metavar="",
        help="Fit afresh in every window, or once before the first.",
        rich_help_panel="Windows",
    ),
]
RefitEvery = Annotated[
    int | None,
    typer.Option("--refit-every", min=1, metavar="N", help="Fit in every n-th window.", rich_help_panel="Windows"),
]
InputSize = Annotated[
    int | None,
    typer.Option(
        "--input-size", min=2, metavar="N", help="Let models see this many last values only.", rich_help_panel="Windows"
    ),
]
Metrics = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        metavar="NAMES",
        help="Figures to show, joined by commas: mase, skill, owa (with the model naive2), smape, mae, rmse, rmsse, "
        "mape, wape, pinball, crps, wql, msis, coverage; for categories: logloss, skill, brier, accuracy.",
        rich_help_panel=options.OUTPUT,
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="WHAT",
        help="Show a figure for each series, step or window too: the first of --metrics, or MASE (logloss).",
        rich_help_panel=options.OUTPUT,
    ),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="Write a report with figures to this HTML file.",
        rich_help_panel=options.OUTPUT,
    ),
]


@reads
def backtest(
    file: options.File,
    horizon: options.Horizon,
    windows: Windows = 4,
    step: Step = None,
    refit: Refit = True,
    refit_every: RefitEvery = None,
    input_size: InputSize = None,
    models: options.Models = options.DEFAULT_MODELS,
    level: options.Level = options.DEFAULT_LEVELS,
    intervals: options.Intervals = "native",
    non_negative: options.NonNegative = False,
    integer: options.Integer = False,
    seed: options.Seed = None,
    members: options.Members = None,
    finetune: options.Finetune = None,
    device: options.Device = "auto",
    reading: Reading = GUESSED,
    future_exog: options.FutureExog = "realised",
    metrics: Metrics = None,
    by: By = None,
    output: options.Output = None,
    report: Report = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Forecast the last windows of FILE as if they had not happened yet, and say how well each model did.

    Example: forecast backtest sales.csv -h 12 --windows 8 --no-refit --report report.html
    """
    check_place("--output", output, TABLES, file)
    check_place("--report", report, PAGES)
    wanted = options.given(seed, device, members, finetune)
    methods, levels = options.models_of(models, wanted), options.percentages_of(level)
    kind = options.intervals_of(intervals)
    figures, what = options.metrics_of(metrics, methods), options.breakdown_of(by)
    panel = reading.panel(file, quiet)
    methods, levels = options.suited(panel, methods, models, level, wanted)
    kind = options.intervals_for(kind, panel, horizon, windows, step, levels)

    from forecast.forecaster import Forecaster

    forecaster = Forecaster(methods)
    with progress_on_stderr(quiet) as progress:
        cv = forecaster.backtest(
            panel, horizon, windows, step, refit_every or refit, input_size, levels, progress=progress,
            intervals=kind, non_negative=non_negative, integer=integer, future_exog=future_exog,
        )  # fmt: skip
        with phase(progress, "evaluation"):
            evaluation = forecaster.evaluate(cv, metrics=figures)
            each = None if what is None else forecaster.evaluate(cv, by=what)
    write_frame(cv, output, quiet)
    if report is not None:
        from forecast.reporting.plot import forecast_figure
        from forecast.reporting.report import html_report

        winner = evaluation.verdict.winner
        drawn = not panel.categories
        pictures = {f"Backtest of {winner}": forecast_figure(panel, cv, winner)} if drawn else {}
        page = html_report(panel, cv, evaluation, figures=pictures, title=f"Backtest of {file.name}")
        write_file(page, report, quiet)
    if as_json:
        document = {"data": facts_of(panel), "windows": windows, "evaluation": evaluation.to_dict()}
        show_json(document if each is None else {**document, "by": {what: records(each)}})
    else:
        parts = [] if each is None else breakdown_parts(each, str(evaluation.shown.columns[0]))
        show(*evaluation_parts(evaluation), *parts)
