"""Where the flux goes: vectors for pictures and shares of each part.

Every link with current I and displacement d carries the moment I d; the sum of
all moments is V times the mean flux, so shares of flux add up to one. Moments
belong to the voxel halves they run through, those inside a film's sheet to the
class of boundary: its type, or the rule of that type which holds. The dissipation
share of a part is its share of Σ I²/g: it is also ∂ln D_eff / ∂ln(conductance of
that part: K, 1/R or G), and adds up to one over grains, films crossed (``across``)
and sheets (``along``). A fast film replaces bulk, so its across share is negative:
the excess over that bulk.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiscale.transport._flux_kernels import link_sums, voxel_sums
from multiscale.transport._sheet_kernels import sheet_sums, spread_moments
from multiscale.transport.boundary_classes import class_table, type_names
from multiscale.transport.cell_problem import AxisSolutions
from multiscale.transport.discretisation import (
    Network,
    VoxelProblem,
    conducting_sheets,
    face_conductances,
)
from multiscale.transport.effective import VoxelSolution
from multiscale.transport.sheets import Sheets

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FluxField:
    """The flux density for unit mean gradients.

    Parameters
    ----------
    axes : tuple of int
        Driven axes; those that do not conduct are left out.
    vector : (len(axes), nx, ny[, nz], d) ndarray
        Flux density of each voxel per unit gradient [m²/s], pointing down the
        gradient.
    parts : tuple of str
        Phases, then ``"along A|B"`` for each boundary type, each followed by
        ``"along A|B rule"`` for the rules it has.
    flux_share : (len(axes), parts) ndarray
        Share of the flux along the driven axis; each row sums to one.
    dissipation_parts : tuple of str
        Phases, then ``"across A|B"``, then ``"along A|B"``.
    dissipation_share : (len(axes), dissipation_parts) ndarray
        Share of the dissipation; each row sums to one.
    """

    axes: tuple[int, ...]
    vector: FloatArray
    parts: tuple[str, ...]
    flux_share: FloatArray
    dissipation_parts: tuple[str, ...]
    dissipation_share: FloatArray

    @property
    def magnitude(self) -> FloatArray:
        """Magnitude of the flux density, (len(axes), nx, ny[, nz]) [m²/s]."""
        magnitude: FloatArray = np.linalg.norm(self.vector, axis=-1)
        return magnitude


def flux_field(solution: VoxelSolution, phase_names: tuple[str, ...]) -> FluxField:
    """Compute flux vectors and shares from a solved problem.

    Parameters
    ----------
    solution : VoxelSolution
        A solved scalar problem.
    phase_names : tuple of str
        Phases by index.

    Returns
    -------
    FluxField
        Vectors and shares.
    """
    problem = solution.problem
    types = problem.class_names or type_names(phase_names)
    table = class_table(types, phase_names)
    pieces = [_one_run(problem, network, run, table, len(types)) for network, run in solution.runs]
    axes = tuple(axis for _, run in solution.runs for axis in run.axes)
    if solution.field is not None:
        axes = solution.field.axes
        pieces = [_all_axes(problem, solution, table, len(types))]
    pieces = [piece for piece in pieces if piece[0].size]
    along = tuple(f"along {name}" for name in types)
    across = tuple(f"across {name}" for name in types)
    d, p, t = problem.dimension, len(phase_names), len(types)
    if not pieces:
        shape = (0, *problem.cells, d)
        pieces = [(np.zeros(shape), np.zeros((0, p + t)), np.zeros((0, p + 2 * t)))]
    vector, flux, loss = (
        parts[0] if len(parts) == 1 else np.concatenate(parts)
        for parts in zip(*pieces, strict=True)
    )
    return FluxField(
        axes,
        vector,
        (*phase_names, *along),
        flux / flux.sum(axis=1, keepdims=True),
        (*phase_names, *across, *along),
        loss / loss.sum(axis=1, keepdims=True),
    )


def share_within(field: FluxField, mask: NDArray[np.bool_]) -> FloatArray:
    """Share of the flux carried inside a set of voxels.

    Parameters
    ----------
    field : FluxField
        Flux of a solved problem.
    mask : (nx, ny[, nz]) bool ndarray
        The voxels, e.g. the neighbourhoods of heterointerfaces.

    Returns
    -------
    (len(axes),) ndarray
        Flux along the driven axis inside the mask over all of it.
    """
    share = np.empty(len(field.axes))
    for m, a in enumerate(field.axes):
        component = field.vector[m, ..., a]
        share[m] = component[mask].sum() / component.sum()
    return share


def _one_run(
    problem: VoxelProblem,
    network: Network,
    run: AxisSolutions,
    table: NDArray[np.int32],
    kinds: int,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Vectors, flux by part and dissipation by part for the axes of one run."""
    graph = run.graph
    sheets = network.sheet_face
    face_type = _face_types(problem, table)
    ruled = np.zeros((0, problem.bulk.size), np.int32)
    if kinds > len(table) * (len(table) + 1) // 2:
        ruled = _kinds_of_links(problem, face_type).reshape(-1, problem.bulk.size)
    box = (tuple(graph.size), tuple(problem.spacing), not graph.electrode.any())
    links = (graph.indptr, graph.indices, graph.conductance, graph.position, graph.electrode)
    vector, flux, loss = link_sums(
        links,
        box,
        (run.deviation, tuple(run.axes)),
        np.flatnonzero(run.kept),
        (problem.bulk.ravel(), problem.phase.ravel(), table, ruled),
        (_beside(problem, sheets), face_type[sheets]),
        kinds,
    )
    return vector.reshape(len(run.axes), *problem.cells, problem.dimension), flux, loss


def _all_axes(
    problem: VoxelProblem, solution: VoxelSolution, table: NDArray[np.int32], kinds: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Vectors, flux by part and dissipation by part where voxels are the only unknowns."""
    field = solution.field
    assert field is not None
    if field.axes and not field.potentials:
        raise ValueError("flux_field needs a solution with potentials: solve with keep=True")
    d, phases, periodic = problem.dimension, len(table), solution.result.boundary == "periodic"
    through, half = face_conductances(problem, periodic)
    faces, sheets = conducting_sheets(problem, half)
    sheet_type = np.zeros(0, np.int32)
    rows: tuple[NDArray[np.generic], ...] = ()
    if sheets is not None:
        if periodic:
            rows = sheets.rows(True, -1)
        through[(sheets.axis, *sheets.low.T)] = 0.0
        sheet_type = _face_types(problem, table)[faces][sheets.origin]
    ruled = np.zeros((0, 1, 1, 1), np.int32)
    if problem.faces is not None:
        ruled = _kinds_of_links(problem, _face_types(problem, table))
    vector = np.zeros((len(field.axes), *problem.bulk.shape, d))
    flux = np.zeros((len(field.axes), phases + kinds))
    loss = np.zeros((len(field.axes), phases + 2 * kinds))
    voxels = (problem.bulk, problem.phase, table, ruled)
    for row, (axis, potential) in enumerate(zip(field.axes, field.potentials, strict=True)):
        u = potential.reshape(problem.bulk.shape)
        sums = (vector[row], flux[row], loss[row])
        moment = np.zeros((sheet_type.size, d))
        if sheets is not None:
            potentials = (u, field.sheet_potentials[row])
            parts = (loss[row], phases, kinds)
            if not periodic:
                rows = sheets.rows(False, axis)
            _add_sheets(
                problem, sheets, rows, axis, potentials, sheet_type, vector[row], moment, parts
            )
        voxel_sums(through, u, axis, problem.spacing, periodic, voxels, *sums)
        if sheets is not None:
            cells, volume = np.array(problem.bulk.shape), problem.spacing.prod()
            spread_moments(sheets.low, sheets.axis, cells, moment, volume, vector[row])
            flux[row, phases:] += np.bincount(sheet_type, moment[:, axis], kinds)
    return vector.reshape(len(field.axes), *problem.cells, d), flux, loss


def _add_sheets(
    problem: VoxelProblem,
    sheets: Sheets,
    rows: tuple[NDArray[np.generic], ...],
    driven: int,
    potentials: tuple[FloatArray, FloatArray],
    sheet_type: NDArray[np.int32],
    vector: FloatArray,
    moment: FloatArray,
    parts: tuple[FloatArray, int, int],
) -> None:
    """Add what flows through and along the sheets, whose links are ``rows``."""
    spacing = np.ones(3)
    spacing[: problem.dimension] = problem.spacing
    sheet_sums(
        (sheets.low, sheets.axis, sheets.half, *rows),
        np.array(problem.bulk.shape),
        spacing,
        driven,
        *potentials,
        problem.bulk,
        problem.phase,
        sheet_type,
        vector,
        moment,
        parts,
    )


def _kinds_of_links(problem: VoxelProblem, face_type: NDArray[np.int32]) -> NDArray[np.int32]:
    """Class of boundary between each voxel and the next one along each axis; −1 in a grain."""
    kinds = np.full((problem.dimension, *problem.bulk.shape), -1, np.int32)
    if problem.faces is not None:
        kinds[(problem.faces.axis, *problem.faces.index.T)] = face_type
    return kinds


def _face_types(problem: VoxelProblem, table: NDArray[np.int32]) -> NDArray[np.int32]:
    """Class of each boundary face; faces without a film count with their pair of phases."""
    if problem.faces is None:
        return np.zeros(0, np.int32)
    pair = table[problem.faces.lower, problem.faces.upper]
    if problem.classes is None:
        return pair
    return np.where(problem.classes >= 0, problem.classes, pair).astype(np.int32)


def _beside(problem: VoxelProblem, sheets: NDArray[np.int32]) -> NDArray[np.int64]:
    """Voxels on either side of each sheet, (sheets, 2)."""
    if not sheets.size or problem.faces is None:
        return np.zeros((0, 2), np.int64)
    axis, low = problem.faces.axis[sheets], problem.faces.index[sheets].astype(np.int64)
    up = low.copy()
    rows = np.arange(sheets.size)
    up[rows, axis] = (up[rows, axis] + 1) % np.asarray(problem.bulk.shape)[axis]
    sides = [np.ravel_multi_index(tuple(side.T), problem.bulk.shape) for side in (low, up)]
    return np.stack(sides, axis=1)
