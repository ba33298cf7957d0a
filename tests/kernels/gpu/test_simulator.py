"""The simulator in which the twins are tested without a GPU: what would be undefined on one comes out wrong there."""

import numpy as np
import pytest

from forecast_kernels.device import gpu, simulated

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not simulated(), reason=f"{gpu().missing}; test_simulated.py runs this in the simulator"),
]
if simulated():
    from numba import cuda

    from forecast_kernels.jit_cuda import cuda_kernel, launch

SIZE = 8


def started(kernel, blocks=1):
    out = cuda.to_device(np.zeros(blocks * SIZE, np.float32))
    launch(kernel, blocks, SIZE, 0, out)
    return out.copy_to_host()


def test_threads_meet_at_a_barrier():
    @cuda_kernel
    def turned(out):
        shared = cuda.shared.array(SIZE, np.float32)
        shared[cuda.threadIdx.x] = cuda.threadIdx.x
        cuda.syncthreads()
        out[cuda.grid(1)] = shared[SIZE - 1 - cuda.threadIdx.x]

    np.testing.assert_array_equal(started(turned, 3), [*range(SIZE - 1, -1, -1)] * 3)


def test_missing_barrier_shows():
    @cuda_kernel
    def summed(out):
        shared = cuda.shared.array(1, np.float32)
        shared[0] = 0
        cuda.syncthreads()
        shared[0] += 1
        out[cuda.threadIdx.x] = shared[0]

    found = [started(summed) for _ in range(3)]
    assert any((values != found[0]).any() for values in found)


@pytest.mark.parametrize("shape", [SIZE, 0])
def test_shared_memory_starts_unset_in_every_block(shape):
    @cuda_kernel
    def kept(out):
        shared = cuda.shared.array(shape, out.dtype)
        out[cuda.grid(1)] = shared[cuda.threadIdx.x]
        shared[cuda.threadIdx.x] = 1

    out = cuda.to_device(np.zeros(2 * SIZE, np.float32))
    launch(kept, 2, SIZE, 0, out, shared=4 * SIZE)
    assert np.isnan(out.copy_to_host()).all()


def test_threads_that_do_not_come_to_a_barrier_are_named():
    @cuda_kernel
    def left(out):
        if cuda.threadIdx.x < 3:
            return
        cuda.syncthreads()

    @cuda_kernel
    def parted(out):
        if cuda.threadIdx.x < 3:
            cuda.syncthreads()
        else:
            cuda.syncthreads()

    for kernel, ended in ((left, 3), (parted, 0)):
        with pytest.raises(RuntimeError, match=f"^{ended} threads have ended while others wait at {kernel.__name__}:"):
            started(kernel)


def test_error_in_one_thread_ends_the_block():
    @cuda_kernel
    def failing(out):
        if cuda.threadIdx.x == 5:
            out[100] = 1
        cuda.syncthreads()

    with pytest.raises(IndexError, match="out of bounds"):
        started(failing)
    test_threads_meet_at_a_barrier()
