"""mLSTM kernels: both forms against the naive parallel form, each other and finite differences.

Notation: B batch, T time, H hidden, N heads, P head size, L steps a chunk, S kept rows of the memory.
"""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast_kernels.mlstm.chunkwise import mlstm_chunkwise_backward, mlstm_chunkwise_forward, mlstm_workspace
from forecast_kernels.mlstm.gates import ROWS, SIGN
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
    C, n = (rng.uniform(-1, 1, shape).astype(dtype) for shape in shapes)
    return Memory(C, n, rng.uniform(0, 2, (B, N)).astype(dtype))


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
        self.given = given
        self.C, self.n = empty(kept + 1, B, N, P, P, dtype=dtype), empty(kept + 1, B, N, P, dtype=dtype)
        self.C[0], self.n[0], m = start.C, start.n, start.m.copy()
        self.gates, self.out = empty(ROWS, T, B, N, dtype=dtype), empty(T, B, N * P, dtype=dtype)
        mlstm_recurrent_forward(*given.values(), self.C, self.n, m, self.gates, self.out)
        return self.out, Memory(self.C[T % (kept + 1)], self.n[T % (kept + 1)], m)

    def backward(self, dout, dC=None, dn=None):
        q, k, v, _, f = self.given.values()
        found = {name: np.full_like(value, np.nan) for name, value in self.given.items()}
        dC = np.zeros_like(self.C[0]) if dC is None else dC.copy()
        dn = np.zeros_like(self.n[0]) if dn is None else dn.copy()
        mlstm_recurrent_backward(q, k, v, f, self.C, self.n, self.gates, self.out, dout, *found.values(), dC, dn)
        return found | {"C": dC, "n": dn}


class Chunkwise:
    """The chunkwise form; without a start state, nothing is carried."""

    def __init__(self, length, cut=False):
        self.length, self.cut = length, cut

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
        q, k, v, _, f = self.given.values()
        found = {name: np.full_like(value, np.nan) for name, value in self.given.items()}
        _, B, N, P = sizes(self.given)
        dC = np.zeros((B, N, P, P), q.dtype) if dC is None else dC.copy()
        dn = np.zeros((B, N, P), q.dtype) if dn is None else dn.copy()
        mlstm_chunkwise_backward(
            q, k, v, f, self.length, self.carried, self.cut, self.C, self.n, self.gates, self.out, dout,
            *found.values(), dC, dn, self.space(),
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
    dC = dn = weight_C = weight_n = None
    if carried:
        scale = np.exp(final.m)[..., None]
        assert_close(final.C * scale[..., None], C, "C")
        assert_close(final.n * scale, n, "n")
        weight_C, weight_n = rng.uniform(-1, 1, C.shape), rng.uniform(-1, 1, n.shape)
        dC, dn = weight_C * scale[..., None], weight_n * scale

    def loss(**changed):
        memory = start._replace(**{name: changed[name] for name in STATE if name in changed}) if carried else None
        h, C, n = reference(given | {name: changed[name] for name in INPUTS if name in changed}, memory)
        total = (weight * h).sum()
        return float(total + (weight_C * C).sum() + (weight_n * n).sum()) if carried else float(total)

    for name, found in form.backward(weight, dC, dn).items():
        if name in STATE and not carried:
            continue
        value = given[name] if name in INPUTS else getattr(start, name)
        expected = naive.numerical_gradient(lambda value, name=name: loss(**{name: value}), value)
        np.testing.assert_allclose(found, expected, err_msg=f"d{name}", **DIFFERENCES)


FORMS = [
    pytest.param(Recurrent, False, id="recurrent"),
    pytest.param(lambda: Chunkwise(3), False, id="chunks of 3"),
    pytest.param(lambda: Chunkwise(64), False, id="one chunk"),
    pytest.param(Recurrent, True, id="recurrent, carried"),
    pytest.param(lambda: Chunkwise(3), True, id="chunks of 3, carried"),
    pytest.param(lambda: Chunkwise(64), True, id="one chunk, carried"),
]


@pytest.mark.parametrize(("form", "carried"), FORMS)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(T=st.integers(1, 8), B=st.integers(1, 2), N=st.integers(1, 3), P=st.integers(1, 4), seed=st.integers(0, 999))
def test_any_shape_agrees_with_the_naive_form_and_its_differences(form, carried, T, B, N, P, seed):
    check(form(), T, B, N, P, seed, carried)


@pytest.mark.parametrize("carried", [False, True])
def test_chunks_of_several_blocks_agree_with_the_naive_form_and_its_differences(carried):
    check(Chunkwise(20), T=45, B=1, N=1, P=3, seed=0, carried=carried)


def test_inputs_of_these_tests_meet_every_branch_of_the_divisor():
    layer = Chunkwise(8)
    layer.forward(draw(40, 2, 2, 3), draw_memory(2, 2, 3))
    assert set(np.unique(layer.gates[SIGN])) == {-1.0, 0.0, 1.0}


def all_results(form, given, start, seed=0):
    """Outputs, final memory and gradients by name."""
    rng = np.random.default_rng(seed)
    dtype = given["q"].dtype
    out, final = form.forward(given, start)
    dout = rng.uniform(-1, 1, out.shape).astype(dtype)
    dC, dn = (rng.uniform(-1, 1, value.shape).astype(dtype) for value in start[:2])
    gradients = form.backward(dout, dC, dn)
    return {"h": out} | final._asdict() | {f"d{name}": value for name, value in gradients.items()}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("P", [16, 20, 32, 72])
@pytest.mark.parametrize("length", [1, 16, 33, 70, 100])
def test_forms_agree_to_rounding(length, P, dtype):
    given, start = draw(70, 2, 2, P, dtype=dtype), draw_memory(2, 2, P, dtype=dtype)
    expected = all_results(Recurrent(), given, start)
    for name, found in all_results(Chunkwise(length), given, start).items():
        assert found.dtype == dtype
        assert_close(found, expected[name], name)


@pytest.mark.parametrize("form", [Recurrent, lambda: Chunkwise(16)])
def test_single_precision_stays_close_to_double(form):
    given, start = draw(70, 2, 2, 20, gates=6.0), draw_memory(2, 2, 20)
    rounded = {name: value.astype(np.float32) for name, value in given.items()}
    expected = all_results(form(), given, start)
    for name, found in all_results(form(), rounded, Memory(*(value.astype(np.float32) for value in start))).items():
        assert_close(found, expected[name], name)


def part(values, first, end):
    return {name: np.ascontiguousarray(value[first:end]) for name, value in values.items()}


@pytest.mark.parametrize("form", [Recurrent, lambda: Chunkwise(7)])
def test_memory_carried_from_call_to_call_gives_what_one_call_gives(form):
    T, cut = 30, 13
    given, start = draw(T, 2, 2, 5), draw_memory(2, 2, 5)
    whole = form()
    out, final = whole.forward(given, start)
    expected = whole.backward(np.ones_like(out))

    early, late = form(), form()
    out_early, between = early.forward(part(given, 0, cut), start)
    out_late, end = late.forward(part(given, cut, T), between)
    assert_close(np.concatenate([out_early, out_late]), out)
    for found, value in zip(end, final, strict=True):
        assert_close(found, value)
    found_late = late.backward(np.ones_like(out_late))
    found_early = early.backward(np.ones_like(out_early), found_late["C"], found_late["n"])
    for name, value in expected.items():
        found = found_early[name] if name in STATE else np.concatenate([found_early[name], found_late[name]])
        assert_close(found, value, name)


@pytest.mark.parametrize(("form", "kept"), [(Recurrent, 0), (lambda: Chunkwise(7), 1)])
def test_memory_updated_in_place_gives_the_same_bits(form, kept):
    given, start = draw(30, 2, 2, 5), draw_memory(2, 2, 5)
    out, final = form().forward(given, start)
    out_in_place, final_in_place = form().forward(given, start, kept)
    assert (out_in_place == out).all()
    for found, expected in zip(final_in_place, final, strict=True):
        assert (found == expected).all()


def test_sequence_that_starts_from_nothing_is_one_whose_start_state_is_zero():
    given, zeros = draw(30, 2, 2, 5), Memory(np.zeros((2, 2, 5, 5)), np.zeros((2, 2, 5)), np.zeros((2, 2)))
    nothing, carried = Chunkwise(7), Chunkwise(7)
    out, _ = nothing.forward(given)
    expected, _ = carried.forward(given, zeros)
    assert_close(out, expected)
    assert (Chunkwise(7).forward(given, kept=1)[0] == out).all()
    gradients = carried.backward(np.ones_like(out))
    for name, found in nothing.backward(np.ones_like(out)).items():
        assert_close(found, gradients[name], name)


@pytest.mark.parametrize("length", [7, 64])
def test_gradient_that_is_cut_is_that_of_a_final_memory_nobody_reads(length):
    given, start = draw(30, 2, 2, 5), draw_memory(2, 2, 5)
    whole, cut = Chunkwise(length), Chunkwise(length, cut=True)
    out, _ = whole.forward(given, start)
    cut.forward(given, start)
    nobody = np.full((2, 2, 5, 5), np.nan), np.full((2, 2, 5), np.nan)
    expected, found = whole.backward(np.ones_like(out)), cut.backward(np.ones_like(out), *nobody)
    for name in INPUTS:
        assert_close(found[name], expected[name], name)
    assert np.isnan(found["C"]).all()  # neither read nor written


@pytest.mark.parametrize("form", [Recurrent, lambda: Chunkwise(7)])
@pytest.mark.parametrize("shift", [-1.0, 3.0])
def test_scale_of_the_memory_does_not_matter(form, shift):
    given, start = draw(30, 2, 2, 5), draw_memory(2, 2, 5)
    scaled = Memory(start.C * np.exp(-shift), start.n * np.exp(-shift), start.m + shift)
    expected, found = all_results(form(), given, start), all_results(form(), given, scaled)
    for name in ("h",):
        assert_close(found[name], expected[name], name)


@pytest.mark.parametrize("form", [Recurrent, lambda: Chunkwise(64)])
@pytest.mark.parametrize("gate", [-60.0, 60.0, None])
def test_extreme_gates_give_neither_nan_nor_infinity(form, gate):
    T = 4096
    given = draw(T, 1, 2, 4, gates=59.0, dtype=np.float32)
    if gate is not None:
        given["i"][:] = gate
    layer = form()
    out, final = layer.forward(given, draw_memory(1, 2, 4, dtype=np.float32))
    gradients = layer.backward(np.ones_like(out))
    for name, value in {"h": out, **final._asdict(), **gradients}.items():
        assert np.isfinite(value).all(), name


@pytest.mark.parametrize("form", [Recurrent, lambda: Chunkwise(7)])
def test_queries_of_zero_read_zero_whatever_the_gates(form):
    given = draw(20, 1, 2, 4, dtype=np.float32)
    given["q"][:], given["i"][:] = 0, 200  # exp(-200) is 0 in float32
    layer = form()
    out, _ = layer.forward(given, draw_memory(1, 2, 4, dtype=np.float32))
    assert (out == 0).all()


@pytest.mark.parametrize("form", [Recurrent, lambda: Chunkwise(7)])
def test_group_without_rows_is_nothing_to_do(form):
    results = all_results(form(), draw(20, 0, 2, 4), draw_memory(0, 2, 4))
    assert results["h"].shape == results["dq"].shape == (20, 0, 8)


@pytest.mark.parametrize("form", [Recurrent, lambda: Chunkwise(7)])
def test_nan_in_one_row_stays_in_that_row(form):
    given, start = draw(20, 3, 2, 4), draw_memory(3, 2, 4)
    clean, _ = form().forward(given, start)
    given["v"][10, 1] = np.nan
    out, _ = form().forward(given, start)
    assert np.isnan(out[14:, 1]).all()
    assert (out[:7] == clean[:7]).all()
    assert (out[:, [0, 2]] == clean[:, [0, 2]]).all()
