"""What recurrent networks over patches share: everything but the stack of layers itself."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from forecast.errors import DataError
from forecast.learning.device import check_device
from forecast.learning.network import Layer
from forecast.learning.training import train
from forecast.learning.warmup import warmup
from forecast.learning.weights import read_weights
from forecast.models.base import Model
from forecast.models.recurrent.assembly import build_network, schedule_of, training_windows, transform_of, window_data
from forecast.models.recurrent.checks import check_config, check_stream
from forecast.models.recurrent.defaults import (
    choose_patching,
    choose_season,
    choose_size,
    choose_transform,
    choose_unit,
)
from forecast.models.recurrent.fitted import FittedNetwork
from forecast.models.recurrent.inputs import Inputs
from forecast.progress import Progress
from forecast.series.panel import Panel

QUANTILES = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975)


@dataclass(frozen=True)
class Context(Model):
    """What a network sees and emits. A class of its own so that the fields of a stack come after it, before others."""

    horizon: int | None = None
    """Steps emitted at once; None: the h given to ``fit``, else one season. Longer forecasts feed back their own."""
    context_length: int | None = None
    """Values seen before the cutoff, rounded up to whole patches."""
    patch_length: int | None = None
    """Values a step of the network sees; 1 is the classic step-by-step network."""
    season_length: int | None = None
    """Season of the seasonal-naive forecast that the network corrects; 0 for none."""
    hidden_size: int | None = None
    """Units of each layer, or width of the blocks; None: 32, 64 or 128 by the number of training windows."""


@dataclass(frozen=True)
class PatchNetwork(Context):
    """A recurrent stack over patches of the context, with a head that emits the whole horizon at once.

    A kind of network adds the fields of its stack, by inheriting from another child of `Context` after this one, and
    the four members that follow.
    """

    is_network: ClassVar[bool] = True
    fitted_type: ClassVar[type[FittedNetwork]]
    chosen: ClassVar[tuple[str, ...]]  # fields that a fitted network stores, as they may have been None

    head_size: int | None = None
    """Width of the head's hidden layer; None: ``hidden_size``; 0 for none."""
    linear_path: bool = False
    """Whether a linear map from the context to the horizon is added to what the stack gives. Over horizons of many
    seasons it carries most of the forecast."""
    dropout: float = 0.1
    """Share of values dropped between layers in training, in [0, 1)."""
    loss: str = "quantile"
    """"quantile", "absolute", "squared" or "huber"; only "quantile" gives intervals."""
    loss_unit: str = "window"
    """What errors are measured in while training: "window", each window's own unit, so that all windows count alike, or
    "series", the deviation of the series, in which restless windows count for more, as they do in MAE and MSE."""
    quantiles: tuple[float, ...] = QUANTILES
    """Probabilities learned with the quantile loss; must hold 0.5, the point forecast. Others are interpolated."""
    point: str = "median"
    """The point forecast of the quantile loss: "median", or "mean", the integral of the quantile function."""
    huber_delta: float = 1.0
    """Where the Huber loss turns from squared to absolute, in units of a window's scale."""
    transform: str = "auto"
    """Logarithms: "log" of every series that allows them; "calm" of those that change by less than 15 % over a
    season (or step); "none"; "auto": of weekly series, and of monthly and coarser ones where these are few or calm. Of
    several members with "calm" every second one sees no logarithms, so that they err differently."""
    scaler: str = "auto"
    """Centre of a window: "last" value, "mean" of the context, whole "series", "none"; "auto": mean with a season, and
    of a ``stream`` the series."""
    unit: str = "auto"
    """What a centred window is measured in: the mean square "deviation" from its centre, the mean "difference" from the
    value one season (or step) ago, as MASE is, or "auto": the difference for many monthly or coarser series."""
    mask_input: bool = True
    """Whether the network sees which values are observed."""
    covariates: bool = True
    """Whether the network uses the covariates that the panel declares."""
    stream: bool = False
    """For rows that keep coming in: forecast from the whole history, not from the last ``context_length`` values alone
    (those are what training sees), and keep the state in which it ends, so that new rows cost a step each and a
    forecast costs the same however long the history is. Level, spread and logarithms of a series stay as they were in
    ``fit``: ``scaler`` must be "series" or "none". Of covariates, static ones alone. It takes the memory of
    ``patch_length`` states a series."""
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
    """Where networks are trained and forecast: "cpu"; "cuda", an NVIDIA GPU, which takes the package gatecast[cuda]; or
    "auto", the processor, since from what size a GPU pays off has not been measured. The same seed gives the same
    numbers on one device. Networks that were trained on a GPU forecast on the processor where there is none."""
    weights: Mapping[str, npt.NDArray[Any]] | str | None = None
    """Weights to start from: PyTorch's or Keras's, by name, or a safetensors file that holds them."""
    alias: str | None = None
    """Name of the forecast column."""

    def __post_init__(self) -> None:
        check_config(self)

    @abstractmethod
    def layers(self, *, steps: int, inputs: int, extra: int, outputs: int) -> list[Layer]:
        """The network of a config without None; see `forecast.learning.network.recurrent_layers`."""

    @abstractmethod
    def sized(self, hidden: int, depth: int) -> dict[str, Any]:
        """Fields of the stack with nothing left to choose, from what suits the number of windows."""

    @abstractmethod
    def outline(self) -> str:
        """The stack in a few words, e.g. "2 x 64 units"."""

    @property
    @abstractmethod
    def depth(self) -> int:
        """Layers or blocks of the stack of a config without None."""

    @property
    def has_quantiles(self) -> bool:
        return self.loss == "quantile" and len(self.quantiles) > 1

    def _fit(self, panel: Panel, h: int | None, progress: Progress) -> FittedNetwork:
        device = check_device(self.device, "device='cpu'")
        if device == "cpu":
            warmup(progress, *self.kernels)
        resolved = self._resolved(panel, h)
        if self.stream:
            check_stream(self, panel)
        inputs = Inputs.learn(panel) if self.covariates else Inputs()
        windows, held_out = training_windows(resolved, panel)
        known = panel.head(np.maximum(panel.lengths - self.val_size, 1))  # no held-out value is a target of training
        exog = inputs.encode(panel)
        if not len(windows):
            raise DataError(
                f"No series is long enough to train {self.name}: the longest has {int(panel.lengths.max())} values, "
                f"and val_size {self.val_size} leaves fewer than 2; give longer series or a smaller val_size."
            )
        schedule = schedule_of(resolved, len(windows))
        networks, histories = [], []
        progress.start(self.name, schedule.max_steps * self.n_members)
        try:
            for member in range(self.n_members):
                seed, transform = self.seed + member, transform_of(resolved, member)
                data = window_data(resolved, transform, known, exog)[0]
                validation = (window_data(resolved, transform, panel, exog)[0], held_out) if self.val_size else None
                network, objective = build_network(resolved, inputs)
                network.initialise(seed)
                if self.weights is not None:
                    network.load(read_weights(self.weights, network))
                own = replace(schedule, seed=seed)
                how = own, progress, validation, self.num_threads, device
                histories.append(train(network, data, windows, objective, *how))
                networks.append(network)
        finally:
            progress.finish()
        fitted = self.fitted_type(self, resolved, networks, histories, inputs)
        if self.stream:
            fitted.start(panel)
        return fitted

    @property
    def uses_covariates(self) -> bool:
        return self.covariates

    def _resolved(self, panel: Panel, h: int | None) -> Self:
        """The same config with every None replaced by a choice from the data."""
        horizon = self.horizon or h or max(panel.season_length, 6)
        season = choose_season(panel, horizon) if self.season_length is None else self.season_length
        patch, count = choose_patching(season or panel.season_length, int(panel.lengths.max()), horizon)
        if self.patch_length is not None:
            patch, count = self.patch_length, max(1, patch * count // self.patch_length)
        if self.context_length is not None:
            count = -(-self.context_length // patch)
        size = choose_size(int(np.maximum(panel.lengths - self.val_size - season, 1).sum()))
        hidden = self.hidden_size or size.hidden
        steps = self.max_steps if self.max_steps is not None else size.steps
        return replace(
            self,
            **self.sized(hidden, size.layers),
            batch_size=self.batch_size or size.batch,
            max_steps=steps if self.max_epochs is None or self.max_steps is not None else None,
            horizon=horizon,
            context_length=count * patch,
            patch_length=patch,
            season_length=season,
            head_size=hidden if self.head_size is None else self.head_size,
            transform=choose_transform(panel) if self.transform == "auto" else self.transform,
            scaler=self._scaler(season) if self.scaler == "auto" else self.scaler,
            unit=choose_unit(panel) if self.unit == "auto" else self.unit,
            weights=None,
        )

    def _scaler(self, season: int) -> str:
        """A stream's cannot move with the window."""
        return "series" if self.stream else "mean" if season else "last"
