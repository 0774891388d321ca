"""Boundaries thinner than a voxel, collapsed onto the faces between grains.

A film of width δ with coefficients K⊥ across and K∥ along it replaces as much
bulk. Only its *excess* over that bulk enters, so K⊥ = K∥ = K_bulk changes
nothing::

    R_g = δ/2 (1/K⊥ − 1/K_g)      areal resistance, one on each side g
    G   = δ (K∥ − (K_g + K_k)/2)  sheet conductance

A plane cut into voxel faces has Σ|n_a| times its area. A current normal to the
plane meets a face of normal a with the density |n_a| j, so its film must have
R/|n_a|. A current along the plane from the centre of a face of normal a
towards direction b travels a staircase; the sheet conductance that gives the
plane's own is G (|n_a| + |n_b|): exact for planes along an axis, for 45° planes
in both directions and for the (111) plane, where the faces form a kagome
lattice of conductance √3/2.

References
----------
Fisher, J. Appl. Phys. 22, 74 (1951), 10.1063/1.1699825 (boundary as a sheet);
Hashin, J. Mech. Phys. Solids 50, 2509 (2002), 10.1016/S0022-5096(02)00050-9
(imperfect interface as a limit of a thin interphase).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiscale.numerics.compiling import kernel
from multiscale.transport.boundary_classes import BoundaryClasses, BoundaryMap, films_by_pair

__all__ = [
    "LARGEST_REPLACEMENT",
    "NEGLIGIBLE_SHEET",
    "STEEPEST",
    "BoundaryMap",
    "Films",
    "films",
    "normals_from_faces",
    "normals_from_seeds",
]

FloatArray = NDArray[np.float64]

STEEPEST = 0.05
"""Smallest |n_a| that a face resistance is divided by."""
LARGEST_REPLACEMENT = 0.4
"""A fast film takes away at most this share of the resistance of its voxel half."""
NEGLIGIBLE_SHEET = 1e-6
"""Sheets that conduct less than this times the voxels beside them are left out."""


@dataclass(frozen=True, slots=True)
class Films:
    """Film properties of every class of boundary.

    Parameters
    ----------
    classes : BoundaryClasses
        What the classes are and which facet belongs to which.
    width : (c,) ndarray
        Film width [m]; zero where a pair of phases has no film.
    across, along : (c,) ndarray
        Coefficients of the film [m²/s], Hart's segregation factor included.
    """

    classes: BoundaryClasses
    width: FloatArray
    across: FloatArray
    along: FloatArray

    @property
    def names(self) -> tuple[str, ...]:
        """Classes: ``"A|B"`` for each pair of phases, ``"A|B rule"`` for each rule of it."""
        return self.classes.names

    def classify(
        self,
        first_phase: NDArray[np.integer],
        second_phase: NDArray[np.integer],
        first_orientation: FloatArray | None,
        second_orientation: FloatArray | None,
        normal: FloatArray,
    ) -> NDArray[np.int64]:
        """Find the class of each facet.

        Parameters
        ----------
        first_phase, second_phase : (m,) int ndarray
            Phases on either side.
        first_orientation, second_orientation : (m, 4) ndarray or None
            Quaternions of the grains on either side; needed where rules are.
        normal : (m, d) ndarray
            Unit normals.

        Returns
        -------
        (m,) int ndarray
            Place in ``names``; −1 where there is no film.

        Raises
        ------
        PropertyError
            If rules are to be asked of grains without orientations.
        """
        return self.classes.classify(
            first_phase, second_phase, first_orientation, second_orientation, normal
        )

    def resistance(self, classes: NDArray[np.integer], bulk: FloatArray) -> FloatArray:
        """Excess areal resistance on one side of each facet.

        Parameters
        ----------
        classes : (m,) int ndarray
            Class of each facet; −1 for no film.
        bulk : (m,) ndarray
            Bulk coefficient on this side.

        Returns
        -------
        (m,) ndarray
            R_g; infinite where the film blocks, zero where there is none.
        """
        has = (classes >= 0) & (self.width[classes] > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse_bulk = np.where(bulk > 0, 1.0 / bulk, 0.0)
            excess = 0.5 * self.width[classes] * (1.0 / self.across[classes] - inverse_bulk)
        return np.where(has, excess, 0.0)

    def sheet(
        self, classes: NDArray[np.integer], first_bulk: FloatArray, second_bulk: FloatArray
    ) -> FloatArray:
        """Excess sheet conductance of each facet.

        Parameters
        ----------
        classes : (m,) int ndarray
            Class of each facet; −1 for no film.
        first_bulk, second_bulk : (m,) ndarray
            Bulk coefficient on either side.

        Returns
        -------
        (m,) ndarray
            G = δ (K∥ − mean bulk) [m × coefficient].
        """
        has = (classes >= 0) & (self.width[classes] > 0)
        mean = 0.5 * (first_bulk + second_bulk)
        return np.where(has, self.width[classes] * (self.along[classes] - mean), 0.0)


def films(
    boundaries: BoundaryMap | None, phase_names: Sequence[str], bulk: Sequence[float]
) -> Films | None:
    """Tabulate the films of all classes of boundary.

    Parameters
    ----------
    boundaries : mapping or None
        ``("LLZO", "LCO")`` or ``"LLZO|LCO"`` → :class:`Boundary` or
        :class:`BoundaryRules`; None for no films at all.
    phase_names : sequence of str
        Phases in the order of their index.
    bulk : sequence of float
        Bulk coefficient of each phase; a pair with a phase of coefficient
        zero (a pore) may go without a film.

    Returns
    -------
    Films or None
        The table; None if ``boundaries`` is None.

    Raises
    ------
    PropertyError
        If a pair is unknown, a pair of conducting phases has no entry, or
        rules do not fit their pair.
    """
    if boundaries is None:
        return None
    classes = BoundaryClasses.of(films_by_pair(boundaries, phase_names, bulk), phase_names)
    table = np.array(
        [
            (0.0, 0.0, 0.0)
            if film is None
            else (film.width, film.segregation * film.across, film.segregation * film.along)
            for film in classes.films
        ]
    )
    width, across, along = np.ascontiguousarray(table.T)
    return Films(classes, width, across, along)


@kernel()
def normals_from_seeds(axis, labels, images, seeds, size, index, wraps):  # type: ignore[no-untyped-def]
    """True boundary normals at faces between grains of a tessellation.

    Parameters
    ----------
    axis : (m,) int8 ndarray
        Normal axis of each face.
    labels : (nx, ny, nz) int32 ndarray
        Grain numbers.
    images : (nx, ny, nz, d) int8 ndarray
        Box offset of the winning seed of each voxel.
    seeds : (n, d) ndarray
        Seed positions [m].
    size : (d,) ndarray
        Box edges [m].
    index : (m, 3) int32 ndarray
        Lower voxel of each face.
    wraps : (m,) int8 ndarray
        One where the upper voxel lies across the periodic box face.

    Returns
    -------
    (m, d) ndarray
        Unit vectors from the lower to the upper grain's seed.
    """
    d = seeds.shape[1]
    out = np.zeros((axis.size, d))
    for f in range(axis.size):
        i, j, k = index[f, 0], index[f, 1], index[f, 2]
        p, q, r = i + (axis[f] == 0), j + (axis[f] == 1), k + (axis[f] == 2)
        if wraps[f]:
            p, q, r = p % labels.shape[0], q % labels.shape[1], r % labels.shape[2]
        lower, upper = labels[i, j, k], labels[p, q, r]
        norm = 0.0
        for a in range(d):
            turn = float(images[p, q, r, a]) - float(images[i, j, k, a])
            if wraps[f] and a == axis[f]:
                turn += 1.0
            delta = seeds[upper, a] - seeds[lower, a] + turn * size[a]
            out[f, a] = delta
            norm += delta * delta
        for a in range(d):
            out[f, a] /= np.sqrt(norm)
    return out


@kernel()
def normals_from_faces(axis, labels, index, area, reach, periodic, d):  # type: ignore[no-untyped-def]  # noqa: C901
    """Boundary normals at faces of a label image, by the local vector area.

    The signed faces between the same two labels within ``reach`` voxels add
    up to the vector area of that patch, which no staircase biases.

    Parameters
    ----------
    axis : (m,) int8 ndarray
        Normal axis of each face.
    labels : (nx, ny, nz) int32 ndarray
        Grain numbers.
    index : (m, 3) int32 ndarray
        Lower voxel of each face.
    area : (3,) ndarray
        Area of a voxel face of each normal axis.
    reach : int
        Half width of the window in voxels.
    periodic : bool
        Whether the window wraps around the box.
    d : int
        Number of active axes.

    Returns
    -------
    (m, d) ndarray
        Unit vectors from the lower to the upper grain.
    """
    n = labels.shape
    out = np.zeros((axis.size, d))
    span = np.empty(3, np.int64)
    for f in range(axis.size):
        low = index[f]
        up = low.copy()
        up[axis[f]] = (up[axis[f]] + 1) % n[axis[f]]
        g, k = labels[low[0], low[1], low[2]], labels[up[0], up[1], up[2]]
        for a in range(3):
            span[a] = min(reach, (n[a] - 1) // 2) if a < d else 0
        vector = np.zeros(3)
        for di in range(-span[0], span[0] + 1):
            for dj in range(-span[1], span[1] + 1):
                for dk in range(-span[2], span[2] + 1):
                    i, j, m = low[0] + di, low[1] + dj, low[2] + dk
                    if periodic:
                        i, j, m = i % n[0], j % n[1], m % n[2]
                    elif i < 0 or j < 0 or m < 0 or i >= n[0] or j >= n[1] or m >= n[2]:
                        continue
                    here = labels[i, j, m]
                    if here != g and here != k:
                        continue
                    for a in range(d):
                        p, q, r = i + (a == 0), j + (a == 1), m + (a == 2)
                        if periodic:
                            p, q, r = p % n[0], q % n[1], r % n[2]
                        elif p >= n[0] or q >= n[1] or r >= n[2]:
                            continue
                        there = labels[p, q, r]
                        if here == g and there == k:
                            vector[a] += area[a]
                        elif here == k and there == g:
                            vector[a] -= area[a]
        norm = np.sqrt((vector**2).sum())
        if norm == 0.0:
            vector[axis[f]] = 1.0
            norm = 1.0
        for a in range(d):
            out[f, a] = vector[a] / norm
    return out
