"""Covariates at the command line: declared by name, their future from the same file or another."""

import json

import pandas as pd
import pytest

from forecast.series import datasets

FAST = ("--models", "lstm,naive", "--level", "none", "--quiet")


@pytest.fixture(scope="module")
def prices(tmp_path_factory):
    """Two weeks of two markets, and the day after without prices: in one file, and apart."""
    folder = tmp_path_factory.mktemp("prices")
    frame = datasets.load("electricity_prices")
    frame = frame[frame["unique_id"].isin(["BE", "FR"])].groupby("unique_id").head(15 * 24)
    last = frame.groupby("unique_id").cumcount() >= 14 * 24
    frame[~last].to_csv(folder / "past.csv", index=False)
    frame[last].drop(columns="y").to_csv(folder / "future.csv", index=False)
    frame["y"] = frame["y"].mask(last)
    frame.to_csv(folder / "both.csv", index=False)
    return folder


@pytest.fixture(autouse=True)
def short_training(monkeypatch):
    """Five steps show what is read and what comes out."""
    from forecast.models.recurrent import defaults

    monkeypatch.setattr("forecast.models.recurrent.base.choose_size", lambda windows: defaults.Size(8, 1, 32, 5))


def test_future_comes_from_rows_without_a_target_or_from_a_file(run, prices):
    known = ("-h", 24, "--future", "load_forecast,generation_forecast", *FAST, "--windows", 1, "--json")
    one = run("run", prices / "both.csv", *known)
    other = run("run", prices / "past.csv", "--future-data", prices / "future.csv", *known)
    assert one.exit_code == other.exit_code == 0, one.stderr + other.stderr
    document = json.loads(one.stdout)
    assert document["forecast"] == json.loads(other.stdout)["forecast"]
    assert document["data"]["declared"] == {"future": ["load_forecast", "generation_forecast"]}


def test_missing_future_is_refused_before_the_work_begins(run, prices, monkeypatch):
    monkeypatch.setattr("forecast.forecaster.Forecaster.backtest", None)
    result = run("run", prices / "past.csv", "-h", 24, "--future", "load_forecast", *FAST)
    assert result.exit_code == 3
    assert "'load_forecast' is declared as known ahead, but has no value for series 'BE' from" in result.stderr
    assert "(24 stamps)" in result.stderr
    assert "--future-data" in result.stderr


def test_fitted_model_keeps_what_was_declared(run, prices, tmp_path):
    model = tmp_path / "prices.model"
    declared = ("--future", "load_forecast", "--static", "unique_id", "--calendar", "weekend,hour")
    assert run("fit", prices / "past.csv", "-h", 24, *declared, "--models", "lstm", "-o", model).exit_code == 0
    assert run("predict", model, "-h", 24).exit_code == 3
    given = ("-h", 24, "--json", "--level", "none")
    one = run("predict", model, *given, "--future-data", prices / "future.csv")
    other = run("predict", model, prices / "both.csv", *given)
    assert one.exit_code == other.exit_code == 0, one.stderr + other.stderr
    forecast = json.loads(one.stdout)["forecast"]
    assert len(forecast) == 48
    assert forecast == json.loads(other.stdout)["forecast"]


def test_backtest_takes_the_realised_future_or_the_last_season(run, prices, tmp_path):
    arguments = ("-h", 24, "--windows", 1, "--future", "load_forecast", *FAST)
    for mode in ("realised", "last"):
        result = run("backtest", prices / "past.csv", *arguments, "--future-exog", mode, "-o", tmp_path / f"{mode}.csv")
        assert result.exit_code == 0, result.stderr
        assert "Naive does not use the covariates 'load_forecast'." in result.stdout
    one, other = (pd.read_csv(tmp_path / f"{mode}.csv") for mode in ("realised", "last"))
    assert (one["Naive"] == other["Naive"]).all()
    assert (one["LSTM"] != other["LSTM"]).any()


def test_models_that_ignore_covariates_say_so_after_the_fit(run, prices, tmp_path):
    how = ("--models", "naive", "-o", tmp_path / "model")
    result = run("fit", prices / "past.csv", "--historic", "load_forecast", *how)
    assert result.stderr.count("Naive does not use the covariates 'load_forecast'.") == 1


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--future", "load_forcast"), 3, "no column 'load_forcast' for --future; the nearest name is 'load_forecast'"),
        (("--future-exog", "perfect"), 2, "--future-exog is 'perfect'; it must be one of realised, last"),
        (("--calendar", "fullmoon"), 2, "no calendar feature 'fullmoon'"),
        (("--holidays", "XX"), 2, "The holidays of 'XX' are not known"),
        (("--static", "y"), 3, "declared static"),
    ],
)
def test_wrong_declaration_is_one_sentence(run, prices, options, code, message):
    target = () if "y" not in options else ("--target", "load_forecast")
    result = run("backtest", prices / "past.csv", "-h", 24, "--models", "naive", *target, *options)
    assert result.exit_code == code
    assert message in " ".join(result.stderr.split())


def test_static_table_and_inspection(run, prices, csv):
    table = csv("unique_id,zone,size", "FR,south,2", "BE,north,1")
    result = run(
        "inspect", prices / "both.csv", "--static-data", table, "--future", "load_forecast", "--calendar", "hour"
    )
    text = " ".join(result.stdout.split())
    assert result.exit_code == 0, result.stderr
    assert "'load_forecast' is known ahead, for 24 steps after the last value." in text
    assert "The static covariate 'zone' is a category, of 2." in text
    assert "The static covariate 'size' is a number." in text
    assert "Columns that no model uses: 'generation_forecast'." in text


def test_future_exog_without_a_covariate_known_ahead_is_said_to_change_nothing(run, air):
    result = run("backtest", air, "-h", 6, "--models", "naive", "--windows", 1, "--future-exog", "last")
    text = " ".join(result.stdout.split())
    assert "--future-exog last changes nothing, since no covariate is declared as known ahead with --future." in text
    assert "changes nothing" not in run("backtest", air, "-h", 6, "--models", "naive", "--windows", 1).stdout


def test_missing_future_is_answered_with_the_options_that_give_it(run, prices):
    result = run("run", prices / "past.csv", "-h", 24, "--future", "load_forecast")  # of every default model
    ways = "give the values with --future-data, or in rows with an empty target after the last value."
    assert result.exit_code == 3
    assert ways in " ".join(result.stderr.split())


def test_default_models_take_the_future_from_rows_without_a_target(run, prices):
    result = run("run", prices / "both.csv", "-h", 24, "--future", "load_forecast", "--windows", 1, "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert {row["model"] for row in document["evaluation"]["table"]} == {"LSTM", "AutoARIMA", "SeasonalNaive"}
    assert len(document["forecast"]) == 48
