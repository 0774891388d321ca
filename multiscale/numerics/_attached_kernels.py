"""Compiled passes over nodes attached to a packed checkerboard grid.

``ties`` is (cell, tie): the two cells of each node, numbered as in an array of the shape
(2, X, Y, M) that holds the even cells first, and the conductances to them. ``rows`` is (near,
link, start, more, more_link): four nodes that each node is linked to, itself where there are
fewer, and the rest of them from ``start`` on; most have exactly four.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from multiscale.numerics._checkerboard_kernels import _gather
from multiscale.numerics.compiling import kernel, piece
from multiscale.numerics.planes import RING, around, run, slots, span

FloatArray = NDArray[np.float64]
Together = tuple[Any, ...]

FAST = {"contract", "reassoc", "nsz"}
FOUR = 4
LEAST_MOVED = 1e-3


@kernel()
def pack_rows(indptr, indices, values, near, link, start):
    """Put four links of each node side by side; return the rest of them."""
    count = 0
    for f in range(near.shape[0]):
        begin, end = indptr[f], indptr[f + 1]
        start[f] = count
        for k in range(FOUR):
            inside = begin + k < end
            near[f, k] = indices[begin + k] if inside else f
            link[f, k] = values[begin + k] if inside else 0.0
        count += max(end - begin - FOUR, 0)
    start[near.shape[0]] = count
    more, more_link = np.empty(count, indices.dtype), np.empty(count, values.dtype)
    for f in range(near.shape[0]):
        for k in range(start[f + 1] - start[f]):
            more[start[f] + k] = indices[indptr[f] + FOUR + k]
            more_link[start[f] + k] = values[indptr[f] + FOUR + k]
    return more, more_link


@piece(fastmath=FAST, error_model="numpy")
def _linked(near, link, start, more, more_link, values, f):
    """Σ link value of the nodes that node f is linked to."""
    total = (
        link[f, 0] * values[near[f, 0]]
        + link[f, 1] * values[near[f, 1]]
        + link[f, 2] * values[near[f, 2]]
        + link[f, 3] * values[near[f, 3]]
    )
    for k in range(start[f], start[f + 1]):
        total += more_link[k] * values[more[k]]
    return total


@kernel(error_model="numpy")
def scatter(ties, values, cells):
    """Add tie times value of every node to its cells."""
    cell, tie = ties
    for f in range(values.size):
        cells[cell[f, 0]] += tie[f, 0] * values[f]
        cells[cell[f, 1]] += tie[f, 1] * values[f]


@kernel(error_model="numpy")
def set_right_hand_side(residual, scale, rhs):
    """Put the odd cells' residual into right-hand sides of all cells."""
    for i in range(residual.shape[0]):
        rhs[0, i] = 0.0
        for j in range(residual.shape[1]):
            for k in range(residual.shape[2]):
                rhs[1, i, j, k] = scale * residual[i, j, k]


@kernel(fastmath=FAST, error_model="numpy")
def relax_forwards(rows, ties, inverse, residual, scale, cells, values, left):
    """Sweep forwards over nodes that were zero, with the cells as they are.

    What later nodes then add to a node is ``left`` there.
    """
    near, link, start, more, more_link = rows
    cell, tie = ties
    values[:] = 0.0
    left[:] = 0.0
    for f in range(values.size):
        total = np.float32(scale * residual[f]) + _linked(
            near, link, start, more, more_link, values, f
        )
        total += tie[f, 0] * cells[cell[f, 0]] + tie[f, 1] * cells[cell[f, 1]]
        value = inverse[f] * total
        values[f] = value
        for k in range(FOUR):
            left[near[f, k]] += link[f, k] * value if near[f, k] < f else np.float32(0.0)
        for k in range(start[f], start[f + 1]):
            if more[k] < f:
                left[more[k]] += more_link[k] * value


@kernel(fastmath=FAST, error_model="numpy")
def restrict(tie, parent, values, left, coarse):
    """Add what the nodes change, and what is left at them, to the coarse cells."""
    for f in range(values.size):
        total = tie[f, 0] + tie[f, 1]
        value = values[f] + (left[f] / total if total > 0.0 else np.float32(0.0))
        coarse[parent[f, 0]] += tie[f, 0] * value
        coarse[parent[f, 1]] += tie[f, 1] * value


@kernel(fastmath=FAST, error_model="numpy")
def correct(ties, parent, coarse, values):
    """Add what the coarse cells say at each node."""
    tie = ties[1]
    for f in range(values.size):
        total = tie[f, 0] + tie[f, 1]
        if total > 0.0:
            step = tie[f, 0] * coarse[parent[f, 0]] + tie[f, 1] * coarse[parent[f, 1]]
            values[f] += step / total


@kernel(fastmath=FAST, error_model="numpy")
def relax_backwards(rows, ties, parent, inverse, residual, scale, cells, coarse, values, last, rhs):
    """Sweep backwards over the nodes, with the cells corrected, and add to the cells' sides.

    Returns the nodes' products with ``residual`` and ``last``.
    """
    near, link, start, more, more_link = rows
    cell, tie = ties
    dot, other = 0.0, 0.0
    for f in range(values.size - 1, -1, -1):
        total = np.float32(scale * residual[f]) + _linked(
            near, link, start, more, more_link, values, f
        )
        total += tie[f, 0] * (cells[cell[f, 0]] + coarse[parent[f, 0]])
        total += tie[f, 1] * (cells[cell[f, 1]] + coarse[parent[f, 1]])
        value = inverse[f] * total
        values[f] = value
        rhs[cell[f, 0]] += tie[f, 0] * value
        rhs[cell[f, 1]] += tie[f, 1] * value
        dot += value * residual[f]
        other += value * last[f]
    return dot, other


@kernel(fastmath=FAST, error_model="numpy")
def dots(x, y, z):
    """x·y and x·z."""
    first, second = 0.0, 0.0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            for k in range(x.shape[2]):
                first += x[i, j, k] * y[i, j, k]
                second += x[i, j, k] * z[i, j, k]
    return first, second


@piece(fastmath=FAST, error_model="numpy")
def _even_product(matrix, inflow, cells, planes, total, out):
    """Even cells of a plane that follow from the odd ones and the nodes."""
    links, inverse, _ = matrix
    i = planes[1]
    ny, m = out.shape
    for j in range(ny):
        _gather(links, 0, cells[1], planes, planes, around(j, ny), total)
        for k in range(m):
            out[j, k] = (total[k] + inflow[0, i, j, k]) * inverse[i, j, k]


@kernel(fastmath=FAST, error_model="numpy")
def _grid_product_slab(matrix, inflow, cells, q, dots, part, parts):
    """Relax the even cells from the odd ones and the nodes; apply the odd rows."""
    links, _, diagonal = matrix
    nx, ny, m = q.shape
    ring = np.empty((RING, ny, m))
    total = np.empty(m)
    dot = 0.0
    first, last = span(nx, part, parts)
    for step in range(first - 1, last + 1):
        even = ring[slots(step)[1]]
        _even_product(matrix, inflow, cells, around(step % nx, nx), total, even)
        if first <= step < last:
            cells[0, step] = even
        if step <= first:
            continue
        i = step - 1
        for j in range(ny):
            _gather(links, 1, ring, slots(i), around(i, nx), around(j, ny), total)
            for k in range(m):
                value = diagonal[i, j, k] * cells[1, i, j, k] - total[k] - inflow[1, i, j, k]
                value = value if diagonal[i, j, k] > 0.0 else 0.0
                q[i, j, k] = value
                dot += value * cells[1, i, j, k]
    dots[part] = dot


@kernel(parallel=True, error_model="numpy")
def _grid_product_slabs(matrix, inflow, cells, q, dots, threads):
    for t in prange(threads):
        _grid_product_slab(matrix, inflow, cells, q, dots, np.int64(t), threads)


def grid_product(
    matrix: Together, inflow: FloatArray, cells: FloatArray, q: FloatArray, threads: int
) -> float:
    """Apply the grid's rows of the reduced matrix to the odd cells; fill the even ones.

    ``matrix`` is (links, inverse diagonal of the even cells, diagonal of the odd ones),
    ``inflow`` what the nodes add to each cell. Returns the odd cells' share of p·q.
    """
    dots = np.zeros(threads)
    run(_grid_product_slab, _grid_product_slabs, (matrix, inflow, cells, q, dots), threads)
    return float(dots.sum())


@kernel(fastmath=FAST, error_model="numpy")
def node_product(rows, ties, diagonal, cells, p, q):
    """Apply the nodes' rows of the matrix; return their share of p·q."""
    near, link, start, more, more_link = rows
    cell, tie = ties
    dot = 0.0
    for f in range(p.size):
        total = tie[f, 0] * cells[cell[f, 0]] + tie[f, 1] * cells[cell[f, 1]]
        total += _linked(near, link, start, more, more_link, p, f)
        value = diagonal[f] * p[f] - total if diagonal[f] > 0.0 else 0.0
        q[f] = value
        dot += value * p[f]
    return dot


@kernel(error_model="numpy")
def even_cells(links, inverse, rhs, cells):
    """Relax both colours from zero, odd first, with right-hand sides for both."""
    _, nx, ny, m = cells.shape
    total = np.empty(m, np.float32)
    for i in range(nx):
        for j in range(ny):
            for k in range(m):
                cells[1, i, j, k] = inverse[1, i, j, k] * rhs[1, i, j, k]
    for i in range(nx):
        for j in range(ny):
            _gather(links, 0, cells[1], around(i, nx), around(i, nx), around(j, ny), total)
            for k in range(m):
                cells[0, i, j, k] = inverse[0, i, j, k] * (total[k] + rhs[0, i, j, k])


@piece(error_model="numpy")
def _place(cell, shape):
    """Layers of a cell numbered as in an array of the shape (2, X, Y, M)."""
    _, nx, ny, m = shape
    k = cell % m
    rest = cell // m
    j = rest % ny
    rest //= ny
    i = rest % nx
    colour = rest // nx
    return i, j, 2 * k + ((i + j + colour) & 1)


@piece(error_model="numpy")
def _add_hop(links, grid, way, i, j, k, value):
    """Add a conductance to the link of axis ``way`` from a coarse cell to the next."""
    cells, between, factors = grid
    value *= factors[way]
    own = i if way == 0 else (j if way == 1 else k)
    doubled = between[way] == 1 and own == cells[way] - 1
    if doubled:  # a layer in between: two links in series
        value *= 2.0
    if way == 2:
        links[4 + (k & 1), i, j, k // 2] += value
        if doubled:
            links[4 + ((k + 1) & 1), i, j, (k + 1) // 2] += value
    else:
        colour = (i + j + k) & 1
        links[2 * way + colour, i, j, k // 2] += value
        if doubled and way == 0:
            links[1 - colour, i + 1, j, k // 2] += value
        elif doubled:
            links[3 - colour, i, j + 1, k // 2] += value


@piece(error_model="numpy")
def _step(links, grid, way, i, j, k, to, value):
    """Join a coarse cell to layer ``to`` along an axis, ahead or behind, across the box too."""
    own = i if way == 0 else (j if way == 1 else k)
    lower = own if to - own == 1 or to - own < -1 else to
    if way == 0:
        _add_hop(links, grid, 0, lower, j, k, value)
    elif way == 1:
        _add_hop(links, grid, 1, i, lower, k, value)
    else:
        _add_hop(links, grid, 2, i, j, lower, value)


@kernel(error_model="numpy")
def _add_path(links, grid, i, j, k, x, y, z, value):
    """Join two coarse cells that are neighbours, or diagonal to each other, by links.

    (a − c)² ≤ 2 (a − b)² + 2 (b − c)² by way of b; both ways round share the conductance.
    """
    if i != x:
        _step(links, grid, 0, i, j, k, x, value)
        if j != y:
            _step(links, grid, 1, x, j, k, y, value)
        if k != z:
            _step(links, grid, 2, x, y, k, z, value)
    if j != y:
        _step(links, grid, 1, i, j, k, y, value)
        if k != z:
            _step(links, grid, 2, i, y, k, z, value)
        if i != x:
            _step(links, grid, 0, i, y, z, x, value)
    if k != z:
        _step(links, grid, 2, i, j, k, z, value)
        if i != x:
            _step(links, grid, 0, i, j, z, x, value)
        if j != y:
            _step(links, grid, 1, x, j, z, y, value)


@piece(error_model="numpy")
def _keep(parent, f, g, out, into):
    """Take from both pairs of shares what lies in the same cell."""
    for a in range(2):
        for b in range(2):
            if parent[f, a] == parent[g, b]:
                moved = min(out[a], into[b])
                out[a] -= moved
                into[b] -= moved


@kernel(error_model="numpy")
def add_node_links(rows, shares, parent, grid, links):
    """Add to the coarse links what the links between nodes are worth there.

    A node stands for its shares of two coarse cells; a link moves one pair of shares into
    the other, and what stays in the same cell costs nothing. ``rows`` is (indptr, indices,
    link), ``grid`` (cells, between, factors) of the coarse axes.
    """
    indptr, indices, link = rows
    shape = (2, links.shape[1], links.shape[2], links.shape[3])
    n = indptr.size - 1
    place = np.empty((n, 2, 3), np.int32)
    for f in range(n):
        for end in range(2):
            i, j, k = _place(parent[f, end], shape)
            place[f, end, 0], place[f, end, 1], place[f, end, 2] = i, j, k
    out, into = np.empty(2), np.empty(2)
    for f in range(n):
        for m in range(indptr[f], indptr[f + 1]):
            g = indices[m]
            if g <= f:
                continue
            out[0], out[1], into[0], into[1] = (
                shares[f, 0],
                shares[f, 1],
                shares[g, 0],
                shares[g, 1],
            )
            _keep(parent, f, g, out, into)
            for a in range(2):
                for b in range(2):
                    moved = min(out[a], into[b])
                    if moved > LEAST_MOVED:
                        out[a] -= moved
                        into[b] -= moved
                        i, j, k = place[f, a, 0], place[f, a, 1], place[f, a, 2]
                        x, y, z = place[g, b, 0], place[g, b, 1], place[g, b, 2]
                        _add_path(links, grid, i, j, k, x, y, z, moved * link[m])


@kernel(error_model="numpy")
def add_contacts(contact, shares, parent, grid, way, length, links):
    """Add the conductances between nodes and electrodes to the coarse links of their cells."""
    shape = (2, links.shape[1], links.shape[2], links.shape[3])
    first = length - 1  # the electrode before the first layer
    for f in range(contact.shape[0]):
        for side in range(2):
            i, j, k = _place(parent[f, side], shape)
            _add_hop(links, grid, way, i, j, k, contact[f, 1] * shares[f, side])
            value = contact[f, 0] * shares[f, side]
            if way == 0:
                _add_hop(links, grid, 0, first, j, k, value)
            elif way == 1:
                _add_hop(links, grid, 1, i, first, k, value)
            else:
                _add_hop(links, grid, 2, i, j, first, value)
