"""The only loop that calls backward: batches, clipping, optimizer, schedule, early stopping.

Notation: S series, B rows a group, G groups, h horizon, Q outputs a step.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from forecast.errors import DataError
from forecast.learning.batches import Batches, ShuffledBatches
from forecast.learning.network import Network, Plan, aligned_zeros
from forecast.learning.runner import Runner
from forecast.progress import Progress
from forecast.series.windows import Windows, WindowsBetween
from forecast_kernels.jit import make_ready, startable, threads
from forecast_kernels.loss import cpu as loss_kernels
from forecast_kernels.network import cpu as kernels
from forecast_kernels.network.table import Heads
from forecast_kernels.windows.cpu import Windowing

if TYPE_CHECKING:
    from forecast.learning.checkpoint import Checkpoint

Array = npt.NDArray[Any]

LOSSES = {
    "squared": loss_kernels.SQUARED,
    "absolute": loss_kernels.ABSOLUTE,
    "huber": loss_kernels.HUBER,
    "quantile": loss_kernels.QUANTILE,
}
SCHEDULES = ("cosine", "step", "constant")


class WindowData(NamedTuple):
    """What windows are gathered from, in the order in which kernels take it."""

    y: npt.NDArray[np.float64]  # (N,) transformed, NaN where unobserved
    indptr: npt.NDArray[np.int64]  # (S + 1,)
    levels: npt.NDArray[np.float64]  # (S, 2) center and scale of each series
    floors: npt.NDArray[np.float64]  # (S,) smallest scale of a window
    seasons: npt.NDArray[np.int64]  # (S,) period of each series, 0 for none
    exog: npt.NDArray[np.float32] = np.zeros((0, 0), np.float32)  # (M, C) covariates, those known ahead first
    spans: npt.NDArray[np.int64] = np.zeros((0, 3), np.int64)  # (S, 3) rows of exog of each series
    statics: npt.NDArray[np.float32] = np.zeros((0, 0), np.float32)  # (S, Z)


@dataclass(frozen=True)
class Objective:
    """What the network is asked for."""

    spec: Windowing
    loss: str
    quantiles: tuple[float, ...]  # (0.5,) for losses of a point
    delta: float
    dropout: float
    covariates: int = 0
    statics: int = 0  # static values of a series

    @property
    def extra(self) -> int:
        """Inputs of the head beside the last state; see ``extra`` of the kernel that gathers windows."""
        return self.spec.horizon * (self.spec.seasonal + self.spec.known) + self.covariates + self.statics

    def heads(self, plan: Plan) -> Heads:
        # float(): an int would be another type to Numba, and compile the whole network again
        return Heads(
            plan.extra, plan.target, plan.mask, self.extra, plan.packed, plan.n_packed, LOSSES[self.loss],
            float(self.delta), float(self.dropout),
        )  # fmt: skip


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn."""

    max_steps: int
    batch_size: int
    learning_rate: float
    decay: str = "cosine"  # to 0 at max_steps; "step": divided by 10 after 60 % and 85 %; "constant"
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    patience: int = 0  # validations without improvement before stopping; 0 never stops
    validate_every: int = 50
    stop_after: int | None = None  # steps at which learning ends, on the rates of all of max_steps
    seed: int = 0

    def rate(self, step: int) -> float:
        """Learning rate of a step, the first being 0."""
        done = step / self.max_steps
        if self.decay == "cosine":
            return 0.5 * self.learning_rate * (1 + math.cos(math.pi * done))
        if self.decay == "step":
            return self.learning_rate * (1.0 if done < 0.6 else 0.1 if done < 0.85 else 0.01)
        return self.learning_rate


@dataclass
class History:
    """What happened in training."""

    losses: dict[int, float] = field(default_factory=dict)  # step -> mean training loss since the report before
    validation: list[float] = field(default_factory=list)
    steps: int = 0  # steps of the weights that were kept

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> "History":
        """From a document, whose keys are texts."""
        losses = {int(step): float(loss) for step, loss in entry["losses"].items()}
        return cls(losses, [float(loss) for loss in entry["validation"]], int(entry["steps"]))


def rows_per_group(batch: int) -> int:
    """Rows of a group, by the batch alone: small batches make two groups, large ones groups of 64."""
    return batch if batch <= 8 else min(64, 8 * math.ceil(batch / 16))


def train(
    network: Network,
    data: WindowData,
    windows: Windows | WindowsBetween,
    objective: Objective,
    schedule: Schedule,
    progress: Progress,
    validation: tuple[WindowData, Windows] | None = None,
    num_threads: int | None = None,
    device: str = "cpu",
    checkpoint: "Checkpoint | None" = None,
) -> History:
    """Fit the parameters in place; with validation windows, the best ones seen are kept.

    The data of the validation windows are given apart: those of training should not hold their targets. The device is
    "cpu" or "cuda"; the same seed gives the same numbers on either, but not on both. With a checkpoint, which is for
    trainings without validation, learning goes on from there.

    Raises
    ------
    DataError
        If the loss becomes NaN or infinite.
    DeviceError
        If a layer is too wide for the device, or a batch too large for its memory.
    ModelFileError
        If the checkpoint is damaged, or of another training.
    """
    runner = _runner(network, data, objective, min(schedule.batch_size, len(windows)), True, device)
    batches = ShuffledBatches(windows, runner.batch, np.random.default_rng(schedule.seed))
    judged = validation if validation is not None and len(validation[1]) > 0 else None
    score = None if judged is None else lambda: runner.score(*judged)
    assert checkpoint is None or score is None, "a checkpoint holds no best weights"
    begun = None if checkpoint is None else checkpoint.restore(runner, batches)
    save = None if checkpoint is None else partial(checkpoint.save, runner)
    return learn(network, runner, batches, schedule, progress, score, num_threads, begun=begun, save=save)


class Learner(Protocol):
    """Takes training steps on the parameters of a network."""

    def learn(self, *batches: Any) -> tuple[Array, Array]:
        """A step a batch, given what `Batches` gives, then seeds, rates, steps done before, and the schedule.

        Returns loss and number of terms (batches, 2), and the norms of the gradients (batches,).
        """


def learn(
    network: Network,
    learner: Learner,
    batches: Batches,
    schedule: Schedule,
    progress: Progress,
    score: Callable[[], float] | None = None,
    num_threads: int | None = None,
    figures: Callable[[float], dict[str, float]] = lambda loss: {"loss": loss},
    begun: History | None = None,
    save: Callable[[History], None] | None = None,
) -> History:
    """The loop itself: ``score`` judges the parameters, ``figures`` tells a mean training loss to ``progress``.

    ``begun`` is what happened until learner and batches were where they are; ``save`` is called after each report.
    """
    seeds = np.random.default_rng([schedule.seed, 1])
    history = History() if begun is None else begun
    best, best_loss, waited = network.theta.copy(), math.inf, 0
    report = max(1, schedule.max_steps // 100)
    step, ahead, sums = history.steps, 1, np.zeros(2)
    if step:
        seeds.integers(2**63, size=step, dtype=np.uint64)  # which those steps had
        progress.advance(step, **figures(history.losses[step]))
    end = schedule.max_steps if schedule.stop_after is None else schedule.stop_after
    with threads(num_threads):
        while step < end:
            # as many steps in one call as take about a tenth of a second, so that an interrupt is soon seen
            stop = min(step + ahead, step - step % report + report, end)
            if score is not None:
                stop = min(stop, step - step % schedule.validate_every + schedule.validate_every)
            rates = np.array([schedule.rate(k) for k in range(step, stop)], np.float64)
            began = time.perf_counter()
            totals, norms = learner.learn(
                *batches.take(stop - step),
                seeds.integers(2**63, size=stop - step, dtype=np.uint64),
                rates,
                step,
                schedule,
            )
            ahead = 2 * ahead if time.perf_counter() - began < 0.05 else max(1, ahead // 2)
            for bad in np.flatnonzero(~np.isfinite(norms))[:1]:
                raise DataError(
                    f"Training diverged at step {step + bad + 1} (gradient norm {norms[bad]}); use a smaller "
                    f"learning_rate than {schedule.learning_rate:g}, or check the data for extreme values."
                )
            sums += totals.sum(axis=0)
            step = history.steps = stop
            last = step == end
            if step % report == 0 or last:
                history.losses[step] = float(sums[0] / max(sums[1], 1.0))
                sums[:] = 0
                progress.advance(report if not last else (step - 1) % report + 1, **figures(history.losses[step]))
                if save is not None:
                    save(history)
            if score is not None and (step % schedule.validate_every == 0 or last):
                history.validation.append(score())
                if history.validation[-1] < best_loss:
                    best, best_loss, waited = network.theta.copy(), history.validation[-1], 0
                    best_step = step
                else:
                    waited += 1
                    if schedule.patience and waited >= schedule.patience:
                        break
    if math.isfinite(best_loss):
        network.theta[:] = best
        history.steps = best_step
    return history


def predict(
    network: Network,
    data: WindowData,
    windows: Windows,
    objective: Objective,
    num_threads: int | None = None,
    states: Array | None = None,
    device: str = "cpu",
) -> npt.NDArray[np.float64]:
    """Forecasts (n, h, Q) of n windows, in units of ``data.y``.

    With ``states`` (lanes, Z), a window has a third number, that of the lane in whose state the network starts; these
    are run on the processor.
    """
    runner = _runner(network, data, objective, min(512, len(windows)), False, device, states)
    with threads(num_threads):
        out = runner.forward(windows)
    return out.reshape(len(windows), objective.spec.horizon, len(objective.quantiles))


def judge(
    network: Network, data: WindowData, windows: Windows, objective: Objective, num_threads: int | None = None,
    device: str = "cpu",
) -> float:  # fmt: skip
    """Mean loss of the network as it is over windows, without dropout."""
    runner = _runner(network, data, objective, min(512, len(windows)), False, device)
    with threads(num_threads):
        return runner.score(data, windows)


def advance(
    network: Network,
    data: WindowData,
    windows: Windows,
    objective: Objective,
    states: Array,
    num_threads: int | None = None,
) -> None:
    """Let the network see windows (n, 3), each of another lane; ``states`` (lanes, Z) go on to where it ends."""
    runner = _Runner(network, data, objective, min(512, len(windows)), training=False, states=states)
    with threads(num_threads):
        runner.advance(windows)


def _runner(
    network: Network, data: WindowData, objective: Objective, batch: int, training: bool, device: str,
    states: Array | None = None,
) -> Runner:  # fmt: skip
    """What runs the network on batches of up to ``batch`` windows."""
    if device == "cuda" and states is None:
        from forecast.learning.cuda import DeviceRunner

        return DeviceRunner(network, data, objective, batch, training)
    return _Runner(network, data, objective, batch, training, states)


class _Runner(Runner):
    """Calls the compiled network on the processor."""

    def __init__(
        self,
        network: Network,
        data: WindowData,
        objective: Objective,
        batch: int,
        training: bool,
        states: Array | None = None,
    ) -> None:
        rows = rows_per_group(batch)
        groups = math.ceil(batch / rows)
        spec, dtype = objective.spec, network.theta.dtype
        plan = network.plan(rows, objective.extra, spec.horizon, training, carried=states is not None)
        self.batch, self.network, self.data, self.objective, self.table = batch, network, data, objective, plan.table
        self.heads = objective.heads(plan)
        self.quantiles = np.array(objective.quantiles, dtype)
        self.states = aligned_zeros(0, 0, dtype) if states is None else states
        self.work = aligned_zeros(groups, plan.size, dtype)
        self.base = np.empty((groups, rows, spec.horizon))
        self.scale = np.empty((groups, rows))
        self.losses = np.empty((groups, 2))
        learned = network.size if training else 0
        self.gradients = aligned_zeros(groups, learned, dtype)
        self.optimizer = aligned_zeros(3, learned, dtype)  # gradient, first and second moment
        self.needs = kernels.needed((layer.kind for layer in network.layers), training)

    def _run(
        self,
        data: WindowData,
        windows: Windows,
        bounds: npt.NDArray[np.int64],
        mode: int,
        seeds: npt.NDArray[np.uint64],
        rates: npt.NDArray[np.float64],
        step: int,
        schedule: Schedule | None,
    ) -> tuple[Array, Array, Array]:
        """Forecasts (n, h * Q); loss and number of terms (batches, 2); norms of the gradients (batches,)."""
        judging = mode in (kernels.LEARN, kernels.SCORE)
        totals, norms = np.zeros((len(bounds) - 1 if judging else 0, 2)), np.zeros(len(rates))
        width = self.objective.spec.horizon * len(self.quantiles)
        out = np.empty((len(windows) if mode == kernels.PREDICT else 0, width))
        decay, clip = (float(schedule.weight_decay), float(schedule.clip_norm)) if schedule else (0.0, 0.0)
        program, arguments = startable(kernels.run_batches), (
            self.table, self.network.theta, self.work, *data, self.states, windows, bounds, self.objective.spec,
            self.heads, self.quantiles, self.base, self.scale, mode, self.losses, totals, out, seeds,
            self.gradients, self.optimizer, rates, step + 1, decay, clip, norms,
        )  # fmt: skip
        make_ready(program, self.needs, *arguments)
        program(*arguments)
        return out, totals, norms

    def state(self) -> Array:
        return np.stack([self.network.theta, *self.optimizer[1:]])

    def resume(self, state: Array) -> None:
        self.network.theta[:], self.optimizer[1:] = state[0], state[1:]

    def advance(self, windows: Windows) -> None:
        """Let the states go on to the ends of windows (n, 3)."""
        self._all(self.data, windows, kernels.ADVANCE)
