"""The twins' own tests, run without a GPU: numba-cuda's simulator runs each thread of a kernel in Python."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(find_spec("numba_cuda") is None, reason="numba-cuda, which has the simulator, is not installed")
def test_twins_agree_in_the_simulator():
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    tests = ROOT / "tests"
    files = map(str, (Path(__file__).parent, tests / "learning/test_cuda.py", tests / "models/test_models_on_cuda.py"))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", "gpu", *files]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr
    assert "skipped" not in result.stdout
