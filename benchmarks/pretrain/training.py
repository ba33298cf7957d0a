"""Windows drawn from the sources, and the training of one network.

Notation: S series, n windows.
"""

from collections.abc import Sequence

import numpy as np

from benchmarks.pretrain.corpora import Source
from benchmarks.pretrain.synthetic import Floats, Rng
from forecast.learning.checkpoint import Checkpoint
from forecast.learning.training import History, Schedule, WindowData, train
from forecast.models.pretrained.bands import Band, told
from forecast.models.recurrent.assembly import build_network, data_of
from forecast.models.recurrent.inputs import Arrays
from forecast.progress import Progress
from forecast.series.windows import Windows

SHORTEST = 3  # values that a context has at least
SHORT = 0.15  # share of the windows whose context may be shorter than a season
DRAWN = 1 << 22  # windows drawn at most; they are learned from again and again


def trained(
    band: Band, sources: Sequence[Source], member: int, schedule: Schedule, progress: Progress, threads: int | None,
    checkpoint: Checkpoint | None = None,
) -> tuple[Floats, History]:  # fmt: skip
    """Parameters (P,) of one member of a band, and what happened; with a checkpoint, training goes on from there."""
    config = band.config(band.seasons[0], member)
    network, objective = build_network(config, band.inputs(band.seasons[0]))
    network.initialise(schedule.seed)
    rng = np.random.default_rng([schedule.seed, 2])
    windows = draw_windows(sources, min(schedule.max_steps * schedule.batch_size, DRAWN), rng)
    data = _data(sources, band, config.transform)
    history = train(network, data, windows, objective, schedule, progress, None, threads, checkpoint=checkpoint)
    return network.theta, history


def _data(sources: Sequence[Source], band: Band, transform: str) -> WindowData:
    """All series in flat arrays."""
    series = [y for source in sources for y in source.series]
    seasons = np.array([m for source in sources for m in source.seasons], np.int64)
    indptr = np.concatenate([[0], np.cumsum([len(y) for y in series])]).astype(np.int64)
    values = [told(int(m)) if band.seasonal else () for m in seasons]
    statics = np.array(values, np.float32).reshape(len(series), -1)
    exog = Arrays(np.zeros((0, 0), np.float32), np.zeros((0, 3), np.int64), statics)
    own = seasons if band.seasonal else np.zeros_like(seasons)
    return data_of(np.concatenate(series), indptr, own, transform, exog)[0]


def draw_windows(sources: Sequence[Source], count: int, rng: Rng) -> Windows:
    """(count, 2) windows: a source by its weight, any of its series, and any cutoff that leaves something to forecast.

    Most cutoffs leave a season before them, as most users' series do.
    """
    weights = np.array([source.weight for source in sources])
    sizes = np.array([len(source.series) for source in sources])
    lengths = np.array([len(y) for source in sources for y in source.series])
    seasons = np.array([m for source in sources for m in source.seasons])
    source = rng.choice(len(sources), count, p=weights / weights.sum())
    series = np.cumsum([0, *sizes[:-1]])[source] + (rng.random(count) * sizes[source]).astype(np.int64)
    least = SHORTEST + np.where(rng.random(count) < SHORT, 0, seasons[series])
    last = lengths[series] - 1
    first = np.maximum(np.minimum(least, last - 1), 1)
    cutoff = first + (rng.random(count) * (last - first + 1)).astype(np.int64)
    return np.stack([series, cutoff], axis=1).astype(np.int64)
