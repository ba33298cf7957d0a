"""A whole small network on the GPU, or in the simulator, against the CPU: every layer's output, every gradient.

Notation: B rows, T patches, P parameters.
"""

import numpy as np
import pytest

from forecast.learning.blocks import block_layers
from forecast.learning.network import Layer, Network, recurrent_layers, symbol_layers
from forecast_kernels.device import gpu
from forecast_kernels.jit import compile_for, provide
from forecast_kernels.network import cpu
from forecast_kernels.network.table import (
    D_OUTPUT,
    DENSE,
    FLAT,
    INPUT,
    LAST,
    LSTM,
    N_OUT,
    OUTPUT,
    SHIFT,
    STEPS,
    Heads,
)

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not gpu().available, reason=f"{gpu().missing}; test_simulated.py runs this in the simulator"),
]
if gpu().available:
    from numba import cuda

    from forecast_kernels.blocks.gpu import block_workspace
    from forecast_kernels.dense.gpu import dense_workspace
    from forecast_kernels.lstm.gpu import lstm_workspace
    from forecast_kernels.network import gpu as twin

B, EXTRA, SEED, RATE = 3, 2, 2**63 + 11, 0.4
STACKS = {
    "recurrent": recurrent_layers(
        steps=4, inputs=3, embed=2, hidden=3, layers=2, dropout=True, extra=EXTRA, head=4, outputs=5
    ),
    "symbols": symbol_layers(steps=4, symbols=6, embed=2, hidden=3, layers=2, dropout=RATE),
    "blocks": block_layers(
        steps=3, inputs=3, width=4, blocks="sm", heads=2, taps=2, dropout=True, extra=EXTRA, head=3, outputs=5
    ),
    "linear path": [  # of a layer that the stack reads too, so that two gradients are added
        Layer("embed", DENSE, 3, 4, 3),
        Layer("lstm.0", LSTM, 4, 3, 3),
        Layer("last", LAST, 3, 3 + EXTRA, 3),
        Layer("output", DENSE, 3 + EXTRA, 6, 1),
        Layer("flat", FLAT, 4, 6, 3, source="embed", taps=2),
        Layer("linear", DENSE, 6, 2, 1),
        Layer("sum", SHIFT, 6, 6, 1, source="output", second="linear", taps=3),
    ],
}


@pytest.mark.parametrize("name", STACKS)
def test_outputs_and_gradients_are_those_of_the_cpu(name):
    rng = np.random.default_rng(0)
    network = Network(STACKS[name])
    network.theta[:] = rng.uniform(-0.8, 0.8, network.size)
    plan = network.plan(B, EXTRA, 5, training=True)
    table, (first, final) = plan.table, plan.table[[0, -1]]
    heads = Heads(plan.extra, plan.target, plan.mask, EXTRA, plan.packed, plan.n_packed, 0, 1.0, RATE)
    # values of the layers start as NaN, so that nothing unwritten is read
    work = np.full(plan.size, np.nan, np.float32)
    work[plan.extra : plan.extra + B * EXTRA] = rng.uniform(-1, 1, B * EXTRA)
    size = B * int(first[STEPS]) * network.layers[0].width
    given = rng.integers(0, 6, size) if name == "symbols" else rng.uniform(-1, 1, size)
    work[first[INPUT] : first[INPUT] + size] = given
    emitted = B * int(final[STEPS] * final[N_OUT])
    dout = rng.uniform(-1, 1, emitted).astype(np.float32)
    spaces = [block_workspace(row.kind, B, row.steps, row.n_in, row.n_out, row.heads) for row in network.layers]
    n_packed = max(lstm_workspace(8, 3), dense_workspace(16, 16), *spaces)
    there = cuda.to_device(np.concatenate([work, np.full(n_packed, np.nan, np.float32)]))
    theta, seeds = cuda.to_device(network.theta), cuda.to_device(np.zeros(len(table), np.uint64))
    gradient = cuda.to_device(np.full(network.size, np.nan, np.float32))
    of_gpu = heads._replace(packed=plan.size, n_packed=n_packed)
    twin.layer_seeds(cuda.to_device(np.array([SEED], np.uint64)), seeds)
    twin.start_states(table, there, B)
    twin.network_forward(table, theta, there, B, of_gpu, True, seeds)
    end = int(final[OUTPUT]) + emitted
    found = there[int(final[OUTPUT]) : end].copy_to_host()
    there[int(final[D_OUTPUT]) : int(final[D_OUTPUT]) + emitted].copy_to_device(dout)
    twin.network_backward(table, theta, gradient, there, B, of_gpu, seeds)

    expected = np.full(network.size, np.nan, np.float32)
    forward = table, network.theta, work, B, heads, True, np.uint64(SEED)
    backward = table, network.theta, expected, work, B, heads, np.uint64(SEED)
    compile_for(cpu.network_forward, *forward)
    compile_for(cpu.network_backward, *backward)
    provide(*cpu.needed((layer.kind for layer in network.layers), True))
    for r in range(B):
        cpu.start_states(table, work, B, r, False)
    cpu.network_forward(*forward)
    np.testing.assert_allclose(found, work[int(final[OUTPUT]) : end], rtol=1e-5, atol=1e-6)
    work[int(final[D_OUTPUT]) : int(final[D_OUTPUT]) + emitted] = dout
    cpu.network_backward(*backward)
    np.testing.assert_allclose(gradient.copy_to_host(), expected, rtol=1e-4, atol=2e-6)
