"""Where grains grow from: Poisson, minimum-distance and Lloyd-relaxed seeds."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from multiscale.errors import GenerationError, RecipeError, describe, nearest
from multiscale.microstructure.power_cells import cell_measures, mean_cell_edge
from multiscale.microstructure.power_diagram import Floats

SEEDINGS = ("poisson", "minimum-distance", "lloyd")
# Random sequential addition jams when spheres of the least distance fill 0.547 (2D) or 0.384 (3D)
# of the box: at 0.83 and 0.90 of the mean cell edge.
DEFAULT_MINIMUM_DISTANCE = 0.7
DEFAULT_LLOYD_STEPS = 5
MAXIMUM_DARTS = 2000  # for each grain


def wrapped(points: Floats, size: Floats) -> Floats:
    """Bring points into the box [0, size).

    Parameters
    ----------
    points : (n, d) array
        Points [m].
    size : (d,) array
        Box edges [m].

    Returns
    -------
    (n, d) array
        Periodic equivalents in the box.
    """
    inside: Floats = np.mod(points, size)
    inside[inside >= size] = 0.0
    return inside


def poisson_seeds(count: int, size: Floats, generator: np.random.Generator) -> Floats:
    """Draw seeds at random, independent of each other.

    Parameters
    ----------
    count : int
        Number of seeds.
    size : (d,) array
        Box edges [m].
    generator : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    (n, d) array
        Seeds [m].
    """
    return wrapped(generator.random((count, len(size))) * size, size)


def minimum_distance_seeds(
    count: int, size: Floats, distance: float, generator: np.random.Generator, *, periodic: bool
) -> Floats:
    """Draw seeds one after another, refusing those too near to an earlier one.

    Parameters
    ----------
    count : int
        Number of seeds.
    size : (d,) array
        Box edges [m].
    distance : float
        Least distance of two seeds [m].
    generator : numpy.random.Generator
        Source of randomness.
    periodic : bool
        Whether distance is measured through the faces of the box.

    Returns
    -------
    (n, d) array
        Seeds [m].

    Raises
    ------
    GenerationError
        If the box is full before all seeds are placed.
    """
    box = size if periodic else None
    placed = np.zeros((0, len(size)))
    thrown = 0
    while len(placed) < count:
        if thrown > MAXIMUM_DARTS * count:
            raise GenerationError(
                f"minimum-distance seeds: {len(placed)} of {count} fit at a least distance of "
                f"{distance:.3g} m; lower it or take seeding 'lloyd'"
            )
        darts = poisson_seeds(max(count, 16), size, generator)
        thrown += len(darts)
        if len(placed):
            gap = cKDTree(placed, boxsize=box).query(darts)[0]
            darts = darts[gap >= distance]
        conflicts = cKDTree(darts, boxsize=box).query_pairs(distance) if len(darts) > 1 else set()
        refused = np.zeros(len(darts), dtype=bool)
        for early, late in sorted(conflicts):
            refused[late] |= not refused[early]
        placed = np.concatenate([placed, darts[~refused]])
    return placed[:count]


def lloyd_seeds(seeds: Floats, size: Floats, steps: int, *, periodic: bool) -> Floats:
    """Move each seed to the centroid of its Voronoi cell, again and again.

    Parameters
    ----------
    seeds : (n, d) array
        Seeds [m].
    size : (d,) array
        Box edges [m].
    steps : int
        How often.
    periodic : bool
        Whether the box repeats.

    Returns
    -------
    (n, d) array
        Seeds [m] of a more regular tessellation.
    """
    for _ in range(steps):
        seeds = cell_measures(seeds, size, np.zeros(len(seeds)), periodic=periodic)[1]
        seeds = wrapped(seeds, size) if periodic else seeds
    return seeds


def check_seeding(seeding: str, minimum_distance: float | None, lloyd_steps: int) -> None:
    """Refuse a seeding law that does not exist or cannot be.

    Parameters
    ----------
    seeding : str
        Name of the law.
    minimum_distance : float or None
        Least distance of two seeds [m].
    lloyd_steps : int
        Number of relaxation steps.

    Raises
    ------
    RecipeError
        If one of them is wrong.
    """
    if seeding not in SEEDINGS:
        raise RecipeError(
            describe("seeding", "a seeding law", seeding, nearest(str(seeding), SEEDINGS))
        )
    if minimum_distance is not None and not (
        isinstance(minimum_distance, int | float)
        and np.isfinite(minimum_distance)
        and minimum_distance > 0
    ):
        raise RecipeError(describe("minimum_distance", "a positive length in m", minimum_distance))
    if isinstance(lloyd_steps, bool) or not isinstance(lloyd_steps, int) or lloyd_steps < 0:
        raise RecipeError(describe("lloyd_steps", "a whole number, 0 or more", lloyd_steps))


def place_seeds(
    count: int,
    size: Floats,
    generator: np.random.Generator,
    *,
    seeding: str,
    periodic: bool,
    minimum_distance: float | None = None,
    lloyd_steps: int = DEFAULT_LLOYD_STEPS,
) -> Floats:
    """Place seeds by a named law.

    Parameters
    ----------
    count : int
        Number of seeds.
    size : (d,) array
        Box edges [m].
    generator : numpy.random.Generator
        Source of randomness.
    seeding : str
        ``"poisson"``, ``"minimum-distance"`` or ``"lloyd"``.
    periodic : bool
        Whether the box repeats.
    minimum_distance : float, optional
        Least distance [m]; 0.7 mean cell edges unless given.
    lloyd_steps : int, optional
        Relaxation steps.

    Returns
    -------
    (n, d) array
        Seeds [m] in the box.

    Raises
    ------
    RecipeError
        If the law or an option is wrong.
    GenerationError
        If the seeds do not fit.
    """
    check_seeding(seeding, minimum_distance, lloyd_steps)
    if seeding == "minimum-distance":
        distance = minimum_distance or DEFAULT_MINIMUM_DISTANCE * mean_cell_edge(size, count)
        return minimum_distance_seeds(count, size, distance, generator, periodic=periodic)
    seeds = poisson_seeds(count, size, generator)
    if seeding == "lloyd":
        seeds = lloyd_seeds(seeds, size, lloyd_steps, periodic=periodic)
    return seeds
