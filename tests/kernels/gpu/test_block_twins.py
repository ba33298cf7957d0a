"""Kernels of xLSTM's blocks on the GPU, or in the simulator, against their twins of the CPU.

Notation: B rows, T time, H hidden, N heads of P units, M rows of D values, K width of a convolution.
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

    from forecast_kernels.conv import cpu as conv_cpu
    from forecast_kernels.conv import gpu as conv_gpu
    from forecast_kernels.dense import gpu as dense_gpu
    from forecast_kernels.dense import heads as heads_cpu
    from forecast_kernels.jit_cuda import multiprocessors
    from forecast_kernels.mlstm import chunkwise as mlstm_cpu
    from forecast_kernels.mlstm import gpu as mlstm_gpu
    from forecast_kernels.norm import cpu as norm_cpu
    from forecast_kernels.norm import gpu as norm_gpu
    from forecast_kernels.slstm import cpu as slstm_cpu
    from forecast_kernels.slstm import gpu as slstm_gpu

LARGE = 1 if simulated() else 40  # times tiny shapes


@pytest.mark.parametrize(("M", "N", "P"), [(1, 1, 1), (5, 1, 7), (3, 3, 5)])
def test_norm(M, N, P):
    rng = np.random.default_rng(0)
    M, D = M * LARGE, N * P
    x, scale, bias, dout = 3 * values(rng, M, D) + 2, values(rng, D), values(rng, D), values(rng, M, D)
    arguments = x, scale, bias, empty(M, N, 2), empty(M, D)
    kept, _ = both(norm_cpu.norm_forward, norm_gpu.norm_forward, arguments, [3, 4])
    same(kept, rtol=2e-5, atol=1e-5)
    arguments = x, scale, kept[0][0], dout, empty(M, D), empty(D), empty(D)
    same(both(norm_cpu.norm_backward, norm_gpu.norm_backward, arguments, [4, 5, 6])[0], rtol=5e-5, atol=1e-5 * LARGE)


@pytest.mark.parametrize("carried", [False, True])
@pytest.mark.parametrize(("T", "B", "D", "K"), [(1, 1, 1, 1), (2, 3, 5, 4), (6, 2, 3, 3)])
def test_convolution(T, B, D, K, carried):
    """With and without inputs of before; of fewer steps than the weights see, and of more."""
    rng = np.random.default_rng(1)
    B *= LARGE
    x, W, b, dout = values(rng, T, B, D), values(rng, K, D), values(rng, D), values(rng, T, B, D)
    past = values(rng, K - 1 if carried else 0, B, D)
    arguments = x, past, W, b, empty(T, B, D), empty(T, B, D)
    kept, _ = both(conv_cpu.conv_forward, conv_gpu.conv_forward, arguments, [4, 5])
    same(kept)
    arguments = x, past, W, kept[0][0], dout, empty(T, B, D), empty(K, D), empty(D)
    pairs, _ = both(conv_cpu.conv_backward, conv_gpu.conv_backward, arguments, [3, 5, 6, 7])
    same(pairs, rtol=5e-5, atol=2e-6 * LARGE)


@pytest.mark.parametrize(("M", "N", "P"), [(1, 1, 1), (9, 3, 2), (33, 1, 9)])
def test_dense_layer_within_heads(M, N, P):
    rng = np.random.default_rng(2)
    M, H = M * LARGE, N * P
    x, W, b, dout = values(rng, M, H), values(rng, N, P, P), values(rng, H), values(rng, M, H)
    spaces = heads_cpu.heads_workspace(P), dense_gpu.heads_workspace(P)
    arguments = x, W, b, empty(M, H)
    same(both(heads_cpu.heads_forward, dense_gpu.heads_forward, arguments, [3], spaces)[0])
    arguments = x, W, dout, empty(M, H), empty(N, P, P), empty(H)
    pairs, _ = both(heads_cpu.heads_backward, dense_gpu.heads_backward, arguments, [3, 4, 5], spaces)
    same(pairs, rtol=5e-5, atol=2e-6 * LARGE)


def slstm_start(rng, N, B, P, T, unseen):
    """States h, c, n, m that keep T steps (m one): the first from the middle of a sequence, or before it."""
    h, c, n, m = (empty(N, steps, B, P) for steps in (T + 1, T + 1, T + 1, 2))
    for state in (h, c, n):
        state[:, 0] = 0 if unseen else values(rng, N, B, P)
    n[:, 0] += 0 if unseen else 2
    m[:, 0] = -np.inf if unseen else values(rng, N, B, P)
    return h, c, n, m


@pytest.mark.parametrize(
    ("B", "T", "N", "P", "unseen"),
    [(1, 2, 1, 9, True), (9, 2, 2, 1, False), (17, 2, 2, 1, True)],
)
def test_slstm(B, T, N, P, unseen):
    """With one, two and four rows a block, and with R within shared memory or beyond."""
    if not simulated():
        B, P = B * multiprocessors() // 2, P * 20
    rng, H = np.random.default_rng(3), N * P
    of_x, of_y, R, b = (values(rng, *shape) for shape in ((T, B, 2 * H), (T, B, 2 * H), (N, P, 4 * P), (4 * H,)))
    spaces = slstm_cpu.slstm_workspace(B, H, N), slstm_gpu.slstm_workspace(B, H, N)
    R, states = R / math.sqrt(P), slstm_start(rng, N, B, P, T, unseen)
    arguments = 2 * of_x, 2 * of_y, R, b, *states, empty(N, T, 4, B, P), empty(T, B, H), 0
    kept, _ = both(slstm_cpu.slstm_forward, slstm_gpu.slstm_forward, arguments, range(4, 10), spaces)
    same(kept, rtol=2e-5, atol=5e-6)
    (h, _), (c, _), (n, _), _, (gates, _), _ = kept
    ends, dout = [values(rng, N, B, P) for _ in range(3)], values(rng, T, B, H)
    written = empty(T, B, 2 * H), empty(T, B, 2 * H), empty(N, P, 4 * P), empty(4 * H)
    arguments = R, h, c, n, gates, dout, *written, *ends, 0, True
    pairs, _ = both(slstm_cpu.slstm_backward, slstm_gpu.slstm_backward, arguments, range(6, 13), spaces)
    same(pairs, rtol=1e-4, atol=2e-5 * LARGE)


@pytest.mark.parametrize("kept", [1, 3])
def test_slstm_in_parts_gives_what_one_part_gives(kept):
    """A forecast keeps one step, learning all; parts of one and of two steps."""
    rng, (B, T, N, P, H) = np.random.default_rng(4), (2, 3, 2, 5, 10)
    of_x, of_y, R, b = (values(rng, *shape) for shape in ((T, B, 2 * H), (T, B, 2 * H), (N, P, 4 * P), (4 * H,)))
    states, gates, out = slstm_start(rng, N, B, P, kept, False), empty(N, kept, 4, B, P), empty(T, B, H)
    space, more = empty(slstm_cpu.slstm_workspace(B, H, N)), empty(slstm_gpu.slstm_workspace(B, H, N))
    there = [cuda.to_device(array) for array in (of_x, of_y, R, b, *states, gates, out, more)]
    slstm_cpu.slstm_forward(of_x, of_y, R, b, *states, gates, out, 0, space)
    for part in (slice(0, 1), slice(1, 3)):
        parts = there[0][part], there[1][part], *there[2:9], there[9][part], part.start, there[10]
        slstm_gpu.slstm_forward(*parts)
    same([(out, there[9].copy_to_host())])
    if kept < T:
        return
    dout, ends = values(rng, T, B, H), [values(rng, N, B, P) for _ in range(3)]
    written = empty(T, B, 2 * H), empty(T, B, 2 * H), empty(N, P, 4 * P), empty(4 * H), *ends
    given = [cuda.to_device(array) for array in (R, *states[:3], gates, dout, *written)]
    slstm_cpu.slstm_backward(R, *states[:3], gates, dout, *written, 0, True, space)
    for part in (slice(1, 3), slice(0, 1)):
        parts = *given[:5], *(array[part] for array in given[5:8]), *given[8:], part.start, part.stop == T, there[10]
        slstm_gpu.slstm_backward(*parts)
    same([(array, found.copy_to_host()) for array, found in zip(written, given[6:], strict=True)], rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(("B", "T", "N", "P", "length"), [(2, 1, 1, 1, 1), (1, 7, 1, 9, 3), (1, 10, 2, 2, 9)])
@pytest.mark.parametrize(("carried", "cut"), [(False, False), (True, False), (True, True)])
def test_mlstm(B, T, N, P, length, carried, cut):
    """In one chunk and in several, the last of which may be shorter; with a start state, or its gradient too."""
    if not simulated():
        B, T, P, length = B * LARGE, T * 7, P * 7, length * 7
    rng, H, K = np.random.default_rng(5), N * P, -(-T // length)
    q, k, v = (values(rng, T, B, H) for _ in "qkv")
    i, f = 3 * values(rng, T, B, N), 2 * values(rng, T, B, N) + 1
    S = K + 1 if carried else max(1, K - 1)
    C, n, m = empty(S, B, N, P, P), empty(S, B, N, P), empty(B, N)
    if carried:
        C[0], n[0], m[:] = values(rng, B, N, P, P), values(rng, B, N, P), values(rng, B, N) + 1
    spaces = mlstm_cpu.mlstm_workspace(min(length, T), P), mlstm_gpu.mlstm_workspace(length, P)
    arguments = q, k, v, i, f, length, carried, C, n, m, empty(4, T, B, N), empty(T, B, H)
    forward = mlstm_cpu.mlstm_chunkwise_forward, mlstm_gpu.mlstm_chunkwise_forward
    kept, _ = both(*forward, arguments, [7, 8, 9, 10, 11], spaces)
    same(kept, rtol=5e-5, atol=1e-5)
    (C, _), (n, _), _, (gates, _), (out, _) = kept
    dC, dn, dout = values(rng, B, N, P, P), values(rng, B, N, P), values(rng, T, B, H)
    gradients = [empty(T, B, H) for _ in "qkv"] + [empty(T, B, N) for _ in "if"]
    arguments = q, k, v, f, length, carried, cut, C, n, gates, out, dout, *gradients, dC, dn
    written = [12, 13, 14, 15, 16] + ([17, 18] if carried and not cut else [])
    backward = mlstm_cpu.mlstm_chunkwise_backward, mlstm_gpu.mlstm_chunkwise_backward
    same(both(*backward, arguments, written, spaces)[0], rtol=2e-4, atol=5e-5)


def test_mlstm_updates_its_memory_in_place():
    """As a forecast does: one row of memory, whatever the number of chunks."""
    rng, (B, T, N, P) = np.random.default_rng(6), (1, 5, 2, 3)
    q, k, v, i, f = (values(rng, T, B, width) for width in (N * P, N * P, N * P, N, N))
    memory = values(rng, 1, B, N, P, P), values(rng, 1, B, N, P), values(rng, B, N) + 1
    spaces = mlstm_cpu.mlstm_workspace(2, P), mlstm_gpu.mlstm_workspace(2, P)
    arguments = q, k, v, i, f, 2, True, *memory, empty(4, T, B, N), empty(T, B, N * P)
    forward = mlstm_cpu.mlstm_chunkwise_forward, mlstm_gpu.mlstm_chunkwise_forward
    same(both(*forward, arguments, [7, 8, 9, 11], spaces)[0], rtol=5e-5, atol=1e-5)
