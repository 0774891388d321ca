"""How much memory is free, asked before much of it is taken."""

from __future__ import annotations

import os
from pathlib import Path

from multiscale.errors import MemoryLimitError, describe

_GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def free_memory() -> int | None:
    """Count the bytes that this process may still take.

    Returns
    -------
    int or None
        Free memory of the machine or of the control group, whichever is less;
        None where the system does not tell.
    """
    found = [value for value in (_free_on_machine(), *map(_free_in_group, _GROUPS)) if value]
    return min(found, default=None)


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


def _free_in_group(files: tuple[str, str]) -> int | None:
    try:
        limit, used = (int(Path(name).read_text()) for name in files)
    except (OSError, ValueError):  # no such group, or no limit ("max")
        return None
    return max(limit - used, 0) or None
