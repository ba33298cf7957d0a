"""What this package raises: one sentence that names the column or series, the value found, and the fix."""


class ForecastError(Exception):
    """Base of every error raised on purpose; ``exit_code`` is what the command line returns for it."""

    exit_code = 1


class ParameterError(ForecastError, ValueError):
    """An argument or option is out of its range, or names something that does not exist."""

    exit_code = 2


class DataError(ForecastError, ValueError):
    """The data cannot be read or used as they are."""

    exit_code = 3


class ModelFileError(ForecastError):
    """A model file cannot be read: truncated, of another version, or not a model file at all."""

    exit_code = 4


class DeviceError(ForecastError):
    """The device asked for is not there."""

    exit_code = 5


class NotFittedError(ForecastError):
    """A forecast was asked of a forecaster that has seen no data yet."""

    exit_code = 2
