"""Voxels within a distance of boundary types, all types at once.

Up to eight types are the bits of one byte a voxel. A ball is a stack of lines: the
bytes are first spread along the last axis by every half length the ball has, then
each spread copy is laid over the voxels at the offsets across that have this half
length. What is near a voxel is the union of what it was laid over with.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from multiscale.microstructure._neighbourhood_kernels import add_bits, mark, spread
from multiscale.microstructure.power_diagram import Floats, Ints

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
        mark(grid, phases, types - first, periodic, bits)
        near = bits
        if len(across) > 1 or reach[0] > 0:
            near = spread(bits, across, reach, periodic)
        add_bits(near.ravel(), count.ravel())
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
