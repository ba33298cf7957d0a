"""mLSTM in chunks on the CPU, forward and backward: products of matrices within a chunk, the memory between chunks.

Notation: B batch rows, T time, H hidden, N heads, P = H / N head size, L steps a chunk, J and Q = L and P filled up to
whole blocks. Time-major, C-contiguous, heads side by side. See recurrent.py for what is computed.

Step t reads what step j <= t wrote with the weight ``d[j] = w[j] f[j+1] .. f[t]`` (d of step t - 1, times f[t]), and
the memory before the chunk with ``f[first] .. f[t]``. The weights over the divisors make a matrix ``A`` (L, L): within
a chunk ``h = A v``, as in attention. A sequence of one chunk that starts from nothing needs no memory at all.
"""

from forecast_kernels.jit import Array, cell, kernel, wide_vectors
from forecast_kernels.matmul.tile import place
from forecast_kernels.mlstm.gates import DIVISOR, FORGET, INPUT, SIGN, gates_backward, gates_forward
from forecast_kernels.mlstm.product import BLOCK, Pointer, copy_rows, copy_transposed, number, padded, product, truth
from forecast_kernels.mlstm.rows import (
    add_rows,
    dot_rows,
    gather,
    normalise,
    scale_rows,
    sum_rectangles,
    weigh,
    weigh_backward,
)

_padded = cell(padded)


def mlstm_workspace(length: int, head: int) -> int:
    """Values of workspace that the chunkwise kernels need for chunks of at most L steps and heads of P units."""
    J, Q = padded(length), padded(head)
    return 3 * length * J + head * J + 4 * length * Q + 3 * head * Q + 10 * J + 3 * Q


@kernel
def _causal(
    a: Pointer,  # (L, P) read, row t at t * a_row
    a_row: int,
    b: Pointer,  # (P, J) read
    P: int,
    scores: Pointer,  # (L, J) written up to the diagonal's blocks
    L: int,
    J: int,
) -> None:
    """``a b`` for steps that see those before them."""
    for first in range(0, L, BLOCK):
        rows, here = min(BLOCK, L - first), place(scores, first * J)
        product(place(a, first * a_row), a_row, number(1), b, J, P, here, J, rows, first + BLOCK, truth(False))


@kernel
def _causal_sum(
    weights: Pointer,  # (L, J) read up to the diagonal's blocks
    L: int,
    J: int,
    b: Pointer,  # (L, Q) read, row j at j * b_row
    b_row: int,
    P: int,
    out: Pointer,  # (L, P) written, row t at t * out_row
    out_row: int,
) -> None:
    """``weights b``: what each step gets from those before it."""
    for first in range(0, L, BLOCK):
        rows, here = min(BLOCK, L - first), place(out, first * out_row)
        product(place(weights, first * J), J, number(1), b, b_row, first + rows, here, out_row, rows, P, truth(False))


@kernel
def _causal_sum_transposed(
    weights: Pointer,  # (L, J) read up to the diagonal's blocks
    L: int,
    J: int,
    b: Pointer,  # (L, Q) read, row t at t * b_row
    b_row: int,
    P: int,
    out: Pointer,  # (L, P) written, row j at j * out_row
    out_row: int,
) -> None:
    """``weights^T b``: what each step gets from those after it."""
    for first in range(0, L, BLOCK):
        rows, here = min(BLOCK, L - first), place(out, first * out_row)
        corner, b_here = place(weights, first * J + first), place(b, first * b_row)
        product(corner, number(1), J, b_here, b_row, L - first, here, out_row, rows, P, truth(False))


@kernel
def _chunk_forward(
    q: Pointer,  # (L, P) read, as k and v: row t at t * row
    k: Pointer,
    v: Pointer,
    row: int,
    L: int,
    P: int,
    gates: Pointer,  # read, the divisors and their signs written: row x, step t at x * gates_row + t * gates_step
    gates_row: int,
    gates_step: int,
    reads: bool,  # whether there is a memory before the chunk
    writes: bool,  # whether the one after it is wanted
    memory: Pointer,  # (P, Q) before the chunk on entry, after it on return
    normaliser: Pointer,  # (Q,) likewise
    out: Pointer,  # (L, P) written: row t at t * row
    work: Pointer,  # workspace
) -> None:
    """One chunk of one head."""
    J, Q = _padded(L), _padded(P)
    zero, one, yes = number(0), number(1), truth(True)
    scores, keys = work, place(work, L * J)
    values = place(keys, P * J)
    rows = place(values, L * Q)
    w = place(rows, L * Q)
    f, divisor, sign, d, reach, sums, more = (
        place(w, J), place(w, 2 * J), place(w, 3 * J), place(w, 4 * J), place(w, 5 * J), place(w, 6 * J),
        place(w, 7 * J),
    )  # fmt: skip
    gather(place(gates, INPUT * gates_row), gates_step, L, w, one)
    gather(place(gates, FORGET * gates_row), gates_step, L, f, one)
    gather(place(gates, DIVISOR * gates_row), gates_step, L, divisor, one)
    copy_transposed(k, row, L, P, keys, J)
    copy_rows(v, row, L, P, values, Q)
    _causal(q, row, keys, P, scores, L, J)
    weigh(w, f, L, J, d, reach, scores, sums)
    if reads:
        copy_rows(q, row, L, P, rows, Q)
        dot_rows(rows, normaliser, zero, Q, L, more)
        for t in range(L):
            sums[t] += reach[t] * more[t]
    normalise(sums, divisor, sign, L)
    gather(divisor, one, L, place(gates, DIVISOR * gates_row), gates_step)
    gather(sign, one, L, place(gates, SIGN * gates_row), gates_step)
    scale_rows(scores, J, L, divisor, one)
    _causal_sum(scores, L, J, values, Q, P, out, row)
    if reads:
        for t in range(L):
            more[t] = reach[t] * divisor[t]
        scale_rows(rows, Q, L, more, one)
        product(rows, Q, one, memory, Q, P, out, row, L, P, yes)
    if writes:
        if reads:
            scale_rows(memory, Q, P, place(reach, L - 1), zero)
            scale_rows(normaliser, Q, one, place(reach, L - 1), zero)
        copy_rows(k, row, L, P, rows, Q)
        product(d, zero, one, rows, Q, L, normaliser, Q, one, Q, reads)
        scale_rows(rows, Q, L, d, one)
        product(rows, one, Q, values, Q, L, memory, Q, P, Q, reads)


@kernel
def _chunk_backward(
    q: Pointer,  # (L, P) read, as k, v, out, dout: row t at t * row
    k: Pointer,
    v: Pointer,
    row: int,
    L: int,
    P: int,
    gates: Pointer,  # read: row x, step t at x * gates_row + t * gates_step
    gates_row: int,
    gates_step: int,
    reads: bool,  # whether there is a memory before the chunk
    writes: bool,  # whether there is a gradient of the one after it
    C: Pointer,  # (P, P) read: the memory before the chunk
    n: Pointer,  # (P,) likewise
    out: Pointer,
    dout: Pointer,
    dmemory: Pointer,  # (P, Q) gradient of the memory after the chunk on entry, before it on return
    dnormaliser: Pointer,  # (Q,) likewise
    dq: Pointer,  # (L, P) written, as dk and dv: row t at t * row
    dk: Pointer,
    dv: Pointer,
    di: Pointer,  # written: step t at t * gates_step; gradients of the factors' logarithms
    df: Pointer,
    work: Pointer,  # workspace
) -> None:
    """One chunk of one head."""
    J, Q = _padded(L), _padded(P)
    zero, one, no, yes = number(0), number(1), truth(False), truth(True)
    scores, dscores, dlog, turned = work, place(work, L * J), place(work, 2 * L * J), place(work, 3 * L * J)
    queries = place(turned, P * J)
    keys, dh, rows = place(queries, L * Q), place(queries, 2 * L * Q), place(queries, 3 * L * Q)
    memory = place(queries, 4 * L * Q)  # both transposed
    dmemory_t, start = place(memory, P * Q), place(memory, 2 * P * Q)
    products = place(start, Q)  # Q or L
    w = place(products, Q + J)
    f, inverse, sign, d, reach, e, dinput, dforget = (
        place(w, J), place(w, 2 * J), place(w, 3 * J), place(w, 4 * J), place(w, 5 * J), place(w, 6 * J),
        place(w, 7 * J), place(w, 8 * J),
    )  # fmt: skip
    gather(place(gates, INPUT * gates_row), gates_step, L, w, one)
    gather(place(gates, FORGET * gates_row), gates_step, L, f, one)
    gather(place(gates, DIVISOR * gates_row), gates_step, L, inverse, one)
    gather(place(gates, SIGN * gates_row), gates_step, L, sign, one)
    copy_transposed(k, row, L, P, turned, J)
    _causal(q, row, turned, P, scores, L, J)
    copy_transposed(v, row, L, P, turned, J)
    _causal(dout, row, turned, P, dscores, L, J)
    copy_rows(q, row, L, P, queries, Q)
    copy_rows(k, row, L, P, keys, Q)
    copy_rows(dout, row, L, P, dh, Q)
    copy_rows(out, row, L, P, rows, Q)
    dot_rows(rows, dh, Q, Q, L, e)
    for t in range(L):
        e[t] *= -sign[t]
    last = weigh_backward(w, f, inverse, e, L, J, d, reach, scores, dscores, dlog)
    sum_rectangles(dlog, L, J, dinput, dforget)
    _causal_sum_transposed(scores, L, J, dh, Q, P, dv, row)
    _causal_sum_transposed(dscores, L, J, queries, Q, P, dk, row)
    _causal_sum(dscores, L, J, keys, Q, P, dq, row)
    if reads:
        copy_rows(n, P, one, P, start, Q)
        copy_transposed(C, P, P, P, memory, Q)
        product(dh, Q, one, memory, Q, P, rows, Q, L, Q, no)
        product(e, one, one, start, Q, one, rows, Q, L, Q, yes)
        scale_rows(rows, Q, L, reach, one)
        dot_rows(rows, queries, Q, Q, L, products)
        add_rows(rows, Q, L, P, dq, row, yes)
        for t in range(L - 2, -1, -1):
            products[t] += products[t + 1]
        for t in range(L):
            dforget[t] += products[t]
    if writes:
        copy_transposed(dmemory, Q, P, P, dmemory_t, Q)
        product(v, row, one, dmemory_t, Q, P, rows, Q, L, Q, no)
        scale_rows(rows, Q, L, d, one)
        product(d, one, one, dnormaliser, Q, one, rows, Q, L, Q, yes)
        add_rows(rows, Q, L, P, dk, row, yes)
        total = last * last - last * last
        if reads:
            dot_rows(memory, dmemory_t, Q, Q, P, products)
            for p in range(P):
                total += products[p]
            dot_rows(start, dnormaliser, Q, Q, one, products)
            total = last * (total + products[0])
        dot_rows(rows, keys, Q, Q, L, products)
        for j in range(L):
            dforget[j] += total
            total += products[j]
            dinput[j] += products[j]
        scale_rows(keys, Q, L, d, one)
        product(keys, Q, one, dmemory, Q, P, dv, row, L, P, yes)
    if reads:
        scale_rows(queries, Q, L, reach, one)
        if writes:
            products[0] = last
            scale_rows(dmemory, Q, P, products, zero)
            scale_rows(dnormaliser, Q, one, products, zero)
        product(e, zero, one, queries, Q, L, dnormaliser, Q, one, Q, writes)
        product(queries, one, Q, dh, Q, L, dmemory, Q, P, Q, writes)
    gather(dinput, one, L, di, gates_step)
    gather(dforget, one, L, df, gates_step)


@kernel
def _load(C: Pointer, n: Pointer, P: int, memory: Pointer, normaliser: Pointer) -> None:
    """Copy a head's memory (P, P), (P,) to rows of whole blocks."""
    Q = _padded(P)
    copy_rows(C, P, P, P, memory, Q)
    copy_rows(n, P, number(1), P, normaliser, Q)


@kernel
def _store(memory: Pointer, normaliser: Pointer, P: int, C: Pointer, n: Pointer) -> None:
    """Copy it back."""
    Q = _padded(P)
    add_rows(memory, Q, P, P, C, P, truth(False))
    add_rows(normaliser, Q, number(1), P, n, P, truth(False))


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
    Chunks of about P steps, 32 at least, are the fastest; T up to 64 is best left in one.
    """
    wide_vectors()
    T, B, H = q.shape
    N = i.shape[2]
    P = H // N
    Q, S = _padded(P), C.shape[0]
    memory, normaliser, rest = place(work, 0), place(work, P * Q), place(work, P * Q + Q)
    if not carried:
        for r in range(B):
            for head in range(N):
                m[r, head] = 0
    gates_forward(i, f, P, m, gates)
    for r in range(B):
        for head in range(N):
            place_of_head = r * N + head
            if carried:
                _load(place(C, place_of_head * P * P), place(n, place_of_head * P), P, memory, normaliser)
            for first in range(0, T, length):
                L, at, before = min(length, T - first), (first * B + r) * H + head * P, carried or first > 0
                wanted = carried or first + L < T
                _chunk_forward(
                    place(q, at), place(k, at), place(v, at), B * H, L, P,
                    place(gates, first * B * N + place_of_head), T * B * N, B * N, before, wanted, memory, normaliser,
                    place(out, at), rest,
                )  # fmt: skip
                if wanted:
                    kept = ((first // length + (1 if carried else 0)) % S * B + r) * N + head
                    _store(memory, normaliser, P, place(C, kept * P * P), place(n, kept * P))


@kernel
def mlstm_chunkwise_backward(
    q: Array,  # (T, B, H) read
    k: Array,  # (T, B, H) read
    v: Array,  # (T, B, H) read
    f: Array,  # (T, B, N) read
    length: int,  # L and carried as in forward
    carried: bool,
    cut: bool,  # whether no gradient comes from what follows the sequence, nor goes to what was before
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
    dC: Array,  # (B, N, P, P) of the final C on entry, of the start state's on return; any if cut, or not carried
    dn: Array,  # (B, N, P) likewise
    work: Array,  # at least mlstm_workspace(min(L, T), P) values
) -> None:
    """Backpropagation; what is within a chunk is computed again. m counts as a constant, see cell.py."""
    wide_vectors()
    T, B, H = q.shape
    N = f.shape[2]
    P = H // N
    Q = _padded(P)
    dmemory, dnormaliser, rest = place(work, 0), place(work, P * Q), place(work, P * Q + Q)
    linked = carried and not cut
    for r in range(B):
        for head in range(N):
            place_of_head = r * N + head
            if linked:
                _load(place(dC, place_of_head * P * P), place(dn, place_of_head * P), P, dmemory, dnormaliser)
            for first in range((T - 1) // length * length, -1, -length):
                L, at, before = min(length, T - first), (first * B + r) * H + head * P, carried or first > 0
                at_gates = first * B * N + place_of_head
                kept = ((first // length - (0 if carried else 1)) * B + r) * N + head if before else 0
                _chunk_backward(
                    place(q, at), place(k, at), place(v, at), B * H, L, P, place(gates, at_gates), T * B * N, B * N,
                    before, linked or first + L < T, place(C, kept * P * P), place(n, kept * P),
                    place(out, at), place(dout, at), dmemory, dnormaliser, place(dq, at), place(dk, at), place(dv, at),
                    place(di, at_gates), place(df, at_gates), rest,
                )  # fmt: skip
            if linked:
                _store(dmemory, dnormaliser, P, place(dC, place_of_head * P * P), place(dn, place_of_head * P))
    gates_backward(f, df)
