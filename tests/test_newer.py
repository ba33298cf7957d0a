"""Newer histories are read as the first ones were, also after a Forecaster went through a file."""

import numpy as np
import pandas as pd
import pytest

from forecast.errors import DataError
from forecast.forecaster import Forecaster
from forecast.models.naive import Naive


def series():
    rng = np.random.default_rng(0)
    return {"a": 20 + rng.normal(size=40), "b": 50 + rng.normal(size=25)}


def long_table():
    return pd.concat(
        pd.DataFrame({"store": name, "day": pd.date_range("2024-01-01", periods=len(y)), "sales": y, "promo": y > 20})
        for name, y in series().items()
    )


def reads(load, path, forecaster):
    forecaster.save(path)
    return Forecaster.load(path) if load else forecaster


@pytest.mark.parametrize("load", [False, True])
def test_one_series_of_many_is_recognised_in_newer_data(load, tmp_path):
    forecaster = reads(load, tmp_path / "model", Forecaster(Naive(), target_col="sales").fit(long_table()))
    one = forecaster.predict(2, df=long_table().query("store == 'b'"))
    assert one["store"].tolist() == ["b", "b"]


@pytest.mark.parametrize("load", [False, True])
def test_series_in_columns_are_read_from_newer_data_too(load, tmp_path):
    wide = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=25), "sales": 1.0, "visits": 2.0})
    forecaster = reads(load, tmp_path / "model", Forecaster(Naive(), target_col="*").fit(wide))
    assert forecaster.predict(1, df=wide.tail(9))["unique_id"].tolist() == ["sales", "visits"]
    assert forecaster.predict(1, df=wide[["day", "visits"]].tail(9))["unique_id"].tolist() == ["visits"]


def test_newer_data_without_the_target_are_refused_by_its_name(tmp_path):
    forecaster = reads(True, tmp_path / "model", Forecaster(Naive(), target_col="sales").fit(long_table()))
    with pytest.raises(DataError, match="no column 'sales' for --target"):
        forecaster.predict(2, df=long_table().drop(columns="sales"))


def wide_table(*names, rows=25):
    return pd.DataFrame({"day": pd.date_range("2024-01-01", periods=rows)} | dict.fromkeys(names, 5.0))


@pytest.mark.parametrize("load", [False, True])
@pytest.mark.parametrize("names", [("north", "south", "east", "west"), ("south", "west")])
def test_columns_that_come_and_go_stay_series(load, names, tmp_path):
    fitted = Forecaster(Naive()).fit(wide_table("north", "south", "east"))
    forecaster = reads(load, tmp_path / "model", fitted)
    newer = wide_table(*names)
    assert forecaster.predict(1, df=newer)["unique_id"].tolist() == list(names)
    (note,) = [note for note in forecaster._read(newer, fitted.panel_).notes if "new since" in note]
    assert note == f"1 series new since the models were fitted: {names[-1]!r}."


@pytest.mark.parametrize("load", [False, True])
def test_one_value_of_each_series_is_enough_to_forecast_from(load, tmp_path):
    forecaster = reads(load, tmp_path / "model", Forecaster(Naive(), target_col="sales").fit(long_table()))
    newest = pd.DataFrame({"store": ["a", "b"], "day": pd.Timestamp("2024-03-01"), "sales": [3.0, 4.0]})
    out = forecaster.predict(2, df=newest)
    assert out["Naive"].tolist() == [3.0, 3.0, 4.0, 4.0]
    assert out["day"].tolist() == 2 * [pd.Timestamp("2024-03-02"), pd.Timestamp("2024-03-03")]


def test_one_value_of_each_series_is_too_little_to_fit():
    newest = pd.DataFrame({"store": ["a", "b"], "day": pd.Timestamp("2024-03-01"), "sales": [3.0, 4.0]})
    with pytest.raises(DataError, match="No series has two observed values"):
        Forecaster(Naive(), id_col="store", target_col="sales", freq="D").fit(newest)
