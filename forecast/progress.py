"""How long work tells how far it is; the command line draws it, the library stays silent by default."""

from typing import Protocol


class Progress(Protocol):
    """Receives the progress of one task at a time; calls nest by finishing the inner task first."""

    def start(self, label: str, total: int) -> None:
        """Begin a task of ``total`` steps, e.g. ``start("LSTM", 500)``."""

    def advance(self, steps: int = 1, **figures: float) -> None:
        """Report ``steps`` more steps done, with figures to show beside them, e.g. ``loss=0.12``."""

    def finish(self) -> None:
        """End the task that was started last."""


class Silent:
    """The default: says nothing."""

    def start(self, label: str, total: int) -> None:
        pass

    def advance(self, steps: int = 1, **figures: float) -> None:
        pass

    def finish(self) -> None:
        pass
