"""Gates of mLSTM over a sequence on the CPU, forward and backward: what both of its forms share.

Notation: B batch rows, T time, N heads, P head size. Time-major, C-contiguous.

Loops are short and many; see lstm/cpu.py for why there are several.
"""

import math

from forecast_kernels.jit import Array, kernel, wide_vectors
from forecast_kernels.matmul.tile import place
from forecast_kernels.mlstm.cell import (
    mlstm_factor,
    mlstm_floor,
    mlstm_forget_backward,
    mlstm_kept,
    mlstm_stabiliser,
)

INPUT, FORGET, DIVISOR, SIGN = range(4)  # rows of what is kept of the gates
ROWS = 4


@kernel
def gates_forward(
    i: Array,  # (T, B, N) read: before its exponential
    f: Array,  # (T, B, N) read: before its sigmoid
    P: int,
    m: Array,  # (B, N) the stabiliser before the first step on entry, after the last on return
    gates: Array,  # (ROWS, T, B, N) written: factor of the input over sqrt(P), factor of the memory, least divisor
) -> None:
    """Factors of the memory and its input at every step."""
    wide_vectors()
    T, B, N = i.shape
    scale = m.dtype.type(1 / math.sqrt(P))  # of the keys
    stabiliser = place(m, 0)
    for t in range(T):
        at = t * B * N
        i_t, f_t, w = place(i, at), place(f, at), place(gates, INPUT * T * B * N + at)
        kept, floor = place(gates, FORGET * T * B * N + at), place(gates, DIVISOR * T * B * N + at)
        for x in range(B * N):
            kept[x] = mlstm_kept(f_t[x], stabiliser[x])
        for x in range(B * N):
            stabiliser[x] = mlstm_stabiliser(i_t[x], kept[x])
        for x in range(B * N):
            w[x] = mlstm_factor(i_t[x], stabiliser[x]) * scale
        for x in range(B * N):
            kept[x] = mlstm_factor(kept[x], stabiliser[x])
        for x in range(B * N):
            floor[x] = mlstm_floor(stabiliser[x])


@kernel
def gates_backward(
    f: Array,  # (T, B, N) read
    df: Array,  # (T, B, N) gradient of the factor's logarithm on entry, of f on return
) -> None:
    """From the gradient of log f to that of f; that of i is the gradient of its factor's logarithm as it is."""
    before, d = place(f, 0), place(df, 0)
    for x in range(f.size):
        d[x] = mlstm_forget_backward(before[x], d[x])
