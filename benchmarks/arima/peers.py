"""Our AutoARIMA beside statsforecast's, series by series."""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.speed.readme import footer, table
from benchmarks.speed.worker import Worker

SIDES = "benchmarks.arima.sides"
ALIKE = 0.1  # AICc may be worse by this much
HEAD = (
    "series",
    "number",
    "s ours",
    "s theirs",
    "times",
    "same d, D",
    "AICc ours +0.1",
    "theirs +0.1",
    "MASE",
    "theirs",
)


def main(arguments: argparse.Namespace) -> None:
    """Measure, and print a table in Markdown."""
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    sets, versions = [], []
    with (
        Worker("auto_gatecast", arguments.python, package=SIDES, **one_thread) as ours,
        Worker("auto_statsforecast", arguments.peer_python, package=SIDES, **one_thread) as theirs,
    ):
        for spec in arguments.sets:
            rows = [_compared(ours, theirs, *series) for series in read(spec)]
            sets.append(pd.DataFrame(rows).assign(set=Path(spec.split(":")[0]).stem))
            print(" | ".join(_told(sets[-1])), file=sys.stderr, flush=True)
            if arguments.series is not None:
                pd.concat(sets, ignore_index=True).to_csv(arguments.series, index=False)
        versions = [ours.call("versions", packages=["numba"]), theirs.call("versions", packages=["statsforecast"])]
    rows = [_told(one) for one in sets]
    if len(sets) > 1:
        rows.append(_told(pd.concat(sets, ignore_index=True).assign(set="all")))
    print(table(HEAD, rows), footer("python -m benchmarks.arima peers ...", versions), sep="\n\n")


def read(spec: str) -> Iterator[tuple[str, np.ndarray, np.ndarray, int]]:
    """Name, training values, test values and season of the series that a FILE:SEASON:COUNT:MATCH means."""
    file, season, count, match = [*spec.split(":", 3), "", "", ""][:4]
    frame = pd.read_parquet(file) if file.endswith(".parquet") else pd.read_csv(file)
    frame["unique_id"] = frame["unique_id"].astype(str)
    halves = {name: group["y"].to_numpy(np.float64) for name, group in frame.groupby(["unique_id", "split"])}
    names = [name for name in frame["unique_id"].unique() if (name, "train") in halves and re.search(match, name)]
    if count and int(count) < len(names):
        names = sorted(np.random.default_rng(0).choice(names, int(count), replace=False))
    for name in names:
        yield str(name), halves[name, "train"], halves[name, "test"], int(season or 1)


def _compared(
    ours: Worker, theirs: Worker, name: str, y: np.ndarray, test: np.ndarray, season: int
) -> dict[str, object]:
    row: dict[str, object] = {"name": name, "n": len(y)}
    for side, worker in (("ours", ours), ("theirs", theirs)):
        found = worker.call("fit", y=y.tolist(), season=season, h=len(test))
        orders, mean = found["orders"], np.array(found["mean"])
        model = {"orders": orders, "coefficients": found["coefficients"]}
        row |= {
            f"{side}_seconds": found["seconds"],
            f"{side}_orders": str(orders),
            f"{side}_differences": (orders[1], orders[4]),
            f"{side}_aicc": ours.call("aicc", y=y.tolist(), **model),
            f"{side}_mase": np.abs(mean - test).mean() / _scale(y, season),
            f"{side}_finite": bool(np.isfinite(mean).all()),
        }
    return row


def _scale(y: np.ndarray, season: int) -> float:
    """Mean absolute error of the seasonal naive forecasts within the history; NaN for one that has none."""
    lag = season if len(y) > season else 1
    return float(np.abs(y[lag:] - y[:-lag]).mean()) or np.nan


def _told(rows: pd.DataFrame) -> tuple[str, ...]:
    """One line of the table; shares are of the series that both difference alike and give a likelihood."""
    seconds = rows[["ours_seconds", "theirs_seconds"]].sum()
    alike = rows[rows["ours_differences"] == rows["theirs_differences"]]
    both = alike[np.isfinite(alike["ours_aicc"]) & np.isfinite(alike["theirs_aicc"])]
    behind = both["ours_aicc"] - both["theirs_aicc"]
    scaled = rows.dropna(subset=["ours_mase", "theirs_mase"])
    return (
        rows["set"].iloc[0],
        str(len(rows)),
        *(f"{value:.1f}" for value in seconds),
        f"{seconds.iloc[1] / seconds.iloc[0]:.1f}",
        str(len(alike)),
        f"{np.mean(behind <= ALIKE):.1%}",
        f"{np.mean(behind >= -ALIKE):.1%}",
        f"{scaled['ours_mase'].mean():.4f}",
        f"{scaled['theirs_mase'].mean():.4f}",
    )
