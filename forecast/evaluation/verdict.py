"""Is the network worth it? The best network against the best baseline, with a test of the difference.

The test is that of Diebold and Mariano, with one loss difference per window: the mean over all series and steps.
Differences of single steps would give more numbers but not more evidence, because the errors of one window move
together: on simulated random walks with 12 steps and 4 to 10 windows, a test on steps found a difference between
two equally good methods in 11 to 17 % of the cases where 5 % were promised; the test on windows in 5 to 10 %.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.models.base import Floats, Model

SIGNIFICANT = 0.05
MIN_WINDOWS = 3  # with two differences the test can hardly ever tell anything
ROUNDING = 1e-9  # relative; scores that differ by less are the same
PRECISION = 1e-7  # relative; networks compute with 24 bits, so their forecasts of a value are no nearer


@dataclass(frozen=True)
class Verdict:
    """Which method to use, and how sure that is."""

    winner: str
    """The model with the lowest error among the best network and the best baseline."""

    use_baseline: bool
    """Whether the baseline does at least as well as the network; False where there is no baseline."""

    p_value: float | None
    """Two-sided, of the Diebold-Mariano test; None where there was nothing to test or too few windows."""

    text: str
    """One or two sentences for the reader."""

    @property
    def significant(self) -> bool:
        """Whether the difference is larger than chance explains, at the 5 % level."""
        return self.p_value is not None and self.p_value < SIGNIFICANT


def diebold_mariano(losses_a: Floats, losses_b: Floats, overlap: int = 1, noise: float = 0.0) -> float | None:
    """Two-sided p-value for the hypothesis that two methods are equally accurate.

    Parameters
    ----------
    losses_a, losses_b : ndarray, shape (W,)
        Mean loss of each method in each window, in the order of time.
    overlap : int, default 1
        How many neighbouring windows share a stamp: 1 if none do, ``ceil(h / step_size)`` in general.
    noise : float, default 0.0
        Losses that differ by no more are the same, in any case those that only rounding tells apart.

    Returns
    -------
    float or None
        1.0 where the losses are the same; None where there are fewer than three windows, or fewer than two
        more than overlap, or where a constant difference leaves no variance to compare it with.

    References
    ----------
    Diebold, F. X., Mariano, R. S. (1995). Comparing predictive accuracy. Journal of Business & Economic
    Statistics, 13(3), 253-263.

    Harvey, D., Leybourne, S., Newbold, P. (1997). Testing the equality of prediction mean squared errors.
    International Journal of Forecasting, 13(2), 281-291.
    """
    differences = np.asarray(losses_a) - np.asarray(losses_b)
    largest = max(float(np.abs(losses_a).max(initial=0)), float(np.abs(losses_b).max(initial=0)))
    noise = max(noise, ROUNDING * largest)
    if np.abs(differences).max(initial=0) <= noise:
        return 1.0
    if len(differences) < max(MIN_WINDOWS, overlap + 2) or np.ptp(differences) <= noise:
        return None
    n = len(differences)
    centred = differences - differences.mean()
    weights = 1 - np.arange(overlap) / overlap  # Bartlett's, of the autocovariances at lags 0 .. overlap - 1
    covariances = np.array([centred[lag:] @ centred[: n - lag] for lag in range(overlap)]) / n
    variance = covariances[0] + 2 * weights[1:] @ covariances[1:]
    small_sample = np.sqrt((n + 1 - 2 * overlap + overlap * (overlap - 1) / n) / n)  # Harvey et al.
    statistic = small_sample * differences.mean() / np.sqrt(variance / n)
    return _two_sided(float(statistic), n - 1)


def _two_sided(t: float, freedom: int) -> float:
    """Probability that Student's t is as far from 0 (Abramowitz & Stegun 1964, 26.7.3-4), without a second of imports.

    scipy and statsmodels have it too, but the command line would wait for them.
    """
    angle = math.atan(abs(t) / math.sqrt(freedom))
    sine, square = math.sin(angle), math.cos(angle) ** 2
    odd = freedom % 2
    term, total = math.cos(angle) if odd else 1.0, 0.0
    for k in range(1 + odd, freedom, 2):
        total += term
        term *= square * k / (k + 1)
    inside = 2 / math.pi * (angle + sine * total) if odd else sine * total
    return max(1 - inside, 0.0)


def judge(
    models: Sequence[Model],
    scores: pd.Series,
    windows: pd.DataFrame,
    *,
    metric: str = "MASE",
    skill: pd.Series | None = None,
    baseline: str | None = None,
    overlap: int = 1,
    noise: float = 0.0,
) -> Verdict:
    """Compare the best network with the best of the other models.

    Parameters
    ----------
    models : sequence of Model
        What was compared; ``is_network`` tells networks from baselines.
    scores : Series
        Model name -> error, lower is better.
    windows : DataFrame, W rows
        Mean error of each model (column) in each window, in the order of time.
    metric : str, default "MASE"
        What the scores are.
    skill : Series, optional
        Model name -> share of the error of ``baseline`` that the model saves.
    baseline : str, optional
        What skill is measured against.
    overlap : int, default 1
        How many neighbouring windows share a stamp.
    noise : float, default 0.0
        Scores that differ by no more are equal, e.g. the rounding errors of a network on a constant series.
    """
    network = _best(scores, [model.name for model in models if model.is_network])
    rival = _best(scores, [model.name for model in models if not model.is_network])
    if network is None or rival is None:
        return _walkover(network, rival, scores, metric)
    ours, theirs = float(scores[network]), float(scores[rival])
    p_value = diebold_mariano(windows[network].to_numpy(), windows[rival].to_numpy(), overlap, noise)
    if abs(ours - theirs) <= max(noise, ROUNDING * max(abs(ours), abs(theirs))):
        text = f"{network} and {rival} are equally accurate ({metric} {ours:.3f}). So use the baseline, {rival}."
        return Verdict(rival, True, p_value, text)
    use_baseline = theirs < ours
    winner, loser = (rival, network) if use_baseline else (network, rival)
    roles = {network: "the best network", rival: "the best baseline"}
    figures = f"{metric} {_apart(float(scores[winner]), float(scores[loser]))}{_gain(winner, loser, skill, baseline)}"
    advice = f" So use the baseline, {rival}." if use_baseline else ""
    text = f"{winner} beats {loser}, {roles[loser]} ({figures}), {_certainty(p_value, len(windows), overlap)}.{advice}"
    return Verdict(winner, use_baseline, p_value, text)


def _best(scores: pd.Series, names: list[str]) -> str | None:
    """The first of the names with the lowest score; None if there is none with a score."""
    known = scores.reindex(names).dropna()
    return None if known.empty else str(known.idxmin())


def _walkover(network: str | None, rival: str | None, scores: pd.Series, metric: str) -> Verdict:
    if network is not None:
        text = f"{network} has the lowest {metric} ({scores[network]:.3f}), but no baseline was compared; add one."
        return Verdict(network, False, None, text)
    if rival is not None:
        text = f"{rival} has the lowest {metric} ({scores[rival]:.3f}); no network was compared."
        return Verdict(rival, True, None, text)
    raise AssertionError("no model has a score")


def _apart(low: float, high: float) -> str:
    """Two unequal figures with three decimals, or as many more as it takes to see that they differ."""
    digits = next((d for d in range(3, 9) if f"{low:.{d}f}" != f"{high:.{d}f}"), 9)
    return f"{low:.{digits}f} against {high:.{digits}f}"


def _gain(winner: str, loser: str, skill: pd.Series | None, baseline: str | None) -> str:
    """How the winner, or the loser where the winner is the yardstick itself, compares with the yardstick."""
    if skill is None or baseline is None:
        return ""
    name = loser if winner == baseline else winner
    share = float(skill[name])
    if not np.isfinite(share):
        return ""
    who = f"{name} is " if name == loser else ""
    return f"; {who}{abs(share):.1%} {'better' if share >= 0 else 'worse'} than {baseline}"


def _certainty(p_value: float | None, n_windows: int, overlap: int) -> str:
    if p_value is None:
        need = max(MIN_WINDOWS, overlap + 2)
        if n_windows >= need:
            return "by the same margin in every window"
        windows = "1 window is" if n_windows == 1 else f"{n_windows} windows are"
        return f"but {windows} too few points to tell whether that is chance (take at least {need})"
    figure = "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"
    if p_value < SIGNIFICANT:
        return f"and the difference is significant (Diebold-Mariano test, {figure})"
    return f"but that may be chance (Diebold-Mariano test, {figure})"
