"""One symbol after another: the network for a single row and step, sampling, and whole continuations.

Notation: V symbols, D inputs, H hidden, K depth of a product, N its columns. Each product is of a vector and a matrix,
which is read as it lies in the parameters: packing it would cost as much as the product. A recurrent layer keeps its
state at the start of its own part of the workspace: the input and h side by side (D + H), c (H), then its gates (4H).
"""

import math

import numpy as np

from forecast_kernels.embedding.cpu import embedding_forward
from forecast_kernels.jit import Array, flush_denormals, kernel, wide_vectors
from forecast_kernels.lstm.cell import lstm_output, lstm_state
from forecast_kernels.lstm.cpu import activate
from forecast_kernels.network.table import DENSE, EMBED, INPUT, KIND, LSTM, N_IN, N_OUT, OUTPUT, OWN, THETA
from forecast_kernels.scalars import uniform

AT_ONCE = 4  # rows of a matrix that are read together


@kernel
def vector_product(
    x: Array,  # (K,) read
    W: Array,  # (K, N) read
    out: Array,  # (N,) added to
) -> None:
    """``out += x W``."""
    wide_vectors()
    K = x.shape[0]
    end = K - K % AT_ONCE
    for k in range(0, end, AT_ONCE):
        x0, x1, x2, x3 = x[k], x[k + 1], x[k + 2], x[k + 3]
        w0, w1, w2, w3 = W[k], W[k + 1], W[k + 2], W[k + 3]
        for j in range(out.shape[0]):
            out[j] += x0 * w0[j] + x1 * w1[j] + x2 * w2[j] + x3 * w3[j]
    for k in range(end, K):
        row = W[k]
        for j in range(out.shape[0]):
            out[j] += x[k] * row[j]


@kernel
def lstm_step(
    x: Array,  # (D,) read
    WR: Array,  # (D + H, 4H) read: W over R
    b: Array,  # (4H,) read
    state: Array,  # (D + 6H,) the layer's own: x and h, c, gates; h and c updated
    out: Array,  # (H,) written: h
) -> None:
    """Advance one layer by one step."""
    wide_vectors()
    D, H = x.shape[0], out.shape[0]
    xh, c, gates = state[: D + H], state[D + H : D + 2 * H], state[D + 2 * H : D + 6 * H]
    for d in range(D):
        xh[d] = x[d]
    for j in range(4 * H):
        gates[j] = 0
    vector_product(xh, WR, gates)
    activate(gates, b)
    i, f, g, o, h = gates[:H], gates[H : 2 * H], gates[2 * H : 3 * H], gates[3 * H :], xh[D:]
    for j in range(H):
        c[j] = lstm_state(i[j], f[j], g[j], c[j])
    for j in range(H):
        h[j] = out[j] = lstm_output(o[j], c[j])


@kernel
def symbol_step(
    table: Array,  # (layers, COLUMNS) read: of one step
    theta: Array,  # (P,) read
    work: Array,  # (W,) of one row: states updated, the logits of the next symbol written
    symbol: int,  # the one that comes in
) -> None:
    """Run all layers for one symbol."""
    for k in range(table.shape[0]):
        row = table[k]
        D, H, at = row[N_IN], row[N_OUT], row[THETA]
        out = work[row[OUTPUT] : row[OUTPUT] + H]
        if row[KIND] == EMBED:
            work[row[INPUT]] = symbol
            embedding_forward(
                work[row[INPUT] : row[INPUT] + 1], theta[at : at + D * H].reshape(D, H), out.reshape(1, H)
            )
            continue
        x = work[row[INPUT] : row[INPUT] + D]
        if row[KIND] == LSTM:
            WR = theta[at : at + (D + H) * 4 * H].reshape(D + H, 4 * H)
            b = theta[at + WR.size : at + WR.size + 4 * H]
            lstm_step(x, WR, b, work[row[OWN] : row[OWN] + D + 6 * H], out)
        elif row[KIND] == DENSE:
            W = theta[at : at + D * H].reshape(D, H)
            b = theta[at + W.size : at + W.size + H]
            for j in range(H):
                out[j] = b[j]
            vector_product(x, W, out)
        else:  # DROPOUT, which drops nothing here
            for j in range(H):
                out[j] = x[j]


@kernel
def symbol_weights(
    logits: Array,  # (V,) read
    closed: int,  # the symbols below this one cannot come
    temperature: float,  # above 0
    top_k: int,  # keep the k likeliest, and what equals the last of them; 0 keeps all
    top_p: float,  # keep the likeliest that have this share together, and what equals the last of them; 1 keeps all
    weights: Array,  # (V,) float64 written: in proportion to the probabilities
) -> float:
    """Turn logits into weights of a draw; returns their sum.

    Top-k: Fan et al. 2018. Top-p: Holtzman et al. 2020. The smallest weight that is kept is found by bisection, which
    needs no order of the symbols.
    """
    V = logits.shape[0]
    largest = logits[closed]
    for v in range(closed, V):
        largest = max(largest, logits[v])
    for v in range(closed):
        weights[v] = 0.0
    total = 0.0
    for v in range(closed, V):
        weights[v] = math.exp((logits[v] - largest) / temperature)
        total += weights[v]
    if (top_k <= 0 or top_k >= V - closed) and top_p >= 1.0:
        return total
    low, high = 0.0, 2.0  # enough is kept from low on, not from high on
    for _ in range(54):
        middle = 0.5 * (low + high)
        count, mass = 0, 0.0
        for v in range(closed, V):
            if weights[v] >= middle:
                count += 1
                mass += weights[v]
        if (top_k > 0 and count >= top_k) or (top_p < 1.0 and mass >= top_p * total):
            low = middle
        else:
            high = middle
    kept = 0.0
    for v in range(closed, V):
        if weights[v] < low:
            weights[v] = 0.0
        kept += weights[v]
    return kept


@kernel
def draw(
    logits: Array,  # (V,) read
    closed: int,  # the symbols below this one cannot come
    temperature: float,  # 0 takes the likeliest symbol, the first of equals
    top_k: int,
    top_p: float,
    chance: float,  # uniform in [0, 1)
    weights: Array,  # (V,) float64 workspace
) -> int:
    """Draw the next symbol."""
    V = logits.shape[0]
    best = closed
    if temperature <= 0.0:
        for v in range(closed, V):
            if logits[v] > logits[best]:
                best = v
        return best
    left = chance * symbol_weights(logits, closed, temperature, top_k, top_p, weights)
    for v in range(closed, V):
        if weights[v] > 0.0:
            best = v
            left -= weights[v]
            if left < 0.0:
                break
    return best


@kernel
def simulate_paths(
    table: Array,  # (layers, COLUMNS) read: of one step
    theta: Array,  # (P,) read
    start: Array,  # (W,) workspace of one row after a history, read
    work: Array,  # (W,) workspace
    closed: int,  # see draw
    paths: int,
    seed: np.uint64,
    weights: Array,  # (V,) float64 workspace
    probabilities: Array,  # (h, V) float64 written
) -> None:
    """Probabilities of the symbols 1 to h steps ahead: the mean over paths of those after what was drawn before.

    So the first step is exact, and the others have less noise than the frequencies of what was drawn.
    """
    before = flush_denormals(True)
    h, V = probabilities.shape
    final = table[table.shape[0] - 1]
    for k in range(h):
        for v in range(V):
            probabilities[k, v] = 0.0
    for path in range(paths):
        for w in range(start.shape[0]):
            work[w] = start[w]
        logits = work[final[OUTPUT] : final[OUTPUT] + V]
        for k in range(h):
            share = 1.0 / (paths * symbol_weights(logits, closed, 1.0, 0, 1.0, weights))
            for v in range(V):
                probabilities[k, v] += weights[v] * share
            if k + 1 < h:
                chance = uniform(seed, np.uint64(path * h + k))
                symbol_step(table, theta, work, draw(logits, closed, 1.0, 0, 1.0, chance, weights))
    flush_denormals(before)


@kernel
def continue_text(
    table: Array,  # (layers, COLUMNS) read: of one step
    theta: Array,  # (P,) read
    work: Array,  # (W,) of one row: states are carried on from it
    given: Array,  # (n,) read, n >= 1: symbols that come in first
    logits: Array,  # (V,) written: of the symbol after the last that came in
    closed: int,  # see draw
    temperature: float,
    top_k: int,
    top_p: float,
    seed: np.uint64,
    drawn: int,  # symbols drawn before with this seed
    weights: Array,  # (V,) float64 workspace
    out: Array,  # (m,) written: symbols drawn, each but the last fed back; m may be 0
) -> None:
    """Feed symbols in, then draw the next ones."""
    before = flush_denormals(True)
    n, m, V = given.shape[0], out.shape[0], logits.shape[0]
    final = table[table.shape[0] - 1]
    here = work[final[OUTPUT] : final[OUTPUT] + V]
    for k in range(max(n, n + m - 1)):
        symbol_step(table, theta, work, given[k] if k < n else out[k - n])
        if k >= n - 1 and k - n + 1 < m:
            chance = uniform(seed, np.uint64(drawn + k - n + 1))
            out[k - n + 1] = draw(here, closed, temperature, top_k, top_p, chance, weights)
    for v in range(V):
        logits[v] = here[v]
    flush_denormals(before)
