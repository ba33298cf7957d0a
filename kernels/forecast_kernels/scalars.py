"""Scalar functions that LLVM vectorises in a loop; generic in the dtype (``T = type(x)`` keeps float32 pure)."""

import math
from typing import Any

import llvmlite.ir as ir
import numpy as np
from numba import types

from forecast_kernels.jit import cell, intrinsic


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


@intrinsic
def as_float(typing_context: Any, bits: Any) -> Any:
    """The float32 that has the bits of an int32; unlike NumPy's ``view`` this compiles for a GPU that is not there."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate


@cell
def exp(x: float) -> float:
    """Exponential: within 1.3e-7 of the true one where |x| < 20 in float32, 4e-7 elsewhere; to rounding in float64.

    In float32, what lies below the smallest normal number (x < -87.3) is 0.
    """
    T = type(x)
    if T(1) + T(1e-10) > T(1):
        return T(math.exp(x))
    # 2^k times a polynomial of degree 6 on [0, log 2), fitted as tanh is. Rounded down, k reaches 128, whose power of
    # two is infinite in bits, only where the result is; the first k whose power is 0 in bits is -127.
    y = T(-88) if x < T(-88) else x
    y = T(89) if y > T(89) else y
    number = y if y > T(-88) else T(-88)  # NaN has no integer
    biased = np.int32(number * T(1.4426950408889634) + T(127))
    # np.int32: the difference of two is an int64 to Numba, of which a vector holds half as many
    r = y - T(np.int32(biased - np.int32(127))) * T(0.6931471805599453)
    p = T(0.0019568247030248604)
    p = p * r + T(0.007774682407452358)
    p = p * r + T(0.04192966353371125)
    p = p * r + T(0.16660431631512873)
    p = p * r + T(0.5000069276653503)
    p = p * r + T(0.9999997163813128)
    p = p * r + T(1)
    return p * T(as_float(np.int32(biased << np.int32(23))))


@cell
def log1p(x: float) -> float:
    """log(1 + x) for x in [0, 1]: within 2.5e-7 of the true one in float32, exact to rounding in float64."""
    T = type(x)
    if T(1) + T(1e-10) > T(1):
        return T(math.log1p(x))
    # degree 8 of log(1 + x) / x, fitted as tanh is; a division would take longer than its last four terms
    p = T(0.005232695601805357)
    p = p * x + T(-0.02950524673660794)
    p = p * x + T(0.07822596981995002)
    p = p * x + T(-0.13663247837173076)
    p = p * x + T(0.19106008042310701)
    p = p * x + T(-0.24842982659532978)
    p = p * x + T(0.33319096888443195)
    p = p * x + T(-0.4999949314698967)
    p = p * x + T(1)
    return x * p


@cell
def softplus(x: float) -> float:
    """log(1 + exp(x)); only a non-positive number is exponentiated, so nothing overflows or loses its small values."""
    T = type(x)
    return (x if x > T(0) else T(0)) + log1p(exp(-abs(x)))


@cell
def log_sigmoid(x: float) -> float:
    """log(sigmoid(x)), about x where x is far below 0."""
    return -softplus(-x)


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
