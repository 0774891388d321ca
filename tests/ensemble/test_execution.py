"""Samples run in any number of processes; one that fails does not stop the rest."""

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from multiscale.ensemble import default_workers, run_all
from multiscale.errors import GenerationError, StoreError


def touch(folder, index):
    if index == 3:
        raise GenerationError("no such grains")
    (Path(folder) / str(index)).touch()


def die_once(folder, index):
    mark = Path(folder) / "died"
    if index == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    (Path(folder) / str(index)).touch()


def die_on_two(folder, index):
    if index == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    (Path(folder) / str(index)).touch()


def defective(index):
    return 1 / (index - 1)


def unstorable(index):
    raise StoreError("results: expected room, received a full disk")


@pytest.mark.parametrize("workers", [1, 2])
def test_failures_are_told_and_the_rest_goes_on(tmp_path, workers):
    outcomes = []
    run_all(functools.partial(touch, tmp_path), range(6), workers=workers, on_done=outcomes.append)
    assert sorted(outcome.index for outcome in outcomes) == list(range(6))
    failed = [outcome for outcome in outcomes if outcome.error]
    assert [(one.index, one.error) for one in failed] == [(3, "GenerationError: no such grains")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2", "4", "5"]


def test_a_killed_worker_is_replaced(tmp_path):
    outcomes = []
    run_all(functools.partial(die_once, tmp_path), range(5), workers=2, on_done=outcomes.append)
    assert sorted(outcome.index for outcome in outcomes) == list(range(5))


def test_a_sample_that_kills_its_process_costs_no_other(tmp_path):
    outcomes = []
    task = functools.partial(die_on_two, tmp_path)
    run_all(task, range(6), workers=2, on_done=outcomes.append, retries=1)
    assert sorted(outcome.index for outcome in outcomes) == list(range(6))
    (failed,) = (outcome for outcome in outcomes if outcome.error)
    assert failed.index == 2
    assert "died 2 times" in failed.error
    assert failed.attempts == 2


def test_a_defect_in_one_sample_is_noted(tmp_path):
    outcomes = []
    run_all(defective, range(3), workers=1, on_done=outcomes.append)
    errors = {one.index: one.error for one in outcomes}
    assert errors[0] == errors[2] == ""
    assert errors[1].startswith("defect: ZeroDivisionError at test_execution.py:")


def test_what_cannot_be_stored_stops_the_run():
    outcomes = []
    with pytest.raises(StoreError, match="full"):
        run_all(unstorable, range(3), workers=1, on_done=outcomes.append)
    assert outcomes == []


SLOW_RUN = """
import functools, os, sys, time
from pathlib import Path
from multiscale.ensemble import run_all

def slow(folder, index):
    (Path(folder) / f"{index}-{os.getpid()}").touch()
    time.sleep(0.1)

if __name__ == "__main__":
    run_all(
        functools.partial(slow, sys.argv[1]), range(10_000), workers=2, on_done=lambda _: None
    )
"""


def test_workers_leave_with_a_killed_parent(tmp_path):
    script, folder = tmp_path / "slow.py", tmp_path / "out"
    script.write_text(SLOW_RUN)
    folder.mkdir()
    parent = subprocess.Popen([sys.executable, str(script), str(folder)])
    deadline = time.monotonic() + 60
    while len(workers := {path.name.split("-")[1] for path in folder.iterdir()}) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline + 10, "workers outlive their parent"
        time.sleep(0.05)


def test_the_pool_is_sized_to_the_machine():
    assert 1 <= default_workers() <= (os.cpu_count() or 1)
