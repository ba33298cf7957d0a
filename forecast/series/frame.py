"""The one door through which data come in: a file, a frame or a series becomes a Panel.

Notation: n rows, S series, k columns of a wide table.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import DataError, ParameterError
from forecast.series.assemble import Rows, assemble
from forecast.series.calendar import check_calendar, computed
from forecast.series.categories import categories_of
from forecast.series.columns import is_unnamed, kind_of, listed
from forecast.series.frequency import Frequency, parse_frequency
from forecast.series.grid import Ints, MonthGrid, Stamps
from forecast.series.guess import Roles, assign_roles
from forecast.series.guess_time import part_of, with_clock
from forecast.series.numbers import is_texts, to_numbers
from forecast.series.panel import Columns, Panel
from forecast.series.roles import Declared, Names
from forecast.series.stamps import Times, combine_parts, read_times
from forecast.series.static import aligned, check_named, static_columns
from forecast.series.table import Source, Table, open_table, read_table
from forecast.series.zones import check_zone, settle
from forecast.words import counted

__all__ = ["read_panel", "read_table"]


def read_panel(
    data: "str | Path | pd.DataFrame | pd.Series[Any] | Table | Panel",
    *,
    id_col: str | None = None,
    time_col: str | None = None,
    target_col: str | None = None,
    freq: str | int | None = None,
    season_length: int | None = None,
    tz: str | None = None,
    future: Names = (),
    historic: Names = (),
    static: Names = (),
    static_data: "str | Path | pd.DataFrame | None" = None,
    calendar: Names = (),
    holidays: Names = (),
    categorical: bool = False,
    least: int = 2,
) -> Panel:
    """Read series from a file or a frame; what is plain is guessed, and said in the panel's ``notes``.

    Parameters
    ----------
    data : str, Path, DataFrame, Series or Panel
        A CSV or Parquet file, or a frame: long (one row for each series and stamp), a single series (time and value),
        or wide (time, and one numeric column for each series). The index of a Series is its time. A Panel is
        returned as it is. A target of texts, or of pandas' categories, is one of categories; see
        `forecast.series.categories`.
    id_col, time_col, target_col : str, optional
        Names of the columns, guessed if left out. The target ``*`` takes every numeric column as a series.
    freq : str or int, optional
        A pandas alias, or an integer step for integer time; inferred if left out.
    season_length : int, optional
        Steps in a season, at least 1; by the frequency if left out.
    tz : str, optional
        The zone of stamps without one, and the zone to show stamps in.
    future, historic, static, calendar, holidays : str or iterable of str, optional
        The covariates that models may use: columns that are known ahead, columns that are known up to the cutoff
        alone, columns with one value for each series, features of the stamps, and countries whose public holidays are
        flagged; see `forecast.series.roles.Declared`. No column is used that is not declared. Rows with an empty
        target after the last value of a series hold the future of what is known ahead. In a wide table, all series
        share the covariates.
    static_data : str, Path or DataFrame, optional
        A table of static covariates, one row for each series, with the identifier column; without ``static`` all its
        columns are taken. Columns of ``data`` itself come first.
    categorical : bool, default False
        Whether the target is one of categories even if it holds numbers: codes such as 0, 1, 2, which outputs carry
        back as whole numbers.
    least : int, default 2
        Observed values that some series must have; 1 will do for histories that a fitted model forecasts from.

    Returns
    -------
    Panel
        On a regular grid: missing steps and empty values are unobserved (NaN), at neither end of a series.

    Raises
    ------
    DataError
        If the data cannot be read or understood; one sentence with the column or series, the value, and the fix.
    ParameterError
        If ``freq``, ``season_length``, ``tz`` or a feature of the calendar is no such thing.
    """
    _check_season(season_length)
    given = None if static_data is None else table_of(static_data)
    declared = Declared(*map(as_names, (future, historic, static, calendar, holidays)))
    if isinstance(data, Panel):
        data = data if season_length is None else replace(data, season_length=season_length)
        return declare(data, declared, given) if declared or given is not None else data
    check_zone(tz)
    frequency = None if freq is None else parse_frequency(freq)
    table, notes = _without_blank_rows(table_of(data))
    if isinstance(data, pd.Series) and not isinstance(data.index, pd.MultiIndex):
        time_col, target_col = (str(name) for name in table.frame.columns)
    names = (None if name is None else str(name) for name in (id_col, time_col, target_col))
    roles = assign_roles(table, *names, declared=declared)
    times = times_of(table, roles.time, tz, frequency)
    codes, ids = _identifiers(table, roles)
    stamps, zone, zone_notes = settle(times, codes, tz, frequency, table.source)
    covariates, covariate_notes = _covariates(table, roles, declared)
    if categorical and roles.target is None:
        raise DataError(
            "Categories are read from one target column, but several columns are the series here; name one with "
            "--target (target_col=), or leave out --categorical (categorical=)."
        )
    if roles.target is None:
        rows, categories = _wide_rows(table, roles.series, stamps, covariates), None
    else:
        categories = categories_of(table.frame[roles.target], asked=categorical)
        y = _target(table, roles.target) if categories is None else categories.values
        rows = Rows(ids, codes, stamps, y, covariates)
    columns = Columns(roles.id or "unique_id", _time_label(roles), roles.target or "y", zone)
    panel = assemble(
        rows, columns, frequency, season_length, anchored="-" in str(freq), future=declared.future, least=least
    )
    if categories is not None:
        note = f"Column {roles.target!r} holds {counted(len(categories.names), 'category', 'categories')}: "
        panel = replace(panel, categories=categories.names).with_notes([f"{note}{listed(categories.names)}."])
    own = [name for name in declared.static if name in table.frame] if roles.target is not None else []
    statics = static_columns(table, codes, ids, tuple(own))
    if statics:
        kept = pd.Index(ids).get_indexer(pd.Index(panel.ids)).astype(np.int64)
        panel = replace(panel, statics={name: aligned(values, kept) for name, values in statics.items()})
    panel = declare(panel, declared, given)
    said = [*notes, *roles.notes, *times.notes, *zone_notes, *covariate_notes]
    return replace(panel, notes=(*said, *panel.notes))


def as_names(given: Names) -> tuple[str, ...]:
    """One name or several, as a tuple."""
    return (given,) if isinstance(given, str) else tuple(str(name) for name in given)


def declare(panel: Panel, declared: Declared, static_data: Table | None = None) -> Panel:
    """The panel with covariates that models may use; what is computed from the stamps is added.

    Raises
    ------
    DataError
        If there is no such column, or a series has no row in ``static_data``.
    ParameterError
        If the frequency has no such feature of the calendar.
    """
    for option in ("future", "historic"):
        absent = [name for name in getattr(declared, option) if name not in panel.covariates]
        if absent:
            raise DataError(
                f"The panel has no column {absent[0]!r} for --{option} ({option}=); "
                f"its numeric columns are {listed(panel.covariates) or 'none'}."
            )
    check_calendar(declared, panel.frequency)
    statics, notes = dict(panel.statics), []
    if static_data is not None:
        names, given = _given_statics(panel, declared, static_data)
        if not declared.static:
            notes.append(
                f"Static covariates: {listed(names)}, all columns of the static data; --static (static=) takes some."
            )
        declared, statics = replace(declared, static=names), given | statics
    check_named(declared.static, statics, None if static_data is None else static_data.frame.columns)
    panel = replace(
        panel.with_notes(notes),
        declared=declared,
        statics={name: statics[name] for name in declared.static},
        ahead={name: values for name, values in panel.ahead.items() if name in declared.future},
    )
    if not declared.computed:
        return panel
    steps = np.arange(len(panel.y)) - np.repeat(panel.indptr[:-1], panel.lengths)
    stamps = panel.frequency.shift(np.repeat(panel.starts, panel.lengths), steps)
    return replace(panel, covariates=panel.covariates | computed(panel, stamps))


def _given_statics(panel: Panel, declared: Declared, table: Table) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Names and values (S,) of static covariates from a table of their own."""
    label = next((name for name in (panel.columns.id, "unique_id") if name in table.frame), None)
    if label is None:
        raise DataError(
            f"The static data have no column {panel.columns.id!r} that names the series; "
            f"their columns are {listed(map(str, table.frame.columns))}; rename the one that does."
        )
    codes, ids = _identifiers(table, Roles((), label, None, (), (), ()))
    columns = [str(name) for name in table.frame if name != label]
    names = declared.static or tuple(columns)
    if not names:
        raise DataError(f"The static data have no column beside {label!r}; add the covariates.")
    found = static_columns(table, codes, ids, tuple(name for name in names if name in columns), apart=True)
    rows = pd.Index([str(name) for name in ids]).get_indexer(pd.Index([str(name) for name in panel.ids]))
    absent = np.flatnonzero(rows < 0)
    if len(absent) and any(name not in panel.statics for name in found):
        raise DataError(
            f"Series {panel.ids[absent[0]]!r} has no row in the static data ({len(absent):,} series in all); add it."
        )
    return names, {name: aligned(values, rows.astype(np.int64)) for name, values in found.items()}


def _check_season(season_length: int | None) -> None:
    if season_length is None:
        return
    if isinstance(season_length, bool) or not isinstance(season_length, int | np.integer) or season_length < 1:
        raise ParameterError(f"The season length is {season_length!r}; it must be a whole number of steps, at least 1.")


# --------------------------------------------------------------------------------------------- the table


def table_of(data: "str | Path | pd.DataFrame | pd.Series[Any] | Table") -> Table:
    """A file, a frame or a series as a table of unchecked columns, its index among them if it says something."""
    if isinstance(data, Table):
        return data
    if isinstance(data, str | Path):
        return open_table(Path(data))
    if isinstance(data, pd.Series):
        name = "y" if data.name is None else str(data.name)
        if not isinstance(data.index, pd.MultiIndex):
            time = str(data.index.name or "ds")
            return Table(pd.DataFrame({time: data.index, name: data.array}), Source("the series"))
        data = data.to_frame(name)
    if isinstance(data, pd.DataFrame):
        return Table(_with_index_as_columns(data), Source("the frame"))
    raise ParameterError(f"Data of type {type(data).__name__} cannot be read; give a path, a DataFrame or a Series.")


def _with_index_as_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns with names that are texts; an index that says something becomes columns, a mere row number goes."""
    if isinstance(frame.columns, pd.MultiIndex):
        raise DataError(f"The columns of the frame have {frame.columns.nlevels} levels; flatten them to one.")
    named = frame.rename(columns=str)
    levels = [named.index.get_level_values(level) for level in range(named.index.nlevels)]
    telling = [level for level in levels if level.name is not None or _reads_as_time(level)]
    named = named.reset_index(drop=True)
    for level in reversed(telling):
        name = str(level.name if level.name is not None else "ds")
        if name not in named:
            named.insert(0, name, level.to_series(index=named.index))
    twice = named.columns[named.columns.duplicated()]
    if len(twice):
        raise DataError(f"The frame has several columns named {twice[0]!r}; give each its own name.")
    return named


def _reads_as_time(index: "pd.Index[Any]") -> bool:
    return len(index) > 0 and index.dtype.kind not in "iuf" and kind_of(index.to_series()) == "stamps"


def _without_blank_rows(table: Table) -> tuple[Table, list[str]]:
    """Leave out rows without any value, as spreadsheets leave them at the end; refuse a table without rows."""
    frame, source = table.frame, table.source
    blank = np.ones(len(frame), dtype=bool)
    for name in frame if frame.shape[1] > 1 else ():
        column = frame[name]
        empty = column.isna() | column.isin(["", " "]) if is_texts(column) else column.isna()
        blank &= empty.to_numpy(dtype=bool)
        if not blank.any():
            break
    blank &= frame.shape[1] > 1
    if blank.all():
        raise DataError(f"{source.beginning} has no rows of data, only the columns {list(frame.columns)}; add rows.")
    if not blank.any():
        return table, []
    kept = np.flatnonzero(~blank)
    what = counted(int(blank.sum()), "blank row is left out", "blank rows are left out")
    note = f"{what} (first: {source.row(int(blank.argmax()))})."
    return Table(frame.iloc[kept].reset_index(drop=True), replace(source, kept=kept)), [note]


# --------------------------------------------------------------------------------------------- the columns


def times_of(table: Table, time: tuple[str, ...], tz: str | None, frequency: Frequency | None) -> Times:
    """The time of each row, from one column, from a date and a time of day, or from parts of a date."""
    times = _times(table.frame, time, table, tz)
    return times if frequency is None else _years_as_dates(times, frequency)


def _times(frame: pd.DataFrame, time: tuple[str, ...], table: Table, tz: str | None) -> Times:
    if not time:
        return Times(np.arange(len(frame)), np.zeros(len(frame), dtype=bool), None)
    if len(time) == 1:
        return read_times(frame[time[0]], time[0], table.source, tz)
    if part_of(time[0]) != "year":
        return read_times(with_clock(frame[time[0]], frame[time[1]]), time[0], table.source, tz)
    return combine_parts({part_of(name): to_numbers(frame[name]).values.astype(np.int64) for name in time})


def _years_as_dates(times: Times, frequency: Frequency) -> Times:
    """Years as whole numbers become dates if a yearly frequency was asked for."""
    years, grid = times.stamps, frequency.grid
    if years.dtype.kind != "i" or not isinstance(grid, MonthGrid) or grid.cycle != 12:
        return times
    if years.min() < 1678 or years.max() > 2261:
        return times
    months = (years - 1970) * 12 + grid.phase
    return times._replace(stamps=grid.join(months, np.zeros_like(months)))


def _time_label(roles: Roles) -> str:
    if len(roles.time) != 1 or is_unnamed(roles.time[0]):
        return "ds"
    return roles.time[0]


def _identifiers(table: Table, roles: Roles) -> tuple[Ints, npt.NDArray[np.object_]]:
    """Code (n,) of each row, and ids (S,) in the order in which they first appear."""
    if roles.id is None:
        return np.zeros(len(table.frame), dtype=np.int64), np.array([roles.target], dtype=object)
    codes, unique = pd.factorize(table.frame[roles.id])
    ids = [_identifier(value) for value in unique]
    absent = (codes < 0) | np.array([*(isinstance(value, str) and not value.strip() for value in ids), True])[codes]
    if absent.any():
        row = table.source.row(int(absent.argmax()))
        raise DataError(f"Column {roles.id!r} has no identifier in {row}; fill it in or remove the row.")
    result = np.empty(len(ids), dtype=object)
    result[:] = ids
    return codes.astype(np.int64), result


def _identifier(value: Any) -> str | int:
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return int(value)
    return str(value)


def _target(table: Table, name: str) -> npt.NDArray[np.float64]:
    """(n,) values; NaN where empty."""
    column = table.frame[name]
    numbers = to_numbers(column)
    if numbers.bad.any():
        row = int(numbers.bad.argmax())
        raise DataError(
            f"Column {name!r} has {str(column.iloc[row])!r} in {table.source.row(row)}, which is no number; "
            "correct it, or leave the cell empty if the value is unknown."
        )
    infinite = np.isinf(numbers.values)
    if infinite.any():
        row = int(infinite.argmax())
        raise DataError(
            f"Column {name!r} has {numbers.values[row]} in {table.source.row(row)}; "
            "correct it, or leave the cell empty if the value is unknown."
        )
    return numbers.values


def _wide_rows(
    table: Table, names: tuple[str, ...], stamps: Stamps, covariates: dict[str, npt.NDArray[np.float64]]
) -> Rows:
    """The k columns of a wide table, one after another: k * n rows; they share the covariates (n,)."""
    ids = np.empty(len(names), dtype=object)
    ids[:] = names
    values = np.concatenate([_target(table, name) for name in names])
    shared = {name: np.tile(one, len(names)) for name, one in covariates.items()}
    return Rows(ids, np.repeat(np.arange(len(names)), len(stamps)), np.tile(stamps, len(names)), values, shared)


def _covariates(table: Table, roles: Roles, declared: Declared) -> tuple[dict[str, npt.NDArray[np.float64]], list[str]]:
    """Numeric columns (n,); one that is not numeric throughout is left aside, and said, or refused if declared."""
    covariates, notes = {}, []
    for name in roles.covariates:
        numbers = to_numbers(table.frame[name])
        bad = numbers.bad | np.isinf(numbers.values)
        if bad.any():
            row = int(bad.argmax())
            value = str(table.frame[name].iloc[row])
            if name in declared.columns and kind_of(table.frame[name]) == "text":
                raise DataError(
                    f"Covariate {name!r} holds text, such as {value!r} in {table.source.row(row)}; declare it with "
                    "--static (static=) if each series has one text, or write numbers instead, e.g. 0 and 1."
                )
            if name in declared.columns:
                raise DataError(
                    f"Covariate {name!r} has {value!r} in {table.source.row(row)}, which is no number; "
                    "correct it, or leave the cell empty if the value is unknown."
                )
            notes.append(f"Covariate {name!r} is ignored: it has {value!r} in {table.source.row(row)}.")
        else:
            covariates[name] = numbers.values
    return covariates, notes
