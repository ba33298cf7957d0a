"""The LSTM forecaster: one network for all series of a panel.

Notation: S series, h horizon, Q quantiles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from forecast.errors import DataError, DeviceError, ParameterError
from forecast.learning.network import Network
from forecast.learning.training import History, WindowData, predict, train
from forecast.learning.warmup import warmup
from forecast.learning.weights import read_weights
from forecast.models.base import Fitted, Forecast, Model, State
from forecast.models.recurrent.assembly import build_network, schedule_of, training_windows, window_data
from forecast.models.recurrent.checks import check_config
from forecast.models.recurrent.defaults import choose_log, choose_patching, choose_season, choose_size, choose_unit
from forecast.models.recurrent.inputs import Inputs
from forecast.models.recurrent.paths import interpolated, mean_weights, simulate
from forecast.progress import Progress
from forecast.series.panel import Panel
from forecast.series.scaling import restored
from forecast.series.windows import windows_at_end

QUANTILES = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975)
_AT_ONCE = 1_000_000  # values of a chunk of series that is forecast: its copies take some 40 MB
_CHOSEN = (
    "horizon", "context_length", "patch_length", "season_length", "hidden_size", "num_layers", "embedding_size",
    "head_size", "transform", "scaler", "unit", "batch_size", "max_steps",
)  # fmt: skip


@dataclass(frozen=True)
class LSTM(Model):
    """A stack of LSTM layers over patches of the context, with a head that emits the whole horizon at once.

    Hochreiter & Schmidhuber (1997); the defaults need no argument. What is None is chosen from the data.

    Raises
    ------
    ParameterError
        If a field is out of its range or two fields contradict each other.
    """

    is_network: ClassVar[bool] = True
    kernels: ClassVar[str] = "network"
    default_name: ClassVar[str] = "LSTM"

    horizon: int | None = None
    """Steps emitted at once; None: the h given to ``fit``, else one season. Longer forecasts feed back their own."""
    context_length: int | None = None
    """Values seen before the cutoff, rounded up to whole patches."""
    patch_length: int | None = None
    """Values a step of the network sees; 1 is the classic step-by-step network."""
    season_length: int | None = None
    """Season of the seasonal-naive forecast that the network corrects; 0 for none."""
    hidden_size: int | None = None
    """Units of each LSTM layer; None: 32, 64 or 128 by the number of training windows."""
    num_layers: int | None = None
    """LSTM layers; None: 1 for few training windows, else 2."""
    embedding_size: int | None = None
    """Width of the linear layer that a patch goes through first; None: ``hidden_size``; 0 for none."""
    head_size: int | None = None
    """Width of the head's hidden layer; None: ``hidden_size``; 0 for none."""
    dropout: float = 0.1
    """Share of values dropped between LSTM layers in training, in [0, 1)."""
    loss: str = "quantile"
    """"quantile", "absolute", "squared" or "huber"; only "quantile" gives intervals."""
    quantiles: tuple[float, ...] = QUANTILES
    """Probabilities learned with the quantile loss; must hold 0.5, the point forecast. Others are interpolated."""
    point: str = "median"
    """The point forecast of the quantile loss: "median", or "mean", the integral of the quantile function."""
    huber_delta: float = 1.0
    """Where the Huber loss turns from squared to absolute, in units of a window's scale."""
    transform: str = "auto"
    """"log" (series that allow it), "none", or "auto": log for weekly and coarser data."""
    scaler: str = "auto"
    """Centre of a window: "last" value, "mean" of the context, whole "series", "none"; "auto": mean with a season."""
    unit: str = "auto"
    """What a centred window is measured in: the mean square "deviation" from its centre, the mean "difference" from the
    value one season (or step) ago, as MASE is, or "auto": the difference for many weekly or coarser series."""
    mask_input: bool = True
    """Whether the network sees which values are observed."""
    covariates: bool = True
    """Whether the network uses the covariates that the panel declares."""
    learning_rate: float = 2e-3
    """Adam's step size."""
    schedule: str = "cosine"
    """How the learning rate decays: "cosine", "step" or "constant"."""
    weight_decay: float = 0.0
    """AdamW's decoupled decay; 0 is Adam."""
    clip_norm: float = 1.0
    """Largest global norm of a gradient; 0 for no clipping."""
    batch_size: int | None = None
    """Windows of one training step; None: 32, 64 or 256 by the number of training windows."""
    max_steps: int | None = None
    """Training steps at most; 0 keeps the initial or loaded weights; None: 500, 800 or 1,500 likewise."""
    max_epochs: int | None = None
    """Passes over all windows at most, when fewer than ``max_steps``."""
    early_stopping_patience: int = 0
    """Validations without improvement before training stops; 0 trains to the end."""
    val_size: int = 0
    """Last values of each series held out of training to choose the best weights; 0 for none."""
    val_check_steps: int = 25
    """Training steps between validations."""
    n_members: int = 1
    """Networks trained, with the seeds ``seed``, ``seed + 1``, ...; their quantiles are averaged."""
    seed: int = 0
    """Same seed, same numbers, whatever the number of threads."""
    num_threads: int | None = None
    """Threads to compute with, at most those of ``NUMBA_NUM_THREADS``; None: all of these."""
    device: str = "cpu"
    """"cpu", or "auto", which takes it."""
    weights: Mapping[str, npt.NDArray[Any]] | str | None = None
    """Weights to start from: PyTorch's or Keras's, by name, or a safetensors file that holds them."""
    alias: str | None = None
    """Name of the forecast column."""

    def __post_init__(self) -> None:
        check_config(self)

    @classmethod
    def classic(cls, window: int = 10, hidden_size: int = 50, max_epochs: int = 20, **options: Any) -> Self:
        """The network of the tutorials: a window of raw values, one LSTM layer, one linear output, one step ahead.

        ``LSTM(hidden_size) + Dense(1)`` trained on squared error with Adam at 1e-3 in batches of 32; longer horizons
        are reached by feeding forecasts back.
        """
        settings: dict[str, Any] = {
            "horizon": 1, "context_length": window, "patch_length": 1, "season_length": 0, "hidden_size": hidden_size,
            "num_layers": 1, "embedding_size": 0, "head_size": 0, "dropout": 0.0, "loss": "squared",
            "transform": "none", "scaler": "none", "unit": "deviation", "mask_input": False, "learning_rate": 1e-3,
            "schedule": "constant", "clip_norm": 0.0, "batch_size": 32, "max_epochs": max_epochs,
        }  # fmt: skip
        return cls(**{**settings, **options})

    @property
    def has_quantiles(self) -> bool:
        return self.loss == "quantile" and len(self.quantiles) > 1

    def _fit(self, panel: Panel, h: int | None, progress: Progress) -> "FittedLSTM":
        if self.device not in ("cpu", "auto"):
            raise DeviceError(f"Device {self.device!r} is not available; use device='cpu'.")
        warmup(progress, self.kernels)
        resolved = self._resolved(panel, h)
        inputs = Inputs.learn(panel) if self.covariates else Inputs()
        windows, held_out = training_windows(resolved, panel)
        known = panel.head(np.maximum(panel.lengths - self.val_size, 1))  # no held-out value is a target of training
        exog = inputs.encode(panel)
        data, _ = window_data(resolved, known, exog)
        validation = (window_data(resolved, panel, exog)[0], held_out) if self.val_size else None
        if not len(windows):
            raise DataError(
                f"No series is long enough to train {self.name}: the longest has {int(panel.lengths.max())} values, "
                f"and val_size {self.val_size} leaves fewer than 2; give longer series or a smaller val_size."
            )
        schedule = schedule_of(resolved, len(windows))
        networks, histories = [], []
        progress.start(self.name, schedule.max_steps * self.n_members)
        try:
            for seed in range(self.seed, self.seed + self.n_members):
                network, objective = build_network(resolved, inputs)
                network.initialise(seed)
                if self.weights is not None:
                    network.load(read_weights(self.weights, network))
                own = replace(schedule, seed=seed)
                histories.append(train(network, data, windows, objective, own, progress, validation, self.num_threads))
                networks.append(network)
        finally:
            progress.finish()
        return FittedLSTM(self, resolved, networks, histories, inputs)

    @property
    def uses_covariates(self) -> bool:
        return self.covariates

    def _resolved(self, panel: Panel, h: int | None) -> "LSTM":
        """The same config with every None replaced by a choice from the data."""
        horizon = self.horizon or h or max(panel.season_length, 6)
        season = choose_season(panel, horizon) if self.season_length is None else self.season_length
        patch, count = choose_patching(season or panel.season_length, int(panel.lengths.max()), horizon)
        if self.patch_length is not None:
            patch, count = self.patch_length, max(1, patch * count // self.patch_length)
        if self.context_length is not None:
            count = -(-self.context_length // patch)
        log = choose_log(panel) if self.transform == "auto" else self.transform == "log"
        size = choose_size(int(np.maximum(panel.lengths - self.val_size - season, 1).sum()))
        hidden = self.hidden_size or size.hidden
        steps = self.max_steps if self.max_steps is not None else size.steps
        return replace(
            self,
            hidden_size=hidden,
            num_layers=self.num_layers or size.layers,
            batch_size=self.batch_size or size.batch,
            max_steps=steps if self.max_epochs is None or self.max_steps is not None else None,
            horizon=horizon,
            context_length=count * patch,
            patch_length=patch,
            season_length=season,
            embedding_size=hidden if self.embedding_size is None else self.embedding_size,
            head_size=hidden if self.head_size is None else self.head_size,
            transform="log" if log else "none",
            scaler=("mean" if season else "last") if self.scaler == "auto" else self.scaler,
            unit=choose_unit(panel) if self.unit == "auto" else self.unit,
            weights=None,
        )


class FittedLSTM(Fitted):
    """Trained networks: ``n_members`` of them."""

    def __init__(
        self,
        model: LSTM,
        resolved: LSTM,
        networks: Sequence[Network],
        histories: Sequence[History],
        inputs: Inputs,
    ) -> None:
        self.model: LSTM = model
        self.resolved = resolved  # the config with what was chosen from the data
        self.networks = tuple(networks)
        self.histories = tuple(histories)
        self.inputs = inputs

    @property
    def horizon(self) -> int | None:
        return self.resolved.horizon

    @property
    def network(self) -> Network:
        """The first member."""
        return self.networks[0]

    @property
    def history(self) -> History:
        """What happened when the first member was trained."""
        return self.histories[0]

    @property
    def losses_(self) -> dict[int, float]:
        """Training step -> mean training loss since the report before, of the first member."""
        return self.history.losses

    def _predict(self, panel: Panel, h: int, quantiles: tuple[float, ...]) -> Forecast:
        learned = self.model.quantiles if self.model.loss == "quantile" else ()
        if quantiles and len(learned) < 2:
            what = f"loss={self.model.loss!r}" + (f" and quantiles={learned}" if learned else "")
            raise ParameterError(
                f"{self.model.name} was trained with {what}, which gives no intervals; leave out level and "
                "quantiles, or train with loss='quantile' and several quantiles."
            )
        length = len(panel.y) // max(len(panel), 1) + self._tail + h
        chunk = max(1, _AT_ONCE // length)
        point = np.empty((len(panel), h))
        spread = np.empty((len(panel), h, len(quantiles)))
        for at in range(0, len(panel), chunk):
            part = panel if len(panel) <= chunk else panel.select(np.arange(at, min(at + chunk, len(panel))))
            rows = slice(at, at + len(part))
            point[rows], spread[rows] = self._predict_part(part, h, quantiles)
        return Forecast(point, spread)

    @property
    def _tail(self) -> int:
        """Values at the end of a series that a forecast can depend on."""
        return int(max(self.resolved.context_length or 0, 4 * (self.resolved.season_length or 0)))

    def _predict_part(self, panel: Panel, h: int, quantiles: tuple[float, ...]) -> tuple[Any, Any]:
        data, log = window_data(self.resolved, panel, self.inputs.encode(panel))
        _, objective = build_network(self.resolved, self.inputs)
        grid = np.array(objective.quantiles)
        middle = int(np.argmin(np.abs(grid - 0.5)))
        horizon = objective.spec.horizon

        def block(history: WindowData, known: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
            windows, threads = windows_at_end(known), self.model.num_threads
            members = (predict(network, history, windows, objective, threads) for network in self.networks)
            return np.asarray(np.mean([np.sort(out, axis=2) for out in members], axis=0))

        mean = self.model.point == "mean" and len(grid) > 1
        wanted = (*quantiles, *objective.quantiles) if mean else quantiles
        if h <= horizon:
            out = block(data, panel.lengths)[:, :h]
            point, spread = out[:, :, middle], interpolated(out, grid, quantiles)
            spread = np.concatenate([spread, out], axis=2) if mean else spread
        else:
            point, spread = simulate(block, data, self._tail, h, horizon, grid, wanted, self.model.seed)
        point, spread = restored(point, log), restored(spread, log)
        if mean:
            point, spread = spread[:, :, len(quantiles) :] @ mean_weights(grid), spread[:, :, : len(quantiles)]
        return point, spread

    def describe(self) -> str:
        r = self.resolved
        season = f"season {r.season_length}" if r.season_length else "no season"
        used = self.inputs.covariates + len(self.inputs.static)
        covariates = f", {used} covariate{'s' * (used > 1)}" if used else ""
        members = f"{len(self.networks)} networks of " if len(self.networks) > 1 else ""
        patches = (r.context_length or 0) // (r.patch_length or 1)
        return (
            f"{members}{r.num_layers} x {r.hidden_size} units over {patches} patches of {r.patch_length}, "
            f"{season}{covariates}, horizon {r.horizon}, {self.network.size:,} parameters, "
            f"{self.history.steps} steps"
        )

    def state(self) -> State:
        extra = {name: getattr(self.resolved, name) for name in _CHOSEN}
        histories = [vars(history) for history in self.histories]
        theta = np.concatenate([network.theta for network in self.networks])
        arrays, inputs = self.inputs.state()
        scales = {f"inputs.{name}": values for name, values in arrays.items() if values.size}
        return {"theta": theta, **scales}, {"resolved": extra, "histories": histories, "inputs": inputs}

    @classmethod
    def from_state(cls, model: Any, arrays: Mapping[str, npt.NDArray[Any]], extra: Mapping[str, Any]) -> Self:
        resolved = replace(model, weights=None, **extra["resolved"])
        theta, histories = arrays["theta"], [_history(entry) for entry in extra["histories"]]
        if resolved.context_length % resolved.patch_length or resolved.num_layers > theta.size:
            raise ValueError("the network's sizes contradict each other")
        if len(histories) != model.n_members:
            raise ValueError(f"there are {len(histories)} networks, the config asks for {model.n_members}")
        inputs = Inputs.from_state(
            {name.removeprefix("inputs."): values for name, values in arrays.items()}, extra["inputs"]
        )
        networks = [build_network(resolved, inputs)[0] for _ in histories]
        size = networks[0].size
        if theta.shape != (len(networks) * size,) or theta.dtype != networks[0].theta.dtype:
            raise ValueError(f"there are {theta.shape} weights, the config asks for {len(networks)} times {size}")
        for k, network in enumerate(networks):
            network.theta[:] = theta[k * size : (k + 1) * size]
        return cls(model, resolved, networks, histories, inputs)


LSTM.fitted_type = FittedLSTM


def _history(entry: Mapping[str, Any]) -> History:
    losses = {int(step): float(loss) for step, loss in entry["losses"].items()}  # JSON's keys are texts
    return History(losses, [float(loss) for loss in entry["validation"]], int(entry["steps"]))
