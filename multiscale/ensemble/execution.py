"""Compute many samples on the processes of one machine."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass

from multiscale.errors import ComputationError, MultiscaleError

_THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
RESTARTS = 3
"""How often a pool whose worker died is started again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one sample.

    Parameters
    ----------
    index : int
        Number of the sample.
    error : str
        Empty if it was computed; otherwise what went wrong, in one line.
    """

    index: int
    error: str = ""


def default_workers() -> int:
    """Count the processors this process may use.

    Returns
    -------
    int
        At least one.
    """
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def run_all(
    task: Callable[[int], None],
    indices: Sequence[int],
    *,
    workers: int,
    on_done: Callable[[Outcome], None],
) -> None:
    """Run a task for each number, in this process or in a pool.

    Parameters
    ----------
    task : callable
        Computes and stores one sample; must be picklable for more than one
        worker.
    indices : sequence of int
        Numbers of the samples.
    workers : int
        Processes; one computes here.
    on_done : callable
        Told of every finished or failed sample, in the order they end.

    Raises
    ------
    ComputationError
        If worker processes keep dying.
    """
    if workers == 1 or len(indices) <= 1:
        for index in indices:
            on_done(_attempt(task, index))
        return
    waiting = list(indices)
    for _ in range(RESTARTS + 1):
        waiting = _run_pool(task, waiting, min(workers, len(waiting)), on_done)
        if not waiting:
            return
    raise ComputationError(
        f"worker processes died {RESTARTS + 1} times, {len(waiting)} samples are left (first: "
        f"{waiting[0]}); out of memory? finished samples are kept: run again with fewer --workers"
    )


def _run_pool(
    task: Callable[[int], None],
    indices: list[int],
    workers: int,
    on_done: Callable[[Outcome], None],
) -> list[int]:
    """Run until done or until a worker dies; return what is left."""
    left = list(indices)
    with _single_threaded():
        pool = ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_leave_with_parent,
        )
        try:
            queue = iter(indices)
            running: dict[Future[Outcome], int] = {}
            _fill(pool, task, queue, running, 3 * workers)
            while running:
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    index = running.pop(future)
                    on_done(future.result())
                    left.remove(index)
                _fill(pool, task, queue, running, 3 * workers)
            pool.shutdown()
        except BrokenProcessPool:
            pool.shutdown(cancel_futures=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return left


def _fill(
    pool: ProcessPoolExecutor,
    task: Callable[[int], None],
    queue: Iterator[int],
    running: dict[Future[Outcome], int],
    depth: int,
) -> None:
    """Keep a few samples in flight, not all of them."""
    while len(running) < depth:
        index = next(queue, None)
        if index is None:
            return
        running[pool.submit(_attempt, task, index)] = index


def _leave_with_parent() -> None:
    """End this worker when the process that started it is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _attempt(task: Callable[[int], None], index: int) -> Outcome:
    """Run one sample; an error of the package is recorded and the rest goes on."""
    try:
        task(index)
    except MultiscaleError as error:
        return Outcome(index, f"{type(error).__name__}: {error}")
    return Outcome(index)


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Let worker processes start with one thread each."""
    before = {name: os.environ.get(name) for name in _THREAD_LIMITS}
    os.environ.update(dict.fromkeys(_THREAD_LIMITS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
