"""Training and forecasting on a GPU: the host starts kernels and waits once a call.

Notation: n windows, B rows of a batch, h horizon, Q outputs a step, P parameters. A batch is one group of rows, on the
CPU it is cut into several: dropout masks are the same on both only where the CPU has one group (batches of up to 8).
Numbers differ in their last digits, since sums are added in another order, and are the same again on the same device.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import cuda
from numba.cuda.cudadrv.driver import CudaAPIError

from forecast.errors import DeviceError
from forecast.learning.network import Network
from forecast.learning.runner import Runner
from forecast.learning.training import Array, Objective, Schedule, WindowData
from forecast.series.windows import Windows
from forecast_kernels.batches.gpu import count_terms, note_batch, pick_batch, restore_units
from forecast_kernels.jit_cuda import Recording
from forecast_kernels.loss.gpu import loss_forward_backward
from forecast_kernels.network import gpu as kernels
from forecast_kernels.network import table
from forecast_kernels.network.cpu import LEARN, PREDICT
from forecast_kernels.optim.gpu import adam_step, sum_gradients
from forecast_kernels.reduction.gpu import BLOCKS
from forecast_kernels.windows.gpu import gather_windows


class DeviceRunner(Runner):
    """Network, data and workspaces are on the GPU.

    What a batch takes is written down once for each number of rows, as a list of launches whose arguments never change:
    the windows, the seed and the learning rate of a batch are put where they read them.

    Raises
    ------
    DeviceError
        If a layer is too wide for the GPU, or a batch too large for its memory.
    """

    def __init__(self, network: Network, data: WindowData, objective: Objective, batch: int, training: bool) -> None:
        h, dtype = objective.spec.horizon, network.theta.dtype
        for layer in network.layers:
            units, most = layer.n_out // layer.heads, kernels.most_units(layer.kind, dtype.itemsize)
            if units > most:
                raise DeviceError(
                    f"Device 'cuda' has room for the state of {most} units, and layer {layer.name!r} has {units}; "
                    "use device='cpu', or a smaller network."
                )
        plan = network.plan(batch, objective.extra, h, training, device="cuda")
        self.batch, self.network, self.data, self.objective, self.table = batch, network, data, objective, plan.table
        self.heads, self.stream = objective.heads(plan), cuda.stream()
        self.theta = self._put(network.theta)
        self.quantiles = self._put(np.array(objective.quantiles, dtype))
        self.work = self._workspace(plan.size, dtype)
        self.base, self.scale = cuda.device_array((batch, h), np.float64), cuda.device_array(batch, np.float64)
        learned = network.size if training else 1  # an empty array would be another type to no use
        self.gradients = cuda.device_array((1, learned), dtype)
        self.optimizer = [self._put(np.zeros(learned, dtype)) for _ in range(3)]  # gradient, first and second moment
        # of the batch that is run
        self.chosen, self.seed = cuda.device_array((batch, 2), np.int64), cuda.device_array(1, np.uint64)
        self.rate, self.number = cuda.device_array(1, np.float64), cuda.device_array(1, np.int64)
        self.seeds = cuda.device_array(len(plan.table), np.uint64)
        self.loss, self.terms, self.norm = (cuda.device_array(BLOCKS + 1, np.float64) for _ in range(3))
        self.share = cuda.device_array(1, np.float64)  # 1 / number of terms
        self.uploaded: dict[int, tuple[WindowData, list[Any]]] = {}
        self.recorded: dict[tuple[int, int, int, float, float], Recording] = {}

    def _workspace(self, size: int, dtype: npt.DTypeLike) -> Any:
        """An array (size,) on the device, by far the largest there."""
        try:
            return cuda.device_array(size, dtype)
        except CudaAPIError as error:
            if "OUT_OF_MEMORY" not in str(error):
                raise
            wanted = f"{size * np.dtype(dtype).itemsize / 1e9:.1f} GB"
            raise DeviceError(
                f"Device 'cuda' lacks the {wanted} of free memory that batches of {self.batch} windows take; use a "
                "smaller batch_size, or device='cpu'."
            ) from error

    def learn(
        self,
        windows: Windows,
        bounds: npt.NDArray[np.int64],
        seeds: npt.NDArray[np.uint64],
        rates: npt.NDArray[np.float64],
        step: int,
        schedule: Schedule,
    ) -> tuple[Array, Array]:
        """As ever; the network has the parameters afterwards."""
        found = super().learn(windows, bounds, seeds, rates, step, schedule)
        # a few megabytes at most, after as many steps as take a tenth of a second
        self.theta.copy_to_host(self.network.theta, stream=self.stream)
        self.stream.synchronize()
        return found

    def state(self) -> Array:
        copies = [array.copy_to_host(stream=self.stream) for array in (self.theta, *self.optimizer[1:])]
        self.stream.synchronize()
        return np.stack(copies)

    def resume(self, state: Array) -> None:
        self.network.theta[:] = state[0]
        for array, values in zip((self.theta, *self.optimizer[1:]), state, strict=True):
            array.copy_to_device(values, stream=self.stream)
        self.stream.synchronize()

    def _run(
        self,
        data: WindowData,
        windows: Windows,
        bounds: npt.NDArray[np.int64],
        mode: int,
        seeds: npt.NDArray[np.uint64],
        rates: npt.NDArray[np.float64],
        step: int,
        schedule: Schedule | None,
    ) -> tuple[Array, Array, Array]:
        """Forecasts (n, h * Q); loss and number of terms (batches, 2); norms of the gradients (batches,)."""
        batches, outputs = len(bounds) - 1, len(self.quantiles)
        decay, clip = (float(schedule.weight_decay), float(schedule.clip_norm)) if schedule else (0.0, 0.0)
        all_windows, all_seeds, all_rates = map(self._put, (np.asarray(windows, np.int64), seeds, rates))
        totals, norms = cuda.device_array((batches, 2), np.float64), cuda.device_array(batches, np.float64)
        predicted = len(windows) if mode == PREDICT else 1
        out = cuda.device_array((predicted, self.objective.spec.horizon * outputs), np.float64)
        for k, (at, to) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)):
            rows = to - at
            places = self.chosen[:rows], self.seed, self.rate, self.number
            pick_batch(all_windows, all_seeds, all_rates, at, k, step + 1, *places, self.stream)
            self._recording(data, rows, mode, decay, clip).start()
            if mode == PREDICT:
                restore_units(self._output(rows), self.base, self.scale, outputs, at, out, self.stream)
            else:
                note_batch(self.loss, self.terms, self.norm, k, totals, norms, self.stream)
        found = [array.copy_to_host(stream=self.stream) for array in (out, totals, norms)]
        self.stream.synchronize()
        return found[0], found[1], found[2]

    def _recording(self, data: WindowData, rows: int, mode: int, decay: float, clip: float) -> Recording:
        """The launches for a batch of so many rows."""
        key = id(data), rows, mode, decay, clip
        if key not in self.recorded:
            self.recorded[key] = self._record(self._upload(data), rows, mode, decay, clip)
        return self.recorded[key]

    def _record(self, data: list[Any], rows: int, mode: int, decay: float, clip: float) -> Recording:
        made, heads, h = Recording(self.stream), self.heads, self.objective.spec.horizon
        first, final = self.table[0], self.table[-1]
        x = self._part(first[table.INPUT], first[table.STEPS], rows, first[table.N_IN])
        extra = self._part(heads.extra, rows, heads.n_extra)
        target, mask = self._part(heads.target, rows, h), self._part(heads.mask, rows, h)
        written = x, extra, self.base[:rows], self.scale[:rows], target, mask
        gathered: Any = *data, self.chosen[:rows], self.objective.spec, *written, made
        gather_windows(*gathered)
        kernels.layer_seeds(self.seed, self.seeds, made)
        kernels.start_states(self.table, self.work, rows, made)
        kernels.network_forward(self.table, self.theta, self.work, rows, heads, mode == LEARN, self.seeds, made)
        if mode == PREDICT:
            return made
        doutput = self._part(final[table.D_OUTPUT], rows, final[table.N_OUT])
        judged = self._output(rows), target, mask, self.quantiles
        loss_forward_backward(heads.loss, *judged, heads.delta, doutput, self.loss, made)
        count_terms(mask, len(self.quantiles), self.terms, self.share, made)
        if mode == LEARN:
            gradient, m, v = self.optimizer
            kernels.network_backward(
                self.table, self.theta, self.gradients[0], self.work, rows, heads, self.seeds, made
            )
            sum_gradients(self.gradients, self.share, gradient, self.norm, made)
            numbers = 0.9, 0.999, 1e-8, decay
            adam_step(self.theta, gradient, m, v, self.number, self.rate, *numbers, self.norm, clip, made)
        return made

    def _output(self, rows: int) -> Any:
        """What the network emits (B, h * Q)."""
        final = self.table[-1]
        return self._part(final[table.OUTPUT], rows, final[table.N_OUT])

    def _part(self, offset: int, *shape: int) -> Any:
        """An array in the workspace."""
        at, size = int(offset), math.prod(map(int, shape))
        return self.work[at : at + size].reshape(tuple(map(int, shape)))

    def _put(self, array: Array) -> Any:
        """A copy on the device; it waits, since the array may be gone, or another, right afterwards."""
        return cuda.to_device(np.ascontiguousarray(array))

    def _upload(self, data: WindowData) -> list[Any]:
        """What windows are gathered from, copied once."""
        if id(data) not in self.uploaded:
            self.uploaded[id(data)] = data, [self._put(array) for array in data]
        return self.uploaded[id(data)][1]
