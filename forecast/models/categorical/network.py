"""An LSTM over categories: one network for all series of a panel.

Notation: K categories; symbol 0 of the network stands for the start of a series and for a value that was not observed,
symbol k + 1 for category k.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from forecast.errors import DataError, ParameterError
from forecast.learning.network import Network, symbol_layers
from forecast.learning.symbols import UNJUDGED, Pair, Streams, Symbols, cut, foretell, train_symbols
from forecast.learning.training import History, Schedule
from forecast.learning.warmup import warmup
from forecast.models.base import State
from forecast.models.categorical.base import CategoricalModel, FittedCategorical, Floats, checked_categories
from forecast.models.moments import check_observed
from forecast.progress import Progress
from forecast.series.panel import Category, Panel

UNKNOWN = 0
JUDGEABLE = 200  # values from which on some are held out
_LEAST = {
    "embedding_size": 1, "hidden_size": 1, "num_layers": 1, "chunk_length": 1, "batch_size": 1, "max_steps": 1,
    "early_stopping_patience": 0, "n_paths": 1, "seed": 0,
}  # fmt: skip


@dataclass(frozen=True)
class CategoricalLSTM(CategoricalModel):
    """An embedding of categories, a stack of LSTM layers and a softmax, trained to foretell the next category.

    The probabilities one step ahead are the network's own; those further ahead are means over simulated paths.

    Raises
    ------
    ParameterError
        If a field is out of its range.
    """

    is_network: ClassVar[bool] = True
    kernels: ClassVar[tuple[str, ...]] = ("symbols",)
    default_name: ClassVar[str] = "CategoricalLSTM"

    embedding_size: int = 16
    """Numbers that stand for a category."""
    hidden_size: int = 32
    """Units of each LSTM layer."""
    num_layers: int = 1
    """LSTM layers."""
    dropout: float = 0.0
    """Share of values dropped before, between and after the LSTM layers in training, in [0, 1)."""
    chunk_length: int = 64
    """Steps that the gradient goes back."""
    batch_size: int = 32
    """Series, or parts of long ones, that are learned side by side."""
    learning_rate: float = 5e-3
    """Of Adam, falling to 0 along a cosine."""
    max_steps: int = 300
    """Training steps."""
    val_share: float = 0.1
    """Share of each series, at its end, that is held out to keep the best weights by, from 200 values of all series
    on; 0 for none."""
    early_stopping_patience: int = 10
    """Judgements of the held-out values without a better one before training stops; 0 never stops."""
    n_paths: int = 200
    """Paths that are simulated to forecast more than one step ahead."""
    seed: int = 0
    """Start of the random numbers in training and simulation."""
    alias: str | None = None
    """Name of the forecast column."""

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                raise ParameterError(
                    f"CategoricalLSTM's {name} is {value!r}; it must be a whole number of at least {least}."
                )
        for name, lowest, below, range_ in (
            ("dropout", 0.0, 1.0, "in [0, 1)"),
            ("val_share", 0.0, 1.0, "in [0, 1)"),
            ("learning_rate", math.ulp(0.0), math.inf, "above 0"),
        ):
            value = getattr(self, name)
            if not isinstance(value, Real) or isinstance(value, bool) or not lowest <= float(value) < below:
                raise ParameterError(f"CategoricalLSTM's {name} is {value!r}; it must be a number {range_}.")

    def _fit(self, panel: Panel, h: int | None, progress: Progress) -> "FittedCategoricalLSTM":
        check_observed(panel, self.name)
        warmup(progress, *self.kernels)
        held = self.val_share if len(panel.y) >= JUDGEABLE else 0.0
        pairs = [_pair(panel.series(s)) for s in range(len(panel))]
        ends = [len(targets) - int(held * len(targets)) for _, targets in pairs]
        learned = [(inputs[:end], targets[:end]) for (inputs, targets), end in zip(pairs, ends, strict=True)]
        if not any((targets != UNJUDGED).any() for _, targets in learned):
            raise DataError(f"No value is left to train {self.name} with; give longer series or a smaller val_share.")
        steps = min(self.chunk_length, max(len(inputs) for inputs, _ in learned))
        each = -(-self.batch_size // len(learned))  # parts of a series that fill the batch
        parts = [part for inputs, targets in learned for part in cut(inputs, targets, each, steps)]
        streams = Streams(parts, self.batch_size, steps, self.seed)
        held_out = Streams(_judged(pairs, ends), streams.rows, steps) if held else None
        network = _network(self, len(panel.categories), steps)
        network.initialise(self.seed)
        progress.start(self.name, self.max_steps)
        try:
            history = train_symbols(network, streams, self._schedule(streams), self.dropout, progress, held_out)
        finally:
            progress.finish()
        return FittedCategoricalLSTM(self, panel.categories, network, history)

    def _schedule(self, streams: Streams) -> Schedule:
        passes = max(1, round(20 / streams.chunks))  # judged about every 20 steps, after whole passes
        return Schedule(
            max_steps=self.max_steps,
            batch_size=streams.rows,
            learning_rate=self.learning_rate,
            patience=self.early_stopping_patience,
            validate_every=passes * streams.chunks,
            seed=self.seed,
        )


class FittedCategoricalLSTM(FittedCategorical):
    """A trained network."""

    def __init__(
        self, model: CategoricalLSTM, categories: tuple[Category, ...], network: Network, history: History
    ) -> None:
        self.model: CategoricalLSTM = model
        self.categories = categories
        self.network = network
        self.history = history

    @property
    def losses_(self) -> dict[int, float]:
        """Training step -> mean loss in nats since the report before."""
        return self.history.losses

    def probabilities(self, y: Floats, h: int) -> Floats:
        found: Floats = self._foretold([y], h)[0]
        return found

    def all_probabilities(self, panel: Panel, h: int) -> Floats:
        return self._foretold([panel.series(s) for s in range(len(panel))], h)

    def _foretold(self, histories: Sequence[Floats], h: int) -> Floats:
        """(S, h, K) after each history (n,); each is simulated with the same random numbers."""
        one_step = _network(self.model, len(self.categories), 1)
        one_step.theta = self.network.theta
        given = [np.append(np.int32(UNKNOWN), _symbols(y)) for y in histories]
        paths = self.model.n_paths if h > 1 else 1
        found = foretell(one_step, given, h, paths, self.model.seed, UNKNOWN + 1)
        return found[:, :, UNKNOWN + 1 :]

    def describe(self) -> str:
        return (
            f"{self.model.num_layers} x {self.model.hidden_size} units, {len(self.categories)} categories, "
            f"{self.network.size:,} parameters, {self.history.steps:,} steps"
        )

    def state(self) -> State:
        return {"theta": self.network.theta}, {"categories": list(self.categories), "history": vars(self.history)}

    @classmethod
    def from_state(cls, model: Any, arrays: Mapping[str, npt.NDArray[Any]], extra: Mapping[str, Any]) -> Self:
        categories, theta, told = checked_categories(extra["categories"]), arrays["theta"], extra["history"]
        if max(model.hidden_size, model.embedding_size, model.num_layers) > theta.size:
            raise ValueError("there are too few weights")
        network = _network(model, len(categories), 1)
        if theta.shape != network.theta.shape or theta.dtype != network.theta.dtype:
            raise ValueError(f"there are {theta.shape} weights, the config asks for {network.size}")
        network.theta[:] = theta
        return cls(model, categories, network, History.read(told))


CategoricalLSTM.fitted_type = FittedCategoricalLSTM


def _network(model: CategoricalLSTM, categories: int, steps: int) -> Network:
    return Network(
        symbol_layers(
            steps=steps, symbols=categories + 1, embed=model.embedding_size, hidden=model.hidden_size,
            layers=model.num_layers, dropout=model.dropout,
        )
    )  # fmt: skip


def _symbols(y: Floats) -> Symbols:
    return np.nan_to_num(y + 1, nan=UNKNOWN).astype(np.int32)


def _pair(y: Floats) -> Pair:
    """What comes in, and what is asked for after it; nothing where that was not observed."""
    known = _symbols(y)
    return np.append(np.int32(UNKNOWN), known[:-1]), np.where(known == UNKNOWN, np.int32(UNJUDGED), known)


def _judged(pairs: list[Pair], ends: list[int]) -> list[Pair]:
    """The whole sequences, asked for what comes after those ends alone."""
    return [
        (inputs, np.where(np.arange(len(targets)) < end, np.int32(UNJUDGED), targets))
        for (inputs, targets), end in zip(pairs, ends, strict=True)
    ]
