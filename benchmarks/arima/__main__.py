"""The command; see the package's docstring."""

import argparse
import sys
from pathlib import Path

import benchmarks.arima
from benchmarks.arima import peers, search


def main() -> None:
    """Parse, and measure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.arima",
        description=benchmarks.arima.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True)
    beside = commands.add_parser("peers", help="beside statsforecast")
    beside.add_argument("sets", nargs="+", metavar="FILE[:SEASON[:COUNT[:MATCH]]]")
    beside.add_argument("--python", default=sys.executable, help="Python of our side")
    beside.add_argument("--peer-python", default=sys.executable, help="Python that has statsforecast")
    beside.add_argument("--series", type=Path, metavar="FILE", help="write what came out for every series to this CSV")
    beside.set_defaults(run=peers.main)
    steps = commands.add_parser("search", help="beside an exhaustive search")
    search.add_arguments(steps)
    steps.set_defaults(run=search.main)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
