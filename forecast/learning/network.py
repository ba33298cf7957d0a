"""A network as a table of layers over one flat parameter buffer with named views.

Notation: B rows a group, T patches, F inputs a patch, H hidden, X extra inputs of the head, P parameters.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from forecast.errors import ParameterError
from forecast.learning.initial import draw
from forecast_kernels.dense.cpu import dense_workspace
from forecast_kernels.lstm.cpu import lstm_workspace
from forecast_kernels.network import blocks
from forecast_kernels.network import table as kernels
from forecast_kernels.network.cells import cell_workspace, mlstm_memories

Array = npt.NDArray[Any]

INPUT = "input"  # what a layer reads that reads what the network is given
ALIGNED = 16  # every buffer starts at a multiple of so many values, which is a cache line or two


@dataclass(frozen=True)
class Layer:
    """One row of the table."""

    name: str
    kind: int  # kernels.DENSE, LSTM, DROPOUT, LAST, EMBED ...
    n_in: int
    n_out: int
    steps: int  # T before LAST, 1 after
    activation: int = 0  # DENSE: 0 none, 1 ReLU
    source: str = ""  # the layer whose output it reads; the one before, if not given
    second: str = ""  # the layer whose output it reads as well, if its kind has two inputs
    heads: int = 1  # NORM, SLSTM, MLSTM: parts of a row
    taps: int = 0  # CONV: steps that it sees; FLAT: values of a step that it takes; SHIFT: outputs a step
    zero: bool = False  # whether its parameters start from 0

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Parameters by name, in the order in which they lie in the buffer."""
        D, H = self.n_in, self.n_out
        if self.kind == kernels.LSTM:
            return {"W": (D, 4 * H), "R": (H, 4 * H), "b": (4 * H,)}
        if self.kind == kernels.DENSE:
            return {"W": (D, H), "b": (H,)}
        if self.kind == kernels.EMBED:
            return {"W": (D, H)}
        if self.kind == kernels.NORM:
            return {"scale": (D,), "bias": (D,)}
        if self.kind == kernels.CONV:
            return {"W": (self.taps, D), "b": (D,)}
        if self.kind == kernels.SLSTM:
            P = H // self.heads
            return {"Wx": (D, 2 * H), "Wy": (D, 2 * H), "R": (self.heads, P, 4 * P), "b": (4 * H,)}
        if self.kind == kernels.MLSTM:
            P = H // self.heads
            return {"W": (3, self.heads, P, P), "b": (3, H), "Wg": (2, H, self.heads), "bg": (2, self.heads)}
        return {"scale": (D,)} if self.kind == kernels.SKIP else {}

    @property
    def width(self) -> int:
        """Values of its input, a row and step: an embedding of ``n_in`` symbols takes the number of one."""
        return 1 if self.kind == kernels.EMBED else self.n_in

    def packed(self, rows: int, device: str) -> int:
        """Values of workspace for its matrix products, of so many rows."""
        if device == "cuda":
            from forecast_kernels.network.gpu import layer_workspace

            return layer_workspace(self.kind, rows, self.steps, self.n_in, self.n_out, self.heads)
        if self.kind == kernels.LSTM:
            return lstm_workspace(self.n_in, self.n_out)
        if self.kind in (kernels.SLSTM, kernels.MLSTM):
            return cell_workspace(rows, self.steps, self.n_in, self.n_out, self.heads)
        return dense_workspace(self.n_in, self.n_out) if self.kind == kernels.DENSE else 0

    def kept(self, training: bool, carried: bool) -> int:
        """Steps of which it keeps the state; of mLSTM, memories."""
        if self.kind == kernels.MLSTM:
            return mlstm_memories(self.steps, training, carried)
        return self.steps if training else 1

    def own(self, rows: int, training: bool, carried: bool) -> int:
        """Values of its private buffers for so many rows."""
        kept = self.kept(training, carried)
        if self.kind == kernels.LSTM:
            width, H = self.n_in + self.n_out, self.n_out
            return rows * ((kept + 1) * (width + H) + kept * 4 * H + 2 * H)
        past = self.taps - 1 if carried else 0
        return blocks.own_size(self.kind, rows, self.steps, kept, self.n_out, self.heads, past)

    @property
    def empty_state(self) -> npt.NDArray[np.float32]:
        """(Z,) the state of a row before it has seen anything, as `states.take_states` lays it out."""
        H, P = self.n_out, self.n_out // self.heads
        if self.kind == kernels.SLSTM:
            return np.repeat(np.array([0, -np.inf], np.float32), [3 * H, H])
        sizes = {
            kernels.LSTM: 2 * H, kernels.MLSTM: H * (P + 1) + self.heads, kernels.CONV: (self.taps - 1) * H
        }  # fmt: skip
        return np.zeros(sizes.get(self.kind, 0), np.float32)


def recurrent_layers(
    *, steps: int, inputs: int, embed: int, hidden: int, layers: int, dropout: bool, extra: int, head: int, outputs: int
) -> list[Layer]:
    """[embedding] -> LSTM stack with dropout between layers -> last state and extras -> [hidden layer] -> outputs.

    Parameters
    ----------
    steps, inputs : int
        T patches of F values.
    embed : int
        Width of a linear layer before the stack; 0 for none.
    hidden, layers : int
        Size and number of LSTM layers.
    dropout : bool
        Whether to put dropout between LSTM layers.
    extra : int
        X inputs that the head gets beside the last state.
    head : int
        Width of a hidden ReLU layer of the head; 0 for none.
    outputs : int
        Values emitted for each row.
    """
    stack: list[Layer] = []
    width = inputs
    if embed:
        stack.append(Layer("embed", kernels.DENSE, width, embed, steps))
        width = embed
    for k in range(layers):
        if k and dropout:
            stack.append(Layer(f"dropout.{k}", kernels.DROPOUT, width, width, steps))
        stack.append(Layer(f"lstm.{k}", kernels.LSTM, width, hidden, steps))
        width = hidden
    return stack + head_layers(stack[-1], extra=extra, head=head, outputs=outputs)


def head_layers(before: Layer, *, extra: int, head: int, outputs: int) -> list[Layer]:
    """Last step of a layer and extras -> [hidden layer] -> outputs; see `recurrent_layers`."""
    width = before.n_out + extra
    stack = [Layer("last", kernels.LAST, before.n_out, width, before.steps)]
    if head:
        stack.append(Layer("hidden", kernels.DENSE, width, head, 1, activation=1))
        width = head
    stack.append(Layer("output", kernels.DENSE, width, outputs, 1))
    return stack


def linear_path(before: Layer, *, steps: int, inputs: int, values: int, horizon: int) -> list[Layer]:
    """A linear map from the context to the horizon, added to what a network's last layer emits.

    It starts from 0, moves all outputs of a step alike, and sees the values alone. Zeng et al. (2023): over long
    horizons such a map by itself is hard to beat.

    Parameters
    ----------
    before : Layer
        The network's last layer, with a multiple of ``horizon`` outputs.
    steps, inputs, values : int
        T patches of F inputs, of which the first are so many values.
    horizon : int
        Steps to forecast.
    """
    outputs = before.n_out
    return [
        Layer("flat", kernels.FLAT, inputs, steps * values, steps, source=INPUT, taps=values),
        Layer("linear", kernels.DENSE, steps * values, horizon, 1, zero=True),
        Layer("sum", kernels.SHIFT, outputs, outputs, 1, source=before.name, second="linear", taps=outputs // horizon),
    ]


def symbol_layers(*, steps: int, symbols: int, embed: int, hidden: int, layers: int, dropout: float) -> list[Layer]:
    """Embedding of symbols -> LSTM stack with dropout before, between and after -> a logit for each symbol, every step.

    Zaremba et al. (2014) put dropout there: on what goes up, not on the state that goes on.

    Parameters
    ----------
    steps : int
        T of a chunk.
    symbols : int
        V.
    embed, hidden, layers : int
        Width of the embedding; size and number of LSTM layers.
    dropout : float
        Rate; 0 leaves these layers out.
    """
    stack = [Layer("embed", kernels.EMBED, symbols, embed, steps)]
    width = embed
    for k in range(layers):
        if dropout:
            stack.append(Layer(f"dropout.{k}", kernels.DROPOUT, width, width, steps))
        stack.append(Layer(f"lstm.{k}", kernels.LSTM, width, hidden, steps))
        width = hidden
    if dropout:
        stack.append(Layer(f"dropout.{layers}", kernels.DROPOUT, width, width, steps))
    return [*stack, Layer("output", kernels.DENSE, width, symbols, steps)]


@dataclass(frozen=True)
class Plan:
    """Where everything lies in a group's workspace of ``size`` values, for B rows."""

    rows: int
    size: int
    table: npt.NDArray[np.int64]  # (layers, COLUMNS)
    extra: int  # offsets
    target: int
    mask: int
    packed: int
    n_packed: int  # values for packed matrices


class Network:
    """Layers and their parameters.

    Parameters
    ----------
    layers : sequence of Layer
        From the input to the output.
    dtype : dtype
        float32 for work, float64 to check gradients.
    """

    def __init__(self, layers: Sequence[Layer], dtype: npt.DTypeLike = np.float32) -> None:
        self.layers = tuple(layers)
        self.offsets = np.cumsum([0] + [sum(map(math.prod, layer.shapes.values())) for layer in self.layers])
        self.theta: Array = np.zeros(int(self.offsets[-1]), dtype)

    @property
    def size(self) -> int:
        """P, the number of parameters."""
        return len(self.theta)

    def views(self, buffer: Array | None = None) -> dict[str, Array]:
        """Named views of a flat buffer (P,), by default of the parameters: ``"lstm.0.W"`` is (D, 4H) and so on."""
        buffer = self.theta if buffer is None else buffer
        named = {}
        for layer, start in zip(self.layers, self.offsets[:-1], strict=True):
            at = int(start)
            for name, shape in layer.shapes.items():
                named[f"{layer.name}.{name}"] = buffer[at : at + math.prod(shape)].reshape(shape)
                at += math.prod(shape)
        return named

    def initialise(self, seed: int) -> None:
        """Draw parameters, as `initial.draw` says."""
        rng = np.random.default_rng(seed)
        self.theta[:] = 0
        named = self.views()
        with threadpool_limits(1):  # on a busy machine BLAS's threads take seconds for what one does in milliseconds
            for layer in self.layers:
                for name, values in draw(layer, rng).items():
                    named[f"{layer.name}.{name}"][:] = values

    def _inputs(self) -> list[tuple[str, str]]:
        """Which layers' outputs each layer reads; the second is "" where its kind has one input."""
        before = [INPUT, *(layer.name for layer in self.layers)]
        return [(layer.source or before[k], layer.second) for k, layer in enumerate(self.layers)]

    def _projected(self, rows: int) -> list[int]:
        """Embeddings that only the LSTM layer above reads, and of so few symbols that to multiply all of them with its
        W is much less work than to do so for each place.
        """
        readers = [name for pair in self._inputs() for name in pair]
        return [
            k
            for k, (layer, above) in enumerate(pairwise(self.layers))
            if layer.kind == kernels.EMBED and above.kind == kernels.LSTM and not above.source
            and readers.count(layer.name) == 1 and 2 * layer.n_in <= rows * layer.steps
        ]  # fmt: skip

    def load(self, values: dict[str, Array]) -> None:
        """Copy parameters by name; all must be there, in the network's own layout."""
        for name, view in self.views().items():
            if name not in values or values[name].shape != view.shape:
                found = values[name].shape if name in values else "nothing"
                raise ParameterError(f"The weights hold {found} for {name!r}; this network needs {view.shape}.")
            view[:] = values[name]

    @property
    def empty_state(self) -> Array:
        """(Z,) the state of a row before it has seen anything, of all layers."""
        return np.concatenate([layer.empty_state for layer in self.layers]).astype(self.theta.dtype)

    def plan(
        self, rows: int, extra: int, horizon: int, training: bool, carried: bool = False, device: str = "cpu"
    ) -> Plan:
        """Lay out the workspace of a group of ``rows`` rows; ``carried``: sequences may go on from where one ended.

        The kernels of the GPU ("cuda") keep all steps, and have workspaces of other sizes.
        """
        on_cpu = device == "cpu"
        keeps = training or not on_cpu
        table = np.zeros((len(self.layers), kernels.COLUMNS), np.int64)
        end = 0

        def take(count: int) -> int:
            nonlocal end
            at, end = end, end + -(-count // ALIGNED) * ALIGNED
            return at

        where = {"extra": take(rows * extra), "target": take(rows * horizon), "mask": take(rows * horizon)}
        first, inputs = self.layers[0], self._inputs()
        projected = self._projected(rows) if training and on_cpu else []
        # Where the value of each layer lies, and its gradient; nobody needs that of the input, "" is no layer.
        values, gradients = {INPUT: take(first.steps * rows * first.width)}, {INPUT: -1, "": -1}
        for k, (layer, (source, second)) in enumerate(zip(self.layers, inputs, strict=True)):
            size = rows * layer.n_out * (1 if layer.kind in (kernels.LAST, kernels.FLAT) else layer.steps)
            if k in projected:
                size = layer.n_in * 4 * self.layers[k + 1].n_out
            # of the output there is a gradient without training too: it comes with the loss
            wanted = training or k == len(self.layers) - 1
            values[layer.name], gradients[layer.name] = take(size), take(size) if wanted else 0
            row = {
                kernels.KIND: layer.kind, kernels.N_IN: layer.n_in, kernels.N_OUT: layer.n_out,
                kernels.ACTIVATION: layer.activation, kernels.STEPS: layer.steps, kernels.THETA: self.offsets[k],
                kernels.INPUT: values[source], kernels.OUTPUT: values[layer.name],
                kernels.D_OUTPUT: gradients[layer.name], kernels.OWN: take(layer.own(rows, keeps, carried)),
                kernels.KEPT: layer.kept(keeps, carried), kernels.CARRIED: carried,
                kernels.HEADS: layer.heads, kernels.TAPS: layer.taps,
                kernels.SECOND: values[second] if second else 0,
            }  # fmt: skip
            table[k, list(row)] = list(row.values())
        for k in projected:
            embed, lstm = table[k], table[k + 1]
            embed[kernels.KIND], embed[kernels.EMBEDDED], embed[kernels.N_OUT] = (
                kernels.PROJECT, embed[kernels.N_OUT], 4 * lstm[kernels.N_OUT],
            )  # fmt: skip
            lstm[kernels.THETA] += embed[kernels.EMBEDDED] * embed[kernels.N_OUT]  # where R begins
            lstm[kernels.N_IN], lstm[kernels.SYMBOLS] = 0, embed[kernels.N_IN]
            lstm[kernels.PLACES] = embed[kernels.INPUT]
        if training:
            largest = max(rows * layer.steps * layer.width for layer in self.layers)
            _place_gradients(table, inputs, gradients, (take(largest), take(largest)))
        n_packed = max(layer.packed(rows, device) for layer in self.layers)
        return Plan(rows, table=table, packed=take(n_packed), n_packed=n_packed, size=end, **where)


def aligned_zeros(rows: int, columns: int, dtype: npt.DTypeLike) -> Array:
    """Zeros (rows, columns) whose first value starts a cache line; numpy's own start wherever it happens to be."""
    dtype = np.dtype(dtype)
    line = ALIGNED * dtype.itemsize
    buffer = np.zeros(rows * columns * dtype.itemsize + line, np.uint8)
    at = -buffer.ctypes.data % line
    return buffer[at : at + rows * columns * dtype.itemsize].view(dtype).reshape(rows, columns)


def _place_gradients(
    table: npt.NDArray[np.int64],
    inputs: Sequence[tuple[str, str]],
    gradients: Mapping[str, int],
    spare: tuple[int, int],
) -> None:
    """Where layers write the gradients of their inputs.

    The last reader of a value writes it, those before it write into ``spare`` buffers from where it is added.
    """
    written: set[str] = set()
    columns = (kernels.D_INPUT, kernels.SUM), (kernels.D_SECOND, kernels.SUM_SECOND)
    for row, names in zip(table[::-1], inputs[::-1], strict=True):
        for name, (place, total), elsewhere in zip(names, columns, spare, strict=True):
            again = name in written and gradients[name] >= 0
            row[place], row[total] = (elsewhere, gradients[name]) if again else (gradients[name], -1)
            written.add(name)
