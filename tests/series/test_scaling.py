"""Transforms of whole series, their inverses, and the levels of series with gaps."""

import numpy as np
import pytest

from forecast.series.scaling import CALM, allows_log, is_calm, levels, restored, transformed

NAN = np.nan
Y = np.array([1.0, 2.0, NAN, 4.0, 0.0, 3.0, NAN, NAN, -1.0])
INDPTR = np.array([0, 4, 6, 8, 9])  # positive with a gap; with a zero; unobserved; negative


def test_only_series_of_positive_values_allow_a_logarithm():
    assert allows_log(Y, INDPTR).tolist() == [True, False, False, False]


@pytest.mark.parametrize("lag", [1, 2])
def test_calm_series_are_positive_and_change_little(lag):
    still, wild = np.array([5.0, 5.5, 5.0, 5.5]), np.array([5.0, 9.0, 50.0])
    gappy = np.array([NAN, 5.0, 5.5, 5.2, 5.3])
    parts = (still, wild, -still, [7.0], gappy, [5.0, NAN, NAN, 9.0], [], still)
    indptr = np.cumsum([0, *map(len, parts)])
    assert is_calm(np.concatenate(parts), indptr, lag).tolist() == [True, False, False, False, True, False, False, True]


@pytest.mark.parametrize("lag", [1, 3])
def test_changes_of_a_calm_series_are_judged_by_their_root_mean_square(lag):
    for change, calm in ((0.99 * CALM, True), (1.01 * CALM, False)):
        y = np.exp(change / lag * np.arange(8.0))
        assert is_calm(y, np.array([0, 8]), lag).tolist() == [calm]


def test_logarithm_touches_the_marked_series_alone_and_keeps_gaps():
    out = transformed(Y, INDPTR, np.array([True, False, False, False]))
    np.testing.assert_allclose(out[:4], [0, np.log(2), NAN, np.log(4)])
    np.testing.assert_array_equal(out[4:], Y[4:])
    assert Y[1] == 2.0  # the caller's values are left alone


def test_forecasts_are_restored_to_the_units_of_the_data():
    log = np.array([True, False])
    np.testing.assert_allclose(restored(np.log([[2.0, 3.0], [2.0, 3.0]]), log), [[2, 3], np.log([2, 3])])
    quantiles = np.ones((2, 3, 4))
    np.testing.assert_allclose(restored(quantiles, log)[:, 0, 0], [np.e, 1])


def test_levels_are_those_of_the_observed_values():
    found = levels(Y, INDPTR)
    np.testing.assert_allclose(found[0], [7 / 3, np.std([1, 2, 4])])
    np.testing.assert_allclose(found[1], [1.5, 1.5])
    np.testing.assert_array_equal(found[2:], [[0, 0], [-1, 0]])


def test_empty_series_between_others_takes_nothing_from_them():
    found = levels(np.array([1.0, 3.0, 5.0]), np.array([0, 2, 2, 3]))
    np.testing.assert_allclose(found, [[2, 1], [0, 0], [5, 0]])
