"""A stricter and faster simulator of blocks than numba-cuda's own, put into its place.

A block's threads run one at a time, from barrier to barrier, in an order drawn anew each time; so do the blocks of a
grid. What depends on the order, as a value does that one thread writes and another reads without a barrier between
them, then comes out wrong sooner or later. All threads of a block have to meet at the same barrier. Shared memory and
local arrays start as NaN in every block. SIMULATOR_SEED draws other orders.
"""

import os
import random
import sys
import threading

import numpy as np
from numba.cuda.simulator import kernel, kernelapi
from numba.cuda.simulator.kernelapi import Dim3

_random = random.Random(int(os.environ.get("SIMULATOR_SEED", "0")))
_idle = []  # workers without work


class Abandoned(BaseException):
    """Ends a simulated thread when another one has failed."""


class Worker(threading.Thread):
    """Takes the place of simulated threads, one after the other; one that waits at a barrier keeps its worker."""

    def __init__(self):
        super().__init__(daemon=True)
        self.turn = threading.Semaphore(0)
        self.block = self.threadIdx = self.blockIdx = None
        self.start()

    def run(self):
        while True:
            self.turn.acquire()
            block = self.block
            try:
                while block.pending:
                    self.threadIdx, self.blockIdx = Dim3(*block.pending.pop()), block.place
                    block.function(*block.arguments)
                    block.ended += 1
            except Abandoned:
                pass
            except BaseException as error:
                error.add_note(f"in thread {self.threadIdx} of block {self.blockIdx}")
                block.error = block.error or error
            _idle.append(self)
            block.go_on()

    def syncthreads(self):
        """Wait until all threads of the block have come here."""
        frame = sys._getframe(2)
        self.block.waiting.append((self, frame.f_code, frame.f_lineno))
        self.block.go_on()
        self.turn.acquire()
        if self.block.error is not None:
            raise Abandoned


class Block:
    """A block of threads, in the place of numba-cuda's."""

    def __init__(self, function, grid, shape, debug):
        self.function, self.grid, self.shape = function, grid, shape
        self.done = threading.Semaphore(0)

    def run(self, place, *arguments):
        """Run all threads of a block, not of the one that is asked for but of another of its grid."""
        launch = kernel._get_kernel_context()
        if not hasattr(launch, "places"):
            launch.places = list(np.ndindex(*self.grid))
            _random.shuffle(launch.places)
        forget(launch.shared)
        self.place, self.arguments, self.error, self.ended = Dim3(*launch.places.pop()), arguments, None, 0
        self.pending, self.waiting, self.ready = list(np.ndindex(*self.shape)), [], []
        _random.shuffle(self.pending)
        self.go_on()
        self.done.acquire()
        if self.error is not None:
            raise self.error

    def go_on(self):
        """Let another thread have its turn."""
        if self.error is not None:
            self.pending.clear()
            self.ready += [waiting[0] for waiting in self.waiting]
            self.waiting.clear()
        if self.pending:
            worker = _idle.pop() if _idle else Worker()
            worker.block = self
            worker.turn.release()
        elif self.ready:
            self.ready.pop().turn.release()
        elif self.waiting:
            self.meet()
            self.go_on()
        else:
            self.done.release()

    def meet(self):
        """All threads have come to a barrier, which should be the same."""
        if self.ended or len({at[1:] for at in self.waiting}) > 1:
            places = sorted({f"{code.co_name}:{line}" for _, code, line in self.waiting})
            self.error = RuntimeError(f"{self.ended} threads have ended while others wait at {', '.join(places)}")
            return
        self.ready = [waiting[0] for waiting in self.waiting]
        self.waiting.clear()
        _random.shuffle(self.ready)


class Shared(kernelapi.FakeCUDAShared):
    """Arrays of shared memory by where they are made."""

    def array(self, shape, dtype, alignment=None):
        if shape == 0:
            return super().array(shape, dtype)
        caller = sys._getframe(1)
        place = caller.f_code, caller.f_lineno
        if place not in self._allocations:
            self._allocations[place] = unset(shape, dtype)
        return self._allocations[place]


def unset(shape, dtype):
    """An array of NaN, or of whole numbers that are out of any place."""
    array = np.empty(shape, dtype)
    array.view(np.uint8).fill(0xFF)
    return array


def forget(shared):
    """What the block before has left in shared memory."""
    shared._dynshared.view(np.uint8).fill(0xFF)
    shared._allocations.clear()


def install():
    """Let numba-cuda's simulator run blocks like this."""
    kernel.BlockManager, kernelapi.FakeCUDAShared = Block, Shared
    kernelapi.FakeCUDALocal.array = lambda self, shape, dtype, alignment=None: unset(shape, dtype)
