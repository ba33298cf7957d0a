"""On what networks are trained: the processor, or a GPU."""

from forecast.errors import DeviceError


def check_device(name: str, instead: str) -> None:
    """See that networks can be trained on a device.

    Parameters
    ----------
    name : {"cpu", "cuda", "auto"}
        The device that was asked for.
    instead : str
        What the message tells the caller to use instead.

    Raises
    ------
    DeviceError
        If it is "cuda" and there is no GPU, or no package for it; one sentence says which.
    """
    if name != "cuda":
        return
    from forecast_kernels.device import gpu

    missing = gpu().missing or "networks are trained on the processor in this version"
    raise DeviceError(f"Device 'cuda' is not available: {missing}; use {instead}.")
