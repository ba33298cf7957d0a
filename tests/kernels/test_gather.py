"""Windows gathered by the kernel against a slow reference, and the proof that no window sees past its cutoff.

Notation: S series, B windows, T patches, h horizon.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast_kernels.windows.cpu import DEVIATION, DIFFERENCE, LAST, MEAN, NONE, SERIES, Windowing, gather_windows
from tests import naive

CENTERS = {"none": NONE, "last": LAST, "mean": MEAN, "series": SERIES}
UNITS = {"deviation": DEVIATION, "difference": DIFFERENCE}
FLOOR = 0.1
LIMITS = {np.float64: {"rtol": 1e-9, "atol": 1e-9}, np.float32: {"rtol": 1e-5, "atol": 1e-5}}
NAN = np.nan


def gather(
    series, windows, *, context, patch, horizon, season=0, center="none", unit="deviation", masked=True, known=0,
    power=0, dtype=np.float64, exog=None, statics=None,
):  # fmt: skip
    """All outputs by name; levels are (s, 1 + s) for series s, floors `FLOOR`; buffers start as NaN.

    ``exog`` has the covariates (n or more, C) of each series, ``statics`` is (S, Z).
    """
    y = np.concatenate(series).astype(np.float64)
    indptr = np.cumsum([0] + [len(one) for one in series]).astype(np.int64)
    levels = np.array([[s, 1.0 + s] for s in range(len(series))])
    B, T = len(windows), context // patch
    exog = [np.zeros((0, 0), np.float32)] * len(series) if exog is None else exog
    statics = np.zeros((len(series), 0), np.float32) if statics is None else statics
    ends = np.cumsum([len(one) for one in exog])
    spans = np.stack([ends - [len(one) for one in exog]] * 2 + [ends], axis=1).astype(np.int64)
    how = (CENTERS[center], int(masked), UNITS[unit], known, power)
    spec = Windowing(context, patch, horizon, int(np.any(season)), *how)
    outputs = {
        "x": np.full((T, B, patch * (1 + masked + exog[0].shape[1] - (known if np.any(season) else 0))), NAN, dtype),
        "extra": np.full((B, horizon * (np.any(season) + known) + exog[0].shape[1] + statics.shape[1]), NAN, dtype),
        "base": np.full((B, horizon), NAN),
        "scale": np.full(B, NAN),
        "target": np.full((B, horizon), NAN, dtype),
        "mask": np.full((B, horizon), NAN, dtype),
    }
    floors = np.full(len(series), FLOOR)
    seasons = np.broadcast_to(season, len(series)).astype(np.int64)
    given = (seasons, np.concatenate(exog), spans, statics)
    gather_windows(y, indptr, levels, floors, *given, np.array(windows, np.int64), spec, *outputs.values())
    return outputs


def assert_is_naive(series, windows, dtype=np.float64, exog=None, statics=None, **settings):
    found = gather(series, windows, dtype=dtype, exog=exog, statics=statics, **settings)
    for row, (s, cutoff) in enumerate(windows):
        own = {"exog": exog[s], "static": statics[s]} if exog is not None else {}
        expected = naive.window(series[s], cutoff, level=(s, 1.0 + s), floor=FLOOR, **own, **settings)
        for name, value in expected.items():
            mine = found[name][:, row] if name == "x" else found[name][row]
            np.testing.assert_allclose(mine, value, err_msg=f"{name} of window {row}", **LIMITS[dtype])


values = st.one_of(st.just(NAN), st.integers(-20, 20).map(float))
series = st.lists(st.lists(values, min_size=1, max_size=20), min_size=1, max_size=3)
shapes = st.fixed_dictionaries(
    {
        "patch": st.integers(1, 4),
        "horizon": st.integers(1, 6),
        "season": st.integers(0, 5),
        "center": st.sampled_from(list(CENTERS)),
        "unit": st.sampled_from(list(UNITS)),
        "masked": st.booleans(),
        "power": st.integers(0, 2),
    }
)


@st.composite
def cases(draw):
    """Series, one window each, and how to gather."""
    chosen, shape = draw(series), draw(shapes)
    windows = [(s, draw(st.integers(1, len(one)))) for s, one in enumerate(chosen)]
    return chosen, windows, shape | {"context": shape["patch"] * draw(st.integers(1, 5))}


@settings(max_examples=200, deadline=None, derandomize=True)
@given(cases())
def test_any_window_agrees_with_the_slow_reference(case):
    chosen, windows, shape = case
    assert_is_naive(chosen, windows, **shape)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(cases(), st.sampled_from([NAN, np.inf, -np.inf, 1e9, 0.0]), st.data())
def test_what_comes_after_the_cutoff_never_changes_what_the_network_sees(case, replacement, data):
    chosen, windows, shape = case
    changed = [np.array(one) for one in chosen]
    for s, cutoff in windows:
        later = [k for k in range(cutoff, len(changed[s])) if data.draw(st.booleans())]
        changed[s][later] = replacement
    before, after = gather(chosen, windows, **shape), gather(changed, windows, **shape)
    for name in ("x", "extra", "base", "scale"):
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)


def covariates(series, count, ahead, data):
    """Whole numbers, exact in single precision, and gaps; some steps beyond the end of each series."""
    number = st.one_of(st.just(NAN), st.integers(-9, 9).map(float))
    return [
        np.array(
            data.draw(st.lists(st.lists(number, min_size=count, max_size=count), min_size=n, max_size=n)), np.float32
        ).reshape(n, count)
        for n in (len(one) + ahead for one in series)
    ]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(cases(), st.integers(0, 3), st.integers(0, 3), st.integers(0, 8), st.integers(0, 2), st.data())
def test_any_window_with_covariates_agrees_with_the_slow_reference(case, known, historic, ahead, n_static, data):
    chosen, windows, shape = case
    exog = covariates(chosen, known + historic, ahead, data)
    statics = np.arange(len(chosen) * n_static, dtype=np.float32).reshape(len(chosen), n_static)
    assert_is_naive(chosen, windows, exog=exog, statics=statics, known=known, **shape)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(cases(), st.sampled_from([NAN, np.inf, 1e9]), st.data())
def test_of_a_historic_covariate_nothing_after_the_cutoff_is_seen(case, replacement, data):
    chosen, windows, shape = case
    exog = covariates(chosen, 2, 4, data)
    changed = [one.copy() for one in exog]
    for s, cutoff in windows:
        changed[s][cutoff:, 1] = replacement
    before, after = (gather(chosen, windows, exog=one, known=1, **shape) for one in (exog, changed))
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)


@pytest.mark.parametrize("center", CENTERS)
def test_single_precision_differs_by_rounding_alone(center):
    rng = np.random.default_rng(3)
    chosen = [rng.normal(10, 3, 60), rng.normal(0, 1, 25)]
    windows = [(0, 50), (1, 20), (0, 59)]
    assert_is_naive(chosen, windows, np.float32, context=12, patch=4, horizon=3, season=6, center=center)


def test_short_history_is_padded_on_its_left_and_masked():
    found = gather([[1.0, 2.0, 3.0]], [(0, 2)], context=4, patch=2, horizon=1)
    np.testing.assert_array_equal(found["x"][:, 0], [[0, 0, 0, 0], [1, 2, 1, 1]])


def test_gap_in_the_context_is_a_zero_with_mask_zero():
    found = gather([[4.0, NAN, 8.0, 9.0]], [(0, 3)], context=3, patch=3, horizon=1, center="mean")
    np.testing.assert_array_equal(found["x"][0, 0], [-1, 0, 1, 1, 0, 1])
    np.testing.assert_array_equal(found["base"][0], [6.0])


def test_targets_beyond_the_series_and_in_gaps_are_masked():
    found = gather([[1.0, 2.0, NAN, 4.0]], [(0, 1)], context=1, patch=1, horizon=5)
    np.testing.assert_array_equal(found["mask"][0], [1, 0, 1, 0, 0])
    np.testing.assert_array_equal(found["target"][0], [2, 0, 4, 0, 0])


@pytest.mark.parametrize(("missing", "expected"), [(0, 50.0), (1, 40.0), (3, 20.0), (4, 7.0)])
def test_seasonal_base_looks_back_four_seasons_then_takes_the_centre(missing, expected):
    history = np.array([10.0, 0, 20, 0, 30, 0, 40, 0, 50, 7])
    history[[8, 6, 4, 2][:missing]] = NAN
    found = gather([history], [(0, 10)], context=2, patch=1, horizon=1, season=2, center="last")
    assert found["base"][0, 0] == expected


def test_every_series_has_its_own_season():
    shape = {"context": 4, "patch": 2, "horizon": 3, "center": "last", "unit": "difference"}
    walk = [1.0, 3.0, 2.0, 6.0, 4.0, 9.0, 5.0]
    together = gather([walk] * 3, [(0, 7), (1, 7), (2, 7)], season=[2, 5, 0], **shape)
    for row, season in enumerate((2, 5)):
        alone = gather([walk], [(0, 7)], season=season, **shape)
        for name, value in together.items():
            mine, other = (value[:, row], alone[name][:, 0]) if name == "x" else (value[row], alone[name][0])
            np.testing.assert_array_equal(mine, other, err_msg=name)
    np.testing.assert_array_equal(together["base"][2], [5.0] * 3)
    np.testing.assert_array_equal(together["extra"][2], [0.0] * 3)


def test_horizon_longer_than_the_season_repeats_it():
    found = gather([[1.0, 2.0, 3.0, 4.0]], [(0, 4)], context=2, patch=1, horizon=5, season=2)
    np.testing.assert_array_equal(found["base"][0], [3, 4, 3, 4, 3])


def test_scale_of_a_quiet_window_is_held_up_by_the_floor():
    found = gather([[5.0, 5.0, 5.0, 6.0]], [(0, 3)], context=3, patch=1, horizon=1, center="mean")
    assert found["scale"][0] == FLOOR
    np.testing.assert_allclose(found["target"][0], [1 / FLOOR])


def test_unit_of_a_window_can_be_its_mean_seasonal_difference():
    walk = [1.0, 5.0, 2.0, 9.0, 7.0]
    found = gather([walk], [(0, 4)], context=2, patch=1, horizon=1, season=2, center="last", unit="difference")
    assert found["scale"][0] == (1 + 4) / 2
    found = gather([[1.0, NAN, 2.0, 9.0]], [(0, 3)], context=3, patch=1, horizon=1, center="mean", unit="difference")
    assert found["scale"][0] == 0.5  # no pair is observed: the deviation


def test_window_without_one_observed_value_is_neutral():
    found = gather([[NAN, NAN, 3.0]], [(0, 2)], context=2, patch=1, horizon=1, center="mean")
    np.testing.assert_array_equal(found["x"], 0)
    assert (found["base"][0, 0], found["scale"][0], found["target"][0, 0]) == (0, 1, 3)


def test_series_do_not_see_their_neighbours():
    found = gather([[100.0], [1.0], [100.0]], [(1, 1)], context=3, patch=1, horizon=2, season=1)
    np.testing.assert_array_equal(found["x"][:, 0, 0], [0, 0, 1])
    np.testing.assert_array_equal(found["base"][0], [1, 1])
    np.testing.assert_array_equal(found["mask"][0], [0, 0])
