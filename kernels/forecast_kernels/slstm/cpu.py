"""sLSTM over a sequence on the CPU, forward and backward.

Notation: B batch rows, T time, H hidden, N heads of P = H / N units. C-contiguous. Gate order i f z o.

Heads do not mix, so each runs its whole sequence alone, its matrix R in the caches: states, gates and weights lie head
after head, (N, .., P), and only what comes in and goes out is time-major with the heads side by side. There the
columns of the pre-activations are those of each R, head after head: ``pre`` (T, B, 4H) is (T, B, N, 4, P), and so are
``b`` and ``dpre``. The input's part of the pre-activations, x W, is the caller's.

Within a step a gate's values lie together, (B, P), so that loops over units are long however small a head is. Loops are
split as in lstm.cpu, for LLVM to vectorise.
"""

from forecast_kernels.jit import Array, cell, kernel, wide_vectors
from forecast_kernels.matmul.cpu import DEPTH, multiply, multiply_transposed, pack, pack_transposed, packed_size
from forecast_kernels.scalars import sigmoid, tanh
from forecast_kernels.slstm.cell import (
    slstm_cell,
    slstm_forget,
    slstm_forget_backward,
    slstm_gates,
    slstm_input_backward,
    slstm_normaliser,
    slstm_output_backward,
)


def slstm_workspace(rows: int, hidden: int, heads: int) -> int:
    """Values of workspace that `slstm_forward` and `slstm_backward` need for so many batch rows."""
    P = hidden // heads
    forward, backward = packed_size(P, 4 * P), packed_size(4 * P, P) + packed_size(DEPTH, 4 * P)
    return 4 * P * max(rows, DEPTH) + max(forward, backward)


_packed_size = cell(packed_size)


@kernel
def slstm_forward(
    pre: Array,  # (T, B, 4H) read: the input's part of the pre-activations, columns as above
    R: Array,  # (N, P, 4P) read
    b: Array,  # (4H,) read
    h: Array,  # (N, S + 1, B, P) written, but h[:, 0] is read: the start state h[-1]
    c: Array,  # (N, S + 1, B, P) written, but c[:, 0] is read: the start state
    n: Array,  # (N, S + 1, B, P) written, but n[:, 0] is read: the start state
    m: Array,  # (N, 2 or S + 1, B, P) written, but m[:, 0] is read: the start state
    gates: Array,  # (N, S, 4, B, P) written: balance (see cell.py), 1 - f, activated z and o
    out: Array,  # (T, B, H) written: h[t], heads side by side
    work: Array,  # at least slstm_workspace(B, H, N) values, workspace
) -> None:
    """Run the sequence from the start state.

    Before anything was seen, h, c and n are 0 and m is -inf: then the first input counts in full, however small its
    gate. (With m = 0 a first i~ of -100 would leave 0 / 0.) A later start is a final state of before.

    ``h``, ``c``, ``n`` and ``gates`` keep S steps: all T for backward, or only the last when S = 1, which then stay in
    the caches. Backward does not read ``m``, of which one step is always enough. Step t lies at t modulo their length.
    """
    wide_vectors()
    T, B = pre.shape[:2]
    N, P = R.shape[:2]
    size = B * P
    columns, biases, shown = pre.reshape(T, B, N, 4, P), b.reshape(N, 4, P), out.reshape(T, B, N, P)
    recurrent, packed = work[: 4 * size].reshape(B, 4 * P), work[4 * size :]
    by_gate = recurrent.reshape(B, 4, P)
    for head in range(N):
        pack(R[head], packed)
        bias = biases[head]
        for t in range(T):
            here, after, step = t % h.shape[1], (t + 1) % h.shape[1], gates[head, t % gates.shape[1]]
            multiply(h[head, here], packed, recurrent)
            for r in range(B):
                for gate in range(4):
                    for j in range(P):
                        step[gate, r, j] = by_gate[r, gate, j] + columns[t, r, head, gate, j] + bias[gate, j]
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
                h_next[j] = o[j] * c_next[j] / n_next[j]
            for r in range(B):
                for j in range(P):
                    shown[t, r, head, j] = h[head, after, r, j]


@kernel
def slstm_backward(
    R: Array,  # (N, P, 4P) read
    h: Array,  # (N, T + 1, B, P) read, as forward left it
    c: Array,  # (N, T + 1, B, P) read
    n: Array,  # (N, T + 1, B, P) read
    gates: Array,  # (N, T, 4, B, P) as forward left it, overwritten
    dout: Array,  # (T, B, H) read: gradient of out
    dpre: Array,  # (T, B, 4H) written, columns as those of pre, whose memory it may be
    dR: Array,  # (N, P, 4P) written
    db: Array,  # (4H,) written
    dh: Array,  # (N, B, P) on entry the gradient of the last h, on return of the start state's h
    dc: Array,  # (N, B, P) on entry the gradient of the last c, on return of the start state's c
    dn: Array,  # (N, B, P) on entry the gradient of the last n, on return of the start state's n
    work: Array,  # at least slstm_workspace(B, H, N) values, workspace
) -> None:
    """Backpropagation through time; m of the start state is a constant, as of all steps."""
    wide_vectors()
    T, B = dout.shape[:2]
    N, P = R.shape[:2]
    size = B * P
    span = max(1, DEPTH // B)  # steps at a time: what their gradients are multiplied with is then still in the caches
    columns, biases, above = dpre.reshape(T, B, N, 4 * P), db.reshape(N, 4 * P), dout.reshape(T, B, N, P)
    end_rows, end_R = 4 * size * span, 4 * size * span + _packed_size(4 * P, P)
    rows, packed_R, workspace = work[:end_rows].reshape(span, B, 4 * P), work[end_rows:end_R], work[end_R:]
    weights = dR.reshape(dR.size)
    for j in range(db.size):
        db[j] = 0
    for j in range(weights.size):
        weights[j] = 0
    for head in range(N):
        pack_transposed(R[head], packed_R)
        dbias = biases[head]
        share, dc_head, dn_head = dh[head].reshape(size), dc[head].reshape(size), dn[head].reshape(size)
        end = T
        while end > 0:
            start = max(0, end - span)
            for t in range(end - 1, start - 1, -1):
                step, row = gates[head, t], rows[t - start]
                i, f, z, o = step[0].reshape(size), step[1].reshape(size), step[2].reshape(size), step[3].reshape(size)
                c_prev, c_here = c[head, t].reshape(size), c[head, t + 1].reshape(size)
                n_prev, n_here = n[head, t].reshape(size), n[head, t + 1].reshape(size)
                h_here = h[head, t + 1].reshape(size)
                for r in range(B):
                    for j in range(P):
                        dh[head, r, j] += above[t, r, head, j]
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
                    for j in range(4 * P):
                        columns[t, r, head, j] = row[r, j]
                        dbias[j] += row[r, j]
                multiply(row, packed_R, dh[head])
            count = (end - start) * B
            h_prev, dgates = h[head, start:end].reshape(count, P), rows[: end - start].reshape(count, 4 * P)
            multiply_transposed(h_prev, dgates, workspace, dR[head], True)
            end = start
