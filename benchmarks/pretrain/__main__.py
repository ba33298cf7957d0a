"""The command; see the package's docstring."""

import argparse
import hashlib
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

import benchmarks.pretrain
from benchmarks.pretrain.corpora import CORPORA, Real, read
from benchmarks.pretrain.training import trained
from forecast.cli.progress import progress_on_stderr
from forecast.errors import ForecastError
from forecast.learning.checkpoint import Checkpoint
from forecast.learning.training import Schedule
from forecast.learning.warmup import warmup
from forecast.models.pretrained.bands import BANDS, WEIGHTS, Band
from forecast.progress import Progress
from forecast.reporting.report import atomic_file

STEPS = {"none": 8_000, "quarters": 8_000, "months": 8_000, "weeks": 4_000, "hours": 10_000}
CODE = ("synthetic.py", "real.py", "corpora.py", "training.py")  # a change in these trains anew
SCHEDULE = Schedule(max_steps=1, batch_size=256, learning_rate=2e-3)


def main() -> None:
    """Parse, and tell what went wrong in a sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pretrain",
        description=benchmarks.pretrain.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="the data sets' files")
    parser.add_argument("--output", type=Path, default=WEIGHTS, help="the file of weights (default: the package's own)")
    parser.add_argument("--work", type=Path, default=Path("build/pretrain"), help="where networks are kept")
    parser.add_argument("--bands", default=",".join(CORPORA), help=f"some of {', '.join(CORPORA)}")
    parser.add_argument("--holdout", action="store_true", help="leave the last horizon of each series out")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (default 0)")
    parser.add_argument("--threads", type=int, help="threads (default: all)")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.bands.split(",") if name not in CORPORA]
    if unknown:
        parser.error(f"there is no band {unknown[0]!r}; choose from {', '.join(CORPORA)}")
    try:
        _run(arguments)
    except ForecastError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        parser.exit(130, "Interrupted; the same command goes on from here.\n")


def _run(arguments: argparse.Namespace) -> None:
    """Train what is missing, write."""
    arguments.work.mkdir(parents=True, exist_ok=True)
    bands = {band.name: band for band in BANDS}
    found = read(arguments.data, arguments.holdout)
    weights = {}
    with progress_on_stderr(False) as progress:
        warmup(progress, "network")
        for name in arguments.bands.split(","):
            thetas = [_member(bands[name], member, found, arguments, progress) for member in range(bands[name].members)]
            weights[name] = np.stack(thetas).astype(np.float16)
    save_file(weights, arguments.output)
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e6:.2f} MB")


def _member(
    band: Band, member: int, found: Real, arguments: argparse.Namespace, progress: Progress
) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    """A network's parameters, from ``--work`` or by training."""
    seed = 1_000 * arguments.seed + member
    schedule = replace(SCHEDULE, max_steps=STEPS[band.name], seed=seed)
    digest = _digest(band, schedule, found)
    place = arguments.work / f"{band.name}-{member}-{digest}.npy"
    checkpoint = Checkpoint(place.with_suffix(".checkpoint"), digest)
    if not place.exists():
        start = time.perf_counter()
        rng = np.random.default_rng([arguments.seed, *band.name.encode()])
        progress.start(f"{band.name} {member + 1}", schedule.max_steps)
        sources = CORPORA[band.name](found, rng)
        theta, history = trained(band, sources, member, schedule, progress, arguments.threads, checkpoint)
        progress.finish()
        with atomic_file(place) as file:
            np.save(file, theta)
        loss, took = history.losses[max(history.losses)], time.perf_counter() - start
        print(f"{band.name} {member + 1}: {len(theta):,} parameters, loss {loss:.4f}, {took:.0f} s")
    checkpoint.remove()
    return np.asarray(np.load(place), np.float32)


def _digest(band: Band, schedule: Schedule, found: Real) -> str:
    """Of what a network's parameters depend on."""
    code = "".join(Path(__file__).with_name(name).read_text() for name in CODE)
    sha = hashlib.sha256(repr((band, schedule, code)).encode())
    for name in sorted(found):
        sha.update(repr((name, [len(y) for y in found[name]])).encode())
        for y in found[name]:
            sha.update(y.tobytes())
    return sha.hexdigest()[:12]


if __name__ == "__main__":
    main()
