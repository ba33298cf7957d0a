"""Stamps of any spelling: texts, numbers, objects."""

import numpy as np
import pandas as pd
import pytest

from forecast.series.frame import read_panel


def said(panel, *words):
    return any(all(word in note for word in words) for note in panel.notes)


@pytest.mark.parametrize(
    ("texts", "alias", "second"),
    [
        (["1962-01", "1962-02", "1962-03"], "MS", "1962-02-01"),
        (["1970 Q1", "1970 Q2", "1970 Q3"], "QS-JAN", "1970-04-01"),
        (["1959Q1", "1959Q2", "1959Q3"], "QS-JAN", "1959-04-01"),
        (["Q4 1959", "Q1 1960", "Q2 1960"], "QS-JAN", "1960-01-01"),
        (["1962M01", "1962M02", "1962M03"], "MS", "1962-02-01"),
        (["1/1962", "2/1962", "3/1962"], "MS", "1962-02-01"),
        (["2020-W52", "2020-W53", "2021-W01"], "W-MON", "2020-12-28"),
        (["1/30/1981", "1/31/1981", "2/1/1981"], "D", "1981-01-31"),
        (["30.1.1981", "31.1.1981", "1.2.1981"], "D", "1981-01-31"),
        (["1981/01/30", "1981/01/31", "1981/02/01"], "D", "1981-01-31"),
        (["30-01-81", "31-01-81", "01-02-81"], "D", "1981-01-31"),
        (["1/1/2020 11:00 AM", "1/1/2020 12:00 PM", "1/1/2020 1:00 PM"], "h", "2020-01-01T12"),
        (["1962 Jan", "1962 Feb", "1962 Mar"], "MS", "1962-02-01"),
        (["Jan-72", "Feb-72", "Mar-72"], "MS", "1972-02-01"),
        (["January 1962", "February 1962", "March 1962"], "MS", "1962-02-01"),
        (["30 Jan 1981", "31 Jan 1981", "1 Feb 1981"], "D", "1981-01-31"),
        (
            ["2020-01-01 00:00:00.100", "2020-01-01 00:00:00.200", "2020-01-01 00:00:00.300"],
            "100ms",
            "2020-01-01T00:00:00.2",
        ),
        (["20200131", "20200229", "20200331"], "ME", "2020-02-29"),
        (["202001", "202002", "202003"], "MS", "2020-02-01"),
    ],
)
def test_stamps_of_many_spellings(csv, texts, alias, second):
    panel = read_panel(csv("when,y\n" + "".join(f"{text},{i + 1}\n" for i, text in enumerate(texts))), time_col="when")
    assert panel.frequency.alias == alias
    assert panel.stamps(0)[1] == np.datetime64(second, "ns")
    assert panel.y.tolist() == [1, 2, 3]


def test_order_of_day_and_month_is_decided_by_all_values(csv):
    month_first = "".join(
        f"{stamp.month}/{stamp.day}/{stamp.year},1\n" for stamp in pd.date_range("1981-01-01", periods=40)
    )
    panel = read_panel(csv("Date,y\n" + month_first))
    assert panel.frequency.alias == "D"
    assert not said(panel, "first:", "are read")


@pytest.mark.parametrize("order", ["%d/%m/%Y", "%m/%d/%Y"])
def test_ambiguous_order_is_the_one_that_runs_forward_and_is_said(csv, order):
    stamps = pd.date_range("1981-01-01", periods=40).to_series()
    stamps = stamps[(stamps.dt.day <= 12)]
    panel = read_panel(csv("Date,y\n" + "".join(f"{text},1\n" for text in stamps.dt.strftime(order))))
    assert panel.stamps(0)[-1] == stamps.iloc[-1]
    assert said(panel, "Column 'Date'", "day first" if order.startswith("%d") else "month first")


@pytest.mark.parametrize("factor", [1, 1000, 10**9])
def test_unix_time_is_read_as_utc(factor):
    seconds = (pd.date_range("2020-01-01", periods=5, freq="h").as_unit("s").astype("int64") * factor).tolist()
    panel = read_panel(pd.DataFrame({"timestamp": seconds, "y": 1.0}))
    assert panel.frequency.alias == "h"
    assert str(panel.future_frame(1)["timestamp"][0]) == "2020-01-01 05:00:00+00:00"
    assert said(panel, f"{seconds[0]} is 2020-01-01 UTC")


def test_whole_numbers_read_as_dates_are_said(csv):
    panel = read_panel(csv("date,y\n202001,1\n202002,2\n202003,3\n"))
    assert said(panel, "numbers in column 'date'", "202001 is 2020-01-01")


def test_dates_of_python_objects():
    frame = pd.DataFrame({"day": [stamp.date() for stamp in pd.date_range("2020-01-01", periods=9)], "y": 1.0})
    assert read_panel(frame).frequency.alias == "D"


def test_years_become_dates_if_a_yearly_frequency_is_given():
    frame = pd.DataFrame({"year": range(1700, 1709), "y": 1.0})
    assert str(read_panel(frame, freq="YS").starts[0])[:10] == "1700-01-01"
    assert str(read_panel(frame, freq="YE-JUN").ends[0])[:10] == "1708-06-30"
    assert read_panel(frame).starts.tolist() == [1700]
