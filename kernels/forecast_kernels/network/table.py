"""The table of layers that is a network, and where in a group's workspace everything lies.

A layer reads one value or two and writes one. A value that several layers read gets the sum of their gradients: the
last of these layers writes its own, and those before it write theirs elsewhere, from where they are added.
"""

from typing import NamedTuple

from forecast_kernels.jit import Array, kernel

DENSE, LSTM, DROPOUT, LAST, EMBED = 0, 1, 2, 3, 4  # EMBED has N_IN symbols, and as input the number of one
FLAT, SHIFT = 5, 6  # the linear path around the stack; SHIFT's second input has N_IN / TAPS values, for it alone
PROJECT = 7  # of every symbol at once: its embedding times W of the LSTM layer above, plus that layer's bias
NORM, CONV, SLSTM, MLSTM, GATE, SKIP, ADD = range(16, 23)  # what blocks are made of; see blocks.py

# Columns of the table of layers; offsets count values from the start of theta or of the group's workspace.
KIND, N_IN, N_OUT, ACTIVATION, STEPS, THETA, INPUT, OUTPUT, D_INPUT, D_OUTPUT, OWN, KEPT = range(12)
SECOND, D_SECOND = 12, 13  # a second input of N_IN values a step and its gradient, for the kinds that have one
SUM, SUM_SECOND = 14, 15  # gradients to which D_INPUT and D_SECOND are added; -1: they are the gradients themselves
HEADS, TAPS = 16, 17  # N of NORM, SLSTM and MLSTM; K of CONV, values of a patch of FLAT, outputs a step of SHIFT
# EMBED and the LSTM layer above it, made one. PROJECT has V symbols as N_IN, E numbers of each as EMBEDDED, and as
# output 4H values of each. The LSTM layer has no other input (N_IN is 0): V as SYMBOLS, the symbols at PLACES. Their
# parameters lie as ever: embedding, W, R, b.
EMBEDDED, SYMBOLS, PLACES = 18, 19, 20
CARRIED = 21  # 1: the sequence may go on from the end of another, see states.py; 0: it starts from nothing. (LSTM and
# SLSTM, whose start state costs nothing, do not look.) KEPT counts steps of which the state is kept; of MLSTM, memories
COLUMNS = 22


class Heads(NamedTuple):
    """Where a group's batch lies in its workspace, and how its outputs are judged."""

    extra: int  # offset of (B, X): inputs that the head gets beside the last state
    target: int  # offset of (B, h)
    mask: int  # offset of (B, h)
    n_extra: int  # X
    packed: int  # offset of the space in which matrices are packed
    n_packed: int  # its size
    loss: int  # see loss.cpu
    delta: float  # of the Huber loss
    dropout: float  # rate of every DROPOUT layer


@kernel
def view3(work: Array, offset: int, a: int, b: int, c: int) -> Array:
    return work[offset : offset + a * b * c].reshape(a, b, c)


@kernel
def view2(work: Array, offset: int, a: int, b: int) -> Array:
    return work[offset : offset + a * b].reshape(a, b)
