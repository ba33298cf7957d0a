"""Stamps with a time zone: sub-daily ones in UTC, daily and coarser ones by the local calendar, and back again."""

import numpy as np
import pandas as pd
import pytest

from forecast.series.frame import read_panel

PARIS = "Europe/Paris"


def hours(start, n, tz=PARIS):
    return pd.date_range(start, periods=n, freq="h", tz=tz)


def frame(stamps):
    return pd.DataFrame({"ds": stamps, "y": np.arange(len(stamps)) + 1.0})


@pytest.mark.parametrize("day", ["2020-03-28", "2020-10-24"])
def test_hours_run_through_a_change_of_clocks(day):
    stamps = hours(day, 72)
    panel = read_panel(frame(stamps[:48]))
    assert len(panel.y) == 48
    assert panel.columns.tz == PARIS
    assert panel.future_frame(24)["ds"].tolist() == stamps[48:].tolist()


@pytest.mark.parametrize("freq", ["D", "W-SUN", "MS", "B"])
def test_days_and_coarser_keep_their_local_time(freq):
    stamps = pd.date_range("2020-01-01", periods=60, freq=freq, tz=PARIS)
    panel = read_panel(frame(stamps[:50]))
    assert panel.frequency.alias == freq
    assert panel.frame()["ds"].tolist() == stamps[:50].tolist()
    assert panel.future_frame(10)["ds"].tolist() == stamps[50:].tolist()


def test_zone_of_iso_texts_is_kept():
    texts = [f"2011-12-31T13:{minute:02}:00Z" for minute in (0, 30)] + ["2011-12-31T14:00:00Z"]
    panel = read_panel(pd.DataFrame({"Time": texts, "y": [1.0, 2, 3]}))
    assert panel.columns.tz == "UTC"
    assert str(panel.future_frame(1)["Time"][0]) == "2011-12-31 14:30:00+00:00"


def test_one_offset_is_kept_as_a_zone():
    texts = [f"2020-03-29T0{hour}:00:00+01:00" for hour in range(5)]
    panel = read_panel(pd.DataFrame({"ds": texts, "y": 1.0}))
    assert str(panel.future_frame(1)["ds"][0]) == "2020-03-29 05:00:00+01:00"


def test_mixed_offsets_come_together_in_the_given_zone():
    stamps = hours("2020-10-24", 48)
    panel = read_panel(frame([stamp.isoformat() for stamp in stamps]), tz=PARIS)
    assert panel.frame()["ds"].tolist() == stamps.tolist()


def test_stamps_in_utc_are_days_in_the_zone_that_is_given():
    """Days that begin at midnight in Melbourne begin at 13:00 or 14:00 in UTC."""
    days = pd.date_range("2012-03-25", periods=20, tz="Australia/Melbourne")
    panel = read_panel(frame(days.tz_convert("UTC")), tz="Australia/Melbourne")
    assert panel.frequency.alias == "D"
    assert panel.frame()["ds"].tolist() == days.tolist()


def test_naive_hours_are_told_apart_by_their_order():
    stamps = hours("2020-10-24", 48)
    panel = read_panel(frame(stamps.tz_localize(None)), tz=PARIS)
    assert panel.frame()["ds"].tolist() == stamps.tolist()
    assert panel.y.tolist() == [*range(1, 49)]
    assert any("2 local times" in note and PARIS in note for note in panel.notes)


def test_naive_hours_are_told_apart_in_each_series():
    stamps = hours("2020-10-24", 48)
    two = pd.concat([frame(stamps.tz_localize(None)).assign(unique_id=name) for name in "ab"])
    panel = read_panel(two, tz=PARIS)
    assert panel.lengths.tolist() == [48, 48]
    assert not np.isnan(panel.y).any()


def test_naive_hours_with_a_hole_in_spring_have_no_gap_in_their_zone():
    stamps = hours("2020-03-28", 48)
    panel = read_panel(frame(stamps.tz_localize(None)), tz=PARIS)
    assert len(panel.y) == 48
    assert not np.isnan(panel.y).any()


def test_naive_days_keep_their_dates_in_the_given_zone():
    panel = read_panel(frame(pd.date_range("2020-03-25", periods=9)), tz=PARIS)
    assert panel.frequency.alias == "D"
    assert str(panel.future_frame(1)["ds"][0]) == "2020-04-03 00:00:00+02:00"


def test_midnight_that_a_zone_skips_still_counts_as_its_day():
    days = pd.date_range("2018-10-28", periods=14).tz_localize("America/Sao_Paulo", nonexistent="shift_forward")
    assert days[7].hour == 1  # clocks were set forward at midnight of 4 November 2018
    panel = read_panel(frame(days))
    assert panel.frequency.alias == "D"
    assert panel.frame()["ds"].tolist() == days.tolist()


def test_naive_and_aware_stamps_agree_once_the_zone_is_given():
    stamps = hours("2020-01-01", 4)
    texts = [stamp.isoformat() if i % 2 else str(stamp.tz_localize(None)) for i, stamp in enumerate(stamps)]
    assert read_panel(frame(texts), tz=PARIS).frame()["ds"].tolist() == stamps.tolist()


def test_messages_show_local_time():
    panel = read_panel(frame(hours("2020-01-01", 48).delete(5)))
    assert any("2020-01-01 05:00:00+01:00" in note for note in panel.notes)
