"""mLSTM in chunks on the CPU, forward and backward: products of matrices within a chunk, the memory between chunks.

Notation: B batch rows, T time, H hidden, N heads, P = H / N head size, L steps a chunk, J and Q = L and P filled up to
whole blocks. Time-major, C-contiguous, heads side by side. See recurrent.py for what is computed.

Step t reads what step j <= t wrote with the weight ``d[j] = w[j] f[j+1] .. f[t]`` (d of step t - 1, times f[t]), and the
memory before the chunk with ``f[first] .. f[t]``. The weights over the divisors make a matrix ``A`` (L, L): within a
chunk ``h = A v``, as in attention. A sequence of one chunk that starts from nothing needs no memory at all.
"""

from forecast_kernels.jit import Array, cell, kernel, wide_vectors
from forecast_kernels.matmul.tile import place
from forecast_kernels.mlstm.cell import mlstm_normaliser
from forecast_kernels.mlstm.gates import DIVISOR, FORGET, INPUT, SIGN, gates_backward, gates_forward
from forecast_kernels.mlstm.product import BLOCK, Pointer, copy_rows, copy_transposed, padded, product

_padded = cell(padded)


def mlstm_workspace(length: int, head: int) -> int:
    """Values of workspace that the chunkwise kernels need for chunks of L steps and heads of P units."""
    J, Q = padded(length), padded(head)
    return 3 * length * J + 2 * head * J + 6 * length * Q + 2 * head * Q + 8 * J + 2 * Q


@cell
def _matrix(work: Array, at: int, rows: int, columns: int) -> Array:
    return work[at : at + rows * columns].reshape(rows, columns)


@kernel
def _weigh(
    t: int,  # row of the chunk
    w: float,  # factor of the input
    f: float,  # factor of the memory
    d: Array,  # (J,) weights of the step before on entry, of this step on return; 0 after it
    scores: Array,  # (J,) products of q and k on entry, times d on return; up to t's block
) -> float:
    """Weights of a step, and the sum of its scores."""
    total = scores.dtype.type(0)
    for first in range(0, t + 1, BLOCK):
        weights, values = d[first : first + BLOCK], scores[first : first + BLOCK]
        for j in range(BLOCK):
            weights[j] *= f
    d[t] = w
    for first in range(0, t + 1, BLOCK):
        weights, values = d[first : first + BLOCK], scores[first : first + BLOCK]
        for j in range(BLOCK):
            values[j] *= weights[j]
            total += values[j]
    return total


@cell
def _scale(row: Array, to: int, factor: float) -> None:
    """Multiply values of a row, up to the end of the block in which ``to - 1`` lies."""
    for first in range(0, to, BLOCK):
        values = row[first : first + BLOCK]
        for j in range(BLOCK):
            values[j] *= factor


@cell
def _fill(row: Array, value: float) -> None:
    for j in range(row.shape[0]):
        row[j] = value


@cell
def _dot(a: Array, b: Array) -> float:
    """Inner product of two rows of whole blocks."""
    total = a.dtype.type(0)
    for first in range(0, a.shape[0], BLOCK):
        left, right = a[first : first + BLOCK], b[first : first + BLOCK]
        for j in range(BLOCK):
            total += left[j] * right[j]
    return total


@cell
def _accumulate(factor: float, a: Array, out: Array) -> None:
    """``out += factor a`` of rows of whole blocks."""
    for first in range(0, a.shape[0], BLOCK):
        values, sums = a[first : first + BLOCK], out[first : first + BLOCK]
        for j in range(BLOCK):
            sums[j] += factor * values[j]


@kernel
def _keep(reach: float, exists: bool, memory: Array, normaliser: Array) -> None:
    """What is left of a memory (P, Q), (Q,), or of its gradient, at the other end of a chunk: 0 if there is none."""
    P, Q = memory.shape
    if exists:
        for p in range(P):
            _scale(memory[p], Q, reach)
        _scale(normaliser, Q, reach)
    else:
        _fill(memory.reshape(P * Q), 0)
        _fill(normaliser, 0)


@kernel
def _causal(
    a: Pointer,  # (L, P) read, row t at t * a_row
    a_row: int,
    b: Pointer,  # (P, J) read
    P: int,
    scores: Array,  # (L, J) written up to the diagonal's blocks
) -> None:
    """``a b`` for steps that see those before them."""
    L, J = scores.shape
    for first in range(0, L, BLOCK):
        rows, here = min(BLOCK, L - first), place(scores, first * J)
        product(place(a, first * a_row), a_row, 1, b, J, P, here, J, rows, first + BLOCK, False)


@kernel
def _causal_sum(
    weights: Array,  # (L, J) read up to the diagonal's blocks
    b: Pointer,  # (L, Q) read, row j at j * b_row
    b_row: int,
    P: int,
    out: Pointer,  # (L, P) written or added to, row t at t * out_row
    out_row: int,
    add: bool,
) -> None:
    """``weights b``: what each step gets from those before it."""
    L, J = weights.shape
    for first in range(0, L, BLOCK):
        rows, here = min(BLOCK, L - first), place(out, first * out_row)
        product(place(weights, first * J), J, 1, b, b_row, first + rows, here, out_row, rows, P, add)


@kernel
def _causal_sum_transposed(
    weights: Array,  # (L, J) read up to the diagonal's blocks
    b: Pointer,  # (L, Q) read, row t at t * b_row
    b_row: int,
    P: int,
    out: Pointer,  # (L, P) written or added to, row j at j * out_row
    out_row: int,
    add: bool,
) -> None:
    """``weights^T b``: what each step gets from those after it."""
    L, J = weights.shape
    for first in range(0, L, BLOCK):
        rows, here = min(BLOCK, L - first), place(out, first * out_row)
        corner, b_here = place(weights, first * J + first), place(b, first * b_row)
        product(corner, 1, J, b_here, b_row, L - first, here, out_row, rows, P, add)


@kernel
def _chunk_forward(
    q: Array,  # (L, B, H) read, as k and v
    k: Array,
    v: Array,
    r: int,  # row and head
    head: int,
    gates: Array,  # (4, L, B, N) read; the divisors and their signs written
    reads: bool,  # whether there is a memory before the chunk
    writes: bool,  # whether the one after it is wanted
    memory: Array,  # (P, Q) before the chunk on entry, after it on return
    normaliser: Array,  # (Q,) likewise
    out: Array,  # (L, B, H) written
    work: Array,  # workspace
) -> None:
    """One chunk of one head."""
    L, B, H = q.shape
    P = H // gates.shape[3]
    Q, J = normaliser.shape[0], _padded(L)
    scores, at = _matrix(work, 0, L, J), L * J
    keys, at = _matrix(work, at, P, J), at + P * J
    values, at = _matrix(work, at, L, Q), at + L * Q
    rows, at = _matrix(work, at, L, Q), at + L * Q
    d = work[at : at + J]
    origin, stride = r * H + head * P, B * H
    copy_transposed(place(k, origin), stride, L, P, place(keys, 0), J)
    copy_rows(place(v, origin), stride, L, P, place(values, 0), Q)
    _causal(place(q, origin), stride, place(keys, 0), P, scores)
    if reads:
        copy_rows(place(q, origin), stride, L, P, place(rows, 0), Q)
    _fill(d, 0)
    reach = d.dtype.type(1)
    for t in range(L):
        f = gates[FORGET, t, r, head]
        reading = _weigh(t, gates[INPUT, t, r, head], f, d, scores[t])
        reach *= f
        if reads:
            reading += reach * _dot(rows[t], normaliser)
        inverse, gates[SIGN, t, r, head] = mlstm_normaliser(reading, gates[DIVISOR, t, r, head])
        gates[DIVISOR, t, r, head] = inverse
        _scale(scores[t], t + 1, inverse)
        if reads:
            _scale(rows[t], Q, reach * inverse)
    _causal_sum(scores, place(values, 0), Q, P, place(out, origin), stride, False)
    if reads:
        product(place(rows, 0), Q, 1, place(memory, 0), Q, P, place(out, origin), stride, L, P, True)
    if writes:
        copy_rows(place(k, origin), stride, L, P, place(rows, 0), Q)
        _keep(reach, reads, memory, normaliser)
        for j in range(L):
            _scale(rows[j], Q, d[j])
            _accumulate(d.dtype.type(1), rows[j], normaliser)
        product(place(rows, 0), 1, Q, place(values, 0), Q, L, place(memory, 0), Q, P, P, True)


@kernel
def _load(C: Array, n: Array, memory: Array, normaliser: Array) -> None:
    """Copy a head's memory (P, P), (P,) to rows of whole blocks."""
    P, Q = memory.shape
    copy_rows(place(C, 0), P, P, P, place(memory, 0), Q)
    copy_rows(place(n, 0), P, 1, P, place(normaliser, 0), Q)


@kernel
def _store(memory: Array, normaliser: Array, C: Array, n: Array) -> None:
    """Copy it back."""
    P = n.shape[0]
    for p in range(P):
        row, source = C[p], memory[p]
        for j in range(P):
            row[j] = source[j]
        n[p] = normaliser[p]


@kernel
def mlstm_chunkwise_forward(
    q: Array,  # (T, B, H) read
    k: Array,  # (T, B, H) read
    v: Array,  # (T, B, H) read
    i: Array,  # (T, B, N) read: gates before their activation
    f: Array,  # (T, B, N) read
    length: int,  # L, steps of a chunk; the last one may have fewer
    carried: bool,  # whether a start state is given and the final one wanted; else the sequence starts from nothing
    C: Array,  # (S, B, N, P, P) the memory between chunks, see below
    n: Array,  # (S, B, N, P) likewise
    m: Array,  # (B, N) the start state on entry if carried; the final state on return
    gates: Array,  # (4, T, B, N) written: factors of input and memory, one over the divisor, its sign
    out: Array,  # (T, B, H) written: h[t], before the output gate
    work: Array,  # at least mlstm_workspace(min(L, T), P) values
) -> None:
    """Run the sequence.

    For backward, ``C`` and ``n`` hold the memory before each chunk: S is K + 1 for K chunks if carried, where the first
    row is the start state (read) and the last the final state; else K - 1, as nothing comes before the first chunk. Any
    S from 1 on will do where there is no backward: the memory before chunk c lies at c modulo S (c - 1 if not carried).
    """
    wide_vectors()
    T, B, H = q.shape
    N = i.shape[2]
    P = H // N
    Q, S = _padded(P), C.shape[0]
    memory, normaliser, rest = _matrix(work, 0, P, Q), work[P * Q : P * Q + Q], work[P * Q + Q :]
    if not carried:
        for r in range(B):
            for head in range(N):
                m[r, head] = 0
    gates_forward(i, f, P, m, gates)
    shift = 0 if carried else 1
    for r in range(B):
        for head in range(N):
            if carried:
                _load(C[0, r, head], n[0, r, head], memory, normaliser)
            for first in range(0, T, length):
                end, chunk = min(T, first + length), first // length
                wanted = carried or end < T
                _chunk_forward(
                    q[first:end], k[first:end], v[first:end], r, head, gates[:, first:end], carried or first > 0,
                    wanted, memory, normaliser, out[first:end], rest,
                )  # fmt: skip
                if wanted:
                    row = (chunk + 1 - shift) % S
                    _store(memory, normaliser, C[row, r, head], n[row, r, head])


@cell
def _weigh_backward(
    e: float,  # gradient of the reading of n, times the divisor
    inverse: float,  # one over the divisor
    to: int,  # t + 1
    d: Array,  # (J,) read
    scores: Array,  # (J,) products of q and k on entry, A on return
    dscores: Array,  # (J,) gradient of A on entry, of the products on return
    dlog: Array,  # (J,) written: gradient of the weights' logarithms
) -> None:
    for first in range(0, to, BLOCK):
        weights, a = d[first : first + BLOCK], scores[first : first + BLOCK]
        da, g = dscores[first : first + BLOCK], dlog[first : first + BLOCK]
        for j in range(BLOCK):
            weight, whole = weights[j] * inverse, da[j] + e
            a[j] *= weight
            da[j] = whole * weight
            g[j] = a[j] * whole


@kernel
def _chunk_backward(
    q: Array,  # (L, B, H) read, as k, v, out and dout
    k: Array,
    v: Array,
    r: int,  # row and head
    head: int,
    gates: Array,  # (4, L, B, N) read
    reads: bool,  # whether there is a memory before the chunk
    writes: bool,  # whether there is a gradient of the one after it
    C: Array,  # (P, P) read: the memory before the chunk
    n: Array,  # (P,) likewise
    out: Array,
    dout: Array,
    dmemory: Array,  # (P, Q) gradient of the memory after the chunk on entry, before it on return
    dnormaliser: Array,  # (Q,) likewise
    dq: Array,  # (L, B, H) written, as dk and dv
    dk: Array,
    dv: Array,
    di: Array,  # (L, B, N) written: gradient of the logarithm of the input's factor
    df: Array,  # (L, B, N) likewise, of the memory's factor
    work: Array,  # workspace
) -> None:
    """One chunk of one head."""
    L, B, H = q.shape
    P, Q, J = H // gates.shape[3], dnormaliser.shape[0], _padded(L)
    scores, at = _matrix(work, 0, L, J), L * J
    dscores, at = _matrix(work, at, L, J), at + L * J
    dlog, at = _matrix(work, at, L, J), at + L * J
    turned, at = _matrix(work, at, P, max(J, Q)), at + P * max(J, Q)
    queries, at = _matrix(work, at, L, Q), at + L * Q
    keys, at = _matrix(work, at, L, Q), at + L * Q
    dh, at = _matrix(work, at, L, Q), at + L * Q
    rows, at = _matrix(work, at, L, Q), at + L * Q
    d, e, reach = work[at : at + J], work[at + J : at + 2 * J], work[at + 2 * J : at + 3 * J]
    at += 3 * J
    dinput, dforget, at = work[at : at + J], work[at + J : at + 2 * J], at + 2 * J
    start = work[at : at + Q]
    origin, stride = r * H + head * P, B * H

    copy_transposed(place(k, origin), stride, L, P, place(turned, 0), J)
    _causal(place(q, origin), stride, place(turned, 0), P, scores)
    copy_transposed(place(v, origin), stride, L, P, place(turned, 0), J)
    _causal(place(dout, origin), stride, place(turned, 0), P, dscores)
    copy_rows(place(q, origin), stride, L, P, place(queries, 0), Q)
    copy_rows(place(k, origin), stride, L, P, place(keys, 0), Q)
    copy_rows(place(dout, origin), stride, L, P, place(dh, 0), Q)
    copy_rows(place(out, origin), stride, L, P, place(rows, 0), Q)

    _fill(d, 0)
    _fill(dinput, 0)
    decay = d.dtype.type(1)
    for t in range(L):
        f, inverse = gates[FORGET, t, r, head], gates[DIVISOR, t, r, head]
        e[t] = -gates[SIGN, t, r, head] * _dot(rows[t], dh[t])
        _scale(d, t + 1, f)
        d[t] = gates[INPUT, t, r, head]
        _weigh_backward(e[t], inverse, t + 1, d, scores[t], dscores[t], dlog[t])
        decay *= f
        reach[t] = decay * inverse
    # Step s forgets what steps j < s wrote for steps t >= s: sums over a rectangle, without differences of larger sums.
    for t in range(L - 1, -1, -1):
        for first in range(0, t + 1, BLOCK):
            g, sums = dlog[t, first : first + BLOCK], dinput[first : first + BLOCK]
            for j in range(BLOCK):
                sums[j] += g[j]
        total = d.dtype.type(0)
        for j in range(t):
            total += dinput[j]
        dforget[t] = total

    dq_here, dk_here, dv_here = place(dq, origin), place(dk, origin), place(dv, origin)
    _causal_sum_transposed(scores, place(dh, 0), Q, P, dv_here, stride, False)
    _causal_sum_transposed(dscores, place(queries, 0), Q, P, dk_here, stride, False)
    _causal_sum(dscores, place(keys, 0), Q, P, dq_here, stride, False)
    if reads:
        copy_rows(place(n, 0), P, 1, P, place(start, 0), Q)
        copy_transposed(place(C, 0), P, P, P, place(turned, 0), Q)
        product(place(dh, 0), Q, 1, place(turned, 0), Q, P, place(rows, 0), Q, L, Q, False)
        total = d.dtype.type(0)
        for t in range(L - 1, -1, -1):
            _accumulate(e[t], start, rows[t])
            _scale(rows[t], Q, reach[t])
            total += _dot(rows[t], queries[t])
            dforget[t] += total
            row, source = dq[t, r, head * P : head * P + P], rows[t]
            for p in range(P):
                row[p] += source[p]
    if writes:
        copy_transposed(place(dmemory, 0), Q, P, P, place(turned, 0), Q)
        product(place(v, origin), stride, 1, place(turned, 0), Q, P, place(rows, 0), Q, L, Q, False)
        total = d.dtype.type(0)
        if reads:
            total = decay * _inner(C, n, dmemory, dnormaliser)
        for j in range(L):
            dforget[j] += total
            _accumulate(d.dtype.type(1), dnormaliser, rows[j])
            _scale(rows[j], Q, d[j])
            share = _dot(rows[j], keys[j])
            total += share
            dinput[j] += share
            row, source = dk[j, r, head * P : head * P + P], rows[j]
            for p in range(P):
                row[p] += source[p]
            _scale(keys[j], Q, d[j])
        product(place(keys, 0), Q, 1, place(dmemory, 0), Q, P, dv_here, stride, L, P, True)
    if reads:
        _keep(decay, writes, dmemory, dnormaliser)
        for t in range(L):
            _scale(queries[t], Q, reach[t])
            _accumulate(e[t], queries[t], dnormaliser)
        product(place(queries, 0), 1, Q, place(dh, 0), Q, L, place(dmemory, 0), Q, P, P, True)
    for t in range(L):
        di[t, r, head], df[t, r, head] = dinput[t], dforget[t]


@kernel
def _inner(C: Array, n: Array, dmemory: Array, dnormaliser: Array) -> float:
    """Inner product of a head's memory (P, P), (P,) and a gradient of it, in rows of whole blocks."""
    P = n.shape[0]
    total = C.dtype.type(0)
    for p in range(P):
        row, drow = C[p], dmemory[p]
        for j in range(P):
            total += row[j] * drow[j]
        total += n[p] * dnormaliser[p]
    return total


@kernel
def mlstm_chunkwise_backward(
    q: Array,  # (T, B, H) read
    k: Array,  # (T, B, H) read
    v: Array,  # (T, B, H) read
    f: Array,  # (T, B, N) read
    length: int,  # L and carried as in forward
    carried: bool,
    C: Array,  # (K + 1 if carried else K - 1, B, N, P, P) read, as forward left it
    n: Array,  # (the same, B, N, P) read
    gates: Array,  # (4, T, B, N) read
    out: Array,  # (T, B, H) read
    dout: Array,  # (T, B, H) read: gradient of out
    dq: Array,  # (T, B, H) written
    dk: Array,  # (T, B, H) written
    dv: Array,  # (T, B, H) written
    di: Array,  # (T, B, N) written
    df: Array,  # (T, B, N) written
    dC: Array,  # (B, N, P, P) if carried, on entry the gradient of the final C, on return of the start state's; else any
    dn: Array,  # (B, N, P) likewise
    work: Array,  # at least mlstm_workspace(min(L, T), P) values
) -> None:
    """Backpropagation; what is within a chunk is computed again. m counts as a constant, see cell.py.

    Where BPTT is cut between calls, dC and dn are 0 on entry and their values on return of no use.
    """
    wide_vectors()
    T, B, H = q.shape
    N = f.shape[2]
    P = H // N
    Q = _padded(P)
    dmemory, dnormaliser, rest = _matrix(work, 0, P, Q), work[P * Q : P * Q + Q], work[P * Q + Q :]
    shift = 0 if carried else 1
    for r in range(B):
        for head in range(N):
            if carried:
                _load(dC[r, head], dn[r, head], dmemory, dnormaliser)
            for first in range((T - 1) // length * length, -1, -length):
                end, before = min(T, first + length), max(0, first // length - shift)
                reads, writes = carried or first > 0, carried or end < T
                _chunk_backward(
                    q[first:end], k[first:end], v[first:end], r, head, gates[:, first:end], reads, writes,
                    C[before, r, head], n[before, r, head], out[first:end], dout[first:end], dmemory, dnormaliser,
                    dq[first:end], dk[first:end], dv[first:end], di[first:end], df[first:end], rest,
                )  # fmt: skip
            if carried:
                _store(dmemory, dnormaliser, dC[r, head], dn[r, head])
    gates_backward(f, df)
