"""The command; see the package's docstring."""

import argparse
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import benchmarks.speed
from benchmarks.speed import cells, cold, gpu, growth, panel, pretrained, readme, steps, tutorial
from benchmarks.speed.options import Options
from benchmarks.speed.worker import ROOT

SECTIONS: dict[str, Callable[[Options], str]] = {
    "step": steps.section,
    "cells": cells.section,
    "tutorial": tutorial.section,
    "panel": panel.section,
    "cold": cold.section,
    "growth": growth.section,
    "pretrained": pretrained.section,
    "gpu": gpu.section,
}


def main() -> None:
    """Parse, measure, print, write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed",
        description=benchmarks.speed.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)}; by default all but gpu")
    parser.add_argument("--write", action="store_true", help="put the tables between the markers in README.md")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md", help="another file for --write")
    parser.add_argument("--repeats", type=int, help="turns of each side, by default as many as a section finds enough")
    parser.add_argument("--block", type=float, default=0.3, help="seconds of a turn in steps and cells (default 0.3)")
    parser.add_argument("--python", default=sys.executable, help="Python of our side")
    for name in ("torch", "xlstm", "keras", "tensorflow", "neuralforecast"):
        parser.add_argument(f"--{name}-python", default=sys.executable, help=f"Python that has {name}")
    arguments = parser.parse_args()
    chosen = arguments.sections or [name for name in SECTIONS if name != "gpu"]
    unknown = [name for name in chosen if name not in SECTIONS]
    if unknown:
        parser.error(f"there is no section {unknown[0]!r}; choose from {', '.join(SECTIONS)}")
    if arguments.write and not readme.has_markers(arguments.readme):
        parser.error(f"{arguments.readme} lacks the lines {readme.BEGIN} and {readme.END}; add them where tables go")
    options = Options(
        arguments.python, arguments.torch_python, arguments.xlstm_python, arguments.keras_python,
        arguments.tensorflow_python, arguments.neuralforecast_python, arguments.repeats, arguments.block, _command(),
    )  # fmt: skip
    if "gpu" in chosen and (lacking := gpu.missing(options)):
        parser.error(f"section gpu cannot be measured: {lacking}")
    done = {}
    for name in chosen:
        options.say(f"== {name}")
        done[name] = SECTIONS[name](options)
        print(f"\n{done[name]}\n", flush=True)
        if arguments.write:
            readme.write(arguments.readme, done, list(SECTIONS))


def _command() -> str:
    """How this was started, without the paths of Pythons, which belong to the machine."""
    kept, skip = [], False
    for word in sys.argv[1:]:
        if not skip and not word.partition("=")[0].endswith(("-python", "--python")):
            kept.append(word)
        skip = not skip and word.endswith(("-python", "--python"))
    return shlex.join(["python", "-m", "benchmarks.speed", *kept])


if __name__ == "__main__":
    main()
