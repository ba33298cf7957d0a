"""The panel's own views: selections, earlier cutoffs, stamps of the future."""

import numpy as np
import pandas as pd
import pytest

from forecast.series.frame import read_panel


@pytest.fixture
def panel():
    frames = [
        pd.DataFrame(
            {"id": name, "ds": pd.date_range(start, periods=n, freq="ME"), "y": np.arange(n) + k, "x": 0.5 * k}
        )
        for k, (name, start, n) in enumerate([("a", "2020-01-31", 5), ("b", "2019-11-30", 7), ("c", "2020-02-29", 3)])
    ]
    return read_panel(pd.concat(frames), id_col="id", target_col="y")


def test_selection_by_mask_and_by_position(panel):
    for keep in (np.array([True, False, True]), np.array([0, 2])):
        chosen = panel.select(keep)
        assert chosen.ids.tolist() == ["a", "c"]
        assert chosen.series(1).tolist() == panel.series(2).tolist()
        assert chosen.covariates["x"].tolist() == [0.0] * 5 + [1.0] * 3
        assert (chosen.ends == panel.ends[[0, 2]]).all()


def test_head_is_the_panel_of_an_earlier_cutoff(panel):
    head = panel.head(np.array([2, 100, 1]))
    assert head.lengths.tolist() == [2, 7, 1]
    assert head.series(0).tolist() == [0, 1]
    assert str(head.ends[0])[:10] == "2020-02-29"


def test_future_follows_the_end_of_each_series(panel):
    future = panel.future(2).astype("datetime64[D]").astype(str).tolist()
    assert future == [["2020-06-30", "2020-07-31"], ["2020-06-30", "2020-07-31"], ["2020-05-31", "2020-06-30"]]
    frame = panel.future_frame(2)
    assert frame.columns.tolist() == ["id", "ds"]
    assert frame["id"].tolist() == ["a", "a", "b", "b", "c", "c"]


def test_frame_comes_back_with_the_names_of_the_caller(panel):
    frame = panel.frame()
    assert frame.columns.tolist() == ["id", "ds", "y", "x"]
    assert len(frame) == 15
    for s in range(3):
        assert (frame.loc[frame["id"] == panel.ids[s], "ds"].to_numpy() == panel.stamps(s)).all()
    again = read_panel(frame, id_col="id", target_col="y")
    assert again.y.tolist() == panel.y.tolist()


def test_notes_are_added_to_those_before(panel):
    assert panel.with_notes(["More."]).notes == (*panel.notes, "More.")
