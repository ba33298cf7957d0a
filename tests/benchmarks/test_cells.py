"""Speed of the cells of xLSTM: what is counted, what the sides share, and that it says so when the peer is missing."""

import sys

import numpy as np
import pytest

from benchmarks.layers import MatrixMemory, Program
from benchmarks.speed import cells
from benchmarks.speed.options import Options
from benchmarks.speed.sides.cells_shapes import CellShape, values
from forecast.learning.network import Layer
from forecast_kernels.network import table
from tests import naive

LSTM = CellShape("lstm", batch=3, time=5, hidden=8, heads=1)


def test_operations_are_those_of_the_products_with_weights():
    assert LSTM.forward_flops == 3 * 5 * (2 * 8 * 32 + 2 * 8 * 32)  # a multiply and an add each
    assert LSTM._replace(kind="slstm").forward_flops == LSTM.forward_flops
    assert LSTM._replace(kind="slstm", heads=4).forward_flops == 3 * 5 * (2 * 8 * 32 + 4 * (2 * 2 * 8))
    with pytest.raises(ValueError, match="depend on the form"):
        _ = LSTM._replace(kind="mlstm").forward_flops


def test_time_per_operation_is_that_of_equal_work():
    four = LSTM._replace(kind="slstm", heads=4)
    assert cells.per_operation([2.0], [2.0], LSTM._replace(kind="slstm"), LSTM) == "1.00"
    assert cells.per_operation([1.0], [1.6], four, LSTM) == "1.00"  # five eighths of the operations
    assert cells.per_operation([1.0], [1.0], LSTM._replace(kind="mlstm"), LSTM) == ""


def test_forms_of_the_package_need_whole_chunks():
    assert cells._peer_forms("mlstm", 128) == ["parallel", "chunkwise"]
    assert cells._peer_forms("mlstm cell", 100) == ["parallel"]
    assert len(cells._peer_forms("slstm", 128)) == 1
    assert cells._peer_forms("lstm", 128) == []


@pytest.mark.parametrize("form", ["chunkwise", "recurrent"])
def test_matrix_memory_gives_what_the_naive_one_gives(form):
    T, B, H, N = 9, 2, 6, 2
    given = {name: value.swapaxes(0, 1) for name, value in values(CellShape("mlstm cell", B, T, H, N)).items()}
    dout = np.ascontiguousarray(given.pop("dout"), np.float64)
    given = {name: np.ascontiguousarray(value, np.float64) for name, value in given.items()}
    memory = MatrixMemory(form, T, B, N, H // N, np.float64, length=4)

    def reference(**given):
        heads = {name: value.reshape(T, B, N, -1) if name in "qkv" else value for name, value in given.items()}
        return naive.mlstm(**heads)[0].reshape(T, B, H)

    for _ in range(2):  # a second run starts from nothing too
        np.testing.assert_allclose(memory.forward(*given.values()), reference(**given), rtol=0, atol=1e-12)
        found = dict(zip(given, memory.backward(dout), strict=True))
    for name in ("q", "f"):
        true = naive.numerical_gradient(
            lambda value, name=name: float((dout * reference(**(given | {name: value}))).sum()), given[name]
        )
        np.testing.assert_allclose(found[name], true, rtol=1e-6, atol=1e-8)


def test_layer_alone_has_the_gradients_of_central_differences():
    T, B, H = 4, 2, 4
    rng = np.random.default_rng(0)
    program = Program([Layer("cell", table.SLSTM, H, H, T, heads=2)], B, np.float64)
    program.network.theta[:] = rng.uniform(-0.8, 0.8, program.network.size)
    x, dout, theta = rng.normal(size=(T, B, H)), rng.normal(size=(T, B, H)), program.network.theta.copy()
    program.forward(x)
    dx, of_parameters = program.backward(dout)
    flat = np.concatenate([value.ravel() for value in of_parameters.values()])

    def moved(value):
        program.network.theta[:] = value
        return float((dout * program.forward(x)).sum())

    np.testing.assert_allclose(flat, naive.numerical_gradient(moved, theta), rtol=1e-6, atol=1e-8)
    program.network.theta[:] = theta
    true = naive.numerical_gradient(lambda value: float((dout * program.forward(value)).sum()), x)
    np.testing.assert_allclose(dx, true, rtol=1e-6, atol=1e-8)


def test_missing_package_is_shown_as_not_installed(monkeypatch):
    monkeypatch.setattr(cells, "SIZES", ((3, 4, 8),))
    monkeypatch.setattr(cells, "STEPS", (4,))
    monkeypatch.setattr(cells, "FORMS_SIZE", (2, 8, 2))
    monkeypatch.setattr(cells, "installed", lambda python, module: False)
    text = cells.section(Options(*[sys.executable] * 6, repeats=2, block=0.001, command="test"))
    rows = [line for line in text.splitlines() if line.startswith("| 3, 4, 8 |")]
    assert len(rows) == len(cells.CELLS)
    assert [row.count("not installed") for row in rows] == [0, 1, 1, 1, 1, 1]
    assert any(line.startswith("| 4 |") and "not installed" in line for line in text.splitlines())
