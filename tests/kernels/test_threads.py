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
from forecast.progress import Silent
from forecast_kernels.jit import threads
from tests import sine

ROOT = Path(__file__).parents[2]
several = pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")


def trained(seed):
    """Parameters after some steps of two groups each, and what they forecast."""
    network, data, windows = sine.network(seed), sine.data(seed), sine.windows()
    train(network, data, windows, sine.OBJECTIVE, Schedule(20, 32, 1e-2, seed=seed), Silent())
    return np.concatenate([network.theta, predict(network, data, windows[:20], sine.OBJECTIVE).ravel()])


def digest():
    return trained(1).tobytes().hex()


@several
def test_number_of_threads_does_not_change_one_bit(monkeypatch):
    held, found = [], []
    for count in (1, 2):

        @contextmanager
        def counted(count=count):
            with threads(count):
                held.append(numba.get_num_threads())
                yield

        monkeypatch.setattr(training, "threads", counted)
        found.append(trained(1))
    assert held == [1, 1, 2, 2]  # train and predict, twice
    np.testing.assert_array_equal(*found)


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
    paths = os.pathsep.join([str(ROOT), str(ROOT / "kernels")])
    environment = os.environ | {"NUMBA_THREADING_LAYER": "workqueue", "PYTHONPATH": paths}
    result = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    layer, found = result.stdout.split()
    assert layer == "workqueue"  # the layer that aborts when two threads enter it at once
    assert found == digest()
