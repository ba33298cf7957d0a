"""Streams: networks that stand at the end of series that go on, so that a new row costs a step, and so does a forecast.

A window ends at the cutoff, and so does its last patch. Of patches of p values there are p phases therefore, and a new
row completes a patch of one of them. So each series has p lanes, one for each phase; a lane sees all patches of its
phase from the start of the series on, of which the first may be padded in front. A lane's state is that before its last
patch: this one is seen anew by each forecast, which leaves the state as it is.

Notation: S series of n values each, p values a patch, Z values of a state. Phase f has the patches that end after
f, f + p, f + 2 p ... values (f = 0: p, 2 p ...); its lane is ``s p + f``.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from forecast.errors import DataError
from forecast.learning.network import Network
from forecast.learning.training import Objective, WindowData, advance, predict
from forecast.models.recurrent.assembly import Measures, build_network, measured, transform_of, window_data
from forecast.models.recurrent.inputs import Inputs
from forecast.series.panel import Panel

if TYPE_CHECKING:
    from forecast.models.recurrent.base import PatchNetwork

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]

_AT_ONCE = (32, 4, 1)  # patches that a network sees in one run


@dataclass(frozen=True, eq=False)
class Anchors:
    """How a stream sees series, whatever values come: as their histories in ``fit`` suggested."""

    ids: tuple[Any, ...]
    measures: dict[str, Measures]
    """By the transform of members; see `assembly.transform_of`."""

    @classmethod
    def learn(cls, resolved: "PatchNetwork", panel: Panel) -> Self:
        transforms = dict.fromkeys(transform_of(resolved, member) for member in range(resolved.n_members))
        return cls(tuple(panel.ids), {one: measured(resolved, one, panel) for one in transforms})

    def of(self, resolved: "PatchNetwork", panel: Panel) -> dict[str, Measures]:
        """Of the series of a panel; those that were not in ``fit`` are seen as their own histories suggest."""
        place = {str(one): row for row, one in enumerate(self.ids)}
        rows = np.array([place.get(str(one), -1) for one in panel.ids])
        new = np.flatnonzero(rows < 0)
        found = {}
        for transform, known in self.measures.items():
            found[transform] = known.of(rows)
            if len(new):
                own = measured(resolved, transform, panel.select(new))
                for part, values in zip(found[transform], own, strict=True):
                    part[new] = values
        return found

    def state(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """What must be stored: arrays, and a JSON-able dict."""
        ids = [one.item() if isinstance(one, np.generic) else one for one in self.ids]
        arrays = {
            f"{k}.{name}": values
            for k, one in enumerate(self.measures.values())
            for name, values in one._asdict().items()
        }
        return arrays, {"ids": ids, "transforms": list(self.measures)}

    @classmethod
    def from_state(cls, arrays: Mapping[str, Array], extra: Mapping[str, Any]) -> Self:
        """The inverse of ``state``.

        Raises
        ------
        ValueError
            If the arrays do not fit each other.
        """
        measures = {}
        S = len(extra["ids"])
        for k, transform in enumerate(extra["transforms"]):
            one = Measures(*(arrays[f"{k}.{name}"] for name in Measures._fields))
            shapes = [values.shape for values in one] == [(S,), (S, 2), (S,)]
            kinds = [values.dtype for values in one] == [np.bool_, np.float64, np.float64]
            if not shapes or not kinds:
                raise ValueError("the levels of the stream have another shape")
            measures[transform] = one
        return cls(tuple(extra["ids"]), measures)


class Stream:
    """The states of networks at the end of the series of a panel.

    Parameters
    ----------
    networks : sequence of Network
        The members.
    resolved : PatchNetwork
        Their config, without None.
    inputs : Inputs
        Covariates; static ones alone.
    anchors : Anchors
        How series are seen.
    """

    def __init__(self, networks: Sequence[Network], resolved: "PatchNetwork", inputs: Inputs, anchors: Anchors) -> None:
        self.networks, self.resolved, self.inputs, self.anchors = tuple(networks), resolved, inputs, anchors
        self.patch = int(resolved.patch_length or 1)
        self.states: tuple[Array, ...] = ()  # of each member (S p, Z)
        self.measures: dict[str, Measures] = {}
        self.panel: Panel | None = None  # None: it stands nowhere

    @property
    def tail(self) -> int:
        """Values at the end of a series that a forecast looks at."""
        return max(2 * self.patch - 1, 4 * (self.resolved.season_length or 0))

    def at(self, panel: Panel) -> "Stream":
        """This stream if it stands at the end of a panel, or another one that has seen the whole panel."""
        if self._stands_at(panel):
            return self
        other = Stream(self.networks, self.resolved, self.inputs, self.anchors)
        other.start(panel)
        return other

    def start(self, panel: Panel) -> None:
        """Begin anew, and see all of a panel.

        Raises
        ------
        DataError
            If a series that is seen in logarithms has a value that allows none.
        """
        self.panel = None
        lanes = len(panel) * self.patch
        self.states = tuple(np.tile(network.empty_state, (lanes, 1)) for network in self.networks)
        self.measures = self.anchors.of(self.resolved, panel)
        self._see(panel, np.zeros(len(panel), np.int64))
        self.panel = panel

    def go_on(self, panel: Panel, before: Panel) -> None:
        """See what a panel has beyond ``before``, whose series it goes on with.

        Raises
        ------
        DataError
            As ``start``; the stream then stands nowhere, and is started when it is needed.
        """
        if not self._stands_at(before):
            self.start(panel)
            return
        self.panel = None
        self._see(panel, before.lengths)
        self.panel = panel

    def _stands_at(self, panel: Panel) -> bool:
        here = self.panel
        return here is not None and here.y is panel.y and here.indptr is panel.indptr and here.ids is panel.ids

    def _see(self, panel: Panel, before: Ints) -> None:
        """Let lanes go on to the end of a panel, of whose series they have seen ``before`` (S,) values."""
        p = self.patch
        grown = np.flatnonzero(panel.lengths > before)
        if not len(grown):
            return
        before, after = before[grown], panel.lengths[grown]
        recent = panel.tail(after - before + 2 * p - 1, grown)
        hidden = after - recent.lengths
        data = {transform: self._data(transform, recent, grown)[0] for transform in self.measures}
        ends, left = pending(before, after, p)
        for patches in _AT_ONCE:
            if (left < patches).all():
                continue
            networks, objective = self._networks(patches)
            while (left >= patches).any():
                series, phase = np.nonzero(left >= patches)
                cutoffs = ends[series, phase] + (patches - 1) * p - hidden[series]
                windows = np.stack([series, cutoffs, grown[series] * p + phase], axis=1)
                for member, (network, states) in enumerate(zip(networks, self.states, strict=True)):
                    seen = data[transform_of(self.resolved, member)]
                    advance(network, seen, windows, objective, states, self.resolved.num_threads)
                ends[series, phase] += patches * p
                left[series, phase] -= patches

    def view(self, transform: str, series: Ints) -> tuple[WindowData, npt.NDArray[np.bool_]]:
        """The ends of some series of the panel, as `forecast` takes them, and which are in logarithms."""
        assert self.panel is not None
        return self._data(transform, self.panel.tail(np.full(len(series), self.tail), series), series)

    def _data(self, transform: str, recent: Panel, series: Ints) -> tuple[WindowData, npt.NDArray[np.bool_]]:
        measures = self.measures[transform].of(series)
        low = np.repeat(measures.log, recent.lengths) & (recent.y <= 0)
        if low.any():
            at = int(low.argmax())
            name = recent.ids[int(np.searchsorted(recent.indptr, at, side="right")) - 1]
            raise DataError(
                f"Series {name!r} has the value {recent.y[at]:g}, which has no logarithm, but its stream began with "
                f"logarithms; fit {self.resolved.name} again with transform='none', or correct the value."
            )
        return window_data(self.resolved, transform, recent, self.inputs.encode(recent), measures)

    def forecast(self, members: Sequence[int], data: WindowData, cutoffs: Ints, fed: int, series: Ints) -> Array:
        """Forecasts (S', h, Q), ascending along Q: the mean of some members.

        Parameters
        ----------
        members : sequence of int
            Their numbers.
        data : WindowData
            What a `view` shows, and then forecasts that are fed back.
        cutoffs : (S',) int64
            Where the future begins in each.
        fed : int
            Values before the cutoff that were fed back.
        series : (S',) int64
            Which series of the panel each goes on with.
        """
        assert self.panel is not None
        p, n = self.patch, self.panel.lengths[series]
        more = -(-fed // p)  # patches after the last one of the history
        begun = n + fed - more * p >= 1  # whether the history has one in that phase
        lanes = series * p + (n + fed) % p
        parts = []
        for patches, chosen in ((more + 1, np.flatnonzero(begun)), (more, np.flatnonzero(~begun))):
            if len(chosen):
                windows = np.stack([chosen, cutoffs[chosen], lanes[chosen]], axis=1)
                parts.append((chosen, self._forecast(members, data, windows, patches)))
        out = np.empty((len(series), *parts[0][1].shape[1:]))
        for chosen, values in parts:
            out[chosen] = values
        return out

    def _forecast(self, members: Sequence[int], data: WindowData, windows: Ints, patches: int) -> Array:
        networks, objective = self._networks(patches)
        threads = self.resolved.num_threads
        found = [predict(networks[k], data, windows, objective, threads, self.states[k]) for k in members]
        return np.asarray(np.mean([np.sort(one, axis=2) for one in found], axis=0))

    def _networks(self, patches: int) -> tuple[list[Network], Objective]:
        """The members as networks of windows of so many patches."""
        sized = replace(self.resolved, context_length=patches * self.patch)
        made = [build_network(sized, self.inputs) for _ in self.networks]
        for (network, _), member in zip(made, self.networks, strict=True):
            network.theta = member.theta
        return [network for network, _ in made], made[0][1]

    def state(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """What must be stored: arrays, and a JSON-able dict."""
        arrays, extra = self.anchors.state()
        arrays = {f"anchors.{name}": values for name, values in arrays.items()}
        if self.panel is not None:
            arrays |= {f"states.{member}": states for member, states in enumerate(self.states)}
        return arrays, {"anchors": extra, "panel": None if self.panel is None else digest(self.panel)}

    def resume(self, panel: Panel, arrays: Mapping[str, Array], marked: str) -> None:
        """Stand at the end of the panel of a file, if the states that were stored are those of its end.

        Raises
        ------
        ValueError
            If the states do not fit the panel.
        """
        if digest(panel) != marked:
            return
        states = tuple(arrays[f"states.{member}"].copy() for member in range(len(self.networks)))
        for network, one in zip(self.networks, states, strict=True):
            if one.shape != (len(panel) * self.patch, len(network.empty_state)) or one.dtype != network.theta.dtype:
                raise ValueError("the states of the stream have another shape")
        self.states, self.measures, self.panel = states, self.anchors.of(self.resolved, panel), panel


def pending(before: Ints, after: Ints, patch: int) -> tuple[Ints, Ints]:
    """Where the next patch of each lane ends (S, p), and how many lanes must see (S, p), when series have grown.

    Parameters
    ----------
    before, after : (S,) int64
        Lengths. All patches up to a length but the last one of each lane were, or are to be, seen.
    patch : int
        p.
    """
    phases = np.arange(patch)
    first = np.where(phases == 0, patch, phases)
    ends, last = (n[:, None] - (n[:, None] - phases) % patch for n in (before, after))
    ends = np.maximum(ends, first)
    return ends, np.maximum(last - ends, 0) // patch


def digest(panel: Panel) -> str:
    """Tells a panel's histories from others."""
    found = hashlib.sha256(np.ascontiguousarray(panel.y).data)
    found.update(np.ascontiguousarray(panel.indptr).data)
    return found.hexdigest()
