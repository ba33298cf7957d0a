"""Which windows there are: every pair of series and cutoff within bounds, in order."""

import numpy as np

from forecast.series.windows import WindowsBetween, windows_at_end


def test_every_cutoff_within_the_bounds_is_a_window():
    windows = WindowsBetween(np.array([2, 5, 1]), np.array([4, 5, 1]))
    found = windows[:]
    np.testing.assert_array_equal(found, [[0, 2], [0, 3], [0, 4], [1, 5], [2, 1]])
    assert found.dtype == np.int64
    assert len(windows) == 5
    np.testing.assert_array_equal(windows[np.array([4, 0, 3, 0])], [[2, 1], [0, 2], [1, 5], [0, 2]])


def test_series_whose_bounds_cross_has_no_window():
    np.testing.assert_array_equal(WindowsBetween(np.array([3, 1, 9]), np.array([2, 2, 0]))[:], [[1, 1], [1, 2]])
    none = WindowsBetween(np.array([3]), np.array([2]))
    assert len(none) == 0
    assert none[:].shape == (0, 2)


def test_windows_at_the_end_know_everything():
    np.testing.assert_array_equal(windows_at_end(np.array([4, 1])), [[0, 4], [1, 1]])
