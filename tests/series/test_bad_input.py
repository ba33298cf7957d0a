"""Every kind of bad data is refused in one sentence with the column or series, the value and the fix."""

import re
import sys

import numpy as np
import pandas as pd
import pytest

from forecast.errors import DataError, ParameterError
from forecast.series.frame import read_panel, read_table

GOOD = "ds,y\n2020-01-01,1\n2020-02-01,2\n2020-03-01,3\n"


def refused(data, *words, error=DataError, **options):
    """Read what must be refused, and look for the words in the one sentence that says so."""
    with pytest.raises(error) as caught:
        read_panel(data, **options)
    message = str(caught.value)
    for word in words:
        assert word in message, f"{word!r} is not in: {message}"
    assert message.endswith(".") and "\n" not in message
    assert not re.search(r"\. [A-Z]", message), f"more than one sentence: {message}"
    return message


def monthly(n=6, **columns):
    return pd.DataFrame({"ds": pd.date_range("2020-01-01", periods=n, freq="MS"), "y": np.arange(n) + 1.0, **columns})


# ------------------------------------------------------------------------------------------------ files


def test_missing_file_names_its_nearest_neighbour(csv):
    path = csv(GOOD)
    refused(path.with_name("dat.csv"), "no file", "dat.csv", "nearest name there is", "data.csv")


def test_missing_folder(tmp_path):
    refused(tmp_path / "no" / "data.csv", "no file", "check its path")


def test_directory(tmp_path):
    refused(tmp_path, "is a directory", "give a CSV or Parquet file")


def test_empty_file(csv):
    refused(csv(""), "data.csv is empty", "header line")


def test_blank_file(csv):
    refused(csv("\n\n  \n"), "data.csv is empty")


def test_header_without_rows(csv):
    refused(csv("ds,y\n"), "data.csv has no rows", "['ds', 'y']", "add rows")


def test_file_without_a_header(csv):
    refused(csv("2020-01-01,5\n2020-02-01,6\n"), "'2020-01-01, 5'", "put a header")


def test_bytes_that_are_not_utf8(csv):
    refused(csv("ds,größe\n".encode("latin-1")), "data.csv is not UTF-8: byte 5 is 0xf6", "save it again as UTF-8")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"PK\x03\x04rest", "is a spreadsheet or an archive; export the sheet as CSV"),
        (b"\x1f\x8b\x08rest", "is compressed; unpack it"),
        ("ds,y\n".encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
        (b"ds,y\n\0\0\0", "is not a text file (byte 5 is zero); give a CSV"),
    ],
)
def test_binary_file_named_csv(csv, raw, words):
    refused(csv(raw), "data.csv", words)


def test_truncated_parquet(tmp_path):
    path = tmp_path / "sales.parquet"
    monthly().to_parquet(path)
    path.write_bytes(path.read_bytes()[:-100])
    refused(path, "sales.parquet is not a whole Parquet file", "write or download it again")


def test_text_named_parquet(csv):
    refused(csv(GOOD, "sales.parquet"), "sales.parquet is not a whole Parquet file")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "sales.parquet"
    monthly().to_parquet(path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    refused(path, "sales.parquet", 'pip install "gatecast[parquet]"')


def test_line_with_too_many_cells(csv):
    refused(csv(GOOD + "2020-04-01,4,5\n"), "data.csv is not a table", "line 5", "mend that line")


def test_rows_longer_than_the_header(csv):
    refused(csv("ds,y\n2020-01-01,1,7\n2020-02-01,2,7\n"), "more cells than its header (2)", "name every column")


def test_quote_that_never_ends(csv):
    refused(csv('ds,y\n2020-01-01,"1\n2020-02-01,2\n'), "data.csv is not a table")


def test_two_columns_of_one_name(csv):
    refused(csv("ds,y,y\n2020-01-01,1,2\n"), "2 columns named 'y'", "its own name")


def test_frame_with_two_columns_of_one_name():
    refused(monthly().set_axis(["ds", "ds"], axis=1), "several columns named 'ds'")


def test_frame_with_two_levels_of_columns():
    refused(pd.DataFrame([[1.0]], columns=pd.MultiIndex.from_tuples([("a", "b")])), "2 levels", "flatten")


def test_data_of_no_known_type():
    refused([1, 2, 3], "type list", "DataFrame", error=ParameterError)


# ---------------------------------------------------------------------------------------------- columns


def test_named_column_that_is_missing(csv):
    refused(csv(GOOD), "data.csv has no column 'yy'", "--target", "nearest name is 'y'", "'ds'", target_col="yy")


def test_column_given_twice():
    refused(monthly(), "'y' is given twice", "--target", time_col="y", target_col="y")


def test_several_possible_targets():
    frame = monthly(price=2.0).rename(columns={"y": "sales"})
    refused(frame, "'sales', 'price'", "--target sales (target_col='sales')", "--target '*'")


def test_target_name_is_quoted_for_the_shell():
    refused(monthly(flag=[0, 1] * 3).rename(columns={"y": "p (mbar)"}), "--target 'p (mbar)'")


def test_no_numeric_column():
    refused(pd.DataFrame({"ds": ["2020-01-01"], "kind": ["a"]}), "no numeric column", "'ds', 'kind'")


def test_two_time_columns():
    frame = monthly().assign(begin=lambda f: f["ds"], end=lambda f: f["ds"]).drop(columns="ds")
    refused(frame, "Several columns", "'begin', 'end'", "--time")


def test_no_time_column_although_there_are_texts(csv):
    refused(csv("when,y\nspring,1\nsummer,2\nautumn,3\n"), "No column of data.csv reads as time", "'spring'", "--time")


def test_several_columns_could_tell_the_series_apart():
    long = pd.concat([monthly(shape=s, colour=c) for s, c in [("round", "red"), ("square", "blue")]])
    refused(long, "could tell the series apart: 'shape', 'colour'", "--id")


def test_star_with_an_identifier():
    refused(monthly(unique_id="a"), "'*'", "--id", id_col="unique_id", target_col="*")


# ------------------------------------------------------------------------------------------------- time


def test_unparsable_stamp_names_its_line(csv):
    text = GOOD.replace("2020-02-01", "2020-02-31")
    refused(csv(text), "Column 'ds' has '2020-02-31' in line 3 of data.csv", "write it like 2024-01-31")


def test_lines_are_counted_through_blank_lines_and_quotes(csv):
    text = 'ds,y,note\n\n2020-01-01,1,"two\nlines"\n2020-02-01,2,a\n2020-0x-01,3,b\n'
    refused(csv(text), "'2020-0x-01' in line 6")


def test_unparsable_stamp_of_a_frame_names_its_row():
    frame = monthly().astype({"ds": str})
    frame.loc[4, "ds"] = "May"
    refused(frame, "'May'", "row 4 of the frame")


def test_missing_stamp(csv):
    refused(csv("ds,y\n2020-01-01,1\n,2\n2020-03-01,3\n"), "Column 'ds' has no time stamp in line 3", "fill it in")


def test_year_out_of_reach(csv):
    refused(csv("ds,y\n1650-01-01,1\n1660-01-01,2\n1700-01-01,3\n1701-01-01,3\n"), "'1650-01-01'", "1678 to 2261")


def test_decimal_years(csv):
    refused(csv("time,y\n1960.0,1\n1960.083,2\n1960.167,3\n"), "Column 'time' has the time 1960.08 in line 3")


def test_duplicated_stamp_of_a_series():
    long = pd.concat([monthly(unique_id="a"), monthly(unique_id="b"), monthly(unique_id="b").iloc[2:4]])
    refused(long, "Series 'b' has 2 rows at 2020-03-01 (2 duplicates in all)", "--id")


def test_duplicated_hour_suggests_the_time_zone():
    stamps = pd.date_range("2020-10-24", periods=72, freq="h", tz="Europe/Paris").tz_localize(None)
    refused(pd.DataFrame({"ds": stamps, "y": 1.0}), "2 rows at 2020-10-25 02:00:00", "--tz")


def test_random_stamps_name_the_series_and_the_stamps():
    seconds = np.cumsum(np.random.default_rng(0).integers(10, 999, 40))
    stamps = pd.Timestamp("2020-01-01") + pd.to_timedelta(seconds, unit="s")
    other = pd.date_range("2020-01-01", periods=3, freq="h")
    frame = pd.DataFrame({"unique_id": ["a"] * 3 + ["b"] * 40, "ds": [*other, *stamps], "y": 1.0})
    refused(frame, "stamps of series 'b' are irregular", "comes after", "--freq")


def test_frequency_that_does_not_fit():
    frame = monthly()
    frame.loc[3, "ds"] = pd.Timestamp("2020-04-03")
    refused(frame, "Series 'y' has the stamp 2020-04-03, which is not monthly (MS)", "leave out --freq", freq="MS")


def test_frequency_that_does_not_fit_suggests_the_one_that_does():
    refused(monthly(), "2020-01-01, which is not monthly (ME)", "--freq MS (freq='MS')", freq="M")


def test_frequency_far_too_fine():
    refused(monthly(), "On a frequency every minute (min), series 'y' has 218,881 steps for 6 rows", freq="min")


def test_months_among_days():
    days = pd.DataFrame({"unique_id": "d", "ds": pd.date_range("2020-01-01", periods=99), "y": 1.0})
    refused(pd.concat([days, monthly(unique_id="m")]), "Series 'm'", "together are daily (D)", "separate files")


def test_date_frequency_for_integer_time():
    refused(pd.DataFrame({"ds": range(9), "y": 1.0}), "whole numbers, such as 0", "--freq 1", freq="D")


def test_integer_frequency_for_dates():
    refused(monthly(), "dates, such as 2020-01-01", "--freq MS", freq=1)


def test_unknown_frequency():
    refused(monthly(), "'fortnight'", "MS, ME", error=ParameterError, freq="fortnight")


@pytest.mark.parametrize("season", [0, -3, 1.5, True, "12"])
def test_season_that_is_no_number_of_steps(season):
    refused(monthly(), repr(season), "at least 1", error=ParameterError, season_length=season)


# ------------------------------------------------------------------------------------------------ zones


def test_mixed_offsets(csv):
    text = "ds,y\n2020-03-28T12:00:00+01:00,1\n2020-03-29T12:00:00+02:00,2\n2020-03-30T12:00:00+02:00,3\n"
    refused(csv(text), "mixes time zones", "+01:00'", "+02:00'", "--tz Europe/Paris")


def test_naive_and_aware_stamps_in_one_column(csv):
    text = "ds,y\n2020-03-28T12:00:00Z,1\n2020-03-29T12:00:00,2\n2020-03-30T12:00:00Z,3\n"
    refused(csv(text), "mixes time zones", "2020-03-29T12:00:00'", "--tz")


def test_unknown_zone_names_the_nearest():
    refused(monthly(), "'Europe/Pari'", "'Europe/Paris'", error=ParameterError, tz="Europe/Pari")


def test_local_time_that_a_zone_skips():
    stamps = pd.date_range("2020-03-29", periods=6, freq="h")
    refused(
        pd.DataFrame({"ds": stamps, "y": 1.0}),
        "2020-03-29 02:00:00 in row 2",
        "Europe/Paris",
        "--tz",
        tz="Europe/Paris",
    )


def test_zone_for_integer_time():
    refused(pd.DataFrame({"ds": range(9), "y": 1.0}), "whole numbers", "leave out --tz", tz="UTC")


# ----------------------------------------------------------------------------------------------- values


def test_text_in_the_target_names_its_line(csv):
    refused(csv(GOOD.replace(",2\n", ",two\n")), "Column 'y' has 'two' in line 3 of data.csv", "leave the cell empty")


def test_infinite_value():
    frame = monthly()
    frame.loc[2, "y"] = -np.inf
    refused(frame, "Column 'y' has -inf in row 2 of the frame", "leave the cell empty")


def test_target_without_any_value(csv):
    refused(csv("ds,y\n2020-01-01,\n2020-02-01,NA\n2020-03-01,\n"), "no value at all", "--target")


def test_no_series_with_two_values():
    frame = pd.DataFrame({"unique_id": ["a", "b"], "ds": ["2020-01-01", "2020-01-01"], "y": [1.0, 2.0]})
    refused(frame, "No series has two observed values", "2 series", "--id", freq="MS")


def test_missing_identifier(csv):
    refused(csv("unique_id,ds,y\na,2020-01-01,1\n,2020-02-01,2\na,2020-03-01,3\n"), "Column 'unique_id'", "line 3")


def test_table_of_blank_rows(csv):
    refused(csv("ds,y\n,\n,\n"), "data.csv has no rows")


def test_columns_that_are_no_time(csv):
    frame = pd.DataFrame({"ds": pd.to_timedelta([1, 2, 3], unit="h"), "y": 1.0})
    refused(frame, "Column 'ds'", "timedelta", "no time", time_col="ds")


def test_table_reader_refuses_as_well(tmp_path):
    with pytest.raises(DataError, match="is a directory"):
        read_table(tmp_path)
