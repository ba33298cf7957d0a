"""What the LSTM chooses from the data."""

import numpy as np
import pytest

from forecast.models.recurrent import LSTM
from forecast.models.recurrent.assembly import training_windows
from forecast.models.recurrent.defaults import choose_patching, choose_season, choose_size, choose_transform
from tests.toys import make_panel


def growing(count, n=60, **options):
    """Series with more growth over a season than season."""
    y = 100 + 5 * np.arange(n) + np.sin(np.arange(n))
    return make_panel({f"s{k}": y + k for k in range(count)}, **options)


def test_few_series_have_a_season_only_where_it_beats_the_last_value():
    assert choose_season(growing(3), 12) == 0
    wave = make_panel({"wave": 50 + 10 * np.sin(np.arange(96) * np.pi / 6)})
    assert choose_season(wave, 12) == 12


def test_many_series_have_a_season_whenever_two_are_observed():
    assert choose_season(growing(60), 12) == 12
    assert choose_season(growing(60, n=25), 12) == 12
    assert choose_season(growing(60, n=24), 12) == 0


@pytest.mark.parametrize(("freq", "many"), [("YS", "calm"), ("MS", "calm"), ("W-SUN", "log")])
@pytest.mark.parametrize("count", [1, 60])
def test_logarithms_are_for_few_series_or_weekly_or_calm_ones(freq, many, count):
    assert choose_transform(growing(count, freq=freq, start="1950-01-01")) == ("log" if count == 1 else many)


@pytest.mark.parametrize("freq", ["D", "h"])
@pytest.mark.parametrize("count", [1, 60])
def test_daily_and_finer_data_are_modelled_in_their_own_units(freq, count):
    assert choose_transform(growing(count, freq=freq)) == "none"


@pytest.mark.parametrize("season", [0, 4, 7, 12, 24, 30, 52, 168])
@pytest.mark.parametrize("longest", [2, 13, 72, 400, 5000])
def test_context_is_at_most_half_of_the_history_or_one_patch(season, longest):
    patch, count = choose_patching(season, longest, 6)
    assert count == 1 or 2 * patch * count <= longest - 6
    assert patch >= 1


def test_more_windows_make_a_larger_network():
    sizes = [choose_size(n) for n in (10, 10_000, 50_000, 10**7)]
    assert sizes[0].hidden < sizes[-1].hidden


def test_choices_are_overridden_by_what_is_typed():
    chosen = LSTM(season_length=0, context_length=20, patch_length=4, transform="log", max_steps=7, hidden_size=5)
    fitted = LSTM.fit(chosen, growing(60), 6)
    r = fitted.resolved
    found = (r.season_length, r.context_length, r.patch_length, r.transform, r.max_steps, r.hidden_size)
    assert found == (0, 20, 4, "log", 7, 5)


def test_training_starts_where_nearly_every_series_could_be_forecast():
    panel = make_panel({f"s{k}": 50 + np.arange(90.0) for k in range(19)} | {"short": 50 + np.arange(14.0)})
    resolved = LSTM(context_length=24, season_length=12, horizon=6)._resolved(panel, 6)
    windows = training_windows(resolved, panel)[0][:]
    firsts = [windows[windows[:, 0] == s, 1].min() for s in range(20)]
    assert firsts == [24] * 19 + [13]


@pytest.mark.parametrize(
    ("series", "freq", "unit"), [(49, "MS", "deviation"), (50, "MS", "difference"), (50, "W-SUN", "deviation")]
)
def test_windows_of_many_coarse_series_are_measured_in_differences(series, freq, unit):
    panel = make_panel({f"s{k}": 50 + np.arange(30.0) for k in range(series)}, freq=freq)
    assert LSTM()._resolved(panel, 6).unit == unit
    assert LSTM(unit="deviation")._resolved(panel, 6).unit == "deviation"
