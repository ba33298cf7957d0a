"""mLSTM step by step on the CPU, forward and backward: for streams, whose memory has one size whatever their length.

Notation: B batch rows, T time, H hidden, N heads, P = H / N head size. Time-major, C-contiguous, heads side by side.
The memory of a head is ``C`` (P, P), by keys and values, and ``n`` (P,), both scaled by exp(-m):

    C[t] = f C[t-1] + i k v^T / sqrt(P);   n[t] = f n[t-1] + i k / sqrt(P);   h[t] = q^T C[t] / max(|q^T n[t]|, exp(-m))

Training takes the chunkwise form, which gives the same and keeps no memory of every step.
"""

from forecast_kernels.jit import Array, kernel, wide_vectors
from forecast_kernels.matmul.tile import place
from forecast_kernels.mlstm.cell import mlstm_normaliser
from forecast_kernels.mlstm.gates import DIVISOR, FORGET, INPUT, SIGN, gates_backward, gates_forward
from forecast_kernels.mlstm.product import Pointer


@kernel
def _copy(
    source: Pointer,  # read
    target: Pointer,  # written
    count: int,
) -> None:
    for x in range(count):
        target[x] = source[x]


@kernel
def _head_forward(
    q: Array,  # (P,) read
    k: Array,  # (P,) read
    v: Array,  # (P,) read
    w: float,  # factor of the input
    f: float,  # factor of the memory
    C: Array,  # (P, P) advanced
    n: Array,  # (P,) advanced
    h: Array,  # (P,) written: before the division
) -> float:
    """One step of one head; returns q n."""
    P = q.shape[0]
    reading: float = q.dtype.type(0)
    for p in range(P):
        n[p] = f * n[p] + w * k[p]
        reading += q[p] * n[p]
    for p in range(P):
        h[p] = 0
    for row in range(P):
        here, key, query = C[row], w * k[row], q[row]
        for p in range(P):
            here[p] = f * here[p] + key * v[p]
        for p in range(P):
            h[p] += query * here[p]
    return reading


@kernel
def mlstm_recurrent_forward(
    q: Array,  # (T, B, H) read
    k: Array,  # (T, B, H) read
    v: Array,  # (T, B, H) read
    i: Array,  # (T, B, N) read: gates before their activation
    f: Array,  # (T, B, N) read
    C: Array,  # (S + 1, B, N, P, P) written, but C[0] is read: the start state
    n: Array,  # (S + 1, B, N, P) written, but n[0] is read: the start state
    m: Array,  # (B, N) the start state on entry, the final state on return
    gates: Array,  # (4, T, B, N) written: factors of input and memory, one over the divisor, its sign
    out: Array,  # (T, B, H) written: h[t], before the output gate
) -> None:
    """Run the sequence from the start state; nothing is known before where C, n and m are 0.

    ``C`` and ``n`` keep S steps: all T for backward; with S = 0 they are updated in place. The memory before step t
    lies at t modulo their length.
    """
    wide_vectors()
    T, B, H = q.shape
    N = i.shape[2]
    P = H // N
    gates_forward(i, f, P, m, gates)
    for t in range(T):
        here, after, g = t % C.shape[0], (t + 1) % C.shape[0], gates[:, t]
        for r in range(B):
            for head in range(N):
                at, to = head * P, head * P + P
                h = out[t, r, at:to]
                if after != here:
                    before, x = (here * B + r) * N + head, (after * B + r) * N + head
                    _copy(place(C, before * P * P), place(C, x * P * P), P * P)
                    _copy(place(n, before * P), place(n, x * P), P)
                reading = _head_forward(
                    q[t, r, at:to], k[t, r, at:to], v[t, r, at:to], g[INPUT, r, head], g[FORGET, r, head],
                    C[after, r, head], n[after, r, head], h,
                )  # fmt: skip
                inverse, g[SIGN, r, head] = mlstm_normaliser(reading, g[DIVISOR, r, head])
                g[DIVISOR, r, head] = inverse
                for p in range(P):
                    h[p] *= inverse


@kernel
def _head_backward(
    q: Array,  # (P,) read
    k: Array,  # (P,) read
    v: Array,  # (P,) read
    w: float,  # factor of the input
    f: float,  # factor of the memory
    inverse: float,  # one over the divisor
    dreading: float,  # gradient of q n, times the divisor
    C_prev: Array,  # (P, P) read
    n_prev: Array,  # (P,) read
    C: Array,  # (P, P) read
    n: Array,  # (P,) read
    dh: Array,  # (P,) read
    dC: Array,  # (P, P) gradient of C on entry, of C_prev on return
    dn: Array,  # (P,) gradient of n on entry, of n_prev on return
    dq: Array,  # (P,) written
    dk: Array,  # (P,) written
    dv: Array,  # (P,) written
) -> tuple[float, float]:
    """Backward of `_head_forward`; returns the gradients of the factors' logarithms."""
    P = q.shape[0]
    zero = q.dtype.type(0)
    di = df = zero
    for p in range(P):
        dn[p] += q[p] * inverse * dreading
        dv[p] = 0
    for row in range(P):
        before, here, d = C_prev[row], C[row], dC[row]
        query, key, read, written, kept = q[row] * inverse, k[row] * w, zero, zero, zero
        for p in range(P):
            d[p] += query * dh[p]
            read += here[p] * dh[p]
        for p in range(P):
            written += d[p] * v[p]
            kept += d[p] * before[p]
        for p in range(P):
            dv[p] += key * d[p]
            d[p] *= f
        dq[row] = inverse * (read + dreading * n[row])
        dk[row] = w * (written + dn[row])
        di += k[row] * dk[row]
        df += kept + dn[row] * n_prev[row]
        dn[row] *= f
    return di, f * df


@kernel
def mlstm_recurrent_backward(
    q: Array,  # (T, B, H) read
    k: Array,  # (T, B, H) read
    v: Array,  # (T, B, H) read
    f: Array,  # (T, B, N) read
    C: Array,  # (T + 1, B, N, P, P) read, as forward left it
    n: Array,  # (T + 1, B, N, P) read
    gates: Array,  # (4, T, B, N) read
    out: Array,  # (T, B, H) read
    dout: Array,  # (T, B, H) read: gradient of out
    dq: Array,  # (T, B, H) written
    dk: Array,  # (T, B, H) written
    dv: Array,  # (T, B, H) written
    di: Array,  # (T, B, N) written
    df: Array,  # (T, B, N) written
    dC: Array,  # (B, N, P, P) on entry the gradient of the final C, on return of the start state's C
    dn: Array,  # (B, N, P) on entry the gradient of the final n, on return of the start state's n
) -> None:
    """Backpropagation through time; m counts as a constant, see cell.py."""
    wide_vectors()
    T, B, H = q.shape
    N = f.shape[2]
    P = H // N
    for t in range(T - 1, -1, -1):
        g = gates[:, t]
        for r in range(B):
            for head in range(N):
                at, to = head * P, head * P + P
                h, dh = out[t, r, at:to], dout[t, r, at:to]
                dot = h.dtype.type(0)
                for p in range(P):
                    dot += h[p] * dh[p]
                di[t, r, head], df[t, r, head] = _head_backward(
                    q[t, r, at:to], k[t, r, at:to], v[t, r, at:to], g[INPUT, r, head], g[FORGET, r, head],
                    g[DIVISOR, r, head], -dot * g[SIGN, r, head], C[t, r, head], n[t, r, head], C[t + 1, r, head],
                    n[t + 1, r, head], dh, dC[r, head], dn[r, head], dq[t, r, at:to], dk[t, r, at:to], dv[t, r, at:to],
                )  # fmt: skip
    gates_backward(f, df)
