"""Metrics against figures worked out by hand, and told apart by series, step and window."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from forecast.errors import ParameterError
from forecast.evaluation.backtest import backtest
from forecast.evaluation.metrics import breakdown, evaluate
from forecast.forecaster import Forecaster
from forecast.models.naive import Naive
from forecast.models.naive2 import Naive2, seasonal_indices
from tests.toys import PASSENGERS, Toy, ToyNetwork, make_panel


class ToySeasonal(Toy):
    default_name = "SeasonalNaive"


class ToyNaive2(Toy):
    default_name = "Naive2"


MODELS = [ToyNetwork(alias="Last"), ToySeasonal(lag=12)]

# history 1, 3, 2, 6: differences of 2, 1, 4, so MASE's scale is 7 / 3 and RMSSE's is the root of 21 / 3
HISTORY, TRUTH, FORECAST = [1.0, 3.0, 2.0, 6.0], [5.0, 10.0], [4.0, 12.0]
LOW, HIGH = [3.0, 11.0], [6.0, 14.0]  # 10 lies below the second interval by 1


@pytest.fixture
def tiny():
    panel = make_panel({"a": HISTORY + TRUTH}, season_length=1)
    cv = backtest([Toy(alias="M")], panel, h=2, level=[80])
    return cv.assign(M=FORECAST, **{"M-lo-80": LOW, "M-hi-80": HIGH}), panel


def test_every_metric_is_the_one_worked_out_by_hand(tiny):
    row = evaluate(*tiny, [Toy(alias="M")]).table.loc["M"]
    # |5 - 3|, |5 - 6|, |10 - 11|, |10 - 14|, weighted by 0.1 above and 0.9 below the low bound, and the other way round
    low, high = [0.1 * 2, 0.9 * 1], [0.1 * 1, 0.1 * 4]
    expected = {
        "MAE": 1.5,
        "RMSE": np.sqrt((1 + 4) / 2),
        "MASE": 1.5 / (7 / 3),
        "RMSSE": np.sqrt((1 + 4) / 2) / np.sqrt(21 / 3),
        "sMAPE": (1 / 9 + 2 / 22) / 2,
        "MAPE": (1 / 5 + 2 / 10) / 2,
        "WAPE": 3 / 15,
        "pinball-0.1": sum(low) / 2,
        "pinball-0.9": sum(high) / 2,
        "pinball": sum(low + high) / 4,
        "CRPS": 2 * sum(low + high) / 2 / 15,
        "WQL": 2 * sum(low + high) / 2 / 15,
        "MSIS-80": (3 + 3 + 2 / 0.2 * 1) / 2 / (7 / 3),
        "coverage-80": 0.5,
    }
    assert row.to_dict() == pytest.approx(expected)


def test_season_of_the_scale_can_be_another_than_the_panels(tiny):
    cv, panel = tiny
    table = evaluate(cv, panel, [Toy(alias="M")], season_length=2).table
    assert table.at["M", "MASE"] == pytest.approx(1.5 / np.mean([1, 3]))
    assert table.at["M", "RMSSE"] == pytest.approx(np.sqrt(2.5) / np.sqrt((1 + 9) / 2))


def test_wape_and_wql_weigh_series_by_their_volume():
    panel = make_panel({"small": [1.0, 2.0, 1.0], "large": [100.0, 200.0, 100.0]})
    cv = backtest([Toy(alias="M")], panel, h=1, level=[80]).assign(M=[3.0, 150.0])
    cv["M-lo-80"], cv["M-hi-80"] = [1.0, 100.0], [1.0, 300.0]
    table = evaluate(cv, panel, [Toy(alias="M")]).table
    assert table.at["M", "WAPE"] == pytest.approx((2 + 50) / (1 + 100))
    assert table.at["M", "WQL"] == pytest.approx(2 * (0.1 * 200) / 2 / 101)
    assert table.at["M", "CRPS"] == pytest.approx((0 + 2 * (0.1 * 200) / 2 / 100) / 2)


def test_mape_leaves_out_zeros():
    panel = make_panel({"a": [1.0, 3.0, 2.0, 0.0]})
    cv = backtest([Toy(alias="M")], panel, h=2).assign(M=[3.0, 5.0])
    assert evaluate(cv, panel, [Toy(alias="M")]).table.at["M", "MAPE"] == pytest.approx(0.5)


def test_owa_is_the_mean_of_both_relative_errors(tiny):
    cv, panel = tiny
    models = [Toy(alias="M"), ToyNaive2(alias="N")]
    table = evaluate(cv.assign(N=[6.0, 6.0]), panel, models).table
    relative = [(1 / 9 + 2 / 22) / (1 / 11 + 4 / 16), 1.5 / 2.5]
    assert table.at["M", "OWA"] == pytest.approx(np.mean(relative))
    assert table.at["N", "OWA"] == 1


def test_metrics_are_chosen_whatever_their_case(tiny):
    result = evaluate(*tiny, [Toy(alias="M")], metrics=["wql", "Coverage", "mase", "pinball-0.9"])
    assert list(result.shown.columns) == ["WQL", "coverage-80", "MASE", "pinball-0.9"]
    assert "WQL is" in result.legend()
    assert "sMAPE" not in str(result)


def test_unknown_metric_lists_the_known_ones(tiny):
    with pytest.raises(ParameterError, match="'R2' is unknown; choose among MASE, skill, OWA"):
        evaluate(*tiny, [Toy(alias="M")], metrics=["R2"])


@pytest.mark.parametrize(
    ("metric", "need"), [("OWA", "Naive2 among"), ("coverage-95", "that level"), ("skill", "a naive method")]
)
def test_metric_that_cannot_be_computed_says_what_it_needs(tiny, metric, need):
    with pytest.raises(ParameterError, match=f"'{metric}' needs .*{need}"):
        evaluate(*tiny, [Toy(alias="M")], metrics=[metric])


@pytest.fixture
def panel():
    second = np.round(np.linspace(50, 20, 30) + 5 * np.sin(np.arange(30)), 2)
    return make_panel({"a": PASSENGERS, "b": second})


@pytest.fixture
def cv(panel):
    return backtest(MODELS, panel, h=4, n_windows=2, level=[80, 95])


MEANS = ["MASE", "RMSSE", "sMAPE", "MAPE", "MAE", "RMSE", "pinball", "CRPS", "MSIS-80", "coverage-95", "pinball-0.1"]


def test_series_average_to_the_table(panel, cv):
    table = breakdown(cv, panel, MODELS)
    assert list(table.columns[:2]) == ["unique_id", "model"]
    assert list(table["unique_id"]) == ["a", "a", "b", "b"]
    assert list(table["model"]) == ["Last", "SeasonalNaive"] * 2
    means = table.groupby("model")[MEANS].mean()
    pd.testing.assert_frame_equal(means, evaluate(cv, panel, MODELS).table.loc[means.index, MEANS])


def test_windows_average_to_the_table(panel, cv):
    table = breakdown(cv, panel, MODELS, by="window")
    assert table["window"].tolist() == [1, 1, 2, 2]
    means = table.groupby("model")[MEANS].mean()
    pd.testing.assert_frame_equal(means, evaluate(cv, panel, MODELS).table.loc[means.index, MEANS])


def test_steps_average_to_the_table(panel, cv):
    table = breakdown(cv, panel, MODELS, by="step")
    assert table["step"].tolist() == [1, 1, 2, 2, 3, 3, 4, 4]
    linear = [name for name in MEANS if name not in ("RMSE", "RMSSE", "CRPS")]  # roots and ratios are not additive
    means = table.groupby("model")[linear].mean()
    pd.testing.assert_frame_equal(means, evaluate(cv, panel, MODELS).table.loc[means.index, linear])


def test_one_series_alone_has_the_figures_of_its_row(panel, cv):
    table = breakdown(cv, panel, MODELS, metrics=["WAPE", "WQL", "RMSE", "skill"]).set_index(["unique_id", "model"])
    alone = evaluate(cv[cv["unique_id"] == "b"], panel, MODELS).table
    assert list(table.columns) == ["WAPE", "WQL", "RMSE", "skill"]
    for model in alone.index:
        assert table.loc["b", model].to_dict() == pytest.approx(alone.loc[model, table.columns].to_dict())


def test_one_step_alone_has_the_figures_of_its_row(panel, cv):
    table = breakdown(cv, panel, MODELS, by="step", metrics=["WAPE", "MAE"]).set_index(["step", "model"])
    rows = cv[cv.groupby(["unique_id", "cutoff"]).cumcount() == 2]
    alone = evaluate(rows, panel, MODELS).table
    for model in alone.index:
        assert table.loc[3, model].to_dict() == pytest.approx(alone.loc[model, table.columns].to_dict())


def test_breakdown_has_the_callers_names_and_kinds(panel):
    named = make_panel({7: PASSENGERS, 8: PASSENGERS}, id="shop")
    table = breakdown(backtest(MODELS, named, h=3), named, MODELS)
    assert table["shop"].dtype == np.int64


def test_unknown_breakdown_lists_the_known_ones(panel, cv):
    with pytest.raises(ParameterError, match="by is 'month'; choose one of series, step, window"):
        breakdown(cv, panel, MODELS, by="month")


def test_forecaster_tells_figures_apart(panel):
    forecaster = Forecaster([Naive(), Naive2()])
    cv = forecaster.backtest(panel, h=4)
    table = forecaster.evaluate(cv, by="step", metrics=["OWA"])
    assert list(table.columns) == ["step", "model", "OWA"]
    assert len(table) == 8


def decomposed(y, m):
    """Multiplicative seasonal factors by loops, as textbooks describe them."""
    half, ratios = m // 2, [[] for _ in range(m)]
    for t in range(half, len(y) - half):
        around = [y[t + k] for k in range(-half, half + 1)]
        if m % 2 == 0:
            around[0], around[-1] = around[0] / 2, around[-1] / 2
        ratios[t % m].append(y[t] / (sum(around) / m))
    means = [sum(each) / len(each) for each in ratios]
    return [mean / (sum(means) / m) for mean in means]


@pytest.mark.parametrize("m", [3, 4])
def test_seasonal_factors_are_those_of_the_classical_decomposition(m):
    y = (10 + np.arange(19.0)) * np.resize([1.3, 0.8, 1.0, 0.7][:m], 19)
    np.testing.assert_allclose(seasonal_indices(y, m), decomposed(y, m), rtol=1e-12)


def test_naive2_repeats_the_adjusted_value_with_the_season_put_back():
    factors = np.array([1.5, 0.5, 1.0, 1.0])
    panel = make_panel({"a": 20 * np.resize(factors, 23)}, season_length=4)
    point = Naive2().fit(panel).predict(panel, 6).point[0]
    np.testing.assert_allclose(point, 20 * np.resize(np.roll(factors, 1), 6), rtol=1e-12)


@pytest.mark.parametrize("y", [PASSENGERS[:20], [*PASSENGERS, 0.0], [-v for v in PASSENGERS], [5.0] * 40])
def test_naive2_is_naive_where_no_season_can_be_taken_out(y):
    panel = make_panel({"a": y})
    ours, plain = (model.fit(panel).predict(panel, 14, (0.1, 0.9)) for model in (Naive2(), Naive()))
    np.testing.assert_array_equal(ours.point, plain.point)
    np.testing.assert_array_equal(ours.quantiles, plain.quantiles)


def test_naive2_bridges_gaps_and_tells_what_it_found():
    y = 20 * np.resize([1.5, 0.5, 1.0, 1.0], 40)
    y[[5, 17, 39]] = np.nan
    panel = make_panel({"a": y, "b": np.arange(1.0, 9.0)}, season_length=4)
    fitted = Naive2().fit(panel)
    assert fitted.describe() == "season of 4 steps, found in 1 of 2 series"
    assert np.isfinite(fitted.predict(panel, 5, (0.1,)).quantiles).all()
    again = dataclasses.replace(Naive2(), season_length=2)
    assert again.fit(panel).describe().startswith("season of 2 steps")


class Narrow(ToyNaive2):
    default_name = "Narrow"


def test_intervals_that_are_far_too_narrow_are_told_with_the_fix():
    panel = make_panel({"a": PASSENGERS * 2})
    models = [ToyNetwork(alias="Good"), Narrow()]
    cv = backtest(models, panel, h=6, n_windows=5, level=[80, 95])
    middle = cv["Narrow"]
    cv = cv.assign(**{"Good-lo-80": -1e9, "Good-hi-80": 1e9, "Narrow-lo-80": middle - 1, "Narrow-hi-80": middle + 1})
    result = evaluate(cv, panel, models)
    share = f"{result.table.at['Narrow', 'coverage-80']:.0%}"
    (note,) = [note for note in result.notes if "intervals" in note]
    assert note == (
        f"The 80 % intervals held far fewer values than that (Narrow {share}); "
        "--intervals conformal (intervals='conformal') calibrates them."
    )
    cv.attrs["intervals"] = "conformal"
    assert not any("intervals" in note for note in evaluate(cv, panel, models).notes)
