"""What goes wrong becomes one sentence on stderr and an exit code; only bugs keep their traceback.

Exit codes: 0 done, 1 the output could not be written, 2 usage, 3 bad data, 4 bad model file, 5 device missing,
130 interrupted.
"""

import os
import sys
from contextlib import suppress
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from forecast.cli.screen import say
from forecast.cli.typed import as_typed
from forecast.errors import ForecastError

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
UNWRITTEN = 1  # rich's consoles end with it too when the reader of a pipe goes away


class Commands(TyperGroup):
    """The commands of the program, with one place where errors become exit codes."""

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Parse and run; usage errors are one sentence too."""
        extra["standalone_mode"] = False
        try:
            code = super().main(*args, **extra)
        except typer.TyperException as error:
            say(f"Error: {_usage(error)}")
            code = error.exit_code
        sys.exit(code)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except ForecastError as error:
            say(f"Error: {as_typed(str(error))}")
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            say("Interrupted.")
            raise typer.Exit(INTERRUPTED) from error
        except BrokenPipeError as error:
            _silence_stdout()
            raise typer.Exit(UNWRITTEN) from error
        except OSError as error:  # a full disk, a file that went away
            _silence_stdout()
            say(f"Error: {'' if error.filename is None else f'{error.filename}: '}{error.strerror or error}.")
            raise typer.Exit(UNWRITTEN) from error
        return result


def _usage(error: typer.TyperException) -> str:
    """What is wrong with the arguments, in one line, and where to look them up."""
    sentence = " ".join(error.format_message().split()).rstrip(".")
    ctx = getattr(error, "ctx", None)  # usage errors have it
    return f"{sentence}." if ctx is None else f"{sentence}. See: {ctx.command_path} --help"


def _silence_stdout() -> None:
    """Let the interpreter's last flush go nowhere instead of failing again."""
    with suppress(OSError):  # what stands in for stdout in tests has no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
