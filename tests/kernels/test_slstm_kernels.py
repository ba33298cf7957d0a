"""sLSTM kernels against the naive reference, which has no stabiliser, and its finite differences.

Notation: B batch, T time, H hidden, N heads of P = H / N units.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast_kernels.matmul.cpu import DEPTH
from forecast_kernels.slstm.cpu import slstm_backward, slstm_forward, slstm_workspace
from tests import naive

# float64: rounding. float32: gates within 4e-7, carried through 12 steps of values below 1; gradients up to 20.
LIMITS = {np.float64: {"rtol": 1e-12, "atol": 1e-12}, np.float32: {"rtol": 5e-6, "atol": 5e-6}}
DIFFERENCES = {"rtol": 1e-7, "atol": 1e-7}


class Run(NamedTuple):
    """What forward leaves for backward; states (N, S + 1, B, P)."""

    R: np.ndarray
    h: np.ndarray
    c: np.ndarray
    n: np.ndarray
    m: np.ndarray
    gates: np.ndarray
    out: np.ndarray  # (T, B, H)


def apart(values, N):
    """(.., B, H) -> (N, .., B, P): heads first."""
    return np.ascontiguousarray(np.moveaxis(values.reshape(*values.shape[:-1], N, values.shape[-1] // N), -2, 0))


def together(values):
    """(N, .., B, P) -> (.., B, H)."""
    values = np.moveaxis(values, 0, -2)
    return values.reshape(*values.shape[:-2], values.shape[-2] * values.shape[-1])


def halves(pre, N):
    """(T, B, 4H) -> what the gates i and f get, and what z and o get, (T, B, 2H) both."""
    T, B, columns = pre.shape
    parts = pre.reshape(T, B, N, 2, columns // N // 2)
    return [np.ascontiguousarray(parts[:, :, :, k]).reshape(T, B, columns // 2) for k in range(2)]


def whole(of_x, of_y, N):
    """The way back."""
    T, B, columns = of_x.shape
    parts = [half.reshape(T, B, N, 1, columns // N) for half in (of_x, of_y)]
    return np.concatenate(parts, axis=3).reshape(T, B, 2 * columns)


def space(R, B):
    """The kernels' workspace, all NaN."""
    N, P = R.shape[:2]
    return np.full(slstm_workspace(B, N * P, N), np.nan, R.dtype)


def forward(pre, R, b, h0, c0, n0, m0, dtype=np.float64, steps=None, steps_m=None):
    """Run one layer and keep so many steps (all); every buffer starts as NaN, so that nothing unwritten is read."""
    (T, B, H), (N, P) = (*pre.shape[:2], pre.shape[2] // 4), R.shape[:2]
    S = steps or T
    states = []
    for start, kept in zip((h0, c0, n0, m0), (S, S, S, steps_m or S), strict=True):
        states.append(np.full((N, kept + 1, B, P), np.nan, dtype))
        states[-1][:, 0] = apart(start, N)
    gates, out, R = np.full((N, S, 4, B, P), np.nan, dtype), np.full((T, B, H), np.nan, dtype), R.astype(dtype)
    slstm_forward(*halves(pre.astype(dtype), N), R, b.astype(dtype), *states, gates, out, 0, space(R, B))
    return Run(R, *states, gates, out)


def backward(run, dout, dh_n, dc_n, dn_n):
    """Gradients by the names of what they belong to; ``run`` is consumed. States (B, H)."""
    N, P, dtype = *run.R.shape[:2], run.R.dtype
    T, B, H = dout.shape
    dof_x, dof_y, dR, db = (np.full(s, np.nan, dtype) for s in [(T, B, 2 * H)] * 2 + [(N, P, 4 * P), 4 * H])
    ends = [apart(end, N).astype(dtype) for end in (dh_n, dc_n, dn_n)]
    read = (run.R, run.h, run.c, run.n, run.gates, np.ascontiguousarray(dout, dtype))
    slstm_backward(*read, dof_x, dof_y, dR, db, *ends, 0, True, space(run.R, B))
    found = {"pre": whole(dof_x, dof_y, N), "R": dR, "b": db}
    return found | dict(zip(("h0", "c0", "n0"), map(together, ends), strict=True))


def drawn(B, T, N, P, seed=0, spread=1.0):
    """Inputs of a layer in the middle of a longer sequence, and the gradients that reach it from above."""
    rng, H = np.random.default_rng(seed), N * P
    shapes = {"pre": (T, B, 4 * H), "R": (N, P, 4 * P), "b": (4 * H,), "h0": (B, H), "c0": (B, H)}
    values = {name: rng.uniform(-1, 1, shape) for name, shape in shapes.items()}
    values["pre"] *= spread
    values |= {"n0": rng.uniform(1, 3, (B, H)), "m0": rng.uniform(-1, 1, (B, H))}
    return values, rng.uniform(-1, 1, (T, B, H)), rng.uniform(-1, 1, (B, H))


def unseen(values):
    """The same with the state that stands before everything."""
    zero = np.zeros_like(values["h0"])
    return values | {"h0": zero, "c0": zero, "n0": zero, "m0": zero - np.inf}


def check_against_naive(values, dout, dh_n):
    run = forward(**values)
    expected = naive.slstm(**values)
    assert (together(run.h)[1:] == run.out).all()
    np.testing.assert_allclose(run.out, expected[0], **LIMITS[np.float64])
    for found, true in [(run.c, expected[1]), (run.n, expected[2])]:
        np.testing.assert_allclose(together(found * np.exp(run.m))[1:], true, **LIMITS[np.float64])

    def upstream_sum(**changed):
        h = naive.slstm(**(values | changed))[0]
        return float((dout * h).sum() + (dh_n * h[-1]).sum())

    zero = np.zeros_like(dh_n)
    for name, found in backward(run, dout, dh_n, zero, zero).items():
        true = naive.numerical_gradient(lambda value, name=name: upstream_sum(**{name: value}), values[name])
        np.testing.assert_allclose(found, true, err_msg=f"d{name}", **DIFFERENCES)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(B=st.integers(1, 4), T=st.integers(1, 5), N=st.integers(1, 3), P=st.integers(1, 3), seed=st.integers(0, 999))
def test_any_shape_agrees_with_the_unstabilised_reference_and_its_differences(B, T, N, P, seed):
    check_against_naive(*drawn(B, T, N, P, seed))


@pytest.mark.parametrize("spread", [0.1, 4.0])
def test_sequence_from_its_beginning_agrees_with_the_unstabilised_reference_and_its_differences(spread):
    values, dout, dh_n = drawn(B=2, T=12, N=2, P=2, spread=spread)
    check_against_naive(unseen(values), dout, dh_n)


def test_backward_in_several_chunks_gives_what_it_gives_row_by_row():
    T, B = 110, 5
    assert T * B > 2 * DEPTH > 2 * T
    values, dout, dh_n = drawn(B, T, N=2, P=3)
    zero = np.zeros_like(dh_n)
    found = backward(forward(**values), dout, dh_n, zero, zero)
    alone = []
    for row in (slice(r, r + 1) for r in range(B)):
        of_row = {name: values[name][row] for name in ("h0", "c0", "n0", "m0")} | {"pre": values["pre"][:, row]}
        alone.append(backward(forward(**(values | of_row)), dout[:, row], dh_n[row], zero[row], zero[row]))
    for name in ("R", "b"):
        np.testing.assert_allclose(found[name], sum(each[name] for each in alone), **LIMITS[np.float64])
    np.testing.assert_allclose(
        found["pre"], np.concatenate([each["pre"] for each in alone], axis=1), **LIMITS[np.float64]
    )


def test_float32_kernels_stay_close_to_float64_results():
    values, dout, dh_n = drawn(B=7, T=12, N=3, P=20)
    zero = np.zeros_like(dh_n)
    exact, rounded = (forward(**unseen(values), dtype=dtype) for dtype in (np.float64, np.float32))
    assert rounded.out.dtype == np.float32
    np.testing.assert_allclose(rounded.out, exact.out, **LIMITS[np.float32])
    true = backward(exact, dout, dh_n, zero, zero)
    for name, found in backward(rounded, dout, dh_n, zero, zero).items():
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, true[name], err_msg=f"d{name}", **LIMITS[np.float32])


def test_stabiliser_moved_by_a_constant_changes_no_h():
    values, _, _ = drawn(B=3, T=9, N=2, P=5)
    there = values | {"m0": values["m0"] + 5, "c0": values["c0"] * np.exp(-5), "n0": values["n0"] * np.exp(-5)}
    np.testing.assert_allclose(forward(**there).out, forward(**values).out, **LIMITS[np.float64])


def test_sequence_cut_in_two_gives_the_same_states_and_gradients():
    values, dout, dh_n = drawn(B=3, T=9, N=2, P=5)
    zero, cut, names = np.zeros_like(dh_n), 4, ("h0", "c0", "n0")
    whole = forward(**values)
    first = forward(**(values | {"pre": values["pre"][:cut]}))
    states = {f"{name}0": together(getattr(first, name)[:, -1]) for name in "hcnm"}
    second = forward(**(values | {"pre": values["pre"][cut:]} | states))
    assert (np.concatenate([first.out, second.out]) == whole.out).all()

    true = backward(whole, dout, dh_n, zero, zero)
    later = backward(second, dout[cut:], dh_n, zero, zero)
    earlier = backward(first, dout[:cut], *(later[name] for name in names))
    np.testing.assert_allclose(np.concatenate([earlier["pre"], later["pre"]]), true["pre"], **LIMITS[np.float64])
    for name in names:
        np.testing.assert_allclose(earlier[name], true[name], **LIMITS[np.float64])
    for name in ("R", "b"):
        np.testing.assert_allclose(earlier[name] + later[name], true[name], **LIMITS[np.float64])


def test_forward_that_keeps_one_step_gives_the_same_bits():
    values, _, _ = drawn(B=3, T=6, N=2, P=5)
    whole, last, for_backward = forward(**values), forward(**values, steps=1), forward(**values, steps_m=1)
    assert (last.out == whole.out).all()
    assert (for_backward.out == whole.out).all()
    assert (for_backward.m[:, 6 % 2] == whole.m[:, -1]).all()
    for name in "hcnm":
        assert (getattr(last, name)[:, 6 % 2] == getattr(whole, name)[:, -1]).all()


def test_sequence_run_in_parts_gives_the_same_bits_and_gradients():
    T, B, N, P, cuts = 9, 3, 2, 5, (0, 4, 8, 9)
    values, dout, dh_n = drawn(B, T, N, P)
    zero = np.zeros_like(dh_n)
    run = forward(**values)
    true = backward(forward(**values), dout, dh_n, zero, zero)
    parts = list(pairwise(cuts))
    for steps in (T, 1):
        states = [np.full((N, steps + 1, B, P), np.nan) for _ in range(4)]
        for state, name in zip(states, ("h0", "c0", "n0", "m0"), strict=True):
            state[:, 0] = apart(values[name], N)
        gates, work = np.full((N, steps, 4, B, P), np.nan), space(run.R, B)
        for first, end in parts:
            out = np.full((end - first, B, N * P), np.nan)
            given = halves(values["pre"][first:end], N)
            slstm_forward(*given, run.R, values["b"], *states, gates, out, first, work)
            assert (out == run.out[first:end]).all()
        if steps == T:
            kept = states[:3], gates
    dR, db, work = np.full_like(run.R, np.nan), np.full(4 * N * P, np.nan), space(run.R, B)
    grads = [apart(end, N) for end in (dh_n, zero, zero)]
    for first, end in parts[::-1]:
        dof_x, dof_y = (np.full((end - first, B, 2 * N * P), np.nan) for _ in range(2))
        slstm_backward(run.R, *kept[0], kept[1], dout[first:end], dof_x, dof_y, dR, db, *grads, first, end == T, work)
        np.testing.assert_allclose(whole(dof_x, dof_y, N), true["pre"][first:end], **LIMITS[np.float64])
    np.testing.assert_allclose(dR, true["R"], **LIMITS[np.float64])
    np.testing.assert_allclose(db, true["b"], **LIMITS[np.float64])
    np.testing.assert_allclose(together(grads[0]), true["h0"], **LIMITS[np.float64])


def test_batch_without_rows_has_gradients_of_zero():
    values, dout, dh_n = drawn(B=0, T=3, N=2, P=5)
    found = backward(forward(**values), dout, dh_n, dh_n, dh_n)
    assert (found["R"] == 0).all()
    assert (found["b"] == 0).all()


def test_first_input_counts_in_full_however_small_its_gate():
    values, _, _ = drawn(B=2, T=1, N=1, P=3)
    values = unseen(values)
    for gate in (-1e4, -100.0, 0.0, 100.0, 1e4):
        values["pre"][..., :3] = gate
        pre = values["pre"][0] + values["b"]
        np.testing.assert_allclose(
            forward(**values, dtype=np.float32).out[0], naive.sigmoid(pre[:, 9:]) * np.tanh(pre[:, 6:9]), rtol=1e-6
        )


def test_thousands_of_extreme_gates_give_neither_nan_nor_infinity():
    values, _, dh_n = drawn(B=2, T=4096, N=2, P=8, spread=60.0)
    values["pre"][:512, :, :] = np.where(np.arange(512)[:, None, None] % 2, -60, 60)  # all gates shut, all gates open
    values["pre"][512:1024] = 60 * np.sign(values["pre"][512:1024])
    for state in (values, unseen(values)):
        run = forward(**state, dtype=np.float32)
        assert np.isfinite(run.out).all()
        assert np.abs(run.out).max() <= 1 + 1e-6
        assert run.n[:, 1:].min() >= 1
        zero = np.zeros_like(dh_n)
        for name, found in backward(run, np.ones_like(run.out), dh_n, zero, zero).items():
            assert np.isfinite(found).all(), name


def test_memory_that_never_forgets_stays_exact_over_thousands_of_steps():
    values, _, _ = drawn(B=1, T=4096, N=1, P=4)
    values = unseen(values) | {"R": np.zeros((1, 4, 16)), "b": np.zeros(16)}
    values["pre"][..., :4], values["pre"][..., 4:8] = 0, 60  # every input counts the same, nothing is forgotten
    mean = np.cumsum(np.tanh(values["pre"][..., 8:12]), axis=0) / np.arange(1, 4097)[:, None, None]
    found = forward(**values, dtype=np.float32).out
    np.testing.assert_allclose(found, naive.sigmoid(values["pre"][..., 12:]) * mean, rtol=0, atol=2e-5)


@pytest.mark.parametrize("gate", range(4))
def test_nan_in_one_head_of_one_row_stays_there(gate):
    values, _, _ = drawn(B=3, T=5, N=2, P=4)
    clean = forward(**values).out
    values["pre"][2, 1, 16 + 4 * gate] = np.nan
    out = forward(**values).out
    assert np.isnan(out[2, 1, 4])
    assert np.isnan(out[3:, 1, 4:]).all()
    out[2:, 1, 4:] = clean[2:, 1, 4:] = 0
    assert (out == clean).all()
