"""Fits many series in worker processes.

A worker is a fresh interpreter that reads one history a line from its input and answers with one estimate a line, in
JSON, which keeps the bits of a float. Unlike the start methods of ``multiprocessing`` this needs no
``if __name__ == "__main__"`` in the caller's script, works from a notebook, and does not copy threads by forking.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from forecast.errors import ForecastError
from forecast.models.arima.estimation import Estimate
from forecast.models.arima.orders import Orders

Floats = npt.NDArray[np.float64]
Fit = Callable[[Floats], Estimate]

TRIAL_SECONDS = 0.5  # how long series are fitted here before it is clear what the rest would take
START_SECONDS = 1.0  # what it takes a worker to start: less work than that is done here

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def fit_all(
    fit: Fit, order: dict[str, Any], histories: Sequence[Floats], n_jobs: int, advance: Callable[[], None]
) -> list[Estimate]:
    """Estimates of all histories, the same whatever ``n_jobs`` is.

    Parameters
    ----------
    fit : callable
        Fits one history.
    order : dict
        What a worker needs to know to do as ``fit`` does; it gets this, and the history as "y".
    histories : sequence of ndarray
        Values of each series.
    n_jobs : int
        Processes at most.
    advance : callable
        Called after each series.

    Raises
    ------
    ForecastError
        If a worker ended before its work did.
    """
    found: dict[int, Estimate] = {}
    began = time.perf_counter()
    for k, history in enumerate(histories):
        if n_jobs > 1 and _repays(time.perf_counter() - began, k, len(histories) - k):
            rest = {j: histories[j] for j in range(k, len(histories))}
            found |= _in_workers(order, rest, n_jobs, advance)
            break
        found[k] = fit(history)
        advance()
    return [found[k] for k in range(len(histories))]


def _repays(spent: float, done: int, left: int) -> bool:
    """Whether workers would have ended sooner than this process, by the time that was spent on the first series."""
    return bool(sys.executable) and left > 1 and spent > TRIAL_SECONDS and spent / done * left > 2 * START_SECONDS


def _in_workers(
    order: dict[str, Any], histories: dict[int, Floats], n_jobs: int, advance: Callable[[], None]
) -> dict[int, Estimate]:
    todo: SimpleQueue[tuple[int, Floats]] = SimpleQueue()
    for job in histories.items():
        todo.put(job)
    done: SimpleQueue[tuple[int, str]] = SimpleQueue()
    workers = [_start() for _ in range(min(n_jobs, len(histories)))]
    feeders = [threading.Thread(target=_feed, args=(worker, order, todo, done), daemon=True) for worker in workers]
    found: dict[int, Estimate] = {}
    try:
        for feeder in feeders:
            feeder.start()
        while len(found) < len(histories):
            k, answer = _next(done)
            if not answer:
                raise ForecastError(
                    "A worker process of ARIMA ended before its work did, perhaps for lack of memory; "
                    "fit again with n_jobs=1."
                )
            found[k] = _received(answer)
            advance()
    finally:  # also on Ctrl-C
        for worker in workers:
            worker.kill()
        for feeder in feeders:
            if feeder.ident is not None:
                feeder.join()
        for worker in workers:
            _close(worker)
    return found


def _start() -> "subprocess.Popen[str]":
    """A worker that finds the same modules as this process, and keeps BLAS to one thread as ``fit`` does."""
    script = (
        "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from forecast.models.arima.model import work; work()"
    )
    return subprocess.Popen(
        [sys.executable, "-P", "-c", script, json.dumps(sys.path)],
        env=os.environ | dict.fromkeys(_THREADS, "1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C reaches the parent alone, which ends its workers
    )


def _feed(
    worker: "subprocess.Popen[str]",
    order: dict[str, Any],
    todo: "SimpleQueue[tuple[int, Floats]]",
    done: "SimpleQueue[tuple[int, str]]",
) -> None:
    """Hand one history after the other to a worker; an empty answer says that it has ended."""
    assert worker.stdin is not None and worker.stdout is not None
    while True:
        try:
            k, history = todo.get_nowait()
        except Empty:
            return
        try:
            worker.stdin.write(json.dumps(order | {"y": history.tolist()}) + "\n")
            worker.stdin.flush()
            answer = worker.stdout.readline()
        except (OSError, ValueError):
            answer = ""
        done.put((k, answer))
        if not answer:
            return


def _close(worker: "subprocess.Popen[str]") -> None:
    worker.wait()
    for pipe in (worker.stdin, worker.stdout):
        if pipe is not None:
            with suppress(OSError):  # what was still to be written has no reader any more
                pipe.close()


def _next(done: "SimpleQueue[tuple[int, str]]") -> tuple[int, str]:
    while True:
        try:
            return done.get(timeout=0.5)  # waiting without an end would not let Ctrl-C through everywhere
        except Empty:
            continue


def serve(fit_of: Callable[[dict[str, Any]], Estimate]) -> None:
    """A worker's loop: answer one order a line until the input ends."""
    for line in sys.stdin:
        found = fit_of(json.loads(line))
        answer = asdict(found) | {"coefficients": found.coefficients.tolist(), "start": []}
        print(json.dumps(answer), flush=True)


def _received(answer: str) -> Estimate:
    fields = json.loads(answer)
    return Estimate(**fields | {
        "orders": Orders(**fields["orders"]),
        "coefficients": np.array(fields["coefficients"], np.float64),
        "start": np.array(fields["start"], np.float64),
    })  # fmt: skip
