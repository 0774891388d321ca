"""One run at a time in a result folder; shards of one run together."""

from __future__ import annotations

import datetime
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from multiscale.errors import StoreError, describe

try:
    import fcntl
except ImportError:  # pragma: no cover (Windows: folders are not locked there)
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
"""File in a result folder that is locked; what it says is for people."""


@contextmanager
def run_lock(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a result folder for one run, or for the shards of one.

    The lock is the operating system's (``flock``): it falls with the process that holds
    it, however that ends, so that no stale lock is left. Over NFS it holds between
    machines only where the server's lock service runs.

    Parameters
    ----------
    folder : pathlib.Path
        The result folder; made when missing.
    shared : bool, optional
        Others may share it, but none may hold it alone.

    Yields
    ------
    None
        While the lock is held.

    Raises
    ------
    StoreError
        If another run holds it, or the folder cannot be written.
    """
    place = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = place.open("a+", encoding="utf-8")
    except FileExistsError:
        raise StoreError(describe(folder, "a folder", "a file", "move it away")) from None
    except OSError as error:
        remedy = "choose another folder with --output"
        raise StoreError(
            describe(folder, "a folder that can be written", error.strerror, remedy)
        ) from None
    with handle:
        if fcntl is not None:
            _take(handle.fileno(), place, folder, shared=shared)
        if not shared:
            handle.truncate(0)
            handle.write(json.dumps(_holder()) + "\n")
            handle.flush()
        yield


def _take(descriptor: int, place: Path, folder: Path, *, shared: bool) -> None:
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        remedy = "wait for it, end it, or choose another folder with --output"
        raise StoreError(
            describe(folder, "a folder that no other run is using", _told(place), remedy)
        ) from None


def _holder() -> dict[str, str | int]:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": now}


def _told(place: Path) -> str:
    """Say who holds a folder."""
    try:
        held = json.loads(place.read_text(encoding="utf-8"))
        return f"process {held['pid']} on {held['host']} since {held['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
