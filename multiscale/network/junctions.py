"""Where facets meet: triple lines (3D) and triple points (2D), with periodic images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiscale.errors import ComputationError
from multiscale.microstructure import Polycrystal
from multiscale.microstructure.power_cells import (
    Cells,
    following_corner,
    lexicographically_negative,
    mean_cell_edge,
    unique_rows,
)
from multiscale.microstructure.tessellation import LEAST_AREA
from multiscale.network.grains import Floats, Integers


@dataclass(frozen=True, slots=True)
class Junctions:
    """Edges of facets and the junctions that they are part of.

    Attributes
    ----------
    count : int
        Number of junctions.
    facet, junction : ndarray of int64, shape (k,)
        Each edge of each facet, facet by facet, and the junction it lies on.
    image : ndarray of int64, shape (k, d)
        Box offset of the junction seen from the facet beside its first grain.
    outward : ndarray, shape (k, d)
        Normal of the edge in the facet's plane, pointing out of the facet, times the length
        of the edge in m (2D: times 1).
    arm : ndarray, shape (k, d)
        From the point where the line of the two seeds meets the facet's plane to the middle
        of the edge, in m.
    on_wall : ndarray of bool, shape (count, d, 2)
        Whether the junction lies on the low and high box faces; never in a periodic box.
    """

    count: int
    facet: Integers
    junction: Integers
    image: Integers
    outward: Floats
    arm: Floats
    on_wall: NDArray[np.bool_]


def facet_junctions(crystal: Polycrystal, facets: int) -> Junctions:
    """Find the junctions of the facets of a polycrystal.

    Parameters
    ----------
    crystal : Polycrystal
        Seeds, weights and box.
    facets : int
        Facets of its tessellation, which the ones found here must match.

    Returns
    -------
    Junctions
        With facets numbered as in ``crystal.tessellation.facets``.

    Raises
    ------
    ComputationError
        If the facets found are not those of the tessellation.
    """
    seeds, size = np.asarray(crystal.seeds, dtype=float), np.asarray(crystal.size, dtype=float)
    unit = mean_cell_edge(size, len(seeds))
    cells, table = crystal.diagram, crystal.diagram.table
    kept = table.area > LEAST_AREA
    if not crystal.periodic:
        kept &= ~table.image.any(axis=1)
    if int(kept.sum()) != facets:
        raise ComputationError(
            f"junctions: found {int(kept.sum())} facets where the tessellation has {facets}"
        )
    edges = _points(cells, size / unit) if len(size) == 2 else _lines(cells, size / unit)
    facet, junction, image, outward, middle = edges
    foot = seeds / unit
    foot = foot[table.first] + table.distance_first[:, None] * table.normal
    inner = kept[facet]
    names, junction = np.unique(junction[inner], return_inverse=True)
    on_wall = np.zeros((len(names), len(size), 2), dtype=np.bool_)
    if not crystal.periodic:
        low, high = np.abs(middle[inner]) < 1e-7, np.abs(middle[inner] - size / unit) < 1e-7
        on_wall[junction] = np.stack([low, high], axis=-1)
    return Junctions(
        count=len(names),
        facet=(np.cumsum(kept) - 1)[facet[inner]],
        junction=junction.astype(np.int64),
        image=image[inner],
        outward=outward[inner] * unit ** (len(size) - 2),
        arm=(middle - foot[facet])[inner] * unit,
        on_wall=on_wall,
    )


Edges = tuple[Integers, Integers, Integers, Floats, Floats]


def _points(cells: Cells, size: Floats) -> Edges:
    corners, table = cells.corners, cells.table
    point = cells.vertices.position[corners.vertex] + corners.shift * size
    reach = point - table.centroid[corners.facet]
    length = np.linalg.norm(reach, axis=1, keepdims=True)
    outward = reach / np.where(length > 0, length, 1.0)
    return corners.facet, corners.vertex, corners.shift, outward, point


def _lines(cells: Cells, size: Floats) -> Edges:
    corners, table = cells.corners, cells.table
    following = following_corner(corners.facet)
    point = cells.vertices.position[corners.vertex] + corners.shift * size
    start, end = corners.vertex, corners.vertex[following]
    offset = corners.shift[following] - corners.shift
    # an edge is known by its ends, the lesser first, and by the offset between them
    turned = (start > end) | ((start == end) & lexicographically_negative(offset))
    frame = np.where(turned[:, None], corners.shift[following], corners.shift)
    key = np.column_stack(
        [
            np.where(turned, end, start),
            np.where(turned, start, end),
            np.where(turned[:, None], -offset, offset),
        ]
    )
    junction = unique_rows(key)[1]
    edge = point[following] - point
    outward = np.cross(edge, table.normal[corners.facet])
    middle = (point + point[following]) / 2
    real = (start != end) | offset.any(axis=1)
    return corners.facet[real], junction[real], frame[real], outward[real], middle[real]
