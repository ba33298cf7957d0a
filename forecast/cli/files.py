"""The files that commands write: checked before the work starts, written whole when it is done."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from forecast.cli.screen import say
from forecast.errors import ParameterError

if TYPE_CHECKING:
    import pandas as pd

    from forecast.forecaster import Forecaster

TABLES = (".csv", ".parquet", ".json")
PICTURES = (".png",)
PAGES = (".html", ".htm")


def check_place(option: str, file: Path | None, suffixes: tuple[str, ...] = (), source: Path | None = None) -> None:
    """Complain about a file that cannot be written, or is the one to be read, while nothing is lost yet."""
    if file is None:
        return
    if source is not None and file.exists() and file.samefile(source):
        raise ParameterError(f"{option} is {str(file)!r}, the file to be read; choose another name.")
    if file.is_dir():
        raise ParameterError(f"{option} is {str(file)!r}, which is a folder; add the name of a file.")
    if not file.parent.is_dir():
        raise ParameterError(f"{option} is {str(file)!r}, but there is no folder {str(file.parent)!r}; make it first.")
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise ParameterError(f"{option} is {str(file)!r}, where you may not write; choose another place.")
    if suffixes and file.suffix.lower() not in suffixes:
        raise ParameterError(f"{option} is {str(file)!r}; its name must end in {' or '.join(suffixes)}.")
    if file.suffix.lower() == ".parquet" and find_spec("pyarrow") is None:
        raise ParameterError(f"{option} is {str(file)!r}, but Parquet needs pyarrow; install it, or write a .csv file.")


def write_frame(frame: "pd.DataFrame", file: Path | None, quiet: bool) -> None:
    """Write a table of forecasts, if a file was asked for, and say so."""
    if file is None:
        return
    from forecast.reporting.report import write_table

    write_table(frame, file)
    if not quiet:
        say(f"Wrote {file}.")


def write_file(content: str | bytes, file: Path, quiet: bool) -> None:
    """Write a whole file."""
    from forecast.reporting.report import write_text_atomic

    write_text_atomic(file, content)
    if not quiet:
        say(f"Wrote {file}.")


def write_pictures(forecaster: "Forecaster", frame: "pd.DataFrame", model: str, file: Path | None, quiet: bool) -> None:
    """Draw history and forecast, and beside it how the networks learned, if a file was asked for."""
    if file is None:
        return
    from forecast.reporting.plot import forecast_figure, loss_figure, png

    write_file(png(forecast_figure(forecaster.panel_, frame, model)), file, quiet)
    losses = {name: fitted.losses_ for name, fitted in forecaster.fitted_.items() if hasattr(fitted, "losses_")}
    if any(losses.values()):
        write_file(png(loss_figure(losses)), file.with_stem(f"{file.stem}-loss"), quiet)
