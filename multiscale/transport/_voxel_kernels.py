"""Compiled passes over a voxel field: its links, residual, energy and fluxes.

The field itself is read, never copied; conductances are made row by row where
they are needed. ``mask`` is None or says which voxels take part.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import prange

from multiscale.numerics.compiling import kernel

FAST = {"contract", "reassoc", "nsz"}
RING = 4
ENERGY, FLUX, RESIDUAL, SOURCE, SCALE, PARALLEL, SUMS = 0, 1, 4, 5, 6, 7, 8


@kernel(error_model="numpy", forceinline=True)
def _harmonic(a, b):
    """Conductance between two cell centres over that of a uniform field of one."""
    total = a + b
    return 2.0 * a * (b / total) if total > 0.0 else 0.0


@kernel(error_model="numpy", forceinline=True)
def _read_row(field, mask, scale, i, j, out):
    for k in range(field.shape[2]):
        out[k] = scale * field[i, j, k]
    if mask is not None:
        for k in range(field.shape[2]):
            out[k] *= mask[i, j, k]


@kernel(error_model="numpy", forceinline=True)
def _rows_between(one, other, weight, out):
    for k in range(one.size):
        out[k] = weight * _harmonic(one[k], other[k])


@kernel(error_model="numpy", forceinline=True)
def _row_along(row, lower, upper, weight, factor, out):
    n = row.size
    for k in range(n - 1):
        out[k] = factor * _harmonic(row[k], row[k + 1])
    for k in range(n - 1, weight.size):
        out[k] = factor * weight[k] * _harmonic(row[lower[k]], row[upper[k]])


@kernel(error_model="numpy", forceinline=True)
def _conductances_between(
    field, mask, scale, through, through_scale, factors, way, here, table, j, one, other, out
):
    """Conductances from a row to the next layer along axis ``way`` (0 or 1).

    ``here`` is the layer of the axis, ``j`` the index along the other one.
    """
    low, up, weight = table[0][here], table[1][here], table[2][here]
    if way == 0:
        _read_row(field, mask, scale, low, j, one)
        _read_row(field, mask, scale, up, j, other)
    else:
        _read_row(field, mask, scale, j, low, one)
        _read_row(field, mask, scale, j, up, other)
    _rows_between(one, other, factors[way] * weight, out)
    if through is not None and (low != up):
        a, b = (low, j) if way == 0 else (j, low)
        for k in range(one.size):
            kept = through_scale * weight * through[way, a, b, k]
            out[k] = kept if out[k] > 0.0 else 0.0


@kernel(error_model="numpy", forceinline=True)
def _conductances_along(field, mask, scale, through, through_scale, factors, table, i, j, one, out):
    """Conductances along a row."""
    _read_row(field, mask, scale, i, j, one)
    _row_along(one, table[0], table[1], table[2], factors[2], out)
    if through is not None:
        for k in range(table[2].size):
            if out[k] > 0.0 and table[0][k] != table[1][k]:
                out[k] = through_scale * table[2][k] * through[2, i, j, table[0][k]]


@kernel(error_model="numpy")
def _links_slab(
    field, mask, scale, through, through_scale, factors, xs, ys, zs, links, first, last
):
    ny, m = links.shape[2:]
    cx, cy, cz = field.shape
    one, other = np.empty(cz), np.empty(cz)
    out = np.zeros(2 * m)
    for i in range(first, last):
        for j in range(ny):
            even = (i + j) & 1  # place of the even cell in its pair
            for way in range(3):
                for k in range(2 * m):
                    out[k] = 0.0
                if way == 0 and j < cy and xs[2][i] > 0.0:
                    _conductances_between(
                        field,
                        mask,
                        scale,
                        through,
                        through_scale,
                        factors,
                        0,
                        i,
                        xs,
                        j,
                        one,
                        other,
                        out,
                    )
                elif way == 1 and i < cx and ys[2][j] > 0.0:
                    _conductances_between(
                        field,
                        mask,
                        scale,
                        through,
                        through_scale,
                        factors,
                        1,
                        j,
                        ys,
                        i,
                        one,
                        other,
                        out,
                    )
                elif way == 2 and i < cx and j < cy:
                    _conductances_along(
                        field, mask, scale, through, through_scale, factors, zs, i, j, one, out
                    )
                    even = 0
                for k in range(m):
                    links[2 * way, i, j, k] = out[2 * k + even]
                    links[2 * way + 1, i, j, k] = out[2 * k + 1 - even]


@kernel(parallel=True, error_model="numpy")
def fill_links(field, mask, scale, through, through_scale, factors, xs, ys, zs, links, threads):
    """Fill the packed links of a field, in single precision."""
    nx = links.shape[1]
    if threads == 1:
        _links_slab(field, mask, scale, through, through_scale, factors, xs, ys, zs, links, 0, nx)
    else:
        for t in prange(threads):
            lo, hi = t * nx // threads, (t + 1) * nx // threads
            _links_slab(
                field, mask, scale, through, through_scale, factors, xs, ys, zs, links, lo, hi
            )


@kernel(error_model="numpy", forceinline=True)
def _conductance_plane(
    field, mask, scale, through, through_scale, factors, xs, ys, zs, i, g, slot, one, other
):
    """Conductances from plane i to the next, and inside plane i, into rings."""
    cx, cy = field.shape[:2]
    ny, nz = g.shape[2:]
    for way in range(3):
        for j in range(ny):
            for k in range(nz):
                g[slot, way, j, k] = 0.0
    for j in range(ny):
        if j < cy and xs[2][i] > 0.0:
            _conductances_between(
                field,
                mask,
                scale,
                through,
                through_scale,
                factors,
                0,
                i,
                xs,
                j,
                one,
                other,
                g[slot, 0, j],
            )
        if i < cx and ys[2][j] > 0.0:
            _conductances_between(
                field,
                mask,
                scale,
                through,
                through_scale,
                factors,
                1,
                j,
                ys,
                i,
                one,
                other,
                g[slot, 1, j],
            )
        if i < cx and j < cy:
            _conductances_along(
                field, mask, scale, through, through_scale, factors, zs, i, j, one, g[slot, 2, j]
            )


@kernel(fastmath=FAST, error_model="numpy", forceinline=True)
def _balance_row(u, g, here, below, above, j, jm, jp, dx, dxm, dy, dym, dz, inflow, total):
    """Σ g (neighbour + displacement) and Σ g of each cell of a row."""
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


@kernel(fastmath=FAST, error_model="numpy", forceinline=True)
def _source_row(g, here, below, j, jm, dx, dxm, dy, dym, dz, source, moment):
    """Σ g displacement and Σ g |displacement| of each cell of a row."""
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


@kernel(fastmath=FAST, error_model="numpy", forceinline=True)
def _measure_row(u, g, here, above, j, jp, i, axis, dx, dy, dz, reach, sums, planes):
    """Add the energy, the fluxes and the plane fluxes of a row's links to the next."""
    nz = u.shape[2]
    energy, flow = 0.0, 0.0
    for k in range(nz):
        step = u[above, j, k] - u[here, j, k] + dx
        current = g[here, 0, j, k] * step
        energy += current * step
        flow += current
    sums[FLUX] += flow * reach[0]
    if axis == 0:
        planes[i] += flow
    flow = 0.0
    for k in range(nz):
        step = u[here, jp, k] - u[here, j, k] + dy
        current = g[here, 1, j, k] * step
        energy += current * step
        flow += current
    sums[FLUX + 1] += flow * reach[1]
    if axis == 1:
        planes[j] += flow
    sums[ENERGY] += energy


@kernel(fastmath=FAST, error_model="numpy", forceinline=True)
def _measure_along(u, g, here, j, axis, dz, reaches, sums, planes, currents):
    """Add the energy, the flux and the plane fluxes of the links along a row."""
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
    if axis == 2:
        for k in range(nz):
            planes[k] += currents[k]


@kernel(fastmath=FAST, error_model="numpy")
def _examine_slab(  # noqa: C901
    field,
    mask,
    scale,
    through,
    through_scale,
    factors,
    xs,
    ys,
    zs,
    spacing,
    odd,
    axis,
    sources,
    residual,
    sums,
    planes,
    first,
    last,
    keep,
    potential,
    beside,
):
    nx, ny, m = odd.shape
    nz = 2 * m
    cx, cy, cz = field.shape
    one, other = np.empty(cz), np.empty(cz)
    g = np.empty((RING, 3, ny, nz))
    u = np.zeros((RING, ny, nz))
    inflow, total = np.empty(nz), np.empty(nz)
    rows = np.zeros(nz)
    masks = np.zeros((2, nz))  # live cells at even and at odd places
    for k in range(zs[4]):
        masks[k & 1, k] = 1.0
    dz = zs[3] * (spacing[2] if axis == 2 else 0.0)
    reach_z = zs[3] * spacing[2]
    reach = np.empty(2)
    hx, hy = (spacing[0] if axis == 0 else 0.0), (spacing[1] if axis == 1 else 0.0)
    for step in range(first - 3, last + 1):
        slot = (step + 3) % RING  # the plane that is read: step + 1
        i = (step + 1) % nx
        _conductance_plane(
            field, mask, scale, through, through_scale, factors, xs, ys, zs, i, g, slot, one, other
        )
        for j in range(ny):
            place = 1 - ((i + j) & 1)
            for k in range(nz):
                u[slot, j, k] = 0.0
            for k in range(m):
                u[slot, j, 2 * k + place] = odd[i, j, k]
        if step < first - 1:
            continue
        i, im = step % nx, (step - 1) % nx
        here, below, above = (step + 2) % RING, (step + 1) % RING, slot
        for j in range(ny):
            jm, jp = j - 1 if j > 0 else ny - 1, j + 1 if j < ny - 1 else 0
            _balance_row(
                u,
                g,
                here,
                below,
                above,
                j,
                jm,
                jp,
                hx * xs[3][i],
                hx * xs[3][im],
                hy * ys[3][j],
                hy * ys[3][jm],
                dz,
                inflow,
                total,
            )
            if i >= xs[4] or j >= ys[4]:
                continue
            if beside is not None and i < cx and j < cy:
                for k in range(cz):
                    inflow[k] += beside[0, i, j, k]
                    total[k] += beside[1, i, j, k]
            parity = (i + j) & 1
            for k in range(nz):
                rows[k] = inflow[k] / total[k] if total[k] > 0.0 else 0.0
            for k in range(nz):
                u[here, j, k] += masks[parity, k] * rows[k]
        if step <= first:
            continue
        i, im = (step - 1) % nx, (step - 2) % nx
        here, below, above = (step + 1) % RING, step % RING, (step + 2) % RING
        live_x = i < xs[4]
        for j in range(ny):
            jm, jp = j - 1 if j > 0 else ny - 1, j + 1 if j < ny - 1 else 0
            dx, dxm, dy, dym = hx * xs[3][i], hx * xs[3][im], hy * ys[3][j], hy * ys[3][jm]
            _balance_row(u, g, here, below, above, j, jm, jp, dx, dxm, dy, dym, dz, inflow, total)
            live = live_x and j < ys[4]
            real = beside is not None and i < cx and j < cy
            if real:
                for k in range(cz):
                    inflow[k] += beside[0, i, j, k]
                    total[k] += beside[1, i, j, k]
            parity = 1 - ((i + j) & 1)
            square = 0.0
            if live:
                for k in range(nz):
                    left = masks[parity, k] * (inflow[k] - total[k] * u[here, j, k])
                    rows[k] = left
                    square += left * left
            else:
                for k in range(nz):
                    rows[k] = 0.0
            for k in range(m):
                residual[i, j, k] = rows[2 * k + parity]
            sums[RESIDUAL] += square
            reach[0], reach[1] = xs[3][i] * spacing[0], ys[3][j] * spacing[1]
            if not sources:
                _measure_row(u, g, here, above, j, jp, i, axis, dx, dy, dz, reach, sums, planes)
                _measure_along(u, g, here, j, axis, dz, reach_z, sums, planes, inflow)
            else:
                _source_row(g, here, below, j, jm, dx, dxm, dy, dym, dz, inflow, total)
                if real:
                    for k in range(cz):
                        inflow[k] += beside[0, i, j, k]
                        total[k] += abs(beside[0, i, j, k])
                for k in range(zs[4] if live else 0):
                    sums[SOURCE] += inflow[k] * inflow[k]
                    sums[SCALE] += total[k] * total[k]
                    sums[PARALLEL] += total[k]
            if keep and i < cx and j < cy:
                for k in range(cz):
                    potential[i, j, k] = u[here, j, k]


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


@kernel(parallel=True, error_model="numpy")
def examine(
    field,
    mask,
    scale,
    through,
    through_scale,
    factors,
    xs,
    ys,
    zs,
    spacing,
    odd,
    axis,
    sources,
    residual,
    keep,
    potential,
    beside,
    threads,
):
    """Relax the even cells in full precision and look at what comes of it.

    Returns sums and the flux through every plane of the driven axis: either energy and
    fluxes, or what the sources are; fills the residual of the odd cells, and the
    potential of all cells if asked.
    """
    nx, ny, m = odd.shape
    length = max(nx, ny, 2 * m)
    sums, planes = np.zeros((threads, SUMS)), np.zeros((threads, length))
    if threads == 1:
        _examine_slab(
            field,
            mask,
            scale,
            through,
            through_scale,
            factors,
            xs,
            ys,
            zs,
            spacing,
            odd,
            axis,
            sources,
            residual,
            sums[0],
            planes[0],
            0,
            nx,
            keep,
            potential,
            beside,
        )
    else:
        for t in prange(threads):
            _examine_slab(
                field,
                mask,
                scale,
                through,
                through_scale,
                factors,
                xs,
                ys,
                zs,
                spacing,
                odd,
                axis,
                sources,
                residual,
                sums[t],
                planes[t],
                t * nx // threads,
                (t + 1) * nx // threads,
                keep,
                potential,
                beside,
            )
    total, flow = np.zeros(SUMS), np.zeros(length)
    for t in range(threads):
        total += sums[t]
        flow += planes[t]
    return total, flow
