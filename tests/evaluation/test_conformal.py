import numpy as np
import pytest

from forecast.errors import DataError, ParameterError
from forecast.evaluation.backtest import backtest
from forecast.evaluation.conformal import calibration, fewest, naive_errors, paired, plan
from forecast.evaluation.metrics import evaluate
from forecast.forecaster import Forecaster
from forecast.models.base import Forecast
from forecast.models.naive import SeasonalNaive
from forecast.series import datasets
from tests.toys import PASSENGERS, Toy, ToyFitted, make_panel

LEVELS = (0.025, 0.1, 0.9, 0.975)


class ScaledFitted(ToyFitted):
    def _predict(self, panel, h, quantiles):
        forecast = super()._predict(panel, h, quantiles)
        spread = forecast.quantiles - forecast.point[:, :, None]
        return Forecast(forecast.point, forecast.point[:, :, None] + self.model.factor * spread)


class Narrow(Toy):
    """Its intervals are far too narrow."""

    default_name = "Narrow"
    factor = 0.2

    def _fit(self, panel, h, progress):
        super()._fit(panel, h, progress)
        return ScaledFitted(self, panel)


class Wide(Narrow):
    default_name = "Wide"
    factor = 4.0


class PointOnly(Toy):
    default_name = "PointOnly"
    has_quantiles = False

    def _fit(self, panel, h, progress):
        return PointFitted(self, panel)


class PointFitted(ToyFitted):
    def _predict(self, panel, h, quantiles):
        assert not quantiles
        return super()._predict(panel, h, quantiles)


def noise(n_series, length, seed=0):
    rng = np.random.default_rng(seed)
    # series of very different scales, with a season, around which values are independent
    season = np.resize([10.0, 12.0, 15.0, 11.0], length)
    return make_panel(
        {f"s{k}": 10.0 ** (k % 4) * (season + rng.normal(size=length)) for k in range(n_series)}, season_length=4
    )


@pytest.mark.parametrize(("n_series", "length"), [(6, 500), (60, 44)])
def test_wrong_intervals_come_to_cover_what_they_promise(n_series, length):
    panel = noise(n_series, length)
    models = [Narrow(lag=4), Wide(lag=4), PointOnly(lag=4)]
    windows = {"h": 4, "n_windows": 10 if length > 100 else 2, "refit": False}
    cv = backtest(models, panel, **windows, level=[80, 95], intervals="conformal")
    table = evaluate(cv, panel, models).table
    assert table["coverage-80"].between(0.72, 0.88).all()
    assert table["coverage-95"].between(0.90, 0.99).all()
    native = backtest(models[:2], panel, **windows, level=[80, 95])
    coverage = evaluate(native, panel, models[:2]).table["coverage-80"]
    assert coverage["Narrow"] < 0.5
    assert coverage["Wide"] > 0.95
    assert np.array_equal(native["Narrow"], cv["Narrow"])  # the points stay


def one_step(distances, p=0.1, own=True):
    """Margins of one series whose intervals were [0, 0] and whose values these distances, one step ahead."""
    panel = make_panel({"a": [1.0, 2.0, 3.0]}, season_length=1)  # its naive error is 1
    distances = np.array(distances, float)
    found = calibration(
        panel, distances[:, None], np.zeros((len(distances), 1, 2)), (p, 1 - p), np.zeros(len(distances), int)
    )
    return float((found.own[0] if own else found.pooled)[0, 0])


def test_margin_is_the_conformal_quantile_of_the_distances():
    # of 9 distances, the 8th: ceil(10 * 0.8)
    assert one_step(range(1, 10)) == 8
    assert one_step([3, 1, 4, 2]) == 4
    assert one_step([-3.0, 1, -4, 2]) == 4  # below is outside too


def test_too_few_distances_give_no_margin():
    assert np.isnan(one_step([1, 2, 3]))
    assert fewest(0.1) == 4
    assert fewest(0.025) == 19


def test_windows_that_were_not_observed_are_left_out():
    assert one_step([*range(1, 10), np.nan, np.nan]) == 8


def test_distances_are_in_units_of_each_series_naive_error():
    panel = make_panel({"a": [1.0, 2, 1, 2], "b": [100.0, 200, 100, 200], "flat": [7.0] * 4}, season_length=1)
    np.testing.assert_allclose(naive_errors(panel), [1, 100, 0])
    truth = np.array([[1.0], [2], [3], [400], [500]])
    found = calibration(panel, truth, np.zeros((5, 1, 2)), (0.1, 0.9), np.array([0, 0, 0, 1, 1]))
    assert found.pooled[0, 0] == 5
    native = Forecast(np.zeros((3, 1)), np.zeros((3, 1, 2)))
    both = found.applied(native, (0.1, 0.9), panel)
    np.testing.assert_allclose(both.quantiles[:, 0], [[-5, 5], [-500, 500], [0, 0]])


def test_steps_with_few_windows_borrow_from_the_steps_around_them():
    panel = make_panel({"a": [1.0, 2, 1, 2]}, season_length=1)
    truth = np.array([[1.0, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]])  # farther ahead, farther off
    found = calibration(panel, truth, np.zeros((2, 6, 2)), (0.1, 0.9), np.zeros(2, int))
    assert (np.diff(found.pooled[:, 0]) >= 0).all()
    assert found.pooled[0, 0] < found.pooled[-1, 0]


def test_series_with_many_windows_have_margins_of_their_own():
    panel = make_panel({"calm": [1.0, 2, 1, 2], "wild": [1.0, 2, 1, 2]}, season_length=1)
    truth = np.concatenate([np.full(40, 1.0), np.full(40, 9.0)])[:, None]
    found = calibration(panel, truth, np.zeros((80, 1, 2)), (0.1, 0.9), np.repeat([0, 1], 40))
    assert found.own[:, 0, 0].tolist() == [1, 9]
    assert found.pooled[0, 0] == 9


def test_intervals_never_cross_however_far_they_are_narrowed():
    cv = backtest([Wide(lag=4)], noise(1, 200), h=4, level=[10, 80, 95], quantiles=[0.3, 0.5], intervals="conformal")
    names = ["Wide-lo-95", "Wide-lo-80", "Wide-q-0.3", "Wide-lo-10", "Wide-q-0.5"]
    names += ["Wide-hi-10", "Wide-hi-80", "Wide-hi-95"]
    assert (np.diff(cv[names].to_numpy(), axis=1) >= 0).all()


def test_single_quantiles_are_calibrated_with_their_mirror_images():
    assert paired((0.1, 0.5, 0.7)) == (0.1, 0.3, 0.5, 0.7, 0.9)
    cv = backtest([Narrow(lag=4)], noise(1, 200), h=4, level=[80], quantiles=[0.1], intervals="conformal")
    assert cv["Narrow-q-0.1"].equals(cv["Narrow-lo-80"].rename("Narrow-q-0.1"))


def test_calibration_forecasts_at_most_a_third_of_the_history_or_one_horizon():
    for length, h in [(600, 4), (100, 12), (45, 12), (30, 12)]:
        planned = plan(make_panel({"a": [1.0] * length}), h)
        assert h + (planned.n_windows - 1) * planned.step <= max(length // 3, h)
    assert plan(make_panel({"a": [1.0] * 23}), 12) is None


def test_windows_of_calibration_take_in_all_phases_of_the_season():
    planned = plan(make_panel({"a": [1.0] * 3000}, freq="h", season_length=24), 24)
    assert len({k * planned.step % 24 for k in range(planned.n_windows)}) == 24


def test_one_fit_on_a_shortened_history_calibrates():
    spy = Toy()
    panel = make_panel()
    backtest([spy], panel, h=3, n_windows=3, refit=False, level=[80], intervals="conformal")
    fits = [panel for kind, panel in spy.seen if kind == "fit"]
    assert [int(known.lengths[0]) for known in fits] == [27, 18]
    assert {float(known.ends[0].astype("datetime64[ns]").astype(int)) for known in fits} == {
        float(fits[0].ends[0].astype(int)),
        float(fits[1].ends[0].astype(int)),
    }


def test_fit_that_calibrates_at_the_first_cutoff_calibrates_at_the_later_ones():
    spy = Toy()
    backtest([spy], make_panel(), h=3, n_windows=3, level=[80], intervals="conformal")
    assert [int(known.lengths[0]) for kind, known in spy.seen if kind == "fit"] == [27, 18, 30, 33]


def test_series_that_is_too_short_at_the_first_cutoff_is_calibrated_by_a_later_fit():
    spy = Toy()
    panel = make_panel({"long": PASSENGERS[:60], "short": PASSENGERS[:30]})
    backtest([spy], panel, h=10, n_windows=3, level=[80], intervals="conformal")
    fits = [list(known.ids) for kind, known in spy.seen if kind == "fit"]
    assert fits.count(["long", "short"]) > 2


def test_too_short_a_history_keeps_the_models_own_intervals_and_says_so():
    panel = make_panel({"a": PASSENGERS[:20]})
    native = backtest([Toy()], panel, h=6, level=[80])
    cv = backtest([Toy()], panel, h=6, level=[80], intervals="conformal")
    assert native.equals(cv)
    sentence = "The histories are too short to calibrate 80 % intervals 6 steps ahead; they are Toy's own."
    assert cv.attrs["notes"] == [sentence]


def test_a_level_with_too_few_windows_stays_as_it_is():
    panel = make_panel({"a": PASSENGERS})
    options = {"h": 2, "level": [80, 99]}
    native, cv = (backtest([Narrow()], panel, **options, intervals=kind) for kind in ("native", "conformal"))
    widest = np.maximum(native["Narrow-hi-99"], cv["Narrow-hi-80"])  # but no narrower than what lies in it
    assert cv["Narrow-hi-99"].tolist() == widest.tolist()
    assert (native["Narrow-hi-80"] < cv["Narrow-hi-80"]).all()
    assert "calibrate 99 % intervals" in cv.attrs["notes"][0]


def test_a_model_without_quantiles_cannot_do_without_calibration():
    with pytest.raises(DataError, match=r"too short to calibrate 80 % .* PointOnly has none of its own; leave out"):
        backtest([PointOnly()], make_panel({"a": PASSENGERS[:20]}), h=6, level=[80], intervals="conformal")


def test_unknown_intervals_are_refused():
    with pytest.raises(ParameterError, match="intervals is 'bootstrap'; choose one of native, conformal"):
        backtest([Toy()], make_panel(), h=2, intervals="bootstrap")
    with pytest.raises(ParameterError, match="intervals is 'bootstrap'"):
        Forecaster(SeasonalNaive()).fit(make_panel()).predict(2, intervals="bootstrap")


def test_forecaster_predicts_what_a_backtest_would_have():
    panel = make_panel({"a": PASSENGERS * 3})
    cv = Forecaster(SeasonalNaive()).backtest(panel, 4, level=[80], intervals="conformal")
    known = panel.head(panel.lengths - 4)
    out = Forecaster(SeasonalNaive()).fit(known).predict(4, level=[80], intervals="conformal")
    assert out.equals(cv[out.columns])
    assert out.attrs["notes"] == []
    assert not out.equals(Forecaster(SeasonalNaive()).fit(known).predict(4, level=[80]))


def test_without_levels_nothing_is_calibrated():
    spy = Toy()
    backtest([spy], make_panel(), h=3, intervals="conformal")
    assert [kind for kind, _ in spy.seen] == ["fit", "predict"]


def test_coverage_of_many_short_series_comes_nearer():
    panel_of = Forecaster().read(datasets.load("hospital"))
    models = [Narrow(lag=12)]
    table = {}
    for kind in ("native", "conformal"):
        cv = backtest(models, panel_of, h=6, n_windows=2, refit=False, level=[80], intervals=kind)
        table[kind] = evaluate(cv, panel_of, models).table.at["Narrow", "coverage-80"]
    assert table["native"] < 0.5
    assert table["conformal"] == pytest.approx(0.8, abs=0.05)


def test_flat_series_stay_out_of_the_pool_and_keep_the_models_own_intervals():
    panel = noise(6, 60)
    ids = dict(zip(panel.ids, (panel.series(s) for s in range(6)), strict=True))
    flat = {f"flat{k}": np.full(60, 0.1) for k in range(20)}
    options = {"h": 4, "level": [80], "intervals": "conformal"}
    alone = backtest([Narrow(lag=4)], make_panel(ids, season_length=4), **options)
    both = backtest([Narrow(lag=4)], make_panel(ids | flat, season_length=4), **options)
    assert both[both["unique_id"].isin(ids)].equals(alone)
    rest = both[~both["unique_id"].isin(ids)]
    assert np.allclose(rest[["Narrow-lo-80", "Narrow-hi-80"]], 0.1)
    assert both.attrs["notes"] == [
        "The intervals of 20 of 26 series that never change are not calibrated; they are Narrow's own."
    ]


def test_a_panel_in_which_nothing_changes_has_the_models_own_intervals():
    panel = make_panel({"a": [5.0] * 60, "b": [0.0] * 60}, season_length=4)
    models = [Narrow(lag=4), Wide(lag=4), PointOnly(lag=4)]
    cv = backtest(models, panel, h=4, level=[80], intervals="conformal")
    assert (cv["PointOnly-lo-80"] == cv["y"]).all() and (cv["PointOnly-hi-80"] == cv["y"]).all()
    assert cv.attrs["notes"] == [
        "Without any change in the histories there is nothing to calibrate intervals by; "
        "they are Narrow's, Wide's and PointOnly's own."
    ]


def test_models_of_which_the_same_is_to_be_said_share_a_sentence():
    cv = backtest([Narrow(), Wide()], make_panel({"a": PASSENGERS[:20]}), h=6, level=[80], intervals="conformal")
    sentence = (
        "The histories are too short to calibrate 80 % intervals 6 steps ahead; they are Narrow's and Wide's own."
    )
    assert cv.attrs["notes"] == [sentence]
