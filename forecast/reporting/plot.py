"""Figures for reports, drawn by matplotlib without a window or any state outside the figure."""

import io
import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import ParameterError
from forecast.evaluation.backtest import CUTOFF
from forecast.evaluation.intervals import levels_of
from forecast.reporting.terminal import terminal_plot
from forecast.series.panel import Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["forecast_figure", "horizon_figure", "loss_figure", "png", "terminal_plot"]

MAX_SERIES = 6
INK, MUTED, GRID = "#2b2f36", "#6b7280", "#e5e7eb"
COLORS = ("#0b6bcb", "#d9480f", "#2b8a3e", "#9c36b5", "#c92a2a", "#0c8599", "#846100")  # told apart when colour-blind


def forecast_figure(
    panel: Panel,
    frame: pd.DataFrame,
    model: str,
    *,
    max_series: int = MAX_SERIES,
    history: int | None = None,
) -> "Figure":
    """Draw histories with a model's forecasts and shaded intervals, one small plot per series.

    Parameters
    ----------
    panel : Panel
        The histories.
    frame : DataFrame
        Forecasts, or a backtest: with a column ``cutoff``, each cutoff is drawn apart over the history.
    model : str
        The column to draw; its intervals are those among the columns of ``frame``.
    max_series : int, default 6
        Draw the first series of ``frame`` only.
    history : int, optional
        How many values before the first forecast to show; by default the longer of four horizons and three
        seasons.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ParameterError
        If ``model`` is not a column of ``frame``, or the panel holds categories.
    """
    columns = panel.columns
    if panel.categories:
        raise ParameterError(f"Column {columns.target!r} holds categories, which are not drawn; leave out the plot.")
    if model not in frame:
        found = ", ".join(str(name) for name in frame.columns if name not in (columns.id, columns.time))
        raise ParameterError(f"There are no forecasts of {model!r} to draw; the columns are {found}.")
    groups = list(frame.groupby(columns.id, sort=False))[:max_series]
    wide = 1 if len(groups) == 1 else 2
    tall = -(-len(groups) // wide)
    figure = _figure(10, 3.9 if tall == 1 else 2.7 * tall + 0.5)
    axes = figure.subplots(tall, wide, squeeze=False).ravel()
    position = {name: s for s, name in enumerate(panel.ids)}
    for ax, (name, rows) in zip(axes, groups, strict=False):
        _style(ax, str(name))
        _draw_series(ax, panel, position[name], rows, model, history)
    for ax in axes[len(groups) :]:
        ax.remove()
    handles, labels = axes[0].get_legend_handles_labels()  # observed, wide to narrow intervals, model
    order = [0, *range(len(labels) - 1, 0, -1)]
    figure.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        loc="outside upper right",
        ncols=len(labels),
        frameon=False,
        fontsize=9,
        labelcolor=INK,
    )
    return figure


def loss_figure(losses: Mapping[str, Mapping[int, float]]) -> "Figure":
    """Draw how the training losses fell.

    Parameters
    ----------
    losses : mapping
        Model name -> mean training loss up to each reported step (``Fitted.losses_``).

    Raises
    ------
    ParameterError
        If there is no loss to draw.
    """
    curves = {name: _points(values.keys(), values.values()) for name, values in losses.items() if values}
    if not curves:
        raise ParameterError("There are no training losses to draw; fit a network first.")
    figure, ax = _curves(curves, "training step", "training loss")
    ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))
    return figure


def horizon_figure(table: pd.DataFrame, metric: str = "MASE") -> "Figure":
    """Draw a metric per step ahead and model, e.g. a pivot of ``metrics.breakdown`` by step."""
    curves = {str(name): _points(table.index, table[name]) for name in table}
    figure, ax = _curves(curves, "steps ahead", metric)
    ax.set_ylim(bottom=0)
    return figure


def png(figure: "Figure", dpi: int = 144) -> bytes:
    """The figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # a series may be called in letters that matplotlib's font lacks; boxes in a title are no reason to warn
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.08)  # inches
    return Figure(figsize=(width, height), layout=layout, facecolor="white")


def _style(ax: "Axes", title: str = "") -> None:
    ax.set_title(title, loc="left", fontsize=10, color=INK, parse_math=False)
    ax.grid(True, color=GRID, linewidth=0.7)
    ax.set_axisbelow(True)
    ax.tick_params(labelsize=8.5, colors=MUTED, length=0)
    for side, spine in ax.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(GRID)


def _draw_series(ax: "Axes", panel: Panel, s: int, rows: pd.DataFrame, model: str, history: int | None) -> None:
    stamps = _plain(panel.outward(panel.stamps(s)))
    runs = [run for _, run in rows.groupby(CUTOFF, sort=True)] if CUTOFF in rows else [rows]
    times = _plain(pd.Index(rows[panel.columns.time]))
    shown = history if history is not None else max(4 * len(runs[0]), 3 * panel.season_length)
    first = max(int(np.searchsorted(stamps, times.min())) - shown, 0)
    y = panel.series(s)[first:]
    ax.plot(stamps[first:], y, color=INK, linewidth=1.2, label="observed", **_dots(y))
    for run in runs:
        _draw_forecast(ax, panel, run, model, in_legend=run is runs[0])
    if CUTOFF not in rows:
        ax.axvline(stamps[-1], color=MUTED, linewidth=0.8, linestyle=(0, (2, 2)))
    if not panel.frequency.is_integer:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        locator = AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    ax.margins(x=0.02)


def _draw_forecast(ax: "Axes", panel: Panel, run: pd.DataFrame, model: str, in_legend: bool) -> None:
    x = _plain(pd.Index(run[panel.columns.time]))
    point = run[model].to_numpy(dtype=np.float64)
    levels = levels_of(run.columns).get(model, [])
    for shade, level in enumerate(reversed(levels)):
        low, high = (run[f"{model}-{side}-{level}"].to_numpy(dtype=np.float64) for side in ("lo", "hi"))
        note = f"{level}% interval" if in_legend else "_"
        opacity = 0.14 + 0.12 * shade
        if len(x) > 1:
            ax.fill_between(x, low, high, color=COLORS[0], alpha=opacity, linewidth=0, label=note)
        else:  # an area needs two points
            ax.vlines(x, low, high, color=COLORS[0], alpha=opacity, linewidth=9, label=note)
    ax.plot(x, point, color=COLORS[0], linewidth=1.6, label=_label(model) if in_legend else "_", **_dots(point))


def _dots(values: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Markers where a line alone would not show: a single value, or values between gaps."""
    seen = np.isfinite(values)
    beside = np.zeros_like(seen)
    beside[1:] |= seen[:-1]
    beside[:-1] |= seen[1:]
    alone = np.flatnonzero(seen & ~beside)
    return {"marker": "o", "markersize": 3, "markevery": alone.tolist(), "markeredgewidth": 0} if len(alone) else {}


def _plain(stamps: "pd.Index[Any]") -> npt.NDArray[Any]:
    """Stamps as numbers or as wall-clock dates; matplotlib would move zoned ones to UTC."""
    if isinstance(stamps, pd.DatetimeIndex) and stamps.tz is not None:
        stamps = stamps.tz_localize(None)
    return stamps.to_numpy()


def _curves(curves: Mapping[str, npt.NDArray[np.float64]], x_label: str, y_label: str) -> "tuple[Figure, Axes]":
    from matplotlib.ticker import MaxNLocator

    figure = _figure(8, 3.6)
    ax = figure.subplots()
    _style(ax)
    for k, (name, points) in enumerate(curves.items()):
        marker = "o" if len(points) <= 30 else ""
        color = COLORS[k % len(COLORS)]
        ax.plot(*points.T, color=color, linewidth=1.6, marker=marker, markersize=3.5, label=_label(name))
    ax.set_xlabel(x_label, fontsize=9, color=MUTED)
    ax.set_ylabel(y_label, fontsize=9, color=MUTED)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10))
    ax.legend(frameon=False, fontsize=9, labelcolor=INK)
    return figure, ax


def _points(x: Iterable[Any], y: Iterable[Any]) -> npt.NDArray[np.float64]:
    return np.array([*zip(x, y, strict=True)], dtype=np.float64)


def _label(name: str) -> str:
    """A name for the legend: dollars begin no formula, and a leading underscore does not hide it."""
    return name.replace("$", r"\$").lstrip("_") or "-"
