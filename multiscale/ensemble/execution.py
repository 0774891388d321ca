"""Compute many samples on the processes of one machine."""

from __future__ import annotations

import multiprocessing
import os
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from threadpoolctl import threadpool_limits

from multiscale.errors import MultiscaleError, StoreError

_THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
RETRIES = 2
"""How often a sample whose process died is tried again."""
IN_FLIGHT = 3
"""Samples handed out for each worker; the others wait here."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one sample.

    Parameters
    ----------
    index : int
        Number of the sample.
    error : str
        Empty if it was computed; otherwise what went wrong, in one line.
    attempts : int
        How often it was tried.
    """

    index: int
    error: str = ""
    attempts: int = 1


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
    retries: int = RETRIES,
) -> None:
    """Run a task for each number, in this process or in a pool.

    Every sample is computed by one thread, wherever it runs, so that it comes out the
    same to the last bit. Where a worker dies, the samples that were in flight are tried
    again one at a time: the one that kills its process is found and given up after
    ``retries`` further attempts, and all others are finished.

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
    retries : int, optional
        How often a sample is tried again whose process died.

    Raises
    ------
    StoreError
        If results can no longer be written.
    """
    if workers == 1 or len(indices) <= 1:
        with one_thread():
            for index in indices:
                on_done(_attempt(task, index))
        return
    waiting = list(indices)
    while waiting:
        suspects = _run_pool(task, waiting, min(workers, len(waiting)), on_done)
        _run_apart(task, suspects, on_done, retries)
        waiting = [index for index in waiting if index not in suspects]


def _run_apart(
    task: Callable[[int], None],
    suspects: Sequence[int],
    on_done: Callable[[Outcome], None],
    retries: int,
) -> None:
    """Run samples one at a time; give up those that kill their process every time."""
    again = max(1, retries)  # those that only stood beside it need one
    for index in suspects:
        if all(_run_pool(task, [index], 1, on_done) for _ in range(again)):
            text = f"its process died {again + 1} times; out of memory?"
            on_done(Outcome(index, f"ComputationError: {text}", again + 1))


def _run_pool(
    task: Callable[[int], None],
    waiting: list[int],
    workers: int,
    on_done: Callable[[Outcome], None],
) -> list[int]:
    """Run until done or until a worker dies.

    Numbers are taken off ``waiting`` as they end. What was in flight when a worker died
    is returned.
    """
    with _single_threaded():
        pool = ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_leave_with_parent,
        )
        running: dict[Future[Outcome], int] = {}
        try:
            queue = iter(list(waiting))
            _fill(pool, task, queue, running, IN_FLIGHT * workers)
            while running:
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    outcome = future.result()
                    index = running.pop(future)
                    waiting.remove(index)
                    on_done(outcome)
                _fill(pool, task, queue, running, IN_FLIGHT * workers)
            pool.shutdown()
        except BrokenProcessPool:
            pool.shutdown(cancel_futures=True)
            return list(running.values())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return []


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
    """Run one sample; its error is recorded and the rest goes on.

    Results that cannot be written stop the run: no other sample would fare better.
    """
    try:
        task(index)
    except StoreError:
        raise
    except MultiscaleError as error:
        return Outcome(index, f"{type(error).__name__}: {error}")
    except MemoryError:
        return Outcome(index, "MemoryError: more than is free; run with fewer --workers")
    except Exception as error:  # a defect met by one sample must not cost the others
        last = traceback.extract_tb(error.__traceback__)[-1]
        text = " ".join(str(error).split()) or "no message"
        place = f"{Path(last.filename).name}:{last.lineno}"
        return Outcome(index, f"defect: {type(error).__name__} at {place}: {text}")
    return Outcome(index)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread here, as workers do."""
    import numba

    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        numba.set_num_threads(before)


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
