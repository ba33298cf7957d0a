"""A panel: many series of one frequency, of any lengths, in flat arrays.

Notation: S series, N observations of all series together, n_s the length of series s, K steps after their ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.series.frequency import Frequency
from forecast.series.roles import NOTHING, Declared

Stamps = npt.NDArray[Any]  # datetime64[ns], or int64 for integer time
Category: TypeAlias = str | int


@dataclass(frozen=True)
class Columns:
    """The caller's own names, and his time zone, so that outputs carry them back."""

    id: str = "unique_id"
    time: str = "ds"
    target: str = "y"
    tz: str | None = None  # the zone of the caller's stamps; inside, stamps carry none


@dataclass(frozen=True, eq=False)
class Panel:
    """Histories on a regular grid; a value that was not observed is NaN.

    Series s owns ``y[indptr[s]:indptr[s + 1]]``. From ``read_panel``, its first and last values are observed;
    an earlier cutoff (``head``) may end on an unobserved one.
    """

    ids: npt.NDArray[np.object_]  # (S,) the caller's own identifiers, str or int
    indptr: npt.NDArray[np.int64]  # (S + 1,)
    y: npt.NDArray[np.float64]  # (N,) NaN where unobserved
    starts: Stamps  # (S,) stamp of the first value of each series, on the grid, without zone
    frequency: Frequency
    season_length: int
    columns: Columns
    covariates: dict[str, npt.NDArray[np.float64]]  # name -> (N,), aligned with y, NaN where unknown
    notes: tuple[str, ...] = ()  # what was guessed, filled or dropped: sentences for the user
    declared: Declared = NOTHING  # which covariates models may use, and when they are known
    ahead: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    """Name -> (S, K) values of covariates in the K steps after the end of each series, NaN where unknown; a name that
    is missing is unknown. `forecast.series.future.reaching` makes them complete for a horizon."""
    statics: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    """Name -> (S,) of static covariates: float64, NaN where unknown; or object, with None where unknown."""
    categories: tuple[Category, ...] = ()
    """What the values of a categorical target stand for, texts or whole numbers: ``y`` then holds places in it. Empty
    for numbers."""

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(S,) length of each series, unobserved values included."""
        return np.diff(self.indptr)

    def series(self, s: int) -> npt.NDArray[np.float64]:
        """(n_s,) values of series ``s``; a view."""
        return self.y[self.indptr[s] : self.indptr[s + 1]]

    def stamps(self, s: int) -> Stamps:
        """(n_s,) stamps of series ``s``."""
        return self.frequency.range(self.starts[s], int(self.lengths[s]))

    @cached_property
    def ends(self) -> Stamps:
        """(S,) stamp of the last value of each series."""
        return self.frequency.shift(self.starts, self.lengths - 1)

    def select(self, keep: npt.NDArray[Any]) -> "Panel":
        """The panel of some series: ``keep`` is a boolean mask (S,) or an array of positions."""
        chosen = np.arange(len(self))[keep]
        ahead = {name: values[chosen] for name, values in self.ahead.items()}
        return replace(self._gathered(chosen, self.lengths[chosen]), ahead=ahead)

    def head(self, lengths: npt.NDArray[np.int64]) -> "Panel":
        """The panel as it was earlier: the first ``lengths[s]`` values (at least 1) of each series, nothing ahead."""
        return self._gathered(np.arange(len(self)), np.minimum(lengths, self.lengths))

    def tail(self, lengths: npt.NDArray[np.int64], keep: npt.NDArray[np.int64] | None = None) -> "Panel":
        """The last ``lengths[s]`` values (at least 1) of each series, or of those at positions ``keep`` (S',)."""
        chosen = np.arange(len(self)) if keep is None else keep
        kept = np.minimum(lengths, self.lengths[chosen])
        skipped = self.lengths[chosen] - kept
        tail = self._gathered(chosen, kept, skipped)
        starts = self.frequency.shift(tail.starts, skipped)
        return replace(tail, starts=starts, ahead={name: values[chosen] for name, values in self.ahead.items()})

    def _gathered(
        self, chosen: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], skipped: npt.NDArray[np.int64] | int = 0
    ) -> "Panel":
        """Some series, of each so many values after those that are skipped; stamps are those of the first of all."""
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        rows = np.arange(indptr[-1]) + np.repeat(self.indptr[chosen] + skipped - indptr[:-1], lengths)
        return replace(
            self,
            ids=self.ids[chosen],
            indptr=indptr,
            y=self.y[rows],
            starts=self.starts[chosen],
            covariates={name: values[rows] for name, values in self.covariates.items()},
            ahead={},
            statics={name: values[chosen] for name, values in self.statics.items()},
        )

    def regressors(self, s: int, h: int = 0) -> npt.NDArray[np.float64]:
        """(n_s + h, C) covariates of series ``s`` that are known ahead, over its history and the ``h`` steps after it.

        Columns are in the order of ``declared.known``; NaN where unknown, which ``reaching`` has excluded ahead.
        """
        names, n = self.declared.known, int(self.lengths[s])
        out = np.full((n + h, len(names)), np.nan)
        for c, name in enumerate(names):
            out[:n, c] = self.covariates[name][self.indptr[s] : self.indptr[s + 1]]
            ahead = self.ahead.get(name, np.empty((len(self), 0)))[s, :h]
            out[n : n + len(ahead), c] = ahead
        return out

    def future(self, h: int) -> Stamps:
        """(S, h) the stamps of the ``h`` steps after the end of each series."""
        steps = np.tile(np.arange(1, h + 1), len(self))
        return self.frequency.shift(np.repeat(self.ends, h), steps).reshape(len(self), h)

    def outward(self, stamps: Stamps) -> "pd.Index[Any]":
        """Stamps as the caller has them: in his time zone, if he had one."""
        index = pd.Index(stamps.ravel())
        if self.columns.tz is None:
            return index
        stamps_of = pd.DatetimeIndex(index)
        if self.frequency.is_wall_clock:
            return stamps_of.tz_localize(self.columns.tz, ambiguous=True, nonexistent="shift_forward")
        return stamps_of.tz_localize("UTC").tz_convert(self.columns.tz)

    def future_frame(self, h: int) -> pd.DataFrame:
        """Identifier and time columns of the ``h`` steps after each series: S * h rows."""
        return pd.DataFrame(
            {
                self.columns.id: np.repeat(self.ids, h),
                self.columns.time: self.outward(self.future(h)),
            }
        )

    def frame(self) -> pd.DataFrame:
        """The long frame: identifier, time, target and covariates, N rows, on the full grid."""
        steps = np.arange(len(self.y)) - np.repeat(self.indptr[:-1], self.lengths)
        stamps = self.frequency.shift(np.repeat(self.starts, self.lengths), steps)
        return pd.DataFrame(
            {
                self.columns.id: np.repeat(self.ids, self.lengths),
                self.columns.time: self.outward(stamps),
                self.columns.target: self.labels(self.y),
                **self.covariates,
            }
        )

    def labels(self, values: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
        """Values as the caller has them: of a categorical target its categories, None where unobserved."""
        if not self.categories:
            return values
        return np.array([*self.categories, None], object)[np.nan_to_num(values, nan=-1).astype(np.int64)]

    def with_notes(self, notes: Sequence[str]) -> "Panel":
        """The same panel with more to say."""
        return replace(self, notes=self.notes + tuple(notes))


def stack(panels: Sequence[Panel]) -> Panel:
    """One panel of the series of all: histories of the same series at several cutoffs keep their identifiers."""
    if len(panels) == 1:
        return panels[0]
    ends = np.cumsum([0, *(panel.indptr[-1] for panel in panels)])
    columns = [field.name for field in fields(Panel) if isinstance(getattr(panels[0], field.name), dict)]
    tables: dict[str, Any] = {
        column: {
            name: np.concatenate([getattr(panel, column)[name] for panel in panels])
            for name in getattr(panels[0], column)
        }
        for column in columns
    }
    return replace(
        panels[0],
        ids=np.concatenate([panel.ids for panel in panels]),
        indptr=np.concatenate([[0], *(panel.indptr[1:] + end for panel, end in zip(panels, ends[:-1], strict=True))]),
        y=np.concatenate([panel.y for panel in panels]),
        starts=np.concatenate([panel.starts for panel in panels]),
        **tables,
    )
