"""Networks and covariates: they profit from what is known ahead, and from nothing that is not."""

from dataclasses import replace

import numpy as np
import pytest

from forecast.errors import DataError, ParameterError
from forecast.evaluation.backtest import backtest
from forecast.forecaster import Forecaster
from forecast.models.naive import SeasonalNaive
from forecast.models.recurrent import LSTM, FittedLSTM
from forecast.models.recurrent.inputs import Inputs
from forecast.series.frame import declare
from forecast.series.roles import Declared
from forecast_kernels.network.cpu import run_group
from tests.toys import make_panel

SMALL = LSTM(
    max_steps=300, hidden_size=16, num_layers=1, batch_size=32, learning_rate=1e-2, season_length=0, patch_length=2,
    context_length=8, transform="none", dropout=0.0,
)  # fmt: skip


def noise(seed=0, lengths=(120, 90), ahead=0):
    """A panel of noise, and what is added to it: one value for each value of the panel, and for the steps ahead."""
    rng = np.random.default_rng(seed)
    panel = make_panel({f"s{s}": 100.0 * s + rng.normal(0, 1, n) for s, n in enumerate(lengths)})
    return panel, rng.normal(0, 3, len(panel.y)), rng.normal(0, 3, (len(panel), ahead))


def driven(ahead=0, **declared):
    """Noise moved by the covariate ``x``; another one, ``z``, is of no use."""
    panel, x, later = noise(ahead=ahead)
    panel = replace(panel, y=panel.y + x, covariates={"x": 1000 + 50 * x, "z": x[::-1].copy()})
    return replace(declare(panel, Declared(**declared)), ahead={"x": 1000 + 50 * later} if ahead else {}), later


def error(cv, model):
    return float(np.abs(cv[model] - cv["y"]).mean())


@pytest.fixture(scope="module")
def fitted():
    panel, _ = driven(future="x", historic="z")
    return SMALL.fit(panel, 4)


def test_planted_leak_pays_only_where_it_is_declared_as_known_ahead():
    """The covariate is the target itself: whoever sees it after the cutoff forecasts without error."""
    panel, _, _ = noise(lengths=(150,))
    panel = replace(panel, covariates={"x": panel.y.copy()})
    honest = declare(panel, Declared(historic=("x",)))
    told = declare(panel, Declared(future=("x",)))
    how = {"h": 2, "n_windows": 20, "refit": False}
    blind = error(backtest([replace(SMALL, covariates=False)], panel, **how), "LSTM")
    assert error(backtest([SMALL], told, **how), "LSTM") < 0.3 * blind
    assert error(backtest([SMALL], told, **how, future_exog="last"), "LSTM") > 0.8 * blind
    assert error(backtest([SMALL], honest, **how), "LSTM") > 0.8 * blind


@pytest.mark.parametrize(("role", "mode"), [("historic", "realised"), ("future", "last")])
def test_backtest_shows_nothing_of_a_covariate_after_the_cutoff(role, mode):
    panel, _ = driven(**{role: "x"})
    changed = replace(panel, covariates={**panel.covariates, "x": panel.covariates["x"].copy()})
    for end in panel.indptr[1:]:
        changed.covariates["x"][end - 6 : end] = 1e6
    brief = replace(SMALL, max_steps=5)
    for refit in (True, False):
        one, other = (backtest([brief], p, 3, 2, refit=refit, future_exog=mode) for p in (panel, changed))
        rows = one["cutoff"] == one.groupby("unique_id")["cutoff"].transform("min")
        np.testing.assert_array_equal(one["LSTM"][rows], other["LSTM"][rows])
        assert (one["LSTM"][~rows].to_numpy() != other["LSTM"][~rows].to_numpy()).any()  # by then it was known


def test_realised_gap_is_filled_with_the_value_before_it():
    panel, _ = driven(future="x")
    values = panel.covariates["x"]
    values[118], values[119] = np.nan, 7.0
    filled = replace(panel, covariates={**panel.covariates, "x": np.where(np.isnan(values), values[117], values)})
    brief = replace(SMALL, max_steps=3)
    one, other = (backtest([brief], p, 4)["LSTM"] for p in (panel, filled))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("h", [4, 3, 11])
def test_forecasts_follow_what_is_known_ahead(fitted, h):
    """Beyond the horizon of 4 each block gets the values of its own steps."""
    panel, later = driven(ahead=11, future="x", historic="z")
    forecast = fitted.predict(panel, h, (0.1, 0.9))
    level = np.array([[0.0], [100.0]])
    low, high = forecast.quantiles[:, :, 0] - level, forecast.quantiles[:, :, 1] - level
    assert ((low <= later[:, :h]) & (later[:, :h] <= high)).mean() > 0.5
    last = slice(h // 4 * 4 if h > 4 else 0, h)
    moved, mover = (forecast.point - level)[:, last].ravel(), later[:, last].ravel()
    assert np.corrcoef(moved, mover)[0, 1] > 0.9


def test_scale_and_level_of_a_covariate_do_not_matter():
    panel, _ = driven(future="x", ahead=4)
    moved = replace(
        panel,
        covariates={**panel.covariates, "x": 5 + 1e-3 * panel.covariates["x"]},
        ahead={"x": 5 + 1e-3 * panel.ahead["x"]},
    )
    brief = replace(SMALL, max_steps=20)
    one, other = (brief.fit(p, 4).predict(p, 4).point for p in (panel, moved))
    np.testing.assert_allclose(one, other, rtol=1e-3)


def test_missing_future_is_refused_by_those_that_use_it():
    panel, _ = driven(future="x", ahead=3)
    forecaster = Forecaster([replace(SMALL, max_steps=1), SeasonalNaive()]).fit(panel, 4)
    with pytest.raises(DataError, match=r"'x' is declared as known ahead, but has no value for series 's0' at 1959"):
        forecaster.predict(4)
    assert len(forecaster.predict(3)) == 6
    assert len(Forecaster(SeasonalNaive()).fit(panel).predict(4)) == 8
    assert len(Forecaster(replace(SMALL, max_steps=1, covariates=False)).fit(panel).predict(4)) == 8


def test_unknown_past_values_are_those_of_their_context(fitted):
    panel, _ = driven(ahead=4, future="x", historic="z")
    ends = panel.indptr[1:] - 1
    holes, filled = (
        replace(panel, covariates={name: values.copy() for name, values in panel.covariates.items()}) for _ in range(2)
    )
    holes.covariates["z"][ends] = np.nan
    filled.covariates["z"][ends] = [holes.covariates["z"][end - 7 : end].mean() for end in ends]
    one, other = fitted.predict(holes, 4).point, fitted.predict(filled, 4).point
    np.testing.assert_allclose(one, other, rtol=1e-5)
    assert (np.abs(one - fitted.predict(panel, 4).point) > 1e-3).any()


def test_models_that_ignore_covariates_say_so_once():
    panel, _ = driven(future="x")
    plain = replace(SMALL, max_steps=1, covariates=False)
    notes = Forecaster([plain, SeasonalNaive()]).fit(panel, 4).panel_.notes
    assert notes[-1] == "LSTM, SeasonalNaive do not use the covariates 'x'."
    cv = backtest([replace(plain, covariates=True), SeasonalNaive()], panel, 4, 2)
    assert cv.attrs["notes"] == ["SeasonalNaive does not use the covariates 'x'."]


def test_undeclared_and_unused_covariates_change_nothing():
    panel, _ = driven(future="x", ahead=4)
    bare = replace(panel, covariates={}, declared=Declared(), ahead={})
    brief = replace(SMALL, max_steps=5)
    expected = brief.fit(bare, 4).predict(bare, 4).point
    loaded = replace(panel, declared=Declared())
    np.testing.assert_array_equal(brief.fit(loaded, 4).predict(loaded, 4).point, expected)
    unused = replace(brief, covariates=False)
    np.testing.assert_array_equal(unused.fit(panel, 4).predict(panel, 4).point, expected)


def test_forecasts_of_a_panel_are_those_of_its_series_alone_with_covariates(fitted, monkeypatch):
    panel, _ = driven(ahead=9, future="x", historic="z")
    together = fitted.predict(panel, 9, (0.1,))
    for s in range(2):
        alone = fitted.predict(panel.select(np.array([s])), 9, (0.1,))
        np.testing.assert_allclose(together.point[s], alone.point[0], rtol=1e-4)
        np.testing.assert_allclose(together.quantiles[s], alone.quantiles[0], rtol=1e-3)
    monkeypatch.setattr(FittedLSTM, "_tail", property(lambda self: 6_000_000))  # one series a part
    np.testing.assert_allclose(fitted.predict(panel, 4).point, together.point[:, :4], rtol=1e-4)


def test_nothing_is_compiled_again_for_covariates():
    brief = replace(SMALL, max_steps=1)
    brief.fit(make_panel(), 3).predict(make_panel(), 3)
    before = len(run_group.signatures)
    panel, _ = driven(future="x", historic="z", ahead=9)
    brief.fit(panel, 3).predict(panel, 9, (0.1,))
    assert len(run_group.signatures) == before


# --------------------------------------------------------------------------------------------- statics


def jumping():
    """Series that jump up, or down, at every other step, as their kind says."""
    rng = np.random.default_rng(2)
    kinds = ["up", "down", "up", "down", "up", "down"]
    signs = [1.0 if kind == "up" else -1.0 for kind in kinds]
    y = {f"s{s}": sign * (np.arange(39) % 2) + rng.normal(0, 0.05, 39) for s, sign in enumerate(signs)}
    return make_panel(y), np.array(kinds, object), np.array(signs)


def test_category_tells_series_apart():
    """All end on a zero, and the context is that value alone: only the kind says which way the next step goes."""
    panel, kinds, signs = jumping()
    panel = replace(panel, statics={"kind": kinds}, declared=Declared(static=("kind",)))
    fitted = replace(SMALL, context_length=1, patch_length=1, scaler="none").fit(panel, 1)
    np.testing.assert_allclose(fitted.predict(panel, 1).point[:, 0], signs, atol=0.2)
    unseen, none = (
        fitted.predict(replace(panel, statics={"kind": np.array([kind] * 6, object)}), 1).point
        for kind in ("sideways", None)
    )
    np.testing.assert_array_equal(unseen, none)


def test_inputs_of_statics_are_one_hot_and_standardised():
    panel, kinds, _ = jumping()
    area = np.array([1.0, 2, 3, np.nan, 2, 2])
    panel = replace(panel, statics={"kind": kinds, "area": area}, declared=Declared(static=("kind", "area")))
    inputs = Inputs.learn(panel)
    statics = inputs.encode(panel).statics
    assert inputs.statics == 3
    np.testing.assert_array_equal(statics[:2, :2], [[0, 1], [1, 0]])
    np.testing.assert_allclose(statics[:, 2], [-1 / 0.6324555, 0, 1 / 0.6324555, 0, 0, 0], rtol=1e-5)


def test_too_many_categories_are_refused(monkeypatch):
    panel, kinds, _ = jumping()
    monkeypatch.setattr("forecast.models.recurrent.inputs.MOST_CATEGORIES", 1)
    panel = replace(panel, statics={"kind": kinds}, declared=Declared(static=("kind",)))
    with pytest.raises(ParameterError, match="'kind' has 2 categories, more than 1; leave it out, or join rare ones"):
        SMALL.fit(panel, 1)


def test_flags_stay_and_numbers_are_scaled_by_series():
    panel, x, _ = noise()
    flag = (x > 0).astype(float)
    panel = replace(panel, covariates={"flag": flag, "x": x + 50 * (np.arange(len(x)) >= 120)})
    panel = declare(panel, Declared(future=("x", "flag")))
    exog = Inputs.learn(panel).encode(panel).exog
    np.testing.assert_array_equal(exog[:, 1], flag)
    for part in (exog[:120, 0], exog[120:, 0]):
        assert abs(part.mean()) < 1e-5
        assert part.std() == pytest.approx(1, rel=1e-4)


def test_series_that_was_not_fitted_is_scaled_by_its_own_history(fitted):
    panel, _ = driven(ahead=4, future="x", historic="z")
    stranger = replace(panel, ids=np.array(["new", "s1"], object))
    scales = fitted.inputs._scales(stranger, 0, "x")
    np.testing.assert_allclose(scales, fitted.inputs.scales[:, 0])
    short = replace(stranger.head(np.array([1, 90])), ahead=panel.ahead)
    assert fitted.inputs._scales(short, 0, "x")[0, 1] == fitted.inputs.usual[0, 1]
    assert np.isfinite(fitted.predict(short, 4).point).all()


def test_saved_network_forecasts_the_same_bits_with_covariates(tmp_path):
    panel, _ = driven(ahead=4, future="x", historic="z", calendar="month")
    statics = {"kind": np.array(["a", None], object), "area": np.array([1.0, np.nan])}
    panel = replace(panel, statics=statics, declared=replace(panel.declared, static=("kind", "area")))
    forecaster = Forecaster([replace(SMALL, max_steps=5), SeasonalNaive()]).fit(panel, 4)
    forecaster.save(tmp_path / "model")
    again = Forecaster.load(tmp_path / "model")
    assert again.panel_.declared == panel.declared
    assert again.predict(4, [80]).equals(forecaster.predict(4, [80]))
    newer = panel.frame()[["unique_id", "ds", "y", "x", "z"]]
    future = panel.future_frame(4).assign(x=panel.ahead["x"].ravel())
    assert again.predict(4, [80], df=newer, future=future).equals(forecaster.predict(4, [80]))
