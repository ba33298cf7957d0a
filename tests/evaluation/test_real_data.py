import numpy as np
import pytest
from utilsforecast import losses
from utilsforecast.evaluation import evaluate as ecosystem_evaluate

from forecast.evaluation.backtest import backtest
from forecast.evaluation.metrics import evaluate
from forecast.reporting.plot import forecast_figure, png, terminal_plot
from forecast.reporting.report import html_report
from forecast.series import datasets
from forecast.series.frame import read_panel
from tests.toys import Toy, ToyNetwork


class ToySeasonal(Toy):
    default_name = "SeasonalNaive"


@pytest.mark.parametrize("name", ["air_passengers", "sunspots", "oil_price", "electricity_demand", "hospital"])
def test_shipped_data_are_backtested_scored_and_drawn(name):
    panel = read_panel(datasets.load(name))
    models = [ToyNetwork(alias="Last"), ToySeasonal(lag=panel.season_length)]
    cv = backtest(models, panel, h=8, n_windows=3, refit=False, level=[80])
    rows = 3 * 8 * len(panel)
    assert len(cv) == rows
    truth = panel.frame().rename(columns={panel.columns.target: "truth"})
    joined = cv.merge(truth, on=[panel.columns.id, panel.columns.time], how="left")
    np.testing.assert_array_equal(joined["truth"], cv[panel.columns.target])

    result = evaluate(cv, panel, models)
    theirs = ecosystem_evaluate(
        cv.dropna(),
        metrics=[losses.mae],
        models=["Last", "SeasonalNaive"],
        id_col=panel.columns.id,
        time_col=panel.columns.time,
        target_col=panel.columns.target,
    )
    means = theirs.groupby(panel.columns.id)[["Last", "SeasonalNaive"]].mean().mean()
    assert result.table["MAE"].to_dict() == pytest.approx(means.to_dict())
    assert result.verdict.p_value is not None

    plot = terminal_plot(panel.series(0), stamps=panel.outward(panel.stamps(0)), encoding="utf-8")
    assert max(map(len, plot.splitlines())) <= 72
    page = html_report(panel, cv, result, figures={name: png(forecast_figure(panel, cv, "Last"), dpi=40)})
    assert result.verdict.text in page
