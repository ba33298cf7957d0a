"""The benchmark of texts: its help, its table, and that it says so when PyTorch is missing."""

import argparse
import subprocess
import sys

from benchmarks.speed.worker import ROOT
from benchmarks.text import __main__ as command


def test_help_tells_what_is_needed():
    shown = subprocess.run(
        [sys.executable, "-m", "benchmarks.text", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for word in ("--text", "--torch-python", "--passes", "bits per character"):
        assert word in shown


def test_missing_peer_is_shown_as_not_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(command, "installed", lambda python, module: False)
    text = tmp_path / "text.txt"
    text.write_text("one two three four " * 100)
    options = argparse.Namespace(
        text=text, passes=1, embed=4, hidden=8, layers=1, batch=4, steps=8, rate=1e-2, symbols=20, threads=1,
        python=sys.executable, torch_python=sys.executable,
    )  # fmt: skip
    told = command.measured(options)
    (row,) = [line for line in told.splitlines() if line.startswith("| 4, 8, 1, 4, 8 |")]
    assert row.count("not installed") == 3
    assert "1 pass of 57 steps" in told
