"""Histories that go on: newer rows stand behind those there are, as if all had been read at once."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecast.errors import DataError, NotFittedError
from forecast.forecaster import Forecaster
from forecast.models.naive import Naive
from forecast.series.append import extended
from forecast.series.frame import read_panel
from tests.toys import make_panel

COLUMNS = {"id_col": "store", "time_col": "day", "target_col": "sales"}


def table(a=30, b=20):
    """Two stores, with a price that is known ahead and a weekday that the stamps tell."""
    stores = [
        pd.DataFrame(
            {
                "store": name,
                "day": pd.date_range("2024-01-01", periods=n),
                "sales": np.arange(n) + 10.0 * k,
                "price": np.arange(n) % 7.0,
            }
        )
        for k, (name, n) in enumerate((("a", a), ("b", b)))
    ]
    return pd.concat(stores, ignore_index=True)


def reader():
    return Forecaster(Naive(), freq="D", future="price", calendar="dayofweek", **COLUMNS)


def cut(frame, a, b):
    """The rows before and after the first days of each store."""
    number = frame.groupby("store").cumcount()
    early = number < frame["store"].map({"a": a, "b": b})
    return frame[early], frame[~early]


def assert_same(found, expected):
    assert found.ids.tolist() == expected.ids.tolist()
    np.testing.assert_array_equal(found.indptr, expected.indptr)
    np.testing.assert_array_equal(found.y, expected.y)
    for name, values in expected.covariates.items():
        np.testing.assert_allclose(found.covariates[name], values, err_msg=name)
    assert {*found.ahead} == {*expected.ahead}
    for name, values in expected.ahead.items():
        np.testing.assert_array_equal(found.ahead[name][:, : values.shape[1]], values)
        assert np.isnan(found.ahead[name][:, values.shape[1] :]).all()


@pytest.mark.parametrize(("a", "b"), [(25, 20), (10, 10), (29, 19), (30, 12)])
def test_table_in_two_parts_is_the_table(a, b):
    early, late = cut(table(), a, b)
    forecaster = reader().fit(early).update(late)
    assert_same(forecaster.panel_, reader().read(table()))


def test_rows_with_an_empty_target_are_gaps_or_the_future_as_in_one_table():
    """Price is known three days ahead; two of them become values, one an unobserved one."""
    whole = table()
    whole.loc[whole["store"].eq("a") & (whole.groupby("store").cumcount() == 26), "sales"] = np.nan
    ahead = table(34, 20)
    ahead["sales"] = ahead["sales"].where(ahead.groupby("store").cumcount() < 30)
    early, late = cut(whole, 25, 20)
    known = ahead[ahead["store"].eq("a")].iloc[25:28].assign(sales=np.nan)
    forecaster = reader().fit(pd.concat([early, known]))
    late = late.dropna()
    forecaster.update(late)
    assert_same(forecaster.panel_, reader().read(whole))
    future = ahead[ahead["store"].eq("a")].iloc[30:].assign(sales=np.nan)
    other = reader().fit(early).update(pd.concat([late, future]))
    assert_same(other.panel_, reader().read(pd.concat([late, future, early])))


def test_steps_without_a_row_take_what_was_known_ahead_of_them():
    early, late = cut(table(), 25, 20)
    known = late.iloc[:3].assign(sales=np.nan)
    forecaster = reader().fit(pd.concat([early, known])).update(late.iloc[2:])
    at = slice(25, 28)
    assert np.isnan(forecaster.panel_.y[25:27]).all()
    np.testing.assert_array_equal(forecaster.panel_.covariates["price"][at], late["price"].iloc[:3])


def test_series_without_new_rows_stay_as_they_are():
    early, late = cut(table(), 25, 15)
    panel = reader().fit(early).update(late[late["store"].eq("b")]).panel_
    assert panel.lengths.tolist() == [25, 20]
    assert panel.series(1)[-1] == 29.0


def test_other_models_forecast_from_the_new_ends():
    early, late = cut(table(), 25, 15)
    forecaster = Forecaster(Naive(), freq="D", **COLUMNS).fit(early)
    assert forecaster.predict(1)["Naive"].tolist() == [24.0, 24.0]
    out = forecaster.update(late).predict(1)
    assert out["Naive"].tolist() == [29.0, 29.0]
    assert out["day"].tolist() == [pd.Timestamp("2024-01-31"), pd.Timestamp("2024-01-21")]


def test_series_in_columns_go_on_too(tmp_path):
    wide = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=9), "east": range(9), "west": range(9, 18)})
    forecaster = Forecaster(Naive()).fit(wide.head(6))
    forecaster.save(tmp_path / "model")
    for one in (forecaster, Forecaster.load(tmp_path / "model")):
        one.update(wide.iloc[6:8]).update(wide.iloc[8:][["day", "west"]])
        assert one.predict(1)["Naive"].tolist() == [7.0, 17.0]


def test_categories_go_on_in_their_places():
    states = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=9), "state": [*"abcabcab", "c"]})
    panel = read_panel(states.head(6), time_col="day", target_col="state")
    newer = read_panel(states.tail(2), time_col="day", target_col="state", freq="D", least=1)
    longer = extended(panel, newer)
    assert longer.labels(longer.y).tolist() == [*"abcabc", None, *"bc"]
    with pytest.raises(DataError, match="has not seen in training"):
        extended(panel, replace(newer, categories=("b", "z")))


def test_time_zone_of_the_histories_is_that_of_the_new_rows():
    stamps = pd.date_range("2024-03-30 20:00", periods=12, freq="h", tz="Europe/Vienna")
    frame = pd.DataFrame({"time": stamps, "y": np.arange(12.0)})
    forecaster = Forecaster(Naive()).fit(frame.head(8)).update(frame.tail(4))
    assert forecaster.predict(1)["time"][0] == stamps[-1] + pd.Timedelta(1, "h")
    with pytest.raises(DataError, match="new stamps are without a time zone, those of the histories Europe/Vienna"):
        forecaster.update(pd.DataFrame({"time": [pd.Timestamp("2024-04-02")], "y": [1.0]}))


@pytest.mark.parametrize(("change", "message"), [
    (lambda new: new.assign(store="c"), r"Series 'c' was not there when the models were fitted; leave out its rows"),
    (lambda new: new.assign(day=new["day"] - pd.Timedelta(10, "D")), r"series 'a' begin at 2024-01-16, but its histor"),
    (lambda new: new.assign(day=new["day"] + pd.Timedelta(12, "h")), r"begin at 2024-01-26 12:00:00, which is no step"),
    (lambda new: new.assign(day=new["day"] + pd.Timedelta(9_000, "D")), r"9,000 steps after its end; correct"),
    (lambda new: new.drop(columns="sales"), r"'sales'"),
    (lambda new: new.drop(columns="store"), r"store|2 rows|sales"),
    (lambda new: pd.concat([new, new]), r"Series 'a' has 2 rows at 2024-01-26"),
    (lambda new: new.assign(sales="many"), r"holds categories, that of the histories numbers; correct the new values"),
])  # fmt: skip
def test_rows_that_do_not_go_on_are_refused_in_a_sentence(change, message):
    early, late = cut(table(), 25, 15)
    forecaster = Forecaster(Naive(), freq="D", **COLUMNS).fit(early)
    before = forecaster.panel_
    with pytest.raises(DataError, match=message) as caught:
        forecaster.update(change(late))
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
    assert forecaster.panel_ is before


def test_stamp_between_the_steps_of_a_series_is_refused():
    panel = make_panel({"a": np.arange(9.0)}, start="2024-01-01", freq="2D")
    newer = make_panel({"a": [1.0]}, start="2024-01-20", freq="2D")
    with pytest.raises(DataError, match=r"begin at 2024-01-20, which is no step of its .*; the next one .* 2024-01-19"):
        extended(panel, newer)


def test_rows_of_another_frequency_are_refused():
    panel = make_panel({"a": np.arange(9.0)}, start="2024-01-01", freq="D")
    with pytest.raises(DataError, match=r"The new rows are hourly .*, but the histories are daily"):
        extended(panel, make_panel({"a": [1.0]}, start="2024-02-20", freq="h"))


def test_update_before_fit_is_refused():
    with pytest.raises(NotFittedError, match="call fit before update"):
        reader().update(table())
