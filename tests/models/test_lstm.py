"""The LSTM model: defaults, horizons, quantiles, gaps, odd panels, and whether it is of use."""

from dataclasses import replace

import numpy as np
import pytest

from forecast.errors import DataError, DeviceError, ParameterError
from forecast.models.recurrent import LSTM, FittedLSTM
from forecast.progress import Silent
from forecast.series import datasets
from forecast.series.frame import read_panel
from forecast_kernels import device
from forecast_kernels.network.cpu import run_group
from tests.toys import PASSENGERS, make_panel

LEVELS = (0.05, 0.1, 0.5, 0.9, 0.95)


@pytest.fixture(scope="module")
def passengers():
    return read_panel(datasets.load("air_passengers"))


@pytest.fixture(scope="module")
def several():
    """Noisy sines of different length and level."""
    rng = np.random.default_rng(0)
    series = {}
    for s, n in enumerate((80, 30, 55, 17, 64)):
        season = 3 * np.sin(np.arange(n) * 2 * np.pi / 12 + s)
        series[f"s{s}"] = 20 + 10 * s + season + rng.normal(0, 0.5, n)
    return make_panel(series)


@pytest.fixture(scope="module")
def fitted(several):
    """Trained for six steps ahead."""
    return LSTM(max_steps=60).fit(several, 6)


class Counter(Silent):
    """Counts the steps that are announced and reported."""

    total = steps = 0

    def start(self, label, total):
        self.total += total

    def advance(self, steps=1, **figures):
        self.steps += steps


def shortened(panel, k):
    """The panel without the last ``k`` values of each series."""
    return panel.head(panel.lengths - k)


@pytest.mark.parametrize("name", datasets.names())
def test_no_argument_is_needed_on_a_shipped_data_set(name):
    panel = read_panel(datasets.load(name))
    model = LSTM(max_steps=2)  # enough to try what was chosen
    horizon = datasets.DATASETS[name].horizon
    fitted = model.fit(panel, horizon)
    forecast = fitted.predict(panel, horizon, LEVELS)
    assert forecast.point.shape == (len(panel), horizon)
    assert np.isfinite(forecast.quantiles).all()
    assert (np.diff(forecast.quantiles, axis=2) >= 0).all()
    assert f"horizon {horizon}" in fitted.describe()


def test_lstm_beats_last_years_values_on_the_air_passengers(passengers):
    errors, naive_errors = [], []
    for k in (48, 36, 24, 12):
        known, future = shortened(passengers, k), passengers.y[len(passengers.y) - k :][:12]
        forecast = LSTM().fit(known, 12).predict(known, 12).point[0]
        errors.append(np.abs(forecast - future).mean())
        naive_errors.append(np.abs(known.y[-12:] - future).mean())
    assert np.mean(errors) < 0.8 * np.mean(naive_errors)


def test_intervals_hold_about_as_much_as_they_say():
    rng = np.random.default_rng(1)
    whole = make_panel({s: 50 + 5 * np.sin(np.arange(72) * np.pi / 6 + s) + rng.normal(0, 1, 72) for s in range(30)})
    known = shortened(whole, 6)
    low, high = LSTM(max_steps=400).fit(known, 6).predict(known, 6, (0.1, 0.9)).quantiles.transpose(2, 0, 1)
    future = np.stack([whole.series(s)[-6:] for s in range(30)])
    inside = ((low <= future) & (future <= high)).mean()
    assert 0.65 <= inside <= 0.93  # of 180 values; 80 % are asked for


@pytest.mark.parametrize("h", [1, 6, 15])
def test_quantiles_never_cross_and_hold_the_median(fitted, several, h):
    forecast = fitted.predict(several, h, (0.001, 0.01, 0.3, 0.5, 0.7, 0.99, 0.999))
    assert (np.diff(forecast.quantiles, axis=2) >= 0).all()
    assert np.isfinite(forecast.quantiles).all()
    if h <= 6:
        np.testing.assert_array_equal(forecast.quantiles[:, :, 3], forecast.point)


def test_quantiles_between_and_beyond_the_learned_ones_fit_in(fitted, several):
    learned = fitted.predict(several, 6, (0.025, 0.1, 0.25, 0.975)).quantiles
    asked = fitted.predict(several, 6, (0.01, 0.025, 0.17, 0.99)).quantiles
    np.testing.assert_array_equal(asked[:, :, 1], learned[:, :, 0])
    assert (asked[:, :, 0] <= learned[:, :, 0]).all()
    assert ((learned[:, :, 1] <= asked[:, :, 2]) & (asked[:, :, 2] <= learned[:, :, 2])).all()
    assert (asked[:, :, 3] >= learned[:, :, 3]).all()


@pytest.mark.parametrize("h", [4, 20])
def test_forecasts_of_a_panel_are_those_of_its_series_alone(fitted, several, h):
    together = fitted.predict(several, h, (0.1, 0.9))
    for s in range(len(several)):
        alone = fitted.predict(several.select(np.array([s])), h, (0.1, 0.9))
        np.testing.assert_allclose(together.point[s], alone.point[0], rtol=1e-4)
        np.testing.assert_allclose(together.quantiles[s], alone.quantiles[0], rtol=1e-3)


def test_large_panel_is_forecast_in_parts_without_a_seam(fitted, several, monkeypatch):
    whole = fitted.predict(several, 6, (0.1, 0.9))
    monkeypatch.setattr(FittedLSTM, "_tail", property(lambda self: 3_000_000))  # two series a part
    parts = fitted.predict(several, 6, (0.1, 0.9))
    np.testing.assert_allclose(parts.point, whole.point, rtol=1e-4)
    np.testing.assert_allclose(parts.quantiles, whole.quantiles, rtol=1e-4)


def test_shorter_horizon_is_the_beginning_of_the_longer(fitted, several):
    whole = fitted.predict(several, 6, (0.1,))
    for h in (1, 5):
        part = fitted.predict(several, h, (0.1,))
        np.testing.assert_array_equal(part.point, whole.point[:, :h])
        np.testing.assert_array_equal(part.quantiles, whole.quantiles[:, :h])


def test_horizon_longer_than_trained_feeds_forecasts_back(fitted, several):
    direct, longer = fitted.predict(several, 6), fitted.predict(several, 20, LEVELS)
    np.testing.assert_allclose(longer.point[:, :6], direct.point, rtol=1e-4)
    known = make_panel({s: np.concatenate([several.series(s), longer.point[s, :6]]) for s in range(len(several))})
    np.testing.assert_allclose(longer.point[:, 6:12], fitted.predict(known, 6).point, rtol=1e-4)
    width = longer.quantiles[:, :, -1] - longer.quantiles[:, :, 0]
    assert (width > 0).all()
    again = fitted.predict(several, 20, LEVELS)
    np.testing.assert_array_equal(again.quantiles, longer.quantiles)


def test_fed_back_forecasts_still_know_the_same_month_of_years_ago(passengers):
    gappy = replace(passengers, y=passengers.y.copy())
    gappy.y[[-10, -22, -34]] = np.nan  # one month of the last three years; the context is one
    fitted = LSTM(max_steps=2, season_length=12, context_length=12).fit(gappy, 3)
    np.testing.assert_allclose(fitted.predict(gappy, 6).point[:, :3], fitted.predict(gappy, 3).point, rtol=1e-4)


def test_uncertainty_of_a_random_walk_grows_beyond_the_trained_horizon():
    walk = make_panel({"walk": 100 + np.random.default_rng(3).normal(size=200).cumsum()}, freq="D")
    model = LSTM(season_length=0, transform="none", scaler="last", max_steps=200)
    spread = model.fit(walk, 4).predict(walk, 16, (0.1, 0.9)).quantiles[0]
    width = spread[:, 1] - spread[:, 0]
    assert width[15] > 1.2 * width[3]


def test_gap_in_the_history_is_seen_as_masked(passengers):
    fitted = LSTM(max_steps=200).fit(passengers, 12)
    gappy = replace(passengers, y=passengers.y.copy())
    gappy.y[[-3, -20, -31]] = np.nan
    whole, holed = fitted.predict(passengers, 12).point, fitted.predict(gappy, 12).point
    assert np.isfinite(holed).all()
    np.testing.assert_allclose(holed, whole, rtol=0.25)
    assert (holed != whole).any()


def test_network_learns_from_a_history_with_gaps(passengers):
    gappy = replace(passengers, y=passengers.y.copy())
    gappy.y[np.random.default_rng(0).choice(len(gappy.y), 40, replace=False)] = np.nan
    forecast = LSTM(max_steps=100).fit(gappy, 12).predict(gappy, 12, LEVELS)
    assert np.isfinite(forecast.quantiles).all()
    np.testing.assert_allclose(forecast.point[0], passengers.y[-12:], rtol=0.4)


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0, 1e9])
def test_constant_series_is_forecast_as_constant(value):
    panel = make_panel({"constant": np.full(30, value), "also": np.full(12, value)})
    forecast = LSTM(max_steps=20).fit(panel, 6).predict(panel, 6, LEVELS)
    np.testing.assert_allclose(forecast.quantiles, value, rtol=0.02, atol=1e-6)


def test_series_of_two_points_is_enough():
    panel = make_panel({"short": [3.0, 4.0]})
    forecast = LSTM(max_steps=5).fit(panel, 3).predict(panel, 7, LEVELS)
    assert np.isfinite(forecast.quantiles).all()


def test_series_of_one_point_is_forecast_beside_longer_ones_but_not_alone(several):
    panel = make_panel({"point": [7.0], "long": several.series(0)})
    forecast = LSTM(max_steps=5).fit(panel, 3).predict(panel, 3)
    np.testing.assert_allclose(forecast.point[0], 7.0, rtol=0.1)
    with pytest.raises(DataError, match="No series is long enough to train LSTM: the longest has 1 values"):
        LSTM().fit(make_panel({"point": [7.0]}), 3)


def test_forecasts_follow_the_unit_of_the_data():
    small = make_panel({"passengers": PASSENGERS})
    large = make_panel({"passengers": 1e6 * np.array(PASSENGERS)})
    model = LSTM(max_steps=10, transform="none")
    small_point, large_point = model.fit(small, 6).predict(small, 6).point, model.fit(large, 6).predict(large, 6).point
    np.testing.assert_allclose(large_point, 1e6 * small_point, rtol=1e-3)


def test_series_that_allow_no_logarithm_are_modelled_beside_those_that_do():
    panel = make_panel({"positive": PASSENGERS, "negative": [-y for y in PASSENGERS]})
    point = LSTM(transform="log", max_steps=50).fit(panel, 6).predict(panel, 6).point
    assert (point[0] > 0).all()
    assert (point[1] < 0).all()


@pytest.mark.parametrize("members", [1, 2])
def test_state_gives_the_same_bits_back(several, members):
    fitted = LSTM(max_steps=5, alias="net", n_members=members).fit(several, 6)
    arrays, extra = fitted.state()
    again = FittedLSTM.from_state(fitted.model, {name: array.copy() for name, array in arrays.items()}, extra)
    for h in (6, 9):
        before, after = fitted.predict(several, h, (0.1, 0.9)), again.predict(several, h, (0.1, 0.9))
        np.testing.assert_array_equal(before.point, after.point)
        np.testing.assert_array_equal(before.quantiles, after.quantiles)
    assert again.describe() == fitted.describe()
    assert again.losses_ == fitted.losses_


def test_same_seed_gives_the_same_numbers_and_fitting_twice_starts_afresh(several):
    model = LSTM(max_steps=10)
    first = model.fit(several, 6).predict(several, 6).point
    np.testing.assert_array_equal(model.fit(several, 6).predict(several, 6).point, first)
    other = replace(model, seed=1).fit(several, 6).predict(several, 6).point
    assert (other != first).any()


def test_ensemble_is_the_mean_of_networks_with_successive_seeds(several):
    model = LSTM(max_steps=10, seed=3, transform="none")
    singles = [replace(model, seed=seed).fit(several, 6).predict(several, 6, LEVELS) for seed in (3, 4, 5)]
    fitted = replace(model, n_members=3).fit(several, 6)
    together = fitted.predict(several, 6, LEVELS)
    np.testing.assert_allclose(together.point, np.mean([one.point for one in singles], axis=0), rtol=1e-9)
    np.testing.assert_allclose(together.quantiles, np.mean([one.quantiles for one in singles], axis=0), rtol=1e-9)
    assert fitted.describe().startswith("3 networks of 1 x 32 units")


def test_every_second_member_beside_logarithms_of_calm_series_sees_none(several):
    model = LSTM(max_steps=10, seed=3, transform="calm")
    ways = ("calm", "none", "calm")
    singles = [
        replace(model, seed=3 + k, transform=way).fit(several, 6).predict(several, 6, LEVELS)
        for k, way in enumerate(ways)
    ]
    together = replace(model, n_members=3).fit(several, 6).predict(several, 6, LEVELS)
    # members in logarithms are averaged there, which is a little less than the mean of what they stand for
    logs = [np.exp(np.log([singles[0].point, singles[2].point]).mean(axis=0)), singles[1].point]
    np.testing.assert_allclose(together.point, (2 * logs[0] + logs[1]) / 3, rtol=1e-9)


def test_ensemble_of_one_is_the_single_network(several):
    model = LSTM(max_steps=5)
    single, one = (m.fit(several, 6).predict(several, 9, LEVELS) for m in (model, replace(model, n_members=1)))
    np.testing.assert_array_equal(single.point, one.point)
    np.testing.assert_array_equal(single.quantiles, one.quantiles)


def test_progress_of_an_ensemble_adds_up_to_the_steps_of_all_members(several):
    counter = Counter()
    LSTM(max_steps=7, n_members=3).fit(several, 6, counter)
    assert (counter.total, counter.steps) == (21, 21)


def test_forecast_uses_the_history_that_it_is_given(fitted, several):
    earlier = shortened(several, 5)
    assert not np.allclose(fitted.predict(earlier, 6).point, fitted.predict(several, 6).point)


def test_held_out_values_are_no_target_of_training(several):
    model = LSTM(val_size=6, val_check_steps=50, max_steps=20, season_length=12, transform="none")
    changed = replace(several, y=several.y.copy())
    for s in range(len(several)):
        changed.series(s)[-6:] += 100
    one, other = model.fit(several, 3), model.fit(changed, 3)
    np.testing.assert_array_equal(one.network.theta, other.network.theta)
    assert one.history.validation != other.history.validation


@pytest.mark.parametrize("options", [{"loss": "squared"}, {"loss": "huber"}, {"quantiles": (0.5,)}])
def test_intervals_are_refused_where_none_were_learned(several, options):
    fitted = LSTM(max_steps=1, **options).fit(several, 3)
    assert np.isfinite(fitted.predict(several, 5).point).all()
    with pytest.raises(
        ParameterError, match=r"was trained with loss='\w+'.* which gives no intervals; leave out level"
    ):
        fitted.predict(several, 5, (0.1, 0.9))


@pytest.mark.parametrize("loss", ["quantile", "absolute", "squared", "huber"])
@pytest.mark.parametrize("schedule", ["cosine", "step", "constant"])
def test_every_loss_and_schedule_trains(several, loss, schedule):
    model = LSTM(loss=loss, schedule=schedule, max_steps=30, hidden_size=8, weight_decay=0.01)
    losses = list(model.fit(several, 3).losses_.values())
    assert np.mean(losses[-5:]) < np.mean(losses[:5])


@pytest.mark.parametrize("scaler", ["auto", "last", "mean", "series", "none"])
@pytest.mark.parametrize("season", [0, 12])
def test_every_scaler_forecasts(several, scaler, season):
    model = LSTM(scaler=scaler, season_length=season, max_steps=5, patch_length=3, context_length=10)
    fitted = model.fit(several, 3)
    assert fitted.resolved.context_length == 12  # whole patches
    assert np.isfinite(fitted.predict(several, 3).point).all()


def test_classic_network_is_the_one_of_the_tutorials(passengers):
    fitted = LSTM.classic(window=12, hidden_size=20, max_epochs=2).fit(passengers)
    names = {name: view.shape for name, view in fitted.network.views().items()}
    assert names == {
        "lstm.0.W": (1, 80), "lstm.0.R": (20, 80), "lstm.0.b": (80,), "output.W": (20, 1), "output.b": (1,),
    }  # fmt: skip
    assert fitted.history.steps == 2 * 5  # 132 windows in batches of 32, the last of 4
    assert fitted.predict(passengers, 3).point.shape == (1, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_size": 0}, r"hidden_size is 0; it must be a whole number of at least 1"),
        ({"hidden_size": 32.5}, r"hidden_size is 32\.5; it must be a whole number"),
        ({"horizon": True}, r"horizon is True; it must be a whole number"),
        ({"batch_size": "8"}, r"batch_size is '8'; it must be a whole number"),
        ({"seed": -1}, r"seed is -1"),
        ({"n_members": 0}, r"n_members is 0; it must be a whole number of at least 1"),
        ({"seed": None}, r"seed is None"),
        ({"learning_rate": 0}, r"learning_rate is 0; it must be a number above 0"),
        ({"learning_rate": float("nan")}, r"learning_rate is nan"),
        ({"learning_rate": "fast"}, r"learning_rate is 'fast'"),
        ({"huber_delta": float("inf")}, r"huber_delta is inf"),
        ({"dropout": 1.0}, r"dropout is 1\.0; it must be a number in \[0, 1\)"),
        ({"weight_decay": -0.1}, r"weight_decay is -0\.1"),
        ({"clip_norm": None}, r"clip_norm is None"),
        ({"loss": "mse"}, r"loss is 'mse'; it must be one of squared, absolute, huber, quantile"),
        ({"schedule": "linear"}, r"schedule is 'linear'"),
        ({"transform": "sqrt"}, r"transform is 'sqrt'"),
        ({"scaler": "max"}, r"scaler is 'max'"),
        ({"device": "tpu"}, r"device is 'tpu'"),
        ({"mask_input": "no"}, r"mask_input is 'no'"),
        ({"quantiles": (0.1, 0.9)}, r"quantiles are \(0\.1, 0\.9\); they must ascend .* hold 0\.5"),
        ({"quantiles": (0.5, 0.1)}, r"must ascend"),
        ({"quantiles": (0.5, 1.0)}, r"between 0 and 1"),
        ({"quantiles": (0.5, float("nan"))}, r"between 0 and 1"),
        ({"quantiles": 0.5}, r"quantiles are 0\.5"),
        ({"patch_length": 12, "context_length": 6}, r"patch_length 12 is longer than its context_length 6"),
        ({"early_stopping_patience": 3}, r"early_stopping_patience needs val_size"),
    ],
)
def test_config_that_cannot_work_is_refused_on_construction(options, message):
    with pytest.raises(ParameterError, match=message):
        LSTM(**options)


@pytest.mark.parametrize("missing", ["no NVIDIA GPU with its driver was found", "the package numba-cuda is missing"])
def test_absent_device_is_said(missing, monkeypatch):
    monkeypatch.setattr(device, "gpu", lambda: device.Gpu("", missing))
    with pytest.raises(DeviceError, match=rf"^Device 'cuda' is not available: {missing}; use device='cpu'\.$"):
        LSTM(device="cuda").fit(make_panel(), 3)


def test_numbers_of_numpy_are_numbers():
    model = LSTM(
        horizon=np.int32(3), context_length=np.int16(6), patch_length=np.int64(2), dropout=np.float32(0.1), max_steps=1
    )
    before = len(run_group.signatures)
    assert model.fit(make_panel()).predict(make_panel(), 3, (0.1,)).point.shape == (1, 3)
    assert len(run_group.signatures) == before  # nothing was compiled for other types
