"""Which voxels carry current: parts of a voxel field that lead somewhere.

A part that closes on itself along no axis of a periodic box, or that does not
touch both electrodes, carries no current and is left out, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from multiscale.numerics.compiling import kernel

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Carriers:
    """Voxels that carry current.

    Parameters
    ----------
    mask : (nx, ny, nz) uint8 ndarray or None
        One where a voxel takes part; None if all do.
    along : tuple of bool
        Whether current can flow along each axis.
    """

    mask: NDArray[np.uint8] | None
    along: tuple[bool, bool, bool]


def carriers(field: NDArray[Any], ends: tuple[str, str, str], *, corners: bool = False) -> Carriers:
    """Find the voxels that carry current.

    Parameters
    ----------
    field : (nx, ny, nz) ndarray
        Coefficients; zero does not conduct.
    ends : tuple of {"periodic", "wall", "electrodes"}
        What lies behind the last voxel of each axis.
    corners : bool, optional
        Whether current also flows between voxels that share an edge or a corner only.

    Returns
    -------
    Carriers
        The voxels, and the axes along which current flows.
    """
    open_ends = tuple(end != "wall" for end in ends)
    if all((plane > 0).all() for plane in field):
        return Carriers(None, (open_ends[0], open_ends[1], open_ends[2]))
    around = ndimage.generate_binary_structure(3, 3 if corners else 1)
    labelled: tuple[Any, int] = ndimage.label(field > 0, around)
    part, count = labelled
    flows = np.zeros((count + 1, 3), dtype=bool)
    if "electrodes" in ends:
        a = ends.index("electrodes")
        first, last = (np.unique(part.take(end, axis=a)) for end in (0, -1))
        flows[np.intersect1d(first, last), a] = True
        flows[0] = False
    else:
        flows[1:] = _closed(part, ends, count, corners)[1:]
    takes_part: BoolArray = np.asarray(flows.any(axis=1))
    along: BoolArray = np.asarray(flows.any(axis=0))
    mask = None if takes_part[1:].all() and (part > 0).all() else takes_part[part].view(np.uint8)
    return Carriers(mask, (bool(along[0]), bool(along[1]), bool(along[2])))


def _closed(
    part: NDArray[np.int32], ends: tuple[str, str, str], count: int, corners: bool
) -> BoolArray:
    """Tell along which axes the parts close on themselves across the box."""
    pairs = [np.zeros((0, 5), np.int64)]
    for a, end in enumerate(ends):
        if end == "periodic":
            pairs += [_across(part, ends, a, step) for step in _steps(a, corners)]
    closed: BoolArray = _join(np.concatenate(pairs), count + 1)
    return closed


def _steps(axis: int, corners: bool) -> list[tuple[int, ...]]:
    """List the steps forward along an axis to the voxels that are touched."""
    aside = (-1, 0, 1) if corners else (0,)
    return [(*two[:axis], 1, *two[axis:]) for two in product(aside, repeat=2)]


def _across(
    part: NDArray[np.int32], ends: tuple[str, str, str], axis: int, step: tuple[int, ...]
) -> NDArray[np.int64]:
    """Pair the parts that one step off the last layer joins, with the boxes crossed."""
    last: NDArray[Any] = np.asarray(part.take(-1, axis=axis))
    first: NDArray[Any] = np.asarray(part.take(0, axis=axis))
    crossed: NDArray[np.int64] = np.zeros((*last.shape, 3), np.int64)
    crossed[..., axis] = 1
    there = np.ones(last.shape, bool)
    for side, a in enumerate(b for b in range(3) if b != axis):
        if step[a] == 0:
            continue
        first = np.roll(first, -step[a], axis=side)
        end: list[Any] = [slice(None), slice(None)]
        end[side] = slice(-1, None) if step[a] > 0 else slice(0, 1)
        crossed[(*end, a)] = step[a]
        if ends[a] != "periodic":
            there[tuple(end)] = False
    there &= (last > 0) & (first > 0)
    pairs = np.column_stack([last[there], first[there], crossed[there]])
    return np.unique(pairs.astype(np.int64), axis=0)


@kernel()
def _join(pairs, count):  # type: ignore[no-untyped-def]
    """Union–find over parts with the number of boxes between them.

    Newman & Ziff, Phys. Rev. E 64, 016706 (2001), 10.1103/PhysRevE.64.016706.
    """
    parent = np.arange(count)
    shift = np.zeros((count, 3), np.int64)  # boxes from the root to the part
    closed = np.zeros((count, 3), np.bool_)
    offset = np.zeros((2, 3), np.int64)
    roots = np.zeros(2, np.int64)
    for p in range(pairs.shape[0]):
        for end in range(2):
            i = pairs[p, end]
            offset[end] = 0
            while parent[i] != i:
                offset[end] += shift[i]
                i = parent[i]
            roots[end] = i
            j = pairs[p, end]  # shorten the path
            left = offset[end].copy()
            while parent[j] != i and j != i:
                following, step = parent[j], shift[j].copy()
                parent[j] = i
                shift[j] = left
                left = left - step
                j = following
        between = offset[0] - offset[1]
        between += pairs[p, 2:]  # from the second root to the first, all the way round
        if roots[0] == roots[1]:
            for a in range(3):
                closed[roots[0], a] |= between[a] != 0
        else:
            parent[roots[1]] = roots[0]
            shift[roots[1]] = between
            for a in range(3):
                closed[roots[0], a] |= closed[roots[1], a]
    for i in range(count):
        root = i
        while parent[root] != root:
            root = parent[root]
        for a in range(3):
            closed[i, a] |= closed[root, a]
    return closed
