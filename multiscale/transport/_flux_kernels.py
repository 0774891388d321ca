"""Sums over links: what the flux of each voxel is, and where power goes.

Tuples that go together:

``box``
    Edges of the box, voxel edges, and whether the box repeats. Tuples too: loops over
    them are then unrolled.
``voxels``
    Coefficient and phase of each voxel, class of boundary of each pair of phases, and
    that of each link along each axis where rules hold (−1 where none does; empty
    without rules).
``sums``
    Flux density of voxels, moments of sheets, flux and dissipation of parts, each with
    a row for every driven axis, and the moments of the node at hand.
"""

# mypy: disable-error-code="no-untyped-def"

import numpy as np

from multiscale.numerics.compiling import kernel, piece


@piece(error_model="numpy")
def _product(values):
    total = 1.0
    for a in range(len(values)):
        total *= values[a]
    return total


@piece(error_model="numpy")
def _displacement(position, i, j, box, step):
    """Fill the displacement from a node to another; return its longest component."""
    size, _, wrap = box
    normal = 0
    for a in range(len(size)):
        step[a] = position[j, a] - position[i, a]
        if wrap and abs(step[a]) > 0.4 * size[a]:
            step[a] -= size[a] * np.round(step[a] / size[a])
        if abs(step[a]) > abs(step[normal]):
            normal = a
    return normal


@piece(error_model="numpy")
def _half_area(box, normal):
    """Half the square of a voxel edge over the volume: times g² Δ²/K, what half a voxel takes."""
    _, spacing, _ = box
    return 0.5 * spacing[normal] ** 2 / _product(spacing)


@piece(error_model="numpy")
def _drop(ends, u, p, axes, normal, step):
    """Drop of the potential over a link that is normal to faces."""
    drop = u[ends[1], p] - u[ends[0], p]
    return drop + step[normal] if axes[p] == normal else drop


@piece(error_model="numpy")
def _between_voxels(ends, g, normal, step, area, drive, voxels, phases, sums):
    _, _, mine, other = ends
    u, axes = drive
    bulk, phase, types, ruled = voxels
    vector, _, _, loss, own = sums
    here, there = phase[mine], phase[other]
    kind = types[here, there]
    if ruled.shape[0] > 0:
        lower = mine if step[normal] > 0 else other
        if ruled[normal, lower] >= 0:
            kind = ruled[normal, lower]
    first, second = area / bulk[mine], area / bulk[other]
    half = 0.5 * step[normal]
    for p in range(len(axes)):
        drop = _drop(ends, u, p, axes, normal, step)
        current = g * drop
        square = current * current
        loss[p, here] += square * first
        loss[p, there] += square * second
        loss[p, phases + kind] += current * drop - square * (first + second)
        own[p, normal] += current * half
        vector[p, other, normal] += current * half


@piece(error_model="numpy")
def _onto_a_sheet(ends, g, normal, step, area, drive, voxels, part, sums):
    """From a voxel to a sheet, whose film's number among the parts is ``part``."""
    mine = ends[2]
    u, axes = drive
    bulk, phase, _, _ = voxels
    _, _, _, loss, own = sums
    first = area / bulk[mine]
    for p in range(len(axes)):
        drop = _drop(ends, u, p, axes, normal, step)
        current = g * drop
        inside = current * current * first
        loss[p, phase[mine]] += inside
        loss[p, part] += current * drop - inside
        own[p, normal] += current * step[normal]


@piece(error_model="numpy")
def _between_sheets(ends, g, step, drive, one, two, parts, sums):
    """Between sheets ``one`` and ``two``; ``parts`` are the numbers of their films."""
    i, j, _, _ = ends
    u, axes = drive
    _, sheet, _, loss, _ = sums
    for p in range(len(axes)):
        drop = u[j, p] - u[i, p] + step[axes[p]]
        current = g * drop
        power = 0.5 * current * drop
        loss[p, parts[0]] += power
        loss[p, parts[1]] += power
        for b in range(step.size):
            moment = 0.5 * current * step[b]
            sheet[p, one, b] += moment
            sheet[p, two, b] += moment


@piece(error_model="numpy")
def _contact(electrode, position, i, box, drive, moment, part, sums):
    """Links of a node to the electrodes; ``moment`` is where its moments are summed."""
    size, _, _ = box
    u, axes = drive
    loss = sums[3]
    for end in range(2):
        if electrode[i, end] == 0.0:
            continue
        for p in range(len(axes)):
            a = axes[p]
            reach = position[i, a] if end == 0 else size[a] - position[i, a]
            sign = 1.0 if end == 0 else -1.0
            drop = reach + sign * u[i, p]
            current = electrode[i, end] * drop
            moment[p, a] += current * reach
            loss[p, part] += current * drop


@piece(error_model="numpy")
def _close_voxel(mine, axes, volume, part, sums):
    """Make a flux density of a voxel's moments, once its links are through."""
    vector, _, flux, _, own = sums
    for p in range(len(axes)):
        for b in range(own.shape[1]):
            own[p, b] += vector[p, mine, b]
            vector[p, mine, b] = own[p, b] / volume
        flux[p, part] += own[p, axes[p]]


@piece(error_model="numpy")
def _close_sheet(s, beside, axes, volume, part, sums):
    """Give a sheet's moments to the two voxels beside it."""
    vector, sheet, flux, _, _ = sums
    for p in range(len(axes)):
        flux[p, part] += sheet[p, s, axes[p]]
        for b in range(sheet.shape[2]):
            vector[p, beside[s, 0], b] += 0.5 * sheet[p, s, b] / volume
            vector[p, beside[s, 1], b] += 0.5 * sheet[p, s, b] / volume


@piece(error_model="numpy")
def _links_of_node(i, links, box, drive, kept, voxels, film, pairs, step, sums):
    """Add the links of a node to those after it."""
    indptr, indices, g, position, _ = links
    many, phases = voxels[0].size, voxels[2].shape[0]
    for k in range(indptr[i], indptr[i + 1]):
        j = indices[k]
        if j <= i:
            continue
        ends, one, two = (i, j, kept[i], kept[j]), kept[i] - many, kept[j] - many
        normal = _displacement(position, i, j, box, step)
        area = _half_area(box, normal)
        if two < 0:
            _between_voxels(ends, g[k], normal, step, area, drive, voxels, phases, sums)
        elif one < 0:
            _onto_a_sheet(ends, g[k], normal, step, area, drive, voxels, phases + film[two], sums)
        else:
            parts = (phases + pairs + film[one], phases + pairs + film[two])
            _between_sheets(ends, g[k], step, drive, one, two, parts, sums)


@kernel(error_model="numpy")
def link_sums(links, box, drive, kept, voxels, sheets, pairs):
    """Flux density of voxels, flux and dissipation of parts.

    Each link is taken once, from its lower node, so that a node is complete when its own
    links are through. Links of voxels are normal to faces. ``links`` are the rows of the
    network with positions and links to the electrodes, ``drive`` potentials and driven axes,
    ``kept`` the numbers of the nodes, ``sheets`` the two voxels that share the moment of each
    sheet, and its type; ``pairs`` counts the types of boundary.
    """
    position, electrode = links[3], links[4]
    axes = drive[1]
    bulk, phase, types, _ = voxels
    beside, film = sheets
    m, d, many, phases = len(axes), len(box[0]), bulk.size, types.shape[0]
    volume = _product(box[1])
    vector, sheet = np.zeros((m, many, d)), np.zeros((m, film.size, d))
    flux, loss = np.zeros((m, phases + pairs)), np.zeros((m, phases + 2 * pairs))
    own, step = np.zeros((m, d)), np.empty(d)
    sums = (vector, sheet, flux, loss, own)
    for i in range(position.shape[0]):
        own[:] = 0.0
        _links_of_node(i, links, box, drive, kept, voxels, film, pairs, step, sums)
        if kept[i] < many:
            part = phase[kept[i]]
            _contact(electrode, position, i, box, drive, own, part, sums)
            _close_voxel(kept[i], axes, volume, part, sums)
        else:
            s = kept[i] - many
            part = phases + film[s]
            _contact(electrode, position, i, box, drive, sheet[:, s], part + pairs, sums)
            _close_sheet(s, beside, axes, volume, part, sums)
    return vector, flux, loss


@piece(error_model="numpy")
def _touch(u, axis, place, h, contact, part, moment, loss):
    """Add the halves of a voxel that touch the electrodes; ``moment`` is the voxel's own."""
    layer, layers = place
    if layer == 0:
        drop = u + 0.5 * h
        loss[part] += contact * drop * drop
        moment[axis] += 0.5 * h * contact * drop
    if layer == layers - 1:
        drop = 0.5 * h - u
        loss[part] += contact * drop * drop
        moment[axis] += 0.5 * h * contact * drop


@piece(error_model="numpy")
def _link(a, here, there, g, drop, h, area, voxels, moment, loss):
    """Add one link along axis ``a`` between two voxels."""
    bulk, phase, types, ruled = voxels
    phases = types.shape[0]
    current = g * drop
    moment[here][a] += 0.5 * current * h
    moment[there][a] += 0.5 * current * h
    one = 0.5 * current * current * area / bulk[here]
    two = 0.5 * current * current * area / bulk[there]
    loss[phase[here]] += one
    loss[phase[there]] += two
    kind = types[phase[here], phase[there]]
    if ruled.shape[0] > 0 and ruled[a][here] >= 0:
        kind = ruled[a][here]
    loss[phases + kind] += current * drop - one - two


@piece(error_model="numpy")
def _beyond(here, shape, a):
    """Place of the next voxel along an axis; the first follows the last."""
    i, j, k = here
    following = here[a] + 1 if here[a] + 1 < shape[a] else 0
    if a == 0:
        return following, j, k
    if a == 1:
        return i, following, k
    return i, j, following


@piece(error_model="numpy")
def _links_of(a, here, g, u, axis, h, area, halves, voxels, moment, loss):
    """Add what leaves a voxel along axis ``a``."""
    bulk, phase, _, _ = voxels
    if halves:
        place, contact = (here[a], bulk.shape[a]), 2.0 * bulk[here] / area
        _touch(u[here], a, place, h, contact, phase[here], moment[here], loss)
    if g != 0.0:
        there = _beyond(here, bulk.shape, a)
        drop = u[there] - u[here] + (h if a == axis else 0.0)
        _link(a, here, there, g, drop, h, area, voxels, moment, loss)


@kernel(error_model="numpy")
def voxel_sums(through, u, axis, spacing, periodic, voxels, moment, flux, loss):
    """Add flux density of voxels, flux and dissipation of parts, from links between voxels."""
    nx, ny, nz = u.shape
    phase = voxels[1]
    d = through.shape[0]
    volume = 1.0
    for a in range(d):
        volume *= spacing[a]
    for a in range(d):
        h = spacing[a]
        area, halves = h * h / volume, not periodic and a == axis
        for i in range(nx):
            for j in range(ny):
                for k in range(nz):
                    g = through[a, i, j, k]
                    here = (i, j, k)
                    _links_of(a, here, g, u, axis, h, area, halves, voxels, moment, loss)
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                flux[phase[i, j, k]] += moment[i, j, k, axis]
                for a in range(d):
                    moment[i, j, k, a] /= volume
