"""What inspection tells of a panel, and which fix it offers."""

import numpy as np
import pandas as pd
import pytest

from forecast.series.frame import read_panel
from forecast.series.inspect import inspect, seasonal_autocorrelation


def panel_of(*histories, freq="MS", **options):
    frames = [
        pd.DataFrame({"unique_id": f"s{k}", "ds": pd.date_range("2015-01-01", periods=len(y), freq=freq), "y": y})
        for k, y in enumerate(histories)
    ]
    return read_panel(pd.concat(frames), **options)


def seasonal(n=60, period=12, seed=0):
    """A trend with a season of the given period and some noise."""
    steps = np.arange(n)
    return 100 + steps + 20 * np.sin(2 * np.pi * steps / period) + np.random.default_rng(seed).normal(size=n)


def found(panel, severity, *words):
    hits = [f for f in inspect(panel) if all(word in f"{f.what} {f.fix}" for word in words)]
    return [f.severity for f in hits] == [severity]


def test_regular_panel_has_nothing_to_mend():
    findings = inspect(panel_of(seasonal(), seasonal(seed=1)))
    assert {finding.severity for finding in findings} == {"ok"}
    assert found(panel_of(seasonal()), "ok", "monthly (MS)")
    assert found(panel_of(seasonal()), "ok", "There is 1 series of 60 steps, from 2015-01-01 to 2019-12-01")


def test_columns_and_zone_are_told():
    stamps = pd.date_range("2020-01-01", periods=9, tz="Asia/Tokyo", name="day")
    panel = read_panel(pd.Series(range(9), index=stamps, name="visits"))
    assert found(panel, "ok", "'day'", "'visits'", "Asia/Tokyo")


def test_season_is_strong_where_there_is_one():
    assert found(panel_of(seasonal()), "ok", "season is 12 steps", "(strong)")
    noise = np.random.default_rng(0).normal(size=120)
    assert found(panel_of(noise), "ok", "season is 12 steps", "(weak)")


def test_trend_is_no_season():
    trends = [2 * np.arange(60.0) + np.random.default_rng(seed).normal(size=60) for seed in range(5)]
    assert seasonal_autocorrelation(panel_of(*trends), 12) < 0.3


def test_gaps_do_not_hide_the_season():
    y = seasonal(96)
    y[[10, 11, 40, 41, 42]] = np.nan
    assert seasonal_autocorrelation(panel_of(y), 12) > 0.8


def test_other_season_is_proposed():
    assert found(panel_of(seasonal(period=7), season_length=12), "warn", "season length of 7")
    integer = read_panel(pd.Series(seasonal(200, period=24)))
    assert found(integer, "warn", "no season", "season length of 24")


def test_series_too_short_to_see_a_season():
    panel = panel_of(seasonal(20))
    assert found(panel, "ok", "too short to see")
    assert found(panel, "warn", "Shorter than two seasons (24 steps): 1 series (first: 's0')", "longer history")


def test_gaps_are_counted():
    y = seasonal()
    y[[7, 8]] = np.nan
    assert found(panel_of(seasonal(), y), "warn", "2 of 120 values (1.7%)", "1 series", "'s1' at 2015-08-01")


def test_series_that_ended_early_are_named():
    assert found(panel_of(seasonal(), seasonal(50)), "warn", "Ending before", "'s1'")


def test_constant_and_single_values_are_named():
    assert found(panel_of(seasonal(), np.full(60, 3.0)), "warn", "Never changing: 1 series (first: 's1')")
    assert found(panel_of(seasonal(), [3.0]), "error", "only one value: 1 series (first: 's1')")


def test_outlier_is_named_with_its_value():
    y = seasonal()
    y[30] = 99_999
    assert found(panel_of(seasonal(), y), "warn", "1 value lies more than 8", "'s1' at 2017-07-01, 99999")


@pytest.mark.parametrize(
    ("y", "severity", "words"),
    [
        (np.abs(seasonal()), "ok", "All values are positive."),
        (seasonal() - 150, "ok", "are negative"),
        (np.where(np.arange(60) % 3, 0.0, 5.0), "warn", "66.7% are zero"),
    ],
)
def test_signs_are_told(y, severity, words):
    assert found(panel_of(y), severity, words)


def test_unknown_covariates_are_told():
    frame = pd.DataFrame(
        {"ds": pd.date_range("2015-01-01", periods=60, freq="MS"), "y": seasonal(), "a": 1.0, "b": 2.0}
    )
    frame.loc[:5, "b"] = np.nan
    panel = read_panel(frame, historic=["a", "b"])
    assert found(panel, "ok", "known up to the last value alone: 'a', 'b'")
    assert found(panel, "warn", "'b' is unknown at 10.0%")
    assert not found(read_panel(frame), "warn", "'b'")
