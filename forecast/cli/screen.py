"""What is printed: results to stdout, everything else to stderr."""

import json
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType

from forecast.cli.typed import as_typed
from forecast.words import counted

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from forecast.evaluation.summary import Evaluation
    from forecast.series.panel import Panel

MAX_SERIES = 3  # series in a table of forecasts
MAX_ROWS = 24  # of a table of figures by series, step or window
MAX_STEPS, MAX_STEPS_EACH = 24, 12  # steps of one series in it, alone and among others
UNBOUNDED = 1000  # columns of a file or a pipe, which have no edge to fold at
PLOT_WIDTH = 72, 100  # of a plot in a file, and at most in a terminal


def say(sentence: str) -> None:
    """Tell something that is not the result."""
    console = Console(stderr=True, highlight=False, emoji=False, soft_wrap=not sys.stderr.isatty())
    console.print(sentence, markup=False)


def tell(notes: Iterable[str], quiet: bool) -> None:
    """Tell what was guessed, filled, dropped or could not be done, unless nothing but the result is wanted."""
    if not quiet:
        for note in notes:
            say(as_typed(note))


def show(*parts: RenderableType) -> None:
    """Print parts of the result with an empty line between them."""
    console = _console()
    with console.capture() as captured:
        for position, part in enumerate(parts):
            if position:
                console.print()
            console.print(part, markup=False)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def show_json(document: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def records(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    """Rows for JSON: stamps in ISO 8601, what is unknown as null."""
    return [{str(name): _plain(value) for name, value in row.items()} for row in frame.to_dict(orient="records")]


def facts_table(facts: Sequence[tuple[str, str]]) -> RenderableType:
    """Names at the left, what they are at the right."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value in facts:
        table.add_row(Text(name, style="bold"), Text(value, overflow="fold"))
    return table


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> RenderableType:
    """A table of texts; the last column is folded where the terminal is narrow."""
    from rich.text import Text

    table = _table()
    for name in head:
        table.add_column(name, no_wrap=name != head[-1], min_width=20 if name == head[-1] else None)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def evaluation_parts(evaluation: "Evaluation") -> list[RenderableType]:
    """The figures of an evaluation, what they mean, and the verdict."""
    from forecast.evaluation.summary import formatted
    from forecast.reporting.report import evaluation_table

    verdict = "\n".join([evaluation.verdict.text, *map(as_typed, evaluation.notes)])
    table: RenderableType = evaluation_table(evaluation)
    console = _console()
    if _width(console, table) > console.width:
        table = _turned(formatted(evaluation.shown))
    return [table, evaluation.legend(), verdict]


def breakdown_parts(table: "pd.DataFrame", metric: str) -> list[RenderableType]:
    """One figure of every model, with a row for each series, step or window, as many as a screen holds."""
    from forecast.reporting.report import forecast_table

    key = str(table.columns[0])
    rows = table.pivot(index=key, columns="model", values=metric)
    rows = rows.loc[table[key].unique(), table["model"].unique()].reset_index().rename_axis(columns=None)
    hidden = len(rows) - MAX_ROWS
    heading = f"{metric} by {key} (--metrics NAME shows another):"
    parts: list[RenderableType] = [heading, forecast_table(rows.head(MAX_ROWS), MAX_ROWS)]
    return [*parts, f"Not shown: {hidden:,} more rows. --json tells all."] if hidden > 0 else parts


def forecast_parts(panel: "Panel", frame: "pd.DataFrame", first: str | None = None) -> list[RenderableType]:
    """A table of forecasts as far as it fits the screen, and a sentence on what it leaves out.

    Parameters
    ----------
    panel : Panel
        What was forecast.
    frame : DataFrame
        Forecasts of all its series.
    first : str, optional
        The model that stands first, with its intervals; the others show points only.
    """
    from forecast.evaluation.intervals import levels_of
    from forecast.reporting.report import forecast_table

    series = len(panel)
    steps = len(frame) // series
    shown_series, shown_steps = min(series, MAX_SERIES), min(steps, MAX_STEPS if series == 1 else MAX_STEPS_EACH)
    order = frame.groupby(panel.columns.id, sort=False).cumcount()
    rows = frame[(order < shown_steps) & frame[panel.columns.id].isin(panel.ids[:shown_series])]
    index = [panel.columns.time] if series == 1 else [panel.columns.id, panel.columns.time]
    levels = levels_of(frame.columns)
    points = _points([str(name) for name in frame.columns[2:]], levels)
    first = points[0] if len(points) == 1 else first
    pairs = [[f"{first}-lo-{level}", f"{first}-hi-{level}"] for level in levels.get(first or "", [])]
    # what a narrow screen needs most stands at the front
    groups = [*([name] for name in points if name == first), *pairs, *([name] for name in points if name != first)]
    console = _console()

    def table_of(count: int) -> "Table":
        kept = {name for group in groups[:count] for name in group}
        chosen = rows[index + [name for name in frame if name in kept]]
        return forecast_table(chosen.rename(columns=lambda name: name.removeprefix(f"{first}-")), len(rows))

    count = len(groups)
    while count > 1 and _width(console, table_of(count)) > console.width:
        count -= 1
    left_out = [
        *([counted(steps - shown_steps, "more step")] if steps > shown_steps else []),
        *([f"{series - shown_series:,} more series"] if series > shown_series else []),
        *(", ".join(group) for group in groups[count:]),
        *(["the intervals of the other models" if first else "intervals"] if set(levels) - {first} else []),
    ]
    parts: list[RenderableType] = [table_of(count)]
    if left_out:
        parts.append(f"Not shown: {', '.join(left_out)}. --output FILE writes all.")
    return parts


def plot_of(panel: "Panel", frame: "pd.DataFrame", model: str) -> str:
    """The first series and a model's forecast of it, drawn in characters."""
    import numpy as np

    from forecast.evaluation.intervals import levels_of
    from forecast.reporting.terminal import terminal_plot

    rows = frame[frame[panel.columns.id] == panel.ids[0]]
    level = next(iter(levels_of(frame.columns).get(model, [])), None)
    low, high = (None, None) if level is None else (rows[f"{model}-{side}-{level}"].to_numpy() for side in ("lo", "hi"))
    future = panel.select(np.array([0])).future(len(rows))[0]
    stamps = panel.outward(np.concatenate([panel.stamps(0), future]))
    title = f"{panel.ids[0]}: history and {model}" + ("" if level is None else f" with its {level} % interval")
    console = _console()
    width = min(console.width, PLOT_WIDTH[console.is_terminal])
    drawn = terminal_plot(panel.series(0), rows[model], width, stamps=list(stamps), low=low, high=high)
    return f"{title}\n{drawn}"


def _turned(figures: "pd.DataFrame") -> RenderableType:
    """Models side by side: a narrow terminal has more room for rows than for columns."""
    from rich.text import Text

    table = _table()
    table.add_column("")
    for model in figures.index:
        table.add_column(Text(str(model)), justify="right")
    for name, row in figures.T.iterrows():
        table.add_row(*map(Text, (str(name), *row)))
    return table


def _table() -> "Table":
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)


def _console() -> Console:
    bounded = sys.stdout.isatty() or "COLUMNS" in os.environ
    console = Console(highlight=False, emoji=False, soft_wrap=not bounded)
    if not bounded:
        console.width = UNBOUNDED
    return console


def _width(console: Console, part: RenderableType) -> int:
    """Columns that a part takes when nothing of it is folded."""
    return console.measure(part, options=console.options.update(max_width=UNBOUNDED)).maximum


def _points(columns: Sequence[str], levels: Mapping[str, Sequence[float]]) -> list[str]:
    """The columns that are no bound of an interval."""
    bounds = {f"{model}-{side}-{level}" for model in levels for level in levels[model] for side in ("lo", "hi")}
    return [name for name in columns if name not in bounds]


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return None if value != value else value.isoformat()
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
