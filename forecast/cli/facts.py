"""``forecast inspect``, and the facts of a panel that other commands tell too."""

from typing import TYPE_CHECKING, Any

from forecast.cli import options
from forecast.cli.screen import facts_table, say, show, show_json

if TYPE_CHECKING:
    from forecast.series.panel import Panel


def inspect(
    file: options.File,
    id_col: options.Id = None,
    time_col: options.Time = None,
    target_col: options.Target = None,
    freq: options.Freq = None,
    season: options.Season = None,
    tz: options.Tz = None,
    as_json: options.Json = False,
) -> None:
    """Say how FILE is understood: columns, frequency, season, gaps, short series.

    Example: forecast inspect sales.csv --time week --target units
    """
    panel = options.Reading(id_col, time_col, target_col, freq, season, tz).panel(file)
    facts = facts_of(panel)
    if as_json:
        show_json(facts)
        return
    show(facts_table(_readable(facts)), *(["\n".join(panel.notes)] if panel.notes else []))


def tell(panel: "Panel", quiet: bool) -> None:
    """Say on stderr what was guessed, filled or dropped."""
    if not quiet:
        for note in panel.notes:
            say(note)


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
        "short": int((panel.lengths < 2 * panel.season_length).sum()),
        "first": _text(first),
        "last": _text(last),
        "frequency": panel.frequency.describe(),
        "freq": panel.frequency.alias,
        "season_length": panel.season_length,
        "columns": {"id": columns.id, "time": columns.time, "target": columns.target, "tz": columns.tz},
        "covariates": list(panel.covariates),
        "notes": list(panel.notes),
    }


def _readable(facts: dict[str, Any]) -> dict[str, str]:
    """The facts for people, only those that tell something."""
    columns = facts["columns"]
    lengths = f"{facts['shortest']:,} to {facts['longest']:,}"
    shown = {
        "Series": f"{facts['series']:,}" + (f", column {columns['id']}" if facts["series"] > 1 else ""),
        "Time": f"{_readable_stamp(facts['first'])} to {_readable_stamp(facts['last'])}, column {columns['time']}",
        "Target": f"column {columns['target']}",
        "Frequency": facts["frequency"],
        "Season": f"{facts['season_length']:,} steps" if facts["season_length"] > 1 else "none",
        "Values": f"{facts['values']:,}, of which {facts['unobserved']:,} are not observed",
        "Lengths": lengths if facts["shortest"] < facts["longest"] else "",
        "Short": f"{facts['short']:,} with fewer values than two seasons" if facts["short"] else "",
        "Time zone": columns["tz"] or "",
        "Covariates": ", ".join(facts["covariates"]),
    }
    return {name: value for name, value in shown.items() if value}


def _text(stamp: Any) -> Any:
    return stamp.isoformat() if hasattr(stamp, "isoformat") else int(stamp)


def _readable_stamp(stamp: Any) -> str:
    return str(stamp).removesuffix("T00:00:00").replace("T", " ")
