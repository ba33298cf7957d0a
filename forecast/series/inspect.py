"""What a look at a panel finds: one line on each of its properties, with the fix for what may hurt a forecast.

Notation: S series, N values of all of them, m the season length.
"""

from dataclasses import dataclass
from operator import itemgetter
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.series.categories import perhaps_codes
from forecast.series.columns import listed
from forecast.series.grid import shown
from forecast.series.panel import Panel
from forecast.words import counted

OUTLIER = 8.0  # robust standard deviations
FEW_SERIES = 200  # enough to judge the season of a panel
USUAL_SEASONS = (4, 5, 7, 12, 24, 48, 52, 96, 168, 336, 365)
MAD_TO_SIGMA = 1.4826  # of a normal distribution

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Finding:
    """One property of a panel."""

    severity: Literal["ok", "warn", "error"]
    """``warn`` may hurt a forecast, ``error`` prevents one."""
    what: str
    """What was found, as a sentence."""
    fix: str = ""
    """What to do about it; empty if there is nothing to do."""


def inspect(panel: Panel) -> list[Finding]:
    """Look a panel over before forecasting it.

    Parameters
    ----------
    panel : Panel
        From ``read_panel``.

    Returns
    -------
    list of Finding
        Columns, frequency, season, lengths, ends, gaps, short and constant series, outliers, signs, covariates;
        properties that need no word, such as no outliers, are passed over.
    """
    look = _Look(panel)
    found = [
        _columns(panel),
        Finding("ok", f"The frequency is {panel.frequency.describe()}."),
        None if panel.categories else _season(panel),
        _lengths(panel),
        _ends(look),
        _gaps(look),
        _short(look),
        _single(look),
        _constant(look),
        *([_shares(panel)] if panel.categories else [_outliers(look), _signs(panel), _codes(panel)]),
        *_covariates(panel),
    ]
    return [finding for finding in found if finding is not None]


class _Look:
    """The observed values of a panel with the series that each belongs to."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.codes = np.repeat(np.arange(len(panel)), panel.lengths)  # (N,)
        self.observed = ~np.isnan(panel.y)  # (N,)
        self.count = np.bincount(self.codes[self.observed], minlength=len(panel))  # (S,) observed values

    def some(self, mask: Mask) -> str:
        """How many series a mask (S,) holds, and the first: ``3 series (first: 'a')``."""
        return f"{mask.sum():,} series (first: {self.panel.ids[mask.argmax()]!r})"


def seasonal_autocorrelation(panel: Panel, lag: int) -> float:
    """The autocorrelation of the first differences at a lag, the median over series; NaN if all are too short.

    Differences take the trend away, which would make every lag look like a season.

    Parameters
    ----------
    panel : Panel
        S series; those shorter than two lags are passed over.
    lag : int
        Steps, at least 1.
    """
    codes = np.repeat(np.arange(len(panel)), panel.lengths)
    differences = np.diff(panel.y, prepend=np.nan)
    differences[panel.indptr[:-1]] = np.nan
    count, total = _sums(codes, differences, len(panel))
    with np.errstate(invalid="ignore", divide="ignore"):  # series without two values have no mean
        centred = differences - (total / count)[codes]
        pairs = np.full(len(centred), np.nan)
        pairs[lag:] = np.where(codes[lag:] == codes[:-lag], centred[lag:] * centred[:-lag], np.nan)
        pair_count, covariance = _sums(codes, pairs, len(panel))
        _, variance = _sums(codes, centred**2, len(panel))
        ratios = (covariance / pair_count) / (variance / count)
    usable = (panel.lengths > 2 * lag) & (pair_count >= 3) & (variance > 0)
    return float(np.median(ratios[usable])) if usable.any() else np.nan


def _sums(codes: npt.NDArray[np.int64], values: Floats, size: int) -> tuple[Floats, Floats]:
    """Number and sum (S,) of the values that are not NaN, for each series."""
    known = ~np.isnan(values)
    count = np.bincount(codes[known], minlength=size).astype(np.float64)
    return count, np.bincount(codes[known], weights=values[known], minlength=size).astype(np.float64)


def _columns(panel: Panel) -> Finding:
    columns = panel.columns
    zone = f", time zone {columns.tz}" if columns.tz else ""
    return Finding("ok", f"The id is {columns.id!r}, the time {columns.time!r}, the target {columns.target!r}{zone}.")


def _season(panel: Panel) -> Finding:
    sample = panel.select(np.arange(min(len(panel), FEW_SERIES)))
    season = panel.season_length
    own = seasonal_autocorrelation(sample, season) if season > 1 else 0.0
    others = {lag: seasonal_autocorrelation(sample, lag) for lag in USUAL_SEASONS if lag != season}
    strongest = np.nanmax([-1.0, *others.values()])
    best = next((lag for lag, strength in others.items() if strength > strongest - 0.1), season)
    what = f"The season is {season} steps; the autocorrelation of changes at that lag is {own:.2f}{_word(own)}."
    if season == 1:
        what = "There is no season (season length 1)."
    elif np.isnan(own):
        what = f"The season is {season} steps; the series are too short to see whether it is there."
    if strongest > max(0.5, np.nan_to_num(own) + 0.2):
        fix = f"Consider a season length of {best}, where it is {others[best]:.2f}."
        return Finding("warn", what, fix)
    return Finding("ok", what)


def _word(strength: float) -> str:
    return " (strong)" if strength >= 0.6 else " (moderate)" if strength >= 0.3 else " (weak)"


def _lengths(panel: Panel) -> Finding:
    lengths = panel.lengths
    first, last = shown(panel.outward(panel.starts).min()), shown(panel.outward(panel.ends).max())
    size = f"{lengths[0]:,} steps" + (" each" if len(panel) > 1 else "")
    if lengths.min() != lengths.max():
        size = f"{lengths.min():,} to {lengths.max():,} steps (median {np.median(lengths):,.0f})"
    return Finding("ok", f"There {_are(len(panel))} {len(panel):,} series of {size}, from {first} to {last}.")


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _ends(look: _Look) -> Finding | None:
    early = look.panel.ends < look.panel.ends.max()
    if not early.any():
        return None
    return Finding(
        "warn",
        f"Ending before the last stamp of the others: {look.some(early)}.",
        "Each series is forecast from its own end; remove those that have ended for good.",
    )


def _gaps(look: _Look) -> Finding:
    missing = ~look.observed
    if not missing.any():
        return Finding("ok", "There are no gaps.")
    row = int(missing.argmax())
    code = look.codes[row]
    stamp = look.panel.outward(look.panel.stamps(code))[row - look.panel.indptr[code]]
    series = len(np.unique(look.codes[missing]))
    return Finding(
        "warn",
        f"{missing.sum():,} of {len(missing):,} values ({missing.mean():.1%}) are unobserved, in {series:,} series "
        f"(first: {look.panel.ids[code]!r} at {shown(stamp)}).",
        "Gaps are allowed; fill in values that are known.",
    )


def _short(look: _Look) -> Finding | None:
    season = look.panel.season_length
    short = look.panel.lengths < 2 * season
    if season == 1 or not short.any():
        return None
    return Finding(
        "warn",
        f"Shorter than two seasons ({2 * season} steps): {look.some(short)}.",
        "Give a longer history, or a smaller season length.",
    )


def _single(look: _Look) -> Finding | None:
    single = look.count < 2
    if not single.any():
        return None
    return Finding("error", f"With only one value: {look.some(single)}.", "Give a longer history, or remove them.")


def _constant(look: _Look) -> Finding | None:
    values = pd.Series(look.panel.y).groupby(look.codes)
    constant = (values.max() == values.min()).to_numpy() & (look.count > 1)
    if not constant.any():
        return None
    return Finding(
        "warn", f"Never changing: {look.some(constant)}.", "Their scaled errors are undefined; consider removing them."
    )


def _outliers(look: _Look) -> Finding | None:
    panel = look.panel
    values = pd.Series(panel.y)
    centred = (values - values.groupby(look.codes).transform("median")).abs()
    spread = MAD_TO_SIGMA * centred.groupby(look.codes).transform("median")
    scores = (centred / spread.where(spread > 0)).fillna(0.0).to_numpy()  # most values equal: no scale to judge by
    far = scores > OUTLIER
    if not far.any():
        return None
    row = int(scores.argmax())
    code = look.codes[row]
    stamp = panel.outward(panel.stamps(code))[row - panel.indptr[code]]
    return Finding(
        "warn",
        f"{counted(far.sum(), 'value lies', 'values lie')} more than {OUTLIER:g} robust standard deviations from the "
        f"median (farthest: {panel.ids[code]!r} at {shown(stamp)}, {panel.y[row]:g}).",
        "Check them; leave the cells of wrong values empty.",
    )


def _shares(panel: Panel) -> Finding:
    counts = np.bincount(panel.y[~np.isnan(panel.y)].astype(np.int64), minlength=len(panel.categories))
    shares = sorted(zip(counts / counts.sum(), panel.categories, strict=True), key=itemgetter(0), reverse=True)
    told = ", ".join(f"{name!r} {share:.1%}" for share, name in shares[:10])
    more = f" and {len(shares) - 10} more" if len(shares) > 10 else ""
    return Finding("ok", f"The values are categories: {told}{more}.")


def _codes(panel: Panel) -> Finding | None:
    said = perhaps_codes(panel)
    return None if said is None else Finding("ok", said)


def _signs(panel: Panel) -> Finding | None:
    known = panel.y[~np.isnan(panel.y)]
    zeros, negatives = float(np.mean(known == 0)), float(np.mean(known < 0))
    parts = [f"{share:.1%} are {word}" for share, word in ((zeros, "zero"), (negatives, "negative")) if share]
    if not parts:
        return Finding("ok", "All values are positive.")
    if zeros > 0.5:
        return Finding("warn", f"Of the values, {' and '.join(parts)}.", "Percentage errors mislead; look at MASE.")
    return Finding("ok", f"Of the values, {' and '.join(parts)}.")


def _ahead(panel: Panel, name: str) -> Finding:
    """How far the values of a covariate reach that is declared as known ahead."""
    values = panel.ahead.get(name, np.full((len(panel), 0), np.nan))
    steps = np.cumprod(~np.isnan(values), axis=1).sum(axis=1)  # (S,) up to the first unknown one
    what = f"Covariate {name!r} is known ahead"
    if steps.min() == 0:
        who = panel.ids[int(steps.argmin())]
        where = "" if len(panel) == 1 else f" of {who!r}"
        fix = "Give the values over the horizon with --future-data (future=), or in rows with an empty target."
        return Finding("ok", f"{what}; the data hold no values after the last one{where}.", fix)
    return Finding("ok", f"{what}, for {steps.min():,} steps after the last value.")


def _covariates(panel: Panel) -> list[Finding]:
    declared = panel.declared
    unknown = {name: float(np.isnan(values).mean()) for name, values in panel.covariates.items()}
    undeclared = [name for name in unknown if name not in (*declared.known, *declared.historic)]
    found = [_ahead(panel, name) for name in declared.future]
    if declared.computed:
        found.append(Finding("ok", f"Covariates computed from the stamps: {listed(declared.computed)}."))
    if declared.historic:
        found.append(Finding("ok", f"Covariates known up to the last value alone: {listed(declared.historic)}."))
    for name, values in panel.statics.items():
        texts = {value for value in values if value is not None} if values.dtype == object else None
        kind = "number" if texts is None else f"category, of {len(texts):,}"
        found.append(Finding("ok", f"The static covariate {name!r} is a {kind}."))
    if undeclared:
        fix = "Declare what is known ahead with --future (future=), the rest with --historic (historic=)."
        found.append(Finding("ok", f"Columns that no model uses: {listed(undeclared)}.", fix))
    for name, share in unknown.items():
        if share > 0 and name not in undeclared:
            found.append(Finding("warn", f"Covariate {name!r} is unknown at {share:.1%} of the steps.", "Fill it in."))
    return found
