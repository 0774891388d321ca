"""Exact geometry of Voronoi and Laguerre (power) tessellations in a box.

Cells, the facets between them, the lines at which three cells meet and the
points at which d + 1 meet; periodic boxes or boxes with walls, 2D and 3D. A
facet of grains i and j lies on the plane of equal power, at distance
(L² + w_i − w_j) / 2L from seed i, L the distance of the two seeds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from multiscale.microstructure.power_cells import (
    Cells,
    FacetTable,
    check_seeds,
    encode_rows,
    following_corner,
    lexicographically_negative,
    mean_cell_edge,
    measure,
    unique_rows,
)
from multiscale.microstructure.power_diagram import Floats, Ints, Vertices

__all__ = [
    "LEAST_AREA",
    "Cells",
    "FacetTable",
    "LineTable",
    "PointTable",
    "Tessellation",
    "measure",
    "tessellate",
    "tessellation_of",
]

# In units of the mean cell edge to the power d − 1: facets of cospherical (lattice) seeds
# that are smaller are rounding, not facets.
LEAST_AREA = 1e-11


@dataclass(frozen=True, slots=True)
class LineTable:
    """Triple lines of a 3D tessellation, each segment once; empty in 2D.

    Parameters
    ----------
    grains : (p, 3) array of int
        Grains that meet along the line, ascending. k > 3 grains about one line
        (lattices) make k − 2 rows that share its length.
    length : (p,) array
        Length [m].
    midpoint : (p, d) array
        Midpoint [m], in the box.
    """

    grains: Ints
    length: Floats
    midpoint: Floats

    def __len__(self) -> int:
        """Count the lines."""
        return len(self.length)


@dataclass(frozen=True, slots=True)
class PointTable:
    """Points at which d + 1 grains meet: triple points in 2D, quadruple points in 3D.

    Parameters
    ----------
    grains : (q, d + 1) array of int
        Grains that meet, ascending. More than d + 1 grains at one point (lattices)
        make several rows with the same position.
    position : (q, d) array
        Positions [m], in the box.
    """

    grains: Ints
    position: Floats

    def __len__(self) -> int:
        """Count the points."""
        return len(self.position)


@dataclass(frozen=True, slots=True)
class Tessellation:
    """A box divided into convex cells.

    Parameters
    ----------
    volumes : (n,) array
        Cell volumes [m³], in 2D areas [m²]; 0 for a cell that its neighbours cover.
    centroids : (n, d) array
        Cell centroids [m], in the box if periodic; the seed of an empty cell.
    facets : FacetTable
        Facets between grains.
    walls : FacetTable
        Facets on the faces of a box that is not periodic; empty if periodic.
    lines : LineTable
        Triple lines (3D).
    points : PointTable
        Junction points.
    """

    volumes: Floats
    centroids: Floats
    facets: FacetTable
    walls: FacetTable
    lines: LineTable
    points: PointTable


def _polygon_edges(cells: Cells) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """List the edges of all facets: facet, two vertices, their offset, and the frame's shift."""
    corners = cells.corners
    following = following_corner(corners.facet)
    start, end = corners.vertex, corners.vertex[following]
    offset = corners.shift[following] - corners.shift
    swap = (start > end) | ((start == end) & lexicographically_negative(offset))
    frame = np.where(swap[:, None], corners.shift[following], corners.shift)
    real = (start != end) | offset.any(axis=1)
    low, high = np.where(swap, end, start), np.where(swap, start, end)
    offset = np.where(swap[:, None], -offset, offset)
    return corners.facet[real], low[real], high[real], offset[real], frame[real]


def _lines(cells: Cells, size: Floats, periodic: bool) -> LineTable:
    """Collect the triple lines as the edges that facets share."""
    facet, low, high, offset, frame = _polygon_edges(cells)
    table = cells.table
    if not periodic:
        inner = ~np.any(table.image[facet], axis=1)
        facet, low, high, offset, frame = (
            part[inner] for part in (facet, low, high, offset, frame)
        )
    index, line = unique_rows(np.column_stack([low, high, offset]))
    grain = np.concatenate([table.first[facet], table.second[facet]])
    image = np.concatenate([-frame, table.image[facet] - frame])
    member, _ = unique_rows(np.column_stack([np.tile(line, 2), grain, image]))
    owner, grain = np.tile(line, 2)[member], grain[member]
    start = np.searchsorted(owner, np.arange(len(index)))
    count = np.bincount(owner, minlength=len(index))
    rows = np.repeat(np.arange(len(index)), np.maximum(count - 2, 0))
    turn = np.arange(len(rows)) - np.searchsorted(rows, rows)
    pick = start[rows]
    grains = np.column_stack([grain[pick], grain[pick + turn + 1], grain[pick + turn + 2]])
    begin = cells.vertices.position[low[index]]
    reach = cells.vertices.position[high[index]] + offset[index] * size - begin
    length = np.linalg.norm(reach, axis=1)[rows] / np.maximum(count - 2, 1)[rows]
    midpoint = begin + reach / 2
    midpoint = (np.mod(midpoint, size) if periodic else midpoint)[rows]
    return LineTable(np.sort(grains, axis=1), length, midpoint)


def _points(vertices: Vertices, periodic: bool) -> PointTable:
    """Collect the junction points, one row for each simplex of the triangulation."""
    grain, image, vertex = vertices.grain, vertices.image, vertices.simplex_vertex
    if not periodic:
        own = ~image.any(axis=(1, 2))
        grain, vertex = grain[own], vertex[own]
        order = np.argsort(grain, axis=1)
        grain = np.take_along_axis(grain, order, axis=1)
        return PointTable(grain.astype(np.int64), vertices.position[vertex])
    count, corners, dimension = image.shape
    rows = np.column_stack([grain.reshape(-1, 1), image.reshape(-1, dimension)])
    code = encode_rows(rows).reshape(count, corners)
    code = np.take_along_axis(code, np.argsort(code, axis=1), axis=1)
    key = vertex
    for column in code.T:  # one by one: all columns at once would not fit 64 bits
        _, index, key = np.unique(
            key * (int(code.max()) + 1) + column, return_index=True, return_inverse=True
        )
    grains = np.sort(grain[index], axis=1)
    return PointTable(grains, vertices.position[vertex[index]])


def _select(table: FacetTable, keep: NDArray[np.bool_], unit: float) -> FacetTable:
    """Take some facets and turn their lengths into metres."""
    dimension = table.normal.shape[1]
    return FacetTable(
        table.first[keep],
        table.second[keep],
        table.image[keep],
        table.area[keep] * unit ** (dimension - 1),
        table.normal[keep],
        table.centroid[keep] * unit,
        table.distance_first[keep] * unit,
        table.distance_second[keep] * unit,
    )


def tessellate(
    seeds: ArrayLike, size: ArrayLike, weights: ArrayLike | None = None, *, periodic: bool = True
) -> Tessellation:
    """Divide a box into the Voronoi or power cells of seeds.

    Parameters
    ----------
    seeds : (n, d) array_like
        Seeds [m] in [0, size); d is 2 or 3.
    size : (d,) array_like
        Box edges [m].
    weights : (n,) array_like, optional
        Power weights [m²]; none, or equal ones, give the Voronoi tessellation.
    periodic : bool, optional
        Whether the box repeats; otherwise its faces are walls.

    Returns
    -------
    Tessellation
        Cells, facets, lines and points; volumes add up to the box within 1e-9 relative.

    Raises
    ------
    RecipeError
        If the seeds cannot make a tessellation.
    ComputationError
        If the triangulation fails.
    """
    seeds, size = np.asarray(seeds, dtype=float), np.asarray(size, dtype=float)
    weights = np.zeros(len(seeds)) if weights is None else np.asarray(weights, dtype=float)
    check_seeds(seeds, weights, size)
    unit = mean_cell_edge(size, len(seeds))
    cells = measure(seeds / unit, weights / unit**2, size / unit, periodic=periodic)
    return tessellation_of(cells, size, periodic=periodic)


def tessellation_of(cells: Cells, size: Floats, *, periodic: bool) -> Tessellation:
    """Gather the tables of a measured power diagram, in metres.

    Parameters
    ----------
    cells : Cells
        Measured facets and cells, in mean cell edges.
    size : (d,) array
        Box edges [m].
    periodic : bool
        Whether the box repeats.

    Returns
    -------
    Tessellation
        Cells, facets, lines and points.
    """
    dimension, table = len(size), cells.table
    unit = mean_cell_edge(size, len(cells.volumes))
    real = table.area > LEAST_AREA
    wall = np.zeros(len(table), dtype=bool) if periodic else table.image.any(axis=1)
    if dimension == 3:
        lines = _lines(cells, size / unit, periodic)
    else:
        lines = LineTable(np.zeros((0, 3), dtype=np.int64), np.zeros(0), np.zeros((0, 2)))
    points = _points(cells.vertices, periodic)
    return Tessellation(
        cells.volumes * unit**dimension,
        cells.centroids * unit,
        _select(table, real & ~wall, unit),
        _select(table, real & wall, unit),
        LineTable(lines.grains, lines.length * unit, lines.midpoint * unit),
        PointTable(points.grains, points.position * unit),
    )
