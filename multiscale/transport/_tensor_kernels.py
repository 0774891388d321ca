"""Compiled kernels of trilinear elements whose coefficient is a tensor.

``voxels`` says what the coefficients are: ``tensors`` (n, d, d); ``labels``, which
tensor each voxel has, or empty if it has its own; ``mask``, zero where a voxel does
not take part, or empty; ``steps``, how far apart voxels are in both along each axis of
the grid; ``entries`` (6, 2), which entry of a tensor is xx, yy, zz, xy, xz, yz of the
grid, negative for none, as along the added axis of a plane field; and a factor.

Inside a voxel the potential is expanded in products of odd and even functions of
the three coordinates −1 … 1: one mean, three slopes, three twists, one product of
all. They are orthogonal, so that for one tensor a voxel the forces on them need no
quadrature.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import prange

from multiscale.numerics._stencil_kernels import DIAGONAL
from multiscale.numerics.compiling import kernel

FAST = {"contract", "reassoc", "nsz"}
ENERGY, FLUX, RESIDUAL, SCALE, SUMS = 0, 1, 4, 5, 6
"""Columns of the sums of :func:`examine`; FLUX has three."""


@kernel(error_model="numpy")
def _pack(voxels, i, j, rows):
    """Write the six entries of the tensors of a row of voxels."""
    tensors, labels, mask, steps, entries, factor = voxels
    for k in range(rows.shape[1]):
        v = i * steps[0] + j * steps[1] + k * steps[2]
        t = np.int64(labels[v]) if labels.size > 0 else v
        live = mask.size == 0 or mask[v] > 0
        for e in range(6):
            if live and entries[e, 0] >= 0:
                rows[e, k] = factor * tensors[t, entries[e, 0], entries[e, 1]]
            else:
                rows[e, k] = 0.0


@kernel(fastmath=FAST, error_model="numpy")
def _add_links(rows, shares, pairs, j, first, last, links, row):
    """Add the links of a row of voxels that belong to the vertices of planes first, last.

    ``pairs`` holds for each pair of corners the offset of the first one, and the
    number of the link; ``first`` is the plane in front of the voxels.
    """
    n = rows.shape[1]
    ny = links.shape[1]
    for t in range(pairs.shape[0]):
        target = first if pairs[t, 0] == 0 else last
        if target < 0:
            continue
        for k in range(n):
            row[k] = (
                shares[t, 0] * rows[0, k]
                + shares[t, 1] * rows[1, k]
                + shares[t, 2] * rows[2, k]
                + shares[t, 3] * rows[3, k]
                + shares[t, 4] * rows[4, k]
                + shares[t, 5] * rows[5, k]
            )
        q, o, shift = (j + pairs[t, 1]) % ny, pairs[t, 3], pairs[t, 2] + 1
        for k in range(n):
            links[target, q, o, k + shift] += row[k]


@kernel(error_model="numpy")
def _links_slab(voxels, shares, pairs, cells, links, lo, hi):
    """Assemble the links stored at the planes lo … hi − 1."""
    rows = np.empty((6, cells[2]))
    row = np.empty(cells[2])
    vertices = links.shape[3] - 2
    links[lo:hi] = 0.0
    for i in range(lo, hi):
        for before in range(2):  # the voxels behind and in front of the plane
            layer = i - before
            if layer < 0 and links.shape[0] == cells[0]:
                layer += cells[0]
            if layer < 0 or layer >= cells[0] or (before == 1 and links.shape[0] == 1):
                continue
            for j in range(cells[1]):
                _pack(voxels, layer, j, rows)
                first, last = (-1, i) if before == 1 else (i, -1)
                _add_links(rows, shares, pairs, j, first, last, links, row)
        if vertices == cells[2]:  # closed: the vertex behind the last is the first
            for j in range(links.shape[1]):
                for o in range(DIAGONAL):
                    links[i, j, o, 1] += links[i, j, o, vertices + 1]
        for j in range(links.shape[1]):
            for o in range(DIAGONAL):
                links[i, j, o, 0] = links[i, j, o, vertices]
                links[i, j, o, vertices + 1] = links[i, j, o, 1]


@kernel(parallel=True, error_model="numpy")
def assemble(voxels, shares, pairs, cells, links, threads):
    """Assemble the links of all vertices."""
    n = links.shape[0]
    if threads == 1:
        _links_slab(voxels, shares, pairs, cells, links, 0, n)
    else:
        for t in prange(threads):
            lo, hi = t * n // threads, (t + 1) * n // threads
            _links_slab(voxels, shares, pairs, cells, links, lo, hi)


@kernel(fastmath=FAST, error_model="numpy")
def _expand(u, c, i, ip, j, jp, four, modes):
    """Expand the potential of a row of voxels.

    ``modes``: slopes along x, y, z, then twists xy, xz, yz, then the product.
    """
    n = modes.shape[1]
    for k in range(n + 1):
        a, b = u[c, i, j, k + 1], u[c, i, jp, k + 1]
        d, e = u[c, ip, j, k + 1], u[c, ip, jp, k + 1]
        four[0, k] = 0.125 * ((a + b) + (d + e))
        four[1, k] = 0.125 * ((d - a) + (e - b))
        four[2, k] = 0.125 * ((b - a) + (e - d))
        four[3, k] = 0.125 * ((e - d) - (b - a))
    for k in range(n):
        modes[0, k] = four[1, k] + four[1, k + 1]
        modes[1, k] = four[2, k] + four[2, k + 1]
        modes[2, k] = four[0, k + 1] - four[0, k]
        modes[3, k] = four[3, k] + four[3, k + 1]
        modes[4, k] = four[1, k + 1] - four[1, k]
        modes[5, k] = four[2, k + 1] - four[2, k]
        modes[6, k] = four[3, k + 1] - four[3, k]


@kernel(fastmath=FAST, error_model="numpy")
def _forces(rows, inverse, drive, modes, sums):
    """Replace the modes by the forces on them, for a voxel of unit volume.

    ``inverse`` holds 1/spacing. Adds energy, mean flux and squares to ``sums``.
    """
    hx, hy, hz = inverse
    energy = flux_x = flux_y = flux_z = scale = 0.0
    for k in range(modes.shape[1]):
        xx, yy, zz = rows[0, k], rows[1, k], rows[2, k]
        xy, xz, yz = rows[3, k], rows[4, k], rows[5, k]
        gx = 2 * hx * modes[0, k] + drive[0]
        gy = 2 * hy * modes[1, k] + drive[1]
        gz = 2 * hz * modes[2, k] + drive[2]
        jx = xx * gx + xy * gy + xz * gz
        jy = xy * gx + yy * gy + yz * gz
        jz = xz * gx + yz * gy + zz * gz
        ax, ay, az = xx * hx * hx, yy * hy * hy, zz * hz * hz
        bxy, bxz, byz = xy * hx * hy, xz * hx * hz, yz * hy * hz
        third = 4.0 / 3.0
        txy, txz, tyz, t = modes[3, k], modes[4, k], modes[5, k], modes[6, k]
        fxy = third * ((ax + ay) * txy + byz * txz + bxz * tyz)
        fxz = third * (byz * txy + (ax + az) * txz + bxy * tyz)
        fyz = third * (bxz * txy + bxy * txz + (ay + az) * tyz)
        f = third / 3 * (ax + ay + az) * t
        energy += gx * jx + gy * jy + gz * jz + fxy * txy + fxz * txz + fyz * tyz + f * t
        flux_x += jx
        flux_y += jy
        flux_z += jz
        sx, sy, sz = hx * jx, hy * jy, hz * jz
        scale += sx * sx + sy * sy + sz * sz
        modes[0, k], modes[1, k], modes[2, k] = 0.25 * sx, 0.25 * sy, 0.25 * sz
        modes[3, k], modes[4, k], modes[5, k] = 0.125 * fxy, 0.125 * fxz, 0.125 * fyz
        modes[6, k] = 0.125 * f
    sums[ENERGY] += energy
    sums[FLUX] += flux_x
    sums[FLUX + 1] += flux_y
    sums[FLUX + 2] += flux_z
    sums[SCALE] += 4 * scale


@kernel(fastmath=FAST, error_model="numpy")
def _scatter(modes, four, c, i, ip, j, jp, r):
    """Take the forces of a row of voxels off the residual at its vertices."""
    n = modes.shape[1]
    four[:] = 0.0
    for k in range(n):
        four[0, k] -= modes[2, k]
        four[1, k] += modes[0, k] - modes[4, k]
        four[2, k] += modes[1, k] - modes[5, k]
        four[3, k] += modes[3, k] - modes[6, k]
    for k in range(n):
        four[0, k + 1] += modes[2, k]
        four[1, k + 1] += modes[0, k] + modes[4, k]
        four[2, k + 1] += modes[1, k] + modes[5, k]
        four[3, k + 1] += modes[3, k] + modes[6, k]
    for k in range(n + 1):
        s, x, y, xy = four[0, k], four[1, k], four[2, k], four[3, k]
        r[c, i, j, k + 1] -= (s - x) - (y - xy)
        r[c, i, jp, k + 1] -= (s - x) + (y - xy)
        r[c, ip, j, k + 1] -= (s + x) - (y + xy)
        r[c, ip, jp, k + 1] -= (s + x) + (y + xy)


@kernel(error_model="numpy")
def _examine_layer(voxels, cells, inverse, drives, u, r, layer, sums, planes):
    """Add the forces of a layer of voxels to the residual, and its energy and fluxes."""
    columns, nx, ny, _ = u.shape
    n = cells[2]
    rows, modes, four = np.empty((6, n)), np.empty((7, n)), np.empty((4, n + 1))
    ip = layer + 1 if layer + 1 < nx else 0
    for j in range(cells[1]):
        jp = j + 1 if j + 1 < ny else 0
        _pack(voxels, layer, j, rows)
        for c in range(columns):
            before_x, before_y = sums[c, FLUX], sums[c, FLUX + 1]
            _expand(u, c, layer, ip, j, jp, four, modes)
            _forces(rows, inverse, drives[c], modes, sums[c])
            if drives[c, 0] != 0:
                planes[c, layer] += sums[c, FLUX] - before_x
            elif drives[c, 1] != 0:
                planes[c, j] += sums[c, FLUX + 1] - before_y
            else:
                for k in range(n):
                    planes[c, k] += modes[2, k] * 4 / inverse[2]
            _scatter(modes, four, c, layer, ip, j, jp, r)


@kernel(error_model="numpy")
def _prepare_plane(u, r, i):
    """Repeat the ends of the rows of u, and empty r."""
    last = u.shape[3] - 2
    for c in range(u.shape[0]):
        for j in range(u.shape[2]):
            u[c, i, j, 0], u[c, i, j, last + 1] = u[c, i, j, last], u[c, i, j, 1]
            r[c, i, j] = 0.0


@kernel(fastmath=FAST, error_model="numpy")
def _finish_plane(links, closed, r, i, squares):
    """Close the rows of r, empty it where nothing is solved for, and square it."""
    last = r.shape[3] - 2
    for c in range(r.shape[0]):
        total = 0.0
        for j in range(r.shape[2]):
            if closed:
                r[c, i, j, 1] += r[c, i, j, last + 1]
            for k in range(1, last + 1):
                value = r[c, i, j, k] if links[i, j, DIAGONAL, k] > 0 else 0.0
                r[c, i, j, k] = value
                total += value * value
        squares[c, RESIDUAL] += total


@kernel(parallel=True, error_model="numpy")
def examine(voxels, cells, inverse, drives, links, u, r, sums, planes, threads):
    """Form the true residual of u, its energy and its fluxes, in double precision.

    ``drives`` (columns, 3) are mean gradients along one axis each; ``inverse`` is
    1/spacing. Added to are ``sums``, one row a layer of vertices, and ``planes``, the fluxes
    along the drives, one row a layer of voxels; a voxel has the volume one.
    """
    n = u.shape[1]
    closed = u.shape[3] - 2 == cells[2]
    if threads == 1:
        for i in range(n):
            _prepare_plane(u, r, i)
        for layer in range(cells[0]):
            _examine_layer(voxels, cells, inverse, drives, u, r, layer, sums[layer], planes[layer])
        for i in range(n):
            _finish_plane(links, closed, r, i, sums[i])
    else:
        for i in prange(n):
            _prepare_plane(u, r, i)
        even = cells[0] - cells[0] % 2  # an odd last layer touches the first
        for colour in range(2):
            for half in prange(even // 2):
                layer = 2 * half + colour
                _examine_layer(
                    voxels, cells, inverse, drives, u, r, layer, sums[layer], planes[layer]
                )
        for layer in range(even, cells[0]):
            _examine_layer(voxels, cells, inverse, drives, u, r, layer, sums[layer], planes[layer])
        for i in prange(n):
            _finish_plane(links, closed, r, i, sums[i])


@kernel(error_model="numpy")
def first_unfit(tensors, tolerance):
    """Find the first tensor that is not symmetric positive semi-definite; −1 if none.

    Elimination keeps positive pivots as long as no eigenvalue is below −tolerance
    times the largest entry.
    """
    d = tensors.shape[1]
    left = np.empty((d, d))
    for t in range(tensors.shape[0]):
        scale = 0.0
        for a in range(d):
            for b in range(d):
                scale = max(scale, abs(tensors[t, a, b]))
        for a in range(d):
            for b in range(d):
                if abs(tensors[t, a, b] - tensors[t, b, a]) > tolerance * scale:
                    return t
                left[a, b] = tensors[t, a, b] / scale if scale > 0 else 0.0
            left[a, a] += tolerance
        for a in range(d):
            if not left[a, a] > 0:
                return t
            for b in range(a + 1, d):
                for c in range(a + 1, d):
                    left[b, c] -= left[b, a] * left[a, c] / left[a, a]
    return -1
