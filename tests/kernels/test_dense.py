"""Dense kernels against PyTorch, the naive reference and its differences.

Notation: B rows, D inputs, H outputs.
"""

import numpy as np
import pytest

from forecast_kernels.dense.cpu import dense_backward, dense_forward, dense_workspace
from tests import naive, peers

ACTIVATIONS = {"linear": 0, "relu": 1}
LIMITS = {np.float64: {"rtol": 1e-13, "atol": 1e-13}, np.float32: {"rtol": 1e-6, "atol": 1e-6}}


def run(x, W, b, dout, activation, dtype):
    """Output and gradients of one layer; buffers start as NaN."""
    x, W, b, dout = (np.array(value, dtype, order="C") for value in (x, W, b, dout))
    out = np.full((len(x), len(b)), np.nan, dtype)
    packed = np.full(dense_workspace(*W.shape), np.nan, dtype)
    dense_forward(x, W, b, ACTIVATIONS[activation], out, packed)
    dx, dW, db = np.full_like(x, np.nan), np.full_like(W, np.nan), np.full_like(b, np.nan)
    dense_backward(x, W, out, ACTIVATIONS[activation], dout, dx, dW, db, packed)
    return out, dx, dW, db


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_dense_layer_computes_what_torch_computes(activation, dtype):
    golden = peers.load("torch_dense")
    out, dx, dW, db = run(golden["x"], golden["weight"].T, golden["bias"], golden["dout"], activation, dtype)
    np.testing.assert_allclose(out, golden[f"out_{activation}"], **LIMITS[dtype])
    np.testing.assert_allclose(dx, golden[f"dx_{activation}"], **LIMITS[dtype])
    np.testing.assert_allclose(dW, golden[f"dweight_{activation}"].T, **LIMITS[dtype])
    np.testing.assert_allclose(db, golden[f"dbias_{activation}"], **LIMITS[dtype])


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 4), (1, 5, 2)])
def test_narrow_dense_layers_agree_with_the_naive_reference(shape, activation):
    B, D, H = shape
    rng = np.random.default_rng(B + D + H)
    x, W, b, dout = (rng.normal(size=size) for size in ((B, D), (D, H), (H,), (B, H)))
    out, dx, dW, db = run(x, W, b, dout, activation, np.float64)
    np.testing.assert_allclose(out, naive.dense(x, W, b, activation), **LIMITS[np.float64])
    for found, value, place in ((dx, x, 0), (dW, W, 1), (db, b, 2)):

        def upstream_sum(moved, place=place):
            values = [x, W, b]
            values[place] = moved
            return float((dout * naive.dense(*values, activation)).sum())

        np.testing.assert_allclose(found, naive.numerical_gradient(upstream_sum, value), rtol=1e-7, atol=1e-7)


def test_relu_does_not_hide_nan():
    x, one = np.full((1, 1), np.nan), np.ones((1, 1))
    out, *_ = run(x, one, np.zeros(1), one, "relu", np.float64)
    assert np.isnan(out).all()
