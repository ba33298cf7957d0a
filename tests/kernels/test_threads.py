"""Threads: bits do not depend on their number, BLAS gets its own back, and Python threads may train side by side."""

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import numba
import numpy as np
import pytest
from threadpoolctl import threadpool_info

from forecast.learning import training
from forecast.learning.network import Network, recurrent_layers
from forecast.learning.training import Objective, Schedule, WindowData, predict, train
from forecast.progress import Silent
from forecast_kernels.jit import threads
from forecast_kernels.windows.cpu import MEAN, Windowing

ROOT = Path(__file__).parents[2]
OBJECTIVE = Objective(Windowing(12, 3, 4, 6, MEAN, 1), "quantile", (0.1, 0.5, 0.9), 1.0, 0.2)
several = pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")


def trained(seed, steps=20):
    """Parameters after some steps on a noisy sine, and what they forecast; batches are two groups."""
    rng = np.random.default_rng(seed)
    y = np.sin(np.arange(120) * 2 * np.pi / 6) + rng.normal(0, 0.1, 120)
    data = WindowData(y, np.array([0, 70, 120]), np.array([[0.0, 1.0]] * 2), np.full(2, 0.01))
    windows = np.array([[0, k] for k in range(6, 69)] + [[1, k] for k in range(6, 49)])
    layers = recurrent_layers(steps=4, inputs=6, embed=8, hidden=8, layers=2, dropout=True, extra=4, head=8, outputs=12)
    network = Network(layers)
    network.initialise(seed)
    train(network, data, windows, OBJECTIVE, Schedule(steps, 32, 1e-2, seed=seed), Silent())
    return np.concatenate([network.theta, predict(network, data, windows[:20], OBJECTIVE).ravel()])


def digest():
    return trained(1).tobytes().hex()


def blas_threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


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
    assert blas_threads(), "NumPy's BLAS is unknown to threadpoolctl: nothing would be held to one thread"
    before = numba.get_num_threads(), blas_threads()
    with threads(1):
        assert numba.get_num_threads() == 1
        assert set(blas_threads()) == {1}
    with pytest.raises(ZeroDivisionError), threads(1):
        raise ZeroDivisionError
    assert (numba.get_num_threads(), blas_threads()) == before


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
