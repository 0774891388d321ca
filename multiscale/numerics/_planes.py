"""Grids worked off plane after plane, by one thread or by several.

A kernel does one part of the planes of a grid; the parts know nothing of each
other, so that planes next to a part are done again rather than shared. Scratch
lies in rings of a few planes.
"""

from __future__ import annotations

from typing import Any

from multiscale.numerics.compiling import piece

RING = 4
"""Planes in a ring."""


@piece(error_model="numpy")
def span(planes, part, parts):  # type: ignore[no-untyped-def]
    """First plane of a part, and the one behind its last."""
    return part * planes // parts, (part + 1) * planes // parts


@piece(error_model="numpy")
def around(i, n):  # type: ignore[no-untyped-def]
    """Layer before, layer i of n, and layer after; the first follows the last."""
    return i - 1 if i > 0 else n - 1, i, i + 1 if i < n - 1 else 0


@piece(error_model="numpy")
def slots(plane):  # type: ignore[no-untyped-def]
    """Where a ring holds the plane before, the plane, and the plane after; from −1 on."""
    return (plane + 1) % RING, (plane + 2) % RING, (plane + 3) % RING


def run(alone: Any, among: Any, given: tuple[Any, ...], threads: int) -> None:
    """Run a kernel on all parts of a grid.

    One thread never calls what is compiled for several, which takes several times as long
    to compile.

    Parameters
    ----------
    alone : callable
        Does one part: ``alone(*given, part, parts)``.
    among : callable
        Does all, a part a thread: ``among(*given, threads)``.
    given : tuple
        What both take.
    threads : int
        Threads.
    """
    if threads == 1:
        alone(*given, 0, 1)
    else:
        among(*given, threads)
