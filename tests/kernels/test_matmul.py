import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast_kernels.matmul.cpu import TRANSPOSED, multiply, multiply_transposed, pack, pack_transposed, packed_size

SIZES = st.integers(1, 20) | st.sampled_from([63, 64, 65, 128, 130, 257, 300])
LIMITS = {np.float64: 1e-13, np.float32: 1e-5}


def space(K, N, dtype):
    return np.full(packed_size(K, N), np.nan, dtype)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(list(LIMITS)), SIZES, SIZES, SIZES, st.integers(0, 99))
def test_products_are_those_of_numpy(dtype, M, K, N, seed):
    rng = np.random.default_rng(seed)
    a, b, g = (rng.standard_normal(shape).astype(dtype) for shape in ((M, K), (K, N), (M, N)))
    packed, out, gradient = space(K, N, dtype), np.full((M, N), np.nan, dtype), np.full((K, N), np.nan, dtype)
    close = {"rtol": LIMITS[dtype], "atol": LIMITS[dtype] * max(M, K)}

    pack(b, packed)
    multiply(a, packed, out)
    np.testing.assert_allclose(out, a.astype(np.float64) @ b, **close)

    out[:] = np.nan
    pack_transposed(np.ascontiguousarray(b.T), packed)
    multiply(a, packed, out)
    np.testing.assert_allclose(out, a.astype(np.float64) @ b, **close)

    multiply_transposed(a, g, np.full(TRANSPOSED, np.nan, dtype), gradient, False)
    np.testing.assert_allclose(gradient, a.T.astype(np.float64) @ g, **close)
    multiply_transposed(a, g, np.full(TRANSPOSED, np.nan, dtype), gradient, True)
    np.testing.assert_allclose(gradient, 2 * a.T.astype(np.float64) @ g, **close)


@pytest.mark.parametrize(("M", "N"), [(1, 1), (5, 70), (8, 64), (9, 17)])
def test_nothing_beside_the_output_is_touched(M, N):
    a, b = np.ones((M, 3), np.float32), np.ones((3, N), np.float32)
    memory = np.full(M * N + 200, 7.0, np.float32)
    packed = space(3, N, np.float32)
    pack(b, packed)
    multiply(a, packed, memory[100 : 100 + M * N].reshape(M, N))
    assert (memory[:100] == 7).all() and (memory[100 + M * N :] == 7).all()
    assert (memory[100 : 100 + M * N] == 3).all()


def test_nan_and_infinity_go_through():
    a, b = np.ones((7, 4), np.float32), np.ones((4, 33), np.float32)
    a[2, 1], b[3, 5] = np.nan, np.inf
    packed, out = space(*b.shape, np.float32), np.empty((7, 33), np.float32)
    pack(b, packed)
    multiply(a, packed, out)
    assert np.isnan(out[2]).all() and np.isinf(out[0, 5]) and np.isfinite(np.delete(out, 2, 0)[:, 6:]).all()
