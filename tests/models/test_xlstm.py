"""The XLSTM model: what is its own; what all networks share is tested with the LSTM."""

from dataclasses import fields, replace

import numpy as np
import pytest

from forecast.errors import ParameterError
from forecast.forecaster import Forecaster
from forecast.models.naive import SeasonalNaive
from forecast.models.recurrent import LSTM, XLSTM
from forecast.series import datasets
from forecast.series.frame import declare, read_panel
from forecast.series.roles import Declared
from tests.toys import make_panel

LEVELS = (0.05, 0.1, 0.5, 0.9, 0.95)
SMALL = XLSTM(max_steps=3, hidden_size=8, num_heads=2, blocks="sm")


@pytest.fixture(scope="module")
def several():
    """Noisy sines of different length and level."""
    rng = np.random.default_rng(0)
    return make_panel(
        {
            f"s{s}": 20 + 10 * s + 3 * np.sin(np.arange(n) * np.pi / 6 + s) + rng.normal(0, 0.5, n)
            for s, n in enumerate((80, 30, 55, 17, 64))
        }
    )


@pytest.mark.parametrize("name", datasets.names())
def test_no_argument_is_needed_on_a_shipped_data_set(name):
    panel = read_panel(datasets.load(name))
    horizon = datasets.DATASETS[name].horizon
    fitted = XLSTM(max_steps=2).fit(panel, horizon)
    forecast = fitted.predict(panel, horizon, LEVELS)
    assert forecast.point.shape == (len(panel), horizon)
    assert np.isfinite(forecast.quantiles).all()
    assert (np.diff(forecast.quantiles, axis=2) >= 0).all()
    assert f"horizon {horizon}" in fitted.describe()


@pytest.mark.parametrize("blocks", ["s", "m", "sm"])
def test_noisy_sines_are_forecast_better_than_by_repeating_them(blocks):
    rng = np.random.default_rng(1)
    whole = make_panel({s: 50 + 5 * np.sin(np.arange(72) * np.pi / 6 + s) + rng.normal(0, 1, 72) for s in range(40)})
    known, future = whole.head(whole.lengths - 6), np.stack([whole.series(s)[-6:] for s in range(40)])
    models = XLSTM(blocks=blocks, max_steps=400), SeasonalNaive()
    error, repeated = (np.abs(model.fit(known, 6).predict(known, 6).point - future).mean() for model in models)
    assert error < 0.9 * repeated


def test_size_follows_the_number_of_windows(several):
    fitted = XLSTM(max_steps=1).fit(several, 6)
    assert (fitted.resolved.blocks, fitted.resolved.hidden_size) == ("s", 32)
    assert fitted.describe().startswith("blocks s of 32 units in 4 heads over 3 patches of 12")
    assert XLSTM(max_steps=1, num_heads=5).fit(several, 6).resolved.hidden_size == 35
    many = make_panel({s: np.sin(np.arange(400.0) + s) + 9 for s in range(6)})
    assert XLSTM(max_steps=1).fit(many, 6).resolved.blocks == "sm"


@pytest.mark.parametrize("options", [
    {"blocks": "mssm", "num_heads": 1}, {"blocks": "m", "num_heads": 8}, {"conv_width": 0}, {"conv_width": 1},
    {"dropout": 0.0}, {"patch_length": 1, "context_length": 70, "blocks": "ms", "batch_size": 4},
])  # fmt: skip
def test_every_stack_trains_and_forecasts(several, options):
    """The last one has sequences of two chunks."""
    losses = []
    fitted = replace(SMALL, **{"max_steps": 40, **options}).fit(several, 6)
    losses = list(fitted.losses_.values())
    assert np.mean(losses[-10:]) < np.mean(losses[:10])
    forecast = fitted.predict(several, 9, (0.1, 0.9))
    assert np.isfinite(forecast.quantiles).all()


def test_number_of_threads_does_not_change_one_bit(several):
    one, two = (replace(SMALL, max_steps=20, batch_size=32, num_threads=n).fit(several, 6) for n in (1, 2))
    np.testing.assert_array_equal(one.network.theta, two.network.theta)
    np.testing.assert_array_equal(one.predict(several, 6).point, two.predict(several, 6).point)


def test_gaps_are_learned_from_and_forecast_from(several):
    gappy = replace(several, y=several.y.copy())
    gappy.y[np.random.default_rng(0).choice(len(gappy.y), 40, replace=False)] = np.nan
    fitted = replace(SMALL, max_steps=40).fit(gappy, 6)
    holed, whole = fitted.predict(gappy, 6).point, fitted.predict(several, 6).point
    assert np.isfinite(holed).all()
    assert (holed != whole).any()


def test_covariate_that_is_known_ahead_is_used():
    rng = np.random.default_rng(0)
    panel = make_panel({"a": rng.normal(0, 1, 150)})
    x, later = rng.normal(0, 3, 150), rng.normal(0, 3, (1, 4))
    panel = replace(
        declare(replace(panel, y=panel.y + x, covariates={"x": x}), Declared(future="x")), ahead={"x": later}
    )
    model = XLSTM(
        max_steps=300, hidden_size=16, batch_size=32, season_length=0, patch_length=2, context_length=8,
        transform="none", dropout=0.0,
    )  # fmt: skip
    point = model.fit(panel, 4).predict(panel, 4).point
    assert np.abs(point - later).mean() < 0.6 * np.abs(later).mean()


def test_saved_forecaster_gives_the_same_bits(several, tmp_path):
    forecaster = Forecaster([SMALL, LSTM(max_steps=2, hidden_size=4)]).fit(several, 6)
    forecaster.save(tmp_path / "model")
    loaded = Forecaster.load(tmp_path / "model")
    before, after = (f.predict(9, level=[80]) for f in (forecaster, loaded))
    assert {"XLSTM", "XLSTM-lo-80", "LSTM"} <= {*before}
    assert before.equals(after)
    assert loaded.fitted_["XLSTM"].describe() == forecaster.fitted_["XLSTM"].describe()


def test_fields_are_those_of_the_lstm_but_for_the_stack():
    own = {"blocks", "num_heads", "conv_width"}
    names = [{field.name: field.default for field in fields(kind)} for kind in (LSTM, XLSTM)]
    assert {*names[1]} - {*names[0]} == own
    assert {*names[0]} - {*names[1]} == {"num_layers", "embedding_size"}
    assert all(names[0][name] == names[1][name] for name in {*names[0]} & {*names[1]})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"blocks": "sx"},
            r"XLSTM's blocks is 'sx'; it must be a text of 's' \(sLSTM\) and 'm' \(mLSTM\), such as 'sm'",
        ),
        ({"blocks": ""}, r"XLSTM's blocks is ''"),
        ({"blocks": 2}, r"XLSTM's blocks is 2"),
        ({"num_heads": 0}, r"XLSTM's num_heads is 0; it must be a whole number of at least 1"),
        ({"conv_width": -1}, r"XLSTM's conv_width is -1"),
        ({"hidden_size": 30}, r"XLSTM's hidden_size 30 is no multiple of its num_heads 4; change either"),
        ({"hidden_size": 0}, r"XLSTM's hidden_size is 0"),
        ({"dropout": 1.0}, r"XLSTM's dropout is 1\.0"),
    ],
)
def test_config_that_cannot_work_is_refused_on_construction(options, message):
    with pytest.raises(ParameterError, match=message):
        XLSTM(**options)


def test_weights_of_another_network_are_refused(several):
    with pytest.raises(ParameterError, match=r"The weights hold 1 LSTM layers; this network has 0"):
        replace(SMALL, weights={"weight_ih_l0": np.zeros((16, 2)), "weight_hh_l0": np.zeros((16, 4))}).fit(several, 6)
