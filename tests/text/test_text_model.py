"""TextModel: it learns the texts it is given, continues and scores them, and comes back from its file."""

import itertools
import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save as dump

from forecast import Forecaster, Naive, TextModel
from forecast.errors import DataError, ModelFileError, ParameterError
from forecast.progress import Silent
from forecast.series import datasets

SMALL = TextModel(embedding_size=8, hidden_size=24, chunk_length=16, batch_size=4, max_epochs=60, seed=1)
NAMES = ["红叶门", "红叶剑派", "白云观", "白云山庄", "青石帮"]
VERSE = "one two three four five six seven eight nine ten\n" * 8


@pytest.fixture(scope="module")
def counting():
    return SMALL.fit(VERSE)


@pytest.fixture(scope="module")
def names():
    return replace(SMALL, max_epochs=150, learning_rate=0.02).fit(NAMES)


# ------------------------------------------------------------------------------------------ learning


def test_text_that_was_learned_is_continued(counting):
    assert counting.generate("one two", 25, temperature=0) == "one two three four five six seve"
    assert "".join(counting.stream("nine ", 3, temperature=0)) == "ten"


def test_words_are_learned_as_symbols():
    fitted = replace(SMALL, tokens="words").fit(VERSE)
    assert fitted.generate("six ", 3, temperature=0) == "six seven eight"
    assert fitted.score(VERSE).symbols == VERSE.count(" ") * 2 + 2 * 8


def test_given_tokens_are_the_symbols():
    fitted = TextModel(["ab", "a", " "], hidden_size=8, max_epochs=1).fit("ab a ab a ab a")
    assert fitted.score("ab a").symbols == 3


def test_names_end_where_names_of_the_corpus_end(names):
    drawn = {names.generate("", 20, seed=seed) for seed in range(40)}
    assert drawn >= set(NAMES)  # in any order, not as they stood in the list
    assert {names.generate("红叶", 20, temperature=0.5, seed=seed) for seed in range(20)} == set(NAMES[:2])


def test_training_is_the_same_every_time_and_differs_by_seed():
    tiny = replace(SMALL, max_epochs=2, dropout=0.2)
    first, again, other = tiny.fit(VERSE), tiny.fit(VERSE), replace(tiny, seed=2).fit(VERSE)
    one_thread = replace(tiny, num_threads=1).fit(VERSE)
    assert first.network.theta.tobytes() == again.network.theta.tobytes() == one_thread.network.theta.tobytes()
    assert first.network.theta.tobytes() != other.network.theta.tobytes()


def test_held_out_end_stops_training_and_the_best_weights_stay():
    rng = np.random.default_rng(0)
    noise = "".join(rng.choice(list("abcd"), 1500))  # nothing can be learned but by heart
    fitted = replace(SMALL, val_share=0.2, max_epochs=100, early_stopping_patience=2).fit(noise)
    judged = fitted.history.validation
    assert len(judged) < 30
    assert np.argmin(judged) == len(judged) - 3
    assert fitted.held_out_bits == pytest.approx(2, abs=0.1)
    assert "bits per character on held-out text" in fitted.describe()


def test_held_out_texts_are_whole_ones(names):
    fitted = replace(SMALL, val_share=0.2, max_epochs=1).fit(NAMES)
    assert len(fitted.history.validation) == 1
    assert names.history.validation == []


def test_progress_is_told_loss_and_bits():
    told = []

    class Told(Silent):
        def advance(self, steps=1, **figures):
            told.append(figures)

    replace(SMALL, max_epochs=2).fit(VERSE, Told())
    last = told[-1]
    assert last["bits/character"] == pytest.approx(last["loss"] / math.log(2))


# ------------------------------------------------------------------------------------------ continuing


def test_stream_is_what_generate_returns(counting):
    options = {"length": 150, "temperature": 1.3, "top_k": 5, "top_p": 0.9, "seed": 7}
    assert "one" + "".join(counting.stream("one", **options)) == counting.generate("one", **options)
    assert counting.generate("one", **options | {"length": 20}) == counting.generate("one", **options)[:23]


def test_without_a_seed_every_text_is_another(counting):
    assert counting.generate("", 50, temperature=3.0) != counting.generate("", 50, temperature=3.0)


def test_nothing_is_added_where_nothing_is_asked_for(counting):
    assert counting.generate("one", 0) == "one"


def test_single_text_never_ends_early(counting):
    assert len(counting.generate("", 2000, temperature=50.0, seed=1)) == 2000


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"prompt": "z!"}, r"The prompt has the characters 'z', '!' that"),
        ({"length": -1}, "length is -1"),
        ({"temperature": -0.1}, "temperature is -0.1"),
        ({"temperature": math.nan}, "temperature is nan"),
        ({"top_k": 0}, "top_k is 0"),
        ({"top_p": 0.0}, "top_p is 0.0"),
        ({"top_p": 1.1}, "top_p is 1.1"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_impossible_wishes_are_refused_before_the_first_symbol(counting, options, match):
    with pytest.raises(ParameterError, match=match):
        counting.stream(**options)


# ------------------------------------------------------------------------------------------ scoring


def test_score_is_the_sum_of_what_each_symbol_costs(counting):
    whole, part = counting.score("one two"), counting.score("one")
    rest = whole.bits_per_character * 7 - part.bits_per_character * 3
    assert whole.symbols == 7
    assert rest > 0
    assert whole.perplexity == pytest.approx(2**whole.bits_per_character)
    assert counting.score("eno").bits_per_character > part.bits_per_character


def test_names_of_the_corpus_have_nearly_all_of_the_probability(names):
    chances = [2 ** -(names.score(name).bits_per_character * len(name)) for name in NAMES]
    assert sum(chances) == pytest.approx(1, abs=0.1)
    assert sum(chances) < 1


def test_several_texts_are_scored_each_from_its_start(names):
    each = [names.score(name) for name in NAMES]
    bits = sum(one.bits_per_character * len(name) for one, name in zip(each, NAMES, strict=True))
    together = names.score(NAMES)
    assert together.bits_per_character == pytest.approx(bits / len("".join(NAMES)))
    assert together.symbols == len("".join(NAMES)) + len(NAMES)


# ------------------------------------------------------------------------------------------ what cannot be


@pytest.mark.parametrize("texts", ["", [], ["a", ""], [b"abc"], 5 * ["ab"] + [3]])
def test_texts_that_are_none_are_refused(texts, counting):
    for use in (SMALL.fit, counting.score):
        with pytest.raises(DataError, match=r"^[^\n]*\.$"):
            use(texts)


def test_text_of_one_symbol_is_refused():
    with pytest.raises(DataError, match="has 1 symbols"):
        SMALL.fit("a")


@pytest.mark.parametrize(
    "options",
    [
        {"tokens": "letters"}, {"hidden_size": 0}, {"embedding_size": 2.5}, {"num_layers": True}, {"dropout": 1.0},
        {"learning_rate": 0.0}, {"learning_rate": math.nan}, {"val_share": 1.0}, {"max_epochs": 0}, {"seed": -1},
        {"clip_norm": -1}, {"early_stopping_patience": None},
    ],
)  # fmt: skip
def test_impossible_configs_are_refused(options):
    with pytest.raises(ParameterError, match=next(iter(options))):
        TextModel(**options)


# ------------------------------------------------------------------------------------------ files


def rewritten(path, change):
    with safe_open(path, framework="numpy") as file:
        header, theta = json.loads(file.metadata()["gatecast"]), file.get_tensor("theta")
    theta = change(header["text"], theta)
    path.write_bytes(dump({} if theta is None else {"theta": theta}, {"gatecast": json.dumps(header)}))


def test_model_comes_back_from_its_file_bit_for_bit(names, tmp_path):
    names.save(tmp_path / "model")
    loaded = TextModel.load(tmp_path / "model")
    assert loaded.network.theta.tobytes() == names.network.theta.tobytes()
    assert (loaded.model, loaded.vocabulary) == (names.model, names.vocabulary)
    assert loaded.generate("红", 9, seed=3) == names.generate("红", 9, seed=3)
    assert loaded.score(NAMES) == names.score(NAMES)
    assert (loaded.describe(), loaded.losses_) == (names.describe(), names.losses_)


def test_given_tokens_come_back_from_the_file(tmp_path):
    fitted = TextModel(["ab", "a"], hidden_size=4, max_epochs=1).fit("abaab")
    fitted.save(tmp_path / "model")
    assert TextModel.load(tmp_path / "model").score("aba") == fitted.score("aba")


@pytest.mark.parametrize(
    "change",
    [
        lambda text, theta: theta[:-1],
        lambda text, theta: theta.astype(np.float64),
        lambda text, theta: None,
        lambda text, theta: text["symbols"].pop() and theta,
        lambda text, theta: text["symbols"].__setitem__(0, text["symbols"][1]) or theta,
        lambda text, theta: text["symbols"].__setitem__(0, 7) or theta,
        lambda text, theta: text["config"].update(hidden_size=-3) or theta,
        lambda text, theta: text["config"].update(embedding_size=10**12) or theta,
        lambda text, theta: text["resolved"].update(hidden_size=10**9) or theta,
        lambda text, theta: text["config"].update(num_layers=10**9) or theta,
        lambda text, theta: text["config"].update(what=1) or theta,
        lambda text, theta: text.update(ends=1, characters="x") or theta,
        lambda text, theta: text.pop("history") and theta,
    ],
)
def test_damaged_files_raise_one_sentence(names, tmp_path, change):
    names.save(tmp_path / "model")
    rewritten(tmp_path / "model", change)
    with pytest.raises(ModelFileError, match=r"^[^\n]*model is damaged [^\n]*\.$"):
        TextModel.load(tmp_path / "model")


def test_models_of_texts_and_of_series_are_told_apart(names, tmp_path):
    names.save(tmp_path / "text")
    with pytest.raises(ModelFileError, match="holds a text model; use it with `forecast text generate"):
        Forecaster.load(tmp_path / "text")
    Forecaster(Naive()).fit(datasets.load("air_passengers")).save(tmp_path / "series")
    with pytest.raises(ModelFileError, match="holds no text model; use it with `forecast predict"):
        TextModel.load(tmp_path / "series")
    with pytest.raises(ModelFileError, match="make one with `forecast text train FILE -o nothing`"):
        TextModel.load(tmp_path / "nothing")


# ------------------------------------------------------------------------------------------ blocks of xLSTM


@pytest.fixture(scope="module", params=["s", "m", "sm"])
def of_blocks(request):
    return replace(SMALL, blocks=request.param, num_heads=2, max_epochs=50).fit(VERSE)


def test_blocks_learn_a_text_too_and_continue_it(of_blocks):
    assert of_blocks.generate("one two", 25, temperature=0) == "one two three four five six seve"
    assert of_blocks.describe().startswith(f"blocks {of_blocks.model.blocks} of 24 units in 2 heads, ")


def test_blocks_draw_what_they_score(of_blocks):
    """The state goes on from symbol to symbol as from chunk to chunk: texts likely to the one are so to the other."""
    from forecast.learning.symbols import Continuation

    text = VERSE[:150]
    symbols = np.append(np.int32(0), of_blocks.vocabulary.encode(text, "it"))
    continuation, nats = Continuation(of_blocks._network(1), closed=0), 0.0
    for here, after in itertools.pairwise(symbols):
        logits = continuation.feed(np.array([here], np.int32)).astype(np.float64)
        nats -= logits[after] - np.log(np.exp(logits).sum())
    assert nats / math.log(2) / len(text) == pytest.approx(of_blocks.score(text).bits_per_character, rel=1e-4)


def test_blocks_come_back_from_their_file(of_blocks, tmp_path):
    of_blocks.save(tmp_path / "model")
    again = TextModel.load(tmp_path / "model")
    assert again.model == of_blocks.model
    assert again.generate("one", 30, seed=3) == of_blocks.generate("one", 30, seed=3)
    assert again.score(VERSE) == of_blocks.score(VERSE)


def test_blocks_go_on_in_a_process_that_has_trained_nothing(of_blocks, tmp_path):
    of_blocks.save(tmp_path / "model")
    call = f"TextModel.load({str(tmp_path / 'model')!r}).generate('one', 30, seed=3)"
    script = f"from forecast import TextModel; print({call})"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == of_blocks.generate("one", 30, seed=3) + "\n"


def test_width_of_blocks_is_a_multiple_of_their_heads():
    fitted = TextModel(blocks="s", num_heads=3, max_epochs=1).fit("ab" * 40)
    assert fitted.resolved.hidden_size == 129


@pytest.mark.parametrize(("options", "message"), [
    ({"blocks": "sx"}, r"TextModel's blocks is 'sx'; it must be a text of 's' \(sLSTM\) and 'm' \(mLSTM\), such as"),
    ({"blocks": ""}, r"blocks is ''"),
    ({"blocks": "s", "num_layers": 2}, r"num_layers 2 counts LSTM layers, but blocks is 's'; leave one of them out"),
    ({"blocks": "s", "hidden_size": 30}, r"hidden_size 30 is no multiple of its num_heads 4; change either"),
    ({"num_heads": 0}, r"num_heads is 0; it must be a whole number of at least 1"),
])  # fmt: skip
def test_blocks_that_cannot_work_are_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        TextModel(**options)
