"""Voxels within a distance of boundary types, all types at once.

Up to eight types are the bits of one byte a voxel. A ball is a stack of lines: the
bytes are first spread along the last axis by every half length the ball has, then
each spread copy is laid over the voxels at the offsets across that have this half
length. What is near a voxel is the union of what it was laid over with.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from multiscale.microstructure.power_diagram import Floats, Ints
from multiscale.microstructure.rasteriser import compiled

TYPES_A_BYTE = 8


def types_within(
    labels: NDArray[np.int32],
    types: Ints,
    phases: Ints,
    spacing: Floats,
    radius: float,
    *,
    periodic: bool,
) -> NDArray[np.int8]:
    """Count the boundary types that lie within a distance of each voxel.

    Parameters
    ----------
    labels : (cells) array of int32
        Grain numbers.
    types : (p, p) array of int
        Boundary type of each pair of phases.
    phases : (n,) array of int
        Phase of each grain.
    spacing : (d,) array
        Voxel edges [m].
    radius : float
        Distance [m] between voxel centres and the centres of voxels that have a face on
        a boundary.
    periodic : bool
        Whether the image repeats.

    Returns
    -------
    (cells) array of int8
        Number of types.
    """
    flat = labels.ndim == 2
    grid = np.ascontiguousarray(labels[None] if flat else labels)
    edges = np.concatenate([[1.0], spacing]) if flat else spacing
    across, reach = _ball(grid.shape, edges, radius * (1 + 1e-12), periodic)
    count = np.zeros(grid.shape, dtype=np.int8)
    for first in range(0, int(types.max()) + 1, TYPES_A_BYTE):
        bits = np.zeros(grid.shape, dtype=np.uint8)
        _mark(grid, phases, types - first, periodic, bits)
        near = bits
        if len(across) > 1 or reach[0] > 0:
            near = _spread(bits, across, reach, periodic)
        _add_bits(near.ravel(), count.ravel())
    return count.reshape(labels.shape)


def _ball(
    shape: tuple[int, ...], spacing: Floats, radius: float, periodic: bool
) -> tuple[Ints, Ints]:
    """Offsets across the last axis in a ball, and how far it reaches along it, ascending."""
    most = [n // 2 if periodic else n - 1 for n in shape]
    first, second = ((np.arange(-most[a], most[a] + 1) * spacing[a]) ** 2 for a in range(2))
    square = first[:, None] + second
    length = np.full(square.shape, -1)
    for value in (np.arange(most[2] + 1) * spacing[2]) ** 2:
        length += np.sqrt(square + value) <= radius
    across = np.argwhere(length >= 0) - most[:2]
    reach = length[length >= 0]
    order = np.argsort(reach, kind="stable")
    return across[order].astype(np.int64), reach[order]


@compiled
def _mark(labels, phases, types, periodic, bits):  # type: ignore[no-untyped-def]
    """Set the bit of each type, 0 to 7, that a voxel has a face on."""
    shape = labels.shape
    for i in range(shape[0]):
        for j in range(shape[1]):
            for k in range(shape[2]):
                here = labels[i, j, k]
                for axis in range(3):
                    x, y, z = i + (axis == 0), j + (axis == 1), k + (axis == 2)
                    if x == shape[0] or y == shape[1] or z == shape[2]:
                        if not periodic:
                            continue
                        x, y, z = x % shape[0], y % shape[1], z % shape[2]
                    there = labels[x, y, z]
                    if here == there:
                        continue
                    kind = types[phases[here], phases[there]]
                    if 0 <= kind < TYPES_A_BYTE:
                        bits[i, j, k] |= np.uint8(1 << kind)
                        bits[x, y, z] |= np.uint8(1 << kind)


@compiled
def _lay(row, shift, periodic, target):  # type: ignore[no-untyped-def]
    """Lay a line, shifted, over another one."""
    n = row.size
    for k in range(max(shift, 0), min(n + shift, n)):
        target[k] |= row[k - shift]
    if periodic:
        for k in range(shift):
            target[k] |= row[k - shift + n]
        for k in range(n + shift, n):
            target[k] |= row[k - shift - n]


@compiled
def _spread(bits, across, reach, periodic):  # type: ignore[no-untyped-def]
    """Union of the bits in a ball about each voxel."""
    shape = bits.shape
    lines = bits.copy()
    near = np.zeros_like(bits)
    length = 0
    for m in range(len(reach)):
        while length < reach[m]:
            length += 1
            for i in range(shape[0]):
                for j in range(shape[1]):
                    _lay(bits[i, j], length, periodic, lines[i, j])
                    _lay(bits[i, j], -length, periodic, lines[i, j])
        for i in range(shape[0]):
            x = i + across[m, 0]
            if periodic:
                x %= shape[0]
            if x < 0 or x >= shape[0]:
                continue
            for j in range(shape[1]):
                y = j + across[m, 1]
                if periodic:
                    y %= shape[1]
                if 0 <= y < shape[1]:
                    _lay(lines[i, j], 0, False, near[x, y])
    return near


@compiled
def _add_bits(bits, count):  # type: ignore[no-untyped-def]
    """Add the number of bits set in each byte."""
    table = np.zeros(256, np.int8)
    for value in range(256):
        table[value] = table[value // 2] + value % 2
    for i in range(bits.size):
        count[i] += table[bits[i]]
