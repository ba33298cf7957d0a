"""Columns by what they hold, and the table of those that have no role yet."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import pandas as pd

from forecast.series.numbers import MISSING, TRUTH, is_texts, to_numbers
from forecast.series.stamps import readable_share
from forecast.series.table import Table

Kind = Literal["stamps", "numbers", "flags", "text", "empty"]

SAMPLE_ROWS = 200
MANY_REPEATS = 0.1  # share of rows with the time of another, from which on it is no mistake


class Guess:
    """What is known of a table while its columns are being given their roles."""

    def __init__(self, table: Table) -> None:
        self.frame, self.label, self.beginning = table.frame, table.source.label, table.source.beginning
        self.kinds = {name: kind_of(self.frame[name]) for name in self.frame.columns}
        self.taken: set[str] = set()
        self.notes: list[str] = []

    def take(self, *names: str) -> None:
        self.taken.update(names)

    def free(self, *kinds: Kind) -> list[str]:
        """Columns without a role, of some kinds."""
        return [name for name, kind in self.kinds.items() if name not in self.taken and (not kinds or kind in kinds)]

    def preferred(self, preference: Sequence[str], candidates: Iterable[str]) -> str | None:
        """The candidate that comes first in an order of names, whatever their case."""
        by_name = {name.strip().casefold(): name for name in reversed(list(candidates))}
        return next((by_name[name] for name in preference if name in by_name), None)


def kind_of(column: "pd.Series[Any]") -> Kind:
    """What a column holds, judged from a sample; dirt in a minority of cells is left to be found later."""
    dtype = column.dtype
    if isinstance(dtype, pd.DatetimeTZDtype | pd.PeriodDtype) or pd.api.types.is_datetime64_dtype(dtype):
        return "stamps"
    if pd.api.types.is_bool_dtype(dtype):
        return "flags"
    if pd.api.types.is_numeric_dtype(dtype):
        return "numbers" if column.notna().any() else "empty"
    if not is_texts(column):
        return "text"
    sample = column.iloc[:: max(1, len(column) // SAMPLE_ROWS)].dropna().astype(str).str.strip()
    texts = [text for text in sample.tolist() if text not in MISSING]
    if not texts:
        return "empty" if column.dropna().astype(str).str.strip().isin(MISSING).all() else "text"
    if all(text.casefold() in TRUTH for text in texts):
        return "flags"
    numbers = to_numbers(pd.Series(texts, dtype=object))
    if numbers.bad.mean() < 0.5 and not any(len(text) > 1 and text[0] == "0" and text.isdigit() for text in texts):
        return "numbers"
    return "stamps" if readable_share(texts) > 0.5 else "text"


def listed(names: Iterable[object]) -> str:
    """Names in quotes, the first ten of them."""
    names = list(names)
    return ", ".join(repr(name) for name in names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def is_unnamed(name: str) -> bool:
    """Whether a column has no name in its file."""
    return name.strip() == "" or name.startswith("Unnamed: ")
