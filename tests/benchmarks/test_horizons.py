"""The benchmark of long horizons: its parts, its windows, its units and its command."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks.horizons.parts import read_split
from benchmarks.horizons.runs import run
from benchmarks.horizons.sets import HORIZONS, METHODS, SETS
from benchmarks.speed.worker import ROOT, environment
from forecast.errors import DataError
from forecast.forecaster import Forecaster
from forecast.models import create
from forecast.progress import Silent

ROWS, TRAIN, VALIDATION = 1_000, 700, 800  # 70 and 80 %
H = 24
WEATHER = SETS["weather"]


@pytest.fixture(scope="module")
def values():
    """Three channels of different level, spread and phase, with a day of 144 rows."""
    rng = np.random.default_rng(0)
    hour = np.arange(ROWS)[:, None] / 144 + np.array([0.0, 0.3, 0.6])
    return [5, -100, 0] + [1, 20, 0.1] * (np.sin(2 * np.pi * hour) + rng.normal(0, 0.1, (ROWS, 3)).cumsum(axis=0))


@pytest.fixture(scope="module")
def path(values, tmp_path_factory):
    frame = pd.DataFrame(values, columns=["warm", "cold", "wet"])
    frame.insert(0, "date", pd.date_range("2020-01-01", periods=ROWS, freq="10min").astype(str))
    path = tmp_path_factory.mktemp("data") / "weather.csv"
    frame.to_csv(path, index=False)
    return path


def naive_errors(values, begin, end, h=H):
    """MSE and MAE of the last value, window by window."""
    z = (values - values[:TRAIN].mean(axis=0)) / values[:TRAIN].std(axis=0)
    cutoffs = list(range(begin, end - h + 1))
    cutoffs = cutoffs[: len(cutoffs) - len(cutoffs) % 32]
    errors = np.array([z[cutoff : cutoff + h] - z[cutoff - 1] for cutoff in cutoffs])
    return np.mean(errors**2), np.mean(np.abs(errors))


def command(*words):
    line = [sys.executable, "-m", "benchmarks.horizons", *map(str, words)]
    return subprocess.run(line, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)


def test_ett_has_months_of_30_days():
    assert SETS["etth1"].ends == (8_640, 11_520, 14_400)
    assert SETS["ettm1"].ends == (34_560, 46_080, 57_600)


def test_marks_are_there_for_every_method_and_published_horizon():
    for dataset in SETS.values():
        assert tuple(dataset.marks) == HORIZONS
        assert all(len(marks) == len(METHODS) for marks in dataset.marks.values())


def test_settings_beyond_192_steps_are_their_own():
    etth1 = SETS["etth1"]
    assert [etth1.chosen("lstm", h)["max_steps"] for h in HORIZONS] == [800, 800, 300, 300]
    assert etth1.chosen("naive", 96) == {}


@pytest.mark.parametrize(("name", "begin", "end"), [("validation", TRAIN, VALIDATION), ("test", VALIDATION, ROWS)])
def test_windows_start_at_every_row_of_a_part_and_fill_batches_of_32(path, name, begin, end):
    split = read_split(path, WEATHER, H, name)
    count = (end - begin - H + 1) // 32 * 32
    np.testing.assert_array_equal(split.cutoffs, np.arange(begin, begin + count))
    assert split.train == len(split.history) == TRAIN


def test_channels_have_mean_0_and_deviation_1_in_the_training_part(path, values):
    split = read_split(path, WEATHER, H, "test")
    assert split.channels == ("warm", "cold", "wet")
    np.testing.assert_allclose(split.values[:TRAIN].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(split.values[:TRAIN].std(axis=0), 1)
    assert abs(split.values.mean(axis=0)).max() > 0.01  # the rest is in the units of the training part


def test_validation_never_sees_the_test_part(path):
    test, validation = (read_split(path, WEATHER, H, name) for name in ("test", "validation"))
    assert len(validation.values) == VALIDATION
    np.testing.assert_array_equal(validation.values, test.values[:VALIDATION])
    pd.testing.assert_frame_equal(validation.history, test.history)


def test_each_window_looks_back_into_the_part_before_and_ahead_over_the_horizon(path):
    split = read_split(path, WEATHER, H, "test", every=50)
    panel = Forecaster(create("naive"), freq=1, target_col="*").fit(split.history).panel_
    found = list(split.windows(panel, length=300))
    truth = np.concatenate([truth for _, truth in found]).reshape(len(split.cutoffs), 3, H)
    ids = np.concatenate([panel.ids for panel, _ in found]).reshape(len(split.cutoffs), 3)
    pasts = np.concatenate([panel.y for panel, _ in found]).reshape(len(split.cutoffs), 3, 300)
    ends = np.concatenate([panel.ends for panel, _ in found]).reshape(len(split.cutoffs), 3)
    for w, cutoff in enumerate(split.cutoffs):
        for c in range(3):
            channel = split.values[:, split.channels.index(ids[w, c])]
            np.testing.assert_array_equal(pasts[w, c], channel[cutoff - 300 : cutoff])
            np.testing.assert_array_equal(truth[w, c], channel[cutoff : cutoff + H])
            assert ends[w, c] == cutoff - 1


@pytest.mark.parametrize(("name", "begin", "end"), [("validation", TRAIN, VALIDATION), ("test", VALIDATION, ROWS)])
def test_repeating_the_last_value_has_the_errors_of_the_protocol(path, values, name, begin, end):
    split = read_split(path, WEATHER, H, name)
    found = run("naive", WEATHER, split, {}, Silent())
    assert (found.mse, found.mae) == pytest.approx(naive_errors(values, begin, end))


def test_errors_do_not_depend_on_how_many_windows_are_forecast_at_once(path, monkeypatch):
    split = read_split(path, WEATHER, H, "test", every=7)
    errors = []
    for at_once in (1, 500_000):
        monkeypatch.setattr("benchmarks.horizons.parts.AT_ONCE", at_once)
        found = run("lstm", WEATHER, split, {"max_steps": 2, "hidden_size": 8, "context_length": 96}, Silent())
        errors.append((found.mse, found.mae))
    assert errors[0] == pytest.approx(errors[1], rel=1e-5)


def test_files_and_parts_that_are_too_short_are_refused(path):
    with pytest.raises(DataError, match=r"weather\.csv has 1,000 rows, but ETTh1 has 14,400"):
        read_split(path, SETS["etth1"], H, "test")
    with pytest.raises(DataError, match=r"validation part of weather\.csv has 100 rows, which hold no 32 windows"):
        read_split(path, WEATHER, 96, "validation")
    short = replace(SETS["etth1"], ends=(600, 800, 900))
    assert len(read_split(path, short, H, "test").values) == 900


def test_command_prints_and_writes_the_same_table_twice(path, tmp_path):
    words = ("weather", 96, "--data", path, "--set", "max_steps=3", "--set", "hidden_size=8", "--every", 4)
    first, again = (command(*words, "--output", tmp_path / f"{k}.md") for k in range(2))
    assert first.returncode == 0, first.stderr
    assert (tmp_path / "0.md").read_text() == first.stdout
    rows = [line.split("|")[1:4] for line in first.stdout.splitlines() if line.startswith("| ")]
    assert rows == [line.split("|")[1:4] for line in again.stdout.splitlines() if line.startswith("| ")]
    names = [row[0].strip() for row in rows]
    assert names[2:6] == ["LSTM", "XLSTM", "SeasonalNaive", "Naive"]
    assert names[6:] == [f"published: {method}" for method in METHODS]
    assert "**Weather**, 96 steps, test split: 24 windows of 3 channels." in first.stdout
    typed = next(line for line in first.stdout.splitlines() if line.startswith("- `LSTM("))
    assert "max_steps=3" in typed
    assert "hidden_size=8" in typed
    assert str(tmp_path) not in first.stdout


def test_command_shows_no_marks_beside_validation_and_tells_of_bad_files_in_one_line(path):
    found = command("weather", H, "--data", path, "--models", "naive", "--split", "validation")
    assert found.returncode == 0, found.stderr
    assert "published" not in found.stdout
    bad = command("ettm1", 96, "--data", path)
    assert bad.returncode == 1
    assert bad.stderr.strip() == "weather.csv has 1,000 rows, but ETTm1 has 57,600; give the whole file."
