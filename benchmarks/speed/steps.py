"""Section ``step``: training step and inference of LSTM networks, beside PyTorch, for 1 and 2 threads."""

import os
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
            speeds: list[float] = []
            for k, shape in enumerate(SHAPES):
                rows[k, threads], peak = _measure(shape, ours, torch, threads, options)
                speeds += peak
            versions = [ours.call("versions", packages=["numba", "numpy"])]
            versions += [torch.call("versions", packages=["torch"]) if torch else "torch not installed"]
        peaks.append(f"{median(speeds) / 1e9:.0f} with {threads}")
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
) -> tuple[list[str], list[float]]:
    """A shape's row of the table, and the speeds of the large product measured between its blocks."""
    outputs = ours.call("prepare", shape=shape)
    if torch:
        _compare(shape, outputs, torch.call("prepare", shape=shape, count=threads))
    cells = [", ".join(map(str, shape)), str(threads)]
    peaks: list[float] = []
    for what, flops in (("train", 3 * shape.forward_flops), ("infer", shape.forward_flops)):
        sides = {"ours": partial(ours.call, what, seconds=options.block)}
        if torch:
            sides["torch"] = partial(torch.call, what, seconds=options.block)
        sides["peak"] = partial(ours.call, "peak", count=threads)
        times = alternate(sides, options.turns(TURNS))
        cells.append(duration(median(times["ours"])))
        if torch:
            cells += [duration(median(times["torch"])), ratio_text(times["torch"], times["ours"])]
        else:
            cells += ["not installed", ""]
        cells.append(f"{flops / median(times['ours']) / median(times['peak']):.0%}")
        peaks += times["peak"]
    options.say(" | ".join(cells))
    return cells, peaks


def _compare(shape: Shape, ours: list[float], theirs: list[float]) -> None:
    """Raise if the sides do not compute the same."""
    difference = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
    if difference > 1e-5:
        raise ValueError(f"Outputs at {tuple(shape)} differ by {difference}: the sides do not compute the same.")
