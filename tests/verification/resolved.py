"""Effective diffusivity of polycrystals whose boundaries are films of real thickness.

The slow and obvious reference that the thin-film schemes are measured against; it shares
with them the polycrystal and nothing else.

Definition. A point of grain g lies in the film of facet k if the plane of k is the nearest
of g's facet planes and less than δ/2 away. There K = K⊥ n nᵀ + K∥ (1 − n nᵀ); elsewhere K is
the grain's, a number or its turned crystal tensor. Where films meet each keeps its own K up
to the plane halfway between them: a choice that matters to films with K⊥ ≠ K∥ or of several
kinds, in a region of size δ.

``resolved_2d``: triangles that fit the films, guaranteed bounds (resolved_planar).
``resolved_grid``: voxels small enough to resolve the films, 2D and 3D, extrapolated.
"""

from collections.abc import Mapping

import numpy as np
from resolved_grid import extrapolate, solve_grid
from resolved_mesh import GRAIN, triangulate
from resolved_planar import adapt

from multiscale.transport.orientation import grain_tensors


def film_width(boundaries):
    """The one thickness of all films; zero without films."""
    widths = {film.width for film in boundaries.values()} if boundaries else {0.0}
    if len(widths) != 1:
        raise ValueError(f"films of one thickness are needed, not of {sorted(widths)}")
    return widths.pop()


def bulk_tensors(crystal, phases):
    """Coefficient of each grain in the sample frame, (n, d, d)."""
    values = [np.asarray(phases[name], float) for name in crystal.phase_names]
    return grain_tensors(values, crystal.phases, crystal.orientations, crystal.dimension)


def facet_coefficients(crystal, boundaries):
    """K⊥ and K∥ of each facet, (m,) both."""
    given = {}
    for key, film in (boundaries or {}).items():
        pair = key.split("|") if isinstance(key, str) else key
        given[frozenset(pair)] = film.segregation * np.array([film.across, film.along])
    facets = crystal.tessellation.facets
    names = np.array(crystal.phase_names)[crystal.phases]
    pairs = zip(names[facets.first], names[facets.second], strict=True)
    found = [given[frozenset(pair)] if given else np.full(2, np.nan) for pair in pairs]
    return np.array(found).T


def facet_tensors(crystal, boundaries):
    """Coefficient of the film of each facet in the sample frame, (m, d, d)."""
    across, along = facet_coefficients(crystal, boundaries)
    normal = crystal.tessellation.facets.normal
    outer = normal[:, :, None] * normal[:, None, :]
    isotropic = np.eye(crystal.dimension) * along[:, None, None]
    return isotropic + (across - along)[:, None, None] * outer


def resolved_2d(
    crystal,
    phases: Mapping,
    boundaries: Mapping | None,
    *,
    rtol=3e-5,
    most_unknowns=250_000,
):
    """Bound the effective tensor of a periodic 2D polycrystal with films of real thickness.

    Parameters
    ----------
    crystal : Polycrystal
        Periodic, 2D; any Voronoi or power cells.
    phases : mapping of str to float or tensor
        Coefficient of each phase, not zero; a tensor is in the crystal frame.
    boundaries : mapping or None
        As for ``multiscale.effective_diffusivity``; one thickness, no zeros.
    rtol : float, optional
        Half the distance of the bounds that is aimed at, relative.
    most_unknowns : int, optional
        Refinement ends here even so; the stated error is what was reached.

    Returns
    -------
    Bounds
        ``tensor``, ``error``, ``lower``, ``upper``.
    """
    grains, films = bulk_tensors(crystal, phases), facet_tensors(crystal, boundaries)
    mesh = triangulate(crystal, film_width(boundaries))
    used = [grains, films[np.unique(mesh.facet[mesh.facet != GRAIN])]]
    if any((np.linalg.eigvalsh(tensors) <= 0).any() for tensors in used):
        raise ValueError("every coefficient must be positive")

    def coefficients(mesh):
        in_film = mesh.facet != GRAIN
        return np.where(in_film[:, None, None], films[mesh.facet], grains[mesh.grain])

    return adapt(mesh, coefficients, rtol=rtol, most_unknowns=most_unknowns)


def resolved_grid(
    crystal, phases: Mapping, boundaries: Mapping | None, cells_list, *, parts=None, rtol=1e-6
):
    """Extrapolate the effective tensor on voxels that resolve the films, 2D or 3D.

    Parameters
    ----------
    crystal : Polycrystal
        Periodic.
    phases, boundaries : mapping
        As for ``resolved_2d``; zeros are allowed.
    cells_list : sequence of int or of sequences of int
        Three or more grids; a number stands for that many voxels along each axis.
    parts : int, optional
        Layered voxels of so many parts an edge, for films that conduct; else plain ones.
    rtol : float, optional
        Of the solver.

    Returns
    -------
    Extrapolation
        ``tensor``, ``error``, and the ``tensors`` of each grid.
    """
    if len(cells_list) < 3:
        raise ValueError("three or more resolutions are needed")
    if not crystal.periodic:
        raise ValueError("a periodic crystal is needed")
    grids = [(n,) * crystal.dimension if np.ndim(n) == 0 else tuple(n) for n in cells_list]
    grains, films = bulk_tensors(crystal, phases), facet_tensors(crystal, boundaries)
    unit = np.eye(crystal.dimension)
    if parts is None and all(
        (k == k[:, :1, :1] * unit).all() for k in (grains, films) if not np.isnan(k).all()
    ):
        grains, films = grains[:, 0, 0].copy(), films[:, 0, 0].copy()
    width = film_width(boundaries)
    tensors = [solve_grid(crystal, grains, films, width, grid, rtol, parts) for grid in grids]
    return extrapolate(grids, tensors)
