"""Likelihood, forecasts and differencing of ARIMA, held against statsmodels and against plain formulas."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.tsa.statespace.sarimax import SARIMAX
from statsmodels.tsa.stattools import kpss

from forecast.models.arima.decomposition import stl
from forecast.models.arima.differencing import choose_differencing, kpss_statistic, seasonal_strength
from forecast.models.arima.estimate import DOUBT, Estimate
from forecast.models.arima.fitting import fit_fixed
from forecast.models.arima.orders import Orders
from forecast.models.arima.prediction import predict
from forecast.models.arima.sample import difference, filled, recent
from forecast.series import datasets

nan = np.nan
AIR = datasets.load("air_passengers")["value"].to_numpy(np.float64)
HOLES = AIR.copy()
HOLES[[3, 30, 31, 77, 100, 139, 142, 143]] = nan  # two of them at the end
GRID = [
    Orders(2, 1, 1, 0, 1, 0, 12, False),
    Orders(0, 1, 1, 0, 1, 1, 12, False),
    Orders(1, 0, 1, 1, 1, 0, 12, True),
    Orders(1, 0, 0, 2, 0, 1, 12, True),
    Orders(3, 1, 0, 0, 0, 0, 1, True),
    Orders(0, 2, 2, 0, 0, 0, 1, False),
    Orders(0, 1, 0, 0, 0, 0, 1, False),
]


def peer(y, found):
    """statsmodels' exact diffuse filter over the undifferenced series, at our parameters."""
    o = found.orders
    trend = None
    parameters = [*found.coefficients, found.sigma2]
    if o.constant:  # a mean, or a slope for each step
        trend = np.arange(len(y) + 24.0) if o.lost else np.ones(len(y) + 24)
        parameters.insert(0, found.constant / (o.season_length if o.D else 1))
    model = SARIMAX(
        y,
        exog=None if trend is None else trend[: len(y)],
        order=(o.p, o.d, o.q),
        seasonal_order=(o.P, o.D, o.Q, o.season_length if o.season_length > 1 else 0),
        use_exact_diffuse=True,
    )
    return model.filter(parameters), None if trend is None else trend[len(y) :]


@pytest.fixture(scope="module", params=GRID, ids=str)
def fits(request):
    """One model on the whole series and on the one with holes."""
    return [(y, fit_fixed(y, request.param, None)) for y in (AIR, HOLES)]


def test_likelihood_is_that_of_the_state_space_form(fits):
    for y, found in fits:
        result, _ = peer(y, found)
        diffuse = 0.5 * found.orders.lost * np.log(2 * np.pi)  # statsmodels counts the values lost to differencing
        assert found.loglik == pytest.approx(result.llf + diffuse, rel=1e-9)


def test_forecasts_are_those_of_the_state_space_form(fits):
    for y, found in fits:
        result, trend = peer(y, found)
        expected = result.get_forecast(24, exog=trend)
        mean, deviation = predict(found, y, 24)
        np.testing.assert_allclose(mean, expected.predicted_mean, rtol=1e-8)
        inflation = np.sqrt(found.variance / found.sigma2)
        np.testing.assert_allclose(deviation, expected.se_mean * inflation, rtol=1e-8)


@pytest.mark.parametrize("o", GRID, ids=str)
def test_both_engines_give_the_same_forecasts(o):
    for y in (AIR, HOLES):
        found = fit_fixed(y, o, None)
        ours, theirs = predict(found, y, 24), predict(found, y, 24, "statsmodels")
        np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-8)
        np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-8)


@pytest.mark.parametrize("o", [GRID[1], GRID[4]], ids=str)
def test_engine_of_statsmodels_finds_the_same_maximum(o):
    for y in (AIR, HOLES):
        ours, theirs = fit_fixed(y, o, None), fit_fixed(y, o, None, "statsmodels")
        assert theirs.loglik == pytest.approx(ours.loglik, abs=1e-3)
        assert theirs.criterion("aicc") == pytest.approx(ours.criterion("aicc"), abs=2e-3)
        assert theirs.constant == pytest.approx(ours.constant, rel=0.01)
        np.testing.assert_allclose(theirs.coefficients, ours.coefficients, atol=5e-3)


@pytest.mark.parametrize("o", [orders for orders in GRID if orders.size], ids=str)
def test_estimates_are_no_worse_than_statsmodels_own(o):
    y = AIR
    found = fit_fixed(y, o, None)
    w = difference(y, o.d, o.D, o.season_length)
    model = SARIMAX(
        w,
        order=(o.p, 0, o.q),
        seasonal_order=(o.P, 0, o.Q, 12 if o.P or o.Q else 0),
        trend="c" if o.constant else "n",
        concentrate_scale=True,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where its own search has to say something
        own = model.fit(disp=0, maxiter=200)
    assert found.loglik > own.llf - 1e-3
    assert found.criterion("aicc") == pytest.approx(own.aicc + 2 * (own.llf - found.loglik))
    assert found.criterion("bic") == pytest.approx(own.bic + 2 * (own.llf - found.loglik))


def test_airline_model_has_its_published_coefficients():
    # Box and Jenkins, log passengers: theta 0.40, seasonal theta 0.56, variance 0.00135
    found = fit_fixed(np.log(AIR), Orders(0, 1, 1, 0, 1, 1, 12, False), None)
    np.testing.assert_allclose(found.coefficients, [-0.40, -0.56], atol=0.005)
    assert found.sigma2 == pytest.approx(0.00135, abs=1e-5)


@pytest.mark.parametrize("length", [1, 5, 14, 20])
def test_history_shorter_than_the_differencing_is_forecast(length):
    found = fit_fixed(AIR, Orders(1, 1, 1, 1, 1, 1, 12, False), None)
    mean, deviation = predict(found, AIR[:length], 24)
    assert np.isfinite(mean).all()
    assert (deviation > 0).all()


def test_values_unknown_in_every_season_leave_the_others_forecasts():
    y = AIR.copy()
    y[::12] = nan  # no January at all
    found = fit_fixed(y, Orders(0, 1, 1, 0, 1, 1, 12, False), None)
    mean, _ = predict(found, y, 12)
    expected, _ = predict(fit_fixed(AIR, found.orders, None), AIR, 12)
    np.testing.assert_allclose(mean[1:], expected[1:], rtol=0.05)


@given(st.lists(st.floats(-0.95, 0.95), min_size=1, max_size=3), st.booleans())
def test_roots_near_the_unit_circle_are_seen(inverse_roots, seasonal):
    polynomial = np.poly(inverse_roots)
    k = len(inverse_roots)
    orders = Orders(0, 0, 0, k, 0, 0, 4, False) if seasonal else Orders(0, 0, k, 0, 0, 0, 1, False)
    coefficients = -polynomial[1:] if seasonal else polynomial[1:]
    far = Estimate(orders, coefficients, 0.0, 1.0, 0.0, 50)
    assert far.score("aicc") == far.criterion("aicc")
    near = np.poly([*inverse_roots[1:], 0.995])[1:]
    close = Estimate(orders, -near if seasonal else near, 0.0, 1.0, 0.0, 50)
    assert close.score("aicc") == (np.inf if seasonal else close.criterion("aicc") + DOUBT)


@pytest.mark.parametrize(
    ("name", "season", "expected"),
    [
        ("air_passengers", 12, (1, 1)),
        ("beer_production", 4, (1, 1)),
        ("us_gdp", 4, (2, 0)),
        ("road_casualties", 12, (0, 1)),
    ],
)
def test_differencing_of_known_series(name, season, expected):
    y = datasets.load(name)[datasets.describe().set_index("name").loc[name, "target"]].to_numpy(np.float64)
    assert choose_differencing(y, season) == expected


def test_differencing_of_noise_walk_and_line():
    rng = np.random.default_rng(3)
    noise = rng.normal(size=200)
    assert choose_differencing(noise, 12) == (0, 0)
    assert choose_differencing(noise.cumsum(), 12) == (1, 0)
    assert choose_differencing(np.arange(50.0), 1) == (1, 0)
    assert choose_differencing(np.full(50, 3.0), 12) == (0, 0)
    assert choose_differencing(np.tile([1.0, 5, 2], 20), 3) == (0, 1)


def test_given_differences_are_kept():
    assert choose_differencing(AIR, 12, d=0) == (0, 1)
    assert choose_differencing(AIR, 12, D=0) == (1, 0)
    assert choose_differencing(AIR, 12, max_d=0, max_D=0) == (0, 0)


def test_gaps_leave_the_differencing_as_it_was():
    assert choose_differencing(HOLES, 12) == choose_differencing(AIR, 12)


@pytest.mark.parametrize("n", [10, 144, 1000])
def test_kpss_statistic_is_statsmodels(n):
    y = np.random.default_rng(n).normal(size=n).cumsum()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the p-value lies outside of its table
        expected = kpss(y, regression="c", nlags=int(3 * np.sqrt(n) / 13))[0]
    assert kpss_statistic(y) == pytest.approx(expected)


def test_strength_of_the_season_tells_pattern_from_noise():
    rng = np.random.default_rng(0)
    pattern = np.tile([1.0, 5, 2, 8], 20)
    assert seasonal_strength(pattern + 0.1 * rng.normal(size=80), 4) > 0.95
    assert seasonal_strength(rng.normal(size=80), 4) < 0.5
    assert seasonal_strength(pattern[:8], 4) == 0
    assert seasonal_strength(pattern, 1) == 0


@pytest.mark.parametrize(("n", "m"), [(144, 12), (25, 12), (211, 4), (600, 52), (400, 168), (16, 7), (5, 2)])
def test_decomposition_is_that_of_statsmodels(n, m):
    from statsmodels.tsa.seasonal import STL

    rng = np.random.default_rng(n)
    y = np.cumsum(rng.normal(size=n)) + 3 * np.sin(2 * np.pi * np.arange(n) / m)
    expected = STL(y, m, seasonal=11, seasonal_deg=0).fit()
    season, trend = stl(y, m)
    np.testing.assert_allclose(season, expected.seasonal, atol=1e-9)
    np.testing.assert_allclose(trend, expected.trend, atol=1e-9)


def test_gaps_are_filled_from_their_own_season():
    y = np.array([1.0, 10, 2, nan, 3, 30, nan, 40])
    assert filled(y, 2).tolist() == [1, 10, 2, 20, 3, 30, 3, 40]
    assert filled(y, 1).tolist() == [1, 10, 2, 2.5, 3, 30, 35, 40]


def test_recent_values_are_as_many_as_their_gaps_allow():
    y = np.arange(100.0)
    assert len(recent(y, None, 1e7)) == 100
    assert recent(y, 10, 1e7).tolist() == list(range(90, 100))
    y[[20, 50, 99]] = nan
    assert recent(y, None, 0).tolist() == list(range(51, 99))
    assert len(recent(y, None, 99 * 2**2)) == 99
