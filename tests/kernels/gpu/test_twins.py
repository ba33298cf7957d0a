"""Kernels of the GPU against their twins of the CPU, on a GPU or, at the same tiny shapes, in numba-cuda's simulator.

Notation: B rows, T time, D inputs, H hidden, N values, P parameters, V symbols. On a GPU: ``pytest -m gpu``.
"""

import math

import numpy as np
import pytest

from forecast_kernels.device import gpu, simulated
from tests.kernels.gpu.compare import both, empty, same, values

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not gpu().available, reason=f"{gpu().missing}; test_simulated.py runs this in the simulator"),
]
if gpu().available:
    from numba import cuda

    from forecast_kernels.dense import cpu as dense_cpu
    from forecast_kernels.dense import gpu as dense_gpu
    from forecast_kernels.dropout import cpu as dropout_cpu
    from forecast_kernels.dropout import gpu as dropout_gpu
    from forecast_kernels.embedding import cpu as embedding_cpu
    from forecast_kernels.embedding import gpu as embedding_gpu
    from forecast_kernels.gate import cpu as gate_cpu
    from forecast_kernels.gate import gpu as gate_gpu
    from forecast_kernels.jit_cuda import multiprocessors
    from forecast_kernels.linear import cpu as linear_cpu
    from forecast_kernels.linear import gpu as linear_gpu
    from forecast_kernels.loss import cpu as loss_cpu
    from forecast_kernels.loss import gpu as loss_gpu
    from forecast_kernels.lstm import cpu as lstm_cpu
    from forecast_kernels.lstm import gpu as lstm_gpu
    from forecast_kernels.matmul import gpu as matmul_gpu
    from forecast_kernels.optim import cpu as optim_cpu
    from forecast_kernels.optim import gpu as optim_gpu
    from forecast_kernels.reduction.gpu import BLOCKS

LARGE = 1 if simulated() else 40  # times tiny shapes


def result():
    return cuda.to_device(empty(BLOCKS + 1, dtype=np.float64))


def one(value, dtype):
    return cuda.to_device(np.array([value], dtype))


@pytest.mark.parametrize("size", [(1, 1, 1), (3, 5, 7), (8, 8, 8), (17, 9, 33)])
@pytest.mark.parametrize(("a_turned", "b_turned"), [(False, False), (False, True), (True, False)])
def test_product_of_any_size_and_orientation(size, a_turned, b_turned):
    M, N, K = (LARGE * length for length in size)
    rng = np.random.default_rng(0)
    a, b = values(rng, M, K), values(rng, K, N)
    out, packed = cuda.to_device(empty(M, N)), cuda.to_device(empty(matmul_gpu.product_workspace(M, N)))
    left, right = (np.ascontiguousarray(x.T if turn else x) for x, turn in ((a, a_turned), (b, b_turned)))
    exact = a.astype(np.float64) @ b
    for space in (None, packed):
        matmul_gpu.product(cuda.to_device(left), a_turned, cuda.to_device(right), b_turned, None, 0, out, space)
        np.testing.assert_allclose(out.copy_to_host(), exact, rtol=1e-5, atol=1e-6 * K)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (7, 3), (40, 9)])
def test_columns_are_summed(rows, columns):
    x = values(np.random.default_rng(1), rows * LARGE, columns * LARGE)
    out, packed = cuda.to_device(empty(x.shape[1])), empty(matmul_gpu.column_sums_workspace(x.shape[1]))
    matmul_gpu.column_sums(cuda.to_device(x), out, cuda.to_device(packed))
    np.testing.assert_allclose(out.copy_to_host(), x.astype(np.float64).sum(axis=0), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("activation", [0, 1])
@pytest.mark.parametrize(("B", "D", "H"), [(1, 1, 1), (5, 3, 11), (25, 2, 3)])
def test_dense(B, D, H, activation):
    rng = np.random.default_rng(2)
    x, W, b, dout = values(rng, B, D), values(rng, D, H), values(rng, H), values(rng, B, H)
    spaces = dense_cpu.dense_workspace(D, H), dense_gpu.dense_workspace(D, H)
    arguments = x, W, b, activation, empty(B, H)
    [out], _ = both(dense_cpu.dense_forward, dense_gpu.dense_forward, arguments, [4], spaces)
    same([out])
    for wanted in (B, 0):
        arguments = x, W, out[0], activation, dout, empty(wanted, D), empty(D, H), empty(H)
        same(both(dense_cpu.dense_backward, dense_gpu.dense_backward, arguments, [4, 5, 6, 7], spaces)[0])


def test_nan_stays_visible_behind_relu():
    x, W, b = np.array([[np.nan]], np.float32), np.ones((1, 1), np.float32), np.zeros(1, np.float32)
    out = cuda.to_device(np.zeros((1, 1), np.float32))
    dense_gpu.dense_forward(*map(cuda.to_device, (x, W, b)), 1, out, cuda.to_device(x))
    assert np.isnan(out.copy_to_host()).all()


def lstm_forward_of_values(x, WR, b, *rest):
    """On the CPU, with one bias for all places, as the GPU's has it: no symbols choose it."""
    lstm_cpu.lstm_forward(x, WR, b[None], np.zeros(0, np.float32), *rest)


def lstm_backward_of_values(WR, xh, c, gates, dout, dx, dWR, db, *rest):
    lstm_cpu.lstm_backward(WR, np.zeros(0, np.float32), xh, c, gates, dout, dx, dWR, db[None], *rest)


@pytest.mark.parametrize(("B", "T", "D", "H"), [(1, 1, 1, 1), (1, 6, 3, 5), (3, 4, 2, 9), (7, 3, 1, 6)])
@pytest.mark.parametrize("large", [False, True])
def test_lstm(B, T, D, H, large):
    """With one, two and four rows a block, and with R within shared memory or beyond."""
    if large and not simulated():  # H beyond what shared memory holds, and beyond a block's threads
        B, H = B * multiprocessors() // 2, H * 80
    elif large:
        H += 3
    rng = np.random.default_rng(3)
    WR, b = values(rng, D + H, 4 * H) / math.sqrt(H), values(rng, 4 * H)
    xh, c = empty(T + 1, B, D + H), empty(T + 1, B, H)
    xh[0, :, D:], c[0] = values(rng, B, H), values(rng, B, H)
    spaces = lstm_cpu.lstm_workspace(D, H), lstm_gpu.lstm_workspace(D, H)
    arguments = values(rng, T, B, D), WR, b, xh, c, empty(T, B, 4 * H), empty(T, B, H)
    kept, _ = both(lstm_forward_of_values, lstm_gpu.lstm_forward, arguments, [3, 4, 5, 6], spaces)
    kept[0][0][T, :, :D] = kept[0][1][T, :, :D] = 0  # no step writes an input there
    same(kept)
    (xh, _), (c, _), (gates, _), _ = kept
    dh, dc, dout = values(rng, B, H), values(rng, B, H), values(rng, T, B, H)
    for wanted in (T, 0):
        gradients = empty(wanted, B, D), empty(D + H, 4 * H), empty(4 * H)
        arguments = WR, xh, c, gates, dout, *gradients, dh, dc
        pairs, _ = both(lstm_backward_of_values, lstm_gpu.lstm_backward, arguments, [3, 5, 6, 7, 8, 9], spaces)
        same(pairs, rtol=5e-5, atol=1e-5)


@pytest.mark.parametrize("kind", range(4))
def test_losses(kind):
    B, S, Q = 3, 5, 3 if kind == 3 else 1
    rng = np.random.default_rng(4)
    mask = (rng.uniform(size=(B, S)) < 0.7).astype(np.float32) * np.float32([[1], [0.5], [2]])  # weights
    prediction, quantiles = 2 * values(rng, B, S * Q), np.linspace(0.1, 0.9, Q).astype(np.float32)
    arguments = kind, prediction, values(rng, B, S), mask, quantiles, np.float32(0.5), empty(B, S * Q)
    total = result()
    pairs, loss = both(loss_cpu.loss_forward_backward, loss_gpu.loss_forward_backward, arguments, [6], more=[total])
    same(pairs)
    assert total.copy_to_host()[0] == pytest.approx(loss, rel=1e-6)


def test_cross_entropy():
    rng = np.random.default_rng(5)
    N, V, total = 11, 6, result()
    target = rng.integers(-1, V, N)
    arguments = 5 * values(rng, N, V), target, empty(N, V)
    cpu, there = loss_cpu.cross_entropy_forward_backward, loss_gpu.cross_entropy_forward_backward
    pairs, loss = both(cpu, there, arguments, [2], more=[total])
    same(pairs)
    assert total.copy_to_host()[0] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("G", [1, 3])
def test_gradients_of_groups_are_summed(G):
    gradients, total, norm = values(np.random.default_rng(6), G, 37), cuda.to_device(empty(37)), result()
    expected = empty(37)
    expected_norm = optim_cpu.sum_gradients(gradients, 0.25, expected)
    optim_gpu.sum_gradients(cuda.to_device(gradients), one(0.25, np.float64), total, norm)
    same([(expected, total.copy_to_host())])
    assert norm.copy_to_host()[0] == pytest.approx(expected_norm, rel=1e-6)


@pytest.mark.parametrize(("weight_decay", "clip"), [(0.0, 0.0), (0.1, 0.5)])
def test_adam_steps(weight_decay, clip):
    rng = np.random.default_rng(7)
    here = [values(rng, 21), None, np.zeros(21, np.float32), np.zeros(21, np.float32)]
    there = [None if array is None else cuda.to_device(array.copy()) for array in here]
    for step in range(1, 4):
        here[1] = values(rng, 21)
        there[1] = cuda.to_device(here[1])
        norm, numbers = float(np.linalg.norm(here[1])), (0.9, 0.999, 1e-8, weight_decay)
        optim_cpu.adam_step(*here, step, 0.01, *numbers, norm, clip)
        optim_gpu.adam_step(*there, one(step, np.int64), one(0.01, np.float64), *numbers, one(norm, np.float64), clip)
    same([(expected, found.copy_to_host()) for expected, found in zip(here, there, strict=True)], rtol=1e-6, atol=1e-7)


def test_gradient_that_is_not_finite_changes_nothing():
    theta = np.arange(3, dtype=np.float32)
    arrays = [cuda.to_device(array) for array in (theta, np.full(3, np.nan, np.float32), theta * 0, theta * 0)]
    numbers = one(1, np.int64), one(0.1, np.float64), 0.9, 0.999, 1e-8, 0.0, one(np.nan, np.float64), 1.0
    optim_gpu.adam_step(*arrays, *numbers)
    np.testing.assert_array_equal(arrays[0].copy_to_host(), theta)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5])
def test_same_values_are_dropped(rate):
    x, seed = values(np.random.default_rng(8), 50), 2**63 + 5
    expected, out = empty(50), cuda.to_device(empty(50))
    dropout_cpu.dropout(x, rate, np.uint64(seed), expected)
    dropout_gpu.dropout(cuda.to_device(x), rate, one(seed, np.uint64), out)
    np.testing.assert_array_equal(out.copy_to_host(), expected)


def test_embedding():
    rng = np.random.default_rng(9)
    N, V, E = 13, 4, 3
    x, W, dout = rng.integers(0, V, N).astype(np.float32), values(rng, V, E), values(rng, N, E)
    forward = embedding_cpu.embedding_forward, embedding_gpu.embedding_forward
    backward = embedding_cpu.embedding_backward, embedding_gpu.embedding_backward
    same(both(*forward, (x, W, empty(N, E)), [2])[0])
    same(both(*backward, (x, dout, empty(V, E)), [2])[0])


def test_gate():
    x, z, dout = values(np.random.default_rng(10), 3, 19)
    same(both(gate_cpu.gate_forward, gate_gpu.gate_forward, (x, z, empty(19)), [2])[0])
    same(both(gate_cpu.gate_backward, gate_gpu.gate_backward, (x, z, dout, empty(19), empty(19)), [3, 4])[0])
    same(both(gate_cpu.add, gate_gpu.add, (x, z), [1])[0])


@pytest.mark.parametrize(("M", "D"), [(1, 1), (5, 7)])
def test_skip(M, D):
    rng = np.random.default_rng(11)
    x, y, scale, dout = values(rng, M, D), values(rng, M, D), values(rng, D), values(rng, M, D)
    same(both(gate_cpu.skip_forward, gate_gpu.skip_forward, (x, y, scale, empty(M, D)), [3])[0])
    arguments = y, scale, dout, empty(M, D), empty(M, D), empty(D)
    same(both(gate_cpu.skip_backward, gate_gpu.skip_backward, arguments, [3, 4, 5])[0])


@pytest.mark.parametrize(("T", "B", "F", "P", "S", "Q"), [(1, 1, 1, 1, 1, 1), (3, 5, 4, 2, 3, 1), (2, 7, 3, 3, 2, 4)])
def test_linear_path(T, B, F, P, S, Q):
    rng = np.random.default_rng(12)
    x, dout = values(rng, T, B, F), values(rng, B, T * P)
    same(both(linear_cpu.flat_forward, linear_gpu.flat_forward, (x, P, empty(B, T * P)), [2])[0])
    for wanted in (T, 0):
        arguments = dout, P, empty(wanted, B, F)
        same(both(linear_cpu.flat_backward, linear_gpu.flat_backward, arguments, [2])[0])
    x, y, dout = values(rng, B, S * Q), values(rng, B, S), values(rng, B, S * Q)
    same(both(linear_cpu.shift_forward, linear_gpu.shift_forward, (x, y, empty(B, S * Q)), [2])[0])
    arguments = dout, empty(B, S * Q), empty(B, S)
    same(both(linear_cpu.shift_backward, linear_gpu.shift_backward, arguments, [1, 2])[0])
