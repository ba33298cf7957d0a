"""Targets of texts become categories; numbers with a slip do not."""

import numpy as np
import pandas as pd
import pytest

from forecast import read_panel
from forecast.errors import DataError
from forecast.series.categories import perhaps_codes, recoded

STATES = ["idle", "busy", "idle", "idle", "down", "busy"] * 2


def panel_of(values, **options):
    return read_panel(pd.DataFrame({"ds": np.arange(len(values)), "y": values}), freq=1, **options)


def test_texts_become_places_in_sorted_categories():
    panel = panel_of(STATES)
    assert panel.categories == ("busy", "down", "idle")
    assert panel.y.tolist() == [2, 0, 2, 2, 1, 0] * 2
    assert panel.frame()["y"].tolist() == STATES
    assert any("3 categories: 'busy', 'down', 'idle'" in note for note in panel.notes)


def test_categories_of_pandas_keep_their_order_even_if_they_are_numbers():
    values = pd.Categorical([3, 1, 3, 2], categories=[3, 2, 1, 0], ordered=True)
    panel = panel_of(values)
    assert panel.categories == (3, 2, 1)
    assert panel.y.tolist() == [0, 2, 0, 1]


def test_empty_cells_and_missing_rows_are_unobserved():
    frame = pd.DataFrame({"ds": [0, 1, 2, 4, 5], "y": ["a", "", "b", "a", "b"]})
    panel = read_panel(frame, freq=1)
    assert panel.frame()["y"].fillna("-").tolist() == ["a", "-", "b", "-", "a", "b"]


def test_file_gives_what_the_frame_gives(tmp_path):
    frame = pd.DataFrame({"ds": np.arange(12), "y": STATES})
    frame.to_csv(tmp_path / "states.csv", index=False)
    assert read_panel(tmp_path / "states.csv", freq=1).categories == ("busy", "down", "idle")


@pytest.mark.parametrize("values", [["1", "2", "x", "4"], ["1", "x", "x", "x"]])
def test_text_among_numbers_is_a_mistake(values):
    with pytest.raises(DataError, match="which is no number"):
        panel_of(values)


def test_texts_that_are_nearly_all_different_are_no_categories():
    with pytest.raises(DataError, match="which is no number"):
        panel_of([f"note {k}" for k in range(30)])


def test_numbers_and_truth_values_stay_numbers():
    assert panel_of(["yes", "no", "no", "yes"]).categories == ()
    assert panel_of(["1,5", "2,5", "1,5", "2,5"]).categories == ()


def test_text_column_is_no_target_unless_it_is_named():
    frame = pd.DataFrame({"ds": np.arange(12), "state": STATES})
    with pytest.raises(DataError, match="if its texts are categories"):
        read_panel(frame, freq=1)
    assert read_panel(frame, freq=1, target_col="state").categories


def test_other_data_are_read_in_the_categories_of_the_model():
    panel = panel_of(["b", "a", "b", "a"])
    assert recoded(panel, ("c", "b", "a")).y.tolist() == [1, 2, 1, 2]
    with pytest.raises(DataError, match="'a', which the model has not seen in training; it knows 'b', 'c'"):
        recoded(panel, ("b", "c"))


# ------------------------------------------------------------------------------------------ codes


def test_whole_numbers_are_categories_only_if_asked_for_and_stay_whole_numbers():
    codes = [10, 2, 10, 2, 2, 10]
    assert panel_of(codes).categories == ()
    panel = panel_of(codes, categorical=True)
    assert panel.categories == (2, 10)
    assert panel.frame()["y"].tolist() == codes
    assert all(type(value) is int for value in panel.frame()["y"])


def test_codes_with_gaps_stay_whole_numbers():
    panel = panel_of([1.0, np.nan, 0.0, 1.0, 0.0], categorical=True)
    assert panel.categories == (0, 1)
    assert panel.frame()["y"].tolist() == [1, None, 0, 1, 0]


@pytest.mark.parametrize(
    ("values", "categories"),
    [
        (["01", "2", "01", "2"], ("01", "2")),
        ([0.5, 1.0, 0.5, 1.0], ("0.5", "1.0")),
        ([True, False, True, True], ("False", "True")),
        (STATES, ("busy", "down", "idle")),
    ],
)
def test_what_is_no_whole_number_becomes_the_texts_that_were_typed(values, categories):
    assert panel_of(values, categorical=True).categories == categories


def test_codes_of_a_file_are_those_that_were_typed(tmp_path):
    (tmp_path / "codes.csv").write_text("ds,y\n1,0\n2,1\n3,\n4,1\n5,0\n")
    panel = read_panel(tmp_path / "codes.csv", freq=1, categorical=True)
    assert panel.categories == (0, 1)
    assert panel.y[[0, 1, 3, 4]].tolist() == [0, 1, 1, 0]


def test_measurements_and_several_columns_are_no_categories():
    with pytest.raises(DataError, match="'y' has 60 different values in 60 rows, too many for categories"):
        panel_of(np.arange(60), categorical=True)
    wide = pd.DataFrame({"ds": np.arange(5), "a": [0, 1, 0, 1, 1], "b": [1, 1, 0, 1, 0], "c": [3, 2, 3, 2, 3]})
    with pytest.raises(DataError, match="Categories are read from one target column"):
        read_panel(wide, freq=1, target_col="*", categorical=True)


def test_few_whole_numbers_are_said_to_be_perhaps_codes():
    codes = np.tile([0, 1, 2], 20)
    assert "only 3 different whole numbers (0, 1, 2)" in perhaps_codes(panel_of(codes))
    for other in (codes[:40], codes + 0.5, np.arange(60), codes * 0, np.where(np.arange(60) == 55, 0.5, codes)):
        assert perhaps_codes(panel_of(other)) is None
    assert perhaps_codes(panel_of(codes, categorical=True)) is None
