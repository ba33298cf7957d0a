"""The states with which recurrent layers start: empty, those in which the run before ended, or others.

Notation: B rows, Z values of the state of a row. A layer's state has pieces of consecutive values, and a piece has two
places in the workspace: where forward reads it before the first step, and where it stands after the last one.
"""

import math

from forecast_kernels.jit import Array, kernel
from forecast_kernels.network.blocks import conv_state
from forecast_kernels.network.cells import mlstm_state, slstm_state
from forecast_kernels.network.table import (
    CARRIED,
    CONV,
    HEADS,
    KEPT,
    KIND,
    LSTM,
    MLSTM,
    N_IN,
    N_OUT,
    OWN,
    SLSTM,
    STEPS,
    TAPS,
)


@kernel
def state_pieces(row: Array) -> int:
    """Number of the pieces of a layer's state; one that is not carried has none, unless it costs nothing."""
    pieces = 0
    if row[KIND] == LSTM:
        pieces = 2
    elif row[KIND] == SLSTM:
        pieces = 4 * row[HEADS]
    elif row[KIND] == MLSTM:
        pieces = 3 * row[CARRIED]
    elif row[KIND] == CONV:
        pieces = (row[TAPS] - 1) * row[CARRIED]
    return pieces


@kernel
def lstm_state(row: Array, B: int, r: int, k: int) -> tuple[int, int, int]:
    """Piece k of the state of row r: h, which stands beside the input, then c."""
    S, D, H = row[KEPT], row[N_IN], row[N_OUT]
    width, last = (D + H, row[STEPS] % (S + 1)) if k == 0 else (H, row[STEPS] % (S + 1))
    start = row[OWN] + r * width + (D if k == 0 else (S + 1) * B * (D + H))
    return start, start + last * B * width, H


@kernel
def state_piece(
    row: Array,  # (COLUMNS,) read: the layer
    B: int,  # rows
    r: int,  # the row
    k: int,  # the piece
) -> tuple[int, int, int]:
    """Where a piece of a layer's state stands before the first step and after the last one, and its length."""
    if row[KIND] == LSTM:
        return lstm_state(row, B, r, k)
    if row[KIND] == SLSTM:
        return slstm_state(row, B, r, k)
    if row[KIND] == MLSTM:
        return mlstm_state(row, B, r, k)
    return conv_state(row, B, r, k)


@kernel
def start_states(
    table: Array,  # (layers, COLUMNS) read
    work: Array,  # (W,) the group's workspace: start states written
    B: int,  # rows
    r: int,  # the row to start
    carried: bool,  # from the end of what `network_forward` ran last on this workspace, or from nothing
) -> None:
    """Set the states that recurrent layers start from, of one row."""
    T = work.dtype.type
    for layer in range(table.shape[0]):
        row = table[layer]
        pieces = state_pieces(row)
        for k in range(pieces):
            first, last, count = state_piece(row, B, r, k)
            # before anything was seen, m of sLSTM is -inf
            empty = T(-math.inf) if row[KIND] == SLSTM and 4 * k >= 3 * pieces else T(0)
            for j in range(count):
                work[first + j] = work[last + j] if carried else empty


@kernel
def put_states(
    table: Array,  # (layers, COLUMNS) read
    work: Array,  # (W,) the group's workspace: start states written
    B: int,  # rows
    r: int,  # the row to start
    state: Array,  # (Z,) read
) -> None:
    """Set the states that recurrent layers start from, of one row, to what `take_states` took."""
    at = 0
    for layer in range(table.shape[0]):
        row = table[layer]
        for k in range(state_pieces(row)):
            first, _, count = state_piece(row, B, r, k)
            for j in range(count):
                work[first + j] = state[at + j]
            at += count


@kernel
def take_states(
    table: Array,  # (layers, COLUMNS) read
    work: Array,  # (W,) the group's workspace, as forward left it: read
    B: int,  # rows
    r: int,  # the row
    state: Array,  # (Z,) written
) -> None:
    """The states in which one row ended."""
    at = 0
    for layer in range(table.shape[0]):
        row = table[layer]
        for k in range(state_pieces(row)):
            _, last, count = state_piece(row, B, r, k)
            for j in range(count):
                state[at + j] = work[last + j]
            at += count
