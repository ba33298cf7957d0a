"""Static covariates: one value for each series, from columns of the data or from a table of their own.

Notation: n rows, S series.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import DataError
from forecast.series.columns import kind_of, listed
from forecast.series.grid import Ints
from forecast.series.numbers import to_numbers
from forecast.series.table import Table

Values = npt.NDArray[Any]  # (S,) float64, or object of str and None


def static_columns(
    table: Table, codes: Ints, ids: npt.NDArray[np.object_], names: tuple[str, ...], *, apart: bool = False
) -> dict[str, Values]:
    """One value (S,) for each series of columns that do not change within a series.

    A column of numbers stays one; texts, and a pandas category of whatever, are categories. ``apart``: the table holds
    nothing else.

    Raises
    ------
    DataError
        If a series has two values, or a number is none.
    """
    return {name: _static(table, codes, ids, name, apart) for name in names}


def _static(table: Table, codes: Ints, ids: npt.NDArray[np.object_], name: str, apart: bool) -> Values:
    column = table.frame[name]
    category = isinstance(column.dtype, pd.CategoricalDtype) or kind_of(column) not in ("numbers", "flags", "empty")
    values: pd.Series[Any]
    if category:
        values = column.astype(str).where(column.notna()).astype(object)
    else:
        numbers = to_numbers(column)
        if numbers.bad.any() or np.isinf(numbers.values).any():
            row = int((numbers.bad | np.isinf(numbers.values)).argmax())
            raise DataError(
                f"Static column {name!r} has {str(column.iloc[row])!r} in {table.source.row(row)}, which is no number; "
                "correct it, or leave the cell empty if the value is unknown."
            )
        values = pd.Series(numbers.values)
    by_series = values.reset_index(drop=True).groupby(codes)
    changing = (by_series.nunique() > 1).to_numpy()
    if changing.any():
        code = int(by_series.nunique().index.to_numpy()[changing.argmax()])
        found = values.reset_index(drop=True)[codes == code].dropna().unique().tolist()
        if apart:
            raise DataError(
                f"The static data have both {found[0]!r} and {found[1]!r} in column {name!r} for series {ids[code]!r}; "
                "keep one row for each series."
            )
        raise DataError(
            f"Column {name!r} is declared static, but series {ids[code]!r} has both {found[0]!r} and {found[1]!r}; "
            "declare it with --future or --historic (future=, historic=), or give each series one value."
        )
    first = by_series.first().reindex(np.arange(len(ids))).to_numpy()
    if not category:
        return np.asarray(first, dtype=np.float64)
    out = np.empty(len(ids), dtype=object)
    out[:] = [None if pd.isna(value) else str(value) for value in first]
    return out


def aligned(values: Values, rows: Ints) -> Values:
    """Values (S,) of the series in other rows; unknown where the row is -1."""
    if values.dtype.kind == "f":
        return np.append(values, np.nan)[rows]
    return np.append(values, np.array([None], dtype=object))[rows]


def check_named(names: tuple[str, ...], known: Iterable[str], columns: Iterable[str] | None) -> None:
    """Refuse static covariates that stand neither in the data nor in the static data, which have these columns, if any.

    Raises
    ------
    DataError
        Naming the first of them.
    """
    missing = next((name for name in names if name not in known), None)
    if missing is None:
        return
    if columns is None:
        where, fix = "the data", "name the table that has it with --static-data (static_data=)"
    else:
        where, fix = "the data or the static data", f"the columns of the latter are {listed(columns)}"
    raise DataError(f"There is no column {missing!r} for --static (static=) in {where}; {fix}.")
