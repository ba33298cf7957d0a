"""LSTM over a sequence on the CPU, forward and backward.

Notation: B batch rows, T time, D inputs, H hidden; ``K = D + H``. Time-major, C-contiguous. Gate order i f g o.
The input x[t] and the state h[t-1] stand side by side in one row of ``xh``, and W over R in ``WR``, so that a step is a
single GEMM of depth K, and so is the gradient of all weights.
"""

import numpy as np

from forecast_kernels.jit import Array, kernel
from forecast_kernels.lstm.cell import lstm_gates, lstm_state, lstm_state_backward


@kernel
def lstm_forward(
    x: Array,  # (T, B, D) read
    WR: Array,  # (D + H, 4H) read: W over R
    b: Array,  # (4H,) read
    xh: Array,  # (T + 1, B, D + H) written, but xh[0, :, D:] is read: the start state h[-1]
    c: Array,  # (T + 1, B, H) written, but c[0] is read: the start state
    gates: Array,  # (T, B, 4H) written: activated i f g o
    out: Array,  # (T, B, H) written: h[t]
) -> None:
    """Run the sequence from the start state; what backward needs stays in ``xh``, ``c`` and ``gates``."""
    T, B, D = x.shape
    H = out.shape[2]
    for t in range(T):
        for r in range(B):
            for d in range(D):
                xh[t, r, d] = x[t, r, d]
        pre = gates[t]
        np.dot(xh[t], WR, pre)
        for r in range(B):
            p = pre[r]
            c_prev, c_next, h = c[t, r], c[t + 1, r], out[t, r]
            for j in range(H):
                i, f, g, o = lstm_gates(
                    p[j] + b[j], p[H + j] + b[H + j], p[2 * H + j] + b[2 * H + j], p[3 * H + j] + b[3 * H + j]
                )
                p[j], p[H + j], p[2 * H + j], p[3 * H + j] = i, f, g, o
                c_next[j], h[j] = lstm_state(i, f, g, o, c_prev[j])
            for j in range(H):
                xh[t + 1, r, D + j] = h[j]


@kernel
def lstm_backward(
    WR: Array,  # (D + H, 4H) read
    xh: Array,  # (T + 1, B, D + H) read, as forward left it
    c: Array,  # (T + 1, B, H) read
    gates: Array,  # (T, B, 4H) activated on entry, overwritten by the gradient of the pre-activations
    dout: Array,  # (T, B, H) read: gradient of out
    dx: Array,  # (T, B, D) written
    dWR: Array,  # (D + H, 4H) written
    db: Array,  # (4H,) written
    dxh: Array,  # (B, D + H) workspace; dxh[:, D:] on entry the gradient of the last h, on return of the start state's
    dc: Array,  # (B, H) on entry the gradient of the last c, on return of the start state's
) -> None:
    """Backpropagation through time."""
    T, B, D = dx.shape
    H = dc.shape[1]
    for t in range(T - 1, -1, -1):
        for r in range(B):
            p = gates[t, r]
            c_prev, c_here, dh_out, dh_next, dc_r = c[t, r], c[t + 1, r], dout[t, r], dxh[r, D:], dc[r]
            for j in range(H):
                p[j], p[H + j], p[2 * H + j], p[3 * H + j], dc_r[j] = lstm_state_backward(
                    p[j], p[H + j], p[2 * H + j], p[3 * H + j], c_prev[j], c_here[j], dh_out[j] + dh_next[j], dc_r[j]
                )
        np.dot(gates[t], WR.T, dxh)
        for r in range(B):
            for d in range(D):
                dx[t, r, d] = dxh[r, d]
    dpre = gates.reshape(T * B, 4 * H)
    np.dot(xh[:T].reshape(T * B, D + H).T, dpre, dWR)
    for j in range(4 * H):
        db[j] = 0
    for r in range(T * B):
        for j in range(4 * H):
            db[j] += dpre[r, j]
