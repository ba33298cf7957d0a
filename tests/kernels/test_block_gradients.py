"""Whole networks of xLSTM blocks against central differences in float64, and against blocks written in NumPy.

Notation: B rows, T patches, D width, N heads, P head size.
"""

import numpy as np
import pytest

from forecast.learning.blocks import block_layers
from forecast.learning.network import Network
from forecast.learning.training import Objective, _Runner
from forecast_kernels.jit import threads
from tests import naive
from tests.kernels.test_network_gradients import LOSSES, ROWS, SEED, SPEC, backward, random_walks, windows


@pytest.fixture(autouse=True)
def held_threads():
    """As in training: these tests call the kernels below it."""
    with threads():
        yield


def program(blocks, dropout=0.0, heads=2, taps=2, width=4, rows=ROWS, training=True):
    """A small network at parameters of ordinary size."""
    objective = Objective(SPEC, "quantile", LOSSES["quantile"], delta=1.0, dropout=dropout)
    layers = block_layers(
        steps=3, inputs=4, width=width, blocks=blocks, heads=heads, taps=taps, dropout=dropout > 0,
        extra=objective.extra, head=3, outputs=9,
    )  # fmt: skip
    network = Network(layers, np.float64)
    network.initialise(3)
    network.theta += np.random.default_rng(2).uniform(-0.5, 0.5, network.size)
    return network, _Runner(network, random_walks(), objective, rows, training)


def differences(network, runner):
    """Gradients of the kernels and of central differences, flat."""
    theta = network.theta.copy()
    total, _ = backward(runner, windows(ROWS), SEED)
    assert total > 0
    found = runner.gradients[0].copy()

    def loss(moved):
        network.theta[:] = moved
        return backward(runner, windows(ROWS), SEED)[0]

    return found, naive.numerical_gradient(loss, theta)


@pytest.mark.parametrize("shape", [
    {"blocks": "s"}, {"blocks": "m"}, {"blocks": "sm", "dropout": 0.3}, {"blocks": "s", "taps": 0},
    {"blocks": "m", "taps": 0, "heads": 1}, {"blocks": "ms", "heads": 4, "taps": 4, "dropout": 0.2},
], ids=lambda shape: "-".join(map(str, shape.values())))  # fmt: skip
def test_every_parameter_of_a_block_has_the_gradient_of_central_differences(shape):
    network, runner = program(**shape)
    found, expected = differences(network, runner)
    for name, gradient in network.views(found).items():
        np.testing.assert_allclose(gradient, network.views(expected)[name], rtol=1e-6, atol=1e-7, err_msg=name)
        constant = name.endswith(".heads.bias") or shape.get("heads") == 4  # a head of one unit is a constant
        assert constant or np.abs(gradient).max() > 1e-6, f"{name} has no gradient, so that nothing was tested"


@pytest.mark.parametrize("rows", [1, 5, 20])
def test_workspace_of_blocks_is_written_before_it_is_read_and_not_left(rows):
    _, runner = program("sm", dropout=0.3, rows=rows)
    expected = backward(runner, windows(rows), SEED), runner.gradients.copy()
    groups, size = runner.work.shape
    runner.work, runner.gradients[:] = np.full((groups, size + 64), np.nan), np.nan
    runner.work[:, size:] = 7
    assert backward(runner, windows(rows), SEED) == expected[0]
    np.testing.assert_array_equal(runner.gradients, expected[1])
    np.testing.assert_array_equal(runner.work[:, size:], 7)


def naive_slstm_block(h, p, N):
    """h (T, B, D) -> (T, B, D); parameters by the layers' names."""
    T, B, D = h.shape
    P, zero = D // N, np.zeros((B, D))
    y = naive.norm(h.reshape(-1, D), p["norm.scale"], p["norm.bias"]).reshape(h.shape)
    x = naive.causal_conv(y, p["conv.W"], p["conv.b"])
    parts = [(value @ p[name]).reshape(T, B, N, 2, P) for value, name in ((x, "slstm.Wx"), (y, "slstm.Wy"))]
    pre = np.concatenate(parts, axis=3).reshape(T, B, 4 * D)
    out, _, _ = naive.slstm(pre, p["slstm.R"], p["slstm.b"], zero, zero, zero, zero)
    h = h + naive.norm(out.reshape(-1, D), p["heads.scale"], p["heads.bias"], N).reshape(h.shape)
    y = naive.norm(h.reshape(-1, D), p["norm2.scale"], p["norm2.bias"])
    wide = naive.dense(y, p["up.W"], p["up.b"]) * naive.swish(naive.dense(y, p["gate.W"], p["gate.b"]))
    return h + naive.dense(wide, p["down.W"], p["down.b"]).reshape(h.shape)


def naive_mlstm_block(h, p, N):
    T, B, D = h.shape
    E, P = 2 * D, 2 * D // N
    y = naive.norm(h.reshape(-1, D), p["norm.scale"], p["norm.bias"]).reshape(h.shape)
    gate, up = (naive.dense(y, p[f"{name}.W"], p[f"{name}.b"]) for name in ("gate", "up"))
    seen = naive.causal_conv(up, p["conv.W"], p["conv.b"])
    q, k, v = (
        np.einsum("tbnp,npr->tbnr", value.reshape(T, B, N, P), p["mlstm.W"][part]) + p["mlstm.b"][part].reshape(N, P)
        for part, value in enumerate((seen, seen, up))
    )
    i, f = (seen @ p["mlstm.Wg"][part] + p["mlstm.bg"][part] for part in range(2))
    out = naive.mlstm(q, k, v, i, f)[0].reshape(-1, E)
    out = naive.norm(out, p["heads.scale"], p["heads.bias"], N).reshape(T, B, E) + p["skip.scale"] * seen
    return h + naive.dense(out * naive.swish(gate), p["down.W"], p["down.b"])


def test_predictions_are_those_of_the_naive_blocks():
    network, runner = program("sm", training=False)
    found = runner.forward(windows(ROWS)).reshape(ROWS, SPEC.horizon, -1)
    data, p = random_walks(), network.views()
    own = [{name[8:]: value for name, value in p.items() if name.startswith(f"block.{k}.")} for k in range(2)]
    for row, (s, cutoff) in enumerate(windows(ROWS)):
        y = data.y[data.indptr[s] : data.indptr[s + 1]]
        w = naive.window(y, cutoff, context=6, patch=2, horizon=3, season=4, center="mean", floor=0.01)
        h = naive.dense(w["x"][:, None], p["embed.W"], p["embed.b"])
        h = naive_mlstm_block(naive_slstm_block(h, own[0], 2), own[1], 2)
        h = naive.norm(h[-1], p["norm.scale"], p["norm.bias"])[0]
        hidden = naive.dense(np.concatenate([h, w["extra"]]), p["hidden.W"], p["hidden.b"], "relu")
        out = naive.dense(hidden, p["output.W"], p["output.b"])
        expected = w["base"][:, None] + w["scale"] * out.reshape(SPEC.horizon, -1)
        np.testing.assert_allclose(found[row], expected, rtol=1e-10, atol=1e-10)
