"""The command ``forecast``: parse, call the library, print."""

from forecast.cli.app import app, main

__all__ = ["app", "main"]
