"""Scalar functions: accuracy over their range, what NaN and infinity become, quality of the random bits."""

import numpy as np
import pytest

from forecast_kernels.scalars import mix, sigmoid, tanh, uniform
from tests import naive

RANGE = np.concatenate([np.linspace(-12, 12, 4001), np.geomspace(1e-30, 1, 500), -np.geomspace(1e-30, 1, 500)])
SEEDS = [np.uint64(seed) for seed in (0, 1, 2**63)]


def over(function, dtype, values=RANGE):
    return np.array([function(dtype(value)) for value in values])


def test_tanh_in_single_precision_is_within_its_stated_error():
    true = np.tanh(RANGE.astype(np.float32).astype(np.float64))
    found = over(tanh, np.float32)
    np.testing.assert_allclose(found, true, rtol=3.3e-7, atol=0)
    assert np.abs(found).max() <= 1.0


def test_tanh_in_double_precision_is_exact_to_rounding():
    np.testing.assert_allclose(over(tanh, np.float64), np.tanh(RANGE), rtol=1e-15, atol=0)


@pytest.mark.parametrize(("dtype", "limit"), [(np.float32, 2e-7), (np.float64, 3e-16)])
def test_sigmoid_is_accurate_and_stays_between_zero_and_one(dtype, limit):
    found = over(sigmoid, dtype)
    np.testing.assert_allclose(found, naive.sigmoid(RANGE.astype(dtype).astype(np.float64)), rtol=0, atol=limit)
    assert found.min() >= 0.0
    assert found.max() <= 1.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_goes_through_and_infinity_saturates(dtype):
    assert np.isnan(tanh(dtype(np.nan)))
    assert np.isnan(sigmoid(dtype(np.nan)))
    np.testing.assert_allclose(over(tanh, dtype, [-np.inf, np.inf]), [-1, 1], atol=3.3e-7)
    np.testing.assert_allclose(over(sigmoid, dtype, [-np.inf, np.inf]), [0, 1], atol=3.3e-7)


def test_mixed_bits_never_repeat_and_are_balanced():
    bits = [mix(seed, np.uint64(k)) for seed in SEEDS for k in range(10_000)]
    assert len(set(bits)) == len(bits)
    ones = np.array([[value >> place & 1 for place in range(64)] for value in bits]).mean(axis=0)
    np.testing.assert_allclose(ones, 0.5, atol=0.015)  # five standard deviations of 30,000 fair coins


@pytest.mark.parametrize("seed", SEEDS)
def test_uniform_numbers_fill_the_unit_interval_evenly(seed):
    drawn = np.array([uniform(seed, np.uint64(k)) for k in range(20_000)])
    counts, _ = np.histogram(drawn, bins=20, range=(0, 1))
    assert counts.sum() == len(drawn)
    assert ((counts - 1000) ** 2 / 1000).sum() < 54  # chi-squared, 19 degrees of freedom: 3 in 100,000
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.04


def test_random_number_depends_on_seed_and_index_alone():
    forwards = [uniform(SEEDS[1], np.uint64(k)) for k in range(50)]
    backwards = [uniform(SEEDS[1], np.uint64(k)) for k in reversed(range(50))]
    assert forwards == backwards[::-1]
