"""Boundary patches and triple lines of a voxel image.

Facets are measured by vector area: the sum of the signed voxel faces of one
connected patch between two grains. For a flat patch it is exact up to the
patch's rim and gives the normal, whereas counted faces overestimate area by |n|₁
(on average 3/2 in 3D, 4/π in 2D). A patch so curved that its vector area loses a
fifth and more (an inclusion's closes to zero) takes its counted area times 2/3
(3D) or π/4 (2D). The rim costs what is left: patches above the median area, of grains
17 voxels wide, measure 0.991 ± 0.028 of their area (9 voxels: 0.984 ± 0.058), all
together 0.994 of the whole, where counted faces give 1.47 ± 0.14. Triple lines take
counted unit edges times 2/3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from multiscale.microstructure.power_diagram import Floats, Ints

FLATNESS = 0.8  # |vector area|₁ / counted area below which a patch counts as curved
COUNTED_TO_TRUE = {2: np.pi / 4, 3: 2 / 3}  # mean over orientations


@dataclass(frozen=True, slots=True, eq=False)
class ImageFacets:
    """Boundary patches of a label image.

    Parameters
    ----------
    first, second : (m,) array of int
        Grains on either side, ``first < second``.
    area : (m,) array
        Area [m²], in 2D length [m].
    normal : (m, d) array
        Unit normal from first to second; of an inclusion, whose normals cancel, +x.
    faces : (m,) array of int
        Voxel faces in each patch.
    """

    first: Ints
    second: Ints
    area: Floats
    normal: Floats
    faces: Ints

    def __len__(self) -> int:
        """Count the patches."""
        return len(self.first)


def neighbours(array: NDArray[np.int32], axis: int, periodic: bool) -> NDArray[np.int32]:
    """Value of the next voxel along an axis.

    Parameters
    ----------
    array : (cells) array
        Values.
    axis : int
        Axis.
    periodic : bool
        Whether the last voxel is followed by the first; otherwise by itself.

    Returns
    -------
    (cells) array
        Next values.
    """
    following = np.roll(array, -1, axis)
    if not periodic:
        last = [slice(None)] * array.ndim
        last[axis] = slice(-1, None)
        following[tuple(last)] = array[tuple(last)]
    return following


def measure_facets(labels: NDArray[np.int32], spacing: Floats, *, periodic: bool) -> ImageFacets:
    """Measure the boundary patches of a label image by vector area.

    Parameters
    ----------
    labels : (cells) array of int32
        Grain numbers.
    spacing : (d,) array
        Voxel edges [m].
    periodic : bool
        Whether the image repeats.

    Returns
    -------
    ImageFacets
        One row for each connected patch between two grains.
    """
    dimension = labels.ndim
    place, axis, low, high, sign = _faces(labels, periodic)
    count = int(labels.max()) + 1
    pair_code, pair = np.unique(low * count + high, return_inverse=True)
    patch = _patches(place, axis, pair, labels.shape, periodic)
    number = int(patch.max(initial=-1)) + 1
    face_area = (np.prod(spacing) / spacing)[axis]
    counted = np.bincount(patch, face_area, minlength=number)
    vector = np.zeros((number, dimension))
    for a in range(dimension):
        along = axis == a
        signed = (sign * face_area)[along]
        vector[:, a] = np.bincount(patch[along], signed, minlength=number)
    length = np.linalg.norm(vector, axis=1)
    flat = np.abs(vector).sum(axis=1) >= FLATNESS * counted
    area = np.where(flat, length, counted * COUNTED_TO_TRUE[dimension])
    directed = length > 1e-9 * counted
    normal = np.where(directed[:, None], vector, np.eye(dimension)[0])
    normal /= np.where(directed, length, 1.0)[:, None]
    owner = np.zeros(number, dtype=np.int64)
    owner[patch] = pair_code[pair]
    faces = np.bincount(patch, minlength=number).astype(np.int64)
    return ImageFacets(owner // count, owner % count, area, normal, faces)


def _faces(labels: NDArray[np.int32], periodic: bool) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """List the voxel faces between grains: voxel, axis, the two grains, sign of low → high."""
    parts = []
    for axis in range(labels.ndim):
        following = neighbours(labels, axis, periodic).ravel()
        place = np.flatnonzero(labels.ravel() != following)
        here, there = labels.ravel()[place].astype(np.int64), following[place].astype(np.int64)
        sign = np.where(here < there, 1, -1)
        parts.append(
            (
                place,
                np.full(len(place), axis),
                np.minimum(here, there),
                np.maximum(here, there),
                sign,
            )
        )
    place, axes, low, high, sign = (np.concatenate(column) for column in zip(*parts, strict=True))
    return place, axes, low, high, sign


def _patches(place: Ints, axis: Ints, pair: Ints, cells: tuple[int, ...], periodic: bool) -> Ints:
    """Number the connected patches; faces of one pair are joined where they share a ridge."""
    voxel = np.stack(np.unravel_index(place, cells), axis=1)
    corners = np.array(cells) + (0 if periodic else 1)
    corner = voxel + np.eye(len(cells), dtype=np.int64)[axis]
    keys, faces = [], []
    for turn in range(1, len(cells)):
        across = (axis + turn) % len(cells)
        # a ridge is told from others at its corner by the axis it runs along (3D)
        along = 0 if len(cells) == 2 else 3 - axis - across
        for side in (0, 1):
            ridge = corner + side * np.eye(len(cells), dtype=np.int64)[across]
            code = np.ravel_multi_index(tuple((ridge % corners).T), tuple(corners))
            keys.append((pair * int(np.prod(corners)) + code) * 3 + along)
            faces.append(np.arange(len(place)))
    key, face = np.concatenate(keys), np.concatenate(faces)
    order = np.argsort(key, kind="stable")
    same = np.flatnonzero(key[order][1:] == key[order][:-1])
    link = (face[order][same], face[order][same + 1])
    graph = coo_array((np.ones(len(same), dtype=bool), link), shape=(len(place),) * 2)
    return connected_components(graph, directed=False)[1].astype(np.int64)


def triple_line_length(labels: NDArray[np.int32], spacing: Floats, *, periodic: bool) -> float:
    """Measure triple lines as counted voxel edges times 2/3.

    Parameters
    ----------
    labels : (cells) array of int32
        Grain numbers.
    spacing : (d,) array
        Voxel edges [m].
    periodic : bool
        Whether the image repeats.

    Returns
    -------
    float
        Length of the edges at which three or more grains meet × 2/3 [m]; in 2D the number
        of corners at which three or more grains meet.
    """
    total = 0.0
    pairs = [(0, 1)] if labels.ndim == 2 else [(0, 1), (0, 2), (1, 2)]
    for a, b in pairs:
        right = neighbours(labels, a, periodic)
        four = [labels, right, neighbours(labels, b, periodic), neighbours(right, b, periodic)]
        ordered = np.sort(np.stack([part.ravel() for part in four]), axis=0)
        meeting = np.count_nonzero(np.count_nonzero(np.diff(ordered, axis=0), axis=0) >= 2)
        total += int(meeting) * (1.0 if labels.ndim == 2 else float(spacing[3 - a - b]) * 2 / 3)
    return total
