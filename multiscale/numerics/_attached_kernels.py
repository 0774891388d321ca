"""Compiled passes over nodes attached to a packed checkerboard grid.

``ties`` is (cell, tie): the two cells of each node, numbered as in an array of the shape
(2, X, Y, M) that holds the even cells first, and the conductances to them. ``rows`` is
(indptr, indices, link): the nodes that each node is linked to.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import prange

from multiscale.numerics._checkerboard_kernels import RING, _gather
from multiscale.numerics.compiling import kernel

FAST = {"contract", "reassoc", "nsz"}


@kernel(error_model="numpy")
def scatter(ties, values, cells):
    """Add tie times value of every node to its cells."""
    cell, tie = ties
    for f in range(values.size):
        for end in range(2):
            cells[cell[f, end]] += tie[f, end] * values[f]


@kernel(fastmath=FAST, error_model="numpy", forceinline=True)
def _linked(rows, f, values, start):
    """Start plus link times value of every linked node."""
    indptr, indices, link = rows
    for k in range(indptr[f], indptr[f + 1]):
        start += link[k] * values[indices[k]]
    return start


@kernel(fastmath=FAST, error_model="numpy")
def relax_from_zero(rows, inverse, rhs, scale, values):
    """Sweep forwards over nodes that were zero."""
    indptr, indices, link = rows
    for f in range(values.size):
        total = np.float32(scale * rhs[f])
        for k in range(indptr[f], indptr[f + 1]):
            if indices[k] >= f:
                break
            total += link[k] * values[indices[k]]
        values[f] = inverse[f] * total


@kernel(fastmath=FAST, error_model="numpy")
def relax_backwards(rows, ties, inverse, rhs, scale, cells, values):
    """Sweep backwards over the nodes, with the cells as they are."""
    cell, tie = ties
    for f in range(values.size - 1, -1, -1):
        total = np.float32(scale * rhs[f])
        total += tie[f, 0] * cells[cell[f, 0]] + tie[f, 1] * cells[cell[f, 1]]
        values[f] = inverse[f] * _linked(rows, f, values, total)


@kernel(fastmath=FAST, error_model="numpy")
def restrict(rows, ties, shares, parent, inverse, cells, values, coarse):
    """Add what a forward sweep from zero left at the nodes to the coarse cells."""
    indptr, indices, link = rows
    cell, tie = ties
    for f in range(values.size):
        if inverse[f] == 0.0:
            continue
        left = tie[f, 0] * cells[cell[f, 0]] + tie[f, 1] * cells[cell[f, 1]]
        for k in range(indptr[f + 1] - 1, indptr[f] - 1, -1):
            if indices[k] <= f:
                break
            left += link[k] * values[indices[k]]
        coarse[parent[f, 0]] += shares[f, 0] * left
        coarse[parent[f, 1]] += shares[f, 1] * left


@kernel(error_model="numpy")
def correct(shares, parent, coarse, values):
    """Add what the coarse cells say at each node."""
    for f in range(values.size):
        values[f] += shares[f, 0] * coarse[parent[f, 0]] + shares[f, 1] * coarse[parent[f, 1]]


@kernel(fastmath=FAST, error_model="numpy")
def _grid_product_slab(links, inverse, diagonal, inflow, p, even, q, first, last):
    """Relax the even cells from p and the nodes; apply the odd rows of the grid."""
    nx, ny, m = p.shape
    ring = np.empty((RING, ny, m))
    total = np.empty(m)
    dot = 0.0
    for step in range(first - 1, last + 1):
        i = step % nx
        im, ip = (i - 1) % nx, (i + 1) % nx
        slot = (step + 1) % RING
        for j in range(ny):
            jm, jp = j - 1 if j > 0 else ny - 1, j + 1 if j < ny - 1 else 0
            _gather(links, 0, p, i, im, ip, i, im, j, jm, jp, total)
            for k in range(m):
                ring[slot, j, k] = (total[k] + inflow[i, j, k]) * inverse[i, j, k]
            if first <= step < last:
                for k in range(m):
                    even[i, j, k] = ring[slot, j, k]
        if step <= first:
            continue
        i = (step - 1) % nx
        im = (i - 1) % nx
        here, below = step % RING, (step - 1) % RING
        for j in range(ny):
            jm, jp = j - 1 if j > 0 else ny - 1, j + 1 if j < ny - 1 else 0
            _gather(links, 1, ring, here, below, slot, i, im, j, jm, jp, total)
            for k in range(m):
                value = diagonal[i, j, k] * p[i, j, k] - total[k]
                value = value if diagonal[i, j, k] > 0.0 else 0.0
                q[i, j, k] = value
                dot += value * p[i, j, k]
    return dot


@kernel(parallel=True, error_model="numpy")
def grid_product(links, inverse, diagonal, inflow, p, even, q, threads):
    """Apply the grid's part of the reduced matrix; fill the even cells; return p·q."""
    nx = p.shape[0]
    parts = np.zeros(threads)
    for t in prange(threads):
        parts[t] = _grid_product_slab(
            links, inverse, diagonal, inflow, p, even, q, t * nx // threads, (t + 1) * nx // threads
        )
    return parts.sum()


@kernel(fastmath=FAST, error_model="numpy")
def node_product(rows, ties, diagonal, p, even, odd, q, q_odd):
    """Apply the nodes' rows, and their part of the odd cells' rows; return their share of p·q."""
    cell, tie = ties
    half = odd.size
    dot = 0.0
    for f in range(p.size):
        if diagonal[f] == 0.0:
            q[f] = 0.0
            continue
        total = 0.0
        for end in range(2):
            c = cell[f, end]
            g = np.float64(tie[f, end])
            if c < half:
                total += g * even[c]
            else:
                total += g * odd[c - half]
                q_odd[c - half] -= g * p[f]
                dot -= g * p[f] * odd[c - half]
        q[f] = diagonal[f] * p[f] - _linked(rows, f, p, total)
        dot += q[f] * p[f]
    return dot


@kernel(error_model="numpy")
def even_cells(links, inverse, rhs, odd, even, first, last):
    """Relax the even cells of planes first … last − 1."""
    nx, ny, m = odd.shape
    total = np.empty(m, np.float32)
    for i in range(first, last):
        im, ip = (i - 1) % nx, (i + 1) % nx
        for j in range(ny):
            jm, jp = j - 1 if j > 0 else ny - 1, j + 1 if j < ny - 1 else 0
            _gather(links, 0, odd, i, im, ip, i, im, j, jm, jp, total)
            for k in range(m):
                even[i, j, k] = inverse[i, j, k] * (total[k] + rhs[i, j, k])


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
    step = np.zeros(3, np.int64)
    hops = 0
    for way in range(3):
        n = cells[way]
        ahead = (end[way] - start[way]) % n
        if ahead != 0:
            step[way] = 1 if ahead == 1 else -1
            hops += 1
    for first in range(3):
        if step[first] == 0:
            continue
        here[:] = start
        for turn in range(3):
            way = (first + turn) % 3
            if step[way] == 0:
                continue
            if step[way] > 0:
                _add_hop(links, cells, between, factors, way, here[0], here[1], here[2], value)
                here[way] = (here[way] + 1) % cells[way]
            else:
                here[way] = (here[way] - 1) % cells[way]
                _add_hop(links, cells, between, factors, way, here[0], here[1], here[2], value)


@kernel(error_model="numpy")
def add_node_links(rows, shares, parent, cells, between, factors, links):
    """Add to the coarse links what the links between nodes are worth there.

    A node stands for its shares of two coarse cells; a link moves one pair of shares into
    the other, and what stays in the same cell costs nothing.
    """
    indptr, indices, link = rows
    shape = (2, links.shape[1], links.shape[2], links.shape[3])
    start, end, here = np.empty(3, np.int64), np.empty(3, np.int64), np.empty(3, np.int64)
    out, into = np.empty(2), np.empty(2)
    for f in range(indptr.size - 1):
        for n in range(indptr[f], indptr[f + 1]):
            g = indices[n]
            if g <= f:
                continue
            for e in range(2):
                out[e], into[e] = shares[f, e], shares[g, e]
            for same in range(2):
                for a in range(2):
                    for b in range(2):
                        one, two = parent[f, a], parent[g, b]
                        moved = min(out[a], into[b])
                        if moved <= 0.0 or (same == 0) != (one == two):
                            continue
                        out[a] -= moved
                        into[b] -= moved
                        if one == two:
                            continue
                        start[0], start[1], start[2] = _place(one, shape)
                        end[0], end[1], end[2] = _place(two, shape)
                        _add_path(links, cells, between, factors, start, end, moved * link[n], here)


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
