"""``forecast inspect``, and the facts of a panel that other commands tell too."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from forecast.cli import options
from forecast.cli.reading import GUESSED, Reading, reads
from forecast.cli.screen import facts_table, show, show_json
from forecast.cli.typed import as_typed

if TYPE_CHECKING:
    from forecast.series.panel import Panel


@reads
def inspect(
    file: options.File,
    reading: Reading = GUESSED,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Say how FILE is understood, and what in it may hurt a forecast, each with its fix.

    Example: forecast inspect sales.csv --time week --target units
    """
    from forecast.series.inspect import inspect as look_over

    panel = reading.panel(file, quiet or as_json)
    findings = look_over(panel)
    if as_json:
        show_json({**facts_of(panel), "findings": [asdict(finding) for finding in findings]})
        return
    show(facts_table([(finding.severity, as_typed(f"{finding.what} {finding.fix}".rstrip())) for finding in findings]))


def facts_of(panel: "Panel") -> dict[str, Any]:
    """The facts of a panel, in types that JSON knows."""
    import numpy as np

    columns = panel.columns
    first, last = panel.outward(np.array([panel.starts.min(), panel.ends.max()]))
    return {
        "series": len(panel),
        "values": len(panel.y),
        "unobserved": int(np.isnan(panel.y).sum()),
        "shortest": int(panel.lengths.min()),
        "longest": int(panel.lengths.max()),
        "first": _text(first),
        "last": _text(last),
        "frequency": panel.frequency.describe(),
        "freq": panel.frequency.alias,
        "season_length": panel.season_length,
        "columns": {"id": columns.id, "time": columns.time, "target": columns.target, "tz": columns.tz},
        "covariates": list(panel.covariates),
        "declared": {name: list(columns) for name, columns in asdict(panel.declared).items() if columns},
        "notes": list(panel.notes),
    }


def _text(stamp: Any) -> Any:
    return stamp.isoformat() if hasattr(stamp, "isoformat") else int(stamp)
