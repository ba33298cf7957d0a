"""Training that was stopped ends with the bits of one that never was, and leaves no file behind."""

from dataclasses import replace

import numpy as np
import pytest

from forecast.errors import ModelFileError
from forecast.learning.checkpoint import Checkpoint
from forecast.learning.training import Schedule, train
from forecast.progress import Silent
from tests import sine

# a report is of 3 steps, an order of windows of 14 batches, the last of them smaller
SCHEDULE = Schedule(300, 8, 1e-2, weight_decay=0.01, stop_after=100)


class Stopping(Silent):
    """Interrupts at a report."""

    def __init__(self, at):
        self.steps, self.at = 0, at

    def advance(self, steps=1, **figures):
        self.steps += steps
        if self.steps >= self.at:
            raise KeyboardInterrupt


class Counter(Silent):
    """Counts the steps that are reported, and the reports."""

    steps = reports = 0

    def advance(self, steps=1, **figures):
        self.steps, self.reports = self.steps + steps, self.reports + 1


def fitted(checkpoint=None, progress=None, objective=sine.OBJECTIVE):
    network, progress = sine.network(quantiles=len(objective.quantiles)), progress or Silent()
    history = train(network, sine.data(), sine.windows(), objective, SCHEDULE, progress, checkpoint=checkpoint)
    return network.theta, history


def stopped(checkpoint, at):
    with pytest.raises(KeyboardInterrupt):
        fitted(checkpoint, Stopping(at))


@pytest.fixture
def checkpoint(tmp_path):
    return Checkpoint(tmp_path / "a.npz", "a", seconds=0.0)


@pytest.mark.parametrize("stops", [(3,), (6, 51, 99), (40, 7)])
def test_stopped_training_ends_with_the_bits_of_one_that_was_not(checkpoint, stops):
    for at in stops:
        stopped(checkpoint, at)
    theta, history = fitted(checkpoint)
    expected, of_expected = fitted()
    np.testing.assert_array_equal(theta, expected)
    assert history == of_expected
    checkpoint.remove()
    assert list(checkpoint.path.parent.iterdir()) == []


def test_what_was_done_is_not_done_again(checkpoint):
    stopped(checkpoint, 60)
    counter = Counter()
    fitted(checkpoint, counter)
    # the interrupt came before the report of step 60 was saved
    assert counter.reports == 1 + (100 - 57) // 3 + 1
    assert counter.steps == 100


def test_file_is_written_only_now_and_then(tmp_path):
    rarely = Checkpoint(tmp_path / "a.npz", "a", seconds=1000.0)
    fitted(rarely)
    assert list(tmp_path.iterdir()) == []


def test_interrupt_while_the_file_is_written_leaves_the_one_before(checkpoint, monkeypatch):
    stopped(checkpoint, 30)
    before = checkpoint.path.read_bytes()

    def interrupted(file, **arrays):
        file.write(b"PK")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("numpy.savez", interrupted)
        fitted(checkpoint)
    assert checkpoint.path.read_bytes() == before
    np.testing.assert_array_equal(fitted(checkpoint)[0], fitted()[0])
    checkpoint.remove()
    assert list(checkpoint.path.parent.iterdir()) == []


def test_checkpoint_of_another_training_is_refused(checkpoint):
    stopped(checkpoint, 30)
    with pytest.raises(ModelFileError, match=r"a\.npz is a checkpoint of another training; delete it to train anew\.$"):
        fitted(Checkpoint(checkpoint.path, "b"))
    point = replace(sine.OBJECTIVE, quantiles=(0.5,))  # a network of fewer parameters
    with pytest.raises(ModelFileError, match="of another training"):
        fitted(checkpoint, objective=point)


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "array", "other arrays", "folder"])
def test_damaged_checkpoint_is_refused_in_one_sentence(checkpoint, damage):
    stopped(checkpoint, 30)
    path = checkpoint.path
    whole = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage == "other arrays":
        np.savez(path, theta=np.zeros(3))
    elif damage == "array":
        with open(path, "wb") as file:
            np.save(file, np.zeros(3))
    else:
        path.write_bytes({"truncated": whole[: len(whole) // 2], "empty": b"", "text": b"weights"}[damage])
    with pytest.raises(ModelFileError, match=r"a\.npz is no checkpoint, or it is damaged; delete it to train anew\.$"):
        fitted(checkpoint)
