"""The command; see the package's docstring."""

import argparse
import os
import shlex
import sys
from pathlib import Path

import benchmarks.horizons
from benchmarks import typed
from benchmarks.horizons.parts import SPLITS, read_split
from benchmarks.horizons.report import report
from benchmarks.horizons.runs import run
from benchmarks.horizons.sets import HORIZONS, SETS
from forecast.cli.progress import progress_on_stderr
from forecast.errors import ForecastError


def main() -> None:
    """Parse, run, print, write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.horizons",
        description=benchmarks.horizons.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dataset", choices=SETS, metavar="SET", help=", ".join(SETS))
    parser.add_argument("horizon", type=int, help=f"steps to forecast; published: {', '.join(map(str, HORIZONS))}")
    parser.add_argument("--data", type=Path, required=True, help="the set's file")
    parser.add_argument("--split", choices=SPLITS, default="test", help="what to judge by (default test)")
    parser.add_argument("--models", default="lstm,xlstm,seasonal-naive,naive", help="separated by commas")
    parser.add_argument("--members", type=int, default=1, help="networks in the ensemble of lstm or xlstm (default 1)")
    parser.add_argument("--seed", type=int, default=0, help="of the first network (default 0)")
    parser.add_argument("--every", type=int, default=1, help="forecast from each k-th window only, for a quick look")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="an option of the networks")
    parser.add_argument("--output", type=Path, help="write the table to this file as well")
    arguments = parser.parse_args()
    dataset = SETS[arguments.dataset]
    options = {"n_members": arguments.members, "seed": arguments.seed, **typed.options(arguments.set)}
    try:
        split = read_split(arguments.data, dataset, arguments.horizon, arguments.split, arguments.every)
        with progress_on_stderr() as progress:
            names = dict.fromkeys(arguments.models.split(","))
            runs = [run(name, dataset, split, options, progress) for name in names]
    except ForecastError as error:
        sys.exit(str(error))
    words = [Path(word).name if os.sep in word else word for word in sys.argv[1:]]  # paths belong to the machine
    text = report(dataset, split, arguments.split, runs, shlex.join(["python", "-m", "benchmarks.horizons", *words]))
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
