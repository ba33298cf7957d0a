"""One HTML page that holds everything: style, figures and figures' numbers; it loads nothing from anywhere."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pandas.api.types import is_datetime64_any_dtype, is_float_dtype, is_numeric_dtype

from forecast.evaluation.backtest import CUTOFF
from forecast.evaluation.summary import Evaluation, best, decimals, formatted
from forecast.reporting.plot import png
from forecast.series.panel import Panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_ROWS = 240
Cell = tuple[str, str]  # text, and the classes of its cell

STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1f2430; --muted: #667085; --line: #e4e7ec;
  --card: #f7f8fa; --accent: #0b6bcb; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171c; --ink: #e6e8ec; --muted: #98a2b3;
  --line: #2c323c; --card: #1c2027; --accent: #6cb2ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 2.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .35rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .6rem; }
p { margin: .4rem 0; }
.facts, .small { color: var(--muted); font-size: .9rem; }
.verdict { background: var(--card); border-left: 4px solid var(--accent); border-radius: 0 8px 8px 0;
  padding: .9rem 1.1rem; margin: 1.6rem 0; font-size: 1.05rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .38rem .7rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
th { color: var(--muted); font-weight: 600; border-bottom-width: 2px; }
td.n, th.n { text-align: right; }
td.best { font-weight: 700; color: var(--accent); }
tbody tr:hover { background: var(--card); }
figure { margin: 0 0 1.5rem; }
figure img { display: block; width: 100%; height: auto; background: #fff; border: 1px solid var(--line);
  border-radius: 8px; padding: .5rem; }
figcaption { color: var(--muted); font-size: .9rem; margin-bottom: .4rem; }
ul { padding-left: 1.2rem; }
@media print { :root { --paper: #fff; --ink: #000; --muted: #444; --line: #bbb; --card: #f3f3f3; --accent: #003a75; }
  body { max-width: none; padding: 0; font-size: 11pt; } h2 { break-after: avoid; }
  figure, .verdict, tr { break-inside: avoid; } .scroll { overflow: visible; } table { font-size: 8.5pt; }
  th, td { padding: .2rem .4rem; } }
"""


def html_report(
    panel: Panel,
    cv: pd.DataFrame | None = None,
    evaluation: Evaluation | None = None,
    forecasts: pd.DataFrame | None = None,
    figures: "Mapping[str, Figure | bytes] | None" = None,
    *,
    title: str = "Forecast report",
    notes: Sequence[str] = (),
) -> str:
    """Build one self-contained page: verdict, accuracy, figures and forecasts, each where there is one.

    Parameters
    ----------
    panel : Panel
        The data; its facts and notes are told.
    cv : DataFrame, optional
        The backtest behind the evaluation; its cutoffs are told.
    evaluation : Evaluation, optional
        Verdict and accuracy table.
    forecasts : DataFrame, optional
        The forecasts; the first 240 rows are shown.
    figures : mapping, optional
        Caption -> matplotlib figure, or the bytes of a PNG file.
    title : str, default "Forecast report"
        Heading of the page.
    notes : sequence of str
        More sentences for the notes at the end.

    Returns
    -------
    str
        A whole HTML document; it runs no script and loads nothing.
    """
    parts = [f"<h1>{escape(title)}</h1>", f'<p class="facts">{escape(_facts(panel))}</p>']
    if evaluation is not None:
        parts.append(f'<p class="verdict">{escape(evaluation.verdict.text)}</p>')
        parts.append("<h2>Accuracy</h2>")
        if cv is not None:
            parts.append(f"<p>{escape(_windows(panel, cv))}</p>")
        parts += [_accuracy(evaluation), f'<p class="small">{escape(evaluation.legend())}</p>']
    if figures:
        parts.append("<h2>Figures</h2>")
        parts += [_figure(caption, figure) for caption, figure in figures.items()]
    if forecasts is not None:
        parts += ["<h2>Forecasts</h2>", _forecasts(forecasts)]
    sentences = dict.fromkeys([*panel.notes, *(evaluation.notes if evaluation is not None else ()), *notes])
    if sentences:
        parts.append("<h2>Notes</h2>\n<ul>" + "".join(f"<li>{escape(note)}</li>" for note in sentences) + "</ul>")
    return _DOCUMENT.format(title=escape(title), style=STYLE, body="\n".join(parts))


_DOCUMENT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def text_columns(frame: pd.DataFrame) -> dict[str, tuple[list[str], bool]]:
    """Each column as short texts, and whether it is one of numbers: dates without an idle midnight, rounded floats."""
    return {str(name): (_texts(frame[name]), bool(is_numeric_dtype(frame[name]))) for name in frame}


def _texts(values: pd.Series) -> list[str]:
    if is_datetime64_any_dtype(values.dtype):
        days = bool((values.dropna() == values.dropna().dt.normalize()).all())
        return ["-" if pd.isna(stamp) else stamp.strftime("%Y-%m-%d" if days else "%Y-%m-%d %H:%M") for stamp in values]
    if is_float_dtype(values.dtype):
        places = decimals(float(values.abs().max()), digits=5)
        return ["-" if pd.isna(value) else f"{value:z.{places}f}" for value in values]
    return [str(value) for value in values]


def _facts(panel: Panel) -> str:
    count = "1 series" if len(panel) == 1 else f"{len(panel)} series"
    first, last = _texts(pd.Series(panel.outward(np.array([panel.starts.min(), panel.ends.max()]))))
    season = f", season of {panel.season_length}" if panel.season_length > 1 else ""
    return f"{count}, {panel.frequency.describe()}{season}, {first} to {last}, {len(panel.y)} values"


def _windows(panel: Panel, cv: pd.DataFrame) -> str:
    cutoffs = pd.Series(cv[CUTOFF].unique())
    first, last = _texts(pd.Series([cutoffs.min(), cutoffs.max()], dtype=cv[CUTOFF].dtype))
    steps = int(cv.groupby([panel.columns.id, CUTOFF], sort=False).size().max())
    ahead = "1 step" if steps == 1 else f"{steps} steps"
    when = f"the cutoff {first}" if first == last else f"cutoffs from {first} to {last}"
    count = cv[panel.columns.id].nunique()
    return f"Backtested {ahead} ahead on {count} series, with {when}; no model saw a value after its cutoff."


def _accuracy(evaluation: Evaluation) -> str:
    cells, winners = formatted(evaluation.shown), best(evaluation.shown)
    head = [("model", ""), *((str(name), "n") for name in cells)]
    rows = []
    for model, row in cells.iterrows():
        marks = [(row[name], "n best" if model in winners[str(name)] else "n") for name in cells.columns]
        rows.append([(str(model), ""), *marks])
    return _table(head, rows)


def _forecasts(frame: pd.DataFrame) -> str:
    columns = text_columns(frame.head(MAX_ROWS))
    kinds = ["n" if numeric else "" for _, numeric in columns.values()]
    texts = zip(*(cells for cells, _ in columns.values()), strict=True)
    rows = [list(zip(row, kinds, strict=True)) for row in texts]
    more = len(frame) - MAX_ROWS
    note = f'\n<p class="small">{more} more rows are not shown.</p>' if more > 0 else ""
    return _table(list(zip(columns, kinds, strict=True)), rows) + note


def _table(head: list[Cell], rows: list[list[Cell]]) -> str:
    body = "\n".join(_row(row, "td") for row in rows)
    return f'<div class="scroll"><table>\n<thead>{_row(head, "th")}</thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'


def _row(cells: list[Cell], tag: str) -> str:
    marked = (f'<{tag} class="{kind}">' if kind else f"<{tag}>" for _, kind in cells)
    return "<tr>" + "".join(f"{m}{escape(t)}</{tag}>" for m, (t, _) in zip(marked, cells, strict=True)) + "</tr>"


def _figure(caption: str, figure: "Figure | bytes") -> str:
    data = base64.b64encode(figure if isinstance(figure, bytes) else png(figure)).decode("ascii")
    name = escape(caption)
    return f'<figure><figcaption>{name}</figcaption><img alt="{name}" src="data:image/png;base64,{data}"></figure>'
