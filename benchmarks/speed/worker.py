"""Sides of a comparison as processes: the parent's handle, and the loop that a side runs.

A side reads requests from its standard input and answers on its standard output, one line of JSON each.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[2]


def environment(**more: str) -> dict[str, str]:
    """The environment of a child: ours, with this checkout first on the path of imports."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "kernels"))), **more}


def installed(python: str, module: str) -> bool:
    """Whether the environment of a Python holds a top-level module."""
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return subprocess.run([python, "-c", code], cwd=ROOT, check=False).returncode == 0


class SideFailedError(RuntimeError):
    """A side ended early; its own message is on standard error."""


class Worker:
    """A side that runs until closed.

    Parameters
    ----------
    side : str
        Module in ``package``.
    python : str
        The Python to run it with.
    threads : int, optional
        Threads that the side may use; by default what it takes itself.
    package : str, default "benchmarks.speed.sides"
        Where the sides stand.
    variables : str
        Further environment variables.
    """

    def __init__(
        self,
        side: str,
        python: str = sys.executable,
        threads: int | None = None,
        package: str = "benchmarks.speed.sides",
        **variables: str,
    ) -> None:
        if threads is not None:
            variables |= {"NUMBA_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
        self.side = side
        self._process = subprocess.Popen(
            [python, "-m", f"{package}.{side}"],
            cwd=ROOT, env=environment(**variables), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def call(self, name: str, **arguments: Any) -> Any:
        """Have the side run one of its functions; returns what that returned."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps([name, arguments]) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise SideFailedError(f"{self.side} ended in {name} with code {self._process.wait()}; see its message.")
        return json.loads(answer)

    def close(self) -> None:
        """End the side."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        if kind is not None:
            self._process.kill()
        self.close()


def serve(functions: Mapping[str, Callable[..., Any]]) -> None:
    """Answer requests for these functions until the input ends.

    Every side also answers ``versions(packages=[...])``, by their import names, and ``peak_memory()``, in bytes.
    """
    known: dict[str, Callable[..., Any]] = {"versions": _versions, "peak_memory": _peak_memory, **functions}
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)  # what libraries print must not get between the answers
        for line in sys.stdin:
            name, arguments = json.loads(line)
            print(json.dumps(known[name](**arguments)), file=answers, flush=True)


def _versions(packages: list[str]) -> str:
    return ", ".join(f"{name} {import_module(name).__version__}" for name in packages)


def _peak_memory() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
