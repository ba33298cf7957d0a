import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from utilsforecast import losses
from utilsforecast.evaluation import evaluate as ecosystem_evaluate

from forecast.errors import DataError, ParameterError
from forecast.evaluation.backtest import backtest
from forecast.evaluation.metrics import evaluate
from tests.toys import PASSENGERS, Toy, ToyNetwork, make_panel


class ToySeasonal(Toy):
    default_name = "SeasonalNaive"


class ToyNaive(Toy):
    default_name = "Naive"


SEASONAL = ToySeasonal(lag=12)
LAST = ToyNetwork(alias="Last")
MODELS = [LAST, SEASONAL]


@pytest.fixture
def panel():
    second = np.round(np.linspace(50, 20, 30) + 5 * np.sin(np.arange(30)), 2)
    return make_panel({"a": PASSENGERS, "b": second})


@pytest.fixture
def cv(panel):
    return backtest(MODELS, panel, h=4, n_windows=2, level=[80, 95], quantiles=[0.5])


def mase_by_hand(y, h, season, forecast):
    train, test = y[:-h], y[-h:]
    scale = np.mean([abs(train[t] - train[t - season]) for t in range(season, len(train))])
    return np.mean([abs(truth - forecast(train, k)) for k, truth in enumerate(test)]) / scale


def test_mase_is_the_error_over_the_seasonal_error_before_the_cutoff():
    panel = make_panel()
    result = evaluate(backtest(MODELS, panel, h=6), panel, MODELS)
    last = mase_by_hand(PASSENGERS, 6, 12, lambda train, k: train[-1])
    seasonal = mase_by_hand(PASSENGERS, 6, 12, lambda train, k: train[k - 12])
    assert result.table["MASE"].to_dict() == pytest.approx({"Last": last, "SeasonalNaive": seasonal})


def test_figures_agree_with_the_ecosystem(panel, cv):
    ours = evaluate(cv, panel, MODELS).table
    metrics = [_mase12, losses.smape, losses.mae, losses.rmse, losses.mqloss, losses.scaled_crps, losses.coverage]
    theirs = ecosystem_evaluate(
        cv.drop(columns=["Last-q-0.5", "SeasonalNaive-q-0.5"]),
        metrics=metrics,
        level=[80, 95],
        train_df=panel.frame(),
    )
    means = theirs.groupby(["metric", "unique_id"])[["Last", "SeasonalNaive"]].mean().groupby("metric").mean()
    # without the median, which the ecosystem's levels do not have
    bare = evaluate(cv.drop(columns=["Last-q-0.5", "SeasonalNaive-q-0.5"]), panel, MODELS).table
    names = {"MASE": "_mase12", "sMAPE": "smape", "MAE": "mae", "RMSE": "rmse", "pinball": "mqloss"}
    names |= {"CRPS": "scaled_crps", "coverage-80": "coverage_level80", "coverage-95": "coverage_level95"}
    for name, metric in names.items():
        assert bare[name].to_dict() == pytest.approx(means.loc[metric].to_dict()), name
    assert ours["MASE"].equals(bare["MASE"])
    assert not ours["CRPS"].equals(bare["CRPS"])


def _mase12(df, models, train_df, id_col, target_col, cutoff_col, time_col):
    return losses.mase(df, models, 12, train_df, id_col, target_col, cutoff_col, time_col)


@pytest.mark.parametrize("freq", ["MS", "h", 1])
def test_the_ecosystem_takes_a_backtest_as_it_is(freq):
    panel = make_panel({1: PASSENGERS, 2: PASSENGERS}, start=0 if freq == 1 else "1949-01-01", freq=freq)
    frame = backtest(MODELS, panel, h=3, n_windows=2, level=[80])
    result = ecosystem_evaluate(
        frame, metrics=[losses.mae, losses.coverage, _mase12], level=[80], train_df=panel.frame().infer_objects()
    )
    assert list(result.columns) == ["unique_id", "cutoff", "metric", "Last", "SeasonalNaive"]
    assert result[["Last", "SeasonalNaive"]].notna().all(axis=None)


def test_every_series_counts_once_whatever_its_number_of_windows():
    panel = make_panel({"long": PASSENGERS, "short": PASSENGERS[:20]})
    frame = backtest(MODELS, panel, h=6, n_windows=4)
    assert frame.groupby("unique_id")["cutoff"].nunique().to_dict() == {"long": 4, "short": 3}
    table = evaluate(frame, panel, MODELS).table
    each = [evaluate(frame[frame["unique_id"] == name], panel, MODELS).table for name in ("long", "short")]
    mean = (each[0]["MAE"] + each[1]["MAE"]) / 2
    assert table["MAE"].to_dict() == pytest.approx(mean.to_dict())


def test_short_history_is_scaled_by_the_naive_error():
    y = [1.0, 3.0, 2.0, 6.0, 7.0]
    panel = make_panel({"a": y})
    table = evaluate(backtest([LAST], panel, h=1), panel, [LAST]).table
    assert table.at["Last", "MASE"] == pytest.approx(1 / np.mean([2, 1, 4]))


def test_scale_skips_unobserved_values():
    panel = make_panel({"a": [1.0, np.nan, 2.0, 6.0, 7.0, 9.0]})
    table = evaluate(backtest([LAST], panel, h=1), panel, [LAST]).table
    assert table.at["Last", "MASE"] == pytest.approx(2 / np.mean([4, 1]))


def test_series_that_never_change_are_left_out_of_mase_and_counted():
    panel = make_panel({"a": PASSENGERS, "flat": [5.0] * 36})
    result = evaluate(backtest(MODELS, panel, h=3), panel, MODELS)
    alone = make_panel({"a": PASSENGERS})
    assert result.table["MASE"].equals(evaluate(backtest(MODELS, alone, h=3), alone, MODELS).table["MASE"])
    assert result.notes == ("MASE leaves out 1 of 2 series where nothing changes before a cutoff.",)


def test_a_change_of_rounding_size_is_no_change():
    noisy = np.where(np.arange(36) % 2, 0.1 + 0.2, 0.3)
    panel = make_panel({"a": PASSENGERS, "flat": noisy}, season_length=1)
    result = evaluate(backtest([LAST], panel, h=3), panel, [LAST])
    assert "MASE leaves out 1 of 2 series where nothing changes before a cutoff." in result.notes


def test_only_constant_series_are_compared_by_mae():
    panel = make_panel({"flat": [5.0] * 36})
    models = [LAST, ToySeasonal(lag=12, bias=1.0)]
    result = evaluate(backtest(models, panel, h=3, n_windows=3), panel, models)
    assert result.verdict.winner == "Last"
    assert "MAE 0.000 against 1.000" in result.verdict.text
    assert any("compared by MAE" in note for note in result.notes)


def test_unobserved_targets_are_skipped_and_counted(panel, cv):
    gap = cv.copy()
    gap.loc[[1, 6], "y"] = np.nan
    result = evaluate(gap, panel, MODELS)
    rest = evaluate(gap.dropna(), panel, MODELS)
    pd.testing.assert_frame_equal(result.table, rest.table)
    assert "2 of 16 test values were not observed and are skipped." in result.notes


def test_unobserved_targets_do_not_lower_the_coverage():
    panel = make_panel({"a": [*PASSENGERS[:-1], np.nan]})
    wide = backtest([LAST], panel, h=3, level=[80]).assign(**{"Last-lo-80": -1e9, "Last-hi-80": 1e9})
    assert evaluate(wide, panel, [LAST]).table.at["Last", "coverage-80"] == 1


def test_nothing_observed_in_the_windows_is_said_so(panel, cv):
    with pytest.raises(DataError, match="No value of 'y' was observed"):
        evaluate(cv.assign(y=np.nan), panel, MODELS)


def test_skill_is_the_share_of_the_baselines_mase_that_is_saved(panel, cv):
    table = evaluate(cv, panel, MODELS).table
    assert table.at["SeasonalNaive", "skill"] == 0
    expected = 1 - table.at["Last", "MASE"] / table.at["SeasonalNaive", "MASE"]
    assert table.at["Last", "skill"] == pytest.approx(expected)


def test_missing_baseline_is_replaced_by_the_best_naive_one(panel):
    models = [LAST, ToyNaive(alias="good"), ToyNaive(alias="bad", bias=1000)]
    result = evaluate(backtest(models, panel, h=3), panel, models)
    assert result.baseline == "good"
    assert "SeasonalNaive is not among the models, so skill is measured against good." in result.notes


def test_without_any_naive_model_there_is_no_skill(panel):
    models = [LAST, Toy(lag=12)]
    result = evaluate(backtest(models, panel, h=3), panel, models)
    assert "skill" not in result.table
    assert any("there is no skill" in note for note in result.notes)


def test_baseline_is_found_under_its_alias(panel):
    models = [LAST, ToySeasonal(alias="season", lag=12)]
    assert evaluate(backtest(models, panel, h=3), panel, models).baseline == "season"


def test_perfect_baseline_gives_no_division_by_zero():
    panel = make_panel({"a": list(range(12)) * 3})
    result = evaluate(backtest(MODELS, panel, h=12), panel, MODELS)
    assert result.table.at["SeasonalNaive", "MAE"] == 0
    json.dumps(result.to_dict(), allow_nan=False)


def test_models_without_intervals_have_no_coverage(panel, cv):
    bare = cv.drop(columns=[name for name in cv if name.startswith("Last-")])
    table = evaluate(bare, panel, MODELS).table
    assert np.isnan(table.at["Last", "coverage-80"])
    assert np.isnan(table.at["Last", "CRPS"])
    assert 0 <= table.at["SeasonalNaive", "coverage-80"] <= 1


def test_window_of_zeros_does_not_blow_up_the_crps():
    zeros = make_panel({"a": PASSENGERS, "z": [*PASSENGERS[:33], 0.0, 0.0, 0.0]})
    alone = make_panel()
    both = evaluate(backtest([LAST], zeros, h=3, level=[80]), zeros, [LAST]).table
    one = evaluate(backtest([LAST], alone, h=3, level=[80]), alone, [LAST]).table
    assert both.at["Last", "CRPS"] == pytest.approx(one.at["Last", "CRPS"])


def test_columns_come_in_one_order(panel, cv):
    result = evaluate(cv, panel, MODELS)
    expected = ["MASE", "skill", "sMAPE", "MAE", "RMSE", "CRPS", "coverage-80", "coverage-95"]
    assert list(result.shown.columns) == expected
    every = ["MASE", "skill", "sMAPE", "MAE", "RMSE", "RMSSE", "MAPE", "WAPE", "pinball", "CRPS", "WQL"]
    every += ["MSIS-80", "MSIS-95", "coverage-80", "coverage-95"]
    assert list(result.table.columns) == every + [f"pinball-{q}" for q in (0.025, 0.1, 0.5, 0.9, 0.975)]


def test_the_best_model_comes_first(panel, cv):
    assert evaluate(cv, panel, MODELS).table["MASE"].is_monotonic_increasing


def test_order_of_rows_does_not_matter(panel, cv):
    shuffled = cv.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(evaluate(shuffled, panel, MODELS).table, evaluate(cv, panel, MODELS).table)


@pytest.mark.parametrize("freq", ["h", "D"])
def test_time_zones_are_understood_across_the_clock_change(freq):
    panel = make_panel({"a": PASSENGERS * 2}, start="2024-03-20T02:30", freq=freq, tz="Europe/Berlin")
    plain = dataclasses.replace(panel, columns=dataclasses.replace(panel.columns, tz=None))
    zoned, naive = (evaluate(backtest(MODELS, p, h=4, n_windows=14), p, MODELS).table for p in (panel, plain))
    pd.testing.assert_frame_equal(zoned, naive)


def test_the_callers_column_names_are_used():
    panel = make_panel({1: PASSENGERS}, id="shop", time="month", target="sales")
    assert not evaluate(backtest(MODELS, panel, h=3), panel, MODELS).table.empty


def test_model_without_forecasts_is_named(panel, cv):
    with pytest.raises(ParameterError, match="no forecasts of 'Toy'; its columns are Last, "):
        evaluate(cv, panel, [Toy()])


def test_missing_forecasts_are_named(panel, cv):
    cv.loc[9, "Last"] = np.nan
    with pytest.raises(DataError, match="Last has 1 missing forecasts, the first for series 'b'"):
        evaluate(cv, panel, MODELS)


def test_another_panel_is_refused(panel, cv):
    with pytest.raises(DataError, match="Series 'b' of the backtest is not in the panel"):
        evaluate(cv, make_panel({"a": PASSENGERS}), MODELS)
    with pytest.raises(DataError, match="cutoff 1951-04-01 00:00:00 of series 'a' is not a stamp of the panel"):
        evaluate(cv, make_panel({"a": PASSENGERS[:20], "b": PASSENGERS}), MODELS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda cv: cv.drop(columns="cutoff"), "no column 'cutoff'"),
        (lambda cv: cv.iloc[:0], "no rows"),
        (lambda cv: cv.astype({"cutoff": str}), "convert it with pandas.to_datetime"),
        (lambda cv: cv.assign(cutoff=cv["cutoff"].dt.tz_localize("UTC")), "time zone UTC, the panel None"),
    ],
)
def test_frame_that_is_no_backtest_is_refused(panel, cv, change, message):
    with pytest.raises(DataError, match=message):
        evaluate(change(cv), panel, MODELS)


def test_no_model_is_said_so(panel, cv):
    with pytest.raises(ParameterError, match="no model"):
        evaluate(cv, panel, [])


def test_result_prints_rounded_with_its_verdict(panel, cv):
    text = str(evaluate(cv, panel, MODELS))
    lines = text.splitlines()
    assert "MASE" in lines[0] and "coverage-80" in lines[0]
    assert "+0.0%" in text
    assert max(map(len, lines[:4])) < 110
    assert "SeasonalNaive" in lines[-1]


def test_legend_explains_the_columns_that_are_there(panel, cv):
    result = evaluate(cv, panel, MODELS)
    assert "sMAPE runs from 0 to 1" in result.legend()
    assert "SeasonalNaive's MASE" in result.legend()
    bare = evaluate(cv[["unique_id", "ds", "cutoff", "y", "Last"]], panel, [LAST])
    assert "coverage" not in bare.legend()


def test_result_is_json(panel, cv):
    record = json.loads(json.dumps(evaluate(cv, panel, MODELS).to_dict(), allow_nan=False))
    assert {row["model"] for row in record["table"]} == {"Last", "SeasonalNaive"}
    assert record["verdict"]["winner"] in {"Last", "SeasonalNaive"}
    assert set(record) == {"table", "verdict", "baseline", "notes"}
