"""Our fit, predict and backtest of the panel."""

import time

from benchmarks.speed.sides import panel_data as given
from benchmarks.speed.worker import serve
from forecast import LSTM, Forecaster


class Side:
    """A Forecaster and its data."""

    def __init__(self) -> None:
        self.df = given.history()
        self.fit(steps=2)
        self.predict()

    def _model(self, steps: int) -> Forecaster:
        model = LSTM(
            context_length=given.CONTEXT, patch_length=1, season_length=given.SEASON, hidden_size=given.UNITS,
            num_layers=given.LAYERS, embedding_size=0, head_size=0, dropout=0.0, loss="absolute", transform="none",
            scaler="mean", mask_input=False, learning_rate=given.RATE, schedule="constant",
            batch_size=given.WINDOWS, max_steps=steps,
        )  # fmt: skip
        return Forecaster(model, freq="MS")

    def fit(self, steps: int = given.STEPS) -> float:
        """Seconds."""
        start = time.perf_counter()
        self.forecaster = self._model(steps).fit(self.df, h=given.HORIZON)
        return time.perf_counter() - start

    def predict(self) -> float:
        """Seconds."""
        start = time.perf_counter()
        self.forecasts = self.forecaster.predict(given.HORIZON)
        return time.perf_counter() - start

    def backtest(self) -> float:
        """Seconds; the model is trained once, before the first window."""
        start = time.perf_counter()
        forecaster = self._model(given.STEPS)
        forecaster.backtest(
            self.df, given.HORIZON, n_windows=given.BACKTEST_WINDOWS, step_size=given.HORIZON, refit=False
        )
        return time.perf_counter() - start

    def error(self) -> float:
        """Of the last ``predict``."""
        return given.error(self.forecasts, "LSTM")


if __name__ == "__main__":
    side = Side()
    serve({"fit": side.fit, "predict": side.predict, "backtest": side.backtest, "error": side.error})
