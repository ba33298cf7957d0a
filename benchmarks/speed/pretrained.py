"""Section ``pretrained``: forecasts without training, and `forecast run` of every shipped data set."""

from statistics import median

from benchmarks.speed.cold import seconds_of
from benchmarks.speed.options import Options
from benchmarks.speed.readme import footer, table
from benchmarks.speed.timing import duration
from benchmarks.speed.worker import Worker

RUNS = {
    "air_passengers": 12, "us_gdp": 8, "beer_production": 8, "sunspots": 10, "co2": 13, "bike_daily": 14,
    "oil_price": 10, "electricity_demand": 48, "bike_rentals": 24, "electricity_prices": 24, "road_casualties": 12,
    "hospital": 12,
}  # fmt: skip
TURNS = 3
HEAD = ("", "time")


def section(options: Options) -> str:
    """Measure, and tell in Markdown."""
    with Worker("pretrained_gatecast", options.python) as worker:
        times = worker.call("measure")
        version = worker.call("versions", packages=["numba", "pandas"])
    ratio = times["arima"] / times["many"]
    rows = [
        ("12 months of one series, by a loaded model", duration(times["one"])),
        ("12 months of 10,000 series with an interval, from a panel in memory", duration(times["many"])),
        (
            "the same by `AutoARIMA()`, a hundred times what 100 series took",
            f"{times['arima']:.0f} s ({ratio:.0f} times)",
        ),
    ]
    for name, horizon in RUNS.items():
        words = ("-m", "forecast.cli", "run", f"data/{name}.csv", "-h", str(horizon))
        seconds_of(options.python, words, None)
        taken = median(seconds_of(options.python, words, None) for _ in range(options.turns(TURNS)))
        rows.append((f"`forecast {' '.join(words[2:])}`", duration(taken)))
        options.say(" | ".join(rows[-1]))
    return "\n\n".join(
        (
            "**Pretrained networks**, and whole processes of `forecast run` with the default models, kernels compiled.",
            table(HEAD, rows),
            footer(options.command, [version]),
        )
    )
