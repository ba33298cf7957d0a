"""TextModel: an LSTM that foretells the next symbol of a text; its config."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from forecast.errors import DataError, ParameterError
from forecast.progress import Progress, Silent
from forecast.text.tokens import Vocabulary, check_tokens

if TYPE_CHECKING:
    from forecast.text.fitted import FittedTextModel

MANY = 100_000  # symbols from which on a text feeds a larger network
HELD_OUT = 0.05  # share of a text of at least so many symbols:
JUDGEABLE = 20_000

_LEAST = {
    "embedding_size": 1, "hidden_size": 1, "num_layers": 1, "num_heads": 1, "chunk_length": 1, "batch_size": 1,
    "max_epochs": 1, "early_stopping_patience": 0, "seed": 0, "num_threads": 1,
}  # fmt: skip
_MAY_BE_NONE = ("hidden_size", "max_epochs", "val_share", "num_threads")


@dataclass(frozen=True)
class TextModel:
    """An embedding of symbols, a stack of LSTM layers or xLSTM blocks, and a softmax, to foretell the next symbol.

    The text is cut into streams that are learned side by side, chunk after chunk; the network's state goes on from one
    chunk to the next, the gradient does not. Graves (2013), Sutskever et al. (2011).

    Raises
    ------
    ParameterError
        If a field is out of its range.

    Examples
    --------
    >>> from forecast import TextModel
    >>> model = TextModel(hidden_size=32, max_epochs=60, seed=1).fit("abcabcabcabcabcabcabcabcabc")
    >>> model.generate("ab", 6, temperature=0)
    'abcabcab'
    """

    tokens: str | Sequence[str] = "characters"
    """"characters" (any Unicode), "words", or a list of all tokens; of two that fit, the longer one is taken."""
    embedding_size: int = 64
    """Numbers that stand for a symbol."""
    hidden_size: int | None = None
    """Units of each LSTM layer, or width of the blocks; None: 128, for texts of 100,000 symbols and more 256."""
    num_layers: int = 1
    """LSTM layers."""
    blocks: str | None = None
    """Residual blocks of xLSTM in place of LSTM layers: their kinds in order, "s" for sLSTM, "m" for mLSTM, as "sm";
    ``hidden_size`` is then their width. Beck et al. (2024)."""
    num_heads: int = 4
    """Heads of the blocks' cells, between which nothing is mixed; ``hidden_size`` is a multiple of it."""
    dropout: float = 0.0
    """Share of values dropped before, between and after the LSTM layers, or at the end of blocks, in training, in
    [0, 1)."""
    chunk_length: int = 64
    """Steps that the gradient goes back."""
    batch_size: int = 32
    """Streams that are learned side by side; fewer for short texts."""
    learning_rate: float = 5e-3
    """Of Adam, falling to 0 along a cosine."""
    clip_norm: float = 1.0
    """Largest norm of a gradient; 0 for no limit."""
    max_epochs: int | None = None
    """Passes over the text; None: as many as make 3,000 steps, but 10 at least and 200 at most."""
    val_share: float | None = None
    """Share of the text, at its end, that is held out to stop early by; None: 0.05 of 20,000 symbols and more."""
    early_stopping_patience: int = 3
    """Epochs without a better figure on the held-out text before training stops; 0 never stops."""
    seed: int = 0
    """Start of the random numbers in training."""
    num_threads: int | None = None
    """Threads to train with; None: all. The result does not depend on them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", check_tokens(self.tokens))
        for name, least in _LEAST.items():
            value = getattr(self, name)
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= least
            if not whole and not (value is None and name in _MAY_BE_NONE):
                raise ParameterError(f"TextModel's {name} is {value!r}; it must be a whole number of at least {least}.")
        self._check_blocks()
        check_number("learning_rate", self.learning_rate, "above 0", lambda value: 0 < value < math.inf)
        check_number("clip_norm", self.clip_norm, "at least 0", lambda value: 0 <= value < math.inf)
        for name in ("dropout", "val_share"):
            if getattr(self, name) is not None or name not in _MAY_BE_NONE:
                check_number(name, getattr(self, name), "in [0, 1)", lambda value: 0 <= value < 1)

    def _check_blocks(self) -> None:
        """Refuse blocks that are none, and what contradicts them."""
        if self.blocks is None:
            return
        if not isinstance(self.blocks, str) or not self.blocks or {*self.blocks} - {*"sm"}:
            raise ParameterError(
                f"TextModel's blocks is {self.blocks!r}; it must be a text of 's' (sLSTM) and 'm' (mLSTM), such as "
                "'sm', or None for LSTM layers."
            )
        if self.num_layers != 1:
            raise ParameterError(
                f"TextModel's num_layers {self.num_layers} counts LSTM layers, but blocks is {self.blocks!r}; leave "
                "one of them out."
            )
        if self.hidden_size is not None and self.hidden_size % self.num_heads:
            raise ParameterError(
                f"TextModel's hidden_size {self.hidden_size} is no multiple of its num_heads {self.num_heads}; "
                "change either."
            )

    @property
    def kernels(self) -> tuple[str, ...]:
        """The groups that ``learning.warmup`` compiles for it."""
        return ("symbols",) if self.blocks is None else ("symbols", "blocks", "symbol-blocks")

    def fit(self, texts: str | Sequence[str], progress: Progress | None = None) -> "FittedTextModel":
        """Learn from one text, or from several that have nothing to do with each other.

        Parameters
        ----------
        texts : str or sequence of str
            Of several, each is learned with its end, so that `FittedTextModel.generate` knows where to stop.
        progress : Progress, optional
            Told how far the work is, with the loss in nats a symbol and in bits a character.

        Raises
        ------
        DataError
            If there are fewer than two symbols, or training diverges.
        """
        from forecast.learning.warmup import warmup
        from forecast.text.training import trained

        progress = progress or Silent()
        pieces = pieces_of(texts)
        vocabulary = Vocabulary.of(check_tokens(self.tokens), pieces)
        parts = [vocabulary.encode(piece, name_of(k, pieces)) for k, piece in enumerate(pieces)]
        count = sum(map(len, parts))
        if count < 2:
            raise DataError(f"The text has {count} symbols; give one of at least 2, better of some thousands.")
        resolved = self._resolved(count, max(map(len, parts)) + (len(parts) > 1))
        warmup(progress, *self.kernels)
        return trained(self, resolved, vocabulary, parts, sum(map(len, pieces)) / count, progress)

    def _resolved(self, count: int, longest: int) -> "TextModel":
        """The same config with every None replaced by a choice for texts of ``count`` symbols."""
        share, hidden = self.val_share, self.hidden_size or (256 if count >= MANY else 128)
        return replace(
            self,
            hidden_size=hidden if self.blocks is None else -(-hidden // self.num_heads) * self.num_heads,
            chunk_length=min(self.chunk_length, longest),
            val_share=(HELD_OUT if count >= JUDGEABLE else 0.0) if share is None else share,
        )

    @staticmethod
    def load(path: str | Path) -> "FittedTextModel":
        """Read what `FittedTextModel.save` wrote.

        Raises
        ------
        ModelFileError
            If the file is missing, truncated, of another version, or holds no text model.
        """
        from forecast.text.file import load

        return load(path)


def pieces_of(texts: str | Sequence[str]) -> list[str]:
    """One text or several as a list.

    Raises
    ------
    DataError
        If there is none, or one is empty or no text.
    """
    pieces = [texts] if isinstance(texts, str) else list(texts)
    other = next((piece for piece in pieces if not isinstance(piece, str)), None)
    if other is not None:
        raise DataError(f"A text of type {type(other).__name__} cannot be read; give a str, or several in a list.")
    if not any(pieces):
        raise DataError("The text is empty; give one of at least one symbol.")
    if "" in pieces:
        raise DataError(f"Text {pieces.index('') + 1} of {len(pieces)} is empty; leave it out.")
    return pieces


def name_of(k: int, pieces: Sequence[str]) -> str:
    """How a message calls text ``k``."""
    return "The text" if len(pieces) == 1 else f"Text {k + 1} of {len(pieces)}"


def check_number(
    name: str, value: object, range_: str, allowed: Callable[[float], bool], whose: str = "TextModel's "
) -> None:
    """Refuse what is no number, or out of its range."""
    if not isinstance(value, Real) or isinstance(value, bool) or not allowed(float(value)):
        raise ParameterError(f"{whose}{name} is {value!r}; it must be a number {range_}.")
