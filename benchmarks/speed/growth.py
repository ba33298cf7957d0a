"""Section ``growth``: time and memory for 10 to 100,000 short series."""

from benchmarks.speed.options import Options
from benchmarks.speed.readme import footer, table
from benchmarks.speed.sides.growth_gatecast import HORIZON, MONTHS, STATUS, STEPS
from benchmarks.speed.timing import duration
from benchmarks.speed.worker import Worker

SIZES = (10, 100, 1_000, 10_000, 100_000)
HEAD = ("series", "reading", "fit", "predict", "a series", "memory: reading", "fit", "predict", "predict, a series")


def section(options: Options) -> str:
    """Measure, and tell in Markdown."""
    if not STATUS.exists():
        return "Growth is measured on Linux alone, which tells a process its peak memory."
    rows = []
    for size in SIZES:
        with Worker("growth_gatecast", options.python) as worker:
            times = worker.call("measure", series=size)
            versions = [worker.call("versions", packages=["numba", "pandas"])]
        seconds = [times[name][0] for name in ("read", "fit", "predict")]
        peaks = [times[name][1] for name in ("read", "fit", "predict")]
        each = f"{seconds[2] / size * 1e6:.1f} µs", *(f"{max(peak, 0) / 1e6:.0f} MB" for peak in peaks)
        rows.append((f"{size:,}", *map(duration, seconds), *each, f"{max(peaks[2], 0) / size:,.0f} B"))
        options.say(" | ".join(rows[-1]))
    return "\n\n".join(
        (
            f"**Growth**: panels of {MONTHS} months a series; {STEPS} training steps of 256 windows; forecasts of "
            f"{HORIZON} months with an 80 % interval. Memory is the peak of the process beyond what it had before; the "
            "panel itself takes 800 bytes a series, the frame of forecasts that `predict` returns about as much.",
            table(HEAD, rows),
            footer(options.command, versions),
        )
    )
