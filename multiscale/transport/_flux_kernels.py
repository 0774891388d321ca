"""Sums over links: what the flux of each voxel is, and where power goes."""

import numpy as np

from multiscale.numerics.compiling import kernel


@kernel(error_model="numpy")
def link_sums(  # type: ignore[no-untyped-def]  # noqa: C901
    indptr,
    indices,
    g,
    position,
    size,
    electrode,
    u,
    axes,
    kept,
    beside,
    bulk,
    phase,
    sheet_type,
    types,
    pairs,
    ruled,
    spacing,
    wrap,
):
    """Flux density of voxels, flux and dissipation of parts.

    Each link is taken once, from its lower node, so that a node is complete when its own
    links are through. Links of voxels are normal to faces. ``beside`` holds the two voxels
    of each sheet, which share its moment. ``axes``, ``size`` and ``spacing`` are tuples: loops
    over them are then unrolled.
    """
    n, d, m = position.shape[0], len(size), len(axes)
    phases, voxels = types.shape[0], bulk.size
    vector = np.zeros((m, voxels, d))
    sheet = np.zeros((m, sheet_type.size, d))
    flux = np.zeros((m, phases + pairs))
    loss = np.zeros((m, phases + 2 * pairs))
    step = np.empty(d)
    own = np.zeros((m, d))
    volume = 1.0
    for a in range(d):
        volume *= spacing[a]
    for i in range(n):
        mine = kept[i]
        own[:] = 0.0
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            if j <= i:
                continue
            other = kept[j]
            normal = 0
            for a in range(d):
                step[a] = position[j, a] - position[i, a]
                if wrap and abs(step[a]) > 0.4 * size[a]:
                    step[a] -= size[a] * np.round(step[a] / size[a])
                if abs(step[a]) > abs(step[normal]):
                    normal = a
            if other < voxels:
                kind = types[phase[mine], phase[other]]
                if ruled.shape[0] > 0:
                    lower = mine if step[normal] > 0 else other
                    if ruled[normal, lower] >= 0:
                        kind = ruled[normal, lower]
                area = 0.5 * spacing[normal] ** 2 / volume
                first, second = area / bulk[mine], area / bulk[other]
                here, there = phase[mine], phase[other]
                half = 0.5 * step[normal]
                for p in range(m):
                    drop = u[j, p] - u[i, p]
                    if axes[p] == normal:
                        drop += step[normal]
                    current = g[k] * drop
                    square = current * current
                    loss[p, here] += square * first
                    loss[p, there] += square * second
                    loss[p, phases + kind] += current * drop - square * (first + second)
                    own[p, normal] += current * half
                    vector[p, other, normal] += current * half
            elif mine < voxels:
                first = 0.5 * spacing[normal] ** 2 / volume / bulk[mine]
                kind = sheet_type[other - voxels]
                for p in range(m):
                    drop = u[j, p] - u[i, p]
                    if axes[p] == normal:
                        drop += step[normal]
                    current = g[k] * drop
                    inside = current * current * first
                    loss[p, phase[mine]] += inside
                    loss[p, phases + kind] += current * drop - inside
                    own[p, normal] += current * step[normal]
            else:
                for p in range(m):
                    drop = u[j, p] - u[i, p] + step[axes[p]]
                    current = g[k] * drop
                    power = 0.5 * current * drop
                    loss[p, phases + pairs + sheet_type[mine - voxels]] += power
                    loss[p, phases + pairs + sheet_type[other - voxels]] += power
                    for b in range(d):
                        moment = 0.5 * current * step[b]
                        sheet[p, mine - voxels, b] += moment
                        sheet[p, other - voxels, b] += moment
        for end in range(2):
            if electrode[i, end] == 0.0:
                continue
            for p in range(m):
                a = axes[p]
                reach = position[i, a] if end == 0 else size[a] - position[i, a]
                sign = 1.0 if end == 0 else -1.0
                drop = reach + sign * u[i, p]
                current = electrode[i, end] * drop
                if mine < voxels:
                    own[p, a] += current * reach
                    loss[p, phase[mine]] += current * drop
                else:
                    sheet[p, mine - voxels, a] += current * reach
                    loss[p, phases + pairs + sheet_type[mine - voxels]] += current * drop
        if mine < voxels:
            for p in range(m):
                for b in range(d):
                    own[p, b] += vector[p, mine, b]
                    vector[p, mine, b] = own[p, b] / volume
                flux[p, phase[mine]] += own[p, axes[p]]
            continue
        s = mine - voxels
        for p in range(m):
            flux[p, phases + sheet_type[s]] += sheet[p, s, axes[p]]
            for b in range(d):
                vector[p, beside[s, 0], b] += 0.5 * sheet[p, s, b] / volume
                vector[p, beside[s, 1], b] += 0.5 * sheet[p, s, b] / volume
    return vector, flux, loss


@kernel(error_model="numpy")
def voxel_sums(  # type: ignore[no-untyped-def]  # noqa: C901
    through,
    u,
    axis,
    bulk,
    phase,
    types,
    pairs,
    ruled,
    spacing,
    periodic,
    moment,
    flux,
    loss,
):
    """Add flux density of voxels, flux and dissipation of parts, from links between voxels."""
    d = through.shape[0]
    shape = bulk.shape
    phases = types.shape[0]
    volume = 1.0
    for a in range(d):
        volume *= spacing[a]
    for a in range(d):
        h = spacing[a]
        area = h * h / volume
        for i in range(shape[0]):
            for j in range(shape[1]):
                for k in range(shape[2]):
                    g = through[a, i, j, k]
                    if not periodic and a == axis:  # halves that touch the electrodes
                        place = i if a == 0 else (j if a == 1 else k)
                        contact = 2.0 * bulk[i, j, k] / area
                        current = 0.0
                        if place == 0:
                            current = contact * (u[i, j, k] + 0.5 * h)
                            loss[phase[i, j, k]] += current * (u[i, j, k] + 0.5 * h)
                            moment[i, j, k, a] += 0.5 * h * current
                        if place == shape[a] - 1:
                            current = contact * (0.5 * h - u[i, j, k])
                            loss[phase[i, j, k]] += current * (0.5 * h - u[i, j, k])
                            moment[i, j, k, a] += 0.5 * h * current
                    if g == 0.0:
                        continue
                    x, y, z = i, j, k
                    if a == 0:
                        x = (i + 1) % shape[0]
                    elif a == 1:
                        y = (j + 1) % shape[1]
                    else:
                        z = (k + 1) % shape[2]
                    step = u[x, y, z] - u[i, j, k] + (h if a == axis else 0.0)
                    current = g * step
                    moment[i, j, k, a] += 0.5 * current * h
                    moment[x, y, z, a] += 0.5 * current * h
                    one = 0.5 * current * current * area / bulk[i, j, k]
                    two = 0.5 * current * current * area / bulk[x, y, z]
                    loss[phase[i, j, k]] += one
                    loss[phase[x, y, z]] += two
                    kind = types[phase[i, j, k], phase[x, y, z]]
                    if ruled.shape[0] > 0 and ruled[a, i, j, k] >= 0:
                        kind = ruled[a, i, j, k]
                    loss[phases + kind] += current * step - one - two
    for i in range(shape[0]):
        for j in range(shape[1]):
            for k in range(shape[2]):
                flux[phase[i, j, k]] += moment[i, j, k, axis]
                for a in range(d):
                    moment[i, j, k, a] /= volume
