"""A whole network over groups of batch rows on the CPU: the groups run in parallel, each the entire sequence.

Notation: G groups, B rows a group, T patches, F inputs, h horizon, Q outputs a step, P parameters. The network is a
table of layers over one flat parameter buffer ``theta`` and one flat workspace a group, so one compiled program runs
any stack. Gradients of the groups stay apart until they are added in a fixed order: the bits do not depend on the
number of threads.
"""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numba import prange

from forecast_kernels.dense.cpu import dense_backward, dense_forward
from forecast_kernels.dropout.cpu import dropout
from forecast_kernels.embedding.cpu import embedding_backward, embedding_forward
from forecast_kernels.gate.cpu import add
from forecast_kernels.jit import Array, flush_denormals, kernel, later, parallel_kernel
from forecast_kernels.linear.cpu import flat_backward, flat_forward, shift_backward, shift_forward
from forecast_kernels.loss.cpu import loss_forward_backward
from forecast_kernels.lstm.cpu import lstm_backward, lstm_forward
from forecast_kernels.network.blocks import block_backward, block_forward
from forecast_kernels.network.states import put_states, start_states, take_states
from forecast_kernels.network.table import (
    ACTIVATION,
    D_INPUT,
    D_OUTPUT,
    D_SECOND,
    DENSE,
    DROPOUT,
    EMBED,
    EMBEDDED,
    FLAT,
    INPUT,
    KEPT,
    KIND,
    LSTM,
    N_IN,
    N_OUT,
    NORM,
    OUTPUT,
    OWN,
    PLACES,
    PROJECT,
    SECOND,
    SHIFT,
    STEPS,
    SUM,
    SUM_SECOND,
    SYMBOLS,
    TAPS,
    THETA,
    Heads,
    view2,
    view3,
)
from forecast_kernels.optim.cpu import adam_step, sum_gradients
from forecast_kernels.scalars import mix
from forecast_kernels.windows.cpu import Windowing, gather_windows

LEARN, SCORE, PREDICT, ADVANCE = 0, 1, 2, 3

# of these a program has those that its network needs
_lstm_forward, _lstm_backward = later(lstm_forward), later(lstm_backward)
_block_forward, _block_backward = later(block_forward), later(block_backward)
_embedding_forward, _embedding_backward = later(embedding_forward), later(embedding_backward)


@kernel
def _lstm_buffers(work: Array, row: Array, B: int) -> tuple[Array, Array, Array, Array, Array]:
    """Private buffers of an LSTM layer: xh, c, gates, dh, dc."""
    S, D, H, at = row[KEPT], row[N_IN], row[N_OUT], row[OWN]
    xh = view3(work, at, S + 1, B, D + H)
    at += xh.size
    c = view3(work, at, S + 1, B, H)
    at += c.size
    gates = view3(work, at, S, B, 4 * H)
    at += gates.size
    dh = view2(work, at, B, H)
    return xh, c, gates, dh, view2(work, at + dh.size, B, H)


@kernel
def _lstm_biases(
    buffer: Array,  # (P,) parameters or their gradients
    work: Array,  # (W,) the group's workspace
    row: Array,  # (COLUMNS,) of an LSTM layer
    projected: int,  # INPUT or D_INPUT
) -> Array:
    """Biases of an LSTM layer, or their gradients: (1, 4H), or (V, 4H) of symbols."""
    H = row[N_OUT]
    at = row[THETA] + (row[N_IN] + H) * 4 * H
    return view2(work, row[projected], row[SYMBOLS], 4 * H) if row[SYMBOLS] else view2(buffer, at, 1, 4 * H)


@kernel
def _projection(buffer: Array, row: Array) -> tuple[Array, Array, Array]:
    """Parameters of PROJECT, or their gradients: embedding (V, E), and W (E, 4H) and b (4H,) of the LSTM layer."""
    V, E, N, at = row[N_IN], row[EMBEDDED], row[N_OUT], row[THETA]
    embedding, at = view2(buffer, at, V, E), at + V * E
    W, at = view2(buffer, at, E, N), at + E * N + N // 4 * N  # R lies between
    return embedding, W, buffer[at : at + N]


@kernel
def network_forward(
    table: Array,  # (layers, COLUMNS) read
    theta: Array,  # (P,) read
    work: Array,  # (W,) the group's workspace: inputs read, activations written
    B: int,  # rows
    heads: Heads,  # Heads
    training: bool,  # whether dropout drops
    seed: np.uint64,  # uint64, of this step and group
) -> None:
    """Run all layers from the states that lie in the workspace, where the output of the last one stays."""
    packed = work[heads.packed : heads.packed + heads.n_packed]
    for k in range(table.shape[0]):
        row = table[k]
        T, D, H, at = row[STEPS], row[N_IN], row[N_OUT], row[THETA]
        if row[KIND] == LSTM:
            xh, c, gates, _, _ = _lstm_buffers(work, row, B)
            WR, b = view2(theta, at, D + H, 4 * H), _lstm_biases(theta, work, row, INPUT)
            x, out = view3(work, row[INPUT], T, B, D), view3(work, row[OUTPUT], T, B, H)
            symbols = work[row[PLACES] : row[PLACES] + (T * B if row[SYMBOLS] else 0)]
            _lstm_forward(x, WR, b, symbols, xh, c, gates, out, packed)
        elif row[KIND] == DENSE:
            W = view2(theta, at, D, H)
            b = theta[at + W.size : at + W.size + H]
            x2, out2 = view2(work, row[INPUT], T * B, D), view2(work, row[OUTPUT], T * B, H)
            dense_forward(x2, W, b, row[ACTIVATION], out2, packed)
        elif row[KIND] == DROPOUT:
            flat, flat_out = work[row[INPUT] : row[INPUT] + T * B * D], work[row[OUTPUT] : row[OUTPUT] + T * B * D]
            dropout(flat, heads.dropout if training else 0.0, mix(seed, np.uint64(k)), flat_out)
        elif row[KIND] >= NORM:
            _block_forward(row, theta, work, B, packed)
        elif row[KIND] == PROJECT:
            embedding, W, b = _projection(theta, row)
            dense_forward(embedding, W, b, 0, view2(work, row[OUTPUT], D, H), packed)
        elif row[KIND] == EMBED:
            W, out2 = view2(theta, at, D, H), view2(work, row[OUTPUT], T * B, H)
            _embedding_forward(work[row[INPUT] : row[INPUT] + T * B], W, out2)
        elif row[KIND] == FLAT:
            flat_forward(view3(work, row[INPUT], T, B, D), row[TAPS], view2(work, row[OUTPUT], B, H))
        elif row[KIND] == SHIFT:
            x2, moves = view2(work, row[INPUT], B, D), view2(work, row[SECOND], B, D // row[TAPS])
            shift_forward(x2, moves, view2(work, row[OUTPUT], B, D))
        else:  # LAST
            x, last = view3(work, row[INPUT], T, B, D), view2(work, row[OUTPUT], B, H)
            extra = view2(work, heads.extra, B, heads.n_extra)
            for r in range(B):
                for j in range(D):
                    last[r, j] = x[T - 1, r, j]
                for j in range(H - D):  # none, or all extras
                    last[r, D + j] = extra[r, j]


@kernel
def network_backward(
    table: Array,  # (layers, COLUMNS) read
    theta: Array,  # (P,) read
    gradient: Array,  # (P,) written
    work: Array,  # (W,) as forward left it, with the gradient of the output written; activations are consumed
    B: int,
    heads: Heads,
    seed: np.uint64,  # the one given to forward
) -> None:
    """Gradients of all parameters; that of the network's input only where D_INPUT has a place for it (not -1)."""
    packed = work[heads.packed : heads.packed + heads.n_packed]
    for k in range(table.shape[0] - 1, -1, -1):
        row = table[k]
        T, D, H, at = row[STEPS], row[N_IN], row[N_OUT], row[THETA]
        wanted = T if row[D_INPUT] >= 0 and not row[SYMBOLS] else 0
        if row[KIND] == LSTM:
            xh, c, gates, dh, dc = _lstm_buffers(work, row, B)
            for r in range(B):
                for j in range(H):
                    dh[r, j] = dc[r, j] = 0
            WR, dWR = view2(theta, at, D + H, 4 * H), view2(gradient, at, D + H, 4 * H)
            db = _lstm_biases(gradient, work, row, D_INPUT)
            dx, dout = view3(work, max(row[D_INPUT], 0), wanted, B, D), view3(work, row[D_OUTPUT], T, B, H)
            symbols = work[row[PLACES] : row[PLACES] + (T * B if row[SYMBOLS] else 0)]
            _lstm_backward(WR, symbols, xh, c, gates, dout, dx, dWR, db, dh, dc, packed)
        elif row[KIND] == DENSE:
            W, dW = view2(theta, at, D, H), view2(gradient, at, D, H)
            db = gradient[at + W.size : at + W.size + H]
            x2, out2 = view2(work, row[INPUT], T * B, D), view2(work, row[OUTPUT], T * B, H)
            dx2, dout2 = view2(work, max(row[D_INPUT], 0), wanted * B, D), view2(work, row[D_OUTPUT], T * B, H)
            dense_backward(x2, W, out2, row[ACTIVATION], dout2, dx2, dW, db, packed)
        elif row[KIND] == DROPOUT:
            dflat, dflat_out = (
                work[row[D_INPUT] : row[D_INPUT] + T * B * D],
                work[row[D_OUTPUT] : row[D_OUTPUT] + T * B * D],
            )
            dropout(dflat_out, heads.dropout, mix(seed, np.uint64(k)), dflat)
        elif row[KIND] >= NORM:
            _block_backward(row, theta, gradient, work, B, packed)
        elif row[KIND] == PROJECT:
            (embedding, W, _), (dembedding, dW, db) = _projection(theta, row), _projection(gradient, row)
            out2, dout2 = view2(work, row[OUTPUT], D, H), view2(work, row[D_OUTPUT], D, H)
            dense_backward(embedding, W, out2, 0, dout2, dembedding, dW, db, packed)
        elif row[KIND] == EMBED:
            dout2, dW = view2(work, row[D_OUTPUT], T * B, H), view2(gradient, at, D, H)
            _embedding_backward(work[row[INPUT] : row[INPUT] + T * B], dout2, dW)
        elif row[KIND] == FLAT:
            dx = view3(work, max(row[D_INPUT], 0), wanted, B, D)
            flat_backward(view2(work, row[D_OUTPUT], B, H), row[TAPS], dx)
        elif row[KIND] == SHIFT:
            dx2, dmoves = view2(work, row[D_INPUT], B, D), view2(work, row[D_SECOND], B, D // row[TAPS])
            shift_backward(view2(work, row[D_OUTPUT], B, D), dx2, dmoves)
        else:  # LAST
            dx, dlast = view3(work, row[D_INPUT], T, B, D), view2(work, row[D_OUTPUT], B, H)
            for t in range(T):
                for r in range(B):
                    for j in range(D):
                        dx[t, r, j] = dlast[r, j] if t == T - 1 else 0
        for d, total in ((row[D_INPUT], row[SUM]), (row[D_SECOND], row[SUM_SECOND])):
            if total >= 0:
                add(work[d : d + T * B * D], work[total : total + T * B * D])


later_network_backward = later(network_backward)


def needed(kinds: Iterable[int], learns: bool) -> tuple[Any, ...]:
    """The kernels that layers of these kinds call later: have them there before the program runs, see `jit.provide`."""
    kinds, found = set(kinds), list[Any]()
    if LSTM in kinds:
        found += [lstm_forward, lstm_backward] if learns else [lstm_forward]
    if EMBED in kinds:
        found += [embedding_forward, embedding_backward] if learns else [embedding_forward]
    if max(kinds) >= NORM:
        found += [block_forward, block_backward] if learns else [block_forward]
    return (*found, network_backward) if learns else tuple(found)


@kernel
def run_group(
    table: Array,  # (layers, COLUMNS) read
    theta: Array,  # (P,) read
    gradient: Array,  # (P,) written when learning
    work: Array,  # (W,) workspace
    y: Array,  # (N,) read, see gather_windows
    indptr: Array,  # (S + 1,) read
    levels: Array,  # (S, 2) read
    floors: Array,  # (S,) read
    seasons: Array,  # (S,) read
    exog: Array,  # (M, C) read
    spans: Array,  # (S, 3) read
    statics: Array,  # (S, Z) read
    states: Array,  # (lanes, Z) read, and written in the mode ADVANCE: see `run_batches`
    windows: Array,  # (B, 2 or 3) read; B may be 0
    spec: Windowing,
    heads: Heads,
    quantiles: Array,  # (Q,) read
    base: Array,  # (B, h) written
    scale: Array,  # (B,) written
    seed: np.uint64,  # of this step and group
    mode: int,  # LEARN, SCORE, PREDICT or ADVANCE
    losses: Array,  # (2,) written when learning or judging
    out: Array,  # (B, h * Q) written when predicting
) -> None:
    """One group of ``run_batches``."""
    before = flush_denormals(True)
    B, h, Q = windows.shape[0], spec.horizon, quantiles.shape[0]
    first, final = table[0], table[table.shape[0] - 1]
    x = view3(work, first[INPUT], first[STEPS], B, first[N_IN])
    extra = view2(work, heads.extra, B, heads.n_extra)
    target, mask = view2(work, heads.target, B, h), view2(work, heads.mask, B, h)
    gather_windows(
        y, indptr, levels, floors, seasons, exog, spans, statics, windows, spec, x, extra, base, scale, target, mask
    )

    streams = states.shape[1] > 0
    for r in range(B):
        if streams:
            put_states(table, work, B, r, states[windows[r, 2]])
        else:
            start_states(table, work, B, r, False)
    network_forward(table, theta, work, B, heads, mode == LEARN, seed)
    output = view2(work, final[OUTPUT], B, final[N_OUT])
    if mode == ADVANCE:
        for r in range(B):
            take_states(table, work, B, r, states[windows[r, 2]])
    elif mode == PREDICT:
        for r in range(B):
            for k in range(h * Q):
                out[r, k] = base[r, k // Q] + scale[r] * output[r, k]
    else:
        doutput = view2(work, final[D_OUTPUT], B, final[N_OUT])
        delta = theta.dtype.type(heads.delta)
        losses[0] = loss_forward_backward(heads.loss, output, target, mask, quantiles, delta, doutput)
        losses[1] = 0
        for r in range(B):
            for j in range(h):
                losses[1] += mask[r, j] * Q
        if mode == LEARN:
            later_network_backward(table, theta, gradient, work, B, heads, seed)
    flush_denormals(before)


@kernel
def finish_batch(
    losses: Array,  # (G, 2) read: summed loss and number of terms of the groups
    total: Array,  # (2,) written: of the batch
    learns: bool,
    theta: Array,  # (P,) updated when learning
    gradients: Array,  # (G, P) read when learning
    optimizer: Array,  # (3, P) updated when learning: gradient, first and second moment
    rates: Array,  # (batches,) read when learning
    step: int,
    k: int,  # number of the batch
    weight_decay: float,
    clip: float,
) -> float:
    """What follows the groups of a batch; returns the norm of its gradient, which is not used unless finite."""
    for j in range(2):
        total[j] = 0
        for g in range(losses.shape[0]):
            total[j] += losses[g, j]
    if not learns:
        return 0.0
    before = flush_denormals(True)
    gradient, m, v = optimizer[0], optimizer[1], optimizer[2]
    norm = sum_gradients(gradients, 1.0 / max(total[1], 1.0), gradient)
    if math.isfinite(norm):
        adam_step(theta, gradient, m, v, step + k, rates[k], 0.9, 0.999, 1e-8, weight_decay, norm, clip)
    flush_denormals(before)
    return norm


@parallel_kernel
def run_batches(
    table: Array,  # (layers, COLUMNS) read
    theta: Array,  # (P,) read; updated when learning
    work: Array,  # (G, W) workspaces
    y: Array,  # (N,) read, see gather_windows
    indptr: Array,  # (S + 1,) read
    levels: Array,  # (S, 2) read
    floors: Array,  # (S,) read
    seasons: Array,  # (S,) read
    exog: Array,  # (M, C) read
    spans: Array,  # (S, 3) read
    statics: Array,  # (S, Z) read
    states: Array,  # (lanes, Z) where sequences start, read; where they end, written in the mode ADVANCE; Z = 0: empty
    windows: Array,  # (n, 2 or 3) read: of all batches, one after the other; the third column is the row of states
    bounds: Array,  # (batches + 1,) read: where each batch begins and ends
    spec: Windowing,  # Windowing
    heads: Heads,  # Heads
    quantiles: Array,  # (Q,) read
    base: Array,  # (G, B, h) workspace
    scale: Array,  # (G, B) workspace
    mode: int,  # LEARN, SCORE, PREDICT or ADVANCE
    losses: Array,  # (G, 2) workspace
    totals: Array,  # (batches, 2) written when learning or judging: summed loss, number of terms
    out: Array,  # (n, h * Q) written when predicting: float64 forecasts in units of y, Q fastest
    seeds: Array,  # (batches,) read: uint64, another one each step
    gradients: Array,  # (G, P) workspace when learning
    optimizer: Array,  # (3, P) updated when learning: gradient, first and second moment
    rates: Array,  # (batches,) read when learning: learning rates
    step: int,  # number of the first step, 1 when learning begins
    weight_decay: float,
    clip: float,  # largest norm of a gradient; 0 for no clipping
    norms: Array,  # (batches,) written when learning: norms of the gradients, up to one that is NaN or infinite
) -> None:
    """Batch after batch: gather, forward, and learn from it, or judge, or forecast, or keep its final states.

    A batch is cut into G groups of at most B rows, which run in parallel. Learning stops at a gradient that is not
    finite.
    """
    G, B = scale.shape
    for k in range(bounds.shape[0] - 1):
        begin, end = bounds[k], bounds[k + 1]
        for g in prange(G):
            at = min(begin + g * B, end)
            to = min(at + B, end)
            run_group(
                table, theta, gradients[g], work[g], y, indptr, levels, floors, seasons, exog, spans, statics, states,
                windows[at:to], spec, heads, quantiles, base[g], scale[g], mix(seeds[k], np.uint64(g)), mode,
                losses[g], out[at:to],
            )  # fmt: skip
        if mode in (LEARN, SCORE):
            learns = mode == LEARN
            norm = finish_batch(
                losses, totals[k], learns, theta, gradients, optimizer, rates, step, k, weight_decay, clip
            )
            if learns:
                norms[k] = norm
            if not math.isfinite(norm):
                break
