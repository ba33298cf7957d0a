"""Trained networks and their forecasts.

Notation: S series, h horizon, Q quantiles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from forecast.errors import ParameterError
from forecast.learning.device import usable_device
from forecast.learning.network import Network
from forecast.learning.training import History, WindowData, predict
from forecast.models.base import Fitted, Forecast, State
from forecast.models.recurrent.assembly import build_network, transform_of, window_data
from forecast.models.recurrent.inputs import Arrays, Inputs
from forecast.models.recurrent.paths import interpolated, mean_weights, simulate
from forecast.models.recurrent.stream import Anchors, Stream
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
        self.stream: Stream | None = None
        self._stored: tuple[Mapping[str, npt.NDArray[Any]], str] | None = None  # states of a file, and of what panel

    def start(self, panel: Panel) -> None:
        """Begin a stream with the histories that the networks were trained on."""
        self.stream = Stream(self.networks, self.resolved, self.inputs, Anchors.learn(self.resolved, panel))
        self.stream.start(panel)

    def update(self, panel: Panel, before: Panel) -> None:
        if self.stream is not None:
            self.stream.go_on(panel, before)

    def resume(self, panel: Panel) -> None:
        if self.stream is not None and self._stored is not None:
            self.stream.resume(panel, *self._stored)
        self._stored = None

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
        stream = None if self.stream is None else self.stream.at(panel)
        kept = len(panel.y) // max(len(panel), 1) if stream is None else self._tail
        chunk = max(1, _AT_ONCE // (kept + self._tail + h))
        point = np.empty((len(panel), h))
        spread = np.empty((len(panel), h, len(quantiles)))
        for at in range(0, len(panel), chunk):
            series = np.arange(at, min(at + chunk, len(panel)))
            view = self._windows(panel, series) if stream is None else _Streamed(stream, series)
            point[series], spread[series] = self._predict_part(view, h, quantiles)
        return Forecast(point, spread)

    def _windows(self, panel: Panel, series: npt.NDArray[np.int64]) -> "_Windows":
        part = panel if len(panel) == len(series) else panel.select(series)
        return _Windows(self, part, self.inputs.encode(part))

    @property
    def _tail(self) -> int:
        """Values at the end of a series that a forecast can depend on."""
        if self.stream is not None:
            return self.stream.tail
        return int(max(self.resolved.context_length or 0, 4 * (self.resolved.season_length or 0)))

    def _predict_part(self, view: "_View", h: int, quantiles: tuple[float, ...]) -> tuple[Any, Any]:
        """Mean of the members, those that see the series alike together."""
        configs = [self.config(member) for member in range(len(self.networks))]
        alike: dict[int, list[int]] = {}
        for member, config in enumerate(configs):
            alike.setdefault(configs.index(config), []).append(member)
        parts = [self._predict_alike(view, h, quantiles, configs[k], members) for k, members in alike.items()]
        weights = np.array([len(group) for group in alike.values()]) / len(self.networks)
        point, spread = zip(*parts, strict=True)
        return sum(map(np.multiply, weights, point)), sum(map(np.multiply, weights, spread))

    def config(self, member: int) -> "PatchNetwork":
        """The config by which a member sees the series."""
        return replace(self.resolved, transform=transform_of(self.resolved, member))

    def _predict_alike(
        self, view: "_View", h: int, quantiles: tuple[float, ...], config: "PatchNetwork", members: list[int]
    ) -> tuple[Any, Any]:
        data, log = view.data(config)
        _, objective = build_network(config, self.inputs)
        grid = np.array(objective.quantiles)
        middle = int(np.argmin(np.abs(grid - 0.5)))
        horizon = objective.spec.horizon
        block = partial(view.forecast, members)
        mean = self.model.point == "mean" and len(grid) > 1
        wanted = (*quantiles, *objective.quantiles) if mean else quantiles
        if h <= horizon:
            out = block(data, np.diff(data.indptr), 0, np.arange(len(data.indptr) - 1))[:, :h]
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
            f"{season}{covariates}{', streaming' * (self.stream is not None)}, horizon {r.horizon}, "
            f"{self.network.size:,} parameters, "
            f"{self.history.steps} steps"
        )

    def state(self) -> State:
        extra = {name: getattr(self.resolved, name) for name in self.resolved.chosen}
        histories = [vars(history) for history in self.histories]
        theta = np.concatenate([network.theta for network in self.networks])
        arrays, inputs = self.inputs.state()
        stored = {f"inputs.{name}": values for name, values in arrays.items() if values.size}
        document = {"resolved": extra, "histories": histories, "inputs": inputs}
        if self.stream is not None:
            arrays, document["stream"] = self.stream.state()
            stored |= {f"stream.{name}": values for name, values in arrays.items()}
        return {"theta": theta, **stored}, document

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
        fitted = cls(model, resolved, networks, histories, inputs)
        if model.stream:
            fitted._load_stream(_below("stream", arrays), extra["stream"])
        return fitted

    def _load_stream(self, arrays: Mapping[str, npt.NDArray[Any]], extra: Mapping[str, Any]) -> None:
        anchors = Anchors.from_state(_below("anchors", arrays), extra["anchors"])
        if {*anchors.measures} != {transform_of(self.resolved, k) for k in range(len(self.networks))}:
            raise ValueError("the stream has levels of other transforms")
        self.stream = Stream(self.networks, self.resolved, self.inputs, anchors)
        if extra["panel"] is not None:
            self._stored = arrays, extra["panel"]


class _View(Protocol):
    """Series as networks see them, and what these forecast."""

    def data(self, config: "PatchNetwork") -> tuple[WindowData, npt.NDArray[np.bool_]]:
        """The series (S') as members of a config see them, and which are in logarithms."""

    def forecast(
        self,
        members: Sequence[int],
        data: WindowData,
        cutoffs: npt.NDArray[np.int64],
        fed: int,
        series: npt.NDArray[np.int64],
    ) -> npt.NDArray[Any]:
        """Mean of some members of one config, ascending along K; see `paths.Block`."""


@dataclass(frozen=True)
class _Windows:
    """Each forecast sees the window before its cutoff."""

    fitted: FittedNetwork
    panel: Panel
    exog: Arrays

    def data(self, config: "PatchNetwork") -> tuple[WindowData, npt.NDArray[np.bool_]]:
        return window_data(config, config.transform, self.panel, self.exog)

    def forecast(
        self,
        members: Sequence[int],
        data: WindowData,
        cutoffs: npt.NDArray[np.int64],
        fed: int,
        series: npt.NDArray[np.int64],
    ) -> npt.NDArray[Any]:
        _, objective = build_network(self.fitted.config(members[0]), self.fitted.inputs)
        windows, model = windows_at_end(cutoffs), self.fitted.model
        run = partial(predict, num_threads=model.num_threads, device=usable_device(model.device))
        found = (run(self.fitted.networks[k], data, windows, objective) for k in members)
        return np.asarray(np.mean([np.sort(out, axis=2) for out in found], axis=0))


@dataclass(frozen=True)
class _Streamed:
    """Each forecast goes on from the whole history."""

    stream: Stream
    series: npt.NDArray[np.int64]  # (S',) which series of its panel

    def data(self, config: "PatchNetwork") -> tuple[WindowData, npt.NDArray[np.bool_]]:
        return self.stream.view(config.transform, self.series)

    def forecast(
        self,
        members: Sequence[int],
        data: WindowData,
        cutoffs: npt.NDArray[np.int64],
        fed: int,
        series: npt.NDArray[np.int64],
    ) -> npt.NDArray[Any]:
        return self.stream.forecast(members, data, cutoffs, fed, self.series[series])


def _below(name: str, arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """The arrays whose names begin with ``name`` and a dot, by the rest of their names."""
    return {key.removeprefix(f"{name}."): values for key, values in arrays.items() if key.startswith(f"{name}.")}
