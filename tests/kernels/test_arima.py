"""Likelihood, errors and forecasts of ARMA kernels, against statsmodels' Kalman filter and a naive one.

statsmodels' filter runs to the end without taking a short cut to its steady state.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.tsa.statespace.sarimax import SARIMAX
from threadpoolctl import threadpool_limits

from forecast_kernels.arima.cpu import log_likelihood
from forecast_kernels.arima.forecast import forecast, one_step_errors
from forecast_kernels.arima.polynomials import Arma, constrain
from tests import naive
from tests.arma import Case, coefficients_of, memory_for, random_case

GRID = [
    (0, 0, 0, 0, 1),
    (1, 0, 0, 0, 1),
    (0, 1, 0, 0, 1),
    (3, 2, 0, 0, 1),
    (7, 0, 0, 0, 1),
    (0, 9, 0, 0, 1),
    (2, 1, 1, 1, 4),
    (0, 0, 2, 2, 4),
    (2, 1, 0, 1, 12),
    (1, 1, 2, 0, 12),
    (2, 2, 2, 2, 12),
    (1, 1, 1, 1, 24),
    (2, 2, 2, 2, 24),
]
GAPS = (0, 9, 10, 50, 97, 98)
CLOSE = {"rtol": 1e-8, "atol": 1e-8}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Its matrices are small: threads of BLAS would only wait for each other."""
    with threadpool_limits(1):
        yield


def peer(case):
    p, q, P, Q, season = case.arma
    model = SARIMAX(
        case.y,
        exog=case.regressors.T if len(case.regressors) else None,
        order=(p, 0, q),
        seasonal_order=(P, 0, Q, season if P + Q else 0),
        trend="n",
        concentrate_scale=True,
    )
    model.ssm.tolerance = 0
    return model


@pytest.mark.parametrize("gaps", [(), GAPS], ids=["whole", "gaps"])
@pytest.mark.parametrize("orders", GRID, ids=str)
def test_likelihood_is_that_of_statsmodels(orders, gaps):
    case = random_case(orders, 99, 1, gaps)
    expected = peer(case).filter(case.coefficients)
    found, sigma2 = case.log_likelihood()
    assert found == pytest.approx(expected.llf, rel=1e-8)
    assert sigma2 == pytest.approx(expected.scale, rel=1e-8)


@pytest.mark.parametrize("gaps", [(), GAPS], ids=["whole", "gaps"])
@pytest.mark.parametrize("orders", GRID, ids=str)
def test_errors_and_forecasts_are_those_of_statsmodels(orders, gaps):
    case = random_case(orders, 99, 2, gaps)
    expected = peer(case).filter(case.coefficients)
    errors, deviations = case.errors()
    filtered = np.where(np.isnan(case.y), np.nan, expected.filter_results.forecasts_error[0])
    np.testing.assert_allclose(errors, filtered, **CLOSE)
    standardized = np.where(np.isnan(case.y), np.nan, expected.filter_results.standardized_forecasts_error[0])
    np.testing.assert_allclose(errors / deviations / np.sqrt(expected.scale), standardized, **CLOSE)
    mean, variance = case.forecast(30)
    ahead = expected.get_forecast(30)
    np.testing.assert_allclose(mean, ahead.predicted_mean, **CLOSE)
    np.testing.assert_allclose(variance * expected.scale, ahead.var_pred_mean, rtol=1e-8)


@pytest.mark.parametrize("gaps", [(), GAPS], ids=["whole", "gaps"])
@pytest.mark.parametrize("orders", [(1, 1, 0, 0, 1), (2, 1, 0, 1, 12), (1, 0, 1, 1, 4)], ids=str)
def test_regression_is_that_of_greatest_likelihood(orders, gaps):
    case = random_case(orders, 99, 3, gaps, regressors=3)
    found, sigma2 = case.log_likelihood()
    slopes = case.slopes()
    model = peer(case)
    expected = model.filter([*slopes, *case.coefficients])
    assert found == pytest.approx(expected.llf, rel=1e-8)
    assert sigma2 == pytest.approx(expected.scale, rel=1e-8)
    for j in range(len(slopes)):
        for change in (-1e-2, 1e-2):
            moved = slopes + change * (np.arange(len(slopes)) == j)
            assert model.loglike([*moved, *case.coefficients]) < expected.llf


ORDERS = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 1), st.integers(0, 1), st.integers(1, 5))


@settings(max_examples=60, deadline=None)
@given(ORDERS, st.integers(1, 60), st.integers(0, 2**20), st.sets(st.integers(0, 59), max_size=8))
def test_any_stationary_process_agrees_with_the_naive_filter(orders, n, seed, gaps):
    gaps = [gap for gap in gaps if gap < n - 1]
    case = random_case(orders, n, seed, gaps)
    errors, variances = naive.kalman(case.y, *case.polynomials(), h=5)
    expected, factor = naive.concentrated_likelihood(errors[:n], variances[:n])
    found, sigma2 = case.log_likelihood()
    assert found == pytest.approx(expected, rel=1e-7, abs=1e-7)
    assert sigma2 == pytest.approx(factor, rel=1e-7)
    mean, variance = case.forecast(5)
    np.testing.assert_allclose(mean, -errors[n:], rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(variance, variances[n:], rtol=1e-7)
    found_errors, deviations = case.errors()
    seen = ~np.isnan(case.y)
    np.testing.assert_allclose(found_errors, errors[:n], rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(deviations[seen] ** 2, variances[:n][seen], rtol=1e-7)


@pytest.mark.parametrize("orders", [(1, 1, 0, 0, 1), (2, 1, 0, 1, 12), (0, 1, 1, 0, 24)], ids=str)
def test_likelihood_stays_exact_long_after_the_filter_stands_still(orders):
    case = random_case(orders, 3000, 4)
    expected = peer(case).filter(case.coefficients)
    assert case.log_likelihood()[0] == pytest.approx(expected.llf, rel=1e-10)
    mean, _ = case.forecast(30)
    np.testing.assert_allclose(mean, expected.get_forecast(30).predicted_mean, **CLOSE)


def test_close_to_a_unit_root_likelihood_is_that_of_statsmodels():
    for coefficients in ([0.999, -0.5], [0.5, -0.9999], [0.99, -0.98]):
        case = random_case((1, 1, 0, 0, 1), 120, 5)
        case.coefficients = np.array(coefficients)
        assert case.log_likelihood()[0] == pytest.approx(peer(case).loglike(coefficients), rel=1e-8)


def test_likelihood_is_exact_with_a_root_on_the_unit_circle():
    case = random_case((0, 1, 0, 0, 1), 80, 6)
    case.coefficients = np.array([-1.0])
    errors, variances = naive.kalman(case.y, [1.0], [1.0, -1.0])
    assert case.log_likelihood()[0] == pytest.approx(naive.concentrated_likelihood(errors, variances)[0], rel=1e-10)


@pytest.mark.parametrize("phi", [1.0, 1.2, -1.0, 1.0 - 1e-15])
def test_process_that_is_not_stationary_has_no_likelihood(phi):
    case = random_case((1, 1, 0, 0, 1), 50, 7)
    case.coefficients = np.array([phi, 0.3])
    assert case.log_likelihood()[0] == -np.inf
    errors, deviations, mean, variance = np.empty((4, 50))
    arguments = case.arma, case.coefficients
    assert not one_step_errors(*arguments, case.rows, errors, deviations, case.work)
    paths, one = np.empty((1, 50)), np.ones(1)
    assert not forecast(*arguments, one, case.rows, case.rows, 0.0, paths, mean, variance, case.work)


def test_series_that_regressors_explain_has_no_likelihood():
    case = Case(Arma(1, 0, 0, 0, 1), np.array([0.5]), np.zeros(30), np.ones((1, 30)))
    assert case.log_likelihood()[0] == -np.inf


def test_regressor_that_others_explain_is_noticed():
    y = random_case((1, 0, 0, 0, 1), 30, 8).y
    case = Case(Arma(1, 0, 0, 0, 1), np.array([0.5]), y, np.ones((2, 30)))
    assert case.log_likelihood()[0] == -np.inf


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
def test_values_that_float64_cannot_square_have_no_likelihood(value):
    rows = np.ones((1, 20))
    rows[0, 3] = value
    arma = Arma(1, 1, 0, 0, 1)
    assert log_likelihood(arma, np.array([0.5, 0.2]), rows, 0, memory_for(arma, rows))[0] == -np.inf


def test_memory_for_larger_models_serves_smaller_ones():
    case = random_case((2, 1, 0, 1, 12), 60, 9, GAPS[:3])
    alone = case.log_likelihood()
    case.work = memory_for(Arma(3, 3, 2, 2, 12), np.vstack([case.rows, case.rows]))
    assert case.log_likelihood() == alone


@settings(max_examples=100, deadline=None)
@given(ORDERS, st.integers(0, 2**20))
def test_transformation_is_the_one_of_the_formulas(orders, seed):
    arma, k = Arma(*orders), sum(orders[:4])
    memory = np.random.default_rng(seed).normal(scale=2.0, size=(2 * k, 8))
    constrain(arma, memory, 0, k)
    expected = [coefficients_of(arma, x) for x in memory[:k].T]
    np.testing.assert_allclose(memory[k:].T, expected, rtol=1e-12, atol=1e-12)
