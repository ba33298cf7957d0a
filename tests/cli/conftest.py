"""The program, run inside the test process or as one of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from forecast.cli import app
from forecast.series import datasets

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(monkeypatch):
    """Call the program with arguments; gives its exit code, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="forecast")

    return call


@pytest.fixture
def start():
    """Start the program in a process of its own."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "kernels"), os.environ.get("PYTHONPATH", "")])
    running = []

    def call(*arguments, **options):
        command = [sys.executable, "-m", "forecast.cli", *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8", **options.pop("env", {})}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8", **options}
        # a shell lets what it runs in the background ignore interrupts, and children inherit that
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            running.append(subprocess.Popen(command, env=environment, **pipes))
        finally:
            signal.signal(signal.SIGINT, before)
        return running[-1]

    yield call
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def air():
    return datasets.path("air_passengers")


@pytest.fixture(scope="session")
def network_run(air, tmp_path_factory):
    """The folder with what one run with a network wrote."""
    folder = tmp_path_factory.mktemp("network")
    options = ["--models", "lstm,naive", "--seed", "3", "--windows", "1", "--quiet"]
    files = ["--plot", str(folder / "air.png"), "--output", str(folder / "air.csv")]
    assert CliRunner().invoke(app, ["run", str(air), "-h", "12", *options, *files]).exit_code == 0
    return folder


@pytest.fixture
def csv(tmp_path):
    """Write a CSV file of these lines."""

    def write(*lines, name="data.csv"):
        file = tmp_path / name
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return file

    return write
