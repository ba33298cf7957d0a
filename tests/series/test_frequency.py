"""Frequencies: arithmetic against pandas' own offsets, and inference through gaps."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from forecast.errors import DataError, ParameterError
from forecast.series.frequency import Frequency, infer_frequency, parse_frequency

ALIASES = [
    "MS", "ME", "BMS", "BME", "2MS", "QS-JAN", "QS-FEB", "QS-MAR", "QE-DEC", "QE-OCT", "QE-NOV", "BQE-DEC", "YS-JAN",
    "YS-APR", "YE-DEC", "YE-JUN", "BYE-DEC", "2YS-JAN", "W-SUN", "W-WED", "2W-SAT", "D", "2D", "10D", "B",
    "h", "2h", "6h", "30min", "15min", "10min", "min", "5s", "s", "100ms",
]  # fmt: skip


def pandas_stamps(alias: str, n: int, start: str = "1999-05-03") -> np.ndarray:
    return pd.date_range(start, periods=n, freq=alias).to_numpy().astype("datetime64[ns]")


@pytest.mark.parametrize("alias", ALIASES)
def test_arithmetic_agrees_with_pandas(alias):
    stamps = pandas_stamps(alias, 60)
    frequency = parse_frequency(alias)
    np.testing.assert_array_equal(frequency.range(stamps[0], 60), stamps)
    np.testing.assert_array_equal(frequency.positions(stamps, stamps[0]), np.arange(60))
    np.testing.assert_array_equal(frequency.shift(stamps[20:], -20), stamps[:-20])
    assert frequency.on_grid(stamps).all()


@given(
    alias=st.sampled_from(ALIASES),
    start=st.dates(date(1700, 1, 1), date(2050, 1, 1)),
    n=st.integers(8, 80),
    seed=st.integers(0, 2**32 - 1),
    share=st.floats(0, 0.5),
)
@settings(deadline=None, max_examples=150)
def test_frequency_is_found_again_through_gaps(alias, start, n, seed, share):
    stamps = pandas_stamps(alias, n, str(start))
    keep = np.random.default_rng(seed).random(n) >= share
    keep[:8] = True  # neighbours, so that the step is among the distances, and a weekend
    assume(np.mean(np.diff(np.flatnonzero(keep)) == 1) >= 0.2)
    kept = pd.DatetimeIndex(stamps[keep])
    if alias.startswith("B") and alias != "B":  # unless the calendar's own first and last days explain them as well
        assume(not (kept.is_month_start.all() or kept.is_month_end.all()))
    assert infer_frequency([stamps[keep]]).alias == alias


@given(alias=st.sampled_from(ALIASES), steps=st.lists(st.integers(-60, 60), min_size=1, max_size=20))
@settings(deadline=None, max_examples=100)
def test_shift_and_positions_are_inverse(alias, steps):
    frequency = parse_frequency(alias)
    origin = pandas_stamps(alias, 1)[0]
    moved = frequency.shift(np.repeat(origin, len(steps)), np.array(steps))
    np.testing.assert_array_equal(frequency.positions(moved, moved.min()), np.array(steps) - min(steps))
    np.testing.assert_array_equal(frequency.shift(moved, -np.array(steps)), np.repeat(origin, len(steps)))


@given(step=st.integers(1, 1000), start=st.integers(-(10**9), 10**9), n=st.integers(2, 50))
@settings(deadline=None)
def test_integer_steps_are_found_again(step, start, n):
    frequency = parse_frequency(step)
    stamps = frequency.range(start, n)
    assert infer_frequency([stamps]) == frequency
    np.testing.assert_array_equal(frequency.positions(stamps, stamps[0]), np.arange(n))
    assert frequency.is_integer and frequency.season_length == 1


def test_many_stamps_are_numbered_as_few_are():
    frequency = parse_frequency("BME")
    stamps = frequency.range(np.datetime64("1990-01-31", "ns"), 300)
    many = np.tile(stamps, 100)
    np.testing.assert_array_equal(frequency.positions(many, stamps[0]), np.tile(np.arange(300), 100))
    np.testing.assert_array_equal(frequency.shift(many, 7), np.tile(frequency.shift(stamps, 7), 100))


def test_stamp_off_the_grid_has_no_position():
    stamps = np.array(["2020-01-31", "2020-02-28", "2020-02-29", "2019-12-31"], dtype="datetime64[ns]")
    positions = parse_frequency("ME").positions(stamps, stamps[0])
    assert positions.tolist() == [0, -1, 1, -1]  # February 2020 ends on the 29th; December lies before the origin


def test_time_of_day_must_agree_on_a_calendar_grid():
    stamps = np.array(["2020-01-01T12:00", "2020-02-01T12:00", "2020-03-01T00:00"], dtype="datetime64[ns]")
    assert parse_frequency("MS").positions(stamps, stamps[0]).tolist() == [0, 1, -1]


def test_month_ends_are_kept_through_february():
    frequency = parse_frequency("ME")
    assert [str(s)[:10] for s in frequency.range("2024-01-31", 4)] == [
        "2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30",
    ]  # fmt: skip


def test_business_days_skip_the_weekend_and_holidays_are_gaps():
    friday = np.datetime64("2024-03-01", "ns")
    assert str(parse_frequency("B").shift(np.array([friday]), 1)[0])[:10] == "2024-03-04"
    days = pandas_stamps("B", 250)
    assert infer_frequency([np.delete(days, [20, 21, 100])]).alias == "B"


def test_series_of_one_stamp_takes_the_frequency_of_the_others():
    assert infer_frequency([pandas_stamps("QS-FEB", 1), pandas_stamps("QS-FEB", 9)]).alias == "QS-FEB"


def test_years_that_begin_in_different_months_are_every_twelve_months():
    frequency = infer_frequency([pandas_stamps("YS-JAN", 6), pandas_stamps("YS-APR", 6)])
    assert frequency.alias == "12MS"
    assert frequency.season_length == 1


def test_daily_series_at_different_times_of_day_are_daily():
    noon = pandas_stamps("D", 30, "2020-01-01 12:00")
    assert infer_frequency([pandas_stamps("D", 30), noon]).alias == "D"


@pytest.mark.parametrize(
    ("given_alias", "alias"),
    [
        ("M", "ME"), ("Q", "QE-DEC"), ("A", "YE-DEC"), ("Y", "YE-DEC"), ("AS", "YS-JAN"), ("H", "h"), ("T", "min"),
        ("S", "s"), ("W", "W-SUN"), ("QS", "QS-JAN"), ("60min", "h"), ("24h", "D"), ("2H", "2h"), (1, "1"), ("7", "7"),
        ("Q-oct", "QE-OCT"), (" MS ", "MS"), ("90min", "90min"),
    ],
)  # fmt: skip
def test_aliases_old_and_short_are_understood(given_alias, alias):
    assert parse_frequency(given_alias) == Frequency(alias)


@pytest.mark.parametrize("alias", ["fortnightly", "", "MS-JAN", "W-JAN", "QS-MON", "0D", "0", -1, True, "1.5h", "-"])
def test_unknown_alias_is_refused_with_good_examples(alias):
    with pytest.raises(ParameterError, match=r"is not known; give a pandas alias: MS, ME"):
        parse_frequency(alias)


@pytest.mark.parametrize(
    ("alias", "season"),
    [
        ("h", 24), ("30min", 48), ("15min", 96), ("min", 1440), ("2h", 12), ("5h", 1), ("10s", 360), ("ms", 1),
        ("D", 7), ("B", 5), ("W-SUN", 52), ("2W-SUN", 26), ("MS", 12), ("ME", 12), ("2MS", 6), ("QS-OCT", 4),
        ("YE-DEC", 1), ("1", 1),
    ],
)  # fmt: skip
def test_season_follows_from_the_frequency(alias, season):
    assert parse_frequency(alias).season_length == season


@pytest.mark.parametrize(
    ("alias", "words"),
    [
        ("MS", "monthly (MS)"), ("BQE-DEC", "quarterly (BQE-DEC)"), ("W-SAT", "weekly (W-SAT)"),
        ("B", "business-daily (B)"),
        ("30min", "every 30 minutes (30min)"), ("BYS-JAN", "yearly (BYS-JAN)"), ("2D", "every 2 days (2D)"),
        ("1", "integer time"), ("5", "integer time in steps of 5"), ("min", "every minute (min)"),
        ("100ms", "every 100 milliseconds (100ms)"),
    ],
)  # fmt: skip
def test_frequency_is_described_in_words(alias, words):
    assert parse_frequency(alias).describe() == words


@pytest.mark.parametrize(("alias", "follows"), [("D", True), ("ME", True), ("B", True), ("h", False), ("36h", False)])
def test_days_and_coarser_follow_the_wall_clock(alias, follows):
    assert parse_frequency(alias).is_wall_clock is follows


def test_random_stamps_have_no_frequency():
    minutes = np.sort(np.random.default_rng(1).choice(500_000, 200, replace=False))
    stamps = np.datetime64("2020-01-01", "ns") + minutes * np.timedelta64(1, "m")
    with pytest.raises(DataError, match=r"irregular: 2020-\d\d-\d\d .* comes after 2020-.*--freq"):
        infer_frequency([stamps])


def test_the_stamp_that_breaks_the_pattern_is_named():
    stamps = pandas_stamps("MS", 24, "2020-01-01")
    stamps[7] += np.timedelta64(2, "D")
    with pytest.raises(DataError, match="2020-08-03 comes after 2020-07-01"):
        infer_frequency([stamps])


def test_months_on_their_fifteenth_are_told_what_to_do():
    with pytest.raises(DataError, match=r"on day 15 of their months, as 2020-01-15.*move them to the first day"):
        infer_frequency([pandas_stamps("MS", 9, "2020-01-01") + np.timedelta64(14, "D")])


def test_series_without_a_common_frequency_are_named():
    with pytest.raises(DataError, match=r"0 is monthly \(MS\) while 1 is monthly \(ME\); put them into separate files"):
        infer_frequency([pandas_stamps("MS", 9), pandas_stamps("ME", 9)])


def test_frequency_of_single_stamps_must_be_given():
    with pytest.raises(DataError, match=r"No series has two stamps.*--freq MS"):
        infer_frequency([pandas_stamps("MS", 1), pandas_stamps("MS", 1)])


def test_stamps_beyond_the_nanosecond_range_are_refused_and_not_wrapped():
    for alias in ("YS-JAN", "D", "h"):
        with pytest.raises(DataError, match="1678 to 2261"):
            parse_frequency(alias).shift(np.array(["2200-01-01"], dtype="datetime64[ns]"), 10_000_000)


def test_stamps_that_do_not_ascend_are_refused():
    with pytest.raises(DataError, match=r"2020-01-01 comes after 2020-01-01; sort"):
        infer_frequency([np.array(["2020-01-01", "2020-01-01"], dtype="datetime64[ns]")])
