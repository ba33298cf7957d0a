"""sLSTM over a sequence on the GPU, forward and backward.

Notation: B batch rows, T time, L steps of a part of it, H hidden, N heads of P = H / N units. C-contiguous. Gate order
i f z o. Buffers lie as those of cpu.py do. Here a sequence is best run in one part.

Heads do not mix, so one launch takes all steps of a part: a block has ROWS batch rows of a head and waits for no other
block, and a thread has all four gates of a unit, so that nothing but the state passes through shared memory. As many
rows of a head's R as fit are kept there too. The gradient of R is a product over all steps, afterwards.
"""

from functools import cache
from typing import Any

import numpy as np
from numba import cuda

from forecast_kernels.jit import Array
from forecast_kernels.jit_cuda import cuda_kernel, launch, recurrence
from forecast_kernels.matmul.gpu import transpose
from forecast_kernels.reduction.gpu import COLUMNS, LINES, column_blocks, sum_lines
from forecast_kernels.scalars import sigmoid, tanh
from forecast_kernels.slstm.cell import (
    slstm_cell,
    slstm_forget,
    slstm_forget_backward,
    slstm_gates,
    slstm_input_backward,
    slstm_normaliser,
    slstm_output,
    slstm_output_backward,
)
from forecast_kernels.tiles.gpu import groups_workspace, product_of_groups

ONE = np.uint64(1)  # places in inner loops are unsigned, or each would be looked at whether it counts from the end
_BESIDE = 8  # blocks that a multiprocessor runs side by side; most of their time they wait for memory
STATE = 2 * 4 + 3  # values of shared memory that a unit needs in backward: see there


def slstm_workspace(rows: int, hidden: int, heads: int) -> int:
    """Values of workspace that `slstm_forward` and `slstm_backward` need, for any number of batch rows."""
    P = hidden // heads
    return max(4 * hidden * P, groups_workspace(P, 2 * P))


def slstm_forward(
    of_x: Array,  # (L, B, 2H) read: the input's part of the pre-activations i and f, columns as in cpu.py
    of_y: Array,  # (L, B, 2H) read: the input's part of z and o
    R: Array,  # (N, P, 4P) read
    b: Array,  # (4H,) read
    h: Array,  # (N, S + 1, B, P) written, but h[:, 0] is read: the start state h[-1]
    c: Array,  # (N, S + 1, B, P) written, but c[:, 0] is read: the start state
    n: Array,  # (N, S + 1, B, P) written, but n[:, 0] is read: the start state
    m: Array,  # (N, 2 or S + 1, B, P) written, but m[:, 0] is read: the start state
    gates: Array,  # (N, S, 4, B, P) written: balance (see cell.py), 1 - f, activated z and o
    out: Array,  # (L, B, H) written: h[t], heads side by side
    first: int,  # number of the part's first step; the parts of a sequence follow each other from 0 on
    work: Array,  # at least slstm_workspace(B, H, N) values, workspace; not needed
    stream: Any = 0,
) -> None:
    """Run the next steps of the sequence; see cpu.py for what states hold before anything was seen."""
    L, B, _ = out.shape
    N, P = R.shape[:2]
    rows, blocks, threads, kept, shared = recurrence(B, N, _BESIDE, P, (P, 4 * P), 2 * P, out.dtype.itemsize)
    left, right, shown = of_x.reshape(L, B, N, 2 * P), of_y.reshape(L, B, N, 2 * P), out.reshape(L, B, N, P)
    arguments = left, right, R, b, h, c, n, m, gates, shown, first, kept
    launch(_forward(rows), (blocks, N), threads, stream, *arguments, shared=shared)


def slstm_backward(
    R: Array,  # (N, P, 4P) read
    h: Array,  # (N, T + 1, B, P) read, as forward left it
    c: Array,  # (N, T + 1, B, P) read
    n: Array,  # (N, T + 1, B, P) read
    gates: Array,  # (N, T, 4, B, P) read, as forward left it
    dout: Array,  # (L, B, H) read: gradient of out
    dof_x: Array,  # (L, B, 2H) written, columns as those of of_x
    dof_y: Array,  # (L, B, 2H) written
    dR: Array,  # (N, P, 4P) written; added to if not ends
    db: Array,  # (4H,) written; added to if not ends
    dh: Array,  # (N, B, P) on entry the gradient of the last h, on return of the h that the part starts from
    dc: Array,  # (N, B, P) on entry the gradient of the last c, on return of the c that the part starts from
    dn: Array,  # (N, B, P) on entry the gradient of the last n, on return of the n that the part starts from
    first: int,  # number of the part's first step; the parts of a sequence are run from the last to the first
    ends: bool,  # whether this is the last part
    work: Array,  # at least slstm_workspace(B, H, N) values, workspace
    stream: Any = 0,
) -> None:
    """Backpropagation through time; m of the start state is a constant, as of all steps."""
    L, B, H = dout.shape
    N, P = R.shape[:2]
    # Threads that stand side by side read R's rows; in the transposed matrix these are neighbours too.
    turned = work[: 4 * P * H].reshape(4 * P, H)
    transpose(R.reshape(H, 4 * P), turned, stream)
    rows, blocks, threads, kept, shared = recurrence(B, N, _BESIDE, P, (4 * P, P), STATE * P, dout.dtype.itemsize)
    left, right, above = dof_x.reshape(L, B, N, 2 * P), dof_y.reshape(L, B, N, 2 * P), dout.reshape(L, B, N, P)
    arguments = turned, h, c, n, gates, above, left, right, dh, dc, dn, first, kept
    launch(_backward(rows), (blocks, N), threads, stream, *arguments, shared=shared)
    sides = dof_x.reshape(L * B, 2 * H), dof_y.reshape(L * B, 2 * H)
    launch(_bias_backward, column_blocks(4 * H), (COLUMNS, LINES), stream, *sides, P, not ends, db)
    states = h.reshape(h.size)[first * B * P :]
    for side, dof in enumerate(sides):
        product_of_groups(
            N, (P, 2 * P, L * B), states, (h.shape[1] * B * P, 1, P), dof.reshape(dof.size), (2 * P, 2 * H, 1), None,
            dR.reshape(dR.size)[side * 2 * P :], (4 * P * P, 4 * P), work, not ends, stream,
        )  # fmt: skip


@cache
def _forward(ROWS: int) -> Any:
    """The recurrence for blocks of ROWS batch rows; their sums lie in registers, so their number is compiled in."""
    SUMS = 4 * ROWS

    @cuda_kernel
    def slstm_sequence(
        of_x: Array,  # (L, B, N, 2P) read
        of_y: Array,  # (L, B, N, 2P) read
        R: Array,  # (N, P, 4P) read
        b: Array,  # (4H,) read
        h: Array,  # (N, S + 1, B, P) see slstm_forward
        c: Array,  # (N, S + 1, B, P) see slstm_forward
        n: Array,  # (N, S + 1, B, P) see slstm_forward
        m: Array,  # (N, 2 or S + 1, B, P) see slstm_forward
        gates: Array,  # (N, S, 4, B, P) see slstm_forward
        out: Array,  # (L, B, N, P) written
        start: int,  # number of the first step
        kept: int,  # rows of R in shared memory
    ) -> None:
        L, B, _, P = out.shape
        first, head, thread, threads = cuda.blockIdx.x * ROWS, cuda.blockIdx.y, cuda.threadIdx.x, cuda.blockDim.x
        shared = cuda.shared.array(0, out.dtype)  # R (kept, 4P), then h before and after a step (2, ROWS, P)
        states = kept * 4 * P
        P1, P2, P3, P4 = np.uint64(P), np.uint64(2 * P), np.uint64(3 * P), np.uint64(4 * P)
        sums = cuda.local.array(SUMS, out.dtype)
        for k in range(kept):
            for j in range(thread, 4 * P, threads):
                shared[k * 4 * P + j] = R[head, k, j]
        for r in range(ROWS):
            for j in range(thread, P, threads):
                row = min(first + r, B - 1)
                shared[states + (start % 2 * ROWS + r) * P + j] = h[head, start % h.shape[1], row, j]
        cuda.syncthreads()
        for step in range(L):
            t = start + step
            now, next_, kept_gates = t % h.shape[1], (t + 1) % h.shape[1], t % gates.shape[1]
            now_m, next_m = t % m.shape[1], (t + 1) % m.shape[1]
            here, after = states + (t % 2) * ROWS * P, states + ((t + 1) % 2) * ROWS * P
            for j in range(thread, P, threads):
                for r in range(ROWS):
                    row = min(first + r, B - 1)
                    for g in range(2):
                        sums[4 * r + g] = of_x[step, row, head, g * P + j] + b[(head * 4 + g) * P + j]
                        sums[4 * r + 2 + g] = of_y[step, row, head, g * P + j] + b[(head * 4 + 2 + g) * P + j]
                state_at, at = np.uint64(here), np.uint64(j)
                for _ in range(kept):
                    w_i, w_f, w_z, w_o = shared[at], shared[at + P1], shared[at + P2], shared[at + P3]
                    for r in range(ROWS):
                        state = shared[state_at + np.uint64(r) * P1]
                        sums[4 * r] += state * w_i
                        sums[4 * r + 1] += state * w_f
                        sums[4 * r + 2] += state * w_z
                        sums[4 * r + 3] += state * w_o
                    state_at, at = state_at + ONE, at + P4
                row_at, at, own = np.uint64(kept), np.uint64(j), np.uint64(head)
                for _ in range(kept, P):
                    w_i, w_f = R[own, row_at, at], R[own, row_at, at + P1]
                    w_z, w_o = R[own, row_at, at + P2], R[own, row_at, at + P3]
                    for r in range(ROWS):
                        state = shared[state_at + np.uint64(r) * P1]
                        sums[4 * r] += state * w_i
                        sums[4 * r + 1] += state * w_f
                        sums[4 * r + 2] += state * w_z
                        sums[4 * r + 3] += state * w_o
                    state_at, row_at = state_at + ONE, row_at + ONE
                for r in range(ROWS):
                    row = first + r
                    if row < B:
                        balance, forgotten, stabiliser = slstm_gates(
                            sums[4 * r], sums[4 * r + 1], m[head, now_m, row, j]
                        )
                        z, o = tanh(sums[4 * r + 2]), sigmoid(sums[4 * r + 3])
                        cell = slstm_cell(balance, z, c[head, now, row, j])
                        normaliser = slstm_normaliser(balance, n[head, now, row, j])
                        state = slstm_output(o, cell, normaliser)
                        gates[head, kept_gates, 0, row, j], gates[head, kept_gates, 1, row, j] = balance, forgotten
                        gates[head, kept_gates, 2, row, j], gates[head, kept_gates, 3, row, j] = z, o
                        m[head, next_m, row, j] = stabiliser
                        c[head, next_, row, j], n[head, next_, row, j] = cell, normaliser
                        h[head, next_, row, j] = out[step, row, head, j] = state
                        shared[after + r * P + j] = state
            cuda.syncthreads()  # states take turns, so once a step is enough

    return slstm_sequence


@cache
def _backward(ROWS: int) -> Any:
    """The recurrence of the gradients for blocks of ROWS batch rows."""

    @cuda_kernel
    def slstm_sequence_backward(
        turned: Array,  # (4P, H) read: R of each head transposed, heads side by side
        h: Array,  # (N, T + 1, B, P) read
        c: Array,  # (N, T + 1, B, P) read
        n: Array,  # (N, T + 1, B, P) read
        gates: Array,  # (N, T, 4, B, P) read
        dout: Array,  # (L, B, N, P) read
        dof_x: Array,  # (L, B, N, 2P) written
        dof_y: Array,  # (L, B, N, 2P) written
        dh: Array,  # (N, B, P) see slstm_backward
        dc: Array,  # (N, B, P) see slstm_backward
        dn: Array,  # (N, B, P) see slstm_backward
        start: int,  # number of the first step
        kept: int,  # rows of the transposed R in shared memory
    ) -> None:
        number = dout.dtype.type
        L, B, _, P = dout.shape
        G, first, head, thread, threads = (
            4 * P, cuda.blockIdx.x * ROWS, cuda.blockIdx.y, cuda.threadIdx.x, cuda.blockDim.x
        )  # fmt: skip
        # Rᵀ (kept, P), gradients of the pre-activations of two steps (2, ROWS, 4P), dh, dc and dn (ROWS, P) each
        shared = cuda.shared.array(0, dout.dtype)
        dpres, of_h = kept * P, kept * P + 2 * ROWS * G
        of_c, of_n = of_h + ROWS * P, of_h + 2 * ROWS * P
        P_, G_ = np.uint64(P), np.uint64(G)
        sums = cuda.local.array(ROWS, dout.dtype)
        for k in range(kept):
            for j in range(thread, P, threads):
                shared[k * P + j] = turned[k, head * P + j]
        for r in range(ROWS):
            row = min(first + r, B - 1)
            for j in range(thread, P, threads):
                at = r * P + j
                shared[of_h + at], shared[of_c + at] = dh[head, row, j], dc[head, row, j]
                shared[of_n + at] = dn[head, row, j]
        cuda.syncthreads()
        for back in range(L):
            step = L - 1 - back
            t = start + step
            here = dpres + (t % 2) * ROWS * G
            for j in range(thread, P, threads):
                for r in range(ROWS):
                    row, at = min(first + r, B - 1), r * P + j
                    balance, forgotten = gates[head, t, 0, row, j], gates[head, t, 1, row, j]
                    z, o = gates[head, t, 2, row, j], gates[head, t, 3, row, j]
                    share = (dout[step, row, head, j] + shared[of_h + at]) / n[head, t + 1, row, j]
                    dn_r = shared[of_n + at] - share * h[head, t + 1, row, j]
                    do, dc_r = slstm_output_backward(o, c[head, t + 1, row, j], share)
                    dc_r += shared[of_c + at]
                    c_prev, n_prev = c[head, t, row, j], n[head, t, row, j]
                    df = slstm_forget_backward(balance, forgotten, c_prev, n_prev, dc_r, dn_r)
                    di, dz = slstm_input_backward(balance, z, dc_r, dn_r)
                    keep = slstm_forget(balance)
                    shared[of_c + at], shared[of_n + at] = dc_r * keep, dn_r * keep
                    at = here + r * G + j
                    shared[at], shared[at + P], shared[at + 2 * P], shared[at + 3 * P] = di, df, dz, do
            cuda.syncthreads()  # before it every thread has read what was written two steps ago
            for j in range(thread, P, threads):
                for r in range(ROWS):
                    sums[r] = number(0)
                dpre_at, at = np.uint64(here), np.uint64(j)
                for _ in range(kept):
                    weight = shared[at]
                    for r in range(ROWS):
                        sums[r] += shared[dpre_at + np.uint64(r) * G_] * weight
                    dpre_at, at = dpre_at + ONE, at + P_
                row_at, at = np.uint64(kept), np.uint64(head * P + j)
                for _ in range(kept, G):
                    weight = turned[row_at, at]
                    for r in range(ROWS):
                        sums[r] += shared[dpre_at + np.uint64(r) * G_] * weight
                    dpre_at, row_at = dpre_at + ONE, row_at + ONE
                for r in range(ROWS):
                    shared[of_h + r * P + j] = sums[r]
                    if first + r < B:
                        for g in range(2):
                            at = here + r * G + g * P + j
                            dof_x[step, first + r, head, g * P + j] = shared[at]
                            dof_y[step, first + r, head, g * P + j] = shared[at + 2 * P]
        for r in range(ROWS):
            if first + r < B:
                for j in range(thread, P, threads):
                    at = r * P + j
                    dh[head, first + r, j], dc[head, first + r, j] = shared[of_h + at], shared[of_c + at]
                    dn[head, first + r, j] = shared[of_n + at]

    return slstm_sequence_backward


@cuda_kernel
def _bias_backward(
    dof_x: Array,  # (L B, 2H) read
    dof_y: Array,  # (L B, 2H) read
    P: int,
    add: bool,
    db: Array,  # (4H,) written or added to
) -> None:
    """A block takes some columns through all rows."""
    j, line = cuda.grid(2)
    value = db.dtype.type(0)
    if j < db.shape[0]:
        column = j // (4 * P) * 2 * P + j % (2 * P)
        for r in range(line, dof_x.shape[0], LINES):
            value += dof_x[r, column] if j // (2 * P) % 2 == 0 else dof_y[r, column]
    total = sum_lines(value, db)
    if line == 0 and j < db.shape[0]:
        db[j] = db[j] + total if add else total
