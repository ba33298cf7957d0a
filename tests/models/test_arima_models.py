import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from forecast.errors import DataError, ParameterError
from forecast.models.arima import ARIMA, AutoARIMA
from forecast.models.arima.compiled import Compiled
from forecast.models.arima.fitting import fit_fixed
from forecast.models.arima.orders import Orders
from forecast.models.arima.prediction import predict
from forecast.models.arima.sample import make_sample
from forecast.models.arima.search import Search, Space
from forecast.models.naive import SeasonalNaive
from forecast.series import datasets
from tests.toys import make_panel

nan = np.nan
AIR = datasets.load("air_passengers")["value"].to_numpy(np.float64)
SMALL = {"max_p": 2, "max_q": 2, "max_P": 1, "max_Q": 1, "n_jobs": 1}
MONTHS = dict(zip("abcdef", np.split(datasets.load("hospital")["y"].to_numpy(np.float64)[: 6 * 84], 6), strict=True))


@pytest.fixture(scope="module")
def air():
    panel = make_panel({"air": AIR})
    return panel, AutoARIMA(n_jobs=1).fit(panel)


@pytest.fixture(scope="module")
def hospital():
    panel = make_panel(MONTHS)
    return panel, AutoARIMA(**SMALL).fit(panel)


class Recorder:
    def __init__(self, stop_after=None):
        self.events = []
        self.stop_after = stop_after

    def start(self, label, total):
        self.events.append((label, total))

    def advance(self, steps=1, **figures):
        self.events.append(steps)
        if len(self.events) == self.stop_after:
            raise KeyboardInterrupt

    def finish(self):
        self.events.append("end")


def test_air_passengers_get_a_model_as_good_as_the_best_known(air):
    # (2,1,1)(0,1,0)[12] has 1018.17
    found = air[1].estimates["air"]
    assert (found.orders.d, found.orders.D) == (1, 1)
    assert found.criterion("aicc") < 1013.6
    assert air[1].describe() == f"{found.orders}, AICc {found.criterion('aicc'):.1f}"


@pytest.mark.parametrize("name", ["beer_production", "us_gdp", "road_casualties"])
def test_stepwise_search_comes_within_half_a_point_of_the_exhaustive_one(name):
    y = datasets.load(name)[datasets.describe().set_index("name").loc[name, "target"]].to_numpy(np.float64)
    season = 12 if name == "road_casualties" else 4
    step = AutoARIMA(**SMALL).fit_series(y, season)
    best = AutoARIMA(**SMALL, stepwise=False).fit_series(y, season)
    assert step.criterion("aicc") < best.criterion("aicc") + 0.5


def test_exhaustive_search_tries_every_model_within_the_bounds():
    space = Space(d=1, D=0, season_length=4, max_p=2, max_q=1, max_P=1, max_Q=0, max_order=3, constant=True)
    search = Search(Compiled(make_sample(MONTHS["a"], 1, 0, 4), space.largest()))
    search.exhaustive(space)
    expected = {(p, q, P) for p in range(3) for q in range(2) for P in range(2) if p + q + P <= 3}
    assert {(o.p, o.q, o.P) for o in search.tried} == expected
    assert len(search.tried) == 2 * len(expected)


def test_model_found_has_no_autoregressive_root_near_the_unit_circle(hospital):
    assert all(np.isfinite(found.score("aicc")) for found in hospital[1].estimates.values())


def test_series_that_was_differenced_too_often_gets_a_moving_average():
    y = np.random.default_rng(0).normal(size=200)
    found = AutoARIMA(d=1, D=0, n_jobs=1).fit_series(y, 1)
    assert found.orders.q > 0
    assert found.sigma2 == pytest.approx(1.0, rel=0.15)


def test_bounds_and_given_differences_are_kept():
    model = AutoARIMA(max_p=1, max_q=1, max_P=0, max_Q=1, max_order=2, d=0, D=1, allow_mean=False, allow_drift=False)
    orders = model.fit_series(AIR, 12).orders
    assert (orders.d, orders.D, orders.constant) == (0, 1, False)
    assert max(orders.p, orders.q, orders.Q) <= 1
    assert orders.P == 0
    assert orders.size <= 2


@pytest.mark.parametrize("ic", ["aic", "bic"])
def test_other_criteria_choose_and_are_named(ic):
    panel = make_panel({"a": MONTHS["a"]})
    fitted = AutoARIMA(**SMALL, ic=ic).fit(panel)
    found = fitted.estimates["a"]
    assert fitted.describe() == f"{found.orders}, {ic.upper()} {found.criterion(ic):.1f}"
    other = AutoARIMA(**SMALL).fit_series(MONTHS["a"], 12)
    assert found.criterion(ic) <= other.criterion(ic) + 1e-6


@pytest.mark.parametrize("model", [AutoARIMA(**SMALL), ARIMA()], ids=lambda model: model.name)
def test_both_beat_the_seasonal_naive_forecast_of_the_last_year(model):
    panel = make_panel({"air": AIR[:-12]})
    errors = {
        one.name: np.abs(one.fit(panel).predict(panel, 12).point[0] - AIR[-12:]).mean()
        for one in (model, SeasonalNaive())
    }
    assert errors[model.name] < 0.5 * errors["SeasonalNaive"]


@pytest.mark.parametrize(
    ("y", "point", "said"),
    [
        ([5.0], [5, 5], "(0,1,0), constant or too short for more"),
        ([5.0, 7], [7, 7], "(0,1,0), constant or too short for more"),
        ([5.0, 7, 6], [6, 6], "(0,1,0), constant or too short for more"),
        ([1.0, 2, 1, 3, 9], [9, 9], "(0,1,0), constant or too short for more"),
        ([3.0] * 30, [3, 3], "(0,0,0) with mean, constant or too short for more"),
        (list(np.arange(40) * 0.1), [4.0, 4.1], "(0,1,0) with drift, constant or too short for more"),
        ([1.0, 5, 2, 7] * 8, [1, 5], "(0,0,0)(0,1,0)[4] with drift, constant or too short for more"),
        ([nan] * 5 + [4.0] + [nan] * 3, [4, 4], "(0,1,0), constant or too short for more"),
    ],
    ids=["one", "two", "three", "five", "constant", "line", "season", "one observed"],
)
def test_series_with_nothing_to_estimate_is_forecast_plainly_and_told(y, point, said):
    panel = make_panel({"a": y}, season_length=4)
    fitted = AutoARIMA().fit(panel)
    forecast = fitted.predict(panel, 2, [0.1, 0.9])
    np.testing.assert_allclose(forecast.point[0], point)
    assert (np.diff(forecast.quantiles) >= 0).all()
    assert fitted.describe() == said


def test_fixed_orders_fall_back_on_a_series_that_is_too_short():
    panel = make_panel({"short": AIR[:14], "long": AIR})
    fitted = ARIMA().fit(panel)
    assert fitted.predict(panel, 2).point[0].tolist() == [AIR[13]] * 2
    assert fitted.describe() == "2 series: (0,1,0) in 1, (0,1,1)(0,1,1)[12] in 1; 1 constant or too short to estimate"


def test_no_season_leaves_the_seasonal_orders_out():
    fitted = ARIMA().fit(make_panel({"a": AIR}, season_length=1))
    assert fitted.describe().endswith("(0,1,1), AICc 1397.3; no season, so no seasonal orders")


def test_long_season_keeps_seasonal_terms_out_and_is_told():
    y = np.random.default_rng(0).normal(size=900) + np.tile(np.arange(200.0), 5)[:900]
    fitted = AutoARIMA(max_p=1, max_q=1, n_jobs=1).fit(make_panel({"a": y}, season_length=200))
    orders = fitted.estimates["a"].orders
    assert (orders.P, orders.D, orders.Q) == (0, 1, 0)
    assert fitted.describe().endswith("a season of 200 steps is too long for seasonal ARMA terms, so P = Q = 0")


def test_gaps_change_the_forecast_little():
    holes = AIR.copy()
    holes[[20, 50, 51, 52, 90]] = nan
    panel = make_panel({"whole": AIR, "holes": holes})
    whole, gappy = ARIMA().fit(panel).predict(panel, 12).point
    np.testing.assert_allclose(gappy, whole, rtol=0.02)


def test_orders_chosen_with_gaps_filled_are_estimated_with_the_gaps_left_out():
    y = np.log(AIR)
    y[[20, 45, 46, 90, 101]] = np.nan
    found = AutoARIMA().fit_series(y, 12)
    chosen, estimated = found.orders, fit_fixed(y, found.orders, None)
    assert found.n == np.isfinite(y).sum() - chosen.lost
    assert found.loglik == pytest.approx(estimated.loglik, abs=1e-3)
    exact = AutoARIMA(stepwise=False, max_order=4).fit_series(y, 12)
    assert found.score("aicc") < exact.score("aicc") + 2


def test_unobserved_end_is_forecast_through():
    panel = make_panel({"air": AIR[:-12]})
    fitted = ARIMA().fit(panel)
    longer = make_panel({"air": np.append(AIR[:-12], [nan, nan])})
    expected = fitted.predict(panel, 5, [0.1, 0.9])
    forecast = fitted.predict(longer, 3, [0.1, 0.9])
    np.testing.assert_allclose(forecast.point, expected.point[:, 2:])
    np.testing.assert_allclose(forecast.quantiles, expected.quantiles[:, 2:])


def test_new_history_is_filtered_with_the_old_parameters(air):
    panel, fitted = air
    early = AutoARIMA(**SMALL).fit(make_panel({"air": AIR[:100]}))
    found = early.estimates["air"]
    mean, _ = predict(found, AIR, 6)
    np.testing.assert_array_equal(early.predict(panel, 6).point[0], mean)
    assert not np.allclose(fitted.predict(panel, 6).point[0], mean)


def test_search_uses_the_last_values_alone():
    rng = np.random.default_rng(1)
    y = np.concatenate([1000 * rng.normal(size=300).cumsum(), AIR])
    short = AutoARIMA(**SMALL, max_length=144).fit_series(y, 12)
    assert short.orders == AutoARIMA(**SMALL).fit_series(AIR, 12).orders


def test_forecast_sees_the_last_values_alone():
    changed = AIR.copy()
    changed[:44] *= 3
    models = [ARIMA(max_length=length).fit(make_panel({"air": AIR})) for length in (100, None)]
    for fitted, same in zip(models, (True, False), strict=True):
        points = [fitted.predict(make_panel({"air": y}), 12).point for y in (AIR, changed)]
        assert np.array_equal(*points) == same
        np.testing.assert_allclose(*points, rtol=0.05)


def test_series_that_was_not_fitted_is_named(hospital):
    with pytest.raises(DataError, match="AutoARIMA was not fitted on series 'new'"):
        hospital[1].predict(make_panel({"a": MONTHS["a"], "new": MONTHS["b"]}), 3)


def test_series_are_found_by_name_in_any_order(hospital):
    panel, fitted = hospital
    turned = fitted.predict(panel.select([3, 1]), 4).point
    np.testing.assert_array_equal(turned, fitted.predict(panel, 4).point[[3, 1]])


def test_many_series_are_summed_up(hospital):
    assert hospital[1].describe() == "6 series: (1,0,0) with mean in 1, (0,1,1) in 1, (2,1,0) in 1, 3 other orders"


def test_state_keeps_the_bits(hospital):
    panel, fitted = hospital
    arrays, extra = fitted.state()
    back = type(fitted).from_state(fitted.model, arrays, json.loads(json.dumps(extra)))
    assert back.describe() == fitted.describe()
    expected = fitted.predict(panel, 9, [0.05, 0.95])
    forecast = back.predict(panel, 9, [0.05, 0.95])
    np.testing.assert_array_equal(forecast.point, expected.point)
    np.testing.assert_array_equal(forecast.quantiles, expected.quantiles)


def test_state_of_numbered_series_is_json():
    fitted = ARIMA().fit(make_panel({np.int64(7): AIR}))
    arrays, extra = fitted.state()
    back = type(fitted).from_state(fitted.model, arrays, json.loads(json.dumps(extra)))
    assert list(back.estimates) == [7]


@pytest.mark.parametrize("damage", [{"orders": [[0, 1, 1, 0, 1, 9, 12, 0]]}, {"orders": [[0, 1, -1, 0, 1, 1, 12, 0]]}])
def test_damaged_state_is_refused(damage):
    fitted = ARIMA().fit(make_panel({"a": AIR}))
    arrays, extra = fitted.state()
    with pytest.raises(ValueError, match=r"do not fit|make no sense"):
        type(fitted).from_state(fitted.model, arrays | {k: np.array(v) for k, v in damage.items()}, extra)


@pytest.mark.parametrize("n_jobs", [2, 5])
def test_threads_give_the_same_bits_and_tell_of_every_series(hospital, n_jobs):
    panel, fitted = hospital
    progress = Recorder()
    other = AutoARIMA(**SMALL | {"n_jobs": n_jobs}).fit(panel, progress=progress)
    assert progress.events == [("AutoARIMA", 6), *[1] * 6, "end"]
    for name, expected in fitted.state()[0].items():
        np.testing.assert_array_equal(other.state()[0][name], expected)


def test_interruption_ends_the_threads():
    before = threading.active_count()
    progress = Recorder(stop_after=2)
    with pytest.raises(KeyboardInterrupt):
        ARIMA(n_jobs=2).fit(make_panel(MONTHS), progress=progress)
    assert progress.events[-1] == "end"
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (AutoARIMA, {"max_p": -1}, "max_p is -1; it must be a whole number that is not negative"),
        (AutoARIMA, {"d": 0.5}, "d is 0.5"),
        (AutoARIMA, {"ic": "hqic"}, "ic is 'hqic'; it must be one of aicc, aic, bic"),
        (AutoARIMA, {"n_jobs": 0}, "n_jobs is 0; it must be a whole number of at least 1, or None"),
        (AutoARIMA, {"max_length": 3}, "max_length is 3"),
        (ARIMA, {"transform": "root"}, "transform is 'root'; it must be one of none, log, boxcox"),
        (AutoARIMA, {"time_limit": 0}, "time_limit is 0; it must be a number of seconds above 0, or None"),
        (ARIMA, {"engine": "R"}, "engine is 'R'; it must be one of compiled, statsmodels"),
        (ARIMA, {"order": (1, 1)}, r"order is \(1, 1\); it must be three whole numbers"),
        (ARIMA, {"seasonal_order": (0, -1, 1)}, "seasonal_order is"),
        (ARIMA, {"season_length": 0}, "season_length is 0"),
        (ARIMA, {"constant": True}, "constant=True needs at most one difference"),
    ],
)
def test_bad_options_are_refused(kind, options, message):
    with pytest.raises(ParameterError, match=message):
        kind(**options)


def test_making_a_model_loads_neither_scipy_nor_statsmodels():
    script = "import sys, forecast; forecast.AutoARIMA(); forecast.ARIMA(); forecast.Naive(); print(*sys.modules)"
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), str(root / "kernels")])}
    result = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert not {"scipy", "statsmodels", "numba"} & {name.split(".")[0] for name in result.stdout.split()}


def test_orders_are_written_as_usual():
    assert str(Orders(2, 1, 1, 0, 1, 0, 12, False)) == "(2,1,1)(0,1,0)[12]"
    assert str(Orders(1, 0, 0, 0, 0, 0, 12, True)) == "(1,0,0) with mean"
    assert str(Orders(0, 0, 1, 0, 1, 0, 4, True)) == "(0,0,1)(0,1,0)[4] with drift"


def test_constant_has_its_place():
    with_mean = ARIMA((1, 0, 0), (0, 0, 0)).fit_series(AIR, 12)
    with_drift = ARIMA((1, 1, 0), (0, 0, 0), constant=True).fit_series(AIR, 12)
    assert with_mean.constant == pytest.approx(AIR.mean(), rel=0.2)
    assert with_drift.constant == pytest.approx(np.diff(AIR).mean(), rel=0.2)
    assert fit_fixed(AIR, Orders(1, 1, 0, 0, 0, 0, 1, False), None).constant == 0


def test_engine_of_statsmodels_searches_and_forecasts_alike():
    panel = make_panel({"gdp": 100 * np.log(datasets.load("us_gdp")["gdp"].to_numpy(np.float64)), "flat": [3.0] * 9})
    options = SMALL | {"max_P": 0, "max_Q": 0, "d": 1}
    ours, theirs = (AutoARIMA(**options, engine=engine).fit(panel) for engine in ("compiled", "statsmodels"))
    assert theirs.estimates["gdp"].criterion("aicc") == pytest.approx(ours.estimates["gdp"].criterion("aicc"), abs=0.01)
    np.testing.assert_allclose(theirs.predict(panel, 4).point, ours.predict(panel, 4).point, rtol=1e-3)
