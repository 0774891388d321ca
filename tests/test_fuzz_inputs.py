"""Three hundred spoilt inputs: each ends well or in one line. ``make fuzz`` runs ten thousand."""

import importlib
import signal
from pathlib import Path

import pytest

CASES, SEED = 300, 20
pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="no alarms here")


class StillRunningError(BaseException):
    """No ``except Exception`` may take it."""


@pytest.fixture
def fuzz(monkeypatch):
    """The fuzzer, with little memory to be had and an alarm for each case."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "benchmarks"))
    monkeypatch.setattr("multiscale.numerics.memory.free_memory", lambda: 2**30)

    def stop(*_):
        raise StillRunningError

    before = signal.signal(signal.SIGALRM, stop)
    yield importlib.import_module("fuzz_inputs")
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def run(fuzz, numbers, folder):
    for number in numbers:
        own = folder / str(number)
        own.mkdir()
        yield number, *fuzz.here(number, SEED, own, signal.alarm)
        signal.alarm(0)
        fuzz.empty(own)


def test_spoilt_inputs_end_well_or_in_a_line(fuzz, tmp_path):
    found = list(run(fuzz, range(CASES), tmp_path))
    defects = [f"{n} {case.kind} ({case.spoiling}): {o.defect}" for n, case, o in found if o.defect]
    assert not defects, "\n".join(defects)
    words = {outcome.word for _, _, outcome in found}
    assert {"accepted", "refused: bad input"} <= words  # neither all good nor all bad


def test_the_fuzzer_sees_defects(fuzz, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("not a word of the package")

    monkeypatch.setattr("multiscale.tomlfile.tomllib.loads", broken)
    found = list(run(fuzz, range(10), tmp_path))
    assert any("traceback: RuntimeError" in outcome.defect for _, _, outcome in found)
