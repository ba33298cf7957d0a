"""Texts as symbols: characters of any script, words, given tokens; what is unknown is named."""

import pytest

from forecast.errors import DataError, ParameterError
from forecast.text.tokens import Vocabulary, check_tokens


def pieces(tokens, text):
    vocabulary = Vocabulary.of(tokens, [text])
    return [vocabulary.decode(symbol) for symbol in vocabulary.encode(text, "The text")]


@pytest.mark.parametrize("text", ["少林寺\n武当派", "naïve 👩‍🔬 ﷽\x00\t", "e\u0301"])
def test_characters_are_code_points_of_any_script(text):
    assert pieces("characters", text) == list(text)


def test_words_keep_every_character_of_the_text():
    text = "Don't panic,\n\nétude  no. 12!"
    assert pieces("words", text)[:4] == ["Don", "'", "t", " "]
    assert "".join(pieces("words", text)) == text


def test_of_two_given_tokens_that_fit_the_longer_one_is_taken():
    assert pieces(("a", "ab", "b.", "."), "abab.a.") == ["ab", "ab", ".", "a", "."]


def test_symbols_do_not_depend_on_the_order_of_the_texts():
    assert Vocabulary.of("characters", ["ba", "c"]) == Vocabulary.of("characters", ["c", "ab"])


def test_unseen_characters_are_named_once_with_some_that_are_known():
    vocabulary = Vocabulary.of("characters", ["abc"])
    with pytest.raises(DataError, match=r"^The prompt has the characters 'x', 'y' that .* 3 characters \('a', 'b', 'c"):
        vocabulary.encode("xaxy", "The prompt")
    with pytest.raises(ParameterError, match=r"has the character 'z' that"):
        vocabulary.encode("z", "The prompt", ParameterError)


def test_what_no_given_token_stands_for_is_named():
    with pytest.raises(DataError, match=r"^The text has 'c', which no token stands for; add it to tokens\.$"):
        Vocabulary.of(("a", "b"), []).encode("abc", "The text")


@pytest.mark.parametrize(
    ("tokens", "match"),
    [
        ("letters", "choose characters, words"),
        ((), "not empty"),
        (("a", ""), "not empty"),
        (("a", "b", "a"), "'a' twice"),
    ],
)
def test_impossible_tokens_are_refused(tokens, match):
    with pytest.raises(ParameterError, match=match):
        check_tokens(tokens)
