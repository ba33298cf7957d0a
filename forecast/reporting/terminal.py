"""A line plot for the terminal, in braille dots, or in ASCII where the terminal knows no UTF-8.

Notation: n values of history, h of forecast, a canvas of ``height`` x ``width`` dots, row 0 at the top.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import ParameterError

Floats = npt.NDArray[np.float64]
Dots = npt.NDArray[np.bool_]

MIN_WIDTH, MIN_HEIGHT = 40, 3
MIN_HISTORY, HISTORY_PER_STEP = 60, 6  # how much history stands before a forecast, so that both can be read
BRAILLE_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # (4, 2) dots of one character


@dataclass(frozen=True)
class Style:
    """The characters of a plot, and how many dots one holds."""

    rows: int  # dots per character, downwards
    columns: int  # and across
    border: str
    corner: str
    floor: str
    tick: str
    start: str  # the vertical line where the forecast begins


BRAILLE = Style(4, 2, "│", "└", "─", "┴", "┊")
ASCII = Style(1, 1, "|", "+", "-", "+", ":")


def terminal_plot(
    history: npt.ArrayLike,
    forecast: npt.ArrayLike = (),
    width: int = 72,
    height: int = 12,
    *,
    stamps: Sequence[Any] | None = None,
    low: npt.ArrayLike | None = None,
    high: npt.ArrayLike | None = None,
    encoding: str | None = None,
) -> str:
    """Draw a history and its forecast as lines of text.

    Parameters
    ----------
    history : array, shape (n,)
        Observed values, NaN where unobserved. Only the last ones are shown: as many as the plot has columns
        of dots, and before a forecast, six times its steps or at least 60.
    forecast : array, shape (h,)
        The values after it; they stand right of a dotted vertical line.
    width : int, default 72
        Characters per line; at least 40 are used.
    height : int, default 12
        Lines of the plot, without the two or three of its axis.
    stamps : sequence, length n + h, optional
        Times of all values; by default they are counted from 1.
    low, high : array, shape (h,), optional
        Bounds of an interval, drawn dotted.
    encoding : str, optional
        What the terminal understands, by default that of the standard output.

    Returns
    -------
    str
        Lines without a last line break.

    Raises
    ------
    ParameterError
        If there are not as many stamps as values.
    """
    style = BRAILLE if _understands_braille(encoding) else ASCII
    past, future = _values(history), _values(forecast)
    bounds = [_values(bound) for bound in (low, high) if bound is not None]
    labels = list(range(1, len(past) + len(future) + 1)) if stamps is None else list(stamps)
    if len(labels) != len(past) + len(future):
        raise ParameterError(f"{len(labels)} stamps do not fit {len(past) + len(future)} values; give one for each.")
    width, height = max(width, MIN_WIDTH), max(height, MIN_HEIGHT)

    kept = max(width * style.columns - len(future), 2)
    if len(future):
        kept = min(kept, max(HISTORY_PER_STEP * len(future), MIN_HISTORY))
    past, labels = past[-kept:], labels[-(min(len(past), kept) + len(future)) :]
    shown = np.concatenate([past, future, *bounds])
    if not np.isfinite(shown).any():
        return "There is no observed value to plot."
    bottom, top = _limits(shown)
    numbers = _numbers(bottom, top)
    across = width - max(map(len, numbers)) - 2
    canvas = _Canvas(across, height, style, len(past) + len(future), bottom, top)

    canvas.line(past, 0)
    for bound in bounds:
        canvas.dotted(bound, len(past))
    canvas.line(future, len(past))
    start = canvas.column(len(past)) // style.columns if len(future) and len(past) else None
    return "\n".join([*_rows(canvas, numbers, start), *_time_axis(labels, len(past), canvas, start, width)])


class _Canvas:
    """Dots of two kinds: those of lines, and those of an interval's bounds."""

    def __init__(self, across: int, down: int, style: Style, points: int, bottom: float, top: float) -> None:
        self.across, self.down, self.style = across, down, style
        self.points = points
        self.unit: float = max(abs(bottom), abs(top))  # differences of values in this unit cannot overflow
        self.bottom, self.span = bottom / self.unit, top / self.unit - bottom / self.unit or 1.0
        self.drawn: Dots = np.zeros((down * style.rows, across * style.columns), dtype=bool)
        self.bounds: Dots = np.zeros_like(self.drawn)

    def column(self, point: int) -> int:
        """Where the point with this number lies, counted in dots."""
        last: int = self.drawn.shape[1] - 1
        return round(point * last / max(self.points - 1, 1))

    def row(self, value: float) -> int:
        last: int = self.drawn.shape[0] - 1
        share = (float(value) / self.unit - self.bottom) / self.span
        return round((1 - share) * last)

    def line(self, values: Floats, first: int) -> None:
        """Join neighbouring values; a gap stays a gap."""
        for i, value in enumerate(values):
            if not np.isfinite(value):
                continue
            x, y = self.column(first + i), self.row(value)
            self.drawn[y, x] = True
            if i and np.isfinite(values[i - 1]):
                self._segment(self.column(first + i - 1), self.row(values[i - 1]), x, y)

    def dotted(self, values: Floats, first: int) -> None:
        """One dot in every second column."""
        known = np.flatnonzero(np.isfinite(values))
        if not len(known):
            return
        xs = [self.column(first + int(i)) for i in known]
        ys = [self.row(value) for value in values[known]]
        columns = np.arange(xs[0], xs[-1] + 1, 2)
        self.bounds[np.interp(columns, xs, ys).round().astype(int), columns] = True

    def _segment(self, x0: int, y0: int, x1: int, y1: int) -> None:
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        xs = np.linspace(x0, x1, steps + 1).round().astype(int)
        ys = np.linspace(y0, y1, steps + 1).round().astype(int)
        self.drawn[ys, xs] = True

    def text(self, start: int | None) -> list[str]:
        """The lines of characters; ``start`` is the column of the vertical line."""
        style = self.style
        if style is ASCII:
            cells = np.where(self.drawn, "*", np.where(self.bounds, ".", " "))
        else:
            blocks = (self.drawn | self.bounds).reshape(self.down, style.rows, self.across, style.columns)
            codes = np.einsum("acbd,cd->ab", blocks.astype(int), BRAILLE_BITS)
            cells = np.array([[chr(0x2800 + code) if code else " " for code in row] for row in codes])
        if start is not None:
            column = cells[:, start]
            column[column == " "] = style.start
        return ["".join(row) for row in cells]


def _rows(canvas: _Canvas, numbers: tuple[str, str], start: int | None) -> list[str]:
    gutter = max(map(len, numbers))
    lines = canvas.text(start)
    labels = [numbers[1], *[""] * (len(lines) - 2), numbers[0]]
    return [
        f"{label:>{gutter}} {canvas.style.border}{line}".rstrip() for label, line in zip(labels, lines, strict=True)
    ]


def _time_axis(labels: list[Any], n: int, canvas: _Canvas, start: int | None, width: int) -> list[str]:
    """The floor, and below it the first and last stamp and that of the first forecast."""
    style = canvas.style
    margin = width - canvas.across - 1
    floor = style.floor * canvas.across
    if start is not None:
        floor = floor[:start] + style.tick + floor[start + 1 :]
    lines = [" " * margin + style.corner + floor]
    chosen = [labels[0], labels[n] if start is not None else labels[0], labels[-1]]
    first, begin, last = _stamp_texts(chosen)
    if len(labels) == 1:
        return [*lines, " " * (margin + 1) + first]
    gap = canvas.across - len(first) - len(last)
    if gap < 1:
        lines.append(f"{first} to {last}".rjust(width))
        return lines if start is None else [*lines, f"forecast from {begin}".rjust(width)]
    line = first + " " * gap + last
    if start is not None and begin not in (first, last):
        room = gap - 2 - len(begin)
        if room < 0:
            return [*lines, " " * (margin + 1) + line, f"forecast from {begin}".rjust(width)]
        at = min(max(start - len(begin) // 2 - len(first) - 1, 0), room)
        line = first + " " * (at + 1) + begin + " " * (room - at + 1) + last
    return [*lines, " " * (margin + 1) + line]


def _stamp_texts(stamps: list[Any]) -> list[str]:
    if isinstance(stamps[0], (int, np.integer)):
        return [str(stamp) for stamp in stamps]
    times = [pd.Timestamp(stamp) for stamp in stamps]
    days = all(time == time.normalize() for time in times)
    return [time.strftime("%Y-%m-%d" if days else "%Y-%m-%d %H:%M") for time in times]


def _values(values: npt.ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64).ravel()
    return np.where(np.isfinite(array), array, np.nan)


def _limits(values: Floats) -> tuple[float, float]:
    """Lowest and highest value; a constant gets a little room on both sides."""
    bottom, top = float(np.nanmin(values)), float(np.nanmax(values))
    if bottom == top:
        room = 0.05 * abs(top) or 1.0
        largest = sys.float_info.max
        bottom, top = max(bottom - room, -largest), min(top + room, largest)
    return bottom, top


def _numbers(bottom: float, top: float) -> tuple[str, str]:
    """The ends of the axis with as many decimals as it takes to tell them apart well."""
    if not 1e-4 <= max(abs(bottom), abs(top)) < 1e9:
        return f"{bottom:.4g}", f"{top:.4g}"
    decimals = int(np.clip(1 - np.floor(np.log10(top - bottom)), 0, 6))
    return f"{bottom:.{decimals}f}", f"{top:.{decimals}f}"


def _understands_braille(encoding: str | None) -> bool:
    try:
        "⣿│└─┴┊".encode(encoding or getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
