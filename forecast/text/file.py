"""Text models as files, of the same kind as those of forecasters: safetensors with a JSON document, never pickle."""

from dataclasses import asdict, replace
from pathlib import Path

from forecast.errors import ModelFileError
from forecast.storage import damage_told, expect, read_document, write_document
from forecast.text.fitted import FittedTextModel, network_of
from forecast.text.model import TextModel
from forecast.text.tokens import Vocabulary, check_tokens

_CHOSEN = ("hidden_size", "chunk_length", "val_share")


def save(path: str | Path, fitted: FittedTextModel) -> None:
    """Write a text model; the file appears whole or not at all."""
    document = {
        "config": asdict(fitted.model),
        "resolved": {name: getattr(fitted.resolved, name) for name in _CHOSEN},
        "symbols": list(fitted.vocabulary.symbols),
        "ends": fitted.ends,
        "characters": fitted.characters,
        "history": vars(fitted.history),
    }
    write_document(path, {"text": document}, {"theta": fitted.network.theta})


def load(path: str | Path) -> FittedTextModel:
    """Read what `save` wrote; every size is checked before a kernel sees it.

    Raises
    ------
    ModelFileError
        If the file is missing, truncated, of another version, or holds no text model.
    """
    from forecast.learning.training import History

    header, arrays = read_document(path, "forecast text train FILE -o")
    if "text" not in header:
        raise ModelFileError(f"{path} holds no text model; use it with `forecast predict {path}`.")
    with damage_told(path):
        document, theta = header["text"], arrays["theta"]
        symbols = tuple(document["symbols"])
        expect(all(isinstance(symbol, str) and symbol for symbol in symbols), "a symbol is no text")
        expect(len(set(symbols)) == len(symbols) >= 1, "a symbol stands twice in it, or there is none")
        model = TextModel(**document["config"])
        resolved = replace(model, **document["resolved"])
        tokens = check_tokens(model.tokens)
        expect(isinstance(tokens, str) or tokens == symbols, "its symbols are not its tokens")
        vocabulary = Vocabulary(tokens, symbols)
        least = len(vocabulary) * resolved.embedding_size  # before anything of that size is made
        depth = max(resolved.num_layers, len(resolved.blocks or ""))
        expect(max(least, depth, int(resolved.hidden_size or 0)) <= theta.size, "it has too few weights")
        network = network_of(resolved, vocabulary)
        expect(theta.shape == network.theta.shape and theta.dtype == network.theta.dtype, "its weights do not fit")
        network.theta[:] = theta
        ends, characters, told = document["ends"], float(document["characters"]), document["history"]
        expect(isinstance(ends, bool) and characters > 0, "it does not say what texts it learned")
        history = History.read(told)
    return FittedTextModel(model, resolved, vocabulary, network, history, ends, characters)
