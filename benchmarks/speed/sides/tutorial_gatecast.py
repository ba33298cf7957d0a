"""Our fit of the tutorials' network, from a data frame."""

import time

import pandas as pd

from benchmarks.speed.sides.tutorial_data import BATCH, EPOCHS, UNITS, WINDOW, values
from benchmarks.speed.worker import serve
from forecast import LSTM, Forecaster
from forecast.models.recurrent.lstm import FittedLSTM


def fit() -> list[float]:
    """Seconds of a whole fit, with the reading of the frame, and the mean squared error of the last epoch."""
    df = pd.DataFrame({"ds": range(500), "y": values()})
    start = time.perf_counter()
    model = LSTM.classic(window=WINDOW, hidden_size=UNITS, max_epochs=EPOCHS, batch_size=BATCH)
    fc = Forecaster(model, freq=1).fit(df)
    seconds = time.perf_counter() - start
    fitted = fc.fitted_["LSTM"]
    assert isinstance(fitted, FittedLSTM)
    return [seconds, list(fitted.losses_.values())[-1]]


if __name__ == "__main__":
    serve({"fit": fit})
