"""Compiled passes over conducting sheets: how they hang together, and what flows in them.

``sheets`` is (low, way, half, indptr, indices, link, contact): lower voxel and normal axis of
each sheet, its conductances to the two voxels, its links to other sheets and its conductance
to the electrodes.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from multiscale.numerics.compiling import kernel
from multiscale.transport._voxel_kernels import ENERGY, FLUX, PARALLEL, RESIDUAL, SCALE, SOURCE

EDGES = 12
"""Most sheets that one sheet shares its four edges with."""


@kernel(error_model="numpy")
def _around_edge(node, arm, a, b, p, periodic, found, conductance):
    """Sheets around the edge at the lower corner of voxel p in the plane of axes a and b.

    Four voxel faces meet there: normal to a at ±b and normal to b at ±a.
    """
    shape = node.shape[1:]
    q = np.empty(3, np.int64)
    count = 0
    for which in range(4):
        normal, along = (a, b) if which < 2 else (b, a)
        q[:] = p
        q[normal] -= 1
        q[along] -= which % 2
        inside = True
        for c in range(3):
            if periodic:
                q[c] = q[c] % shape[c]
            elif q[c] < 0 or q[c] >= shape[c]:
                inside = False
        if inside:
            f = node[normal, q[0], q[1], q[2]]
            if f >= 0:
                found[count] = f
                conductance[count] = arm[f, along]
                count += 1
    return count


@kernel(error_model="numpy")
def sheet_rows(node, arm, axis, low, periodic, electrodes):
    """Join sheets over the voxel edges they share, by the star-mesh transform of each edge.

    Edges on the electrodes join their sheets to those instead. Returns rows of links, in
    rising order, and the conductances to the electrodes.
    """
    d, shape = node.shape[0], node.shape[1:]
    n = axis.size
    indptr = np.zeros(n + 1, np.int32)
    indices = np.empty(EDGES * n, np.int32)
    link = np.empty(EDGES * n)
    contact = np.zeros((n, 2))
    found, conductance = np.empty(4, np.int32), np.empty(4)
    p = np.empty(3, np.int64)
    filled = 0
    for f in range(n):
        a = axis[f]
        begin = filled
        for b in range(d):
            if b == a:
                continue
            for side in range(2):
                for c in range(3):
                    p[c] = low[f, c]
                p[a] += 1
                p[b] += side
                if electrodes == b and (p[b] == 0 or p[b] == shape[b]):
                    contact[f, side] += arm[f, b]
                    continue
                count = _around_edge(node, arm, a, b, p, periodic, found, conductance)
                total = conductance[:count].sum()
                for m in range(count):
                    if found[m] == f:
                        continue
                    place = filled
                    while place > begin and indices[place - 1] > found[m]:
                        indices[place], link[place] = indices[place - 1], link[place - 1]
                        place -= 1
                    indices[place] = found[m]
                    link[place] = arm[f, b] * conductance[m] / total
                    filled += 1
        indptr[f + 1] = filled
    return indptr, indices[:filled].copy(), link[:filled].copy(), contact


@kernel(error_model="numpy")
def beside_sheets(sheets, cells, spacing, driven, potential, inflow, total):
    """Σ g (sheet's potential + displacement) and Σ g of each voxel beside a sheet."""
    low, way, half = sheets[0], sheets[1], sheets[2]
    inflow[:] = 0.0
    total[:] = 0.0
    p = np.empty(3, np.int64)
    for f in range(way.size):
        a = way[f]
        step = 0.5 * spacing[a] if a == driven else 0.0
        for c in range(3):
            p[c] = low[f, c]
        inflow[p[0], p[1], p[2]] += half[f, 0] * (potential[f] + step)
        total[p[0], p[1], p[2]] += half[f, 0]
        p[a] = (p[a] + 1) % cells[a]
        inflow[p[0], p[1], p[2]] += half[f, 1] * (potential[f] - step)
        total[p[0], p[1], p[2]] += half[f, 1]


@kernel(error_model="numpy", forceinline=True)
def _apart(low, way, f, g, c, n, periodic):
    """Half voxels from sheet f to sheet g along axis c, the short way round."""
    step = 2 * (low[g, c] - low[f, c]) + (way[g] == c) - (way[f] == c)
    if periodic and step > n:
        step -= 2 * n
    elif periodic and step < -n:
        step += 2 * n
    return step


@kernel(error_model="numpy", forceinline=True)
def _cross(planes, layer, cells, between, flow):
    """Count a current through the plane behind a layer."""
    layer = layer % cells
    planes[layer] += flow
    if between and layer == cells - 1:
        planes[layer + 1] += flow


@kernel(error_model="numpy")
def examine_sheets(sheets, grid, spacing, driven, voxels, potential, residual, sums, planes):
    """Add energy, fluxes, plane fluxes and sources of the sheets; fill their residual.

    ``grid`` is (cells, between, length, periodic) with one entry an axis each.
    """
    low, way, half, indptr, indices, link, contact = sheets
    cells, between, length, periodic = grid
    n = cells[driven]
    hop = spacing[driven]
    p = np.empty(3, np.int64)
    for f in range(way.size):
        a = way[f]
        own = potential[f]
        left, source, scale = 0.0, 0.0, 0.0
        for c in range(3):
            p[c] = low[f, c]
        step = -0.5 * hop if a == driven else 0.0
        for side in range(2):
            if side == 1:
                p[a] = (p[a] + 1) % cells[a]
                step = -step
            drop = voxels[p[0], p[1], p[2]] - own + step
            current = half[f, side] * drop
            left += current
            source += half[f, side] * step
            scale += half[f, side] * abs(step)
            sums[ENERGY] += current * drop
            sums[FLUX + a] += current * (spacing[a] * (side - 0.5))
            if side == 1 and a == driven:
                _cross(planes, low[f, a], n, between[a], current)
        for k in range(indptr[f], indptr[f + 1]):
            g = indices[k]
            half_steps = _apart(low, way, f, g, driven, n, periodic[driven])
            step = 0.5 * hop * half_steps
            drop = potential[g] - own + step
            current = link[k] * drop
            left += current
            source += link[k] * step
            scale += link[k] * abs(step)
            if g < f:
                continue
            sums[ENERGY] += current * drop
            for c in range(3):
                reach = 0.5 * spacing[c] * _apart(low, way, f, g, c, cells[c], periodic[c])
                sums[FLUX + c] += current * reach
            ahead = (low[g, driven] - low[f, driven]) % n
            if ahead == 1 and half_steps > 0:
                _cross(planes, low[f, driven], n, between[driven], current)
            elif ahead != 0:
                _cross(planes, low[g, driven], n, between[driven], -current)
        x = hop * (low[f, driven] + (1.0 if a == driven else 0.5))
        for end in range(2):
            value = contact[f, end]
            if value == 0.0:
                continue
            reach = x if end == 0 else n * hop - x
            sign = 1.0 if end == 0 else -1.0
            drop = sign * own + reach
            current = value * drop
            left -= sign * current
            source -= sign * value * reach
            scale += value * reach
            sums[ENERGY] += current * drop
            sums[FLUX + driven] += current * reach
            if end == 0:
                planes[length[driven] - 1] += current
            else:
                _cross(planes, n - 1, n, between[driven], current)
        residual[f] = left
        sums[RESIDUAL] += left * left
        sums[SOURCE] += source * source
        sums[SCALE] += scale * scale
        sums[PARALLEL] += scale
