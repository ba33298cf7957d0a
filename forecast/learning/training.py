"""The only loop that calls backward: batches, clipping, optimizer, schedule, early stopping.

Notation: S series, B rows a group, G groups, h horizon, Q outputs a step.
"""

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from forecast.errors import DataError
from forecast.learning.network import Network, Plan, aligned_zeros
from forecast.progress import Progress
from forecast_kernels.jit import threads
from forecast_kernels.loss import cpu as loss_kernels
from forecast_kernels.network import cpu as kernels
from forecast_kernels.optim.cpu import adam_step, sum_gradients
from forecast_kernels.windows.cpu import Windowing

Array = npt.NDArray[Any]
Windows = npt.NDArray[np.int64]  # (n, 2): series, cutoff

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


@dataclass(frozen=True)
class Objective:
    """What the network is asked for."""

    spec: Windowing
    loss: str
    quantiles: tuple[float, ...]  # (0.5,) for losses of a point
    delta: float
    dropout: float

    @property
    def extra(self) -> int:
        """Inputs of the head beside the last state: the seasonal-naive forecast, when there is a season."""
        return self.spec.horizon if self.spec.season else 0

    def heads(self, plan: Plan) -> kernels.Heads:
        # float(): an int would be another type to Numba, and compile the whole network again
        return kernels.Heads(
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


def rows_per_group(batch: int) -> int:
    """Rows of a group, by the batch alone: small batches make two groups, large ones groups of 64."""
    return batch if batch <= 8 else min(64, 8 * math.ceil(batch / 16))


def train(
    network: Network,
    data: WindowData,
    windows: Windows,
    objective: Objective,
    schedule: Schedule,
    progress: Progress,
    validation: tuple[WindowData, Windows] | None = None,
) -> History:
    """Fit the parameters in place; with validation windows, the best ones seen are kept.

    The data of the validation windows are given apart: those of training should not hold their targets.

    Raises
    ------
    DataError
        If the loss becomes NaN or infinite.
    """
    batch = min(schedule.batch_size, len(windows))
    runner = _Runner(network, data, objective, batch, training=True)
    rng = np.random.default_rng(schedule.seed)
    seeds = np.random.default_rng([schedule.seed, 1])
    m, v, gradient = (np.zeros_like(network.theta) for _ in range(3))
    history = History()
    best, best_loss, waited = network.theta.copy(), math.inf, 0
    report = max(1, schedule.max_steps // 100)
    order, at, sums = rng.permutation(len(windows)), 0, np.zeros(2)
    with threads():
        for step in range(schedule.max_steps):
            if at >= len(order):
                order, at = rng.permutation(len(windows)), 0
            total, count = runner.backward(windows[order[at : at + batch]], int(seeds.integers(2**63)))
            at += batch
            sums += (total, count)
            norm = sum_gradients(runner.gradients, 1.0 / max(count, 1.0), gradient)
            if not math.isfinite(norm):
                raise DataError(
                    f"Training diverged at step {step + 1} (gradient norm {norm}); use a smaller learning_rate "
                    f"than {schedule.learning_rate:g}, or check the data for extreme values."
                )
            adam_step(
                network.theta, gradient, m, v, step + 1, float(schedule.rate(step)), 0.9, 0.999, 1e-8,
                float(schedule.weight_decay), norm, float(schedule.clip_norm),
            )  # fmt: skip
            history.steps = step + 1
            last = step + 1 == schedule.max_steps
            if (step + 1) % report == 0 or last:
                history.losses[step + 1] = float(sums[0] / max(sums[1], 1.0))
                sums[:] = 0
                progress.advance(report if not last else (step % report) + 1, loss=history.losses[step + 1])
            if validation is not None and len(validation[1]) and ((step + 1) % schedule.validate_every == 0 or last):
                history.validation.append(runner.score(*validation))
                if history.validation[-1] < best_loss:
                    best, best_loss, waited = network.theta.copy(), history.validation[-1], 0
                    best_step = step + 1
                else:
                    waited += 1
                    if schedule.patience and waited >= schedule.patience:
                        break
    if math.isfinite(best_loss):
        network.theta[:] = best
        history.steps = best_step
    return history


def predict(network: Network, data: WindowData, windows: Windows, objective: Objective) -> npt.NDArray[np.float64]:
    """Forecasts (n, h, Q) of n windows, in units of ``data.y``."""
    batch = min(512, len(windows))
    runner = _Runner(network, data, objective, batch, training=False)
    out = np.empty((len(windows), objective.spec.horizon, len(objective.quantiles)))
    with threads():
        for at in range(0, len(windows), batch):
            part = windows[at : at + batch]
            out[at : at + len(part)] = runner.forward(part).reshape(len(part), *out.shape[1:])
    return out


class _Runner:
    """Workspaces for batches of one size; calls the compiled network on them."""

    def __init__(self, network: Network, data: WindowData, objective: Objective, batch: int, training: bool) -> None:
        rows = rows_per_group(batch)
        groups = math.ceil(batch / rows)
        spec, dtype = objective.spec, network.theta.dtype
        plan = network.plan(rows, objective.extra, spec.horizon, training)
        self.network, self.data, self.objective, self.table = network, data, objective, plan.table
        self.heads = objective.heads(plan)
        self.quantiles = np.array(objective.quantiles, dtype)
        self.work = aligned_zeros(groups, plan.size, dtype)
        self.windows = np.empty((groups, rows, 2), np.int64)
        self.base = np.empty((groups, rows, spec.horizon))
        self.scale = np.empty((groups, rows))
        self.losses = np.empty((groups, 2))
        self.gradients = np.zeros((groups, network.size if training else 0), dtype)
        self.out = np.empty((groups, rows, 0 if training else spec.horizon * len(self.quantiles)))

    def _run(self, data: WindowData, windows: Windows, mode: int, seed: int = 0) -> None:
        flat = self.windows.reshape(-1, 2)
        flat[: len(windows)] = windows
        flat[len(windows) :] = -1
        kernels.run_groups(
            self.table, self.network.theta, self.gradients, self.work, *data, self.windows,
            self.objective.spec, self.heads, self.quantiles, self.base, self.scale, np.uint64(seed), mode, self.losses,
            self.out,
        )  # fmt: skip

    def backward(self, windows: Windows, seed: int) -> tuple[float, float]:
        """Gradients of one batch into ``gradients``; returns the summed loss and its number of terms."""
        self._run(self.data, windows, kernels.LEARN, seed)
        return self._sums()

    def score(self, data: WindowData, windows: Windows) -> float:
        """Mean loss over windows, without dropout."""
        batch = self.windows.shape[0] * self.windows.shape[1]
        total, count = 0.0, 0.0
        for at in range(0, len(windows), batch):
            self._run(data, windows[at : at + batch], kernels.SCORE)
            part = self._sums()
            total, count = total + part[0], count + part[1]
        return total / count if count else math.inf  # nothing observed judges no weights

    def forward(self, windows: Windows) -> npt.NDArray[np.float64]:
        """Forecasts (n, h * Q) of at most one batch."""
        self._run(self.data, windows, kernels.PREDICT)
        return self.out.reshape(-1, self.out.shape[2])[: len(windows)]

    def _sums(self) -> tuple[float, float]:
        total, count = self.losses.sum(axis=0)
        return float(total), float(count)
