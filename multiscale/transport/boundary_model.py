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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from multiscale.errors import PropertyError, describe, nearest
from multiscale.properties import Boundary

FloatArray = NDArray[np.float64]

STEEPEST = 0.05
"""Smallest |n_a| that a face resistance is divided by."""
LARGEST_REPLACEMENT = 0.4
"""A fast film takes away at most this share of the resistance of its voxel half."""
NEGLIGIBLE_SHEET = 1e-6
"""Sheets that conduct less than this times the voxels beside them are left out."""

BoundaryMap = Mapping[tuple[str, str], Boundary] | Mapping[str, Boundary]


@dataclass(frozen=True, slots=True)
class Films:
    """Film properties for every pair of phases.

    Parameters
    ----------
    width : (p, p) ndarray
        Film width [m]; zero where the pair has no film.
    across, along : (p, p) ndarray
        Coefficients of the film [m²/s], Hart's segregation factor included.
    """

    width: FloatArray
    across: FloatArray
    along: FloatArray

    def resistance(self, bulk: FloatArray) -> FloatArray:
        """Excess areal resistance on the side of the first phase.

        Parameters
        ----------
        bulk : (p,) ndarray
            Bulk coefficient of each phase.

        Returns
        -------
        (p, p) ndarray
            R_g of row phase g against column phase k; infinite where the
            film blocks.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse_bulk = np.where(bulk > 0, 1.0 / bulk, 0.0)[:, None]
            excess = 0.5 * self.width * (1.0 / self.across - inverse_bulk)
        return np.where(self.width > 0, excess, 0.0)

    def sheet(self, bulk: FloatArray) -> FloatArray:
        """Excess sheet conductance of each pair.

        Parameters
        ----------
        bulk : (p,) ndarray
            Bulk coefficient of each phase.

        Returns
        -------
        (p, p) ndarray
            G = δ (K∥ − mean bulk) [m × coefficient].
        """
        mean = 0.5 * (bulk[:, None] + bulk[None, :])
        return np.where(self.width > 0, self.width * (self.along - mean), 0.0)


def films(
    boundaries: BoundaryMap | None, phase_names: Sequence[str], bulk: Sequence[float]
) -> Films | None:
    """Tabulate the films between all pairs of phases.

    Parameters
    ----------
    boundaries : mapping or None
        ``("LLZO", "LCO")`` or ``"LLZO|LCO"`` → :class:`Boundary`; None for no
        films at all.
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
        If a pair is unknown or a pair of conducting phases has no entry.
    """
    if boundaries is None:
        return None
    count = len(phase_names)
    width, across, along = (np.zeros((count, count)) for _ in range(3))
    given = {}
    for key, film in boundaries.items():
        pair = tuple(key.split("|")) if isinstance(key, str) else tuple(key)
        for name in pair:
            if name not in phase_names or len(pair) != 2:
                raise PropertyError(
                    describe(
                        f"boundaries[{key!r}]",
                        "two phase names of this crystal",
                        "|".join(map(str, pair)),
                        nearest(str(name), phase_names),
                    )
                )
        if not isinstance(film, Boundary):
            raise PropertyError(
                describe(f"boundaries[{key!r}]", "a multiscale.Boundary", repr(film))
            )
        g, k = phase_names.index(pair[0]), phase_names.index(pair[1])
        given[min(g, k), max(g, k)] = film
    for g in range(count):
        for k in range(g, count):
            if (g, k) in given:
                film = given[g, k]
                for table, value in (
                    (width, film.width),
                    (across, film.segregation * film.across),
                    (along, film.segregation * film.along),
                ):
                    table[g, k] = table[k, g] = value
            elif bulk[g] > 0 and bulk[k] > 0:
                names = f"{phase_names[g]}|{phase_names[k]}"
                raise PropertyError(
                    describe(
                        "boundaries",
                        f"an entry for {names}",
                        sorted(
                            "|".join(pair) if not isinstance(pair, str) else pair
                            for pair in boundaries
                        ),
                        f"add ({phase_names[g]!r}, {phase_names[k]!r}): Boundary(...)",
                    )
                )
    return Films(width, across, along)


@njit(cache=True)
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
        upper = index[f].copy()
        upper[axis[f]] = (upper[axis[f]] + 1) % labels.shape[axis[f]]
        p, q, r = upper[0], upper[1], upper[2]
        norm = 0.0
        for a in range(d):
            turn = float(images[p, q, r, a]) - float(images[i, j, k, a])
            if wraps[f] and a == axis[f]:
                turn += 1.0
            delta = seeds[labels[p, q, r], a] - seeds[labels[i, j, k], a] + turn * size[a]
            out[f, a] = delta
            norm += delta * delta
        for a in range(d):
            out[f, a] /= np.sqrt(norm)
    return out


@njit(cache=True)
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
