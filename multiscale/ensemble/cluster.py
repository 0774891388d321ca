"""Compute many samples on the workers of a Dask scheduler."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from typing import Any

from multiscale.ensemble.execution import IN_FLIGHT, RETRIES, Outcome, _attempt, one_thread
from multiscale.errors import ComputationError, StudyError, describe

PATIENCE = 15.0
"""Seconds to reach a scheduler, and to find a worker."""
_ADDRESS = re.compile(r"(tcp|tls|ucx|ws|wss|inproc)://\S+|[\w.-]+:\d+")
_ONE_AT_A_TIME = threading.Lock()  # netCDF's library is not safe between threads


def run_on_cluster(
    task: Callable[[int], None],
    indices: Sequence[int],
    *,
    scheduler: str,
    on_done: Callable[[Outcome], None],
    stored: Callable[[int], bool],
    retries: int = RETRIES,
) -> None:
    """Run a task for each number on a Dask cluster.

    Workers write to the result folder themselves: it must be on a file system that
    they share with this machine, under the same path. Start them with one thread a
    process (``dask worker --nthreads 1 --nworkers N``); a worker with more computes one
    sample at a time all the same.

    Parameters
    ----------
    task : callable
        Computes and stores one sample; picklable.
    indices : sequence of int
        Numbers of the samples.
    scheduler : str
        Address of the scheduler, ``tcp://host:8786``.
    on_done : callable
        Told of every finished or failed sample, in the order they end.
    stored : callable
        Whether a sample's file is seen here.
    retries : int, optional
        How often a sample is tried again whose worker died.

    Raises
    ------
    StudyError
        If the extra ``cluster`` is not installed or no scheduler answers.
    ComputationError
        If the scheduler is lost, has no workers, or their files are not seen here.
    """
    try:
        from distributed import Client
    except ImportError:
        remedy = "pip install 'multiscale[cluster]'"
        raise StudyError(describe("--scheduler", "the extra 'cluster'", "none", remedy)) from None
    if not _ADDRESS.fullmatch(scheduler):
        raise StudyError(describe("--scheduler", "an address like tcp://host:8786", scheduler))
    try:
        client = Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        remedy = "start one with 'dask scheduler'"
        raise StudyError(
            describe("--scheduler", f"a Dask scheduler at {scheduler}", reason, remedy)
        ) from None
    with client, client.as_current():
        _Cluster(client, task, on_done, stored, retries).run(list(indices))


class _Cluster:
    """Hands out samples to a cluster and takes them back.

    Parameters
    ----------
    client : distributed.Client
        Connected.
    task, on_done, stored, retries
        As in :func:`run_on_cluster`.
    """

    def __init__(
        self,
        client: Any,
        task: Callable[[int], None],
        on_done: Callable[[Outcome], None],
        stored: Callable[[int], bool],
        retries: int,
    ) -> None:
        self.client, self.task, self.on_done, self.stored = client, task, on_done, stored
        self.retries = retries
        self.attempts: dict[int, int] = {}
        self.running: dict[Any, int] = {}

    def run(self, waiting: list[int]) -> None:
        """Run all samples, a few for each worker at a time."""
        from distributed import wait
        from distributed.comm import CommClosedError

        left = len(waiting)
        try:
            self.client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise ComputationError(
                f"the Dask scheduler has no workers after {PATIENCE:g} s: start some with "
                "'dask worker ADDRESS --nthreads 1' and run again"
            ) from None
        try:
            while waiting or self.running:
                workers = max(1, len(self.client.scheduler_info(n_workers=-1)["workers"]))
                while waiting and len(self.running) < IN_FLIGHT * workers:
                    self._submit(waiting.pop(0))
                done, _ = wait(list(self.running), return_when="FIRST_COMPLETED", timeout=3600)
                for future in done:
                    index = self.running.pop(future)
                    if not self._take(index, future):
                        waiting.append(index)
                    else:
                        left -= 1
                if self.client.status != "running":
                    raise CommClosedError("client is " + str(self.client.status))
        except (CommClosedError, TimeoutError, OSError) as error:
            raise self._lost(left, error) from None
        except Exception as error:
            if type(error).__name__ in ("CancelledError", "FutureCancelledError"):
                raise self._lost(left, error) from None
            raise

    def _submit(self, index: int) -> None:
        self.attempts[index] = self.attempts.get(index, 0) + 1
        key = f"sample-{index}-{self.attempts[index]}-{id(self)}"
        future = self.client.submit(attempt_here, self.task, index, key=key, pure=False)
        self.running[future] = index

    def _take(self, index: int, future: Any) -> bool:
        """Note what became of a sample; False if it is to be tried again."""
        from distributed import KilledWorker

        try:
            outcome: Outcome = future.result()
        except KilledWorker:
            if self.attempts[index] <= self.retries:
                return False
            tries = self.attempts[index]
            text = f"ComputationError: its worker died each time, {tries} submissions"
            outcome = Outcome(index, text, tries)
        if not outcome.error and not self.stored(index):
            raise ComputationError(
                f"sample {index} was computed, but its file is not in the result folder here: "
                "workers need the same folder under the same path (a shared file system)"
            )
        self.on_done(outcome)
        return True

    def _lost(self, left: int, error: Exception) -> ComputationError:
        return ComputationError(
            f"the Dask scheduler was lost ({type(error).__name__}), {left} samples are left; "
            "finished ones are kept: start it and run again"
        )


def attempt_here(task: Callable[[int], None], index: int) -> Outcome:
    """Run one sample on a worker of a cluster.

    Parameters
    ----------
    task : callable
        Computes and stores one sample.
    index : int
        Number of the sample.

    Returns
    -------
    Outcome
        What became of it.
    """
    with _ONE_AT_A_TIME, one_thread():
        return _attempt(task, index)
