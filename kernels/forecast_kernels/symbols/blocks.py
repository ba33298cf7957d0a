"""One symbol after another through blocks of xLSTM: the whole network's forward for a single row and step.

Notation: V symbols. Whatever the layers are, a symbol costs the same however many came before it. Networks of LSTM
layers alone have kernels of their own, which pack no matrix; see step.py.
"""

import numpy as np

from forecast_kernels.jit import Array, flush_denormals, kernel
from forecast_kernels.network.cpu import network_forward
from forecast_kernels.network.states import start_states
from forecast_kernels.network.table import INPUT, N_OUT, OUTPUT, Heads
from forecast_kernels.scalars import uniform
from forecast_kernels.symbols.step import draw


@kernel
def continue_blocks(
    table: Array,  # (layers, COLUMNS) read: of one step
    theta: Array,  # (P,) read
    work: Array,  # (W,) of one row: its start states are read, and set to where the last symbol left them
    heads: Heads,  # Heads
    given: Array,  # (n,) read, n >= 1: symbols that come in first
    logits: Array,  # (V,) written: of the symbol after the last that came in
    closed: int,  # see draw
    temperature: float,
    top_k: int,
    top_p: float,
    seed: np.uint64,
    drawn: int,  # symbols drawn before with this seed
    weights: Array,  # (V,) float64 workspace
    out: Array,  # (m,) written: symbols drawn, each but the last fed back; m may be 0
) -> None:
    """Feed symbols in, then draw the next ones, as `step.continue_text` does."""
    before = flush_denormals(True)
    n, m, V = given.shape[0], out.shape[0], logits.shape[0]
    final = table[table.shape[0] - 1]
    here = work[final[OUTPUT] : final[OUTPUT] + final[N_OUT]]
    for k in range(max(n, n + m - 1)):
        work[table[0, INPUT]] = given[k] if k < n else out[k - n]
        network_forward(table, theta, work, 1, heads, False, seed)
        start_states(table, work, 1, 0, True)
        if k >= n - 1 and k - n + 1 < m:
            chance = uniform(seed, np.uint64(drawn + k - n + 1))
            out[k - n + 1] = draw(here, closed, temperature, top_k, top_p, chance, weights)
    for v in range(V):
        logits[v] = here[v]
    flush_denormals(before)
