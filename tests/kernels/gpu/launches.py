"""Everything that training and forecasting start on a GPU, at sizes of real work, without one; printed as JSON.

Arrays are numba-cuda's own, on a device that is played: addresses are given out, nothing is copied, launches are put
down instead of started. Started by test_launches.py in a process of its own, without the simulator.
"""

import json
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
from cuda.core._kernel_arg_handler import ParamHolder
from numba import cuda
from numba.cuda import dispatcher
from numba.cuda.cudadrv import devices, driver

from forecast.learning.blocks import block_layers
from forecast.learning.cuda import DeviceRunner
from forecast.learning.network import Network, linear_path, recurrent_layers
from forecast.learning.training import Objective, Schedule
from forecast_kernels import jit_cuda
from forecast_kernels.jit_cuda import STATIC_SHARED
from forecast_kernels.windows.cpu import MEAN, Windowing
from tests import sine

# A large GPU and a small one: multiprocessors, and bytes of shared memory that a block can ask for.
GPUS = {
    "H100": SimpleNamespace(MULTIPROCESSOR_COUNT=132, MAX_SHARED_MEMORY_PER_BLOCK_OPTIN=232448),
    "T4": SimpleNamespace(MULTIPROCESSOR_COUNT=40, MAX_SHARED_MEMORY_PER_BLOCK_OPTIN=65536),
}
GAP = 1 << 12  # bytes between arrays, so that what reaches beyond one reaches into none


class Code:
    """Of a kernel, which is not compiled."""

    device, extensions = SimpleNamespace(id=0), ()

    def __init__(self, kernel):
        self.handle = kernel

    def get_cufunc(self):
        return self


class Stream:
    """On which nothing runs."""

    def synchronize(self):
        """Nothing to wait for."""


class Device:
    """Gives out addresses, and puts down launches of kernels."""

    def __init__(self):
        self.gpu, self.end, self.sizes, self.launches, self.allowed = "", GAP, {}, {}, {}

    def turn_into(self, gpu):
        """Be another GPU."""
        self.gpu = gpu
        self.allowed.clear()
        for number in (jit_cuda.multiprocessors, jit_cuda.shared_limit):
            number.cache_clear()

    def memalloc(self, size):
        at, self.end = self.end, self.end + -(-size // GAP) * GAP + GAP
        self.sizes[at] = size
        return driver.MemoryPointer(self, driver.binding.CUdeviceptr(at), size)

    def inside(self, array):
        """Whether all values of an array lie in one allocation."""
        at, size = array.device_ctypes_pointer.value, array.alloc_size
        return not array.size or any(begin <= at and at + size <= begin + self.sizes[begin] for begin in self.sizes)

    def allow(self, attribute, size, kernel, number):
        """What is set last holds."""
        self.allowed[kernel] = size

    def start(self, configuration, *arguments):
        """Put down a launch once, as it was when it was allowed least; its arguments are made ready for the driver."""
        kernel, code = configuration.dispatcher, configuration.dispatcher.py_func
        types, allowed = tuple(map(kernel.typeof_pyval, arguments)), self.allowed.get(kernel, STATIC_SHARED)
        given = []
        for kind, argument in zip(types, arguments, strict=True):
            dispatcher._Kernel._prepare_args(Code, kind, argument, configuration.stream, [], given)
        ParamHolder(given)
        arrays = [argument for argument in arguments if hasattr(argument, "device_ctypes_pointer")]
        key = self.gpu, kernel, types, configuration.griddim, configuration.blockdim, configuration.sharedmem
        self.launches[key] = {
            "gpu": self.gpu, "kernel": f"{code.__module__}.{code.__name__}", "types": str(types),
            "blocks": configuration.griddim, "threads": configuration.blockdim, "shared": configuration.sharedmem,
            "allowed": min(allowed, self.launches.get(key, {"allowed": allowed})["allowed"]),
            "inside": all(map(self.inside, arrays)),
        }  # fmt: skip


def play():
    """Put the played device in the place of numba-cuda's."""
    device = Device()
    devices._runtime.ensure_context = lambda: nullcontext(device)
    devices._runtime.get_or_create_context = lambda number: device
    driver.host_to_device = driver.device_to_host = lambda *arguments, **options: None
    driver._to_core_stream = lambda stream: stream
    dispatcher._LaunchConfiguration.__call__ = lambda *launch: device.start(*launch)
    dispatcher.CUDADispatcher.compile = lambda kernel, types: SimpleNamespace(library=Code(kernel))
    driver.driver.cuKernelSetAttribute = device.allow
    cuda.stream = Stream
    cuda.get_current_device = lambda: GPUS[device.gpu]
    return device


def objective(steps, patch, horizon):
    spec = Windowing(context=steps * patch, patch=patch, horizon=horizon, seasonal=0, center=MEAN, masked=0)
    return Objective(spec, "quantile", (0.1, 0.5, 0.9), delta=1.0, dropout=0.1)


def lstm(steps, inputs, hidden):
    return recurrent_layers(
        steps=steps, inputs=inputs, embed=0, hidden=hidden, layers=2, dropout=True, extra=0, head=8, outputs=12
    )


def blocks(steps, width, kinds, heads):
    return block_layers(
        steps=steps, inputs=1, width=width, blocks=kinds, heads=heads, taps=4, dropout=True, extra=0, head=0, outputs=12
    )


def with_path(steps, inputs, hidden):
    stack = lstm(steps, inputs, hidden)
    return [*stack, *linear_path(stack[-1], steps=steps, inputs=inputs, values=inputs, horizon=4)]


# Rows of a batch, steps, values of a step, layers.
CASES = {
    "small": (32, 10, 1, lstm(10, 1, 50)),
    "middle": (256, 96, 1, lstm(96, 1, 64)),
    "large": (1024, 96, 1, lstm(96, 1, 128)),
    "many rows": (4096, 48, 1, lstm(48, 1, 64)),
    "most rows": (1 << 15, 256, 1, lstm(256, 1, 8)),
    "wide": (512, 24, 1, lstm(24, 1, 1638)),  # as wide as the small GPU lets a layer be
    "wide alone": (1, 24, 1, lstm(24, 1, 1638)),
    "linear path": (128, 21, 16, with_path(21, 16, 32)),
    "blocks": (256, 96, 1, blocks(96, 128, "sm", 4)),
    "wide heads": (2048, 70, 1, blocks(70, 1488, "sm", 1)),
    "many rows of blocks": (1 << 15, 256, 1, blocks(256, 8, "sm", 2)),
}


def run(rows, steps, patch, layers):
    """A training step each of a full batch and of one row, a validation and a forecast."""
    runner = DeviceRunner(Network(layers), sine.data(), objective(steps, patch, 4), rows, training=True)
    windows, bounds = np.zeros((rows + 1, 2), np.int64), np.array([0, rows, rows + 1])
    runner.learn(windows, bounds, np.zeros(2, np.uint64), np.zeros(2), 0, Schedule(1, rows, 1e-3))
    runner.score(sine.data(), windows)
    runner.forward(windows)
    return runner


if __name__ == "__main__":
    device = play()
    for gpu in GPUS:
        device.turn_into(gpu)
        runners = [run(*case) for case in CASES.values()]
        for runner in runners:  # what was recorded first still runs after all others were recorded
            for recording in runner.recorded.values():
                recording.start()
    print(json.dumps(list(device.launches.values())))
