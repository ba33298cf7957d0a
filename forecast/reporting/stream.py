"""Tables that are written row by row, because not all rows fit into memory at once."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pandas as pd

from forecast.errors import ParameterError
from forecast.reporting.report import atomic_file

SUFFIXES = (".csv", ".parquet")
Write = Callable[[pd.DataFrame], None]


@contextmanager
def table_writer(path: str | Path) -> Iterator[Write]:
    """Write a table in parts; the file appears when all are written, and not at all if something fails.

    Parameters
    ----------
    path : str or Path
        A .csv or .parquet file.

    Yields
    ------
    callable
        Takes the next rows; all parts must have the same columns.

    Raises
    ------
    ParameterError
        If the suffix is another one, the path cannot be written, or Parquet is asked for without pyarrow.

    Examples
    --------
    >>> with table_writer("cv.parquet") as write:  # doctest: +SKIP
    ...     backtest(models, panel, h=24, n_windows=200, refit=False, sink=write, keep=False)
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ParameterError(f"Cannot write {str(path)!r} row by row: its suffix must be {' or '.join(SUFFIXES)}.")
    with atomic_file(path) as file, _csv(file) if suffix == ".csv" else _parquet(file, path) as write:
        yield write


@contextmanager
def _csv(file: IO[bytes]) -> Iterator[Write]:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    empty = True

    def write(frame: pd.DataFrame) -> None:
        nonlocal empty
        frame.to_csv(text, index=False, header=empty, lineterminator="\n")
        empty = False

    try:
        yield write
        text.flush()
    finally:
        text.detach()  # whoever opened the file closes it


@contextmanager
def _parquet(file: IO[bytes], path: str | Path) -> Iterator[Write]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ParameterError(
            f"Cannot write {str(path)!r}: Parquet needs pyarrow; install gatecast[parquet] or write a .csv file."
        ) from error
    writer: Any = None

    def write(frame: pd.DataFrame) -> None:
        nonlocal writer
        table = pyarrow.Table.from_pandas(frame, schema=writer and writer.schema, preserve_index=False)
        writer = writer or pyarrow.parquet.ParquetWriter(file, table.schema)
        writer.write_table(table)

    try:
        yield write
    finally:
        if writer is not None:
            writer.close()
