"""What the processes of children.py say, as fixtures; tests that wait for them come last."""

import json

import pytest

from tests.kernels.gpu.children import COMMANDS, Children

_children = Children()


def awaited(item):
    """The processes that a test waits for."""
    return [name for name in COMMANDS if name in getattr(item, "fixturenames", ())]


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: bool(awaited(item)))


def pytest_collection_finish(session):
    if not session.config.option.collectonly:
        for name in [name for name in COMMANDS if any(name in awaited(item) for item in session.items)]:
            _children.start(name)


def pytest_sessionfinish():
    _children.stop()


def said(name):
    """What a process has written."""
    found = _children.result(name)
    if found is None:
        pytest.skip(f"{' or '.join(COMMANDS[name][1])} is not installed (gatecast[cuda] has it)")
    code, output, errors = found
    assert code == 0, output[-4000:] + errors
    return output


@pytest.fixture(scope="session")
def simulated():
    """Output of the twins' tests in the simulator."""
    return said("simulated")


@pytest.fixture(scope="session")
def compiled():
    """What the compiler and the assembler tell of each kernel; see ptx.py."""
    return json.loads(said("compiled"))


@pytest.fixture(scope="session")
def launches():
    """What is started at sizes of real work; see launches.py."""
    return json.loads(said("launches"))
