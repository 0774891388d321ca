"""Compiled passes over conducting sheets: how they hang together, and what flows in them.

``sheets`` is (low, way, half, indptr, indices, link, contact): lower voxel and normal axis of
each sheet, its conductances to the two voxels, its links to other sheets and its conductance
to the electrodes.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from multiscale.numerics.compiling import kernel, piece
from multiscale.transport._voxel_kernels import ENERGY, FLUX, PARALLEL, RESIDUAL, SCALE, SOURCE

EDGES = 12
"""Most sheets that one sheet shares its four edges with."""


@kernel(error_model="numpy")
def in_memory_order(axis, low, numbers):
    """Number sheets in the order of their lower voxels; return which is which."""
    order = np.empty(axis.size, np.int32)
    for f in range(axis.size):
        numbers[axis[f], low[f, 0], low[f, 1], low[f, 2]] = f
    filled = 0
    for i in range(numbers.shape[1]):
        for j in range(numbers.shape[2]):
            for k in range(numbers.shape[3]):
                for a in range(3):
                    f = numbers[a, i, j, k]
                    if f >= 0:
                        order[filled] = f
                        numbers[a, i, j, k] = filled
                        filled += 1
    return order


@piece(error_model="numpy")
def _beside(layer, by, n, periodic):
    """Layer one further up or down, −1 outside."""
    layer += by
    if layer == n:
        layer = 0 if periodic else -1
    elif layer < 0 and periodic:
        layer = n - 1
    return layer


@piece(error_model="numpy")
def _join(f, g, value, start, filled, indices, link):
    """Put a link into a row that is kept in rising order."""
    place = filled
    while place > start and indices[place - 1] > g:
        indices[place], link[place] = indices[place - 1], link[place - 1]
        place -= 1
    indices[place], link[place] = g, value
    return filled + 1


@kernel(error_model="numpy")
def sheet_rows(numbers, arm, axis, low, periodic, electrodes):
    """Join sheets over the voxel edges they share, by the star-mesh transform of each edge.

    Around an edge lie up to four sheets: two normal to each of two axes. Edges on the
    electrodes join their sheets to those instead. Returns rows of links, in rising order, and
    the conductances to the electrodes.
    """
    shape = numbers.shape[1:]
    n = axis.size
    indptr = np.zeros(n + 1, np.int32)
    indices, link = np.empty(EDGES * n, np.int32), np.empty(EDGES * n)
    contact = np.zeros((n, 2))
    p, q, r = np.empty(3, np.int64), np.empty(3, np.int64), np.empty(3, np.int64)
    filled = 0
    for f in range(n):
        a = axis[f]
        start = filled
        for c in range(3):
            p[c] = low[f, c]
        for b in range(3):
            own = arm[f, b]
            if b == a or own == 0.0:
                continue
            for side in range(2):
                if electrodes == b and p[b] == (shape[b] - 1) * side:
                    contact[f, side] += own
                    continue
                q[:] = p  # beyond the edge in the plane of the sheet
                q[b] = _beside(p[b], 2 * side - 1, shape[b], periodic)
                if q[b] < 0:
                    continue
                r[:] = p  # below the edge along b
                r[b] = q[b] if side == 0 else p[b]
                one = numbers[a, q[0], q[1], q[2]]
                two = numbers[b, r[0], r[1], r[2]]
                r[a] = _beside(p[a], 1, shape[a], periodic)
                three = numbers[b, r[0], r[1], r[2]]
                total = own
                total += arm[one, b] if one >= 0 else 0.0
                total += arm[two, a] if two >= 0 else 0.0
                total += arm[three, a] if three >= 0 else 0.0
                part = own / total
                if one >= 0:
                    filled = _join(f, one, part * arm[one, b], start, filled, indices, link)
                if two >= 0:
                    filled = _join(f, two, part * arm[two, a], start, filled, indices, link)
                if three >= 0:
                    filled = _join(f, three, part * arm[three, a], start, filled, indices, link)
        indptr[f + 1] = filled
    return indptr, indices[:filled].copy(), link[:filled].copy(), contact


@kernel(error_model="numpy")
def beside_sheets(sheets, cells, spacing, driven, potential, inflow):
    """Σ g (sheet's potential + displacement) of each voxel beside a sheet."""
    low, way, half = sheets[0], sheets[1], sheets[2]
    inflow[:] = 0.0
    for f in range(way.size):
        a = way[f]
        step = 0.5 * spacing[a] if a == driven else 0.0
        i, j, k = low[f, 0], low[f, 1], low[f, 2]
        inflow[i, j, k] += half[f, 0] * (potential[f] + step)
        i, j, k = _above(a, i, j, k, cells)
        inflow[i, j, k] += half[f, 1] * (potential[f] - step)


@piece(error_model="numpy")
def _above(a, i, j, k, cells):
    """Voxel on the upper side."""
    if a == 0:
        i = i + 1 if i + 1 < cells[0] else 0
    elif a == 1:
        j = j + 1 if j + 1 < cells[1] else 0
    else:
        k = k + 1 if k + 1 < cells[2] else 0
    return i, j, k


@piece(error_model="numpy")
def _apart(one, way_one, other, way_other, c, n):
    """Half voxels from one sheet to another that shares an edge, along axis c."""
    step = 2 * (other - one) + (way_other == c) - (way_one == c)
    if step > 2:
        step -= 2 * n
    elif step < -2:
        step += 2 * n
    return step


@piece(error_model="numpy")
def _cross(planes, layer, cells, between, flow):
    """Count a current through the plane behind a layer."""
    planes[layer] += flow
    if between and layer == cells - 1:
        planes[layer + 1] += flow


@kernel(error_model="numpy")
def sheet_sources(sheets, grid, spacing, driven, sums):
    """Add what drives the sheets: squares of Σ g d, and Σ g |d|."""
    low, way, half, indptr, indices, link, contact = sheets
    cells, _, _ = grid
    n, hop = cells[driven], spacing[driven]
    for f in range(way.size):
        a = way[f]
        step = 0.5 * hop if a == driven else 0.0
        source, scale = step * (half[f, 1] - half[f, 0]), step * (half[f, 0] + half[f, 1])
        for m in range(indptr[f], indptr[f + 1]):
            g = indices[m]
            step = 0.5 * hop * _apart(low[f, driven], a, low[g, driven], way[g], driven, n)
            source += link[m] * step
            scale += link[m] * abs(step)
        x = hop * (low[f, driven] + (1.0 if a == driven else 0.5))
        source += contact[f, 1] * (n * hop - x) - contact[f, 0] * x
        scale += contact[f, 1] * (n * hop - x) + contact[f, 0] * x
        sums[SOURCE] += source * source
        sums[SCALE] += scale * scale
        sums[PARALLEL] += scale


@kernel(error_model="numpy")
def examine_sheets(sheets, grid, spacing, driven, voxels, potential, residual, sums, planes):
    """Add energy, fluxes and plane fluxes of the sheets; fill their residual.

    ``grid`` is (cells, between, length) with one entry an axis each.
    """
    low, way, half, indptr, indices, link, contact = sheets
    cells, between, length = grid
    n, hop = cells[driven], spacing[driven]
    energy, flux = 0.0, np.zeros(3)
    residual[:] = 0.0
    for f in range(way.size):
        a, own = way[f], potential[f]
        step = 0.5 * hop if a == driven else 0.0
        i, j, k = low[f, 0], low[f, 1], low[f, 2]
        layer = low[f, driven]
        drop = own - voxels[i, j, k] + step
        below = half[f, 0] * drop
        energy += below * drop
        x, y, z = _above(a, i, j, k, cells)
        drop = voxels[x, y, z] - own + step
        above = half[f, 1] * drop
        energy += above * drop
        flux[a] += 0.5 * spacing[a] * (below + above)
        left = above - below
        if a == driven:
            _cross(planes, layer, n, between[a], above)
        for m in range(indptr[f], indptr[f + 1]):
            g = indices[m]
            if g < f:
                continue
            turn = way[g]
            ahead = _apart(layer, a, low[g, driven], turn, driven, n)
            drop = potential[g] - own + 0.5 * hop * ahead
            current = link[m] * drop
            left += current
            residual[g] -= current
            energy += current * drop
            flux[0] += current * (0.5 * spacing[0] * _apart(i, a, low[g, 0], turn, 0, cells[0]))
            flux[1] += current * (0.5 * spacing[1] * _apart(j, a, low[g, 1], turn, 1, cells[1]))
            flux[2] += current * (0.5 * spacing[2] * _apart(k, a, low[g, 2], turn, 2, cells[2]))
            if low[g, driven] != layer and ahead > 0:
                _cross(planes, layer, n, between[driven], current)
            elif low[g, driven] != layer:
                _cross(planes, low[g, driven], n, between[driven], -current)
        if contact[f, 0] > 0.0 or contact[f, 1] > 0.0:
            reach = hop * (layer + (1.0 if a == driven else 0.5))
            drop = own + reach
            current = contact[f, 0] * drop
            left -= current
            energy += current * drop
            flux[driven] += current * reach
            planes[length[driven] - 1] += current
            reach = n * hop - reach
            drop = reach - own
            current = contact[f, 1] * drop
            left += current
            energy += current * drop
            flux[driven] += current * reach
            _cross(planes, n - 1, n, between[driven], current)
        residual[f] += left
    sums[ENERGY] += energy
    for c in range(3):
        sums[FLUX + c] += flux[c]
    for f in range(way.size):
        sums[RESIDUAL] += residual[f] * residual[f]


@kernel(error_model="numpy")
def sheet_sums(
    sheets, cells, spacing, driven, u, values, bulk, phase, kinds, vector, moment, parts
):
    """Add the sheets' flux moments and where their power goes.

    ``parts`` is (loss, phases, kinds in all). Ties count with their voxels in ``vector``,
    links between sheets and to electrodes with the sheets in ``moment``.
    """
    low, way, half, indptr, indices, link, contact = sheets
    loss, phases, pairs = parts
    n, hop = cells[driven], spacing[driven]
    volume = spacing[0] * spacing[1] * spacing[2]
    for f in range(way.size):
        a, own, kind = way[f], values[f], kinds[f]
        step = 0.5 * hop if a == driven else 0.0
        i, j, k = low[f, 0], low[f, 1], low[f, 2]
        for side in range(2):
            x, y, z = (i, j, k) if side == 0 else _above(a, i, j, k, cells)
            drop = (own - u[x, y, z] if side == 0 else u[x, y, z] - own) + step
            current = half[f, side] * drop
            inside = 0.5 * current * current * spacing[a] ** 2 / volume / bulk[x, y, z]
            loss[phase[x, y, z]] += inside
            loss[phases + kind] += current * drop - inside
            vector[x, y, z, a] += 0.5 * spacing[a] * current
        for m in range(indptr[f], indptr[f + 1]):
            g = indices[m]
            ahead = _apart(low[f, driven], a, low[g, driven], way[g], driven, n)
            drop = values[g] - own + 0.5 * hop * ahead
            current = link[m] * drop
            loss[phases + pairs + kind] += 0.5 * current * drop
            for c in range(moment.shape[1]):
                reach = 0.5 * spacing[c] * _apart(low[f, c], a, low[g, c], way[g], c, cells[c])
                moment[f, c] += 0.5 * current * reach
        x = hop * (low[f, driven] + (1.0 if a == driven else 0.5))
        for end in range(2):
            reach = x if end == 0 else n * hop - x
            drop = reach + (own if end == 0 else -own)
            current = contact[f, end] * drop
            loss[phases + pairs + kind] += current * drop
            moment[f, driven] += current * reach


@kernel(error_model="numpy")
def spread_moments(low, way, cells, moment, volume, vector):
    """Share each sheet's moment between its two voxels, as a flux density."""
    for f in range(way.size):
        i, j, k = low[f, 0], low[f, 1], low[f, 2]
        x, y, z = _above(way[f], i, j, k, cells)
        for c in range(vector.shape[3]):
            vector[i, j, k, c] += 0.5 * moment[f, c] / volume
            vector[x, y, z, c] += 0.5 * moment[f, c] / volume
