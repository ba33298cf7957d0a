"""Targets that are no numbers: states of a machine, stages of a process.

A column is one of categories if the caller or pandas calls it so, or if it holds texts of which none can be read as a
number, at most 20 different ones or each twice on average. A number among texts, or a text among numbers, is rather a
mistake, and is told as one.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import DataError
from forecast.series.columns import listed
from forecast.series.numbers import MISSING, factorized, is_texts, to_numbers
from forecast.series.panel import Category, Panel

FEW = 20  # different texts that are always categories
FEW_CODES, MANY_ROWS = 10, 50  # different whole numbers in so many values that may well be codes


class Categories(NamedTuple):
    """A column read as categories."""

    names: tuple[Category, ...]  # in the order that the column has, else sorted
    values: npt.NDArray[np.float64]  # (n,) places in names, NaN where missing


def categories_of(column: "pd.Series[Any]", *, asked: bool = False) -> Categories | None:
    """Read a target as categories; None if it is none.

    Parameters
    ----------
    column : Series (n,)
        Of any type.
    asked : bool, default False
        Whether the caller says that it is one: numbers are then codes. Whole ones stay such, others become texts.

    Raises
    ------
    DataError
        If the caller says so of a column of more than 20 different values that come less than twice on average.
    """
    declared = isinstance(column.dtype, pd.CategoricalDtype)
    if asked and not declared:
        return _as_asked(column)
    if not declared and (not is_texts(column) or not to_numbers(column).bad.any()):
        return None
    codes, unique = factorized(column)
    texts = [text.strip() for text in unique]
    present = {text for text in texts if text not in MISSING}
    if not declared:
        known = column.dropna().astype(str).str.strip()
        numbers = to_numbers(known[~known.isin(MISSING)])
        if not numbers.bad.all() or len(present) > max(FEW, len(numbers.bad) // 2):
            return None
    order = [str(name).strip() for name in column.cat.categories] if declared else sorted(present)
    names = tuple(name for name in dict.fromkeys(order) if name in present)
    found = _placed(names, codes, texts)
    whole = declared and pd.api.types.is_integer_dtype(column.cat.categories.dtype)
    return found._replace(names=tuple(map(int, names))) if whole else found


def _as_asked(column: "pd.Series[Any]") -> Categories:
    """Values of any type as categories: whole numbers as such, in their order, all else as texts."""
    numbers = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
    if numbers and bool(np.all(column.dropna() % 1 == 0)):
        column = column.astype("Int64")
    codes, unique = factorized(column)
    texts = [text.strip() for text in unique]
    present = {text for text in texts if text not in MISSING}
    if len(present) > max(FEW, int((codes >= 0).sum()) // 2):
        raise DataError(
            f"Column {column.name!r} has {len(present):,} different values in {len(column):,} rows, too many for "
            "categories; leave out --categorical (categorical=), or name another column with --target (target_col=)."
        )
    if column.dtype != "Int64":
        return _placed(tuple(sorted(present)), codes, texts)
    found = _placed(tuple(sorted(present, key=int)), codes, texts)
    return found._replace(names=tuple(map(int, found.names)))


def _placed(names: tuple[str, ...], codes: npt.NDArray[np.intp], texts: list[str]) -> Categories:
    """Places of factorized texts among names."""
    place = {name: float(k) for k, name in enumerate(names)}
    values = np.array([place.get(text, np.nan) for text in [*texts, ""]])
    return Categories(names, values[codes])  # code -1, missing, is the entry added at the end


def are_categories(names: Sequence[object]) -> bool:
    """Whether something read from a file can be the categories of a panel."""
    texts = all(isinstance(name, str) for name in names)
    whole = all(isinstance(name, int) and not isinstance(name, bool) for name in names)
    return (texts or whole) and len(set(names)) == len(names)


def perhaps_codes(panel: Panel) -> str | None:
    """A sentence on a target of few different whole numbers, which may be codes rather than amounts; or None."""
    if panel.categories:
        return None
    known = panel.y[~np.isnan(panel.y)]
    if len(known) < MANY_ROWS or np.any(known[:MANY_ROWS] % 1 != 0):
        return None
    values = np.unique(known)
    if not 2 <= len(values) <= FEW_CODES or np.any(values % 1 != 0):
        return None
    return (
        f"Column {panel.columns.target!r} holds only {len(values)} different whole numbers "
        f"({listed(int(value) for value in values)}); if they are codes of states, --categorical (categorical=True) "
        "forecasts them as categories."
    )


def recoded(panel: Panel, categories: tuple[Category, ...]) -> Panel:
    """The panel with its target as places in other categories, those of the data that a model has seen.

    Raises
    ------
    DataError
        If the panel has a category that they lack.
    """
    if panel.categories == categories:
        return panel
    place = {name: float(k) for k, name in enumerate(categories)}
    table = np.array([*(place.get(name, -1.0) for name in panel.categories), np.nan])
    y = table[np.nan_to_num(panel.y, nan=-1).astype(np.int64)]
    if (y < 0).any():
        row = int((y < 0).argmax())
        name = panel.categories[int(panel.y[row])]
        known = ", ".join(map(repr, categories[:10]))
        raise DataError(
            f"Column {panel.columns.target!r} has {name!r}, which the model has not seen in training; it knows {known}."
        )
    return replace(panel, y=y, categories=categories)
