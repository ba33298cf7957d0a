import hashlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.errors import DataError, ParameterError
from forecast.series import datasets
from forecast.series.frame import read_panel

FOLDER = Path(__file__).resolve().parents[2] / "data"
WEATHER = ["holiday", "workingday", "temp", "hum", "windspeed"]

# name: rows, series, frequency, season length, covariates, steps of the grid without a value
EXPECTED = {
    "air_passengers": (144, 1, "MS", 12, [], 0),
    "us_gdp": (203, 1, "QS-JAN", 4, [], 0),
    "beer_production": (211, 1, "QS-JAN", 4, [], 0),
    "sunspots": (309, 1, "1", 1, [], 0),
    "co2": (2284, 1, "W-SAT", 52, [], 59),
    "bike_daily": (731, 1, "D", 7, [], 0),
    "oil_price": (2013, 1, "B", 5, [], 76),
    "electricity_demand": (3362, 1, "30min", 48, ["holiday"], 0),
    "bike_rentals": (2208, 1, "h", 24, WEATHER, 0),
    "road_casualties": (192, 1, "ME", 12, ["law", "petrol_price", "kms"], 0),
    "electricity_prices": (5376, 4, "h", 24, ["load_forecast", "generation_forecast"], 0),
    "hospital": (8400, 100, "MS", 12, [], 0),
}


@pytest.fixture(scope="module")
def description():
    return datasets.describe().set_index("name")


def sections():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (\S+\.csv)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_file_in_data_is_a_named_data_set_and_the_reverse():
    files = {file.name for file in FOLDER.iterdir()} - {"README.md"}
    assert files == {f"{name}.csv" for name in datasets.names()} == {f"{name}.csv" for name in EXPECTED}


def test_readme_tells_columns_origin_licence_and_changes_of_every_file():
    told = sections()
    assert list(told) == [f"{name}.csv" for name in datasets.names()]
    for name in datasets.names():
        section = told[f"{name}.csv"]
        labels = re.findall(r"^- (\w+): \S", section, flags=re.MULTILINE)
        assert labels == ["Columns", "Origin", "Licence", "Changed"], name
        assert all(f"`{column}`" in section for column in datasets.load(name).columns), name


def test_table_of_readme_counts_series_and_rows_as_they_are():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)\.csv` \| .+? \| (\d+) \| (\d+) \|", text, flags=re.MULTILINE)
    assert {name: (int(n), int(s)) for name, s, n in rows} == {name: e[:2] for name, e in EXPECTED.items()}


def test_files_are_small_utf8_text_with_unix_line_ends():
    contents = {file.name: file.read_bytes() for file in FOLDER.iterdir()}
    assert all(len(content) < 300_000 for content in contents.values())
    assert sum(map(len, contents.values())) < 1_200_000
    for content in contents.values():
        assert content.decode("utf-8").endswith("\n")
        assert b"\r" not in content


@pytest.mark.parametrize("name", EXPECTED)
def test_load_gives_the_rows_of_the_file_with_its_target(name):
    frame = datasets.load(name)
    assert len(frame) == EXPECTED[name][0]
    assert frame[datasets.DATASETS[name].target].dtype.kind in "if"


@pytest.mark.parametrize("name", EXPECTED)
def test_file_is_read_without_any_option(name):
    _, series, alias, season_length, covariates, unobserved = EXPECTED[name]
    panel = read_panel(datasets.path(name))
    assert len(panel) == series
    assert panel.frequency.alias == alias
    assert panel.season_length == season_length
    assert panel.columns.target == datasets.DATASETS[name].target
    assert list(panel.covariates) == covariates
    assert np.isnan(panel.y).sum() == unobserved


def test_description_states_what_reading_each_file_gives(description):
    assert list(description.index) == datasets.names()
    assert list(description["rows"]) == [EXPECTED[name][0] for name in datasets.names()]
    assert list(description["series"]) == [EXPECTED[name][1] for name in datasets.names()]
    assert description.loc["bike_rentals", "covariates"] == "holiday, workingday, temp, hum, windspeed"
    assert description.loc["hospital", "covariates"] == ""
    assert "monthly" in description.loc["air_passengers", "frequency"]


def test_description_fits_one_line_and_its_horizons_leave_room_for_four_windows(description):
    assert description["what"].str.len().between(20, 80).all()
    for name, row in description.iterrows():
        assert 0 < 5 * row["horizon"] < row["rows"] / row["series"], name


def test_unknown_name_is_answered_with_the_good_names():
    with pytest.raises(ParameterError, match=r"no data set 'sales'.*air_passengers, us_gdp.*hospital\.$"):
        datasets.load("sales")


def test_name_cannot_lead_out_of_the_folder():
    with pytest.raises(ParameterError):
        datasets.path("../pyproject")


def test_missing_file_is_told_with_the_places_searched(monkeypatch, tmp_path):
    monkeypatch.setattr(datasets, "_FOLDERS", (tmp_path / "one", tmp_path / "two"))
    with pytest.raises(DataError, match=r"co2\.csv is in neither of .*one and .*two; install"):
        datasets.path("co2")


def test_file_in_the_wheel_is_found_before_the_repository(monkeypatch, tmp_path):
    (tmp_path / "co2.csv").write_text("week,co2\n2001-01-06,370\n")
    monkeypatch.setattr(datasets, "_FOLDERS", (tmp_path, FOLDER))
    assert len(datasets.load("co2")) == 1
    assert len(datasets.load("us_gdp")) == 203


def test_demand_straddles_the_end_of_summer_time():
    stamps = pd.to_datetime(datasets.load("electricity_demand")["time"]).dt.tz_convert("Australia/Melbourne")
    assert stamps.dt.date.value_counts().loc[pd.Timestamp("2014-04-06").date()] == 50


def test_licence_is_the_text_of_apache_word_for_word():
    # SHA-256 of apache.org/licenses/LICENSE-2.0.txt
    published = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
    assert hashlib.sha256((FOLDER.parent / "LICENSE").read_bytes()).hexdigest() == published
