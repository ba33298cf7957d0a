"""What comes after many histories of symbols: each is run on its own, groups of them in parallel.

Notation: S histories of N symbols in all, V symbols, h steps ahead, G groups. What is computed of a history depends on
nothing but itself, so neither the groups nor the number of threads change a bit.
"""

import numpy as np
from numba import prange

from forecast_kernels.jit import Array, kernel, parallel_kernel
from forecast_kernels.symbols.step import continue_text, simulate_paths


@kernel
def foretell_group(
    table: Array,  # (layers, COLUMNS) read: of one step
    theta: Array,  # (P,) read
    work: Array,  # (2, W) workspaces of one row
    given: Array,  # (N,) read: the symbols of all histories, at least one of each
    indptr: Array,  # (S + 1,) read: where each begins
    group: int,
    groups: int,  # the group has every G-th history
    closed: int,  # see `simulate_paths`, as the next two
    paths: int,
    seed: np.uint64,
    weights: Array,  # (V,) float64 workspace
    logits: Array,  # (V,) workspace
    out: Array,  # (S, h, V) float64: those of the group written
) -> None:
    """Probabilities of the symbols that follow the histories of one group."""
    for s in range(group, out.shape[0], groups):
        for w in range(work.shape[1]):
            work[0, w] = 0
        history = given[indptr[s] : indptr[s + 1]]
        continue_text(table, theta, work[0], history, logits, closed, 1.0, 0, 1.0, seed, 0, weights, history[:0])
        simulate_paths(table, theta, work[0], work[1], closed, paths, seed, weights, out[s])


@parallel_kernel
def foretell_all(
    table: Array,  # (layers, COLUMNS) read: of one step
    theta: Array,  # (P,) read
    work: Array,  # (G, 2, W) workspaces
    given: Array,  # (N,) read
    indptr: Array,  # (S + 1,) read
    closed: int,
    paths: int,
    seed: np.uint64,
    weights: Array,  # (G, V) float64 workspace
    logits: Array,  # (G, V) workspace
    out: Array,  # (S, h, V) float64 written
) -> None:
    """Probabilities of the symbols 1 to h steps after each history."""
    G = work.shape[0]
    for g in prange(G):
        foretell_group(
            table, theta, work[g], given, indptr, g, G, closed, paths, seed, weights[g], logits[g], out
        )  # fmt: skip
