"""Networks with a linear path from the context to the horizon, and errors measured in the unit of the series."""

from dataclasses import replace

import numpy as np
import pytest

from forecast.errors import ParameterError
from forecast.forecaster import Forecaster
from forecast.models.recurrent import LSTM, XLSTM
from tests.toys import make_panel

PATH = {
    "linear_path": True, "hidden_size": 4, "head_size": 0, "context_length": 24, "patch_length": 6, "season_length": 0,
    "scaler": "last", "transform": "none", "dropout": 0.0, "batch_size": 32,
}  # fmt: skip
MODELS = (LSTM(**PATH, max_steps=30), XLSTM(**PATH, max_steps=30))


@pytest.fixture(scope="module")
def linear():
    """Sums of two waves, one slowly growing: an exact linear function of their last four values and the step."""
    t = np.arange(300)
    return make_panel({s: 9 + np.sin(0.3 * t + s) + 0.5 * np.cos(0.05 * t * (1 + s)) for s in range(3)})


def names(model):
    return type(model).__name__


def future_error(model, panel, h=24):
    known = panel.head(panel.lengths - h)
    future = np.stack([panel.series(s)[-h:] for s in range(len(panel))])
    return np.square(model.fit(known, h).predict(known, h).point - future).mean()


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_what_is_linear_is_learned_better_with_the_path(model, linear):
    longer = replace(model, max_steps=300, loss="squared", learning_rate=5e-3)
    assert future_error(longer, linear) < 0.8 * future_error(replace(longer, linear_path=False), linear)


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_path_starts_from_nothing(model, linear):
    untrained = replace(model, max_steps=0)
    with_path, without = (one.fit(linear, 6) for one in (untrained, replace(untrained, linear_path=False)))
    assert with_path.network.size == without.network.size + 24 * 6 + 6
    np.testing.assert_array_equal(with_path.predict(linear, 6).point, without.predict(linear, 6).point)


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_saved_forecaster_with_a_path_gives_the_same_bits(model, linear, tmp_path):
    forecaster = Forecaster(replace(model, loss_unit="series", n_members=2)).fit(linear, 6)
    forecaster.save(tmp_path / "model")
    again = Forecaster.load(tmp_path / "model")
    assert again.fitted_[names(model)].model == forecaster.fitted_[names(model)].model
    first, second = (one.predict(9, level=[80]) for one in (forecaster, again))
    assert first.equals(second)


def test_path_goes_with_gaps_a_season_and_horizons_beyond_the_trained_one(linear):
    y = [linear.series(s).copy() for s in range(3)]
    y[0][[50, 280, 281]] = np.nan
    panel = make_panel(dict(enumerate(y)))
    forecast = replace(MODELS[0], season_length=12).fit(panel, 6).predict(panel, 15, (0.1, 0.5, 0.9))
    assert np.isfinite(forecast.quantiles).all()
    assert (np.diff(forecast.quantiles, axis=2) >= 0).all()


def test_restless_windows_count_for_more_in_the_unit_of_the_series():
    """Half of the windows rise by small steps, half fall by large ones: what is learned is what weighs."""
    rise, fall = np.arange(200) * 0.01, 2 - np.arange(200) * 1.0
    panel = make_panel({0: np.concatenate([rise, fall])})
    sees_nothing = LSTM(
        horizon=1, context_length=4, patch_length=4, season_length=0, scaler="last", transform="none", hidden_size=1,
        head_size=0, loss="squared", max_steps=300, learning_rate=2e-2, mask_input=False, dropout=0.0,
        seed=1,
    )  # fmt: skip
    windows, series = (replace(sees_nothing, loss_unit=unit).fit(panel, 1) for unit in ("window", "series"))
    assert windows.losses_ != series.losses_
    falling = make_panel({0: fall})
    expected = fall[-1] - 1
    errors = [abs(one.predict(falling, 1).point[0, 0] - expected) for one in (windows, series)]
    assert errors[1] < errors[0]


@pytest.mark.parametrize("loss", ["quantile", "absolute", "squared", "huber"])
def test_every_loss_learns_in_the_unit_of_the_series(linear, loss):
    losses = list(replace(MODELS[0], loss=loss, loss_unit="series").fit(linear, 6).losses_.values())
    assert losses[-1] < losses[0]


def test_unit_does_not_matter_where_all_windows_have_that_of_their_series(linear):
    """``scaler="series"`` measures every window in the series' deviation: all weigh 1."""
    one, two = (replace(MODELS[0], scaler="series", loss_unit=unit).fit(linear, 6) for unit in ("window", "series"))
    np.testing.assert_array_equal(one.network.theta, two.network.theta)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"linear_path": 1}, "linear_path is 1; it must be True or False"),
        ({"loss_unit": "context"}, "loss_unit is 'context'; it must be one of window, series"),
    ],
)
def test_value_that_means_nothing_is_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        LSTM(**options)
