"""Targets that are no numbers: states of a machine, stages of a process.

A column is one of categories if pandas calls it so, or if it holds texts of which none can be read as a number, at most
20 different ones or each twice on average. A number among texts, or a text among numbers, is rather a mistake, and is
told as one.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import DataError
from forecast.series.numbers import MISSING, factorized, is_texts, to_numbers
from forecast.series.panel import Panel

FEW = 20  # different texts that are always categories


class Categories(NamedTuple):
    """A column read as categories."""

    names: tuple[str, ...]  # in the order that the column has, else sorted
    values: npt.NDArray[np.float64]  # (n,) places in names, NaN where missing


def categories_of(column: "pd.Series[Any]") -> Categories | None:
    """Read a target as categories; None if it is none.

    Parameters
    ----------
    column : Series (n,)
        Of any type.
    """
    declared = isinstance(column.dtype, pd.CategoricalDtype)
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
    place = {name: float(k) for k, name in enumerate(names)}
    values = np.array([place.get(text, np.nan) for text in [*texts, ""]])
    return Categories(names, values[codes])  # code -1, missing, is the entry added at the end


def recoded(panel: Panel, categories: tuple[str, ...]) -> Panel:
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
