import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.errors import ParameterError
from forecast.reporting.plot import terminal_plot
from tests.toys import PASSENGERS

MONTHS = pd.date_range("1949-01-01", periods=39, freq="MS")


def dots(plot):
    return sum(bin(ord(c) - 0x2800).count("1") for c in plot if 0x2800 <= ord(c) < 0x2900)


def test_axes_carry_extremes_and_stamps():
    plot = terminal_plot(PASSENGERS, [180, 150, 160], stamps=MONTHS, encoding="utf-8")
    lines = plot.splitlines()
    assert lines[0].startswith(" 199 │") or lines[0].startswith("199 │")
    assert lines[11].startswith("104 │")
    assert lines[-1].split() == ["1949-01-01", "1952-01-01", "1952-03-01"]
    assert len(lines) == 14


def test_forecast_stands_right_of_a_dotted_line():
    lines = terminal_plot([1.0] * 30, [1.0] * 10, encoding="utf-8").splitlines()
    column = lines[0].index("┊")
    assert all(line[column] == "┊" for line in lines[:12] if len(line) > column and not line[column] >= "⠀")
    assert lines[-2].index("┴") == column


def test_first_stamp_is_that_of_the_first_value_shown():
    plot = terminal_plot(np.arange(5000.0), [5000.0], width=60, encoding="utf-8")
    assert plot.splitlines()[-1].split() == ["4941", "5001"]


def test_hours_are_written_where_stamps_have_them():
    hours = pd.date_range("2024-03-30 22:00", periods=39, freq="h", tz="Europe/Berlin")
    plot = terminal_plot(PASSENGERS, [180, 150, 160], stamps=hours, width=90, encoding="utf-8")
    assert "2024-03-30 22:00" in plot


def test_ascii_where_the_terminal_knows_no_braille():
    for encoding in ("ascii", "cp1252", "no-such-encoding"):
        plot = terminal_plot(PASSENGERS, [180, 150, 160], low=[1] * 3, high=[2] * 3, encoding=encoding)
        assert plot.isascii()
        assert "*" in plot and ":" in plot and "." in plot


def test_gap_stays_a_gap():
    line = terminal_plot([1.0, 1, 1, 1, 1, 1, 1, 1, 1], encoding="utf-8")
    broken = terminal_plot([1.0, 1, 1, np.nan, np.nan, np.nan, 1, 1, 1], encoding="utf-8")
    assert 0 < dots(broken) < dots(line)


def test_value_between_gaps_is_a_dot():
    assert dots(terminal_plot([1.0, np.nan, 2, np.nan, 3], encoding="utf-8")) == 3


def test_constant_lies_in_the_middle():
    lines = terminal_plot([5.0] * 20, height=9, encoding="utf-8").splitlines()
    assert dots(lines[4]) > 0
    assert dots("".join(lines[:4])) == 0


def test_one_point_is_one_dot():
    assert dots(terminal_plot([5.0], encoding="utf-8")) == 1


def test_interval_bounds_add_dots():
    plain = terminal_plot(PASSENGERS, [150.0] * 6, encoding="utf-8")
    with_bounds = terminal_plot(PASSENGERS, [150.0] * 6, low=[120.0] * 6, high=[180.0] * 6, encoding="utf-8")
    assert dots(with_bounds) > dots(plain)


def test_nothing_observed_is_said_so():
    assert terminal_plot([np.nan, np.nan]) == "There is no observed value to plot."
    assert terminal_plot([1.0] + [np.nan] * 500) == "There is no observed value to plot."


def test_largest_float_is_plotted():
    assert dots(terminal_plot([1.7976931348623157e308], encoding="utf-8")) == 1


def test_stamps_that_do_not_fit_are_refused():
    with pytest.raises(ParameterError, match="3 stamps do not fit 4 values"):
        terminal_plot([1, 2, 3], [4], stamps=[1, 2, 3])


values = st.lists(st.floats(allow_infinity=True, allow_nan=True), max_size=80)


@settings(max_examples=100, deadline=None)
@given(values, values, st.integers(1, 130), st.integers(1, 30), st.booleans(), st.sampled_from(["utf-8", "ascii"]))
def test_any_values_fit_any_width(history, forecast, width, height, dated, encoding):
    stamps = pd.date_range("2024-01-01 05:00", periods=len(history) + len(forecast), freq="h") if dated else None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot = terminal_plot(
            history, forecast, width, height, stamps=stamps, low=forecast, high=forecast, encoding=encoding
        )
    assert max(map(len, plot.splitlines())) <= max(width, 40)
