"""Label images: grains without a tessellation, from tomography, simulation or a file.

Facets are measured by vector area: the sum of the signed voxel faces of one
connected patch between two grains. For a flat patch it is exact up to the
patch's rim and gives the normal, whereas counted faces overestimate area by |n|₁
(on average 3/2 in 3D, 4/π in 2D). A patch so curved that its vector area loses a
fifth and more (an inclusion's closes to zero) takes its counted area times 2/3
(3D) or π/4 (2D). Triple lines take counted unit edges times 2/3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage import measure

from multiscale.errors import ImageError, describe
from multiscale.microstructure.boundaries import build_grain_graph
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


@dataclass(frozen=True, slots=True, eq=False)
class LabelImage:
    """Grains given as an image.

    Parameters
    ----------
    labels : (cells) array of int32
        Grain number of each voxel, 0 … n−1.
    values : (n,) array
        Label that each grain had before it was numbered.
    spacing : (d,) array
        Voxel edges [m].
    phases : (n,) array of int
        Phase of each grain, an index into ``phase_names``.
    phase_names : tuple of str
        Phase names.
    periodic : bool
        Whether the image repeats.
    """

    labels: NDArray[np.int32]
    values: Ints
    spacing: Floats
    phases: Ints
    phase_names: tuple[str, ...]
    periodic: bool

    @property
    def dimension(self) -> int:
        """Number of axes, 2 or 3."""
        return self.labels.ndim

    @property
    def grains(self) -> int:
        """Number of grains."""
        return len(self.values)

    @property
    def cells(self) -> tuple[int, ...]:
        """Voxels along each axis."""
        return self.labels.shape

    @property
    def size(self) -> Floats:
        """Box edges [m]."""
        return np.asarray(self.spacing * np.array(self.labels.shape))

    @property
    def volumes(self) -> Floats:
        """Grain volumes [m³], in 2D areas [m²]."""
        counts = np.bincount(self.labels.ravel(), minlength=self.grains)
        return np.asarray(counts * np.prod(self.spacing))

    def phase_image(self) -> NDArray[np.int8]:
        """Find the phase of each voxel.

        Returns
        -------
        (cells) array of int8
            Indices into ``phase_names``.
        """
        image: NDArray[np.int8] = self.phases.astype(np.int8)[self.labels]
        return image

    def facets(self) -> ImageFacets:
        """Measure the boundary patches.

        Returns
        -------
        ImageFacets
            One row for each connected patch between two grains.
        """
        return measure_facets(self.labels, self.spacing, periodic=self.periodic)

    def grain_graph(self) -> nx.Graph[int]:
        """Build the graph of grains and boundaries.

        Returns
        -------
        networkx.Graph
            Nodes: ``phase`` (name), ``volume`` [m³]. Edges: ``type``, ``area`` [m²],
            ``normal`` and ``facets``, as for :meth:`Polycrystal.grain_graph`.
        """
        return build_grain_graph(self.facets(), self.phases, self.phase_names, volume=self.volumes)

    def triple_line_length(self) -> float:
        """Measure the triple lines.

        Returns
        -------
        float
            Their length [m]; in 2D the number of triple points.
        """
        return triple_line_length(self.labels, self.spacing, periodic=self.periodic)


def check_labels(labels: ArrayLike) -> NDArray[np.integer]:
    """Check that an array can be a label image.

    Parameters
    ----------
    labels : (cells) array_like
        Labels: whole numbers, which may be stored as floating point.

    Returns
    -------
    (cells) array of int
        The same labels.

    Raises
    ------
    ImageError
        If the array is not two- or three-dimensional, is empty, or holds other values.
    """
    array = np.asarray(labels)
    if array.ndim not in (2, 3):
        raise ImageError(describe("labels", "a 2D or 3D array", f"shape {array.shape}"))
    if array.size == 0:
        raise ImageError(describe("labels", "at least one voxel", f"shape {array.shape}"))
    if np.issubdtype(array.dtype, np.integer) or array.dtype == bool:
        return array.astype(np.int64)
    if not np.issubdtype(array.dtype, np.floating):
        raise ImageError(describe("labels", "whole numbers", f"dtype {array.dtype}"))
    if not np.all(np.isfinite(array)):
        count = int(np.count_nonzero(~np.isfinite(array)))
        raise ImageError(describe("labels", "finite whole numbers", f"{count} NaN or infinite"))
    if np.any(array != np.rint(array)) or np.abs(array).max() > 2**53:
        raise ImageError(describe("labels", "whole numbers", f"fractions in {array.dtype}"))
    return array.astype(np.int64)


def check_spacing(spacing: ArrayLike, dimension: int) -> Floats:
    """Check voxel edges.

    Parameters
    ----------
    spacing : float or (d,) array_like
        Voxel edges [m]; one number stands for all axes.
    dimension : int
        Number of axes.

    Returns
    -------
    (d,) array
        Voxel edges [m].

    Raises
    ------
    ImageError
        If they are not positive lengths.
    """
    wanted = f"one or {dimension} positive lengths in m"
    try:
        edges = np.broadcast_to(np.asarray(spacing, dtype=float), (dimension,)).copy()
    except (TypeError, ValueError):
        raise ImageError(describe("spacing", wanted, spacing)) from None
    if not np.all(np.isfinite(edges) & (edges > 0)):
        raise ImageError(describe("spacing", wanted, spacing))
    return edges


def label_image(
    labels: ArrayLike,
    spacing: ArrayLike,
    *,
    phases: Mapping[int, str] | Sequence[str] | None = None,
    periodic: bool = False,
) -> LabelImage:
    """Make a label image from any labels.

    Parameters
    ----------
    labels : (cells) array_like
        One label for each grain; any whole numbers.
    spacing : float or (d,) array_like
        Voxel edges [m].
    phases : mapping of int to str, or sequence of str, optional
        Phase name of each label; a sequence names the labels in ascending order. One
        phase, ``"phase"``, unless given.
    periodic : bool, optional
        Whether the image repeats.

    Returns
    -------
    LabelImage
        Grains numbered 0 … n−1 in the order of their labels.

    Raises
    ------
    ImageError
        If the labels or the spacing cannot be used, or a label has no phase.
    """
    array = check_labels(labels)
    values, compact = np.unique(array, return_inverse=True)
    if phases is None:
        named = ["phase"] * len(values)
    elif isinstance(phases, Mapping):
        missing = [int(value) for value in values if int(value) not in phases]
        if missing:
            raise ImageError(describe("phases", "a phase for every label", f"none for {missing}"))
        named = [phases[int(value)] for value in values]
    else:
        named = list(phases)
        if len(named) != len(values):
            raise ImageError(describe("phases", f"{len(values)} names", f"{len(named)}"))
    names = tuple(dict.fromkeys(named))
    numbers = np.array([names.index(name) for name in named], dtype=np.int64)
    return LabelImage(
        compact.reshape(array.shape).astype(np.int32),
        values.astype(np.int64),
        check_spacing(spacing, array.ndim),
        numbers,
        names,
        bool(periodic),
    )


def split_phases(
    phase_image: ArrayLike,
    spacing: ArrayLike,
    *,
    phase_names: Mapping[int, str] | None = None,
    periodic: bool = False,
) -> LabelImage:
    """Make each connected piece of a phase a grain.

    Parameters
    ----------
    phase_image : (cells) array_like
        Phase labels: any number of different whole numbers.
    spacing : float or (d,) array_like
        Voxel edges [m].
    phase_names : mapping of int to str, optional
        Name of each phase label; the number itself unless given.
    periodic : bool, optional
        Whether the image repeats; then pieces join through its faces.

    Returns
    -------
    LabelImage
        Pieces connected through voxel faces; ``values`` holds the phase label of each.

    Raises
    ------
    ImageError
        If the image or the spacing cannot be used, or a label has no name.
    """
    array = check_labels(phase_image)
    levels, compact = np.unique(array, return_inverse=True)
    if phase_names is not None:
        missing = [int(level) for level in levels if int(level) not in phase_names]
        if missing:
            raise ImageError(
                describe("phase_names", "a name for every label", f"none for {missing}")
            )
    compact = compact.reshape(array.shape)
    found = measure.label(compact, background=-1, connectivity=1)  # type: ignore[no-untyped-call]
    pieces = found.astype(np.int64) - 1
    if periodic:
        pieces = _joined_through_faces(pieces, compact)
    _, place, pieces = np.unique(pieces, return_index=True, return_inverse=True)
    phase = compact.ravel()[place].astype(np.int64)
    names = tuple(
        str(level) if phase_names is None else phase_names[int(level)] for level in levels
    )
    return LabelImage(
        pieces.reshape(array.shape).astype(np.int32),
        levels[phase].astype(np.int64),
        check_spacing(spacing, array.ndim),
        phase,
        names,
        bool(periodic),
    )


def _joined_through_faces(pieces: Ints, compact: NDArray[np.intp]) -> Ints:
    """Unite pieces of one phase that touch through the faces of a periodic image."""
    pairs = []
    for axis in range(pieces.ndim):
        low, high = np.take(pieces, 0, axis), np.take(pieces, -1, axis)
        same = np.take(compact, 0, axis) == np.take(compact, -1, axis)
        pairs.append(np.stack([low[same], high[same]], axis=1))
    link = np.concatenate(pairs)
    count = int(pieces.max()) + 1
    graph = coo_array((np.ones(len(link)), (link[:, 0], link[:, 1])), shape=(count, count))
    joined = connected_components(graph, directed=False)[1].astype(np.int64)
    return np.asarray(joined[pieces])


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
