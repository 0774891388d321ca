"""The accurate scheme for thin boundaries: cut cells with a field for each grain.

A film of width δ with K⊥ across and K∥ along it lies between two grains. Each
grain is drawn back from the facet by the smallest shift 0 ≤ s ≤ δ/2 for which
what is left of the film is not negative::

    R = δ/2 K⊥ − (δ/2 − s)/K_n ≥ 0        on each side [m / coefficient]
    G = δ/2 K∥ − (δ/2 − s) K_t ≥ 0        on each side [m × coefficient]

so that K⊥ = K∥ = K changes nothing (s = R = G = 0), a slow film stands where it
stands (s → δ/2) and a fast one keeps its own room. A grain with a tensor is
always drawn back by δ/2, and so are grains beside a slow film that conducts
better along than across: its potential varies inside, and is taken as quadratic
over its width. The energies are in :mod:`multiscale.transport.nitsche`;
the unknowns are vertex values of each grain and of each conducting film, sorted
by vertex, so that a stencil of 3^d vertices times the fields there describes
every row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiscale.errors import ComputationError, describe
from multiscale.numerics import (
    ConductanceGraph,
    FieldNodes,
    Preconditioner,
    VertexHierarchy,
    merge_links,
)
from multiscale.transport.boundary_model import Films
from multiscale.transport.cut_grid import IMAGES, CutGrid, Sides, in_three
from multiscale.transport.film_junctions import junction_links
from multiscale.transport.nitsche import (
    MIDDLE,
    SOFT,
    Stiffness,
    facet_links,
    grain_links,
)
from multiscale.transport.short_facets import short_facets

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

NEGLIGIBLE_SHEET = 1e-7
"""Films that conduct less along them than this times a voxel beside them are left out."""
ROUNDING = 1e-10
"""Relative differences of film and bulk below this are none."""
LAYERED = 1.5
"""A slow film that conducts this many times better along than across has an inside of its own."""
FIRM_ENDS = 20.0
"""Junctions of facets shorter than about δ are this much firmer than others."""
SAME_EDGE = 0.1
"""Edges of facets closer than this times δ/2 are one edge, along which all their films meet."""
SAME_EDGE_VOXEL = 0.01
"""The same in voxels."""
THIN = 0.1
"""Films whose resistance is below that of this share of a voxel need no inside."""
MOST_LOST = 1e-3
"""At most this share of the facet area may find no grain to join."""
MOST_LOST_LOOSE = 1e-2
"""The same for label images, and where walls cut off corners of grains that films then fill."""


@dataclass(frozen=True, slots=True)
class FacetFilms:
    """What every side of every facet contributes.

    Parameters
    ----------
    shift : (s,) ndarray
        How far the grain is drawn back [m].
    resistance : (s,) ndarray
        Areal resistance on this side [m / coefficient]; infinite for a block.
    sheet : (s,) ndarray
        Sheet conductance of the whole facet [m × coefficient].
    layer : (s,) ndarray
        Conductance K⊥/δ across a film whose potential may vary inside it; zero
        for the others [coefficient / m].
    firmness : (s,) ndarray
        How many times firmer than usual the film's junctions are.
    near : (s,) ndarray
        Distance within which edges of the facet are one with others [m].
    kind : (s,) int ndarray
        Class of the facet; −1 for no film.
    """

    shift: FloatArray
    resistance: FloatArray
    sheet: FloatArray
    layer: FloatArray
    firmness: FloatArray
    near: FloatArray
    kind: IntArray


def facet_films(
    sides: Sides, tensor: FloatArray, table: Films | None, kind: IntArray, spacing: FloatArray
) -> FacetFilms:
    """Turn films into shifts, resistances and sheet conductances.

    Parameters
    ----------
    sides : Sides
        Facets of every grain.
    tensor : (n, 3, 3) ndarray
        Coefficient of each grain; zero along an axis that is not there.
    table : Films or None
        Films of every class; None for none.
    kind : (s,) int ndarray
        Class of the facet of each side; −1 for no film.
    spacing : (d,) ndarray
        Voxel edges [m].

    Returns
    -------
    FacetFilms
        One entry a side.
    """
    count = sides.own.size
    if table is None or count == 0:
        zero = np.zeros(count)
        return FacetFilms(zero, zero, zero, zero, zero, zero, np.full(count, -1, np.int64))
    has = (kind >= 0) & (table.width[kind] > 0)
    half = np.where(has, 0.5 * table.width[kind], 0.0)
    d = spacing.size
    across, along = table.across[kind], table.along[kind]
    firmness, extent = np.ones(count), np.full(count, np.inf)
    if np.any(sides.distance):  # planes are known
        given = along
        across, along, extent = short_facets(sides, half, across, along, d)
        firmness[along != given] = FIRM_ENDS
        firmness = np.maximum(firmness, firmness[sides.back])
    own = tensor[sides.own]
    bulk = np.einsum("sa,sab,sb->s", sides.normal, own, sides.normal)
    mean = np.trace(own, axis1=1, axis2=2) / d
    round_part = mean[:, None, None] * np.eye(d)
    tensorial = np.abs(own[:, :d, :d] - round_part).max(axis=(1, 2)) > 1e-12 * mean
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.clip(np.maximum(1 - bulk / across, 1 - along / bulk), 0, 1)
        share = np.where(share > ROUNDING, share, 0.0)
        layered = has & (along > LAYERED * across) & (across > 0)
        least = (1 - 1e-6) * np.minimum(bulk, bulk[sides.back])  # not by rounding
        layered &= across < least
        layered &= 2 * half / across * np.maximum(bulk, bulk[sides.back]) > THIN * spacing.max()
        share = np.where(bulk > 0, np.where(tensorial | layered, 1.0, share), 0.0)
        rest = half * (1 - share)
        resistance = np.where(has, half / across - np.where(bulk > 0, rest / bulk, 0.0), 0.0)
        rounding = ROUNDING * np.where(has & (across > 0), half / across, 0.0)
    resistance = np.where(has & (resistance > rounding), resistance, 0.0)
    sheet = half * along - rest * bulk
    sheet = np.where(has & (sheet > ROUNDING * half * along), sheet, 0.0)
    whole = sheet + sheet[sides.back]
    least = NEGLIGIBLE_SHEET * spacing.min() * np.maximum(bulk, bulk[sides.back])
    near = np.minimum(SAME_EDGE * half, SAME_EDGE_VOXEL * spacing.min())
    whole = np.where((whole > least) & (extent > near), whole, 0.0)
    layer = np.where(layered & (whole > 0), across / np.where(has, 2 * half, 1.0), 0.0)
    firmness = np.where(layer > 0, firmness / MIDDLE, firmness)  # the middle holds less of it
    return FacetFilms(half * share, resistance, whole, layer, firmness, near, kind)


@dataclass(frozen=True, slots=True)
class ElementLinks:
    """Element energies as links between vertex values.

    Parameters
    ----------
    unknowns : (n,) int64 ndarray
        Key (vertex, field, box offset) of each unknown, ascending.
    fields : int
        Number of fields: grains, then facets.
    first, second : (l,) int32 ndarray
        Unknowns at the ends of each element link.
    value : (l,) ndarray
        Conductance of each element link.
    part : (l,) int16 ndarray
        Part it is booked on.
    parts : tuple of str
        Phases, then ``"across A|B"``, then ``"along A|B"``.
    """

    unknowns: IntArray
    fields: int
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    value: FloatArray
    part: NDArray[np.int16]
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CutAssembly:
    """An assembled problem.

    Parameters
    ----------
    graph : ConductanceGraph
        One node a vertex value; those on electrodes are eliminated.
    nodes : FieldNodes
        Field of each node.
    number : (n,) int64 ndarray
        Node of each unknown, −1 for those on electrodes.
    position : (n, d) ndarray
        Position of each unknown [m].
    electrodes : int or None
        Axis between two electrodes; None for periodic.
    links : ElementLinks
        Element energies.
    """

    graph: ConductanceGraph
    nodes: FieldNodes
    number: IntArray
    position: FloatArray
    electrodes: int | None
    links: ElementLinks

    def preconditioner(self, graph: ConductanceGraph, kept: NDArray[np.bool_]) -> Preconditioner:
        """Build the preconditioner.

        Parameters
        ----------
        graph : ConductanceGraph
            The network, without the parts that carry no current.
        kept : (n,) bool ndarray
            Nodes that are in ``graph``.

        Returns
        -------
        Preconditioner
            Vertex multigrid.
        """
        nodes = FieldNodes(
            self.nodes.field[kept],
            self.nodes.image[kept],
            self.nodes.periodic,
            self.nodes.offsets,
        )
        return VertexHierarchy.build(graph, nodes)


def _images(code: NDArray[np.int32]) -> IntArray:
    return np.stack([code // 49 - 3, code // 7 % 7 - 3, code % 7 - 3], axis=1).astype(np.int64)


def _corner_keys(
    grid: CutGrid, voxel: IntArray, field: IntArray, image: IntArray, fields: int
) -> IntArray:
    """Key (vertex, field, box offset) of each corner of each voxel given."""
    d, corners = grid.dimension, 2**grid.dimension
    vertices = grid.shape.copy()
    if not grid.periodic:
        vertices[:d] += 1
    index = np.stack(np.unravel_index(voxel, tuple(grid.shape)), axis=1)
    bits = (np.arange(corners)[:, None] >> np.arange(d - 1, -1, -1)) & 1
    vertex = index[:, None, :] + in_three(bits).astype(np.int64)
    offset = np.repeat(image[:, None, :], corners, axis=1)
    if grid.periodic:
        over = vertex >= vertices
        vertex = np.where(over, vertex - vertices, vertex)
        offset = offset - over if grid.offsets else offset
    number = np.ravel_multi_index(tuple(np.moveaxis(vertex, -1, 0)), tuple(vertices))
    code = (offset + 3) @ np.array([49, 7, 1])
    keys: IntArray = (number * fields + field[:, None]) * IMAGES + code
    return keys


def element_links(
    grid: CutGrid,
    sides: Sides,
    films: FacetFilms,
    tensor: FloatArray,
    phases: IntArray,
    names: tuple[Sequence[str], Sequence[str]],
    seeds: FloatArray,
    centroid: FloatArray,
    stiffness: Stiffness = SOFT,
) -> ElementLinks:
    """Add up the element energies of a cut grid as links.

    Parameters
    ----------
    grid : CutGrid
        Fragments and facet pieces.
    sides : Sides
        Facets of every grain.
    films : FacetFilms
        Films on them.
    tensor : (n, 3, 3) ndarray
        Coefficient of each grain.
    phases : (n,) int ndarray
        Phase of each grain.
    names : pair of sequence of str
        Phases, and classes of boundaries.
    seeds : (n, d) ndarray
        Seeds [m].
    centroid : (facets, d) ndarray
        Facet centroids beside the first grain's seed [m].
    stiffness : Stiffness, optional
        What keeps the energy positive.

    Returns
    -------
    ElementLinks
        Links between vertex values.

    Raises
    ------
    ComputationError
        If facets find no grains to join: a film fills whole grains.
    """
    d = grid.dimension
    grains, facets = len(tensor), len(centroid)
    fields = grains + facets
    active = grid.volume > 0
    voxel = np.repeat(np.arange(int(grid.shape.prod())), np.diff(grid.start))
    key = _corner_keys(
        grid, voxel[active], grid.grain[active].astype(np.int64), _images(grid.code)[active], fields
    )
    # the box offset of a facet is that of its first grain
    frame = _images(grid.piece_code)
    frame = np.where(sides.first[grid.side][:, None], frame, frame + sides.image[grid.side])
    filmed = films.sheet[grid.side] > 0
    piece_voxel = np.repeat(np.arange(int(grid.shape.prod())), np.diff(grid.piece_start))
    facet = sides.facet[grid.side]
    film_key = _corner_keys(
        grid, piece_voxel[filmed], grains + facet[filmed], frame[filmed], fields
    )
    unknowns, which = np.unique(
        np.concatenate([key.ravel(), film_key.ravel()]), return_inverse=True
    )
    node = np.full((voxel.size, 2**d), -1, np.int32)
    node[active] = which[: key.size].reshape(key.shape)
    film_node = np.full((facet.size, 2**d), -1, np.int32)
    film_node[filmed] = which[key.size :].reshape(film_key.shape)
    phase_count, class_count = len(names[0]), len(names[1])
    kind = np.maximum(films.kind, 0)
    bulk = grain_links(
        node, grid.grain, grid.row, grid.volume, grid.moments, tensor,
        phases.astype(np.int16), grid.spacing, d, stiffness.unbent,
    )  # fmt: skip
    pieces = (
        grid.shape, grid.spacing, grid.size, grid.start, grid.grain, grid.code, grid.volume,
        grid.surface, grid.piece_start, grid.side, grid.piece_code, grid.corner_start,
        grid.corners, grid.edge, grid.normal,
        *grid.score,
    )  # fmt: skip
    planes = (
        sides.start, sides.own, sides.other, sides.image, sides.back, sides.facet, sides.first,
        sides.normal, sides.distance,
    )  # fmt: skip
    piece_frame = (frame + 3) @ np.array([49, 7, 1])
    places = in_three(seeds).astype(float), in_three(centroid, 0.5).astype(float)
    wrap = int(grid.periodic) if grid.offsets else 2 * int(grid.periodic)
    part_across = (phase_count + kind).astype(np.int16)
    part_along = (phase_count + class_count + kind).astype(np.int16)
    *between, lost = facet_links(
        pieces, node, film_node, facet, piece_frame, places[0], planes,
        (films.shift, films.resistance, films.sheet, films.layer, part_across, part_along),
        places[1], tensor, d, wrap, stiffness.contact, stiffness.unbent,
    )  # fmt: skip
    joints = junction_links(
        pieces, film_node, facet, piece_frame, places[0], planes,
        (films.sheet, films.firmness, films.near, part_along), places[1], d, wrap,
    )  # fmt: skip
    if lost > (MOST_LOST if grid.offsets and grid.periodic else MOST_LOST_LOOSE):
        raise ComputationError(
            describe(
                "cut-cells scheme",
                "grains beside every facet",
                f"{lost:.1%} of the facet area without one",
                "the films are too wide for their grains",
            )
        )
    first, second, value, part = (
        np.concatenate(trio) for trio in zip(bulk, between, joints, strict=True)
    )
    parts = (
        *names[0],
        *(f"across {name}" for name in names[1]),
        *(f"along {name}" for name in names[1]),
    )
    return ElementLinks(unknowns, fields, first, second, value, part, parts)


def assemble_cut_cells(
    grid: CutGrid, links: ElementLinks, electrodes: int | None = None
) -> CutAssembly:
    """Number the free unknowns and sum up their links.

    Parameters
    ----------
    grid : CutGrid
        Fragments and facet pieces.
    links : ElementLinks
        Element energies.
    electrodes : int, optional
        Axis whose box faces are held at fixed potentials; the grid must then
        not be periodic. None for periodic.

    Returns
    -------
    CutAssembly
        The network and what its links stand for.
    """
    d, cells = grid.dimension, grid.shape[: grid.dimension]
    unknowns, first, second, value = links.unknowns, links.first, links.second, links.value
    vertices = cells + (0 if grid.periodic else 1)
    number, rest = np.divmod(unknowns, links.fields * IMAGES)
    field, code = np.divmod(rest, IMAGES)
    coordinates = np.stack(np.unravel_index(number, tuple(vertices)), axis=1)
    position = coordinates * grid.spacing[:d]
    free = np.ones(unknowns.size, dtype=bool)
    contact = np.zeros((unknowns.size, 2))
    graph_cells = vertices.copy()
    if electrodes is not None:
        ends = (coordinates[:, electrodes] == 0, coordinates[:, electrodes] == cells[electrodes])
        free = ~(ends[0] | ends[1])
        for end in (0, 1):
            for one, other in ((first, second), (second, first)):
                touching = free[one] & ends[end][other]
                contact[:, end] += np.bincount(one[touching], value[touching], unknowns.size)
        graph_cells[electrodes] -= 2
    numbering = np.where(free, np.cumsum(free) - 1, -1)
    inner = free[first] & free[second]
    graph_links = merge_links(
        int(free.sum()),
        numbering[first[inner]].astype(np.int32),
        numbering[second[inner]].astype(np.int32),
        value[inner],
    )
    place = coordinates[free].astype(np.int32)
    if electrodes is not None:
        place[:, electrodes] -= 1
    graph = ConductanceGraph(
        *graph_links,
        contact[free],
        position[free],
        place,
        field[free].astype(np.int32),
        tuple(int(n) for n in graph_cells),
        grid.size[:d].copy(),
    )
    nodes = FieldNodes(field[free], _images(code[free])[:, :d], grid.periodic, grid.offsets)
    return CutAssembly(graph, nodes, numbering, position, electrodes, links)


def shares(
    assembly: CutAssembly, kept: NDArray[np.bool_], axes: Sequence[int], deviation: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Split flux and dissipation of solved axes among the parts.

    Parameters
    ----------
    assembly : CutAssembly
        What was solved.
    kept : (n,) bool ndarray
        Nodes that carried current.
    axes : sequence of int
        Driven axes.
    deviation : (kept nodes, len(axes)) ndarray
        Deviation of the potentials from the mean gradients.

    Returns
    -------
    flux, dissipation : (len(axes), parts) ndarray
        Shares; each row sums to one. A contact without resistance dissipates
        nothing and its entry shows the discretisation.
    """
    links = assembly.links
    count = len(links.parts)
    size = assembly.graph.size
    whole = np.zeros((assembly.graph.nodes, len(axes)))
    whole[kept] = deviation
    alive = np.zeros(assembly.number.size, dtype=bool)
    alive[assembly.number >= 0] = kept
    fixed = assembly.number < 0
    u = np.zeros((assembly.number.size, len(axes)))
    u[~fixed] = whole
    alive |= fixed
    first, second = links.first, links.second
    on = alive[first] & alive[second]
    first, second, g, part = first[on], second[on], links.value[on], links.part[on]
    flux, loss = np.zeros((len(axes), count)), np.zeros((len(axes), count))
    for row, axis in enumerate(axes):
        step = assembly.position[second, axis] - assembly.position[first, axis]
        if assembly.electrodes is None:
            step -= size[axis] * np.round(step / size[axis])
        drop = u[second, row] - u[first, row] + step
        flux[row] = np.bincount(part, g * drop * step, count)
        loss[row] = np.bincount(part, g * drop * drop, count)
    return flux / flux.sum(axis=1, keepdims=True), loss / loss.sum(axis=1, keepdims=True)
