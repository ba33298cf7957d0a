"""Progress: bars on a terminal, one line per phase elsewhere, nothing when quiet."""

import io
import time

from rich.console import Console

from forecast.cli.progress import Lines, bars_on, progress_on_stderr


def terminal():
    return Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None, legacy_windows=False)


def test_each_phase_is_said_once(capsys):
    with progress_on_stderr() as progress:
        for _ in range(3):
            progress.start("backtest", 2)
            progress.advance(loss=0.5)
            progress.finish()
    assert capsys.readouterr().err == "Backtest ...\n"


def test_quiet_says_nothing(capsys):
    with progress_on_stderr(quiet=True) as progress:
        progress.start("backtest", 2)
        progress.advance()
        progress.finish()
    assert capsys.readouterr().err == ""


def test_labels_are_no_markup():
    console = Console(file=io.StringIO())
    Lines(console).start("[red]sales[/red]", 1)
    assert console.file.getvalue() == "[red]sales[/red] ...\n"


def test_bar_shows_label_share_and_loss():
    console = terminal()
    with bars_on(console) as progress:
        progress.start("LSTM", 4)
        progress.advance(2, loss=0.125)
        time.sleep(0.3)  # bars are drawn ten times a second
        progress.finish()
    drawn = console.file.getvalue()
    assert "LSTM" in drawn
    assert "50%" in drawn
    assert "loss 0.1250" in drawn


def test_inner_task_has_a_bar_of_its_own_until_it_ends():
    console = terminal()
    with bars_on(console) as progress:
        progress.start("backtest", 2)
        progress.start("LSTM", 4)
        progress.finish()
        progress.advance()
        progress.finish()
        progress.finish()  # one too many does no harm
    assert "Backtest" in console.file.getvalue()
    assert "LSTM" in console.file.getvalue()


def test_long_phase_says_now_and_then_how_far_it_is():
    now = [0.0]
    console = Console(file=io.StringIO())
    progress = Lines(console, clock=lambda: now[0])
    progress.start("backtest", 6)
    progress.start("AutoARIMA", 2_000)
    for _ in range(4):
        now[0] += 6
        progress.advance(500)
    progress.finish()
    progress.advance()
    assert console.file.getvalue().splitlines() == [
        "Backtest ...",
        "AutoARIMA ...",
        "AutoARIMA: 1,000 of 2,000 ...",
        "AutoARIMA: 2,000 of 2,000 ...",
    ]


def test_calibration_evaluation_and_forecast_are_phases_of_their_own(run, air):
    result = run("run", air, "-h", 6, "--models", "naive", "--intervals", "conformal")
    phases = [line for line in result.stderr.splitlines() if line.endswith(" ...")]
    assert phases == ["Backtest ...", "Conformal scores of Naive ...", "Evaluation ...", "Forecast ..."]
