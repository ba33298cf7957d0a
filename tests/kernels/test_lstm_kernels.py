"""LSTM kernels against the naive reference, PyTorch and Keras, forward and backward.

Notation: B batch, T time, D inputs, H hidden, L layers.
"""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast_kernels.lstm.cpu import lstm_backward, lstm_forward, lstm_workspace
from forecast_kernels.matmul.cpu import DEPTH
from tests import naive, peers

# float64: rounding. float32: tanh within 3.3e-7, carried through 7 steps of values up to about 1; gradients up to 20.
LIMITS = {"float64": {"rtol": 1e-12, "atol": 1e-12}, "float32": {"rtol": 5e-6, "atol": 5e-6}}
DIFFERENCES = {"rtol": 1e-7, "atol": 1e-7}


class Saved(NamedTuple):
    """What forward leaves for backward."""

    WR: np.ndarray
    xh: np.ndarray
    c: np.ndarray
    gates: np.ndarray


def space(WR):
    """Room for packed matrices, all NaN."""
    H = WR.shape[1] // 4
    return np.full(lstm_workspace(len(WR) - H, H), np.nan, WR.dtype)


def none(dtype):
    """Symbols of an input that has none."""
    return np.zeros(0, dtype)


def forward(x, W, R, b, h0, c0, dtype):
    """Run one layer; every buffer starts as NaN, so that nothing unwritten is read."""
    (T, B, D), H = x.shape, R.shape[0]
    xh, c = np.full((T + 1, B, D + H), np.nan, dtype), np.full((T + 1, B, H), np.nan, dtype)
    gates, out = np.full((T, B, 4 * H), np.nan, dtype), np.full((T, B, H), np.nan, dtype)
    xh[0, :, D:], c[0] = h0, c0
    WR = np.concatenate([W, R]).astype(dtype, order="C")
    lstm_forward(np.ascontiguousarray(x, dtype), WR, b[None].astype(dtype), none(dtype), xh, c, gates, out, space(WR))
    return out, c, Saved(WR, xh, c, gates)


def backward(saved, dh, dh_n, dc_n, dtype):
    """Gradients by the names of what they belong to; ``saved`` is consumed."""
    T, B, H = dh.shape
    D = len(saved.WR) - H
    dx, dWR = np.full((T, B, D), np.nan, dtype), np.full((D + H, 4 * H), np.nan, dtype)
    db, dh_0, dc = np.full((1, 4 * H), np.nan, dtype), np.array(dh_n, dtype, order="C"), dc_n.astype(dtype)
    lstm_backward(saved.WR, none(dtype), *saved[1:], np.ascontiguousarray(dh, dtype), dx, dWR, db, dh_0, dc, space(dWR))
    return {"x": dx, "W": dWR[:D], "R": dWR[D:], "b": db[0], "h0": dh_0, "c0": dc}


def stacked(golden, layer):
    """Run a golden file's layers forward and backward: (h, h_n, c_n), gradients of the input and of each layer."""
    dtype, h, saved, h_n, c_n = golden["x"].dtype, golden["x"], [], [], []
    for depth, (h0, c0) in enumerate(zip(golden["h0"], golden["c0"], strict=True)):
        h, c, kept = forward(h, *layer(golden, depth), h0, c0, dtype)
        saved.append(kept)
        h_n.append(h[-1])
        c_n.append(c[-1])
    dh, gradients = golden["dh"], []
    for depth in reversed(range(len(saved))):
        gradients.insert(0, backward(saved[depth], dh, golden["dh_n"][depth], golden["dc_n"][depth], dtype))
        dh = gradients[0]["x"]
    return {"h": h, "h_n": np.stack(h_n), "c_n": np.stack(c_n)}, gradients


@pytest.mark.parametrize("name", peers.names("*_lstm_*.npz"))
def test_stack_computes_what_torch_and_keras_compute(name):
    golden, layer = peers.lstm(name), peers.torch_layer if name.startswith("torch") else peers.keras_layer
    results, gradients = stacked(golden, layer)
    limits = LIMITS[golden["x"].dtype.name]
    for key, value in results.items():
        np.testing.assert_allclose(value, golden[key], err_msg=key, **limits)
    np.testing.assert_allclose(gradients[0]["x"], golden["dx"], err_msg="dx", **limits)
    dgolden = {key.removeprefix("d"): value for key, value in golden.items() if key.startswith("d")}
    for depth, found in enumerate(gradients):
        np.testing.assert_allclose(found["h0"], golden["dh0"][depth], err_msg="dh0", **limits)
        np.testing.assert_allclose(found["c0"], golden["dc0"][depth], err_msg="dc0", **limits)
        dW, dR, db = layer(dgolden, depth)
        db = db / (2 if layer is peers.torch_layer else 1)  # torch has the bias twice, each with the whole gradient
        for key, expected in {"W": dW, "R": dR, "b": db}.items():
            np.testing.assert_allclose(found[key], expected, err_msg=f"d{key} of layer {depth}", **limits)


def test_float32_kernel_stays_close_to_float64_results():
    exact = peers.load("torch_lstm_b4_t7_d3_h5_l2_float64")
    rounded = {key: value.astype(np.float32) for key, value in exact.items() if key != "peer"}
    results, gradients = stacked(rounded, peers.torch_layer)
    for key, value in results.items():
        assert value.dtype == np.float32
        np.testing.assert_allclose(value, exact[key], err_msg=key, **LIMITS["float32"])
    np.testing.assert_allclose(gradients[0]["x"], exact["dx"], **LIMITS["float32"])


def check_against_naive(B, T, D, H, seed):
    rng = np.random.default_rng(seed)
    shapes = {"x": (T, B, D), "W": (D, 4 * H), "R": (H, 4 * H), "b": (4 * H,), "h0": (B, H), "c0": (B, H)}
    given = {name: rng.uniform(-1, 1, shape) for name, shape in shapes.items()}
    dh, dh_n, dc_n = rng.uniform(-1, 1, (T, B, H)), rng.uniform(-1, 1, (B, H)), rng.uniform(-1, 1, (B, H))

    h, c, saved = forward(*given.values(), np.float64)
    expected_h, expected_c = naive.lstm(**given)
    np.testing.assert_allclose(h, expected_h, **LIMITS["float64"])
    np.testing.assert_allclose(c[1:], expected_c, **LIMITS["float64"])

    def upstream_sum(**changed):
        h, c = naive.lstm(**(given | changed))
        return float((dh * h).sum() + (dh_n * h[-1]).sum() + (dc_n * c[-1]).sum())

    for name, found in backward(saved, dh, dh_n, dc_n, np.float64).items():
        expected = naive.numerical_gradient(lambda value, name=name: upstream_sum(**{name: value}), given[name])
        np.testing.assert_allclose(found, expected, err_msg=f"d{name}", **DIFFERENCES)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(B=st.integers(1, 5), T=st.integers(1, 5), D=st.integers(1, 5), H=st.integers(1, 5), seed=st.integers(0, 999))
def test_any_shape_agrees_with_the_naive_reference_and_its_differences(B, T, D, H, seed):
    check_against_naive(B, T, D, H, seed)


def test_backward_in_several_chunks_agrees_with_the_naive_reference():
    T, B = 110, 5
    assert T * B > 2 * DEPTH
    check_against_naive(B, T, D=1, H=2, seed=0)


def test_forward_that_keeps_one_step_gives_the_same_bits():
    golden = peers.load("torch_lstm_b4_t7_d3_h5_l2_float64")
    T, B, D = golden["x"].shape
    W, R, b = peers.torch_layer(golden, 0)
    H = len(R)
    whole, _, kept = forward(golden["x"], W, R, b, golden["h0"][0], golden["c0"][0], np.float64)
    xh, c, gates = np.full((2, B, D + H), np.nan), np.full((2, B, H), np.nan), np.full((1, B, 4 * H), np.nan)
    xh[0, :, D:], c[0] = golden["h0"][0], golden["c0"][0]
    out = np.full((T, B, H), np.nan)
    lstm_forward(golden["x"], kept.WR, b[None], none(np.float64), xh, c, gates, out, space(kept.WR))
    assert (out == whole).all()


def test_nan_in_one_row_stays_in_that_row():
    golden = peers.load("torch_lstm_b3_t5_d2_h4_l1_float64")
    golden["x"][2, 1, 0] = np.nan
    h, _, _ = forward(golden["x"], *peers.torch_layer(golden, 0), golden["h0"][0], golden["c0"][0], np.float64)
    assert np.isfinite(h[:2]).all()
    assert np.isnan(h[2:, 1]).all()
    np.testing.assert_allclose(h[:, [0, 2]], golden["h"][:, [0, 2]], **LIMITS["float64"])
