"""``forecast fit`` and ``forecast predict``: learn now, forecast later."""

import json

import pandas as pd
import pytest

from forecast import Forecaster


@pytest.fixture
def model(run, air, tmp_path):
    file = tmp_path / "air.model"
    assert run("fit", air, "-h", 12, "--models", "seasonal-naive,naive", "-o", file, "--quiet").exit_code == 0
    return file


def test_fit_says_what_it_wrote_and_how_to_go_on(run, air, tmp_path):
    file = tmp_path / "air.model"
    result = run("fit", air, "-h", 12, "--models", "naive", "-o", file)
    assert result.exit_code == 0
    assert "forecast predict" in result.stderr
    assert "Naive" in result.stdout
    assert file.exists()


def test_saved_model_forecasts_what_run_forecasts(run, air, model, tmp_path):
    how = ("-h", 12, "--intervals", "auto")
    assert run("run", air, *how, "--models", "seasonal-naive,naive", "--output", tmp_path / "a.csv").exit_code == 0
    assert run("predict", model, *how, "--output", tmp_path / "b.csv").exit_code == 0
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()


def test_network_survives_the_file_bit_for_bit(run, air, network_run, tmp_path):
    run("fit", air, "-h", 12, "--models", "lstm", "--seed", 3, "-o", tmp_path / "model")
    run("predict", tmp_path / "model", "-h", 12, "--output", tmp_path / "out.csv")
    again, first = pd.read_csv(tmp_path / "out.csv"), pd.read_csv(network_run / "air.csv")
    assert again["LSTM"].tolist() == first["LSTM"].tolist()


def test_newer_history_moves_the_forecast_on(run, air, model, csv):
    lines = air.read_text().splitlines()
    newer = csv(*lines, "1961-01-01,450", "1961-02-01,400")
    document = json.loads(run("predict", model, "-h", 1, newer, "--json", "--level", "none").stdout)
    (row,) = document["forecast"]
    assert row["timestamp"] == "1961-03-01T00:00:00"
    assert row["Naive"] == 400.0


def test_several_models_show_points_and_one_shows_intervals(run, air, model, tmp_path):
    assert "lo-80" not in run("predict", model, "-h", 3).stdout
    run("fit", air, "--models", "naive", "-o", tmp_path / "naive.model")
    assert "lo-80" in run("predict", tmp_path / "naive.model", "-h", 3).stdout


def test_fit_as_json_tells_what_was_learned(run, air, tmp_path):
    result = run("fit", air, "--models", "naive", "-o", tmp_path / "m", "--json", "--quiet")
    document = json.loads(result.stdout)
    assert list(document["learned"]) == ["Naive"]
    assert document["model"] == str(tmp_path / "m")


def test_predicting_tells_that_it_compiles_what_the_models_need(run, air, tmp_path, monkeypatch):
    told = []
    for models in ("lstm", "arima", "naive"):
        run("fit", air, "-h", 12, "--models", models, "-o", tmp_path / models)
    monkeypatch.setattr("forecast.learning.warmup.warmup", lambda progress, *kernels: told.append((progress, kernels)))
    for models in ("lstm", "arima", "naive"):
        assert run("predict", tmp_path / models, "-h", 12).exit_code == 0
    assert [kernels for _, kernels in told] == [("network",), ("arima",)]
    assert all(progress is not None for progress, _ in told)


def test_saved_model_forecasts_calibrated_counts(run, air, model, tmp_path):
    file = tmp_path / "out.csv"
    limits = ("--intervals", "conformal", "--integer", "--non-negative", "--level", "80")
    assert run("predict", model, "-h", 12, *limits, "--output", file).exit_code == 0
    expected = Forecaster.load(model).predict(12, level=[80], intervals="conformal", integer=True, non_negative=True)
    pd.testing.assert_frame_equal(pd.read_csv(file, parse_dates=["timestamp"]), expected, check_dtype=False)
    assert (expected["Naive-hi-80"] % 1 == 0).all()


def test_members_are_networks_of_an_ensemble(run, csv, tmp_path):
    file = csv("month,y", *(f"{year}-{month:02d}-01,{month}" for year in (2020, 2021, 2022) for month in range(1, 13)))
    arguments = ("--models", "lstm,naive", "--members", 2, "--seed", 1, "-h", 2, "-o", tmp_path / "m")
    assert run("fit", file, *arguments).exit_code == 0
    fitted = Forecaster.load(tmp_path / "m").fitted_
    assert fitted["LSTM"].model.n_members == len(fitted["LSTM"].networks) == 2
    assert fitted["LSTM"].model.seed == 1


@pytest.mark.parametrize("command", ["run", "backtest", "fit"])
def test_members_without_a_network_are_a_mistake(run, air, tmp_path, command):
    needed = ("-o", tmp_path / "m") if command == "fit" else ("-h", 2)
    result = run(command, air, *needed, "--models", "naive", "--members", 3)
    assert result.exit_code == 2
    assert "--members 3 is for none of --models naive; add lstm." in result.stderr


def test_update_puts_rows_behind_the_history_and_predict_goes_on_from_them(run, model, csv):
    newer = csv("timestamp,value", "1961-01-01,450", "1961-02-01,400", name="newer.csv")
    result = run("update", model, newer)
    assert result.exit_code == 0
    assert f"Added 2 steps to 1 series and wrote {model}" in " ".join(result.stderr.split())
    document = json.loads(run("predict", model, "-h", 1, "--json", "--level", "none").stdout)
    (row,) = document["forecast"]
    assert row["timestamp"] == "1961-03-01T00:00:00"
    assert row["Naive"] == 400.0


def test_update_of_a_stream_gives_what_the_whole_history_gives(run, air, tmp_path, csv):
    lines = air.read_text().splitlines()
    start, end = csv(*lines[:-5], name="start.csv"), csv(lines[0], *lines[-5:], name="end.csv")
    file, other = tmp_path / "stream.model", tmp_path / "updated.model"
    assert run("fit", start, "-h", 12, "--models", "lstm", "--stream", "-o", file, "-q").exit_code == 0
    assert json.loads(run("update", file, end, "-o", other, "--json", "-q").stdout)["added"] == 5
    run("predict", other, "-h", 12, "--output", tmp_path / "a.csv", "-q")
    run("predict", file, "-h", 12, air, "--output", tmp_path / "b.csv", "-q")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "a.csv"), pd.read_csv(tmp_path / "b.csv"), rtol=1e-5)


def test_update_with_rows_that_are_there_already_leaves_the_file(run, air, model):
    before = model.read_bytes()
    result = run("update", model, air)
    assert result.exit_code == 3
    assert "its history reaches to 1960-12-01; give only rows after that." in " ".join(result.stderr.split())
    assert model.read_bytes() == before


def test_stream_needs_a_network(run, air, tmp_path):
    result = run("fit", air, "--models", "naive", "--stream", "-o", tmp_path / "m")
    assert result.exit_code == 2
    assert "--stream is for none of --models naive; add lstm or xlstm." in " ".join(result.stderr.split())
