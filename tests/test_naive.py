"""The naive references agree with what PyTorch and Keras computed; needs neither, only their stored values."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests import naive
from tests.peers import GOLDEN, keras_layer, load, names, time_major, torch_layer

EXACT = {"rtol": 0, "atol": 1e-12}
SINGLE = {"rtol": 1e-6, "atol": 1e-6}  # a few float32 roundings of values below 3
DIFFERENCES = {"rtol": 0, "atol": 1e-8}  # central differences in float64 with a step of 1e-6
LOSSES = ["squared", "absolute", "huber"]


def stack(golden, layer):
    """Run the layers of a golden file over its time-major input: h (T, B, H), h_n and c_n (L, B, H)."""
    h, h_n, c_n = golden["x"], [], []
    for depth, (h0, c0) in enumerate(zip(golden["h0"], golden["c0"], strict=True)):
        h, c = naive.lstm(h, *layer(golden, depth), h0, c0)
        h_n.append(h[-1])
        c_n.append(c[-1])
    return h, np.stack(h_n), np.stack(c_n)


def upstream_sum(golden, layer):
    """The scalar whose gradients the golden file holds."""
    h, h_n, c_n = stack(golden, layer)
    return float((golden["dh"] * h).sum() + (golden["dh_n"] * h_n).sum() + (golden["dc_n"] * c_n).sum())


def tolerance(name):
    return EXACT if name.endswith("float64") else SINGLE


def assert_forward_agrees(golden, layer, limits):
    for name, found in zip(("h", "h_n", "c_n"), stack(golden, layer), strict=True):
        np.testing.assert_allclose(found, golden[name], err_msg=name, **limits)


def assert_gradients_agree(golden, layer):
    weights = [name[1:] for name in golden if name.endswith(("_l0", "_l1")) and name.startswith("d")]
    assert len(weights) >= 3
    for name in ["x", "h0", "c0", *weights]:
        found = naive.numerical_gradient(
            lambda value, name=name: upstream_sum(golden | {name: value}, layer), golden[name]
        )
        np.testing.assert_allclose(found, golden[f"d{name}"], err_msg=name, **DIFFERENCES)


@pytest.mark.parametrize("name", names("torch_lstm_*.npz"))
def test_lstm_agrees_with_torch(name):
    assert_forward_agrees(load(name), torch_layer, tolerance(name))


@pytest.mark.parametrize("name", names("keras_lstm_*.npz"))
def test_lstm_agrees_with_keras(name):
    assert_forward_agrees(time_major(load(name)), keras_layer, tolerance(name))


@pytest.mark.parametrize("name", names("torch_lstm_*_float64.npz"))
def test_differences_of_the_lstm_agree_with_torch_gradients(name):
    assert_gradients_agree(load(name), torch_layer)


@pytest.mark.parametrize("name", names("keras_lstm_*_float64.npz"))
def test_differences_of_the_lstm_agree_with_keras_gradients(name):
    assert_gradients_agree(time_major(load(name)), keras_layer)


def test_weights_of_the_tutorial_network_predict_as_in_torch():
    weights = load_file(GOLDEN / "torch_tutorial.safetensors")
    golden = load("torch_tutorial")
    zero = np.zeros((2, 50))
    h, c = naive.lstm(golden["x"].swapaxes(0, 1), *torch_layer(weights, 0, "lstm."), zero, zero)
    prediction = naive.dense(h, weights["fc.weight"].T, weights["fc.bias"]).swapaxes(0, 1)
    np.testing.assert_allclose(h.swapaxes(0, 1), golden["h"], **SINGLE)
    np.testing.assert_allclose(h[-1:], golden["h_n"], **SINGLE)
    np.testing.assert_allclose(c[-1:], golden["c_n"], **SINGLE)
    np.testing.assert_allclose(prediction, golden["prediction"], **SINGLE)
    np.testing.assert_allclose(naive.squared(prediction[:, -1], golden["y"]), golden["loss"], **SINGLE)


@pytest.mark.parametrize("activation", naive.ACTIVATIONS)
def test_dense_and_its_differences_agree_with_torch(activation):
    golden = load("torch_dense")

    def out(**changed):
        values = golden | changed
        return naive.dense(values["x"], values["weight"].T, values["bias"], activation)

    np.testing.assert_allclose(out(), golden[f"out_{activation}"], **EXACT)
    for name in ("x", "weight", "bias"):
        found = naive.numerical_gradient(
            lambda value, name=name: float((out(**{name: value}) * golden["dout"]).sum()), golden[name]
        )
        np.testing.assert_allclose(found, golden[f"d{name}_{activation}"], err_msg=name, **DIFFERENCES)


@pytest.mark.parametrize("suffix", ["", "_full"])
@pytest.mark.parametrize("name", LOSSES)
def test_loss_and_its_differences_agree_with_torch(name, suffix):
    golden = load("torch_losses")
    mask = None if suffix else golden["mask"]

    def loss(prediction):
        return getattr(naive, name)(prediction, golden["target"], mask)

    np.testing.assert_allclose(loss(golden["prediction"]), golden[name + suffix], **EXACT)
    found = naive.numerical_gradient(loss, golden["prediction"])
    np.testing.assert_allclose(found, golden[f"d{name}{suffix}"], **DIFFERENCES)


@pytest.mark.parametrize("suffix", ["", "_full"])
def test_pinball_and_its_differences_agree_with_torch(suffix):
    golden = load("torch_losses")
    mask = None if suffix else golden["mask"]

    def loss(prediction):
        return naive.pinball(prediction, golden["target"], golden["quantiles"], mask)

    np.testing.assert_allclose(loss(golden["quantile_prediction"]), golden[f"pinball{suffix}"], **EXACT)
    found = naive.numerical_gradient(loss, golden["quantile_prediction"])
    np.testing.assert_allclose(found, golden[f"dpinball{suffix}"], **DIFFERENCES)


def test_masked_target_may_hold_anything():
    golden = load("torch_losses")
    target = np.where(golden["mask"], golden["target"], np.nan)
    for name in LOSSES:
        assert getattr(naive, name)(golden["prediction"], target, golden["mask"]) == pytest.approx(golden[name])


def test_loss_is_zero_where_nothing_was_observed():
    nothing = np.zeros((2, 3), bool)
    assert naive.squared(np.ones((2, 3)), np.zeros((2, 3)), nothing) == 0.0
    assert naive.pinball(np.ones((2, 3, 2)), np.zeros((2, 3)), [0.1, 0.9], nothing) == 0.0


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_clipped_steps_agree_with_torch(name):
    golden = load("torch_optim")
    keys = ["learning_rate", "beta1", "beta2", "eps", "max_norm"] + ["weight_decay"] * (name == "adamw")
    settings = {key: float(golden[key]) for key in keys}
    found = getattr(naive, name)(golden["start"], golden["gradients"], **settings)
    np.testing.assert_allclose(found, golden[name], **EXACT)


def test_golden_gradients_lie_on_both_sides_of_the_clipping_norm():
    golden = load("torch_optim")
    norms = np.sqrt((golden["gradients"] ** 2).sum(axis=1))
    np.testing.assert_allclose(norms, golden["norms"], rtol=1e-12)
    assert norms.min() < golden["max_norm"] < norms.max()


def test_rates_of_schedules_agree_with_torch():
    golden = load("torch_optim")
    start = float(golden["learning_rate"])
    cosine = [naive.cosine_rate(step, int(golden["cosine_steps"]), start, golden["cosine_end"]) for step in range(11)]
    steps = [naive.step_rate(step, int(golden["step_every"]), golden["step_factor"], start) for step in range(11)]
    np.testing.assert_allclose(cosine, golden["cosine_rates"], **EXACT)
    np.testing.assert_allclose(steps, golden["step_rates"], **EXACT)


def test_sigmoid_of_huge_values_does_not_overflow():
    np.testing.assert_array_equal(naive.sigmoid(np.array([-1e4, 0.0, 1e4])), [0.0, 0.5, 1.0])
