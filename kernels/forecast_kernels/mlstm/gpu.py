"""mLSTM in chunks on the GPU, forward and backward; twins of chunkwise.py, which says what is computed.

Notation: B batch rows, T time, H hidden, N heads, P = H / N head size, L steps a chunk, at most LONGEST. Time-major,
C-contiguous, heads side by side.

The gates of all steps are one launch, all else another: a block takes a head of a batch row through its chunks and
waits for no other block. The memory between chunks passes through global memory, where backward wants it anyway.
"""

import math
from typing import Any

from numba import cuda

from forecast_kernels.jit import Array
from forecast_kernels.jit_cuda import THREADS, cuda_kernel, cuda_part, launch
from forecast_kernels.matmul.gpu import SUMS
from forecast_kernels.mlstm.cell import (
    mlstm_factor,
    mlstm_floor,
    mlstm_forget_backward,
    mlstm_kept,
    mlstm_normaliser,
    mlstm_stabiliser,
)
from forecast_kernels.mlstm.gates import DIVISOR, FORGET, INPUT, SIGN
from forecast_kernels.tiles.gpu import (
    LINE,
    LONGEST,
    PRODUCT_THREADS,
    STAGE,
    advance,
    causal,
    through_memory,
    weighed,
)

# Places in shared memory, behind what products of tiles take; as constants they take no registers. Of each step of a
# chunk: factors of input and memory, one over the divisor, weight at the last step, that of the memory before the chunk
# over the divisor; and of backward the gradients of the divided reading of n, inner products, gradients of the factors.
_W, _F, _INVERSE, _D, _REACH, _E, _PRODUCTS, _DINPUT, _DFORGET = (STAGE + k * LONGEST for k in range(9))
_WHOLE = STAGE + 9 * LONGEST  # product of all factors of the memory
_PARTIAL = _WHOLE + 1  # a sum of each thread
# (L, LINE): products of queries and keys; and of backward the gradients of these, and of the weights' logarithms
_SCORES, _DSCORES, _DLOG, _END = (_PARTIAL + PRODUCT_THREADS + k * LONGEST * LINE for k in range(4))


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
    shared = _DSCORES * out.dtype.itemsize
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
    cut: bool,  # whether no gradient comes from what follows the sequence, nor goes to what was before
    C: Array,  # (K + 1 if carried else K - 1, B, N, P, P) as forward left it; overwritten if cut, or not carried
    n: Array,  # (the same, B, N, P) likewise
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
    work: Array,  # workspace; not needed
    stream: Any = 0,
) -> None:
    """Backpropagation; what is within a chunk is computed again. m counts as a constant, see cell.py."""
    T, B, N = f.shape
    P, L = q.shape[2] // N, min(length, T)
    shared = _END * out.dtype.itemsize
    values = _flat(q), _flat(k), _flat(v)
    # A memory before a chunk is of no use once its gradient is known, which then takes its place.
    linked = carried and not cut
    memory = _flat(C), _flat(n), _flat(dC if linked else C), _flat(dn if linked else n)
    written = _flat(dq), _flat(dk), _flat(dv), di, df
    arguments = *values, f, gates, P, L, carried, linked, *memory, _flat(out), _flat(dout), *written
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
    shared = cuda.shared.array(0, out.dtype)
    sums = cuda.local.array(SUMS, out.dtype)
    for chunk in range(-(-T // length)):
        first = chunk * length
        L = min(length, T - first)
        at = (first * B + r) * N * P + head * P
        reads, writes, earlier = carried or chunk > 0, carried or first + L < T, 0 if carried else 1
        before = ((chunk - earlier + S) % S * B + r) * N + head
        after = ((chunk + 1 - earlier) % S * B + r) * N + head
        for t in range(thread, L, PRODUCT_THREADS):
            shared[_W + t] = gates[INPUT, first + t, r, head]
            shared[_F + t] = gates[FORGET, first + t, r, head]
        causal(sums, shared, q, k, at, step, L, P, _SCORES)
        cuda.syncthreads()
        for j in range(thread, L, PRODUCT_THREADS):
            weight = shared[_W + j]
            shared[_SCORES + j * LINE + j] *= weight
            for t in range(j + 1, L):
                weight *= shared[_F + t]
                shared[_SCORES + t * LINE + j] *= weight
            shared[_D + j] = weight
        cuda.syncthreads()
        for t in range(thread, L, PRODUCT_THREADS):
            reading, kept = number(0), _reach(shared, _F, t)
            for j in range(t + 1):
                reading += shared[_SCORES + t * LINE + j]
            if reads:
                reading += kept * _dot(q, at + t * step, n, before * P, P)
            inverse, sign = mlstm_normaliser(reading, gates[DIVISOR, first + t, r, head])
            gates[DIVISOR, first + t, r, head], gates[SIGN, first + t, r, head] = inverse, sign
            for j in range(t + 1):
                shared[_SCORES + t * LINE + j] *= inverse
            shared[_REACH + t] = kept * inverse
            if t == L - 1:
                shared[_WHOLE] = kept
        cuda.syncthreads()
        if reads:
            through_memory(sums, shared, q, at, step, L, P, C, False, before, _REACH, out)
        weighed(sums, shared, _SCORES, False, v, at, step, L, P, out, reads)
        if writes:
            cuda.syncthreads()  # the memory before the chunk has been read; the one after it may take its place
            last = shared[_WHOLE]
            advance(sums, shared, k, v, at, step, L, P, _D, C, reads, last, before, after)
            for p in range(thread, P, PRODUCT_THREADS):
                total = last * n[before * P + p] if reads else number(0)
                for j in range(L):
                    total += shared[_D + j] * k[at + j * step + p]
                n[after * P + p] = total
        cuda.syncthreads()


@cuda_part
def _weigh_backward(shared: Array, L: int) -> None:
    """Weigh again, and backward of it; a thread has a step that is read, through all steps that read it.

    Scores are weighed and divided on return, their gradients those of what they are on entry. Of the gradients of the
    weights' logarithms there are the sums from each step on.
    """
    for j in range(cuda.threadIdx.x, L, PRODUCT_THREADS):
        weight = shared[_W + j]
        for t in range(j, L):
            if t > j:
                weight *= shared[_F + t]
            factor, at = weight * shared[_INVERSE + t], t * LINE + j
            weighed_score, drow = shared[_SCORES + at] * factor, shared[_DSCORES + at] + shared[_E + t]
            shared[_SCORES + at], shared[_DSCORES + at] = weighed_score, drow * factor
            shared[_DLOG + at] = weighed_score * drow
        shared[_D + j] = weight
        total = shared.dtype.type(0)
        for back in range(L - j):
            at = _DLOG + (L - 1 - back) * LINE + j
            total += shared[at]
            shared[at] = total
        shared[_DINPUT + j] = total


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
    linked: bool,  # carried and not cut, see mlstm_chunkwise_backward
    C: Array,  # flat: (S, B, N, P, P) read
    n: Array,  # flat: (S, B, N, P) read
    dC: Array,  # flat: (B, N, P, P) if linked; else C itself
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
    shared = cuda.shared.array(0, dq.dtype)
    sums = cuda.local.array(SUMS, dq.dtype)
    chunks = -(-T // length)
    for back in range(chunks):
        chunk = chunks - 1 - back
        first = chunk * length
        L = min(length, T - first)
        at = (first * B + r) * N * P + head * P
        reads, writes = carried or chunk > 0, linked or first + L < T
        before = ((chunk if carried else max(chunk - 1, 0)) * B + r) * N + head
        dbefore = r * N + head if linked else before
        dafter = r * N + head if linked else ((chunk + 1 if carried else chunk) * B + r) * N + head
        for t in range(thread, L, PRODUCT_THREADS):
            shared[_W + t] = gates[INPUT, first + t, r, head]
            shared[_F + t] = gates[FORGET, first + t, r, head]
            shared[_INVERSE + t] = gates[DIVISOR, first + t, r, head]
            shared[_E + t] = -gates[SIGN, first + t, r, head] * _dot(out, at + t * step, dout, at + t * step, P)
        causal(sums, shared, q, k, at, step, L, P, _SCORES)
        causal(sums, shared, dout, v, at, step, L, P, _DSCORES)
        cuda.syncthreads()
        for t in range(thread, L, PRODUCT_THREADS):
            kept = _reach(shared, _F, t)
            shared[_REACH + t] = kept * shared[_INVERSE + t]
            if t == L - 1:
                shared[_WHOLE] = kept
        _weigh_backward(shared, L)
        cuda.syncthreads()
        last = shared[_WHOLE]
        for t in range(thread, L, PRODUCT_THREADS):
            total = number(0)
            for j in range(t):
                total += shared[_DLOG + t * LINE + j]
            shared[_DFORGET + t] = total
        if reads:  # of what was there before the chunk: the queries' gradients, and what these say of its factors
            through_memory(sums, shared, dout, at, step, L, P, C, True, before, _REACH, dq)
            cuda.syncthreads()
            for t in range(thread, L, PRODUCT_THREADS):
                share = shared[_E + t] * shared[_REACH + t]
                for p in range(P):
                    dq[at + t * step + p] += share * n[before * P + p]
                shared[_PRODUCTS + t] = _dot(dq, at + t * step, q, at + t * step, P)
            cuda.syncthreads()
            for t in range(thread, L, PRODUCT_THREADS):
                total = number(0)
                for s in range(L - t):
                    total += shared[_PRODUCTS + L - 1 - s]
                shared[_DFORGET + t] += total
            cuda.syncthreads()
        if writes:  # of what the chunk leaves: the gradients of keys and values, and what these say of the factors
            through_memory(sums, shared, v, at, step, L, P, dC, True, dafter, _D, dk)
            through_memory(sums, shared, k, at, step, L, P, dC, False, dafter, _D, dv)
            total = number(0)
            if reads:
                for x in range(thread, P * P, PRODUCT_THREADS):
                    total += C[before * P * P + x] * dC[dafter * P * P + x]
                for x in range(thread, P, PRODUCT_THREADS):
                    total += n[before * P + x] * dn[dafter * P + x]
            shared[_PARTIAL + thread] = total
            cuda.syncthreads()
            for t in range(thread, L, PRODUCT_THREADS):
                for p in range(P):
                    dk[at + t * step + p] += shared[_D + t] * dn[dafter * P + p]
                shared[_PRODUCTS + t] = _dot(dk, at + t * step, k, at + t * step, P)
            cuda.syncthreads()
            for t in range(thread, L, PRODUCT_THREADS):
                total = number(0)
                for x in range(PRODUCT_THREADS):
                    total += shared[_PARTIAL + x]
                total *= last
                for s in range(t):
                    total += shared[_PRODUCTS + s]
                shared[_DFORGET + t] += total
                shared[_DINPUT + t] += shared[_PRODUCTS + t]
        weighed(sums, shared, _DSCORES, False, k, at, step, L, P, dq, reads)
        weighed(sums, shared, _DSCORES, True, q, at, step, L, P, dk, writes)
        weighed(sums, shared, _SCORES, True, dout, at, step, L, P, dv, writes)
        if linked or chunk > 0:
            cuda.syncthreads()  # memory and gradient have been read; the gradient before may take the place of either
            advance(sums, shared, q, dout, at, step, L, P, _REACH, dC, writes, last, dafter, dbefore)
            for p in range(thread, P, PRODUCT_THREADS):
                total = last * dn[dafter * P + p] if writes else number(0)
                for t in range(L):
                    total += shared[_E + t] * shared[_REACH + t] * q[at + t * step + p]
                dn[dbefore * P + p] = total
        for t in range(thread, L, PRODUCT_THREADS):
            di[first + t, r, head] = shared[_DINPUT + t]
            df[first + t, r, head] = mlstm_forget_backward(f_raw[first + t, r, head], shared[_DFORGET + t])
        cuda.syncthreads()
