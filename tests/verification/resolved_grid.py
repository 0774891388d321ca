"""Voxels that resolve the films, at several resolutions, extrapolated to none.

No averaging, no normals, no excess: a voxel is film or grain by its centre. The staircase
of the film's faces makes the first order of the error.
"""

from dataclasses import dataclass

import numba
import numpy as np
from resolved_mesh import GRAIN, cell_planes

import multiscale as ms


@dataclass(frozen=True)
class Extrapolation:
    """Effective tensor at several resolutions and their limit.

    ``tensor`` is the value at zero spacing of a line through ``tensors`` against the spacing
    relative to the coarsest, fitted with the finer grids weighing more; ``error`` the largest
    of the standard error of that fit, its change when the coarsest grid is left out, and a
    tenth of the step from the finest grid to the limit.
    """

    tensor: np.ndarray
    error: np.ndarray
    cells: tuple
    tensors: tuple


@numba.njit(cache=False)
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


def solve_grid(crystal, grains, films, width, cells, rtol):
    """Effective tensor with voxels; ``grains``, ``films`` numbers, or tensors of each."""
    labels, facet = film_voxels(crystal, width, cells)
    field = grains[labels]
    inside = facet != GRAIN
    field[inside] = films[facet[inside]]
    spacing = crystal.size / np.asarray(cells)
    return ms.effective_diffusivity(field, spacing=spacing, rtol=rtol).tensor


def extrapolate(cells, tensors):
    """Fit a line against the spacing."""
    h = np.array([1 / min(n) for n in cells])
    values = np.array([t.ravel() for t in tensors])
    limit, deviation = _line(h, values)
    error = np.maximum(deviation, 0.1 * np.abs(values[h.argmin()] - limit))
    if len(h) > 3:
        part = h < h.max()
        error = np.maximum(error, np.abs(_line(h[part], values[part])[0] - limit))
    shape = tensors[0].shape
    return Extrapolation(limit.reshape(shape), error.reshape(shape), tuple(cells), tuple(tensors))


def _line(h, values):
    """Value at zero of a line through values of weight 1/h, and its standard error."""
    x = np.column_stack([np.ones_like(h), h / h.max()])
    w = h.min() / h
    fit = np.linalg.lstsq(x * w[:, None], values * w[:, None], rcond=None)[0]
    rest = (values - x @ fit) * w[:, None]
    variance = (rest**2).sum(axis=0) / (len(h) - 2)
    spread = np.linalg.inv(x.T @ (x * (w**2)[:, None]))[0, 0]
    return fit[0], np.sqrt(variance * spread)
