"""Sequences in pieces, each from the state in which the one before ended: what one run gives, and its gradients.

Notation: V symbols, R streams, T steps a chunk, B rows, Z values of a state.
"""

import numpy as np
import pytest

from forecast.learning.blocks import BLOCKS, block_layers
from forecast.learning.network import Layer, Network, recurrent_layers
from forecast.learning.symbols import ChunkRunner, Chunks, Streams
from forecast.learning.training import Objective, Schedule, WindowData, advance, predict
from forecast_kernels.jit import threads
from forecast_kernels.network.cpu import SCORE
from forecast_kernels.network.table import DENSE, EMBED, LSTM
from forecast_kernels.windows.cpu import NONE, Windowing
from tests import naive

V, WIDTH, SEED = 5, 4, 3
STACKS = {
    "LSTM": "ll",
    "sLSTM": "s",
    "mLSTM": "m",
    "both": "sm",
    "all": "lms",
    "no convolution": "sm-",
    "taps 1": "sm1",
}


@pytest.fixture(autouse=True)
def held_threads():
    """As in training: these tests call the kernels below it."""
    with threads():
        yield


def symbol_network(stack, steps, dtype=np.float64):
    """Symbols in, a logit for each out, every step; between, layers or blocks by their letters."""
    layers = [Layer("embed", EMBED, V, WIDTH, steps)]
    taps = {"-": 0, "1": 1}.get(stack[-1], 3)
    for k, kind in enumerate(stack.rstrip("-1")):
        name = f"layer.{k}"
        if kind == "l":
            layers.append(Layer(name, LSTM, WIDTH, WIDTH, steps))
        else:
            layers += BLOCKS[kind](name, layers[-1], 2, taps, False, steps)
    made = Network([*layers, Layer("output", DENSE, WIDTH, V, steps)], dtype)
    made.initialise(SEED)
    made.theta += np.random.default_rng(2).uniform(-0.5, 0.5, made.size)
    return made


def symbols(rows, count):
    return np.random.default_rng(0).integers(V, size=(rows, count)).astype(np.int32)


def losses(stack, steps, sequences, dtype=np.float64):
    """Summed loss of each chunk, of sequences (R, L) that are judged from their starts to their ends."""
    inputs, targets = sequences[:, :-1], sequences[:, 1:]
    streams = Streams(list(zip(inputs, targets, strict=True)), len(inputs), steps)
    runner = ChunkRunner(symbol_network(stack, steps, dtype), streams.rows, 0.0, training=False)
    runner.work[:] = np.nan  # what is read was written
    return runner._run(streams.all(), SCORE, np.zeros(streams.chunks, np.uint64), np.zeros(0), 0, 0.0, 0.0)[0]


@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
@pytest.mark.parametrize("steps", [1, 2, 7, 70])
def test_pieces_of_any_length_give_what_one_run_gives(stack, steps):
    sequences = symbols(3, 141)
    whole, pieces = (losses(stack, length, sequences)[:, 0] for length in (140, steps))
    assert len(pieces) == 140 // steps
    assert pieces.sum() == pytest.approx(whole.sum(), rel=1e-10)
    alone = losses(stack, 140 - steps, sequences[:, steps:])[0, 0]
    assert pieces[1:].sum() != pytest.approx(alone, rel=1e-4), (
        "the carried state changes nothing, so nothing was tested"
    )


@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
@pytest.mark.parametrize(("steps", "chunk"), [(1, 3), (2, 2), (3, 1), (70, 1)])
def test_gradient_of_a_later_piece_takes_its_start_state_as_given(stack, steps, chunk):
    """One stream goes on, another begins afresh."""
    sequences, schedule = symbols(2, steps * (chunk + 1) + 1), Schedule(1, 2, 0.0, clip_norm=0.0)
    made = symbol_network(stack, steps)
    runner, theta = ChunkRunner(made, 2, 0.0, training=True), made.theta.copy()
    fresh = np.zeros((2, chunk + 1), bool)
    fresh[:, 0] = fresh[1, chunk] = True
    chunks = Chunks(sequences[:, :-1].copy(), sequences[:, 1:].copy(), fresh)

    def part(first, end):
        columns = slice(first * steps, end * steps)
        return Chunks(chunks.inputs[:, columns].copy(), chunks.targets[:, columns].copy(), fresh[:, first:end].copy())

    def learned(what):
        count = what.fresh.shape[1]
        return runner.learn(*what, np.full(count, SEED, np.uint64), np.zeros(count), 0, schedule)[0]

    learned(part(0, chunk))
    start = runner.work.copy()
    learned(part(chunk, chunk + 1))
    found = runner.gradients.sum(axis=0)

    def loss(moved):
        runner.work[:] = start
        made.theta[:] = moved
        nothing = np.zeros(1, np.uint64), np.zeros(0)
        return runner._run(part(chunk, chunk + 1), SCORE, *nothing, 0, 0.0, 0.0)[0][0, 0]

    some = np.random.default_rng(1).choice(made.size, min(made.size, 150 if steps > 3 else made.size), replace=False)
    expected = [naive.numerical_gradient(lambda x, j=j: loss(moved_at(theta, j, x[0])), theta[[j]])[0] for j in some]
    rounding = 1e-8 * loss(theta)  # of differences, whose two losses are nearly equal
    np.testing.assert_allclose(found[some], expected, rtol=1e-6, atol=rounding)
    assert np.abs(found).max() > 1e-3


def moved_at(theta, j, value):
    moved = theta.copy()
    moved[j] = value
    return moved


# ------------------------------------------------------------------------------------------ states of many lanes


SPEC = Windowing(context=2, patch=2, horizon=2, seasonal=0, center=NONE, masked=1)
OBJECTIVE = Objective(SPEC, "quantile", (0.1, 0.5, 0.9), delta=1.0, dropout=0.0)


def forecaster(kind, steps):
    """A network of windows of so many patches, and the objective that says so."""
    sizes = {"steps": steps, "inputs": 4, "extra": 0, "head": 3, "outputs": 6, "dropout": True}
    layers = (
        recurrent_layers(embed=3, hidden=4, layers=2, **sizes)
        if kind == "LSTM"
        else block_layers(width=4, blocks=kind, heads=2, taps=3, **sizes)
    )
    made = Network(layers)
    made.initialise(SEED)
    made.theta += np.random.default_rng(2).uniform(-0.9, 0.9, made.size).astype(np.float32)
    return made, Objective(SPEC._replace(context=2 * steps), *list(vars(OBJECTIVE).values())[1:])


def walks(series, length):
    y = np.random.default_rng(5).normal(size=series * length).cumsum() / 5
    y[::11] = np.nan
    none = np.zeros(series, np.int64)
    return WindowData(y, np.arange(series + 1) * length, np.array([[0.0, 1.0]] * series), np.ones(series), none)


@pytest.mark.parametrize("kind", ["LSTM", "s", "m", "sm", "ms"])
@pytest.mark.parametrize("pieces", [[1] * 9, [4, 1, 1, 3], [9], [2, 7]])
def test_states_that_were_taken_and_put_give_what_one_run_gives(kind, pieces):
    """Of twenty series, which make two groups, the states stand in another order."""
    data, count = walks(20, 20), sum(pieces)
    whole = predict(*((made := forecaster(kind, count + 1))[0], data, ends(2 * count + 2)), made[1])
    network, objective = forecaster(kind, 1)
    states, lanes, seen = np.tile(network.empty_state, (25, 1)), np.arange(24, 4, -1), 0
    for piece in pieces:
        network, objective = forecaster(kind, piece)
        seen += piece
        advance(network, data, ends(2 * seen, lanes), objective, states)
    assert (states[:5] == network.empty_state).all()  # nobody's lanes
    network, objective = forecaster(kind, 1)
    kept = states.copy()
    found = predict(network, data, ends(2 * count + 2, lanes), objective, states=states)
    np.testing.assert_allclose(found, whole, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(states, kept)  # forecasting leaves them
    empty = predict(network, data, ends(2 * count + 2, lanes), objective, states=np.tile(network.empty_state, (25, 1)))
    assert np.abs(empty - whole).max() > 1e-3, "the states change nothing, so nothing was tested"


def ends(cutoff, lanes=None):
    windows = np.stack([np.arange(20), np.full(20, cutoff)], axis=1)
    return windows if lanes is None else np.column_stack([windows, lanes])
