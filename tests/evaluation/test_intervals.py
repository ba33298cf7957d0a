import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.errors import ParameterError
from forecast.evaluation.intervals import (
    attach,
    check_levels,
    column_names,
    level_quantiles,
    levels_of,
    probabilities,
    quantile_columns,
)
from forecast.models.base import Forecast


def test_level_80_needs_the_tenth_and_ninetieth_percentile():
    assert level_quantiles([80]) == [0.1, 0.9]


def test_several_levels_give_ascending_quantiles_without_repeats():
    assert level_quantiles([95, 80, 80.0]) == [0.025, 0.1, 0.9, 0.975]


def test_columns_go_from_low_to_high_as_in_the_ecosystem():
    names = column_names("LSTM", level=[80, 95], quantiles=[0.1, 0.5])
    assert names == ["LSTM-lo-95", "LSTM-lo-80", "LSTM-hi-80", "LSTM-hi-95", "LSTM-q-0.1", "LSTM-q-0.5"]


def test_a_level_and_a_quantile_that_coincide_are_forecast_once():
    assert probabilities(level=[80], quantiles=[0.1, 0.3]) == (0.1, 0.3, 0.9)


@pytest.mark.parametrize("bad", [0, 100, -5, 120, float("nan"), "80", True, None])
def test_level_out_of_range_is_named_with_the_fix(bad):
    with pytest.raises(ParameterError, match=r"level has .* between 0 and 100, e\.g\. level=\[80, 95\]"):
        check_levels([80, bad])


@pytest.mark.parametrize("bad", [80, "80"])
def test_level_that_is_no_list_is_named_with_the_fix(bad):
    with pytest.raises(ParameterError, match=r"level is .* give a list"):
        check_levels(bad)


@pytest.mark.parametrize("bad", [0, 1, 1.5, 80])
def test_quantile_out_of_range_is_named_with_the_fix(bad):
    with pytest.raises(ParameterError, match=r"quantiles has .* between 0 and 1"):
        column_names("LSTM", quantiles=[bad])


def test_levels_are_found_back_from_the_columns():
    columns = ["unique_id", "ds", "A", *column_names("A", [80, 99.5]), "b-lo", *column_names("b-lo", [50]), "c-lo-80"]
    assert levels_of(columns) == {"A": [80, 99.5], "b-lo": [50]}


@given(st.sets(st.integers(1, 9999), min_size=1, max_size=5), st.sets(st.integers(1, 9999), max_size=5))
def test_every_column_is_found_back_with_its_quantile(hundredths, tenthousandths):
    level = [n / 100 for n in hundredths]
    quantiles = [n / 10000 for n in tenthousandths]
    columns = column_names("m", level, quantiles)
    found = quantile_columns(columns, "m")
    assert tuple(found) == probabilities(level, quantiles)
    assert set(found.values()) <= set(columns)


def test_attached_columns_hold_the_quantile_they_are_named_after():
    point = np.array([[10.0, 20.0], [30.0, 40.0]])
    asked = np.array(probabilities(level=[80], quantiles=[0.5]))
    forecast = Forecast(point, point[:, :, None] + asked)
    frame = pd.DataFrame({"unique_id": ["a", "a", "b", "b"]}, index=[3, 4, 5, 6])
    result = attach(frame, "M", forecast, level=[80], quantiles=[0.5])
    assert list(result.columns) == ["unique_id", "M", "M-lo-80", "M-hi-80", "M-q-0.5"]
    np.testing.assert_allclose(result["M-lo-80"] - result["M"], 0.1)
    np.testing.assert_allclose(result["M-hi-80"] - result["M"], 0.9)
    np.testing.assert_allclose(result["M-q-0.5"] - result["M"], 0.5)
    assert list(result["M"]) == [10, 20, 30, 40]
    assert list(frame.columns) == ["unique_id"]


def test_many_models_do_not_fragment_the_frame():
    forecast = Forecast(np.zeros((1, 2)), np.zeros((1, 2, 8)))
    frame = pd.DataFrame({"unique_id": ["a", "a"]})
    for k in range(40):
        frame = attach(frame, f"M{k}", forecast, level=[50, 80, 90, 95])
    assert frame.shape == (2, 1 + 40 * 9)
