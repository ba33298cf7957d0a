"""What a backtest lets models know of the covariates after a cutoff.

Notation: S series, h steps ahead.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from forecast.errors import ParameterError
from forecast.series.future import last_season
from forecast.series.panel import Panel

MODES = ("realised", "last")


def check_mode(mode: str) -> None:
    """Refuse a ``future_exog`` that does not exist.

    Raises
    ------
    ParameterError
        Listing the choices.
    """
    if mode not in MODES:
        raise ParameterError(f"future_exog is {mode!r}; it must be one of {', '.join(MODES)}.")


def mode_notes(mode: str, panel: Panel) -> list[str]:
    """A sentence where a mode other than the default changes nothing."""
    if mode == MODES[0] or panel.declared.future:
        return []
    return [
        f"future_exog={mode!r} changes nothing, since no covariate is declared as known ahead with --future (future=)."
    ]


def with_ahead(history: Panel, panel: Panel, first: npt.NDArray[np.int64], h: int, mode: str) -> Panel:
    """A history with the future of the covariates that are declared as known ahead, and of no others.

    Parameters
    ----------
    history : Panel
        What was known at the cutoff, of S series.
    panel : Panel
        What happened.
    first : ndarray (S,)
        Row of ``panel.y`` with the first step after the cutoff of each series of the history.
    h : int
        Steps ahead; the panel has them all.
    mode : {"realised", "last"}
        The values that came, a gap in them filled with the value before; or the values of the last season before the
        cutoff again, without a season the last value, as if nothing had been known. What is computed from the stamps
        is always right.
    """
    if not history.declared.future:
        return history
    rows = first[:, None] + np.arange(h)
    ahead = {}
    for name in history.declared.future:
        realised = np.full((len(history), h), np.nan) if mode == "last" else panel.covariates[name][rows]
        ahead[name] = realised
        for s in np.flatnonzero(np.isnan(realised).any(axis=1)):
            past = history.covariates[name][history.indptr[s] : history.indptr[s + 1]]
            if mode == "last":
                realised[s] = last_season(past, history.season_length, h)
            else:
                realised[s] = _carried(last_season(past, 1, 1)[0], realised[s])
    return replace(history, ahead=ahead)


def _carried(before: float, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Values (h,) with each gap filled by the value before it, the first by ``before``."""
    known = np.append(before, values)
    place = np.maximum.accumulate(np.where(np.isnan(known), 0, np.arange(len(known))))
    return np.asarray(known[place][1:])
