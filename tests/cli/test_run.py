"""``forecast run``: from a file to a verdict and a forecast."""

import json

import pandas as pd
import pytest

from forecast import Forecaster, Naive, SeasonalNaive
from forecast.cli.options import given, models_of
from forecast.cli.run import windows_for
from forecast.series import datasets
from forecast.series.frame import read_panel

QUICK = ("--models", "seasonal-naive,naive")


def test_run_tells_the_verdict_and_the_forecast_on_stdout(run, air):
    result = run("run", air, "-h", 12, *QUICK)
    assert result.exit_code == 0
    assert "Backtest of 4 windows of 12 steps, fitted afresh at each, conformal intervals:" in result.stdout
    assert "SeasonalNaive has the lowest MASE" in result.stdout
    stamps = [line.split()[0] for line in result.stdout.splitlines() if line.startswith("1961-")]
    assert stamps == [f"1961-{month:02d}-01" for month in range(1, 13)]
    assert "history and SeasonalNaive with its 80 % interval" in result.stdout


def test_notes_and_phases_go_to_stderr(run, air):
    result = run("run", air, "-h", 12, *QUICK)
    assert "Frequency: monthly (MS)" in result.stderr
    assert "Backtest ..." in result.stderr
    assert "Frequency" not in result.stdout


def test_output_is_what_the_library_predicts(run, air, tmp_path):
    file = tmp_path / "out.csv"
    assert run("run", air, "-h", 6, *QUICK, "--output", file).exit_code == 0
    expected = Forecaster([SeasonalNaive(), Naive()]).fit(air, 6).predict(6, level=[80, 95], intervals="conformal")
    written = pd.read_csv(file, parse_dates=["timestamp"])
    pd.testing.assert_frame_equal(written, expected, check_dtype=False)


def test_winner_stands_first_whatever_the_order_of_models(run, air, tmp_path):
    file = tmp_path / "out.csv"
    assert run("run", air, "-h", 6, "--models", "naive,seasonal-naive", "--output", file).exit_code == 0
    assert pd.read_csv(file).columns[2] == "SeasonalNaive"


def test_best_forecasts_with_the_winner_only(run, air, tmp_path):
    file = tmp_path / "out.csv"
    assert run("run", air, "-h", 6, *QUICK, "--level", "none", "--best", "--output", file).exit_code == 0
    assert list(pd.read_csv(file).columns) == ["unique_id", "timestamp", "SeasonalNaive"]


def test_json_is_one_document_with_everything(run, air):
    result = run("run", air, "-h", 6, *QUICK, "--level", "80", "--json")
    document = json.loads(result.stdout)
    assert document["data"]["frequency"] == "monthly (MS)"
    assert document["data"]["season_length"] == 12
    assert document["winner"] == document["evaluation"]["verdict"]["winner"] == "SeasonalNaive"
    assert {row["model"] for row in document["evaluation"]["table"]} == {"SeasonalNaive", "Naive"}
    assert len(document["forecast"]) == 6
    assert document["forecast"][0]["timestamp"] == "1961-01-01T00:00:00"
    assert document["forecast"][0]["SeasonalNaive-lo-80"] < document["forecast"][0]["SeasonalNaive"]


def test_quiet_prints_the_forecast_table_only(run, air):
    result = run("run", air, "-h", 3, *QUICK, "--quiet")
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0].split()[:2] == ["timestamp", "SeasonalNaive"]
    assert [line.split()[0] for line in lines[2:5]] == ["1961-01-01", "1961-02-01", "1961-03-01"]


def test_plot_is_written_as_a_picture(run, air, tmp_path):
    file = tmp_path / "air.png"
    assert run("run", air, "-h", 6, *QUICK, "--plot", file).exit_code == 0
    assert file.read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "air-loss.png").exists()  # nothing was trained


def test_network_leaves_its_loss_curve_beside_the_plot(network_run):
    assert (network_run / "air.png").read_bytes().startswith(b"\x89PNG")
    assert (network_run / "air-loss.png").read_bytes().startswith(b"\x89PNG")


def test_seed_reaches_the_models_that_have_one():
    network, naive = models_of("lstm,naive", given(7, "auto", None, None))
    assert network.seed == 7
    assert naive == Naive()


def test_panel_shows_its_first_series_and_counts_the_others(run):
    result = run("run", datasets.path("hospital"), "-h", 2, *QUICK, "--quiet")
    assert [line.split()[0] for line in result.stdout.splitlines()[2:8]] == ["T1", "T1", "T2", "T2", "T3", "T3"]
    assert "97 more series" in result.stdout
    assert "--output FILE writes all" in " ".join(result.stdout.split())


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(run, air, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    result = run("run", air, "-h", 12, *QUICK)
    tables = [line for line in result.stdout.splitlines() if "  " in line]
    assert max(map(len, tables)) <= columns
    assert "…" not in result.stdout


@pytest.mark.parametrize(
    ("name", "first", "season"),
    [
        ("air_passengers", "1961-01-01T00:00:00", 12),
        ("us_gdp", "2009-10-01T00:00:00", 4),
        ("beer_production", "2008-10-01T00:00:00", 4),
        ("sunspots", 2009, 1),
        ("co2", "2002-01-05T00:00:00", 52),
        ("bike_daily", "2013-01-01T00:00:00", 7),
        ("oil_price", "2019-01-04T00:00:00", 5),
        ("electricity_demand", "2014-05-11T14:00:00+00:00", 48),
        ("bike_rentals", "2012-08-01T00:00:00", 24),
        ("road_casualties", "1985-01-31T00:00:00", 12),
        ("electricity_prices", "2016-12-31T00:00:00", 24),
        ("hospital", "2007-01-01T00:00:00", 12),
    ],
)
def test_every_shipped_data_set_needs_only_a_horizon(run, name, first, season):
    document = json.loads(run("run", datasets.path(name), "-h", 3, *QUICK, "--json").stdout)
    columns = document["data"]["columns"]
    assert columns["target"] == datasets.DATASETS[name].target
    assert document["data"]["season_length"] == season
    assert document["forecast"][0][columns["time"]] == first


def test_named_columns_and_frequency_are_taken(run, csv):
    days = pd.date_range("2024-01-01", periods=40).strftime("%Y-%m-%d")
    file = csv("shop,day,units,price", *(f"a,{day},{k % 7},{k}" for k, day in enumerate(days)))
    options = ("--id", "shop", "--time", "day", "--target", "units", "--freq", "D", "--season", 7)
    result = run("run", file, "-h", 2, *QUICK, *options, "--json")
    document = json.loads(result.stdout)
    assert document["data"]["columns"] == {"id": "shop", "time": "day", "target": "units", "tz": None}
    assert [row["SeasonalNaive"] for row in document["forecast"]] == [5.0, 6.0]


def test_time_zone_of_the_stamps_comes_back(run, csv):
    stamps = pd.date_range("2024-03-28", periods=96, freq="h").strftime("%Y-%m-%d %H:%M")
    file = csv("time,load", *(f"{stamp},{k % 24}" for k, stamp in enumerate(stamps)))
    result = run("run", file, "-h", 2, *QUICK, "--tz", "Asia/Tokyo", "--json")
    assert json.loads(result.stdout)["forecast"][0]["time"] == "2024-04-01T00:00:00+09:00"


@pytest.mark.parametrize(("horizon", "expected"), [(1, 4), (12, 4), (48, 2), (60, 1), (140, 1)])
def test_windows_leave_enough_history_to_learn_from(air, horizon, expected):
    assert windows_for(read_panel(air), horizon) == expected


def intervals_of(result):
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)["intervals"]


def test_few_series_with_history_enough_have_calibrated_intervals_unasked(run, air, csv):
    short = csv("month,y", *(f"{year}-{month:02d}-01,{month}" for year in (2021, 2022) for month in range(1, 13)))
    how = (*QUICK, "--windows", 1, "--json")
    assert intervals_of(run("run", air, "-h", 6, *how)) == "conformal"
    assert intervals_of(run("run", air, "-h", 6, *how, "--intervals", "native")) == "native"
    assert intervals_of(run("run", short, "-h", 6, *how)) == "native"
    assert intervals_of(run("run", datasets.path("hospital"), "-h", 6, *how)) == "native"
    assert intervals_of(run("run", air, "-h", 6, *how, "--level", "none")) is None


def test_run_says_which_intervals_it_took(run, air):
    how = ("-h", 6, *QUICK, "--windows", 2)
    assert "afresh at each, conformal intervals:" in run("run", air, *how).stdout
    assert "afresh at each, native intervals:" in run("run", air, *how, "--intervals", "native").stdout
    assert "fitted afresh at each:" in run("run", air, *how, "--level", "none").stdout


def test_backtest_and_predict_choose_intervals_when_told_to(run, air, tmp_path):
    for command, file in (("backtest", air), ("predict", tmp_path / "model")):
        if command == "predict":
            run("fit", air, "--models", "naive", "-o", file)
        models = () if command == "predict" else ("--models", "naive")
        outs = {kind: tmp_path / f"{command}-{kind}.csv" for kind in ("auto", "conformal", "native")}
        for kind, out in outs.items():
            assert run(command, file, "-h", 6, *models, "--intervals", kind, "-o", out).exit_code == 0
        texts = {kind: out.read_text() for kind, out in outs.items()}
        assert texts["auto"] == texts["conformal"] != texts["native"]
