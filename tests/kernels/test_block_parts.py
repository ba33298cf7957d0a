"""What blocks are made of beside their cells: norm, convolution, gate and skip, against the naive references.

Notation: T time, B rows, D columns, K width of the convolution, N heads.
"""

import numpy as np
import pytest

from forecast_kernels.conv.cpu import conv_backward, conv_forward
from forecast_kernels.gate.cpu import add, gate_backward, gate_forward, skip_backward, skip_forward
from forecast_kernels.norm.cpu import norm_backward, norm_forward
from tests import naive

LIMITS = {np.float64: {"rtol": 1e-12, "atol": 1e-12}, np.float32: {"rtol": 2e-5, "atol": 2e-6}}
dtypes = pytest.mark.parametrize("dtype", LIMITS)


def unwritten(like):
    return np.full_like(like, np.nan)


def norm(x, scale, bias, dout, heads):
    out, moments = unwritten(x), np.full((len(x), heads, 2), np.nan, x.dtype)
    norm_forward(x, scale, bias, moments, out)
    gradients = unwritten(x), unwritten(scale), unwritten(bias)
    norm_backward(x, scale, moments, dout, *gradients)
    return out, gradients


def conv(x, W, b, dout, past=None):
    out, pre = unwritten(x), unwritten(x)
    past = x[:0] if past is None else past
    conv_forward(x, past, W, b, pre, out)
    gradients = unwritten(x), unwritten(W), unwritten(b)
    conv_backward(x, past, W, pre, dout, *gradients)
    return out, gradients


def gate(x, z, dout):
    out, gradients = unwritten(x), (unwritten(x), unwritten(z))
    gate_forward(x, z, out)
    gate_backward(x, z, dout, *gradients)
    return out, gradients


def skip(x, y, scale, dout):
    out, gradients = unwritten(x), (unwritten(x), unwritten(y), unwritten(scale))
    skip_forward(x, y, scale, out)
    skip_backward(y, scale, dout, *gradients)
    return out, gradients


def check(dtype, kernel, reference, dout, *inputs):
    """Output, and the gradient of every input by differences of the reference."""
    inputs, dout = [np.array(value, dtype) for value in inputs], np.array(dout, dtype)
    out, gradients = kernel(*inputs, dout)
    np.testing.assert_allclose(out, reference(*inputs), **LIMITS[dtype])
    for place, found in enumerate(gradients):

        def upstream_sum(moved, place=place):
            values = [value.astype(np.float64) for value in inputs]
            values[place] = moved
            return float((dout * reference(*values)).sum())

        expected = naive.numerical_gradient(upstream_sum, inputs[place].astype(np.float64))
        loose = {"rtol": 1e-6, "atol": 1e-7} if dtype is np.float64 else {"rtol": 1e-4, "atol": 1e-4}
        np.testing.assert_allclose(found, expected, **loose)


@dtypes
@pytest.mark.parametrize(("D", "heads"), [(1, 1), (5, 1), (6, 3), (40, 2)])
def test_norm_agrees_with_the_naive_reference_and_its_differences(D, heads, dtype):
    rng = np.random.default_rng(D)
    x, scale, bias, dout = (rng.normal(size=size) + 0.5 for size in ((4, D), D, D, (4, D)))
    check(
        dtype,
        lambda *values: norm(*values, heads=heads),
        lambda *values: naive.norm(*values, heads=heads),
        dout, x, scale, bias,
    )  # fmt: skip


def test_norm_of_equal_values_is_the_bias():
    x, ones = np.full((2, 4), 3.0), np.ones(4)
    out, (dx, _, _) = norm(x, ones, 2 * ones, np.ones((2, 4)), 2)
    np.testing.assert_array_equal(out, 2)
    assert np.isfinite(dx).all()


@dtypes
@pytest.mark.parametrize(("T", "K"), [(1, 4), (3, 4), (6, 4), (5, 1), (5, 2)])
def test_convolution_agrees_with_the_naive_reference_and_its_differences(T, K, dtype):
    rng = np.random.default_rng(T)
    x, W, b, dout = (rng.normal(size=size) for size in ((T, 2, 3), (K, 3), 3, (T, 2, 3)))
    check(dtype, conv, naive.causal_conv, dout, x, W, b)


@pytest.mark.parametrize(("T", "K"), [(1, 4), (2, 4), (6, 4), (5, 2)])
def test_convolution_goes_on_from_inputs_of_before_which_are_constants(T, K):
    rng = np.random.default_rng(T)
    whole, W, b, dout = (rng.normal(size=size) for size in ((K - 1 + T, 2, 3), (K, 3), 3, (T, 2, 3)))
    past, x = whole[: K - 1], whole[K - 1 :]
    out, gradients = conv(x, W, b, dout, past)
    np.testing.assert_allclose(out, naive.causal_conv(whole, W, b)[K - 1 :], rtol=1e-12, atol=1e-12)
    expected = conv(whole, W, b, np.concatenate([np.zeros_like(past), dout]))[1]
    for found, same in zip(gradients, (expected[0][K - 1 :], *expected[1:]), strict=True):
        np.testing.assert_allclose(found, same, rtol=1e-12, atol=1e-12)


def test_convolution_does_not_see_the_future():
    x, W, b = np.random.default_rng(1).normal(size=(6, 1, 2)), np.ones((4, 2)), np.zeros(2)
    before, _ = conv(x, W, b, x)
    x[4:] = np.nan
    after, _ = conv(x, W, b, x)
    np.testing.assert_array_equal(after[:4], before[:4])
    assert np.isnan(after[4:]).all()


@dtypes
def test_gate_and_skip_agree_with_their_formulas_and_differences(dtype):
    x, y, z, dout = np.random.default_rng(2).normal(size=(4, 3, 20)) * 3
    check(dtype, skip, lambda x, y, scale: x + scale * y, dout, x, y, z[0])
    check(dtype, gate, lambda x, z: x * naive.swish(z), dout.ravel(), x.ravel(), z.ravel())


def test_add_adds():
    out = np.arange(3.0)
    add(np.ones(3), out)
    np.testing.assert_array_equal(out, [1, 2, 3])
