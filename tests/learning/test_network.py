"""The network: one flat buffer, its views, its initial weights."""

import numpy as np
import pytest

from forecast.errors import ParameterError
from tests import sine


def test_views_cover_the_buffer_once():
    network = sine.network()
    views = network.views()
    assert sum(view.size for view in views.values()) == network.size
    network.theta[:] = np.arange(network.size)
    seen = np.concatenate([view.ravel() for view in views.values()])
    np.testing.assert_array_equal(seen, np.arange(network.size))
    assert all(np.shares_memory(view, network.theta) for view in views.values())


def test_recurrent_weights_start_orthogonal_and_forget_gates_open():
    views = sine.network(4).views()
    for k in range(2):
        R, b = views[f"lstm.{k}.R"], views[f"lstm.{k}.b"]
        np.testing.assert_allclose(R @ R.T, np.eye(8), atol=1e-6)
        np.testing.assert_array_equal(b, np.repeat([0, 1, 0, 0], 8))


def test_other_weights_start_glorot_uniform_and_biases_at_zero():
    views = sine.network(4).views()
    for name, fans in (("embed", 6 + 8), ("lstm.0", 8 + 32), ("hidden", 8 + 8), ("output", 8 + 12)):
        limit, largest = np.sqrt(6 / fans), np.abs(views[f"{name}.W"]).max()
        assert 0.8 * limit < largest <= limit
    assert not views["embed.b"].any()
    assert not views["output.b"].any()


def test_same_seed_draws_the_same_weights_and_another_seed_others():
    np.testing.assert_array_equal(sine.network(1).theta, sine.network(1).theta)
    assert (sine.network(1).theta != sine.network(2).theta).any()


def test_loading_refuses_missing_and_misshapen_weights():
    network = sine.network()
    values = {name: view.copy() for name, view in network.views().items()}
    with pytest.raises(ParameterError, match=r"hold nothing for 'lstm\.1\.R'; this network needs \(8, 32\)"):
        network.load({name: view for name, view in values.items() if name != "lstm.1.R"})
    with pytest.raises(ParameterError, match=r"hold \(3, 3\) for 'lstm\.1\.R'"):
        network.load(values | {"lstm.1.R": np.zeros((3, 3))})
