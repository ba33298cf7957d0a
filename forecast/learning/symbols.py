"""Networks over sequences of symbols: training on chunks of parallel streams, judging, and continuing.

Notation: V symbols, R streams of L symbols, T steps a chunk.
"""

import heapq
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from forecast.learning.network import ALIGNED, Network, aligned_zeros
from forecast.learning.training import History, Schedule, learn, rows_per_group
from forecast.progress import Progress
from forecast_kernels.jit import make_ready, startable, threads
from forecast_kernels.network import cpu as kernels
from forecast_kernels.network.states import start_states
from forecast_kernels.network.table import NORM, Heads
from forecast_kernels.symbols.blocks import continue_blocks
from forecast_kernels.symbols.cpu import run_chunks
from forecast_kernels.symbols.foretell import foretell_all
from forecast_kernels.symbols.step import continue_text

Array = npt.NDArray[Any]
Symbols = npt.NDArray[np.int32]

UNJUDGED = -1  # in place of a target
SCORED = 32  # streams that are scored side by side
GROUPS = 64  # of histories that are foretold from: enough for any number of threads to share evenly


Pair = tuple[Symbols, Symbols]  # what comes in, and what came after each; `UNJUDGED` where none is judged


class Chunks(NamedTuple):
    """Chunks of streams, one after the other."""

    inputs: Symbols  # (R, chunks * T)
    targets: Symbols  # (R, chunks * T)
    fresh: npt.NDArray[np.bool_]  # (R, chunks) whether the state is zero there


class Streams:
    """Sequences laid out in parallel streams of chunks; each begins with a chunk and the state zero.

    Parameters
    ----------
    sequences : sequence of (inputs, targets), arrays (n,) each
        Symbols, and what came after each; `UNJUDGED` where that is not to be learned or judged.
    rows : int
        Streams, at most; R is the number of sequences if that is less.
    steps : int
        T.
    seed : int, optional
        With one, every pass has the sequences in another order.
    """

    def __init__(self, sequences: Sequence[Pair], rows: int, steps: int, seed: int | None = None) -> None:
        self._sequences, self.steps = list(sequences), steps
        self._sizes = np.array([math.ceil(len(inputs) / steps) for inputs, _ in self._sequences])
        self._rng = None if seed is None else np.random.default_rng([seed, 2])
        self.rows = max(1, min(rows, len(self._sequences)))
        self._pass, self._at = self._laid_out(), 0

    @property
    def chunks(self) -> int:
        """Of one pass, which do not depend on the order."""
        return int(self._pass.fresh.shape[1])

    def _laid_out(self) -> Chunks:
        """Give the longest sequences out first, each to the stream with the fewest chunks."""
        count = len(self._sequences)
        order = np.arange(count) if self._rng is None else self._rng.permutation(count)
        streams: list[list[int]] = [[] for _ in range(self.rows)]
        loads = [(0, row) for row in range(self.rows)]
        for k in order[np.argsort(-self._sizes[order], kind="stable")]:
            load, row = loads[0]
            streams[row].append(k)
            heapq.heapreplace(loads, (load + int(self._sizes[k]), row))
        chunks = max(load for load, _ in loads)
        inputs = np.zeros((self.rows, chunks * self.steps), np.int32)
        targets, fresh = np.full_like(inputs, UNJUDGED), np.ones((self.rows, chunks), np.bool_)
        for row, members in enumerate(streams):
            if self._rng is not None:
                self._rng.shuffle(members)
            at = 0
            for k in members:
                (here, after), start = self._sequences[k], at * self.steps
                inputs[row, start : start + len(here)] = here
                targets[row, start : start + len(here)] = after
                fresh[row, at + 1 : at + self._sizes[k]] = False
                at += int(self._sizes[k])
        return Chunks(inputs, targets, fresh)

    def all(self) -> Chunks:
        """One pass."""
        return self._pass

    def take(self, count: int) -> Chunks:
        """The next chunks; after the last the next pass begins."""
        taken = []
        for _ in range(count):
            if self._at == self.chunks:
                self._at = 0
                if self._rng is not None:
                    self._pass = self._laid_out()
            at, columns = self._at, slice(self._at * self.steps, (self._at + 1) * self.steps)
            inputs, targets, fresh = self._pass
            taken.append((inputs[:, columns], targets[:, columns], fresh[:, at : at + 1]))
            self._at += 1
        return Chunks(*(np.concatenate(parts, axis=1) for parts in zip(*taken, strict=True)))


def cut(inputs: Symbols, targets: Symbols, pieces: int, steps: int) -> list[Pair]:
    """One long sequence as so many of equal length, or fewer where they would be shorter than ``steps``."""
    pieces = max(1, min(pieces, len(inputs) // steps))
    length = math.ceil(len(inputs) / pieces)
    starts = range(0, len(inputs), length)
    return [(inputs[at : at + length], targets[at : at + length]) for at in starts]


class ChunkRunner:
    """Workspaces for streams of up to ``rows`` rows; calls the compiled network on their chunks."""

    def __init__(self, network: Network, rows: int, dropout: float, training: bool) -> None:
        self.network, self.per_group = network, rows_per_group(rows)
        steps, dtype = network.layers[0].steps, network.theta.dtype
        groups = math.ceil(rows / self.per_group)
        # judging writes the gradient of the output too
        plan = network.plan(self.per_group, 0, steps, training=True, carried=True)
        self.heads = Heads(plan.extra, plan.target, plan.mask, 0, plan.packed, plan.n_packed, 0, 0.0, float(dropout))
        self.table, self.work = plan.table, aligned_zeros(groups, plan.size, dtype)
        self.losses = np.empty((groups, 2))
        self.needs = kernels.needed((layer.kind for layer in network.layers), training)
        learned = network.size if training else 0
        self.gradients = aligned_zeros(groups, learned, dtype)
        self.optimizer = aligned_zeros(3, learned, dtype)  # gradient, first and second moment

    def learn(
        self,
        inputs: Symbols,
        targets: Symbols,
        fresh: npt.NDArray[np.bool_],
        seeds: npt.NDArray[np.uint64],
        rates: npt.NDArray[np.float64],
        step: int,
        schedule: Schedule,
    ) -> tuple[Array, Array]:
        """A training step a chunk, ``step`` being those done before."""
        chunks = Chunks(inputs, targets, fresh)
        return self._run(chunks, kernels.LEARN, seeds, rates, step, schedule.weight_decay, schedule.clip_norm)

    def score(self, streams: Streams) -> tuple[float, int]:
        """Summed loss in nats, and the number of symbols judged, without dropout.

        What is being learned from must begin again with its first chunk: the state of the streams is lost.
        """
        nothing = np.zeros(streams.chunks, np.uint64), np.zeros(0)
        totals, _ = self._run(streams.all(), kernels.SCORE, *nothing, 0, 0.0, 0.0)
        loss, count = totals.sum(axis=0)
        return float(loss), int(count)

    def _run(
        self,
        chunks: Chunks,
        mode: int,
        seeds: npt.NDArray[np.uint64],
        rates: npt.NDArray[np.float64],
        step: int,
        decay: float,
        clip: float,
    ) -> tuple[Array, Array]:
        totals, norms = np.zeros((chunks.fresh.shape[1], 2)), np.zeros(len(rates))
        program, arguments = startable(run_chunks), (
            self.table, self.network.theta, self.work, *chunks, self.heads,
            self.per_group, mode, self.losses, totals, seeds, self.gradients, self.optimizer, rates, step + 1,
            float(decay), float(clip), norms,
        )  # fmt: skip
        make_ready(program, self.needs, *arguments)
        program(*arguments)
        return totals, norms


def train_symbols(
    network: Network,
    streams: Streams,
    schedule: Schedule,
    dropout: float,
    progress: Progress,
    held_out: Streams | None = None,
    num_threads: int | None = None,
    characters: float = 1.0,
) -> History:
    """Fit the parameters in place; with held-out streams, of no more rows, the best ones seen are kept.

    The schedule must validate after whole passes over the streams. ``characters``, those of a symbol on average, are
    for the figures that ``progress`` is told: the loss in nats a symbol, and bits a character.

    Raises
    ------
    DataError
        If the loss becomes NaN or infinite.
    """
    runner = ChunkRunner(network, streams.rows, dropout, training=True)

    def score() -> float:
        assert held_out is not None
        loss, count = runner.score(held_out)
        return loss / max(count, 1)

    def figures(loss: float) -> dict[str, float]:
        return {"loss": loss, "bits/character": loss / math.log(2) / characters}

    judge = None if held_out is None else score
    return learn(network, runner, streams, schedule, progress, judge, num_threads, figures)


def score_symbols(network: Network, sequences: Sequence[Pair], num_threads: int | None = None) -> tuple[float, int]:
    """Summed loss in nats, and the number of symbols judged, of sequences each from its start to its end."""
    streams = Streams(sequences, SCORED, network.layers[0].steps)
    with threads(num_threads):
        return ChunkRunner(network, streams.rows, 0.0, training=False).score(streams)


def foretell(
    network: Network,
    histories: Sequence[Symbols],
    h: int,
    paths: int,
    seed: int,
    closed: int,
    num_threads: int | None = None,
) -> npt.NDArray[np.float64]:
    """Probabilities (S, h, V) of the symbols 1 to h steps after each history, by simulation after the first step.

    Parameters
    ----------
    network : Network
        Of one step (T = 1).
    histories : sequence of arrays (n,)
        Symbols, at least one each. All are simulated with the same random numbers, whatever others there are.
    paths : int
        Simulated continuations of each.
    closed : int
        Symbols below this one never come.
    """
    plan = network.plan(1, 0, 0, training=False)
    theta, V, groups = network.theta, network.layers[-1].n_out, min(len(histories), GROUPS)
    size = -(-plan.packed // ALIGNED) * ALIGNED  # no step packs a matrix
    work = aligned_zeros(2 * groups, size, theta.dtype).reshape(groups, 2, size)
    indptr = np.cumsum([0, *map(len, histories)])
    out = np.empty((len(histories), h, V))
    with threads(num_threads):
        startable(foretell_all)(
            plan.table, theta, work, np.concatenate(histories), indptr, closed, paths, np.uint64(seed),
            np.empty((groups, V)), np.empty((groups, V), theta.dtype), out,
        )  # fmt: skip
    return out


class Continuation:
    """A sequence that goes on symbol by symbol, each at the same cost; the network's state is kept between calls.

    Parameters
    ----------
    network : Network
        Of one step (T = 1).
    closed : int
        Symbols below this one are never drawn.
    """

    def __init__(self, network: Network, closed: int) -> None:
        plan = network.plan(1, 0, 0, training=False, carried=True)
        self.network, self.table, self.closed = network, plan.table, closed
        symbols, kinds = network.layers[-1].n_out, [layer.kind for layer in network.layers]
        self.of_blocks = max(kinds) >= NORM
        self.heads = Heads(plan.extra, 0, 0, 0, plan.packed, plan.n_packed, 0, 0.0, 0.0)
        self.needs = kernels.needed(kinds, learns=False)
        # no step of LSTM layers packs a matrix
        self.work = aligned_zeros(1, plan.size if self.of_blocks else plan.packed, network.theta.dtype)[0]
        if self.of_blocks:
            start_states(self.table, self.work, 1, 0, False)
        self.logits, self.weights = np.zeros(symbols, network.theta.dtype), np.zeros(symbols)

    def feed(self, given: Symbols) -> Array:
        """Let symbols come in, at least one; returns the logits (V,) of the next."""
        self._run(given, np.zeros(0, np.int32), 1.0, 0, 1.0, 0, 0)
        return self.logits

    def draw(
        self, given: Symbols, length: int, temperature: float, top_k: int, top_p: float, seed: int
    ) -> Iterator[int]:
        """Let symbols come in, at least one, and draw ``length`` that follow; see `forecast_kernels.symbols.step`."""
        drawn, ahead = 0, 1
        while drawn < length:
            # a few more in each call than in the one before: the first come at once, the many soon
            out = np.empty(min(ahead, length - drawn), np.int32)
            self._run(given, out, temperature, top_k, top_p, seed, drawn)
            yield from out.tolist()
            given, drawn, ahead = out[-1:], drawn + len(out), min(2 * ahead, 64)

    def _run(
        self, given: Symbols, out: Symbols, temperature: float, top_k: int, top_p: float, seed: int, drawn: int
    ) -> None:
        how = given, self.logits, self.closed, float(temperature), top_k, float(top_p), np.uint64(seed), drawn
        if not self.of_blocks:
            continue_text(self.table, self.network.theta, self.work, *how, self.weights, out)
            return
        arguments = self.table, self.network.theta, self.work, self.heads, *how, self.weights, out
        make_ready(continue_blocks, self.needs, *arguments)
        continue_blocks(*arguments)
