"""Scalar functions that LLVM vectorises in a loop; generic in the dtype (``T = type(x)`` keeps float32 pure)."""

import math

import numpy as np

from forecast_kernels.jit import cell


@cell
def tanh(x: float) -> float:
    """Hyperbolic tangent: a rational fit within 3.3e-7 of the true one in float32, exact to rounding in float64."""
    T = type(x)
    if T(1) + T(1e-10) > T(1):  # float64; the compiler removes the branch that does not apply
        return T(math.tanh(x))
    # odd 11 / even 6, fitted by iteratively reweighted least squares on [0, 7.905]; beyond, tanh rounds to 1.
    limit = T(7.90531)
    y = -limit if x < -limit else x  # comparisons with NaN are false, so NaN goes through
    y = limit if y > limit else y
    s = y * y
    p = T(2.4073285803545875e-11)
    p = p * s + T(-1.489555363109339e-08)
    p = p * s + T(9.936012957815813e-06)
    p = p * s + T(0.0029917720160981495)
    p = p * s + T(0.1298461379639302)
    p = p * s + T(0.9999999832158631)
    q = T(0.00023804065912273726)
    q = q * s + T(0.024051783017894332)
    q = q * s + T(0.46317931648810723)
    q = q * s + T(1)
    return y * p / q


@cell
def sigmoid(x: float) -> float:
    """Logistic function 1 / (1 + exp(-x))."""
    T = type(x)
    return T(0.5) * tanh(T(0.5) * x) + T(0.5)


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1, _MIX2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S40 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(40)


@cell
def mix(seed: np.uint64, index: np.uint64) -> np.uint64:
    """64 random bits, a function of two uint64 alone: the same on any thread (SplitMix64, Steele et al. 2014)."""
    z = seed + (index + np.uint64(1)) * _GOLDEN
    z = (z ^ (z >> _S30)) * _MIX1
    z = (z ^ (z >> _S27)) * _MIX2
    return z ^ (z >> _S31)


@cell
def uniform(seed: np.uint64, index: np.uint64) -> float:
    """Uniform float64 in [0, 1) with 24 random bits, a function of two uint64 alone."""
    return np.float64(mix(seed, index) >> _S40) * (1.0 / (1 << 24))
