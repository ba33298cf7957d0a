"""Texts as sequences of symbols: characters, words, or tokens of a given list.

Symbol 0 is the boundary: it stands before every text, and after one where there are several.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from forecast.errors import DataError, ForecastError, ParameterError

Symbols = npt.NDArray[np.int32]

BOUNDARY = 0
KINDS = {"characters": "character", "words": "word"}
_WORDS = re.compile(r"\w+|\W", re.DOTALL)
_SHOWN = 5  # symbols that a message names


@dataclass(frozen=True)
class Vocabulary:
    """The symbols of a model, and how a text is split into them."""

    tokens: str | tuple[str, ...]
    """"characters", "words" (letters and digits together, everything else by itself), or all tokens there are."""
    symbols: tuple[str, ...]
    """Symbol k + 1 of the network."""

    @classmethod
    def of(cls, tokens: str | tuple[str, ...], texts: Sequence[str]) -> "Vocabulary":
        """Learn the symbols of texts, in the order of their code points; given tokens stay as they are."""
        if not isinstance(tokens, str):
            return cls(tokens, tokens)
        split = _splitter(tokens)
        return cls(tokens, tuple(sorted(set().union(*(split(text) for text in texts)))))

    def __len__(self) -> int:
        """V, the boundary included."""
        return len(self.symbols) + 1

    @property
    def kind(self) -> str:
        """What a symbol is called."""
        return KINDS.get(str(self.tokens), "token")

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {symbol: k + 1 for k, symbol in enumerate(self.symbols)}

    @cached_property
    def _split(self) -> Callable[[str], list[str]]:
        return _splitter(self.tokens)

    def encode(self, text: str, what: str, error: type[ForecastError] = DataError) -> Symbols:
        """Symbols (n,) of a text.

        Raises
        ------
        ForecastError
            Of the class given, if the text has symbols that the vocabulary lacks; ``what`` names the text.
        """
        parts = self._split(text)
        found = np.array([self._numbers.get(part, -1) for part in parts], np.int32)
        if (found < 0).any():
            raise error(self._unknown(what, [parts[k] for k in np.flatnonzero(found < 0)]))
        return found

    def decode(self, symbol: int) -> str:
        """The text of a symbol."""
        return self.symbols[symbol - 1]

    def _unknown(self, what: str, parts: list[str]) -> str:
        unknown = list(dict.fromkeys(parts))
        named = ", ".join(map(repr, unknown[:_SHOWN])) + (" ..." if len(unknown) > _SHOWN else "")
        if not isinstance(self.tokens, str):
            return f"{what} has {named}, which no token stands for; add it to tokens."
        known = ", ".join(map(repr, self.symbols[:_SHOWN])) + (" ..." if len(self.symbols) > _SHOWN else "")
        plural = f"{self.kind}s" if len(unknown) > 1 else self.kind
        return (
            f"{what} has the {plural} {named} that the training text did not have; leave out what is not among its "
            f"{len(self.symbols):,} {self.kind}s ({known}), or train on a text that has it."
        )


def pair(symbols: Symbols) -> tuple[Symbols, Symbols]:
    """Inputs and targets of a text: each symbol is asked for after the one before it, the first after the boundary."""
    return np.append(np.int32(BOUNDARY), symbols[:-1]), symbols


def check_tokens(tokens: str | Sequence[str]) -> str | tuple[str, ...]:
    """The kind of tokens, or a list of them.

    Raises
    ------
    ParameterError
        If the kind is unknown, or the list is empty, holds an empty token, or one twice.
    """
    if isinstance(tokens, str):
        if tokens not in KINDS:
            raise ParameterError(f"tokens is {tokens!r}; choose {', '.join(KINDS)}, or give a list of tokens.")
        return tokens
    found = tuple(tokens)
    if not found or not all(isinstance(token, str) and token for token in found):
        raise ParameterError(f"tokens is {found!r:.80}; a list of tokens holds texts that are not empty.")
    twice = next((token for token in found if found.count(token) > 1), None) if len(set(found)) < len(found) else None
    if twice is not None:
        raise ParameterError(f"tokens has {twice!r} twice; list each token once.")
    return found


def _splitter(tokens: str | tuple[str, ...]) -> Callable[[str], list[str]]:
    if tokens == "characters":
        return list
    if tokens == "words":
        return _WORDS.findall
    longest_first = sorted(tokens, key=len, reverse=True)
    return re.compile("|".join([*map(re.escape, longest_first), "."]), re.DOTALL).findall
