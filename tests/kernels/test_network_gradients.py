"""The whole compiled program against central differences in float64: every parameter, every layer, every loss.

Notation: B rows, T patches, h horizon, Q outputs a step.
"""

import numpy as np
import pytest

from forecast.learning.network import Network, linear_path, recurrent_layers
from forecast.learning.training import Objective, Schedule, WindowData, _Runner
from forecast_kernels.jit import threads
from forecast_kernels.network.table import KIND, LAST, N_OUT, OUTPUT, STEPS
from forecast_kernels.windows.cpu import MEAN, Windowing
from tests import naive

ROWS, SEED = 5, 11
SPEC = Windowing(context=6, patch=2, horizon=3, seasonal=1, center=MEAN, masked=1)
LOSSES = {"squared": (0.5,), "absolute": (0.5,), "huber": (0.5,), "quantile": (0.1, 0.5, 0.9)}


@pytest.fixture(autouse=True)
def held_threads():
    """As in training: these tests call the kernels below it."""
    with threads():
        yield


def random_walks():
    """Two series with gaps."""
    y = np.random.default_rng(1).normal(size=40).cumsum()
    y[[5, 17, 30]] = np.nan
    return WindowData(y, np.array([0, 24, 40]), np.array([[0.0, 1.0]] * 2), np.full(2, 0.01), np.array([4, 4]))


def windows(count):
    """The last ones have fewer targets than the horizon."""
    all_of_them = np.array([[0, k] for k in range(4, 24)] + [[1, k] for k in range(4, 16)])
    return all_of_them[-count:]


def program(loss="quantile", dropout=0.3, layers=2, embed=3, head=4, rows=ROWS, linear=False, spec=SPEC):
    """A small network with every kind of layer, at parameters of ordinary size."""
    quantiles = LOSSES[loss]
    objective = Objective(spec, loss, quantiles, delta=0.7, dropout=dropout)
    stack = recurrent_layers(
        steps=3, inputs=4, embed=embed, hidden=3, layers=layers, dropout=dropout > 0, extra=objective.extra,
        head=head, outputs=SPEC.horizon * len(quantiles),
    )  # fmt: skip
    if linear:
        stack += linear_path(stack[-1], steps=3, inputs=4, values=2, horizon=SPEC.horizon)
    network = Network(stack, np.float64)
    network.theta[:] = np.random.default_rng(2).uniform(-0.8, 0.8, network.size)
    return network, _Runner(network, random_walks(), objective, rows, training=True)


def backward(runner, windows, seed):
    """Loss and number of its terms, the gradients being left in the runner: a training step at rate 0."""
    schedule = Schedule(1, len(windows), 0.0)
    totals, _ = runner.learn(
        windows, np.array([0, len(windows)]), np.array([seed], np.uint64), np.zeros(1), 0, schedule
    )
    return tuple(totals[0])


def summed_loss(network, runner, theta):
    network.theta[:] = theta
    return backward(runner, windows(ROWS), SEED)[0]


def layer_outputs(runner, layer):
    """What a layer of the first group's rows emitted, of the last run."""
    row = runner.table[layer]
    steps = 1 if row[KIND] == LAST else row[STEPS]
    return runner.work[0, row[OUTPUT] : row[OUTPUT] + steps * ROWS * row[N_OUT]]


@pytest.mark.parametrize("loss", LOSSES)
def test_every_parameter_has_the_gradient_of_central_differences(loss):
    network, runner = program(loss)
    theta = network.theta.copy()
    total, count = backward(runner, windows(ROWS), SEED)
    assert total > 0
    assert count == 12 * len(LOSSES[loss])  # of 15 targets, 3 lie beyond the end of the series
    found = runner.gradients[0].copy()
    for dropped in (layer_outputs(runner, 2), layer_outputs(runner, 5)):  # dropout and ReLU: some off, some on
        assert 0 < (dropped == 0).sum() < dropped.size
    expected = naive.numerical_gradient(lambda moved: summed_loss(network, runner, moved), theta)
    for name, gradient in network.views(found).items():
        np.testing.assert_allclose(gradient, network.views(expected)[name], rtol=1e-6, atol=1e-7, err_msg=name)
        assert np.abs(gradient).max() > 1e-4, f"{name} has no gradient, so that nothing was tested"


@pytest.mark.parametrize("shape", [{"layers": 1, "embed": 0, "head": 0}, {"layers": 3, "embed": 2, "head": 0}])
def test_other_stacks_have_the_gradient_of_central_differences(shape):
    network, runner = program("squared", **shape)
    theta = network.theta.copy()
    backward(runner, windows(ROWS), SEED)
    found = runner.gradients[0].copy()
    expected = naive.numerical_gradient(lambda moved: summed_loss(network, runner, moved), theta)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("rows", [1, 5, 20])
@pytest.mark.parametrize("shape", [{}, {"layers": 1, "embed": 0, "head": 0}, {"layers": 3, "embed": 0}])
def test_workspace_is_written_before_it_is_read_and_not_left(shape, rows):
    _, runner = program(rows=rows, **shape)
    expected = backward(runner, windows(rows), SEED), runner.gradients.copy()
    groups, size = runner.work.shape
    runner.work, runner.gradients[:] = np.full((groups, size + 64), np.nan), np.nan
    runner.work[:, size:] = 7
    assert backward(runner, windows(rows), SEED) == expected[0]
    np.testing.assert_array_equal(runner.gradients, expected[1])
    np.testing.assert_array_equal(runner.work[:, size:], 7)


def test_groups_add_up_to_the_batch():
    one, two = program(dropout=0.0, rows=8)[1], program(dropout=0.0, rows=16)[1]
    assert (len(one.gradients), len(two.gradients)) == (1, 2)
    whole = backward(two, windows(16), SEED)
    halves = []
    for half in (windows(16)[:8], windows(16)[8:]):
        sums = backward(one, half, SEED)
        halves.append((*sums, one.gradients[0].copy()))
    np.testing.assert_allclose(whole, np.sum([half[:2] for half in halves], axis=0))
    np.testing.assert_allclose(two.gradients.sum(axis=0), halves[0][2] + halves[1][2], rtol=1e-10, atol=1e-12)


def test_batch_that_is_not_full_gives_the_gradient_of_its_windows_alone():
    _, runner = program(dropout=0.0)
    backward(runner, windows(ROWS), SEED)
    total, count = backward(runner, windows(2), SEED)
    alone = program(dropout=0.0, rows=2)[1]
    assert backward(alone, windows(2), SEED) == pytest.approx((total, count))
    np.testing.assert_allclose(runner.gradients[0], alone.gradients[0], rtol=1e-10, atol=1e-12)


def test_dropout_drops_in_training_alone():
    network, runner = program("squared")
    dropping = {backward(runner, windows(ROWS), seed)[0] for seed in range(5)}
    assert len(dropping) == 5
    scored = runner.score(runner.data, windows(ROWS))
    assert runner.score(runner.data, windows(ROWS)) == scored
    still = program("squared", dropout=0.0)
    for name, view in still[0].views().items():
        view[:] = network.views()[name]
    total, count = backward(still[1], windows(ROWS), SEED)
    assert total / count == pytest.approx(scored)


def test_predictions_are_those_of_the_naive_network():
    network, _ = program(dropout=0.0)
    objective = Objective(SPEC, "quantile", LOSSES["quantile"], 1.0, 0.0)
    data, p = random_walks(), network.views()
    runner = _Runner(network, data, objective, ROWS, training=False)
    found = runner.forward(windows(ROWS)).reshape(ROWS, SPEC.horizon, -1)
    for row, (s, cutoff) in enumerate(windows(ROWS)):
        y = data.y[data.indptr[s] : data.indptr[s + 1]]
        w = naive.window(y, cutoff, context=6, patch=2, horizon=3, season=4, center="mean", floor=0.01)
        h, zero = naive.dense(w["x"][:, None], p["embed.W"], p["embed.b"]), np.zeros((1, 3))
        for k in range(2):
            h, _ = naive.lstm(h, p[f"lstm.{k}.W"], p[f"lstm.{k}.R"], p[f"lstm.{k}.b"], zero, zero)
        seen = np.concatenate([h[-1, 0], w["extra"]])
        hidden = naive.dense(seen, p["hidden.W"], p["hidden.b"], "relu")
        out = naive.dense(hidden, p["output.W"], p["output.b"])
        expected = w["base"][:, None] + w["scale"] * out.reshape(SPEC.horizon, -1)
        np.testing.assert_allclose(found[row], expected, rtol=1e-10, atol=1e-10)
