"""Dialects of CSV: separators, decimal commas, blank lines, markers of missing values."""

import numpy as np
import pytest

from forecast.series.frame import read_panel, read_table


def said(panel, *words):
    return any(all(word in note for word in words) for note in panel.notes)


@pytest.mark.parametrize(
    "text",
    [
        "ds,y\n2020-01-01,1.5\n2020-02-01,2\n2020-03-01,1234.5\n",
        "\ufeffds;y\r\n2020-01-01;1,5\r\n2020-02-01;2\r\n2020-03-01;1.234,5\r\n",
        "ds\ty\n2020-01-01\t1,5\n2020-02-01\t2\n2020-03-01\t1 234,5\n",
        'ds|y\n2020-01-01|"1.5"\n2020-02-01|"2"\n2020-03-01|"1,234.5"\n',
        'ds, y\n2020-01-01, 1.5\n2020-02-01, 2\n2020-03-01, "1,234.50"\n',
        "ds,y\r2020-01-01,1.5\r2020-02-01,2\r2020-03-01,1234.5\r",
        "\n\nds,y\n\n2020-01-01,1.5\n\n2020-02-01,2\n2020-03-01,1234.5\n,\n,\n",
    ],
)
def test_dialects_of_csv_give_the_same_series(csv, text):
    panel = read_panel(csv(text))
    assert panel.y.tolist() == [1.5, 2, 1234.5]
    assert panel.frequency.alias == "MS"


def test_table_keeps_texts_and_reads_numbers(csv):
    table = read_table(csv("code;name;amount\n007;true;1,5\n010;NA;\n"))
    assert table["code"].tolist() == ["007", "010"]
    assert table["name"].tolist() == ["true", "NA"]
    np.testing.assert_array_equal(table["amount"], [1.5, np.nan])


def test_comma_before_three_digits_is_decimal_only_where_semicolons_separate(csv):
    assert read_table(csv("a;b\n1;1,234\n"))["b"].tolist() == [1.234]
    assert read_table(csv('a,b\n1,"1,234"\n'))["b"].tolist() == [1234]


def test_blank_rows_at_the_end_are_left_out_and_said(csv):
    panel = read_panel(csv("ds,y\n2020-01-01,1\n2020-02-01,2\n,\n,\n"))
    assert len(panel.y) == 2
    assert said(panel, "2 blank rows", "line 4 of data.csv")


def test_notes_have_the_number_of_what_they_count(csv):
    panel = read_panel(csv("ds,y\n2020-01-01,\n2020-02-01,1\n2020-03-01,\n2020-05-01,2\n2020-06-01,\n,\n"))
    assert said(panel, "1 blank row is left out (")
    assert said(panel, "1 empty row before the first value is left out (")
    assert said(panel, "1 empty row after the last value counts as future and is left out (")
    assert said(panel, "1 empty value stays unobserved (")
    assert said(panel, "1 missing step became an unobserved value (")


@pytest.mark.parametrize("marker", ["", "NA", "NaN", "null", "-", "#N/A"])
def test_markers_of_missing_values_become_unobserved(csv, marker):
    panel = read_panel(csv(f"ds,y\n2020-01-01,1\n2020-02-01,{marker}\n2020-03-01,3\n"))
    np.testing.assert_array_equal(panel.y, [1, np.nan, 3])
    assert said(panel, "1 empty value", "1 series, first: 'y' at 2020-02-01")
