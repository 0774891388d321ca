"""Compiled passes over a voxel field: its links, residual, energy and fluxes.

The field itself is read, never copied; conductances are made row by row where
they are needed. A ``_slab`` does one part of the planes, ``_slabs`` a part a thread.

Tuples that go together:

``given``
    Field, mask (None, or which voxels take part), factor on the field,
    conductances to the next voxel where films resist (or None), factor on those, and
    a factor for each axis.
``xs``, ``ys``, ``zs``
    For each axis the lower and the upper cell of each link, its weight and its
    reach, and how many layers are live.
``drive``
    Potential of the odd cells, cell edges, the driven axis, and whether the sources
    are asked for in place of energy and fluxes.
``found``
    Residual of the odd cells, sums and plane fluxes (a row a part), whether to store
    the potential of all cells, and where.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from multiscale.numerics.compiling import kernel, piece
from multiscale.numerics.planes import RING, around, run, slots, span

FloatArray = NDArray[np.float64]
Together = tuple[Any, ...]

FAST = {"contract", "reassoc", "nsz"}
ENERGY, FLUX, RESIDUAL, SOURCE, SCALE, PARALLEL, SUMS = 0, 1, 4, 5, 6, 7, 8


@piece(error_model="numpy")
def _harmonic(a, b):
    """Conductance between two cell centres over that of a uniform field of one."""
    total = a + b
    return 2.0 * a * (b / total) if total > 0.0 else 0.0


@piece(error_model="numpy")
def _apply_mask(mask, i, j, out):
    if mask is not None:
        for k in range(mask.shape[2]):
            out[k] *= mask[i, j, k]


@piece(error_model="numpy")
def _read_row(given, i, j, out):
    field, mask, scale, _, _, _ = given
    for k in range(field.shape[2]):
        out[k] = scale * field[i, j, k]
    _apply_mask(mask, i, j, out)


@piece(error_model="numpy")
def _rows_between(one, other, weight, out):
    for k in range(one.size):
        out[k] = weight * _harmonic(one[k], other[k])


@piece(error_model="numpy")
def _row_along(row, lower, upper, weight, factor, out):
    n = row.size
    for k in range(n - 1):
        out[k] = factor * _harmonic(row[k], row[k + 1])
    for k in range(n - 1, weight.size):
        out[k] = factor * weight[k] * _harmonic(row[lower[k]], row[upper[k]])


@piece(error_model="numpy")
def _films_between(through, scale, way, i, j, out):
    """Put what films let through in place of conductances to the next layer."""
    if through is not None:
        for k in range(through.shape[3]):
            kept = scale * through[way, i, j, k]
            out[k] = kept if out[k] > 0.0 else 0.0


@piece(error_model="numpy")
def _films_along(through, scale, table, i, j, out):
    """Put what films let through in place of conductances along a row."""
    if through is not None:
        for k in range(table[2].size):
            if out[k] > 0.0 and table[0][k] != table[1][k]:
                out[k] = scale * table[2][k] * through[2, i, j, table[0][k]]


@piece(error_model="numpy")
def _conductances_between(given, way, here, table, j, rows, out):
    """Conductances from a row to the next layer along axis ``way`` (0 or 1).

    ``here`` is the layer of the axis, ``j`` the index along the other one.
    """
    _, _, _, through, through_scale, factors = given
    one, other = rows
    low, up, weight = table[0][here], table[1][here], table[2][here]
    a, b = (low, j) if way == 0 else (j, low)
    c, d = (up, j) if way == 0 else (j, up)
    _read_row(given, a, b, one)
    _read_row(given, c, d, other)
    _rows_between(one, other, factors[way] * weight, out)
    if low != up:
        _films_between(through, through_scale * weight, way, a, b, out)


@piece(error_model="numpy")
def _conductances_along(given, table, i, j, one, out):
    """Conductances along a row."""
    _, _, _, through, through_scale, factors = given
    _read_row(given, i, j, one)
    _row_along(one, table[0], table[1], table[2], factors[2], out)
    _films_along(through, through_scale, table, i, j, out)


@piece(error_model="numpy")
def _conductances(given, xs, ys, zs, way, i, j, rows, out):
    """Conductances of a row of layers to the next along an axis; zero where are none."""
    cx, cy, _ = given[0].shape
    for k in range(out.size):
        out[k] = 0.0
    if way == 2 and i < cx and j < cy:
        _conductances_along(given, zs, i, j, rows[0], out)
    elif way == 0 and j < cy and xs[2][i] > 0.0:
        _conductances_between(given, 0, i, xs, j, rows, out)
    elif way == 1 and i < cx and ys[2][j] > 0.0:
        _conductances_between(given, 1, j, ys, i, rows, out)


@kernel(error_model="numpy")
def _links_slab(given, xs, ys, zs, links, part, parts):
    _, nx, ny, m = links.shape
    cz = given[0].shape[2]
    rows = (np.empty(cz), np.empty(cz))
    out = np.zeros(2 * m)
    first, last = span(nx, part, parts)
    for i in range(first, last):
        for j in range(ny):
            for way in range(3):
                _conductances(given, xs, ys, zs, way, i, j, rows, out)
                even = (i + j) & 1 if way < 2 else 0  # place of the even cell in its pair
                for k in range(m):
                    links[2 * way, i, j, k] = out[2 * k + even]
                    links[2 * way + 1, i, j, k] = out[2 * k + 1 - even]


@kernel(parallel=True, error_model="numpy")
def _links_slabs(given, xs, ys, zs, links, threads):
    for t in prange(threads):
        _links_slab(given, xs, ys, zs, links, np.int64(t), threads)


def fill_links(source: tuple[Together, ...], links: NDArray[np.float32], threads: int) -> None:
    """Fill the packed links of a field, in single precision.

    ``source`` is ``given``, ``xs``, ``ys`` and ``zs``.
    """
    run(_links_slab, _links_slabs, (*source, links), threads)


@piece(error_model="numpy")
def _read_plane(given, xs, ys, zs, odd, i, rows, u, g):
    """Odd cells' potential of a plane, conductances to the next plane and inside it."""
    _, ny, m = odd.shape
    for j in range(ny):
        for way in range(3):
            _conductances(given, xs, ys, zs, way, i, j, rows, g[way, j])
        place = 1 - ((i + j) & 1)
        for k in range(2 * m):
            u[j, k] = 0.0
        for k in range(m):
            u[j, 2 * k + place] = odd[i, j, k]


@piece(fastmath=FAST, error_model="numpy")
def _balance_row(u, g, ring, row, hops, dz, inflow, total):
    """Σ g (neighbour + displacement) and Σ g of each cell of a row."""
    below, here, above = ring
    jm, j, jp = row
    dxm, dx, dym, dy = hops
    nz = inflow.size
    for k in range(nz):
        a, b = g[here, 0, j, k], g[below, 0, j, k]
        c, d = g[here, 1, j, k], g[here, 1, jm, k]
        inflow[k] = (
            a * (u[above, j, k] + dx)
            + b * (u[below, j, k] - dxm)
            + c * (u[here, jp, k] + dy)
            + d * (u[here, jm, k] - dym)
        )
        total[k] = a + b + c + d
    for k in range(nz - 1):
        a = g[here, 2, j, k]
        inflow[k] += a * (u[here, j, k + 1] + dz[k])
        total[k] += a
    for k in range(nz - 1):
        a = g[here, 2, j, k]
        inflow[k + 1] += a * (u[here, j, k] - dz[k])
        total[k + 1] += a
    a = g[here, 2, j, nz - 1]
    inflow[nz - 1] += a * (u[here, j, 0] + dz[nz - 1])
    inflow[0] += a * (u[here, j, nz - 1] - dz[nz - 1])
    total[0] += a
    total[nz - 1] += a


@piece(fastmath=FAST, error_model="numpy")
def _source_row(g, ring, row, hops, dz, source, moment):
    """Σ g displacement and Σ g |displacement| of each cell of a row."""
    below, here, _ = ring
    jm, j, _ = row
    dxm, dx, dym, dy = hops
    nz = source.size
    for k in range(nz):
        a, b = g[here, 0, j, k] * dx, g[below, 0, j, k] * dxm
        c, d = g[here, 1, j, k] * dy, g[here, 1, jm, k] * dym
        source[k] = a - b + c - d
        moment[k] = a + b + c + d
    for k in range(nz):
        a = g[here, 2, j, k] * dz[k]
        source[k] += a
        moment[k] += a
    for k in range(nz - 1):
        a = g[here, 2, j, k] * dz[k]
        source[k + 1] -= a
        moment[k + 1] += a
    a = g[here, 2, j, nz - 1] * dz[nz - 1]
    source[0] -= a
    moment[0] += a


@piece(fastmath=FAST, error_model="numpy")
def _add_sources(source, moment, live, sums):
    for k in range(live):
        sums[SOURCE] += source[k] * source[k]
        sums[SCALE] += moment[k] * moment[k]
        sums[PARALLEL] += moment[k]


@piece(fastmath=FAST, error_model="numpy")
def _measure_across(u, g, way, ring, row, hop, sums):
    """Add the energy of a row's links to the next along x or y; return what flows."""
    here, j = ring[1], row[1]
    plane, other = (ring[2], j) if way == 0 else (here, row[2])
    energy, flow = 0.0, 0.0
    for k in range(u.shape[2]):
        step = u[plane, other, k] - u[here, j, k] + hop
        current = g[here, way, j, k] * step
        energy += current * step
        flow += current
    sums[ENERGY] += energy
    return flow


@piece(fastmath=FAST, error_model="numpy")
def _measure_along(u, g, here, j, dz, reaches, sums, currents):
    """Add the energy and the flux of the links along a row; store their currents."""
    nz = u.shape[2]
    energy = 0.0
    for k in range(nz - 1):
        step = u[here, j, k + 1] - u[here, j, k] + dz[k]
        current = g[here, 2, j, k] * step
        energy += current * step
        currents[k] = current
    step = u[here, j, 0] - u[here, j, nz - 1] + dz[nz - 1]
    current = g[here, 2, j, nz - 1] * step
    energy += current * step
    currents[nz - 1] = current
    flow = 0.0
    for k in range(nz):
        flow += currents[k] * reaches[k]
    sums[FLUX + 2] += flow
    sums[ENERGY] += energy


@piece(fastmath=FAST, error_model="numpy")
def _measure_row(u, g, ring, row, i, hops, dz, reaches, axis, sums, flows, currents):
    """Add the energy, the fluxes and the plane fluxes of a row's links to the next."""
    j = row[1]
    along_x = _measure_across(u, g, 0, ring, row, hops[1], sums)
    along_y = _measure_across(u, g, 1, ring, row, hops[3], sums)
    _measure_along(u, g, ring[1], j, dz, reaches[2], sums, currents)
    sums[FLUX] += along_x * reaches[0][i]
    sums[FLUX + 1] += along_y * reaches[1][j]
    if axis == 0:
        flows[i] += along_x
    elif axis == 1:
        flows[j] += along_y
    else:
        for k in range(currents.size):
            flows[k] += currents[k]


@piece(error_model="numpy")
def _hops(steps, planes, row):
    """Displacements to the layers before and after, along x and along y."""
    return steps[0][planes[0]], steps[0][planes[1]], steps[1][row[0]], steps[1][row[1]]


@piece(fastmath=FAST, error_model="numpy")
def _add_beside(beside, i, j, inflow, total):
    """Add to a row's balance what hangs on its cells."""
    if beside is not None and i < beside.shape[1] and j < beside.shape[2]:
        for k in range(beside.shape[3]):
            inflow[k] += beside[0, i, j, k]
            total[k] += beside[1, i, j, k]


@piece(fastmath=FAST, error_model="numpy")
def _add_sources_beside(beside, i, j, source, moment):
    """Add to a row's sources those of what hangs on its cells."""
    if beside is not None and i < beside.shape[1] and j < beside.shape[2]:
        for k in range(beside.shape[3]):
            source[k] += beside[0, i, j, k]
            moment[k] += abs(beside[0, i, j, k])


@piece(fastmath=FAST, error_model="numpy")
def _relax_plane(u, g, step, live, steps, masks, scratch, beside):
    """Relax the even cells of a plane."""
    inflow, total, ratio = scratch
    nx, ny = steps[0].size, steps[1].size
    planes, ring = around(step % nx, nx), slots(step)
    i, here = planes[1], ring[1]
    for j in range(live[1] if i < live[0] else 0):
        row = around(j, ny)
        _balance_row(u, g, ring, row, _hops(steps, planes, row), steps[2], inflow, total)
        _add_beside(beside, i, j, inflow, total)
        parity = (i + j) & 1
        for k in range(inflow.size):
            ratio[k] = inflow[k] / total[k] if total[k] > 0.0 else 0.0
        for k in range(inflow.size):
            u[here, j, k] += masks[parity, k] * ratio[k]


@piece(fastmath=FAST, error_model="numpy")
def _left_row(u, here, j, live, mask, scratch):
    """Residual of a row; return its square."""
    inflow, total, left = scratch
    square = 0.0
    if live:
        for k in range(left.size):
            value = mask[k] * (inflow[k] - total[k] * u[here, j, k])
            left[k] = value
            square += value * value
    else:
        for k in range(left.size):
            left[k] = 0.0
    return square


@piece(fastmath=FAST, error_model="numpy")
def _measure_plane(u, g, i, live, steps, reaches, masks, scratch, drive, found, part):
    """Residual of the odd cells of a plane, and its sums."""
    _, _, axis, sources, beside = drive
    residual, sums, flows, _, _ = found
    inflow, total, left = scratch
    nx, ny, m = residual.shape
    planes, ring = around(i, nx), slots(i)
    for j in range(ny):
        row = around(j, ny)
        hops = _hops(steps, planes, row)
        _balance_row(u, g, ring, row, hops, steps[2], inflow, total)
        _add_beside(beside, i, j, inflow, total)
        lives = i < live[0] and j < live[1]
        parity = 1 - ((i + j) & 1)
        sums[part, RESIDUAL] += _left_row(u, ring[1], j, lives, masks[parity], scratch)
        for k in range(m):
            residual[i, j, k] = left[2 * k + parity]
        if sources:
            _source_row(g, ring, row, hops, steps[2], inflow, total)
            _add_sources_beside(beside, i, j, inflow, total)
            _add_sources(inflow, total, live[2] if lives else 0, sums[part])
        else:
            _measure_row(
                u, g, ring, row, i, hops, steps[2], reaches, axis, sums[part], flows[part], inflow
            )


@kernel(fastmath=FAST, error_model="numpy")
def _examine_slab(given, xs, ys, zs, drive, found, part, parts):
    odd, edges, axis, _, beside = drive
    _, _, _, keep, potential = found
    nx, ny, m = odd.shape
    cx, cy, cz = given[0].shape
    rows = (np.empty(cz), np.empty(cz))
    u, g = np.zeros((RING, ny, 2 * m)), np.empty((RING, 3, ny, 2 * m))
    scratch = (np.empty(2 * m), np.empty(2 * m), np.zeros(2 * m))
    live = (xs[4], ys[4], zs[4])
    masks = np.zeros((2, 2 * m))  # live cells at even and at odd places
    for k in range(zs[4]):
        masks[k & 1, k] = 1.0
    reaches = (xs[3] * edges[0], ys[3] * edges[1], zs[3] * edges[2])
    steps = (reaches[0] * (axis == 0), reaches[1] * (axis == 1), reaches[2] * (axis == 2))
    first, last = span(nx, part, parts)
    for step in range(first - 3, last + 1):
        new = (step + 3) % RING
        _read_plane(given, xs, ys, zs, odd, (step + 1) % nx, rows, u[new], g[new])
        if step >= first - 1:
            _relax_plane(u, g, step, live, steps, masks, scratch, beside)
        if step <= first:
            continue
        i = step - 1
        _measure_plane(u, g, i, live, steps, reaches, masks, scratch, drive, found, part)
        if keep and i < cx:
            for j in range(cy):
                for k in range(cz):
                    potential[i, j, k] = u[slots(i)[1], j, k]


@kernel(parallel=True, error_model="numpy")
def _examine_slabs(given, xs, ys, zs, drive, found, threads):
    for t in prange(threads):
        _examine_slab(given, xs, ys, zs, drive, found, np.int64(t), threads)


def examine(
    source: tuple[Together, ...],
    drive: Together,
    residual: FloatArray,
    potential: FloatArray | None,
    threads: int,
) -> tuple[FloatArray, FloatArray]:
    """Relax the even cells in full precision and look at what comes of it.

    Returns sums and the flux through every plane of the driven axis: either energy and
    fluxes, or what the sources are; fills the residual of the odd cells, and the
    potential of all cells where one is given.
    """
    nx, ny, m = residual.shape
    sums, planes = np.zeros((threads, SUMS)), np.zeros((threads, max(nx, ny, 2 * m)))
    keep = potential is not None
    found = (residual, sums, planes, keep, potential if keep else np.zeros((1, 1, 1)))
    run(_examine_slab, _examine_slabs, (*source, drive, found), threads)
    return sums.sum(axis=0), planes.sum(axis=0)


@kernel(error_model="numpy")
def pack_odd(values, scale, live, shares, odd):
    """Take the odd cells of a field; layers put between lie between the cells beside them.

    ``shares`` gives, for each axis, those of the last and of the first cell.
    """
    nx, ny, m = odd.shape
    cx, cy, cz = values.shape
    for i in range(min(nx, live[0])):
        for j in range(min(ny, live[1])):
            place = 1 - ((i + j) & 1)
            for half in range(m):
                k = 2 * half + place
                if k >= live[2]:
                    continue
                a, b, c = min(i, cx - 1), min(j, cy - 1), min(k, cz - 1)
                value = values[a, b, c]
                if i > a:
                    value = shares[0, 0] * value + shares[0, 1] * values[0, b, c]
                elif j > b:
                    value = shares[1, 0] * value + shares[1, 1] * values[a, 0, c]
                elif k > c:
                    value = shares[2, 0] * value + shares[2, 1] * values[a, b, 0]
                odd[i, j, half] = scale * value
