"""What the program says of itself, and how fast."""

import subprocess
import sys

import pytest
from typer.main import get_command

from forecast.cli import app
from forecast.cli.reading import Reading

COMMANDS = get_command(app).commands
READERS = ["run", "backtest", "fit", "inspect"]


def test_program_has_the_promised_commands():
    assert list(COMMANDS) == [
        "run",
        "backtest",
        "fit",
        "predict",
        "update",
        "inspect",
        "data",
        "warmup",
        "info",
        "text",
    ]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name):
    assert f"Example: forecast {name}" in COMMANDS[name].help


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_and_argument_has_help(name):
    assert [param.name for param in COMMANDS[name].params if not param.help] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_every_option(run, name):
    result = run(name, "--help")
    assert result.exit_code == 0
    options = [option for param in COMMANDS[name].params for option in param.opts if option.startswith("--")]
    assert [option for option in options if option not in result.stdout] == []


@pytest.mark.parametrize("name", ["run", "backtest", "predict"])
def test_h_is_the_horizon_not_help(name):
    (horizon,) = [param for param in COMMANDS[name].params if param.name == "horizon"]
    assert "-h" in horizon.opts
    assert horizon.required


def test_program_without_arguments_shows_its_help(run):
    result = run()
    assert result.exit_code == 0
    assert "forecast run FILE.csv --horizon 12" in result.stdout


def test_version_is_told(run):
    result = run("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("gatecast ")


def test_help_loads_no_heavy_package():
    script = (
        "import sys; from forecast.cli import app\n"
        "from typer.testing import CliRunner\n"
        "assert CliRunner().invoke(app, ['run', '--help']).exit_code == 0\n"
        "print({'numpy', 'pandas', 'numba', 'scipy', 'statsmodels', 'matplotlib'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", script], env=None, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_commands_that_read_a_file_understand_it_by_the_same_options():
    fields = list(Reading.__dataclass_fields__)
    for name in READERS:
        params = [param for param in COMMANDS[name].params if param.name in fields]
        assert [param.name for param in params] == fields
        assert [param.opts for param in params] == [param.opts for param in COMMANDS["inspect"].params[1:-2]]
