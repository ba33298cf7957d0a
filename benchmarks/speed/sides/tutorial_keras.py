"""Keras's fit of the tutorials' network, on the backend that the environment variable KERAS_BACKEND names."""

import time

import keras

from benchmarks.speed.sides.tutorial_data import BATCH, EPOCHS, UNITS, WINDOW, windows
from benchmarks.speed.worker import serve


class Side:
    """One model; Keras compiles it in its first fit, and a later fit finds it compiled."""

    def __init__(self) -> None:
        self.model: keras.Model | None = None

    def fit(self) -> list[float]:
        """Seconds of a whole fit, and the mean squared error of the last epoch; the first call makes the model too."""
        x, y = windows()
        start = time.perf_counter()
        if self.model is None:
            layers = [keras.Input((WINDOW, 1)), keras.layers.LSTM(UNITS), keras.layers.Dense(1)]
            self.model = keras.Sequential(layers)
            self.model.compile(optimizer="adam", loss="mse")
        history = self.model.fit(x, y, epochs=EPOCHS, batch_size=BATCH, verbose=0)
        return [time.perf_counter() - start, history.history["loss"][-1]]


if __name__ == "__main__":
    serve({"fit": Side().fit})
