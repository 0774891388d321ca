"""Periodic graphs to percolate on: lattices, and the grains or edges of random Voronoi cells."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from numpy.typing import ArrayLike

from multiscale.errors import InputError, describe
from multiscale.microstructure import tessellate
from multiscale.microstructure.power_cells import measure
from multiscale.network.wrapping import Integers


@dataclass(frozen=True, slots=True)
class PeriodicGraph:
    """Nodes in a periodic box, and the links between them.

    Parameters
    ----------
    nodes : int
        Number of nodes n.
    first, second : array_like of int, shape (m,)
        Ends of each link.
    image : array_like of int, shape (m, d)
        Box offset of ``second`` seen from ``first``.

    Raises
    ------
    InputError
        If the arrays do not fit together, or a link ends at no node.
    """

    nodes: int
    first: Integers
    second: Integers
    image: Integers

    def __post_init__(self) -> None:
        """Turn fields into arrays of int64 and check them."""
        for name in ("first", "second", "image"):
            given = np.asarray(getattr(self, name))
            if given.size and not np.issubdtype(given.dtype, np.integer):
                raise InputError(describe(name, "whole numbers", f"dtype {given.dtype}"))
            object.__setattr__(self, name, np.ascontiguousarray(given, dtype=np.int64))
        links = len(self.first)
        if self.second.shape != (links,) or self.image.shape[:1] != (links,):
            shapes = f"{self.first.shape}, {self.second.shape}, {self.image.shape}"
            raise InputError(describe("links", "(m,), (m,) and (m, d)", shapes))
        if self.image.ndim != 2 or self.image.shape[1] not in (2, 3):
            raise InputError(describe("image", "(m, 2) or (m, 3)", f"{self.image.shape}"))
        ends = np.concatenate([self.first, self.second])
        if len(ends) and not (ends.min() >= 0 and ends.max() < self.nodes):
            wanted = f"nodes 0 … {self.nodes - 1}"
            raise InputError(describe("links", wanted, f"{ends.min()} … {ends.max()}"))

    @property
    def dimension(self) -> int:
        """Number of axes d."""
        return int(self.image.shape[1])


Maker = Callable[[int, np.random.Generator], PeriodicGraph]
"""Makes a graph of about size^d nodes; a random one from the generator."""

STEPS = {
    "square": ((1, 0), (0, 1)),
    "triangular": ((1, 0), (0, 1), (1, -1)),
    "cubic": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "fcc": ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, -1, 0), (1, 0, -1), (0, 1, -1)),
}
"""Steps to half of the neighbours of a site, in primitive vectors of the lattice."""


def lattice_graph(lattice: str, edge: int) -> PeriodicGraph:
    """Make a lattice in a box of primitive cells.

    Parameters
    ----------
    lattice : {"square", "triangular", "cubic", "fcc"}
        Which sites neighbour one another.
    edge : int
        Cells along each primitive vector.

    Returns
    -------
    PeriodicGraph
        ``edge`` to the power d sites.

    Raises
    ------
    InputError
        If there is no such lattice, or the edge is below 2.
    """
    if lattice not in STEPS:
        raise InputError(describe("lattice", f"one of {', '.join(STEPS)}", lattice))
    if edge < 2:
        raise InputError(describe("edge", "2 cells or more", edge))
    steps = np.array(STEPS[lattice])
    place = np.array(list(itertools.product(range(edge), repeat=steps.shape[1])))
    ends = (place[None] + steps[:, None]).reshape(-1, steps.shape[1])
    weight = edge ** np.arange(steps.shape[1])[::-1]
    return PeriodicGraph(
        nodes=len(place),
        first=np.tile(np.arange(len(place)), len(steps)),
        second=(ends % edge) @ weight,
        image=ends // edge,
    )


def voronoi_grains(seeds: ArrayLike) -> PeriodicGraph:
    """Join the Voronoi grains of seeds where they share a facet.

    Parameters
    ----------
    seeds : array_like, shape (n, d)
        In the periodic unit box.

    Returns
    -------
    PeriodicGraph
        A node for each grain, a link for each facet: the Delaunay graph.

    Raises
    ------
    RecipeError
        If the seeds cannot make a tessellation.
    """
    points = np.asarray(seeds, dtype=np.float64)
    facets = tessellate(points, np.ones(points.shape[1])).facets
    return PeriodicGraph(len(points), facets.first, facets.second, facets.image)


def voronoi_edges(seeds: ArrayLike) -> PeriodicGraph:
    """Join the triple points of 2D Voronoi grains along the boundaries between them.

    Parameters
    ----------
    seeds : array_like, shape (n, 2)
        In the periodic unit box.

    Returns
    -------
    PeriodicGraph
        A node for each triple point, a link for each boundary: the Voronoi network.

    Raises
    ------
    InputError
        If the seeds are not in the plane.
    ComputationError
        If the triangulation fails.
    """
    points = np.asarray(seeds, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise InputError(describe("seeds", "an (n, 2) array", f"shape {points.shape}"))
    unit = len(points) ** -0.5
    cells = measure(points / unit, np.zeros(len(points)), np.ones(2) / unit, periodic=True)
    corners = cells.corners
    both = np.flatnonzero(corners.facet[1:] == corners.facet[:-1])  # two ends each
    return PeriodicGraph(
        nodes=len(cells.vertices.position),
        first=corners.vertex[both],
        second=corners.vertex[both + 1],
        image=corners.shift[both + 1] - corners.shift[both],
    )


def structure(name: str) -> Maker:
    """Find the maker of a named structure.

    Parameters
    ----------
    name : str
        A lattice of ``STEPS``; ``"voronoi-2d"`` or ``"voronoi-3d"``, the grains of
        Poisson–Voronoi cells; ``"voronoi-edges-2d"``, the network of their boundaries.

    Returns
    -------
    callable
        Takes the linear size and a generator.

    Raises
    ------
    InputError
        If there is no such structure.
    """
    if name in STEPS:
        made = cache(partial(lattice_graph, name))
        return lambda size, rng: made(size)
    if name in ("voronoi-2d", "voronoi-3d"):
        d = int(name[-2])
        return lambda size, rng: voronoi_grains(rng.random((size**d, d)))
    if name == "voronoi-edges-2d":
        return lambda size, rng: voronoi_edges(rng.random((size**2, 2)))
    valid = [*STEPS, "voronoi-2d", "voronoi-3d", "voronoi-edges-2d"]
    raise InputError(describe("structure", f"one of {', '.join(valid)}, or a function", name))
