"""Junctions of boundaries, and heterointerfaces.

A *heterointerface* is a junction at which at least three types of interface
meet. How often that can happen follows from how many grains meet:

- Three grains of two phases (a triple line, a triple point in 2D) see at most two
  types: in 2D with two phases there are none; with three phases all different, three.
- Four grains (a quadruple point in 3D) of two phases see three types when two and
  two are alike: A|A, A|B and B|B.

The exact count is over the junction points of the tessellation. Real specimens and
voxel images do not resolve two junctions that almost coincide, so a second count
takes a length: junction points closer than ``radius`` form a cluster (single
linkage), and a cluster that sees three types counts once. It depends on the radius,
which is therefore always stated with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from multiscale.errors import RecipeError, describe
from multiscale.microstructure.boundaries import type_matrix
from multiscale.microstructure.crystal import Polycrystal
from multiscale.microstructure.junction_tables import LEAST_TYPES, types_at
from multiscale.microstructure.labelled import LabelImage
from multiscale.microstructure.neighbourhoods import types_within
from multiscale.microstructure.power_diagram import Floats, Ints
from multiscale.microstructure.seeding import wrapped


@dataclass(frozen=True, slots=True, eq=False)
class Heterointerfaces:
    """Where at least three types of interface meet.

    Parameters
    ----------
    points : (k, d) array
        Junction points [m] that see three types or more themselves: the exact ones.
    line_length : float
        Length of triple lines [m] that see three types (3D, three phases or more).
    radius : float
        Distance [m] below which junction points form a cluster.
    clusters : int
        Clusters that see three types or more; with radius 0 the exact points.
    """

    points: Floats
    line_length: float
    radius: float
    clusters: int

    @property
    def exact(self) -> int:
        """Number of junction points that see three types or more."""
        return len(self.points)


def _check_radius(radius: float) -> float:
    """Check a neighbourhood radius."""
    if not np.isfinite(radius) or radius < 0:
        raise RecipeError(describe("radius", "a length in m, 0 or more", radius))
    return float(radius)


def find_heterointerfaces(crystal: Polycrystal, radius: float = 0.0) -> Heterointerfaces:
    """Find the junctions at which at least three types of interface meet.

    With two phases, triple points in 2D and triple lines in 3D never qualify by
    themselves; quadruple points (3D) of two and two alike grains do. See the module.

    Parameters
    ----------
    crystal : Polycrystal
        Grains.
    radius : float, optional
        Junction points closer than this [m] form a cluster.

    Returns
    -------
    Heterointerfaces
        Exact junctions and clusters.

    Raises
    ------
    RecipeError
        If the radius is negative or not finite.
    """
    radius = _check_radius(radius)
    points, lines = crystal.tessellation.points, crystal.tessellation.lines
    present = types_at(points.grains, crystal.phases, crystal.phase_names)
    exact = present.sum(axis=1) >= LEAST_TYPES
    cluster = _clusters(points.position, crystal.size, radius, crystal.periodic)
    seen = np.zeros((int(cluster.max(initial=-1)) + 1, present.shape[1]), dtype=bool)
    np.logical_or.at(seen, cluster, present)
    on_line = types_at(lines.grains, crystal.phases, crystal.phase_names).sum(axis=1)
    return Heterointerfaces(
        points.position[exact],
        float(lines.length[on_line >= LEAST_TYPES].sum()),
        radius,
        int(np.count_nonzero(seen.sum(axis=1) >= LEAST_TYPES)),
    )


def _clusters(position: Floats, size: Floats, radius: float, periodic: bool) -> Ints:
    """Number the clusters of points linked by distances up to a radius."""
    if radius == 0 or len(position) < 2:
        return np.arange(len(position))
    boxed = wrapped(position, size) if periodic else position
    tree = cKDTree(boxed, boxsize=size if periodic else None)
    link = tree.query_pairs(radius, output_type="ndarray")
    graph = coo_array((np.ones(len(link)), (link[:, 0], link[:, 1])), shape=(len(position),) * 2)
    return connected_components(graph, directed=False)[1].astype(np.int64)


def heterointerface_mask(
    crystal: Polycrystal | LabelImage, cells: Sequence[int] | None = None, *, radius: float
) -> NDArray[np.bool_]:
    """Mark the voxels near at least three types of interface.

    The share of the flux that passes here is the flux carried in heterointerface
    neighbourhoods.

    Parameters
    ----------
    crystal : Polycrystal or LabelImage
        Grains.
    cells : sequence of int, optional
        Voxels along each axis; needed for a polycrystal, left out for an image.
    radius : float
        Distance [m] within which an interface counts as near, measured from voxel
        centres to voxel faces that part grains, at most half a voxel too far. Take a voxel
        and a half or more: a voxel itself never touches three types of two phases.

    Returns
    -------
    (cells) array of bool
        Whether three types or more lie within the radius. A grain that meets itself
        through the periodic box shows no interface in a voxel image.

    Raises
    ------
    RecipeError
        If the radius or the grid cannot be used.
    """
    radius = _check_radius(radius)
    if isinstance(crystal, LabelImage):
        labels = crystal.labels
    elif cells is None:
        raise RecipeError(describe("cells", f"{crystal.dimension} voxel counts", "none"))
    else:
        labels = crystal.labels(cells)
    spacing = crystal.size / np.array(labels.shape)
    reach = radius - float(spacing.min()) / 2
    if reach < float(spacing.min()):
        reach = 0.0
    kinds = type_matrix(crystal.phase_names)
    periodic = crystal.periodic
    found = types_within(labels, kinds, crystal.phases, spacing, reach, periodic=periodic)
    return found >= LEAST_TYPES
