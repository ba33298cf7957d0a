"""Model files: the same bits come back, and no broken or hostile file does anything but raise one sentence."""

import json
import os
import struct
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from safetensors.numpy import save as dump

from forecast import storage
from forecast.errors import ModelFileError, NotFittedError, ParameterError
from forecast.forecaster import Forecaster
from forecast.models.naive import Naive, SeasonalNaive
from forecast.models.recurrent import LSTM
from forecast.series import datasets
from forecast.series.roles import Declared
from forecast_kernels.network.cpu import run_group
from tests.toys import Toy, make_panel

NET = LSTM(max_steps=3, hidden_size=4)


def series():
    rng = np.random.default_rng(0)
    return {"a": 20 + rng.normal(size=40), "b": 50 + rng.normal(size=25)}


@pytest.fixture(scope="module")
def forecaster():
    return Forecaster([NET, SeasonalNaive()]).fit(make_panel(series()), h=4)


@pytest.fixture
def saved(forecaster, tmp_path):
    path = tmp_path / "model"
    forecaster.save(path)
    return path


def rewritten(path, change):
    """Write the file again after ``change(header, arrays)``."""
    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()[storage.KEY])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    change(header, arrays)
    path.write_bytes(dump(arrays, {storage.KEY: json.dumps(header)}))
    return path


def assert_refused(path, match="model"):
    with pytest.raises(ModelFileError, match=match) as caught:
        Forecaster.load(path)
    text = str(caught.value)
    assert path.name in text
    assert "\n" not in text
    assert text.endswith(".")
    assert len(text) < 400


def test_loaded_forecaster_gives_the_same_bits(forecaster, saved):
    loaded = Forecaster.load(saved)
    compiled = len(run_group.signatures)
    for h in (4, 9):
        before, after = (one.predict(h, level=[80], quantiles=[0.3]) for one in (forecaster, loaded))
        pd.testing.assert_frame_equal(after, before, check_exact=True)
    assert len(run_group.signatures) == compiled  # arrays from a file are like others to the compiler


def declared_panel():
    """Two series with every kind of covariate."""
    x = np.arange(65.0)
    declared = Declared(future="x", static=("kind", "area"), calendar="month")
    panel = replace(
        make_panel(series()),
        covariates={"x": x, "month (sin)": x, "month (cos)": x},
        declared=declared,
        ahead={"x": np.ones((2, 4))},
        statics={"kind": np.array(["a", None], object), "area": np.array([1.0, np.nan])},
    )
    return panel, *storage._panel_out(panel)


def test_declared_covariates_come_back():
    panel, arrays, document = declared_panel()
    again = storage._panel_in(json.loads(json.dumps(document)), arrays)
    assert again.declared == panel.declared
    assert again.statics["kind"].tolist() == ["a", None]
    np.testing.assert_array_equal(again.statics["area"], [1, np.nan])
    np.testing.assert_array_equal(again.ahead["x"], panel.ahead["x"])


def test_file_of_before_covariates_were_declared_is_read():
    _, arrays, document = declared_panel()
    older = {name: value for name, value in document.items() if name not in ("declared", "ahead", "categories")}
    assert storage._panel_in(older, arrays).declared == Declared()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"declared": {"future": ["y"]}, "ahead": [], "categories": {}}, "a covariate is missing"),
        ({"ahead": ["kind"]}, "ahead.kind"),
        ({"categories": {"kind": [1, 2]}}, "a category is no text"),
        ({"categories": {"kind": ["a"]}}, "covariates have another type or shape"),
        ({"categories": {}}, "a covariate is missing"),
        ({"declared": {"weather": ["x"]}}, "unexpected keyword argument 'weather'"),
    ],
)
def test_damaged_covariates_are_refused(change, message):
    _, arrays, document = declared_panel()
    with pytest.raises((ValueError, KeyError, TypeError), match=message):
        storage._panel_in({**document, **change}, arrays)
    with pytest.raises(ValueError, match="covariates have another type or shape"):
        storage._panel_in(document, arrays | {"ahead.x": np.ones((1, 4))})


def test_loaded_forecaster_forecasts_other_histories(forecaster, saved):
    longer = make_panel({name: np.append(y, y[-3:]) for name, y in series().items()})
    pd.testing.assert_frame_equal(
        Forecaster.load(saved).predict(4, df=longer), forecaster.predict(4, df=longer), check_exact=True
    )


def test_file_of_a_file_has_the_same_content(saved, tmp_path):
    again = tmp_path / "again"
    Forecaster.load(saved).save(again)
    assert Forecaster.load(again).predict(5).equals(Forecaster.load(saved).predict(5))
    assert again.stat().st_size == saved.stat().st_size


@pytest.mark.parametrize("name", ["air_passengers", "co2", "bike_rentals", "electricity_prices"])
def test_names_stamps_and_notes_of_real_data_come_back(name, tmp_path):
    before = Forecaster(Naive()).fit(datasets.load(name))
    before.save(tmp_path / "model")
    after = Forecaster.load(tmp_path / "model")
    pd.testing.assert_frame_equal(after.predict(3), before.predict(3), check_exact=True)
    one, other = before.panel_, after.panel_
    assert (one.notes, one.columns, one.season_length) == (other.notes, other.columns, other.season_length)
    pd.testing.assert_frame_equal(one.frame(), other.frame())


@pytest.mark.parametrize(
    ("stamps", "tz"),
    [
        (pd.date_range("2024-03-30", periods=30, freq="h", tz="Europe/Paris"), "Europe/Paris"),
        (pd.date_range("2024-03-30", periods=30, freq="D", tz="UTC+02:00"), "UTC+02:00"),
        (np.arange(5, 35), None),
    ],
)
def test_time_zones_and_integer_time_come_back(stamps, tz, tmp_path):
    frame = pd.DataFrame({"ds": stamps, "y": np.arange(30.0)})
    before = Forecaster(Naive()).fit(frame)
    assert before.panel_.columns.tz == tz
    before.save(tmp_path / "model")
    pd.testing.assert_frame_equal(Forecaster.load(tmp_path / "model").predict(3), before.predict(3))


def test_configs_come_back(tmp_path):
    models = [replace(NET, alias="one", quantiles=(0.1, 0.5, 0.9)), replace(NET, alias="two", val_size=2), Naive()]
    Forecaster(models).fit(make_panel(series())).save(tmp_path / "model")
    loaded = Forecaster.load(tmp_path / "model")
    assert loaded.models == models
    assert list(loaded.fitted_) == ["one", "two", "Naive"]
    assert loaded.fitted_["one"].losses_


def test_numbers_of_numpy_in_a_config_are_stored(tmp_path):
    model = replace(NET, horizon=np.int64(2), learning_rate=np.float32(0.5), quantiles=np.array([0.1, 0.5, 0.9]))
    Forecaster(model).fit(make_panel(series())).save(tmp_path / "model")
    loaded = Forecaster.load(tmp_path / "model").models[0]
    assert (loaded.horizon, loaded.learning_rate, loaded.quantiles) == (2, 0.5, (0.1, 0.5, 0.9))


def test_file_is_no_pickle_and_can_be_read_by_others(saved):
    with safe_open(saved, framework="numpy") as file:
        header = json.loads(file.metadata()["gatecast"])
    assert header["format"] == storage.FORMAT
    assert [entry["model"] for entry in header["models"]] == ["lstm", "seasonal-naive"]


def test_saving_before_fitting_writes_nothing(tmp_path):
    with pytest.raises(NotFittedError, match="nothing to save"):
        Forecaster(Naive()).save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_model_of_the_caller_cannot_be_saved_and_leaves_the_old_file(saved, tmp_path):
    before = saved.read_bytes()
    with pytest.raises(ParameterError, match="Toy is not a registered model"):
        Forecaster(Toy()).fit(make_panel(series())).save(saved)
    assert saved.read_bytes() == before
    assert os.listdir(tmp_path) == ["model"]


def test_path_that_cannot_be_written_is_said(forecaster, tmp_path):
    for path in (tmp_path / "missing" / "model", tmp_path):  # no such folder; a folder
        with pytest.raises(ParameterError, match=r"^Cannot write .*\.$"):
            forecaster.save(path)
    assert not list(tmp_path.iterdir())


def test_failure_while_writing_leaves_the_old_file_alone(forecaster, saved, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    before = saved.read_bytes()
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ParameterError, match="No space left on device; choose another"):
        forecaster.save(saved)
    assert saved.read_bytes() == before
    assert os.listdir(tmp_path) == ["model"]


def test_missing_file_is_said_with_the_way_to_make_one(tmp_path):
    assert_refused(tmp_path / "model", "There is no model file .* make one with")
    assert_refused(tmp_path, "There is no model file")


def test_truncated_file_is_refused_wherever_it_ends(saved):
    content = saved.read_bytes()
    header = 8 + struct.unpack("<Q", content[:8])[0]
    for end in {
        0,
        1,
        7,
        8,
        9,
        header // 2,
        header - 1,
        header,
        header + 1,
        (header + len(content)) // 2,
        len(content) - 1,
    }:
        saved.write_bytes(content[:end])
        assert_refused(saved, "is not a gatecast model, or it is truncated")
    saved.write_bytes(content + b"more")
    assert_refused(saved, "is not a gatecast model")


def test_flipped_bits_never_do_more_than_raise(saved):
    content = bytearray(saved.read_bytes())
    header = 8 + struct.unpack("<Q", content[:8])[0]
    for at in np.random.default_rng(0).integers(0, header, 150):
        damaged = bytearray(content)
        damaged[at] ^= 1 << int(at % 8)
        saved.write_bytes(damaged)
        try:
            Forecaster.load(saved)
        except ModelFileError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    "content",
    [
        b"unique_id,ds,y\na,2024-01-01,1\n",
        b"\x80\x04\x95pickle",
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 7) + b'{"a":1}',
        dump({"a": np.zeros(3)}),
        dump({"a": np.zeros(3)}, {"gatecast": "no json"}),
        dump({"a": np.zeros(3)}, {"gatecast": "[1, 2]"}),
        dump({"a": np.zeros(3)}, {"gatecast": "[" * 100_000}),
    ],
)
def test_other_file_is_refused(content, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(content)
    assert_refused(path, "is not a gatecast model")


def test_type_that_numpy_lacks_is_refused(tmp_path):
    header = json.dumps(
        {"__metadata__": {"gatecast": "{}"}, "y": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}
    ).encode()
    path = tmp_path / "model"
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0\0")
    assert_refused(path)


@pytest.mark.parametrize("format_", [0, 2, 4, "3", None, [3]])
def test_another_format_says_which_and_what_to_do(format_, saved):
    path = rewritten(saved, lambda header, arrays: header.update(format=format_, version="9.9"))
    assert_refused(
        path, r"was written by gatecast '9\.9' in format .*; this version reads format 3: fit the model again"
    )


def within(*keys, value):
    """A change of one place of the header."""

    def change(header, arrays):
        place = header
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return change


def without(*keys):
    def change(header, arrays):
        place = header
        for key in keys[:-1]:
            place = place[key]
        del place[keys[-1]]

    return change


def array(name, values):
    """Another array in place of one that is there."""

    def change(header, arrays):
        assert name in arrays or values is None
        arrays[name] = np.asarray(values)

    return change


BIG = 2**63 - 1
LSTM_CONFIG, LSTM_STATE = ("models", 0, "config"), ("models", 0, "state")
RESOLVED = (*LSTM_STATE, "resolved")
HOSTILE = {
    "no panel": without("panel"),
    "panel of text": within("panel", value="text"),
    "no models": within("models", value=[]),
    "models of numbers": within("models", value=[1, 2]),
    "unknown class": within("models", 0, "model", value="os.system"),
    "class that is a number": within("models", 0, "model", value=5),
    "unknown option": within(*LSTM_CONFIG, "shell", value="rm"),
    "NaN in a config": within(*LSTM_CONFIG, "learning_rate", value=float("nan")),
    "infinity in a config": within(*LSTM_CONFIG, "huber_delta", value=float("inf")),
    "text in a config": within(*LSTM_CONFIG, "num_layers", value="two"),
    "object in a config": within(*LSTM_CONFIG, "quantiles", value={"a": 1}),
    "no state": without(*LSTM_STATE),
    "no horizon": within(*RESOLVED, "horizon", value=None),
    "fractional context": within(*RESOLVED, "context_length", value=36.0),
    "context of no whole patches": within(*RESOLVED, "context_length", value=35),
    "huge horizon": within(*RESOLVED, "horizon", value=10**9),
    "huge number of layers": within(*RESOLVED, "num_layers", value=10**12),
    "huge hidden size": within(*RESOLVED, "hidden_size", value=10**15),
    "other hidden size": within(*RESOLVED, "hidden_size", value=5),
    "negative season": within(*RESOLVED, "season_length", value=-1),
    "unresolved scaler": within(*RESOLVED, "scaler", value="auto"),
    "history of text": within(*LSTM_STATE, "histories", 0, "losses", value=["low"]),
    "more members": within(*LSTM_CONFIG, "n_members", value=2),
    "huge number of members": within(*LSTM_CONFIG, "n_members", value=10**15),
    "no histories": within(*LSTM_STATE, "histories", value=[]),
    "fewer weights": array("model.0.theta", np.zeros(3, np.float32)),
    "weights of another type": array("model.0.theta", np.zeros(3, np.int64)),
    "a length beyond the values": array("indptr", [0, 40, 10**6]),
    "a negative length": array("indptr", [0, -5, 65]),
    "lengths that do not ascend": array("indptr", [0, 65, 65]),
    "lengths that start late": array("indptr", [1, 40, 65]),
    "too many lengths": array("indptr", [0, 20, 40, 65]),
    "lengths of another type": array("indptr", [0.0, 40.0, 65.0]),
    "lengths in rows": array("indptr", [[0, 40, 65]]),
    "a scalar length": array("indptr", np.int64(3)),
    "values in rows": array("y", np.zeros((65, 1))),
    "values of another type": array("y", np.zeros(65, np.float32)),
    "no stamps": array("starts", np.zeros(0, np.int64)),
    "stamps that are not a time": array("starts", np.full(2, -(2**63))),
    "stamps beyond the calendar": array("starts", np.full(2, BIG)),
    "more identifiers": within("panel", "ids", value=["a", "b", "c"]),
    "no identifiers": within("panel", "ids", value=[]),
    "identifiers of lists": within("panel", "ids", value=[["a"], ["b"]]),
    "unknown frequency": within("panel", "freq", value="fortnight"),
    "frequency of zero": within("panel", "freq", value="0"),
    "frequency that is none": within("panel", "freq", value=None),
    "season of zero": within("panel", "season_length", value=0),
    "season of infinity": within("panel", "season_length", value=float("inf")),
    "unknown zone": within("panel", "columns", "tz", value="Mars/Olympus"),
    "zone that is a path": within("panel", "columns", "tz", value="../../../etc/passwd"),
    "column that is none": within("panel", "columns", "time", value=None),
    "missing covariate": within("panel", "covariates", value=["price"]),
    "notes of numbers": within("panel", "notes", value=[1]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_is_refused_as_damaged(name, saved):
    assert_refused(rewritten(saved, HOSTILE[name]), r"is damaged \(.*\); fit and save the model again")


def test_lengths_that_wrap_around_are_refused():
    """Their differences are positive in 64 bits, but a kernel would read outside the values."""
    wrapping = np.array([0, BIG, -2, 5])
    with np.errstate(over="ignore"):
        assert (np.diff(wrapping) >= 1).all()
    document, arrays = storage._panel_out(make_panel({"a": [1.0], "b": [2.0], "c": [3.0, 4.0, 5.0]}))[::-1]
    assert len(storage._panel_in(document, arrays)) == 3
    with pytest.raises(ValueError, match="do not ascend"):
        storage._panel_in(document, arrays | {"indptr": wrapping})


def test_covariate_of_another_length_is_refused():
    panel = replace(make_panel(series()), covariates={"price": np.zeros(65)})
    arrays, document = storage._panel_out(panel)
    np.testing.assert_array_equal(storage._panel_in(document, arrays).covariates["price"], 0)
    with pytest.raises(ValueError, match="covariate"):
        storage._panel_in(document, arrays | {"covariate.price": np.zeros(64)})
