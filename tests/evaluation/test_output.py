import numpy as np
import pandas as pd
import pytest

from forecast.errors import ParameterError
from forecast.evaluation.backtest import backtest
from forecast.evaluation.output import Output
from forecast.forecaster import Forecaster
from forecast.models.base import Forecast
from forecast.models.naive import Drift, Naive
from forecast.series.panel import stack
from tests.toys import PASSENGERS, Toy, make_panel

FORECAST = Forecast(
    np.array([[-1.4, 2.5, 2.6]]), np.array([[[-3.2, -1.4, 0.2], [2.0, 2.5, 3.0], [2.1, 2.6, 7.00000000001]]])
)
QUANTILES = (0.1, 0.5, 0.9)


def test_nothing_is_changed_by_default():
    same = Output().of(FORECAST, QUANTILES)
    np.testing.assert_array_equal(same.point, FORECAST.point)
    np.testing.assert_array_equal(same.quantiles, FORECAST.quantiles)


def test_non_negative_raises_to_zero():
    clipped = Output(non_negative=True).of(FORECAST, QUANTILES)
    assert clipped.point.tolist() == [[0, 2.5, 2.6]]
    assert clipped.quantiles[0, 0].tolist() == [0, 0, 0.2]


def test_integers_are_nearest_for_points_and_outwards_for_bounds():
    whole = Output(integer=True).of(FORECAST, QUANTILES)
    assert whole.point.tolist() == [[-1, 2, 3]]
    assert whole.quantiles[0].tolist() == [[-4, -1, 1], [2, 2, 3], [2, 3, 7]]


def test_both_together_give_counts():
    counts = Output(non_negative=True, integer=True).of(FORECAST, QUANTILES)
    assert counts.point.tolist() == [[0, 2, 3]]
    assert counts.quantiles[0, 0].tolist() == [0, 0, 1]
    assert not np.signbit(counts.point).any()


FALLING = make_panel({"a": list(np.linspace(40, 0.5, 30) + np.resize([0.2, -0.2], 30))})


def test_verdict_is_on_what_is_written():
    plain, counts = (backtest([Drift()], FALLING, h=8, level=[80], non_negative=on, integer=on) for on in (False, True))
    assert (plain["Drift-lo-80"] < 0).any()
    for name in ("Drift", "Drift-lo-80", "Drift-hi-80"):
        assert (counts[name] >= 0).all()
        assert (counts[name] == counts[name].round()).all()


def test_forecaster_writes_counts():
    out = Forecaster(Drift()).fit(FALLING).predict(20, level=[80], non_negative=True, integer=True)
    assert out["Drift"].iloc[-1] == 0
    assert (out["Drift-hi-80"] == out["Drift-hi-80"].round()).all()


PANEL = make_panel({"a": PASSENGERS, "b": PASSENGERS[10:]})


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("refit", [True, False])
def test_file_of_a_backtest_has_the_rows_and_the_order_of_what_is_returned(tmp_path, suffix, refit):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    file = tmp_path / f"cv{suffix}"
    options = {"h": 3, "n_windows": 4, "refit": refit, "level": [80]}
    expected = Forecaster(Naive()).backtest(PANEL, **options)
    kept = Forecaster(Naive()).backtest(PANEL, **options, output=file)
    pd.testing.assert_frame_equal(kept, expected)
    written = pd.read_csv(file, parse_dates=["ds", "cutoff"]) if suffix == ".csv" else pd.read_parquet(file)
    pd.testing.assert_frame_equal(written, expected, check_dtype=False)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_rows_need_not_be_kept(tmp_path):
    handed = []
    cv = backtest([Toy()], PANEL, h=3, n_windows=4, sink=handed.append, keep=False)
    assert cv.empty
    assert list(cv.columns) == list(handed[0].columns)
    assert [len(frame) for frame in handed] == [6] * 4
    forecaster = Forecaster(Naive())
    assert forecaster.backtest(PANEL, 3, output=tmp_path / "cv.csv", keep=False).empty
    forecaster.backtest(PANEL, 3, n_windows=4, output=tmp_path / "cv.csv", keep=False)
    again = pd.read_csv(tmp_path / "cv.csv", parse_dates=["ds", "cutoff"])
    assert forecaster.evaluate(again).table.notna().any(axis=None)


def test_rows_that_go_nowhere_are_refused():
    with pytest.raises(ParameterError, match=r"keep=False leaves no place for the rows; give output"):
        Forecaster(Naive()).backtest(PANEL, 3, keep=False)


def test_a_failing_backtest_leaves_no_file_and_the_old_one_as_it_was(tmp_path):
    class Broken(Toy):
        def _fit(self, panel, h, progress):
            if len(self.seen) > 4:
                raise ValueError("half way")
            return super()._fit(panel, h, progress)

    (tmp_path / "cv.csv").write_text("old")
    for name in ("cv.csv", "new.csv"):
        with pytest.raises(ValueError, match="half way"):
            Forecaster(Broken()).backtest(PANEL, 3, n_windows=5, output=tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["cv.csv"]
    assert (tmp_path / "cv.csv").read_text() == "old"


def test_only_tables_with_rows_are_streamed(tmp_path):
    with pytest.raises(ParameterError, match=r"must be \.csv or \.parquet"):
        Forecaster(Naive()).backtest(PANEL, 3, output=tmp_path / "cv.json")


def test_stacked_panels_keep_their_series():
    early, late = PANEL.head(PANEL.lengths - 5), PANEL
    both = stack([early, late])
    assert list(both.ids) == ["a", "b", "a", "b"]
    assert both.lengths.tolist() == [31, 21, 36, 26]
    for s in range(2):
        np.testing.assert_array_equal(both.series(s), early.series(s))
        np.testing.assert_array_equal(both.series(2 + s), late.series(s))
    assert list(both.ends) == [*early.ends, *late.ends]
