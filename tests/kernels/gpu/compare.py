"""Runs a kernel of the CPU and its twin of the GPU on copies of the same arguments."""

import numpy as np

from forecast_kernels.device import gpu

if gpu().available:
    from numba import cuda

# Sums of some tens of float32 of size 1, in another order.
LIMITS = {"rtol": 2e-5, "atol": 2e-6}


def values(rng, *shape):
    return rng.uniform(-1, 1, shape).astype(np.float32)


def empty(*shape, dtype=np.float32):
    """Full of NaN, so that nothing unwritten is read."""
    return np.full(shape, np.nan, dtype)


def both(cpu, gpu, arguments, written, workspaces=(), more=()):
    """Run both on copies of the arguments; the arrays of these places, as (CPU's, GPU's), and what the CPU returned."""
    here = [value.copy() if isinstance(value, np.ndarray) else value for value in arguments]
    there = [cuda.to_device(value) if isinstance(value, np.ndarray) else value for value in arguments]
    spaces = [empty(size) for size in workspaces] or [None, None]
    tail = [] if spaces[0] is None else [spaces[0]]
    returned = cpu(*here, *tail)
    gpu(*there, *([] if spaces[1] is None else [cuda.to_device(spaces[1])]), *more)
    return [(here[k], there[k].copy_to_host()) for k in written], returned


def same(pairs, **limits):
    for k, (expected, found) in enumerate(pairs):
        np.testing.assert_allclose(found, expected, err_msg=f"array {k}", **(limits or LIMITS))
