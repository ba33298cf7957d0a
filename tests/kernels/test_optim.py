"""Optimizer steps against PyTorch; sums of gradients.

Notation: P parameters, G groups.
"""

import numpy as np
import pytest

from forecast_kernels.optim.cpu import adam_step, sum_gradients
from tests import naive, peers

LIMITS = {np.float64: {"rtol": 0, "atol": 1e-13}, np.float32: {"rtol": 0, "atol": 2e-7}}  # parameters below 1


def path(start, gradients, dtype, weight_decay=0.0, max_norm=0.0, learning_rate=0.01):
    """Parameters after every step (steps, P)."""
    theta = np.array(start, dtype)
    m, v, gradient = np.zeros_like(theta), np.zeros_like(theta), np.empty_like(theta)
    visited = []
    for step, given in enumerate(np.array(gradients, dtype), start=1):
        norm = sum_gradients(given[None], 1.0, gradient)
        adam_step(theta, gradient, m, v, step, learning_rate, 0.9, 0.999, 1e-8, weight_decay, norm, max_norm)
        visited.append(theta.copy())
    return np.stack(visited)


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_clipped_steps_are_those_of_torch(name, dtype):
    golden = peers.load("torch_optim")
    decay = float(golden["weight_decay"]) if name == "adamw" else 0.0
    found = path(golden["start"], golden["gradients"], dtype, decay, float(golden["max_norm"]))
    np.testing.assert_allclose(found, golden[name], **LIMITS[dtype])


def test_norm_of_zero_means_no_clipping():
    golden = peers.load("torch_optim")
    found = path(golden["start"], golden["gradients"], np.float64)
    np.testing.assert_allclose(found, naive.adam(golden["start"], golden["gradients"], 0.01), **LIMITS[np.float64])


@pytest.mark.parametrize("dtype", LIMITS)
def test_gradients_of_groups_are_summed_and_scaled(dtype):
    gradients = np.random.default_rng(0).normal(size=(3, 50)).astype(dtype)
    total = np.full(50, np.nan, dtype)
    norm = sum_gradients(gradients, 0.25, total)
    expected = 0.25 * gradients.astype(np.float64).sum(axis=0)
    np.testing.assert_allclose(total, expected, rtol=1e-5 if dtype is np.float32 else 1e-13, atol=1e-6)
    assert norm == pytest.approx(np.linalg.norm(expected), rel=1e-6)


def test_nan_gradient_shows_in_the_norm():
    gradients = np.array([[1.0, np.nan], [1.0, 1.0]])
    assert np.isnan(sum_gradients(gradients, 1.0, np.empty(2)))
