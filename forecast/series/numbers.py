"""Numbers out of columns of any type: thousands separators, decimal commas, markers of missing values."""

import re
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "null", "NULL", "None", "none", "<NA>", "#N/A", "-", ".", "?")
TRUTH = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
DECIMAL_POINT = re.compile(r"[+-]?(\d+|\d{1,3}(?:[, '’]\d{3})+)?(\.\d*)?([eE][+-]?\d+)?")  # noqa: RUF001
DECIMAL_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(?:[. '’]\d{3})+)?(,\d*)?([eE][+-]?\d+)?")  # noqa: RUF001
INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
SPACES = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2212": "-"})  # no-break spaces, minus sign


class Numbers(NamedTuple):
    """A column read as numbers."""

    values: npt.NDArray[np.float64]  # (n,) NaN where missing or not a number
    bad: npt.NDArray[np.bool_]  # (n,) True where there is something, but not a number


def to_numbers(column: "pd.Series[Any]", *, prefer_comma: bool = False) -> Numbers:
    """Read a column as numbers; ``1,234.5``, ``1 234,5`` and truth values count as numbers too.

    All values of a text column are read in one style, the one that fits more of them.

    Parameters
    ----------
    column : Series (n,)
        Of any type.
    prefer_comma : bool, default False
        Whether ``1,234`` is one and a bit, should both styles fit: the comma is decimal where semicolons separate.

    Returns
    -------
    Numbers
        Values and a mask of what could not be read.
    """
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_complex_dtype(column.dtype):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return Numbers(values, np.zeros(len(values), dtype=bool))
    if not is_texts(column):
        return Numbers(np.full(len(column), np.nan), column.notna().to_numpy(dtype=bool))
    codes, unique = factorized(column)
    texts = [text.strip().translate(SPACES) for text in unique]
    present = [text not in MISSING for text in texts]
    styles = [_in_style(texts, comma) for comma in (prefer_comma, not prefer_comma)]
    if any(present) and all(text.lower() in TRUTH for text in texts if text not in MISSING):
        styles = [[TRUTH.get(text.lower()) for text in texts]]
    chosen = min(styles, key=lambda values: sum(value is None for value in values))
    values = np.array([np.nan if value is None else value for value in [*chosen, None]], dtype=np.float64)
    bad = np.array([here and value is None for here, value in zip(present, chosen, strict=True)] + [False])
    return Numbers(values[codes], bad[codes])  # code -1, missing, is the entry added at the end


def is_texts(column: "pd.Series[Any]") -> bool:
    """Whether a column holds texts or mixed objects."""
    dtype = column.dtype
    return isinstance(dtype, pd.CategoricalDtype) or dtype.kind == "O" or pd.api.types.is_string_dtype(dtype)


def factorized(column: "pd.Series[Any]") -> tuple[npt.NDArray[np.intp], list[str]]:
    """Codes (n,) and their texts; -1 where there is nothing."""
    codes, unique = pd.factorize(column)
    return codes, [str(value) for value in unique]


def _in_style(texts: list[str], comma: bool) -> list[float | None]:
    pattern, decimal, thousands = (DECIMAL_COMMA, ",", r"[. '’]") if comma else (DECIMAL_POINT, ".", r"[, '’]")  # noqa: RUF001

    def read(text: str) -> float | None:
        found = pattern.fullmatch(text)
        if found is None or not (found[1] or len(found[2] or "") > 1):
            return float(text) if INFINITE.fullmatch(text) else None
        return float(re.sub(thousands, "", text).replace(decimal, "."))

    return [read(text) for text in texts]
