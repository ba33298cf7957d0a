"""What covariates are worth: day-ahead electricity prices with and without the forecasts published before the auction.

    python -m benchmarks.covariates                 the last 14 days of four markets, three seeds
    python -m benchmarks.covariates --days 28 --seeds 1

For each of the last days, the 24 prices of the next day of four markets (shipped data ``electricity_prices``, see
data/README.md) are forecast by one network, trained once on what lies before them. The covariates are the forecasts of
load and of generation for that day, which are known when the prices are not. Printed is the mean absolute error, in
euros per megawatt hour, and how much of that without covariates is saved; each network is the mean over the seeds of
the errors (not an ensemble). Needs ``pip install -e .``; takes under a minute on two cores.
"""

import argparse
from typing import Any

import numpy as np
import pandas as pd

from forecast import LSTM, Forecaster, SeasonalNaive, datasets

FORECASTS = ("load_forecast", "generation_forecast")
HORIZON = 24
WITHOUT, MAIN = "without covariates", "with future covariates"
ROWS: dict[str, dict[str, Any]] = {
    WITHOUT: {},
    "with historic covariates alone": {"historic": FORECASTS},
    MAIN: {"future": FORECASTS},
    "with future covariates as of last day": {"future": FORECASTS, "future_exog": "last"},
    "with future, market, calendar": {"future": FORECASTS, "static": "unique_id", "calendar": ("weekend", "dayofweek")},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--days", type=int, default=14, help="rolling days at the end of the data (default 14)")
    parser.add_argument("--seeds", type=int, default=3, help="networks whose errors are averaged (default 3)")
    args = parser.parse_args()
    table = measure(args.days, args.seeds)
    print(f"Mean absolute error over {args.days} rolling days of {HORIZON} hours, {args.seeds} seeds\n")
    print(table.to_string(float_format=lambda value: f"{value:.2f}", formatters={"saved": "{:.1%}".format}))


def measure(days: int, seeds: int, rows: dict[str, dict[str, Any]] = ROWS, **options: Any) -> pd.DataFrame:
    """MAE of each row by market and over all, and the share of the first row's that is saved.

    Parameters
    ----------
    days : int
        Windows of 24 hours, one a day, at the end of the data.
    seeds : int
        Networks of a row.
    rows : dict
        What is declared, and perhaps ``future_exog``, by name; the first is what the others are compared with.
    **options
        Fields of ``LSTM``, e.g. fewer steps.
    """
    frame = datasets.load("electricity_prices")
    models = [LSTM(alias=f"seed {seed}", seed=seed, **options) for seed in range(seeds)]
    errors = {"SeasonalNaive": errors_of([SeasonalNaive()], frame, days, {})}
    errors |= {name: errors_of(models, frame, days, declared) for name, declared in rows.items()}
    table = pd.DataFrame(errors).T
    table["all"] = table.mean(axis=1)
    table["saved"] = 1 - table["all"] / table.loc[next(iter(rows)), "all"]
    return table


def errors_of(models: list[Any], frame: pd.DataFrame, days: int, declared: dict[str, Any]) -> "pd.Series[float]":
    """MAE by market, averaged over the models."""
    declared = dict(declared)
    mode = declared.pop("future_exog", "realised")
    cv = Forecaster(models, **declared).backtest(frame, HORIZON, n_windows=days, refit=False, future_exog=mode)
    losses = [(cv[model.name] - cv["y"]).abs().groupby(cv["unique_id"]).mean() for model in models]
    return pd.Series(np.mean(losses, axis=0), index=losses[0].index)


if __name__ == "__main__":
    main()
