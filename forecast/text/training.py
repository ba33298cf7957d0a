"""How a text model is trained: streams, what is held out, how long."""

from collections.abc import Sequence

import numpy as np

from forecast.learning.symbols import Pair, Streams, cut, train_symbols
from forecast.learning.training import Schedule
from forecast.progress import Progress
from forecast.text.fitted import FittedTextModel, network_of
from forecast.text.model import TextModel
from forecast.text.tokens import BOUNDARY, Symbols, Vocabulary, pair

STEPS, EPOCHS = 3000, (10, 200)  # of training, by default
STREAM = 2048  # symbols of a held-out stream: the start from zeros then weighs little


def trained(
    model: TextModel,
    resolved: TextModel,
    vocabulary: Vocabulary,
    parts: Sequence[Symbols],
    characters: float,
    progress: Progress,
) -> FittedTextModel:
    """Train on the symbols of texts; ``resolved`` leaves nothing to choose, ``characters`` are those of a symbol."""
    share, rows, steps = resolved.val_share or 0.0, resolved.batch_size, resolved.chunk_length
    if len(parts) > 1:
        kept, judged = _held_texts([pair(np.append(part, np.int32(BOUNDARY))) for part in parts], share)
        streams = Streams(kept, rows, steps, resolved.seed)
    else:
        inputs, targets = pair(parts[0])
        first = len(targets) - round(share * len(targets))
        streams = Streams(cut(inputs[:first], targets[:first], rows, steps), rows, steps)
        judged = [(inputs[first:], targets[first:])] if first < len(targets) else []
    held_out = None
    if judged:
        pieces = [piece for one in judged for piece in cut(*one, max(1, len(one[0]) // STREAM), steps)]
        held_out = Streams(pieces, streams.rows, steps)
    least, most = EPOCHS
    epochs = resolved.max_epochs or min(max(-(-STEPS // streams.chunks), least), most)
    schedule = Schedule(
        max_steps=epochs * streams.chunks,
        batch_size=streams.rows,
        learning_rate=resolved.learning_rate,
        clip_norm=resolved.clip_norm,
        patience=resolved.early_stopping_patience,
        validate_every=streams.chunks,
        seed=resolved.seed,
    )
    network = network_of(resolved, vocabulary)
    network.initialise(resolved.seed)
    progress.start("TextModel", schedule.max_steps)
    try:
        history = train_symbols(network, streams, schedule, resolved.dropout, progress, held_out, resolved.num_threads)
    finally:
        progress.finish()
    return FittedTextModel(model, resolved, vocabulary, network, history, len(parts) > 1, characters)


def _held_texts(parts: Sequence[Pair], share: float) -> tuple[Sequence[Pair], Sequence[Pair]]:
    """Texts to learn from, at least one, and the last ones, with about that share of all symbols."""
    sizes = np.cumsum([len(inputs) for inputs, _ in parts])
    kept = max(1, int(np.searchsorted(sizes, (1 - share) * sizes[-1]) + 1))
    return parts[:kept], parts[kept:]
