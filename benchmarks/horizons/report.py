"""The table."""

from collections.abc import Sequence

import numba
import pandas

from benchmarks.horizons.parts import Split
from benchmarks.horizons.runs import Run
from benchmarks.horizons.sets import METHODS, DataSet
from benchmarks.speed.readme import footer, table

HEAD = ("", "MSE", "MAE", "fit", "forecast", "peak memory")


def report(dataset: DataSet, split: Split, name: str, runs: Sequence[Run], command: str) -> str:
    """A section in Markdown: ours above, for the test part the published marks below."""
    rows: list[tuple[str, ...]] = [_row(one) for one in runs]
    if name == "test":
        marks = dataset.marks.get(split.horizon, ())
        rows += [
            (f"published: {method}", f"{mse:.3f}", f"{mae:.3f}", "", "", "")
            for method, (mse, mae) in zip(METHODS, marks, strict=bool(marks))
        ]
    calls = "\n".join(f"- `{one.call}`{': ' if one.detail else ''}{one.detail}" for one in runs)
    title = (
        f"**{dataset.title}**, {split.horizon} steps, {name} split: {len(split.cutoffs):,} windows of "
        f"{len(split.channels)} channels."
    )
    versions = [f"numba {numba.__version__}", f"pandas {pandas.__version__}"]
    return "\n\n".join((title, table(HEAD, rows), calls, footer(command, versions)))


def _row(one: Run) -> tuple[str, ...]:
    return (
        one.name, f"{one.mse:.4f}", f"{one.mae:.4f}", f"{one.fit_seconds:.1f} s", f"{one.predict_seconds:.1f} s",
        f"{one.peak_memory / 1e6:.0f} MB",
    )  # fmt: skip
