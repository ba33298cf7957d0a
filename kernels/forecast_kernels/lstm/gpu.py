"""LSTM over a sequence on the GPU, forward and backward.

Notation: B batch rows, T time, D inputs, H hidden. Time-major, C-contiguous. Gate order i f g o. Buffers lie as those
of cpu.py do.

What does not depend on the state is one product for all steps. The rest is one launch for the whole sequence: a block
takes ROWS batch rows through it and waits for no other block, and a thread has all four gates of a unit, so that
nothing but the state passes through shared memory. As many rows of R as fit are kept there too; the rest comes from
the caches at every step.
"""

from functools import cache
from typing import Any

import numpy as np
from numba import cuda

from forecast_kernels.jit import Array
from forecast_kernels.jit_cuda import cuda_kernel, launch, recurrence
from forecast_kernels.lstm.cell import (
    lstm_forget_backward,
    lstm_input_backward,
    lstm_output,
    lstm_output_backward,
    lstm_state,
)
from forecast_kernels.matmul.gpu import column_sums, column_sums_workspace, product, product_workspace, transpose
from forecast_kernels.scalars import sigmoid, tanh

ONE = np.uint64(1)  # places in inner loops are unsigned, or each would be looked at whether it counts from the end
STATE = 2 * 4 + 2  # values of shared memory that a unit needs in backward: see there


def lstm_workspace(inputs: int, hidden: int) -> int:
    """Values of workspace that `lstm_forward` and `lstm_backward` need."""
    sums = max(product_workspace(inputs + hidden, 4 * hidden), column_sums_workspace(4 * hidden))
    return max(sums, 4 * hidden * hidden)


def lstm_forward(
    x: Array,  # (T, B, D) read
    WR: Array,  # (D + H, 4H) read: W over R
    b: Array,  # (4H,) read
    xh: Array,  # (T + 1, B, D + H) written, but xh[0, :, D:] is read: the start state h[-1]
    c: Array,  # (T + 1, B, H) written, but c[0] is read: the start state
    gates: Array,  # (T, B, 4H) written: activated i f g o
    out: Array,  # (T, B, H) written: h[t]
    packed: Array,  # at least lstm_workspace(D, H) values, workspace; not needed
    stream: Any = 0,
) -> None:
    """Run the sequence from the start state; all steps are kept."""
    T, B, D = x.shape
    H = out.shape[2]
    product(x.reshape(T * B, D), False, WR[:D], False, b, 0, gates.reshape(T * B, 4 * H), None, stream)
    rows, blocks, threads, kept, shared = recurrence(B, 1, 1, H, (H, 4 * H), 2 * H, out.dtype.itemsize)
    launch(_forward(rows), blocks, threads, stream, x, WR, xh, c, gates, out, kept, shared=shared)


def lstm_backward(
    WR: Array,  # (D + H, 4H) read
    xh: Array,  # (T + 1, B, D + H) read, as forward left it
    c: Array,  # (T + 1, B, H) read
    gates: Array,  # (T, B, 4H) activated on entry, overwritten by the gradient of the pre-activations
    dout: Array,  # (T, B, H) read: gradient of out
    dx: Array,  # (T, B, D) written; (0, B, D) where nobody needs it
    dWR: Array,  # (D + H, 4H) written
    db: Array,  # (4H,) written
    dh: Array,  # (B, H) on entry the gradient of the last h, on return of the start state's h
    dc: Array,  # (B, H) on entry the gradient of the last c, on return of the start state's c
    packed: Array,  # at least lstm_workspace(D, H) values, workspace
    stream: Any = 0,
) -> None:
    """Backpropagation through time."""
    T, B, H = dout.shape
    D = dx.shape[2]
    # Threads that stand side by side read R's rows; in the transposed matrix these are neighbours too.
    turned = packed[: 4 * H * H].reshape(4 * H, H)
    transpose(WR[D:], turned, stream)
    rows, blocks, threads, kept, shared = recurrence(B, 1, 1, H, (4 * H, H), STATE * H, dout.dtype.itemsize)
    launch(_backward(rows), blocks, threads, stream, turned, c, gates, dout, dh, dc, kept, shared=shared)
    dpre = gates.reshape(T * B, 4 * H)
    if dx.shape[0] == T:
        product(dpre, False, WR[:D], True, None, 0, dx.reshape(T * B, D), None, stream)
    column_sums(dpre, db, packed, stream)
    product(xh[:T].reshape(T * B, D + H), True, dpre, False, None, 0, dWR, packed, stream)


@cache
def _forward(ROWS: int) -> Any:
    """The recurrence for blocks of ROWS batch rows; their sums lie in registers, so their number is compiled in."""
    SUMS = 4 * ROWS

    @cuda_kernel
    def lstm_sequence(
        x: Array,  # (T, B, D) read
        WR: Array,  # (D + H, 4H) read
        xh: Array,  # (T + 1, B, D + H) see lstm_forward
        c: Array,  # (T + 1, B, H) see lstm_forward
        gates: Array,  # (T, B, 4H) on entry x[t] W + b, on return the activated gates
        out: Array,  # (T, B, H) written
        kept: int,  # rows of R in shared memory
    ) -> None:
        number = out.dtype.type
        T, B, D = x.shape
        H = out.shape[2]
        G, first, thread, threads = 4 * H, cuda.blockIdx.x * ROWS, cuda.threadIdx.x, cuda.blockDim.x
        shared = cuda.shared.array(0, out.dtype)  # R (kept, 4H), then the state before and after a step (2, ROWS, H)
        states = kept * G
        H1, H2, H3, H4 = np.uint64(H), np.uint64(2 * H), np.uint64(3 * H), np.uint64(G)
        sums = cuda.local.array(SUMS, out.dtype)
        pre = cuda.local.array(SUMS, out.dtype)
        before = cuda.local.array(ROWS, out.dtype)
        for k in range(kept):
            for j in range(thread, G, threads):
                shared[k * G + j] = WR[D + k, j]
        for r in range(ROWS):
            for j in range(thread, H, threads):
                shared[states + r * H + j] = xh[0, first + r, D + j] if first + r < B else number(0)
        cuda.syncthreads()
        for t in range(T):
            here, after = states + (t % 2) * ROWS * H, states + ((t + 1) % 2) * ROWS * H
            for j in range(thread, H, threads):
                for r in range(ROWS):  # asked for now, needed after the product
                    row = min(first + r, B - 1)
                    before[r] = c[t, row, j]
                    for g in range(4):
                        pre[4 * r + g] = gates[t, row, g * H + j]
                        sums[4 * r + g] = number(0)
                state_at, at = np.uint64(here), np.uint64(j)
                for _ in range(kept):
                    w_i, w_f, w_g, w_o = shared[at], shared[at + H1], shared[at + H2], shared[at + H3]
                    for r in range(ROWS):
                        h = shared[state_at + np.uint64(r) * H1]
                        sums[4 * r] += h * w_i
                        sums[4 * r + 1] += h * w_f
                        sums[4 * r + 2] += h * w_g
                        sums[4 * r + 3] += h * w_o
                    state_at, at = state_at + ONE, at + H4
                row_at, at = np.uint64(D + kept), np.uint64(j)
                for _ in range(kept, H):
                    w_i, w_f, w_g, w_o = WR[row_at, at], WR[row_at, at + H1], WR[row_at, at + H2], WR[row_at, at + H3]
                    for r in range(ROWS):
                        h = shared[state_at + np.uint64(r) * H1]
                        sums[4 * r] += h * w_i
                        sums[4 * r + 1] += h * w_f
                        sums[4 * r + 2] += h * w_g
                        sums[4 * r + 3] += h * w_o
                    state_at, row_at = state_at + ONE, row_at + ONE
                for r in range(ROWS):
                    i, f = sigmoid(pre[4 * r] + sums[4 * r]), sigmoid(pre[4 * r + 1] + sums[4 * r + 1])
                    g_, o = tanh(pre[4 * r + 2] + sums[4 * r + 2]), sigmoid(pre[4 * r + 3] + sums[4 * r + 3])
                    state = lstm_state(i, f, g_, before[r])
                    h = lstm_output(o, state)
                    shared[after + r * H + j] = h
                    row = first + r
                    if row < B:
                        gates[t, row, j], gates[t, row, H + j] = i, f
                        gates[t, row, 2 * H + j], gates[t, row, 3 * H + j] = g_, o
                        c[t + 1, row, j] = state
                        out[t, row, j] = xh[t + 1, row, D + j] = h
            for r in range(ROWS):
                if first + r < B:
                    for d in range(thread, D, threads):
                        xh[t, first + r, d] = x[t, first + r, d]
            cuda.syncthreads()  # states take turns, so once a step is enough

    return lstm_sequence


@cache
def _backward(ROWS: int) -> Any:
    """The recurrence of the gradients for blocks of ROWS batch rows."""

    @cuda_kernel
    def lstm_sequence_backward(
        turned: Array,  # (4H, H) read: R transposed
        c: Array,  # (T + 1, B, H) read
        gates: Array,  # (T, B, 4H) see lstm_backward
        dout: Array,  # (T, B, H) read
        dh: Array,  # (B, H) see lstm_backward
        dc: Array,  # (B, H) see lstm_backward
        kept: int,  # rows of the transposed R in shared memory
    ) -> None:
        number = dout.dtype.type
        T, B, H = dout.shape
        G, first, thread, threads = 4 * H, cuda.blockIdx.x * ROWS, cuda.threadIdx.x, cuda.blockDim.x
        # Rᵀ (kept, H), gradients of the pre-activations of two steps (2, ROWS, 4H), dh and dc (ROWS, H) each
        shared = cuda.shared.array(0, dout.dtype)
        dpres, of_h = kept * H, kept * H + 2 * ROWS * G
        of_c = of_h + ROWS * H
        H_, G_ = np.uint64(H), np.uint64(G)
        sums = cuda.local.array(ROWS, dout.dtype)
        for k in range(kept):
            for j in range(thread, H, threads):
                shared[k * H + j] = turned[k, j]
        for r in range(ROWS):
            row = min(first + r, B - 1)
            for j in range(thread, H, threads):
                shared[of_h + r * H + j] = dh[row, j]
                shared[of_c + r * H + j] = dc[row, j]
        cuda.syncthreads()
        for step in range(T):
            t = T - 1 - step
            here = dpres + (t % 2) * ROWS * G
            for j in range(thread, H, threads):
                for r in range(ROWS):
                    row = min(first + r, B - 1)
                    i, f = gates[t, row, j], gates[t, row, H + j]
                    g, o = gates[t, row, 2 * H + j], gates[t, row, 3 * H + j]
                    dh_r, dc_r = dout[t, row, j] + shared[of_h + r * H + j], shared[of_c + r * H + j]
                    do, dc_r = lstm_output_backward(o, c[t + 1, row, j], dh_r, dc_r)
                    di, dg = lstm_input_backward(i, g, dc_r)
                    df, dc_r = lstm_forget_backward(f, c[t, row, j], dc_r)
                    shared[of_c + r * H + j] = dc_r
                    at = here + r * G + j
                    shared[at], shared[at + H], shared[at + 2 * H], shared[at + 3 * H] = di, df, dg, do
            cuda.syncthreads()  # before it every thread has read what was written two steps ago
            for j in range(thread, H, threads):
                for r in range(ROWS):
                    sums[r] = number(0)
                dpre_at, at = np.uint64(here), np.uint64(j)
                for _ in range(kept):
                    weight = shared[at]
                    for r in range(ROWS):
                        sums[r] += shared[dpre_at + np.uint64(r) * G_] * weight
                    dpre_at, at = dpre_at + ONE, at + H_
                row_at, at = np.uint64(kept), np.uint64(j)
                for _ in range(kept, G):
                    weight = turned[row_at, at]
                    for r in range(ROWS):
                        sums[r] += shared[dpre_at + np.uint64(r) * G_] * weight
                    dpre_at, row_at = dpre_at + ONE, row_at + ONE
                for r in range(ROWS):
                    shared[of_h + r * H + j] = sums[r]
                    if first + r < B:
                        for g in range(4):
                            gates[t, first + r, g * H + j] = shared[here + r * G + g * H + j]
        for r in range(ROWS):
            if first + r < B:
                for j in range(thread, H, threads):
                    dh[first + r, j] = shared[of_h + r * H + j]
                    dc[first + r, j] = shared[of_c + r * H + j]

    return lstm_sequence_backward
