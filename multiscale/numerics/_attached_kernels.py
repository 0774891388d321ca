"""Compiled passes over nodes attached to a packed checkerboard grid.

``ties`` is (cell, tie): the two cells of each node, numbered as in an array of the shape
(2, X, Y, M) that holds the even cells first, and the conductances to them. ``rows`` is (near, link, start, more,
more_link): four nodes that each node is linked to, itself where there are fewer, and the rest
of them from ``start`` on; most have exactly four.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import prange

from multiscale.numerics._checkerboard_kernels import RING, _gather
from multiscale.numerics.compiling import kernel

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


@kernel(fastmath=FAST, error_model="numpy", forceinline=True)
def _linked(rows, values, f):
    """Σ link value of the nodes that node f is linked to."""
    near, link, start, more, more_link = rows
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
def relax_forwards(rows, ties, inverse, residual, scale, values, rhs):
    """Sweep forwards over nodes that were zero, and add what comes of it to the cells."""
    cell, tie = ties
    values[:] = 0.0
    for f in range(values.size):
        value = inverse[f] * (np.float32(scale * residual[f]) + _linked(rows, values, f))
        values[f] = value
        rhs[cell[f, 0]] += tie[f, 0] * value
        rhs[cell[f, 1]] += tie[f, 1] * value


@kernel(fastmath=FAST, error_model="numpy")
def restrict(rows, ties, shares, parent, inverse, residual, scale, cells, values, coarse):
    """Add what is left at the nodes to the coarse cells."""
    cell, tie = ties
    for f in range(values.size):
        if inverse[f] == 0.0:
            continue
        left = np.float32(scale * residual[f]) - values[f] / inverse[f] + _linked(rows, values, f)
        left += tie[f, 0] * cells[cell[f, 0]] + tie[f, 1] * cells[cell[f, 1]]
        coarse[parent[f, 0]] += shares[f, 0] * left
        coarse[parent[f, 1]] += shares[f, 1] * left


@kernel(error_model="numpy")
def correct(ties, shares, parent, coarse, values, rhs):
    """Add what the coarse cells say at each node, and what comes of it to the cells."""
    cell, tie = ties
    for f in range(values.size):
        step = shares[f, 0] * coarse[parent[f, 0]] + shares[f, 1] * coarse[parent[f, 1]]
        values[f] += step
        rhs[cell[f, 0]] += tie[f, 0] * step
        rhs[cell[f, 1]] += tie[f, 1] * step


@kernel(fastmath=FAST, error_model="numpy")
def relax_backwards(rows, ties, inverse, residual, scale, cells, values, last):
    """Sweep backwards over the nodes; return their products with ``residual`` and ``last``."""
    cell, tie = ties
    dot, other = 0.0, 0.0
    for f in range(values.size - 1, -1, -1):
        total = np.float32(scale * residual[f]) + _linked(rows, values, f)
        total += tie[f, 0] * cells[cell[f, 0]] + tie[f, 1] * cells[cell[f, 1]]
        value = inverse[f] * total
        values[f] = value
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


@kernel(fastmath=FAST, error_model="numpy")
def _grid_product_slab(links, inverse, diagonal, inflow, cells, q, first, last):
    """Relax the even cells from the odd ones and the nodes; apply the odd rows."""
    nx, ny, m = q.shape
    ring = np.empty((RING, ny, m))
    total = np.empty(m)
    dot = 0.0
    for step in range(first - 1, last + 1):
        i = step % nx
        im, ip = (i - 1) % nx, (i + 1) % nx
        slot = (step + 1) % RING
        for j in range(ny):
            jm, jp = j - 1 if j > 0 else ny - 1, j + 1 if j < ny - 1 else 0
            _gather(links, 0, cells[1], i, im, ip, i, im, j, jm, jp, total)
            for k in range(m):
                ring[slot, j, k] = (total[k] + inflow[0, i, j, k]) * inverse[i, j, k]
            if first <= step < last:
                for k in range(m):
                    cells[0, i, j, k] = ring[slot, j, k]
        if step <= first:
            continue
        i = (step - 1) % nx
        im = (i - 1) % nx
        here, below = step % RING, (step - 1) % RING
        for j in range(ny):
            jm, jp = j - 1 if j > 0 else ny - 1, j + 1 if j < ny - 1 else 0
            _gather(links, 1, ring, here, below, slot, i, im, j, jm, jp, total)
            for k in range(m):
                value = diagonal[i, j, k] * cells[1, i, j, k] - total[k] - inflow[1, i, j, k]
                value = value if diagonal[i, j, k] > 0.0 else 0.0
                q[i, j, k] = value
                dot += value * cells[1, i, j, k]
    return dot


@kernel(parallel=True, error_model="numpy")
def grid_product(links, inverse, diagonal, inflow, cells, q, threads):
    """Apply the grid's rows of the reduced matrix to the odd cells; fill the even ones.

    ``inflow`` holds what the nodes add to each cell. Returns the odd cells' share of p·q.
    """
    nx = q.shape[0]
    parts = np.zeros(threads)
    for t in prange(threads):
        lo, hi = t * nx // threads, (t + 1) * nx // threads
        parts[t] = _grid_product_slab(links, inverse, diagonal, inflow, cells, q, lo, hi)
    return parts.sum()


@kernel(fastmath=FAST, error_model="numpy")
def node_product(rows, ties, diagonal, cells, p, q):
    """Apply the nodes' rows of the matrix; return their share of p·q."""
    cell, tie = ties
    dot = 0.0
    for f in range(p.size):
        total = tie[f, 0] * cells[cell[f, 0]] + tie[f, 1] * cells[cell[f, 1]]
        total += _linked(rows, p, f)
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
        im, ip = (i - 1) % nx, (i + 1) % nx
        for j in range(ny):
            jm, jp = j - 1 if j > 0 else ny - 1, j + 1 if j < ny - 1 else 0
            _gather(links, 0, cells[1], i, im, ip, i, im, j, jm, jp, total)
            for k in range(m):
                cells[0, i, j, k] = inverse[0, i, j, k] * (total[k] + rhs[0, i, j, k])


@kernel(error_model="numpy", forceinline=True)
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


@kernel(error_model="numpy", forceinline=True)
def _add_hop(links, cells, between, factors, way, i, j, k, value):
    """Add a conductance to the link of axis ``way`` from a coarse cell to the next."""
    own = i if way == 0 else (j if way == 1 else k)
    value *= factors[way]
    last = own == cells[way] - 1
    turns = 2 if last and between[way] else 1
    for turn in range(turns):
        a, b, c = i, j, k
        if turn == 1:
            a, b, c = i + (way == 0), j + (way == 1), k + (way == 2)
        share = value * (2.0 if turns == 2 else 1.0)
        if way == 2:
            links[4 + (c & 1), a, b, c // 2] += share
        else:
            links[2 * way + ((a + b + c) & 1), a, b, c // 2] += share


@kernel(error_model="numpy")
def _add_path(links, cells, between, factors, start, end, value, here):
    """Join two coarse cells that are neighbours, or diagonal to each other, by links.

    (a − c)² ≤ 2 (a − b)² + 2 (b − c)² by way of b; both ways round share the conductance.
    """
    for first in range(3):
        if start[first] == end[first]:
            continue
        here[:] = start
        for turn in range(3):
            way = first + turn if first + turn < 3 else first + turn - 3
            step = end[way] - start[way]
            if step == 0:
                continue
            if step == 1 or step < -1:  # ahead, across the box too
                _add_hop(links, cells, between, factors, way, here[0], here[1], here[2], value)
                here[way] = end[way]
            else:
                here[way] = end[way]
                _add_hop(links, cells, between, factors, way, here[0], here[1], here[2], value)


@kernel(error_model="numpy")
def add_node_links(rows, shares, parent, cells, between, factors, links):
    """Add to the coarse links what the links between nodes are worth there.

    A node stands for its shares of two coarse cells; a link moves one pair of shares into
    the other, and what stays in the same cell costs nothing.
    """
    indptr, indices, link = rows
    shape = (2, links.shape[1], links.shape[2], links.shape[3])
    n = indptr.size - 1
    place = np.empty((n, 2, 3), np.int32)
    for f in range(n):
        for end in range(2):
            place[f, end] = _place(parent[f, end], shape)
    here = np.empty(3, np.int64)
    out, into = np.empty(2), np.empty(2)
    for f in range(n):
        for m in range(indptr[f], indptr[f + 1]):
            g = indices[m]
            if g <= f:
                continue
            for e in range(2):
                out[e], into[e] = shares[f, e], shares[g, e]
            for a in range(2):
                for b in range(2):
                    if parent[f, a] == parent[g, b]:
                        moved = min(out[a], into[b])
                        out[a] -= moved
                        into[b] -= moved
            for a in range(2):
                for b in range(2):
                    moved = min(out[a], into[b])
                    if moved > LEAST_MOVED:
                        out[a] -= moved
                        into[b] -= moved
                        moved *= link[m]
                        start, end = place[f, a], place[g, b]
                        _add_path(links, cells, between, factors, start, end, moved, here)


@kernel(error_model="numpy")
def add_contacts(contact, shares, parent, cells, between, factors, way, length, links):
    """Add the conductances between nodes and electrodes to the coarse links of their cells."""
    shape = (2, links.shape[1], links.shape[2], links.shape[3])
    one = np.array([1, 1, 1])
    for f in range(contact.shape[0]):
        for end in range(2):
            if contact[f, end] == 0.0:
                continue
            for side in range(2):
                value = contact[f, end] * shares[f, side]
                i, j, k = _place(parent[f, side], shape)
                if end == 1:
                    _add_hop(links, cells, between, factors, way, i, j, k, value)
                elif way == 0:
                    _add_hop(links, one, 0 * one, factors, way, length - 1, j, k, value)
                elif way == 1:
                    _add_hop(links, one, 0 * one, factors, way, i, length - 1, k, value)
                else:
                    _add_hop(links, one, 0 * one, factors, way, i, j, length - 1, value)
