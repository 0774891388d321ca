"""Polycrystals put on cut cells: from coefficients and films to element links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from multiscale.errors import InputError, PropertyError, ResolutionError, describe
from multiscale.transport.boundary_model import BoundaryMap, Films, films
from multiscale.transport.cut_cells import ElementLinks, element_links, facet_films
from multiscale.transport.cut_grid import CutGrid, cut, sides_of
from multiscale.transport.cut_image import cut_image, image_facets
from multiscale.transport.fields import LabelledImage, TessellatedCrystal, check_cells
from multiscale.transport.nitsche import SOFT, Stiffness
from multiscale.transport.orientation import grain_tensors

FloatArray = NDArray[np.float64]

FEWEST_CELLS = 6
"""Elements reach over two voxels; a periodic box must be longer than what they see of it."""


class Facets(Protocol):
    """What a tessellation tells of its facets."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    image: NDArray[np.int64]
    normal: FloatArray
    centroid: FloatArray
    distance_first: FloatArray
    distance_second: FloatArray


@dataclass(frozen=True, slots=True)
class CutProblem:
    """A polycrystal on cut cells, ready to be assembled.

    Parameters
    ----------
    grid : CutGrid
        Fragments and facet pieces.
    links : ElementLinks
        Element energies.
    """

    grid: CutGrid
    links: ElementLinks


def cut_problem(
    crystal: TessellatedCrystal | LabelledImage,
    cells: Sequence[int] | None,
    values: list[FloatArray],
    boundaries: BoundaryMap | None,
    *,
    periodic: bool,
    stiffness: Stiffness = SOFT,
) -> CutProblem:
    """Put a polycrystal and its films on cut cells.

    Parameters
    ----------
    crystal : TessellatedCrystal or LabelledImage
        The microstructure.
    cells : sequence of int or None
        Voxels along each axis; an image brings its own.
    values : list of ndarray
        For each phase a scalar or a tensor in the crystal frame.
    boundaries : mapping or None
        Film, or films by rules, of each pair of phases; None for none.
    periodic : bool
        Whether the transport problem is periodic.
    stiffness : Stiffness, optional
        What keeps the energy positive.

    Returns
    -------
    CutProblem
        Geometry and element energies.

    Raises
    ------
    InputError
        If an image is to have other cells than its own.
    PropertyError
        If a boundary type has no film, or a tensor or rule meets grains
        without orientations.
    ResolutionError
        If a periodic box has fewer than six voxels along an axis.
    """
    if not isinstance(crystal, TessellatedCrystal):
        return _image_problem(
            crystal, cells, values, boundaries, periodic=periodic, stiffness=stiffness
        )
    size = np.asarray(crystal.size, dtype=float)
    d = size.size
    grid_cells = check_cells(cells, d)
    _check_length(grid_cells, periodic)
    phases = np.asarray(crystal.phases, dtype=np.int64)
    turned = np.asarray(crystal.orientations, dtype=float)
    tensors = grain_tensors(values, phases, turned, d)
    bulk = [float(np.abs(value).max()) for value in values]
    table = films(boundaries, crystal.phase_names, bulk)
    facets: Facets = crystal.tessellation.facets  # type: ignore[attr-defined]
    sides = sides_of(
        facets.first,
        facets.second,
        facets.image,
        facets.normal,
        (facets.distance_first, facets.distance_second),
        len(phases),
    )
    kind = _classes(table, facets, phases, turned)[sides.facet]
    full = np.zeros((len(phases), 3, 3))
    full[:, :d, :d] = tensors
    on_facets = facet_films(sides, full, table, kind, size / np.asarray(grid_cells))
    labels, images = crystal.labels_and_images(grid_cells)
    grid = cut(
        labels,
        images,
        np.asarray(crystal.seeds, dtype=float),
        size,
        sides,
        on_facets.shift,
        np.trace(tensors, axis1=1, axis2=2) > 0,
        periodic=periodic,
    )
    names = (tuple(crystal.phase_names), table.names if table is not None else ("boundaries",))
    links = element_links(
        grid,
        sides,
        on_facets,
        full,
        phases,
        names,
        np.asarray(crystal.seeds),
        facets.centroid,
        stiffness,
    )
    return CutProblem(grid, links)


def _check_length(cells: Sequence[int], periodic: bool) -> None:
    """Refuse periodic boxes that elements would reach around."""
    if periodic and min(cells) < FEWEST_CELLS:
        raise ResolutionError(
            describe("cells", f"at least {FEWEST_CELLS} voxels an axis", tuple(cells))
        )


def _image_problem(
    image: LabelledImage,
    cells: Sequence[int] | None,
    values: list[FloatArray],
    boundaries: BoundaryMap | None,
    *,
    periodic: bool,
    stiffness: Stiffness,
) -> CutProblem:
    """Put a label image and its films on cut cells."""
    labels, spacing = image.labels, np.asarray(image.spacing, dtype=float)
    d = labels.ndim
    if cells is not None and tuple(cells) != labels.shape:
        raise InputError(
            describe("cells", f"the image's own {labels.shape}", tuple(cells), "leave out")
        )
    _check_length(labels.shape, periodic)
    if any(value.ndim for value in values):
        raise PropertyError(
            describe(
                "phases", "a number for each phase of an image without orientations", "a tensor"
            )
        )
    phases = np.asarray(image.phases, dtype=np.int64)
    grains = len(phases)
    bulk = [float(value) for value in values]
    full = np.zeros((grains, 3, 3))
    full[:, :d, :d] = np.array(bulk)[phases, None, None] * np.eye(d)
    table = films(boundaries, image.phase_names, bulk)
    widest = 0.0 if table is None else float(table.width.max(initial=0.0))
    facets = image_facets(labels, spacing, periodic=image.periodic, widest=widest)
    sides = facets.sides(grains)
    kind = np.full(facets.first.size, -1, np.int64)
    if table is not None:
        beside = phases[facets.first], phases[facets.second]
        kind = table.classify(*beside, None, None, facets.normal)
    on_facets = facet_films(sides, full, table, kind[sides.facet], spacing)
    grid = cut_image(facets, sides, on_facets.shift, full[:, 0, 0] > 0, periodic=periodic)
    names = (tuple(image.phase_names), table.names if table is not None else ("boundaries",))
    nowhere = (np.zeros((grains, d)), np.zeros((facets.first.size, d)))
    links = element_links(grid, sides, on_facets, full, phases, names, *nowhere, stiffness)
    return CutProblem(grid, links)


def _classes(
    table: Films | None, facets: Facets, phases: NDArray[np.int64], turned: FloatArray
) -> NDArray[np.int64]:
    """Class of each facet; −1 without films."""
    if table is None:
        return np.full(len(facets.first), -1, np.int64)
    first, second = facets.first, facets.second
    return table.classify(
        phases[first], phases[second], turned[first], turned[second], facets.normal
    )
