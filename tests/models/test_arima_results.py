"""Transformations, fitted values, summaries and time limits of ARIMA; new observations without a new fit."""

import json

import numpy as np
import pytest
from statsmodels.stats.diagnostic import acorr_ljungbox
from statsmodels.tsa.statespace.sarimax import SARIMAX

from forecast.errors import DataError
from forecast.evaluation.backtest import backtest
from forecast.models.arima import ARIMA, AutoARIMA
from forecast.models.arima.power import back, choose_power, transformed
from forecast.series import datasets
from tests.toys import make_panel

nan = np.nan
AIR = datasets.load("air_passengers")["value"].to_numpy(np.float64)
HOLES = AIR.copy()
HOLES[[3, 60, 61, 143]] = nan


def airline(y):
    return SARIMAX(y, order=(0, 1, 1), seasonal_order=(0, 1, 1, 12), use_exact_diffuse=True)


def test_logarithms_are_modelled_and_the_point_is_the_median():
    panel, logs = make_panel({"a": AIR}), make_panel({"a": np.log(AIR)})
    forecast = ARIMA(transform="log").fit(panel).predict(panel, 12, [0.1, 0.5, 0.9])
    expected = ARIMA().fit(logs).predict(logs, 12, [0.1, 0.5, 0.9])
    np.testing.assert_allclose(forecast.quantiles, np.exp(expected.quantiles), rtol=1e-9)
    np.testing.assert_allclose(forecast.point, forecast.quantiles[:, :, 1])


def test_logarithms_are_told():
    fitted = ARIMA(transform="log").fit(make_panel({"a": AIR}))
    assert fitted.describe() == "(0,1,1)(0,1,1)[12] of logarithms, AICc -483.2"


def test_series_gets_the_power_that_evens_its_seasons():
    level = np.repeat(np.linspace(10, 200, 20), 12)
    swing = np.tile(np.sin(np.arange(12)), 20)
    assert choose_power(level + 3 * swing, 12, "boxcox") == 1
    assert choose_power(level * (1 + 0.3 * swing), 12, "boxcox") == 0
    assert choose_power(level + level**0.5 * swing, 12, "boxcox") == pytest.approx(0.5)
    assert choose_power(np.full(30, 2.0), 12, "boxcox") is None
    assert choose_power(AIR[:20], 12, "boxcox") is None  # one season


@pytest.mark.parametrize("power", [None, 0.0, 0.35, 1.0])
def test_transformation_can_be_undone(power):
    np.testing.assert_allclose(back(transformed(AIR, power), power), AIR)


@pytest.mark.parametrize("transform", ["log", "boxcox"])
def test_value_without_a_logarithm_is_named(transform):
    panel = make_panel({"good": AIR[:30], "bad": [*AIR[:20], 0.0]})
    message = f"Series 'bad' has the value 0, but transform='{transform}' needs values above 0"
    with pytest.raises(DataError, match=message):
        AutoARIMA(transform=transform).fit(panel)


def test_new_history_without_a_logarithm_is_named():
    fitted = ARIMA(transform="log").fit(make_panel({"a": AIR}))
    with pytest.raises(DataError, match="Series 'a' has the value -1"):
        fitted.predict(make_panel({"a": [*AIR, -1.0]}), 3)


def test_state_keeps_power_and_time_limit():
    panel = make_panel({"a": AIR, "b": np.full(20, 4.0)})
    fitted = AutoARIMA(transform="boxcox", time_limit=1e-6).fit(panel)
    arrays, extra = fitted.state()
    again = type(fitted).from_state(fitted.model, arrays, json.loads(json.dumps(extra)))
    assert again.describe() == fitted.describe()
    np.testing.assert_array_equal(again.predict(panel, 3, [0.9]).quantiles, fitted.predict(panel, 3, [0.9]).quantiles)


def test_time_limit_gives_the_best_so_far_and_is_told():
    panel = make_panel({"a": AIR})
    fitted = AutoARIMA(time_limit=1e-6).fit(panel)
    found = fitted.estimates["a"]
    assert found.cut_short and np.isfinite(found.loglik)
    assert fitted.describe().endswith("; the time limit ended the search early")
    assert not AutoARIMA(time_limit=600.0, max_order=1).fit(panel).estimates["a"].cut_short


def test_fitted_values_are_those_of_statsmodels():
    panel = make_panel({"whole": AIR, "holes": HOLES})
    fitted = ARIMA().fit(panel)
    for (start, end), y in zip([(0, 144), (144, 288)], (AIR, HOLES), strict=True):
        found = fitted.estimates["whole" if start == 0 else "holes"]
        result = airline(y).filter([*found.coefficients, found.sigma2])
        values = fitted.fitted_values(panel)[start:end]
        known = np.isfinite(values)
        assert known.sum() == found.n
        np.testing.assert_allclose(values[known], result.fittedvalues[known], rtol=1e-7)
        assert not known[np.isnan(y)].any()


def test_fitted_values_of_logarithms_are_on_the_scale_of_the_series():
    panel = make_panel({"a": AIR})
    values = ARIMA(transform="log").fit(panel).fitted_values(panel)
    assert np.nanmean(np.abs(values - AIR) / AIR) < 0.04


def test_series_too_short_for_its_differencing_has_no_fitted_values():
    fitted = ARIMA().fit(make_panel({"a": AIR}))
    assert np.isnan(fitted.fitted_values(make_panel({"a": AIR[:13]}))).all()


def test_summary_tells_orders_coefficients_criterion_and_residuals():
    panel = make_panel({"air": np.log(AIR)})
    fitted = ARIMA().fit(panel)
    found = fitted.estimates["air"]
    result = airline(np.log(AIR)).smooth([*found.coefficients, found.sigma2], cov_type="approx")
    residuals = fitted.fitted_values(panel) - np.log(AIR)
    p = acorr_ljungbox(residuals[13:], lags=[24], model_df=2)["lb_pvalue"].iloc[0]
    lines = fitted.summary(panel).splitlines()
    assert lines[0] == "air: (0,1,1)(0,1,1)[12], 131 observed values after differencing"
    assert lines[1].split() == ["ma", "1", "-0.4018", "standard", "error", "0.0896"]
    assert float(lines[2].split()[-1]) == pytest.approx(result.bse[1], rel=0.05)
    assert lines[4] == "  log-likelihood 244.70, AICc -483.20"
    assert float(lines[5].split()[2].rstrip(":")) == pytest.approx(p, abs=0.02)
    assert lines[5].endswith("the residuals look like noise")


def test_summary_of_many_series_names_each_and_skips_what_was_not_estimated():
    panel = make_panel({"air": AIR, "flat": np.full(20, 3.0)})
    parts = AutoARIMA(max_order=1).fit(panel).summary(panel).split("\n\n")
    assert parts[1].splitlines() == [
        "flat: (0,0,0) with mean, 20 observed values after differencing",
        "  mean                     3",
        "  variance                 0",
    ]


def test_backtest_without_refit_uses_new_observations_with_the_first_parameters():
    panel = make_panel({"a": AIR})
    cv = backtest([ARIMA()], panel, 6, n_windows=3, refit=False)
    first = ARIMA().fit(make_panel({"a": AIR[:126]}))
    for window, end in enumerate((126, 132, 138)):
        expected = first.predict(make_panel({"a": AIR[:end]}), 6).point[0]
        np.testing.assert_allclose(cv["ARIMA"].to_numpy()[6 * window : 6 * window + 6], expected)
