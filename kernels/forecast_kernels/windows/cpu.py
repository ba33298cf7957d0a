"""Windows for a batch, gathered from the panel's flat arrays on the CPU.

Notation: S series, N values of all series, B rows of the batch (one window each), L context length, P patch length,
``T = L / P`` patches, F inputs a patch, h horizon, C covariates in M rows, Z statics. A window is a pair (series,
cutoff): the first ``cutoff`` values of the series are known. Missing values, left padding and the future are the same
thing: value 0, mask 0.
"""

from typing import NamedTuple

import numpy as np

from forecast_kernels.jit import Array, cell, kernel, wide_vectors

NONE, LAST, MEAN, SERIES = 0, 1, 2, 3
DEVIATION, DIFFERENCE = 0, 1


class Windowing(NamedTuple):
    """The shape of a window, and how it is normalised."""

    context: int  # L, a multiple of patch
    patch: int  # P
    horizon: int  # h
    seasonal: int  # 1: what is learned is the residual from a seasonal-naive forecast, which the head sees; else 0
    center: int  # NONE, LAST (last observed value), MEAN (of the context), SERIES (given per series)
    masked: int  # 1: a patch is its values, then their mask; 0: values alone; then P values of covariates: of
    # all, but with a season only of those not known ahead, as the head sees how the others differ from a season ago
    scale: int = (
        DEVIATION  # unit where the center is LAST or MEAN: DEVIATION, the root mean square distance from it, or
    )
    # DIFFERENCE, the mean |y[t] - y[t - season]|, MASE's unit, over the context and two seasons at least
    known: int = 0  # covariates that are known ahead: the first columns of exog
    power: int = 0  # of a window's scale, in units of its series', that its targets weigh


@cell
def _same_phase(y: Array, first: int, cutoff: int, step: int, season: int) -> int:
    """Place of the last observed value before the cutoff at the phase of ``cutoff + step``, at most 4 seasons back.

    -1 if there is none.
    """
    k = cutoff + step
    while k >= cutoff:
        k -= season
    found = -1
    for _ in range(4):
        if k < 0:
            break
        if y[first + k] == y[first + k]:
            found = k
            break
        k -= season
    return found


@cell
def _difference(y: Array, first: int, cutoff: int, lag: int, length: int) -> float:
    """Mean |y[t] - y[t - lag]| over the last ``length`` values before the cutoff; NaN where no pair is observed."""
    total, pairs = 0.0, 0
    for k in range(max(lag, cutoff - length), cutoff):
        move = abs(y[first + k] - y[first + k - lag])
        if move == move:
            total += move
            pairs += 1
    return total / pairs


@kernel
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
    spec: Windowing,  # Windowing
    x: Array,  # (T, B, F) written
    extra: Array,  # (B, X) written: normalised seasonal-naive forecast (h) if there is a season; each covariate known
    # ahead over the horizon (h), as its distance from where base was taken, else from its mean in the context; the mean
    # of each covariate in the context (C); statics (Z)
    base: Array,  # (B, h) written: float64, what the network's output is added to, in units of y
    scale: Array,  # (B,) written: float64, what the network's output is multiplied by
    target: Array,  # (B, h) written: normalised residual from base; 0 where masked
    mask: Array,  # (B, h) written: weight of the target, 1 without power; 0 where it is not observed
) -> None:
    """Fill the inputs and targets of one batch; allocates nothing."""
    wide_vectors()
    T = x.dtype.type
    L, P, h = spec.context, spec.patch, spec.horizon
    for r in range(windows.shape[0]):
        s, cutoff = windows[r, 0], windows[r, 1]
        for t in range(x.shape[0]):
            for p in range(x.shape[2]):
                x[t, r, p] = 0
        for j in range(h):
            target[r, j] = mask[r, j] = base[r, j] = 0
        for j in range(extra.shape[1]):
            extra[r, j] = 0
        first, n = indptr[s], indptr[s + 1] - indptr[s]
        season = seasons[s] if spec.seasonal == 1 else 0

        # location and scale of the observed part of the context
        total, last, count = 0.0, 0.0, 0
        for k in range(max(0, cutoff - L), cutoff):
            value = y[first + k]
            if value == value:
                total += value
                last = value
                count += 1
        center, spread = 0.0, 1.0
        if spec.center == SERIES:
            center, spread = levels[s, 0], levels[s, 1]
        elif spec.center != NONE and count > 0:
            center = last if spec.center == LAST else total / count
            square = 0.0
            for k in range(max(0, cutoff - L), cutoff):
                value = y[first + k]
                if value == value:
                    square += (value - center) ** 2
            spread = np.sqrt(square / count)
            if spec.scale == DIFFERENCE:
                lag = max(season, 1)
                moves = _difference(y, first, cutoff, lag, max(L, 2 * lag))
                spread = moves if moves == moves else spread
            spread = max(spread, floors[s])
        scale[r] = spread
        weight = (spread / levels[s, 1]) ** spec.power if spec.power > 0 else 1.0

        for t in range(x.shape[0]):
            start = cutoff - L + t * P  # place in the series of the patch's first value; below 0 is left padding
            skipped = min(max(0, -start), P)
            values, row = y[first + start + skipped : first + start + P], x[t, r, skipped:P]
            for p in range(P - skipped):  # without a branch, so that it vectorises
                value = values[p]
                row[p] = T((value - center) / spread) if value == value else T(0)
            if spec.masked == 1:
                seen = x[t, r, P + skipped : 2 * P]
                for p in range(P - skipped):
                    seen[p] = T(1) if values[p] == values[p] else T(0)

        # covariates as distances from their mean in the context: their own level would tell each window from all others
        C, origin = exog.shape[1], spans[s, 0] + cutoff - L if exog.shape[1] > 0 else 0
        levels_at = extra.shape[1] - statics.shape[1] - C
        hidden = spec.known if spec.seasonal == 1 else 0  # covariates that the head alone sees
        for c in range(C):
            total, count, begin, end = 0.0, 0, max(origin, spans[s, 1]), min(origin + L, spans[s, 2])
            for k in range(begin, end):
                value = exog[k, c]
                if value == value:
                    total += value
                    count += 1
            mean = total / max(count, 1)
            extra[r, levels_at + c] = T(mean)
            for k in range(begin, end):
                value = exog[k, c]
                if value == value and c >= hidden:
                    t, p = divmod(k - origin, P)
                    x[t, r, P * (1 + spec.masked + c - hidden) + p] = T(value - mean)

        known_at = h * spec.seasonal
        for j in range(h):
            level, like = center, -1
            if season > 0:
                like = _same_phase(y, first, cutoff, j, season)
                if like >= 0:
                    level = y[first + like]
                    extra[r, j] = T((level - center) / spread)
            base[r, j] = level
            if cutoff + j < n:
                value = y[first + cutoff + j]
                if value == value:
                    target[r, j] = T((value - level) / spread)
                    mask[r, j] = T(weight)
            for c in range(spec.known):
                k, before = spans[s, 0] + cutoff + j, spans[s, 0] + like
                if spans[s, 1] <= k < spans[s, 2] and exog[k, c] == exog[k, c]:
                    reference = extra[r, levels_at + c]
                    if like >= 0 and spans[s, 1] <= before and exog[before, c] == exog[before, c]:
                        reference = T(exog[before, c])
                    extra[r, known_at + c * h + j] = T(exog[k, c]) - reference
        for z in range(statics.shape[1]):
            extra[r, levels_at + C + z] = T(statics[s, z])
