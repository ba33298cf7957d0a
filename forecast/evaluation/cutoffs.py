"""The cutoffs of a backtest: which series take part in each, what was known there, and what came after.

Notation: S series, W windows, h steps ahead, S' series that take part.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from forecast.errors import DataError, ParameterError
from forecast.evaluation.ahead import with_ahead
from forecast.models.base import Floats
from forecast.series.panel import Panel

CHUNK = 250_000  # values of histories that are forecast in one call: 2 MB stay in the caches, more was slower
MIN_TRAINING = 2  # observed values before a cutoff, the least from which a level and a change can be told


@dataclass(frozen=True)
class Window:
    """One cutoff for every series that is long enough."""

    lengths: npt.NDArray[np.int64]  # (S,) values before the cutoff; 0 or less where a series does not reach it
    usable: npt.NDArray[np.bool_]  # (S,) whether the series takes part
    refit: bool  # whether the models are fitted afresh at this cutoff


def rolling_windows(panel: Panel, h: int, n_windows: int, step: int, refit: bool | int) -> list[Window]:
    """The windows from the earliest to the latest, each with the series that take part."""
    every = _refit_interval(refit, n_windows)
    observed = np.concatenate([[0], np.cumsum(np.isfinite(panel.y))])
    windows: list[Window] = []
    for w in range(n_windows):
        lengths = panel.lengths - h - (n_windows - 1 - w) * step
        before = observed[panel.indptr[:-1] + np.maximum(lengths, 0)] - observed[panel.indptr[:-1]]
        refits = w % every == 0
        usable = before >= MIN_TRAINING if refits else windows[-1].usable
        if not usable.any():
            raise _too_short(panel, h, n_windows, step)
        windows.append(Window(lengths, usable, refits))
    return windows


def _refit_interval(refit: bool | int, n_windows: int) -> int:
    if refit is True:
        return 1
    if refit is False:
        return n_windows
    check_count("refit", refit, 1)
    return refit


def history_at(panel: Panel, window: Window, input_size: int | None, h: int, mode: str) -> Panel:
    """What was known at the cutoff, of the series that take part; of the steps after it, what ``mode`` allows."""
    usable = panel.select(window.usable)
    known = usable.head(window.lengths[window.usable])
    known = with_ahead(known, panel, _first(panel, window), h, mode)
    return known if input_size is None else _last_values(known, input_size)


def _last_values(panel: Panel, k: int) -> Panel:
    """The last ``k`` values of each series, or all that it has."""
    lengths = np.minimum(panel.lengths, k)
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows = np.arange(indptr[-1]) + np.repeat(panel.indptr[1:] - indptr[1:], lengths)
    return replace(
        panel,
        indptr=indptr,
        y=panel.y[rows],
        starts=panel.frequency.shift(panel.starts, panel.lengths - lengths),
        covariates={name: values[rows] for name, values in panel.covariates.items()},
    )


def _first(panel: Panel, window: Window) -> npt.NDArray[np.int64]:
    """Row of the first step after the cutoff, of each series that takes part."""
    return np.asarray(panel.indptr[:-1][window.usable] + window.lengths[window.usable])


def realised(panel: Panel, window: Window, h: int) -> Floats:
    """(S', h) what happened after the cutoff, of each series that takes part."""
    return np.asarray(panel.y[_first(panel, window)[:, None] + np.arange(h)])


def in_batches(windows: list[Window], input_size: int | None) -> Iterator[list[Window]]:
    """Neighbouring windows that share a fit, as many as may be forecast in one call."""
    batch: list[Window] = []
    values = 0
    for window in windows:
        lengths = window.lengths[window.usable]
        size = int(lengths.sum() if input_size is None else np.minimum(lengths, input_size).sum())
        if batch and (window.refit or values + size > CHUNK):
            yield batch
            batch, values = [], 0
        batch.append(window)
        values += size
    yield batch


def window_notes(windows: list[Window]) -> list[str]:
    """Sentences on series that some or all windows leave out."""
    usable = np.stack([window.usable for window in windows])  # (W, S)
    nowhere = int((~usable.any(axis=0)).sum())
    somewhere = int((usable.any(axis=0) & ~usable.all(axis=0)).sum())
    total = usable.shape[1]
    notes = []
    if nowhere:
        notes.append(f"{nowhere} of {total} series are too short for the backtest and were left out of it.")
    if somewhere:
        notes.append(f"{somewhere} of {total} series are too short for the earlier cutoffs and were left out there.")
    return notes


def _too_short(panel: Panel, h: int, n_windows: int, step: int) -> DataError:
    longest = int(panel.lengths.max())
    needed = h + (n_windows - 1) * step + MIN_TRAINING
    spare = longest - h - MIN_TRAINING
    if longest >= needed:
        fix = "its values before the first cutoff are not observed; start the data later or use fewer windows"
    elif spare >= 0:
        fix = f"use n_windows={spare // step + 1} or a shorter horizon"
    elif longest > MIN_TRAINING:
        fix = f"use n_windows=1 and h={longest - MIN_TRAINING} at most"
    else:
        fix = "give longer histories"
    name = panel.ids[int(panel.lengths.argmax())]
    return DataError(
        f"The longest series, {name!r}, has {longest} values, but a backtest with h={h}, n_windows={n_windows} and "
        f"step_size={step} needs {needed}: {fix}."
    )


def check_count(name: str, value: object, least: int) -> None:
    """Refuse what is no whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ParameterError(f"{name} is {value!r}; it must be a whole number of at least {least}.")
