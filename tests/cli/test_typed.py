"""Sentences on the command line name what can be typed there."""

import pytest
from typer.main import get_command

from forecast.cli import app
from forecast.cli.typed import OPTIONS, PHRASES, as_typed

ARGUMENTS = [f"{name}=" for name in OPTIONS]


def test_every_option_that_a_sentence_may_name_exists():
    known = {option for command in get_command(app).commands.values() for one in command.params for option in one.opts}
    assert set(OPTIONS.values()) - known == set()


@pytest.mark.parametrize(
    ("sentence", "typed"),
    [
        ("name it with --time (time_col=).", "name it with --time."),
        ("with --id and --time (id_col=, time_col=).", "with --id and --time."),
        ("--target 'a b' (target_col='a (b)') does", "--target 'a b' does"),
        ('--target "it\'s" (target_col="it\'s") does', '--target "it\'s" does'),
        ("with h=36, n_windows=4 and step_size=1", "with --horizon 36, --windows 4 and --step 1"),
        ("level has 120; e.g. level=[80, 95].", "--level has 120; e.g. --level 80,95."),
        ("future_exog is 'x'; it must be", "--future-exog is 'x'; it must be"),
        ("--intervals conformal (intervals='conformal') calibrates", "--intervals conformal calibrates"),
        ("give --freq 1 (freq=1), and season_length=12.", "give --freq 1, and --season 12."),
    ],
)
def test_options_stand_where_arguments_of_python_stood(sentence, typed):
    assert as_typed(sentence) == typed


@pytest.mark.parametrize(
    "sentence",
    ["Column 'cost (usd=1)' has 'x' in line 3.", "The level is low (p = 0.031).", "Column 'oh=3' is empty.", "a (b)."],
)
def test_other_parts_of_a_sentence_stay(sentence):
    assert as_typed(sentence) == sentence


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("backtest", "-h", 12, "--windows", 99), "--windows 11 or a shorter horizon"),
        (("backtest", "-h", 12, "--future-exog", "never"), "--future-exog is 'never'"),
        (("run", "-h", 12, "--level", "120"), "--level has 120"),
        (("inspect", "--freq", "ME"), "give --freq MS or leave it out"),
        (("run", "-h", 12, "--tz", "Mars"), "Mars"),
    ],
)
def test_errors_name_options(run, air, arguments, words):
    command, *options = arguments
    result = run(command, air, *options)
    assert result.exit_code in (2, 3)
    assert words in result.stderr
    assert [name for name in ARGUMENTS if name in result.stderr] == []


def test_notes_name_options(run, csv):
    file = csv("month,sales,visits", *(f"2024-{month:02d}-01,{month},{month % 3}" for month in range(1, 13)))
    result = run("inspect", file, "--target", "sales")
    assert "with --future, others with --historic" in result.stderr
    assert [name for name in ARGUMENTS if name in result.output] == []


def test_phrases_are_those_that_the_library_says(run, csv):
    file = csv("month,Naive", *(f"2024-{month:02d}-01,{month}" for month in range(1, 13)))
    result = run("run", file, "-h", 2, "--models", "naive")
    assert PHRASES["give one of the models another alias"] in result.stderr
