"""The options that say how FILE is to be understood, once for all commands that read one."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecast.cli.options import COVARIATES, DATA, split
from forecast.cli.screen import tell

if TYPE_CHECKING:
    from forecast.series.panel import Panel

_data, _covariates = (partial(typer.Option, rich_help_panel=panel) for panel in (DATA, COVARIATES))


@dataclass(frozen=True)
class Reading:
    """How the columns of a file are to be understood; what is None is guessed."""

    id_col: Annotated[str | None, _data("--id", metavar="COLUMN", help="Column that tells the series apart.")] = None
    time_col: Annotated[str | None, _data("--time", metavar="COLUMN", help="Column of the time stamps.")] = None
    target_col: Annotated[str | None, _data("--target", metavar="COLUMN", help="Column of the values.")] = None
    freq: Annotated[
        str | None, _data("--freq", metavar="ALIAS", help="Frequency: MS, ME, QS, W-SUN, D, B, h, 30min, 1 ...")
    ] = None
    categorical: Annotated[
        bool,
        _data("--categorical", metavar="", help="The target is one of categories, even if it holds numbers: 0, 1, 2."),
    ] = False
    season: Annotated[int | None, _data("--season", min=1, metavar="N", help="Steps in a season, e.g. 12.")] = None
    tz: Annotated[str | None, _data("--tz", metavar="ZONE", help="Time zone of the stamps, e.g. Europe/Vienna.")] = None
    future: Annotated[
        str | None,
        _covariates(
            "--future",
            metavar="COLUMNS",
            help="Covariates that are known ahead, over the horizon too, joined by commas.",
        ),
    ] = None
    historic: Annotated[
        str | None,
        _covariates("--historic", metavar="COLUMNS", help="Covariates that are known up to the last value alone."),
    ] = None
    static: Annotated[
        str | None,
        _covariates(
            "--static",
            metavar="COLUMNS",
            help="Covariates with one value for each series: numbers, or texts as categories.",
        ),
    ] = None
    static_data: Annotated[
        Path | None,
        _covariates(
            "--static-data",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Table with the static covariates, one row for each series.",
        ),
    ] = None
    calendar: Annotated[
        str | None,
        _covariates(
            "--calendar",
            metavar="NAMES",
            help="Any of month, quarter, dayofyear, dayofmonth, dayofweek, hour, minute, weekend.",
        ),
    ] = None
    holidays: Annotated[
        str | None, _covariates("--holidays", metavar="COUNTRIES", help="Flag public holidays, e.g. AT or DE-BY.")
    ] = None

    def panel(self, file: Path, quiet: bool) -> "Panel":
        """The series in a file; what was guessed, filled or dropped is said on stderr unless ``quiet``."""
        from forecast.series.frame import read_panel

        panel = read_panel(
            file,
            id_col=self.id_col,
            time_col=self.time_col,
            target_col=self.target_col,
            freq=self.freq,
            categorical=self.categorical,
            season_length=self.season,
            tz=self.tz,
            future=split(self.future),
            historic=split(self.historic),
            static=split(self.static),
            static_data=self.static_data,
            calendar=split(self.calendar),
            holidays=split(self.holidays),
        )
        tell(panel.notes, quiet)
        return panel


GUESSED = Reading()


def reads(command: Callable[..., None]) -> Callable[..., None]:
    """A command that has the options of `Reading` where its function has the parameter ``reading``."""
    own, fields = inspect.signature(command), inspect.signature(Reading).parameters
    spread = [
        option
        for parameter in own.parameters.values()
        for option in (fields.values() if parameter.name == "reading" else [parameter])
    ]

    @wraps(command)
    def called(**arguments: Any) -> None:
        reading = Reading(**{name: arguments.pop(name) for name in fields})
        command(reading=reading, **arguments)

    called.__signature__ = own.replace(parameters=spread)  # type: ignore[attr-defined]  # what typer looks at
    called.__annotations__ = {option.name: option.annotation for option in spread}
    return called
