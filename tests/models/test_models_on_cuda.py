"""Models on the GPU, or at tiny sizes in the simulator: training, forecasts, files, and what is said without one."""

import numpy as np
import pytest

from forecast import Forecaster
from forecast.models.recurrent import LSTM, XLSTM
from forecast_kernels import device
from forecast_kernels.device import Gpu, gpu
from tests.toys import PASSENGERS, make_panel

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not gpu().available, reason=f"{gpu().missing}; test_simulated.py runs this in the simulator"),
]
SIZES = {
    "horizon": 2, "context_length": 4, "patch_length": 2, "hidden_size": 2, "head_size": 0, "season_length": 0,
    "quantiles": (0.1, 0.5, 0.9), "max_steps": 2, "batch_size": 3,
}  # fmt: skip


def forecaster(kind=LSTM, **options):
    more = {"num_layers": 1, "embedding_size": 0} if kind is LSTM else {}
    return Forecaster([kind(**{**SIZES, **more, **options})])


@pytest.fixture(scope="module")
def panel():
    return make_panel({"a": PASSENGERS[:20], "b": PASSENGERS[5:17]})


@pytest.fixture(scope="module")
def fitted(panel):
    return forecaster(device="cuda").fit(panel, 2)


def values(frame):
    return frame.iloc[:, 2:].to_numpy()


def test_forecasts_are_those_of_the_cpu(panel, fitted):
    expected = forecaster(device="cpu").fit(panel, 2).predict(2, level=[80])
    np.testing.assert_allclose(values(fitted.predict(2, level=[80])), values(expected), rtol=1e-4)


def test_stored_model_forecasts_where_there_is_no_gpu(fitted, tmp_path, monkeypatch):
    expected = values(fitted.predict(2))
    fitted.save(tmp_path / "model")
    np.testing.assert_array_equal(values(Forecaster.load(tmp_path / "model").predict(2)), expected)
    monkeypatch.setattr(device, "gpu", lambda: Gpu("", "no NVIDIA GPU with its driver was found"))
    np.testing.assert_allclose(values(Forecaster.load(tmp_path / "model").predict(2)), expected, rtol=1e-5)


@pytest.mark.parametrize(
    "model",
    [
        {"kind": XLSTM, "blocks": "s", "num_heads": 1},
        {"kind": XLSTM, "blocks": "m", "num_heads": 1},
        {"linear_path": True},
    ],
)
def test_model_learns_and_forecasts_as_on_the_cpu(panel, model):
    made = [forecaster(**model, device=device).fit(panel, 2) for device in ("cpu", "cuda")]
    expected, found = (next(iter(fitted.fitted_.values())).losses_ for fitted in made)
    np.testing.assert_allclose(list(found), list(expected), rtol=1e-4)
    here, there = (values(fitted.predict(2, level=[80])) for fitted in made)
    np.testing.assert_allclose(there, here, rtol=1e-3)
