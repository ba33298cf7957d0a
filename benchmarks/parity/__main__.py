"""The command; see the package's docstring."""

import argparse
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

import benchmarks.parity
from benchmarks.parity import ours
from benchmarks.speed.readme import footer, table
from benchmarks.speed.worker import Worker, installed

LIMITS = {"float32": 2e-5, "float64": 1e-10}  # largest deviation, relative to the largest value
HEAD = ("", "dtype", "output", "gradient of the input", "gradients of parameters", "the worst of these")
T, B, CHUNK = 48, 3, 16


class Case(NamedTuple):
    """Something that both sides compute."""

    name: str
    case: str  # of the side
    sizes: tuple[int, ...]  # T, B, H, N
    options: dict[str, Any]
    ours: Callable[[Mapping[str, ours.Array]], ours.Found]
    judged: bool = True


def cases() -> list[Case]:
    """All of them."""
    found = []
    for N in (1, 2, 4):
        found.append(Case(f"sLSTM cell, {N} heads of {32 // N}", "slstm cell", (T, B, 32, N), {},
                          partial(ours.slstm_cell, N=N)))  # fmt: skip
    for N in (1, 4):
        found.append(Case(f"sLSTM layer, {N} heads of {32 // N}", "slstm layer", (T, B, 32, N), {},
                          partial(ours.slstm_layer, N=N)))  # fmt: skip
    for eps in (0.0, 1e-6):
        for theirs in ("parallel", "chunkwise", "recurrent"):
            for form in ("chunkwise", "recurrent") if eps == 0 else ("chunkwise",):
                name = f"mLSTM cell, {theirs}; ours {form}" + (", with eps" if eps else "")
                found.append(Case(name, "mlstm cell", (T, B, 32, 2), {"eps": eps, "form": theirs},
                                  partial(ours.mlstm_cell, form=form, length=CHUNK), eps == 0))  # fmt: skip
        for N in (1, 4):
            name = f"mLSTM layer, {N} heads of {64 // N}" + (", with eps" if eps else "")
            found.append(Case(name, "mlstm layer", (T, B, 32, N), {"eps": eps},
                              partial(ours.mlstm_layer, N=N), eps == 0))  # fmt: skip
    return found


def deviations(theirs: Mapping[str, ours.Array], found: ours.Found) -> dict[str, float]:
    """Largest deviation of every value, relative to the largest value of the package's."""
    missing = {name for name in theirs if name.startswith("grad.")} - set(found)
    if missing:
        raise ValueError(f"Nothing of ours stands for {', '.join(sorted(missing))}.")
    told = {}
    for name, value in found.items():
        true = theirs[name]
        if true.shape != value.shape:  # what has no counterpart comes last
            true = true[..., : value.shape[-1]]
        told[name] = float(np.abs(value - true).max() / max(np.abs(true).max(), np.finfo(true.dtype).tiny))
    return told


def main() -> None:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.parity",
        description=benchmarks.parity.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--xlstm-python", default=sys.executable, help="Python that has xlstm")
    arguments = parser.parse_args()
    if not installed(arguments.xlstm_python, "xlstm"):
        parser.error(f"{arguments.xlstm_python} does not have xlstm; name one that has with --xlstm-python")
    rows, above = [], []
    with TemporaryDirectory() as folder, Worker(
        "side_xlstm", arguments.xlstm_python, package="benchmarks.parity.sides", PYTHONWARNINGS="ignore"
    ) as worker:  # fmt: skip
        path = Path(folder) / "values.npz"
        for case in cases():
            for dtype, limit in LIMITS.items():
                worker.call("run", case=case.case, path=str(path), dtype=dtype, sizes=case.sizes, **case.options)
                with np.load(path) as values:
                    found = deviations(values, case.ours(values))
                rows.append((case.name, dtype, *_told(found)))
                print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
                if case.judged and not max(found.values()) <= limit:
                    above.append(f"{case.name} in {dtype}")
        versions = [worker.call("versions", packages=["xlstm", "torch"])]
    limits = ", ".join(f"{limit:g} in {dtype}" for dtype, limit in LIMITS.items())
    verdict = f"Above the limit: {'; '.join(above)}." if above else "All within the limits but those with eps."
    print(
        table(HEAD, rows), f"Limits: {limits}. {verdict}", footer("python -m benchmarks.parity", versions), sep="\n\n"
    )
    sys.exit(bool(above))


def _told(found: Mapping[str, float]) -> tuple[str, ...]:
    inputs = {name: value for name, value in found.items() if name[5:] in ("x", "q", "k", "v", "i", "f")}
    others = {name: value for name, value in found.items() if name not in inputs and name != "out"}
    parts = (f"{max(part.values()):.1e}" if part else "" for part in (inputs, others))
    return f"{found['out']:.1e}", *parts, max(found, key=lambda name: found[name]).removeprefix("grad.")


if __name__ == "__main__":
    main()
