"""How close AutoARIMA's stepwise search comes to an exhaustive one over the same orders, and what each takes.

Without a file: twenty shipped monthly and quarterly series; else a CSV or Parquet file in the long format, e.g.
``python -m benchmarks.arima search FILE --match "^M" --season 12``. Options bound the orders, e.g.
``--bounds 3 3 1 1 5`` for p, q, P, Q and their sum; the defaults are AutoARIMA's. The exhaustive search estimates every
model within the bounds from several starts, and those close to the best from more. The last columns give statsmodels'
own estimate (SARIMAX, default starts) of the orders that the stepwise search chose: the AICc that it reaches and its
time for that one model. One core.
"""

import argparse
import re
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from forecast import AutoARIMA, datasets, read_panel
from forecast.models.arima.sample import difference

SHIPPED = ("air_passengers", "road_casualties", "beer_production", "us_gdp", "hospital")


def main(args: argparse.Namespace) -> None:
    """Measure, and print a line a series."""
    p, q, P, Q, order = args.bounds
    model = AutoARIMA(max_p=p, max_q=q, max_P=P, max_Q=Q, max_order=order, n_jobs=1)
    print(
        f"{'series':>16} {'n':>5}  {'stepwise':34} {'AICc':>9} {'s':>6}  {'best of all':34} {'AICc':>9} {'s':>6}",
        end="",
    )
    print(f"  {'behind':>6}  {'SARIMAX':>9} {'s':>6}")
    behind, times = [], []
    for name, y, season in series(args):
        step, t_step = timed(model, y, season)
        best, t_best = timed(AutoARIMA(**vars(model) | {"stepwise": False}), y, season)
        peer, t_peer = statsmodels(y, step.orders)
        behind.append(step.criterion("aicc") - best.criterion("aicc"))
        times.append((t_step, t_best, t_peer))
        print(f"{name[:16]:>16} {len(y):5}  {step.orders!s:34} {step.criterion('aicc'):9.2f} {t_step:6.2f}  ", end="")
        print(f"{best.orders!s:34} {best.criterion('aicc'):9.2f} {t_best:6.2f}  {behind[-1]:6.2f}  ", end="")
        print(f"{peer:9.2f} {t_peer:6.2f}", flush=True)
    spent = np.sum(times, axis=0)
    within = sum(one <= 0.5 for one in behind)
    print(f"\nWithin 0.5 of the best on {within} of {len(behind)} series, {max(behind):.2f} behind at most.")
    print(f"Seconds in all: stepwise {spent[0]:.1f}, exhaustive {spent[1]:.1f}, SARIMAX once a series {spent[2]:.1f}.")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command line may say."""
    parser.add_argument("file", nargs="?", type=Path, help="CSV or Parquet file in the long format")
    parser.add_argument("--match", default="", help="regular expression that the series' names must match")
    parser.add_argument("--season", type=int, help="steps in a season, where the frequency does not tell")
    parser.add_argument("--series", type=int, default=20, help="how many, drawn by chance (default 20)")
    parser.add_argument("--bounds", type=int, nargs=5, default=[5, 5, 2, 2, 5], metavar=("P", "Q", "SP", "SQ", "SUM"))


def series(args: argparse.Namespace) -> Iterator[tuple[str, np.ndarray, int]]:
    """Names, values and season lengths."""
    rng = np.random.default_rng(0)
    panels = [read_panel(datasets.load(name)) for name in SHIPPED] if args.file is None else []
    if args.file is not None:
        panels = [read_panel(args.file, season_length=args.season)]
    left = args.series
    for panel in panels:
        fitting = [s for s in range(len(panel)) if re.search(args.match, str(panel.ids[s]))]
        chosen = fitting if len(fitting) <= left else rng.choice(fitting, left, replace=False)
        for s in sorted(chosen):
            yield str(panel.ids[s]), panel.series(s), panel.season_length
        left -= len(chosen)


def timed(model: AutoARIMA, y: np.ndarray, season: int):
    began = time.perf_counter()
    found = model.fit_series(y, season)
    return found, time.perf_counter() - began


def statsmodels(y: np.ndarray, o) -> tuple[float, float]:
    """AICc of statsmodels' own estimate of these orders on the differenced series, and its seconds."""
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    season = o.season_length if o.P or o.D or o.Q else 0
    trend = "c" if o.constant else "n"
    began = time.perf_counter()
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")  # starts that are not stationary, searches that do not converge: counted as is
        w = difference(y, o.d, o.D, o.season_length)
        found = SARIMAX(
            w, order=(o.p, 0, o.q), seasonal_order=(o.P, 0, o.Q, season), trend=trend, concentrate_scale=True
        ).fit(disp=0)
    return found.aicc, time.perf_counter() - began
