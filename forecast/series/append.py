"""Histories that go on: newer rows behind those there are.

Notation: S series, N values of all series, R series of the newer rows, A values added, K steps ahead.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from forecast.errors import DataError
from forecast.series.assemble import MOST_STEPS_PER_ROW
from forecast.series.calendar import computed
from forecast.series.categories import recoded
from forecast.series.grid import shown
from forecast.series.panel import Panel

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def extended(panel: Panel, newer: Panel) -> Panel:
    """The panel with newer rows behind its series; steps between its end and theirs are unobserved.

    Parameters
    ----------
    panel : Panel
        Histories; their static covariates and notes stay.
    newer : Panel
        Later rows of some of the series, with the covariates that are declared.

    Raises
    ------
    DataError
        If a series is new, its rows do not lie behind its history, or they are of another kind.
    """
    _check_alike(panel, newer)
    rows = _series(panel, newer)
    gaps = _gaps(panel, newer, rows)
    if panel.categories:
        newer = recoded(newer, panel.categories)
    added = np.zeros(len(panel), np.int64)
    added[rows] = gaps + newer.lengths
    order = np.full(len(panel), -1)
    order[rows] = np.arange(len(rows))

    def joined(old: Floats, new: Floats | None) -> Floats:
        parts = []
        for s, count in enumerate(added):
            parts.append(old[panel.indptr[s] : panel.indptr[s + 1]])
            r = order[s]
            if r >= 0:
                size = newer.lengths[r]
                parts.append(np.full(count if new is None else count - size, np.nan))
                if new is not None:
                    parts.append(new[newer.indptr[r] : newer.indptr[r + 1]])
        return np.concatenate(parts)

    longer = replace(
        panel,
        indptr=np.concatenate([[0], np.cumsum(panel.lengths + added)]).astype(np.int64),
        y=joined(panel.y, newer.y),
        covariates={name: joined(old, newer.covariates.get(name)) for name, old in panel.covariates.items()},
        ahead=_ahead(panel, newer, rows, added),
    )
    return _with_known(longer, panel, added)


def _check_alike(panel: Panel, newer: Panel) -> None:
    """Refuse rows whose time or target is of another kind."""
    if newer.frequency.alias != panel.frequency.alias:
        raise DataError(
            f"The new rows are {newer.frequency.describe()}, but the histories are {panel.frequency.describe()}; "
            "give rows of the same frequency."
        )
    if (newer.columns.tz is None) != (panel.columns.tz is None):
        zones = [zone.columns.tz or "without a time zone" for zone in (newer, panel)]
        raise DataError(
            f"The new stamps are {zones[0]}, those of the histories {zones[1]}; give stamps of the same kind."
        )
    if bool(newer.categories) != bool(panel.categories):
        kinds = ["categories" if one.categories else "numbers" for one in (newer, panel)]
        raise DataError(
            f"Column {panel.columns.target!r} of the new rows holds {kinds[0]}, that of the histories {kinds[1]}; "
            "correct the new values."
        )


def _series(panel: Panel, newer: Panel) -> Ints:
    """(R,) which series of the panel the newer rows go on with."""
    place = {str(name): s for s, name in enumerate(panel.ids)}
    rows = [place.get(str(name), -1) for name in newer.ids]
    if -1 in rows:
        raise DataError(
            f"Series {newer.ids[rows.index(-1)]!r} was not there when the models were fitted; leave out its rows, or "
            "fit again with its history."
        )
    return np.array(rows, np.int64)


def _gaps(panel: Panel, newer: Panel, rows: Ints) -> Ints:
    """(R,) steps between the end of each series and its newer rows."""
    places = panel.frequency.positions(newer.starts, panel.starts[rows])
    gaps = places - panel.lengths[rows]
    bad = np.flatnonzero(gaps < 0)
    if len(bad):
        r = int(bad[0])
        name, end = newer.ids[r], panel.ends[rows[r]]
        begin, end_shown = (shown(panel.outward(np.array([stamp]))[0]) for stamp in (newer.starts[r], end))
        if newer.starts[r] > end:
            raise DataError(
                f"The new rows of series {name!r} begin at {begin}, which is no step of its "
                f"{panel.frequency.describe()} history; the next one after its end is "
                f"{shown(panel.outward(panel.future(1)[rows[r]])[0])}."
            )
        raise DataError(
            f"The new rows of series {name!r} begin at {begin}, but its history reaches to {end_shown}; give only rows "
            "after that."
        )
    long = np.flatnonzero(gaps > MOST_STEPS_PER_ROW * (newer.lengths + panel.lengths[rows]))
    if len(long):
        r = int(long[0])
        stamp = shown(panel.outward(newer.starts[r : r + 1])[0])
        raise DataError(
            f"The new rows of series {newer.ids[r]!r} begin at {stamp}, {gaps[r]:,} steps after its end; "
            "correct the stamp, or fit again with newer data."
        )
    return gaps


def _ahead(panel: Panel, newer: Panel, rows: Ints, added: Ints) -> dict[str, Floats]:
    """(S, K) of each covariate that is known ahead: what was known of the steps that are left, and what is new."""
    out = {}
    for name in panel.declared.future:
        old, new = (one.ahead.get(name, np.full((len(one), 0), np.nan)) for one in (panel, newer))
        known = np.full((len(panel), max(old.shape[1], new.shape[1])), np.nan)
        steps = np.arange(old.shape[1]) + added[:, None]
        series, left = np.nonzero(steps < old.shape[1])
        known[series, left] = old[series, steps[series, left]]
        known[rows, : new.shape[1]] = np.where(np.isnan(new), known[rows, : new.shape[1]], new)
        if known.size and not np.isnan(known).all():
            out[name] = known
    return out


def _with_known(longer: Panel, panel: Panel, added: Ints) -> Panel:
    """Fill in covariates of the added steps: what was known ahead of them, and what the stamps tell."""
    series = np.repeat(np.arange(len(panel)), added)
    step = np.arange(len(series)) - np.repeat(np.cumsum(added) - added, added)
    at = longer.indptr[series] + panel.lengths[series] + step
    covariates: dict[str, Any] = dict(longer.covariates)
    for name in panel.declared.future:
        ahead = panel.ahead.get(name, np.empty((len(panel), 0)))
        there = (step < ahead.shape[1]) & np.isnan(covariates[name][at])
        covariates[name][at[there]] = ahead[series[there], step[there]]
    if panel.declared.computed:
        stamps = panel.frequency.shift(panel.ends[series], step + 1)
        for name, values in computed(panel, stamps).items():
            covariates[name][at] = values
    return replace(longer, covariates=covariates)
