"""Which models the command line takes when it is told none."""

import json

import numpy as np
import pandas as pd
import pytest

from forecast import Forecaster
from forecast.series import datasets


@pytest.fixture
def table(tmp_path):
    frame = datasets.load("air_passengers").tail(60)
    frame["strike"] = (np.arange(len(frame)) == 30).astype(float)
    future = pd.DataFrame({"timestamp": pd.date_range("1961-01-01", periods=3, freq="MS"), "strike": 0.0})
    pd.concat([frame, future]).to_csv(tmp_path / "table.csv", index=False)
    return tmp_path / "table.csv"


def names(result):
    assert result.exit_code == 0, result.stderr
    return {row["model"] for row in json.loads(result.stdout)["evaluation"]["table"]}


def test_pretrained_networks_are_compared_with_the_baselines(run, table):
    result = run("run", table, "-h", 3, "--target", "value", "--windows", 1, "--json")
    assert names(result) == {"Pretrained", "AutoARIMA", "SeasonalNaive"}


def test_a_network_that_uses_covariates_takes_its_place_where_there_are_some(run, table):
    result = run("run", table, "-h", 3, "--target", "value", "--future", "strike", "--windows", 1, "--json")
    assert names(result) == {"LSTM", "AutoARIMA", "SeasonalNaive"}


def test_forecaster_takes_the_same():
    assert [model.name for model in Forecaster().models] == ["Pretrained", "AutoARIMA", "SeasonalNaive"]
    assert [model.name for model in Forecaster(calendar="month").models] == ["LSTM", "AutoARIMA", "SeasonalNaive"]


def test_finetune_is_for_pretrained_networks(run, table, tmp_path):
    fitted = run("fit", table, "-h", 3, "--target", "value", "--finetune", 2, "-o", tmp_path / "m")
    assert fitted.exit_code == 0, fitted.stderr
    (model,) = [one.model for one in Forecaster.load(tmp_path / "m").fitted_.values() if one.model.is_network]
    assert model.finetune_steps == 2
    refused = run(
        "fit", table, "-h", 3, "--target", "value", "--models", "naive", "--finetune", 2, "-o", tmp_path / "n"
    )
    assert refused.exit_code == 2
    assert "--finetune 2 is for none of --models naive; add pretrained." in refused.stderr
