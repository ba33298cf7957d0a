"""Compiled kernels of the tests are kept in pytest's folder: a second run starts warm, the user's cache stays clean."""

import os

from forecast_kernels.device import simulated


def pytest_configure(config):
    os.environ.setdefault("GATECAST_CACHE_DIR", str(config.rootpath / ".pytest_cache" / "kernels"))
    if simulated():
        from tests.kernels.gpu.simulator import install

        install()
