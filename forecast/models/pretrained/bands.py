"""The family of trained networks: each for a band of seasons, and what it sees and emits.

A network is told the season, as the logarithm of its steps, and corrects the seasonal-naive forecast; so one network
serves all seasons of its band. ``benchmarks/pretrain`` trains the family and writes `WEIGHTS`.
"""

from dataclasses import dataclass
from functools import cache
from math import log
from pathlib import Path

import numpy as np
import numpy.typing as npt

from forecast.errors import ModelFileError
from forecast.models.recurrent.assembly import build_network
from forecast.models.recurrent.inputs import Inputs
from forecast.models.recurrent.lstm import LSTM
from forecast.series.panel import Panel

WEIGHTS = Path(__file__).with_name("weights.safetensors")


@dataclass(frozen=True)
class Band:
    """Seasons that one network serves, and its shape."""

    name: str
    seasons: tuple[int, int]
    """Shortest and longest."""
    words: str
    """What they are, for people."""
    patch: int
    patches: int
    horizon: int
    """Steps emitted at once."""
    views: tuple[tuple[str, str], ...]
    """How each of its networks sees a series: `LSTM`'s fields ``transform`` and ``unit``. Networks that see a series
    differently err differently, and their mean errs less."""
    scaler: str = "mean"
    hidden: int = 128
    layers: int = 2

    @property
    def members(self) -> int:
        """Networks, whose quantiles are averaged."""
        return len(self.views)

    @property
    def seasonal(self) -> bool:
        """Whether there is a season at all."""
        return self.seasons[1] > 1

    def config(self, season: int, member: int = 0) -> LSTM:
        """A member as a config without None, for series of one season."""
        transform, unit = self.views[member]
        return LSTM(
            horizon=self.horizon,
            context_length=self.patch * self.patches,
            patch_length=self.patch,
            season_length=season if self.seasonal else 0,
            hidden_size=self.hidden,
            num_layers=self.layers,
            embedding_size=self.hidden,
            head_size=self.hidden,
            transform=transform,
            scaler=self.scaler,
            unit=unit,
            batch_size=256,
            max_steps=0,
            n_members=self.members,
        )

    def inputs(self, season: int) -> "SeasonInput":
        """What the head gets beside the last state."""
        return SeasonInput(told=told(season) if self.seasonal else ())


@dataclass(frozen=True, eq=False)
class SeasonInput(Inputs):
    """The season in place of covariates."""

    told: tuple[float, ...] = ()

    @property
    def statics(self) -> int:
        return len(self.told)

    def _statics(self, panel: Panel) -> npt.NDArray[np.float32]:
        return np.tile(np.array(self.told, np.float32), (len(panel), 1))


def told(season: int) -> tuple[float, ...]:
    """How a network is told a season."""
    return (log(season) / 4,)


_COARSE = (("calm", "difference"), ("none", "difference"))
BANDS = (
    Band("none", (1, 1), "series without a season", 6, 3, 12, _COARSE, scaler="last", hidden=96),
    Band("quarters", (2, 6), "seasons of 2 to 6 steps", 4, 6, 12, _COARSE, hidden=96),
    Band("months", (7, 23), "seasons of 7 to 23 steps", 12, 6, 24, (*_COARSE, ("calm", "deviation"))),
    Band("weeks", (50, 55), "weeks of a year", 13, 8, 13, (("log", "deviation"),) * 2, hidden=96),
    Band(
        "hours",
        (24, 1 << 31),
        "seasons of 24 steps and more",
        24,
        14,
        48,
        (("log", "deviation"), ("none", "deviation")),
        hidden=104,
    ),
)


def band_of(season: int) -> Band:
    """The first band that holds a season."""
    return next(band for band in BANDS if band.seasons[0] <= season <= band.seasons[1])


@cache
def weights(path: str | None, season: int) -> npt.NDArray[np.float32]:
    """Parameters (members, P) of the networks for a season, from a file that holds them in half precision.

    Raises
    ------
    ModelFileError
        If the file cannot be read or holds no such networks.
    """
    from safetensors import SafetensorError, safe_open

    place, band = path or WEIGHTS, band_of(season)
    size = build_network(band.config(season), band.inputs(season))[0].size
    try:
        with safe_open(place, framework="numpy") as file:
            found = file.get_tensor(band.name).astype(np.float32)
    except (SafetensorError, OSError, TypeError) as error:
        raise ModelFileError(f"{place} cannot be read as pretrained weights: {error}.") from error
    if found.shape != (band.members, size):
        due = (band.members, size)
        raise ModelFileError(f"{place} holds weights {found.shape} for {band.words}, but {due} are due.")
    return np.asarray(found)
