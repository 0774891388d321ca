"""How much memory is free, asked before much of it is taken."""

from __future__ import annotations

import os
from pathlib import Path

from multiscale.errors import MemoryLimitError, describe

_GROUPS = (
    ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    (
        "/sys/fs/cgroup/memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
)


def free_memory() -> int | None:
    """Count the bytes that this process may still take.

    Returns
    -------
    int or None
        Free memory of the machine, of the control group, or under the limit on this process
        (``ulimit -v``), whichever is least; None where the system does not tell.
    """
    found = (_free_on_machine(), _free_in_process(), *map(_free_in_group, _GROUPS))
    return min((value for value in found if value is not None), default=None)


def check_memory(needed: int, what: str, remedy: str) -> None:
    """Refuse a computation that does not fit.

    Parameters
    ----------
    needed : int
        Bytes it will take.
    what : str
        The computation, for the message.
    remedy : str
        What the user can do.

    Raises
    ------
    MemoryLimitError
        If less is free.
    """
    free = free_memory()
    if free is not None and needed > free:
        raise MemoryLimitError(
            describe(
                what,
                f"at most {free / 2**30:.3g} GiB, which is free",
                f"{needed / 2**30:.3g} GiB needed",
                remedy,
            )
        )


def _free_on_machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _free_in_process() -> int | None:
    try:
        import resource
    except ImportError:  # not on every system
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return None
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return max(limit - pages * resource.getpagesize(), 0)


def _free_in_group(group: tuple[str, str, str, str]) -> int | None:
    folder, most, taken, cached = group
    try:
        limit, used = (int((Path(folder) / name).read_text()) for name in (most, taken))
    except (OSError, ValueError):  # no such group, or no limit ("max")
        return None
    return max(limit - max(used - _statistic(Path(folder), cached), 0), 0)


def _statistic(folder: Path, name: str) -> int:
    """Read a line of a group's statistics: cached files count as used but are given up."""
    try:
        lines = (folder / "memory.stat").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.split()[:1] == [name])
    except (OSError, ValueError, IndexError, StopIteration):
        return 0
