"""Rows on a regular grid: sorted, checked for duplicates, trimmed, gaps filled with unobserved values.

Notation: n rows, S series, N values on the grid.
"""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import DataError
from forecast.series.columns import listed
from forecast.series.frequency import Frequency, infer_flat
from forecast.series.grid import DAY, Ints, Stamps, nanoseconds, shown
from forecast.series.panel import Columns, Panel
from forecast.words import counted

Ahead: TypeAlias = dict[str, npt.NDArray[np.float64]]  # name -> (S, K)

MOST_STEPS_PER_ROW = 100  # a grid finer than that is a mistaken frequency, and would fill the memory


class Rows(NamedTuple):
    """Values with their series and stamp, in any order."""

    ids: npt.NDArray[np.object_]  # (S,)
    codes: Ints  # (n,) the series of each row
    stamps: Stamps  # (n,)
    y: npt.NDArray[np.float64]  # (n,) NaN where unobserved
    covariates: dict[str, npt.NDArray[np.float64]]  # name -> (n,)

    def pick(self, rows: npt.NDArray[Any]) -> "Rows":
        """Some of the rows, or all of them in another order."""
        covariates = {name: values[rows] for name, values in self.covariates.items()}
        return Rows(self.ids, self.codes[rows], self.stamps[rows], self.y[rows], covariates)

    @property
    def indptr(self) -> Ints:
        """(S + 1,) where each series begins, of sorted rows."""
        return np.concatenate([[0], np.cumsum(np.bincount(self.codes, minlength=len(self.ids)))]).astype(np.int64)


class _Teller:
    """Writes ids and stamps as the caller knows them."""

    def __init__(self, ids: npt.NDArray[np.object_], zone: str | None, hourly: bool) -> None:
        self.ids, self.zone = ids, zone if hourly else None

    def __call__(self, code: Any, stamp: Any) -> str:
        if self.zone is not None:
            stamp = pd.Timestamp(stamp, tz="UTC").tz_convert(self.zone)
        return f"{self.ids[code]!r} at {shown(stamp)}"


def assemble(
    rows: Rows,
    columns: Columns,
    frequency: Frequency | None,
    season_length: int | None,
    *,
    anchored: bool,
    future: tuple[str, ...] = (),
    least: int = 2,
) -> Panel:
    """Build the panel.

    Parameters
    ----------
    rows : Rows
        In any order.
    columns : Columns
        The caller's names and time zone.
    frequency : Frequency, optional
        Inferred if not given.
    season_length : int, optional
        By the frequency if not given.
    anchored : bool
        Whether the caller said on which day or month the frequency lies (``W-SUN`` rather than ``W``).
    future : tuple of str
        Covariates that are known ahead: their values after the last observed one of the target are kept.
    least : int, default 2
        Observed values that some series must have.

    Raises
    ------
    DataError
        For duplicates, irregular stamps, stamps off the given frequency, and too few observed values in every series.
    """
    rows = _sorted(rows)
    _check_distinct(rows, columns)
    if frequency is None:
        frequency, found = infer_flat(rows.stamps, rows.indptr, rows.ids), "inferred from"
    else:
        frequency, found = _on_grid(rows, frequency, anchored=anchored), "as given, for"
    steps = frequency.positions(rows.stamps, rows.stamps[rows.indptr[:-1]][rows.codes])
    if found == "inferred from":
        _check_alike(rows, steps, frequency)
    season = season_length or frequency.season_length
    count = len(pd.unique(rows.stamps))
    notes = [f"Frequency: {frequency.describe()}, {found} {counted(count, 'stamp')}; season length {season}."]
    tell = _Teller(rows.ids, columns.tz, hourly=not frequency.is_wall_clock)
    rows, steps, ahead = _trimmed(rows, steps, tell, notes, future, least)
    _note_gaps(rows, frequency, steps, tell, notes)
    indptr = _layout(rows, steps, frequency)
    places = indptr[rows.codes] + steps
    return Panel(
        ids=rows.ids,
        indptr=indptr,
        y=_placed(rows.y, places, indptr[-1]),
        starts=rows.stamps[rows.indptr[:-1]],
        frequency=frequency,
        season_length=season,
        columns=columns,
        covariates={name: _placed(values, places, indptr[-1]) for name, values in rows.covariates.items()},
        notes=tuple(notes),
        ahead=ahead,
    )


def _sorted(rows: Rows) -> Rows:
    later, same = np.diff(rows.codes) > 0, np.diff(rows.codes) == 0
    if np.all(later | (same & (rows.stamps[1:] >= rows.stamps[:-1]))):
        return rows
    return rows.pick(np.lexsort((rows.stamps, rows.codes)))


def _check_distinct(rows: Rows, columns: Columns) -> None:
    again = np.flatnonzero((np.diff(rows.codes) == 0) & (rows.stamps[1:] == rows.stamps[:-1]))
    if len(again) == 0:
        return
    code, stamp = rows.codes[again[0]], rows.stamps[again[0]]
    count = int(((rows.codes == code) & (rows.stamps == stamp)).sum())
    fix = "keep one of them, or name with --id (id_col=) the column (or several joined) that tells the series apart"
    if stamp.dtype.kind == "M" and columns.tz is None and np.any(nanoseconds(rows.stamps) % DAY):
        fix += "; if clocks were set back then, name the time zone with --tz (tz=)"
    total = counted(len(again), "duplicate")
    raise DataError(f"Series {rows.ids[code]!r} has {count} rows at {shown(stamp)} ({total} in all); {fix}.")


def _check_alike(rows: Rows, steps: Ints, frequency: Frequency) -> None:
    """Refuse series that are regular themselves, but coarser than the rest, such as months among days."""
    within = np.flatnonzero(np.diff(rows.codes) == 0)
    distances, codes = np.diff(steps)[within], rows.codes[within]
    count = np.bincount(codes, minlength=len(rows.ids))
    finest, coarsest = np.full(len(rows.ids), np.iinfo(np.int64).max), np.zeros(len(rows.ids), dtype=np.int64)
    np.minimum.at(finest, codes, distances)
    np.maximum.at(coarsest, codes, distances)
    coarser = np.flatnonzero((count >= 3) & (finest > 1) & (coarsest < 2 * finest))
    if len(coarser):
        raise DataError(
            f"Series {rows.ids[coarser[0]]!r} has a stamp every {finest[coarser[0]]} steps, while all together are "
            f"{frequency.describe()}; put series of different frequencies into separate files, or give --freq (freq=)."
        )


def _on_grid(rows: Rows, frequency: Frequency, *, anchored: bool) -> Frequency:
    """The given frequency, if all stamps lie on it; its anchor follows the stamps if the caller named none."""
    if frequency.is_integer != (rows.stamps.dtype.kind == "i"):
        kind = "dates" if frequency.is_integer else "whole numbers"
        fix = "give one that fits, for example --freq MS (freq='MS')"
        if not frequency.is_integer:
            fix = f"give --freq 1 (freq=1), and the season as season_length={frequency.season_length}"
        raise DataError(
            f"The time is {kind}, such as {shown(rows.stamps[0])}, but the frequency is {frequency.describe()}; {fix}."
        )
    code, stamp = _first_off(rows, frequency)
    if stamp is None:
        return frequency
    inferred = _inferred(rows)
    if inferred is not None and not anchored and inferred.alias.split("-")[0] == frequency.alias.split("-")[0]:
        return inferred
    fix = "resample the series, or leave out --freq (freq=)"
    if inferred is not None:
        alias = inferred.alias
        fix = f"the stamps look {inferred.describe()}: give --freq {alias} (freq={alias!r}) or leave it out"
    raise DataError(
        f"Series {rows.ids[code]!r} has the stamp {shown(stamp)}, which is not {frequency.describe()}; {fix}."
    )


def _first_off(rows: Rows, frequency: Frequency) -> tuple[int, Any]:
    """Series and stamp of the first row off the grid; the stamp is None if there is none."""
    first = rows.stamps[rows.indptr[:-1]][rows.codes]
    off = ~frequency.on_grid(rows.stamps) | (frequency.positions(rows.stamps, first) < 0)
    row = int(off.argmax())
    return int(rows.codes[row]), rows.stamps[row] if off[row] else None


def _inferred(rows: Rows) -> Frequency | None:
    try:
        return infer_flat(rows.stamps, rows.indptr)
    except DataError:
        return None


def _trimmed(
    rows: Rows, steps: Ints, tell: _Teller, notes: list[str], future: tuple[str, ...], least: int
) -> tuple[Rows, Ints, Ahead]:
    """Without series that were never observed, and without the unobserved rows at either end of the others.

    Of the rows after the last value, the covariates that are known ahead are kept apart.
    """
    observed = np.flatnonzero(~np.isnan(rows.y))
    size = len(rows.ids)
    if len(observed) == 0:
        raise DataError(
            "The target has no value at all; name the column that holds the values with --target (target_col=)."
        )
    first, last = np.full(size, len(rows.y)), np.full(size, -1)
    codes = rows.codes[observed]
    first[codes[::-1]], last[codes] = observed[::-1], observed
    if not np.any(np.bincount(codes, minlength=size) >= least):
        raise DataError(
            f"No series has two observed values ({size:,} series in all); "
            "check which columns are the id and the time, with --id and --time (id_col=, time_col=)."
        )
    if len(observed) == len(rows.y):
        return rows, steps, {}
    number, never = np.arange(len(rows.y)), last < 0
    before, after = number < first[rows.codes], number > last[rows.codes]
    lost = never[rows.codes]
    where = "before the first value"
    _note_rows(rows, before & ~lost, tell, notes, f"empty row {where} is left out", f"empty rows {where} are left out")
    one, many = "counts as future and is left out", "count as future and are left out"
    if future:
        one, many = (f"{verb} the future of {listed(future)}" for verb in ("holds", "hold"))
    where = "after the last value"
    _note_rows(rows, after & ~lost, tell, notes, f"empty row {where} {one}", f"empty rows {where} {many}")
    ahead = _ahead(rows, steps, after & ~lost, last, future)
    if never.any():
        what = "series without any value"
        what = counted(never.sum(), f"{what} is left out", f"{what} are left out")
        notes.append(f"{what} (first: {rows.ids[never.argmax()]!r}).")
    kept = ~(before | after)
    steps, rows = (steps - steps[np.minimum(first, len(steps) - 1)][rows.codes])[kept], rows.pick(kept)
    _note_rows(rows, np.isnan(rows.y), tell, notes, "empty value stays unobserved", "empty values stay unobserved")
    tell.ids = rows.ids[~never]
    rows = rows._replace(ids=tell.ids, codes=(np.cumsum(~never) - 1)[rows.codes])
    return rows, steps, {name: values[~never] for name, values in ahead.items()}


def _ahead(rows: Rows, steps: Ints, after: npt.NDArray[np.bool_], last: Ints, names: tuple[str, ...]) -> Ahead:
    """(S, K) values of covariates in the rows after the last value of each series, which is in row ``last``."""
    codes = rows.codes[after]
    distance = steps[after] - steps[last[codes]]
    ahead = {}
    for name in names if len(codes) else ():
        ahead[name] = np.full((len(rows.ids), int(distance.max())), np.nan)
        ahead[name][codes, distance - 1] = rows.covariates[name][after]
    return ahead


def _note_rows(rows: Rows, mask: npt.NDArray[np.bool_], tell: _Teller, notes: list[str], one: str, many: str) -> None:
    """Say of how many rows, and which is the first of them, what became of ``one`` or ``many``."""
    if mask.any():
        row = mask.argmax()
        series = len(np.unique(rows.codes[mask]))
        what = counted(mask.sum(), one, many)
        notes.append(f"{what} ({series:,} series, first: {tell(rows.codes[row], rows.stamps[row])}).")


def _layout(rows: Rows, steps: Ints, frequency: Frequency) -> Ints:
    """(S + 1,) where each series begins on the full grid; refuses a grid that is far finer than the rows."""
    begin = rows.indptr
    lengths = steps[begin[1:] - 1] + 1
    if lengths.sum() > MOST_STEPS_PER_ROW * len(rows.y):
        longest = int(lengths.argmax())
        raise DataError(
            f"On a frequency {frequency.describe()}, series {rows.ids[longest]!r} has {lengths[longest]:,} steps for "
            f"{begin[longest + 1] - begin[longest]:,} rows; give a coarser one with --freq (freq=)."
        )
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _placed(values: npt.NDArray[np.float64], places: Ints, total: int) -> npt.NDArray[np.float64]:
    """(total,) values at their places, unobserved elsewhere."""
    if total == len(values):
        return values
    filled = np.full(total, np.nan)
    filled[places] = values
    return filled


def _note_gaps(rows: Rows, frequency: Frequency, steps: Ints, tell: _Teller, notes: list[str]) -> None:
    jumps = np.flatnonzero((np.diff(steps) > 1) & (np.diff(rows.codes) == 0))
    if len(jumps) == 0:
        return
    missing = int((steps[jumps + 1] - steps[jumps] - 1).sum())
    series = len(np.unique(rows.codes[jumps]))
    stamp = frequency.shift(rows.stamps[jumps[:1]], 1)[0]
    where = tell(rows.codes[jumps[0]], stamp)
    what = counted(missing, "missing step became an unobserved value", "missing steps became unobserved values")
    notes.append(f"{what} ({series:,} series, first: {where}).")
