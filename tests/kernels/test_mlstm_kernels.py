"""mLSTM kernels: both forms against the naive parallel form, each other and finite differences.

Notation: B batch, T time, H hidden, N heads, P head size, L steps a chunk, S kept rows of the memory.
"""

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast_kernels.mlstm.chunkwise import mlstm_chunkwise_backward, mlstm_chunkwise_forward, mlstm_workspace
from forecast_kernels.mlstm.gates import ROWS
from forecast_kernels.mlstm.recurrent import mlstm_recurrent_backward, mlstm_recurrent_forward
from tests import naive

# float64: rounding. float32: the same relative to the largest value, of sums of some hundred products.
LIMITS = {"float64": 1e-11, "float32": 2e-5}
DIFFERENCES = {"rtol": 1e-6, "atol": 1e-7}
INPUTS, STATE = ("q", "k", "v", "i", "f"), ("C", "n", "m")


class Memory(NamedTuple):
    """State of all heads."""

    C: np.ndarray  # (B, N, P, P)
    n: np.ndarray  # (B, N, P)
    m: np.ndarray  # (B, N)


def draw(T, B, N, P, seed=0, gates=2.0, dtype=np.float64):
    """Random inputs of a layer by name."""
    rng = np.random.default_rng(seed)
    values = {name: rng.uniform(-1.5, 1.5, (T, B, N * P)).astype(dtype) for name in "qkv"}
    return values | {name: rng.uniform(-gates, gates + 1, (T, B, N)).astype(dtype) for name in "if"}


def draw_memory(B, N, P, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed + 1000)
    shapes = ((B, N, P, P), (B, N, P))
    return Memory(*(rng.uniform(-1, 1, shape).astype(dtype) for shape in shapes), rng.uniform(0, 2, (B, N)).astype(dtype))


def sizes(given):
    T, B, H = given["q"].shape
    N = given["i"].shape[2]
    return T, B, N, H // N


def empty(*shape, dtype):
    """NaN, so that nothing unwritten is read."""
    return np.full(shape, np.nan, dtype)


class Recurrent:
    """The recurrent form; without a start state, one of zeros."""

    def forward(self, given, start=None, kept=None):
        T, B, N, P = sizes(given)
        dtype = given["q"].dtype
        kept = T if kept is None else kept
        start = start or Memory(*(np.zeros(shape, dtype) for shape in ((B, N, P, P), (B, N, P), (B, N))))
        self.given, self.C, self.n = given, empty(kept + 1, B, N, P, P, dtype=dtype), empty(kept + 1, B, N, P, dtype=dtype)
        self.C[0], self.n[0], m = start.C, start.n, start.m.copy()
        self.gates, self.out = empty(ROWS, T, B, N, dtype=dtype), empty(T, B, N * P, dtype=dtype)
        mlstm_recurrent_forward(*given.values(), self.C, self.n, m, self.gates, self.out)
        return self.out, Memory(self.C[T % (kept + 1)], self.n[T % (kept + 1)], m)

    def backward(self, dout, dC=None, dn=None):
        q, k, v, i, f = self.given.values()
        found = {name: np.full_like(value, np.nan) for name, value in self.given.items()}
        dC = np.zeros_like(self.C[0]) if dC is None else dC.copy()
        dn = np.zeros_like(self.n[0]) if dn is None else dn.copy()
        mlstm_recurrent_backward(
            q, k, v, f, self.C, self.n, self.gates, self.out, dout, *found.values(), dC, dn
        )
        return found | {"C": dC, "n": dn}


class Chunkwise:
    """The chunkwise form; without a start state, nothing is carried."""

    def __init__(self, length):
        self.length = length

    def forward(self, given, start=None, kept=None):
        T, B, N, P = sizes(given)
        dtype = given["q"].dtype
        chunks = -(-T // self.length)
        self.given, self.carried = given, start is not None
        kept = chunks + (1 if self.carried else -1) if kept is None else kept
        self.C, self.n = empty(kept, B, N, P, P, dtype=dtype), empty(kept, B, N, P, dtype=dtype)
        m = empty(B, N, dtype=dtype)
        if start:
            self.C[0], self.n[0], m[:] = start
        self.gates, self.out = empty(ROWS, T, B, N, dtype=dtype), empty(T, B, N * P, dtype=dtype)
        mlstm_chunkwise_forward(
            *given.values(), self.length, self.carried, self.C, self.n, m, self.gates, self.out, self.space()
        )
        return self.out, Memory(self.C[chunks % kept], self.n[chunks % kept], m) if start else None

    def space(self):
        T, _, _, P = sizes(self.given)
        return empty(mlstm_workspace(min(self.length, T), P), dtype=self.given["q"].dtype)

    def backward(self, dout, dC=None, dn=None):
        q, k, v, i, f = self.given.values()
        found = {name: np.full_like(value, np.nan) for name, value in self.given.items()}
        _, B, N, P = sizes(self.given)
        dC = np.zeros((B, N, P, P), q.dtype) if dC is None else dC.copy()
        dn = np.zeros((B, N, P), q.dtype) if dn is None else dn.copy()
        mlstm_chunkwise_backward(
            q, k, v, f, self.length, self.carried, self.C, self.n, self.gates, self.out, dout, *found.values(), dC, dn,
            self.space(),
        )  # fmt: skip
        return found | ({"C": dC, "n": dn} if self.carried else {})


def by_heads(given):
    T, B, N, P = sizes(given)
    return {name: value.reshape(T, B, N, P) if name in "qkv" else value for name, value in given.items()}


def reference(given, start=None):
    """Outputs of the naive form, and its final memory, not scaled."""
    state = {} if start is None else dict(zip(("C0", "n0", "m0"), start, strict=True))
    h, C, n = naive.mlstm(**by_heads(given), **state)
    return h.reshape(given["q"].shape), C, n


def assert_close(found, expected, name=""):
    """Within the rounding of the dtype, relative to the largest value."""
    limit = LIMITS[found.dtype.name] * max(1.0, np.abs(expected).max(initial=0))
    np.testing.assert_allclose(found, expected, rtol=0, atol=limit, err_msg=name)


def check(form, T, B, N, P, seed, carried):
    """Outputs, final memory and all gradients of a form against the naive one."""
    given = draw(T, B, N, P, seed)
    start = draw_memory(B, N, P, seed) if carried else None
    rng = np.random.default_rng(seed)
    weight = rng.uniform(-1, 1, given["q"].shape)
    out, final = form.forward(given, start)
    h, C, n = reference(given, start)
    assert_close(out, h, "h")
    dC = dn = None
    if carried:
        scale = np.exp(final.m)[..., None]
        assert_close(final.C * scale[..., None], C, "C")
        assert_close(final.n * scale, n, "n")
        weight_C, weight_n = rng.uniform(-1, 1, C.shape), rng.uniform(-1, 1, n.shape)
        dC, dn = weight_C * scale[..., None], weight_n * scale

    def loss(**changed):
        memory = start._replace(**{name: value for name, value in changed.items() if name in STATE}) if carried else None
        h, C, n = reference(given | {name: value for name, value in changed.items() if name in INPUTS}, memory)
        total = (weight * h).sum()
        return float(total + (weight_C * C).sum() + (weight_n * n).sum()) if carried else float(total)

    for name, found in form.backward(weight, dC, dn).items():
        value = given[name] if name in INPUTS else getattr(start, name)
        expected = naive.numerical_gradient(lambda value, name=name: loss(**{name: value}), value)
        np.testing.assert_allclose(found, expected, err_msg=f"d{name}", **DIFFERENCES)


@pytest.mark.parametrize("carried", [False, True])
@pytest.mark.parametrize("form", [Recurrent(), Chunkwise(4), Chunkwise(64)])
@settings(max_examples=15, deadline=None, derandomize=True)
@given(T=st.integers(1, 9), B=st.integers(1, 2), N=st.integers(1, 3), P=st.integers(1, 4), seed=st.integers(0, 999))
def test_any_shape_agrees_with_the_naive_form_and_its_differences(form, carried, T, B, N, P, seed):
    check(form, T, B, N, P, seed, carried and not (isinstance(form, Recurrent) and False))
