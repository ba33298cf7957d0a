"""The command; see the package's docstring."""

import argparse
import os
import shlex
import sys
from pathlib import Path

import benchmarks.accuracy
from benchmarks import typed
from benchmarks.accuracy.data import SPLITS, read_split
from benchmarks.accuracy.report import report
from benchmarks.accuracy.runs import run
from benchmarks.accuracy.sets import SETS
from forecast.evaluation.backtest import INTERVALS


def main() -> None:
    """Parse, run, print, write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description=benchmarks.accuracy.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dataset", choices=SETS, metavar="SET", help=", ".join(SETS))
    parser.add_argument("--data", type=Path, required=True, help="the set's file")
    parser.add_argument("--split", choices=SPLITS, default="test", help="what to judge by (default test)")
    parser.add_argument("--members", type=int, default=1, help="networks in the ensemble of lstm or xlstm (default 1)")
    parser.add_argument("--models", help="fitted, separated by commas; by the set if left out")
    parser.add_argument("--seed", type=int, default=0, help="of the first network (default 0)")
    parser.add_argument("--every", type=int, default=1, help="take each k-th series only, for slow methods")
    parser.add_argument("--intervals", choices=INTERVALS, default="native", help="calibrated ones take a fit more")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="an option of the networks")
    parser.add_argument("--output", type=Path, help="write the table to this file as well")
    arguments = parser.parse_args()
    dataset = SETS[arguments.dataset]
    split = read_split(arguments.data, dataset, arguments.split, arguments.every)
    options = {"n_members": arguments.members, "seed": arguments.seed, **typed.options(arguments.set)}
    names = tuple(arguments.models.split(",")) if arguments.models else dataset.models
    kind = arguments.intervals
    runs = [one for name in dict.fromkeys((*names, "naive2")) for one in run(name, dataset, split, options, kind)]
    words = [Path(word).name if os.sep in word else word for word in sys.argv[1:]]  # paths belong to the machine
    text = report(dataset, split, arguments.split, runs, shlex.join(["python", "-m", "benchmarks.accuracy", *words]))
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
