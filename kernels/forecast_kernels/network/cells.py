"""The cells of xLSTM as layers: what they make of their two inputs before the recurrence, and its buffers.

Notation: B rows a group, T patches, D inputs, H outputs, N heads of P = H / N; M = T B. ``y`` is the block's input to
the cell, ``x`` the same after the causal convolution, if there is one.

sLSTM: gates i and f see x, gates z and o see y. mLSTM: q and k, and both gates, see x, and v sees y.
"""

from forecast_kernels.dense.cpu import dense_backward, dense_forward
from forecast_kernels.dense.heads import heads_backward, heads_forward, heads_workspace
from forecast_kernels.gate.cpu import add
from forecast_kernels.jit import Array, cell, kernel
from forecast_kernels.matmul.cpu import DEPTH, multiply, multiply_transposed, pack, pack_transposed, packed_size
from forecast_kernels.mlstm.chunkwise import mlstm_chunkwise_backward, mlstm_chunkwise_forward, mlstm_workspace
from forecast_kernels.mlstm.recurrent import mlstm_recurrent_forward
from forecast_kernels.network.table import (
    CARRIED,
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


def slstm_own_size(rows: int, kept: int, hidden: int) -> int:
    """Values of private buffers of an sLSTM layer: states, gates, gradients of states."""
    return rows * hidden * (3 * (kept + 1) + 2 + 4 * kept + 3)


def mlstm_memories(steps: int, training: bool, carried: bool) -> int:
    """Memories that an mLSTM layer keeps: those between chunks, and where it is carried also the first and the last."""
    chunks = -(-steps // CHUNK)
    return (chunks + 1 if carried else max(1, chunks - 1)) if training else 1


def mlstm_own_size(rows: int, steps: int, memories: int, hidden: int, heads: int) -> int:
    """Values of private buffers of an mLSTM layer: q, k, v, gates, memories, and the gradients."""
    P = hidden // heads
    return rows * (7 * steps * hidden + 8 * steps * heads + heads + memories * hidden * (P + 1))


def cell_workspace(rows: int, steps: int, inputs: int, hidden: int, heads: int) -> int:
    """Values of workspace that layers of both kinds need."""
    P = hidden // heads
    forward, backward = packed_size(inputs, 2 * hidden), packed_size(2 * hidden, inputs)
    parts = 2 * max(forward, backward) + 4 * max(rows, DEPTH) * hidden + packed_size(DEPTH, 2 * hidden)
    slstm = parts + slstm_workspace(rows, hidden, heads)
    products = packed_size(max(inputs, DEPTH), 2 * hidden), backward
    return max(*products, slstm, mlstm_workspace(min(CHUNK, steps), P), heads_workspace(P))


_packed_size = cell(packed_size)


@kernel
def _slstm_buffers(work: Array, row: Array, B: int) -> tuple[Array, Array, Array, Array]:
    """Private buffers: h c n (3, N, S + 1, B, P), m, gates, and the gradients of h c n."""
    S, H, N, at = row[KEPT], row[N_OUT], row[HEADS], row[OWN]
    P = H // N
    size = 3 * H * (S + 1) * B
    states, at = work[at : at + size].reshape(3, N, S + 1, B, P), at + size
    m, at = work[at : at + 2 * H * B].reshape(N, 2, B, P), at + 2 * H * B
    gates, at = work[at : at + S * B * 4 * H].reshape(N, S, 4, B, P), at + S * B * 4 * H
    return states, m, gates, work[at : at + 3 * B * H].reshape(3, N, B, P)


@kernel
def _slstm_parts(packed: Array, B: int, H: int, size: int) -> tuple[int, Array, Array, Array, Array, Array]:
    """Steps of a part of the sequence, and its workspace: two packed matrices of so many values, what the products with
    x and with y are, or their gradients (rows, 2H), and the rest.
    """
    span = max(1, DEPTH // max(1, B))
    rows = span * B
    first, second = packed[:size], packed[size : 2 * size]
    of_x, of_y = view2(packed, 2 * size, rows, 2 * H), view2(packed, 2 * size + 2 * rows * H, rows, 2 * H)
    return span, first, second, of_x, of_y, packed[2 * size + 4 * rows * H :]


@kernel
def slstm_state(row: Array, B: int, r: int, k: int) -> tuple[int, int, int]:
    """Piece k of the state of row r, of 4N: h of every head, then c, n and m; see `states.state_piece`."""
    T, S, H, N = row[STEPS], row[KEPT], row[N_OUT], row[HEADS]
    P = H // N
    what, head = k // N, k % N
    kept = S + 1 if what < 3 else 2
    start = row[OWN] + min(what, 3) * H * (S + 1) * B + (head * kept * B + r) * P
    return start, start + T % kept * B * P, P


@kernel
def slstm_layer_forward(
    row: Array,  # (COLUMNS,) read: the layer
    theta: Array,  # (P,) read: Wx (D, 2H) and Wy (D, 2H), heads side by side; R (N, P, 4P); b (4H,)
    work: Array,  # (W,) the group's workspace: inputs read, output and private buffers written
    B: int,  # rows
    packed: Array,  # at least cell_workspace(B, T, D, H, N) values
) -> None:
    """sLSTM from the state that lies in its buffers."""
    T, D, H, N, at = row[STEPS], row[N_IN], row[N_OUT], row[HEADS], row[THETA]
    P = H // N
    states, m, gates, _ = _slstm_buffers(work, row, B)
    h, c, n = states[0], states[1], states[2]
    span, packed_x, packed_y, of_x, of_y, rest = _slstm_parts(packed, B, H, _packed_size(D, 2 * H))
    pack(view2(theta, at, D, 2 * H), packed_x)
    pack(view2(theta, at + 2 * D * H, D, 2 * H), packed_y)
    at += 4 * D * H
    R, b = view3(theta, at, N, P, 4 * P), theta[at + 4 * H * P : at + 4 * H * P + 4 * H]
    x, y, out = view2(work, row[INPUT], T * B, D), view2(work, row[SECOND], T * B, D), view3(work, row[OUTPUT], T, B, H)
    for first in range(0, T, span):
        L = min(span, T - first)
        here, count = first * B, L * B
        multiply(x[here : here + count], packed_x, of_x[:count])
        multiply(y[here : here + count], packed_y, of_y[:count])
        left, right = of_x[:count].reshape(L, B, 2 * H), of_y[:count].reshape(L, B, 2 * H)
        slstm_forward(left, right, R, b, h, c, n, m, gates, out[first : first + L], first, rest)


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
    states, _, gates, dstates = _slstm_buffers(work, row, B)
    for k in range(3):
        for head in range(N):
            for r in range(B):
                for j in range(P):
                    dstates[k, head, r, j] = 0
    span, packed_x, packed_y, dof_x, dof_y, rest = _slstm_parts(packed, B, H, _packed_size(2 * H, D))
    pack_transposed(view2(theta, at, D, 2 * H), packed_x)
    pack_transposed(view2(theta, at + 2 * D * H, D, 2 * H), packed_y)
    end_spare, end_W = _packed_size(DEPTH, 2 * H), at + 4 * D * H
    spare, rest = rest[:end_spare], rest[end_spare:]
    R, dR = view3(theta, end_W, N, P, 4 * P), view3(gradient, end_W, N, P, 4 * P)
    db = gradient[end_W + R.size : end_W + R.size + 4 * H]
    dout = view3(work, row[D_OUTPUT], T, B, H)
    for first in range((T - 1) // span * span, -1, -span):
        L, ends = min(span, T - first), first + span >= T
        here, count = first * B, L * B
        left, right = dof_x[:count].reshape(L, B, 2 * H), dof_y[:count].reshape(L, B, 2 * H)
        slstm_backward(
            R, states[0], states[1], states[2], gates, dout[first : first + L], left, right, dR, db, dstates[0],
            dstates[1], dstates[2], first, ends, rest,
        )  # fmt: skip
        for value, dvalue, weights, matrix, dof in (
            (row[INPUT], row[D_INPUT], at, packed_x, dof_x[:count]),
            (row[SECOND], row[D_SECOND], at + 2 * D * H, packed_y, dof_y[:count]),
        ):
            multiply(dof, matrix, view2(work, dvalue + here * D, count, D))
            x, dW = view2(work, value + here * D, count, D), view2(gradient, weights, D, 2 * H)
            multiply_transposed(x, dof, spare, dW, not ends)


@kernel
def _mlstm_buffers(work: Array, row: Array, B: int) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Private buffers: q, k, v, their gradients and a spare (7, M, H), both gates and their gradients, those of the
    kernel, m, and the memories.
    """
    T, S, H, N, at = row[STEPS], row[KEPT], row[N_OUT], row[HEADS], row[OWN]
    P, M = H // N, T * B
    values, at = view3(work, at, 7, M, H), at + 7 * M * H
    raw, at = view3(work, at, 4, M, N), at + 4 * M * N
    gates, at = work[at : at + 4 * M * N].reshape(4, T, B, N), at + 4 * M * N
    m, at = view2(work, at, B, N), at + B * N
    C, at = work[at : at + S * B * H * P].reshape(S, B, N, P, P), at + S * B * H * P
    return values, raw, gates, m, C, work[at : at + S * B * H].reshape(S, B, N, P)


@kernel
def mlstm_state(row: Array, B: int, r: int, k: int) -> tuple[int, int, int]:
    """Piece k of the state of row r: C, n, m; see `states.state_piece`."""
    T, S, H, N = row[STEPS], row[KEPT], row[N_OUT], row[HEADS]
    at = row[OWN] + T * B * (7 * H + 8 * N)
    if k == 2:
        return at + r * N, at + r * N, N
    whole, at = H * (H // N), at + B * N
    count, at = (whole, at) if k == 0 else (H, at + S * B * whole)
    last = (T + CHUNK - 1) // CHUNK % S
    return at + r * count, at + (last * B + r) * count, count


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
    """mLSTM from the memory that lies in its buffers if it is carried, else from an empty one."""
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
    if row[CARRIED] == 1 and T == 1:
        mlstm_recurrent_forward(q, k, v, i, f, C, n, m, gates, out)
    else:
        mlstm_chunkwise_forward(q, k, v, i, f, CHUNK, row[CARRIED] == 1, C, n, m, gates, out, packed)


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
        q, k, v, f, CHUNK, row[CARRIED] == 1, True, C, n, gates, out, dout, dq, dk, dv, di, df, C[0], n[0], packed
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
