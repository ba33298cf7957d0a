import json
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.errors import DataError, ParameterError
from forecast.models.naive import Drift, HistoricMean, Naive, SeasonalNaive
from tests.toys import PASSENGERS, make_panel

nan = np.nan
LEVELS = (0.1, 0.5, 0.9)
MODELS = [Naive(), SeasonalNaive(), Drift(), HistoricMean()]


def predict(model, y, h, season_length=12, quantiles=LEVELS):
    panel = make_panel({"a": y}, season_length=season_length)
    forecast = model.fit(panel).predict(panel, h, quantiles)
    return forecast.point[0], forecast.quantiles[0]


def deviation(model, y, h, season_length=12):
    """Standard deviations of the forecasts, read off their 90 % quantiles."""
    point, quantiles = predict(model, y, h, season_length)
    return (quantiles[:, 2] - point) / NormalDist().inv_cdf(0.9)


def textbook(method, y, h, m):
    """Means and standard deviations of a history without gaps, as in sections 5.2 and 5.5 of the textbook."""
    T = len(y)
    if method == "HistoricMean":
        fitted, parameters, start = [sum(y) / T] * T, 1, 0
        mean, factor = [sum(y) / T] * h, [(1 + 1 / T) ** 0.5] * h
    elif method == "Naive":
        fitted, parameters, start = [nan, *y[:-1]], 0, 1
        mean, factor = [y[-1]] * h, [step**0.5 for step in range(1, h + 1)]
    elif method == "Drift":
        slope = (y[-1] - y[0]) / (T - 1)
        fitted, parameters, start = [nan, *(value + slope for value in y[:-1])], 1, 1
        mean = [y[-1] + slope * step for step in range(1, h + 1)]
        factor = [(step * (1 + step / (T - 1))) ** 0.5 for step in range(1, h + 1)]
    else:
        fitted, parameters, start = [nan] * m + list(y[:-m]), 0, m
        mean = [y[T - m + (step - 1) % m] for step in range(1, h + 1)]
        factor = [((step - 1) // m + 1) ** 0.5 for step in range(1, h + 1)]
    squares = [(y[t] - fitted[t]) ** 2 for t in range(start, T)]
    sigma = (sum(squares) / (len(squares) - parameters)) ** 0.5
    return np.array(mean), sigma * np.array(factor)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@pytest.mark.parametrize("m", [4, 12])
def test_forecasts_and_intervals_are_those_of_the_textbook(model, m):
    mean, sigma = textbook(model.name, PASSENGERS, 30, m)
    point, _ = predict(model, PASSENGERS, 30, m)
    np.testing.assert_allclose(point, mean, rtol=1e-12)
    np.testing.assert_allclose(deviation(model, PASSENGERS, 30, m), sigma, rtol=1e-9)


def test_seasonal_naive_takes_the_last_observed_value_of_each_season():
    y = [1.0, 2, 3, 4, 5, nan, 7, 8, 9, nan, 11, nan]
    point, _ = predict(SeasonalNaive(), y, 5, season_length=4)
    assert list(point) == [9, 2, 11, 8, 9]


def test_an_older_seasonal_value_has_the_wider_interval():
    y = [1.0, 2, 3, 4, 5, nan, 7, 8, 9, nan, 11, nan]
    sigma = deviation(SeasonalNaive(), y, 4, season_length=4)
    np.testing.assert_allclose(sigma / sigma[0], np.sqrt([1, 3, 1, 2]))


def test_values_over_a_gap_tell_of_the_change_of_one_season():
    # Season by season: 1 -> 5 in one cycle; 2 -> 8 in two, which is like 6 / sqrt(2) in one.
    sigma = deviation(SeasonalNaive(), [1.0, 2, 5, nan, nan, 8], 2, season_length=2)
    expected = np.sqrt((4**2 + 6**2 / 2) / 2)
    np.testing.assert_allclose(sigma, expected * np.sqrt([2, 1]))


def test_season_that_was_never_observed_takes_the_last_value_and_is_told():
    panel = make_panel({"a": [1.0, 2, 3], "b": [1.0, 2, 3, 4, 5]}, season_length=4)
    fitted = SeasonalNaive().fit(panel)
    assert list(fitted.predict(panel, 4).point[0]) == [3, 1, 2, 3]
    assert (
        fitted.describe() == "season of 4 steps; 1 of 2 series lack values of some seasons: their last value stands in"
    )


def test_season_length_of_the_model_goes_before_the_panels():
    point, _ = predict(SeasonalNaive(season_length=2), PASSENGERS, 3)
    assert list(point) == [146, 166, 146]


def test_naive_counts_its_steps_from_the_last_observed_value():
    y = [1.0, 3, 2, 5]
    point, _ = predict(Naive(), [*y, nan, nan], 3)
    assert list(point) == [5, 5, 5]
    np.testing.assert_allclose(deviation(Naive(), [*y, nan, nan], 3), deviation(Naive(), y, 5)[2:])


def test_drift_counts_its_steps_from_the_last_observed_value():
    y = [1.0, 3, 2, 7]
    np.testing.assert_allclose(predict(Drift(), [*y, nan], 2)[0], [11, 13])
    np.testing.assert_allclose(deviation(Drift(), [*y, nan], 2), deviation(Drift(), y, 3)[1:])


def test_a_gap_inside_makes_one_change_of_many_steps():
    assert deviation(Naive(), [1.0, nan, nan, nan, 5], 1)[0] == pytest.approx(2.0)
    assert predict(Drift(), [1.0, nan, nan, nan, 5], 2)[0].tolist() == [6, 7]


def test_mean_leaves_gaps_out():
    assert predict(HistoricMean(), [1.0, nan, 3, nan], 2)[0].tolist() == [2, 2]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@pytest.mark.parametrize("y", [[7.0], [nan, 7.0, nan]])
def test_a_single_observed_value_is_repeated_without_a_width(model, y):
    point, quantiles = predict(model, y, 14)
    assert (point == 7).all()
    assert (quantiles == 7).all()


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=30).filter(any))
def test_seasonal_naive_of_a_one_step_season_is_naive(values):
    y = [nan if value is None else value for value in values]
    assert predict(SeasonalNaive(), y, 3, 1)[0].tolist() == predict(Naive(), y, 3, 1)[0].tolist()
    np.testing.assert_allclose(predict(SeasonalNaive(), y, 3, 1)[1], predict(Naive(), y, 3, 1)[1])


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_series_without_an_observed_value_is_named(model):
    panel = make_panel({"good": [1.0, 2], "empty": [nan, nan]})
    with pytest.raises(DataError, match="Series 'empty' has no observed value"):
        model.fit(panel)
    fitted = model.fit(panel.select([0]))
    with pytest.raises(DataError, match="Series 'empty' has no observed value"):
        fitted.predict(panel, 1)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_baselines_come_back_from_their_state(model):
    panel = make_panel({"a": PASSENGERS, "b": PASSENGERS[:20]})
    fitted = model.fit(panel)
    arrays, extra = fitted.state()
    back = type(fitted).from_state(model, arrays, json.loads(json.dumps(extra)))
    assert back.describe() == fitted.describe()
    np.testing.assert_array_equal(back.predict(panel, 5, LEVELS).quantiles, fitted.predict(panel, 5, LEVELS).quantiles)


def test_season_length_below_one_is_refused():
    with pytest.raises(ParameterError, match="season_length is 0"):
        SeasonalNaive(season_length=0)
