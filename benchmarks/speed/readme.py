"""Tables as Markdown, and their place in README.md.

Between the two markers each section has a marker of its own, so that a run of some sections leaves the others alone.
"""

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

BEGIN, END = "<!-- speed:begin -->", "<!-- speed:end -->"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def machine() -> str:
    """Processor, cores and system, in words."""
    name = platform.processor() or platform.machine()
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        names = [line.split(":", 1)[1].strip() for line in facts.read_text().splitlines() if "model name" in line]
        name = names[0] if names else name
    return f"{name}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def footer(command: str, versions: Sequence[str]) -> str:
    """Where a section's figures come from."""
    return f"{date.today().isoformat()}, {machine()}; {', '.join(versions)}. `{command}`"


def has_markers(path: Path) -> bool:
    """Whether a file says where the tables go."""
    text = path.read_text(encoding="utf-8")
    return 0 <= text.find(BEGIN) < text.find(END)


def write(path: Path, sections: Mapping[str, str], order: Sequence[str]) -> None:
    """Put sections between the markers of a file; sections that are not given stay as they are."""
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN, 1)
    inside, after = rest.split(END, 1)
    kept = {name: _section(inside, name) for name in order}
    merged = {name: sections.get(name) or kept[name] for name in order}
    body = "\n".join(f"{_marker(name)}\n{content}\n" for name, content in merged.items() if content)
    path.write_text(f"{before}{BEGIN}\n{body}{END}{after}", encoding="utf-8")


def _marker(name: str) -> str:
    return f"<!-- speed:{name} -->"


def _section(inside: str, name: str) -> str:
    _, found, rest = inside.partition(_marker(name))
    return rest.split("<!-- speed:", 1)[0].strip() if found else ""
