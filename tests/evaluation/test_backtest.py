import dataclasses

import numpy as np
import pandas as pd
import pytest

from forecast.errors import DataError, ParameterError
from forecast.evaluation.backtest import backtest
from tests.toys import PASSENGERS, Toy, ToyNetwork, make_panel, stamps


def fits(model):
    return [panel for kind, panel in model.seen if kind == "fit"]


def predictions(model):
    return [panel for kind, panel in model.seen if kind == "predict"]


def test_last_window_ends_at_the_last_value():
    frame = backtest([Toy()], make_panel(), h=3)
    assert list(frame.columns) == ["unique_id", "ds", "cutoff", "y", "Toy"]
    assert list(frame["ds"]) == stamps("1951-10-01", "1951-11-01", "1951-12-01")
    assert list(frame["y"]) == PASSENGERS[-3:]
    assert set(frame["cutoff"]) == set(stamps("1951-09-01"))
    assert list(frame["Toy"]) == [PASSENGERS[-4]] * 3


def test_windows_touch_by_default_and_come_in_the_order_of_time():
    frame = backtest([Toy()], make_panel(), h=4, n_windows=3)
    assert list(frame["y"]) == PASSENGERS[-12:]
    assert frame["ds"].is_monotonic_increasing
    assert list(frame["cutoff"].unique()) == stamps("1950-12-01", "1951-04-01", "1951-08-01")


def test_step_size_moves_the_cutoff():
    frame = backtest([Toy()], make_panel(), h=3, n_windows=3, step_size=1)
    assert list(frame["cutoff"].unique()) == stamps("1951-07-01", "1951-08-01", "1951-09-01")
    assert (frame.groupby("cutoff").size() == 3).all()


def test_cutoffs_are_relative_to_the_end_of_each_series():
    panel = make_panel({"long": PASSENGERS, "short": PASSENGERS[:20]})
    frame = backtest([Toy()], panel, h=2)
    assert list(frame["unique_id"]) == ["long", "long", "short", "short"]
    assert list(frame["y"]) == PASSENGERS[-2:] + PASSENGERS[18:20]


def test_series_stay_together_in_the_order_of_the_panel():
    panel = make_panel({"b": PASSENGERS, "a": PASSENGERS})
    frame = backtest([Toy()], panel, h=2, n_windows=2)
    assert list(frame["unique_id"]) == ["b"] * 4 + ["a"] * 4
    assert frame.index.equals(pd.RangeIndex(8))


def test_no_model_sees_a_value_after_the_cutoff():
    spy = Toy()
    panel = make_panel()
    frame = backtest([spy], panel, h=4, n_windows=3, step_size=2)
    cutoffs = frame["cutoff"].unique()
    assert [panel.ends[0] for panel in fits(spy)] == list(cutoffs)
    assert [panel.ends[0] for panel in predictions(spy)] == list(cutoffs)


@pytest.mark.parametrize("refit", [True, False, 2])
def test_changing_the_future_changes_no_forecast(refit):
    panel = make_panel({"a": PASSENGERS, "b": PASSENGERS[5:]})
    frame = backtest([Toy(lag=12)], panel, h=3, n_windows=4, refit=refit, level=[80])
    first = frame["cutoff"] == frame["cutoff"].min()
    changed = panel.y.copy()
    for s in range(2):
        changed[panel.indptr[s + 1] - 12 : panel.indptr[s + 1]] = 1e9
    other = backtest([Toy(lag=12)], dataclasses.replace(panel, y=changed), h=3, n_windows=4, refit=refit, level=[80])
    forecasts = ["Toy", "Toy-lo-80", "Toy-hi-80"]
    pd.testing.assert_frame_equal(frame.loc[first, forecasts], other.loc[first, forecasts])
    assert (other.loc[first, "y"] == 1e9).all()


def test_covariates_are_cut_with_the_target():
    spy = Toy()
    panel = dataclasses.replace(make_panel(), covariates={"price": np.arange(36.0)})
    backtest([spy], panel, h=6, input_size=10)
    assert list(fits(spy)[0].covariates["price"]) == list(range(20, 30))


def test_without_refit_models_are_fitted_once_on_the_history_before_the_first_cutoff():
    spy = Toy()
    frame = backtest([spy], make_panel(), h=4, n_windows=3, refit=False)
    assert [panel.ends[0] for panel in fits(spy)] == [frame["cutoff"].min()]
    (seen,) = predictions(spy)  # all cutoffs in one call
    assert list(seen.ends) == list(frame["cutoff"].unique())


def test_refit_2_fits_at_every_second_cutoff():
    spy = Toy()
    frame = backtest([spy], make_panel(), h=3, n_windows=5, refit=2)
    assert [panel.ends[0] for panel in fits(spy)] == list(frame["cutoff"].unique()[::2])
    cutoffs = list(frame["cutoff"].unique())
    assert [list(panel.ends) for panel in predictions(spy)] == [cutoffs[:2], cutoffs[2:4], cutoffs[4:]]


def test_input_size_shows_only_the_last_values():
    spy = Toy()
    panel = make_panel({"a": PASSENGERS, "short": PASSENGERS[:9]})
    backtest([spy], panel, h=2, input_size=8)
    (seen,) = fits(spy)
    assert list(seen.series(0)) == PASSENGERS[26:34]
    assert list(seen.series(1)) == PASSENGERS[:7]
    assert list(seen.starts) == stamps("1951-03-01", "1949-01-01")
    assert predictions(spy)[0].lengths.tolist() == [8, 7]


def test_interval_columns_follow_each_model_and_do_not_cross():
    models = [Toy(), ToyNetwork(alias="net")]
    frame = backtest(models, make_panel(), h=2, level=[80, 95], quantiles=[0.5])
    bounds = ["-lo-95", "-lo-80", "-hi-80", "-hi-95"]
    assert list(frame.columns[4:]) == [
        *["Toy", *(f"Toy{bound}" for bound in bounds), "Toy-q-0.5"],
        *["net", *(f"net{bound}" for bound in bounds), "net-q-0.5"],
    ]
    assert (np.diff(frame[[f"net{bound}" for bound in bounds]].to_numpy(), axis=1) > 0).all()


def test_short_series_are_left_out_and_counted():
    panel = make_panel({"long": PASSENGERS, "short": PASSENGERS[:8], "tiny": PASSENGERS[:4]})
    frame = backtest([Toy()], panel, h=3, n_windows=2)
    assert frame.groupby("unique_id", sort=False)["cutoff"].nunique().to_dict() == {"long": 2, "short": 2}
    assert frame.attrs["notes"] == ["1 of 3 series are too short for the backtest and were left out of it."]


def test_a_series_may_miss_only_the_earlier_cutoffs():
    panel = make_panel({"long": PASSENGERS, "short": PASSENGERS[:7]})
    frame = backtest([Toy()], panel, h=3, n_windows=2)
    assert frame.groupby("unique_id", sort=False)["cutoff"].nunique().to_dict() == {"long": 2, "short": 1}
    assert frame.attrs["notes"] == ["1 of 2 series are too short for the earlier cutoffs and were left out there."]


def test_without_refit_a_series_that_was_not_fitted_is_not_predicted():
    panel = make_panel({"long": PASSENGERS, "short": PASSENGERS[:7]})
    frame = backtest([Toy()], panel, h=3, n_windows=2, refit=False)
    assert set(frame["unique_id"]) == {"long"}


def test_unobserved_values_before_the_cutoff_do_not_count_as_history():
    panel = make_panel({"a": PASSENGERS, "b": [np.nan] * 33 + [1.0, 2.0, 3.0]})
    assert set(backtest([Toy()], panel, h=2)["unique_id"]) == {"a"}


def test_unobserved_target_is_kept_as_nan():
    values = [*PASSENGERS[:-2], np.nan, PASSENGERS[-1]]
    frame = backtest([Toy()], make_panel({"a": values}), h=3)
    assert frame["y"].isna().tolist() == [False, True, False]
    assert frame["Toy"].notna().all()


def test_all_series_too_short_says_what_would_fit():
    panel = make_panel({"a": PASSENGERS[:20], "b": PASSENGERS[:5]})
    with pytest.raises(DataError, match=r"'a', has 20 values, .* needs 26: use n_windows=3 or a shorter horizon\."):
        backtest([Toy()], panel, h=6, n_windows=4)


def test_the_number_of_windows_proposed_does_fit():
    backtest([Toy()], make_panel({"a": PASSENGERS[:20]}), h=6, n_windows=3)


def test_horizon_longer_than_any_history_says_which_fits():
    with pytest.raises(DataError, match=r"has 5 values, .* use n_windows=1 and h=3 at most"):
        backtest([Toy()], make_panel({"a": PASSENGERS[:5]}), h=12)


def test_one_point_series_cannot_be_backtested():
    with pytest.raises(DataError, match=r"has 1 values, .* give longer histories"):
        backtest([Toy()], make_panel({"a": [1.0]}), h=1)


def test_history_without_observed_values_is_said_so():
    with pytest.raises(DataError, match="not observed"):
        backtest([Toy()], make_panel({"a": [np.nan] * 10 + [1.0, 2.0]}), h=2)


@pytest.mark.parametrize(
    "bad",
    [
        {"h": 0}, {"h": 2.5}, {"n_windows": 0}, {"step_size": 0}, {"step_size": True}, {"input_size": 1},
        {"refit": 0}, {"refit": 1.5}, {"refit": "yes"},
    ],
)  # fmt: skip
def test_counts_out_of_range_are_named(bad):
    with pytest.raises(ParameterError, match=f"{next(iter(bad))} is .*whole number of at least"):
        backtest([Toy()], make_panel(), **{"h": 2, **bad})


def test_two_models_of_one_name_need_an_alias():
    with pytest.raises(ParameterError, match=r"'Toy'.*alias"):
        backtest([Toy(), Toy(lag=12)], make_panel(), h=2)


def test_model_named_like_a_column_needs_an_alias():
    with pytest.raises(ParameterError, match=r"'y'.*alias"):
        backtest([Toy(alias="y")], make_panel(), h=2)


def test_no_model_is_said_so():
    with pytest.raises(ParameterError, match="no model"):
        backtest([], make_panel(), h=2)


def test_columns_carry_the_callers_names():
    panel = make_panel(id="shop", time="month", target="sales")
    assert list(backtest([Toy()], panel, h=2).columns) == ["shop", "month", "cutoff", "sales", "Toy"]


@pytest.mark.parametrize(("freq", "hour"), [("h", "02"), ("D", "00")])
def test_cutoff_is_in_the_callers_time_zone(freq, hour):
    start = "2024-01-01T00" if freq == "D" else "2024-01-01T01"  # inside: wall clock for days, UTC for hours
    panel = make_panel(start=start, freq=freq, tz="Europe/Berlin")
    frame = backtest([Toy()], panel, h=34)
    assert str(frame["cutoff"].dtype) == str(frame["ds"].dtype) == "datetime64[ns, Europe/Berlin]"
    first = pd.Timestamp(f"2024-01-01T{hour}", tz="Europe/Berlin")
    assert frame["cutoff"].iloc[0] == first + pd.Timedelta(1, unit=freq)
    assert frame["ds"].iloc[0] == first + pd.Timedelta(2, unit=freq)


def test_integer_time_stays_integer():
    frame = backtest([Toy()], make_panel(start=100, freq=5), h=2, n_windows=2)
    assert list(frame["ds"]) == [260, 265, 270, 275]
    assert frame["cutoff"].dtype == np.int64


def test_number_ids_stay_numbers():
    frame = backtest([Toy()], make_panel({7: PASSENGERS, 8: PASSENGERS}), h=2)
    assert frame["unique_id"].dtype == np.int64


class Recorder:
    def __init__(self):
        self.open, self.steps, self.tasks = [], 0, []

    def start(self, label, total):
        self.open.append(label)
        self.tasks.append((label, total))

    def advance(self, steps=1, **figures):
        self.steps += steps * (self.open == ["backtest"])

    def finish(self):
        self.open.pop()


def test_progress_advances_once_per_window_and_model():
    progress = Recorder()
    backtest([Toy(), ToyNetwork()], make_panel(), h=2, n_windows=3, progress=progress)
    assert progress.tasks[0] == ("backtest", 6)
    assert progress.steps == 6
    assert progress.open == []


def test_progress_is_finished_when_a_model_fails():
    class Broken(Toy):
        def _fit(self, panel, h, progress):
            raise DataError("no")

    progress = Recorder()
    with pytest.raises(DataError):
        backtest([Broken()], make_panel(), h=2, progress=progress)
    assert progress.open == []
