"""What is free, and what is refused before it is allocated."""

import pytest

from multiscale.errors import InputError, MemoryLimitError
from multiscale.numerics import memory
from multiscale.numerics.memory import check_memory, free_memory

GIB = 2**30


@pytest.fixture
def group(tmp_path, monkeypatch):
    """Set the limit and the use of a control group, and what is free on the machine."""

    def build(limit, used, machine=8 * GIB, cached=None):
        for name, text in (("max", limit), ("current", used)):
            if text is not None:
                (tmp_path / name).write_text(f"{text}\n")
        if cached is not None:
            (tmp_path / "memory.stat").write_text(f"anon 5\ninactive_file {cached}\nfile 9\n")
        monkeypatch.setattr(
            memory, "_GROUPS", ((str(tmp_path), "max", "current", "inactive_file"),)
        )
        monkeypatch.setattr(memory, "_free_on_machine", lambda: machine)
        monkeypatch.setattr(memory, "_free_in_process", lambda: None)

    return build


def test_some_memory_is_free():
    free = free_memory()
    assert free is None or free > 2**20


@pytest.mark.parametrize(
    ("limit", "used", "machine", "free"),
    [
        (3 * GIB, GIB, 8 * GIB, 2 * GIB),  # the group allows less than the machine has
        (30 * GIB, GIB, 8 * GIB, 8 * GIB),
        ("max", GIB, 8 * GIB, 8 * GIB),  # no limit
        (None, None, 8 * GIB, 8 * GIB),  # no group
        (3 * GIB, None, 8 * GIB, 8 * GIB),
        (3 * GIB, GIB, None, 2 * GIB),  # the machine does not tell
        ("max", GIB, None, None),
    ],
)
def test_less_of_machine_and_group(group, limit, used, machine, free):
    group(limit, used, machine)
    assert free_memory() == free


def test_a_limit_on_the_process_counts(monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (0, 0))
    assert free_memory() == 0
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert memory._free_in_process() is None


def test_full_group_leaves_nothing(group):
    group(3 * GIB, 4 * GIB)
    assert free_memory() == 0
    with pytest.raises(MemoryLimitError):
        check_memory(1, "a solve", "wait")


def test_cached_files_are_given_up(group):
    group(3 * GIB, 3 * GIB, cached=GIB)
    assert free_memory() == GIB


def test_what_fits_passes(group):
    group(3 * GIB, GIB)
    check_memory(2 * GIB, "a solve", "cut it")


def test_what_does_not_fit_is_refused(group):
    group(3 * GIB, GIB)
    with pytest.raises(MemoryLimitError) as caught:
        check_memory(2 * GIB + 1, "a solve on 5×5 voxels", "cut it")
    message = str(caught.value)
    assert isinstance(caught.value, InputError)
    assert "\n" not in message
    for words in ("a solve on 5×5 voxels", "at most 2 GiB", "2 GiB needed", "cut it"):
        assert words in message


def test_unknown_memory_refuses_nothing(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    check_memory(10**18, "a solve", "cut it")
