"""Kernels of the GPU are compiled for two generations without one: they stay in float32 and in registers."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# Sums of many terms, what a step of Adam does once, and what has the units of the series are float64, as on the CPU.
IN_FLOAT64 = {
    "loss.gpu._loss_forward_backward", "loss.gpu._cross_entropy_forward_backward", "optim.gpu._sum_gradients",
    "optim.gpu._adam_step", "reduction.gpu._finish", "windows.gpu._gather_windows", "batches.gpu._pick_batch",
    "batches.gpu._count_terms", "batches.gpu._finish_terms", "batches.gpu._note_batch", "batches.gpu._restore_units",
}  # fmt: skip
NEEDED = "numba_cuda", "nvidia.cu13"


def installed(name):
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of the package that it would stand in
        return False


pytestmark = pytest.mark.skipif(
    not all(map(installed, NEEDED)), reason="a compiler for GPUs is not installed (gatecast[cuda] has it)"
)


@pytest.fixture(scope="module")
def compiled():
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")])}
    environment.pop("NUMBA_ENABLE_CUDASIM", None)
    command = [sys.executable, str(Path(__file__).with_name("ptx.py"))]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_kernels_of_float32_compute_in_float32(compiled):
    assert {fact["architecture"] for fact in compiled} == {"sm_80", "sm_90"}
    for fact in compiled:
        expected = fact["kernel"].removeprefix("forecast_kernels.") in IN_FLOAT64
        assert (fact["float64"] > 0) == expected, fact


def test_nothing_is_spilled_from_registers(compiled):
    for fact in compiled:
        assert fact["local"] == fact["spilled"] == 0, fact


def test_a_block_of_256_threads_has_enough_registers(compiled):
    for fact in compiled:
        assert fact["registers"] <= 255, fact


def test_every_kernel_is_compiled(compiled):
    names = {fact["kernel"] for fact in compiled}
    for file in (ROOT / "kernels/forecast_kernels").rglob("gpu.py"):
        room, lines = file.parent.name, file.read_text(encoding="utf-8").splitlines()
        for line, following in pairwise(lines):
            if line.strip() == "@cuda_kernel":
                name = following.split("def ")[1].split("(")[0]
                assert f"forecast_kernels.{room}.gpu.{name}" in names, f"tests/kernels/gpu/ptx.py misses {name}"
