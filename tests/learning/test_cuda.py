"""Training and forecasting on the GPU, or at tiny sizes in the simulator, against the CPU.

Batches have at most 8 windows where dropout is on: the CPU then makes one group of them too, and drops the same values.
"""

from dataclasses import replace

import numpy as np
import pytest

from forecast.errors import DataError, DeviceError
from forecast.learning.blocks import block_layers
from forecast.learning.network import Network, linear_path, recurrent_layers
from forecast.learning.training import Objective, Schedule, _Runner, judge, predict, train
from forecast.progress import Silent
from forecast_kernels.device import gpu, simulated
from forecast_kernels.windows.cpu import MEAN, Windowing
from tests import sine

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not gpu().available, reason=f"{gpu().missing}; test_simulated.py runs this in the simulator"),
]
if gpu().available:
    from numba import cuda
    from numba.cuda.cudadrv.driver import CudaAPIError

    from forecast.learning.cuda import DeviceRunner
    from forecast_kernels.network import gpu as twin

SPEC = Windowing(context=4, patch=2, horizon=2, seasonal=1, center=MEAN, masked=1)
OBJECTIVE = Objective(SPEC, "quantile", (0.1, 0.5, 0.9), delta=1.0, dropout=0.3)
STEPS, MANY = (5, 5) if simulated() else (20, 100)
HIDDEN = 2 if simulated() else 32
# Sums of float32 in another order; Adam divides by the size of a gradient, so that a step goes no farther than its rate
# wherever the gradient is near 0.
LIMITS = {"rtol": 1e-4, "atol": 2e-5} if simulated() else {"rtol": 2e-3, "atol": 1e-3}
SCHEDULE = Schedule(STEPS, 3, 1e-2, weight_decay=0.01, validate_every=3)


def data(seed=0):
    made = sine.data(seed)
    y = made.y.copy()
    y[[3, 4, 20, 72, 90]] = np.nan
    return made._replace(y=y, seasons=np.array([6, 0]))


def network():
    made = Network(
        recurrent_layers(
            steps=2, inputs=4, embed=2, hidden=HIDDEN, layers=2, dropout=True, extra=2, head=2, outputs=2 * 3
        )
    )
    made.initialise(1)
    return made


# Squared errors, whose gradient does not jump, and no dropout, so that batches may be large.
POINT = replace(OBJECTIVE, loss="squared", quantiles=(0.5,), dropout=0.0)


def point_network():
    made = Network(
        recurrent_layers(steps=2, inputs=4, embed=0, hidden=HIDDEN, layers=1, dropout=False, extra=2, head=0, outputs=2)
    )
    made.initialise(2)
    return made


def windows(count=8, seed=0):
    every = sine.windows()
    return every[np.random.default_rng(seed).permutation(len(every))[:count]]


@pytest.fixture(scope="module")
def trained():
    """Networks trained on either device, from the same seed, in batches of 3, 3 and 2, and what happened."""
    both = {}
    for device in ("cpu", "cuda"):
        made = network()
        validation = data(1), windows(3, 1)
        history = train(made, data(), windows(), OBJECTIVE, SCHEDULE, Silent(), validation, device=device)
        both[device] = made, history
    return both


def test_losses_and_parameters_are_those_of_the_cpu(trained):
    (here, expected), (there, found) = trained["cpu"], trained["cuda"]
    np.testing.assert_allclose(list(found.losses.values()), list(expected.losses.values()), **LIMITS)
    np.testing.assert_allclose(found.validation, expected.validation, **LIMITS)
    assert found.steps == expected.steps
    np.testing.assert_allclose(there.theta, here.theta, **LIMITS)
    assert (there.theta != network().theta).mean() > 0.9


def test_forecasts_and_loss_of_a_network_are_those_of_the_cpu(trained):
    made, chosen = trained["cuda"][0], windows(6, 2)
    expected, found = (predict(made, data(), chosen, OBJECTIVE, device=device) for device in ("cpu", "cuda"))
    assert found.shape == (6, 2, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    expected, found = (judge(made, data(), chosen, OBJECTIVE, device=device) for device in ("cpu", "cuda"))
    assert found == pytest.approx(expected, rel=1e-5)


def test_forecast_of_several_batches_is_in_the_order_of_the_windows(trained):
    made, chosen = trained["cuda"][0], windows(5, 3)
    runner = DeviceRunner(made, data(), OBJECTIVE, 2, training=False)
    alone = predict(made, data(), chosen, OBJECTIVE, device="cuda")
    np.testing.assert_allclose(runner.forward(chosen).reshape(5, 2, 3), alone, rtol=1e-6)


def test_training_again_gives_the_same_bits():
    first, again = point_network(), point_network()
    for made in (first, again):
        train(made, data(), windows(), POINT, replace(SCHEDULE, max_steps=2), Silent(), device="cuda")
    np.testing.assert_array_equal(first.theta, again.theta)


def test_divergence_is_said_as_on_the_cpu():
    schedule = replace(SCHEDULE, max_steps=1)
    for device in ("cpu", "cuda"):
        broken = point_network()
        broken.theta[-1] = np.nan
        with pytest.raises(DataError, match=r"^Training diverged at step 1 .* learning_rate than 0\.01,"):
            train(broken, data(), windows(), POINT, schedule, Silent(), device=device)


def layers(kind, dropout):
    """Of a network of blocks of one kind, or of an LSTM beside which there is a linear path."""
    if kind != "linear path":
        return block_layers(
            steps=2, inputs=4, width=4, blocks=kind, heads=2, taps=2, dropout=dropout, extra=2, head=2, outputs=6
        )
    stack = recurrent_layers(
        steps=2, inputs=4, embed=0, hidden=2, layers=1, dropout=dropout, extra=2, head=0, outputs=6
    )
    return [*stack, *linear_path(stack[-1], steps=2, inputs=4, values=2, horizon=2)]


@pytest.mark.parametrize("kind", ["s", "m", "linear path"])
def test_losses_and_gradients_of_a_step_are_those_of_the_cpu(kind):
    """Parameters are not compared: where a gradient is 0 but for rounding, Adam goes a whole step to either side."""
    objective, chosen, seeds = replace(OBJECTIVE, dropout=0.0), windows(5), np.zeros(2, np.uint64)
    found = []
    for runner in (_Runner, DeviceRunner):
        made = Network(layers(kind, dropout=False))
        made.initialise(1)
        # a rate of 0: both take the gradients of the second batch, the one that is kept, at the same parameters
        run = runner(made, data(), objective, 3, training=True)
        totals, norms = run.learn(chosen, np.array([0, 3, 5]), seeds, np.zeros(2), 0, SCHEDULE)
        gradient = run.optimizer[0] if runner is _Runner else run.optimizer[0].copy_to_host()
        found.append((totals, norms, gradient))
    (totals, norms, expected), (totals_there, norms_there, gradient) = found
    np.testing.assert_allclose(totals_there, totals, rtol=1e-5)
    np.testing.assert_allclose(norms_there, norms, rtol=1e-5)
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert (expected != 0).mean() > 0.9, "little is compared"


@pytest.mark.parametrize("kind", ["s", "m", "linear path"])
def test_networks_train_and_forecast_as_on_the_cpu(kind):
    chosen, losses, forecasts = windows(5), [], []
    for device in ("cpu", "cuda"):
        made = Network(layers(kind, dropout=True))
        made.initialise(1)
        history = train(made, data(), windows(), OBJECTIVE, replace(SCHEDULE, max_steps=2), Silent(), device=device)
        losses.append(list(history.losses.values()))
        forecasts.append(predict(made, data(), chosen, OBJECTIVE, device=device))
        again = predict(made, data(), chosen, OBJECTIVE, device="cpu")
        np.testing.assert_allclose(forecasts[-1], again, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    np.testing.assert_allclose(forecasts[1], forecasts[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", ["linear path", "s"])
def test_layer_that_is_too_wide_is_named(kind, monkeypatch):
    monkeypatch.setattr(twin, "shared_limit", lambda: 44)
    named = r"^Device 'cuda' has room for the state of 1 units, and layer '.*lstm.*' has 2; use device='cpu'"
    with pytest.raises(DeviceError, match=named):
        train(Network(layers(kind, dropout=False)), data(), windows(), OBJECTIVE, SCHEDULE, Silent(), device="cuda")


@pytest.mark.parametrize(
    ("code", "expected", "message"),
    [
        ("OUT_OF_MEMORY", DeviceError, r"^Device 'cuda' lacks the 0\.0 GB .* batches of 3 windows .* smaller batch"),
        ("NOT_INITIALIZED", Exception, "NOT_INITIALIZED"),
    ],
)
def test_batch_that_memory_cannot_hold_is_said(code, expected, message, monkeypatch):
    def refuse(*arguments):
        raise CudaAPIError(2, f"Call to cuMemAlloc results in CUDA_ERROR_{code}")

    monkeypatch.setattr(cuda, "device_array", refuse)
    with pytest.raises(expected, match=message):
        train(point_network(), data(), windows(), POINT, SCHEDULE, Silent(), device="cuda")


def test_learner_that_goes_on_from_the_state_of_another_takes_its_next_step():
    def step(runner, number):
        batch = windows(2), np.array([0, 2]), np.zeros(1, np.uint64), np.full(1, 1e-2)
        runner.learn(*batch, number, SCHEDULE)

    first, other = (DeviceRunner(point_network(), data(), POINT, 2, training=True) for _ in range(2))
    step(first, 0)
    other.resume(first.state())
    np.testing.assert_array_equal(other.network.theta, first.network.theta)
    step(first, 1)
    step(other, 1)
    np.testing.assert_array_equal(other.state(), first.state())


def test_many_steps_agree_and_take_no_more_memory_than_the_first():
    thetas, size = [], 3 if simulated() else 64
    for device in ("cpu", "cuda"):
        made = point_network()
        train(made, data(), windows(100), POINT, Schedule(MANY, size, 1e-3), Silent(), device=device)
        thetas.append(made.theta)
    np.testing.assert_allclose(thetas[1], thetas[0], **LIMITS)
    runner = DeviceRunner(made, data(), POINT, size, training=True)
    free = []
    for step in range(2 if simulated() else 30):
        arguments = windows(size), np.array([0, size]), np.zeros(1, np.uint64), np.full(1, 1e-3)
        runner.learn(*arguments, step, Schedule(MANY, size, 1e-3))
        free.append(cuda.current_context().get_memory_info().free)
    assert free[-1] >= free[0] - (64 << 20)  # lists of windows, which are freed later, are small
