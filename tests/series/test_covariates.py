"""Covariates as they are declared: known ahead, historic, static, computed from the stamps; none is used unasked."""

import importlib.util

import numpy as np
import pandas as pd
import pytest

from forecast.errors import DataError, ParameterError
from forecast.series.frame import read_panel
from forecast.series.future import last_season, reaching, with_future
from forecast.series.inspect import inspect
from forecast.series.roles import Declared

DAYS = pd.date_range("2024-03-01", periods=8, freq="D")


def shops(ids=("north", "south"), **columns):
    """Sales of each shop on eight days; the last two are still to come."""
    y = [5.0, 7, 6, 8, 9, 7, np.nan, np.nan]
    frames = [pd.DataFrame({"shop": name, "ds": DAYS, "y": y, "price": 2.0 + k}) for k, name in enumerate(ids)]
    return pd.concat(frames, ignore_index=True).assign(**columns)


def known(frame):
    return frame[frame["y"].notna()]


def prices(days=DAYS[6:], ids=("north", "south"), **columns):
    return pd.concat([pd.DataFrame({"shop": name, "ds": days, "price": 4.0 + k}) for k, name in enumerate(ids)]).assign(
        **columns
    )


def said(panel, *words):
    return any(all(word in note for word in words) for note in panel.notes)


# ------------------------------------------------------------------------------------------- declaring


def test_column_that_is_not_declared_is_used_by_no_model_and_said():
    panel = read_panel(known(shops()))
    assert panel.declared == Declared()
    assert not panel.ahead
    assert said(panel, "Not used: 'price'", "--future (future=)", "--historic (historic=)")


def test_declared_column_is_no_target_no_series_and_no_identifier():
    frame = pd.DataFrame({"ds": DAYS, "beer": range(8), "wine": range(8), "heat": range(8)})
    panel = read_panel(frame, historic="heat")
    assert panel.ids.tolist() == ["beer", "wine"]
    assert panel.covariates["heat"].tolist() == [*range(8)] * 2  # the series of a wide table share it
    assert read_panel(frame[["ds", "beer", "heat"]], future=["heat"]).columns.target == "beer"


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"future": "prize"}, "no column 'prize' for --future; the nearest name is 'price'"),
        ({"historic": ["rain"]}, "no column 'rain' for --historic"),
        ({"static": ["size"]}, r"no column 'size' for --static \(static=\) in the data; name the table"),
        ({"future": "price", "historic": "price"}, "'price' is declared twice"),
        ({"future": "y", "target_col": "y"}, "'y' is given twice; --future needs a column of its own"),
        (
            {"future": "mood"},
            r"Covariate 'mood' holds text, such as 'good' in row 0 .*; declare it with --static \(static=\) if each",
        ),
        ({"static": "price"}, "'price' is declared static, but series 'north' has both 2.0 and 9.0"),
        ({"calendar": "weekday"}, "no calendar feature 'weekday'; the calendar features are month, quarter"),
        ({"calendar": "hour"}, r"'hour' says nothing of data that are daily \(D\)"),
    ],
)
def test_declaration_that_cannot_be_is_refused(declared, message):
    frame = known(shops(mood="good"))
    frame.loc[1, "price"] = 9.0
    with pytest.raises((DataError, ParameterError), match=message):
        read_panel(frame, **declared)


def test_panel_can_be_declared_anew():
    panel = read_panel(known(shops()))
    assert read_panel(panel) is panel
    assert read_panel(panel, future="price").declared.future == ("price",)
    with pytest.raises(DataError, match=r"has no column 'rain' for --historic \(historic=\); .* 'price'"):
        read_panel(panel, historic="rain")


def test_inspection_tells_what_is_read_as_what():
    panel = read_panel(shops(heat=1.0, zone=["a"] * 8 + ["b"] * 8), future="price", static="zone", calendar="weekend")
    told = " ".join(finding.what for finding in inspect(panel))
    assert "'price' is known ahead, for 2 steps after the last value." in told
    bare = " ".join(finding.what for finding in inspect(read_panel(known(shops()), future="price")))
    assert "'price' is known ahead; the data hold no values after the last one of 'north'." in bare
    assert "static covariate 'zone' is a category, of 2." in told
    assert "no model uses: 'heat'" in told
    assert "computed from the stamps: 'weekend (calendar)'" in told


# ------------------------------------------------------------------------------------------- the future


def test_rows_with_an_empty_target_hold_the_future():
    panel = read_panel(shops().sample(frac=1, random_state=0), future="price")
    assert panel.lengths.tolist() == [6, 6]
    first = panel.ids.tolist().index("north")
    assert panel.ahead["price"][[first, 1 - first]].tolist() == [[2, 2], [3, 3]]
    assert said(panel, "4 empty rows after the last value hold the future of 'price'")


def test_future_of_historic_and_undeclared_columns_is_not_kept():
    panel = read_panel(shops(rain=1.0, heat=2.0), historic="rain", future="price")
    assert set(panel.ahead) == {"price"}


def test_series_that_end_at_different_stamps_have_their_own_future():
    frame = shops()
    frame.loc[frame["shop"].eq("south") & frame["ds"].eq(DAYS[5]), "y"] = np.nan
    panel = read_panel(frame, future="price")
    np.testing.assert_array_equal(panel.ahead["price"], [[2, 2, np.nan], [3, 3, 3]])


def test_future_comes_from_a_frame_of_its_own():
    panel = read_panel(known(shops()), future="price")
    given = with_future(panel, prices(DAYS, ids=("south", "west", "north")), 2)
    assert given.ahead["price"].tolist() == [[6, 6], [4, 4]]
    assert not panel.ahead


def test_future_file_is_read_as_the_history_is(csv):
    panel = read_panel(known(shops()), future="price")
    path = csv("shop;ds;price\n" + "".join(f"{shop};{day:%d.%m.%Y};1,5\n" for shop in panel.ids for day in DAYS[6:]))
    assert with_future(panel, path, 2).ahead["price"].tolist() == [[1.5, 1.5]] * 2


def test_future_without_an_identifier_is_that_of_every_series():
    panel = read_panel(known(shops()), future="price")
    given = with_future(panel, pd.DataFrame({"ds": DAYS[6:], "price": [1.0, 2.0]}), 2)
    assert given.ahead["price"].tolist() == [[1, 2], [1, 2]]


def test_identifiers_that_are_numbers_meet_those_that_are_texts():
    panel = read_panel(known(shops(ids=(1, 2))), future="price")
    given = with_future(panel, prices(ids=("2", "1")), 2)
    assert given.ahead["price"].tolist() == [[5, 5], [4, 4]]


def test_given_future_goes_before_that_of_the_file_and_fills_what_it_lacks():
    panel = read_panel(shops(), future="price")
    given = with_future(panel, prices(DAYS[7:], ids=("north",)), 2)
    assert given.ahead["price"].tolist() == [[2, 4], [3, 3]]


def test_stamps_of_a_time_zone_meet_their_steps():
    stamps = pd.date_range("2024-03-30 20:00", periods=12, freq="h", tz="Europe/Vienna")  # clocks go forward
    frame = pd.DataFrame({"ds": stamps, "y": 1.0, "load": np.arange(12.0)})
    panel = read_panel(frame[:6], future="load")
    assert with_future(panel, frame[6:], 6).ahead["load"].tolist() == [[6, 7, 8, 9, 10, 11]]


@pytest.mark.parametrize(
    ("future", "message"),
    [
        (prices().rename(columns={"price": "cost"}), "no column 'price', which is declared as known ahead"),
        (prices(price="cheap"), "has 'cheap' in row 0 of the frame .* which is no number"),
        (pd.concat([prices(), prices()]), r"2 rows for series 'north' at 2024-03-07; keep one"),
        (prices(DAYS[6:] + pd.Timedelta("6h")), r"stamp 2024-03-07 06:00.* no step of its daily .* next one is 2024"),
        (prices().assign(ds=[1, 2, 1, 2]), "The time 1 of the future values is of another kind"),
        (prices().assign(ds=lambda f: f["ds"].dt.tz_localize("UTC")), "in the zone UTC, those of the history in none"),
    ],
)
def test_future_that_cannot_be_read_is_refused(future, message):
    with pytest.raises(DataError, match=message):
        with_future(read_panel(known(shops()), future="price"), future, 2)


def test_future_without_a_declaration_is_refused():
    with pytest.raises(DataError, match=r"no covariate is declared as known ahead; name the columns with --future"):
        with_future(read_panel(known(shops())), prices(), 2)


@pytest.mark.parametrize(
    ("future", "who"),
    [
        (prices(ids=("north",)), r"for series 'south' from 2024-03-07 to 2024-03-08 \(2 stamps\); give"),
        (prices(DAYS[:7]), r"for series 'north' at 2024-03-08, 'south' at 2024-03-08; give"),
        (prices(price=[1, np.nan, 1, 1]), r"for series 'north' at 2024-03-08; give .* with --future-data \(future=\)"),
    ],
)
def test_missing_future_is_refused_with_series_and_stamps(future, who):
    panel = with_future(read_panel(known(shops()), future="price"), future, 2)
    with pytest.raises(DataError, match=f"^Covariate 'price' is declared as known ahead, but has no value {who}"):
        reaching(panel, 2)


def test_regressors_of_a_series_are_its_past_and_what_is_known_ahead():
    panel = read_panel(shops(), future="price", calendar="weekend")
    assert panel.regressors(1).tolist() == [[3.0, float(day.weekday() > 4)] for day in DAYS[:6]]
    np.testing.assert_array_equal(panel.regressors(1, 3)[6:], [[3, np.nan], [3, np.nan], [np.nan, np.nan]])
    assert reaching(panel, 2).regressors(1, 2)[6:].tolist() == [[3, 0], [3, 0]]
    assert read_panel(shops()).regressors(0, 2).shape == (8, 0)


def test_many_series_without_a_future_are_counted():
    panel = read_panel(known(shops(ids="abcdefg")), future="price")
    with pytest.raises(DataError, match=r"'a' .*'c' .*\(2 stamps\) and 4 more series; give"):
        reaching(panel, 2)


def test_continuation_repeats_the_last_season_or_the_last_value():
    assert last_season([1, 2, 3, 4, 5], 3, 5).tolist() == [3, 4, 5, 3, 4]
    assert last_season([1, 2, 3, np.nan, 5], 3, 4).tolist() == [3, 5, 5, 3]
    assert last_season([1, 2], 3, 2).tolist() == [2, 2]
    assert last_season([1, np.nan], 1, 2).tolist() == [1, 1]
    assert np.isnan(last_season([np.nan], 1, 2)).all()


# ------------------------------------------------------------------------------------------- statics


def test_static_columns_hold_one_value_for_each_series():
    frame = shops(zone=["east"] * 8 + [None] * 8, area=[120.5] * 8 + [np.nan] * 8)
    panel = read_panel(frame, static=["zone", "area"])
    assert panel.statics["zone"].tolist() == ["east", None]
    np.testing.assert_array_equal(panel.statics["area"], [120.5, np.nan])
    assert panel.select(np.array([1])).statics["zone"].tolist() == [None]


def test_pandas_category_of_numbers_is_a_category():
    panel = read_panel(shops(kind=pd.Categorical([3] * 8 + [1] * 8)), static="kind")
    assert panel.statics["kind"].tolist() == ["3", "1"]


def test_static_table_is_joined_by_identifier():
    table = pd.DataFrame({"shop": ["south", "east", "north"], "zone": ["s", "e", "n"], "area": [1.0, 2, 3]})
    panel = read_panel(known(shops()), static_data=table)
    assert panel.declared.static == ("zone", "area")
    assert panel.statics["zone"].tolist() == ["n", "s"]
    assert read_panel(known(shops()), static="area", static_data=table).statics.keys() == {"area"}
    with pytest.raises(DataError, match=r"Series 'south' has no row in the static data \(1 series in all\)"):
        read_panel(known(shops()), static_data=table[1:])
    with pytest.raises(DataError, match="static data have no column beside 'shop'"):
        read_panel(known(shops()), static_data=table[["shop"]])
    with pytest.raises(DataError, match="static data have no column 'shop' that names the series"):
        read_panel(known(shops()), static_data=table.rename(columns={"shop": "store"}))


def test_columns_of_a_static_table_that_nobody_declared_are_said():
    table = pd.DataFrame({"shop": ["south", "north"], "zone": ["s", "n"], "area": [1.0, 2]})
    assert said(read_panel(known(shops()), static_data=table), "Static covariates: 'zone', 'area', all columns")
    assert not said(read_panel(known(shops()), static_data=table, static="area"), "Static covariates")
    twice = pd.concat([table, table.assign(zone="x")])
    with pytest.raises(DataError, match="have both 's' and 'x' in column 'zone' for series 'south'; keep one row"):
        read_panel(known(shops()), static_data=twice)


def test_static_column_that_is_nowhere_is_refused_with_the_place_to_name():
    table = pd.DataFrame({"shop": ["south", "north"], "zone": ["s", "n"]})
    with pytest.raises(DataError, match=r"no column 'town' for --static .* with --static-data \(static_data=\)"):
        read_panel(known(shops()), static="town")
    with pytest.raises(DataError, match=r"no column 'town' .* the columns of the latter are 'shop', 'zone'"):
        read_panel(known(shops()), static="town", static_data=table)


def test_series_that_are_left_out_take_their_statics_with_them():
    frame = shops(ids="abc", zone=["x"] * 8 + ["y"] * 8 + ["z"] * 8)
    frame.loc[frame["shop"] == "b", "y"] = np.nan
    assert read_panel(frame, static="zone").statics["zone"].tolist() == ["x", "z"]


# ------------------------------------------------------------------------------------------- the calendar


def test_calendar_goes_round_and_is_known_ahead():
    panel = read_panel(known(shops()), calendar=["dayofweek", "weekend"])
    assert panel.declared.known == ("dayofweek (sin)", "dayofweek (cos)", "weekend (calendar)")
    assert panel.covariates["weekend (calendar)"][:6].tolist() == [0, 1, 1, 0, 0, 0]  # 1 March 2024 was a Friday
    ahead = reaching(panel, 9).ahead
    angle = 2 * np.pi * DAYS[6:].day_of_week / 7
    np.testing.assert_allclose(ahead["dayofweek (sin)"][0, :2], np.sin(angle))
    np.testing.assert_allclose(ahead["dayofweek (cos)"][1, 7:], np.cos(angle))  # a week later
    assert ahead["weekend (calendar)"][0].tolist() == [0, 0, 1, 1, 0, 0, 0, 0, 0]


def test_hours_are_those_of_the_callers_clock():
    stamps = pd.date_range("2024-03-30 20:00", periods=12, freq="h", tz="Europe/Vienna")
    panel = read_panel(pd.DataFrame({"ds": stamps, "y": 1.0}), calendar="hour")
    np.testing.assert_allclose(panel.covariates["hour (cos)"], np.cos(2 * np.pi * stamps.hour / 24))


@pytest.mark.parametrize("name", ["month", "quarter", "dayofyear"])
def test_year_of_months_goes_round(name):
    frame = pd.DataFrame({"ds": pd.date_range("2020-01-01", periods=36, freq="MS"), "y": range(36)})
    for wave in ("sin", "cos"):
        values = read_panel(frame, calendar=name).covariates[f"{name} ({wave})"]
        np.testing.assert_allclose(values[12:24], values[24:], atol=0.02)  # one of the years is a leap year
        assert values[:12].std() > 0.5


def test_whole_numbers_have_no_calendar():
    with pytest.raises(ParameterError, match="The time is whole numbers, which have no calendar; leave out 'month'"):
        read_panel(pd.DataFrame({"t": range(9), "y": range(9)}), calendar="month")


def test_public_holidays_are_flagged():
    pytest.importorskip("holidays")
    stamps = pd.date_range("2023-12-23", periods=12, freq="D")
    panel = read_panel(pd.DataFrame({"ds": stamps, "y": 1.0}), holidays=["AT", "DE-BY"])
    assert stamps[panel.covariates["holiday (AT)"] == 1].day.tolist() == [25, 26, 1]
    assert reaching(panel, 3).ahead["holiday (DE-BY)"].tolist() == [[0, 0, 1]]  # Epiphany
    with pytest.raises(ParameterError, match="The holidays of 'XX' are not known; give a country by its ISO code"):
        read_panel(panel, holidays="XX")


def test_absent_package_of_holidays_is_said(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "holidays" else find(name))
    with pytest.raises(ParameterError, match=r'install it with: pip install "gatecast\[holidays\]"'):
        read_panel(pd.DataFrame({"ds": DAYS, "y": 1.0}), holidays="AT")
