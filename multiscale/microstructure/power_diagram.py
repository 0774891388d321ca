"""Vertices of a power (Laguerre) diagram in a box, by convex lifting.

The power of a point x to seed s of weight w is |x − s|² − w; a cell holds the
points at which its seed has the least power, and equal weights give the Voronoi
diagram. Lifted to height |s|² − w, the seeds' lower convex hull is the regular
triangulation, and the slope of each hull facet gives the point that has equal
power to its d + 1 seeds: a vertex of the diagram (Aurenhammer 1987,
doi:10.1137/0216006).

The box is closed by copies of the seeds: periodic images, or mirror images in
the faces, whose bisectors are the faces. Only copies near the box are made; how
near is found by trying, because the ball in which a vertex's seeds rule out any
other must lie inside the region that was filled.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull, QhullError, cKDTree

from multiscale.errors import ComputationError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# In units of the mean cell edge: vertices nearer than this are one vertex. Lattice seeds
# make clusters that differ by rounding (1e-13); random seeds hardly ever come this close.
MERGE_DISTANCE = 1e-8
FIRST_MARGIN = 1.5  # copies kept around the box at the first attempt; random seeds need about 1.3
MAXIMUM_ATTEMPTS = 12


@dataclass(frozen=True, slots=True)
class Copies:
    """Seeds of the box and their images around it.

    Parameters
    ----------
    position : (c, d) array
        Where each copy lies, in mean cell edges.
    weight : (c,) array
        Power weight of each copy, in squared mean cell edges.
    grain : (c,) array of int
        Grain that each is a copy of.
    image : (c, d) array of int
        Box offset of a periodic image, or the face (−1 low, +1 high) of a mirror image.
    """

    position: Floats
    weight: Floats
    grain: Ints
    image: Ints


@dataclass(frozen=True, slots=True)
class Vertices:
    """Vertices of the diagram that lie in the box.

    Parameters
    ----------
    position : (v, d) array
        Positions in the box, in mean cell edges, coincident ones merged.
    simplex_vertex : (q,) array of int
        Vertex to which each simplex of the triangulation belongs.
    grain : (q, d + 1) array of int
        Grains of each simplex.
    image : (q, d + 1, d) array of int
        Box offsets of those grains where the simplex surrounds ``position``.
    reach : float
        Width around the box that copies had to fill, in mean cell edges.
    """

    position: Floats
    simplex_vertex: Ints
    grain: Ints
    image: Ints
    reach: float


def mirrored(position: Floats, size: Floats, image: Ints) -> Floats:
    """Mirror points in box faces.

    Parameters
    ----------
    position : (n, d) array
        Points in the box.
    size : (d,) array
        Box edges.
    image : (n, d) array of int
        −1 mirrors in the low face of that axis, +1 in the high face, 0 leaves it.

    Returns
    -------
    (n, d) array
        Mirror images.
    """
    return np.where(image == 0, position, 2 * size * (image > 0) - position)


def make_copies(
    seeds: Floats, weights: Floats, size: Floats, periodic: bool, margin: float
) -> Copies:
    """Copy seeds into the margin around the box.

    Parameters
    ----------
    seeds : (n, d) array
        Seeds in the box.
    weights : (n,) array
        Power weights.
    size : (d,) array
        Box edges.
    periodic : bool
        Periodic images if true, else mirror images.
    margin : float
        Width of the region around the box that is filled.

    Returns
    -------
    Copies
        The seeds themselves first, then their images.
    """
    dimension = len(size)
    if periodic:
        ranges = [range(-k, k + 1) for k in np.ceil(margin / size).astype(int)]
        offsets = np.array(list(itertools.product(*ranges)), dtype=np.int64)
    else:
        offsets = np.concatenate([np.zeros((1, dimension)), -np.eye(dimension), np.eye(dimension)])
        offsets = offsets.astype(np.int64)
    offsets = offsets[np.argsort(np.abs(offsets).sum(axis=1), kind="stable")]
    grain = np.tile(np.arange(len(seeds)), len(offsets))
    image = np.repeat(offsets, len(seeds), axis=0)
    position = seeds[grain] + image * size if periodic else mirrored(seeds[grain], size, image)
    near = np.all((position >= -margin) & (position <= size + margin), axis=1)
    near[: len(seeds)] = True
    return Copies(position[near], weights[grain[near]], grain[near], image[near])


def _centres(copies: Copies, size: Floats) -> tuple[Ints, Floats]:
    """Triangulate the copies; return the simplices centred in the box, and their centres."""
    middle = size / 2
    local = copies.position - middle
    height = np.einsum("ij,ij->i", local, local) - copies.weight
    try:
        hull = ConvexHull(np.column_stack([local, height - height.min()]))
    except QhullError:  # too few copies yet: they lie in one plane
        return np.zeros((0, len(size) + 1), dtype=np.int64), np.zeros((0, len(size)))
    slope = hull.equations[:, -2]
    lower = slope < -1e-12
    centre = hull.equations[lower, :-2] / (-2 * slope[lower, None]) + middle
    inside = np.all((centre >= -MERGE_DISTANCE) & (centre <= size + MERGE_DISTANCE), axis=1)
    return hull.simplices[lower][inside].astype(np.int64), centre[inside]


def _reach(copies: Copies, simplices: Ints, centre: Floats, size: Floats) -> float:
    """Width around the box in which a missing copy could still change these vertices."""
    if not len(simplices):
        return np.inf
    seed = simplices[:, 0]
    power = np.sum((centre - copies.position[seed]) ** 2, axis=1) - copies.weight[seed]
    radius = np.sqrt(np.maximum(power + copies.weight.max(), 0.0))[:, None]
    return float(np.max(np.maximum(radius - centre, centre + radius - size)))


def _merge(position: Floats, size: Floats, periodic: bool) -> tuple[Floats, Ints, Ints]:
    """Unite coincident vertices; return positions, vertex of each centre and its box offset."""
    boxed = np.clip(position, 0.0, size)
    offset = np.zeros(position.shape, dtype=np.int64)
    if periodic:
        boxed = np.mod(position, size)
        boxed[boxed >= size] = 0.0
    tree = cKDTree(boxed, boxsize=size if periodic else None)
    pairs = tree.query_pairs(MERGE_DISTANCE, output_type="ndarray")
    vertex = np.arange(len(boxed))
    if len(pairs):
        ones = np.ones(len(pairs), dtype=bool)
        graph = coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(len(boxed),) * 2)
        vertex = connected_components(graph, directed=False)[1].astype(np.int64)
        boxed = boxed[np.unique(vertex, return_index=True)[1]]
    if periodic:
        offset = np.rint((position - boxed[vertex]) / size).astype(np.int64)
    return boxed, vertex, offset


def find_vertices(
    seeds: Floats, weights: Floats, size: Floats, *, periodic: bool, margin: float = FIRST_MARGIN
) -> Vertices:
    """Find the vertices of the power diagram in a box.

    Parameters
    ----------
    seeds : (n, d) array
        Distinct seeds in the box, in mean cell edges.
    weights : (n,) array
        Power weights, in squared mean cell edges.
    size : (d,) array
        Box edges, in mean cell edges.
    periodic : bool
        Whether the box repeats.
    margin : float, optional
        Width around the box filled with copies at the first attempt.

    Returns
    -------
    Vertices
        Vertices and the simplices that meet there.

    Raises
    ------
    ComputationError
        If the triangulation fails.
    """
    for _ in range(MAXIMUM_ATTEMPTS):
        copies = make_copies(seeds, weights, size, periodic, margin)
        simplices, centre = _centres(copies, size)
        reach = _reach(copies, simplices, centre, size)
        complete = not periodic and margin >= size.max()  # every mirror image is there
        if reach <= margin or (complete and len(simplices)):
            position, vertex, offset = _merge(centre, size, periodic)
            image = copies.image[simplices] - offset[:, None, :]
            return Vertices(position, vertex, copies.grain[simplices], image, reach)
        margin = 2 * margin if np.isinf(reach) else min(1.02 * reach, 4 * margin)
    raise ComputationError(
        f"power diagram: copies within {margin:.3g} cell edges of the box did not close the cells"
    )
