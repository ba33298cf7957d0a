"""``forecast data``: the data sets that come with the package."""

from pathlib import Path
from typing import Annotated

import typer

from forecast.cli.files import check_place, write_file
from forecast.cli.options import OUTPUT, Json, Quiet
from forecast.cli.screen import facts_table, records, show, show_json, text_table
from forecast.errors import ParameterError

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="A data set; all are listed if left out.")]
Export = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write the data set to this CSV file.", rich_help_panel=OUTPUT),
]


def data(name: Name = None, output: Export = None, as_json: Json = False, quiet: Quiet = False) -> None:
    """List the data sets that come with gatecast, describe one, or export it.

    Example: forecast data air_passengers -o air.csv
    """
    if output is not None and name is None:
        raise ParameterError("--output needs the name of a data set, e.g. forecast data air_passengers -o air.csv.")
    check_place("--output", output, (".csv",))

    from forecast.series import datasets

    path = None if name is None else datasets.path(name)
    if path is not None and output is not None:
        write_file(path.read_bytes(), output, quiet)
        return
    table = records(datasets.describe())
    if path is None:
        _list(table, as_json)
    else:
        _describe(next(row for row in table if row["name"] == name), path, as_json)


def _list(table: list[dict[str, object]], as_json: bool) -> None:
    if as_json:
        show_json(table)
        return
    columns = ("name", "frequency", "series", "rows", "what")
    rows = [[f"{row[column]}" for column in columns] for row in table]
    show(text_table(columns, rows), "Describe one: forecast data NAME. Export it: forecast data NAME -o FILE.csv")


def _describe(row: dict[str, object], path: Path, as_json: bool) -> None:
    origin = _origin(path)
    if as_json:
        show_json({**row, "path": str(path), "origin": origin})
        return
    facts = [(name, f"{value}") for name, value in row.items() if value != ""]
    try_it = f"Try it: forecast run {path} --target {row['target']} -h {row['horizon']}"
    show(facts_table(facts), origin, try_it)


def _origin(path: Path) -> str:
    """What the README of the data says of a file."""
    text = path.with_name("README.md").read_text(encoding="utf-8")
    _, _, section = text.partition(f"\n## {path.name}\n")
    return section.partition("\n## ")[0].strip()
