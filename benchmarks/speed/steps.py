"""Section ``step``: training step and inference of LSTM networks, beside PyTorch, for 1 and 2 threads."""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from statistics import median

from benchmarks.speed.options import Options
from benchmarks.speed.readme import footer, table
from benchmarks.speed.sides.shapes import Shape
from benchmarks.speed.timing import alternate, duration, ratio_text
from benchmarks.speed.worker import Worker, installed

SHAPES = (
    Shape(32, 10, 1, 50, 1),
    Shape(32, 24, 1, 64, 2),
    Shape(64, 48, 8, 128, 1),
    Shape(256, 14, 128, 128, 2),
    Shape(256, 96, 1, 128, 2),
    Shape(128, 168, 4, 256, 1),
    Shape(1, 168, 1, 64, 1),
)
TURNS = 15
HEAD = (
    "B, T, D, H, layers", "threads", "training step", "PyTorch", "times ours", "of sgemm peak", "inference", "PyTorch",
    "times ours", "of sgemm peak",
)  # fmt: skip


def section(options: Options) -> str:
    """Measure, and tell in Markdown."""
    with_torch = installed(options.torch_python, "torch")
    rows: dict[tuple[int, int], list[str]] = {}  # by shape, then threads
    peaks: list[str] = []
    versions: list[str] = []
    for threads in sorted({1, min(2, os.cpu_count() or 1)}):
        with ExitStack() as stack:
            ours = stack.enter_context(Worker("step_gatecast", options.python, threads))
            torch = stack.enter_context(Worker("step_torch", options.torch_python, threads)) if with_torch else None
            measured = [_measure(shape, ours, torch, threads, options) for shape in SHAPES]
            versions = [ours.call("versions", packages=["numba", "numpy"])]
            versions += [torch.call("versions", packages=["torch"]) if torch else "torch not installed"]
        peak = median(speed for tasks in measured for times in tasks.values() for speed in times["peak"])
        peaks.append(f"{peak / 1e9:.0f} with {threads}")
        for k, (shape, tasks) in enumerate(zip(SHAPES, measured, strict=True)):
            train = _cells(tasks["train"], 3 * shape.forward_flops, peak)
            infer = _cells(tasks["infer"], shape.forward_flops, peak)
            rows[k, threads] = [", ".join(map(str, shape)), str(threads), *train, *infer]
    return "\n\n".join(
        (
            "**Training step and inference of an LSTM stack with a linear output** (B windows of T steps of D values, "
            "H units; forward, backward, clipping, Adam, our gathering of the windows included). In brackets the "
            "quartiles of the ratios of neighbouring blocks.",
            table(HEAD, [rows[key] for key in sorted(rows)]),
            f"GFLOP/s of a 2048 x 2048 float32 matrix product: {', '.join(peaks)} thread(s).",
            footer(options.command, versions),
        )
    )


def _measure(
    shape: Shape, ours: Worker, torch: Worker | None, threads: int, options: Options
) -> dict[str, dict[str, list[float]]]:
    """Seconds of both sides, and speeds of the large product between their blocks, by task."""
    outputs = ours.call("prepare", shape=shape)
    if torch:
        compare(shape, outputs, torch.call("prepare", shape=shape, count=threads))
    measured = {}
    for task in ("train", "infer"):
        sides = {"ours": partial(ours.call, task, seconds=options.block)}
        if torch:
            sides["torch"] = partial(torch.call, task, seconds=options.block)
        sides["peak"] = partial(ours.call, "peak", count=threads)
        measured[task] = alternate(sides, options.turns(TURNS))
        medians = {name: median(values) for name, values in measured[task].items() if name != "peak"}
        told = ", ".join(f"{name} {duration(seconds)}" for name, seconds in medians.items())
        options.say(f"{tuple(shape)}, {threads} thread(s), {task}: {told}")
    return measured


def _cells(times: Mapping[str, list[float]], flops: int, peak: float) -> list[str]:
    """A task's four cells of a row: our time, PyTorch's, their ratio, our share of the large product's speed."""
    ours = median(times["ours"])
    peer = [duration(median(times["torch"])), ratio_text(times["torch"], times["ours"])] if "torch" in times else None
    return [duration(ours), *(peer or ["not installed", ""]), f"{flops / ours / peak:.0%}"]


def compare(shape: Shape, ours: list[float], theirs: list[float]) -> None:
    """Raise if the sides do not compute the same."""
    difference = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
    if difference > 1e-5:
        raise ValueError(f"Outputs at {tuple(shape)} differ by {difference}: the sides do not compute the same.")
