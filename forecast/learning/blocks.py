"""xLSTM's residual blocks as layers of a network's table.

Beck et al. 2024 (arXiv 2405.04517), figures 10 and 11: a block is one or two branches, each of which starts with a
layer norm and is added to what it started from. Where the paper leaves a choice: q, k and v are linear within each
head; the feed-forward layer is gated by swish; dropout is at the end of a branch.

Notation: T patches, D width of the blocks, N heads, K steps that the causal convolution sees.
"""

from collections.abc import Callable, Sequence

from forecast.learning.network import Layer, head_layers
from forecast_kernels.network import table as kernels

UP = 2  # width of the inner layers of an mLSTM block, in D
FEED_FORWARD = 4 / 3  # width of the feed-forward layer of an sLSTM block, in D
_WHOLE = 16  # which is rounded up to a multiple of this: vectors are then full


def block_layers(
    *,
    steps: int,
    inputs: int,
    width: int,
    blocks: str,
    heads: int,
    taps: int,
    dropout: bool,
    extra: int,
    head: int,
    outputs: int,
) -> list[Layer]:
    """Linear layer -> blocks -> layer norm -> last step and extras -> [hidden layer] -> outputs.

    Parameters
    ----------
    steps, inputs : int
        T patches of F values.
    width : int
        D, a multiple of ``heads``.
    blocks : str
        Kinds of the blocks in their order: "s" for sLSTM, "m" for mLSTM.
    heads, taps : int
        N; K, or 0 for no convolution.
    dropout : bool
        Whether to put dropout on the branches.
    extra, head, outputs : int
        As of `recurrent_layers`.
    """
    stack = [Layer("embed", kernels.DENSE, inputs, width, steps)]
    for k, kind in enumerate(blocks):
        # only the last step leaves the last block: what follows its cell is computed for that step alone
        stack += BLOCKS[kind](f"block.{k}", stack[-1], heads, taps, dropout, 1 if k == len(blocks) - 1 else steps)
    stack.append(Layer("norm", kernels.NORM, width, width, 1))
    return stack + head_layers(stack[-1], extra=extra, head=head, outputs=outputs)


def symbol_block_layers(
    *, steps: int, symbols: int, embed: int, width: int, blocks: str, heads: int, taps: int, dropout: bool
) -> list[Layer]:
    """Embedding of symbols -> [linear layer] -> blocks -> layer norm -> a logit for each symbol, every step.

    Parameters
    ----------
    steps, symbols, embed : int
        T of a chunk; V; width of the embedding, from which a linear layer leads to the blocks if theirs is another.
    width, blocks, heads, taps, dropout
        As of `block_layers`.
    """
    stack = [Layer("embed", kernels.EMBED, symbols, embed, steps)]
    if embed != width:
        stack.append(Layer("widen", kernels.DENSE, embed, width, steps))
    for k, kind in enumerate(blocks):
        stack += BLOCKS[kind](f"block.{k}", stack[-1], heads, taps, dropout, steps)
    stack.append(Layer("norm", kernels.NORM, width, width, steps))
    return [*stack, Layer("output", kernels.DENSE, width, symbols, steps)]


def slstm_block(name: str, before: Layer, heads: int, taps: int, dropout: bool, wanted: int) -> list[Layer]:
    """Norm -> [convolution, for the gates i and f] -> sLSTM -> norm of each head; then a gated feed-forward layer.

    ``wanted`` steps are computed of what follows the cell: all, or the last one.
    """
    T, D = before.steps, before.n_out
    wide = -(-int(FEED_FORWARD * D) // _WHOLE) * _WHOLE
    cell = [Layer(f"{name}.norm", kernels.NORM, D, D, T, source=before.name)]
    if taps:
        cell.append(Layer(f"{name}.conv", kernels.CONV, D, D, T, taps=taps))
    cell += [
        Layer(f"{name}.slstm", kernels.SLSTM, D, D, T, second=f"{name}.norm", heads=heads),
    ]
    (start, state), taken = _steps((before, cell[-1]), wanted)
    T = wanted
    mixed = [
        Layer(f"{name}.heads", kernels.NORM, D, D, T, source=state.name, heads=heads),
        *_end(f"{name}.mixed", start, T, dropout),
    ]
    feed = [
        Layer(f"{name}.norm2", kernels.NORM, D, D, T),
        Layer(f"{name}.gate", kernels.DENSE, D, wide, T),
        Layer(f"{name}.up", kernels.DENSE, D, wide, T, source=f"{name}.norm2"),
        Layer(f"{name}.gated", kernels.GATE, wide, wide, T, second=f"{name}.gate"),
        Layer(f"{name}.down", kernels.DENSE, wide, D, T),
        *_end(name, mixed[-1], T, dropout),
    ]
    return [*cell, *taken, *mixed, *feed]


def mlstm_block(name: str, before: Layer, heads: int, taps: int, dropout: bool, wanted: int) -> list[Layer]:
    """Norm -> up in two: one through [convolution] -> mLSTM -> norm of each head + skip, gated by the other.

    ``wanted`` as in `slstm_block`.
    """
    T, D, E = before.steps, before.n_out, UP * before.n_out
    norm = Layer(f"{name}.norm", kernels.NORM, D, D, T, source=before.name)
    cell = [Layer(f"{name}.up", kernels.DENSE, D, E, T)]
    if taps:
        cell.append(Layer(f"{name}.conv", kernels.CONV, E, E, T, taps=taps))
    seen = cell[-1]
    cell.append(Layer(f"{name}.mlstm", kernels.MLSTM, E, E, T, second=f"{name}.up", heads=heads))
    (start, normal, skipped, state), taken = _steps((before, norm, seen, cell[-1]), wanted)
    T = wanted
    return [
        norm,
        *cell,
        *taken,
        Layer(f"{name}.gate", kernels.DENSE, D, E, T, source=normal.name),
        Layer(f"{name}.heads", kernels.NORM, E, E, T, source=state.name, heads=heads),
        Layer(f"{name}.skip", kernels.SKIP, E, E, T, second=skipped.name),
        Layer(f"{name}.gated", kernels.GATE, E, E, T, second=f"{name}.gate"),
        Layer(f"{name}.down", kernels.DENSE, E, D, T),
        *_end(name, start, T, dropout),
    ]


BLOCKS: dict[str, Callable[[str, Layer, int, int, bool, int], list[Layer]]] = {"s": slstm_block, "m": mlstm_block}


def _steps(layers: Sequence[Layer], wanted: int) -> tuple[list[Layer], list[Layer]]:
    """Layers that hold the wanted steps of what these emit, and which of them are new."""
    if wanted == layers[0].steps:
        return list(layers), []
    taken = [
        Layer(f"{layer.name}.last", kernels.LAST, layer.n_out, layer.n_out, layer.steps, source=layer.name)
        for layer in layers
    ]
    return taken, taken


def _end(name: str, before: Layer, steps: int, dropout: bool) -> list[Layer]:
    """The end of a branch: dropout, and the sum with what it started from."""
    D = before.n_out
    drop = [Layer(f"{name}.dropout", kernels.DROPOUT, D, D, steps)] * dropout
    return [*drop, Layer(name, kernels.ADD, D, D, steps, second=before.name)]
