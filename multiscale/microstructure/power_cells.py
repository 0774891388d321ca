"""Facets and cells of a power diagram, measured.

Facets are gathered from the edges of the triangulation: all vertices whose
simplices hold the same two seeds are the corners of their facet. Volumes and
centroids follow as sums of pyramids from each seed to its facets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from multiscale.errors import ComputationError, RecipeError, describe
from multiscale.microstructure._polygon_kernels import polygon_order
from multiscale.microstructure.power_diagram import (
    FIRST_MARGIN,
    Floats,
    Ints,
    Vertices,
    find_vertices,
    mirrored,
)

WALL_CLEARANCE = 1e-5  # mean cell edges; a seed on a wall would coincide with its mirror image
VOLUME_TOLERANCE = 1e-9  # relative; the sum of the cells must be the box


@dataclass(frozen=True, slots=True)
class FacetTable:
    """Facets between grains, each once.

    Parameters
    ----------
    first, second : (m,) array of int
        Grains on either side; ``first <= second``. A grain that meets itself
        through a periodic box has ``first == second`` and an image that is not zero.
    image : (m, d) array of int
        The facet lies between the seed of ``first`` and the seed of ``second``
        moved by ``image * size``. For a wall: −1 low, +1 high.
    area : (m,) array
        Area [m²], in 2D length [m].
    normal : (m, d) array
        Unit normals from ``first`` to ``second``.
    centroid : (m, d) array
        Centroids [m], beside the seed of ``first`` (may lie outside a periodic box).
    distance_first, distance_second : (m,) array
        Distance [m] of each seed from the plane of the facet, positive where the
        seed is on its own side.
    """

    first: Ints
    second: Ints
    image: Ints
    area: Floats
    normal: Floats
    centroid: Floats
    distance_first: Floats
    distance_second: Floats

    def __len__(self) -> int:
        """Count the facets."""
        return len(self.first)


@dataclass(frozen=True, slots=True)
class Corners:
    """Which vertices belong to which facet.

    Parameters
    ----------
    facet : (k,) array of int
        Facet of each corner, ascending.
    vertex : (k,) array of int
        Vertex of each corner.
    shift : (k, d) array of int
        Box offset of the vertex in the frame of the facet's first grain.
    """

    facet: Ints
    vertex: Ints
    shift: Ints


@dataclass(frozen=True, slots=True)
class Cells:
    """Facets with their corners, and what follows from them; lengths in mean cell edges.

    Parameters
    ----------
    table : FacetTable
        All facets, walls included, before rounding facets are dropped.
    corners : Corners
        Corners of the facets, counter-clockwise about the normal in 3D.
    vertices : Vertices
        Vertices of the diagram.
    volumes : (n,) array
        Cell volumes.
    centroids : (n, d) array
        Cell centroids.
    """

    table: FacetTable
    corners: Corners
    vertices: Vertices
    volumes: Floats
    centroids: Floats


def encode_rows(rows: Ints) -> Ints:
    """Turn rows of integers into single integers that sort alike.

    Parameters
    ----------
    rows : (k, c) array of int
        Rows.

    Returns
    -------
    (k,) array of int
        Codes.

    Raises
    ------
    ComputationError
        If 64 bits do not hold them.
    """
    low = rows.min(axis=0, initial=0)
    span = rows.max(axis=0, initial=0) - low + 1
    factors = np.cumprod(np.concatenate([[1], span[:0:-1]]))[::-1]
    if np.prod(span.astype(float)) > 2.0**62:
        raise ComputationError("power diagram: too many cells for 64-bit keys")
    code: Ints = (rows - low) @ factors
    return code


def unique_rows(rows: Ints) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find the distinct rows.

    Parameters
    ----------
    rows : (k, c) array of int
        Rows.

    Returns
    -------
    index : (u,) array of int
        Where each distinct row stands first.
    inverse : (k,) array of int
        Which distinct row each row is.
    """
    _, index, inverse = np.unique(encode_rows(rows), return_index=True, return_inverse=True)
    return index, inverse.reshape(-1)


def lexicographically_negative(image: Ints) -> NDArray[np.bool_]:
    """Tell which of an image and its opposite is meant.

    Parameters
    ----------
    image : (k, d) array of int
        Box offsets.

    Returns
    -------
    (k,) array of bool
        Whether the first entry that is not zero is negative.
    """
    weight = 3 ** np.arange(image.shape[1])[::-1]
    return np.asarray(np.sign(image) @ weight < 0)


def _facet_corners(vertices: Vertices, periodic: bool) -> tuple[Ints, Ints, Ints, Corners]:
    """List the facets (first, second, image) and their corners from the simplices' edges."""
    low, high = np.triu_indices(vertices.grain.shape[1], k=1)
    dimension = vertices.position.shape[1]
    first, second = vertices.grain[:, low].ravel(), vertices.grain[:, high].ravel()
    at_first = vertices.image[:, low].reshape(-1, dimension)
    at_second = vertices.image[:, high].reshape(-1, dimension)
    vertex = np.repeat(vertices.simplex_vertex, len(low))
    if periodic:
        keep = np.ones(len(first), dtype=bool)
        image = at_second - at_first
        swap = (first > second) | ((first == second) & lexicographically_negative(image))
    else:
        mirror_first, mirror_second = at_first.any(axis=1), at_second.any(axis=1)
        walls = (mirror_first ^ mirror_second) & (first == second)
        keep = walls | ~(mirror_first | mirror_second)
        image = at_second + at_first
        swap = (first > second) & ~walls
    reference = np.where(swap[:, None], at_second, at_first)
    if periodic:
        image = np.where(swap[:, None], -image, image)
    first, second = np.where(swap, second, first)[keep], np.where(swap, first, second)[keep]
    image, vertex = image[keep], vertex[keep]
    shift = -reference[keep] if periodic else np.zeros_like(image)
    index, facet = unique_rows(np.column_stack([first, second, image]))
    corner, _ = unique_rows(np.column_stack([facet, vertex, shift]))
    corners = Corners(facet[corner].astype(np.int64), vertex[corner], shift[corner])
    return first[index], second[index], image[index], corners


def _sums(group: Ints, rows: Floats, count: int) -> Floats:
    """Add up rows by group."""
    columns = [np.bincount(group, column, minlength=count) for column in rows.T]
    return np.stack(columns, axis=-1).astype(np.float64)


def _segments(facet: Ints, point: Floats, count: int, normal: Floats) -> tuple[Floats, Floats]:
    """Length and centroid of 2D facets from their corners."""
    tangent = np.column_stack([-normal[:, 1], normal[:, 0]])
    along = np.einsum("ij,ij->i", point, tangent[facet])
    least, most = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(least, facet, along)
    np.maximum.at(most, facet, along)
    centre = _sums(facet, point, count) / np.bincount(facet, minlength=count)[:, None]
    return most - least, centre


def following_corner(facet: Ints) -> Ints:
    """Find the next corner round each facet.

    Parameters
    ----------
    facet : (k,) array of int
        Facet of each corner, ascending.

    Returns
    -------
    (k,) array of int
        Index of the corner that follows.
    """
    following = np.arange(1, len(facet) + 1)
    last = np.flatnonzero(np.diff(facet, append=-1))
    start = np.concatenate([[0], last[:-1] + 1])
    following[last] = start
    return following


def _polygons(facet: Ints, point: Floats, mean: Floats, normal: Floats) -> tuple[Floats, Floats]:
    """Area and centroid of 3D facets from their sorted corners."""
    count = len(normal)
    arm = point - mean[facet]
    turned = arm[following_corner(facet)]
    triangle = np.einsum("ij,ij->i", np.cross(arm, turned), normal[facet]) / 2
    area = _sums(facet, triangle[:, None], count)[:, 0]
    moment = _sums(facet, triangle[:, None] * (arm + turned) / 3, count)
    safe = np.where(area > 0, area, 1.0)[:, None]
    return area, mean + np.where(area[:, None] > 0, moment / safe, 0.0)


def _measure_cells(
    seeds: Floats, table: FacetTable, size: Floats, periodic: bool
) -> tuple[Floats, Floats]:
    """Volume and centroid of each cell as the sum of pyramids from its seed."""
    count, dimension = seeds.shape
    other = table.centroid - table.image * size if periodic else table.centroid
    between = np.ones(len(table)) if periodic else ~table.image.any(axis=1)
    grain = np.concatenate([table.first, table.second])
    pyramid = np.concatenate(
        [table.area * table.distance_first, table.area * table.distance_second * between]
    )
    pyramid /= dimension
    arm = np.concatenate([table.centroid - seeds[table.first], other - seeds[table.second]])
    volumes = _sums(grain, pyramid[:, None], count)[:, 0]
    moment = _sums(grain, pyramid[:, None] * arm, count)
    safe = np.where(volumes > 0, volumes, 1.0)[:, None]
    centroids = seeds + dimension / (dimension + 1) * moment / safe
    return np.maximum(volumes, 0.0), np.mod(centroids, size) if periodic else centroids


def measure(
    seeds: Floats, weights: Floats, size: Floats, *, periodic: bool, margin: float = FIRST_MARGIN
) -> Cells:
    """Measure facets and cells; all lengths in mean cell edges.

    Parameters
    ----------
    seeds : (n, d) array
        Distinct seeds in the box.
    weights : (n,) array
        Power weights.
    size : (d,) array
        Box edges; their product is n.
    periodic : bool
        Whether the box repeats.
    margin : float, optional
        Width around the box filled with copies at the first attempt.

    Returns
    -------
    Cells
        Facets, corners, volumes and centroids.

    Raises
    ------
    ComputationError
        If the cells do not add up to the box.
    """
    box = float(np.prod(size))
    if not periodic:
        seeds = np.clip(seeds, WALL_CLEARANCE, size - WALL_CLEARANCE)
    most = (2.0 if periodic else 1.0) * float(size.max())
    while True:
        vertices = find_vertices(seeds, weights, size, periodic=periodic, margin=margin)
        cells = _assemble(seeds, weights, size, periodic, vertices)
        error = abs(cells.volumes.sum() / box - 1)
        if error <= VOLUME_TOLERANCE:
            return cells
        margin = max(margin, vertices.reach)
        if margin >= most:
            break
        # cells can be open beyond the box (seeds all in one corner) with all vertices in it right
        margin = min(2 * margin, most)
    raise ComputationError(
        f"power diagram: cells add up to the box within {error:.1e}, wanted {VOLUME_TOLERANCE:.0e}"
    )


def _assemble(
    seeds: Floats, weights: Floats, size: Floats, periodic: bool, vertices: Vertices
) -> Cells:
    """Build facets and cells from the vertices."""
    first, second, image, corners = _facet_corners(vertices, periodic)
    partner = seeds[second] + image * size if periodic else mirrored(seeds[second], size, image)
    normal = partner - seeds[first]
    distance = np.linalg.norm(normal, axis=1)
    normal /= distance[:, None]
    to_first = (distance**2 + weights[first] - weights[second]) / (2 * distance)
    point = vertices.position[corners.vertex] + corners.shift * size
    if len(size) == 2:
        area, centroid = _segments(corners.facet, point, len(first), normal)
    else:
        mean, order = polygon_order(corners.facet, point, normal)
        corners = Corners(corners.facet[order], corners.vertex[order], corners.shift[order])
        area, centroid = _polygons(corners.facet, point[order], mean, normal)
    table = FacetTable(first, second, image, area, normal, centroid, to_first, distance - to_first)
    volumes, centroids = _measure_cells(seeds, table, size, periodic)
    return Cells(table, corners, vertices, volumes, centroids)


def check_seeds(seeds: Floats, weights: Floats, size: Floats) -> None:
    """Refuse seeds that make no tessellation.

    Parameters
    ----------
    seeds : (n, d) array
        Seeds [m].
    weights : (n,) array
        Power weights [m²].
    size : (d,) array
        Box edges [m].

    Raises
    ------
    RecipeError
        If shapes disagree, a value is not finite, a seed lies outside the box, or two coincide.
    """
    if size.ndim != 1 or len(size) not in (2, 3) or not np.all(np.isfinite(size) & (size > 0)):
        raise RecipeError(describe("size", "two or three positive lengths in m", size))
    if seeds.ndim != 2 or seeds.shape[1] != len(size) or len(seeds) < 1:
        raise RecipeError(describe("seeds", f"an array (n, {len(size)})", f"shape {seeds.shape}"))
    if weights.shape != seeds.shape[:1] or not np.all(np.isfinite(weights)):
        raise RecipeError(describe("weights", f"{len(seeds)} finite numbers", weights))
    if not np.all((seeds >= 0) & (seeds < size)):
        raise RecipeError(describe("seeds", f"coordinates in [0, {size})", "seeds outside the box"))
    if len(np.unique(seeds, axis=0)) < len(seeds):
        raise RecipeError(describe("seeds", "distinct positions", "two seeds at one position"))


def cell_measures(
    seeds: ArrayLike, size: ArrayLike, weights: ArrayLike, *, periodic: bool
) -> tuple[Floats, Floats]:
    """Measure cells only, without the tables of facets, lines and points.

    Parameters
    ----------
    seeds : (n, d) array_like
        Seeds [m] in [0, size).
    size : (d,) array_like
        Box edges [m].
    weights : (n,) array_like
        Power weights [m²].
    periodic : bool
        Whether the box repeats.

    Returns
    -------
    volumes : (n,) array
        Cell volumes [m³], in 2D areas [m²].
    centroids : (n, d) array
        Cell centroids [m].

    Raises
    ------
    RecipeError
        If the seeds cannot make a tessellation.
    ComputationError
        If the triangulation fails.
    """
    seeds, size = np.asarray(seeds, dtype=float), np.asarray(size, dtype=float)
    weights = np.asarray(weights, dtype=float)
    check_seeds(seeds, weights, size)
    unit = mean_cell_edge(size, len(seeds))
    cells = measure(seeds / unit, weights / unit**2, size / unit, periodic=periodic)
    return cells.volumes * unit ** len(size), cells.centroids * unit


def mean_cell_edge(size: Floats, count: int) -> float:
    """Edge of the cube (square) that holds the mean cell: the unit of ``measure``.

    Parameters
    ----------
    size : (d,) array
        Box edges [m].
    count : int
        Number of cells.

    Returns
    -------
    float
        Edge [m].
    """
    return float((np.prod(size) / count) ** (1 / len(size)))
