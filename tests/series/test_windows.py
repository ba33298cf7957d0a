"""Which windows there are: every pair of series and cutoff within bounds, in order."""

import numpy as np

from forecast.series.windows import windows_at_end, windows_between


def test_every_cutoff_within_the_bounds_is_a_window():
    found = windows_between(np.array([2, 5, 1]), np.array([4, 5, 1]))
    np.testing.assert_array_equal(found, [[0, 2], [0, 3], [0, 4], [1, 5], [2, 1]])
    assert found.dtype == np.int64


def test_series_whose_bounds_cross_has_no_window():
    np.testing.assert_array_equal(windows_between(np.array([3, 1, 9]), np.array([2, 2, 0])), [[1, 1], [1, 2]])
    assert windows_between(np.array([3]), np.array([2])).shape == (0, 2)


def test_windows_at_the_end_know_everything():
    np.testing.assert_array_equal(windows_at_end(np.array([4, 1])), [[0, 4], [1, 1]])
