"""What training and forecasting start at sizes of real work fits a GPU, and is what test_ptx.py has compiled."""

import math

THREADS, REGISTERS = 1024, 1 << 16  # of a block
BLOCKS = 2**31 - 1, 65535, 65535  # of a grid
STATIC_SHARED = 48 << 10


def test_grids_and_blocks_are_within_the_limits(launches):
    assert {launch["gpu"] for launch in launches} == {"H100", "T4"}
    for launch in launches:
        assert all(1 <= count <= most for count, most in zip(launch["blocks"], BLOCKS, strict=True)), launch
        assert 1 <= math.prod(launch["threads"]) <= THREADS, launch


def test_arrays_lie_in_what_was_allocated(launches):
    assert all(launch["inside"] for launch in launches)


def test_shared_memory_was_asked_for(launches):
    """Also by launches that were recorded before others asked for less."""
    assert max(launch["shared"] for launch in launches) > STATIC_SHARED
    for launch in launches:
        assert launch["shared"] <= launch["allowed"], launch


def test_kernels_are_compiled_with_the_types_they_are_started_with(launches, compiled):
    known = {(fact["kernel"], fact["types"]) for fact in compiled}
    assert {(launch["kernel"], launch["types"]) for launch in launches} <= known


def test_blocks_have_enough_registers_and_shared_memory(launches, compiled):
    """Registers are given to warps in portions of 256."""
    for fact in compiled:
        of_thread = math.ceil(fact["registers"] * 32 / 256) * 256 // 32
        for launch in launches:
            if (launch["kernel"], launch["types"]) == (fact["kernel"], fact["types"]):
                warps = math.ceil(math.prod(launch["threads"]) / 32)
                assert warps * 32 * of_thread <= REGISTERS, (launch, fact)
                assert fact["shared"] + launch["shared"] <= max(STATIC_SHARED, launch["allowed"]), (launch, fact)
