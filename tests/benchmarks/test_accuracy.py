"""The accuracy benchmark: its command, its splits and its measures."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks.accuracy.data import read_split
from benchmarks.accuracy.scores import coverage, mase, scaled_crps, scales, smape, wql
from benchmarks.accuracy.sets import SETS
from benchmarks.speed.worker import ROOT, environment


@pytest.fixture(scope="module")
def weekly(tmp_path_factory):
    """Six noisy series of 150 weeks, the last 13 as test part; another without a training part."""
    rng = np.random.default_rng(0)
    frames = []
    for k in range(7):
        n, kept = (150, 137) if k < 6 else (13, 0)
        y = 100 + 10 * k + rng.normal(0, 1, n).cumsum()
        split = np.where(np.arange(n) < kept, "train", "test")
        frames.append(pd.DataFrame({"unique_id": f"W{k}", "ds": np.arange(1, n + 1), "y": y, "split": split}))
    path = tmp_path_factory.mktemp("data") / "weekly.csv"
    pd.concat(frames).to_csv(path, index=False)
    return path


def command(*words):
    line = [sys.executable, "-m", "benchmarks.accuracy", *map(str, words)]
    return subprocess.run(line, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)


def test_test_part_is_the_truth_and_series_without_a_past_are_left_out(weekly):
    split = read_split(weekly, SETS["m4-weekly"], "test")
    frame = pd.read_csv(weekly)
    assert list(split.ids) == [f"W{k}" for k in range(6)]
    assert split.truth.shape == (6, 13)
    np.testing.assert_array_equal(split.truth[2], frame.loc[frame["unique_id"] == "W2", "y"].to_numpy()[137:])
    assert [len(past) for past in split.past] == [137] * 6


def test_validation_never_sees_the_test_part(weekly):
    test, validation = (read_split(weekly, SETS["m4-weekly"], name) for name in ("test", "validation"))
    assert [len(past) for past in validation.past] == [124] * 6
    assert len(validation.history) == 6 * 124
    for whole, past, truth in zip(test.past, validation.past, validation.truth, strict=True):
        np.testing.assert_array_equal(np.concatenate([past, truth]), whole)


def test_filled_gaps_are_gaps_again(weekly, tmp_path):
    frame = pd.read_csv(weekly)
    rows = frame["unique_id"] == "W0"
    frame.loc[rows, "y"] = frame.loc[rows, "y"].where(~frame.loc[rows, "ds"].between(10, 15), 7.0)  # a run of six
    frame.loc[rows & frame["ds"].between(130, 140), "y"] = 8.0  # across the end of the history
    frame.loc[rows & frame["ds"].between(50, 54), "y"] = 9.0  # too short
    frame.to_csv(tmp_path / "filled.csv", index=False)
    split = read_split(tmp_path / "filled.csv", replace(SETS["m4-weekly"], filled_run=6), "test")
    unobserved = 1 + np.flatnonzero(np.isnan(split.past[0]))
    np.testing.assert_array_equal(unobserved, [*range(11, 16), *range(131, 137)])
    assert split.past[0][-1] == 8.0  # the history ends on its last known value
    np.testing.assert_array_equal(np.isnan(split.truth[0]), [True] * 3 + [False] * 10)


def test_every_kth_series_is_taken(weekly):
    split = read_split(weekly, SETS["m4-weekly"], "test", every=4)
    assert list(split.ids) == ["W0", "W4"]
    assert set(split.history["unique_id"]) == {"W0", "W4"}


def test_command_prints_and_writes_the_same_table_twice(weekly, tmp_path):
    words = ("m4-weekly", "--data", weekly, "--members", 2, "--set", "max_steps=3", "--set", "hidden_size=8")
    first, again = (command(*words, "--output", tmp_path / f"{k}.md") for k in range(2))
    assert first.returncode == 0, first.stderr
    assert (tmp_path / "0.md").read_text() == first.stdout
    rows = [line.split("|")[1:9] for line in first.stdout.splitlines() if line.startswith("| ")]
    assert rows == [line.split("|")[1:9] for line in again.stdout.splitlines() if line.startswith("| ")]
    names = [row[0].strip() for row in rows]
    assert names[2:6] == ["LSTM", "LSTM, first network", "SeasonalNaive", "Naive2"]
    assert "published: ES-RNN (M4's winner)" in names
    assert "`LSTM(n_members=2, max_steps=3, hidden_size=8)`: 2 networks of" in first.stdout
    assert str(tmp_path) not in first.stdout


def test_calibrated_intervals_are_judged_as_well(weekly):
    words = ("m4-weekly", "--data", weekly, "--models", "seasonal-naive", "--intervals")
    held = []
    for kind in ("native", "conformal"):
        result = command(*words, kind)
        assert result.returncode == 0, result.stderr
        held.append(next(line for line in result.stdout.splitlines() if line.startswith("| SeasonalNaive")).split("|"))
    assert held[0][2:5] == held[1][2:5]  # points stay
    assert held[0][5:9] != held[1][5:9]


def test_smape_and_mase_are_those_of_the_competition():
    truth, forecast = np.array([[10.0, 20.0], [0.0, 4.0]]), np.array([[20.0, 20.0], [0.0, np.nan]])
    assert smape(truth, np.nan_to_num(forecast, nan=4.0)) == pytest.approx((200 / 3 / 2 + 0) / 2)
    scale = scales([np.array([1.0, 3.0, 2.0]), np.array([5.0, 5.0])], 1)
    np.testing.assert_array_equal(scale, [1.5, np.nan])  # a constant history has no scale
    assert mase(truth, np.nan_to_num(forecast, nan=4.0), scale) == pytest.approx(5 / 1.5)


def test_unobserved_values_are_skipped():
    truth = np.array([[1.0, np.nan], [np.nan, np.nan]])
    assert smape(truth, np.full((2, 2), 1.0)) == 0
    assert mase(truth, np.full((2, 2), 3.0), np.array([2.0, 2.0])) == 1
    assert coverage(truth, np.zeros((2, 2)), np.full((2, 2), 2.0)) == 1


def test_crps_of_certain_forecasts_is_the_relative_error():
    truth = np.array([[2.0, 4.0]])
    quantiles = np.repeat(np.array([[[3.0], [4.0]]]), 9, axis=2)
    probabilities = [k / 10 for k in range(1, 10)]
    assert scaled_crps(truth, quantiles, probabilities) == pytest.approx((1 + 0) / 2 / 3)


def test_wql_weighs_series_by_their_size_and_crps_does_not():
    truth, quantiles = np.array([[2.0, 4.0], [60.0, np.nan]]), np.array([[[3.0], [4.0]], [[60.0], [1.0]]])
    assert wql(truth, quantiles, [0.5]) == pytest.approx(1 / 66)
    assert scaled_crps(truth, quantiles, [0.5]) == pytest.approx((1 / 6 + 0) / 2)
