"""Section ``cells``: the cells of xLSTM beside our LSTM and beside the package `xlstm`, one layer, one thread."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import NamedTuple

from benchmarks.speed.options import Options
from benchmarks.speed.readme import footer, table
from benchmarks.speed.sides.cells_shapes import CellShape
from benchmarks.speed.timing import alternate, duration, ratio_text
from benchmarks.speed.worker import Worker, installed

SIZES = ((32, 24, 64), (64, 48, 128), (256, 96, 128))  # B, T, H
CELLS = (("lstm", 1), ("slstm", 1), ("slstm", 2), ("slstm", 4), ("mlstm", 1), ("mlstm", 4))
NAMES = {"lstm": "LSTM", "slstm": "sLSTM", "mlstm": "mLSTM"}
STEPS, FORMS_SIZE = (64, 128, 256, 512), (16, 128, 4)  # T; B, H, N
CHUNK = 64  # what the package's chunkwise form needs whole ones of
TURNS = 7
TASKS = ("forward", "both")
HEAD = (
    "B, T, H", "cell, heads", "forward", "of LSTM's", "per operation", "forward + backward", "of LSTM's",
    "per operation", "xlstm", "times ours", "forward: times ours",
)  # fmt: skip
FORMS_HEAD = (
    "T", "chunkwise: forward", "recurrent", "ratio", "chunkwise: forward + backward", "recurrent", "ratio", "xlstm",
    "times ours", "forward: times ours",
)  # fmt: skip

Times = Mapping[str, Mapping[str, list[float]]]  # seconds by task and by key


class Job(NamedTuple):
    """A layer of one side."""

    side: str
    key: str
    shape: CellShape
    form: str = ""


def section(options: Options) -> str:
    """Measure, and tell in Markdown."""
    with_peer = installed(options.xlstm_python, "xlstm")
    with ExitStack() as stack:
        sides = {"ours": stack.enter_context(Worker("cells_gatecast", options.python, 1))}
        versions = [sides["ours"].call("versions", packages=["numba", "numpy"])]
        if with_peer:
            peer = Worker("cells_xlstm", options.xlstm_python, 1, PYTHONWARNINGS="ignore")
            sides["xlstm"] = stack.enter_context(peer)
            versions.append(sides["xlstm"].call("versions", packages=["xlstm", "torch"]))
        else:
            versions.append("xlstm not installed")
        rows = [row for size in SIZES for row in _cells(size, sides, options)]
        forms = [_forms(steps, sides, options) for steps in STEPS]
    B, H, N = FORMS_SIZE
    return "\n\n".join(
        (
            "**Cells of xLSTM** as one layer of H units over B sequences of T steps of H values, one thread, beside "
            "our LSTM of the same size and the PyTorch code for CPUs of the package `xlstm` behind equal linear layers "
            "(mLSTM: the faster of its parallel and chunkwise forms; both sides give the same outputs). "
            "Per operation: over the ratio of the operations of the products with weights, forward; sLSTM with N heads "
            "has (1 + 1/N) / 2 of LSTM's. In brackets the quartiles of the ratios of neighbouring blocks.",
            table(HEAD, rows),
            f"mLSTM's cell alone in its two forms, {B} sequences, {N} heads of {H // N} units; ratio: recurrent over "
            "chunkwise.",
            table(FORMS_HEAD, forms),
            footer(options.command, versions),
        )
    )


def _peer_forms(kind: str, steps: int) -> list[str]:
    """What the package has for a cell."""
    if not kind.startswith("mlstm"):
        return [""] if kind == "slstm" else []
    return ["parallel", "chunkwise"] if steps % CHUNK == 0 else ["parallel"]


def _measure(jobs: Sequence[Job], sides: Mapping[str, Worker], options: Options) -> Times:
    """Times of layers that take turns; those of one shape must give the same outputs."""
    outputs: dict[CellShape, list[float]] = {}
    for job in jobs:
        out = sides[job.side].call("prepare", key=job.key, shape=job.shape, form=job.form)
        before = outputs.setdefault(job.shape, out)
        difference = max(abs(a - b) for a, b in zip(out, before, strict=True))
        if not difference < 1e-4:
            raise ValueError(f"Outputs of {job.key} at {tuple(job.shape)} differ by {difference} from the others'.")
    times = {}
    for task in TASKS:
        calls = {job.key: partial(sides[job.side].call, task, key=job.key, seconds=options.block) for job in jobs}
        times[task] = alternate(calls, options.turns(TURNS))
        told = ", ".join(f"{key} {duration(median(values))}" for key, values in times[task].items())
        options.say(f"{tuple(jobs[0].shape[1:4])}, {task}: {told}")
    for side in sides.values():
        side.call("drop")
    return times


def _cells(size: tuple[int, int, int], sides: Mapping[str, Worker], options: Options) -> list[list[str]]:
    """The rows of one size."""
    B, T, H = size
    shapes = {f"{NAMES[kind]}, {heads}": CellShape(kind, B, T, H, heads) for kind, heads in CELLS}
    jobs = [Job("ours", key, shape) for key, shape in shapes.items()]
    if "xlstm" in sides:
        jobs += [
            Job("xlstm", f"{key}: xlstm {form}", shape, form)
            for key, shape in shapes.items() for form in _peer_forms(shape.kind, T)
        ]  # fmt: skip
    times = _measure(jobs, sides, options)
    first = next(iter(shapes))
    rows = []
    for key, shape in shapes.items():
        row = [", ".join(map(str, size)), key if shape.kind != "lstm" else "LSTM"]
        for task in TASKS:
            ours = times[task][key]
            row.append(duration(median(ours)))
            row += ["", ""] if key == first else [ratio_text(ours, times[task][first]), per_operation(
                ours, times[task][first], shape, shapes[first])]  # fmt: skip
        rows.append(row + _beside(times, key, key))
    return rows


def per_operation(ours: Sequence[float], lstm: Sequence[float], shape: CellShape, base: CellShape) -> str:
    """Time per operation of the products, in units of LSTM's; "" for mLSTM."""
    if shape.kind == "mlstm":
        return ""
    return f"{median(ours) / median(lstm) * base.forward_flops / shape.forward_flops:.2f}"


def _beside(times: Times, key: str, prefix: str) -> list[str]:
    """Three cells: the package's time, forward and backward, and how many times ours that is; also of forward alone."""
    cells: dict[str, tuple[str, str]] = {}
    for task in TASKS:
        theirs = [values for name, values in times[task].items() if name.startswith(f"{prefix}: xlstm")]
        if theirs:
            best = min(theirs, key=median)
            cells[task] = duration(median(best)), ratio_text(best, times[task][key])
    if not cells:
        return ["" if prefix.startswith("LSTM") else "not installed", "", ""]
    return [*cells["both"], cells["forward"][1]]


def _forms(steps: int, sides: Mapping[str, Worker], options: Options) -> list[str]:
    """A row of the second table."""
    B, H, N = FORMS_SIZE
    shape = CellShape("mlstm cell", B, steps, H, N)
    jobs = [Job("ours", form, shape, form) for form in ("chunkwise", "recurrent")]
    if "xlstm" in sides:
        jobs += [Job("xlstm", f"chunkwise: xlstm {form}", shape, form) for form in _peer_forms(shape.kind, steps)]
    times = _measure(jobs, sides, options)
    row = [str(steps)]
    for task in TASKS:
        chunkwise, recurrent = times[task]["chunkwise"], times[task]["recurrent"]
        row += [duration(median(chunkwise)), duration(median(recurrent)), ratio_text(recurrent, chunkwise)]
    return row + _beside(times, "chunkwise", "chunkwise")
