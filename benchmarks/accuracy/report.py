"""The table."""

from collections.abc import Sequence

from benchmarks.accuracy.data import Split
from benchmarks.accuracy.runs import Run
from benchmarks.accuracy.scores import owa
from benchmarks.accuracy.sets import DataSet
from benchmarks.speed.readme import footer, table

HEAD = ("", "sMAPE", "MASE", "OWA", "WQL", "CRPS", "80 %", "95 %", "fit", "predict", "peak memory")


def report(dataset: DataSet, split: Split, name: str, runs: Sequence[Run], command: str) -> str:
    """A section in Markdown: ours above, the published marks below."""
    yardstick = next(one.scores for one in runs if one.name == "Naive2")
    rows: list[tuple[str, ...]] = [_row(one, owa(one.scores, yardstick)) for one in runs]
    if name == "test":
        for method, *figures, wql in dataset.marks:
            rows.append((f"published: {method}", *map(_figure, figures), _figure(wql, 4), *[""] * 6))
    calls = "\n".join(f"- `{one.call}`{': ' if one.detail else ''}{one.detail}" for one in runs)
    title = f"**{dataset.title}**, {name} split: {len(split.ids):,} series, {dataset.horizon} steps. {dataset.note}"
    return "\n\n".join((title.strip(), table(HEAD, rows), calls, footer(command, _versions())))


def _row(one: Run, overall: float) -> tuple[str, ...]:
    s = one.scores
    shares = [f"{100 * share:.1f} %" for share in (s.coverage_80, s.coverage_95)]
    return (
        one.name, f"{s.smape:.3f}", f"{s.mase:.3f}", f"{overall:.4f}", _figure(s.wql, 4), _figure(s.crps, 4), *shares,
        f"{one.fit_seconds:.1f} s", f"{one.predict_seconds:.1f} s", f"{one.peak_memory / 1e6:.0f} MB",
    )  # fmt: skip


def _figure(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _versions() -> list[str]:
    import numba
    import pandas

    return [f"numba {numba.__version__}", f"pandas {pandas.__version__}"]
