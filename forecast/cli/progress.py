"""Progress on stderr: bars with loss and time left on a terminal, one plain line per phase elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Task, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.table import Column
from rich.text import Text

from forecast.progress import Progress, Silent

SILENCE = 10.0  # seconds without a line, after which one tells how far the work is


class _Figures(TextColumn):
    """The figures last reported, e.g. ``loss 0.0123``."""

    def __init__(self) -> None:
        super().__init__("", table_column=Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        return Text(str(task.fields.get("figures", "")), style="cyan")


class Lines:
    """Where no bar can be drawn: says what is being done, once for each phase, and now and then how far it is."""

    def __init__(self, console: Console, clock: Callable[[], float] = monotonic) -> None:
        self._console, self._clock = console, clock
        self._said: set[str] = set()
        self._running: list[list[Any]] = []  # label, steps done, steps in all; inner tasks last
        self._last = clock()

    def start(self, label: str, total: int) -> None:
        self._running.append([label, 0, total])
        if label not in self._said:  # the same phase comes again for every window of a backtest
            self._said.add(label)
            self._say("")

    def advance(self, steps: int = 1, **figures: float) -> None:
        if self._running:
            self._running[-1][1] += steps
            if self._clock() - self._last >= SILENCE:
                self._say(": {1:,} of {2:,}")

    def finish(self) -> None:
        if self._running:
            self._running.pop()

    def _say(self, how_far: str) -> None:
        self._last = self._clock()
        text = _sentence_case(self._running[-1][0]) + how_far.format(*self._running[-1])
        self._console.print(f"{text} ...", highlight=False, markup=False, emoji=False, soft_wrap=True)


class Bars:
    """One bar for each running task, inner tasks below outer ones; finished tasks leave the screen."""

    def __init__(self, bars: RichProgress) -> None:
        self._bars = bars
        self._running: list[TaskID] = []

    def start(self, label: str, total: int) -> None:
        self._running.append(self._bars.add_task(_sentence_case(label), total=max(total, 1), figures=""))

    def advance(self, steps: int = 1, **figures: float) -> None:
        if not self._running:
            return
        task = self._running[-1]
        if figures:
            shown = "  ".join(f"{name} {value:#.4g}" for name, value in figures.items())
            self._bars.update(task, advance=steps, figures=shown)
        else:
            self._bars.update(task, advance=steps)

    def finish(self) -> None:
        if self._running:
            self._bars.remove_task(self._running.pop())


@contextmanager
def progress_on_stderr(quiet: bool = False) -> Iterator[Progress]:
    """Give the progress that fits where stderr leads; what is drawn is gone again at the end."""
    console = Console(stderr=True)
    if quiet:
        yield Silent()
    elif sys.stderr.isatty() and console.is_interactive:
        with bars_on(console) as bars:
            yield bars
    else:
        yield Lines(console)


@contextmanager
def phase(progress: Progress, label: str) -> Iterator[None]:
    """Tell of work that does not tell how far it is."""
    progress.start(label, 1)
    try:
        yield
    finally:
        progress.finish()


@contextmanager
def bars_on(console: Console) -> Iterator[Bars]:
    """Draw bars on a terminal."""
    columns = (
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
        BarColumn(bar_width=None, table_column=Column(min_width=8, ratio=1)),
        TaskProgressColumn(),
        _Figures(),
        TimeRemainingColumn(compact=True),
    )
    # stdout is for results, which come only after the bars are gone
    with RichProgress(*columns, console=console, transient=True, expand=True, redirect_stdout=False) as bars:
        yield Bars(bars)


def _sentence_case(label: str) -> str:
    return label[:1].upper() + label[1:]
