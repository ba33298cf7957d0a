"""sLSTM over a sequence on the CPU, forward and backward.

Notation: B batch rows, T time, H hidden, N heads of P = H / N units. C-contiguous. Gate order i f z o.

Heads do not mix, so each runs its whole sequence alone, its matrix R in the caches: states, gates and weights lie head
after head, (N, .., P), and only what comes in and goes out is time-major with the heads side by side. Column
``head * 4P + gate * P + unit`` of the pre-activations belongs to a unit's gate, as R.reshape is for every head:
``pre`` and ``b`` are (.., 4H) in memory and (.., N, 4, P) in meaning.

The input's part of the pre-activations, x W, is the caller's. Loops are split as in lstm.cpu, for LLVM to vectorise.
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


def slstm_workspace(hidden: int, heads: int) -> int:
    """Values of workspace that `slstm_forward` and `slstm_backward` need."""
    P = hidden // heads
    return max(packed_size(P, 4 * P), packed_size(4 * P, P) + packed_size(DEPTH, 4 * P))


_packed_size = cell(packed_size)


@kernel
def slstm_forward(
    pre: Array,  # (T, B, 4H) read: the input's part of the pre-activations, columns as above
    R: Array,  # (N, P, 4P) read
    b: Array,  # (4H,) read
    h: Array,  # (N, S + 1, B, P) written, but h[:, 0] is read: the start state h[-1]
    c: Array,  # (N, S + 1, B, P) written, but c[:, 0] is read: the start state
    n: Array,  # (N, S + 1, B, P) written, but n[:, 0] is read: the start state
    m: Array,  # (N, S + 1, B, P) written, but m[:, 0] is read: the start state
    gates: Array,  # (N, S, B, 4P) written: balance (see cell.py), 1 - f, activated z and o
    out: Array,  # (T, B, H) written: h[t], heads side by side
    packed: Array,  # at least slstm_workspace(H, N) values, workspace
) -> None:
    """Run the sequence from the start state.

    Before anything was seen, h, c and n are 0 and m is -inf: then the first input counts in full, however small its
    gate. (With m = 0 a first i~ of -100 would leave 0 / 0.) A later start is a final state of before.

    ``h``, ``c``, ``n``, ``m`` and ``gates`` keep S steps: all T for backward, or only the last when S = 1, which then
    stay in the caches. Step t lies at t modulo their length.
    """
    wide_vectors()
    T, B = pre.shape[:2]
    N, P = R.shape[:2]
    for head in range(N):
        pack(R[head], packed)
        bias = b[4 * P * head : 4 * P * (head + 1)]
        for t in range(T):
            here, after, k = t % h.shape[1], (t + 1) % h.shape[1], t % gates.shape[1]
            multiply(h[head, here], packed, gates[head, k])
            for r in range(B):
                p, p_in = gates[head, k, r], pre[t, r, 4 * P * head : 4 * P * (head + 1)]
                i, f, z, o = p[:P], p[P : 2 * P], p[2 * P : 3 * P], p[3 * P :]
                m_prev, m_next = m[head, here, r], m[head, after, r]
                c_prev, c_next = c[head, here, r], c[head, after, r]
                n_prev, n_next = n[head, here, r], n[head, after, r]
                h_next, h_out = h[head, after, r], out[t, r, P * head : P * (head + 1)]
                for j in range(4 * P):
                    p[j] += p_in[j] + bias[j]
                for j in range(P):
                    i[j], f[j], m_next[j] = slstm_gates(i[j], f[j], m_prev[j])
                for j in range(P):
                    z[j] = tanh(z[j])
                for j in range(P):
                    o[j] = sigmoid(o[j])
                for j in range(P):
                    c_next[j] = slstm_cell(i[j], z[j], c_prev[j])
                for j in range(P):
                    n_next[j] = slstm_normaliser(i[j], n_prev[j])
                for j in range(P):
                    h_next[j] = h_out[j] = o[j] * c_next[j] / n_next[j]


@kernel
def slstm_backward(
    R: Array,  # (N, P, 4P) read
    h: Array,  # (N, T + 1, B, P) read, as forward left it
    c: Array,  # (N, T + 1, B, P) read
    n: Array,  # (N, T + 1, B, P) read
    gates: Array,  # (N, T, B, 4P) as forward left it, overwritten by the gradient of the pre-activations
    dout: Array,  # (T, B, H) read: gradient of out
    dpre: Array,  # (T, B, 4H) written, columns as those of pre, whose memory it may be
    dR: Array,  # (N, P, 4P) written
    db: Array,  # (4H,) written
    dh: Array,  # (N, B, P) on entry the gradient of the last h, on return of the start state's h
    dc: Array,  # (N, B, P) on entry the gradient of the last c, on return of the start state's c
    dn: Array,  # (N, B, P) on entry the gradient of the last n, on return of the start state's n
    packed: Array,  # at least slstm_workspace(H, N) values, workspace
) -> None:
    """Backpropagation through time; m of the start state is a constant, as of all steps."""
    wide_vectors()
    T, B = dout.shape[:2]
    N, P = R.shape[:2]
    end_R = _packed_size(4 * P, P)
    packed_R, workspace = packed[:end_R], packed[end_R:]
    for j in range(4 * N * P):
        db[j] = 0
    for head in range(N):
        pack_transposed(R[head], packed_R)
        dbias = db[4 * P * head : 4 * P * (head + 1)]
        # A few steps at a time: what their gradients are multiplied with is then still in the caches.
        end = T
        while end > 0:
            start = max(0, end - max(1, DEPTH // B))
            for t in range(end - 1, start - 1, -1):
                for r in range(B):
                    p, p_out = gates[head, t, r], dpre[t, r, 4 * P * head : 4 * P * (head + 1)]
                    i, f, z, o = p[:P], p[P : 2 * P], p[2 * P : 3 * P], p[3 * P :]
                    c_prev, c_here, n_prev, n_here = c[head, t, r], c[head, t + 1, r], n[head, t, r], n[head, t + 1, r]
                    h_here, dh_out = h[head, t + 1, r], dout[t, r, P * head : P * (head + 1)]
                    share, dc_r, dn_r = dh[head, r], dc[head, r], dn[head, r]
                    for j in range(P):
                        share[j] = (share[j] + dh_out[j]) / n_here[j]
                    for j in range(P):
                        dn_r[j] -= share[j] * h_here[j]
                    for j in range(P):
                        o[j], more = slstm_output_backward(o[j], c_here[j], share[j])
                        dc_r[j] += more
                    for j in range(P):
                        f[j] = slstm_forget_backward(i[j], f[j], c_prev[j], n_prev[j], dc_r[j], dn_r[j])
                    for j in range(P):
                        keep = slstm_forget(i[j])
                        i[j], z[j] = slstm_input_backward(i[j], z[j], dc_r[j], dn_r[j])
                        dc_r[j] *= keep
                        dn_r[j] *= keep
                    for j in range(4 * P):
                        p_out[j] = p[j]
                        dbias[j] += p[j]
                multiply(gates[head, t], packed_R, dh[head])
            rows = (end - start) * B
            h_prev, dgates = h[head, start:end].reshape(rows, P), gates[head, start:end].reshape(rows, 4 * P)
            multiply_transposed(h_prev, dgates, workspace, dR[head], end < T)
            end = start
