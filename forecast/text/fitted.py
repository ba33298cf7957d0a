"""A trained text model: it continues texts, and tells how likely one is."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast.errors import ParameterError
from forecast.text.model import TextModel, check_number, name_of, pieces_of
from forecast.text.tokens import BOUNDARY, Symbols, Vocabulary, pair

if TYPE_CHECKING:
    from forecast.learning.network import Network
    from forecast.learning.training import History

TAPS = 4  # symbols that the convolution of a block sees
SCORED = 64  # steps of a chunk of a text to be scored


class Score(NamedTuple):
    """How likely a text is to a model."""

    bits_per_character: float
    """Of the text; what its best compression by the model takes."""
    perplexity: float
    """Of a symbol: among so many equally likely ones it would be as hard to foretell."""
    symbols: int
    """Of the text, with its end where that is judged."""

    def __str__(self) -> str:
        return (
            f"{self.bits_per_character:.3f} bits per character, perplexity {self.perplexity:.3g} "
            f"({self.symbols:,} symbols)"
        )


class FittedTextModel:
    """A trained text model.

    Attributes
    ----------
    model : TextModel
        The config.
    vocabulary : Vocabulary
        The symbols that it knows.
    history : History
        What happened in training; ``losses`` and ``validation`` are in nats a symbol.
    """

    def __init__(
        self,
        model: TextModel,
        resolved: TextModel,
        vocabulary: Vocabulary,
        network: "Network",
        history: "History",
        ends: bool,
        characters: float,
    ) -> None:
        self.model = model
        self.resolved = resolved  # the config with what was chosen for the text
        self.vocabulary = vocabulary
        self.network = network
        self.history = history
        self.ends = ends  # whether it learned where texts end
        self.characters = characters  # of a symbol, in the training text

    @property
    def losses_(self) -> dict[int, float]:
        """Training step -> mean loss in nats a symbol since the report before."""
        return self.history.losses

    @property
    def held_out_bits(self) -> float | None:
        """Bits per character of the held-out text at the weights that were kept; None if none was held out."""
        if not self.history.validation:
            return None
        return min(self.history.validation) / math.log(2) / self.characters

    def generate(
        self,
        prompt: str = "",
        length: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
    ) -> str:
        """Continue a text.

        Parameters
        ----------
        prompt : str, default ""
            How the text begins.
        length : int, default 200
            Symbols to add; fewer where a model of several texts draws an end.
        temperature : float, default 1.0
            Below 1 likely symbols become likelier, above 1 less so; 0 always takes the likeliest.
        top_k : int, optional
            Draw among the k likeliest symbols only.
        top_p : float, optional
            Draw among the likeliest symbols that have this probability together.
        seed : int, optional
            The same seed draws the same text; without one every call draws another.

        Returns
        -------
        str
            The prompt and what follows.

        Raises
        ------
        ParameterError
            If an argument is out of its range, or the prompt has symbols that the training text did not have.
        """
        return prompt + "".join(self.stream(prompt, length, temperature, top_k, top_p, seed))

    def stream(
        self,
        prompt: str = "",
        length: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
    ) -> Iterator[str]:
        """What follows a prompt, symbol by symbol; takes what `generate` takes, and raises it before the first."""
        for name, value, least in (("length", length, 0), ("top_k", top_k, 1), ("seed", seed, 0)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise ParameterError(f"{name} is {value!r}; it must be a whole number of at least {least}.")
        check_number("temperature", temperature, "at least 0", lambda value: 0 <= value < math.inf, "")
        if top_p is not None:
            check_number("top_p", top_p, "above 0 and at most 1", lambda value: 0 < value <= 1, "")
        given = np.append(np.int32(BOUNDARY), self.vocabulary.encode(prompt, "The prompt", ParameterError))
        if seed is None:
            seed = int(np.random.SeedSequence().generate_state(1, np.uint64)[0] >> 1)
        return self._stream(given, length, temperature, top_k or 0, 1.0 if top_p is None else top_p, seed)

    def _stream(
        self, given: Symbols, length: int, temperature: float, top_k: int, top_p: float, seed: int
    ) -> Iterator[str]:
        from forecast.learning.symbols import Continuation
        from forecast.learning.warmup import warmup

        warmup(None, *self.model.kernels)
        text = Continuation(self._network(1), closed=BOUNDARY if self.ends else BOUNDARY + 1)
        for symbol in text.draw(given, length, temperature, top_k, top_p, seed):
            if symbol == BOUNDARY:
                return
            yield self.vocabulary.decode(symbol)

    def score(self, texts: str | Sequence[str]) -> Score:
        """How likely a text is to the model, or several together, each read from its start.

        Parameters
        ----------
        texts : str or sequence of str
            A model that learned where texts end judges their ends too.

        Raises
        ------
        DataError
            If a text is empty, or has symbols that the training text did not have.
        """
        from forecast.learning.symbols import score_symbols
        from forecast.learning.warmup import warmup

        pieces = pieces_of(texts)
        parts = [self.vocabulary.encode(piece, name_of(k, pieces)) for k, piece in enumerate(pieces)]
        warmup(None, *self.model.kernels)
        end = np.full(int(self.ends), BOUNDARY, np.int32)
        pairs = [pair(np.append(part, end)) for part in parts]
        nats, count = score_symbols(self._network(SCORED), pairs, self.model.num_threads)
        perplexity = math.exp(min(nats / count, 700.0))
        return Score(nats / math.log(2) / sum(map(len, pieces)), perplexity, count)

    def _network(self, steps: int) -> "Network":
        """The same parameters in a network for chunks of so many steps."""
        network = network_of(replace(self.resolved, chunk_length=steps), self.vocabulary)
        network.theta = self.network.theta
        return network

    def describe(self) -> str:
        """One line on what was learned."""
        held_out = self.held_out_bits
        bits = "" if held_out is None else f", {held_out:.3f} bits per character on held-out text"
        r = self.resolved
        stack = f"{r.num_layers} x {r.hidden_size} units"
        if r.blocks is not None:
            stack = f"blocks {r.blocks} of {r.hidden_size} units in {r.num_heads} heads"
        return (
            f"{stack}, {len(self.vocabulary.symbols):,} "
            f"{self.vocabulary.kind}s, {self.network.size:,} parameters, {self.history.steps:,} steps{bits}"
        )

    def save(self, path: str | Path) -> None:
        """Write the model to a file for `TextModel.load`.

        Raises
        ------
        ParameterError
            If the file cannot be written there.
        """
        from forecast.text.file import save

        save(path, self)


def network_of(resolved: TextModel, vocabulary: Vocabulary) -> "Network":
    """A network for a config of which nothing is left to choose."""
    from forecast.learning.network import Network, symbol_layers

    assert resolved.hidden_size is not None
    if resolved.blocks is not None:
        from forecast.learning.blocks import symbol_block_layers

        return Network(
            symbol_block_layers(
                steps=resolved.chunk_length, symbols=len(vocabulary), embed=resolved.embedding_size,
                width=resolved.hidden_size, blocks=resolved.blocks, heads=resolved.num_heads, taps=TAPS,
                dropout=resolved.dropout > 0,
            )
        )  # fmt: skip
    return Network(
        symbol_layers(
            steps=resolved.chunk_length, symbols=len(vocabulary), embed=resolved.embedding_size,
            hidden=resolved.hidden_size, layers=resolved.num_layers, dropout=resolved.dropout,
        )
    )  # fmt: skip
