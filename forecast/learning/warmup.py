"""Compile every kernel that fitting and prediction need, once for a processor, with progress."""

import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np

from forecast.learning.network import Network, recurrent_layers, symbol_layers
from forecast.learning.training import Objective, Schedule, WindowData, predict, train
from forecast.progress import Progress, Silent
from forecast_kernels.dense.cpu import dense_backward, dense_forward
from forecast_kernels.jit import cache_folder, compile_for
from forecast_kernels.loss.cpu import cross_entropy_forward_backward, loss_forward_backward
from forecast_kernels.lstm.cpu import lstm_backward, lstm_forward
from forecast_kernels.windows.cpu import MEAN, Windowing, gather_windows

LABEL = "Compiling kernels (once on this machine)"
_warm: set[str] = set()


def is_warm(*groups: str) -> bool:
    """Whether groups of kernels, by default all, are compiled: in this process, or in the cache."""
    return all(group in _warm or _is_marked(group) for group in groups or _STEPS)


def warmup(progress: Progress | None = None, *groups: str) -> None:
    """Compile groups of kernels, by default all, or do nothing if they are; some ten seconds the first time.

    The compiler works in one thread, so that of several groups all but the first are left to processes of their own,
    which fill the same cache at the same time.
    """
    cold = [group for group in groups or _STEPS if not is_warm(group)]
    if not cold:
        return
    progress = progress or Silent()
    steps = {group: _STEPS[group]() for group in cold}
    children = {group: child for group in cold[1:] if (child := _compiling(group)) is not None}
    progress.start(LABEL, sum(map(len, steps.values())))
    try:
        for group in cold:
            if group in children and children[group].wait() == 0:
                progress.advance(len(steps[group]))
            else:
                for step in steps[group]:
                    step()
                    progress.advance()
            _mark(group)
    finally:
        for child in children.values():
            child.kill()
            child.wait()
        progress.finish()


def _compiling(group: str) -> subprocess.Popen[bytes] | None:
    """A Python that compiles a group of kernels into the cache; None where it would be of no use."""
    if cache_folder() is None or (os.cpu_count() or 1) < 2 or getattr(sys, "frozen", False):
        return None
    code = f"from forecast.learning.warmup import warmup; warmup(None, {group!r})"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    nothing = subprocess.DEVNULL
    try:
        return subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stdin=nothing, stdout=nothing, stderr=nothing
        )
    except OSError:
        return None


def _is_marked(group: str) -> bool:
    folder = cache_folder()
    return folder is not None and (folder / f"complete-{group}").exists()


def _mark(group: str) -> None:
    _warm.add(group)
    folder = cache_folder()
    if folder is not None:
        (folder / f"complete-{group}").touch()


def _network_steps() -> list[Callable[[], object]]:
    """Small parts first, so that progress moves; the last trains and predicts with a tiny network."""
    flat, wide, deep = (np.zeros((1,) * n, np.float32) for n in (1, 2, 3))
    double, whole = np.zeros((1, 1)), np.zeros((1, 2), np.int64)
    spec = Windowing(2, 1, 1, 0, MEAN, 1)
    values = WindowData(np.arange(4.0), np.array([0, 4]), np.ones((1, 2)), np.ones(1), np.zeros(1, np.int64))

    def run() -> None:
        objective = Objective(spec, "quantile", (0.5,), 1.0, 0.1)
        layers = recurrent_layers(
            steps=2, inputs=2, embed=1, hidden=1, layers=2, dropout=True, extra=0, head=1, outputs=1
        )
        network = Network(layers)
        windows = np.array([[0, 2], [0, 3]])
        train(network, values, windows, objective, Schedule(1, 2, 1e-3), Silent())
        predict(network, values, windows, objective)

    return [
        lambda: compile_for(gather_windows, *values, whole, spec, deep, wide, double, double[0], wide, wide),
        lambda: compile_for(lstm_forward, deep, wide, wide, flat, deep, deep, deep, deep, flat),
        lambda: compile_for(lstm_backward, wide, flat, deep, deep, deep, deep, deep, wide, wide, wide, wide, flat),
        lambda: compile_for(dense_forward, wide, wide, flat, 0, wide, flat),
        lambda: compile_for(dense_backward, wide, wide, wide, 0, wide, wide, wide, flat, flat),
        lambda: compile_for(loss_forward_backward, 0, wide, wide, wide, flat, np.float32(1), wide),
        run,
    ]


def _block_steps() -> list[Callable[[], object]]:
    """What xLSTM's networks need beside those of the group "network"."""
    from forecast_kernels.network.blocks import block_backward, block_forward
    from forecast_kernels.network.table import COLUMNS

    row, flat = np.zeros(COLUMNS, np.int64), np.zeros(1, np.float32)
    return [
        lambda: compile_for(block_forward, row, flat, flat, 1, flat),
        lambda: compile_for(block_backward, row, flat, flat, flat, 1, flat),
    ]


def _arima_steps() -> list[Callable[[], object]]:
    from forecast_kernels.arima.cpu import log_likelihood, workspace
    from forecast_kernels.arima.fit import fit_arma
    from forecast_kernels.arima.forecast import forecast, one_step_errors
    from forecast_kernels.arima.polynomials import Arma
    from forecast_kernels.arima.start import promising_starts

    orders, rows, flat = Arma(1, 0, 0, 0, 1), np.zeros((1, 4)), np.zeros(1)
    work = workspace(4, 1, 1, 1)
    return [
        lambda: compile_for(log_likelihood, orders, flat, rows, 0, work),
        lambda: compile_for(promising_starts, orders, rows, 0, rows, work),
        lambda: compile_for(fit_arma, orders, rows, 0, rows, 0.1, flat, flat, flat, work),
        lambda: compile_for(forecast, orders, flat, flat, rows, rows, 0.0, rows, flat, flat, work),
        lambda: compile_for(one_step_errors, orders, flat, rows, flat, flat, work),
    ]


def _symbols_steps() -> list[Callable[[], object]]:
    """Small parts first; the last trains, judges and continues with a tiny network."""
    from forecast.learning.symbols import Continuation, Streams, foretell, score_symbols, train_symbols

    flat, wide, deep = (np.zeros((1,) * n, np.float32) for n in (1, 2, 3))
    text = np.zeros(5, np.int32)

    def network(steps: int) -> Network:
        return Network(symbol_layers(steps=steps, symbols=2, embed=1, hidden=1, layers=1, dropout=0.1))

    def run() -> None:
        train_symbols(network(2), Streams([(text, text)] * 2, 2, 2), Schedule(1, 2, 1e-3), 0.1, Silent())
        score_symbols(network(2), [(text, text)])
        one = Continuation(network(1), 0)
        list(one.draw(text, 2, 1.0, 0, 1.0, 0))
        foretell(network(1), [text], 1, 1, 0, 0)

    return [
        lambda: compile_for(lstm_forward, deep, wide, wide, flat, deep, deep, deep, deep, flat),
        lambda: compile_for(lstm_backward, wide, flat, deep, deep, deep, deep, deep, wide, wide, wide, wide, flat),
        lambda: compile_for(dense_forward, wide, wide, flat, 0, wide, flat),
        lambda: compile_for(dense_backward, wide, wide, wide, 0, wide, wide, wide, flat, flat),
        lambda: compile_for(cross_entropy_forward_backward, wide, flat, wide),
        run,
    ]


def _symbol_block_steps() -> list[Callable[[], object]]:
    """What text models of blocks need beside those of the groups "symbols" and "blocks"."""
    from forecast_kernels.network.states import start_states
    from forecast_kernels.network.table import COLUMNS, Heads
    from forecast_kernels.symbols.blocks import continue_blocks

    table, flat, text = np.zeros((1, COLUMNS), np.int64), np.zeros(1, np.float32), np.zeros(1, np.int32)
    heads, how = Heads(0, 0, 0, 0, 0, 0, 0, 0.0, 0.0), (0, 1.0, 0, 1.0, np.uint64(0), 0)
    return [
        lambda: compile_for(start_states, table, flat, 1, 0, False),
        lambda: compile_for(continue_blocks, table, flat, flat, heads, text, flat, *how, np.zeros(1), text),
    ]


_STEPS = {
    "network": _network_steps, "blocks": _block_steps, "arima": _arima_steps, "symbols": _symbols_steps,
    "symbol-blocks": _symbol_block_steps,
}  # fmt: skip
