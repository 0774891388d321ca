"""Label images: grains without a tessellation, from tomography, simulation or a file."""

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
from multiscale.microstructure.boundaries import (
    add_misorientation,
    area_by_type,
    build_grain_graph,
)
from multiscale.microstructure.junction_tables import image_junctions
from multiscale.microstructure.phases import volume_fractions
from multiscale.microstructure.power_diagram import Floats, Ints
from multiscale.microstructure.voxel_facets import (
    ImageFacets,
    measure_facets,
    triple_line_length,
)


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

    @property
    def volume_fractions(self) -> dict[str, float]:
        """Volume fraction of each phase."""
        return volume_fractions(self.phases, self.volumes, self.phase_names)

    @property
    def area_density(self) -> dict[str, float]:
        """Boundary area of each type per volume [1/m]; in 2D length per area."""
        box = float(np.prod(self.size))
        areas = area_by_type(self.facets(), self.phases, self.phase_names)
        return {name: area / box for name, area in areas.items()}

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

    def grain_graph(
        self,
        orientations: ArrayLike | None = None,
        symmetry: str | Mapping[str, str] = "cubic",
    ) -> nx.Graph[int]:
        """Build the graph of grains and boundaries.

        Parameters
        ----------
        orientations : (n, 4) array_like, optional
            Unit quaternion of each grain.
        symmetry : str or mapping of str to str, optional
            ``"cubic"``, ``"hexagonal"`` or ``"trigonal"``, of all phases or by phase.

        Returns
        -------
        networkx.Graph
            Nodes: ``phase`` (name), ``volume`` [m³]. Edges: ``type``, ``area`` [m²],
            ``normal`` and ``facets``; tables of facets and junctions, as for
            :meth:`Polycrystal.grain_graph`. With orientations, also ``orientation`` of nodes
            and ``misorientation`` [degrees] of edges.

        Raises
        ------
        ImageError
            If the orientations do not fit the grains.
        RecipeError
            If a phase has no symmetry.
        """
        nodes = {"volume": self.volumes}
        turned = None if orientations is None else check_orientations(orientations, self.grains)
        if turned is not None:
            nodes["orientation"] = turned
        facets = self.facets()
        graph = build_grain_graph(facets, self.phases, self.phase_names, **nodes)
        if turned is not None:
            add_misorientation(graph, turned, symmetry, self.dimension)
        lines, points = image_junctions(
            self.labels, self.spacing, self.phases, self.phase_names, periodic=self.periodic
        )
        graph.graph.update(facets=facets, triple_lines=lines, junction_points=points)
        return graph

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


def check_orientations(orientations: ArrayLike, grains: int) -> Floats:
    """Check the orientations of the grains of an image.

    Parameters
    ----------
    orientations : (n, 4) array_like
        Quaternions.
    grains : int
        Number of grains n.

    Returns
    -------
    (n, 4) array
        The same.

    Raises
    ------
    ImageError
        If they are not n unit quaternions.
    """
    wanted = f"({grains}, 4) unit quaternions"
    try:
        found = np.asarray(orientations, dtype=float)
    except (TypeError, ValueError):
        raise ImageError(describe("orientations", wanted, orientations)) from None
    if found.shape != (grains, 4):
        raise ImageError(describe("orientations", wanted, f"shape {found.shape}"))
    length = np.linalg.norm(found, axis=1)
    if not np.all(np.abs(length - 1) < 1e-6):
        raise ImageError(describe("orientations", wanted, f"a length of {length.max():g}"))
    return found


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
