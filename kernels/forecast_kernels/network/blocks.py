"""The layers of which blocks are made: residual branches around a cell or a gated feed-forward layer.

Notation: B rows a group, T patches, D inputs, H outputs, N heads, K width of the convolution; M = T B. A layer is a row
of the table; ``x`` and ``y`` are its two inputs.
"""

from forecast_kernels.conv.cpu import conv_backward, conv_forward
from forecast_kernels.gate.cpu import add, gate_backward, gate_forward, skip_backward, skip_forward
from forecast_kernels.jit import Array, kernel
from forecast_kernels.network.cells import (
    mlstm_layer_backward,
    mlstm_layer_forward,
    mlstm_own_size,
    slstm_layer_backward,
    slstm_layer_forward,
    slstm_own_size,
)
from forecast_kernels.network.table import (
    CARRIED,
    CONV,
    D_INPUT,
    D_OUTPUT,
    D_SECOND,
    GATE,
    HEADS,
    INPUT,
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
    view2,
    view3,
)
from forecast_kernels.norm.cpu import norm_backward, norm_forward


def own_size(kind: int, rows: int, steps: int, kept: int, hidden: int, heads: int, past: int) -> int:
    """Values of private buffers of a layer; ``past`` are the inputs of before that a convolution keeps."""
    if kind == SLSTM:
        return slstm_own_size(rows, kept, hidden)
    if kind == MLSTM:
        return mlstm_own_size(rows, steps, kept, hidden, heads)
    return {NORM: 2 * heads * steps, CONV: hidden * (steps + past)}.get(kind, 0) * rows


@kernel
def _conv_past(work: Array, row: Array, B: int) -> Array:
    """The last inputs before those of the sequence, of a convolution that is carried."""
    return view3(work, row[OWN] + row[STEPS] * B * row[N_IN], row[CARRIED] * (row[TAPS] - 1), B, row[N_IN])


@kernel
def conv_state(row: Array, B: int, r: int, k: int) -> tuple[int, int, int]:
    """Piece k of the state of row r: input k of the K - 1 before the sequence; see `states.state_piece`.

    Those after it are its own last ones, or where it is shorter than they are, inputs from before it.
    """
    T, D, A = row[STEPS], row[N_IN], row[TAPS] - 1
    past, place = row[OWN] + T * B * D, r * D
    last = past + (T + k) * B * D if T + k < A else row[INPUT] + (T + k - A) * B * D
    return past + k * B * D + place, last + place, D


@kernel
def block_forward(
    row: Array,  # (COLUMNS,) read: the layer
    theta: Array,  # (P,) read
    work: Array,  # (W,) the group's workspace: inputs read, output and private buffers written
    B: int,  # rows
    packed: Array,  # workspace of matrix products
) -> None:
    """One layer of a block."""
    T, D, at, own = row[STEPS], row[N_IN], row[THETA], row[OWN]
    x, out = view2(work, row[INPUT], T * B, D), view2(work, row[OUTPUT], T * B, row[N_OUT])
    y = view2(work, row[SECOND], T * B, D)
    if row[KIND] == NORM:
        moments = view3(work, own, T * B, row[HEADS], 2)
        norm_forward(x, theta[at : at + D], theta[at + D : at + 2 * D], moments, out)
    elif row[KIND] == CONV:
        K, pre = row[TAPS], view3(work, own, T, B, D)
        W, b = view2(theta, at, K, D), theta[at + K * D : at + K * D + D]
        conv_forward(x.reshape(T, B, D), _conv_past(work, row, B), W, b, pre, out.reshape(T, B, D))
    elif row[KIND] == SLSTM:
        slstm_layer_forward(row, theta, work, B, packed)
    elif row[KIND] == MLSTM:
        mlstm_layer_forward(row, theta, work, B, packed)
    elif row[KIND] == GATE:
        gate_forward(x.reshape(x.size), y.reshape(y.size), out.reshape(out.size))
    elif row[KIND] == SKIP:
        skip_forward(x, y, theta[at : at + D], out)
    else:  # ADD
        _copy(x, out)
        add(y.reshape(y.size), out.reshape(out.size))


@kernel
def block_backward(
    row: Array,  # (COLUMNS,) read: the layer
    theta: Array,  # (P,) read
    gradient: Array,  # (P,) written, the part of this layer
    work: Array,  # (W,) as forward left it, with the gradient of the output; those of the inputs written
    B: int,  # rows
    packed: Array,  # workspace of matrix products
) -> None:
    """Gradients of one layer of a block."""
    T, D, at, own = row[STEPS], row[N_IN], row[THETA], row[OWN]
    x, y = view2(work, row[INPUT], T * B, D), view2(work, row[SECOND], T * B, D)
    dx, dy = view2(work, row[D_INPUT], T * B, D), view2(work, row[D_SECOND], T * B, D)
    dout = view2(work, row[D_OUTPUT], T * B, row[N_OUT])
    if row[KIND] == NORM:
        moments = view3(work, own, T * B, row[HEADS], 2)
        ds, db = gradient[at : at + D], gradient[at + D : at + 2 * D]
        norm_backward(x, theta[at : at + D], moments, dout, dx, ds, db)
    elif row[KIND] == CONV:
        K, pre = row[TAPS], view3(work, own, T, B, D)
        W, dW, db = view2(theta, at, K, D), view2(gradient, at, K, D), gradient[at + K * D : at + K * D + D]
        x3, dout3, dx3 = x.reshape(T, B, D), dout.reshape(T, B, D), dx.reshape(T, B, D)
        conv_backward(x3, _conv_past(work, row, B), W, pre, dout3, dx3, dW, db)
    elif row[KIND] == SLSTM:
        slstm_layer_backward(row, theta, gradient, work, B, packed)
    elif row[KIND] == MLSTM:
        mlstm_layer_backward(row, theta, gradient, work, B, packed)
    elif row[KIND] == GATE:
        gate_backward(
            x.reshape(x.size), y.reshape(y.size), dout.reshape(x.size), dx.reshape(x.size), dy.reshape(y.size)
        )
    elif row[KIND] == SKIP:
        skip_backward(y, theta[at : at + D], dout, dx, dy, gradient[at : at + D])
    else:  # ADD
        _copy(dout, dx)
        _copy(dout, dy)


@kernel
def _copy(
    x: Array,  # (M, D) read
    out: Array,  # (M, D) written
) -> None:
    for r in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[r, j] = x[r, j]
