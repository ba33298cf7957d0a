"""Nothing after a cutoff reaches a forecast; and a leak that is planted is found."""

import dataclasses

import numpy as np
import pytest

from forecast.evaluation import backtest as module
from forecast.evaluation import cutoffs, ready
from forecast.evaluation.backtest import backtest
from forecast.models.arima import ARIMA
from forecast.models.naive import Drift, HistoricMean, SeasonalNaive
from forecast.models.naive2 import Naive2
from forecast.models.recurrent import LSTM
from tests.toys import PASSENGERS, Toy, make_panel

PANEL = make_panel({"a": PASSENGERS * 2, "b": [3.0 * v for v in PASSENGERS[4:]] * 2})
BACKTEST = {"h": 3, "n_windows": 4, "level": [80]}
LEARNING = {"hidden_size": 8, "max_steps": 15, "num_layers": 1, "batch_size": 16}
MODELS = [
    LSTM(scaler="series", transform="log", val_size=6, **LEARNING),
    ARIMA(n_jobs=1),
    *[SeasonalNaive(), Naive2(), Drift(), HistoricMean()],
]


def leaking(models_for, **options):
    """Names of the models whose forecasts change when values after the cutoff do."""
    before, found = backtest(models_for(PANEL), PANEL, **BACKTEST, **options), set()
    for w in (0, 2):
        y = PANEL.y.copy()
        for s in range(len(PANEL)):
            after = slice(PANEL.indptr[s + 1] - 3 * (4 - w), PANEL.indptr[s + 1])
            y[after] = 900 - 2.5 * y[after]  # another level, scale, trend and season
        changed = dataclasses.replace(PANEL, y=y)
        after = backtest(models_for(changed), changed, **BACKTEST, **options)
        assert (before["y"] != after["y"]).any()
        early = before.groupby("unique_id")["cutoff"].rank(method="dense") <= w + 1
        for model in models_for(PANEL):
            columns = [model.name, f"{model.name}-lo-80", f"{model.name}-hi-80"]
            if not before.loc[early, columns].equals(after.loc[early, columns]):
                found.add(model.name)
    return found


@pytest.mark.parametrize("refit", [False, 2])
def test_no_forecast_knows_of_values_after_its_cutoff(refit):
    assert leaking(lambda panel: MODELS, refit=refit) == set()


def test_no_calibration_knows_of_values_after_its_cutoff():
    assert leaking(lambda panel: MODELS, refit=False, intervals="conformal") == set()


class Peeking(Toy):
    """Divides by a level that it takes from all that will ever be known."""

    default_name = "Peeking"


@pytest.mark.parametrize("refit", [True, False])
def test_a_model_that_peeks_is_found(refit):
    def models_for(panel):
        return [Toy(), Peeking(bias=float(np.mean(panel.y)))]

    assert leaking(models_for, refit=refit) == {"Peeking"}


def test_a_calibration_that_peeks_is_found(monkeypatch):
    honest = ready._calibration
    whole = []

    def peeking(model, history, *rest):
        return honest(model, whole[-1], *rest)

    def models_for(panel):
        whole.append(panel)
        return [Toy()]

    monkeypatch.setattr(ready, "_calibration", peeking)
    assert leaking(models_for, refit=False, intervals="conformal") == {"Toy"}


def test_a_history_that_is_too_long_is_found(monkeypatch):
    honest = module.history_at

    def one_more(panel, window, *how):
        return honest(panel, dataclasses.replace(window, lengths=window.lengths + 1), *how)

    monkeypatch.setattr(module, "history_at", one_more)
    assert leaking(lambda panel: [Toy()], refit=False) == {"Toy"}


def test_windows_forecast_together_are_those_forecast_one_by_one(monkeypatch):
    together = backtest(MODELS, PANEL, **BACKTEST, refit=False)
    monkeypatch.setattr(cutoffs, "CHUNK", 1)
    spy = Toy()
    alone = backtest([*MODELS, spy], PANEL, **BACKTEST, refit=False)
    assert [len(panel) for kind, panel in spy.seen if kind == "predict"] == [2] * 4
    for name in together:
        if together[name].dtype == np.float64:
            np.testing.assert_allclose(alone[name], together[name], rtol=1e-6, err_msg=name)
        else:
            assert together[name].equals(alone[name])


def test_as_many_windows_are_forecast_together_as_fit_the_memory(monkeypatch):
    monkeypatch.setattr(cutoffs, "CHUNK", 2 * len(PANEL.y))
    spy = Toy()
    backtest([spy], PANEL, **BACKTEST, refit=False)
    assert [len(panel) for kind, panel in spy.seen if kind == "predict"] == [4, 4]
