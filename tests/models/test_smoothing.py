"""Exponential smoothing and Theta: forms, forecasts as statsmodels gives them, and series that allow little."""

import json
import warnings

import numpy as np
import pytest
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.forecasting.theta import ThetaModel

from forecast.errors import DataError, ParameterError
from forecast.models.naive import SeasonalNaive
from forecast.models.smoothing import AutoETS, Theta
from forecast.models.smoothing.ets import choose, forms
from forecast.series import datasets
from tests.toys import make_panel

nan = np.nan
AIR = datasets.load("air_passengers")["value"].to_numpy(np.float64)
HOLES = AIR.copy()
HOLES[[3, 60, 61, 143]] = nan
BOTH = pytest.mark.parametrize("model", [AutoETS(), Theta()], ids=lambda model: model.name)


@BOTH
def test_last_year_is_forecast_better_than_by_its_season_alone(model):
    panel = make_panel({"air": AIR[:-12]})
    errors = [np.abs(one.fit(panel).predict(panel, 12).point[0] - AIR[-12:]).mean() for one in (model, SeasonalNaive())]
    assert errors[0] < 0.6 * errors[1]


@pytest.mark.parametrize("y", [AIR, AIR[:20], np.sin(np.arange(40.0)), np.arange(30.0) % 7 + 0.1 * np.arange(30)])
def test_theta_forecasts_as_statsmodels_does(y):
    panel = make_panel({"a": y})
    with warnings.catch_warnings(action="ignore"):
        result = ThetaModel(y, period=12, deseasonalize=len(y) > 24).fit()
    np.testing.assert_allclose(Theta().fit(panel).predict(panel, 15).point[0], result.forecast(15), rtol=1e-6)


def test_ets_of_air_passengers_is_the_known_form_and_forecasts_as_statsmodels_does():
    panel = make_panel({"a": AIR})
    fitted = AutoETS().fit(panel)
    assert fitted.describe() == "ETS(M,A,M)"
    model = ETSModel(
        AIR, error="mul", trend="add", seasonal="mul", seasonal_periods=12, initialization_method="heuristic"
    )
    result = model.smooth(fitted.estimates["a"].parameters)
    np.testing.assert_allclose(fitted.predict(panel, 15).point[0], result.forecast(15))


def test_intervals_of_additive_smoothing_are_those_of_the_formula():
    y = 50 + np.random.default_rng(2).normal(size=120).cumsum()
    panel = make_panel({"a": y}, season_length=1)
    fitted = AutoETS(multiplicative=False).fit(panel)
    assert fitted.describe() == "ETS(A,N,N)"
    alpha = fitted.estimates["a"].parameters[0]
    low, high = fitted.predict(panel, 8, [0.1, 0.9]).quantiles[0].T
    level = np.concatenate([[y[0]], y])
    width = 2 * 1.2816 * np.std(np.diff(level)[1:]) * np.sqrt(1 + np.arange(8) * alpha**2)
    np.testing.assert_allclose(high - low, width, rtol=0.12)


@BOTH
def test_quantiles_ascend_surround_the_point_and_are_the_same_in_every_run(model):
    panel = make_panel({"a": AIR, "b": HOLES})
    fitted = model.fit(panel)
    forecast = fitted.predict(panel, 12, [0.05, 0.5, 0.95])
    assert (np.diff(forecast.quantiles) > 0).all()
    assert ((forecast.quantiles[:, :, 0] < forecast.point) & (forecast.point < forecast.quantiles[:, :, 2])).all()
    np.testing.assert_array_equal(fitted.predict(panel, 12, [0.05, 0.5, 0.95]).quantiles, forecast.quantiles)


def test_forms_follow_from_length_season_and_sign():
    assert forms(9, 1, True) == []
    assert set(forms(30, 1, False)) == {"ANN", "AAN", "AAdN"}
    assert set(forms(30, 1, True)) == {"ANN", "AAN", "AAdN", "MNN", "MAN", "MAdN"}
    assert "ANA" in forms(24, 12, False)
    assert "ANA" not in forms(23, 12, False)
    assert not any(form.endswith("A") for form in forms(500, 52, True))
    assert len(forms(60, 12, True)) == 15


def test_values_of_zero_keep_multiplicative_forms_out():
    y = AIR.copy()
    y[5] = 0.0
    assert "M" not in choose(y, 12, True)[0]
    assert "M" not in choose(AIR, 12, False)[0]


@BOTH
@pytest.mark.parametrize(
    ("y", "point"),
    [([5.0], 5), ([5.0, 7], 7), ([1.0, 2, 4, 3], 3), ([3.0] * 30, 3), ([0.0] * 30, 0), ([nan, nan, 4.0, nan], 4)],
    ids=["one", "two", "four", "constant", "zeros", "one observed"],
)
def test_series_with_nothing_to_learn_repeats_its_last_value_and_tells(model, y, point):
    panel = make_panel({"a": y}, season_length=4)
    fitted = model.fit(panel)
    forecast = fitted.predict(panel, 3, [0.1, 0.9])
    np.testing.assert_allclose(forecast.point[0], point)
    assert np.isfinite(forecast.quantiles).all()
    assert fitted.describe().startswith("last value repeated, as the series is constant or too short")


@BOTH
def test_hard_series_give_finite_forecasts(model):
    rng = np.random.default_rng(0)
    panel = make_panel({
        "rare": np.where(rng.random(60) < 0.1, 5.0, 0.0),
        "negative": -AIR,
        "tiny": 1e-9 * AIR,
        "huge": 1e12 * AIR,
        "step": np.repeat([1.0, 100.0], 20),
        "line": np.arange(40.0),
        "ten": rng.normal(size=10),
        "outlier": np.append(rng.normal(size=50), 1e6),
    })  # fmt: skip
    forecast = model.fit(panel).predict(panel, 24, [0.05, 0.95])
    assert np.isfinite(forecast.point).all() and np.isfinite(forecast.quantiles).all()


@BOTH
def test_gaps_are_filled_and_told(model):
    panel = make_panel({"whole": AIR, "holes": HOLES})
    fitted = model.fit(panel)
    whole, holes = fitted.predict(panel, 13).point
    np.testing.assert_allclose(holes[:-1], whole[:-1], rtol=0.05)  # the last value is not observed
    assert fitted.describe().endswith("; gaps filled by interpolation in 1")


@BOTH
def test_newer_history_is_forecast_with_the_old_parameters(model):
    early, late = make_panel({"a": AIR[:100]}), make_panel({"a": AIR})
    fitted = model.fit(early)
    point = fitted.predict(late, 12).point[0]
    assert np.abs(point / AIR[-12:] - 1).max() < 0.25
    assert np.isfinite(fitted.predict(make_panel({"a": AIR[:5]}), 3, [0.5]).quantiles).all()  # too short for its form


@BOTH
def test_state_keeps_the_bits(model):
    panel = make_panel({"a": AIR, "b": HOLES, "flat": [2.0] * 12})
    fitted = model.fit(panel)
    arrays, extra = fitted.state()
    back = type(fitted).from_state(model, arrays, json.loads(json.dumps(extra)))
    assert back.describe() == fitted.describe()
    expected, forecast = (one.predict(panel, 5, [0.1, 0.9]) for one in (fitted, back))
    np.testing.assert_array_equal(forecast.quantiles, expected.quantiles)
    with pytest.raises(ValueError, match="do not fit"):
        type(fitted).from_state(model, arrays, extra | {"forms": ["XYZ"] * 3})


@BOTH
def test_series_that_was_not_fitted_is_named(model):
    fitted = model.fit(make_panel({"a": AIR}))
    with pytest.raises(DataError, match=f"{model.name} was not fitted on series 'new'"):
        fitted.predict(make_panel({"new": AIR}), 3)


def test_long_season_is_left_out_and_told():
    fitted = AutoETS().fit(make_panel({"a": np.sin(np.arange(120.0)) + 3}, season_length=52))
    assert fitted.describe().endswith("; a season of 52 steps is too long for exponential smoothing, so there is none")


@pytest.mark.parametrize("kind", [AutoETS, Theta])
def test_bad_season_is_refused(kind):
    with pytest.raises(ParameterError, match="season_length is 0; it must be a whole number of at least 1, or None"):
        kind(season_length=0)
