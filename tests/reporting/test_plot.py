import sys

import numpy as np
import pytest

from forecast.errors import ParameterError
from forecast.evaluation.backtest import backtest
from forecast.evaluation.intervals import attach, probabilities
from forecast.evaluation.metrics import breakdown
from forecast.reporting.plot import forecast_figure, horizon_figure, loss_figure, png
from tests.toys import PASSENGERS, Toy, make_panel

PNG = b"\x89PNG\r\n\x1a\n"


def forecasts(panel, h=6, level=(80, 95)):
    model = Toy(alias="Model", lag=12)
    forecast = model.fit(panel).predict(panel, h, probabilities(level))
    return attach(panel.future_frame(h), "Model", forecast, level)


def labels(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_figure_shows_history_forecast_and_each_level():
    panel = make_panel()
    figure = forecast_figure(panel, forecasts(panel), "Model")
    assert labels(figure) == ["observed", "Model", "80% interval", "95% interval"]
    (ax,) = figure.axes
    observed, median = (line for line in ax.lines if line.get_label() in ("observed", "Model"))
    assert list(observed.get_ydata()) == PASSENGERS
    assert len(median.get_ydata()) == 6
    assert png(figure).startswith(PNG)


def test_only_the_first_six_series_are_drawn():
    panel = make_panel({f"s{k}": PASSENGERS for k in range(9)})
    figure = forecast_figure(panel, forecasts(panel), "Model")
    assert [ax.get_title(loc="left") for ax in figure.axes] == [f"s{k}" for k in range(6)]


def test_long_history_is_cut_to_what_is_asked_for():
    panel = make_panel()
    ax = forecast_figure(panel, forecasts(panel), "Model", history=10).axes[0]
    assert len(ax.lines[0].get_ydata()) == 10


def test_backtest_draws_each_cutoff_over_the_history():
    panel = make_panel()
    frame = backtest([Toy(alias="Model")], panel, h=4, n_windows=3, level=[80])
    figure = forecast_figure(panel, frame, "Model")
    assert len(figure.axes[0].lines) == 1 + 3
    assert labels(figure) == ["observed", "Model", "80% interval"]


@pytest.mark.parametrize("tz", [None, "Europe/Berlin"])
@pytest.mark.parametrize("freq", ["h", "MS", 1])
def test_any_kind_of_time_is_drawn(freq, tz):
    if freq == 1 and tz:
        pytest.skip("integer time has no zone")
    panel = make_panel(start=0 if freq == 1 else "2024-03-30", freq=freq, tz=tz)
    assert png(forecast_figure(panel, forecasts(panel), "Model"), dpi=40).startswith(PNG)


@pytest.mark.parametrize("name", ["<script>", "a $x_{1$ b", "_hidden", "日本", "50% off", r"\frac{"])
def test_any_series_name_is_drawn_as_it_is(name):
    panel = make_panel({name: PASSENGERS})
    figure = forecast_figure(panel, forecasts(panel), "Model")
    assert figure.axes[0].get_title(loc="left") == name
    png(figure, dpi=40)


@pytest.mark.parametrize("values", [[5.0], [5.0] * 20, [1.0, np.nan, 3.0, np.nan], [np.nan, 2.0]])
def test_short_constant_and_broken_histories_are_drawn(values):
    panel = make_panel({"a": values})
    assert png(forecast_figure(panel, forecasts(panel, h=1), "Model"), dpi=40).startswith(PNG)


def test_single_values_get_a_marker():
    panel = make_panel({"a": [1.0, np.nan, 3.0, 4.0]})
    observed = forecast_figure(panel, forecasts(panel), "Model").axes[0].lines[0]
    assert observed.get_markevery() == [0]


def test_unknown_model_lists_the_columns():
    panel = make_panel()
    with pytest.raises(ParameterError, match="no forecasts of 'LSTM' to draw; the columns are Model, "):
        forecast_figure(panel, forecasts(panel), "LSTM")


def test_losses_are_drawn_per_model():
    figure = loss_figure({"LSTM": {5: 1.0, 10: 0.5, 12: 0.4}, "a$b": {1: 2.0}, "naive": {}})
    assert [list(line.get_xdata()) for line in figure.axes[0].lines] == [[5, 10, 12], [1]]
    assert png(figure, dpi=40).startswith(PNG)


def test_no_losses_are_said_so():
    with pytest.raises(ParameterError, match="no training losses"):
        loss_figure({"naive": {}})


def test_error_by_step_is_drawn_per_model():
    panel = make_panel()
    models = [Toy(), Toy(alias="Season", lag=12)]
    figures = breakdown(backtest(models, panel, h=6), panel, models, by="step")
    table = figures.pivot(index="step", columns="model", values="MASE")
    (ax,) = horizon_figure(table).axes
    assert [list(line.get_xdata()) for line in ax.lines] == [[1, 2, 3, 4, 5, 6]] * 2


def test_drawing_leaves_pyplot_alone():
    panel = make_panel()
    before = "matplotlib.pyplot" in sys.modules
    png(forecast_figure(panel, forecasts(panel), "Model"), dpi=40)
    assert ("matplotlib.pyplot" in sys.modules) == before
