"""Trilinear elements assembled whole as a network, for checking the solver of tensor fields."""

import numpy as np

from multiscale.numerics import ConductanceGraph
from multiscale.numerics.compiling import kernel
from multiscale.transport.cell_problem import solve_dirichlet, solve_periodic
from multiscale.transport.tensor_elements import element_energies


def assemble_tensor(field, spacing, electrodes=None):
    """Nodes are voxel vertices; those on electrodes are eliminated."""
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
def _stencils(field, energies, vertices, periodic):  # noqa: C901
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


def solve_network(field, spacing, boundary, rtol):
    """Energy and flux tensor, and the axes that conduct."""
    d = spacing.size
    if boundary == "periodic":
        copies = [-(-3 // n) if n < 3 else 1 for n in field.shape[:d]]
        network = assemble_tensor(np.tile(field, (*copies, 1, 1)), spacing)
        runs = [solve_periodic(network, rtol=rtol, max_iterations=500)]
    else:
        runs = [
            solve_dirichlet(
                assemble_tensor(field, spacing, axis), axis, rtol=rtol, max_iterations=500
            )
            for axis in range(d)
        ]
    energy, flux = (sum(getattr(run, name) for run in runs) for name in ("energy", "flux"))
    return energy, flux, tuple(axis for run in runs for axis in run.axes)
