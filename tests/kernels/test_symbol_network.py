"""Networks over symbols: embedding, softmax, carried state and sampling, against naive references and differences.

Notation: N places, V symbols, R streams, T steps a chunk.
"""

import numpy as np
import pytest

from forecast.learning.network import Network, symbol_layers
from forecast.learning.symbols import UNJUDGED, ChunkRunner, Chunks, Continuation, Streams, cut, score_symbols
from forecast.learning.training import Schedule
from forecast_kernels.embedding.cpu import embedding_backward, embedding_forward
from forecast_kernels.jit import threads
from forecast_kernels.loss.cpu import cross_entropy_forward_backward
from forecast_kernels.network.cpu import SCORE
from forecast_kernels.network.table import EMBED, KIND, PROJECT
from forecast_kernels.symbols.step import draw, symbol_weights
from tests import naive

V, SEED = 6, 3


@pytest.fixture(autouse=True)
def held_threads():
    """As in training: these tests call the kernels below it."""
    with threads():
        yield


def network(steps, dropout=0.0, layers=2, dtype=np.float64):
    made = Network(symbol_layers(steps=steps, symbols=V, embed=3, hidden=4, layers=layers, dropout=dropout), dtype)
    made.theta[:] = np.random.default_rng(2).uniform(-0.8, 0.8, made.size)
    return made


def symbols(count, seed=0):
    return np.random.default_rng(seed).integers(V, size=count).astype(np.int32)


def streams_of(sequence, rows, steps):
    """One sequence cut into streams."""
    return Streams(cut(sequence[:-1], sequence[1:], rows, steps), rows, steps)


def backward(runner, streams, chunks=1):
    """Loss and count of one training step at rate 0 per chunk; the gradient of the last is left in the runner."""
    schedule = Schedule(1, streams.rows, 0.0, clip_norm=0.0)
    seeds = np.full(chunks, SEED, np.uint64)
    totals, _ = runner.learn(*streams.take(chunks), seeds, np.zeros(chunks), 0, schedule)
    return totals


def naive_logits(network, sequence):
    """(n, V) from zero states, step by step through the whole sequence."""
    p, zero = network.views(), np.zeros((1, 4))
    h = p["embed.W"][sequence][:, None]
    for k in range(2):
        h, _ = naive.lstm(h, p[f"lstm.{k}.W"], p[f"lstm.{k}.R"], p[f"lstm.{k}.b"], zero, zero)
    return naive.dense(h[:, 0], p["output.W"], p["output.b"])


# ------------------------------------------------------------------------------------------ the parts


def test_embedding_takes_the_rows_of_its_symbols_and_adds_up_their_gradients():
    rng, x = np.random.default_rng(0), np.array([2.0, 0, 2, 5])
    W, out, dW = rng.normal(size=(V, 3)), np.full((4, 3), np.nan), np.full((V, 3), np.nan)
    embedding_forward(x, W, out)
    np.testing.assert_array_equal(out, W[[2, 0, 2, 5]])
    weights = rng.normal(size=out.shape)
    embedding_backward(x, weights, dW)
    expected = naive.numerical_gradient(lambda moved: float((moved[[2, 0, 2, 5]] * weights).sum()), W)
    np.testing.assert_allclose(dW, expected, atol=1e-9)


@pytest.mark.parametrize(("dtype", "limit"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_cross_entropy_and_its_gradient_are_those_of_the_naive_reference(dtype, limit):
    logits = np.random.default_rng(1).normal(scale=4, size=(7, V)).astype(dtype)
    target = np.array([0, 5, -1, 2, 2, -1, 1])
    gradient = np.full_like(logits, np.nan)
    total = cross_entropy_forward_backward(logits, target, gradient)
    assert total == pytest.approx(naive.cross_entropy(logits, target), rel=limit)
    expected = naive.numerical_gradient(lambda moved: naive.cross_entropy(moved, target), logits.astype(np.float64))
    np.testing.assert_allclose(gradient, expected, atol=max(limit, 1e-7))
    assert not gradient[[2, 5]].any()


def test_cross_entropy_of_huge_logits_is_finite_and_of_nan_is_nan():
    gradient = np.zeros((1, 3), np.float32)
    huge = np.array([[1e30, -1e30, 0]], np.float32)
    assert cross_entropy_forward_backward(huge, np.array([0]), gradient) == 0
    assert np.isfinite(gradient).all()
    assert np.isnan(cross_entropy_forward_backward(huge * np.float32(np.nan), np.array([0]), gradient))


# ------------------------------------------------------------------------------------------ the whole network


@pytest.mark.parametrize(("dropout", "layers"), [(0.0, 1), (0.3, 2)])
def test_every_parameter_has_the_gradient_of_central_differences(dropout, layers):
    made, sequence = network(4, dropout, layers), symbols(13)
    streams = streams_of(sequence, 3, 4)
    streams.all().targets[1, 2] = UNJUDGED
    runner = ChunkRunner(made, 3, dropout, training=True)
    theta = made.theta.copy()

    def loss(moved):
        made.theta[:] = moved
        return backward(runner, streams)[0, 0]

    assert backward(runner, streams)[0, 1] == 11
    found = runner.gradients.sum(axis=0)
    expected = naive.numerical_gradient(loss, theta)
    for name, gradient in made.views(found).items():
        np.testing.assert_allclose(gradient, made.views(expected)[name], rtol=1e-6, atol=1e-8, err_msg=name)
        assert np.abs(gradient).max() > 1e-4, f"{name} has no gradient, so that nothing was tested"


def kinds(runner):
    return list(runner.table[:, KIND])


@pytest.mark.parametrize("layers", [1, 2])
def test_embedding_and_product_of_few_symbols_at_once_are_those_of_each_place(layers, monkeypatch):
    made, sequence = network(4, layers=layers), symbols(13)
    made.views()["embed.W"][4:] *= 3  # symbols that do not come as well as those that do
    found = []
    for at_once in (True, False):
        if not at_once:
            monkeypatch.setattr(Network, "_projected", lambda self, rows: [])
        runner = ChunkRunner(made, 3, 0.0, training=True)
        assert kinds(runner)[0] == (PROJECT if at_once else EMBED)
        loss = backward(runner, streams_of(sequence, 3, 4))[0, 0]
        found.append((loss, runner.gradients.sum(axis=0)))
    (loss, gradient), (expected_loss, expected) = found
    assert loss == pytest.approx(expected_loss, rel=1e-13)
    np.testing.assert_allclose(gradient, expected, rtol=1e-10, atol=1e-13)


def test_embedding_is_taken_place_by_place_where_symbols_are_many_or_dropout_follows():
    assert kinds(ChunkRunner(network(3), 4, 0.0, training=True))[0] == PROJECT  # 12 places, 6 symbols
    assert kinds(ChunkRunner(network(11), 1, 0.0, training=True))[0] == EMBED
    assert kinds(ChunkRunner(network(20, dropout=0.1), 4, 0.1, training=True))[0] == EMBED


def test_gradient_of_a_later_chunk_takes_its_start_state_as_given():
    made, sequence = network(3), symbols(7)
    streams = streams_of(sequence, 1, 3)
    runner = ChunkRunner(made, 1, 0.0, training=True)
    theta, start = made.theta.copy(), made.theta.copy()

    def loss_of_second(moved):
        made.theta[:] = start
        backward(runner, streams_of(sequence[:4], 1, 3))
        made.theta[:] = moved
        second = Chunks(sequence[None, 3:6].copy(), sequence[None, 4:].copy(), np.array([[False]]))
        runner_loss, _ = runner._run(second, SCORE, np.zeros(1, np.uint64), np.zeros(0), 0, 0.0, 0.0)
        return runner_loss[0, 0]

    backward(runner, streams, 2)
    found = runner.gradients[0].copy()
    np.testing.assert_allclose(found, naive.numerical_gradient(loss_of_second, theta), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("steps", [1, 4, 5, 40])
def test_chunks_with_carried_state_are_one_long_run(steps):
    sequence = symbols(21)
    expected = naive.cross_entropy(naive_logits(network(1), sequence[:-1]), sequence[1:])
    total, count = score_symbols(network(steps), [(sequence[:-1], sequence[1:])])
    assert (total, count) == (pytest.approx(expected, rel=1e-12), 20)


def test_streams_are_scored_each_from_zeros_in_whatever_groups():
    made, sequence = network(2, dtype=np.float64), symbols(20 * 6 + 1)
    streams = streams_of(sequence, 20, 2)
    parts = [sequence[k * 6 : k * 6 + 7] for k in range(20)]
    expected = sum(naive.cross_entropy(naive_logits(made, part[:-1]), part[1:]) for part in parts)
    runner = ChunkRunner(made, 20, 0.0, training=False)
    assert len(runner.work) == 2
    assert runner.score(streams)[0] == pytest.approx(expected, rel=1e-12)


def test_number_of_threads_does_not_change_one_bit():
    sequence = symbols(400)

    def learned(count):
        made = network(5, 0.2, dtype=np.float32)
        streams, runner = streams_of(sequence, 20, 5), ChunkRunner(made, 20, 0.2, training=True)
        with threads(count):
            runner.learn(*streams.take(9), np.arange(9, dtype=np.uint64), np.full(9, 0.01), 0, Schedule(9, 20, 0.01))
        return made.theta.tobytes()

    assert learned(1) == learned(2)


# ------------------------------------------------------------------------------------------ streams


def test_every_symbol_is_judged_once_whatever_the_number_of_streams():
    for count, rows, steps in [(1, 4, 8), (7, 4, 8), (100, 4, 8), (100, 3, 7), (8, 8, 1)]:
        x = np.arange(count, dtype=np.int32)
        streams = Streams(cut(x, x + 1, rows, steps), rows, steps)
        inputs, targets, fresh = streams.all()
        np.testing.assert_array_equal(targets[targets != UNJUDGED], x + 1)
        assert inputs.shape == (streams.rows, streams.chunks * steps)
        assert fresh[:, 0].all() and fresh.sum() == streams.rows


def test_each_sequence_begins_with_a_chunk_and_zeros_in_another_order_each_pass():
    sequences = [(np.full(n, n, np.int32),) * 2 for n in (1, 2, 3, 5, 7)]
    streams = Streams(sequences, 2, 2, seed=0)
    passes = [streams.take(streams.chunks) for _ in range(20)]
    assert streams.chunks == 6  # of 10 chunks in all: 4 + 1 + 1 and 3 + 2, as even as can be
    for inputs, targets, fresh in passes:
        assert sorted(targets[targets != UNJUDGED]) == sorted(n for n in (1, 2, 3, 5, 7) for _ in range(n))
        assert inputs[:, ::2][fresh & (inputs[:, ::2] > 0)].sum() == 1 + 2 + 3 + 5 + 7
    assert len({inputs.tobytes() for inputs, _, _ in passes}) > 5


def test_next_pass_follows_the_last_chunk():
    x = np.arange(1, 6, dtype=np.int32)
    inputs, _, fresh = Streams([(x, x)], 1, 2).take(5)
    assert inputs.tolist() == [[1, 2, 3, 4, 5, 0, 1, 2, 3, 4]]
    assert fresh.tolist() == [[True, False, False, True, False]]


# ------------------------------------------------------------------------------------------ continuing


def test_state_goes_on_between_calls_as_in_one_long_run():
    made, sequence = network(1), symbols(9)
    text = Continuation(made, 0)
    for part in (sequence[:4], sequence[4:5], sequence[5:]):
        logits = text.feed(part)
    np.testing.assert_allclose(logits, naive_logits(made, sequence)[-1], rtol=1e-10)


def test_greedy_text_feeds_back_the_likeliest_symbol():
    made, given = network(1, dropout=0.5), symbols(3)  # dropout drops nothing here
    drawn = list(Continuation(made, 0).draw(given, 30, 0.0, 0, 1.0, 0))
    sequence = list(given)
    for symbol in drawn:
        logits = naive_logits(network(1), np.array(sequence))[-1]
        assert symbol == logits.argmax()
        sequence.append(symbol)


def test_same_seed_draws_the_same_text_and_another_one_another():
    def drawn(seed):
        return list(Continuation(network(1), 0).draw(symbols(3), 100, 1.0, 0, 1.0, seed))

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert set(drawn(1)) == set(range(V))


LOGITS = np.log(np.array([0.1, 0.4, 0.2, 0.2, 0.06, 0.04]))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0.1, 0.4, 0.2, 0.2, 0.06, 0.04]),
        ({"temperature": 0.5}, np.array([0.01, 0.16, 0.04, 0.04, 0.0036, 0.0016])),
        ({"top_k": 1}, [0, 1, 0, 0, 0, 0]),
        ({"top_k": 2}, [0, 2, 1, 1, 0, 0]),  # what equals the last one stays too
        ({"top_k": 4}, [1, 4, 2, 2, 0, 0]),
        ({"top_k": 9}, [0.1, 0.4, 0.2, 0.2, 0.06, 0.04]),
        ({"top_p": 0.39}, [0, 1, 0, 0, 0, 0]),
        ({"top_p": 0.41}, [0, 2, 1, 1, 0, 0]),
        ({"top_p": 0.95}, [10, 40, 20, 20, 6, 0]),
        ({"top_p": 0.95, "top_k": 3}, [0, 2, 1, 1, 0, 0]),
        ({"closed": 2}, [0, 0, 10, 10, 3, 2]),
    ],
)
def test_weights_of_a_draw_are_the_probabilities_that_are_kept(options, expected):
    weights = np.full(V, np.nan)
    given = {"closed": 0, "temperature": 1.0, "top_k": 0, "top_p": 1.0} | options
    total = symbol_weights(LOGITS, *given.values(), weights)
    np.testing.assert_allclose(weights / total, expected / np.sum(expected), rtol=1e-12)
    assert total == pytest.approx(weights.sum())


def test_draws_have_the_frequencies_of_their_weights():
    weights, chances = np.empty(V), (np.arange(1000) + 0.5) / 1000
    found = [draw(LOGITS, 0, 1.0, 0, 1.0, chance, weights) for chance in chances]
    np.testing.assert_array_equal(np.bincount(found), [100, 400, 200, 200, 60, 40])
    assert draw(LOGITS, 0, 0.0, 0, 1.0, 0.99, weights) == 1
