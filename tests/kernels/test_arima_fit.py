"""Fits of ARMA kernels: derivatives, starts, and maxima no lower than statsmodels finds."""

import warnings

import numba
import numpy as np
import pytest
from statsmodels.tsa.statespace.sarimax import SARIMAX
from threadpoolctl import threadpool_limits

from forecast.series import datasets
from forecast_kernels.arima.fit import _against, _derive, _look
from forecast_kernels.arima.polynomials import Arma
from forecast_kernels.arima.start import promising_starts
from tests import naive
from tests.arma import Case, coefficients_of, random_case


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Its matrices are small: threads of BLAS would only wait for each other."""
    with threadpool_limits(1):
        yield


@numba.njit
def gradient(arma, x, rows, gaps, products, work):
    """What the search sees: the misfit, and half its derivatives."""
    k = x.shape[0]
    for chunk in range((k + 6) // 7):
        misfit = _look(arma, x, k, chunk, rows, gaps, work)
        _derive(x, k, chunk, gaps, work.memory, work.at)
    _against(work.at.derivatives * 8, k, products, work.memory, work.at)
    return misfit


@pytest.mark.parametrize("gaps", [(), (3, 4, 30)], ids=["whole", "gaps"])
@pytest.mark.parametrize("orders", [(1, 1, 0, 0, 1), (2, 1, 1, 1, 4), (4, 5, 0, 1, 3)], ids=str)
def test_derivatives_are_those_of_the_naive_likelihood(orders, gaps):
    case = random_case(orders, 50, 1, gaps)
    x = np.random.default_rng(2).normal(size=len(case.coefficients))

    def likelihood(x):
        moved = Case(case.arma, coefficients_of(case.arma, x), case.y, case.regressors)
        return naive.concentrated_likelihood(*naive.kalman(case.y, *moved.polynomials()))[0]

    products = np.empty(len(x))
    misfit = gradient(case.arma, x.copy(), case.rows, case.gaps, products, case.work)
    found = -(len(case.y) - case.gaps) * products / misfit
    expected = naive.numerical_gradient(likelihood, x, 1e-5)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def series(name, column):
    return datasets.load(name)[column].to_numpy(np.float64)


def differenced(y, d, D, season):
    for _ in range(D):
        y = y[season:] - y[:-season]
    return np.diff(y, n=d)


def real():
    """A dozen models of differenced series: name, orders, series."""
    air, beer = np.log(series("air_passengers", "value")), np.log(series("beer_production", "megalitres"))
    hurt, spots = np.log(series("road_casualties", "y")), np.sqrt(series("sunspots", "sunspots"))
    gdp, oil = 100 * np.log(series("us_gdp", "gdp")), series("oil_price", "price")
    bikes = series("bike_daily", "y")
    return [
        ("air", (2, 1, 0, 1, 12), differenced(air, 1, 1, 12)),
        ("air", (0, 1, 0, 1, 12), differenced(air, 1, 1, 12)),
        ("air", (1, 1, 1, 1, 12), differenced(air, 1, 1, 12)),
        ("beer", (2, 1, 1, 1, 4), differenced(beer, 1, 1, 4)),
        ("beer", (1, 2, 0, 2, 4), differenced(beer, 1, 1, 4)),
        ("casualties", (1, 0, 0, 1, 12), differenced(hurt, 0, 1, 12)),
        ("casualties", (1, 1, 1, 0, 12), differenced(hurt, 0, 1, 12)),
        ("sunspots", (2, 1, 0, 0, 1), differenced(spots, 1, 0, 1)),
        ("sunspots", (3, 2, 0, 0, 1), differenced(spots, 1, 0, 1)),
        ("gdp", (2, 2, 0, 0, 1), differenced(gdp, 1, 0, 1)),
        ("oil", (1, 1, 0, 0, 1), differenced(oil[-400:], 1, 0, 1)),
        ("bikes", (1, 1, 1, 1, 7), differenced(bikes[-300:], 1, 0, 1)),
    ]


@pytest.mark.parametrize(("name", "orders", "w"), real(), ids=lambda value: str(value)[:16])
def test_fit_is_no_worse_than_that_of_statsmodels(name, orders, w):
    case = Case(Arma(*orders), np.zeros(sum(orders[:4])), w, np.empty((0, len(w))))
    found, _, coefficients, _ = case.fit()
    p, q, P, Q, season = orders
    model = SARIMAX(
        w, order=(p, 0, q), seasonal_order=(P, 0, Q, season if P + Q else 0), trend="n", concentrate_scale=True
    )
    model.ssm.tolerance = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where its own search has to say something
        expected = model.fit(disp=0, maxiter=100)
    assert found.converged
    assert found.log_likelihood > expected.llf - 1e-4
    assert found.log_likelihood == pytest.approx(model.loglike(coefficients), rel=1e-8)


def test_fit_finds_the_coefficients_that_made_the_series():
    case = random_case((2, 1, 0, 1, 12), 4000, 3, regressors=1)
    found, x, coefficients, slopes = case.fit()
    np.testing.assert_allclose(coefficients, case.coefficients, atol=0.08)
    np.testing.assert_allclose(coefficients_of(case.arma, x), coefficients, rtol=1e-12)
    assert found.sigma2 == pytest.approx(1.0, rel=0.1)
    assert slopes == pytest.approx(0.5, abs=0.5)


def test_gaps_and_mean_are_fitted_with_the_coefficients():
    case = random_case((1, 1, 0, 0, 1), 200, 4, (5, 6, 90), regressors=1)
    found, _, coefficients, slopes = case.fit()
    model = SARIMAX(case.y, order=(1, 0, 1), trend="c", concentrate_scale=True)
    expected = model.fit(disp=0)
    assert found.log_likelihood == pytest.approx(expected.llf, abs=1e-4)
    np.testing.assert_allclose(coefficients, expected.params[1:], atol=2e-3)
    assert slopes[-1] == pytest.approx(expected.params[0] / (1 - expected.params[1]), abs=2e-2)


def test_fit_ends_at_a_maximum_on_the_unit_circle():
    w = np.diff(np.random.default_rng(1).normal(size=80))  # over-differenced: theta = -1
    case = Case(Arma(0, 1, 0, 0, 1), np.zeros(1), w, np.empty((0, 79)))
    found, _, coefficients, _ = case.fit()
    assert coefficients[0] == pytest.approx(-1.0, abs=1e-3)
    case.coefficients = np.array([-1.0])
    assert found.log_likelihood == pytest.approx(case.log_likelihood()[0], abs=1e-4)


def test_more_than_seven_coefficients_reach_a_maximum():
    case = random_case((4, 3, 1, 1, 3), 300, 6)
    found, x, coefficients, _ = case.fit()
    assert found.converged
    products = np.empty(len(x))
    misfit = gradient(case.arma, x, case.rows, 0, products, case.work)
    assert np.abs(300 * products / misfit * (1 + np.abs(x))).max() < 0.02
    case.coefficients = coefficients
    expected = naive.concentrated_likelihood(*naive.kalman(case.y, *case.polynomials()))[0]
    assert found.log_likelihood == pytest.approx(expected, rel=1e-8)


def test_white_noise_needs_no_search():
    case = random_case((0, 0, 0, 0, 1), 40, 7, regressors=1)
    found, _, _, slopes = case.fit(starts=np.empty((0, 0)))
    assert slopes[0] == pytest.approx(case.y.mean())
    assert found.sigma2 == pytest.approx(case.y.var())
    assert found.converged


def test_same_numbers_whatever_was_in_memory():
    case = random_case((2, 1, 1, 1, 4), 90, 8, (4, 40), regressors=2)
    first = case.fit()
    case.work.memory[:] = np.nan
    case.work.vectors[:] = np.nan
    second = case.fit()
    assert first[0] == second[0]
    for one, other in zip(first[1:], second[1:], strict=True):
        np.testing.assert_array_equal(one, other)


def test_scale_of_the_series_does_not_matter():
    case = random_case((1, 1, 1, 0, 4), 90, 9, regressors=1)
    big = Case(case.arma, case.coefficients, 1e9 * case.y, case.regressors)
    (found, _, coefficients, _), (other, _, same, _) = case.fit(), big.fit()
    np.testing.assert_allclose(same, coefficients, atol=1e-4)
    assert other.log_likelihood + 90 * np.log(1e9) == pytest.approx(found.log_likelihood, abs=1e-6)


def test_starts_come_best_first_and_look_both_ways():
    case = random_case((1, 0, 0, 1, 4), 120, 10, regressors=1)
    starts = np.empty((20, 2))
    count = promising_starts(case.arma, case.rows, 0, starts, case.work)
    assert count == 5  # one regression, four pairs of signs
    assert len({tuple(np.sign(x)) for x in starts[:count]}) == 4
    likelihoods = []
    for x in starts[:count]:
        case.coefficients = coefficients_of(case.arma, x)
        likelihoods.append(case.log_likelihood()[0])
    assert likelihoods == sorted(likelihoods, reverse=True)


def test_regression_starts_near_the_coefficients_of_a_long_series():
    case = random_case((1, 0, 0, 1, 12), 3000, 11, regressors=1)
    starts = np.empty((1, 2))
    promising_starts(case.arma, case.rows, 0, starts, case.work)
    np.testing.assert_allclose(coefficients_of(case.arma, starts[0]), case.coefficients, atol=0.2)


@pytest.mark.parametrize("y", [np.zeros(30), np.full(30, 7.0), np.arange(30.0), np.r_[np.zeros(29), 1.0]], ids=str)
def test_degenerate_series_give_no_nan(y):
    case = Case(Arma(1, 1, 0, 1, 4), np.zeros(3), y, np.ones((1, 30)))
    found, x, coefficients, _ = case.fit()
    assert not np.isnan(found.log_likelihood) and not np.isnan(found.sigma2)
    assert found.log_likelihood > -np.inf or not found.converged
    assert np.isfinite(x).all() and np.isfinite(coefficients).all()


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_short_series_can_be_fitted(n):
    case = random_case((1, 1, 1, 1, 4), n, 12, regressors=1)
    found, x, _, _ = case.fit()
    assert not np.isnan(found.log_likelihood)
    assert np.isfinite(x).all()
