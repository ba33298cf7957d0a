"""On what networks are trained: the processor, or a GPU."""

from forecast.errors import DeviceError


def check_device(name: str, instead: str) -> str:
    """The device to train on, "cpu" or "cuda".

    Parameters
    ----------
    name : {"cpu", "cuda", "auto"}
        The device that was asked for. "auto" takes the processor: from what size of network a GPU pays off has not been
        measured.
    instead : str
        What the message tells the caller to use instead.

    Raises
    ------
    DeviceError
        If it is "cuda" and there is no GPU, or no package for it; one sentence says which.
    """
    if name != "cuda":
        return "cpu"
    from forecast_kernels.device import gpu

    if not gpu().available:
        raise DeviceError(f"Device 'cuda' is not available: {gpu().missing}; use {instead}.")
    return "cuda"


def usable_device(name: str) -> str:
    """The device that trained networks forecast on: where there is no GPU, also those that were trained on one.

    Their weights are the same; forecasts differ in their last digits.
    """
    from forecast_kernels.device import gpu

    return "cuda" if name == "cuda" and gpu().available else "cpu"
