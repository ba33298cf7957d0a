"""The trained network beside the series that it is to forecast."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from forecast.learning.network import Network
from forecast.learning.training import History
from forecast.models.base import State
from forecast.models.pretrained.bands import Band, band_of
from forecast.models.recurrent.assembly import build_network
from forecast.models.recurrent.fitted import FittedNetwork
from forecast.models.recurrent.lstm import LSTM
from forecast.words import counted

if TYPE_CHECKING:
    from forecast.models.pretrained.model import Pretrained


class FittedPretrained(FittedNetwork):
    """Networks of one band, as they were shipped or fine-tuned."""

    def __init__(
        self, model: "Pretrained", season: int, thetas: npt.NDArray[np.float32], histories: Sequence[History] = ()
    ) -> None:
        band = band_of(season)
        super().__init__(model, band.config(season), networks_of(band, season, thetas), histories, band.inputs(season))
        self.season = season
        self._configs = [band.config(season, member) for member in range(band.members)]

    def config(self, member: int) -> LSTM:
        return self._configs[member]

    @property
    def losses_(self) -> dict[int, float]:
        return self.histories[0].losses if self.histories else {}

    def describe(self) -> str:
        r, band = self.resolved, band_of(self.season)
        tuned = f", fine-tuned for {self.histories[0].steps} steps" if self.histories else ""
        return (
            f"{counted(len(self.networks), 'network')} for {band.words}, {r.outline()} over {band.patches} patches of "
            f"{band.patch}, season {self.season}, {self.network.size:,} parameters each{tuned}"
        )

    def state(self) -> State:
        histories = [vars(history) for history in self.histories]
        thetas = np.stack([network.theta for network in self.networks])
        return {"theta": thetas}, {"season": self.season, "histories": histories}

    @classmethod
    def from_state(cls, model: Any, arrays: Mapping[str, npt.NDArray[Any]], extra: Mapping[str, Any]) -> Self:
        season, thetas = int(extra["season"]), arrays["theta"]
        band = band_of(season)
        size = build_network(band.config(season), band.inputs(season))[0].size
        if thetas.dtype != np.float32 or thetas.shape != (band.members, size):
            raise ValueError(f"there are {thetas.shape} weights, the networks take {(band.members, size)}")
        return cls(model, season, thetas, [History.read(entry) for entry in extra["histories"]])


def networks_of(band: Band, season: int, thetas: npt.NDArray[np.float32]) -> list[Network]:
    """The band's networks with parameters (members, P)."""
    networks = []
    for theta in thetas:
        network = build_network(band.config(season), band.inputs(season))[0]
        network.theta[:] = theta
        networks.append(network)
    return networks
