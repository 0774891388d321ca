"""What a network needs to know of a polycrystal: the only file that reads one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiscale.errors import InputError, describe
from multiscale.microstructure import Polycrystal, boundary_types, facet_types

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LEAST_SHARE = 0.01
"""Least share of the distance between two seeds that lies on either side of their facet."""


@dataclass(frozen=True, slots=True)
class GrainNetwork:
    """Grains as nodes and their facets as links, in plain arrays.

    Attributes
    ----------
    size : ndarray, shape (d,)
        Box edges in m.
    periodic : bool
        Whether the box repeats.
    volumes : ndarray, shape (n,)
        Of the grains, in m³ (2D: m²).
    phases : ndarray of int64, shape (n,)
        Index into ``phase_names``.
    phase_names : tuple of str
        Names of the p phases.
    first, second : ndarray of int64, shape (m,)
        Grains at each facet.
    image : ndarray of int64, shape (m, d)
        Box offset of ``second``.
    area : ndarray, shape (m,)
        Facet areas in m² (2D: lengths in m).
    normal : ndarray, shape (m, d)
        Unit normals.
    distance_first, distance_second : ndarray, shape (m,)
        From the seeds to the facet's plane in m. A power cell need not hold its own seed: then
        the distance, zero or negative, is set to 1 % of the whole and the whole is kept.
    types : ndarray of int64, shape (m,)
        Index into ``boundary_types``.
    boundary_types : tuple of str
        All pairs of phases, sorted and joined by ``|``.
    wall_grain, wall_axis, wall_side : ndarray of int64, shape (w,)
        Grain, axis and side (0 low, 1 high) of each contact with a box face.
    wall_area, wall_distance : ndarray, shape (w,)
        Area of the contact in m² (2D: m) and distance of the seed from it in m.
    orientations : ndarray, shape (n, 4)
        Unit quaternion of each grain.
    centroid : ndarray, shape (m, d)
        Of the facets, in m, beside the seed of ``first``.
    wall_centroid : ndarray, shape (w, d)
        Of the contacts, in m.
    """

    size: Floats
    periodic: bool
    volumes: Floats
    phases: Integers
    phase_names: tuple[str, ...]
    first: Integers
    second: Integers
    image: Integers
    area: Floats
    normal: Floats
    distance_first: Floats
    distance_second: Floats
    types: Integers
    boundary_types: tuple[str, ...]
    wall_grain: Integers
    wall_axis: Integers
    wall_side: Integers
    wall_area: Floats
    wall_distance: Floats
    orientations: Floats
    centroid: Floats
    wall_centroid: Floats

    @property
    def dimension(self) -> int:
        """Number of axes d."""
        return len(self.size)

    @property
    def grains(self) -> int:
        """Number of grains n."""
        return len(self.volumes)

    def walls(self, axis: int, side: int) -> NDArray[np.intp]:
        """Find the contacts with one box face.

        Parameters
        ----------
        axis : int
            Normal of the face.
        side : int
            0 for the low face, 1 for the high one.

        Returns
        -------
        ndarray of int
            Rows of the wall arrays.
        """
        return np.flatnonzero((self.wall_axis == axis) & (self.wall_side == side))


def grain_network(crystal: Polycrystal) -> GrainNetwork:
    """Gather the grains and facets of a polycrystal.

    Parameters
    ----------
    crystal : Polycrystal
        A polycrystal with its tessellation.

    Returns
    -------
    GrainNetwork
        Its nodes and links.

    Raises
    ------
    InputError
        If it is no polycrystal.
    """
    if not isinstance(crystal, Polycrystal):
        raise InputError(describe("crystal", "a Polycrystal", type(crystal).__name__))
    cells, names = crystal.tessellation, crystal.phase_names
    phases = _integers(crystal.phases)
    facets, walls = cells.facets, cells.walls
    first, second = _integers(facets.first), _integers(facets.second)
    total = facets.distance_first + facets.distance_second
    least = LEAST_SHARE * total
    wall_image = _integers(walls.image)
    return GrainNetwork(
        size=np.asarray(crystal.size, dtype=np.float64),
        periodic=bool(crystal.periodic),
        volumes=np.asarray(cells.volumes, dtype=np.float64),
        phases=phases,
        phase_names=names,
        first=first,
        second=second,
        image=_integers(facets.image) if crystal.periodic else 0 * _integers(facets.image),
        area=np.asarray(facets.area, dtype=np.float64),
        normal=np.asarray(facets.normal, dtype=np.float64),
        distance_first=np.clip(facets.distance_first, least, total - least),
        distance_second=np.clip(facets.distance_second, least, total - least),
        types=facet_types(facets, phases, names),
        boundary_types=boundary_types(names),
        wall_grain=_integers(walls.first),
        wall_axis=_integers(np.argmax(np.abs(wall_image), axis=1)),
        wall_side=_integers(wall_image.sum(axis=1) > 0),
        wall_area=np.asarray(walls.area, dtype=np.float64),
        wall_distance=np.maximum(walls.distance_first, 1e-6 * float(np.min(crystal.size))),
        orientations=np.asarray(crystal.orientations, dtype=np.float64),
        centroid=np.asarray(facets.centroid, dtype=np.float64),
        wall_centroid=np.asarray(walls.centroid, dtype=np.float64),
    )


def _integers(values: Any) -> Integers:
    return np.asarray(values, dtype=np.int64)
