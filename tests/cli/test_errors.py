"""Bad input: one sentence on stderr, the right exit code, no traceback, nothing written."""

import pytest

from forecast.storage import FORMAT
from forecast_kernels import device

MONTHS = [f"{year}-{month:02d}-01" for year in (2021, 2022, 2023) for month in range(1, 13)]
GOOD = ["month,sales", *(f"{month},{k % 12}" for k, month in enumerate(MONTHS))]
NAIVE = ("--models", "naive")

USAGE, DATA, MODEL, DEVICE = 2, 3, 4, 5

# what is wrong: lines of the file, arguments after it, exit code, words of the sentence
FILES = {
    "empty file": ([], (), DATA, "empty"),
    "header only": (["month,sales"], (), DATA, "row"),
    "text in the target": ([*GOOD[:5], "2021-05-01,many", *GOOD[6:]], (), DATA, "'many'"),
    "infinite value": ([*GOOD[:5], "2021-05-01,inf", *GOOD[6:]], (), DATA, "inf"),
    "stamps that are none": (["month,sales", "spring,1", "summer,2"], ("--time", "month"), DATA, "'spring'"),
    "one stamp that is none": ([*GOOD[:5], "2021-15-01,7", *GOOD[6:]], ("--time", "month"), DATA, "'2021-15-01'"),
    "duplicate stamps": ([*GOOD, "2023-12-01,5"], (), DATA, "2023-12-01"),
    "irregular stamps": (
        ["stamp,y", "2024-01-01 00:00,1", "2024-01-01 07:13,2", "2024-01-02 03:41,3", "2024-01-05 11:59,4"],
        (),
        DATA,
        "irregular",
    ),
    "mixed time zones": (
        ["stamp,y", "2024-01-01T00:00+01:00,1", "2024-01-02T00:00+02:00,2", "2024-01-03T00:00+01:00,3"],
        (),
        DATA,
        "--tz",
    ),
    "two columns that could be the target": (
        [
            "shop,month,sales,costs",
            *(f"{shop},{month},{k % 7},{k % 5}" for shop in "ab" for k, month in enumerate(MONTHS)),
        ],
        (),
        DATA,
        "'costs'",
    ),
    "one row": (GOOD[:2], (), DATA, "freq"),
    "stamps off the grid": (GOOD, ("--freq", "ME"), DATA, "2021-01-01"),
    "no value at all": (["month,sales", *(f"{month}," for month in MONTHS)], (), DATA, "sales"),
    "column that is not there": (GOOD, ("--target", "sale"), DATA, "'sales'"),
    "horizon beyond the history": (GOOD, ("-h", 36), DATA, "36"),
    "horizon zero": (GOOD, ("-h", 0), USAGE, "--horizon"),
    "horizon that is no number": (GOOD, ("-h", "year"), USAGE, "--horizon"),
    "level above 100": (GOOD, ("--level", "120"), USAGE, "120"),
    "level that is no number": (GOOD, ("--level", "80;95"), USAGE, "80;95"),
    "unknown frequency": (GOOD, ("--freq", "fortnight"), USAGE, "fortnight"),
    "unknown time zone": (GOOD, ("--tz", "Mars/Olympus"), USAGE, "Mars/Olympus"),
    "unknown model": (GOOD, ("--models", "naive,prophet"), USAGE, "seasonal-naive"),
    "no model": (GOOD, ("--models", ","), USAGE, "--models"),
    "season zero": (GOOD, ("--season", 0), USAGE, "--season"),
    "negative seed": (GOOD, ("--seed", -1), USAGE, "--seed"),
    "windows zero": (GOOD, ("--windows", 0), USAGE, "--windows"),
    "more windows than history": (GOOD, ("--windows", 40), DATA, "windows"),
    "unknown option": (GOOD, ("--horizont", 3), USAGE, "--horizont"),
    "device that is none": (GOOD, ("--device", "tpu"), USAGE, "tpu"),
    "cuda without a GPU": (GOOD, ("--device", "cuda"), DEVICE, "--device cpu"),
    "output in a missing folder": (GOOD, ("--output", "missing/out.csv"), USAGE, "'missing'"),
    "output that is a folder": (GOOD, ("--output", "."), USAGE, "folder"),
    "output of an unknown kind": (GOOD, ("--output", "out.xlsx"), USAGE, ".csv"),
    "output that is the input": (GOOD, ("--output", "data.csv"), USAGE, "to be read"),
    "plot of an unknown kind": (GOOD, ("--plot", "out.bmp"), USAGE, ".png"),
}


@pytest.fixture
def fails(run, tmp_path, monkeypatch):
    """Call the program with something bad in an otherwise empty folder; gives the sentence on stderr."""
    monkeypatch.chdir(tmp_path)

    def call(code, *arguments):
        before = sorted(tmp_path.iterdir())
        result = run(*arguments)
        assert result.exit_code == code, result.output
        assert result.stdout == ""
        assert "Traceback" not in result.stderr
        *notes, sentence = result.stderr.splitlines()
        assert sentence.startswith("Error: ")
        assert not any(note.startswith("Error") for note in notes)
        assert sorted(tmp_path.iterdir()) == before
        return sentence

    return call


@pytest.mark.parametrize("wrong", FILES)
def test_bad_input_is_one_sentence(fails, csv, wrong, monkeypatch):
    monkeypatch.setattr(device, "gpu", lambda: device.Gpu("", "no NVIDIA GPU with its driver was found"))
    lines, arguments, code, words = FILES[wrong]
    horizon = () if "-h" in arguments else ("-h", 3)
    models = () if "--models" in arguments else NAIVE
    assert words in fails(code, "run", csv(*lines), *horizon, *models, *arguments)


def test_missing_file_is_a_usage_error(fails):
    assert "'nothing.csv' does not exist" in fails(USAGE, "run", "nothing.csv", "-h", 3)


def test_folder_is_no_file(fails):
    assert "directory" in fails(USAGE, "run", ".", "-h", 3)


def test_missing_horizon_names_the_help(fails, csv):
    sentence = fails(USAGE, "run", csv(*GOOD))
    assert "--horizon" in sentence
    assert sentence.endswith("See: forecast run --help")


@pytest.mark.parametrize(
    ("content", "words"),
    [("month,été\n2024-01-01,1\n".encode("latin-1"), "UTF-8"), (b"\x00\x01\xff", "text"), (b"PAR1", "")],
    ids=["latin-1", "binary", "parquet that is none"],
)
def test_file_that_is_no_table_is_refused(fails, tmp_path, content, words):
    file = tmp_path / ("data.parquet" if content == b"PAR1" else "data.csv")
    file.write_bytes(content)
    assert words in fails(DATA, "inspect", file)


@pytest.fixture
def model(run, csv, tmp_path):
    """The bytes of a good model file."""
    file = tmp_path / "good.model"
    assert run("fit", csv(*GOOD), *NAIVE, "-o", file, "--quiet").exit_code == 0
    return file.read_bytes()


@pytest.mark.parametrize("keep", [0, 7, 300, -1])
def test_truncated_model_is_refused(fails, model, tmp_path, keep):
    (tmp_path / "cut.model").write_bytes(model[:keep])
    assert "cut.model" in fails(MODEL, "predict", "cut.model", "-h", 3)


def test_table_is_no_model(fails, csv):
    assert "is not a gatecast model" in fails(MODEL, "predict", csv(*GOOD), "-h", 3)


def test_model_of_another_version_is_refused(fails, model, tmp_path):
    changed = model.replace(rb"\"format\": %d" % FORMAT, rb"\"format\": 9")
    assert changed != model
    (tmp_path / "newer.model").write_bytes(changed)
    assert "format 9" in fails(MODEL, "predict", "newer.model", "-h", 3)


def test_newer_history_must_have_the_same_columns(fails, model, csv):
    other = csv("week,visits", "2024-01-01,3", "2024-01-08,4", name="other.csv")
    assert "'month'" in fails(DATA, "predict", "good.model", "-h", 3, other)


def test_model_is_not_written_where_no_folder_is(fails, csv):
    assert "no folder 'missing'" in fails(USAGE, "fit", csv(*GOOD), *NAIVE, "-o", "missing/m")


def test_failed_run_leaves_the_old_output_alone(fails, csv, tmp_path):
    (tmp_path / "out.csv").write_text("before")
    fails(DATA, "run", csv(*GOOD), "-h", 36, *NAIVE, "--output", "out.csv")
    assert (tmp_path / "out.csv").read_text() == "before"


def test_unknown_data_set_names_the_good_ones(fails):
    assert "air_passengers" in fails(USAGE, "data", "airpassengers")


def test_export_needs_a_name(fails):
    assert "forecast data air_passengers" in fails(USAGE, "data", "-o", "air.csv")


def test_unknown_command_suggests_the_nearest(fails):
    assert "'inspect'" in fails(USAGE, "inspekt")
