"""Section ``cold``: what the first run on a machine costs, and later ones."""

import subprocess
import tempfile
import time
from statistics import median

from benchmarks.speed.options import Options
from benchmarks.speed.readme import footer, table
from benchmarks.speed.worker import ROOT, SideFailedError, Worker, environment

RUN = ("-m", "forecast.cli", "run", "data/air_passengers.csv", "-h", "12", "--models", "lstm,seasonal-naive")
WARMUP = ("-m", "forecast.cli", "warmup")
IMPORT = ("-c", "import forecast")
TURNS = 5  # processes of each kind, but only one with an empty cache
HEAD = ("", "empty cache", "compiled")


def section(options: Options) -> str:
    """Measure, and tell in Markdown."""
    python, turns = options.python, options.turns(TURNS)
    with tempfile.TemporaryDirectory() as cache:
        cold = {"run": seconds_of(python, RUN, cache)}
    with tempfile.TemporaryDirectory() as cache:
        cold["warmup"] = seconds_of(python, WARMUP, cache)
        warm = {
            name: median(seconds_of(python, words, cache) for _ in range(turns))
            for name, words in (("warmup", WARMUP), ("run", RUN), ("import", IMPORT), ("nothing", ("-c", "pass")))
        }
    rows = [
        ("`forecast warmup`", f"{cold['warmup']:.1f} s", f"{warm['warmup']:.2f} s"),
        (f"`forecast {' '.join(RUN[2:])}`", f"{cold['run']:.1f} s", f"{warm['run']:.2f} s"),
        ("`python -c 'import forecast'`", "", f"{warm['import']:.2f} s"),
        ("`python -c pass`", "", f"{warm['nothing']:.2f} s"),
    ]
    for row in rows:
        options.say(" | ".join(row))
    with Worker("step_gatecast", python) as worker:
        version = worker.call("versions", packages=["numba"])
    return "\n\n".join(
        (
            "**Cold start**: wall time of whole processes, with an empty cache of compiled kernels and a full one.",
            table(HEAD, rows),
            footer(options.command, [version]),
        )
    )


def seconds_of(python: str, words: tuple[str, ...], cache: str | None) -> float:
    """Wall time of one process, with kernels from this cache or from the user's own."""
    variables = environment(**({} if cache is None else {"GATECAST_CACHE_DIR": cache}))
    start = time.perf_counter()
    done = subprocess.run([python, *words], cwd=ROOT, env=variables, check=False, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SideFailedError(f"{' '.join(words)} ended with code {done.returncode}: {done.stderr}")
    return seconds
