"""Polycrystals: the analytic object, and the recipe that makes it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray

from multiscale.errors import RecipeError, ResolutionError, describe
from multiscale.microstructure.boundaries import (
    add_misorientation,
    area_by_type,
    build_grain_graph,
)
from multiscale.microstructure.grain_size import lognormal_volumes, transport_weights
from multiscale.microstructure.junction_tables import exact_junctions
from multiscale.microstructure.orientation import random_orientations
from multiscale.microstructure.phases import (
    assign_phases,
    check_phases,
    gaussian_field,
    volume_fractions,
)
from multiscale.microstructure.power_cells import Cells, check_seeds, mean_cell_edge, measure
from multiscale.microstructure.power_diagram import Floats, Ints
from multiscale.microstructure.rasteriser import Raster, check_cells
from multiscale.microstructure.seeding import DEFAULT_LLOYD_STEPS, check_seeding, place_seeds
from multiscale.microstructure.tessellation import Tessellation, tessellation_of


@dataclass(frozen=True, eq=False)
class Polycrystal:
    """Grains that are the Voronoi or power cells of seeds.

    Parameters
    ----------
    seeds : (n, d) array
        Seeds [m], in [0, size).
    weights : (n,) array
        Power weights [m²]; zeros for Voronoi cells.
    size : (d,) array
        Box edges [m].
    periodic : bool
        Whether the box repeats.
    phases : (n,) array of int
        Phase of each grain, an index into ``phase_names``.
    phase_names : tuple of str
        Phase names.
    orientations : (n, 4) array
        Unit quaternions (w, x, y, z) that rotate the crystal into the sample frame.

    Raises
    ------
    RecipeError
        If the arrays do not fit together.
    """

    seeds: Floats
    weights: Floats
    size: Floats
    periodic: bool
    phases: Ints
    phase_names: tuple[str, ...]
    orientations: Floats

    def __post_init__(self) -> None:
        """Turn fields into arrays and check them."""
        for name in ("seeds", "weights", "size", "orientations"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=float))
        object.__setattr__(self, "phases", np.asarray(self.phases, dtype=np.int64))
        object.__setattr__(self, "phase_names", tuple(self.phase_names))
        check_seeds(self.seeds, self.weights, self.size)
        count = len(self.phase_names)
        fits = self.phases.shape == (self.grains,) and self.phases.min() >= 0
        if not fits or self.phases.max() >= count:
            raise RecipeError(
                describe("phases", f"{self.grains} numbers in 0 … {count - 1}", self.phases)
            )
        if self.orientations.shape != (self.grains, 4):
            raise RecipeError(
                describe("orientations", f"({self.grains}, 4)", f"{self.orientations.shape}")
            )

    @property
    def dimension(self) -> int:
        """Number of axes, 2 or 3."""
        return len(self.size)

    @property
    def grains(self) -> int:
        """Number of grains."""
        return len(self.seeds)

    @cached_property
    def diagram(self) -> Cells:
        """Facets with their corners and cells, in mean cell edges, computed once."""
        return _diagram(self.seeds, self.weights, self.size, self.periodic)

    @cached_property
    def tessellation(self) -> Tessellation:
        """Exact geometry of the cells, computed once."""
        return tessellation_of(self.diagram, self.size, periodic=self.periodic)

    @cached_property
    def _raster(self) -> Raster:
        """Draws the cells on grids and remembers the last one."""
        return Raster(self.seeds, self.weights, self.size, periodic=self.periodic)

    @property
    def volume_fractions(self) -> dict[str, float]:
        """Volume fraction of each phase."""
        return volume_fractions(self.phases, self.tessellation.volumes, self.phase_names)

    @property
    def area_density(self) -> dict[str, float]:
        """Boundary area of each type per volume [1/m]; in 2D length per area."""
        box = float(np.prod(self.size))
        areas = area_by_type(self.tessellation.facets, self.phases, self.phase_names)
        return {name: area / box for name, area in areas.items()}

    def labels(self, cells: Sequence[int]) -> NDArray[np.int32]:
        """Find the grain of each voxel of a grid.

        Parameters
        ----------
        cells : sequence of int
            Voxels along each axis.

        Returns
        -------
        (cells) array of int32
            Grain numbers. A grain that is smaller than a voxel may be missing; see
            ``check_resolution``.

        Raises
        ------
        RecipeError
            If ``cells`` is not a grid of this dimension.
        """
        return self._raster.labels(cells)

    def labels_and_images(self, cells: Sequence[int]) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
        """Find the grain of each voxel and which periodic image of its seed is there.

        Parameters
        ----------
        cells : sequence of int
            Voxels along each axis.

        Returns
        -------
        labels : (cells) array of int32
            Grain numbers.
        images : (cells + (d,)) array of int8
            The seed that wins lies at ``seeds[label] + image * size``.

        Raises
        ------
        RecipeError
            If ``cells`` is not a grid of this dimension.
        """
        return self._raster.labels_and_images(cells)

    def phase_image(self, cells: Sequence[int]) -> NDArray[np.int8]:
        """Find the phase of each voxel of a grid.

        Parameters
        ----------
        cells : sequence of int
            Voxels along each axis.

        Returns
        -------
        (cells) array of int8
            Indices into ``phase_names``.
        """
        image: NDArray[np.int8] = self.phases.astype(np.int8)[self.labels(cells)]
        return image

    def grain_graph(self, symmetry: str | Mapping[str, str] = "cubic") -> nx.Graph[int]:
        """Build the graph of grains and boundaries.

        Parameters
        ----------
        symmetry : str or mapping of str to str, optional
            ``"cubic"``, ``"hexagonal"`` or ``"trigonal"``, of all phases or by phase.

        Returns
        -------
        networkx.Graph
            Nodes: ``phase`` (name), ``volume`` [m³], ``centroid`` [m], ``orientation``.
            Edges: ``type`` (``"LCO|LLZO"``), ``area`` [m²], ``normal``, ``misorientation``
            [degrees], and ``facets``, numbers in the table ``graph.graph["facets"]``.
            ``graph.graph["triple_lines"]`` and ``["junction_points"]`` are tables of where
            boundaries meet (:class:`JunctionTable`). In 2D volume is area [m²] and area is
            length [m]. A grain that meets itself through the periodic box has a self-loop.

        Raises
        ------
        RecipeError
            If a phase has no symmetry.
        """
        cells = self.tessellation
        graph = build_grain_graph(
            cells.facets,
            self.phases,
            self.phase_names,
            volume=cells.volumes,
            centroid=cells.centroids,
            orientation=self.orientations,
        )
        add_misorientation(graph, self.orientations, symmetry, self.dimension)
        lines, points = exact_junctions(cells, self.phases, self.phase_names)
        graph.graph.update(facets=cells.facets, triple_lines=lines, junction_points=points)
        return graph

    def scaled(self, factor: float) -> Polycrystal:
        """Make the same geometry with all lengths multiplied.

        Parameters
        ----------
        factor : float
            Positive factor.

        Returns
        -------
        Polycrystal
            Scaled crystal.

        Raises
        ------
        RecipeError
            If the factor is not a positive number.
        """
        if not (np.isfinite(factor) and factor > 0):
            raise RecipeError(describe("factor", "a positive number", factor))
        size = self.size * factor
        seeds = np.minimum(self.seeds * factor, np.nextafter(size, 0))
        return replace(self, seeds=seeds, weights=self.weights * factor**2, size=size)


def check_resolution(crystal: Polycrystal, cells: Sequence[int], minimum: float = 4.0) -> float:
    """Refuse a grid that is too coarse for the grains.

    Parameters
    ----------
    crystal : Polycrystal
        Grains.
    cells : sequence of int
        Voxels along each axis.
    minimum : float, optional
        Least number of voxels along the edge of the mean grain, on the coarsest axis.

    Returns
    -------
    float
        Voxels along the edge of the mean grain.

    Raises
    ------
    ResolutionError
        If there are fewer.
    RecipeError
        If ``cells`` is not a grid of this dimension.
    """
    counts = np.array(check_cells(cells, crystal.dimension))
    edge = (np.prod(crystal.size) / crystal.grains) ** (1 / crystal.dimension)
    found = float(np.min(edge * counts / crystal.size))
    check_voxels(found, crystal.grains, cells, minimum)
    return found


def check_voxels(found: float, grains: int, cells: Sequence[int], minimum: float = 4.0) -> None:
    """Refuse too coarse a grid, also for a crystal that is not grown yet.

    Parameters
    ----------
    found : float
        Voxels along the edge of the mean grain.
    grains : int
        Number of grains.
    cells : sequence of int
        Voxels along each axis.
    minimum : float, optional
        Fewest voxels along that edge.

    Raises
    ------
    ResolutionError
        If there are fewer.
    """
    if found < minimum * (1 - 1e-9):  # 27^(1/3) is not quite 3
        needed = " ".join(str(math.ceil(n * minimum / found)) for n in cells)
        raise ResolutionError(
            describe(
                "cells",
                f"at least {minimum:g} voxels for each grain edge",
                f"{found:.2g} ({grains} grains on {' × '.join(map(str, cells))} voxels)",
                f"take cells = {needed} or fewer grains",
            )
        )


def _check_grains(grains: object) -> int:
    """Check the number of grains."""
    whole = isinstance(grains, int | np.integer) and not isinstance(grains, bool)
    if not whole or int(grains) < 1:  # type: ignore[call-overload]
        raise RecipeError(describe("grains", "a whole number, 1 or more", grains))
    return int(grains)  # type: ignore[call-overload, no-any-return]


def _check_size(size: ArrayLike) -> Floats:
    """Check the box."""
    try:
        edges = np.asarray(size, dtype=float)
    except (TypeError, ValueError):
        raise RecipeError(describe("size", "two or three lengths in m", size)) from None
    if edges.shape not in ((2,), (3,)) or not np.all(np.isfinite(edges) & (edges > 0)):
        raise RecipeError(describe("size", "two or three positive lengths in m", size))
    return edges


def _check_length(name: str, value: object, least: float) -> None:
    """Check an optional number that must be finite and not below (or at) a bound."""
    if value is None:
        return
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not np.isfinite(value) or value < least:  # type: ignore[call-overload, operator]
        raise RecipeError(describe(name, "a finite number, not negative", value))


def make_generator(seed: int | np.random.Generator) -> np.random.Generator:
    """Turn a seed into a generator; leave a generator as it is.

    Parameters
    ----------
    seed : int or numpy.random.Generator
        Seed, not negative.

    Returns
    -------
    numpy.random.Generator
        Source of randomness.

    Raises
    ------
    RecipeError
        If it is neither.
    """
    if isinstance(seed, np.random.Generator):
        return seed
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if not whole or seed < 0:
        raise RecipeError(describe("seed", "a whole number, 0 or more, or a Generator", seed))
    return np.random.default_rng(int(seed))


def polycrystal(
    grains: int,
    size: ArrayLike,
    phases: Mapping[str, float],
    seed: int | np.random.Generator,
    *,
    periodic: bool = True,
    seeding: str = "poisson",
    minimum_distance: float | None = None,
    lloyd_steps: int = DEFAULT_LLOYD_STEPS,
    grain_size_cv: float | None = None,
    correlation_length: float | None = None,
) -> Polycrystal:
    """Make a polycrystal.

    Parameters
    ----------
    grains : int
        Number of grains.
    size : (d,) array_like
        Box edges [m]; two or three.
    phases : mapping of str to float
        Volume fraction of each phase; a pore is a phase too. Two phases are met so that
        |realised − wanted| is at most half the volume of the largest grain divided by the
        box, in exact volumes; grains are then swapped to come far closer (1e-4 and below
        for a hundred grains).
    seed : int or numpy.random.Generator
        The same seed gives the same crystal.
    periodic : bool, optional
        Whether the box repeats; otherwise its faces are walls.
    seeding : str, optional
        ``"poisson"``, ``"minimum-distance"`` or ``"lloyd"``.
    minimum_distance : float, optional
        Least distance of two seeds [m] for ``"minimum-distance"``; 0.7 mean cell edges
        unless given.
    lloyd_steps : int, optional
        Relaxation steps for ``"lloyd"``.
    grain_size_cv : float, optional
        Standard deviation divided by the mean of the volume-equivalent diameters, which then
        follow a log-normal law (power cells). Mean and standard deviation agree with the law
        within 1e-3 relative, each cell volume with its target within 1e-3.
    correlation_length : float, optional
        Clusters the phases over this length [m] by a Gaussian random field of covariance
        exp(−(r/ξ)²); uncorrelated unless given.

    Returns
    -------
    Polycrystal
        Seeds, phases and orientations.

    Raises
    ------
    RecipeError
        If an argument cannot be used.
    GenerationError
        If seeds do not fit or the grain-size law is not met.
    """
    count, box = _check_grains(grains), _check_size(size)
    names, fractions = check_phases(phases)
    check_seeding(seeding, minimum_distance, lloyd_steps)
    _check_length("grain_size_cv", grain_size_cv, 0.0)
    _check_length("correlation_length", correlation_length, 0.0)
    generator = make_generator(seed)
    seeds = place_seeds(
        count,
        box,
        generator,
        seeding=seeding,
        periodic=periodic,
        minimum_distance=minimum_distance,
        lloyd_steps=lloyd_steps,
    )
    weights = np.zeros(count)
    if grain_size_cv is not None:
        law = lognormal_volumes(count, float(np.prod(box)), float(grain_size_cv), len(box))
        weights = transport_weights(seeds, box, generator.permutation(law), periodic=periodic)
    diagram = _diagram(seeds, weights, box, periodic)
    fields = _phase_fields(seeds, box, correlation_length, generator, periodic, len(names) - 1)
    volumes = diagram.volumes * mean_cell_edge(box, count) ** len(box)
    assigned = assign_phases(volumes, fractions, fields)
    orientations = random_orientations(count, generator)
    crystal = Polycrystal(seeds, weights, box, periodic, assigned, names, orientations)
    object.__setattr__(crystal, "diagram", diagram)
    return crystal


def _diagram(seeds: Floats, weights: Floats, size: Floats, periodic: bool) -> Cells:
    """Measure the cells of seeds, in mean cell edges."""
    check_seeds(seeds, weights, size)
    unit = mean_cell_edge(size, len(seeds))
    return measure(seeds / unit, weights / unit**2, size / unit, periodic=periodic)


def _phase_fields(
    seeds: Floats,
    size: Floats,
    correlation_length: float | None,
    generator: np.random.Generator,
    periodic: bool,
    count: int,
) -> Floats:
    """Draw the fields that order the grains, one for each phase but the last."""
    if not correlation_length:
        return generator.standard_normal((count, len(seeds)))
    fields = [
        gaussian_field(seeds, size, correlation_length, generator, periodic=periodic)
        for _ in range(count)
    ]
    return np.array(fields, dtype=float).reshape(count, len(seeds))
