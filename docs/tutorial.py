"""The classic tutorial: a sine wave with noise, a window of 10, LSTM(50) + Dense(1), 20 epochs in batches of 32.

Run it with ``python docs/tutorial.py``; it prints the error and writes two pictures beside itself, or into the folder
given as its argument.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from forecast import LSTM, Forecaster
from forecast.reporting.plot import forecast_figure, loss_figure

NOISE = 0.1  # standard deviation: no forecast can have a mean squared error below NOISE**2 = 0.01


def main(folder: Path) -> float:
    """Train on the first 400 points, forecast each of the last 100 one step ahead; returns the mean squared error."""
    rng = np.random.default_rng(0)
    t = np.arange(500)
    df = pd.DataFrame({"ds": t, "y": np.sin(0.1 * t) + NOISE * rng.standard_normal(500)})

    fc = Forecaster(LSTM.classic(window=10, hidden_size=50, max_epochs=20), freq=1)
    one_step = fc.backtest(df, h=1, n_windows=100, refit=False)
    mse = float(((one_step["y"] - one_step["LSTM"]) ** 2).mean())

    fc.fit(df.head(400))
    loss_figure({"LSTM": fc.fitted_["LSTM"].losses_}).savefig(folder / "tutorial-loss.png", dpi=100)
    forecast_figure(fc.read(df), one_step, "LSTM").savefig(folder / "tutorial-forecast.png", dpi=100)
    return mse


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    print(f"Mean squared error of 100 one-step forecasts: {main(where):.4f} (the noise alone has {NOISE**2:.4f})")
