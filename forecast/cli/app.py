"""The program: its commands, and what it says of itself."""

import gc
import io
import sys
from typing import Annotated

import typer

from forecast.cli.backtest import backtest
from forecast.cli.data import data
from forecast.cli.errors import Commands
from forecast.cli.facts import inspect
from forecast.cli.fit import fit, predict, update
from forecast.cli.run import run
from forecast.cli.system import info, warmup
from forecast.cli.text import text

app = typer.Typer(
    name="forecast",
    cls=Commands,
    help="Forecast time series with LSTM networks, and say honestly whether ARIMA would do better.",
    epilog="Start with: forecast run FILE.csv --horizon 12",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help"]},
)
for command in (run, backtest, fit, predict, update, inspect, data, warmup, info):
    app.command()(command)
app.add_typer(text, name="text")


def _version(wanted: bool) -> None:
    if wanted:
        import forecast

        print(f"gatecast {forecast.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def program(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", metavar="", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


def main() -> None:
    """Run the command ``forecast``."""
    gc.set_threshold(100_000, 50, 50)  # by default a tenth of a short run is spent on looking for cycles in imports
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that knows no braille still gets its figures
    app(prog_name="forecast")
