"""Windows gathered on the GPU, or in the simulator, against the CPU's; and what is done around a batch.

Notation: S series, B windows, T patches, h horizon, C covariates, Q outputs a step.
"""

import numpy as np
import pytest

from forecast_kernels.device import gpu
from forecast_kernels.scalars import mix
from forecast_kernels.windows import cpu
from forecast_kernels.windows.cpu import DEVIATION, DIFFERENCE, LAST, MEAN, NONE, SERIES, Windowing

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not gpu().available, reason=f"{gpu().missing}; test_simulated.py runs this in the simulator"),
]
if gpu().available:
    from numba import cuda

    from forecast_kernels.batches import gpu as batches
    from forecast_kernels.reduction.gpu import BLOCKS
    from forecast_kernels.windows import gpu as twin

LENGTHS, SEASONS = (31, 9, 14), (4, 0, 3)
# The first with all its past; padded; its past unobserved but for one value; past the end; nothing observed at all.
WINDOWS = np.array([[0, 20], [0, 3], [1, 7], [1, 9], [2, 6], [0, 31], [2, 2]])


def series(seed):
    """Values with gaps, covariates that reach two steps beyond the values of all but the last series, and statics."""
    rng = np.random.default_rng(seed)
    y = rng.normal(50, 9, sum(LENGTHS))
    y[rng.uniform(size=len(y)) < 0.25] = np.nan
    y[[31, 32, 33, 34, 36, 37]] = y[40:42] = np.nan  # of the second series the sixth is left; the third starts so
    indptr = np.cumsum([0, *LENGTHS])
    ends = indptr[1:] + 2 * np.arange(1, 4)
    spans = np.stack([indptr[:-1] + 2 * np.arange(3), indptr[:-1] + 2 * np.arange(3), ends - [0, 0, 4]], axis=1)
    exog = rng.normal(size=(ends[-1], 3)).astype(np.float32)
    exog[rng.uniform(size=exog.shape) < 0.2] = np.nan
    levels, floors = np.array([[40.0, 3.0], [60.0, 2.0], [50.0, 1.0]]), np.array([0.5, 30.0, 0.5])
    statics = rng.normal(size=(3, 2)).astype(np.float32)
    return y, indptr, levels, floors, np.array(SEASONS), exog, spans, statics


CASES = {
    "plain": Windowing(6, 1, 1, 0, NONE, 0),
    "last value": Windowing(12, 4, 5, 0, LAST, 1),
    "season": Windowing(10, 5, 7, 1, MEAN, 1),
    "season and differences": Windowing(9, 3, 4, 1, MEAN, 0, DIFFERENCE),
    "levels of the series": Windowing(8, 2, 3, 1, SERIES, 1, DEVIATION),
    "weights": Windowing(6, 3, 4, 1, MEAN, 1, power=2),
    "covariates": Windowing(8, 4, 4, 0, MEAN, 1, DIFFERENCE, 2),
    "covariates that are all known": Windowing(8, 4, 4, 0, MEAN, 1, DIFFERENCE, 3),
    "covariates and season": Windowing(8, 4, 6, 1, LAST, 1, DEVIATION, 2),
}


@pytest.mark.parametrize("name", CASES)
def test_windows_are_those_of_the_cpu(name):
    spec = CASES[name]
    data = series(len(name))
    if not spec.known:
        data = (*data[:5], np.zeros((0, 0), np.float32), np.zeros((0, 3), np.int64), np.zeros((0, 0), np.float32))
    C, Z, B, h = data[5].shape[1], data[7].shape[1], len(WINDOWS), spec.horizon
    shapes = {
        "x": (spec.context // spec.patch, B, spec.patch * (1 + spec.masked + C - spec.known * spec.seasonal)),
        "extra": (B, h * (spec.seasonal + spec.known) + C + Z), "base": (B, h), "scale": (B,), "target": (B, h),
        "mask": (B, h),
    }  # fmt: skip
    exact = "base", "scale"
    arrays = {key: np.full(shape, np.nan, np.float64 if key in exact else np.float32) for key, shape in shapes.items()}
    there = [cuda.to_device(array) for array in arrays.values()]
    twin.gather_windows(*map(cuda.to_device, data), cuda.to_device(WINDOWS), spec, *there)
    cpu.gather_windows(*data, WINDOWS, spec, *arrays.values())
    for (key, expected), found in zip(arrays.items(), there, strict=True):
        limits = {"rtol": 1e-13} if key in exact else {"rtol": 2e-6, "atol": 1e-6}  # roundings of one sum; of float32
        np.testing.assert_allclose(found.copy_to_host(), expected, err_msg=key, **limits)
    assert (arrays["mask"] > 0).any() and (arrays["mask"] == 0).any()


def test_batch_is_picked_and_noted():
    windows, seeds, rates = np.arange(20).reshape(10, 2), np.array([3, 2**63 + 4], np.uint64), np.array([0.1, 0.2])
    found = [np.zeros((4, 2), np.int64), np.zeros(1, np.uint64), np.zeros(1), np.zeros(1, np.int64)]
    chosen, seed, rate, number = map(cuda.to_device, found)
    lists = [cuda.to_device(array) for array in (windows, seeds, rates)]
    batches.pick_batch(*lists, 6, 1, 5, chosen, seed, rate, number)
    np.testing.assert_array_equal(chosen.copy_to_host(), windows[6:])
    assert (rate.copy_to_host()[0], number.copy_to_host()[0]) == (0.2, 6)
    assert seed.copy_to_host()[0] == mix(seeds[1], np.uint64(0))  # of the first group of the CPU
    results = [cuda.to_device(np.full(BLOCKS + 1, value)) for value in (7.0, 8.0, 9.0)]
    totals, norms = cuda.to_device(np.zeros((2, 2))), cuda.to_device(np.zeros(2))
    batches.note_batch(*results, 1, totals, norms)
    np.testing.assert_array_equal(totals.copy_to_host(), [[0, 0], [7, 8]])
    np.testing.assert_array_equal(norms.copy_to_host(), [0, 9])


@pytest.mark.parametrize("share", [0.0, 0.6])
def test_terms_are_counted(share):
    mask = (np.random.default_rng(0).uniform(size=(7, 11)) < share).astype(np.float32)
    result, scale = cuda.to_device(np.full(BLOCKS + 1, np.nan)), cuda.to_device(np.full(1, np.nan))
    batches.count_terms(cuda.to_device(mask), 3, result, scale)
    count = 3 * int(mask.sum())
    assert result.copy_to_host()[0] == count
    assert scale.copy_to_host()[0] == 1 / max(count, 1)


def test_forecasts_are_in_the_units_of_the_series():
    rng = np.random.default_rng(1)
    output, base, scale = rng.normal(size=(3, 10)).astype(np.float32), rng.normal(size=(3, 5)), rng.normal(size=3)
    out = cuda.to_device(np.zeros((5, 10)))
    batches.restore_units(*map(cuda.to_device, (output, base, scale)), 2, 2, out)
    expected = np.repeat(base, 2, axis=1) + scale[:, None] * output
    np.testing.assert_allclose(out.copy_to_host(), [*np.zeros((2, 10)), *expected], rtol=1e-14)
