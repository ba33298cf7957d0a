"""Time and memory of reading, windows, fit and predict for many short series, in a process of its own."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.speed.worker import serve
from forecast import LSTM, Forecaster
from forecast.learning.warmup import warmup
from forecast.series.frame import read_panel

MONTHS, HORIZON, STEPS = 100, 12, 100
STATUS = Path("/proc/self/status")


def frame(series: int) -> pd.DataFrame:
    """Level, season and noise; a hundred months each."""
    rng = np.random.default_rng(0)
    season = 1 + 0.2 * np.sin(np.arange(MONTHS) * np.pi / 6)
    y = rng.uniform(50, 500, (series, 1)) * (season + 0.05 * rng.standard_normal((series, MONTHS)))
    stamps = pd.date_range("2015-01-01", periods=MONTHS, freq="MS")
    ids = np.repeat([f"s{k:06}" for k in range(series)], MONTHS)
    return pd.DataFrame({"unique_id": ids, "ds": np.tile(stamps, series), "y": y.ravel()})


def phase(work: Callable[[], Any]) -> tuple[Any, float, int]:
    """What the work returns, its seconds, and the most memory that the process had beyond what it had before."""
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start, _status("VmHWM") - before


def _status(name: str) -> int:
    """Bytes."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def measure(series: int) -> dict[str, tuple[float, int]]:
    """Seconds and bytes of each phase; everything has been compiled and run once before."""
    warmup()
    forecaster = Forecaster(LSTM(hidden_size=32, num_layers=1, batch_size=256, max_steps=STEPS), freq="MS")
    few = frame(10)
    forecaster.fit(few, h=HORIZON).predict(HORIZON, level=[80])
    data = [frame(series)]
    panel, *read = phase(lambda: read_panel(data[0], freq="MS"))
    data.clear()
    _, *fit = phase(lambda: forecaster.fit(panel, h=HORIZON))
    _, *predict = phase(lambda: forecaster.predict(HORIZON, level=[80]))
    return {"read": tuple(read), "fit": tuple(fit), "predict": tuple(predict)}


if __name__ == "__main__":
    serve({"measure": measure})
