"""Our layers, in groups of rows as the training loop makes them, and mLSTM's two forms alone; one thread."""

import time
from collections.abc import Callable

import numpy as np

from benchmarks.layers import MatrixMemory, Program
from benchmarks.speed.sides.cells_shapes import Array, CellShape, values
from benchmarks.speed.worker import serve
from forecast.learning.network import Layer
from forecast.learning.training import rows_per_group
from forecast_kernels.network import table

KINDS = {"lstm": table.LSTM, "slstm": table.SLSTM, "mlstm": table.MLSTM}
Steps = tuple[Callable[[], Array], Callable[[], object]]  # forward, which returns h (B, T, H), and backward


def _layer(shape: CellShape) -> Steps:
    kind, B, T, H, N = shape
    given = values(shape)
    x, dout = (given.pop(name).swapaxes(0, 1) for name in ("x", "dout"))
    rows = rows_per_group(B)
    groups = [slice(at, at + rows) for at in range(0, B, rows)]
    programs, parts = [], []
    for group in groups:
        program = Program([Layer("cell", KINDS[kind], H, H, T, heads=N)], len(range(B)[group]))
        program.network.load({f"cell.{name}": value for name, value in given.items()})
        programs.append(program)
        parts.append([np.ascontiguousarray(whole[:, group]) for whole in (x, dout)])

    def forward() -> Array:
        found = [program.forward(part[0]) for program, part in zip(programs, parts, strict=True)]
        return found[0].swapaxes(0, 1)

    def backward() -> object:
        return [program.backward(part[1]) for program, part in zip(programs, parts, strict=True)]

    return forward, backward


def _cell(shape: CellShape, form: str) -> Steps:
    _, B, T, _, N = shape
    given = {name: np.ascontiguousarray(value.swapaxes(0, 1)) for name, value in values(shape).items()}
    memory, dout = MatrixMemory(form, T, B, N, shape.head), given.pop("dout")
    return lambda: memory.forward(*given.values()).swapaxes(0, 1), lambda: memory.backward(dout)


class Side:
    """Several layers, by the keys they were prepared under."""

    def __init__(self) -> None:
        self.steps: dict[str, Steps] = {}

    def prepare(self, key: str, shape: list[object], form: str = "") -> list[float]:
        """Set up a layer; returns the last outputs of its first row."""
        made = CellShape(*shape)  # type: ignore[arg-type]
        self.steps[key] = _cell(made, form) if made.kind == "mlstm cell" else _layer(made)
        out: list[float] = self.steps[key][0]()[0, -1].tolist()
        self.steps[key][1]()
        return out

    def drop(self) -> None:
        """Forget all layers, which take memory."""
        self.steps.clear()

    def forward(self, key: str, seconds: float) -> float:
        """Seconds of a forward pass, over so many seconds."""
        return timed(self.steps[key][0], seconds)

    def both(self, key: str, seconds: float) -> float:
        """Seconds of a forward and backward pass."""
        forward, backward = self.steps[key]
        return timed(lambda: (forward(), backward()), seconds)


def timed(work: Callable[[], object], seconds: float) -> float:
    """Seconds of one call."""
    done, start = 0, time.perf_counter()
    while done < 1 or time.perf_counter() - start < seconds:
        work()
        done += 1
    return (time.perf_counter() - start) / done


if __name__ == "__main__":
    side = Side()
    serve({"prepare": side.prepare, "drop": side.drop, "forward": side.forward, "both": side.both})
