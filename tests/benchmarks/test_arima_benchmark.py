"""The ARIMA benchmark: its command, its data, and what it tells."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from benchmarks.arima import peers
from benchmarks.speed.worker import ROOT, Worker
from forecast.models.arima import AutoARIMA


@pytest.fixture
def file(tmp_path):
    """Two series of a season of four."""
    rng = np.random.default_rng(0)
    frames = []
    for name in ("A1", "B1"):
        y = np.tile([1.0, 5, 2, 7], 10) + rng.normal(size=40)
        split = ["train"] * 36 + ["test"] * 4
        frames.append(pd.DataFrame({"unique_id": name, "ds": range(40), "y": y, "split": split}))
    path = tmp_path / "data.csv"
    pd.concat(frames).to_csv(path, index=False)
    return path


def test_help_tells_both_commands():
    command = [sys.executable, "-m", "benchmarks.arima", "--help"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for word in ("peers", "search", "--peer-python"):
        assert word in shown


def test_set_is_drawn_and_split_as_asked(file):
    found = list(peers.read(f"{file}:4::^B"))
    assert [(name, len(y), len(test), season) for name, y, test, season in found] == [("B1", 36, 4, 4)]
    assert len(list(peers.read(f"{file}:4:1"))) == 1
    assert [series[3] for series in peers.read(str(file))] == [1, 1]


def test_our_side_forecasts_and_judges_its_own_model_as_the_library_does(file):
    _, y, test, season = next(peers.read(f"{file}:4"))
    with Worker("auto_gatecast", package=peers.SIDES) as ours:
        found = ours.call("fit", y=y.tolist(), season=season, h=len(test))
        aicc = ours.call("aicc", y=y.tolist(), orders=found["orders"], coefficients=found["coefficients"])
    expected = AutoARIMA().fit_series(y, season)
    assert found["orders"] == list(expected.orders)
    assert aicc == pytest.approx(expected.criterion("aicc"), abs=1e-6)
    assert np.abs(np.array(found["mean"]) - test).mean() < 3


def test_series_behind_and_before_are_counted_where_the_differencing_agrees():
    rows = pd.DataFrame({
        "set": "toy",
        "ours_seconds": 1.0, "theirs_seconds": 5.0,
        "ours_differences": [(1, 0), (1, 0), (0, 0), (1, 0)], "theirs_differences": [(1, 0)] * 4,
        "ours_aicc": [10.0, 20.0, 1.0, 7.0], "theirs_aicc": [10.05, 15.0, 9.0, 7.05],
        "ours_mase": [1.0, 2, 3, np.nan], "theirs_mase": [2.0, 2, 2, 2],
    })  # fmt: skip
    assert peers._told(rows) == ("toy", "4", "4.0", "20.0", "5.0", "3", "66.7%", "100.0%", "2.0000", "2.0000")
