"""The cache of compiled kernels: found again, never stale, and not needed.

Each test runs Python anew with a copy of the kernels. The kernel is `dropout`, which compiles fast and calls a cell in
another file: the file that Numba's own cache would not look at.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

KERNELS = Path(__file__).parents[2] / "kernels" / "forecast_kernels"
SCRIPT = """
import json, sys
import numpy as np
from forecast_kernels.dropout.cpu import dropout
out = np.empty(8)
dropout(np.ones(8), 0.5, np.uint64(1), out)
hits, misses = dropout.stats.cache_hits, dropout.stats.cache_misses
assert sys.modules['forecast_kernels'].__file__.startswith(sys.argv[1]), 'not the copy'
print(json.dumps([out.tolist(), sum(hits.values()), sum(misses.values())]))
"""


class Run(NamedTuple):
    out: list
    hits: int
    misses: int


@pytest.fixture
def copy(tmp_path):
    """A copy of the kernels that may be edited."""
    shutil.copytree(KERNELS, tmp_path / "forecast_kernels", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "forecast_kernels"


def run(copy, cache):
    """Call the kernel in a new process."""
    environment = os.environ | {"PYTHONPATH": str(copy.parent), "GATECAST_CACHE_DIR": str(cache)}
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(copy)],
        env=environment,
        cwd=copy.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return Run(*json.loads(result.stdout))


def test_second_process_takes_the_kernel_from_the_cache(copy, tmp_path):
    first, second = run(copy, tmp_path / "cache"), run(copy, tmp_path / "cache")
    assert 0 < first.out.count(0) < 8
    assert (first.hits, second.hits, second.misses) == (0, 1, 0)
    assert second.out == first.out


def test_edit_of_a_callee_in_another_file_is_seen(copy, tmp_path):
    before = run(copy, tmp_path / "cache")
    scalars = copy / "scalars.py"
    text = scalars.read_text()
    edited = text.replace("return np.float64(mix(seed, index)", "return 0 * np.float64(mix(seed, index)")
    assert edited != text
    scalars.write_text(edited)
    after = run(copy, tmp_path / "cache")
    assert after.hits == 0
    assert after.out == [0] * 8  # every number drawn is below the rate now
    scalars.write_text(text)
    assert run(copy, tmp_path / "cache") == Run(before.out, hits=1, misses=0)


def test_kernels_work_where_no_cache_can_be_written(copy, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("a folder cannot be made below a file")
    found = run(copy, blocked / "cache")
    assert found.hits == 0
    assert 0 < found.out.count(0) < 8
    assert not list(copy.rglob("*.nb?"))  # nothing was written beside the sources either
