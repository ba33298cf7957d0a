"""The command; see the package's docstring."""

import argparse
import hashlib
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

import benchmarks.pretrain
from benchmarks.pretrain.corpora import CORPORA, Real, read
from benchmarks.pretrain.training import trained
from forecast.cli.progress import progress_on_stderr
from forecast.learning.training import Schedule
from forecast.learning.warmup import warmup
from forecast.models.pretrained.bands import BANDS, WEIGHTS, Band
from forecast.progress import Progress

STEPS = {"none": 8_000, "quarters": 8_000, "months": 8_000, "weeks": 4_000, "hours": 10_000}
CODE = ("synthetic.py", "real.py", "corpora.py", "training.py")  # a change in these trains anew
SCHEDULE = Schedule(max_steps=1, batch_size=256, learning_rate=2e-3)


def main() -> None:
    """Parse, train what is missing, write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pretrain",
        description=benchmarks.pretrain.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="the data sets' files")
    parser.add_argument("--output", type=Path, default=WEIGHTS, help="the file of weights (default: the package's own)")
    parser.add_argument("--work", type=Path, default=Path("build/pretrain"), help="where finished networks are kept")
    parser.add_argument("--bands", default=",".join(CORPORA), help=f"some of {', '.join(CORPORA)}")
    parser.add_argument("--holdout", action="store_true", help="leave the last horizon of each series out")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (default 0)")
    parser.add_argument("--threads", type=int, help="threads (default: all)")
    arguments = parser.parse_args()
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
    """A network's parameters, from the folder of finished ones or by training."""
    seed = 1_000 * arguments.seed + member
    schedule = replace(SCHEDULE, max_steps=STEPS[band.name], seed=seed)
    code = "".join(Path(__file__).with_name(name).read_text() for name in CODE)
    digest = hashlib.sha256(repr((band, schedule, arguments.holdout, code)).encode()).hexdigest()[:12]
    place = arguments.work / f"{band.name}-{member}-{digest}.npy"
    if place.exists():
        return np.load(place)
    start = time.perf_counter()
    rng = np.random.default_rng([arguments.seed, *band.name.encode()])
    progress.start(f"{band.name} {member + 1}", schedule.max_steps)
    theta, history = trained(band, CORPORA[band.name](found, rng), member, schedule, progress, arguments.threads)
    progress.finish()
    np.save(place, theta)
    loss = history.losses[max(history.losses)]
    print(f"{band.name} {member + 1}: {len(theta):,} parameters, loss {loss:.4f}, {time.perf_counter() - start:.0f} s")
    return theta


if __name__ == "__main__":
    main()
