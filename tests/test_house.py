"""The house: imports run one way, and `import forecast` stays light."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# A room imports from itself and from those before it.
ORDER = [
    "errors", "progress", "words", "defaults", "series", "learning", "models", "evaluation", "reporting", "storage",
    "text", "forecaster", "__init__", "cli",
]  # fmt: skip
REACH_KERNELS = {"learning", "models"}
KERNELS_KNOW = {"cuda", "forecast_kernels", "llvmlite", "numba", "numpy", "platformdirs"}
HEAVY = {"llvmlite", "matplotlib", "numba", "numpy", "pandas", "scipy", "statsmodels", "utilsforecast"}


def files(folder):
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in sorted((ROOT / folder).rglob("*.py"))]


def imported(path):
    """Full names of what a file imports, at its top or in its functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import, which hides where it leads"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", files("forecast"))
def test_imports_run_one_way(path):
    here = path.relative_to(ROOT / "forecast").parts[0].removesuffix(".py")
    for name in imported(path):
        package, *rest = name.split(".")
        if package == "forecast_kernels":
            assert here in REACH_KERNELS, f"{path} imports {name}"
        elif package == "forecast" and rest != ["__version__"]:
            there = rest[0] if rest and rest[0] in ORDER else "__init__"
            assert ORDER.index(there) <= ORDER.index(here), f"{path} imports {name}"


@pytest.mark.parametrize("path", files("forecast/evaluation"))
def test_evaluation_knows_models_by_their_base_class_alone(path):
    for name in imported(path):
        assert not name.startswith("forecast.models") or name.startswith("forecast.models.base."), name


@pytest.mark.parametrize("path", files("kernels/forecast_kernels"))
def test_kernels_know_nothing_of_the_forecaster(path):
    for name in imported(path):
        package = name.split(".")[0]
        assert package in KERNELS_KNOW or package in sys.stdlib_module_names, f"{path} imports {name}"


def test_import_of_forecast_loads_nothing_heavy():
    script = "import sys, forecast; dir(forecast); print(*sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")])}
    result = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in result.stdout.split()}
    assert "forecast" in loaded
    assert not loaded & HEAVY
