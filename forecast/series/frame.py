"""The one door through which data come in: a file or a frame becomes a Panel."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.errors import DataError, ParameterError
from forecast.series.frequency import Frequency, infer_flat, parse_frequency
from forecast.series.panel import Columns, Panel


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV or Parquet file."""
    return pd.read_parquet(path) if str(path).endswith(".parquet") else pd.read_csv(path)


def read_panel(
    data: "str | Path | pd.DataFrame | pd.Series[Any] | Panel",
    *,
    id_col: str | None = None,
    time_col: str | None = None,
    target_col: str | None = None,
    freq: str | int | None = None,
    season_length: int | None = None,
    tz: str | None = None,
) -> Panel:
    """Read series from a file or a frame."""
    if isinstance(data, Panel):
        return data
    if isinstance(data, pd.Series):
        data = pd.DataFrame({"ds": data.index, "y": data.to_numpy()})
    table = data if isinstance(data, pd.DataFrame) else read_table(data)
    id_name = id_col or ("unique_id" if "unique_id" in table else None)
    names = [str(name) for name in table.columns if name != id_name]
    time_name, target_name = time_col or names[0], target_col or ("y" if "y" in names else names[-1])
    for name in (id_name, time_name, target_name):
        if name is not None and name not in table:
            raise DataError(f"There is no column {name!r}; the columns are {names}.")
    stamps = table[time_name].to_numpy()
    if stamps.dtype.kind not in "iu":
        stamps = pd.to_datetime(table[time_name]).to_numpy().astype("datetime64[ns]")
    codes, ids = pd.factorize(table[id_name]) if id_name else (np.zeros(len(table), dtype=np.int64), [target_name])
    order = np.lexsort((stamps, codes))
    stamps, codes = stamps[order], codes[order]
    rows = np.concatenate([[0], np.cumsum(np.bincount(codes))])
    frequency = parse_frequency(freq) if freq is not None else infer_flat(stamps, rows)
    season = _season(season_length, frequency)
    starts = stamps[rows[:-1]]
    steps = frequency.positions(stamps, starts[codes])
    if (steps < 0).any():
        raise DataError(f"A stamp is not on the grid {frequency.describe()}.")
    indptr = np.concatenate([[0], np.cumsum(steps[rows[1:] - 1] + 1)])
    y = np.full(indptr[-1], np.nan)
    y[indptr[codes] + steps] = table[target_name].to_numpy(dtype=np.float64)[order]
    columns = Columns(id=id_name or "unique_id", time=time_name, target=target_name, tz=tz)
    return Panel(np.asarray(ids, dtype=object), indptr, y, starts, frequency, season, columns, {})


def _season(season_length: int | None, frequency: Frequency) -> int:
    if season_length is None:
        return frequency.season_length
    if season_length < 1:
        raise ParameterError(f"season_length is {season_length}; it must be at least 1.")
    return season_length
