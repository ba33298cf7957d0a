"""``forecast info`` and ``forecast warmup``."""

import json
import platform


def test_info_tells_versions_device_and_folders(run):
    facts = json.loads(run("info", "--json").stdout)
    assert facts["versions"]["python"] == platform.python_version()
    assert set(facts["versions"]) >= {"gatecast", "numpy", "numba", "pandas", "statsmodels"}
    assert facts["threads"] >= 1
    assert facts["device"].startswith("cpu")
    assert (facts["gpu"] is None) == (facts["gpu_missing"] is not None)
    assert facts["cache_bytes"] > 0 or not facts["kernels_compiled"]
    assert "threads" in run("info").stdout


def test_second_warmup_has_nothing_to_do(run):
    assert run("warmup").exit_code == 0
    result = run("warmup")
    assert result.stdout.startswith("The kernels were compiled")
    assert result.stderr == ""
    assert json.loads(run("info", "--json").stdout)["kernels_compiled"]
