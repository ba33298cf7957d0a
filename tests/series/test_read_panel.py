"""The plain cases, and what is done with what is not quite plain: guessed, filled, trimmed, and said."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.series.frame import read_panel

BEER = [284, 213, 227, 308, 262, 228, 236, 320, 272, 233, 237, 313]  # Australian beer production from 1956


def quarters(**columns):
    return pd.DataFrame(
        {"ds": pd.date_range("1956-01-01", periods=12, freq="QS"), "y": np.array(BEER, float), **columns}
    )


def long(ids=("b", "a"), **columns):
    return pd.concat([quarters(unique_id=name, **columns) for name in ids], ignore_index=True)


def said(panel, *words):
    return any(all(word in note for word in words) for note in panel.notes)


# ----------------------------------------------------------------------------------------- plain inputs


def test_single_series_from_csv(csv):
    panel = read_panel(
        csv('"Y","date"\n' + "".join(f"{y},{1956 + i // 4}-{i % 4 * 3 + 1:02}-01\n" for i, y in enumerate(BEER)))
    )
    assert panel.y.tolist() == BEER
    assert (panel.columns.time, panel.columns.target) == ("date", "Y")
    assert panel.ids.tolist() == ["Y"]
    assert panel.frequency.alias == "QS-JAN"
    assert panel.season_length == 4
    assert said(panel, "time 'date', target 'Y'")
    assert said(panel, "Frequency: quarterly (QS-JAN), inferred from 12 stamps; season length 4.")


def test_long_frame_keeps_the_order_of_its_series():
    panel = read_panel(long())
    assert panel.ids.tolist() == ["b", "a"]
    assert panel.indptr.tolist() == [0, 12, 24]
    assert panel.series(1).tolist() == BEER


def test_caller_frame_is_not_changed():
    frame = long().set_index("ds")
    before = frame.copy(deep=True)
    read_panel(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_panel_comes_back_as_it_is():
    panel = read_panel(long())
    assert read_panel(panel) is panel
    assert read_panel(panel, season_length=8).season_length == 8


def test_wide_frame_has_a_series_in_each_column():
    frame = pd.DataFrame({"beer": BEER, "wine": BEER[::-1]}, index=pd.date_range("1956-01-01", periods=12, freq="QS"))
    panel = read_panel(frame)
    assert panel.ids.tolist() == ["beer", "wine"]
    assert panel.series(1).tolist() == BEER[::-1]
    assert panel.columns.time == "ds"
    assert said(panel, "'beer', 'wine' is taken as a series", "--target beer (target_col='beer')")


def test_wide_frame_with_a_target_has_covariates():
    panel = read_panel(quarters(price=2.5).rename(columns={"y": "litres"}), target_col="litres")
    assert panel.ids.tolist() == ["litres"]
    assert panel.covariates["price"].tolist() == [2.5] * 12


def test_star_takes_every_numeric_column_as_a_series():
    panel = read_panel(quarters(price=2.5, region="north"), target_col="*")
    assert panel.ids.tolist() == ["y", "price"]
    assert said(panel, "Ignored, since not numeric: 'region'")


def test_wide_parquet(tmp_path):
    path = tmp_path / "wide.parquet"
    quarters(other=1.5).rename(columns={"y": "beer"}).to_parquet(path)
    assert read_panel(path).ids.tolist() == ["beer", "other"]


@pytest.mark.parametrize(
    ("index", "alias"),
    [
        (pd.date_range("1956-01-01", periods=12, freq="QS", name="quarter"), "QS-JAN"),
        (pd.period_range("1956Q1", periods=12, freq="Q"), "QS-JAN"),
        (pd.RangeIndex(1956, 1968), "1"),
        (pd.RangeIndex(0, 24, 2), "2"),
        (pd.Index([f"1956-{month:02}" for month in range(1, 13)]), "MS"),
    ],
)
def test_series_with_its_time_in_the_index(index, alias):
    panel = read_panel(pd.Series(BEER, index=index, name="beer"))
    assert panel.frequency.alias == alias
    assert panel.ids.tolist() == ["beer"]
    assert panel.columns.time == (index.name or "ds")
    assert panel.y.tolist() == BEER


def test_identifier_and_time_in_the_index():
    panel = read_panel(long().set_index(["unique_id", "ds"]))
    assert panel.ids.tolist() == ["b", "a"]
    series = long().set_index(["unique_id", "ds"])["y"]
    assert read_panel(series).series(0).tolist() == BEER


def test_nullable_and_categorical_types():
    frame = long().astype({"unique_id": "category", "y": "Float64"})
    frame.loc[3, "y"] = pd.NA
    panel = read_panel(frame)
    assert panel.ids.tolist() == ["b", "a"]
    assert np.isnan(panel.series(0)[3])


def test_identifiers_keep_their_type(csv):
    assert read_panel(long(ids=(2, 1))).ids.tolist() == [2, 1]
    rows = [f"{name},1956-01-{day:02},{day}\n" for name in ("007", "010") for day in (1, 2, 3)]
    assert read_panel(csv("unique_id,ds,y\n" + "".join(rows))).ids.tolist() == ["007", "010"]


def test_identifier_called_na_is_no_missing_value(csv):
    rows = [f"{name},1956-01-{day:02},{day}\n" for name in ("NA", "ZA") for day in (1, 2, 3)]
    assert read_panel(csv("country,ds,y\n" + "".join(rows))).ids.tolist() == ["NA", "ZA"]


# --------------------------------------------------------------------------------------- guessed columns


@pytest.mark.parametrize("name", ["store", "beverage"])
def test_text_column_that_tells_equal_times_apart_is_the_identifier(name):
    panel = read_panel(long().rename(columns={"unique_id": name, "y": "litres"}))
    assert panel.columns.id == name
    assert panel.columns.target == "litres"
    assert len(panel) == 2


def test_text_column_of_a_single_series_is_ignored_and_said():
    panel = read_panel(quarters(comment=list("abcdefghijkl")))
    assert len(panel) == 1
    assert said(panel, "Ignored", "'comment'")


def test_row_numbers_are_no_series(csv):
    panel = read_panel(csv(",year,volume\n" + "".join(f"{i},{1871 + i}.0,{y}.0\n" for i, y in enumerate(BEER))))
    assert panel.columns.target == "volume"
    assert panel.starts.tolist() == [1871]
    assert panel.frequency.is_integer
    assert said(panel, "only numbers the rows")


def test_unnamed_dates_are_the_time(csv):
    panel = read_panel(csv(",co2\n1958-03-29,316.1\n1958-04-05,317.3\n1958-04-12,317.6\n"))
    assert panel.frequency.alias == "W-SAT"
    assert panel.columns.time == "ds"


def test_file_of_numbers_alone_counts_its_rows(csv):
    panel = read_panel(csv('"Y"\n22262\n21756\n\n22247\n'))
    assert panel.starts.tolist() == [0]
    np.testing.assert_array_equal(panel.y, [22262, 21756, np.nan, 22247])
    assert said(panel, "no time column", "steps 0, 1, 2")


def test_year_and_quarter_make_the_time(csv):
    rows = [f"{i},{1959 + i // 4}.0,{i % 4 + 1}.0,{y}\n" for i, y in enumerate(BEER)]
    panel = read_panel(csv(",year,quarter,gdp\n" + "".join(rows)))
    assert panel.frequency.alias == "QS-JAN"
    assert str(panel.starts[0])[:10] == "1959-01-01"
    assert panel.y.tolist() == BEER
    assert said(panel, "put together from the columns 'year', 'quarter'")


def test_year_month_and_day_make_the_time():
    days = pd.date_range("2020-02-25", periods=9)
    frame = pd.DataFrame({"Year": days.year, "Month": days.month, "Day": days.day, "y": 1.0})
    panel = read_panel(frame)
    assert panel.frequency.alias == "D"
    assert panel.stamps(0).tolist() == days.to_numpy().astype("datetime64[ns]").tolist()


def hourly_rows(clock):
    return [f"2020-01-{day:02},{clock(hour)},{day + hour}\n" for day in (1, 2, 3) for hour in range(24)]


@pytest.mark.parametrize(
    ("name", "clock"),
    [("time", "{:02}:00".format), ("clock", "{:02}:00:00".format), ("hr", str)],
)
def test_date_and_time_of_day_make_the_time(csv, name, clock):
    panel = read_panel(csv(f"date,{name},load\n" + "".join(hourly_rows(clock))))
    assert panel.frequency.alias == "h"
    assert panel.y[:25].tolist() == [*range(1, 25), 2]
    assert said(panel, f"put together from the columns 'date', '{name}'")


def test_date_and_time_of_day_of_several_series(csv):
    rows = [f"{name},{row}" for name in "ab" for row in hourly_rows("{:02}:00".format)]
    panel = read_panel(csv("meter,date,time,load\n" + "".join(rows)), id_col="meter")
    assert panel.lengths.tolist() == [72, 72]


def test_date_and_hour_of_a_frame():
    stamps = pd.date_range("2020-01-01", periods=72, freq="h")
    panel = read_panel(pd.DataFrame({"date": stamps.normalize(), "hour": stamps.hour, "y": 1.0}))
    assert panel.stamps(0).tolist() == stamps.to_numpy().astype("datetime64[ns]").tolist()


def test_truth_values_are_covariates(csv):
    rows = [f"1956-01-{i + 1:02},{y},{'TRUE' if i % 7 == 0 else 'FALSE'}\n" for i, y in enumerate(BEER)]
    panel = read_panel(csv("ds,y,Holiday\n" + "".join(rows)))
    assert panel.covariates["Holiday"].tolist() == [float(i % 7 == 0) for i in range(12)]
    assert read_panel(quarters(open=True)).covariates["open"].tolist() == [1.0] * 12


def test_covariate_with_a_text_in_it_is_ignored_and_said():
    panel = read_panel(quarters(price=["1.5"] * 11 + ["cheap"]))
    assert panel.covariates == {}
    assert said(panel, "Covariate 'price' is ignored", "'cheap'", "row 11")


def test_named_columns_win():
    frame = long(other=1.0).rename(columns={"ds": "begin"}).assign(ds=lambda f: f["begin"])
    panel = read_panel(frame, id_col="unique_id", time_col="begin", target_col="other")
    assert panel.columns.time == "begin"
    assert panel.y.tolist() == [1.0] * 24
    assert not any(note.startswith("Columns:") for note in panel.notes)


# ------------------------------------------------------------------------------------------ grid and gaps


def test_gap_becomes_unobserved_values():
    panel = read_panel(long(ids="ab", price=1.0).drop(index=[3, 4, 20]))
    assert panel.lengths.tolist() == [12, 12]
    assert np.flatnonzero(np.isnan(panel.y)).tolist() == [3, 4, 20]
    assert np.flatnonzero(np.isnan(panel.covariates["price"])).tolist() == [3, 4, 20]
    assert said(panel, "3 missing steps became unobserved values (2 series, first: 'a' at 1956-10-01)")


def test_unsorted_rows_are_sorted():
    shuffled = long(price=np.arange(12.0)).sample(frac=1, random_state=0)
    panel = read_panel(shuffled)
    for s in range(2):
        assert panel.series(s).tolist() == BEER
    assert panel.covariates["price"].tolist() == [*range(12)] * 2


def test_empty_values_at_either_end_are_left_out_and_said():
    frame = long()
    frame.loc[[0, 1, 11, 22, 23], "y"] = np.nan
    panel = read_panel(frame)
    assert panel.series(0).tolist() == BEER[2:11]
    assert panel.series(1).tolist() == BEER[:10]
    assert str(panel.starts[0])[:10] == "1956-07-01"
    assert said(panel, "2 empty rows before the first value", "1 series, first: 'b' at 1956-01-01")
    assert said(panel, "3 empty rows after the last value count as future", "2 series, first: 'b' at 1958-10-01")


def test_series_without_any_value_is_left_out_and_said():
    frame = long(ids="abc")
    frame.loc[frame["unique_id"] == "b", "y"] = np.nan
    panel = read_panel(frame)
    assert panel.ids.tolist() == ["a", "c"]
    assert panel.series(1).tolist() == BEER
    assert said(panel, "1 series without any value is left out", "'b'")


def test_series_of_one_value_beside_longer_ones():
    panel = read_panel(pd.concat([quarters(unique_id="a"), quarters(unique_id="b").iloc[4:5]]))
    assert panel.lengths.tolist() == [12, 1]


def test_anchor_of_a_given_frequency_follows_the_stamps_if_it_was_not_named():
    assert read_panel(quarters(), freq="QS-OCT").frequency.alias == "QS-OCT"  # the same grid as QS-JAN
    weeks = pd.DataFrame({"ds": pd.date_range("2020-01-04", periods=9, freq="W-SAT"), "y": 1.0})
    assert read_panel(weeks, freq="W").frequency.alias == "W-SAT"


def test_given_frequency_fills_what_could_not_be_inferred():
    sparse = pd.DataFrame({"ds": pd.to_datetime(["2020-01-01", "2020-01-09", "2020-01-20"]), "y": [1.0, 2, 3]})
    panel = read_panel(sparse, freq="D")
    assert len(panel.y) == 20
    assert panel.frequency.alias == "D"


def test_season_length_is_the_caller_s():
    assert read_panel(quarters(), season_length=np.int64(8)).season_length == 8


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_any_rows_come_back_where_they_belong(data):
    """Whatever is dropped and however it is shuffled, the panel's frame holds each remaining value at its stamp."""
    sizes = data.draw(st.lists(st.integers(12, 30), min_size=1, max_size=4))
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    parts = [
        pd.DataFrame(
            {"unique_id": f"s{k}", "ds": pd.date_range("2019-11-30", periods=n, freq="ME"), "y": rng.random(n)}
        )
        for k, n in enumerate(sizes)
    ]
    full = pd.concat(parts, ignore_index=True)
    frame = full[(full.groupby("unique_id").cumcount() < 8) | (rng.random(len(full)) < 0.7)]
    panel = read_panel(frame.sample(frac=1, random_state=seed % 1000))
    back = panel.frame().dropna().sort_values(["unique_id", "ds"], ignore_index=True)
    expected = frame.sort_values(["unique_id", "ds"], ignore_index=True)
    assert back["unique_id"].tolist() == expected["unique_id"].tolist()
    assert (back["ds"].to_numpy() == expected["ds"].to_numpy()).all()
    assert back["y"].tolist() == expected["y"].tolist()
