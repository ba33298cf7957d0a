"""``forecast backtest``: rolling origins, in full."""

import json

import pandas as pd
import pytest

from forecast import Forecaster, Naive, SeasonalNaive
from forecast.series import datasets
from forecast.series.table import read_table

QUICK = ("--models", "seasonal-naive,naive")


def test_backtest_prints_the_figures_of_every_model(run, air):
    result = run("backtest", air, "-h", 12, *QUICK)
    assert result.exit_code == 0
    assert "SeasonalNaive has the lowest MASE" in result.stdout
    assert {line.split()[0] for line in result.stdout.splitlines() if line} >= {"model", "SeasonalNaive", "Naive"}


def test_output_is_what_the_library_backtests(run, air, tmp_path):
    file = tmp_path / "cv.csv"
    arguments = ("--windows", 3, "--step", 6, "--input-size", 48, "--level", "90", "--output", file)
    assert run("backtest", air, "-h", 12, *QUICK, *arguments).exit_code == 0
    forecaster = Forecaster([SeasonalNaive(), Naive()])
    expected = forecaster.backtest(air, 12, n_windows=3, step_size=6, input_size=48, level=[90])
    written = pd.read_csv(file, parse_dates=["timestamp", "cutoff"])
    pd.testing.assert_frame_equal(written, expected, check_dtype=False)


def test_refitting_can_be_left_out_or_done_now_and_then(run, air):
    arguments = ("backtest", air, "-h", 6, "--models", "historic-mean,naive", "--windows", 4, "--json")
    every, never, second = (
        json.loads(run(*arguments, *refit).stdout)["evaluation"]["table"]
        for refit in ([], ["--no-refit"], ["--refit-every", 2])
    )
    assert len(every) == len(never) == len(second) == 2


def test_report_is_one_page_with_the_verdict(run, air, tmp_path):
    file = tmp_path / "report.html"
    result = run("backtest", air, "-h", 12, *QUICK, "--report", file)
    assert f"Wrote {file}." in result.stderr.replace("\n", "")
    page = file.read_text(encoding="utf-8")
    assert "SeasonalNaive has the lowest MASE" in page
    assert "http://" not in page
    assert "https://" not in page


def test_json_tells_data_and_evaluation(run, air):
    document = json.loads(run("backtest", air, "-h", 12, *QUICK, "--json", "--quiet").stdout)
    assert document["windows"] == 4
    assert document["evaluation"]["verdict"]["winner"] == "SeasonalNaive"
    assert document["data"]["values"] == 144


def test_figures_are_chosen_and_told_apart_by_step(run, air):
    arguments = ("backtest", air, "-h", 3, "--models", "seasonal-naive,naive2", "--metrics", "owa,WAPE", "--by", "step")
    lines = run(*arguments, "--quiet").stdout.splitlines()
    assert lines[0].split() == ["model", "OWA", "WAPE"]
    at = lines.index("OWA by step (--metrics NAME shows another):")
    assert lines[at + 2].split() == ["step", "SeasonalNaive", "Naive2"]
    assert [line.split()[0] for line in lines[at + 4 :]] == ["1", "2", "3"]
    document = json.loads(run(*arguments, "--json").stdout)
    assert [row["step"] for row in document["by"]["step"]] == [1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--metrics", "r2"), "metric 'r2' is unknown"),
        (("--metrics", ","), "name at least one"),
        (("--metrics", "owa"), "add naive2 to --models"),
        (("--by", "month"), "choose series, step or window"),
    ],
)
def test_figures_that_do_not_exist_are_refused_before_the_work(run, air, arguments, message):
    result = run("backtest", air, "-h", 3, *QUICK, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert "Backtest" not in result.stderr


def test_table_of_many_series_says_what_it_leaves_out(run):
    result = run("backtest", datasets.path("hospital"), "-h", 3, "--models", "naive", "--by", "series", "--quiet")
    assert "Not shown: 76 more rows." in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_intervals_are_calibrated_and_values_whole_on_request(run, air, tmp_path):
    file = tmp_path / "cv.csv"
    limits = ("--intervals", "conformal", "--non-negative", "--integer", "--output", file)
    assert run("backtest", air, "-h", 12, *QUICK, "--level", "80", *limits).exit_code == 0
    forecaster = Forecaster([SeasonalNaive(), Naive()])
    expected = forecaster.backtest(
        air, 12, n_windows=4, level=[80], intervals="conformal", non_negative=True, integer=True
    )
    written = pd.read_csv(file, parse_dates=["timestamp", "cutoff"])
    pd.testing.assert_frame_equal(written, expected, check_dtype=False)
    assert (written["Naive-lo-80"] % 1 == 0).all()


def test_history_too_short_to_calibrate_is_told(run, csv):
    file = csv("month,sales", *(f"2024-{month:02d}-01,{10 + month % 3}" for month in range(1, 13)))
    for command in ("backtest", "run"):
        result = run(command, file, "-h", 2, "--models", "naive", "--intervals", "conformal", "--freq", "MS")
        assert result.exit_code == 0
        assert "too short to calibrate 80 % and 95 % intervals" in " ".join((result.stdout + result.stderr).split())


def test_unknown_intervals_are_refused(run, air):
    result = run("backtest", air, "-h", 12, *QUICK, "--intervals", "bootstrap")
    assert result.exit_code == 2
    assert "choose native, conformal or auto" in result.stderr


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_output_has_series_after_series(run, csv, tmp_path, suffix):
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    months = pd.date_range("2022-01-01", periods=24, freq="MS").strftime("%Y-%m-%d")
    file = csv("shop,month,y", *(f"{shop},{month},{k % 12}" for shop in "ba" for k, month in enumerate(months)))
    out = tmp_path / f"cv.{suffix}"
    assert run("backtest", file, "-h", 2, "--windows", 3, "--models", "naive", "-o", out).exit_code == 0
    assert read_table(out)["shop"].tolist() == ["b"] * 6 + ["a"] * 6
