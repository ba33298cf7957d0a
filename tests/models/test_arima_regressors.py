"""Regression with ARIMA errors: covariates known ahead as regressors of ARIMA and AutoARIMA."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.statespace.sarimax import SARIMAX

from forecast.errors import DataError
from forecast.evaluation.backtest import backtest
from forecast.forecaster import Forecaster
from forecast.models.arima import ARIMA, AutoARIMA
from forecast.models.naive import SeasonalNaive
from forecast.series import datasets
from forecast.series.frame import declare, read_panel
from forecast.series.roles import Declared
from tests.toys import make_panel

nan = np.nan
AR = ARIMA((1, 0, 0), (0, 0, 0))
DIFFERENCED = ARIMA((1, 1, 1), (0, 0, 0))
AUTO = AutoARIMA(max_p=2, max_q=2, max_P=1, max_Q=1, n_jobs=1)
BETA = {"x": 0.1, "z": -2.0}


def planted(names="xz", n=150, h=12, series=1, extra=None, **declared):
    """Autoregressive noise around 20 + 0.1 x - 2 z; ``extra`` maps names to functions of x, z and time."""
    rng = np.random.default_rng(1)
    noise, x, z = rng.normal(size=(3, series, n + h))
    for t in range(1, n + h):
        noise[:, t] += 0.6 * noise[:, t - 1]
    known = {"x": 1000 + 50 * x, "z": np.cumsum(z, axis=1)}
    y = 20 + noise + sum(BETA[name] * known[name] for name in names)
    time = np.tile(np.arange(n + h, dtype=np.float64), (series, 1))
    known |= {name: make(known["x"], known["z"], time) for name, make in (extra or {}).items()}
    panel = make_panel({f"s{s}": one[:n] for s, one in enumerate(y)})
    panel = replace(panel, covariates={name: values[:, :n].ravel() for name, values in known.items()})
    panel = declare(panel, Declared(**declared or {"future": (*names, *(extra or {}))}))
    ahead = {name: known[name][:, n:] for name in panel.declared.future}
    return replace(panel, ahead=ahead)


def changed(panel, name, rows, value):
    values = panel.covariates[name].copy()
    values[rows] = value
    return replace(panel, covariates={**panel.covariates, name: values})


@pytest.mark.parametrize("model", [AR, DIFFERENCED, ARIMA(), AUTO], ids=lambda model: model.name + str(model)[:25])
def test_planted_effects_are_recovered(model):
    panel = planted()
    found = model.fit(panel).estimates["s0"]
    np.testing.assert_allclose(found.beta, [0.1, -2.0], rtol=0.05)
    assert found.sigma2 < 0.1 * model.fit(replace(panel, declared=Declared())).estimates["s0"].sigma2


@pytest.mark.parametrize("o", [((1, 0, 0), (0, 0, 0)), ((2, 0, 0), (0, 1, 0)), ((1, 1, 0), (0, 0, 0), None, True)])
def test_both_engines_agree(o):
    panel = changed(planted(), "x", [40, 41, 90], nan)
    ours, theirs = (ARIMA(*o, engine=engine).fit(panel) for engine in ("compiled", "statsmodels"))
    one, other = ours.estimates["s0"], theirs.estimates["s0"]
    assert one.loglik == pytest.approx(other.loglik, abs=1e-3)
    assert one.n == other.n
    assert one.criterion("aicc") == pytest.approx(other.criterion("aicc"), abs=1e-2)
    np.testing.assert_allclose(one.beta, other.beta, rtol=2e-3)
    assert one.constant == pytest.approx(other.constant, rel=1e-2)
    levels = (0.1, 0.9)
    np.testing.assert_allclose(
        ours.predict(panel, 12, levels).quantiles, theirs.predict(panel, 12, levels).quantiles, rtol=2e-3
    )


def test_engine_of_statsmodels_searches_with_regressors():
    panel = planted(n=80)
    options = {"max_p": 1, "max_q": 1, "max_P": 0, "max_Q": 0}
    ours, theirs = (AutoARIMA(**options, engine=engine).fit(panel) for engine in ("compiled", "statsmodels"))
    assert theirs.estimates["s0"].criterion("aicc") == pytest.approx(ours.estimates["s0"].criterion("aicc"), abs=0.01)


@pytest.mark.parametrize("model", [AR, DIFFERENCED, ARIMA()], ids=["mean", "differenced", "seasonal"])
def test_likelihood_is_that_of_the_state_space_form_with_its_regressors(model):
    panel = changed(planted(), "x", [40, 41, 90], nan)
    found = model.fit(panel).estimates["s0"]
    y, X, o = panel.y.copy(), panel.regressors(0), found.orders
    y[[40, 41, 90]], X[[40, 41, 90]] = nan, 0.0
    peer = SARIMAX(
        y,
        exog=np.column_stack([np.ones((150, int(o.constant))), X]),
        order=(o.p, o.d, o.q),
        seasonal_order=(o.P, o.D, o.Q, 12),
        use_exact_diffuse=True,
    ).filter([*[found.constant] * o.constant, *found.beta, *found.coefficients, found.sigma2])
    assert found.loglik == pytest.approx(peer.llf + 0.5 * o.lost * np.log(2 * np.pi), abs=1e-5)
    assert found.n_parameters == o.size + o.constant + 3


@pytest.mark.parametrize("model", [AR, DIFFERENCED, ARIMA(), AUTO], ids=lambda model: model.name + str(model)[:25])
def test_forecasts_shift_by_the_coefficient_times_the_change(model):
    panel = planted()
    fitted = model.fit(panel)
    moved = replace(panel, ahead={**panel.ahead, "x": panel.ahead["x"] + np.arange(12.0)})
    one, other = (fitted.predict(p, 12, (0.1, 0.9)) for p in (panel, moved))
    shift = fitted.estimates["s0"].beta[0] * np.arange(12.0)
    np.testing.assert_allclose(other.point - one.point, shift[None], atol=1e-9)
    np.testing.assert_allclose(np.diff(other.quantiles), np.diff(one.quantiles))


def test_scale_and_level_of_a_regressor_do_not_matter():
    panel = planted()
    wild = replace(
        panel,
        covariates={**panel.covariates, "x": 1e6 + 1e-3 * panel.covariates["x"]},
        ahead={**panel.ahead, "x": 1e6 + 1e-3 * panel.ahead["x"]},
    )
    for model in (AR, DIFFERENCED, AUTO):
        one, other = (model.fit(p).predict(p, 12).point for p in (panel, wild))
        np.testing.assert_allclose(one, other, rtol=1e-4)


def test_value_whose_regressor_is_unknown_counts_as_unobserved():
    panel, rows = planted(), [30, 31, 100, 149]
    holes = replace(panel, y=panel.y.copy())
    holes.y[rows] = nan
    one, other = (AR.fit(p) for p in (changed(panel, "x", rows, nan), holes))
    np.testing.assert_allclose(one.estimates["s0"].beta, other.estimates["s0"].beta, rtol=1e-6)
    assert one.estimates["s0"].n == 146
    np.testing.assert_allclose(
        one.predict(changed(panel, "x", rows, nan), 5).point, other.predict(holes, 5).point, rtol=1e-6
    )
    values = one.fitted_values(changed(panel, "x", rows, nan))
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(values)), rows)


def test_what_stands_in_a_regressor_at_a_gap_of_the_series_does_not_matter():
    panel = planted()
    panel.y[60] = nan
    one, other = (DIFFERENCED.fit(p).estimates["s0"] for p in (panel, changed(panel, "x", 60, 1e4)))
    np.testing.assert_allclose(one.beta, other.beta, rtol=1e-6)


@pytest.mark.parametrize(
    ("model", "extra"),
    [
        (AR, lambda x, z, t: 0 * t + 7.3),  # a mean
        (DIFFERENCED, lambda x, z, t: 0 * t + 7.3),  # nothing is left of it
        (replace(DIFFERENCED, constant=True), lambda x, z, t: 3 + 0.1 * t),  # a drift
        (ARIMA(), lambda x, z, t: np.sin(t / 12 * 2 * np.pi)),  # a season that differencing takes away
        (AR, lambda x, z, t: 3 * x - z + 5),
        (DIFFERENCED, lambda x, z, t: 3 * x - z + t**0),
        (AUTO, lambda x, z, t: x),
        (AR, lambda x, z, t: nan * t),
        (AR, lambda x, z, t: np.where(t < 147, nan, x)),  # known at too few values
        (AR, lambda x, z, t: 1.0 * (t == 60)),  # where the series has a gap
    ],
)
def test_column_that_says_nothing_new_is_left_out_and_told(model, extra):
    panel, without = planted(extra={"w": extra}), planted()
    panel = replace(panel, ahead={**panel.ahead, "w": np.nan_to_num(panel.ahead["w"])})
    panel.y[60] = without.y[60] = nan
    fitted = model.fit(panel)
    assert np.isnan(fitted.estimates["s0"].beta).tolist() == [False, False, True]
    assert "; left out as constant, explained by others or too many: w" in fitted.describe()
    np.testing.assert_allclose(fitted.predict(panel, 4).point, model.fit(without).predict(without, 4).point, rtol=1e-6)


def test_columns_are_left_out_of_each_series_on_its_own():
    panel = changed(planted(series=2), "x", slice(0, 150), 1.0)
    fitted = AUTO.fit(panel)
    assert [np.isnan(one.beta).tolist() for one in fitted.estimates.values()] == [[True, False], [False, False]]
    said = "; regression on x, z; left out as constant, explained by others or too many: x in 1"
    assert said in fitted.describe()


@pytest.mark.parametrize("model", [AR, AUTO])
def test_too_few_values_for_so_many_columns_leave_them_out(model):
    many = {f"w{i}": (lambda x, z, t, i=i: np.cos(x * (i + 1))) for i in range(8)}
    panel, alone = planted(n=20, extra=many), planted(n=20)
    fitted = model.fit(panel)
    assert np.isnan(fitted.estimates["s0"].beta).all()
    assert "left out as constant, explained by others or too many: x, z, w0, w1, w2, w3, 4 more" in fitted.describe()
    expected = replace(model, covariates=False).fit(alone).predict(alone, 4).point
    np.testing.assert_array_equal(fitted.predict(panel, 4).point, expected)


def test_series_that_its_regressors_explain_wholly_is_forecast_by_them():
    panel = planted()
    panel = replace(panel, y=3 + 0.5 * panel.covariates["x"])
    for model in (AR, AUTO):
        np.testing.assert_allclose(model.fit(panel).predict(panel, 12).point, 3 + 0.5 * panel.ahead["x"])


def test_differencing_is_chosen_by_what_the_regression_leaves():
    panel = planted()  # z is a random walk
    assert AUTO.fit(panel).estimates["s0"].orders.d == 0
    assert replace(AUTO, covariates=False).fit(panel).estimates["s0"].orders.d == 1


def test_transformation_is_of_the_series_alone():
    panel = planted(names="x")
    panel = replace(panel, y=np.exp(0.1 * panel.y))
    logs = replace(panel, y=np.log(panel.y))
    one, other = replace(AR, transform="log").fit(panel), AR.fit(logs)
    np.testing.assert_allclose(one.estimates["s0"].beta, other.estimates["s0"].beta, rtol=1e-9)
    np.testing.assert_allclose(one.predict(panel, 4).point, np.exp(other.predict(logs, 4).point), rtol=1e-9)


def test_summary_names_the_coefficients_with_their_standard_errors():
    panel = planted()
    text = AR.fit(panel).summary(panel)
    exog = np.column_stack([np.ones(150), panel.regressors(0)])
    result = SARIMAX(panel.y, exog=exog, order=(1, 0, 0)).fit(disp=0, cov_type="oim")
    rows = {line.split()[0]: line.split() for line in text.splitlines()[1:]}
    for name, place in (("x", 1), ("z", 2)):
        assert float(rows[name][1]) == pytest.approx(result.params[place], rel=1e-2)
        assert float(rows[name][-1]) == pytest.approx(result.bse[place], rel=0.15)
    assert "; regression on x 0.1011, z -2.026" in AR.fit(panel).describe()


def test_saved_models_forecast_alike(tmp_path):
    panel = changed(planted(series=2), "x", slice(0, 150), 1.0)
    before = Forecaster([AUTO, AR]).fit(panel)
    before.save(tmp_path / "model")
    after = Forecaster.load(tmp_path / "model")
    pd.testing.assert_frame_equal(after.predict(5, level=[80]), before.predict(5, level=[80]), check_exact=True)
    assert after.fitted_["AutoARIMA"].covariates == ("x", "z")
    assert after.fitted_["AutoARIMA"].describe() == before.fitted_["AutoARIMA"].describe()
    arrays, extra = before.fitted_["ARIMA"].state()
    again = type(after.fitted_["ARIMA"]).from_state(AR, arrays, json.loads(json.dumps(extra))).state()[0]
    for name, values in arrays.items():
        np.testing.assert_array_equal(again[name], values)


def test_stored_regression_that_does_not_fit_its_covariates_is_refused():
    fitted = AR.fit(planted())
    arrays, extra = fitted.state()
    with pytest.raises(ValueError, match="the regression does not fit the covariates"):
        type(fitted).from_state(AR, arrays, extra | {"covariates": ["x"]})


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_threads_give_the_same_bits(n_jobs):
    panel = planted(series=3)
    one, other = (replace(AUTO, n_jobs=jobs).fit(panel).predict(panel, 4).point for jobs in (1, n_jobs))
    np.testing.assert_array_equal(one, other)


def test_future_that_is_not_known_is_refused():
    panel = replace(planted(), ahead={})
    fitted = AR.fit(panel)
    with pytest.raises(DataError, match="Covariate 'x' is declared as known ahead, but has no value for series 's0'"):
        fitted.predict(panel, 3)
    assert replace(AR, covariates=False).fit(panel).predict(panel, 3).point.shape == (1, 3)


def test_history_without_the_covariates_of_the_fit_is_refused():
    panel = planted()
    fitted = AR.fit(panel)
    with pytest.raises(DataError, match="was fitted with the covariate 'x', which these data do not declare"):
        fitted.predict(replace(panel, declared=Declared()), 3)
    with pytest.raises(DataError, match="Series 's0' has no value at which the covariates of ARIMA are known"):
        fitted.predict(changed(panel, "x", slice(None), nan), 3)


def test_historic_and_static_covariates_are_ignored_and_told():
    panel = planted(future="x", historic="z")
    fitted = AR.fit(panel)
    assert fitted.covariates == ("x",)
    notes = Forecaster([AR, AUTO, SeasonalNaive()]).fit(panel).panel_.notes
    assert notes[-2:] == (
        "ARIMA, AutoARIMA do not use the covariates 'z'.",
        "SeasonalNaive does not use the covariates 'x', 'z'.",
    )
    assert Forecaster(AR).fit(planted()).panel_.notes == ()
    plain = Forecaster(replace(AR, covariates=False)).fit(panel).panel_.notes
    assert plain == ("ARIMA does not use the covariates 'x', 'z'.",)


def test_calendar_features_are_regressors():
    panel = declare(planted(names="x"), Declared(calendar="month"))
    fitted = AR.fit(panel)
    assert fitted.covariates == ("month (sin)", "month (cos)")
    assert np.isfinite(fitted.estimates["s0"].beta).all()
    assert fitted.predict(panel, 3).point.shape == (1, 3)


@pytest.mark.parametrize("market", ["DE", "FR"])
def test_load_and_generation_forecasts_save_a_third_of_the_error_of_electricity_prices(market):
    frame = datasets.load("electricity_prices")
    frame = frame[frame["unique_id"] == market].tail(24 * 28)
    panel = read_panel(frame, future=("load_forecast", "generation_forecast"))
    model = ARIMA((2, 0, 1), (0, 1, 1))
    how = {"h": 24, "n_windows": 7, "refit": False}
    cv = backtest([model, replace(model, covariates=False, alias="alone")], panel, **how)
    informed, alone = ((cv[name] - cv["y"]).abs().mean() for name in ("ARIMA", "alone"))
    assert informed < 0.67 * alone
    blind = backtest([model], panel, **how, future_exog="last")
    assert (blind["ARIMA"] - blind["y"]).abs().mean() > 1.5 * informed
