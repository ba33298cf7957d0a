import numpy as np
import pandas as pd
import pytest

from forecast.evaluation.backtest import backtest
from forecast.evaluation.metrics import evaluate
from forecast.evaluation.summary import formatted
from forecast.evaluation.verdict import diebold_mariano, judge
from forecast.reporting.page import text_columns
from tests.toys import PASSENGERS, Toy, ToyNetwork, make_panel


class ToySeasonal(Toy):
    default_name = "SeasonalNaive"


NET, BASE, OTHER = ToyNetwork(alias="LSTM"), ToySeasonal(lag=12), Toy(alias="ARIMA")
CLEAR = [0.5, 0.6, 0.4, 0.55, 0.5]
WORSE = [0.9, 1.1, 0.95, 1.0, 1.05]


def verdict(*, net=None, base=None, other=None, skill=None, overlap=1, metric="MASE"):
    losses = {"LSTM": net, "SeasonalNaive": base, "ARIMA": other}
    windows = pd.DataFrame({name: values for name, values in losses.items() if values is not None})
    models = [model for model in (NET, BASE, OTHER) if model.name in windows]
    baseline = None if skill is None else "SeasonalNaive"
    scores = windows.mean()
    return judge(models, scores, windows, metric=metric, skill=skill, baseline=baseline, overlap=overlap)


def test_network_that_is_clearly_better_wins_with_significance():
    skill = pd.Series({"LSTM": 0.49, "SeasonalNaive": 0.0})
    result = verdict(net=CLEAR, base=WORSE, skill=skill)
    assert (result.winner, result.use_baseline, result.significant) == ("LSTM", False, True)
    assert result.text == (
        "LSTM beats SeasonalNaive, the best baseline (MASE 0.510 against 1.000; 49.0% better than SeasonalNaive), "
        "and the difference is significant (Diebold-Mariano test, p < 0.001)."
    )


def test_baseline_that_is_better_is_to_be_used():
    result = verdict(net=WORSE, base=[2.0] * 5, other=CLEAR)
    assert (result.winner, result.use_baseline) == ("ARIMA", True)
    assert result.text.startswith("ARIMA beats LSTM, the best network (MASE 0.510 against 1.000), ")
    assert result.text.endswith("So use the baseline, ARIMA.")


def test_difference_that_may_be_chance_is_said_so():
    result = verdict(net=[0.9, 1.2, 0.8, 1.1], base=[1.0, 1.0, 1.1, 1.0])
    assert result.winner == "LSTM"
    assert not result.significant
    assert "but that may be chance (Diebold-Mariano test, p = 0." in result.text


@pytest.mark.parametrize(("windows", "words"), [(1, "1 window is"), (2, "2 windows are")])
def test_few_windows_are_too_few_points_to_tell(windows, words):
    result = verdict(net=CLEAR[:windows], base=WORSE[:windows])
    assert result.p_value is None
    assert f"{words} too few points to tell whether that is chance (take at least 3)" in result.text


def test_identical_forecasts_are_no_reason_for_a_network():
    result = verdict(net=CLEAR, base=CLEAR)
    assert (result.winner, result.use_baseline, result.p_value) == ("SeasonalNaive", True, 1.0)
    assert "equally accurate" in result.text and "use the baseline" in result.text


def test_constant_difference_leaves_nothing_to_test():
    result = verdict(net=[1.0, 2.0, 4.0], base=[1.5, 2.5, 4.5])
    assert result.p_value is None
    assert "by the same margin in every window" in result.text


def test_without_a_network_the_best_baseline_is_named():
    result = verdict(base=WORSE, other=CLEAR)
    assert (result.winner, result.use_baseline, result.p_value) == ("ARIMA", True, None)
    assert "no network was compared" in result.text


def test_without_a_baseline_one_is_asked_for():
    result = verdict(net=CLEAR)
    assert (result.winner, result.use_baseline) == ("LSTM", False)
    assert "no baseline was compared" in result.text


def test_scores_that_differ_late_are_written_with_more_decimals():
    result = verdict(net=[0.81231, 0.81231], base=[0.81234, 0.81234])
    assert "0.81231 against 0.81234" in result.text


@pytest.mark.parametrize("windows", [3, 4, 5, 6, 11, 40])
def test_test_agrees_with_students_t_where_windows_do_not_overlap(windows):
    from scipy import stats

    a, b = np.abs(np.random.default_rng(windows).standard_normal((2, windows)))
    t = (a - b).mean() / np.sqrt((a - b).var() / len(a))  # HAC variance without lags
    adjusted = t * np.sqrt((len(a) - 1) / len(a))
    assert diebold_mariano(a, b) == pytest.approx(2 * stats.t.sf(abs(adjusted), len(a) - 1))


def test_overlapping_windows_need_more_of_them():
    assert diebold_mariano(np.array(CLEAR[:4]), np.array(WORSE[:4]), overlap=2) is not None
    assert diebold_mariano(np.array(CLEAR[:4]), np.array(WORSE[:4]), overlap=3) is None


def test_equally_good_methods_are_seldom_told_apart():
    rng = np.random.default_rng(7)
    walks = rng.standard_normal((300, 6, 12)).cumsum(axis=2)  # 300 backtests, 6 windows, 12 steps
    too_high, too_low = np.abs(walks - 0.5).mean(axis=2), np.abs(walks + 0.5).mean(axis=2)
    found = [diebold_mariano(a, b) < 0.05 for a, b in zip(too_high, too_low, strict=True)]
    assert np.mean(found) < 0.1


def test_overlap_follows_from_horizon_and_step():
    panel = make_panel({"a": PASSENGERS})
    models = [NET, BASE]
    touching = evaluate(backtest(models, panel, h=4, n_windows=4), panel, models).verdict
    overlapping = evaluate(backtest(models, panel, h=4, n_windows=4, step_size=1), panel, models).verdict
    assert touching.p_value is not None
    assert overlapping.p_value is None
    assert "take at least 6" in overlapping.text


def test_series_of_one_panel_share_the_windows():
    panel = make_panel({"a": PASSENGERS, "b": np.array(PASSENGERS) * 2.0, "short": PASSENGERS[:14]})
    models = [NET, BASE]
    result = evaluate(backtest(models, panel, h=4, n_windows=4), panel, models).verdict
    assert 0 <= result.p_value <= 1


@pytest.mark.parametrize("overlap", [1, 2, 3])
def test_diebold_mariano_agrees_with_statsmodels(overlap):
    from statsmodels.tsa.stattools import diebold_mariano_test

    a, b = np.abs(np.random.default_rng(overlap).standard_normal((2, 12)))
    theirs = diebold_mariano_test(
        np.zeros(12), a, b, criterion=lambda _, f: f, lags=overlap - 1, harvey_adj=True, horizon=overlap
    )
    assert diebold_mariano(a, b, overlap) == pytest.approx(theirs.pvalue, rel=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, 7.0, 12345.678])
def test_rounding_errors_on_constant_series_are_a_tie(value):
    panel = make_panel({"flat": [value] * 40})
    models = [ToyNetwork(alias="LSTM", bias=2e-9 * (value or 1e-4)), BASE]
    found = evaluate(backtest(models, panel, h=3, n_windows=4), panel, models).verdict
    assert (found.winner, found.use_baseline, found.significant) == ("SeasonalNaive", True, False)
    assert "equally accurate" in found.text
    assert "significant" not in found.text


def test_errors_beyond_rounding_on_constant_series_are_told_apart():
    panel = make_panel({"flat": [7.0] * 40})
    models = [ToyNetwork(alias="LSTM", bias=1e-3), BASE]
    found = evaluate(backtest(models, panel, h=3, n_windows=4), panel, models).verdict
    assert "SeasonalNaive beats LSTM" in found.text


def test_no_figure_is_minus_zero():
    table = pd.DataFrame({"skill": [-1e-9, 0.25], "MAE": [-1e-14, 2.0], "RMSE": [1e-14, -1e-14]})
    assert formatted(table).to_numpy().tolist() == [["+0.0%", "0.000", "0"], ["+25.0%", "2.000", "0"]]
    cells = text_columns(pd.DataFrame({"LSTM": [-1e-13, 1.0], "Naive": [-1e-13, 1e-13]}))
    assert cells == {"LSTM": (["0.0000", "1.0000"], True), "Naive": (["0", "0"], True)}
