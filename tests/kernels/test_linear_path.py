"""The linear path around the stack: its kernels against slow references, and whole networks that have one.

Notation: B rows, T patches, F inputs a patch, P values of it, S steps of the horizon, Q outputs a step.
"""

import numpy as np
import pytest

from forecast.learning.blocks import block_layers
from forecast.learning.network import INPUT, Layer, Network, linear_path
from forecast.learning.training import Objective, _Runner
from forecast_kernels.jit import threads
from forecast_kernels.linear.cpu import flat_backward, flat_forward, shift_backward, shift_forward
from forecast_kernels.network import table as kernels
from tests import naive
from tests.kernels.test_network_gradients import (
    LOSSES,
    ROWS,
    SEED,
    SPEC,
    backward,
    program,
    random_walks,
    summed_loss,
    windows,
)

SHAPES = [(3, 5, 4, 2), (1, 1, 1, 1), (2, 7, 6, 6)]  # T, B, F, P


@pytest.fixture(autouse=True)
def held_threads():
    """As in training: these tests call the kernels below it."""
    with threads():
        yield


@pytest.mark.parametrize(("T", "B", "F", "P"), SHAPES)
def test_values_of_all_patches_stand_side_by_side_without_the_mask(T, B, F, P):
    x, out = np.random.default_rng(0).normal(size=(T, B, F)), np.full((B, T * P), np.nan)
    flat_forward(x, P, out)
    for r in range(B):
        np.testing.assert_array_equal(out[r], np.concatenate([x[t, r, :P] for t in range(T)]))


@pytest.mark.parametrize(("T", "B", "F", "P"), SHAPES)
def test_gradient_goes_back_to_the_values_alone(T, B, F, P):
    dout, dx = np.random.default_rng(1).normal(size=(B, T * P)), np.full((T, B, F), np.nan)
    flat_backward(dout, P, dx)
    expected = np.zeros((T, B, F))
    expected[:, :, :P] = dout.reshape(B, T, P).swapaxes(0, 1)
    np.testing.assert_array_equal(dx, expected)


@pytest.mark.parametrize(("S", "Q"), [(3, 4), (5, 1), (1, 3)])
def test_all_outputs_of_a_step_are_moved_alike(S, Q):
    rng = np.random.default_rng(2)
    x, y, out = rng.normal(size=(6, S * Q)), rng.normal(size=(6, S)), np.full((6, S * Q), np.nan)
    shift_forward(x, y, out)
    np.testing.assert_array_equal(out.reshape(6, S, Q), x.reshape(6, S, Q) + y[:, :, None])


@pytest.mark.parametrize(("S", "Q"), [(3, 4), (5, 1), (1, 3)])
def test_move_has_the_gradients_of_all_outputs_of_its_step(S, Q):
    dout = np.random.default_rng(3).normal(size=(6, S * Q))
    dx, dy = np.full((6, S * Q), np.nan), np.full((6, S), np.nan)
    shift_backward(dout, dx, dy)
    np.testing.assert_array_equal(dx, dout)
    np.testing.assert_allclose(dy, dout.reshape(6, S, Q).sum(axis=2), rtol=1e-12)


@pytest.mark.parametrize("power", [0, 1, 2])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_parameter_has_the_gradient_of_central_differences(loss, power):
    network, runner = program(loss, linear=True, spec=SPEC._replace(power=power))
    theta = network.theta.copy()
    backward(runner, windows(ROWS), SEED)
    found = runner.gradients[0].copy()
    expected = naive.numerical_gradient(lambda moved: summed_loss(network, runner, moved), theta)
    for name, gradient in network.views(found).items():
        np.testing.assert_allclose(gradient, network.views(expected)[name], rtol=1e-5, atol=1e-6, err_msg=name)
        assert np.abs(gradient).max() > 1e-4, f"{name} has no gradient, so that nothing was tested"


def test_gradient_of_a_layer_that_feeds_the_path_is_that_of_central_differences():
    """Nobody needs the gradient of the network's input, but that of a layer is added up from both ways."""
    layers = [
        Layer("embed", kernels.DENSE, 4, 4, 3),
        Layer("lstm.0", kernels.LSTM, 4, 3, 3),
        Layer("last", kernels.LAST, 3, 6, 3),
        Layer("output", kernels.DENSE, 6, 3, 1),
        Layer("flat", kernels.FLAT, 4, 6, 3, source="embed", taps=2),
        Layer("linear", kernels.DENSE, 6, 3, 1),
        Layer("sum", kernels.SHIFT, 3, 3, 1, source="output", second="linear", taps=1),
    ]
    network = Network(layers, np.float64)
    network.theta[:] = np.random.default_rng(4).uniform(-0.8, 0.8, network.size)
    runner = _Runner(network, random_walks(), Objective(SPEC, "squared", (0.5,), 1.0, 0.0), ROWS, training=True)
    theta = network.theta.copy()
    backward(runner, windows(ROWS), SEED)
    found = runner.gradients[0].copy()
    expected = naive.numerical_gradient(lambda moved: summed_loss(network, runner, moved), theta)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rows", [1, 5, 20])
def test_workspace_is_written_before_it_is_read_and_not_left(rows):
    _, runner = program(rows=rows, linear=True)
    expected = backward(runner, windows(rows), SEED), runner.gradients.copy()
    groups, size = runner.work.shape
    runner.work, runner.gradients[:] = np.full((groups, size + 64), np.nan), np.nan
    runner.work[:, size:] = 7
    assert backward(runner, windows(rows), SEED) == expected[0]
    np.testing.assert_array_equal(runner.gradients, expected[1])
    np.testing.assert_array_equal(runner.work[:, size:], 7)


@pytest.mark.parametrize("blocks", ["", "sm"])
def test_path_adds_a_linear_map_of_the_normalised_values_to_every_quantile(blocks):
    """Beside the same network without it, an LSTM's or one of blocks."""
    quantiles = LOSSES["quantile"]
    objective = Objective(SPEC, "quantile", quantiles, 1.0, 0.0)
    if blocks:
        stack = block_layers(
            steps=3, inputs=4, width=4, blocks=blocks, heads=2, taps=2, dropout=False, extra=objective.extra, head=3,
            outputs=9,
        )  # fmt: skip
    else:
        stack = list(program(dropout=0.0)[0].layers)
    both = Network([*stack, *linear_path(stack[-1], steps=3, inputs=4, values=2, horizon=3)], np.float64)
    alone, data = Network(stack, np.float64), random_walks()
    both.initialise(3)
    alone.initialise(3)

    def forecasts(network):
        return _Runner(network, data, objective, ROWS, training=False).forward(windows(ROWS)).reshape(ROWS, 3, -1)

    np.testing.assert_array_equal(forecasts(both), forecasts(alone))  # it starts from 0
    W, b = both.views()["linear.W"], both.views()["linear.b"]
    W[:], b[:] = np.random.default_rng(5).normal(size=W.shape), [1.0, 2.0, 3.0]
    for row, (s, cutoff) in enumerate(windows(ROWS)):
        y = data.y[data.indptr[s] : data.indptr[s + 1]]
        w = naive.window(y, cutoff, context=6, patch=2, horizon=3, season=4, center="mean", floor=0.01)
        move = w["scale"] * naive.dense(w["x"][:, :2].reshape(-1), W, b)
        np.testing.assert_allclose(forecasts(both)[row], forecasts(alone)[row] + move[:, None], rtol=1e-9, atol=1e-9)


def test_no_layer_is_called_like_the_input():
    network, _ = program(linear=True)
    assert INPUT not in {layer.name for layer in network.layers}
