"""Covariates as a network sees them: standardised, in one array; what was learned in fit is kept.

In a window, a covariate that is known ahead reaches the head as its distance, at each step of the horizon, from the
step whose value the network corrects (a season ago), as the target does; without a season, from its mean in the
context. Historic covariates, and without a season the others too, stand in the patches beside the target, as distances
from their mean in the context, which the head gets as one value: given whole, their levels would tell each training
window from all others, and be learned by heart.

A covariate is centred and scaled series by series, because the loads of two markets or the prices of two articles have
levels of their own, which would drown what moves within each; a series that was not seen in fit is scaled by its own
history. Flags (0 or 1 throughout) and what is computed from the stamps mean the same in every series and stay as they
are. Static numbers are scaled over all series, which they are there to tell apart; a category is one of several inputs,
one hot, whose weights in the head's first layer are its embedding; one that was not seen in fit is none of them.

Notation: S series, N values of all series, C covariates, K steps known ahead, Z static inputs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from forecast.errors import ParameterError
from forecast.series.panel import Panel
from forecast.series.scaling import levels

Floats = npt.NDArray[np.float64]
LIMIT = 10.0  # standard deviations: what lies farther out is cut off there
LEAST = 0.05  # of the usual spread: a series in which a covariate hardly moves is not blown up
MOST_CATEGORIES = 1_000


class Arrays(NamedTuple):
    """The last three fields of `forecast.learning.training.WindowData`."""

    exog: npt.NDArray[np.float32]  # (M, C)
    spans: npt.NDArray[np.int64]  # (S, 3)
    statics: npt.NDArray[np.float32]  # (S, Z)


@dataclass(frozen=True, eq=False)
class Inputs:
    """Which covariates a network was trained with, and how each is scaled; by default none."""

    known: tuple[str, ...] = ()
    """Covariates that are known ahead, in the order of the array."""
    historic: tuple[str, ...] = ()
    """Those that follow them there."""
    static: tuple[str, ...] = ()
    """Static covariates in order."""
    ids: tuple[Any, ...] = ()
    """The series that ``scales`` is of."""
    scales: Floats = field(default_factory=lambda: np.zeros((0, 0, 2)))
    """(S, C, 2) centre and scale of each covariate in each series."""
    usual: Floats = field(default_factory=lambda: np.zeros((0, 3)))
    """(C, 3) centre and scale for series without a history of their own, and 1 if that is for all series."""
    moments: Floats = field(default_factory=lambda: np.zeros((0, 2)))
    """(static, 2) centre and scale of static numbers; (0, 1) for categories."""
    categories: tuple[tuple[str, ...], ...] = ()
    """The categories of each static covariate; none for a number."""

    @property
    def covariates(self) -> int:
        """C."""
        return len(self.known) + len(self.historic)

    @property
    def statics(self) -> int:
        """Z."""
        return sum(len(found) or 1 for found in self.categories)

    @classmethod
    def learn(cls, panel: Panel) -> "Inputs":
        """Take the scales from a panel's histories and the categories from its series.

        Raises
        ------
        ParameterError
            If a static covariate has too many categories.
        """
        declared = panel.declared
        names = declared.known + declared.historic
        scales, usual = np.zeros((len(panel), len(names), 2)), np.zeros((len(names), 3))
        for c, name in enumerate(names):
            values = panel.covariates[name]
            own = _moments(values, panel.indptr)
            usual[c] = _usual(values, own, fixed=name in declared.computed)
            scales[:, c] = _settled(own, usual[c])
        moments, categories = np.zeros((len(declared.static), 2)), []
        for k, name in enumerate(declared.static):
            found = panel.statics[name]
            categories.append(_categories(name, found))
            moments[k] = (0.0, 1.0) if categories[-1] else _over_series(found)
        ids = tuple(panel.ids) if names else ()
        return cls(declared.known, declared.historic, declared.static, ids, scales, usual, moments, tuple(categories))

    def encode(self, panel: Panel) -> Arrays:
        """What the network sees of a panel's covariates, in the past and as far ahead as they are known."""
        S, N, names = len(panel), len(panel.y), self.known + self.historic
        if not names:
            return Arrays(np.zeros((0, 0), np.float32), np.zeros((0, 3), np.int64), self._statics(panel))
        K = max((values.shape[1] for values in panel.ahead.values()), default=0)
        first = panel.indptr[:-1] + K * np.arange(S)
        spans = np.stack([first, first, first + panel.lengths + K], axis=1).astype(np.int64)
        exog = np.full((N + K * S, len(names)), np.nan, np.float32)
        past = np.arange(N) + np.repeat(K * np.arange(S), panel.lengths)
        later = spans[:, 2:] - K + np.arange(K)  # (S, K)
        for c, name in enumerate(names):
            scales = self._scales(panel, c, name)
            each = np.repeat(scales, panel.lengths, axis=0)
            exog[past, c] = _standard(panel.covariates[name], each[:, 0], each[:, 1])
            if name in self.known and name in panel.ahead:
                ahead = panel.ahead[name]
                exog[later[:, : ahead.shape[1]], c] = _standard(ahead, scales[:, :1], scales[:, 1:])
        return Arrays(exog, spans, self._statics(panel))

    def _scales(self, panel: Panel, c: int, name: str) -> Floats:
        """(S, 2) centre and scale of a covariate in each series: those of fit, or of the history of a new series."""
        place = {str(one): row for row, one in enumerate(self.ids)}
        rows = np.array([place.get(str(one), -1) for one in panel.ids])
        if (rows >= 0).all():
            return np.asarray(self.scales[rows, c])
        own = _settled(_moments(panel.covariates[name], panel.indptr), self.usual[c])
        return np.where(rows[:, None] >= 0, self.scales[rows, c], own)

    def _statics(self, panel: Panel) -> npt.NDArray[np.float32]:
        """(S, Z) static inputs: 0 for the mean, for an unknown number and for a category not seen in fit."""
        columns = [np.zeros((len(panel), 0))]
        for name, (centre, scale), found in zip(self.static, self.moments, self.categories, strict=True):
            values = panel.statics[name]
            if found:
                columns.append(np.array([[value == one for one in found] for value in values], dtype=np.float64))
            else:
                numbers = values if values.dtype == np.float64 else np.full(len(panel), np.nan)
                columns.append(np.nan_to_num(_standard(numbers, centre, scale))[:, None])
        return np.concatenate(columns, axis=1).astype(np.float32)

    def state(self) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
        """What must be stored: arrays, and a JSON-able dict."""
        arrays = {"scales": self.scales, "usual": self.usual, "moments": self.moments}
        extra = {
            "known": self.known,
            "historic": self.historic,
            "static": self.static,
            "ids": [one.item() if isinstance(one, np.generic) else one for one in self.ids],
            "categories": self.categories,
        }
        return arrays, extra

    @classmethod
    def from_state(cls, arrays: Mapping[str, npt.NDArray[Any]], extra: Mapping[str, Any]) -> Self:
        """The inverse of ``state``.

        Raises
        ------
        ValueError
            If the arrays do not fit each other.
        """
        known, historic, static, ids = (tuple(extra[name]) for name in ("known", "historic", "static", "ids"))
        categories = tuple(tuple(found) for found in extra["categories"])
        none = cls().state()[0]  # empty arrays are not stored
        scales, usual, moments = (arrays.get(name, none[name]) for name in ("scales", "usual", "moments"))
        made = cls(known, historic, static, ids, scales, usual, moments, categories)
        fit = made.usual.shape == (made.covariates, 3) and made.moments.shape == (len(static), 2)
        rows = len(ids) if made.covariates else len(made.scales)
        if not fit or made.scales.shape != (rows, made.covariates, 2) or len(categories) != len(static):
            raise ValueError("the scales of the covariates have another shape")
        return made


def _standard(values: Any, centre: Any, scale: Any) -> Floats:
    """Standardised values; NaN where unknown."""
    return np.asarray(np.clip((values - centre) / scale, -LIMIT, LIMIT))


def _moments(values: Floats, indptr: npt.NDArray[np.int64]) -> Floats:
    """(S, 2) mean and standard deviation of each series' known values; NaN where there is none."""
    count = np.add.reduceat((~np.isnan(values)).astype(np.int64), indptr[:-1])
    return np.where(count[:, None] > 0, levels(values, indptr), np.nan)


def _usual(values: Floats, own: Floats, *, fixed: bool) -> Floats:
    """(3,) centre and scale where a series has none of its own, and 1 if they hold for all series."""
    known = values[~np.isnan(values)]
    if fixed or not len(known) or np.isin(known, (0, 1)).all():
        return np.array([0.0, 1.0, 1.0])
    spread = float(np.sqrt(np.nanmean(own[:, 1] ** 2)))
    return np.array([np.nanmean(own[:, 0]), spread or float(known.std()) or 1.0, 0.0])


def _settled(own: Floats, usual: Floats) -> Floats:
    """(S, 2) centre and scale of each series, where needed the usual ones."""
    if usual[2]:
        return np.tile(usual[:2], (len(own), 1))
    centre = np.where(np.isnan(own[:, 0]), usual[0], own[:, 0])
    scale = np.where(own[:, 1] >= LEAST * usual[1], own[:, 1], usual[1])
    return np.stack([centre, scale], axis=1)


def _categories(name: str, values: npt.NDArray[Any]) -> tuple[str, ...]:
    """The categories of a static covariate in order; none if it is a number."""
    if values.dtype == np.float64:
        return ()
    found = tuple(sorted({value for value in values if value is not None}))
    if len(found) > MOST_CATEGORIES:
        raise ParameterError(
            f"The static covariate {name!r} has {len(found):,} categories, more than {MOST_CATEGORIES:,}; "
            "leave it out, or join rare ones into one."
        )
    return found


def _over_series(values: Floats) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    return (float(known.mean()), float(known.std()) or 1.0) if len(known) else (0.0, 1.0)
