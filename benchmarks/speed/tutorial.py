"""Section ``tutorial``: the tutorials' fit, beside Keras."""

from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import NamedTuple

from benchmarks.speed.options import Options
from benchmarks.speed.readme import footer, table
from benchmarks.speed.timing import alternate, duration, ratio_text
from benchmarks.speed.worker import Worker, installed

PROCESSES, TURNS = 5, 7
HEAD = ("", "first fit of a process", "times ours", "later fit", "times ours")


class Side(NamedTuple):
    """One row of the table."""

    name: str
    module: str
    python: str
    needs: tuple[str, ...]
    backend: str


def section(options: Options) -> str:
    """Measure, and tell in Markdown."""
    known = (
        Side("gatecast", "tutorial_gatecast", options.python, ("numba",), ""),
        Side("Keras on JAX", "tutorial_keras", options.keras_python, ("keras", "jax"), "jax"),
        Side("Keras on TensorFlow", "tutorial_keras", options.tensorflow_python, ("keras", "tensorflow"), "tensorflow"),
    )
    sides = [side for side in known if all(installed(side.python, package) for package in side.needs)]
    first: dict[str, list[float]] = {side.name: [] for side in sides}
    later: dict[str, list[float]] = {side.name: [] for side in sides}
    versions: list[str] = []
    with _start(known[0]) as worker:
        worker.call("fit")  # fills the cache of compiled kernels, if it is empty
    for k in range(min(PROCESSES, options.turns(PROCESSES))):
        with ExitStack() as stack:
            workers = {side.name: stack.enter_context(_start(side)) for side in sides}
            fits = {name: partial(_fit, worker) for name, worker in workers.items()}
            for name, seconds in alternate(fits, 1).items():
                first[name] += seconds
            for name, seconds in alternate(fits, options.turns(TURNS)).items():
                later[name] += seconds
            if k == 0:
                versions = [workers[side.name].call("versions", packages=list(side.needs)) for side in sides]
    rows: list[list[str]] = []
    for side in known:
        if side not in sides:
            rows.append([side.name, "not installed", "", "", ""])
            continue
        row = [side.name]
        for times in (first, later):
            row += [duration(median(times[side.name])), ratio_text(times[side.name], times["gatecast"])]
        rows.append(row)
        options.say(" | ".join(row))
    return "\n\n".join(
        (
            "**The tutorials' fit**: 490 windows of 10, LSTM(50) + Dense(1), 20 epochs in batches of 32. The first fit "
            "of a process makes and, for Keras, compiles the model (ours is compiled once for a machine, see below); "
            "a later one finds it compiled. Imports are not counted. Ours includes the reading of the data frame.",
            table(HEAD, rows),
            footer(options.command, versions),
        )
    )


def _start(side: Side) -> Worker:
    if not side.backend:
        return Worker(side.module, side.python)
    return Worker(side.module, side.python, KERAS_BACKEND=side.backend, TF_CPP_MIN_LOG_LEVEL="3")


def _fit(worker: Worker) -> float:
    seconds, loss = worker.call("fit")
    if not loss < 0.2:  # a fit that learns nothing is no fit: the series has variance 0.5, its noise 0.01
        raise ValueError(f"{worker.side} ends its fit with a mean squared error of {loss}.")
    return float(seconds)
