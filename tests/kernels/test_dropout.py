"""Dropout: share, mean, the same draws for the same seed, the same mask for the gradient."""

import numpy as np
import pytest

from forecast_kernels.dropout.cpu import dropout

N = 20_000


def dropped(x, rate, seed):
    out = np.full_like(x, np.nan)
    dropout(x, rate, np.uint64(seed), out)
    return out


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_share_of_zeros_is_the_rate_and_the_mean_stays(rate):
    out = dropped(np.ones(N, np.float32), rate, 7)
    assert out.dtype == np.float32
    assert (out == 0).mean() == pytest.approx(rate, abs=0.02)
    assert out.mean() == pytest.approx(1.0, abs=0.1)
    np.testing.assert_allclose(out[out != 0], 1 / (1 - rate), rtol=1e-6)


def test_rate_of_zero_copies():
    x = np.random.default_rng(0).normal(size=100)
    np.testing.assert_array_equal(dropped(x, 0.0, 1), x)


def test_same_seed_drops_the_same_values_and_another_seed_others():
    ones = np.ones(N, np.float32)
    first = dropped(ones, 0.5, 3)
    np.testing.assert_array_equal(dropped(ones, 0.5, 3), first)
    assert (dropped(ones, 0.5, 4) == first).mean() == pytest.approx(0.5, abs=0.02)


def test_gradient_passes_where_the_value_passed():
    x, gradient = np.random.default_rng(1).normal(size=(2, 500))
    out, back = dropped(x, 0.4, 9), dropped(gradient, 0.4, 9)
    np.testing.assert_array_equal(out == 0, back == 0)
    kept = out != 0
    np.testing.assert_allclose(back[kept] / gradient[kept], out[kept] / x[kept])


def test_what_is_dropped_does_not_depend_on_how_many_values_there_are():
    ones = np.ones(N, np.float32)
    np.testing.assert_array_equal(dropped(ones[:100], 0.3, 5), dropped(ones, 0.3, 5)[:100])


def test_dropped_values_are_zero_even_if_they_were_not_finite():
    out = dropped(np.full(200, np.nan), 0.5, 2)
    assert (out[~np.isnan(out)] == 0).all()
    assert 0 < np.isnan(out).sum() < 200
