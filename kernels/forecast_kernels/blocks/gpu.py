"""The layers of which blocks are made, on the GPU; twins of network/blocks.py and network/cells.py.

Notation: B rows, T patches, D inputs, H outputs, N heads of P = H / N, K width of the convolution; M = T B. A layer is
a row of the host's table; ``x`` and ``y`` are its two inputs. Private buffers lie as on the CPU.
"""

from typing import Any

import numpy as np
from numba import cuda

from forecast_kernels.conv.gpu import conv_backward, conv_forward
from forecast_kernels.dense.gpu import (
    dense_backward,
    dense_forward,
    dense_workspace,
    heads_backward,
    heads_forward,
    heads_workspace,
)
from forecast_kernels.gate.gpu import add, gate_backward, gate_forward, skip_backward, skip_forward
from forecast_kernels.jit import Array
from forecast_kernels.jit_cuda import THREADS, cuda_kernel, launch
from forecast_kernels.matmul.gpu import product, product_workspace
from forecast_kernels.mlstm.gpu import mlstm_chunkwise_backward, mlstm_chunkwise_forward, mlstm_workspace
from forecast_kernels.network.cells import CHUNK
from forecast_kernels.network.table import (
    CARRIED,
    CONV,
    D_INPUT,
    D_OUTPUT,
    D_SECOND,
    GATE,
    HEADS,
    INPUT,
    KEPT,
    KIND,
    MLSTM,
    N_IN,
    N_OUT,
    NORM,
    OUTPUT,
    OWN,
    SECOND,
    SKIP,
    SLSTM,
    STEPS,
    TAPS,
    THETA,
)
from forecast_kernels.norm.gpu import norm_backward, norm_forward
from forecast_kernels.slstm.gpu import slstm_backward, slstm_forward, slstm_workspace


def view(buffer: Array, offset: int, *shape: int) -> Array:
    """Values of a flat buffer from an offset on."""
    return buffer[int(offset) : int(offset) + int(np.prod(shape))].reshape(tuple(map(int, shape)))


def views(buffer: Array, offset: int, *shapes: tuple[int, ...]) -> list[Array]:
    """Arrays that lie one after the other."""
    found = []
    for shape in shapes:
        found.append(view(buffer, offset, *shape))
        offset += int(np.prod(shape))
    return found


def block_workspace(kind: int, rows: int, steps: int, inputs: int, outputs: int, heads: int) -> int:
    """Values of workspace that a layer of a block needs."""
    if kind == SLSTM:
        products = max(slstm_workspace(rows, outputs, heads), product_workspace(inputs, 2 * outputs))
        return 4 * rows * steps * outputs + products
    if kind == MLSTM:
        P = outputs // heads
        return max(heads_workspace(P), dense_workspace(outputs, heads), mlstm_workspace(CHUNK, P))
    return 0


def block_forward(
    row: Array,  # (COLUMNS,) read, of the host: the layer
    theta: Array,  # (P,) read
    work: Array,  # (W,) workspace: inputs read, output and private buffers written
    B: int,  # rows
    packed: Array,  # at least block_workspace(..) values
    stream: Any = 0,
) -> None:
    """One layer of a block, from a state in which nothing was seen."""
    if row[CARRIED]:
        raise ValueError("the GPU's layers of blocks start from nothing: plan them without carried states")
    T, D, H, N, at = (int(row[column]) for column in (STEPS, N_IN, N_OUT, HEADS, THETA))
    M, kind = T * B, row[KIND]
    x, y, out = view(work, row[INPUT], M, D), view(work, row[SECOND], M, D), view(work, row[OUTPUT], M, H)
    if kind == NORM:
        scale, bias = views(theta, at, (D,), (D,))
        norm_forward(x, scale, bias, view(work, row[OWN], M, N, 2), out, stream)
    elif kind == CONV:
        W, b = views(theta, at, (int(row[TAPS]), D), (D,))
        pre, past = views(work, row[OWN], (T, B, D), (0, B, D))
        conv_forward(x.reshape(T, B, D), past, W, b, pre, out.reshape(T, B, D), stream)
    elif kind == SLSTM:
        _slstm_forward(row, theta, work, B, packed, stream)
    elif kind == MLSTM:
        _mlstm_forward(row, theta, work, B, packed, stream)
    elif kind == GATE:
        gate_forward(x.reshape(M * D), y.reshape(M * D), out.reshape(M * D), stream)
    elif kind == SKIP:
        skip_forward(x, y, view(theta, at, D), out, stream)
    else:  # ADD
        launch(_sum, -(-M * D // THREADS), THREADS, stream, x.reshape(M * D), y.reshape(M * D), out.reshape(M * D))


def block_backward(
    row: Array,  # (COLUMNS,) read, of the host: the layer
    theta: Array,  # (P,) read
    gradient: Array,  # (P,) written, the part of this layer
    work: Array,  # (W,) as forward left it, with the gradient of the output; those of the inputs written
    B: int,  # rows
    packed: Array,  # at least block_workspace(..) values
    stream: Any = 0,
) -> None:
    """Gradients of one layer of a block."""
    T, D, H, N, at = (int(row[column]) for column in (STEPS, N_IN, N_OUT, HEADS, THETA))
    M, kind = T * B, row[KIND]
    x, y, dout = view(work, row[INPUT], M, D), view(work, row[SECOND], M, D), view(work, row[D_OUTPUT], M, H)
    dx, dy = (view(work, max(row[column], 0), M, D) for column in (D_INPUT, D_SECOND))  # -1 where there is none
    if kind == NORM:
        dscale, dbias = views(gradient, at, (D,), (D,))
        norm_backward(x, view(theta, at, D), view(work, row[OWN], M, N, 2), dout, dx, dscale, dbias, stream)
    elif kind == CONV:
        K, whole = int(row[TAPS]), (T, B, D)
        dW, db = views(gradient, at, (K, D), (D,))
        (pre, past), W = views(work, row[OWN], whole, (0, B, D)), view(theta, at, K, D)
        conv_backward(x.reshape(whole), past, W, pre, dout.reshape(whole), dx.reshape(whole), dW, db, stream)
    elif kind == SLSTM:
        _slstm_backward(row, theta, gradient, work, B, packed, stream)
    elif kind == MLSTM:
        _mlstm_backward(row, theta, gradient, work, B, packed, stream)
    elif kind == GATE:
        given, made = (x.reshape(M * D), y.reshape(M * D), dout.reshape(M * D)), (dx.reshape(M * D), dy.reshape(M * D))
        gate_backward(*given, *made, stream)
    elif kind == SKIP:
        skip_backward(y, view(theta, at, D), dout, dx, dy, view(gradient, at, D), stream)
    else:  # ADD
        flat = (array.reshape(M * D) for array in (dout, dx, dy))
        launch(_to_both, -(-M * D // THREADS), THREADS, stream, *flat)


def _slstm_buffers(work: Array, row: Array, B: int) -> list[Array]:
    """Private buffers: h c n (3, N, S + 1, B, P), m, gates, and the gradients of h c n."""
    S, H, N = int(row[KEPT]), int(row[N_OUT]), int(row[HEADS])
    P = H // N
    return views(work, row[OWN], (3, N, S + 1, B, P), (N, 2, B, P), (N, S, 4, B, P), (3, N, B, P))


def _slstm_parameters(buffer: Array, row: Array) -> list[Array]:
    """Parameters, or their gradients: Wx, Wy, R, b."""
    D, H, N = int(row[N_IN]), int(row[N_OUT]), int(row[HEADS])
    P = H // N
    return views(buffer, row[THETA], (D, 2 * H), (D, 2 * H), (N, P, 4 * P), (4 * H,))


def _slstm_parts(packed: Array, M: int, H: int) -> tuple[Array, Array, Array]:
    """What the products with x and with y are, or their gradients, and the rest of the workspace."""
    of_x, of_y = views(packed, 0, (M, 2 * H), (M, 2 * H))
    return of_x, of_y, packed[4 * M * H :]


def _slstm_forward(row: Array, theta: Array, work: Array, B: int, packed: Array, stream: Any) -> None:
    """sLSTM from the state in which nothing was seen."""
    T, D, H = int(row[STEPS]), int(row[N_IN]), int(row[N_OUT])
    states, m, gates, _ = _slstm_buffers(work, row, B)
    Wx, Wy, R, b = _slstm_parameters(theta, row)
    of_x, of_y, rest = _slstm_parts(packed, T * B, H)
    product(view(work, row[INPUT], T * B, D), False, Wx, False, None, 0, of_x, None, stream)
    product(view(work, row[SECOND], T * B, D), False, Wy, False, None, 0, of_y, None, stream)
    launch(_start_unseen, -(-B * H // THREADS), THREADS, stream, states, m)
    left, right, out = of_x.reshape(T, B, 2 * H), of_y.reshape(T, B, 2 * H), view(work, row[OUTPUT], T, B, H)
    slstm_forward(left, right, R, b, states[0], states[1], states[2], m, gates, out, 0, rest, stream)


def _slstm_backward(row: Array, theta: Array, gradient: Array, work: Array, B: int, packed: Array, stream: Any) -> None:
    """Gradients of an sLSTM layer."""
    T, D, H = int(row[STEPS]), int(row[N_IN]), int(row[N_OUT])
    states, _, gates, dstates = _slstm_buffers(work, row, B)
    Wx, Wy, R, _ = _slstm_parameters(theta, row)
    dWx, dWy, dR, db = _slstm_parameters(gradient, row)
    dof_x, dof_y, rest = _slstm_parts(packed, T * B, H)
    launch(_clear, -(-dstates.size // THREADS), THREADS, stream, dstates.reshape(dstates.size))
    slstm_backward(
        R, states[0], states[1], states[2], gates, view(work, row[D_OUTPUT], T, B, H), dof_x.reshape(T, B, 2 * H),
        dof_y.reshape(T, B, 2 * H), dR, db, dstates[0], dstates[1], dstates[2], 0, True, rest, stream,
    )  # fmt: skip
    for value, dvalue, W, dW, dof in (
        (row[INPUT], row[D_INPUT], Wx, dWx, dof_x),
        (row[SECOND], row[D_SECOND], Wy, dWy, dof_y),
    ):
        product(dof, False, W, True, None, 0, view(work, dvalue, T * B, D), None, stream)
        product(view(work, value, T * B, D), True, dof, False, None, 0, dW, rest, stream)


def _mlstm_buffers(work: Array, row: Array, B: int) -> list[Array]:
    """Private buffers: q, k, v, their gradients and a spare (7, M, H), both gates and their gradients, those of the
    kernel, m, and the memory between chunks.
    """
    T, S, H, N = int(row[STEPS]), int(row[KEPT]), int(row[N_OUT]), int(row[HEADS])
    P, M = H // N, T * B
    shapes = (7, M, H), (4, M, N), (4, T, B, N), (B, N), (S, B, N, P, P), (S, B, N, P)
    return views(work, row[OWN], *shapes)


def _mlstm_parameters(buffer: Array, row: Array) -> list[Array]:
    """Parameters, or their gradients: W of q, k and v, b of them, W of i and f, b of them."""
    H, N = int(row[N_OUT]), int(row[HEADS])
    P = H // N
    return views(buffer, row[THETA], (3, N, P, P), (3, H), (2, H, N), (2, N))


def _mlstm_forward(row: Array, theta: Array, work: Array, B: int, packed: Array, stream: Any) -> None:
    """mLSTM from an empty memory."""
    T, H, N = int(row[STEPS]), int(row[N_OUT]), int(row[HEADS])
    values, raw, gates, m, C, n = _mlstm_buffers(work, row, B)
    W, b, Wg, bg = _mlstm_parameters(theta, row)
    x, y = view(work, row[INPUT], T * B, H), view(work, row[SECOND], T * B, H)
    for part in range(3):
        heads_forward(y if part == 2 else x, W[part], b[part], values[part], packed, stream)
    for gate in range(2):
        dense_forward(x, Wg[gate], bg[gate], 0, raw[gate], packed, stream)
    q, k, v = (values[part].reshape(T, B, H) for part in range(3))
    i, f = (raw[gate].reshape(T, B, N) for gate in range(2))
    out = view(work, row[OUTPUT], T, B, H)
    mlstm_chunkwise_forward(q, k, v, i, f, CHUNK, False, C, n, m, gates, out, packed, stream)


def _mlstm_backward(row: Array, theta: Array, gradient: Array, work: Array, B: int, packed: Array, stream: Any) -> None:
    """Gradients of an mLSTM layer."""
    T, H, N = int(row[STEPS]), int(row[N_OUT]), int(row[HEADS])
    values, raw, gates, _, C, n = _mlstm_buffers(work, row, B)
    q, k, v, dq, dk, dv = (values[part].reshape(T, B, H) for part in range(6))
    f, di, df = (raw[gate].reshape(T, B, N) for gate in range(1, 4))
    out, dout = view(work, row[OUTPUT], T, B, H), view(work, row[D_OUTPUT], T, B, H)
    mlstm_chunkwise_backward(
        q, k, v, f, CHUNK, False, True, C, n, gates, out, dout, dq, dk, dv, di, df, C[0], n[0], packed, stream
    )
    W, _, Wg, _ = _mlstm_parameters(theta, row)
    dW, db, dWg, dbg = _mlstm_parameters(gradient, row)
    x, y, spare = view(work, row[INPUT], T * B, H), view(work, row[SECOND], T * B, H), values[6]
    dx, dy = view(work, row[D_INPUT], T * B, H), view(work, row[D_SECOND], T * B, H)
    total, more = dx.reshape(T * B * H), spare.reshape(T * B * H)
    heads_backward(y, W[2], values[5], dy, dW[2], db[2], packed, stream)
    heads_backward(x, W[0], values[3], dx, dW[0], db[0], packed, stream)
    heads_backward(x, W[1], values[4], spare, dW[1], db[1], packed, stream)
    add(more, total, stream)
    for gate in range(2):
        dense_backward(x, Wg[gate], raw[gate], 0, raw[2 + gate], spare, dWg[gate], dbg[gate], packed, stream)
        add(more, total, stream)


@cuda_kernel
def _sum(
    x: Array,  # (N,) read
    y: Array,  # (N,) read
    out: Array,  # (N,) written
) -> None:
    k = cuda.grid(1)
    if k < out.size:
        out[k] = x[k] + y[k]


@cuda_kernel
def _to_both(
    dout: Array,  # (N,) read
    dx: Array,  # (N,) written
    dy: Array,  # (N,) written
) -> None:
    k = cuda.grid(1)
    if k < dout.size:
        dx[k] = dy[k] = dout[k]


@cuda_kernel
def _clear(
    x: Array,  # (N,) written
) -> None:
    k = cuda.grid(1)
    if k < x.size:
        x[k] = x.dtype.type(0)


@cuda_kernel
def _start_unseen(
    states: Array,  # (3, N, S + 1, B, P): the first step written
    m: Array,  # (N, 2, B, P) likewise
) -> None:
    """The state of sLSTM before anything was seen."""
    number = m.dtype.type
    _, N, _, B, P = states.shape
    k = cuda.grid(1)
    if k < N * B * P:
        head, r, j = k // (B * P), k // P % B, k % P
        for state in range(3):
            states[state, head, 0, r, j] = number(0)
        m[head, 0, r, j] = number(-np.inf)
