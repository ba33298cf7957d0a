"""Layers of a network run alone, forward and backward, without the loop of training: for benchmarks of single cells.

Notation: T steps, B rows, D inputs, H outputs.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from forecast.learning.network import Array, Layer, Network, aligned_zeros
from forecast_kernels.jit import compile_for, provide
from forecast_kernels.mlstm.chunkwise import mlstm_chunkwise_backward, mlstm_chunkwise_forward, mlstm_workspace
from forecast_kernels.mlstm.gates import ROWS
from forecast_kernels.mlstm.recurrent import mlstm_recurrent_backward, mlstm_recurrent_forward
from forecast_kernels.network import table as columns
from forecast_kernels.network.cpu import needed, network_backward, network_forward, start_states
from forecast_kernels.network.table import Heads

_TWO_INPUTS = (columns.SLSTM, columns.MLSTM, columns.GATE, columns.SKIP, columns.ADD)
_SEED = np.uint64(0)  # of dropout, of which there is none


class Program:
    """Layers and the workspace of one group of rows.

    Parameters
    ----------
    layers : sequence of Layer
        Where a layer names no source, it reads the one before; where a kind with two inputs names no second, that is
        the input of the whole.
    rows : int
        B.
    dtype : dtype
        Of parameters, inputs and outputs.
    """

    def __init__(self, layers: Sequence[Layer], rows: int, dtype: npt.DTypeLike = np.float32) -> None:
        self.network, self.rows = Network(layers, dtype), rows
        plan = self.network.plan(rows, 0, 0, training=True)
        self._table = plan.table
        first, last = self.network.layers[0], self.network.layers[-1]
        self._in, self._out = (first.steps, rows, first.n_in), (last.steps, rows, last.n_out)
        size, end = int(np.prod(self._in)), plan.size
        self._dx = []  # every reader of the input writes its gradient to a place of its own
        for k, (row, layer) in enumerate(zip(self._table, self.network.layers, strict=True)):
            readers = [columns.D_INPUT] * (k == 0)
            if layer.kind in _TWO_INPUTS and not layer.second:
                row[columns.SECOND] = self._table[0][columns.INPUT]
                readers.append(columns.D_SECOND)
            for column in readers:
                row[column] = end
                self._dx.append(end)
                end += size
        self._work = aligned_zeros(1, end, dtype)[0]
        self._gradient = np.zeros(self.network.size, dtype)
        self._heads = Heads(plan.extra, plan.target, plan.mask, 0, plan.packed, plan.n_packed, 0, 1.0, 0.0)
        for function, arguments in ((network_forward, self._ahead()), (network_backward, self._back())):
            compile_for(function, *arguments)
        provide(*needed((layer.kind for layer in self.network.layers), True))

    def _ahead(self) -> tuple[object, ...]:
        return self._table, self.network.theta, self._work, self.rows, self._heads, False, _SEED

    def _back(self) -> tuple[object, ...]:
        return self._table, self.network.theta, self._gradient, self._work, self.rows, self._heads, _SEED

    def _view(self, offset: int, shape: tuple[int, int, int]) -> Array:
        return self._work[offset : offset + int(np.prod(shape))].reshape(shape)

    def forward(self, x: Array) -> Array:
        """Outputs (T, B, H) of inputs (T, B, D), from the state in which nothing was seen; a view of the workspace."""
        self._view(int(self._table[0][columns.INPUT]), self._in)[:] = x
        for r in range(self.rows):
            start_states(self._table, self._work, self.rows, r, False)
        network_forward(*self._ahead())
        return self._view(int(self._table[-1][columns.OUTPUT]), self._out)

    def backward(self, dout: Array) -> tuple[Array, dict[str, Array]]:
        """Gradients of the inputs (T, B, D) and, by name, of the parameters, once after each `forward`.

        The latter are views that the next call overwrites.
        """
        self._view(int(self._table[-1][columns.D_OUTPUT]), self._out)[:] = dout
        network_backward(*self._back())
        dx = sum(self._view(at, self._in) for at in self._dx)
        return np.asarray(dx), self.network.views(self._gradient)


class MatrixMemory:
    """mLSTM's kernels in one of their forms, from an empty memory.

    Parameters
    ----------
    form : str
        "chunkwise" or "recurrent".
    steps, rows, heads, width : int
        T, B, N heads of P units.
    length : int
        Steps of a chunk.
    """

    def __init__(
        self, form: str, steps: int, rows: int, heads: int, width: int, dtype: npt.DTypeLike = np.float32,
        length: int = 64,
    ) -> None:  # fmt: skip
        self._chunkwise, self._length = form == "chunkwise", length
        memories = max(1, -(-steps // length) - 1) if self._chunkwise else steps + 1
        self._C = np.zeros((memories, rows, heads, width, width), dtype)
        self._n, self._m = np.zeros((memories, rows, heads, width), dtype), np.zeros((rows, heads), dtype)
        self._gates = np.zeros((ROWS, steps, rows, heads), dtype)
        self._out = np.zeros((steps, rows, heads * width), dtype)
        self._ends = np.zeros_like(self._C[0]), np.zeros_like(self._n[0])
        self._work = np.zeros(mlstm_workspace(min(length, steps), width), dtype)

    def forward(self, q: Array, k: Array, v: Array, i: Array, f: Array) -> Array:
        """h (T, B, H) of queries, keys, values (T, B, H) and gates (T, B, N) before their activation; a view."""
        self._given, kept = (q, k, v, f), (self._C, self._n, self._m, self._gates, self._out)
        if self._chunkwise:
            mlstm_chunkwise_forward(q, k, v, i, f, self._length, False, *kept, self._work)
        else:
            self._m[:] = 0
            mlstm_recurrent_forward(q, k, v, i, f, *kept)
        return self._out

    def backward(self, dout: Array) -> list[Array]:
        """Gradients of what `forward` was given, in its order."""
        q, _, _, f = self._given
        found = [*(np.empty_like(q) for _ in range(3)), np.empty_like(f), np.empty_like(f)]
        kept = self._C, self._n, self._gates, self._out, dout
        for end in self._ends:
            end[:] = 0
        if self._chunkwise:
            mlstm_chunkwise_backward(*self._given, self._length, False, True, *kept, *found, *self._ends, self._work)
        else:
            mlstm_recurrent_backward(*self._given, *kept, *found, *self._ends)
        return found
