"""The training loop: it learns, stops at the best weights, repeats itself bit for bit, and says when it diverges."""

from dataclasses import replace

import numpy as np
import pytest

from forecast.errors import DataError
from forecast.learning.batches import ShuffledBatches
from forecast.learning.training import Schedule, WindowData, _Runner, judge, predict, rows_per_group, train
from forecast.progress import Silent
from forecast_kernels.jit import threads
from forecast_kernels.network.cpu import run_batches, run_group
from forecast_kernels.optim.cpu import adam_step
from tests import naive, peers, sine

POINT = replace(sine.OBJECTIVE, loss="squared", quantiles=(0.5,), dropout=0.0)


class Counter(Silent):
    """Counts the steps that are reported."""

    def __init__(self):
        self.steps = 0

    def advance(self, steps=1, **figures):
        self.steps += steps


def fitted(schedule, seed=0, objective=sine.OBJECTIVE, **options):
    network = sine.network(seed, len(objective.quantiles))
    history = train(network, sine.data(), sine.windows(), objective, schedule, Silent(), **options)
    return network, history


def test_training_learns_a_sine():
    network, data = sine.network(2, quantiles=1), sine.data(noise=0.0)
    history = train(network, data, sine.windows(), POINT, Schedule(400, 32, 2e-2), Silent())
    losses = list(history.losses.values())
    assert losses[-1] < 0.02 * losses[0]
    found = predict(network, data, np.array([[0, 66], [1, 46]]), POINT)[:, :, 0]
    np.testing.assert_allclose(found, [data.y[66:70], data.y[116:120]], atol=0.15)


def test_quantiles_learned_from_noise_are_apart():
    network, _ = fitted(Schedule(200, 32, 1e-2))
    low, middle, high = predict(network, sine.data(), sine.windows(), sine.OBJECTIVE).mean(axis=(0, 1))
    assert low + 0.05 < middle < high - 0.05


@pytest.mark.parametrize("decay", ["cosine", "step", "constant"])
def test_same_seed_gives_the_same_bits_and_another_seed_others(decay):
    schedule = Schedule(10, 32, 1e-2, decay=decay, weight_decay=0.01)
    first, again, other = (
        fitted(replace(schedule, seed=seed))[0].theta for seed in (1, 1, 2)
    )  # the initial weights are the same
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_history_does_not_depend_on_how_many_steps_a_call_takes(monkeypatch):
    schedule = Schedule(2000, 8, 1e-3, stop_after=60)  # a report is the mean of 20 steps
    network, history = fitted(schedule)
    monkeypatch.setattr("time.perf_counter", iter(range(10_000)).__next__)  # a second a look: one step a call
    slow, of_slow = fitted(schedule)
    np.testing.assert_array_equal(slow.theta, network.theta)
    assert of_slow == history


def test_every_window_comes_once_before_any_comes_again():
    windows = np.stack([np.zeros(10, int), np.arange(10)], axis=1)
    batches = ShuffledBatches(windows, 4, np.random.default_rng(0))
    chosen, bounds = batches.take(4)
    assert bounds.tolist() == [0, 4, 8, 10, 14]
    assert sorted(chosen[:10, 1]) == list(range(10))
    more, _ = batches.take(2)
    assert sorted(np.concatenate([chosen[10:, 1], more[:, 1]])) == list(range(10))


def test_more_windows_than_are_put_in_order_at_once_are_drawn(monkeypatch):
    monkeypatch.setattr("forecast.learning.batches.AT_ONCE", 64)
    windows = np.stack([np.zeros(1000, int), np.arange(1000)], axis=1)
    drawn = [ShuffledBatches(windows, 32, np.random.default_rng(seed)).take(200)[0][:, 1] for seed in (0, 0, 1)]
    assert drawn[0].min() < 20 and drawn[0].max() > 980
    assert len(np.unique(drawn[0])) > 990
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).any()


def test_early_stopping_keeps_the_best_weights():
    schedule = Schedule(200, 8, 0.05, decay="constant", patience=3, validate_every=2)
    validation = (sine.data(seed=5, noise=0.5), sine.windows())
    network, history = fitted(schedule, validation=validation)
    best = int(np.argmin(history.validation))
    assert len(history.validation) == best + 1 + 3 < 100  # three validations later it stopped
    assert history.steps == 2 * (best + 1)
    shorter, _ = fitted(replace(schedule, max_steps=history.steps))
    np.testing.assert_array_equal(network.theta, shorter.theta)


def test_validation_without_patience_runs_to_the_end_and_keeps_the_best_weights():
    schedule = Schedule(30, 8, 0.05, decay="constant", validate_every=4)
    _, history = fitted(schedule, validation=(sine.data(seed=5, noise=0.5), sine.windows()))
    assert len(history.validation) == 8  # every fourth step, and the last
    assert history.steps == min(4 * (int(np.argmin(history.validation)) + 1), 30)


def test_validation_does_not_change_what_is_learned():
    schedule = Schedule(10, 32, 1e-2, validate_every=10)
    with_it, _ = fitted(schedule, validation=(sine.data(seed=5), sine.windows()))
    np.testing.assert_array_equal(with_it.theta, fitted(schedule)[0].theta)


def test_network_is_judged_alike_before_training_and_within():
    network, data, windows = sine.network(), sine.data(), sine.windows()
    within = _Runner(network, data, sine.OBJECTIVE, 32, training=True).score(data, windows)
    assert judge(network, data, windows, sine.OBJECTIVE) == pytest.approx(within, rel=1e-6)


def test_divergence_is_said_in_one_sentence():
    with pytest.raises(DataError, match=r"^Training diverged at step \d+ .* smaller learning_rate than 1e\+30,"):
        fitted(Schedule(10, 32, 1e30))


def test_no_steps_keep_the_weights():
    network, history = fitted(Schedule(0, 32, 1e-2))
    np.testing.assert_array_equal(network.theta, sine.network().theta)
    assert (history.losses, history.steps) == ({}, 0)


def test_epoch_visits_every_window_once():
    network, data, windows = sine.network(quantiles=1), sine.data(), sine.windows()[:20]
    history = train(network, data, windows, POINT, Schedule(6, 8, 0.0), Silent())  # two epochs of 8, 8 and 4 windows
    errors = predict(network, data, windows, POINT)[:, :, 0] - [data.y[k : k + 4] for _, k in windows]
    losses = list(history.losses.values())
    for epoch in (losses[:3], losses[3:]):
        assert np.dot(epoch, [8, 8, 4]) / 20 == pytest.approx((errors**2).mean(), rel=1e-5)
    assert losses[:3] != losses[3:]  # in another order


@pytest.mark.parametrize("steps", [1, 7, 100, 299])
def test_progress_adds_up_to_the_steps(steps):
    counter = Counter()
    train(sine.network(), sine.data(), sine.windows(), sine.OBJECTIVE, Schedule(steps, 8, 1e-3), counter)
    assert counter.steps == steps


def test_batch_larger_than_the_windows_is_all_of_them():
    network = sine.network()
    train(network, sine.data(), sine.windows()[:3], sine.OBJECTIVE, Schedule(5, 64, 1e-2), Silent())
    assert np.isfinite(network.theta).all()


def test_options_given_as_integers_compile_nothing_again():
    fitted(Schedule(1, 8, 1e-3))
    counts = [len(kernel.signatures) for kernel in (run_group, run_batches, adam_step)]
    whole = replace(sine.OBJECTIVE, loss="huber", quantiles=(0.5,), delta=1, dropout=0)
    fitted(Schedule(1, 8, 1, decay="constant", weight_decay=0, clip_norm=1), objective=whole)
    assert [len(kernel.signatures) for kernel in (run_group, run_batches, adam_step)] == counts


def test_forecasts_do_not_depend_on_the_other_windows():
    network, data, windows = sine.network(3), sine.data(), sine.windows()
    together = predict(network, data, windows, sine.OBJECTIVE)
    alone = np.concatenate([predict(network, data, windows[k : k + 1], sine.OBJECTIVE) for k in range(20)])
    np.testing.assert_allclose(together[:20], alone, rtol=1e-5, atol=1e-5)


def test_forecasts_carry_the_scale_of_the_data():
    plain = sine.data()
    scaled = WindowData(1000 + 50 * plain.y, plain.indptr, np.array([[1000.0, 50.0]] * 2), plain.floors, plain.seasons)
    by_series = replace(sine.OBJECTIVE, spec=sine.SPEC._replace(center=3))
    network, windows = sine.network(3), sine.windows()
    expected = 1000 + 50 * predict(network, plain, windows, by_series)
    np.testing.assert_allclose(predict(network, scaled, windows, by_series), expected, rtol=1e-6)


def test_cosine_decay_is_that_of_torch():
    golden = peers.load("torch_optim")
    start, end = float(golden["learning_rate"]), float(golden["cosine_end"])
    schedule = Schedule(int(golden["cosine_steps"]), 32, start)
    found = np.array([schedule.rate(step) for step in range(11)])
    np.testing.assert_allclose(end + found * (start - end) / start, golden["cosine_rates"], rtol=1e-12)
    assert schedule.rate(3) == pytest.approx(naive.cosine_rate(3, 10, start))


def test_step_decay_divides_by_ten_twice_and_constant_does_not():
    steps = Schedule(100, 32, 1.0, decay="step")
    assert [steps.rate(step) for step in (0, 59, 60, 84, 85, 99)] == [1, 1, 0.1, 0.1, 0.01, 0.01]
    constant = replace(steps, decay="constant")
    assert {constant.rate(step) for step in range(100)} == {1.0}


@pytest.mark.parametrize("batch", range(1, 600, 7))
def test_groups_hold_the_batch_with_little_to_spare(batch):
    rows = rows_per_group(batch)
    assert 1 <= rows <= 64
    assert -(-batch // rows) * rows - batch < max(rows, 8)


def test_validation_without_an_observed_target_keeps_the_last_weights():
    network, data, windows = sine.network(1), sine.data(1), sine.windows()
    hidden = data._replace(y=np.where(np.arange(len(data.y)) < len(data.y) - 20, data.y, np.nan))
    end = np.array([[0, len(data.y) - 10]])
    history = train(
        network, data, windows, sine.OBJECTIVE, Schedule(6, 32, 1e-2, validate_every=2), Silent(), (hidden, end)
    )
    assert history.validation == [np.inf] * 3
    assert history.steps == 6


def test_gradient_of_a_smaller_last_batch_has_nothing_of_the_batch_before():
    windows, still = sine.windows()[:40], Schedule(2, 32, learning_rate=0.0)

    def gradient(chosen, bounds):
        runner = _Runner(sine.network(quantiles=1), sine.data(), POINT, 32, training=True)
        batches = len(bounds) - 1
        with threads():
            runner.learn(chosen, np.array(bounds), np.zeros(batches, np.uint64), np.zeros(batches), 0, still)
        return runner.optimizer[0]

    np.testing.assert_array_equal(gradient(windows, [0, 32, 40]), gradient(windows[32:], [0, 8]))
