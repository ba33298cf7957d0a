"""Trained networks and their forecasts.

Notation: S series, h horizon, Q quantiles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from forecast.errors import ParameterError
from forecast.learning.network import Network
from forecast.learning.training import History, WindowData, predict
from forecast.models.base import Fitted, Forecast, State
from forecast.models.recurrent.assembly import build_network, transform_of, window_data
from forecast.models.recurrent.inputs import Arrays, Inputs
from forecast.models.recurrent.paths import interpolated, mean_weights, simulate
from forecast.series.panel import Panel
from forecast.series.scaling import restored
from forecast.series.windows import windows_at_end

if TYPE_CHECKING:
    from forecast.models.pretrained.model import Pretrained
    from forecast.models.recurrent.base import PatchNetwork

_AT_ONCE = 1_000_000  # values of a chunk of series that is forecast: its copies take some 40 MB


class FittedNetwork(Fitted):
    """Trained networks: ``n_members`` of them."""

    def __init__(
        self,
        model: "PatchNetwork | Pretrained",
        resolved: "PatchNetwork",
        networks: Sequence[Network],
        histories: Sequence[History],
        inputs: Inputs,
    ) -> None:
        self.model: PatchNetwork | Pretrained = model
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
        """Mean of the members, those that see the series alike together."""
        exog = self.inputs.encode(panel)
        views = [self.view(member) for member in range(len(self.networks))]
        alike: dict[int, list[Network]] = {}
        for view, network in zip(views, self.networks, strict=True):
            alike.setdefault(views.index(view), []).append(network)
        parts = [self._predict_alike(views[k], panel, exog, h, quantiles, group) for k, group in alike.items()]
        weights = np.array([len(group) for group in alike.values()]) / len(self.networks)
        point, spread = zip(*parts, strict=True)
        return sum(map(np.multiply, weights, point)), sum(map(np.multiply, weights, spread))

    def view(self, member: int) -> "PatchNetwork":
        """The config by which a member sees the series."""
        return replace(self.resolved, transform=transform_of(self.resolved, member))

    def _predict_alike(
        self, view: "PatchNetwork", panel: Panel, exog: Arrays, h: int, quantiles: tuple[float, ...],
        networks: list[Network],
    ) -> tuple[Any, Any]:  # fmt: skip
        data, log = window_data(view, view.transform, panel, exog)
        _, objective = build_network(view, self.inputs)
        grid = np.array(objective.quantiles)
        middle = int(np.argmin(np.abs(grid - 0.5)))
        horizon = objective.spec.horizon

        def block(history: WindowData, known: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
            windows, threads = windows_at_end(known), self.model.num_threads
            members = (predict(network, history, windows, objective, threads) for network in networks)
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
            f"{members}{r.outline()} over {patches} patches of {r.patch_length}, "
            f"{season}{covariates}, horizon {r.horizon}, {self.network.size:,} parameters, "
            f"{self.history.steps} steps"
        )

    def state(self) -> State:
        extra = {name: getattr(self.resolved, name) for name in self.resolved.chosen}
        histories = [vars(history) for history in self.histories]
        theta = np.concatenate([network.theta for network in self.networks])
        arrays, inputs = self.inputs.state()
        scales = {f"inputs.{name}": values for name, values in arrays.items() if values.size}
        return {"theta": theta, **scales}, {"resolved": extra, "histories": histories, "inputs": inputs}

    @classmethod
    def from_state(cls, model: Any, arrays: Mapping[str, npt.NDArray[Any]], extra: Mapping[str, Any]) -> Self:
        resolved = replace(model, weights=None, **extra["resolved"])
        theta, histories = arrays["theta"], [History.read(entry) for entry in extra["histories"]]
        if resolved.context_length % resolved.patch_length or resolved.depth > theta.size:
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
