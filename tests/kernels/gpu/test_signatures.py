"""Kernels of the CPU and of the GPU have the same names and arguments; read from the sources, so no GPU is needed.

The rule: a function of a room's gpu.py takes what its twin in cpu.py (or in the files that OF_CPU names) takes, in that
order, and then ``result`` if the twin returns a number, which would have to wait for the GPU, and ``stream``. A size of
a workspace is asked for alike.
"""

import ast
from pathlib import Path

import pytest

KERNELS = Path(__file__).parents[3] / "kernels" / "forecast_kernels"
# The inside of a product differs, and the host walks the networks of the GPU; the kernels that both use are compared.
APART = "batches", "blocks", "matmul", "network", "reduction", "tiles"
LEFT_OUT = {"lstm": {"symbols"}}  # arguments that the GPU's twin does not take
# Files of a room's twins where they are not cpu.py alone.
OF_CPU = {"dense": ("cpu", "heads"), "mlstm": ("chunkwise",)}
ROOMS = sorted(file.parent.name for file in KERNELS.glob("*/gpu.py") if file.parent.name not in APART)


def functions(file):
    """Public functions of a file by name: the names of their arguments, and what they return."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {
        node.name: ([argument.arg for argument in node.args.args], ast.unparse(node.returns))
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }


def of_cpu(room):
    """Functions of a room's twins."""
    found = {}
    for name in OF_CPU.get(room, ("cpu",)):
        found |= functions(KERNELS / room / f"{name}.py")
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_twins_take_the_same_arguments(room):
    gpu, cpu = functions(KERNELS / room / "gpu.py"), of_cpu(room)
    assert gpu, "nothing is compared"
    for name, (arguments, returned) in gpu.items():
        assert name in cpu, f"{room}/gpu.py has {name}, the CPU has not"
        expected, given = cpu[name]
        expected = [argument for argument in expected if argument not in LEFT_OUT.get(room, ())]
        if given == "int":
            assert (arguments, returned) == (expected, given)
        else:
            assert arguments == [*expected, *(["result"] if given == "float" else []), "stream"], name


@pytest.mark.parametrize("room", ROOMS)
def test_every_kernel_has_a_twin(room):
    parts = {"lstm": {"activate"}}  # of a kernel, as the loops of the CPU want them
    cpu = set(of_cpu(room)) - parts.get(room, set())
    assert set(functions(KERNELS / room / "gpu.py")) == cpu


def test_rooms_with_twins_are_found():
    twins = {"conv", "dense", "dropout", "embedding", "gate", "linear", "loss", "lstm", "mlstm", "norm", "optim"}
    assert twins | {"slstm", "windows"} <= set(ROOMS)
