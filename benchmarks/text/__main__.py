"""The command; see the package's docstring."""

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

import benchmarks.text
from benchmarks.speed.readme import footer, table
from benchmarks.speed.timing import alternate, duration, ratio_text
from benchmarks.speed.worker import Worker, installed
from benchmarks.text.sides.shared import Shape
from forecast.words import counted

HEAD = (
    "E, H, layers, B, T", "threads", "bits per character", "PyTorch", "a pass over the text", "PyTorch", "times ours",
    "symbols a second", "PyTorch", "times ours",
)  # fmt: skip
TURNS = 5  # of generation


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.text",
        description=benchmarks.text.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--text", type=Path, required=True, metavar="FILE", help="what to learn")
    parser.add_argument("--passes", type=int, default=5, help="over the text (default 5)")
    parser.add_argument("--embed", type=int, default=64)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--batch", type=int, default=32, help="streams side by side (default 32)")
    parser.add_argument("--steps", type=int, default=64, help="of a chunk (default 64)")
    parser.add_argument("--rate", type=float, default=5e-3, help="learning rate (default 0.005)")
    parser.add_argument("--symbols", type=int, default=3000, help="to generate in a turn (default 3000)")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--python", default=sys.executable, help="Python of our side")
    parser.add_argument("--torch-python", default=sys.executable, help="Python that has torch")
    print(measured(parser.parse_args()))


def measured(options: argparse.Namespace) -> str:
    """Measure, and tell in Markdown."""
    shape = Shape(options.embed, options.hidden, options.layers, options.batch, options.steps, options.rate)
    path = str(options.text.resolve())
    with ExitStack() as stack:
        package, threads = "benchmarks.text.sides", options.threads
        sides = {"ours": stack.enter_context(Worker("side_gatecast", options.python, threads, package))}
        steps = sides["ours"].call("prepare", path=path, shape=shape)
        versions = [sides["ours"].call("versions", packages=["numba", "numpy"])]
        if installed(options.torch_python, "torch"):
            sides["torch"] = stack.enter_context(Worker("side_torch", options.torch_python, threads, package))
            if sides["torch"].call("prepare", path=path, shape=shape, count=threads) != steps:
                raise ValueError("The sides do not learn the same chunks.")
            versions.append(sides["torch"].call("versions", packages=["torch"]))
        train = alternate({name: partial(side.call, "train") for name, side in sides.items()}, options.passes)
        bits = {name: side.call("judge") for name, side in sides.items()}
        draw = {name: partial(side.call, "generate", count=options.symbols) for name, side in sides.items()}
        generate = alternate(draw, TURNS)
    row = [", ".join(map(str, shape[:5])), str(threads), f"{bits['ours']:.4f}"]
    row += [f"{bits['torch']:.4f}"] if "torch" in bits else ["not installed"]
    row += [duration(median(train["ours"])), *_beside(train, duration)]
    row += [_speed(median(generate["ours"])), *_beside(generate, _speed)]
    passes = counted(options.passes, "pass", "passes")
    what = f"**A text of {options.text.stat().st_size:,} bytes**, {passes} of {steps:,} steps."
    return "\n\n".join((what, table(HEAD, [row]), footer("python -m benchmarks.text", versions)))


def _beside(times: dict[str, list[float]], shown: Callable[[float], str]) -> list[str]:
    """The peer's cell and the ratio."""
    if "torch" not in times:
        return ["not installed", ""]
    return [shown(median(times["torch"])), ratio_text(times["torch"], times["ours"])]


def _speed(seconds: float) -> str:
    return f"{1 / seconds:,.0f}"


if __name__ == "__main__":
    main()
