"""Section ``gpu``: training step and inference on the GPU, beside PyTorch's cuDNN LSTM there and our own CPU."""

from contextlib import ExitStack
from functools import partial
from statistics import median

from benchmarks.speed.options import Options
from benchmarks.speed.readme import footer, table
from benchmarks.speed.sides.shapes import Shape
from benchmarks.speed.steps import compare
from benchmarks.speed.timing import alternate, duration, ratio_text
from benchmarks.speed.worker import SideFailedError, Worker, installed

SHAPES = (Shape(32, 10, 1, 50, 1), Shape(256, 96, 1, 64, 1), Shape(1024, 96, 1, 128, 1), Shape(4096, 48, 1, 64, 1))
TURNS = 15
HEAD = (
    "B, T, D, H, layers", "training step", "PyTorch", "times ours", "our CPU", "times ours", "inference", "PyTorch",
    "times ours", "our CPU", "times ours",
)  # fmt: skip


def missing(options: Options) -> str:
    """What keeps our side from a GPU, in words; "" if nothing."""
    with Worker("step_gatecast", options.python) as worker:
        return str(worker.call("gpu")[1])


def section(options: Options) -> str:
    """Measure, and tell in Markdown.

    Raises
    ------
    SideFailedError
        If there is no GPU for our side.
    """
    with ExitStack() as stack:
        ours = stack.enter_context(Worker("step_gatecast", options.python))
        name, lacking = ours.call("gpu")
        if lacking:
            raise SideFailedError(f"Section gpu cannot be measured: {lacking}.")
        cpu = stack.enter_context(Worker("step_gatecast", options.python))
        torch = stack.enter_context(Worker("step_torch", options.torch_python)) if _has_cuda(options) else None
        rows = []
        for shape in SHAPES:
            outputs = ours.call("prepare", shape=shape, device="cuda")
            compare(shape, outputs, cpu.call("prepare", shape=shape))
            if torch:
                compare(shape, outputs, torch.call("prepare", shape=shape, count=1, device="cuda"))
            cells = [_cells(task, ours, cpu, torch, options) for task in ("train", "infer")]
            rows.append((", ".join(map(str, shape)), *cells[0], *cells[1]))
            options.say(" | ".join(rows[-1]))
        versions = [ours.call("versions", packages=["numba", "numba_cuda"])]
        versions += [torch.call("versions", packages=["torch"]) if torch else "torch with a GPU not installed"]
    return "\n\n".join(
        (
            f"**Training step and inference on a GPU**, {name}: an LSTM stack with a linear output, float32 without "
            "TF32. PyTorch's `nn.LSTM` is cuDNN's; its batches lie ready on the GPU, ours are gathered there. Our CPU "
            "has all its threads. In brackets the quartiles of the ratios of neighbouring blocks.",
            table(HEAD, rows),
            footer(options.command, versions),
        )
    )


def _has_cuda(options: Options) -> bool:
    """Whether the other side's PyTorch finds a GPU."""
    if not installed(options.torch_python, "torch"):
        return False
    with Worker("step_torch", options.torch_python) as worker:
        return bool(worker.call("gpu"))


def _cells(task: str, ours: Worker, cpu: Worker, torch: Worker | None, options: Options) -> list[str]:
    """A task's five cells of a row: our time, then the others' times with their ratios to it."""
    sides = {name: worker for name, worker in (("ours", ours), ("torch", torch), ("cpu", cpu)) if worker}
    calls = {name: partial(worker.call, task, seconds=options.block) for name, worker in sides.items()}
    times = alternate(calls, options.turns(TURNS))
    cells = [duration(median(times["ours"]))]
    for name in ("torch", "cpu"):
        there = name in times
        cells += [duration(median(times[name])), ratio_text(times[name], times["ours"])] if there else ["none", ""]
    return cells
