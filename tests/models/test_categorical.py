"""Models of categories: what they learn of Markov chains, gaps, files, backtests and figures."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from safetensors.numpy import save as dump

from forecast import LSTM, CategoricalLSTM, Forecaster, MarkovChain, MostFrequent, Naive, read_panel
from forecast.errors import DataError, ModelFileError, ParameterError
from forecast.models.base import covariate_notes
from forecast_kernels.jit import threads

TWO = np.array([[0.9, 0.1], [0.3, 0.7]])
FIVE = np.array(
    [
        [0.6, 0.1, 0.1, 0.1, 0.1],
        [0.05, 0.05, 0.8, 0.05, 0.05],
        [0.25, 0.25, 0.0, 0.25, 0.25],
        [0.0, 0.5, 0.0, 0.5, 0.0],
        [0.1, 0.2, 0.3, 0.4, 0.0],
    ]
)
SMALL = CategoricalLSTM(embedding_size=4, hidden_size=8, max_steps=40, n_paths=50)
MODELS = [SMALL, MarkovChain(), MostFrequent()]


def chain(transitions, count, seed):
    """States of a Markov chain; of second order if ``transitions`` is (K, K, K)."""
    rng, states = np.random.default_rng(seed), [0, 0]
    for _ in range(count):
        states.append(rng.choice(len(transitions), p=transitions[*states[-(transitions.ndim - 1) :]]))
    return np.array(states[2:])


def frame_of(transitions, count=1500, series=4):
    names = np.array(list("abcde"))
    parts = [
        pd.DataFrame({"unique_id": f"m{k}", "ds": np.arange(count), "y": names[chain(transitions, count, k)]})
        for k in range(series)
    ]
    return pd.concat(parts, ignore_index=True)


def states(values, **columns):
    return pd.DataFrame({"ds": np.arange(len(values)), "y": values, **columns})


def read(frame):
    return read_panel(frame, freq=1)


# ------------------------------------------------------------------------------------------ Markov series


@pytest.mark.parametrize(("transitions", "count"), [(TWO, 1500), (FIVE, 4000)])
def test_learned_probabilities_are_near_the_true_ones(transitions, count):
    """What the network says on average after each state, at many places of the series."""
    panel = read(frame_of(transitions, count))
    fitted = CategoricalLSTM().fit(panel)
    said, last = [], []
    for cut in range(count - 200, count, 5):
        history = panel.head(np.full(4, cut))
        said.append(fitted.predict(history, 1).probabilities[:, 0])
        last.append(history.y[history.indptr[1:] - 1])
    said, last = np.concatenate(said), np.concatenate(last)
    learned = np.array([said[last == state].mean(axis=0) for state in range(len(transitions))])
    np.testing.assert_allclose(learned, transitions, atol=0.03)
    np.testing.assert_allclose(MarkovChain().fit(panel).transitions, transitions, atol=0.03)


def test_markov_chain_is_not_beaten_on_data_of_first_order():
    fc = Forecaster([CategoricalLSTM(), MarkovChain(), MostFrequent()], freq=1)
    cv = fc.backtest(frame_of(TWO), h=1, n_windows=100, refit=False)
    evaluation = fc.evaluate(cv)
    assert not (evaluation.verdict.winner == "CategoricalLSTM" and evaluation.verdict.significant)
    assert evaluation.table["logloss"]["MarkovChain"] < evaluation.table["logloss"]["MostFrequent"]
    assert evaluation.table["logloss"]["CategoricalLSTM"] < 1.02 * evaluation.table["logloss"]["MarkovChain"]


def test_markov_chain_is_beaten_on_data_of_second_order():
    second = np.array([[[0.9, 0.1], [0.2, 0.8]], [[0.8, 0.2], [0.1, 0.9]]])  # mostly what came two steps ago: pairs
    second[0, 1], second[1, 0] = [0.85, 0.15], [0.15, 0.85]
    fc = Forecaster([CategoricalLSTM(), MarkovChain(), MostFrequent()], freq=1)
    cv = fc.backtest(frame_of(second), h=1, n_windows=100, refit=False)
    verdict = fc.evaluate(cv).verdict
    assert verdict.winner == "CategoricalLSTM"
    assert verdict.significant


# ------------------------------------------------------------------------------------------ forecasts


def test_forecast_has_the_likeliest_category_and_probabilities_that_sum_to_one():
    frame = frame_of(FIVE, 300)
    out = Forecaster(MODELS, freq=1).fit(frame).predict(3)
    assert len(out) == 12
    for model in ("CategoricalLSTM", "MarkovChain", "MostFrequent"):
        columns = [f"{model}-p-{name}" for name in "abcde"]
        p = out[columns].to_numpy()
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-9)
        assert (p > 0).all()
        assert out[model].tolist() == [columns[k][-1] for k in p.argmax(axis=1)]


def test_markov_chain_several_steps_ahead_and_over_gaps_is_the_power_of_its_matrix():
    fitted = MarkovChain().fit(read(states(list("ababbbaabb"))))
    whole = fitted.predict(read(states(list("ab"))), 3).probabilities[0]
    after_gap = fitted.probabilities(np.array([0.0, 1.0, np.nan]), 2)
    np.testing.assert_allclose(after_gap, whole[1:])
    np.testing.assert_allclose(whole[2], np.linalg.matrix_power(fitted.transitions, 3)[1])


def test_counts_of_the_markov_chain_skip_gaps_and_the_borders_of_series():
    two = pd.DataFrame({"unique_id": list("xxxxyyy"), "ds": [0, 1, 3, 4, 0, 1, 2], "y": list("abbbaab")})
    fitted = MarkovChain().fit(read(two))  # a>b, b>b; a>a, a>b
    np.testing.assert_allclose(fitted.transitions, np.array([[1.5, 2.5], [0.5, 1.5]]) / [[4], [2]])


def test_simulated_probabilities_of_a_first_step_are_exact_and_later_ones_near_the_chain():
    panel = read(frame_of(TWO))
    fitted = CategoricalLSTM().fit(panel)
    near, far = fitted.predict(panel, 1).probabilities, fitted.predict(panel, 12).probabilities
    np.testing.assert_allclose(far[:, :1], near, rtol=1e-6)
    np.testing.assert_allclose(far[:, -1], MarkovChain().fit(panel).predict(panel, 12).probabilities[:, -1], atol=0.06)


def test_series_are_forecast_together_as_each_alone():
    panel = read(frame_of(FIVE, 60, series=70))  # more than there are groups
    panel = panel.head(60 - np.arange(70) % 7)
    fitted = SMALL.fit(panel)
    for h in (1, 4):
        together = fitted.predict(panel, h).probabilities
        alone = [fitted.predict(panel.select(np.array([s])), h).probabilities[0] for s in range(0, 70, 9)]
        np.testing.assert_array_equal(together[::9], alone)
        with threads(1):
            np.testing.assert_array_equal(fitted.predict(panel, h).probabilities, together)
        np.testing.assert_array_equal(together[5], fitted.probabilities(panel.series(5), h))


def test_gap_is_an_unknown_value_to_the_network():
    frame = frame_of(TWO, 300)
    holes = frame.drop(index=frame.index[50::7])
    out = Forecaster(SMALL, freq=1).fit(holes).predict(2)
    assert np.isfinite(out["CategoricalLSTM-p-a"]).all()


def test_training_is_the_same_every_time():
    panel = read(frame_of(TWO, 200))
    first, again, other = (replace(SMALL, seed=seed).fit(panel) for seed in (1, 1, 2))
    assert first.network.theta.tobytes() == again.network.theta.tobytes() != other.network.theta.tobytes()
    assert first.losses_


def test_short_series_are_learned_without_holding_out():
    fitted = SMALL.fit(read(states(list("abab"))))
    assert fitted.history.validation == []
    assert fitted.predict(read(states(list("abab"))), 1).probabilities.shape == (1, 1, 2)


# ------------------------------------------------------------------------------------------ figures


def test_figures_of_a_backtest_are_those_of_their_formulas():
    frame = frame_of(FIVE, 60, series=2)
    fc = Forecaster(MODELS, freq=1)
    cv = fc.backtest(frame, h=2, n_windows=3, refit=False)
    table = fc.evaluate(cv).table
    assert cv["y"].tolist() == frame.groupby("unique_id").tail(6)["y"].tolist()
    for model in table.index:
        p = cv[[f"{model}-p-{name}" for name in "abcde"]].to_numpy()
        came = np.array([list("abcde").index(name) for name in cv["y"]])
        rows = np.arange(len(p))
        assert table["logloss"][model] == pytest.approx(-np.log(p[rows, came]).mean())
        assert table["Brier"][model] == pytest.approx(((p - np.eye(5)[came]) ** 2).sum(axis=1).mean())
        assert table["accuracy"][model] == pytest.approx((cv[model] == cv["y"]).mean())
    assert table["skill"]["MarkovChain"] == pytest.approx(0) or table["skill"]["MostFrequent"] == pytest.approx(0)


def test_baseline_can_be_named_and_metrics_chosen():
    fc = Forecaster(MODELS, freq=1)
    cv = fc.backtest(frame_of(TWO, 60), h=2, n_windows=3, refit=False)
    evaluation = fc.evaluate(cv, "MostFrequent", metrics=["accuracy", "Brier"])
    assert evaluation.baseline == "MostFrequent"
    assert list(evaluation.shown.columns) == ["accuracy", "Brier"]
    assert "skill is the share of MostFrequent's logloss" in fc.evaluate(cv, "MostFrequent").legend()
    with pytest.raises(ParameterError, match="The metric 'MASE' needs"):
        fc.evaluate(cv, metrics=["MASE"])


def test_figures_can_be_told_apart_by_series_step_and_window():
    frame = frame_of(FIVE, 60, series=3)
    fc = Forecaster([MarkovChain(), MostFrequent()], freq=1)
    cv = fc.backtest(frame, h=2, n_windows=3, refit=False)
    p = cv[[f"MarkovChain-p-{name}" for name in "abcde"]].to_numpy()
    loss = pd.Series(-np.log(p[np.arange(len(p)), ["abcde".index(name) for name in cv["y"]]]))
    step, window = cv["ds"] - cv["cutoff"], cv["cutoff"].rank(method="dense").astype(int)
    for by, keys in (("step", step), ("window", window), ("series", cv["unique_id"])):
        table = fc.evaluate(cv, "MostFrequent", by=by)
        name = "unique_id" if by == "series" else by
        assert list(table.columns) == [name, "model", "logloss", "skill", "Brier", "accuracy"]
        chosen = table[table["model"] == "MarkovChain"].set_index(name)
        expected = loss.groupby(keys).mean()
        assert chosen.index.tolist() == expected.index.tolist()
        np.testing.assert_allclose(chosen["logloss"], expected)
        plain = table[table["model"] == "MostFrequent"].set_index(name)
        np.testing.assert_allclose(chosen["skill"], 1 - chosen["logloss"] / plain["logloss"])
    assert list(fc.evaluate(cv, by="step", metrics=["accuracy"]).columns) == ["step", "model", "accuracy"]
    with pytest.raises(ParameterError, match="The metric 'MASE' needs"):
        fc.evaluate(cv, by="step", metrics=["MASE"])


def test_steps_of_a_gap_have_no_row():
    frame = frame_of(TWO, 60, series=1)
    frame.loc[57, "y"] = None
    fc = Forecaster(MostFrequent(), freq=1)
    assert fc.evaluate(fc.backtest(frame, h=4), by="step")["step"].tolist() == [1, 3, 4]


def test_unobserved_values_are_not_judged():
    frame = frame_of(TWO, 60, series=1)
    frame.loc[57, "y"] = None
    fc = Forecaster(MostFrequent(), freq=1)
    cv = fc.backtest(frame, h=4)
    assert cv["y"].isna().tolist() == [False, True, False, False]
    assert any("1 of 4 test values were not observed" in note for note in fc.evaluate(cv).notes)


# ------------------------------------------------------------------------------------------ codes


def test_codes_come_back_as_whole_numbers_from_forecasts_backtests_and_files(tmp_path):
    codes = states(np.tile([7, 7, 10, 3], 20))
    fc = Forecaster([SMALL, MarkovChain()], freq=1, categorical=True)
    cv = fc.backtest(codes, h=2, n_windows=2)
    assert cv["y"].tolist() == [7, 7, 10, 3]
    assert set(cv["MarkovChain"]) <= {3, 7, 10}
    assert {"MarkovChain-p-3", "MarkovChain-p-7", "MarkovChain-p-10"} <= set(cv.columns)
    assert fc.evaluate(cv).table["accuracy"]["MarkovChain"] >= 0.5
    out = fc.fit(codes).predict(2)
    assert out["MarkovChain"].dtype.kind == "i" or all(type(value) is int for value in out["MarkovChain"])
    fc.save(tmp_path / "model")
    loaded = Forecaster.load(tmp_path / "model")
    assert loaded.panel_.categories == (3, 7, 10)
    pd.testing.assert_frame_equal(loaded.predict(2), out)
    pd.testing.assert_frame_equal(loaded.predict(2, df=codes.iloc[:40]), fc.predict(2, df=codes.iloc[:40]))
    pd.testing.assert_frame_equal(loaded.fit(codes).predict(2), out)


def test_backtest_that_was_written_can_be_evaluated(tmp_path):
    fc = Forecaster([MarkovChain(), MostFrequent()], freq=1, categorical=True)
    cv = fc.backtest(states(np.tile([1, 1, 0, 2], 20)), h=2, n_windows=4, output=tmp_path / "cv.csv")
    again = pd.read_csv(tmp_path / "cv.csv")
    pd.testing.assert_frame_equal(fc.evaluate(again).table, fc.evaluate(cv).table)


# ------------------------------------------------------------------------------------------ what does not fit


def test_models_of_numbers_refuse_categories_and_the_other_way_round():
    words, numbers = read(states(list("abab"))), read(states([1.0, 2.0, 1.0, 2.0]))
    for model in (Naive(), LSTM()):
        with pytest.raises(DataError, match=r"holds categories \('a', 'b'\); take CategoricalLSTM"):
            model.fit(words)
    for model in MODELS:
        with pytest.raises(DataError, match="forecasts categories, but column 'y' holds numbers"):
            model.fit(numbers)


def test_intervals_of_categories_are_refused():
    fc = Forecaster(MarkovChain(), freq=1).fit(states(list("abab")))
    with pytest.raises(ParameterError, match="which have no intervals"):
        fc.predict(1, level=[80])


def test_category_that_was_not_seen_is_named():
    fc = Forecaster(MarkovChain(), freq=1).fit(states(list("abab")))
    with pytest.raises(DataError, match="has 'c', which the model has not seen in training"):
        fc.predict(1, df=states(list("abcabc")))


def test_covariates_are_said_to_be_ignored():
    panel = read_panel(states(list("abab"), speed=[1.0, 2.0, 3.0, 4.0]), freq=1, historic="speed")
    assert "do not use the covariates 'speed'" in covariate_notes(MODELS, panel)[0]


@pytest.mark.parametrize(
    "options",
    [
        {"hidden_size": 0},
        {"dropout": 1.0},
        {"val_share": -0.1},
        {"learning_rate": 0.0},
        {"n_paths": 1.5},
        {"seed": -1},
        {"dropout": "0.1"},
        {"learning_rate": None},
        {"val_share": float("nan")},
    ],
)
def test_impossible_configs_are_refused(options):
    with pytest.raises(ParameterError, match=next(iter(options))):
        CategoricalLSTM(**options)


# ------------------------------------------------------------------------------------------ files


@pytest.fixture(scope="module")
def fitted():
    return Forecaster(MODELS, freq=1).fit(frame_of(TWO, 100))


def test_models_come_back_from_their_file(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    loaded = Forecaster.load(tmp_path / "model")
    pd.testing.assert_frame_equal(loaded.predict(3), fitted.predict(3))
    assert loaded.panel_.categories == ("a", "b")
    newer = frame_of(TWO, 120)
    pd.testing.assert_frame_equal(loaded.predict(3, df=newer), fitted.predict(3, df=newer))


@pytest.mark.parametrize(
    "change",
    [
        lambda header, arrays: header["panel"].update(labels=["a"]),
        lambda header, arrays: header["panel"].update(labels=["a", "a"]),
        lambda header, arrays: header["models"][0]["state"].update(categories=["a", "b", "c"]),
        lambda header, arrays: header["models"][0]["config"].update(hidden_size=10**9),
        lambda header, arrays: header["models"][1]["state"].update(categories=[]),
        lambda header, arrays: arrays.update({"model.1.transitions": np.ones((2, 2))}),
        lambda header, arrays: arrays.update(y=arrays["y"] + 0.5),
    ],
)
def test_damaged_files_are_refused(fitted, tmp_path, change):
    path = tmp_path / "model"
    fitted.save(path)
    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["gatecast"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    change(header, arrays)
    path.write_bytes(dump(arrays, {"gatecast": json.dumps(header)}))
    with pytest.raises(ModelFileError, match="is damaged"):
        Forecaster.load(path)
