"""Kernels that are compiled later than those that call them: not until `provide`, also when all comes from the cache.

Each test runs Python anew on a module of its own, which stands beside the kernels.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

KERNELS = Path(__file__).parents[2] / "kernels"
MODULE = """
from forecast_kernels.jit import kernel, later, parallel_kernel
from numba import prange

@kernel
def double(x, out, times: int) -> None:
    for k in range(x.shape[0]):
        out[k] = x[k] * 2 ** times

@kernel
def negate(x, out) -> None:
    for k in range(x.shape[0]):
        out[k] = -x[k]

double_later, negate_later = later(double), later(negate)

@kernel
def choose(which, x, out) -> float:
    if which == 1:
        double_later(x, out, 1)
    elif which == 2:
        negate_later(x, out)
    return x[0]

@kernel
def between(x, out) -> None:
    negate_later(x, out)

between_later = later(between)

@kernel
def deep(x, out) -> None:
    between_later(x, out)

@parallel_kernel
def rows(which, x, out) -> None:
    for k in prange(x.shape[0]):
        choose(which, x[k], out[k])
"""
START = """
import numpy as np
from forecast_kernels.jit import compile_for, make_ready, provide
import later_toys as toys

def run(which, dtype=np.float64):
    out = np.zeros((3, 4), dtype)
    toys.rows(which, np.arange(12, dtype=dtype).reshape(3, 4), out)
    return out.sum().item()
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "later_toys.py").write_text(MODULE)
    paths = os.pathsep.join([str(tmp_path), str(KERNELS)])
    environment = os.environ | {"PYTHONPATH": paths, "GATECAST_CACHE_DIR": str(tmp_path / "cache")}

    def script(text):
        result = subprocess.run(
            [sys.executable, "-c", START + text], env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr
        return result.stdout.split()

    return script


def test_kernel_is_not_compiled_with_its_caller(run):
    assert run("print(run(0), toys.double.signatures, toys.negate.signatures)") == ["0.0", "[]", "[]"]


PROVIDED = """
compile_for(toys.rows, 0, *(np.zeros((1, 1)),) * 2)
provide(toys.double)
print(run(1), len(toys.double.signatures), len(toys.negate.signatures))
print(*(sum(toys.double.stats.cache_hits.values()), sum(toys.rows.stats.cache_hits.values())))
provide(toys.double, toys.negate)
print(run(1), run(2), len(toys.double.signatures))
"""


def test_provided_kernels_are_called_also_by_code_from_the_cache(run):
    first, second = run(PROVIDED), run(PROVIDED)
    assert first == ["132.0", "1", "0", "0", "0", "132.0", "-66.0", "1"]
    assert second == ["132.0", "1", "0", "1", "1", "132.0", "-66.0", "1"]


def test_kernel_that_was_compiled_before_its_caller_is_there(run):
    text = "toys.double(np.ones(2), np.ones(2), 3)\nprint(run(1), len(toys.double.signatures))"
    for _ in range(2):
        assert run(text) == ["132.0", "1"]


def test_every_type_of_argument_has_a_place_of_its_own(run):
    text = """
compile_for(toys.rows, 0, *(np.zeros((1, 1)),) * 2)
provide(toys.double)
compile_for(toys.rows, 0, *(np.zeros((1, 1), np.float32),) * 2)
print(len(toys.double.signatures))
provide(toys.double)
print(run(1), run(1, np.float32), len(toys.double.signatures))
"""
    assert run(text) == ["1", "132.0", "132.0", "2"]


def test_kernels_are_made_ready_once_for_each_kind_of_arguments(run):
    text = """
def ready(which, x, out):
    make_ready(toys.rows, (toys.double,), which, x, out)
    toys.rows(which, x, out)
    return len(toys.double.signatures)

x, out = np.arange(12.0).reshape(3, 4), np.zeros((3, 4))
fixed = x.copy()
fixed.flags.writeable = False
print(ready(1, x, out), ready(1, x[1:], out), ready(1, fixed, out), ready(1, x[:, ::2], out[:, ::2].copy()))
single = x.astype(np.float32)
print(ready(1, single, single.copy()), out.sum())
"""
    assert run(text) == ["1", "1", "2", "3", "4", "132.0"]


def test_kernel_called_later_by_one_that_is_called_later_is_provided_with_it(run):
    text = """
compile_for(toys.deep, np.zeros(1), np.zeros(1))
provide(toys.negate, toys.between)
out = np.zeros(3)
toys.deep(np.arange(3.0), out)
print(*out)
"""
    for _ in range(2):
        assert run(text) == ["-0.0", "-1.0", "-2.0"]
