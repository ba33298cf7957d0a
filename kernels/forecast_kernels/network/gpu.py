"""A whole network over a batch on the GPU: the same table of layers, walked by the host, which starts kernels.

Notation: B rows, T patches, D inputs, H outputs, P parameters. Parameters and workspace are flat buffers on the device;
the table stays with the host. Nothing here waits for the GPU, so a step can be recorded once and repeated.
"""

import sys
from typing import Any

import numpy as np
from numba import cuda

from forecast_kernels.blocks.gpu import block_backward, block_forward, block_workspace, view, views
from forecast_kernels.dense.gpu import dense_backward, dense_forward, dense_workspace
from forecast_kernels.dropout.gpu import dropout
from forecast_kernels.embedding.gpu import embedding_backward, embedding_forward
from forecast_kernels.gate.gpu import add
from forecast_kernels.jit import Array
from forecast_kernels.jit_cuda import THREADS, cuda_kernel, launch, shared_limit
from forecast_kernels.linear.gpu import flat_backward, flat_forward, shift_backward, shift_forward
from forecast_kernels.lstm.gpu import STATE as LSTM_STATE
from forecast_kernels.lstm.gpu import lstm_backward, lstm_forward, lstm_workspace
from forecast_kernels.network.table import (
    ACTIVATION,
    D_INPUT,
    D_OUTPUT,
    D_SECOND,
    DENSE,
    DROPOUT,
    EMBED,
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
    SECOND,
    SHIFT,
    SLSTM,
    STEPS,
    SUM,
    SUM_SECOND,
    TAPS,
    THETA,
    Heads,
)
from forecast_kernels.scalars import mix
from forecast_kernels.slstm.gpu import STATE as SLSTM_STATE


def layer_workspace(kind: int, rows: int, steps: int, inputs: int, outputs: int, heads: int) -> int:
    """Values of workspace that a layer's kernels need."""
    if kind == LSTM:
        return lstm_workspace(inputs, outputs)
    if kind == DENSE:
        return dense_workspace(inputs, outputs)
    return block_workspace(kind, rows, steps, inputs, outputs, heads)


def most_units(kind: int, itemsize: int) -> int:
    """Units that a layer, or a head of it, may have: the state of a recurrence lies in shared memory."""
    values = {LSTM: LSTM_STATE, SLSTM: SLSTM_STATE}.get(kind)
    return sys.maxsize if values is None else shared_limit() // (values * itemsize)


def _lstm_buffers(work: Array, row: Array, B: int) -> tuple[Array, Array, Array, Array, Array]:
    """Private buffers of an LSTM layer: xh, c, gates, dh, dc."""
    S, D, H = int(row[KEPT]), int(row[N_IN]), int(row[N_OUT])
    shapes = (S + 1, B, D + H), (S + 1, B, H), (S, B, 4 * H), (B, H), (B, H)
    xh, c, gates, dh, dc = views(work, row[OWN], *shapes)
    return xh, c, gates, dh, dc


def layer_seeds(
    seed: Array,  # (1,) read: uint64, of this step
    seeds: Array,  # (layers,) written: uint64, of each layer, as on the CPU
    stream: Any = 0,
) -> None:
    """What `network_forward` and `network_backward` draw from."""
    launch(_layer_seeds, 1, THREADS, stream, seed, seeds)


@cuda_kernel
def _layer_seeds(seed: Array, seeds: Array) -> None:
    for k in range(cuda.threadIdx.x, seeds.shape[0], THREADS):
        seeds[k] = mix(seed[0], np.uint64(k))


def start_states(table: Array, work: Array, B: int, stream: Any = 0) -> None:
    """Set the states that recurrent layers start from to zeros, of all rows."""
    for row in table:
        if row[KIND] == LSTM:
            D, H = row[N_IN], row[N_OUT]
            xh, c, _, _, _ = _lstm_buffers(work, row, B)
            launch(_zero, -(-B * int(H) // THREADS), THREADS, stream, xh[0], int(D))
            launch(_zero, -(-B * int(H) // THREADS), THREADS, stream, c[0], 0)


@cuda_kernel
def _zero(
    x: Array,  # (B, D) written from a column on
    first: int,
) -> None:
    T = x.dtype.type
    i, columns = cuda.grid(1), x.shape[1] - first
    if i < x.shape[0] * columns:
        x[i // columns, first + i % columns] = T(0)


def network_forward(
    table: Array,  # (layers, COLUMNS) read, of the host; every layer keeps all steps
    theta: Array,  # (P,) read
    work: Array,  # (W,) workspace: inputs read, activations written
    B: int,  # rows
    heads: Heads,  # Heads
    training: bool,  # whether dropout drops
    seeds: Array,  # (layers,) read: uint64, see layer_seeds
    stream: Any = 0,
) -> None:
    """Run all layers from the states that lie in the workspace, where the output of the last one stays."""
    packed = view(work, heads.packed, heads.n_packed)
    for k, row in enumerate(table):
        T, D, H, at = int(row[STEPS]), int(row[N_IN]), int(row[N_OUT]), int(row[THETA])
        if row[KIND] == LSTM:
            xh, c, gates, _, _ = _lstm_buffers(work, row, B)
            WR, b = view(theta, at, D + H, 4 * H), view(theta, at + (D + H) * 4 * H, 4 * H)
            x, out = view(work, row[INPUT], T, B, D), view(work, row[OUTPUT], T, B, H)
            lstm_forward(x, WR, b, xh, c, gates, out, packed, stream)
        elif row[KIND] == DENSE:
            W, b = view(theta, at, D, H), view(theta, at + D * H, H)
            x, out = view(work, row[INPUT], T * B, D), view(work, row[OUTPUT], T * B, H)
            dense_forward(x, W, b, int(row[ACTIVATION]), out, packed, stream)
        elif row[KIND] == DROPOUT:
            x, out = view(work, row[INPUT], T * B * D), view(work, row[OUTPUT], T * B * D)
            dropout(x, heads.dropout if training else 0.0, seeds[k : k + 1], out, stream)
        elif row[KIND] >= NORM:
            block_forward(row, theta, work, B, packed, stream)
        elif row[KIND] == EMBED:
            x, out = view(work, row[INPUT], T * B), view(work, row[OUTPUT], T * B, H)
            embedding_forward(x, view(theta, at, D, H), out, stream)
        elif row[KIND] == FLAT:
            x, out = view(work, row[INPUT], T, B, D), view(work, row[OUTPUT], B, H)
            flat_forward(x, int(row[TAPS]), out, stream)
        elif row[KIND] == SHIFT:
            x, moves = view(work, row[INPUT], B, D), view(work, row[SECOND], B, D // row[TAPS])
            shift_forward(x, moves, view(work, row[OUTPUT], B, D), stream)
        else:  # LAST
            x, out = view(work, row[INPUT], T, B, D), view(work, row[OUTPUT], B, H)
            # without extras none are read, but an array has to be there
            extra = view(work, heads.extra, B, heads.n_extra) if heads.n_extra else out
            launch(_last_forward, -(-B * H // THREADS), THREADS, stream, x, extra, out)


@cuda_kernel
def _last_forward(
    x: Array,  # (T, B, D) read
    extra: Array,  # (B, H - D) read, if H is larger than D
    out: Array,  # (B, H) written: the last step, and what the head gets beside it
) -> None:
    T, _, D = x.shape
    i = cuda.grid(1)
    if i < out.size:
        r, j = i // out.shape[1], i % out.shape[1]
        out[r, j] = x[T - 1, r, j] if j < D else extra[r, j - D]


def network_backward(
    table: Array,  # (layers, COLUMNS) read, of the host
    theta: Array,  # (P,) read
    gradient: Array,  # (P,) written
    work: Array,  # (W,) as forward left it, with the gradient of the output written; activations are consumed
    B: int,
    heads: Heads,
    seeds: Array,  # (layers,) read: those given to forward
    stream: Any = 0,
) -> None:
    """Gradients of all parameters; that of the network's input only where D_INPUT has a place for it (not -1)."""
    packed = view(work, heads.packed, heads.n_packed)
    for k in range(len(table) - 1, -1, -1):
        row = table[k]
        T, D, H, at = int(row[STEPS]), int(row[N_IN]), int(row[N_OUT]), int(row[THETA])
        wanted, dx_at = (T, row[D_INPUT]) if row[D_INPUT] >= 0 else (0, 0)
        if row[KIND] == LSTM:
            xh, c, gates, dh, dc = _lstm_buffers(work, row, B)
            for state in (dh, dc):
                launch(_zero, -(-B * H // THREADS), THREADS, stream, state, 0)
            WR, dWR = view(theta, at, D + H, 4 * H), view(gradient, at, D + H, 4 * H)
            db = view(gradient, at + (D + H) * 4 * H, 4 * H)
            dx, dout = view(work, dx_at, wanted, B, D), view(work, row[D_OUTPUT], T, B, H)
            lstm_backward(WR, xh, c, gates, dout, dx, dWR, db, dh, dc, packed, stream)
        elif row[KIND] == DENSE:
            W, dW, db = view(theta, at, D, H), view(gradient, at, D, H), view(gradient, at + D * H, H)
            x, out = view(work, row[INPUT], T * B, D), view(work, row[OUTPUT], T * B, H)
            dx, dout = view(work, dx_at, wanted * B, D), view(work, row[D_OUTPUT], T * B, H)
            dense_backward(x, W, out, int(row[ACTIVATION]), dout, dx, dW, db, packed, stream)
        elif row[KIND] == DROPOUT:
            dout, dx = view(work, row[D_OUTPUT], T * B * D), view(work, row[D_INPUT], T * B * D)
            dropout(dout, heads.dropout, seeds[k : k + 1], dx, stream)
        elif row[KIND] >= NORM:
            block_backward(row, theta, gradient, work, B, packed, stream)
        elif row[KIND] == EMBED:
            x, dout = view(work, row[INPUT], T * B), view(work, row[D_OUTPUT], T * B, H)
            embedding_backward(x, dout, view(gradient, at, D, H), stream)
        elif row[KIND] == FLAT:
            dout, dx = view(work, row[D_OUTPUT], B, H), view(work, dx_at, wanted, B, D)
            flat_backward(dout, int(row[TAPS]), dx, stream)
        elif row[KIND] == SHIFT:
            dx, dmoves = view(work, row[D_INPUT], B, D), view(work, row[D_SECOND], B, D // row[TAPS])
            shift_backward(view(work, row[D_OUTPUT], B, D), dx, dmoves, stream)
        else:  # LAST
            dx, dout = view(work, row[D_INPUT], T, B, D), view(work, row[D_OUTPUT], B, H)
            launch(_last_backward, -(-T * B * D // THREADS), THREADS, stream, dout, dx)
        for place, total in ((row[D_INPUT], row[SUM]), (row[D_SECOND], row[SUM_SECOND])):
            if total >= 0:
                add(view(work, place, T * B * D), view(work, total, T * B * D), stream)


@cuda_kernel
def _last_backward(
    dout: Array,  # (B, H) read
    dx: Array,  # (T, B, D) written
) -> None:
    number = dx.dtype.type
    T, B, D = dx.shape
    i = cuda.grid(1)
    if i < dx.size:
        t, r, j = i // (B * D), i // D % B, i % D
        dx[t, r, j] = dout[r, j] if t == T - 1 else number(0)
