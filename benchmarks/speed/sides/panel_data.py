"""500 simulated monthly series of ten years, and the network that both sides train on them."""

import numpy as np
import pandas as pd

SERIES, MONTHS, HORIZON = 500, 120, 12
SEASON, CONTEXT, UNITS, LAYERS, WINDOWS, STEPS, RATE = 12, 24, 64, 2, 128, 300, 2e-3
BACKTEST_WINDOWS = 3


def frame() -> pd.DataFrame:
    """Level, trend, season and noise: unique_id, ds, y; the last ``HORIZON`` months are for judging."""
    rng = np.random.default_rng(0)
    time = np.arange(MONTHS + HORIZON)
    level, trend = rng.uniform(50, 500, (SERIES, 1)), rng.normal(0, 0.003, (SERIES, 1))
    season = rng.normal(0, 0.15, (SERIES, 12))[:, time % 12]
    y = level * (1 + trend * time + season + 0.05 * rng.standard_normal((SERIES, len(time))))
    stamps = pd.date_range("2014-01-01", periods=len(time), freq="MS")
    return pd.DataFrame(
        {"unique_id": np.repeat([f"s{k:03}" for k in range(SERIES)], len(time)), "ds": np.tile(stamps, SERIES),
         "y": y.ravel()}
    )  # fmt: skip


def history() -> pd.DataFrame:
    """What the sides see."""
    whole = frame()
    return whole[whole.groupby("unique_id").cumcount() < MONTHS].reset_index(drop=True)


def error(forecasts: pd.DataFrame, column: str) -> float:
    """Mean absolute error of forecasts of the last months, as a share of the mean value."""
    joined = frame().merge(forecasts, on=["unique_id", "ds"])
    return float((joined["y"] - joined[column]).abs().mean() / joined["y"].mean())
