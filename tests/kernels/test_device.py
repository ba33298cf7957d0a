"""Which GPU is found, and what is said to lack, with a driver that the test makes up."""

import ctypes

import pytest

from forecast_kernels import device


class Driver:
    """Answers as NVIDIA's driver does for one GPU."""

    def __init__(self, status=0):
        self.status = status

    def cuInit(self, flags):
        return self.status

    def cuDeviceGet(self, number, ordinal):
        return 0

    def cuDeviceGetName(self, name, size, number):
        name.value = b"NVIDIA H100"
        return 0

    def cuDeviceGetAttribute(self, value, attribute, number):
        ctypes.cast(value, ctypes.POINTER(ctypes.c_int))[0] = {75: 9, 76: 0}[attribute]
        return 0


@pytest.fixture
def found(monkeypatch):
    def look(driver, package):
        monkeypatch.delenv("NUMBA_ENABLE_CUDASIM", raising=False)
        monkeypatch.setattr(device, "_driver", lambda: driver)
        monkeypatch.setattr(device, "find_spec", lambda name: object() if package else None)
        device.gpu.cache_clear()
        return device.gpu()

    yield look
    device.gpu.cache_clear()


def test_gpu_and_package_make_a_device(found):
    gpu = found(Driver(), package=True)
    assert gpu.available
    assert gpu.name == "NVIDIA H100 (compute capability 9.0)"


@pytest.mark.parametrize("driver", [None, Driver(status=100)])
def test_missing_gpu_is_said(found, driver):
    gpu = found(driver, package=True)
    assert not gpu.available
    assert gpu.missing == "no NVIDIA GPU with its driver was found"


def test_missing_package_is_said_with_the_gpu_that_needs_it(found):
    gpu = found(Driver(), package=False)
    assert not gpu.available
    assert "numba-cuda" in gpu.missing and "NVIDIA H100" in gpu.missing and "gatecast[cuda]" in gpu.missing
