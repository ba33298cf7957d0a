"""mLSTM in chunks on the GPU, forward and backward; twins of chunkwise.py, which says what is computed.

Notation: B batch rows, T time, H hidden, N heads, P = H / N head size, L steps a chunk, at most 64; J = L + 1 is the
distance of rows of (L, L) matrices in shared memory, so that neither rows nor columns meet in one bank. Time-major,
C-contiguous, heads side by side.

The gates of all steps are one launch, all else another: a block takes a head of a batch row through its chunks and
waits for no other block. The memory between chunks passes through global memory, where backward wants it anyway.
"""

import math
from typing import Any

from numba import cuda

from forecast_kernels.jit import Array
from forecast_kernels.jit_cuda import THREADS, cuda_kernel, cuda_part, launch
from forecast_kernels.matmul.gpu import (
    PRODUCT_THREADS,
    STAGE,
    SUMS,
    TILE,
    add_products,
    clear_sums,
    tile_column,
    tile_row,
)
from forecast_kernels.mlstm.cell import (
    mlstm_factor,
    mlstm_floor,
    mlstm_forget_backward,
    mlstm_kept,
    mlstm_normaliser,
    mlstm_stabiliser,
)
from forecast_kernels.mlstm.gates import DIVISOR, FORGET, INPUT, SIGN


def mlstm_workspace(length: int, head: int) -> int:
    """Values of workspace that the chunkwise kernels need: none, but an array has to be there."""
    return 1


def mlstm_chunkwise_forward(
    q: Array,  # (T, B, H) read
    k: Array,  # (T, B, H) read
    v: Array,  # (T, B, H) read
    i: Array,  # (T, B, N) read: gates before their activation
    f: Array,  # (T, B, N) read
    length: int,  # L, steps of a chunk; the last one may have fewer
    carried: bool,  # whether a start state is given and the final one wanted; else the sequence starts from nothing
    C: Array,  # (S, B, N, P, P) the memory between chunks, see chunkwise.py
    n: Array,  # (S, B, N, P) likewise
    m: Array,  # (B, N) the start state on entry if carried; the final state on return
    gates: Array,  # (4, T, B, N) written: factors of input and memory, one over the divisor, its sign
    out: Array,  # (T, B, H) written: h[t], before the output gate
    work: Array,  # workspace; not needed
    stream: Any = 0,
) -> None:
    """Run the sequence."""
    T, B, N = i.shape
    P, L = q.shape[2] // N, min(length, T)
    launch(_gates, -(-B * N // THREADS), THREADS, stream, i, f, P, carried, m, gates)
    shared = (STAGE + L * (L + 1) + 4 * L + 1) * out.dtype.itemsize
    values = _flat(q), _flat(k), _flat(v)
    memory = n.shape[0], _flat(C), _flat(n)
    arguments = *values, gates, P, L, carried, *memory, _flat(out)
    launch(_chunks_forward, B * N, PRODUCT_THREADS, stream, *arguments, shared=shared)


def mlstm_chunkwise_backward(
    q: Array,  # (T, B, H) read
    k: Array,  # (T, B, H) read
    v: Array,  # (T, B, H) read
    f: Array,  # (T, B, N) read
    length: int,  # L and carried as in forward
    carried: bool,
    C: Array,  # (K + 1 if carried else K - 1, B, N, P, P) as forward left it; overwritten unless carried
    n: Array,  # (the same, B, N, P) likewise
    gates: Array,  # (4, T, B, N) read
    out: Array,  # (T, B, H) read
    dout: Array,  # (T, B, H) read: gradient of out
    dq: Array,  # (T, B, H) written
    dk: Array,  # (T, B, H) written
    dv: Array,  # (T, B, H) written
    di: Array,  # (T, B, N) written
    df: Array,  # (T, B, N) written
    dC: Array,  # (B, N, P, P) if carried, gradient of the final C on entry, of the start state's on return; else any
    dn: Array,  # (B, N, P) likewise
    work: Array,  # workspace; not needed
    stream: Any = 0,
) -> None:
    """Backpropagation; what is within a chunk is computed again. m counts as a constant, see cell.py."""
    T, B, N = f.shape
    P, L = q.shape[2] // N, min(length, T)
    shared = (STAGE + 3 * L * (L + 1) + 9 * L + 1 + PRODUCT_THREADS) * out.dtype.itemsize
    values = _flat(q), _flat(k), _flat(v)
    # A memory before a chunk is of no use once its gradient is known, which then takes its place.
    memory = _flat(C), _flat(n), _flat(dC if carried else C), _flat(dn if carried else n)
    written = _flat(dq), _flat(dk), _flat(dv), di, df
    arguments = *values, f, gates, P, L, carried, *memory, _flat(out), _flat(dout), *written
    launch(_chunks_backward, B * N, PRODUCT_THREADS, stream, *arguments, shared=shared)


def _flat(x: Array) -> Array:
    return x.reshape(x.size)


@cuda_kernel
def _gates(
    i: Array,  # (T, B, N) read
    f: Array,  # (T, B, N) read
    P: int,
    carried: bool,
    m: Array,  # (B, N) see mlstm_chunkwise_forward
    gates: Array,  # (4, T, B, N) written: factor of the input over sqrt(P), factor of the memory, least divisor
) -> None:
    number = m.dtype.type
    T, B, N = i.shape
    x = cuda.grid(1)
    if x < B * N:
        r, head = x // N, x % N
        scale = number(1) / number(math.sqrt(number(P)))  # of the keys
        stabiliser = m[r, head] if carried else number(0)
        for t in range(T):
            kept = mlstm_kept(f[t, r, head], stabiliser)
            stabiliser = mlstm_stabiliser(i[t, r, head], kept)
            gates[INPUT, t, r, head] = mlstm_factor(i[t, r, head], stabiliser) * scale
            gates[FORGET, t, r, head] = mlstm_factor(kept, stabiliser)
            gates[DIVISOR, t, r, head] = mlstm_floor(stabiliser)
        m[r, head] = stabiliser


@cuda_part
def _causal(
    sums: Array,
    shared: Array,
    a: Array,  # flat, read: row t at at + t * step
    b: Array,  # flat, read: row j likewise
    at: int,
    step: int,
    L: int,
    P: int,
    to: int,  # (L, J) of shared memory, written up to the diagonal's tiles; 0 right of the diagonal
) -> None:
    """Products of the rows of two matrices, each with those before it."""
    for top in range(0, L, TILE):
        for left in range(0, top + 1, TILE):
            clear_sums(sums)
            add_products(
                sums, shared, a, at + top * step, step, 1, L - top, b, at + left * step, 1, step, L - left, P, -1
            )
            for i in range(SUMS):
                t, j = top + tile_row(i), left + tile_column(i)
                if t < L and j < L:
                    shared[to + t * (L + 1) + j] = sums[i] if j <= t else sums.dtype.type(0)


@cuda_part
def _weighed(
    sums: Array,
    shared: Array,
    weights: int,  # (L, J) of shared memory, read up to the diagonal's tiles
    turned: bool,  # whether the weights are transposed: a step gets from those after it, not from those before it
    b: Array,  # flat, read: row j at at + j * step
    at: int,
    step: int,
    L: int,
    P: int,
    out: Array,  # flat, written: row t likewise
    add: bool,  # or added to
) -> None:
    """``weights b``."""
    J = L + 1
    for top in range(0, L, TILE):
        for left in range(0, P, TILE):
            clear_sums(sums)
            begin, end = (top, L) if turned else (0, min(top + TILE, L))
            across, along = (1, J) if turned else (J, 1)
            add_products(
                sums, shared, shared, weights + top * across + begin * along, across, along, L - top, b,
                at + begin * step + left, step, 1, P - left, end - begin, -1,
            )  # fmt: skip
            for i in range(SUMS):
                t, p = top + tile_row(i), left + tile_column(i)
                if t < L and p < P:
                    x = at + t * step + p
                    out[x] = out[x] + sums[i] if add else sums[i]


@cuda_part
def _through_memory(
    sums: Array,
    shared: Array,
    a: Array,  # flat, read: row t at at + t * step
    at: int,
    step: int,
    L: int,
    P: int,
    memory: Array,  # flat: (.., P, P) read
    turned: bool,  # whether it is transposed
    place: int,  # its number
    factors: int,  # (L,) of shared memory, read: factors of the rows
    out: Array,  # flat, written: row t likewise
) -> None:
    """``diag(factors) a memory``."""
    for top in range(0, L, TILE):
        for left in range(0, P, TILE):
            clear_sums(sums)
            across, along = (1, P) if turned else (P, 1)
            add_products(
                sums, shared, a, at + top * step, step, 1, L - top, memory, place * P * P + left * along, across,
                along, P - left, P, -1,
            )  # fmt: skip
            for i in range(SUMS):
                t, p = top + tile_row(i), left + tile_column(i)
                if t < L and p < P:
                    out[at + t * step + p] = shared[factors + t] * sums[i]


@cuda_part
def _advance(
    sums: Array,
    shared: Array,
    a: Array,  # flat, read: row t at at + t * step
    b: Array,  # flat, read: row t likewise
    at: int,
    step: int,
    L: int,
    P: int,
    factors: int,  # (L,) of shared memory, read
    memory: Array,  # flat: (.., P, P) read and written
    kept: bool,  # whether there is anything before
    last: float,  # its factor
    before: int,  # number of the matrix that is read
    after: int,  # of the one that is written, which may be the same
) -> None:
    """``memory = last memory + a^T diag(factors) b``."""
    for top in range(0, P, TILE):
        for left in range(0, P, TILE):
            clear_sums(sums)
            add_products(sums, shared, a, at + top, 1, step, P - top, b, at + left, step, 1, P - left, L, factors)
            for i in range(SUMS):
                row, p = top + tile_row(i), left + tile_column(i)
                if row < P and p < P:
                    old = last * memory[(before * P + row) * P + p] if kept else sums.dtype.type(0)
                    memory[(after * P + row) * P + p] = old + sums[i]


@cuda_part
def _dot(a: Array, a_at: int, b: Array, b_at: int, count: int) -> float:
    """Inner product of two rows."""
    total: float = a.dtype.type(0)
    for p in range(count):
        total += a[a_at + p] * b[b_at + p]
    return total


@cuda_part
def _reach(shared: Array, factors: int, t: int) -> float:
    """Product of the factors of the memory up to a step."""
    kept: float = shared[factors]
    for s in range(1, t + 1):
        kept *= shared[factors + s]
    return kept


@cuda_kernel
def _chunks_forward(
    q: Array,  # flat: (T, B, H) read
    k: Array,
    v: Array,
    gates: Array,  # (4, T, B, N) read, the divisors and their signs written
    P: int,
    length: int,  # L of all chunks but the last
    carried: bool,
    S: int,  # rows of memory
    C: Array,  # flat: (S, B, N, P, P), see chunkwise.py
    n: Array,  # flat: (S, B, N, P)
    out: Array,  # flat: (T, B, H) written
) -> None:
    number = out.dtype.type
    _, T, B, N = gates.shape
    r, head, thread, step = cuda.blockIdx.x // N, cuda.blockIdx.x % N, cuda.threadIdx.x, B * N * P
    # tiles, products of queries and keys, and of each step: factors of input and memory, weight at the last step, that
    # of the memory before the chunk; product of all factors of the memory
    shared = cuda.shared.array(0, out.dtype)
    scores, w = STAGE, STAGE + length * (length + 1)
    f, d, reach, whole = w + length, w + 2 * length, w + 3 * length, w + 4 * length
    sums = cuda.local.array(SUMS, out.dtype)
    for chunk in range(-(-T // length)):
        first = chunk * length
        L = min(length, T - first)
        J, at = L + 1, (first * B + r) * N * P + head * P
        reads, writes, earlier = carried or chunk > 0, carried or first + L < T, 0 if carried else 1
        before = ((chunk - earlier + S) % S * B + r) * N + head
        after = ((chunk + 1 - earlier) % S * B + r) * N + head
        for t in range(thread, L, PRODUCT_THREADS):
            shared[w + t] = gates[INPUT, first + t, r, head]
            shared[f + t] = gates[FORGET, first + t, r, head]
        _causal(sums, shared, q, k, at, step, L, P, scores)
        cuda.syncthreads()
        for j in range(thread, L, PRODUCT_THREADS):
            weight = shared[w + j]
            shared[scores + j * J + j] *= weight
            for t in range(j + 1, L):
                weight *= shared[f + t]
                shared[scores + t * J + j] *= weight
            shared[d + j] = weight
        cuda.syncthreads()
        for t in range(thread, L, PRODUCT_THREADS):
            reading, kept = number(0), _reach(shared, f, t)
            for j in range(t + 1):
                reading += shared[scores + t * J + j]
            if reads:
                reading += kept * _dot(q, at + t * step, n, before * P, P)
            inverse, sign = mlstm_normaliser(reading, gates[DIVISOR, first + t, r, head])
            gates[DIVISOR, first + t, r, head], gates[SIGN, first + t, r, head] = inverse, sign
            for j in range(t + 1):
                shared[scores + t * J + j] *= inverse
            shared[reach + t] = kept * inverse
            if t == L - 1:
                shared[whole] = kept
        cuda.syncthreads()
        if reads:
            _through_memory(sums, shared, q, at, step, L, P, C, False, before, reach, out)
        _weighed(sums, shared, scores, False, v, at, step, L, P, out, reads)
        if writes:
            cuda.syncthreads()  # the memory before the chunk has been read; the one after it may take its place
            last = shared[whole]
            _advance(sums, shared, k, v, at, step, L, P, d, C, reads, last, before, after)
            for p in range(thread, P, PRODUCT_THREADS):
                total = last * n[before * P + p] if reads else number(0)
                for j in range(L):
                    total += shared[d + j] * k[at + j * step + p]
                n[after * P + p] = total
        cuda.syncthreads()


@cuda_part
def _weigh_backward(
    shared: Array,
    L: int,
    scores: int,  # (L, J) products of queries and keys on entry, weighed and divided on return
    dscores: int,  # (L, J) gradient of what scores are on return on entry, of what they are on entry on return
    dlog: int,  # (L, J) written: sums from each step on of the gradient of the weights' logarithms
    w: int,  # (L,) read: factors of the input
    f: int,  # (L,) read: factors of the memory
    inverse: int,  # (L,) read: one over the divisors
    e: int,  # (L,) read: gradients of the divided readings of n
    d: int,  # (L,) written: weights of the steps at the last one
    dinput: int,  # (L,) written: sums of the gradients of a step's weights
) -> None:
    """Weigh again, and backward of it; a thread has a step that is read, through all steps that read it."""
    J = L + 1
    for j in range(cuda.threadIdx.x, L, PRODUCT_THREADS):
        weight = shared[w + j]
        for t in range(j, L):
            if t > j:
                weight *= shared[f + t]
            factor, at = weight * shared[inverse + t], t * J + j
            weighed, drow = shared[scores + at] * factor, shared[dscores + at] + shared[e + t]
            shared[scores + at], shared[dscores + at], shared[dlog + at] = weighed, drow * factor, weighed * drow
        shared[d + j] = weight
        total = shared.dtype.type(0)
        for back in range(L - j):
            at = dlog + (L - 1 - back) * J + j
            total += shared[at]
            shared[at] = total
        shared[dinput + j] = total


@cuda_kernel
def _chunks_backward(
    q: Array,  # flat: (T, B, H) read
    k: Array,
    v: Array,
    f_raw: Array,  # (T, B, N) read: gate before its sigmoid
    gates: Array,  # (4, T, B, N) read
    P: int,
    length: int,  # L of all chunks but the last
    carried: bool,
    C: Array,  # flat: (S, B, N, P, P) read
    n: Array,  # flat: (S, B, N, P) read
    dC: Array,  # flat: (B, N, P, P) if carried, see mlstm_chunkwise_backward; else C itself
    dn: Array,  # flat: (B, N, P) likewise
    out: Array,  # flat: (T, B, H) read
    dout: Array,  # flat: (T, B, H) read
    dq: Array,  # flat: (T, B, H) written
    dk: Array,
    dv: Array,
    di: Array,  # (T, B, N) written
    df: Array,  # (T, B, N) written
) -> None:
    number = dq.dtype.type
    _, T, B, N = gates.shape
    r, head, thread, step = cuda.blockIdx.x // N, cuda.blockIdx.x % N, cuda.threadIdx.x, B * N * P
    # tiles, three matrices, nine values of each step, the product of all factors of the memory, a sum of each thread
    shared = cuda.shared.array(0, dq.dtype)
    scores, dscores = STAGE, STAGE + length * (length + 1)
    dlog, w = dscores + length * (length + 1), dscores + 2 * length * (length + 1)
    f, inverse, e, reach = w + length, w + 2 * length, w + 3 * length, w + 4 * length
    d, products, dinput, dforget = w + 5 * length, w + 6 * length, w + 7 * length, w + 8 * length
    whole = w + 9 * length
    partial = whole + 1
    sums = cuda.local.array(SUMS, dq.dtype)
    chunks = -(-T // length)
    for back in range(chunks):
        chunk = chunks - 1 - back
        first = chunk * length
        L = min(length, T - first)
        J, at = L + 1, (first * B + r) * N * P + head * P
        reads, writes = carried or chunk > 0, carried or first + L < T
        before = ((chunk if carried else max(chunk - 1, 0)) * B + r) * N + head
        dbefore = r * N + head if carried else before
        dafter = r * N + head if carried else (chunk * B + r) * N + head
        for t in range(thread, L, PRODUCT_THREADS):
            shared[w + t] = gates[INPUT, first + t, r, head]
            shared[f + t] = gates[FORGET, first + t, r, head]
            shared[inverse + t] = gates[DIVISOR, first + t, r, head]
            shared[e + t] = -gates[SIGN, first + t, r, head] * _dot(out, at + t * step, dout, at + t * step, P)
        _causal(sums, shared, q, k, at, step, L, P, scores)
        _causal(sums, shared, dout, v, at, step, L, P, dscores)
        cuda.syncthreads()
        for t in range(thread, L, PRODUCT_THREADS):
            kept = _reach(shared, f, t)
            shared[reach + t] = kept * shared[inverse + t]
            if t == L - 1:
                shared[whole] = kept
        _weigh_backward(shared, L, scores, dscores, dlog, w, f, inverse, e, d, dinput)
        cuda.syncthreads()
        last = shared[whole]
        for t in range(thread, L, PRODUCT_THREADS):
            total = number(0)
            for j in range(t):
                total += shared[dlog + t * J + j]
            shared[dforget + t] = total
        if reads:  # of what was there before the chunk: the queries' gradients, and what these say of its factors
            _through_memory(sums, shared, dout, at, step, L, P, C, True, before, reach, dq)
            cuda.syncthreads()
            for t in range(thread, L, PRODUCT_THREADS):
                share = shared[e + t] * shared[reach + t]
                for p in range(P):
                    dq[at + t * step + p] += share * n[before * P + p]
                shared[products + t] = _dot(dq, at + t * step, q, at + t * step, P)
            cuda.syncthreads()
            for t in range(thread, L, PRODUCT_THREADS):
                total = number(0)
                for s in range(L - t):
                    total += shared[products + L - 1 - s]
                shared[dforget + t] += total
            cuda.syncthreads()
        if writes:  # of what the chunk leaves: the gradients of keys and values, and what these say of the factors
            _through_memory(sums, shared, v, at, step, L, P, dC, True, dafter, d, dk)
            _through_memory(sums, shared, k, at, step, L, P, dC, False, dafter, d, dv)
            total = number(0)
            if reads:
                for x in range(thread, P * P, PRODUCT_THREADS):
                    total += C[before * P * P + x] * dC[dafter * P * P + x]
                for x in range(thread, P, PRODUCT_THREADS):
                    total += n[before * P + x] * dn[dafter * P + x]
            shared[partial + thread] = total
            cuda.syncthreads()
            for t in range(thread, L, PRODUCT_THREADS):
                for p in range(P):
                    dk[at + t * step + p] += shared[d + t] * dn[dafter * P + p]
                shared[products + t] = _dot(dk, at + t * step, k, at + t * step, P)
            cuda.syncthreads()
            for t in range(thread, L, PRODUCT_THREADS):
                total = number(0)
                for x in range(PRODUCT_THREADS):
                    total += shared[partial + x]
                total *= last
                for s in range(t):
                    total += shared[products + s]
                shared[dforget + t] += total
                shared[dinput + t] += shared[products + t]
        _weighed(sums, shared, dscores, False, k, at, step, L, P, dq, reads)
        _weighed(sums, shared, dscores, True, q, at, step, L, P, dk, writes)
        _weighed(sums, shared, scores, True, dout, at, step, L, P, dv, writes)
        if reads:
            cuda.syncthreads()  # memory and gradient have been read; the gradient before may take the place of either
            _advance(sums, shared, q, dout, at, step, L, P, reach, dC, writes, last, dafter, dbefore)
            for p in range(thread, P, PRODUCT_THREADS):
                total = last * dn[dafter * P + p] if writes else number(0)
                for t in range(L):
                    total += shared[e + t] * shared[reach + t] * q[at + t * step + p]
                dn[dbefore * P + p] = total
        for t in range(thread, L, PRODUCT_THREADS):
            di[first + t, r, head] = shared[dinput + t]
            df[first + t, r, head] = mlstm_forget_backward(f_raw[first + t, r, head], shared[dforget + t])
        cuda.syncthreads()
