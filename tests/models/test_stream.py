"""Streams of LSTM and XLSTM: rows that come in piece by piece give what the whole history gives at once.

Notation: S series, p values a patch.
"""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from forecast.errors import DataError, ParameterError
from forecast.forecaster import Forecaster
from forecast.learning.training import predict
from forecast.models.naive import Naive
from forecast.models.recurrent import LSTM, XLSTM
from forecast.models.recurrent.assembly import build_network, transform_of, window_data
from forecast.models.recurrent.stream import pending
from forecast.series.append import extended
from forecast.series.frame import declare
from forecast.series.roles import Declared
from forecast.series.windows import windows_at_end
from tests.test_storage import assert_refused, rewritten
from tests.toys import make_panel

LEVELS = (0.1, 0.5, 0.9)
SMALL = {"max_steps": 30, "hidden_size": 8, "stream": True, "learning_rate": 1e-2, "scaler": "series"}
MODELS = {
    "LSTM": LSTM(patch_length=1, context_length=6, season_length=0, **SMALL),
    "LSTM of patches": LSTM(patch_length=4, context_length=8, season_length=6, num_layers=2, **SMALL),
    "LSTM without scaler": LSTM(patch_length=3, **SMALL | {"scaler": "none", "max_steps": 3}),
    "LSTM in logarithms, and not": LSTM(patch_length=2, transform="calm", n_members=2, season_length=6, **SMALL),
    "s": XLSTM(blocks="s", num_heads=2, patch_length=1, season_length=6, **SMALL),
    "m": XLSTM(blocks="m", num_heads=2, patch_length=3, season_length=0, **SMALL),
    "sm": XLSTM(blocks="sm", num_heads=2, patch_length=4, season_length=6, mask_input=False, **SMALL),
    "mean": XLSTM(blocks="sm", num_heads=2, patch_length=1, season_length=0, point="mean", conv_width=0, **SMALL),
}
LENGTHS = {"a": 70, "b": 31, "c": 52}
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def waves(gaps=True):
    """Noisy sines of different lengths and levels, with unobserved values but for their ends."""
    rng = np.random.default_rng(0)
    panel = make_panel(
        {
            name: 50 + 10 * s + 3 * np.sin(np.arange(n) * np.pi / 3 + s) + rng.normal(0, 0.5, n)
            for s, (name, n) in enumerate(LENGTHS.items())
        },
        freq="D",
    )
    if gaps:
        inside = ~np.isin(np.arange(len(panel.y)), [panel.indptr[:-1], panel.indptr[1:] - 1])
        panel.y[np.random.default_rng(1).choice(np.flatnonzero(inside), 30, replace=False)] = np.nan
    return panel


def grown(panel, lengths):
    """Panels up to each of the lengths (k, S) in turn."""
    return [panel.head(np.array(each)) for each in lengths]


STEPS = [(20, 20, 20), (21, 20, 20), (29, 21, 33), (29, 21, 33), (30, 22, 34), (69, 30, 34), (70, 31, 52)]


@pytest.fixture(scope="module")
def fitted():
    """Each model, trained on the first twenty values, when it is first asked for."""
    made = {}

    def get(model):
        if model not in made:
            made[model] = model.fit(waves().head(np.array(STEPS[0])), 3)
        return made[model]

    return get


def fresh(fitted, panel):
    """The same networks, of which no stream has seen anything."""
    again = fitted.from_state(fitted.model, *stored(fitted))
    again.stream.start(panel)
    return again


def stored(fitted):
    """As from a file."""
    arrays, extra = fitted.state()
    histories = [entry | {"losses": {str(k): v for k, v in entry["losses"].items()}} for entry in extra["histories"]]
    return {name: values.copy() for name, values in arrays.items()}, extra | {"histories": histories}


def one_window(fitted, panel):
    """What networks forecast whose context is the whole history, each series by itself: medians (S, h)."""
    anchors, found = fitted.stream.anchors.of(fitted.resolved, panel), []
    for s in range(len(panel)):
        alone, members = panel.select(np.array([s])), []
        for k, member in enumerate(fitted.networks):
            p = fitted.resolved.patch_length
            whole = replace(fitted.resolved, context_length=-(-int(alone.lengths[0]) // p) * p)
            network, objective = build_network(whole, fitted.inputs)
            network.theta[:] = member.theta
            transform = transform_of(fitted.resolved, k)
            measures = anchors[transform].of(np.array([s]))
            data, log = window_data(whole, transform, alone, fitted.inputs.encode(alone), measures)
            out = np.sort(predict(network, data, windows_at_end(alone.lengths), objective)[0], axis=1)
            members.append((out[:, out.shape[1] // 2], bool(log[0])))
        found.append(np.mean([np.exp(point) if log else point for point, log in members], axis=0))
    return np.array(found)


@every_model
def test_forecast_after_updates_is_that_of_a_window_of_the_whole_history(model, fitted):
    panels = grown(waves(), STEPS)
    one = fresh(fitted(model), panels[0])
    for before, panel in itertools.pairwise(panels):
        one.update(panel, before)
        point = one.stream and one.predict(panel, 3, (0.5,)).quantiles[:, :, 0]
        np.testing.assert_allclose(point, one_window(one, panel), rtol=2e-5)
    start = one_window(one, panels[0])
    np.testing.assert_allclose(one.predict(panels[0], 3, (0.5,)).quantiles[:, :, 0], start, rtol=2e-5)


@every_model
@pytest.mark.parametrize("h", [3, 11])
def test_numbers_do_not_depend_on_how_rows_are_grouped(model, fitted, h):
    """Beyond the horizon forecasts are fed back, which a stream sees without going on itself."""
    panels = grown(waves(), STEPS)
    once, often = (fresh(fitted(model), panels[0]) for _ in range(2))
    once.update(panels[-1], panels[0])
    for before, panel in itertools.pairwise(panels):
        often.update(panel, before)
    expected, found = (one.predict(panels[-1], h, LEVELS) for one in (once, often))
    np.testing.assert_allclose(found.point, expected.point, rtol=1e-5)
    np.testing.assert_allclose(found.quantiles, expected.quantiles, rtol=1e-5)
    other = fitted(model).predict(panels[-1], h, LEVELS)  # its own stream stands elsewhere
    np.testing.assert_allclose(found.point, other.point, rtol=1e-5)


@pytest.mark.parametrize("name", ["LSTM of patches", "sm"])
def test_forecasts_that_are_fed_back_are_rows_that_come_in(name, fitted):
    """With one median path: forecast three, take them for rows, forecast three more."""
    panel = waves(gaps=False).head(np.array([30, 31, 32]))
    one = fresh(fitted(MODELS[name]), panel)
    first = one.predict(panel, 3).point
    longer = make_panel({s: np.append(panel.series(k), first[k]) for k, s in enumerate(panel.ids)}, freq="D")
    far = one.predict(panel, 6).point
    np.testing.assert_allclose(far[:, :3], first, rtol=1e-6)
    np.testing.assert_allclose(far[:, 3:], one.predict(longer, 3).point, rtol=1e-5)


@every_model
def test_prediction_leaves_the_stream_as_it_is(model, fitted):
    panel = waves()
    one = fresh(fitted(model), panel)
    states = [values.copy() for values in one.stream.states]
    first = one.predict(panel, 9, LEVELS)
    one.predict(panel.head(np.array([12, 9, 8])), 5)
    np.testing.assert_array_equal(one.predict(panel, 9, LEVELS).quantiles, first.quantiles)
    for found, expected in zip(one.stream.states, states, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_forecast_and_update_look_at_the_end_of_a_history_alone(fitted):
    """What lies far back was seen before: here it is spoilt, and nobody notices."""
    for model in (MODELS["LSTM of patches"], MODELS["sm"]):
        whole = waves()
        panel = whole.head(whole.lengths - 1)
        one = fresh(fitted(model), panel)
        seen = [max(0, n - one.stream.tail - 1) for n in whole.lengths]
        expected = fresh(one, whole).predict(whole, 3, LEVELS)
        for s, n in enumerate(seen):
            whole.y[whole.indptr[s] : whole.indptr[s] + n] = np.inf
            panel.y[panel.indptr[s] : panel.indptr[s] + n] = np.inf
        one.update(whole, panel)
        np.testing.assert_allclose(one.predict(whole, 3, LEVELS).quantiles, expected.quantiles, rtol=1e-5)


def test_stream_that_stands_elsewhere_sees_the_whole_history_again(fitted):
    panel, model = waves(), MODELS["LSTM"]
    one = fresh(fitted(model), panel.head(np.array([5, 5, 5])))
    copy = replace(panel, y=panel.y.copy())
    one.update(panel, copy.head(np.array([40, 30, 50])))  # of which it has never heard
    np.testing.assert_allclose(one.predict(panel, 3).point, fitted(model).predict(panel, 3).point, rtol=1e-6)


@pytest.mark.parametrize("patch", [1, 2, 5])
def test_lanes_see_all_patches_of_their_phase_but_the_last(patch):
    seen = {phase: 0 for phase in range(patch)}
    lengths = [0, 1, 1, 2, 4, 5, 6, 11, 30]
    for before, after in itertools.pairwise(lengths):
        ends, left = pending(np.array([before]), np.array([after]), patch)
        for phase in range(patch):
            complete = [e for e in range(1, after + 1) if e % patch == phase]
            assert left[0, phase] == max(len(complete) - 1, 0) - seen[phase]
            if left[0, phase]:
                assert ends[0, phase] == complete[seen[phase]]
            seen[phase] += left[0, phase]


# ------------------------------------------------------------------------------------------ the forecaster


@pytest.fixture
def forecaster(fitted):
    """Of the first part of the series, with a model beside it that keeps no state."""
    model = MODELS["sm"]
    made = Forecaster([model, Naive()], freq="D")
    panel = waves().head(np.array(STEPS[0]))
    made._panel = made._known = panel
    made.fitted_ = {"XLSTM": fresh(fitted(model), panel), "Naive": Naive().fit(panel)}
    return made


def rows(panel, since):
    """The observed rows of a panel after each series' first ``since`` values."""
    frame = panel.frame()
    number = frame.groupby(panel.columns.id).cumcount().to_numpy()
    later = number >= frame[panel.columns.id].map(dict(zip(panel.ids, since, strict=True))).to_numpy()
    return frame[later].dropna()


def test_update_then_predict_is_predict_from_the_whole(forecaster):
    whole = waves()
    expected = forecaster.predict(5, level=[80], df=whole)
    for since, until in itertools.pairwise(STEPS):
        assert forecaster.update(rows(whole.head(np.array(until)), since)) is forecaster
    np.testing.assert_array_equal(forecaster.panel_.y, whole.y)
    found = forecaster.predict(5, level=[80])
    assert found[["unique_id", "ds", "Naive"]].equals(expected[["unique_id", "ds", "Naive"]])
    for column in ("XLSTM", "XLSTM-lo-80", "XLSTM-hi-80"):
        np.testing.assert_allclose(found[column], expected[column], rtol=1e-5)


def test_stream_goes_on_after_a_file(forecaster, tmp_path):
    whole = waves()
    forecaster.save(tmp_path / "model")
    loaded = Forecaster.load(tmp_path / "model")
    assert loaded.fitted_["XLSTM"].stream._stands_at(loaded.panel_)
    assert loaded.predict(4).equals(forecaster.predict(4))
    new = rows(whole, STEPS[0])
    assert loaded.update(new).predict(4).equals(forecaster.update(new).predict(4))
    loaded.save(tmp_path / "again")
    assert Forecaster.load(tmp_path / "again").predict(4).equals(forecaster.predict(4))


def test_stream_of_other_histories_is_not_taken_from_a_file(forecaster, tmp_path):
    forecaster._panel = waves().head(np.array([25, 20, 20]))
    forecaster.save(tmp_path / "model")
    loaded = Forecaster.load(tmp_path / "model")
    assert loaded.fitted_["XLSTM"].stream.panel is None
    np.testing.assert_allclose(loaded.predict(4)["XLSTM"], forecaster.predict(4)["XLSTM"], rtol=1e-6)


def test_update_without_rows_or_values_changes_nothing(forecaster):
    new = rows(waves(), STEPS[0])
    before = forecaster.panel_
    forecaster.update(new.head(0)).update(new.assign(y=np.nan))
    assert forecaster.panel_ is before


def test_rows_that_overlap_are_refused_and_nothing_changes(forecaster):
    before = forecaster.predict(4)
    with pytest.raises(DataError, match=r"series 'a' begin at 1949-01-01, but its history reaches to 1949-01-20"):
        forecaster.update(rows(waves(), (0, 20, 20)))
    assert forecaster.predict(4).equals(before)


def test_value_without_a_logarithm_is_refused_where_the_stream_takes_logarithms():
    panel = waves()
    model = replace(MODELS["LSTM"], transform="log", max_steps=1)
    forecaster = Forecaster(model).fit(panel)
    before = forecaster.predict(3)
    last = panel.frame().tail(1)
    new = last.assign(ds=last["ds"] + np.timedelta64(1, "D"), y=0.0)
    with pytest.raises(DataError, match=r"Series 'c' has the value 0, which has no logarithm, .* transform='none'"):
        forecaster.update(new)
    np.testing.assert_allclose(forecaster.predict(3)["LSTM"], before["LSTM"], rtol=1e-6)
    forecaster.update(new.assign(y=50.0))
    assert len(forecaster.panel_.y) == len(panel.y) + 1


@pytest.mark.parametrize(("options", "message"), [
    ({"scaler": "mean"}, r"LSTM's scaler 'mean' moves with the window, which stream=True cannot follow; take scaler="),
    ({"scaler": "last"}, r"scaler 'last' moves"),
    ({"linear_path": True}, r"linear_path=True looks at .*, which stream=True does not keep; take one of them"),
    ({"stream": 1}, r"stream is 1; it must be True or False"),
])  # fmt: skip
def test_config_that_cannot_stream_is_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        LSTM(**{"stream": True, **options})


def test_covariates_that_change_with_time_are_refused_and_static_ones_are_not():
    panel, model = waves(), LSTM(stream=True, max_steps=1, hidden_size=4)
    moving = declare(replace(panel, covariates={"x": np.nan_to_num(panel.y)}), Declared(historic="x"))
    with pytest.raises(ParameterError, match=r"LSTM with stream=True takes no covariates .* 'x'; give cov"):
        model.fit(moving, 3)
    assert model.fit(panel, 3).resolved.scaler == "series"
    kinds = {"kind": np.array(["u", "v", "u"], object)}
    still = replace(panel, statics=kinds, declared=Declared(static="kind"))
    one = model.fit(still, 3)
    longer = extended(still, make_panel({"b": [60.0]}, start="1949-02-01", freq="D"))
    one.update(longer, still)
    np.testing.assert_allclose(one.predict(longer, 3).point, model.fit(still, 3).predict(longer, 3).point, rtol=1e-6)


STREAM = "model.0.stream."


@pytest.mark.parametrize("change", [
    lambda stream, arrays: arrays.update({f"{STREAM}states.0": arrays[f"{STREAM}states.0"][1:]}),
    lambda stream, arrays: arrays.update({f"{STREAM}states.0": arrays[f"{STREAM}states.0"].astype(np.float64)}),
    lambda stream, arrays: arrays.pop(f"{STREAM}states.0"),
    lambda stream, arrays: arrays.update({f"{STREAM}anchors.0.levels": np.zeros((3, 3))}),
    lambda stream, arrays: stream["anchors"].update(transforms=["log"]),
    lambda stream, arrays: stream["anchors"].update(ids=["a"]),
    lambda stream, arrays: stream.pop("panel"),
])  # fmt: skip
def test_file_whose_stream_is_damaged_is_refused(change, forecaster, tmp_path):
    forecaster.save(tmp_path / "model")

    def damage(header, arrays):
        change(header["models"][0]["state"]["stream"], arrays)

    assert_refused(rewritten(tmp_path / "model", damage), "is damaged")
