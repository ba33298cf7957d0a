"""neuralforecast's fit, predict and backtest of the panel; what it logs and draws is switched off, which saves time."""

import logging
import time
import warnings

from neuralforecast import NeuralForecast
from neuralforecast.losses.pytorch import MAE
from neuralforecast.models import LSTM

from benchmarks.speed.sides import panel_data as given
from benchmarks.speed.worker import serve


class Side:
    """A NeuralForecast and its data."""

    def __init__(self) -> None:
        logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
        warnings.filterwarnings("ignore")
        self.df = given.history()
        self.fit(steps=2)
        self.predict()

    def _model(self, steps: int) -> NeuralForecast:
        model = LSTM(
            h=given.HORIZON, input_size=given.CONTEXT, encoder_n_layers=given.LAYERS, encoder_hidden_size=given.UNITS,
            decoder_layers=1, loss=MAE(), max_steps=steps, learning_rate=given.RATE, num_lr_decays=0,
            windows_batch_size=given.WINDOWS, scaler_type="standard", logger=False, enable_progress_bar=False,
            enable_model_summary=False, enable_checkpointing=False, accelerator="cpu",
        )  # fmt: skip
        return NeuralForecast(models=[model], freq="MS")

    def fit(self, steps: int = given.STEPS) -> float:
        """Seconds."""
        start = time.perf_counter()
        self.forecaster = self._model(steps)
        self.forecaster.fit(self.df)
        return time.perf_counter() - start

    def predict(self) -> float:
        """Seconds."""
        start = time.perf_counter()
        self.forecasts = self.forecaster.predict()
        return time.perf_counter() - start

    def backtest(self) -> float:
        """Seconds; the model is trained once, before the first window."""
        start = time.perf_counter()
        self._model(given.STEPS).cross_validation(
            self.df, n_windows=given.BACKTEST_WINDOWS, step_size=given.HORIZON, refit=False
        )
        return time.perf_counter() - start

    def error(self) -> float:
        """Of the last ``predict``."""
        return given.error(self.forecasts, "LSTM")


if __name__ == "__main__":
    side = Side()
    serve({"fit": side.fit, "predict": side.predict, "backtest": side.backtest, "error": side.error})
