import io
import json
import os
import re
import stat
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from forecast.errors import DataError, ParameterError
from forecast.evaluation.backtest import backtest
from forecast.evaluation.metrics import evaluate
from forecast.reporting.plot import loss_figure
from forecast.reporting.report import (
    evaluation_table,
    forecast_table,
    html_report,
    write_table,
    write_text_atomic,
)
from tests.toys import PASSENGERS, Toy, ToyNetwork, make_panel

MODELS = [ToyNetwork(alias="LSTM"), Toy(alias="Season", lag=12)]


@pytest.fixture
def panel():
    return make_panel({"<script>alert(1)</script>": PASSENGERS, "[red]b": PASSENGERS})


@pytest.fixture
def cv(panel):
    return backtest(MODELS, panel, h=4, n_windows=3, level=[80])


def shown(table, width=80):
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


def test_file_is_written_as_it_is(tmp_path):
    write_text_atomic(tmp_path / "a.txt", "é\nline\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\nline\n"
    write_text_atomic(tmp_path / "a.txt", b"\x00\xff")
    assert (tmp_path / "a.txt").read_bytes() == b"\x00\xff"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_failed_writing_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ParameterError, match=r"a\.txt.*No space left on device"):
        write_text_atomic(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_interrupted_writing_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_text_atomic(tmp_path / "a.txt", "new")
    assert os.listdir(tmp_path) == []


def test_folder_as_file_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="it is a folder; give the name of a file"):
        write_text_atomic(tmp_path, "x")


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(ParameterError, match="nowhere' does not exist; create it"):
        write_text_atomic(tmp_path / "nowhere" / "a.txt", "x")


def test_file_as_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ParameterError, match="Cannot write"):
        write_text_atomic(tmp_path / "file" / "a.txt", "x")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_unwritable_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ParameterError, match="Permission denied"):
        write_text_atomic(tmp_path / "a.txt", "x")


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_permissions_are_those_of_any_new_file_or_of_the_old_one(tmp_path):
    (tmp_path / "plain").write_text("x")
    write_text_atomic(tmp_path / "new", "x")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode
    (tmp_path / "plain").chmod(0o640)
    write_text_atomic(tmp_path / "plain", "y")
    assert stat.S_IMODE((tmp_path / "plain").stat().st_mode) == 0o640


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_symbolic_link_stays_a_link(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_text_atomic(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a named pipe")
def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_text_atomic(pipe, "through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_csv_has_the_columns_and_no_index(tmp_path, cv):
    write_table(cv, tmp_path / "cv.CSV")
    back = pd.read_csv(tmp_path / "cv.CSV", parse_dates=["ds", "cutoff"])
    assert list(back.columns) == list(cv.columns)
    np.testing.assert_array_equal(back["LSTM"], cv["LSTM"])


def test_parquet_gives_the_same_frame_back(tmp_path, cv):
    write_table(cv, tmp_path / "cv.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "cv.parquet"), cv)


def test_json_holds_full_precision_gaps_and_zones(tmp_path):
    stamps = pd.date_range("2024-03-30 23:00", periods=2, freq="D", tz="Europe/Berlin")
    frame = pd.DataFrame({"unique_id": ["é", "b"], "ds": stamps, "y": [0.1 + 0.2, np.nan]})
    write_table(frame, tmp_path / "f.json")
    rows = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    assert rows == [
        {"unique_id": "é", "ds": "2024-03-30T23:00:00+01:00", "y": 0.3},
        {"unique_id": "b", "ds": "2024-03-31T23:00:00+02:00", "y": None},
    ]


def test_named_index_becomes_the_first_column(tmp_path, panel, cv):
    write_table(evaluate(cv, panel, MODELS).table, tmp_path / "e.csv")
    assert (tmp_path / "e.csv").read_text().startswith("model,MASE,")


def test_unknown_suffix_lists_the_known_ones(tmp_path, cv):
    with pytest.raises(ParameterError, match=r"'.*cv\.xlsx': its suffix must be one of \.csv, \.parquet, \.json"):
        write_table(cv, tmp_path / "cv.xlsx")


def test_ids_that_parquet_cannot_mix_are_refused(tmp_path):
    frame = pd.DataFrame({"unique_id": np.array([1, "a"], dtype=object)})
    with pytest.raises(DataError, match=r"as Parquet .* write a \.csv file"):
        write_table(frame, tmp_path / "f.parquet")
    assert os.listdir(tmp_path) == []


def test_evaluation_fits_a_terminal_with_every_figure_whole(panel, cv):
    text = shown(evaluation_table(evaluate(cv, panel, MODELS)))
    assert "LSTM" in text and "Season" in text and "…" not in text
    for figure in re.findall(r"\d+\.\d+", str(evaluate(cv, panel, MODELS).table["MASE"].round(3).tolist())):
        assert figure in text


def test_forecasts_beyond_the_limit_are_counted(panel, cv):
    text = shown(forecast_table(cv, max_rows=5), 120)
    assert f"{len(cv) - 5} more rows" in text
    assert "more rows" not in shown(forecast_table(cv, max_rows=len(cv)), 120)


def test_ids_that_look_like_markup_are_printed_as_they_are(cv):
    assert "[red]b" in shown(forecast_table(cv.tail(3)), 120)


def test_dates_are_printed_without_midnight(cv):
    assert re.search(r"1951-0\d-01 ", shown(forecast_table(cv), 120))
    assert "00:00" not in shown(forecast_table(cv), 120)


class Checker(HTMLParser):
    """Collects tags and complains of elements that are closed in the wrong order."""

    VOID = frozenset({"meta", "img"})

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.sources = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def checked(page):
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    return checker


def test_page_holds_everything_and_loads_nothing(panel, cv):
    evaluation = evaluate(cv, panel, MODELS)
    future = cv.drop(columns=["cutoff", "y"])
    page = html_report(
        panel, cv, evaluation, future, {"Training <b>": loss_figure({"LSTM": {1: 1, 2: 0.5}}), "raw": b"png"}
    )
    checker = checked(page)
    assert checker.sources and all(source.startswith("data:image/png;base64,") for source in checker.sources)
    assert "http://" not in page and "https://" not in page
    assert {"table", "img", "style"} <= set(checker.tags)
    assert evaluation.verdict.text in page
    assert "Backtested 4 steps ahead on 2 series, with cutoffs from 1950-12-01 to 1951-08-01" in page


def test_names_from_the_data_are_escaped(panel, cv):
    page = html_report(panel, cv, evaluate(cv, panel, MODELS), cv, title="<img src=x>")
    assert "script" not in checked(page).tags and "img" not in checked(page).tags
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_best_figures_are_marked(panel, cv):
    evaluation = evaluate(cv, panel, MODELS)
    page = html_report(panel, cv, evaluation)
    row = page[page.index(f"<td>{evaluation.table.index[0]}</td>") :]
    assert row.index('class="n best"') < row.index("</tr>")


def test_page_of_the_data_alone_is_whole(panel):
    page = html_report(panel.with_notes(["3 gaps were filled."]), notes=["Another <note>."])
    checked(page)
    assert "3 gaps were filled." in page and "Another &lt;note&gt;." in page
    assert "2 series, monthly (MS), season of 12, 1949-01-01 to 1951-12-01, 72 values" in page
    assert "Accuracy" not in page


def test_long_tables_are_cut_and_say_so(panel):
    frame = pd.DataFrame({"unique_id": ["a"] * 300, "LSTM": np.arange(300.0)})
    page = html_report(panel, forecasts=frame)
    assert page.count("<tr>") == 1 + 240
    assert "60 more rows are not shown." in page
