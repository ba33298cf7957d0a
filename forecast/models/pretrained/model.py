"""Forecasts without training, by a network that comes with the package."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from forecast.learning.device import check_device
from forecast.learning.warmup import warmup
from forecast.models.base import Model
from forecast.models.pretrained.bands import weights
from forecast.models.pretrained.finetuning import finetuned
from forecast.models.pretrained.fitted import FittedPretrained
from forecast.models.pretrained.season import season_of
from forecast.models.recurrent.base import QUANTILES
from forecast.models.recurrent.checks import check_fields
from forecast.progress import Progress
from forecast.series.panel import Panel


@dataclass(frozen=True)
class Pretrained(Model):
    """A family of small LSTM networks that were trained before, on series of other origin.

    ``fit`` learns nothing, unless ``finetune_steps`` is given: it remembers the season. The networks take series of any
    frequency and of any length, with gaps, and emit nine quantiles. What they were trained on, and how accurate they
    are on series that they never saw, stands in the model card, ``docs/pretrained.md``.

    Raises
    ------
    ParameterError
        If a field is out of its range.
    """

    is_network: ClassVar[bool] = True
    kernels: ClassVar[tuple[str, ...]] = ("network",)
    default_name: ClassVar[str] = "Pretrained"
    fitted_type: ClassVar[type[FittedPretrained]] = FittedPretrained
    loss: ClassVar[str] = "quantile"
    quantiles: ClassVar[tuple[float, ...]] = QUANTILES

    season_length: int | None = None
    """Steps of a season, 1 or 0 for none; None: the data's, and of hours and finer steps the week, where the last seven
    days would have been forecast better by it."""
    finetune_steps: int = 0
    """Training steps on the data at hand at most, from the shipped weights; 0 for none. The last horizon of each series
    judges: where it is not forecast better for it, the shipped weights stay."""
    learning_rate: float = 3e-4
    """Adam's step size in fine-tuning."""
    batch_size: int = 64
    """Windows of one step of fine-tuning."""
    weights: str | None = None
    """A file of other weights, as ``python -m benchmarks.pretrain`` writes them; None: the shipped ones."""
    point: str = "median"
    """The point forecast: "median", or "mean", the integral of the quantile function."""
    seed: int = 0
    """Same seed, same numbers: of fine-tuning, and of sample paths beyond the networks' own horizon."""
    num_threads: int | None = None
    """Threads to compute with, at most those of ``NUMBA_NUM_THREADS``; None: all of these."""
    device: str = "cpu"
    """Where networks are fine-tuned and forecast: "cpu", "cuda" or "auto", as for `LSTM`."""
    alias: str | None = None
    """Name of the forecast column."""

    def __post_init__(self) -> None:
        check_fields(self)

    def _fit(self, panel: Panel, h: int | None, progress: Progress) -> FittedPretrained:
        device = check_device(self.device, "device='cpu'")
        if device == "cpu":
            warmup(progress, *self.kernels)

        def shipped(season: int) -> FittedPretrained:
            return FittedPretrained(self, season, weights(self.weights, season))

        def next_day(season: int, histories: Panel) -> npt.NDArray[np.float64]:
            return shipped(season).predict(histories, histories.season_length).point

        season = season_of(panel, next_day) if self.season_length is None else max(self.season_length, 1)
        if not self.finetune_steps:
            return shipped(season)
        thetas = weights(self.weights, season)
        return FittedPretrained(self, season, *finetuned(self, season, thetas, panel, h, progress, device))
