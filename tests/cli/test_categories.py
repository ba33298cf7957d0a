"""The commands on a file whose target is categories."""

import json

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    rng, name, rows = np.random.default_rng(0), "idle", []
    for t in range(120):
        rows.append((pd.Timestamp("2024-01-01") + pd.Timedelta(hours=t), name))
        name = rng.choice(
            ["idle", "busy", "down"], p={"idle": [0.8, 0.2, 0], "busy": [0.3, 0.6, 0.1]}.get(name, [1, 0, 0])
        )
    file = tmp_path_factory.mktemp("states") / "states.csv"
    pd.DataFrame(rows, columns=["hour", "state"]).to_csv(file, index=False)
    return file


def test_run_takes_models_of_categories_by_itself(run, states, tmp_path):
    result = run("run", states, "--target", "state", "-h", 3, "--windows", 2, "--output", tmp_path / "out.csv")
    assert result.exit_code == 0, result.stderr
    assert "3 categories: 'busy', 'down', 'idle'" in result.stderr
    assert all(word in result.stdout for word in ("logloss", "Brier", "accuracy", "CategoricalLSTM", "MostFrequent"))
    out = pd.read_csv(tmp_path / "out.csv")
    assert set(out["MarkovChain"]) <= {"idle", "busy", "down"}
    assert out["MarkovChain-p-idle"].between(0, 1).all()


def test_backtest_writes_its_report_and_inspect_tells_shares(run, states, tmp_path):
    baselines = ["--models", "markov-chain,most-frequent"]
    result = run("backtest", states, "--target", "state", "-h", 3, *baselines, "--report", tmp_path / "page.html")
    assert result.exit_code == 0, result.stderr
    assert "accuracy" in (tmp_path / "page.html").read_text(encoding="utf-8")
    shown = run("inspect", states, "--target", "state").stdout
    assert "The values are categories: 'idle'" in shown


def test_fitted_models_predict_from_their_file(run, states, tmp_path):
    model = tmp_path / "model"
    fitted = run("fit", states, "--target", "state", "--models", "markov-chain", "-o", model)
    assert "chance to stay" in fitted.stdout
    told = json.loads(run("predict", model, "-h", 2, "--json").stdout)
    assert {"MarkovChain-p-busy", "MarkovChain-p-down", "MarkovChain-p-idle"} <= set(told["forecast"][0])


def test_what_does_not_fit_is_one_sentence(run, states, tmp_path):
    cases = [
        (["--models", "naive"], 3, "take CategoricalLSTM, MarkovChain or MostFrequent"),
        (["--models", "markov-chain", "--level", "90"], 2, "which have no intervals"),
        (["--plot", tmp_path / "x.png"], 2, "--plot draws numbers"),
    ]
    for options, code, sentence in cases:
        result = run("run", states, "--target", "state", "-h", 2, "-q", *options)
        assert result.exit_code == code
        assert sentence in result.stderr
        assert result.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def codes(tmp_path_factory):
    file = tmp_path_factory.mktemp("codes") / "codes.csv"
    hours = pd.date_range("2024-01-01", periods=90, freq="h")
    pd.DataFrame({"hour": hours, "code": np.tile([0, 0, 2, 1, 0], 18)}).to_csv(file, index=False)
    return file


BASELINES = ["--models", "markov-chain,most-frequent"]


def test_codes_are_categories_where_asked_for(run, codes, tmp_path):
    result = run("run", codes, "-h", 2, "--categorical", *BASELINES, "--output", tmp_path / "out.csv")
    assert result.exit_code == 0, result.stderr
    assert "3 categories: 0, 1, 2" in result.stderr
    out = pd.read_csv(tmp_path / "out.csv")
    assert {"MarkovChain-p-0", "MarkovChain-p-1", "MarkovChain-p-2"} <= set(out.columns)
    told = json.loads(run("run", codes, "-h", 2, "--categorical", *BASELINES, "--json", "-q").stdout)
    assert all(isinstance(row["MarkovChain"], int) for row in told["forecast"])


def test_option_for_codes_is_told_of(run, codes):
    assert "--categorical (categorical=True)" in run("inspect", codes).stdout
    assert "The values are categories: 0 60.0%" in run("inspect", codes, "--categorical").stdout
    told = run("run", codes, "-h", 2, "--models", "naive", "--level", "none")
    assert "only 3 different whole numbers (0, 1, 2)" in told.stderr


def test_backtest_tells_figures_apart(run, codes):
    result = run("backtest", codes, "-h", 2, "--categorical", *BASELINES, "--by", "step")
    assert result.exit_code == 0, result.stderr
    assert "logloss by step" in result.stdout
    shown = run("backtest", codes, "-h", 2, "--categorical", *BASELINES, "--by", "window", "--metrics", "brier").stdout
    assert "Brier by window" in shown
