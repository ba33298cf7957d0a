"""Threads: bits do not depend on their number, which is restored, and Python threads may train side by side."""

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import numba
import numpy as np
import pytest

from forecast.learning import training
from forecast.learning.training import Schedule, predict, train
from forecast.models.recurrent.lstm import LSTM
from forecast.progress import Silent
from forecast_kernels.jit import threads
from tests import sine
from tests.toys import make_panel

ROOT = Path(__file__).parents[2]
several = pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")


def trained(seed):
    """Parameters after some steps of two groups each, and what they forecast."""
    network, data, windows = sine.network(seed), sine.data(seed), sine.windows()
    train(network, data, windows, sine.OBJECTIVE, Schedule(20, 32, 1e-2, seed=seed), Silent())
    return np.concatenate([network.theta, predict(network, data, windows[:20], sine.OBJECTIVE).ravel()])


def digest():
    return trained(1).tobytes().hex()


def run_script(script, **environment):
    """Run Python in a process of its own; returns what it prints."""
    environment |= {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")])}
    command, environment = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script], os.environ | environment
    result = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@several
def test_number_of_threads_does_not_change_one_bit(monkeypatch):
    held, found = [], []

    @contextmanager
    def watched(count):
        with threads(count):
            held.append(numba.get_num_threads())
            yield

    monkeypatch.setattr(training, "threads", watched)
    panel = make_panel({"a": np.sin(np.arange(80.0)), "b": np.cos(np.arange(60.0))})
    for count in (1, 2):
        fitted = LSTM(max_steps=20, batch_size=32, hidden_size=8, num_threads=count).fit(panel, 4)
        found.append((fitted.network.theta, fitted.predict(panel, 4).point))
    assert held == [1, 1, 2, 2]  # fit and predict, twice
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


def test_threads_are_restored_also_after_an_error():
    with threads():
        before = numba.get_num_threads()
        with threads(1) as held:
            assert held == numba.get_num_threads() == 1
        with pytest.raises(ZeroDivisionError), threads(1):
            raise ZeroDivisionError
        assert numba.get_num_threads() == before


def test_more_threads_than_there_are_means_all():
    with threads(10_000) as held:
        assert held == numba.config.NUMBA_NUM_THREADS


def test_python_threads_train_at_once_as_if_alone():
    found = {}
    workers = [threading.Thread(target=lambda seed=seed: found.update({seed: trained(seed)})) for seed in (1, 2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for seed in (1, 2):
        np.testing.assert_array_equal(found[seed], trained(seed))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("layer", ["default", "workqueue"])
def test_forked_child_of_a_process_that_has_trained_gives_the_same_bits(layer):
    script = (
        "import os, threading\n"
        "from tests.kernels.test_threads import digest\n"
        "from forecast_kernels.jit import threads\n"
        "found = digest()\n"
        "held, done = threading.Event(), threading.Event()\n"
        "def hold():\n"
        "    with threads():\n"
        "        held.set(); done.wait()\n"
        "threading.Thread(target=hold).start(); held.wait()\n"  # the child has its lock, not its thread
        "child = os.fork()\n"
        "if not child:\n"
        "    os._exit(0 if digest() == found else 1)\n"
        "status = os.waitpid(child, 0)[1]\n"
        "done.set()\n"
        "assert status == 0, status\n"
        "assert digest() == found\n"
    )
    run_script(script, NUMBA_THREADING_LAYER=layer)


def test_every_threading_layer_gives_the_same_bits_and_survives_python_threads():
    script = (
        "import threading\n"
        "from tests.kernels.test_threads import digest\n"
        "found = []\n"
        "workers = [threading.Thread(target=lambda: found.append(digest())) for _ in range(2)]\n"
        "[worker.start() for worker in workers]; [worker.join() for worker in workers]\n"
        "assert found[0] == found[1]\n"
        "import numba\n"
        "print(numba.threading_layer(), found[0])\n"
    )
    layer, found = run_script(script, NUMBA_THREADING_LAYER="workqueue").split()
    assert layer == "workqueue"  # the layer that aborts when two threads enter it at once
    assert found == digest()
