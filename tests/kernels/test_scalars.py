"""Scalar functions: accuracy over their range, what NaN and infinity become, quality of the random bits."""

import re

import numpy as np
import pytest

from forecast_kernels.jit import cell
from forecast_kernels.scalars import exp, log1p, log_sigmoid, mix, sigmoid, softplus, tanh, uniform
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


@pytest.mark.parametrize(("dtype", "near", "far"), [(np.float32, 1.3e-7, 4e-7), (np.float64, 5e-16, 5e-16)])
def test_exp_is_within_its_stated_error(dtype, near, far):
    for span, limit in [(20, near), (87.3, far)]:
        values = np.concatenate([np.linspace(-span, span, 20_001), RANGE]).astype(dtype)
        np.testing.assert_allclose(over(exp, dtype, values), np.exp(values.astype(np.float64)), rtol=limit, atol=0)


@pytest.mark.parametrize(("dtype", "limit"), [(np.float32, 2.5e-7), (np.float64, 5e-16)])
def test_log1p_is_within_its_stated_error_between_zero_and_one(dtype, limit):
    values = np.concatenate([np.linspace(0, 1, 20_001), np.geomspace(1e-30, 1, 500)]).astype(dtype)
    np.testing.assert_allclose(over(log1p, dtype, values), np.log1p(values.astype(np.float64)), rtol=limit, atol=0)


@pytest.mark.parametrize(("dtype", "limit"), [(np.float32, 5e-7), (np.float64, 1e-15)])
def test_softplus_and_log_sigmoid_keep_their_relative_accuracy_in_both_tails(dtype, limit):
    values = np.concatenate([np.linspace(-80, 80, 4001), RANGE]).astype(dtype)
    true = np.logaddexp(0, values.astype(np.float64))
    np.testing.assert_allclose(over(softplus, dtype, values), true, rtol=limit, atol=0)
    np.testing.assert_allclose(over(log_sigmoid, dtype, -values), -true, rtol=limit, atol=0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exponential_functions_at_zero_and_beyond_the_largest_and_smallest_numbers(dtype):
    infinity, huge = np.inf, 1e30
    assert over(exp, dtype, [0, -0.0]).tolist() == [1, 1]
    assert over(exp, dtype, [-infinity, -huge, huge, infinity]).tolist() == [0, 0, infinity, infinity]
    assert over(log1p, dtype, [0]).tolist() == [0]
    assert over(softplus, dtype, [-infinity, -huge, infinity]).tolist() == [0, 0, infinity]
    assert over(log_sigmoid, dtype, [infinity, huge, -infinity]).tolist() == [0, 0, -infinity]


def test_exp_in_single_precision_overflows_and_vanishes_where_the_true_one_does():
    assert np.isfinite(exp(np.float32(88.7228)))
    assert exp(np.float32(88.73)) == np.inf
    assert exp(np.float32(-87.33)) >= np.finfo(np.float32).tiny
    assert exp(np.float32(-87.34)) == 0


@cell
def exponentials(values, out):
    for j in range(values.shape[0]):
        out[j] = exp(values[j]) + log_sigmoid(values[j])


def test_loop_over_exponentials_is_vectorised():
    values = np.linspace(-5, 5, 64, dtype=np.float32)
    exponentials(values, np.empty_like(values))
    code = exponentials.inspect_llvm(exponentials.signatures[0])
    assert re.search(r"fptosi <\d+ x float>", code)


@pytest.mark.parametrize("function", [exp, log1p, softplus, log_sigmoid])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_goes_through_exponential_functions(function, dtype):
    assert np.isnan(function(dtype(np.nan)))


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
