"""The check against the package `xlstm`: its command, its copying of weights, and what it judges."""

import subprocess
import sys

import numpy as np
import pytest

from benchmarks.parity import __main__ as command
from benchmarks.parity.ours import blocks, diagonal
from benchmarks.speed.worker import ROOT


def test_missing_package_is_refused_with_the_way_to_name_it():
    if command.installed(sys.executable, "xlstm"):
        pytest.skip("the package is here")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.parity"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "--xlstm-python" in done.stderr


def test_blocks_multiply_each_its_own_inputs():
    rng = np.random.default_rng(0)
    weight, x = rng.normal(size=(3, 4, 2)), rng.normal(size=6)  # three heads, of two inputs and four outputs
    expected = np.concatenate([weight[k] @ x[2 * k : 2 * k + 2] for k in range(3)])
    np.testing.assert_allclose(x @ diagonal(weight), expected)
    np.testing.assert_array_equal(blocks(diagonal(weight), 3), weight)


def test_deviation_is_relative_to_the_largest_value():
    theirs = {"out": np.array([1.0, -4.0]), "grad.x": np.array([[2.0, 8.0]]), "in.x": np.zeros(2)}
    found = {"out": np.array([1.0, -4.4]), "grad.x": np.array([[2.0]])}  # the second has no counterpart
    assert command.deviations(theirs, found) == {"out": pytest.approx(0.1), "grad.x": 0.0}


def test_gradient_that_is_not_compared_is_an_error():
    with pytest.raises(ValueError, match=r"grad\.R"):
        command.deviations({"out": np.ones(1), "grad.R": np.ones(1)}, {"out": np.ones(1)})


def test_only_cases_without_eps_are_judged():
    assert {case.judged for case in command.cases() if case.options.get("eps")} == {False}
    assert all(case.judged for case in command.cases() if not case.options.get("eps"))
