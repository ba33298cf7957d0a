"""What is written and printed: files that are whole or absent, tables for the terminal, and the HTML page."""

import os
import re
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pandas as pd

from forecast.errors import DataError, ParameterError
from forecast.evaluation.summary import Evaluation, best, formatted
from forecast.reporting.page import html_report, text_columns

if TYPE_CHECKING:
    from rich.console import JustifyMethod
    from rich.table import Table

__all__ = [
    "atomic_file",
    "evaluation_table",
    "forecast_table",
    "html_report",
    "text_columns",
    "write_table",
    "write_text_atomic",
]

MAX_ID_WIDTH = 24
SUFFIXES = (".csv", ".parquet", ".json")


def write_text_atomic(path: str | Path, text: str | bytes) -> None:
    """Write a file so that it is either complete or as it was before.

    The text goes to a temporary file in the same folder, which then takes the place of ``path``; a symbolic link
    is followed, and what is no regular file, such as ``/dev/stdout``, is written to directly.

    Parameters
    ----------
    path : str or Path
        Where to write.
    text : str or bytes
        What to write; text is encoded as UTF-8, line breaks as they are.

    Raises
    ------
    ParameterError
        If the path is a folder, its folder does not exist, or it cannot be written to.
    """
    with atomic_file(path) as file:
        file.write(text.encode("utf-8") if isinstance(text, str) else text)


@contextmanager
def atomic_file(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a file for writing that takes the place of ``path`` when it is closed, or never if something fails.

    As `write_text_atomic`, for what is written bit by bit.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise ParameterError(f"Cannot write {str(path)!r}: it is a folder; give the name of a file.")
    if not target.parent.is_dir():
        raise ParameterError(
            f"Cannot write {str(path)!r}: the folder {str(target.parent)!r} does not exist; create it."
        )
    try:
        with open(target, "wb") if target.exists() and not target.is_file() else _replacing(target) as file:
            yield file
    except OSError as error:
        reason = error.strerror or str(error)
        raise ParameterError(f"Cannot write {str(path)!r}: {reason}; choose another place.") from error


@contextmanager
def _replacing(target: Path) -> Iterator[IO[bytes]]:
    temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
        if target.exists():
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        os.replace(temporary, target)
    except BaseException:  # also when interrupted, nothing half-written stays behind
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise


def write_table(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a table as CSV, Parquet or JSON (one object per row), as the suffix of the path says.

    An index with a name is written as the first column; stamps in JSON are ISO 8601 with their offset.

    Raises
    ------
    ParameterError
        If the suffix is another one, the path cannot be written, or Parquet is asked for without pyarrow.
    DataError
        If a column holds values that Parquet cannot store.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ParameterError(f"Cannot write {str(path)!r}: its suffix must be one of {', '.join(SUFFIXES)}.")
    table = frame if frame.index.name is None else frame.reset_index()
    if suffix == ".csv":
        content: str | bytes = table.to_csv(index=False, lineterminator="\n")
    elif suffix == ".json":
        content = _json(table)
    else:
        content = _parquet(table, path)
    write_text_atomic(path, content)


def _json(table: pd.DataFrame) -> str:
    zoned = [name for name, dtype in table.dtypes.items() if isinstance(dtype, pd.DatetimeTZDtype)]
    # pandas would move stamps with a time zone to UTC
    plain = table.assign(**{str(name): [stamp.isoformat() for stamp in table[name]] for name in zoned})
    text = plain.to_json(orient="records", date_format="iso", double_precision=15, indent=2, force_ascii=False)
    return text + "\n"


def _parquet(table: pd.DataFrame, path: str | Path) -> bytes:
    try:
        return table.to_parquet(index=False)
    except ImportError as error:
        raise ParameterError(
            f"Cannot write {str(path)!r}: Parquet needs pyarrow; install gatecast[parquet] or write a .csv file."
        ) from error
    except (ValueError, TypeError) as error:
        raise DataError(f"Cannot write {str(path)!r} as Parquet ({error}); write a .csv file.") from error


def evaluation_table(evaluation: Evaluation) -> "Table":
    """The figures of an evaluation for the terminal, the best of each column in bold."""
    from rich.text import Text

    table = _plain_table(None)
    table.add_column("model", no_wrap=True)
    cells, winners = formatted(evaluation.shown), best(evaluation.shown)
    for column in cells.columns:
        head = str(column).replace("coverage-", "coverage\n")
        table.add_column(head, justify="right", min_width=max(map(len, cells[column])), overflow="fold")
    for model, row in cells.iterrows():
        marked = [Text(row[column], style="bold" if model in winners[str(column)] else "") for column in cells.columns]
        table.add_row(Text(str(model)), *marked)
    return table


def forecast_table(frame: pd.DataFrame, max_rows: int = 12) -> "Table":
    """The first rows of a table for the terminal; a caption says how many are not shown."""
    from rich.text import Text

    hidden = len(frame) - max_rows
    table = _plain_table(f"{hidden} more rows" if hidden > 0 else None)
    columns = text_columns(frame.head(max_rows))
    for name, (cells, numeric) in columns.items():
        if name == frame.columns[0]:  # identifiers may be cut where room is short, figures may not
            table.add_column(Text(name), no_wrap=True, max_width=MAX_ID_WIDTH)
        else:
            justify: JustifyMethod = "right" if numeric else "left"
            head = re.sub(r"-((?:lo|hi|q)-[\d.]+)$", r"\n\1", name)
            table.add_column(Text(head), justify=justify, min_width=max(map(len, cells), default=0), overflow="fold")
    for row in zip(*(cells for cells, _ in columns.values()), strict=True):
        table.add_row(*map(Text, row))
    return table


def _plain_table(caption: str | None) -> "Table":
    from rich import box
    from rich.table import Table

    return Table(
        box=box.SIMPLE_HEAD,
        header_style="bold",
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        caption=caption,
        caption_justify="left",
    )
