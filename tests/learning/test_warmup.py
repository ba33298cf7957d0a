"""Warm-up: compiles once, marks the cache, and does nothing later; every kernel that training needs is then there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from forecast.learning import warmup
from forecast.progress import Silent

ROOT = Path(__file__).parents[2]


class Recorder(Silent):
    def __init__(self):
        self.calls = []

    def start(self, label, total):
        self.calls.append((label, total))

    def advance(self, steps=1, **figures):
        self.calls.append(steps)

    def finish(self):
        self.calls.append("finished")


@pytest.fixture
def cold(monkeypatch, tmp_path):
    """As if nothing had been compiled; the kernels themselves are this session's."""
    monkeypatch.setattr(warmup, "_warm", set())
    monkeypatch.setattr(warmup, "cache_folder", lambda: tmp_path)
    return tmp_path


def test_warmup_marks_the_cache_and_is_nothing_later(cold, monkeypatch):
    first, second = Recorder(), Recorder()
    assert not warmup.is_warm()
    warmup.warmup(first)
    (label, total), *steps, end = first.calls
    assert label == warmup.LABEL
    assert (sum(steps), end) == (total, "finished")
    assert warmup.is_warm()
    monkeypatch.setattr(warmup, "_warm", set())  # another process
    assert warmup.is_warm()
    warmup.warmup(second)
    assert second.calls == []


def test_groups_of_kernels_are_compiled_one_by_one(cold):
    warmup.warmup(None, "arima")
    assert warmup.is_warm("arima")
    assert not warmup.is_warm("network")
    assert not warmup.is_warm()


def test_group_whose_process_failed_is_compiled_here(cold, monkeypatch):
    done = []
    monkeypatch.setattr(
        warmup, "_compiling", lambda group: subprocess.Popen([sys.executable, "-c", "raise SystemExit(1)"])
    )
    monkeypatch.setattr(warmup, "_STEPS", {name: lambda name=name: [lambda: done.append(name)] for name in ("a", "b")})
    warmup.warmup()
    assert done == ["a", "b"]
    assert warmup.is_warm("a", "b")


def test_groups_are_compiled_into_one_cache_at_the_same_time(tmp_path):
    script = (
        "from forecast.learning import warmup\n"
        "warmup._STEPS['network'] = lambda: []\n"  # so that only the child has something to do
        "warmup.warmup(None, 'network', 'arima')\n"
        "from forecast_kernels.arima.cpu import log_likelihood\n"
        "print(len(log_likelihood.signatures))\n"
    )
    paths = os.pathsep.join([str(ROOT), str(ROOT / "kernels")])
    environment = os.environ | {"PYTHONPATH": paths, "GATECAST_CACHE_DIR": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.stdout == "0\n", result.stderr  # nothing was compiled in the process itself
    (folder,) = tmp_path.iterdir()
    assert {"complete-network", "complete-arima"} <= {file.name for file in folder.iterdir()}
    assert any("log_likelihood" in file.name for file in folder.iterdir())


def test_warmup_without_a_cache_is_done_once_a_process(cold, monkeypatch):
    monkeypatch.setattr(warmup, "cache_folder", lambda: None)
    warmup.warmup()
    assert warmup.is_warm()
    assert not list(cold.iterdir())


def test_warmup_that_fails_leaves_no_mark(cold, monkeypatch):
    def broken():
        raise MemoryError

    recorder = Recorder()
    monkeypatch.setitem(warmup._STEPS, "network", lambda: [broken])
    with pytest.raises(MemoryError):
        warmup.warmup(recorder)
    assert recorder.calls[-1] == "finished"
    assert not warmup.is_warm()


def test_training_after_warmup_compiles_nothing():
    script = (
        "from forecast.learning.warmup import warmup\n"
        "warmup()\n"
        "import numpy as np\n"
        "from forecast.models.recurrent import LSTM, XLSTM\n"
        "from forecast.models.arima import AutoARIMA\n"
        "from forecast_kernels.arima import cpu, fit, forecast, start\n"
        "from forecast_kernels.network.blocks import block_backward, block_forward\n"
        "from forecast_kernels.network.cpu import run_group, run_batches\n"
        "from forecast_kernels.optim.cpu import adam_step, sum_gradients\n"
        "from tests.toys import make_panel\n"
        "for options in ({}, {'season_length': 0, 'loss': 'huber', 'dropout': 0, 'num_layers': 1}):\n"
        "    LSTM(max_steps=2, **options).fit(make_panel()).predict(make_panel(), 3)\n"
        "XLSTM(max_steps=2, blocks='sm').fit(make_panel()).predict(make_panel(), 3)\n"
        "fitted = AutoARIMA(max_p=1).fit(make_panel())\n"
        "fitted.predict(make_panel(), 3)\n"
        "arima = cpu.log_likelihood, fit.fit_arma, forecast.forecast, start.promising_starts\n"
        "for kernel in (run_group, run_batches, block_forward, block_backward, adam_step, sum_gradients, *arima):\n"
        "    print(sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values()))\n"
    )
    warmup.warmup()
    paths = os.pathsep.join([str(ROOT), str(ROOT / "kernels")])
    result = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": paths},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["1", "0"] * 10


def test_network_of_lstm_layers_compiles_nothing_of_blocks_and_a_prediction_nothing_of_learning():
    script = (
        "import numpy as np\n"
        "from forecast.learning.training import predict\n"
        "from forecast_kernels.lstm.cpu import lstm_backward, lstm_forward\n"
        "from forecast_kernels.network.blocks import block_forward\n"
        "from forecast_kernels.network.cpu import network_backward\n"
        "from tests import sine\n"
        "predict(sine.network(), sine.data(), sine.windows(), sine.OBJECTIVE)\n"
        "print(*(len(k.signatures) for k in (lstm_forward, lstm_backward, network_backward, block_forward)))\n"
    )
    paths = os.pathsep.join([str(ROOT), str(ROOT / "kernels")])
    result = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": paths},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.split() == ["1", "0", "0", "0"], result.stderr
