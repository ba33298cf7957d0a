"""LSTM over a sequence on the CPU, forward and backward.

Notation: B batch rows, T time, D inputs, H hidden; ``K = D + H``. Time-major, C-contiguous. Gate order i f g o.
The input x[t] and the state h[t-1] stand side by side in one row of ``xh``, and W over R in ``WR``, so that a step is a
single product of depth K, and so is the gradient of all weights.

Where the input is one of V symbols, its row of W and the bias are one: D is 0 then, and b has V rows to choose from.

Loops over units are short and many: before it vectorises one, LLVM compares its pointers pair by pair, and with more
than eight pairs it leaves the loop as it is.
"""

from forecast_kernels.jit import Array, cell, kernel, wide_vectors
from forecast_kernels.lstm.cell import (
    lstm_forget_backward,
    lstm_input_backward,
    lstm_output,
    lstm_output_backward,
    lstm_state,
)
from forecast_kernels.matmul.cpu import (
    DEPTH,
    TRANSPOSED,
    multiply,
    multiply_transposed,
    pack,
    pack_transposed,
    packed_size,
)
from forecast_kernels.scalars import sigmoid, tanh


def lstm_workspace(inputs: int, hidden: int) -> int:
    """Values of workspace that `lstm_forward` and `lstm_backward` need."""
    backward = packed_size(4 * hidden, hidden) + packed_size(4 * hidden, inputs) + TRANSPOSED
    return max(packed_size(inputs + hidden, 4 * hidden), backward)


_packed_size = cell(packed_size)


@cell
def activate(p: Array, b: Array) -> None:
    """Add the bias to a row of pre-activations and apply the gates' functions: i f g o, each H long."""
    H = b.shape[0] // 4
    gates, bias = p[: 2 * H], b[: 2 * H]
    for j in range(2 * H):
        gates[j] = sigmoid(gates[j] + bias[j])
    g, bias_g = p[2 * H : 3 * H], b[2 * H : 3 * H]
    for j in range(H):
        g[j] = tanh(g[j] + bias_g[j])
    o, bias_o = p[3 * H :], b[3 * H :]
    for j in range(H):
        o[j] = sigmoid(o[j] + bias_o[j])


@cell
def _chosen(symbols: Array, place: int) -> int:
    """Row of the biases."""
    return int(symbols[place]) if symbols.shape[0] > 0 else 0


@kernel
def lstm_forward(
    x: Array,  # (T, B, D) read
    WR: Array,  # (D + H, 4H) read: W over R
    b: Array,  # (V, 4H) read: biases; V is 1 unless there are symbols
    symbols: Array,  # (T * B,) read: the row of b that each row and step takes; (0,): the first
    xh: Array,  # (S + 1, B, D + H) written, but xh[0, :, D:] is read: the start state h[-1]
    c: Array,  # (S + 1, B, H) written, but c[0] is read: the start state
    gates: Array,  # (S, B, 4H) written: activated i f g o
    out: Array,  # (T, B, H) written: h[t]
    packed: Array,  # at least lstm_workspace(D, H) values, workspace
) -> None:
    """Run the sequence from the start state.

    ``xh``, ``c`` and ``gates`` keep S steps: all T for backward, or only the last when S = 1, which then stay in the
    caches. Step t lies at t modulo their length.
    """
    wide_vectors()
    T, B, D = x.shape
    H = out.shape[2]
    pack(WR, packed)
    for t in range(T):
        here, after, pre = t % xh.shape[0], (t + 1) % xh.shape[0], gates[t % gates.shape[0]]
        for r in range(B):
            source, row = x[t, r], xh[here, r]
            for d in range(D):
                row[d] = source[d]
        multiply(xh[here], packed, pre)
        for r in range(B):
            activate(pre[r], b[_chosen(symbols, t * B + r)])
            p, c_prev, c_next, h, state = pre[r], c[here, r], c[after, r], out[t, r], xh[after, r, D:]
            i, f, g, o = p[:H], p[H : 2 * H], p[2 * H : 3 * H], p[3 * H :]
            for j in range(H):
                c_next[j] = lstm_state(i[j], f[j], g[j], c_prev[j])
            for j in range(H):
                h[j] = state[j] = lstm_output(o[j], c_next[j])


@kernel
def lstm_backward(
    WR: Array,  # (D + H, 4H) read
    symbols: Array,  # (T * B,) read, or (0,)
    xh: Array,  # (T + 1, B, D + H) read, as forward left it
    c: Array,  # (T + 1, B, H) read
    gates: Array,  # (T, B, 4H) activated on entry, overwritten by the gradient of the pre-activations
    dout: Array,  # (T, B, H) read: gradient of out
    dx: Array,  # (T, B, D) written; (0, B, D) where nobody needs it
    dWR: Array,  # (D + H, 4H) written
    db: Array,  # (V, 4H) written
    dh: Array,  # (B, H) on entry the gradient of the last h, on return of the start state's h
    dc: Array,  # (B, H) on entry the gradient of the last c, on return of the start state's c
    packed: Array,  # at least lstm_workspace(D, H) values, workspace
) -> None:
    """Backpropagation through time."""
    wide_vectors()
    T, B, H = dout.shape
    D = dx.shape[2]
    end_R = _packed_size(4 * H, H)
    end_W = end_R + _packed_size(4 * H, D)
    packed_R, packed_W, workspace = packed[:end_R], packed[end_R:end_W], packed[end_W:]
    pack_transposed(WR[D:], packed_R)
    if dx.shape[0] == T:
        pack_transposed(WR[:D], packed_W)
    for v in range(db.shape[0]):
        db_v = db[v]
        for j in range(4 * H):
            db_v[j] = 0
    # A few steps at a time: what their gradients are multiplied with is then still in the caches.
    end = T
    while end > 0:
        start = max(0, end - max(1, DEPTH // B))
        for t in range(end - 1, start - 1, -1):
            for r in range(B):
                p = gates[t, r]
                i, f, g, o = p[:H], p[H : 2 * H], p[2 * H : 3 * H], p[3 * H :]
                c_prev, c_here, dh_out, dh_next, dc_r = c[t, r], c[t + 1, r], dout[t, r], dh[r], dc[r]
                for j in range(H):
                    o[j], dc_r[j] = lstm_output_backward(o[j], c_here[j], dh_out[j] + dh_next[j], dc_r[j])
                for j in range(H):
                    i[j], g[j] = lstm_input_backward(i[j], g[j], dc_r[j])
                for j in range(H):
                    f[j], dc_r[j] = lstm_forget_backward(f[j], c_prev[j], dc_r[j])
                db_r = db[_chosen(symbols, t * B + r)]
                for j in range(4 * H):
                    db_r[j] += p[j]
            multiply(gates[t], packed_R, dh)
        rows = (end - start) * B
        dpre = gates[start:end].reshape(rows, 4 * H)
        if dx.shape[0] == T:
            multiply(dpre, packed_W, dx[start:end].reshape(rows, D))
        multiply_transposed(xh[start:end].reshape(rows, D + H), dpre, workspace, dWR, end < T)
        end = start
