"""The speed benchmark: its command, its tables, and that it says so when a peer is missing."""

import os
import subprocess
import sys

import pytest

from benchmarks.speed import readme, steps
from benchmarks.speed.options import Options
from benchmarks.speed.sides.shapes import Shape
from benchmarks.speed.timing import alternate, duration, ratio_text
from benchmarks.speed.worker import ROOT, SideFailedError, Worker

TINY = Shape(batch=4, time=3, inputs=2, hidden=5, layers=2)


def test_help_tells_every_section():
    command = [sys.executable, "-m", "benchmarks.speed", "--help"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    words = "step cells tutorial panel cold growth pretrained gpu --write --torch-python --xlstm-python"
    for word in words.split():
        assert word in shown


def test_write_without_markers_is_refused_before_anything_runs(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Title\n")
    command = [sys.executable, "-m", "benchmarks.speed", "cold", "--write", "--readme", str(page)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert readme.BEGIN in done.stderr


def test_one_section_is_written_and_the_others_stay(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{readme.BEGIN}\n{readme.END}\nafter\n")
    order = ["step", "cold"]
    readme.write(page, {"cold": "cold 1"}, order)
    readme.write(page, {"step": "step 1"}, order)
    readme.write(page, {"cold": "cold 2"}, order)
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n")
    assert "cold 1" not in text
    assert text.index("step 1") < text.index("cold 2")
    assert text.count(readme.BEGIN) == text.count(readme.END) == 1


def test_sides_take_turns():
    order = []
    times = alternate({"a": lambda: order.append("a") or 1.0, "b": lambda: order.append("b") or 2.0}, 3)
    assert order == ["a", "b"] * 3
    assert times == {"a": [1.0] * 3, "b": [2.0] * 3}


def test_ratio_is_of_medians_with_quartiles_of_the_turns():
    assert ratio_text([2.0, 4.0, 90.0], [1.0, 2.0, 3.0]) == "2.00 (2.0-16.0)"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.000285, "0.285 ms"), (0.0123, "12.3 ms"), (0.9997, "1000 ms"), (3.514, "3.51 s")]
)
def test_duration_has_three_digits(seconds, text):
    assert duration(seconds) == text


def test_operations_of_a_stack_are_those_of_its_products():
    first, second = 2 * 4 * (2 + 5) * 20, 2 * 4 * (5 + 5) * 20  # (B, D + H) x (D + H, 4H), a multiply and an add each
    assert TINY.forward_flops == 3 * (first + second)


def test_missing_peer_is_shown_as_not_installed(monkeypatch):
    monkeypatch.setattr(steps, "SHAPES", (TINY,))
    monkeypatch.setattr(steps, "installed", lambda python, module: False)
    text = steps.section(Options(*[sys.executable] * 6, repeats=2, block=0.001, command="test"))
    rows = [line for line in text.splitlines() if line.startswith("| 4, 3, 2, 5, 2 |")]
    assert rows and all(row.count("not installed") == 2 for row in rows)


def test_section_gpu_is_refused_in_a_sentence_without_one():
    none = {**os.environ, "NUMBA_ENABLE_CUDASIM": "0", "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, "-m", "benchmarks.speed", "gpu"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=none)
    assert done.returncode == 2
    assert "section gpu cannot be measured: no NVIDIA GPU with its driver was found" in done.stderr


def test_side_that_fails_is_named(capfd):
    with pytest.raises(SideFailedError, match=r"step_gatecast ended in prepare"), Worker("step_gatecast") as worker:
        worker.call("prepare", shape=[1, 2, 3])
    assert "Shape" in capfd.readouterr().err
