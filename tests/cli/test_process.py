"""The program as a process: interrupts, pipes, terminals."""

import os
import re
import signal
import sys
import time

import pytest

from forecast.series import datasets

unix = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals are those of Unix")
QUICK = ("-h", 12, "--models", "seasonal-naive,naive")


def _read_until(stream, word):
    lines = []
    while not lines or word not in lines[-1]:
        lines.append(stream.readline())
        assert lines[-1], f"ended without {word!r}: {lines}"
    return lines


@unix
def test_interrupted_training_ends_cleanly_and_keeps_the_old_output(start, tmp_path):
    output = tmp_path / "out.csv"
    output.write_text("before")
    words = "-h", 24, "--models", "lstm,naive", "--members", 20, "--output", output  # long enough to be interrupted
    process = start("run", datasets.path("bike_rentals"), *words)
    _read_until(process.stderr, "LSTM")
    time.sleep(0.5)  # into the training
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    # Python ends itself by the signal if that came while it ran generated code; shells show 130 for both
    assert process.returncode in (130, -signal.SIGINT)
    *progress, last = stderr.splitlines()
    assert last == "Interrupted."
    assert all(line.endswith("...") for line in progress)
    assert stdout == ""
    assert output.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["out.csv"]


@unix
def test_reader_that_goes_away_is_no_error(start, air):
    reading, writing = os.pipe()
    os.close(reading)
    process = start("run", air, *QUICK, "--quiet", stdout=writing)
    os.close(writing)
    _, stderr = process.communicate(timeout=60)
    assert stderr == ""
    assert process.returncode == 1


@unix
def test_json_reader_that_goes_away_is_no_error(start, air):
    reading, writing = os.pipe()
    os.close(reading)
    process = start("inspect", air, "--json", stdout=writing)
    os.close(writing)
    _, stderr = process.communicate(timeout=60)
    assert stderr == ""
    assert process.returncode == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_full_disk_is_one_sentence(start, air):
    with open("/dev/full", "w") as full:
        _, stderr = start("inspect", air, "--quiet", stdout=full).communicate(timeout=60)
    assert stderr == "Error: No space left on device.\n"


def test_pipes_get_neither_colours_nor_bars(start, air):
    stdout, stderr = start("run", air, *QUICK).communicate(timeout=60)
    assert "\x1b" not in stdout + stderr
    assert "━" not in stderr
    assert "Backtest ...\n" in stderr


def test_terminal_without_unicode_gets_ascii(start, air):
    process = start("run", air, *QUICK, env={"PYTHONIOENCODING": "ascii"}, encoding="ascii")
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert "SeasonalNaive" in stdout


def test_error_in_a_process_is_one_line(start, tmp_path):
    file = tmp_path / "data.csv"
    file.write_text("month,sales\n")
    process = start("run", file, *QUICK)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 3
    assert stdout == ""
    assert stderr.startswith("Error: ")
    assert stderr.count("\n") == 1


@unix
def test_terminal_gets_bars_with_the_loss(start, tmp_path):
    data = datasets.path("bike_rentals")  # training on a short series ends before a bar is drawn
    screen = _on_terminal(start, {}, "fit", data, "-h", 24, "--models", "lstm", "-o", tmp_path / "model")
    assert "━" in screen
    assert re.search(r"\d+%", screen)
    assert "loss 0." in screen
    assert "\x1b[3" in screen  # coloured


@unix
def test_no_color_is_respected(start, air):
    screen = _on_terminal(start, {"NO_COLOR": "1"}, "run", air, *QUICK)
    assert "Backtest" in screen
    assert "\x1b[3" not in screen


@unix
def test_dumb_terminal_gets_lines(start, air):
    screen = _on_terminal(start, {"TERM": "dumb"}, "run", air, *QUICK)
    assert "\x1b" not in screen
    assert "Backtest ..." in screen


def _on_terminal(start, env, *arguments):
    """What the program writes to a terminal."""
    import pty

    main, child = pty.openpty()
    env = {"TERM": "xterm-256color", "COLUMNS": "100", **env}
    process = start(*arguments, env=env, stdout=child, stderr=child, stdin=child)
    os.close(child)
    written = b""
    while True:
        try:
            part = os.read(main, 65536)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        written += part
    os.close(main)
    process.wait(timeout=60)
    assert process.returncode == 0, written.decode()
    return written.decode()
