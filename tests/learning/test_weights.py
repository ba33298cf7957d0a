"""Weights trained elsewhere: PyTorch's and Keras's files give their own predictions in our network."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from forecast.errors import ModelFileError, ParameterError
from forecast.learning.network import Network, recurrent_layers
from forecast.learning.weights import read_weights
from forecast.models.recurrent import LSTM
from tests import peers
from tests.toys import make_panel

TUTORIAL = peers.GOLDEN / "torch_tutorial.safetensors"
SINGLE = {"rtol": 0, "atol": 3e-6}


def tutorial_prediction(weights, steps):
    """What the classic network forecasts after ``steps`` values of the stored inputs, without training."""
    x = peers.load("torch_tutorial")["x"][:, :steps, 0]
    panel = make_panel({f"row {k}": values for k, values in enumerate(x)})
    fitted = LSTM.classic(window=steps, max_steps=0, weights=weights).fit(panel)
    return fitted.predict(panel, 1).point[:, 0]


def network(inputs, hidden, layers, outputs=1):
    shape = {"steps": 3, "inputs": inputs, "hidden": hidden, "layers": layers, "outputs": outputs}
    return Network(recurrent_layers(embed=0, dropout=False, extra=0, head=0, **shape))


def keras_names(state):
    """A tutorial network's weights as Keras would name them."""
    W, R, b = peers.torch_layer(state, 0, "lstm.")
    return {
        "sequential/lstm/lstm_cell/kernel": W,
        "sequential/lstm/lstm_cell/recurrent_kernel": R,
        "sequential/lstm/lstm_cell/bias": b,
        "sequential/dense/kernel": state["fc.weight"].T,
        "sequential/dense/bias": state["fc.bias"],
    }


@pytest.mark.parametrize("steps", range(2, 7))
def test_torch_file_predicts_as_in_torch(steps):
    expected = peers.load("torch_tutorial")["prediction"][:, steps - 1, 0]
    np.testing.assert_allclose(tutorial_prediction(str(TUTORIAL), steps), expected, **SINGLE)


@pytest.mark.parametrize("suffix", ["", ":0"])
def test_keras_names_predict_alike(suffix, tmp_path):
    weights = {name + suffix: np.ascontiguousarray(a) for name, a in keras_names(load_file(TUTORIAL)).items()}
    expected = peers.load("torch_tutorial")["prediction"][:, 5, 0]
    np.testing.assert_allclose(tutorial_prediction(weights, 6), expected, **SINGLE)
    save_file(weights, tmp_path / "keras.safetensors")
    np.testing.assert_allclose(tutorial_prediction(str(tmp_path / "keras.safetensors"), 6), expected, **SINGLE)


@pytest.mark.parametrize("name", ["torch_lstm_b4_t7_d3_h5_l2_float32", "keras_lstm_b4_t7_d3_h5_l2_float32"])
def test_layers_of_a_stack_keep_their_order(name):
    golden, layer = peers.load(name), peers.torch_layer if name.startswith("torch") else peers.keras_layer
    marks = ("weight_", "bias_", "kernel_", "recurrent_")
    weights = {key: array for key, array in golden.items() if key.startswith(marks)}
    weights |= {"fc.weight": np.ones((1, 5))} if layer is peers.torch_layer else {"dense/kernel": np.ones((5, 1))}
    ours = network(inputs=3, hidden=5, layers=2)
    ours.load(read_weights(weights, ours))
    for depth in range(2):
        for part, expected in zip("WRb", layer(golden, depth), strict=True):
            np.testing.assert_allclose(ours.views()[f"lstm.{depth}.{part}"], expected, rtol=1e-6)
    np.testing.assert_array_equal(ours.views()["output.W"], np.ones((5, 1)))


def test_own_names_are_taken_as_they_are():
    ours, other = network(2, 4, 1), network(2, 4, 1)
    other.initialise(7)
    ours.load(read_weights(other.views(), ours))
    np.testing.assert_array_equal(ours.theta, other.theta)


def test_weights_without_biases_have_biases_of_zero():
    state = {name: a for name, a in load_file(TUTORIAL).items() if "bias" not in name}
    ours = network(1, 50, 1)
    ours.theta[:] = np.nan
    ours.load(read_weights(state, ours))
    assert not ours.views()["lstm.0.b"].any()
    assert not ours.views()["output.b"].any()
    without = {name: a for name, a in keras_names(load_file(TUTORIAL)).items() if "bias" not in name}
    assert not read_weights(without, ours)["lstm.0.b"].any()


def test_training_goes_on_from_the_weights():
    x = np.sin(np.arange(40.0))
    panel = make_panel({"sine": x})
    start = LSTM.classic(window=6, max_steps=0, weights=str(TUTORIAL)).fit(panel).network.theta
    trained = LSTM.classic(window=6, max_steps=1, learning_rate=1e-4, weights=str(TUTORIAL)).fit(panel).network.theta
    assert 0 < np.abs(trained - start).max() < 2e-4


@pytest.mark.parametrize(
    ("ours", "message"),
    [
        ({"inputs": 1, "hidden": 49, "layers": 1}, r"hold \(1, 200\) for 'lstm\.0\.W'; this network needs \(1, 196\)"),
        ({"inputs": 2, "hidden": 50, "layers": 1}, r"hold \(1, 200\) for 'lstm\.0\.W'; this network needs \(2, 200\)"),
        ({"inputs": 1, "hidden": 50, "layers": 2}, r"hold 1 LSTM layers; this network has 2"),
        ({"inputs": 1, "hidden": 50, "layers": 1, "outputs": 3}, r"hold \(50, 1\) for 'output\.W'"),
    ],
)
@pytest.mark.parametrize("convert", [dict, keras_names])
def test_weights_of_another_shape_are_refused(ours, message, convert):
    made = network(**ours)
    with pytest.raises(ParameterError, match=message):
        made.load(read_weights(convert(load_file(TUTORIAL)), made))


@pytest.mark.parametrize("missing", ["lstm.weight_hh_l0", "fc.weight", "lstm.weight_ih_l0"])
def test_incomplete_torch_weights_are_refused(missing):
    state = load_file(TUTORIAL)
    del state[missing]
    made = network(1, 50, 1)
    with pytest.raises(ParameterError, match="weights hold"):
        made.load(read_weights(state, made))


@pytest.mark.parametrize("missing", ["lstm/lstm_cell/kernel", "lstm/lstm_cell/recurrent_kernel", "dense/kernel"])
def test_incomplete_keras_weights_are_refused(missing):
    weights = keras_names(load_file(TUTORIAL))
    del weights[f"sequential/{missing}"]
    made = network(1, 50, 1)
    with pytest.raises(ParameterError, match="weights hold"):
        made.load(read_weights(weights, made))


def test_weights_of_neither_are_refused_with_their_names():
    with pytest.raises(ParameterError, match=r"hold \['a', 'b'\]; expected PyTorch's .* or Keras's"):
        read_weights({"a": np.zeros(1), "b": np.zeros(2)}, network(1, 50, 1))


def test_file_that_is_none_is_refused(tmp_path):
    text = tmp_path / "weights.safetensors"
    text.write_text("not weights")
    for path in (text, tmp_path / "missing.safetensors"):
        with pytest.raises(ModelFileError, match=f"{path.name} cannot be read as a safetensors file"):
            read_weights(path, network(1, 50, 1))
