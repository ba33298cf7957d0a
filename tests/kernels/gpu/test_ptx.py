"""Kernels of the GPU are compiled for two generations without one: they stay in float32 and in registers."""

from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[3]
# Sums of many terms, what a step of Adam does once, and what has the units of the series are float64, as on the CPU.
IN_FLOAT64 = {
    "loss.gpu._loss_forward_backward", "loss.gpu._cross_entropy_forward_backward", "optim.gpu._sum_gradients",
    "optim.gpu._adam_step", "reduction.gpu._finish", "windows.gpu._gather_windows", "batches.gpu._pick_batch",
    "batches.gpu._count_terms", "batches.gpu._finish_terms", "batches.gpu._note_batch", "batches.gpu._restore_units",
}  # fmt: skip


def test_kernels_of_float32_compute_in_float32(compiled):
    assert {fact["architecture"] for fact in compiled} == {"sm_80", "sm_90"}
    for fact in compiled:
        expected = fact["kernel"].removeprefix("forecast_kernels.") in IN_FLOAT64
        assert (fact["float64"] > 0) == expected, fact


def test_nothing_is_spilled_from_registers(compiled):
    for fact in compiled:
        assert fact["local"] == fact["spilled"] == 0, fact


def test_every_kernel_is_compiled(compiled):
    names = {fact["kernel"] for fact in compiled}
    for file in (ROOT / "kernels/forecast_kernels").rglob("gpu.py"):
        room, lines = file.parent.name, file.read_text(encoding="utf-8").splitlines()
        for line, following in pairwise(lines):
            if line.strip() == "@cuda_kernel":
                name = following.split("def ")[1].split("(")[0]
                assert f"forecast_kernels.{room}.gpu.{name}" in names, f"tests/kernels/gpu/ptx.py misses {name}"
