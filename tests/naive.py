"""Slow, obvious references in NumPy and float64, written straight from the formulas.

Nothing here imports what it checks. Agreement of these references with PyTorch and Keras is proved in test_naive.py.

Notation: B batch, T time, D inputs, H hidden, Q quantiles, S optimiser steps, n parameters (of an ARMA: values).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def sigmoid(x: Floats) -> Floats:
    """The logistic function; only non-positive numbers are exponentiated, so nothing overflows."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)


def lstm(x: Any, W: Any, R: Any, b: Any, h0: Any, c0: Any) -> tuple[Floats, Floats]:
    """One LSTM layer, gate order i f g o.

    Parameters
    ----------
    x : array (T, B, D)
    W, R, b : arrays (D, 4H), (H, 4H), (4H,)
    h0, c0 : arrays (B, H), the state before the first step

    Returns
    -------
    h, c : arrays (T, B, H)
        The state after every step; the last row is the final one.
    """
    x, W, R, b, h, c = (np.asarray(value, np.float64) for value in (x, W, R, b, h0, c0))
    hs, cs = [], []
    for x_t in x:
        i, f, g, o = np.split(x_t @ W + h @ R + b, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        hs.append(h)
        cs.append(c)
    return np.stack(hs), np.stack(cs)


def slstm(pre: Any, R: Any, b: Any, h0: Any, c0: Any, n0: Any, m0: Any) -> tuple[Floats, Floats, Floats]:
    """One sLSTM layer without a stabiliser: its exponentials are taken as they stand (Beck et al. 2024).

    Parameters
    ----------
    pre : array (T, B, 4H)
        What the input adds to the gates: head after head, in each i f z o.
    R : array (N, P, 4P)
        One matrix a head.
    b : array (4H,)
    h0, c0, n0, m0 : arrays (B, H)
        The state before the first step; its c and n are e^m0 times as large as c0 and n0 say.

    Returns
    -------
    h, c, n : arrays (T, B, H)
        After every step; c and n in full, not over e^m.
    """
    pre, R, b, h, c, n, m = (np.asarray(value, np.float64) for value in (pre, R, b, h0, c0, n0, m0))
    heads, P = R.shape[:2]
    c, n = c * np.exp(m), n * np.exp(m)
    hs, cs, ns = [], [], []
    for pre_t in pre:
        gates = []
        for head in range(heads):
            columns = slice(4 * P * head, 4 * P * (head + 1))
            own = pre_t[:, columns] + h[:, P * head : P * (head + 1)] @ R[head] + b[columns]
            gates.append(np.split(own, 4, axis=-1))
        i, f, z, o = (np.concatenate(parts, axis=-1) for parts in zip(*gates, strict=True))
        c = sigmoid(f) * c + np.exp(i) * np.tanh(z)
        n = sigmoid(f) * n + np.exp(i)
        h = sigmoid(o) * c / n
        hs.append(h)
        cs.append(c)
        ns.append(n)
    return np.stack(hs), np.stack(cs), np.stack(ns)


def mlstm(
    q: Any, k: Any, v: Any, i: Any, f: Any, C0: Any = None, n0: Any = None, m0: Any = None
) -> tuple[Floats, Floats, Floats]:
    """The mLSTM of Beck et al. 2024 in its parallel form: all pairs of steps at once, like attention.

    Nothing is stabilised, so the gates must be moderate.

    Parameters
    ----------
    q, k, v : arrays (T, B, N, P)
    i, f : arrays (T, B, N), the gates before their activation
    C0, n0, m0 : arrays (B, N, P, P) by keys and values, (B, N, P), (B, N), the memory before the first step, scaled by
        exp(-m0); default none

    Returns
    -------
    h : array (T, B, N, P), before the output gate
    C, n : arrays (B, N, P, P), (B, N, P)
        The memory after the last step, not scaled.
    """
    q, k, v, i, f = (np.asarray(value, np.float64) for value in (q, k, v, i, f))
    T, B, N, P = q.shape
    C0 = np.zeros((B, N, P, P)) if C0 is None else np.asarray(C0) * np.exp(np.asarray(m0))[..., None, None]
    n0 = np.zeros((B, N, P)) if n0 is None else np.asarray(n0) * np.exp(np.asarray(m0))[..., None]
    k = k / np.sqrt(P)
    kept = np.cumsum(np.log(sigmoid(f)), axis=0)  # logarithm of what is left at each step of what was before the first
    weights = np.exp(kept[:, None] - kept[None] + i[None])  # (T, T, B, N): step, step written at
    weights *= np.tri(T)[:, :, None, None]
    scores = np.einsum("tbnp,sbnp->tsbn", q, k) * weights
    start = np.exp(kept)[..., None]
    values = np.einsum("tsbn,sbnp->tbnp", scores, v) + start * np.einsum("tbnp,bnpr->tbnr", q, C0)
    reading = scores.sum(axis=1) + np.exp(kept) * np.einsum("tbnp,bnp->tbn", q, n0)
    h = values / np.maximum(np.abs(reading), 1.0)[..., None]
    C = start[-1][..., None] * C0 + np.einsum("sbn,sbnp,sbnr->bnpr", weights[-1], k, v)
    n = start[-1] * n0 + np.einsum("sbn,sbnp->bnp", weights[-1], k)
    return h, C, n


ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0.0),
    "tanh": np.tanh,
    "sigmoid": sigmoid,
}


def dense(x: Any, W: Any, b: Any, activation: str = "linear") -> Floats:
    """activation(x W + b): x (..., D), W (D, H), b (H,) -> (..., H)."""
    pre: Floats = np.asarray(x, np.float64) @ np.asarray(W, np.float64) + b
    return ACTIVATIONS[activation](pre)


def norm(x: Any, scale: Any, bias: Any, heads: int = 1) -> Floats:
    """Each head of each row less its mean, over its standard deviation, times scale plus bias: x (M, D)."""
    x = np.asarray(x, np.float64)
    parts = x.reshape(len(x), heads, -1)
    normal = (parts - parts.mean(axis=2, keepdims=True)) / np.sqrt(parts.var(axis=2, keepdims=True) + 1e-5)
    return np.asarray(normal.reshape(x.shape) * scale + bias)


def swish(x: Any) -> Floats:
    """x sigmoid(x)."""
    return np.asarray(x * sigmoid(np.asarray(x, np.float64)))


def causal_conv(x: Any, W: Any, b: Any) -> Floats:
    """Each column's weighted sum of the last K steps and swish of it: x (T, B, D), W (K, D), b (D,)."""
    x, K = np.asarray(x, np.float64), len(W)
    past = np.concatenate([np.zeros((K - 1, *x.shape[1:])), x])
    return swish(b + np.stack([(past[t : t + K] * np.asarray(W)[:, None]).sum(axis=0) for t in range(len(x))]))


def observed_mean(values: Floats, mask: Mask | None) -> float:
    """Mean of the entries whose mask is set; 0 where none is."""
    chosen = values if mask is None else values[np.asarray(mask, bool)]
    return float(chosen.mean()) if chosen.size else 0.0


def squared(prediction: Any, target: Any, mask: Mask | None = None) -> float:
    """Mean squared error over the observed entries; all arrays of one shape."""
    return observed_mean((np.asarray(prediction, np.float64) - target) ** 2, mask)


def absolute(prediction: Any, target: Any, mask: Mask | None = None) -> float:
    """Mean absolute error over the observed entries."""
    return observed_mean(np.abs(np.asarray(prediction, np.float64) - target), mask)


def huber(prediction: Any, target: Any, mask: Mask | None = None, delta: float = 1.0) -> float:
    """Mean of e²/2 where |e| <= delta, of delta (|e| - delta/2) beyond (Huber 1964)."""
    error = np.abs(np.asarray(prediction, np.float64) - target)
    return observed_mean(np.where(error <= delta, error**2 / 2, delta * (error - delta / 2)), mask)


def pinball(prediction: Any, target: Any, quantiles: Any, mask: Mask | None = None) -> float:
    """Mean of q e above and (q - 1) e below, e = target - prediction (Koenker & Bassett 1978).

    ``prediction`` (..., Q), ``quantiles`` (Q,), ``target`` and ``mask`` (...): the mean over the observed entries and
    over the quantiles.
    """
    q = np.asarray(quantiles, np.float64)
    error = np.asarray(target, np.float64)[..., None] - prediction
    return observed_mean(np.where(error >= 0, q * error, (q - 1) * error), mask)


def cross_entropy(logits: Any, target: Any) -> float:
    """Sum of -log softmax(logits)[target], logits (n, V), over the places whose target is not negative."""
    total = 0.0
    for row, symbol in zip(np.asarray(logits, np.float64), target, strict=True):
        if symbol >= 0:
            total += np.log(np.exp(row - row.max()).sum()) + row.max() - row[symbol]
    return float(total)


def clip(gradient: Floats, max_norm: float) -> Floats:
    """The gradient (n,) scaled down to ``max_norm``; 1e-6 in the divisor is PyTorch's."""
    norm = float(np.sqrt((gradient**2).sum()))
    return gradient * min(1.0, max_norm / (norm + 1e-6))


def adamw(
    start: Any,
    gradients: Any,
    learning_rate: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.01,
    max_norm: float = np.inf,
) -> Floats:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019) and clipping by the global norm.

    Parameters
    ----------
    start : array (n,)
    gradients : array (S, n), given, not computed at the parameters
    max_norm : float, default no clipping

    Returns
    -------
    array (S, n)
        The parameters after every step.
    """
    p = np.array(start, np.float64)
    m, v = np.zeros_like(p), np.zeros_like(p)
    path = []
    for step, gradient in enumerate(np.asarray(gradients, np.float64), start=1):
        g = clip(gradient, max_norm)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**step)
        v_hat = v / (1 - beta2**step)
        p = p - learning_rate * weight_decay * p - learning_rate * m_hat / (np.sqrt(v_hat) + eps)
        path.append(p)
    return np.stack(path)


def adam(
    start: Any,
    gradients: Any,
    learning_rate: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    max_norm: float = np.inf,
) -> Floats:
    """Adam (Kingma & Ba 2015): ``adamw`` without decay."""
    return adamw(start, gradients, learning_rate, beta1, beta2, eps, 0.0, max_norm)


def cosine_rate(step: int, n_steps: int, start: float, end: float = 0.0) -> float:
    """Half a cosine from ``start`` at step 0 to ``end`` at step ``n_steps`` (Loshchilov & Hutter 2017)."""
    return float(end + (start - end) * (1 + np.cos(np.pi * step / n_steps)) / 2)


def step_rate(step: int, every: int, factor: float, start: float) -> float:
    """``start`` times ``factor`` once for every ``every`` steps done."""
    return start * factor ** (step // every)


def numerical_gradient(f: Callable[[Floats], float], array: Any, eps: float = 1e-6) -> Floats:
    """Gradient of the scalar ``f`` at ``array`` by central differences, entry by entry; the error is of order eps².

    ``f`` gets a fresh float64 copy of ``array`` each time, with one entry moved.
    """
    base = np.asarray(array, np.float64)
    gradient = np.empty(base.shape)
    for where in np.ndindex(base.shape):
        gradient[where] = (f(moved(base, where, eps)) - f(moved(base, where, -eps))) / (2 * eps)
    return gradient


def moved(array: Floats, where: tuple[int, ...], step: float) -> Floats:
    """A copy of ``array`` with ``step`` added to one entry."""
    copy = array.copy()
    copy[where] += step
    return copy


def window(
    values: Any,
    cutoff: int,
    *,
    context: int,
    patch: int,
    horizon: int,
    season: int = 0,
    center: str = "none",
    unit: str = "deviation",
    masked: bool = True,
    level: tuple[float, float] = (0.0, 1.0),
    floor: float = 0.0,
    exog: Any = None,
    known: int = 0,
    static: Any = (),
    power: int = 0,
) -> dict[str, Any]:
    """What a network sees of one series at one cutoff, and what it is asked for.

    Parameters
    ----------
    values : array (n,), NaN where unobserved; the first ``cutoff`` of them are known
    context, patch, horizon : int, values seen, values of one patch, values asked for
    season : int, period of the seasonal-naive forecast, which looks back four seasons at most; 0 for none
    center : "none", "last" (last observed value of the context), "mean" (of it) or "series" (``level``)
    unit : "deviation" from the centre, or "difference" from the value one season (or step) ago, where there is one
    masked : whether a patch carries its mask
    level : centre and scale of the series
    floor : smallest scale
    exog : array (m, C) of covariates, m >= n, NaN where unknown; the first ``known`` of them are known ahead
    static : array (Z,)
    power : int, what the mask of an observed value is: so often the scale of the window over that of the series

    Returns
    -------
    dict
        ``x`` (T, F), ``extra`` (seasonal-naive forecast, known covariates, means of covariates, statics), ``base``
        (horizon,), ``scale``, ``target`` and ``mask`` (horizon,).
    """
    values = np.asarray(values, np.float64)
    past = values[:cutoff]
    seen = np.concatenate([np.full(context, np.nan), past])[-context:]  # a short past is padded on its left
    observed = seen[~np.isnan(seen)]
    middle, scale = 0.0, 1.0
    if center == "series":
        middle, scale = (float(value) for value in level)
    elif center != "none" and observed.size:
        middle = float(observed[-1] if center == "last" else observed.mean())
        scale = float(np.sqrt(((observed - middle) ** 2).mean()))
        lag = season or 1
        moves = [abs(past[k] - past[k - lag]) for k in range(lag, cutoff) if k >= cutoff - max(context, 2 * lag)]
        if unit == "difference" and not np.isnan(moves).all():
            scale = float(np.nanmean(moves))
        scale = max(scale, floor)

    inputs = np.where(np.isnan(seen), 0.0, (seen - middle) / scale).reshape(-1, patch)
    if masked:
        inputs = np.concatenate([inputs, ~np.isnan(seen).reshape(-1, patch)], axis=1)

    exog = np.zeros((0, 0)) if exog is None else np.asarray(exog, np.float64)
    padded = np.concatenate([np.full((context, exog.shape[1]), np.nan), exog[:cutoff]])[-context:]
    means = np.array([column[~np.isnan(column)].mean() if (column == column).any() else 0.0 for column in padded.T])
    hidden = known if season else 0
    for column, mean in zip(padded.T[hidden:], means[hidden:], strict=True):
        inputs = np.concatenate([inputs, np.nan_to_num(column - mean).reshape(-1, patch)], axis=1)

    base, extra = np.full(horizon, middle), np.zeros(horizon if season else 0)
    ahead = np.concatenate([exog[cutoff:, :known], np.full((horizon, known), np.nan)])[:horizon]
    reference = np.tile(means[:known], (horizon, 1))
    for step in range(horizon if season else 0):
        same_phase = [k for k in range(cutoff) if (cutoff + step - k) % season == 0]
        usable = [k for k in same_phase[-4:] if not np.isnan(past[k])]
        if usable:
            base[step] = past[usable[-1]]
            extra[step] = (base[step] - middle) / scale
            then = exog[usable[-1], :known] if known else reference[step]
            reference[step] = np.where(np.isnan(then), reference[step], then)
    ahead = np.nan_to_num(ahead - reference)
    extra = np.concatenate([extra, ahead.T.ravel(), means, np.asarray(static, np.float64)])

    future = np.concatenate([values[cutoff:], np.full(horizon, np.nan)])[:horizon]
    target = np.where(np.isnan(future), 0.0, (future - base) / scale)
    mask = ~np.isnan(future) * (scale / level[1]) ** power
    return {"x": inputs, "extra": extra, "base": base, "scale": scale, "target": target, "mask": mask}


def from_partials(partials: Any) -> Floats:
    """Partial autocorrelations -> autoregressive coefficients, by the recursion of Durbin and Levinson."""
    phi = np.zeros(0)
    for r in np.asarray(partials, np.float64):
        phi = np.append(phi - r * phi[::-1], r)
    return phi


def seasonal_product(short: Any, seasonal: Any, season: int) -> Floats:
    """(1 + short_1 B + ..) (1 + seasonal_1 B^s + ..), constant term first."""
    long = np.zeros(len(seasonal) * season + 1)
    long[0] = 1.0
    long[season * np.arange(1, len(seasonal) + 1)] = seasonal
    return np.convolve(np.append(1.0, short), long)


def kalman(y: Any, ar: Any, ma: Any, h: int = 0) -> tuple[Floats, Floats]:
    """Errors and variances of the one-step forecasts of an ARMA process with innovations of variance 1.

    Parameters
    ----------
    y : array (n,), NaN where unobserved
    ar, ma : arrays (a + 1,), (b + 1,), the polynomials, 1 first; the process is stationary
    h : int, values after the last, whose forecasts come last

    Returns
    -------
    errors, variances : arrays (n + h,)
        An error is NaN where the value is unobserved; after the last value, minus the forecast.
    """
    r = max(len(ar) - 1, len(ma))
    T, R = np.eye(r, k=1), np.zeros((r, 1))
    T[: len(ar) - 1, 0] = -np.asarray(ar)[1:]
    R[: len(ma), 0] = ma
    state = np.zeros((r, 1))
    P = np.linalg.solve(np.eye(r * r) - np.kron(T, T), (R @ R.T).ravel()).reshape(r, r)
    errors, variances = [], []
    for t in range(len(y) + h):
        value = y[t] if t < len(y) else 0.0
        errors.append(value - state[0, 0])
        variances.append(P[0, 0])
        if t < len(y) and not np.isnan(value):
            gain = P[:, :1] / P[0, 0]
            state = state + gain * errors[-1]
            P = P - gain @ P[:1]
        state, P = T @ state, T @ P @ T.T + R @ R.T
    return np.array(errors), np.array(variances)


def concentrated_likelihood(errors: Any, variances: Any) -> tuple[float, float]:
    """Gaussian log-likelihood of errors with these variances times the best common factor, and that factor."""
    seen = ~np.isnan(errors)
    e, v = np.asarray(errors)[seen], np.asarray(variances)[seen]
    factor = float(np.mean(e * e / v))
    return float(-0.5 * (len(e) * (np.log(2 * np.pi * factor) + 1) + np.log(v).sum())), factor
