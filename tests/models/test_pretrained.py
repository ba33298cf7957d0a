"""The pretrained model: any season, length and horizon; nothing learned in fit; fine-tuning that helps or is undone."""

import numpy as np
import pytest

from forecast import Forecaster, Pretrained, SeasonalNaive
from forecast.errors import DeviceError, ModelFileError, ParameterError
from forecast.models.pretrained.bands import BANDS, WEIGHTS, band_of, weights
from forecast.models.pretrained.season import season_of
from forecast.models.recurrent.assembly import build_network
from forecast.series import datasets
from forecast.series.frame import read_panel
from forecast_kernels import device
from tests.toys import PASSENGERS, make_panel

LEVELS = (0.1, 0.5, 0.9)


def waves(n, m, seed=0):
    rng = np.random.default_rng(seed)
    return 50 + 0.1 * np.arange(n) + 8 * np.sin(2 * np.pi * np.arange(n) / m) + rng.normal(0, 0.5, n)


def test_weights_of_every_band_are_shipped_in_at_most_five_megabytes():
    assert WEIGHTS.stat().st_size <= 5_000_000
    for band in BANDS:
        network = build_network(band.config(band.seasons[0]), band.inputs(band.seasons[0]))[0]
        shipped = weights(None, band.seasons[0])
        assert shipped.shape == (band.members, network.size)
        assert np.isfinite(shipped).all()


def test_weights_of_another_file_are_used_and_what_is_none_is_refused(tmp_path):
    from safetensors.numpy import save_file

    panel = make_panel()
    zeros = np.zeros_like(weights(None, 12), np.float16)
    save_file({"months": zeros}, tmp_path / "zeros.safetensors")
    silent = Pretrained(weights=str(tmp_path / "zeros.safetensors")).fit(panel).predict(panel, 12).point
    np.testing.assert_allclose(silent[0], PASSENGERS[-12:], rtol=1e-5)  # no correction of the seasonal-naive forecast
    save_file({"months": zeros[:, :5]}, tmp_path / "short.safetensors")
    files = [str(tmp_path / f"{name}.safetensors") for name in ("short", "missing")]
    for file, why in zip((*files, 5), ("are due", "cannot be read", "cannot be read"), strict=True):
        with pytest.raises(ModelFileError, match=why):
            Pretrained(weights=file).fit(panel)


@pytest.mark.parametrize("season", [1, 2, 4, 5, 7, 12, 13, 24, 26, 48, 52, 60, 168, 365])
def test_series_of_any_season_are_forecast_with_quantiles_that_ascend(season):
    panel = make_panel({"a": waves(3 * season + 20, season)}, start=0, freq=1, season_length=season)
    forecast = Pretrained().fit(panel, 9).predict(panel, 9, LEVELS)
    assert forecast.point.shape == (1, 9)
    assert np.isfinite(forecast.quantiles).all()
    assert (np.diff(forecast.quantiles, axis=2) >= 0).all()
    assert np.abs(forecast.point - panel.y.mean()).max() < 60


@pytest.mark.parametrize("season", [1, 4, 12, 24, 52])
@pytest.mark.parametrize("values", [[5.0], [5.0, 6.0], [1.0, 2.0, 3.0], [7.0] * 9, [0.0] * 30, [1e-9, 2e-9, 1e9] * 5])
def test_odd_histories_get_finite_forecasts(season, values):
    panel = make_panel({"a": values}, start=0, freq=1, season_length=season)
    forecast = Pretrained().fit(panel).predict(panel, 5, LEVELS)
    assert np.isfinite(forecast.quantiles).all()


def test_constant_series_stays_constant():
    panel = make_panel({"a": [7.0] * 60})
    forecast = Pretrained().fit(panel).predict(panel, 12, LEVELS)
    np.testing.assert_allclose(forecast.quantiles, 7.0, rtol=0.02)


def test_gaps_are_no_values():
    whole = waves(96, 12)
    holed = whole.copy()
    holed[[5, 40, 41, 42, 77, 90]] = np.nan
    panel = make_panel({"whole": whole, "holed": holed})
    point = Pretrained().fit(panel).predict(panel, 12).point
    np.testing.assert_allclose(point[0], point[1], atol=3.0)


def test_horizons_beyond_the_networks_own_go_on_with_wider_intervals():
    panel = make_panel()
    fitted = Pretrained().fit(panel)
    short, long = (fitted.predict(panel, h, LEVELS) for h in (12, 60))
    np.testing.assert_allclose(long.point[:, :12], short.point, rtol=1e-5)
    width = long.quantiles[0, :, 2] - long.quantiles[0, :, 0]
    assert width[-12:].mean() > width[:12].mean()


def test_forecasts_scale_with_the_series():
    panel, scaled = make_panel({"a": PASSENGERS}), make_panel({"a": 1000 * np.array(PASSENGERS)})
    fitted = Pretrained().fit(panel)
    np.testing.assert_allclose(fitted.predict(scaled, 12).point, 1000 * fitted.predict(panel, 12).point, rtol=1e-4)


def test_fit_learns_nothing_and_a_series_does_not_depend_on_its_neighbours():
    alone, other = make_panel({"a": PASSENGERS}), make_panel({"b": waves(70, 12), "a": PASSENGERS})
    expected = Pretrained().fit(alone).predict(alone, 12, LEVELS).quantiles[0]
    found = Pretrained().fit(other).predict(other, 12, LEVELS).quantiles[1]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_array_equal(Pretrained().fit(other).predict(alone, 12, LEVELS).quantiles[0], expected)


def test_seasonal_naive_is_beaten_on_the_shipped_single_series():
    scores = []
    for name, h in (("air_passengers", 12), ("beer_production", 8), ("road_casualties", 12), ("us_gdp", 8)):
        forecaster = Forecaster([Pretrained(), SeasonalNaive()])
        cv = forecaster.backtest(datasets.load(name), h, n_windows=4, step_size=h)
        mase = forecaster.evaluate(cv).table["MASE"]
        scores.append(mase["Pretrained"] / mase["SeasonalNaive"])
    assert max(scores) < 1
    assert np.mean(scores) < 0.8


def seasonal_naive(season, panel):
    """Forecasts of the next day by the value of one season ago."""
    return np.stack([panel.series(s)[-season:][:24] for s in range(len(panel))])


def test_season_is_the_week_where_the_last_days_are_forecast_better_by_it():
    hours = np.arange(24 * 7 * 5)
    weekly = 10 * np.sin(hours * 2 * np.pi / 24) + 30 * (hours // 24 % 7 >= 5)
    daily = 10 * np.sin(hours * 2 * np.pi / 24) + np.random.default_rng(0).normal(0, 1, len(hours)).cumsum() / 10
    for values, season in ((weekly, 168), (daily, 24), (weekly[:600], 24)):
        assert season_of(make_panel({"a": values, "b": 2 * values}, freq="h"), seasonal_naive) == season


def test_season_can_be_given():
    panel = make_panel({"a": waves(840, 24)}, freq="h")
    assert Pretrained(season_length=168).fit(panel).season == 168
    assert Pretrained(season_length=24).fit(panel).season == 24
    assert Pretrained(season_length=0).fit(panel).season == 1


@pytest.fixture(scope="module")
def odd_panel():
    """Series of a kind that no network was trained on: a season whose sign turns every time."""
    rng = np.random.default_rng(1)
    shape = rng.normal(0, 5, 12)
    return make_panel(
        {f"s{s}": 100 + np.tile([*shape, *-shape], 6) * (1 + s / 20) + rng.normal(0, 0.3, 144) for s in range(20)}
    )


def test_fine_tuning_learns_what_the_shipped_weights_do_not_know(odd_panel):
    known = odd_panel.head(odd_panel.lengths - 12)
    truth = np.stack([odd_panel.series(s)[-12:] for s in range(len(odd_panel))])
    shipped, tuned = (Pretrained(finetune_steps=n).fit(known, 12) for n in (0, 300))
    errors = [np.abs(fitted.predict(known, 12).point - truth).mean() for fitted in (shipped, tuned)]
    assert errors[1] < 0.5 * errors[0]
    assert "fine-tuned" in tuned.describe()


def test_fine_tuning_that_does_not_help_is_undone():
    panel = make_panel({f"s{s}": waves(96, 12, seed=s) for s in range(5)})
    spoiled = Pretrained(finetune_steps=10, learning_rate=5.0).fit(panel, 12)
    expected = Pretrained().fit(panel, 12).predict(panel, 12, LEVELS).quantiles
    np.testing.assert_array_equal(spoiled.predict(panel, 12, LEVELS).quantiles, expected)
    assert "fine-tuned" not in spoiled.describe()


def test_fine_tuning_a_panel_that_is_too_short_keeps_the_shipped_weights():
    panel = make_panel({"a": [1.0, 2.0, 3.0]})
    assert Pretrained(finetune_steps=5).fit(panel, 12).losses_ == {}


@pytest.mark.parametrize("steps", [0, 60])
def test_saved_and_loaded_it_forecasts_the_same(tmp_path, odd_panel, steps):
    forecaster = Forecaster([Pretrained(finetune_steps=steps)]).fit(odd_panel, 12)
    forecaster.save(tmp_path / "model")
    loaded = Forecaster.load(tmp_path / "model")
    (before,), (after,) = forecaster.fitted_.values(), loaded.fitted_.values()
    np.testing.assert_array_equal(
        after.predict(odd_panel, 12, LEVELS).quantiles, before.predict(odd_panel, 12, LEVELS).quantiles
    )
    assert after.describe() == before.describe()


def test_model_file_with_other_weights_is_refused(tmp_path, monkeypatch):
    from forecast.models.pretrained import FittedPretrained

    forecaster = Forecaster([Pretrained()]).fit(read_panel(datasets.load("air_passengers")))
    state = {"theta": np.zeros((2, 7), np.float32)}, {"season": 12, "histories": []}
    monkeypatch.setattr(FittedPretrained, "state", lambda self: state)
    forecaster.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match="the networks take"):
        Forecaster.load(tmp_path / "model")


def test_bad_options_are_refused():
    with pytest.raises(ParameterError, match="Pretrained's finetune_steps is -1"):
        Pretrained(finetune_steps=-1)
    with pytest.raises(ParameterError, match="Pretrained's point is 'mode'"):
        Pretrained(point="mode")


def test_absent_device_is_said(monkeypatch):
    monkeypatch.setattr(device, "gpu", lambda: device.Gpu("", "no NVIDIA GPU with its driver was found"))
    with pytest.raises(DeviceError, match="cuda"):
        Pretrained(device="cuda").fit(make_panel())


def test_first_band_that_holds_a_season_serves_it():
    assert [band_of(season).name for season in (1, 4, 12, 24, 52, 48, 365)] == [
        "none", "quarters", "months", "hours", "weeks", "hours", "hours",
    ]  # fmt: skip
