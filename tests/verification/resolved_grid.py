"""Voxels that resolve the films, at several resolutions, extrapolated to none.

Plain: a voxel is film or grain by its centre; no averaging, no normals, no excess. The
staircase of the film's faces makes a first order of the error that is small for films that
resist and large for films that conduct.

Layered: voxels that the face of a film cuts are made of smaller parts, taken as layers normal
to the film, and tensor elements are used. Small errors for films that conduct, useless ones
for films that resist: 0.3 % and 3 % of films 10 and 1000 times the bulk at three to four
voxels a film in 2D, where plain voxels miss 5 % and 20 %; a hundred times too much for films
of a thousandth, where plain voxels miss 3 %.
"""

from dataclasses import dataclass

import numba
import numpy as np
from resolved_mesh import GRAIN, cell_planes
from scipy import stats

import multiscale as ms


@dataclass(frozen=True)
class Extrapolation:
    """Effective tensor at several resolutions and their limit.

    ``tensor`` is the value at zero spacing of a line through ``tensors`` against the spacing
    relative to the coarsest, fitted with the finer grids weighing more; ``error`` its 95 %
    interval by Student, or a tenth of the step from the finest grid to the limit if that is
    more; of all components the worst, relative to √(D_aa D_bb), since the misfits of few
    grids are no independent draws.
    """

    tensor: np.ndarray
    error: np.ndarray
    cells: tuple
    tensors: tuple


@numba.njit(cache=True)
def _nearest_facet(labels, images, spacing, size, start, normal, bound, facet, half, found):
    """Number of the facet in whose film each voxel lies; −1 in grains."""
    nx, ny, nz = labels.shape
    x = np.empty(3)
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                g = labels[i, j, k]
                x[0] = (i + 0.5) * spacing[0] - images[i, j, k, 0] * size[0]
                x[1] = (j + 0.5) * spacing[1] - images[i, j, k, 1] * size[1]
                x[2] = (k + 0.5) * spacing[2] - images[i, j, k, 2] * size[2]
                least, best = half, GRAIN
                for p in range(start[g], start[g + 1]):
                    away = bound[p]
                    for a in range(3):
                        away -= normal[p, a] * x[a]
                    if away < least:
                        least, best = away, facet[p]
                found[i, j, k] = best


def film_voxels(crystal, width, cells):
    """Grain of each voxel and the facet in whose film its centre lies, −1 if in none."""
    labels, images = crystal.labels_and_images(cells)
    d = crystal.dimension
    planes = cell_planes(crystal)
    start = np.concatenate([[0], np.cumsum([len(p) for p in planes])])
    rows = [row for cell in planes for row in cell]
    normal = np.zeros((len(rows), 3))
    normal[:, :d] = [row[1] for row in rows]
    facet, bound = np.array([r[0] for r in rows]), np.array([r[2] for r in rows])
    size, shift = np.ones(3), np.zeros((*labels.shape, 3), np.int8)
    size[:d], shift[..., :d] = crystal.size, images
    spacing = np.append(crystal.size / np.asarray(cells), [0.0])[:3]
    if d == 2:
        labels, shift = labels[:, :, None], shift[:, :, None]
    found = np.empty(labels.shape, np.int32)
    half = width / 2 if width > 0 else -np.inf
    _nearest_facet(labels, shift, spacing, size, start, normal, bound, facet, half, found)
    return labels.reshape(cells), found.reshape(cells)


@numba.njit(cache=True)
def _most_frequent(block, seen, count):
    """The film that most parts of a voxel belong to; −1 if all are grain."""
    different = 0
    for f in block.flat:
        if f == GRAIN:
            continue
        place = 0
        while place < different and seen[place] != f:
            place += 1
        if place == different:
            seen[place], count[place] = f, 0
            different += 1
        count[place] += 1
    return seen[count[:different].argmax()] if different else GRAIN


@numba.njit(cache=True)
def _laminate(labels, facet, grains, films, n, out):
    """Tensor of the parts as layers normal to n.

    Across layers 1/K_nn, K n/K_nn and K − K n (K n)ᵀ/K_nn are averaged.
    """
    d = len(n)
    kn, v = np.empty(d), np.zeros(d)
    a = 0.0
    out[:] = 0.0
    for at in np.ndindex(labels.shape):
        tensor = grains[labels[at]] if facet[at] == GRAIN else films[facet[at]]
        knn = 0.0
        for p in range(d):
            kn[p] = 0.0
            for q in range(d):
                kn[p] += tensor[p, q] * n[q]
            knn += n[p] * kn[p]
        a += 1 / knn
        for p in range(d):
            v[p] += kn[p] / knn
            for q in range(d):
                out[p, q] += tensor[p, q] - kn[p] * kn[q] / knn
    for p in range(d):
        for q in range(d):
            out[p, q] = (out[p, q] + v[p] * v[q] / a) / labels.size


@numba.njit(cache=True)
def _laminates(labels, facet, grains, films, normal, parts, out):
    """Tensor of each voxel, its parts as layers normal to the film that it holds most of."""
    nx, ny, nz = out.shape[:3]
    pz = parts if out.shape[3] == 3 else 1
    seen, count = np.empty(parts**3, np.int64), np.empty(parts**3, np.int64)
    for i in range(nx):
        x = slice(i * parts, (i + 1) * parts)
        for j in range(ny):
            y = slice(j * parts, (j + 1) * parts)
            for k in range(nz):
                z = slice(k * pz, (k + 1) * pz)
                film = _most_frequent(facet[x, y, z], seen, count)
                if film == GRAIN:
                    out[i, j, k] = grains[labels[x, y, z][0, 0, 0]]
                else:
                    n = normal[film]
                    _laminate(labels[x, y, z], facet[x, y, z], grains, films, n, out[i, j, k])


def layered_field(crystal, grains, films, width, cells, parts):
    """Tensors of voxels, those cut by the faces of films as laminates of their parts."""
    d = crystal.dimension
    labels, facet = film_voxels(crystal, width, [n * parts for n in cells])
    if d == 2:
        labels, facet = labels[:, :, None], facet[:, :, None]
    out = np.empty((*cells, *(1,) * (3 - d), d, d))
    normal = crystal.tessellation.facets.normal
    _laminates(labels, facet, grains, films, normal, parts, out)
    return out.reshape(*cells, d, d)


def solve_grid(crystal, grains, films, width, cells, rtol, parts=None):
    """Effective tensor with voxels; ``grains``, ``films`` numbers, or tensors of each."""
    spacing = crystal.size / np.asarray(cells)
    if parts is None:
        labels, facet = film_voxels(crystal, width, cells)
        field = grains[labels]
        inside = facet != GRAIN
        field[inside] = films[facet[inside]]
    else:
        field = layered_field(crystal, grains, films, width, cells, parts)
    return ms.effective_diffusivity(field, spacing=spacing, rtol=rtol).tensor


def extrapolate(cells, tensors):
    """Fit a line against the spacing."""
    h = np.array([1 / min(n) for n in cells])
    values = np.array([t.ravel() for t in tensors])
    limit, deviation = _line(h, values)
    interval = stats.t.ppf(0.975, len(h) - 2) * deviation
    error = np.maximum(interval, 0.1 * np.abs(values[h.argmin()] - limit))
    shape = tensors[0].shape
    limit, error = limit.reshape(shape), error.reshape(shape)
    unit = np.sqrt(np.outer(np.diag(limit), np.diag(limit)))
    return Extrapolation(limit, (error / unit).max() * unit, tuple(cells), tuple(tensors))


def _line(h, values):
    """Value at zero of a line through values of weight 1/h, and its standard error."""
    x = np.column_stack([np.ones_like(h), h / h.max()])
    w = h.min() / h
    fit = np.linalg.lstsq(x * w[:, None], values * w[:, None], rcond=None)[0]
    rest = (values - x @ fit) * w[:, None]
    variance = (rest**2).sum(axis=0) / (len(h) - 2)
    spread = np.linalg.inv(x.T @ (x * (w**2)[:, None]))[0, 0]
    return fit[0], np.sqrt(variance * spread)
