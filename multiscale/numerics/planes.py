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
def span(planes: int, part: int, parts: int) -> tuple[int, int]:
    """Say which planes are a part's.

    Parameters
    ----------
    planes : int
        Planes of the grid.
    part, parts : int
        Number of the part, and how many there are.

    Returns
    -------
    first, last : int
        Its first plane, and the one behind its last.
    """
    return part * planes // parts, (part + 1) * planes // parts


@piece(error_model="numpy")
def around(i: int, n: int) -> tuple[int, int, int]:
    """Name the layers next to one; the first follows the last.

    Parameters
    ----------
    i, n : int
        Number of the layer, and how many there are.

    Returns
    -------
    before, here, after : int
        The layers.
    """
    return i - 1 if i > 0 else n - 1, i, i + 1 if i < n - 1 else 0


@piece(error_model="numpy")
def slots(plane: int) -> tuple[int, int, int]:
    """Say where a ring holds a plane and those next to it.

    Parameters
    ----------
    plane : int
        The plane, from −1 on.

    Returns
    -------
    before, here, after : int
        Places in the ring.
    """
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
