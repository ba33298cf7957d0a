"""Texts: a network over parallel streams of symbols, chunk after chunk, with the state carried from each to the next.

Notation: R streams of L symbols, G groups of B rows, T steps a chunk, V symbols, P parameters. The gradient stops at
the start of a chunk (truncated backpropagation through time, Williams & Peng 1990), the state does not. Groups, and the
order in which their gradients are added, are those of the forecasting network.
"""

import math

import numpy as np
from numba import prange

from forecast_kernels.jit import Array, flush_denormals, kernel, parallel_kernel
from forecast_kernels.loss.cpu import cross_entropy_forward_backward
from forecast_kernels.network.cpu import LEARN, finish_batch, later_network_backward, network_forward
from forecast_kernels.network.states import start_states
from forecast_kernels.network.table import D_OUTPUT, INPUT, N_OUT, OUTPUT, STEPS, Heads, view2
from forecast_kernels.scalars import mix


@kernel
def run_chunk(
    table: Array,  # (layers, COLUMNS) read
    theta: Array,  # (P,) read
    gradient: Array,  # (P,) written when learning
    work: Array,  # (W,) workspace; the states at its end are where the next chunk begins
    inputs: Array,  # (B, L) read; B may be 0
    targets: Array,  # (B, L) read
    fresh: Array,  # (B, chunks) read
    chunk: int,  # number of the chunk
    heads: Heads,
    seed: np.uint64,  # of this step and group
    mode: int,  # LEARN or SCORE
    losses: Array,  # (2,) written: summed loss, number of terms
) -> None:
    """One group's part of a chunk."""
    before = flush_denormals(True)
    B, T = inputs.shape[0], table[0, STEPS]
    first = chunk * T
    final = table[table.shape[0] - 1]
    V = final[N_OUT]
    x = work[table[0, INPUT] : table[0, INPUT] + T * B]
    target = work[heads.target : heads.target + T * B]
    losses[1] = 0
    for t in range(T):
        for r in range(B):
            x[t * B + r] = inputs[r, first + t]
            target[t * B + r] = targets[r, first + t]
            losses[1] += targets[r, first + t] >= 0
    for r in range(B):
        start_states(table, work, B, r, not fresh[r, chunk])
    network_forward(table, theta, work, B, heads, mode == LEARN, seed)
    logits, dlogits = view2(work, final[OUTPUT], T * B, V), view2(work, final[D_OUTPUT], T * B, V)
    losses[0] = cross_entropy_forward_backward(logits, target, dlogits)
    if mode == LEARN:
        later_network_backward(table, theta, gradient, work, B, heads, seed)
    flush_denormals(before)


@parallel_kernel
def run_chunks(
    table: Array,  # (layers, COLUMNS) read
    theta: Array,  # (P,) read; updated when learning
    work: Array,  # (G, W) workspaces, with the states after the chunk before
    inputs: Array,  # (R, L) read: symbols; chunks of T columns, one after the other
    targets: Array,  # (R, L) read: the symbol after each; -1 where none is judged
    fresh: Array,  # (R, chunks) read: whether a stream begins with zero states there
    heads: Heads,  # Heads
    rows: int,  # B
    mode: int,  # LEARN or SCORE
    losses: Array,  # (G, 2) workspace
    totals: Array,  # (chunks, 2) written: summed loss in nats, number of terms
    seeds: Array,  # (chunks,) read: uint64, another one each step
    gradients: Array,  # (G, P) workspace when learning
    optimizer: Array,  # (3, P) updated when learning: gradient, first and second moment
    rates: Array,  # (chunks,) read when learning: learning rates
    step: int,  # number of the first step, 1 when learning begins
    weight_decay: float,
    clip: float,  # largest norm of a gradient; 0 for no clipping
    norms: Array,  # (chunks,) written when learning: norms of the gradients, up to one that is NaN or infinite
) -> None:
    """Chunk after chunk of all streams: forward, and learn from it or judge.

    The streams are cut into G groups of at most B rows, which run in parallel. Learning stops at a gradient that is not
    finite.
    """
    R = inputs.shape[0]
    learns = mode == LEARN
    for k in range(fresh.shape[1]):
        for g in prange(work.shape[0]):
            at = min(g * rows, R)
            to = min(at + rows, R)
            run_chunk(
                table, theta, gradients[g], work[g], inputs[at:to], targets[at:to], fresh[at:to], k, heads,
                mix(seeds[k], np.uint64(g)), mode, losses[g],
            )  # fmt: skip
        norm = finish_batch(losses, totals[k], learns, theta, gradients, optimizer, rates, step, k, weight_decay, clip)
        if learns:
            norms[k] = norm
        if not math.isfinite(norm):
            break
