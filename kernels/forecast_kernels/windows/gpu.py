"""Windows for a batch, gathered from the panel's flat arrays on the GPU.

Notation: S series, N values of all series, B rows of the batch (one window each), L context length, P patch length,
``T = L / P`` patches, F inputs a patch, h horizon, C covariates in M rows, Z statics. See cpu.py. A block takes a
window; what that computes in float64 is float64 here, summed up in another order.
"""

import math
from typing import Any, cast

from numba import cuda

from forecast_kernels.jit import Array
from forecast_kernels.jit_cuda import THREADS, cuda_kernel, cuda_part, launch
from forecast_kernels.reduction.gpu import block_sum
from forecast_kernels.windows import cpu
from forecast_kernels.windows.cpu import DIFFERENCE, LAST, NONE, SERIES, Windowing

_same_phase = cuda_part(cast(Any, cpu._same_phase).py_func)  # reads an array, which the simulator gives to Python alone


def gather_windows(
    y: Array,  # (N,) read: float64, transformed, NaN where unobserved
    indptr: Array,  # (S + 1,) read
    levels: Array,  # (S, 2) read: center and scale of each series, used when center == SERIES or power > 0
    floors: Array,  # (S,) read: smallest scale allowed in a window of the series
    seasons: Array,  # (S,) read: period of the seasonal-naive forecast of each series, 0 for none; used if seasonal
    exog: Array,  # (M, C) read: standardised covariates, NaN where unknown
    spans: Array,  # (S, 3) read: row of exog at the first value of each series; the rows there are: from, to before
    statics: Array,  # (S, Z) read: what the head gets of each series
    windows: Array,  # (B, 2) read: series, cutoff
    spec: Windowing,
    x: Array,  # (T, B, F) written
    extra: Array,  # (B, X) written; see cpu.py
    base: Array,  # (B, h) written: float64, what the network's output is added to, in units of y
    scale: Array,  # (B,) written: float64, what the network's output is multiplied by
    target: Array,  # (B, h) written: normalised residual from base; 0 where masked
    mask: Array,  # (B, h) written: weight of the target, 1 without power; 0 where it is not observed
    stream: Any = 0,
) -> None:
    """Fill the inputs and targets of one batch."""
    arrays = y, indptr, levels, floors, seasons, exog, spans, statics, windows
    # numbers apart: Numba would look at the types of a named tuple anew at every launch
    sizes, kinds = (spec.context, spec.patch, spec.horizon), (spec.seasonal, spec.center, spec.masked, spec.scale)
    numbers = *sizes, *kinds, spec.known, spec.power
    launch(_gather_windows, windows.shape[0], THREADS, stream, *arrays, *numbers, x, extra, base, scale, target, mask)


@cuda_kernel
def _gather_windows(
    y: Array,  # as in gather_windows
    indptr: Array,
    levels: Array,
    floors: Array,
    seasons: Array,
    exog: Array,
    spans: Array,
    statics: Array,
    windows: Array,
    L: int,
    P: int,
    h: int,
    seasonal: int,
    center_kind: int,
    masked: int,
    scale_kind: int,
    known: int,
    power: int,
    x: Array,
    extra: Array,
    base: Array,
    scale: Array,
    target: Array,
    mask: Array,
) -> None:
    T = x.dtype.type
    r, thread = cuda.blockIdx.x, cuda.threadIdx.x
    s, cutoff = windows[r, 0], windows[r, 1]
    first, n = indptr[s], indptr[s + 1] - indptr[s]
    season = seasons[s] if seasonal == 1 else 0

    # location and scale of the observed part of the context
    total, seen = 0.0, 0.0
    for k in range(max(0, cutoff - L) + thread, cutoff, THREADS):
        value = y[first + k]
        if value == value:
            total += value
            seen += 1.0
    total, seen = block_sum(total), block_sum(seen)
    center, spread = 0.0, 1.0
    if center_kind == SERIES:
        center, spread = levels[s, 0], levels[s, 1]
    elif center_kind != NONE and seen > 0.0:
        center = total / seen
        if center_kind == LAST:
            k = cutoff - 1
            while y[first + k] != y[first + k]:  # the same for all threads, and mostly none
                k -= 1
            center = y[first + k]
        square = 0.0
        for k in range(max(0, cutoff - L) + thread, cutoff, THREADS):
            value = y[first + k]
            if value == value:
                square += (value - center) * (value - center)
        spread = math.sqrt(block_sum(square) / seen)
        if scale_kind == DIFFERENCE:  # mean |y[t] - y[t - lag]| over the context and two seasons at least
            lag = max(season, 1)
            total, pairs = 0.0, 0.0
            for k in range(max(lag, cutoff - max(L, 2 * lag)) + thread, cutoff, THREADS):
                move = abs(y[first + k] - y[first + k - lag])
                if move == move:
                    total += move
                    pairs += 1.0
            total, pairs = block_sum(total), block_sum(pairs)
            if pairs > 0.0:
                spread = total / pairs
        spread = max(spread, floors[s])
    if thread == 0:
        scale[r] = spread
    weight = 1.0
    for _ in range(power):
        weight *= spread / levels[s, 1]

    for i in range(thread, x.shape[0] * P, THREADS):
        t, p = i // P, i % P
        k = cutoff - L + i  # place in the series; below 0 is left padding
        value, there = T(0), T(0)
        if k >= 0 and y[first + k] == y[first + k]:
            value, there = T((y[first + k] - center) / spread), T(1)
        x[t, r, p] = value
        if masked == 1:
            x[t, r, P + p] = there

    # covariates as distances from their mean in the context: their own level would tell each window from all others
    C, origin = exog.shape[1], 0
    if C > 0:
        origin = spans[s, 0] + cutoff - L
    levels_at = extra.shape[1] - statics.shape[1] - C
    hidden = known if seasonal == 1 else 0  # covariates that the head alone sees
    for c in range(C):
        begin, end = max(origin, spans[s, 1]), min(origin + L, spans[s, 2])
        total, seen = 0.0, 0.0
        for k in range(begin + thread, end, THREADS):
            value = exog[k, c]
            if value == value:
                total += value
                seen += 1.0
        total, seen = block_sum(total), block_sum(seen)
        mean = total / max(seen, 1.0)
        if thread == 0:
            extra[r, levels_at + c] = T(mean)
        if c >= hidden:
            for i in range(thread, x.shape[0] * P, THREADS):
                k, distance = origin + i, T(0)
                if begin <= k < end and exog[k, c] == exog[k, c]:
                    distance = T(exog[k, c] - mean)
                x[i // P, r, P * (1 + masked + c - hidden) + i % P] = distance
    cuda.syncthreads()  # the means are read by others

    known_at = h * seasonal
    for j in range(thread, h, THREADS):
        level, like = center, -1
        if season > 0:
            like = _same_phase(y, first, cutoff, j, season)
            if like >= 0:
                level = y[first + like]
        if seasonal == 1:
            extra[r, j] = T((level - center) / spread) if like >= 0 else T(0)
        base[r, j] = level
        value, there = T(0), T(0)
        if cutoff + j < n and y[first + cutoff + j] == y[first + cutoff + j]:
            value, there = T((y[first + cutoff + j] - level) / spread), T(weight)
        target[r, j], mask[r, j] = value, there
        for c in range(known):
            k, before, distance = spans[s, 0] + cutoff + j, spans[s, 0] + like, T(0)
            if spans[s, 1] <= k < spans[s, 2] and exog[k, c] == exog[k, c]:
                reference = extra[r, levels_at + c]
                if like >= 0 and spans[s, 1] <= before and exog[before, c] == exog[before, c]:
                    reference = T(exog[before, c])
                distance = T(exog[k, c]) - reference
            extra[r, known_at + c * h + j] = distance
    for z in range(thread, statics.shape[1], THREADS):
        extra[r, levels_at + C + z] = T(statics[s, z])
