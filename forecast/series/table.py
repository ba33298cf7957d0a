"""Files as tables: CSV of any common dialect and Parquet, and where a row of the table stands in its file."""

import csv
import difflib
import importlib.util
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import DataError
from forecast.series.numbers import MISSING, to_numbers

PLAIN_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
NOT_A_NUMBER = r"(?i:0\d+|true|false|yes|no)"  # leading zeros of identifiers, and truth values
SEPARATORS = (",", ";", "\t", "|")
SAMPLE_LINES = 500
FOREIGN = {  # the first bytes of what people give instead of a CSV file
    b"\xff\xfe": "is UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "is UTF-16 text; save it as UTF-8",
    b"PK\x03\x04": "is a spreadsheet or an archive; export the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "is a spreadsheet; export the sheet as CSV",
    b"\x1f\x8b": "is compressed; unpack it",
}


@dataclass(frozen=True)
class Source:
    """How messages call a table and its rows."""

    label: str
    path: Path | None = None  # of a CSV file
    separator: str = ","
    kept: npt.NDArray[np.int64] | None = None  # the rows that are still there, if some were left out

    def row(self, row: int) -> str:
        """Where row ``row`` (from 0) stands: a line of the file, or a row of the frame."""
        row = row if self.kept is None else int(self.kept[row])
        if self.path is None:
            return f"row {row} of {self.label} (counted from 0)"
        records = _records(_decoded(self.path.read_bytes(), self.path), self.separator)
        line = next(islice(records, row + 1, None), None)
        return f"line {line} of {self.label}" if line is not None else f"row {row} of {self.label}"

    @property
    def beginning(self) -> str:
        """The label at the beginning of a sentence."""
        return self.label.replace("the ", "The ", 1) if self.label.startswith("the ") else self.label


@dataclass(frozen=True)
class Table:
    """A frame of unchecked columns, and where it comes from."""

    frame: pd.DataFrame
    source: Source


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV or Parquet file as it is: numbers as numbers, everything else as text.

    CSV may be separated by commas, semicolons, tabs or bars, with a decimal comma where that is plain, in UTF-8
    with or without a byte order mark. Identifiers with leading zeros stay text.

    Parameters
    ----------
    path : str or Path
        The file; Parquet is known by its content, and needs pyarrow.

    Returns
    -------
    DataFrame
        One row for each line after the header.

    Raises
    ------
    DataError
        If there is no such file, or it cannot be read as a table.
    """
    return open_table(Path(path)).frame


def open_table(path: Path) -> Table:
    """``read_table`` with the source of the rows."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"There is no file {str(path)!r}; {_nearby(path)}.") from None
    except IsADirectoryError:
        raise DataError(f"{str(path)!r} is a directory; give a CSV or Parquet file in it.") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(f"{str(path)!r} cannot be opened ({reason}); check its path and permissions.") from None
    if raw[:4] == b"PAR1" or path.suffix.lower() in {".parquet", ".pq"}:
        return Table(_read_parquet(raw, path), Source(path.name))
    text = _decoded(raw, path)
    try:
        separator = _separator(text)
        return Table(_read_csv(text, separator, path), Source(path.name, path, separator))
    except csv.Error as error:
        raise DataError(f"{path.name} is not a table ({error}); export it again as CSV.") from None


def _nearby(path: Path) -> str:
    names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"the nearest name there is {str(path.with_name(close[0]))!r}" if close else "check its path"


def _read_parquet(raw: bytes, path: Path) -> pd.DataFrame:
    if importlib.util.find_spec("pyarrow") is None:
        raise DataError(
            f'{path.name} is a Parquet file, which needs pyarrow; install it with: pip install "gatecast[parquet]".'
        )
    try:
        return pd.read_parquet(io.BytesIO(raw), engine="pyarrow")
    except (OSError, ValueError):  # pyarrow raises subclasses of both
        raise DataError(f"{path.name} is not a whole Parquet file; write or download it again.") from None


def _decoded(raw: bytes, path: Path) -> str:
    for magic, meaning in FOREIGN.items():
        if raw.startswith(magic):
            raise DataError(f"{path.name} {meaning} before reading it.")
    if b"\0" in raw:
        raise DataError(f"{path.name} is not a text file (byte {raw.index(0)} is zero); give a CSV or a Parquet file.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path.name} is not UTF-8: byte {error.start} is 0x{raw[error.start]:02x}; save it again as UTF-8."
        ) from None
    if not text.strip():
        raise DataError(f"{path.name} is empty; give a file with a header line and rows.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _records(text: str, separator: str) -> Iterator[int]:
    """The last line number of each record, the header's first, as ``_parse`` counts them."""
    width = 0
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    for record in reader:
        if width == 1 or (record and not width) or any(cell.strip() for cell in record) or len(record) > 1:
            yield reader.line_num
            width = width or len(record)


def _separator(text: str) -> str:
    """The separator that cuts most of the first lines into as many cells as the header, and into the most cells."""
    lines = io.StringIO(text)
    sample = [line for _, line in zip(range(SAMPLE_LINES), lines, strict=False) if line.strip()]

    def fitness(separator: str) -> tuple[float, int]:
        widths = [len(record) for record in csv.reader(sample, delimiter=separator) if record]
        return (sum(width == widths[0] for width in widths) / len(widths), widths[0]) if widths[0] > 1 else (0.0, 0)

    return max(SEPARATORS, key=fitness)


def _read_csv(text: str, separator: str, path: Path) -> pd.DataFrame:
    text = text.lstrip("\n")
    header = next(csv.reader(io.StringIO(text), delimiter=separator))
    _check_header(header, path)
    sample = _parse(text, separator, path, width=len(header), nrows=SAMPLE_LINES, dtype=str)
    texts = [name for name in sample if not all(map(_is_plain, sample[name].unique()))]
    frame = _parse(
        text,
        separator,
        path,
        width=len(header),
        dtype=dict.fromkeys(texts, str),
        na_values={name: [*MISSING] for name in sample if name not in texts},
        low_memory=False,
    )
    for name in texts:
        numbers = to_numbers(frame[name], prefer_comma=separator == ";")
        if not (numbers.bad.any() or frame[name].str.fullmatch(NOT_A_NUMBER).any()):
            frame[name] = numbers.values
    return frame.rename(columns=str.strip)


def _is_plain(text: str) -> bool:
    """Whether pandas' own reader may take this text as a number, or as a missing one."""
    text = text.strip()
    return text in MISSING or (re.fullmatch(NOT_A_NUMBER, text) is None and PLAIN_NUMBER.fullmatch(text) is not None)


def _check_header(header: list[str], path: Path) -> None:
    cells = [cell.strip() for cell in header]
    if all(PLAIN_NUMBER.fullmatch(cell) or re.match(r"\d{4}-\d\d", cell) for cell in cells):
        raise DataError(
            f"The first line of {path.name} ({', '.join(cells)!r}) is data; put a header such as 'ds,y' above it."
        )
    twice = [cell for cell in cells if cell and cells.count(cell) > 1]
    if twice:
        raise DataError(f"{path.name} has {cells.count(twice[0])} columns named {twice[0]!r}; give each its own name.")


def _parse(text: str, separator: str, path: Path, *, width: int, **options: Any) -> pd.DataFrame:
    """Cells as they stand; in a single column a blank line is a missing value, elsewhere it is nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame: pd.DataFrame = pd.read_csv(
                io.StringIO(text),
                sep=separator,
                index_col=False,
                skip_blank_lines=width > 1,
                skipinitialspace=True,
                keep_default_na=False,
                **options,
            )
            return frame
    except pd.errors.ParserWarning:
        raise DataError(
            f"The rows of {path.name} have more cells than its header ({width}); name every column."
        ) from None
    except pd.errors.ParserError as error:
        reason = str(error).replace("Error tokenizing data. C error: ", "").strip().rstrip(".")
        raise DataError(f"{path.name} is not a table ({reason}); mend that line.") from None
