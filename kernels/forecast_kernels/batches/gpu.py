"""What the GPU does around a network for each of many batches, so that the host need not wait between them.

Notation: n windows of all batches, B rows of a batch, h horizon, Q outputs a step. The lists of all batches are on the
device; a kernel takes from them what one batch needs, and others put down what came out.
"""

from typing import Any

import numpy as np
from numba import cuda

from forecast_kernels.jit import Array
from forecast_kernels.jit_cuda import THREADS, cuda_kernel, launch
from forecast_kernels.reduction.gpu import BLOCKS, block_sum
from forecast_kernels.scalars import mix


def pick_batch(
    windows: Array,  # (n, 2) read: of all batches, one after the other
    seeds: Array,  # (batches,) read: uint64, another one each step
    rates: Array,  # (batches,) read: float64
    at: int,  # where the batch begins
    k: int,  # number of the batch
    step: int,  # number of the first step, 1 when learning begins
    chosen: Array,  # (B, 2) written: windows of the batch
    seed: Array,  # (1,) written: uint64, the one that the CPU's first group has
    rate: Array,  # (1,) written: float64
    number: Array,  # (1,) written: int64, of the step
    stream: Any = 0,
) -> None:
    """Take from the lists what a batch needs."""
    arguments = windows, seeds, rates, at, k, step, chosen, seed, rate, number
    launch(_pick_batch, -(-chosen.shape[0] // THREADS), THREADS, stream, *arguments)


@cuda_kernel
def _pick_batch(
    windows: Array,  # as in pick_batch
    seeds: Array,
    rates: Array,
    at: int,
    k: int,
    step: int,
    chosen: Array,
    seed: Array,
    rate: Array,
    number: Array,
) -> None:
    r = cuda.grid(1)
    if r < chosen.shape[0]:
        chosen[r, 0], chosen[r, 1] = windows[at + r, 0], windows[at + r, 1]
    if r == 0:
        seed[0] = mix(seeds[k], np.uint64(0))
        number[0] = step + k
        rate[0] = rates[k]


def count_terms(
    mask: Array,  # (B, h) read: weight of what is observed, as 1; 0: not observed
    outputs: int,  # Q
    result: Array,  # (BLOCKS + 1,) written: float64, the first the sum of the terms' weights
    scale: Array,  # (1,) written: float64, 1 / that sum, or 1 if it is less
    stream: Any = 0,
) -> None:
    """How many terms the loss of a batch has, each by its weight."""
    launch(_count_terms, BLOCKS, THREADS, stream, mask, outputs, result)
    launch(_finish_terms, 1, THREADS, stream, result, scale)


@cuda_kernel
def _count_terms(
    mask: Array,  # (B, h) read
    outputs: int,
    result: Array,  # (BLOCKS + 1,) partial sums written
) -> None:
    terms = 0.0
    for i in range(cuda.grid(1), mask.size, cuda.gridsize(1)):
        terms += mask[i // mask.shape[1], i % mask.shape[1]]
    terms = block_sum(terms)
    if cuda.threadIdx.x == 0:
        result[1 + cuda.blockIdx.x] = terms * outputs


@cuda_kernel
def _finish_terms(
    result: Array,  # (BLOCKS + 1,) partial sums read, the first value written
    scale: Array,  # (1,) written
) -> None:
    terms = 0.0
    for k in range(cuda.threadIdx.x, BLOCKS, THREADS):
        terms += result[1 + k]
    terms = block_sum(terms)
    if cuda.threadIdx.x == 0:
        result[0], scale[0] = terms, 1.0 / max(terms, 1.0)


def note_batch(
    loss: Array,  # (BLOCKS + 1,) read: the first value
    terms: Array,  # (BLOCKS + 1,) read: the first value
    norm: Array,  # (BLOCKS + 1,) read: the first value
    k: int,  # number of the batch
    totals: Array,  # (batches, 2) one row written: summed loss, number of terms
    norms: Array,  # (batches,) one value written: norm of the gradient
    stream: Any = 0,
) -> None:
    """Put down what came out of a batch."""
    launch(_note_batch, 1, 1, stream, loss, terms, norm, k, totals, norms)


@cuda_kernel
def _note_batch(
    loss: Array,  # as in note_batch
    terms: Array,
    norm: Array,
    k: int,
    totals: Array,
    norms: Array,
) -> None:
    totals[k, 0], totals[k, 1], norms[k] = loss[0], terms[0], norm[0]


def restore_units(
    output: Array,  # (B, h * Q) read: of the network, Q fastest
    base: Array,  # (B, h) read: float64
    scale: Array,  # (B,) read: float64
    outputs: int,  # Q
    at: int,  # where the batch begins
    out: Array,  # (n, h * Q) B rows written: float64, in units of y
    stream: Any = 0,
) -> None:
    """Forecasts of a batch in the units of the series."""
    launch(_restore_units, -(-output.size // THREADS), THREADS, stream, output, base, scale, outputs, at, out)


@cuda_kernel
def _restore_units(
    output: Array,  # as in restore_units
    base: Array,
    scale: Array,
    outputs: int,
    at: int,
    out: Array,
) -> None:
    i = cuda.grid(1)
    if i < output.size:
        r, j = i // output.shape[1], i % output.shape[1]
        out[at + r, j] = base[r, j // outputs] + scale[r] * output[r, j]
