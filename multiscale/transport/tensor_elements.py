"""Trilinear elements for fields whose coefficient is a full tensor.

Unknowns sit at voxel vertices and every voxel has one constant symmetric
tensor K. The element energy ∫ ∇u·K∇u is the energy of links between the voxel's
vertices, g_ij = −∫ ∇N_i·K∇N_j, so the same network solver applies; some links
are negative, the sum is still positive semi-definite. Off-diagonal terms are
consistent, a uniform tensor comes back exactly, and D_eff converges from above
with second order.

References
----------
Hughes, The Finite Element Method (2000), ch. 3.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from multiscale.numerics import ConductanceGraph
from multiscale.numerics.compiling import kernel

FloatArray = NDArray[np.float64]


def element_energies(spacing: FloatArray) -> FloatArray:
    """Integrate the products of shape-function derivatives over one voxel.

    Parameters
    ----------
    spacing : (d,) ndarray
        Voxel edges [m].

    Returns
    -------
    (d, d, 2**d, 2**d) ndarray
        ∫ ∂_a N_i ∂_b N_j; corner i has the binary digits of its offsets, first
        axis first.
    """
    d = spacing.size
    mass = np.array([[2.0, 1.0], [1.0, 2.0]]) / 6.0
    slope = np.array([-1.0, 1.0])
    stiffness = np.outer(slope, slope)
    left = np.outer(slope, [0.5, 0.5])
    out = np.empty((d, d, 2**d, 2**d))
    for a, b in product(range(d), repeat=2):
        matrix = np.ones((1, 1))
        for c in range(d):
            if c == a == b:
                factor = stiffness / spacing[c]
            elif c == a:
                factor = left
            elif c == b:
                factor = left.T
            else:
                factor = mass * spacing[c]
            matrix = np.kron(matrix, factor)
        out[a, b] = matrix
    return out


def assemble_tensor(
    field: FloatArray, spacing: FloatArray, electrodes: int | None = None
) -> ConductanceGraph:
    """Assemble the network of a tensor field.

    Parameters
    ----------
    field : (nx, ny[, nz], d, d) ndarray
        Symmetric positive semi-definite tensor of each voxel.
    spacing : (d,) ndarray
        Voxel edges [m].
    electrodes : int, optional
        Axis whose box faces are held at fixed potentials; None for periodic.

    Returns
    -------
    ConductanceGraph
        Nodes are voxel vertices; those on electrodes are eliminated.
    """
    d = spacing.size
    cells = np.asarray(field.shape[:d])
    periodic = electrodes is None
    grid = cells if periodic else cells + 1
    padded = np.ones(3, np.int64)
    padded[:d] = cells
    vertices = np.ones(3, np.int64)
    vertices[:d] = grid
    links = _stencils(field.reshape(*padded, d, d), element_energies(spacing), vertices, periodic)
    first, second, value = links
    index = np.stack(np.unravel_index(np.arange(int(grid.prod())), tuple(grid)), axis=1)
    free = np.ones(len(index), dtype=bool)
    contact = np.zeros((len(index), 2))
    if electrodes is not None:
        at_end = (index[:, electrodes] == 0, index[:, electrodes] == cells[electrodes])
        free = ~(at_end[0] | at_end[1])
        for end in (0, 1):
            to_end = free[first] & at_end[end][second]
            contact[:, end] = np.bincount(first[to_end], value[to_end], len(index))
    entry = free[first] & free[second] & (value != 0)
    number = np.cumsum(free) - 1
    order = np.argsort(number[first[entry]], kind="stable")
    count = np.bincount(number[first[entry]], minlength=int(free.sum()))
    coordinates = index[free].astype(np.int32)
    if electrodes is not None:
        coordinates[:, electrodes] -= 1
        grid = grid.copy()
        grid[electrodes] -= 2
    return ConductanceGraph(
        np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
        number[second[entry]][order].astype(np.int32),
        value[entry][order],
        contact[free],
        index[free] * spacing,
        coordinates,
        np.zeros(len(coordinates), np.int32),
        tuple(int(n) for n in grid),
        cells * spacing,
    )


@kernel()
def _stencils(field, energies, vertices, periodic):  # type: ignore[no-untyped-def]  # noqa: C901
    """Sum element links into one slot for each vertex and neighbour offset."""
    d = field.shape[3]
    corners = 2**d
    total = vertices[0] * vertices[1] * vertices[2]
    slots = np.zeros((total, 27))
    offset = np.zeros((corners, 3), np.int64)
    for c in range(corners):
        for a in range(d):
            offset[c, a] = (c >> (d - 1 - a)) & 1
    vertex = np.empty(corners, np.int64)
    for i in range(field.shape[0]):
        for j in range(field.shape[1]):
            for k in range(field.shape[2]):
                for c in range(corners):
                    p, q, r = i + offset[c, 0], j + offset[c, 1], k + offset[c, 2]
                    if periodic:
                        p, q, r = p % vertices[0], q % vertices[1], r % vertices[2]
                    vertex[c] = (p * vertices[1] + q) * vertices[2] + r
                for c in range(corners):
                    for e in range(corners):
                        if c == e:
                            continue
                        g = 0.0
                        for a in range(d):
                            for b in range(d):
                                g -= field[i, j, k, a, b] * energies[a, b, c, e]
                        slot = 0
                        for a in range(3):
                            slot = 3 * slot + offset[e, a] - offset[c, a] + 1
                        slots[vertex[c], slot] += g
    first = np.empty(total * 27, np.int64)
    second = np.empty(total * 27, np.int64)
    value = np.empty(total * 27)
    count = 0
    for i in range(vertices[0]):
        for j in range(vertices[1]):
            for k in range(vertices[2]):
                me = (i * vertices[1] + j) * vertices[2] + k
                for slot in range(27):
                    v = slots[me, slot]
                    if v == 0.0:
                        continue
                    p, q, r = i + slot // 9 - 1, j + slot // 3 % 3 - 1, k + slot % 3 - 1
                    if periodic:
                        p, q, r = p % vertices[0], q % vertices[1], r % vertices[2]
                    first[count] = me
                    second[count] = (p * vertices[1] + q) * vertices[2] + r
                    value[count] = v
                    count += 1
    return first[:count].copy(), second[:count].copy(), value[:count].copy()
