"""Section ``panel``: fit, predict and backtest of 500 monthly series, beside neuralforecast."""

from contextlib import ExitStack
from functools import partial
from statistics import median

from benchmarks.speed.options import Options
from benchmarks.speed.readme import footer, table
from benchmarks.speed.timing import alternate, duration, ratio_text
from benchmarks.speed.worker import Worker, installed

TURNS = 3
HEAD = ("", "gatecast", "neuralforecast", "times ours")
TASKS = ("fit", "predict", "backtest")


def section(options: Options) -> str:
    """Measure, and tell in Markdown."""
    with_peer = installed(options.neuralforecast_python, "neuralforecast")
    with ExitStack() as stack:
        sides = {"gatecast": stack.enter_context(Worker("panel_gatecast", options.python))}
        if with_peer:
            peer = Worker("panel_neuralforecast", options.neuralforecast_python)
            sides["neuralforecast"] = stack.enter_context(peer)
        rows: list[tuple[str, ...]] = []
        for task in TASKS:
            calls = {name: partial(worker.call, task) for name, worker in sides.items()}
            times = alternate(calls, options.turns(TURNS))
            rows.append(_row(task, [duration(median(values)) for values in times.values()]))
            if with_peer:
                rows[-1] = (*rows[-1], ratio_text(times["neuralforecast"], times["gatecast"]))
            options.say(" | ".join(rows[-1]))
        memory = [worker.call("peak_memory") for worker in sides.values()]
        rows.append(_row("peak memory of the process", [f"{size / 1e6:.0f} MB" for size in memory]))
        if with_peer:
            rows[-1] = (*rows[-1], f"{memory[1] / memory[0]:.1f}")
        errors = [worker.call("error") for worker in sides.values()]
        rows.append((*_row("mean absolute error / mean", [f"{error:.3f}" for error in errors]), ""))
        versions = [sides["gatecast"].call("versions", packages=["numba", "pandas"])]
        if with_peer:
            versions.append(sides["neuralforecast"].call("versions", packages=["neuralforecast", "torch"]))
    return "\n\n".join(
        (
            "**500 simulated monthly series of ten years**: LSTM of 2 x 64 units over the last 24 months, one value a "
            "step, linear output for 12 months, absolute error, 300 steps of 128 windows. Our output sees the last "
            "state and the values of a year ago, neuralforecast's the last 12 states. The backtest trains once and "
            "forecasts three windows. Each process has fitted and predicted once before, briefly.",
            table(HEAD, rows),
            footer(options.command, versions),
        )
    )


def _row(name: str, values: list[str]) -> tuple[str, ...]:
    return (name, *values) if len(values) == 2 else (name, *values, "not installed", "")
