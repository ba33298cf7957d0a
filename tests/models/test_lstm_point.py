"""The LSTM's point forecast: median or mean; intervals where only points are learned."""

from statistics import NormalDist

import numpy as np
import pytest

from forecast.errors import ParameterError
from forecast.evaluation.backtest import backtest
from forecast.forecaster import Forecaster
from forecast.models.recurrent import LSTM
from forecast.models.recurrent.paths import mean_weights
from forecast.series import datasets
from forecast.series.frame import read_panel

LEVELS = (0.05, 0.1, 0.5, 0.9, 0.95)


@pytest.fixture(scope="module")
def passengers():
    return read_panel(datasets.load("air_passengers"))


def test_mean_of_a_quantile_function_is_its_integral():
    grid = np.array([0.025, 0.1, 0.3, 0.5, 0.7, 0.9, 0.975])
    normal = np.array([NormalDist(5, 2).inv_cdf(q) for q in grid])
    assert normal @ mean_weights(grid) == pytest.approx(5, abs=1e-6)
    assert mean_weights(grid).sum() == pytest.approx(1)
    skewed = np.exp([NormalDist(0, 0.5).inv_cdf(q) for q in grid])
    assert skewed @ mean_weights(grid) == pytest.approx(np.exp(0.5**2 / 2), rel=0.01)  # of a lognormal


@pytest.mark.parametrize("h", [6, 15])
def test_point_is_the_median_or_the_mean_as_asked(passengers, h):
    median = LSTM(max_steps=40, transform="log").fit(passengers, 6)
    mean = LSTM(max_steps=40, transform="log", point="mean").fit(passengers, 6)
    ours, theirs = (fitted.predict(passengers, h, LEVELS) for fitted in (mean, median))
    np.testing.assert_array_equal(ours.quantiles, theirs.quantiles)
    assert (ours.point != theirs.point).all()
    np.testing.assert_allclose(ours.point, theirs.point, rtol=0.1)
    many = tuple((np.arange(999) + 0.5) / 999)
    integral = mean.predict(passengers, h, many).quantiles.mean(axis=2)
    np.testing.assert_allclose(ours.point, integral, rtol=0.01)


def test_mean_is_refused_where_only_a_median_is_learned():
    with pytest.raises(ParameterError, match="loss 'absolute' learns no mean; take loss='quantile'"):
        LSTM(loss="absolute", point="mean")


def test_calibration_learns_the_horizon_that_the_model_learned(passengers):
    trained = []

    class Spy(LSTM):
        def _fit(self, panel, h, progress):
            trained.append(h)
            return super()._fit(panel, h, progress)

    forecaster = Forecaster(Spy(max_steps=5)).fit(passengers, h=6)
    forecaster.predict(15, level=[80], intervals="conformal")
    assert trained == [6, 6]


def test_model_of_points_gets_intervals_by_calibration(passengers):
    cv = backtest([LSTM(loss="squared", max_steps=20)], passengers, 6, level=[80], intervals="conformal")
    assert (cv["LSTM-lo-80"] < cv["LSTM"]).all()
    assert (cv["LSTM"] < cv["LSTM-hi-80"]).all()
