"""``python -m forecast.cli`` where the command itself is not installed."""

from forecast.cli import main

if __name__ == "__main__":
    main()
