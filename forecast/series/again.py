"""Data that are read again: where in them to look for what a panel was read from before."""

import pandas as pd

from forecast.series.columns import listed
from forecast.series.guess import ALL_COLUMNS
from forecast.series.panel import Panel
from forecast.series.table import Table
from forecast.words import counted


def has_no_values(table: Table, known: Panel, target: str | None) -> bool:
    """Whether a table with the columns of a panel has no value of any series."""
    columns = [target] if target in table.frame else [str(name) for name in known.ids if name in table.frame]
    return bool(columns) and bool(table.frame[columns].isna().all(axis=None))


def places_of(table: Table, known: Panel, strictly: bool) -> dict[str, str]:
    """Columns of a table that a panel was read from before: one series of many does not tell its identifier itself.

    ``strictly``, for a model from a file: the time column, and that of the target if there was one, must be there.
    """
    names, columns = known.columns, table.frame.columns
    places = {"id_col": names.id, "time_col": names.time, "target_col": names.target}
    needed = {"time_col"} if strictly else set()
    long = ({names.id, names.target} - {*known.ids}) & {*columns}
    if len(known.ids) > 1 and not long and pd.Index(known.ids).isin(columns).any():
        places["target_col"] = ALL_COLUMNS  # the series are columns, and other columns are new series
        needed.add("target_col")
    elif names.id in columns or (strictly and len(known.ids) == 1):
        needed.add("target_col")
    return {option: name for option, name in places.items() if name in columns or option in needed}


def freq_of(panel: Panel) -> str | int:
    """The frequency of a panel, as the caller would give it."""
    alias = panel.frequency.alias
    return int(alias) if panel.frequency.is_integer else alias


def new_series(panel: Panel, known: Panel) -> list[str]:
    """A sentence on series that were not there when the models were fitted."""
    new = pd.Index(panel.ids).difference(pd.Index(known.ids), sort=False)
    return (
        [f"{counted(len(new), 'series', 'series')} new since the models were fitted: {listed(new)}."]
        if len(new)
        else []
    )
