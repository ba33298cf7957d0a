"""sLSTM over a sequence on the CPU, forward and backward.

Notation: B batch rows, T time, L steps of a part of it, H hidden, N heads of P = H / N units. C-contiguous. Gate order
i f z o.

The input's part of the pre-activations is the caller's: ``of_x`` (L, B, 2H) for i and f, ``of_y`` for z and o, the
columns those of each R, head after head: (L, B, N, 2, P). It has four values for every one of h, so a long sequence is
run in parts of a few steps, whose pre-activations stay in the caches between the product that makes them and their use.

Heads do not mix, so each runs a part alone, its matrix R in the caches: states, gates and weights lie head after head,
(N, .., P), and only what comes in and goes out is time-major with the heads side by side. Within a step a gate's values
lie together, (B, P), so that loops over units are long however small a head is. Loops are split as in lstm.cpu, for
LLVM to vectorise.
"""

from typing import Any

from forecast_kernels.jit import Array, cell, kernel, wide_vectors
from forecast_kernels.matmul.cpu import DEPTH, multiply, multiply_transposed, pack, pack_transposed, packed_size
from forecast_kernels.matmul.tile import place
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

Pointer = Any


def slstm_workspace(rows: int, hidden: int, heads: int) -> int:
    """Values of workspace that `slstm_forward` and `slstm_backward` need for so many batch rows."""
    P = hidden // heads
    forward, backward = heads * packed_size(P, 4 * P), heads * packed_size(4 * P, P) + packed_size(DEPTH, 4 * P)
    return 4 * P * max(rows, DEPTH) + max(forward, backward)


_packed_size = cell(packed_size)


@kernel
def _add_up(
    recurrent: Pointer,  # (rows, P) read, row r at r * recurrent_row: the state's part of a gate's pre-activations
    recurrent_row: int,
    given: Pointer,  # (rows, P) read, row r at r * given_row: the input's part
    given_row: int,
    bias: Pointer,  # (P,) read
    rows: int,
    P: int,
    out: Pointer,  # (rows, P) written
) -> None:
    """Pre-activations of one gate."""
    wide_vectors()
    for r in range(rows):
        here, more, target = place(recurrent, r * recurrent_row), place(given, r * given_row), place(out, r * P)
        for j in range(P):
            target[j] = here[j] + more[j] + bias[j]


@kernel
def slstm_forward(
    of_x: Array,  # (L, B, 2H) read: the input's part of the pre-activations i and f, columns as above
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
    work: Array,  # at least slstm_workspace(B, H, N) values, workspace that the parts of a sequence share
) -> None:
    """Run the next steps of the sequence.

    Before anything was seen, h, c and n are 0 and m is -inf: then the first input counts in full, however small its
    gate. (With m = 0 a first i~ of -100 would leave 0 / 0.) A later start is a final state of before.

    ``h``, ``c``, ``n`` and ``gates`` keep S steps: all T for backward, or only the last when S = 1, which then stay in
    the caches. Backward does not read ``m``, of which one step is always enough. Step t lies at t modulo their length.
    """
    wide_vectors()
    L, B, H = out.shape
    N, P = R.shape[:2]
    size, each = B * P, _packed_size(P, 4 * P)
    shown = out.reshape(L, B, N, P)
    recurrent, packed = work[: 4 * size].reshape(B, 4 * P), work[4 * size :]
    if first == 0:
        for head in range(N):
            pack(R[head], packed[head * each : head * each + each])
    for head in range(N):
        matrix = packed[head * each : head * each + each]
        for t in range(first, first + L):
            here, after, step = t % h.shape[1], (t + 1) % h.shape[1], gates[head, t % gates.shape[1]]
            multiply(h[head, here], matrix, recurrent)
            for gate in range(4):
                given, at = of_x if gate < 2 else of_y, (t - first) * B * 2 * H + (2 * head + gate % 2) * P
                _add_up(
                    place(recurrent, gate * P), 4 * P, place(given, at), 2 * H, place(b, (4 * head + gate) * P), B, P,
                    place(step, gate * size),
                )  # fmt: skip
            i, f, z, o = step[0].reshape(size), step[1].reshape(size), step[2].reshape(size), step[3].reshape(size)
            m_prev, m_next = m[head, t % m.shape[1]].reshape(size), m[head, (t + 1) % m.shape[1]].reshape(size)
            c_prev, c_next = c[head, here].reshape(size), c[head, after].reshape(size)
            n_prev, n_next = n[head, here].reshape(size), n[head, after].reshape(size)
            h_next = h[head, after].reshape(size)
            for j in range(size):
                i[j], f[j], m_next[j] = slstm_gates(i[j], f[j], m_prev[j])
            for j in range(size):
                z[j] = tanh(z[j])
            for j in range(size):
                o[j] = sigmoid(o[j])
            for j in range(size):
                c_next[j] = slstm_cell(i[j], z[j], c_prev[j])
            for j in range(size):
                n_next[j] = slstm_normaliser(i[j], n_prev[j])
            for j in range(size):
                h_next[j] = slstm_output(o[j], c_next[j], n_next[j])
            for r in range(B):
                for j in range(P):
                    shown[t - first, r, head, j] = h[head, after, r, j]


@kernel
def slstm_backward(
    R: Array,  # (N, P, 4P) read
    h: Array,  # (N, T + 1, B, P) read, as forward left it
    c: Array,  # (N, T + 1, B, P) read
    n: Array,  # (N, T + 1, B, P) read
    gates: Array,  # (N, T, 4, B, P) as forward left it, overwritten
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
    work: Array,  # at least slstm_workspace(B, H, N) values, workspace that the parts of a sequence share
) -> None:
    """Backpropagation through time; m of the start state is a constant, as of all steps."""
    wide_vectors()
    L, B = dout.shape[:2]
    N, P = R.shape[:2]
    size, each = B * P, _packed_size(4 * P, P)
    span = max(1, DEPTH // max(1, B))  # steps at a time: what their gradients are multiplied with is then in the caches
    biases, above = db.reshape(N, 4 * P), dout.reshape(L, B, N, P)
    left, right = dof_x.reshape(L, B, N, 2 * P), dof_y.reshape(L, B, N, 2 * P)
    end_rows, end_R = 4 * size * span, 4 * size * span + N * each
    rows, packed, workspace = work[:end_rows].reshape(span, B, 4 * P), work[end_rows:end_R], work[end_R:]
    weights = dR.reshape(dR.size)
    if ends:
        for head in range(N):
            pack_transposed(R[head], packed[head * each : head * each + each])
        for j in range(db.size):
            db[j] = 0
        for j in range(weights.size):
            weights[j] = 0
    for head in range(N):
        matrix, dbias = packed[head * each : head * each + each], biases[head]
        share, dc_head, dn_head = dh[head].reshape(size), dc[head].reshape(size), dn[head].reshape(size)
        end = first + L
        while end > first:
            start = max(first, end - span)
            for t in range(end - 1, start - 1, -1):
                step, row = gates[head, t], rows[t - start]
                i, f, z, o = step[0].reshape(size), step[1].reshape(size), step[2].reshape(size), step[3].reshape(size)
                c_prev, c_here = c[head, t].reshape(size), c[head, t + 1].reshape(size)
                n_prev, n_here = n[head, t].reshape(size), n[head, t + 1].reshape(size)
                h_here = h[head, t + 1].reshape(size)
                for r in range(B):
                    for j in range(P):
                        dh[head, r, j] += above[t - first, r, head, j]
                for j in range(size):
                    share[j] /= n_here[j]
                for j in range(size):
                    dn_head[j] -= share[j] * h_here[j]
                for j in range(size):
                    o[j], more = slstm_output_backward(o[j], c_here[j], share[j])
                    dc_head[j] += more
                for j in range(size):
                    f[j] = slstm_forget_backward(i[j], f[j], c_prev[j], n_prev[j], dc_head[j], dn_head[j])
                for j in range(size):
                    keep = slstm_forget(i[j])
                    i[j], z[j] = slstm_input_backward(i[j], z[j], dc_head[j], dn_head[j])
                    dc_head[j] *= keep
                    dn_head[j] *= keep
                by_gate = row.reshape(B, 4, P)
                for r in range(B):
                    for gate in range(4):
                        for j in range(P):
                            by_gate[r, gate, j] = step[gate, r, j]
                for r in range(B):
                    whole, to_x, to_y = row[r], left[t - first, r, head], right[t - first, r, head]
                    for j in range(2 * P):
                        to_x[j] = whole[j]
                    for j in range(2 * P):
                        to_y[j] = whole[2 * P + j]
                    for j in range(4 * P):
                        dbias[j] += whole[j]
                multiply(row, matrix, dh[head])
            count = (end - start) * B
            h_prev, dgates = h[head, start:end].reshape(count, P), rows[: end - start].reshape(count, 4 * P)
            multiply_transposed(h_prev, dgates, workspace, dR[head], True)
            end = start
