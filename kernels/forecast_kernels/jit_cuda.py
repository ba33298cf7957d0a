"""How kernels for the GPU are compiled, cached and launched; what jit.py is for the CPU.

Only the ``gpu.py`` modules import this, and they are imported only where `device.gpu` finds a GPU.

Cells of jit.py are inlined into these kernels as into those of the CPU. No fast math: division and square root are
rounded as on the CPU, and NaN stays visible.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import numba
from numba import cuda

from forecast_kernels.device import simulated as simulated
from forecast_kernels.jit import _Locator, cache_folder, sources_digest

F = TypeVar("F")
STATIC_SHARED = 48 << 10  # bytes of shared memory that a block gets without asking
WARP = 32
THREADS = 8 if simulated() else 256  # of a block; the simulator starts as many threads of Python

numba.config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # type: ignore[attr-defined]  # small networks cannot fill a GPU


@cache
def _gpu_sources_digest() -> str:
    """Digest of what compiled code for the GPU depends on: its sources and this file beside those of the CPU."""
    digest = hashlib.sha256(sources_digest().encode())
    for file in [Path(__file__), *sorted(Path(__file__).parent.rglob("gpu.py"))]:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


class _CudaLocator(_Locator):
    def get_source_stamp(self) -> str:
        return _gpu_sources_digest()


def cuda_kernel(function: F) -> F:
    """Compile a kernel for the GPU when it is first launched; cached on disk. `launch` starts it."""
    dispatcher = cuda.jit(function)
    if not simulated() and cache_folder() is not None:
        dispatcher._cache = _disk_cache()(function)
    return cast(F, dispatcher)


def cuda_part(function: F) -> F:
    """Compile a part of kernels for the GPU, inlined wherever it is used; it may use threads and shared memory."""
    return cast(F, cuda.jit(device=True, inline="always")(function))


@cache
def _disk_cache() -> Any:
    """numba-cuda's cache on disk, put into our folder."""
    from numba.cuda.dispatcher import CUDACache, CUDACacheImpl

    class Impl(CUDACacheImpl):  # type: ignore[misc]
        _locator_classes = (_CudaLocator,)

    class Cache(CUDACache):  # type: ignore[misc]
        _impl_class = Impl

    return Cache


def launch(function: Any, blocks: Any, threads: Any, stream: Any, *arguments: Any, shared: int = 0) -> None:
    """Start a kernel; it runs when what was started on the stream before is done.

    Parameters
    ----------
    function : kernel
        What `cuda_kernel` made.
    blocks, threads : int or tuple of int
        Blocks of the grid, threads of a block.
    stream : stream or Recording
        A stream of numba-cuda, 0 for the default one; a `Recording` takes the launch down instead.
    *arguments
        Arrays on the device, and numbers.
    shared : int
        Bytes of dynamic shared memory, at most `shared_limit`.
    """
    if shared > STATIC_SHARED and not simulated():
        _allow_shared(function, arguments)
    if isinstance(stream, Recording):
        stream.launches.append((function, (blocks, threads, stream.stream, shared), arguments))
    else:
        function[blocks, threads, stream, shared](*arguments)


class Recording:
    """Launches with the arrays that they are of, to be started again and again: views and sizes are found once.

    Parameters
    ----------
    stream : stream
        On which they will run.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.launches: list[tuple[Any, tuple[Any, ...], tuple[Any, ...]]] = []  # kernel, settings, arguments

    def start(self) -> None:
        """Start all of them in their order."""
        for function, settings, arguments in self.launches:
            function[settings](*arguments)


def _allow_shared(function: Any, arguments: tuple[Any, ...]) -> None:
    """Ask the driver to let a kernel have more dynamic shared memory than kernels have by default.

    As much as there is: what is asked for last holds, also for launches that were recorded before and need more.
    """
    from cuda.bindings import driver as names
    from numba.cuda.cudadrv.driver import driver

    kernel = function.compile(tuple(function.typeof_pyval(argument) for argument in arguments))
    code = kernel.library.get_cufunc()
    attribute = names.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    driver.cuKernelSetAttribute(attribute, shared_limit(), code.handle, code.device.id)


@cache
def multiprocessors() -> int:
    """Blocks that run side by side for sure; 2 in the simulator."""
    return 2 if simulated() else int(cuda.get_current_device().MULTIPROCESSOR_COUNT)


@cache
def shared_limit() -> int:
    """Bytes of shared memory that a block can ask for; 1 KB in the simulator, so that small sizes do not fit either."""
    return 1 << 10 if simulated() else int(cuda.get_current_device().MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)


class Recurrence(NamedTuple):
    """How a sequence is launched whose steps wait for each other, with a thread for each unit."""

    rows: int  # batch rows of a block
    blocks: int  # for all of them
    threads: int  # of a block
    kept: int  # rows of the recurrent matrix that lie in shared memory
    shared: int  # bytes of that


def recurrence(
    batch: int, groups: int, beside: int, units: int, matrix: tuple[int, int], state: int, itemsize: int
) -> Recurrence:
    """Fit a sequence's launch to the GPU.

    Parameters
    ----------
    batch : int
        Batch rows.
    groups : int
        Parts of a row that are run apart, such as heads.
    beside : int
        Blocks that a multiprocessor is to run side by side.
    units : int
        Of a group.
    matrix : tuple of int
        Rows and columns of the recurrent matrix, of which as many rows as fit are kept in shared memory.
    state : int
        Values of shared memory that a batch row needs, whatever is kept.
    itemsize : int
        Bytes of a value.
    """
    room, values = beside * multiprocessors(), shared_limit() // itemsize
    rows = 1 if room >= batch * groups else 2 if 2 * room >= batch * groups else 4  # as few as let no block wait
    while rows > 1 and rows * state > values:
        rows //= 2
    kept = max(0, min(matrix[0], (values - rows * state) // matrix[1]))
    # whole warps; with so few threads each may have all registers there are
    threads = min(-(-units // WARP) * WARP, THREADS)
    return Recurrence(rows, -(-batch // rows), threads, kept, (kept * matrix[1] + rows * state) * itemsize)
