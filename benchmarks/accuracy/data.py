"""From the file to histories and truths.

Notation: S series, h horizon.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.accuracy.sets import DataSet
from forecast.series.table import read_table

Floats = npt.NDArray[np.float64]
SPLITS = ("test", "validation")


@dataclass(frozen=True)
class Split:
    """What the models see, and what they are judged by."""

    history: pd.DataFrame
    """Long: unique_id, ds, y."""
    ids: "pd.Index[Any]"
    """(S,) in the order in which forecasts come."""
    past: list[Floats]
    """Each series' history."""
    truth: Floats
    """(S, h), NaN where unobserved."""


def read_split(path: Path, dataset: DataSet, split: str, every: int = 1) -> Split:
    """Read a data set and cut it.

    Parameters
    ----------
    path : Path
        Parquet or CSV with unique_id, ds, y and split.
    dataset : DataSet
        Says which series, and the horizon.
    split : {"test", "validation"}
        "validation" drops the test part and takes the last ``horizon`` training values of each series in its place.
    every : int, default 1
        Take each k-th series only, for methods that are slow.
    """
    frame = read_table(path)
    if dataset.rolling:
        frame = _rolled(frame, dataset)
    frame["unique_id"] = frame["unique_id"].astype(str)
    frame = frame[frame["unique_id"].str.startswith(dataset.prefix)]
    if dataset.filled_run:
        frame["y"] = frame["y"].mask(_is_filled(frame, dataset.filled_run))
    train = frame[frame["split"].astype(str) == "train"]
    ids = pd.Index(train["unique_id"].unique())[::every]
    train = train[train["unique_id"].isin(ids)]
    if split == "validation":
        place = train.groupby("unique_id", sort=False).cumcount(ascending=False)
        train, future = train[place >= dataset.horizon], train[place < dataset.horizon]
        ids = ids[ids.isin(train["unique_id"])]
    else:
        future = frame[frame["split"].astype(str) == "test"]
    future = future[future["unique_id"].isin(ids)]
    truth = np.full((len(ids), dataset.horizon), np.nan)
    step = future.groupby("unique_id", sort=False).cumcount().to_numpy()
    inside = step < dataset.horizon
    truth[ids.get_indexer(future["unique_id"])[inside], step[inside]] = future["y"].to_numpy(float)[inside]
    last = ~train.duplicated("unique_id", keep="last")
    train = train.assign(y=train["y"].where(train["y"].notna() | ~last, train.groupby("unique_id")["y"].ffill()))
    past = {name: values.to_numpy(float) for name, values in train.groupby("unique_id", sort=False)["y"]}
    return Split(train[["unique_id", "ds", "y"]], ids, [past[name] for name in ids], truth)


def _rolled(wide: pd.DataFrame, dataset: DataSet) -> pd.DataFrame:
    """A long table of each column's last horizons, with the history of each; the first column holds stamps."""
    h, parts = dataset.horizon, []
    stamps = pd.to_datetime(wide.iloc[:, 0])
    for name in wide.columns[1:]:
        for window in range(dataset.rolling):
            end = len(wide) - window * h
            rows = slice(end - h - dataset.history, end)
            split = np.where(np.arange(dataset.history + h) < dataset.history, "train", "test")
            one = {"unique_id": f"{name} {window}", "ds": stamps[rows], "y": wide[name][rows], "split": split}
            parts.append(pd.DataFrame(one))
    return pd.concat(parts, ignore_index=True)


def _is_filled(frame: pd.DataFrame, least: int) -> "pd.Series[bool]":
    """Which values only repeat the one before, in runs of at least ``least`` equal values."""
    begins = (frame["y"] != frame["y"].shift()) | (frame["unique_id"] != frame["unique_id"].shift())
    run = begins.cumsum()
    return ~begins & (run.map(run.value_counts()) >= least)
