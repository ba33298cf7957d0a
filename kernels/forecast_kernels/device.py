"""Which GPU there is, asked of NVIDIA's driver itself: Numba takes half a second to be imported, this takes nothing.

A kernel for the GPU needs two things: a GPU with its driver, and the package numba-cuda.
"""

import ctypes
import os
import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

_DRIVERS = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}
_MAJOR, _MINOR = 75, 76  # attributes of a device that are its compute capability


@dataclass(frozen=True)
class Gpu:
    """The first GPU, if kernels can run there."""

    name: str
    """As the driver calls it, with its compute capability; "" if there is none that can be used."""
    missing: str
    """What it lacks, as part of a sentence; "" if it lacks nothing."""

    @property
    def available(self) -> bool:
        """Whether kernels can run there."""
        return not self.missing


@cache
def gpu() -> Gpu:
    """Look for a GPU, once in a process."""
    if simulated():
        return Gpu("simulator of numba-cuda", "")
    found = _first_gpu()
    if not found:
        return Gpu("", "no NVIDIA GPU with its driver was found")
    if find_spec("numba_cuda") is None:
        return Gpu(found, f"the package numba-cuda, which the {found} needs, is not installed (gatecast[cuda] has it)")
    return Gpu(found, "")


def simulated() -> bool:
    """Whether numba-cuda runs kernels in Python, for tests without a GPU."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0") and find_spec("numba_cuda") is not None


def _first_gpu() -> str:
    """Name and compute capability of device 0, or "" without one."""
    driver = _driver()
    if driver is None or driver.cuInit(0) != 0:
        return ""
    number, name = ctypes.c_int(), ctypes.create_string_buffer(256)
    if driver.cuDeviceGet(ctypes.byref(number), 0) != 0 or driver.cuDeviceGetName(name, len(name), number) != 0:
        return ""
    version = []
    for attribute in (_MAJOR, _MINOR):
        value = ctypes.c_int()
        driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, number)
        version.append(str(value.value))
    return f"{name.value.decode(errors='replace')} (compute capability {'.'.join(version)})"


def _driver() -> Any:
    """NVIDIA's driver library, or None without one."""
    library = _DRIVERS.get(sys.platform)
    try:
        return None if library is None else ctypes.CDLL(library)
    except OSError:
        return None
