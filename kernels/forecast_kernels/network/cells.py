"""The cells of xLSTM as layers: what they make of their two inputs before the recurrence, and its buffers.

Notation: B rows a group, T patches, D inputs, H outputs, N heads of P = H / N; M = T B. ``y`` is the block's input to
the cell, ``x`` the same after the causal convolution, if there is one.

sLSTM: gates i and f see x, gates z and o see y. mLSTM: q and k, and both gates, see x, and v sees y.
"""

import numpy as np

from forecast_kernels.dense.cpu import dense_backward, dense_forward
from forecast_kernels.dense.heads import heads_backward, heads_forward, heads_workspace
from forecast_kernels.gate.cpu import add
from forecast_kernels.jit import Array, kernel
from forecast_kernels.matmul.cpu import DEPTH, multiply, multiply_transposed, pack, pack_transposed, packed_size
from forecast_kernels.mlstm.chunkwise import mlstm_chunkwise_backward, mlstm_chunkwise_forward, mlstm_workspace
from forecast_kernels.network.table import (
    D_INPUT,
    D_OUTPUT,
    D_SECOND,
    HEADS,
    INPUT,
    KEPT,
    N_IN,
    N_OUT,
    OUTPUT,
    OWN,
    SECOND,
    STEPS,
    THETA,
    view2,
    view3,
)
from forecast_kernels.slstm.cpu import slstm_backward, slstm_forward, slstm_workspace

CHUNK = 64  # steps of mLSTM that are computed at once


def slstm_own_size(rows: int, steps: int, kept: int, hidden: int) -> int:
    """Values of private buffers of an sLSTM layer: parts of the pre-activations, states, gates, gradients of states."""
    return rows * hidden * (8 * steps + 3 * (kept + 1) + 2 + 4 * kept + 3)


def mlstm_own_size(rows: int, steps: int, hidden: int, heads: int) -> int:
    """Values of private buffers of an mLSTM layer: q, k, v, gates, memory between chunks, and the gradients."""
    memories = max(1, -(-steps // CHUNK) - 1)
    P = hidden // heads
    return rows * (7 * steps * hidden + 8 * steps * heads + heads + memories * hidden * (P + 1))


def cell_workspace(rows: int, steps: int, inputs: int, hidden: int, heads: int) -> int:
    """Values of workspace that layers of both kinds need."""
    P = hidden // heads
    products = packed_size(max(inputs, DEPTH), 2 * hidden), packed_size(2 * hidden, inputs)
    recurrent = slstm_workspace(rows, hidden, heads), mlstm_workspace(min(CHUNK, steps), P)
    return max(*products, *recurrent, heads_workspace(P))


@kernel
def _slstm_buffers(work: Array, row: Array, B: int) -> tuple[Array, Array, Array, Array, Array, Array, Array]:
    """Private buffers: products of x and of y (M, 2H), pre (T, B, 4H), h c n (3, N, S + 1, B, P), m, gates, and the
    gradients of h c n.
    """
    T, S, H, N, at = row[STEPS], row[KEPT], row[N_OUT], row[HEADS], row[OWN]
    P = H // N
    of_x, at = view2(work, at, T * B, 2 * H), at + T * B * 2 * H
    of_y, at = view2(work, at, T * B, 2 * H), at + T * B * 2 * H
    pre, at = view3(work, at, T, B, 4 * H), at + T * B * 4 * H
    size = 3 * H * (S + 1) * B
    states, at = work[at : at + size].reshape(3, N, S + 1, B, P), at + size
    m, at = work[at : at + 2 * H * B].reshape(N, 2, B, P), at + 2 * H * B
    gates, at = work[at : at + S * B * 4 * H].reshape(N, S, 4, B, P), at + S * B * 4 * H
    return of_x, of_y, pre, states, m, gates, work[at : at + 3 * B * H].reshape(3, N, B, P)


@kernel
def slstm_layer_forward(
    row: Array,  # (COLUMNS,) read: the layer
    theta: Array,  # (P,) read: Wx (D, 2H) and Wy (D, 2H), heads side by side; R (N, P, 4P); b (4H,)
    work: Array,  # (W,) the group's workspace: inputs read, output and private buffers written
    B: int,  # rows
    packed: Array,  # at least cell_workspace(B, T, D, H, N) values
) -> None:
    """sLSTM from the state in which nothing was seen."""
    T, D, H, N, at = row[STEPS], row[N_IN], row[N_OUT], row[HEADS], row[THETA]
    P = H // N
    of_x, of_y, pre, states, m, gates, _ = _slstm_buffers(work, row, B)
    for offset, weights, out in ((row[INPUT], at, of_x), (row[SECOND], at + 2 * D * H, of_y)):
        pack(view2(theta, weights, D, 2 * H), packed)
        multiply(view2(work, offset, T * B, D), packed, out)
    rows = pre.reshape(T * B, 4 * H)
    for r in range(T * B):
        for n in range(N):
            whole, left, right = rows[r, 4 * n * P :], of_x[r, 2 * n * P :], of_y[r, 2 * n * P :]
            for j in range(2 * P):
                whole[j] = left[j]
            for j in range(2 * P):
                whole[2 * P + j] = right[j]
    h, c, n_ = states[0], states[1], states[2]
    for head in range(N):
        for r in range(B):
            for j in range(P):
                h[head, 0, r, j] = c[head, 0, r, j] = n_[head, 0, r, j] = 0
                m[head, 0, r, j] = -np.inf
    at += 4 * D * H
    R, b = view3(theta, at, N, P, 4 * P), theta[at + 4 * H * P : at + 4 * H * P + 4 * H]
    slstm_forward(pre, R, b, h, c, n_, m, gates, view3(work, row[OUTPUT], T, B, H), packed)


@kernel
def slstm_layer_backward(
    row: Array,  # (COLUMNS,) read: the layer
    theta: Array,  # (P,) read
    gradient: Array,  # (P,) written, the part of this layer
    work: Array,  # (W,) as forward left it, with the gradient of the output; those of the inputs written
    B: int,  # rows
    packed: Array,  # at least cell_workspace(B, T, D, H, N) values
) -> None:
    """Gradients of an sLSTM layer."""
    T, D, H, N, at = row[STEPS], row[N_IN], row[N_OUT], row[HEADS], row[THETA]
    P = H // N
    of_x, of_y, pre, states, _, gates, dstates = _slstm_buffers(work, row, B)
    for k in range(3):
        for head in range(N):
            for r in range(B):
                for j in range(P):
                    dstates[k, head, r, j] = 0
    end = at + 4 * D * H
    R, dR = view3(theta, end, N, P, 4 * P), view3(gradient, end, N, P, 4 * P)
    db = gradient[end + R.size : end + R.size + 4 * H]
    slstm_backward(
        R, states[0], states[1], states[2], gates, view3(work, row[D_OUTPUT], T, B, H), pre, dR, db, dstates[0],
        dstates[1], dstates[2], packed,
    )  # fmt: skip
    rows = pre.reshape(T * B, 4 * H)
    for r in range(T * B):
        for n in range(N):
            whole, left, right = rows[r, 4 * n * P :], of_x[r, 2 * n * P :], of_y[r, 2 * n * P :]
            for j in range(2 * P):
                left[j] = whole[j]
            for j in range(2 * P):
                right[j] = whole[2 * P + j]
    for value, dvalue, weights, dout in (
        (row[INPUT], row[D_INPUT], at, of_x),
        (row[SECOND], row[D_SECOND], at + 2 * D * H, of_y),
    ):
        pack_transposed(view2(theta, weights, D, 2 * H), packed)
        multiply(dout, packed, view2(work, dvalue, T * B, D))
        multiply_transposed(view2(work, value, T * B, D), dout, packed, view2(gradient, weights, D, 2 * H), False)


@kernel
def _mlstm_buffers(work: Array, row: Array, B: int) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Private buffers: q, k, v, their gradients and a spare (7, M, H), both gates and their gradients, those of the
    kernel, m, and the memory between chunks.
    """
    T, H, N, at = row[STEPS], row[N_OUT], row[HEADS], row[OWN]
    P, M = H // N, T * B
    values, at = view3(work, at, 7, M, H), at + 7 * M * H
    raw, at = view3(work, at, 4, M, N), at + 4 * M * N
    gates, at = work[at : at + 4 * M * N].reshape(4, T, B, N), at + 4 * M * N
    m, at = view2(work, at, B, N), at + B * N
    S = max(1, (T + CHUNK - 1) // CHUNK - 1)
    C, at = work[at : at + S * B * H * P].reshape(S, B, N, P, P), at + S * B * H * P
    return values, raw, gates, m, C, work[at : at + S * B * H].reshape(S, B, N, P)


@kernel
def _mlstm_parameters(buffer: Array, row: Array) -> tuple[Array, Array, Array, Array]:
    """Parameters, or their gradients: W of q, k and v, b of them, W of i and f, b of them."""
    H, N, at = row[N_OUT], row[HEADS], row[THETA]
    P = H // N
    W, at = buffer[at : at + 3 * H * P].reshape(3, N, P, P), at + 3 * H * P
    b, at = view2(buffer, at, 3, H), at + 3 * H
    Wg, at = view3(buffer, at, 2, H, N), at + 2 * H * N
    return W, b, Wg, view2(buffer, at, 2, N)


@kernel
def mlstm_layer_forward(
    row: Array,  # (COLUMNS,) read: the layer
    theta: Array,  # (P,) read: see `_mlstm_parameters`
    work: Array,  # (W,) the group's workspace: inputs read, output and private buffers written
    B: int,  # rows
    packed: Array,  # at least cell_workspace(B, T, H, H, N) values
) -> None:
    """mLSTM from an empty memory."""
    T, H, N = row[STEPS], row[N_OUT], row[HEADS]
    values, raw, gates, m, C, n = _mlstm_buffers(work, row, B)
    W, b, Wg, bg = _mlstm_parameters(theta, row)
    x, y = view2(work, row[INPUT], T * B, H), view2(work, row[SECOND], T * B, H)
    for part in range(3):
        heads_forward(y if part == 2 else x, W[part], b[part], values[part], packed)
    for gate in range(2):
        dense_forward(x, Wg[gate], bg[gate], 0, raw[gate], packed)
    q, k, v = values[0].reshape(T, B, H), values[1].reshape(T, B, H), values[2].reshape(T, B, H)
    i, f = raw[0].reshape(T, B, N), raw[1].reshape(T, B, N)
    out = view3(work, row[OUTPUT], T, B, H)
    mlstm_chunkwise_forward(q, k, v, i, f, CHUNK, False, C, n, m, gates, out, packed)


@kernel
def mlstm_layer_backward(
    row: Array,  # (COLUMNS,) read: the layer
    theta: Array,  # (P,) read
    gradient: Array,  # (P,) written, the part of this layer
    work: Array,  # (W,) as forward left it, with the gradient of the output; those of the inputs written
    B: int,  # rows
    packed: Array,  # at least cell_workspace(B, T, H, H, N) values
) -> None:
    """Gradients of an mLSTM layer."""
    T, H, N = row[STEPS], row[N_OUT], row[HEADS]
    values, raw, gates, _, C, n = _mlstm_buffers(work, row, B)
    q, k, v = values[0].reshape(T, B, H), values[1].reshape(T, B, H), values[2].reshape(T, B, H)
    dq, dk, dv = values[3].reshape(T, B, H), values[4].reshape(T, B, H), values[5].reshape(T, B, H)
    f, di, df = raw[1].reshape(T, B, N), raw[2].reshape(T, B, N), raw[3].reshape(T, B, N)
    out, dout = view3(work, row[OUTPUT], T, B, H), view3(work, row[D_OUTPUT], T, B, H)
    mlstm_chunkwise_backward(
        q, k, v, f, CHUNK, False, C, n, gates, out, dout, dq, dk, dv, di, df, C[0], n[0], packed
    )  # fmt: skip
    W, _, Wg, _ = _mlstm_parameters(theta, row)
    dW, db, dWg, dbg = _mlstm_parameters(gradient, row)
    x, y, spare = view2(work, row[INPUT], T * B, H), view2(work, row[SECOND], T * B, H), values[6]
    dx, dy = view2(work, row[D_INPUT], T * B, H), view2(work, row[D_SECOND], T * B, H)
    total, more = dx.reshape(dx.size), spare.reshape(spare.size)
    heads_backward(y, W[2], values[5], dy, dW[2], db[2], packed)
    heads_backward(x, W[0], values[3], dx, dW[0], db[0], packed)
    heads_backward(x, W[1], values[4], spare, dW[1], db[1], packed)
    add(more, total)
    for gate in range(2):
        dense_backward(x, Wg[gate], raw[gate], 0, raw[2 + gate], spare, dWg[gate], dbg[gate], packed)
        add(more, total)
