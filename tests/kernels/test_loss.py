"""Losses and their gradients against PyTorch and the naive references, with and without a mask.

Notation: B rows, S steps, Q outputs a step.
"""

import numpy as np
import pytest

from forecast_kernels.loss.cpu import ABSOLUTE, HUBER, QUANTILE, SQUARED, loss_forward_backward
from tests import naive, peers

KINDS = {"squared": SQUARED, "absolute": ABSOLUTE, "huber": HUBER, "pinball": QUANTILE}
LIMITS = {np.float64: {"rtol": 1e-13, "atol": 1e-15}, np.float32: {"rtol": 3e-6, "atol": 1e-6}}


def run(kind, prediction, target, mask, quantiles=(0.5,), delta=1.0, dtype=np.float64):
    """Mean loss and its gradient (B, S * Q), over what is observed."""
    Q = len(quantiles)
    prediction = np.ascontiguousarray(prediction, dtype).reshape(len(target), -1)
    gradient = np.full_like(prediction, np.nan)
    arrays = (np.array(value, dtype) for value in (target, mask, quantiles))
    total = loss_forward_backward(KINDS[kind], prediction, *arrays, dtype(delta), gradient)
    count = max(mask.sum() * Q, 1)
    return total / count, gradient / count


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("suffix", ["", "_full"])
@pytest.mark.parametrize("kind", KINDS)
def test_loss_computes_what_torch_computes(kind, suffix, dtype):
    golden = peers.load("torch_losses")
    mask = np.ones_like(golden["mask"]) if suffix else golden["mask"]
    prediction, quantiles = golden["prediction"], (0.5,)
    if kind == "pinball":
        prediction, quantiles = golden["quantile_prediction"], golden["quantiles"]
    loss, gradient = run(kind, prediction, golden["target"], mask, quantiles, dtype=dtype)
    np.testing.assert_allclose(loss, golden[kind + suffix], **LIMITS[dtype])
    np.testing.assert_allclose(gradient.reshape(prediction.shape), golden[f"d{kind}{suffix}"], **LIMITS[dtype])


@pytest.mark.parametrize("delta", [0.3, 2.0])
def test_huber_turns_from_squared_to_absolute_at_delta(delta):
    golden = peers.load("torch_losses")
    prediction, target, mask = (golden[name] for name in ("prediction", "target", "mask"))
    loss, gradient = run("huber", prediction, target, mask, delta=delta)
    assert loss == pytest.approx(naive.huber(prediction, target, mask, delta))
    expected = naive.numerical_gradient(lambda moved: naive.huber(moved, target, mask, delta), prediction)
    np.testing.assert_allclose(gradient, expected, atol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_masked_target_may_hold_anything(kind):
    golden = peers.load("torch_losses")
    mask = golden["mask"]
    hidden = np.where(mask, golden["target"], np.nan)
    plain = run(kind, golden["prediction"], golden["target"], mask)
    loss, gradient = run(kind, golden["prediction"], hidden, mask)
    assert loss == plain[0]
    np.testing.assert_array_equal(gradient, plain[1])
    assert (gradient[~mask] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_target_of_weight_two_counts_as_two(kind):
    golden = peers.load("torch_losses")
    prediction, target, mask = (golden[name] for name in ("prediction", "target", "mask"))
    once = mask.astype(float)
    heavy = once.copy()
    heavy[0] *= 2
    loss, gradient = run(kind, prediction, target, heavy)
    twice = [np.concatenate([values, values[:1]]) for values in (prediction, target, once)]
    expected, slopes = run(kind, *twice)
    assert loss == pytest.approx(expected)
    np.testing.assert_allclose(gradient[1:], slopes[1:-1])
    np.testing.assert_allclose(gradient[0], slopes[0] + slopes[-1])


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_observed_gives_no_loss_and_no_gradient(kind):
    loss, gradient = run(kind, np.ones((2, 3)), np.full((2, 3), np.nan), np.zeros((2, 3)))
    assert loss == 0.0
    np.testing.assert_array_equal(gradient, 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_perfect_prediction_has_neither_loss_nor_slope(kind):
    loss, gradient = run(kind, np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 3)))
    assert loss == 0.0
    np.testing.assert_array_equal(gradient, 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_nan_in_a_prediction_is_not_hidden(kind):
    loss, _ = run(kind, np.array([[np.nan, 1.0]]), np.zeros((1, 2)), np.ones((1, 2)))
    assert np.isnan(loss)
