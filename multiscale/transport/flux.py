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
from numba import njit
from numpy.typing import NDArray

from multiscale.transport.boundary_classes import class_table, type_names
from multiscale.transport.cell_problem import AxisSolutions
from multiscale.transport.discretisation import Network, VoxelProblem, face_conductances
from multiscale.transport.effective import VoxelSolution

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
        pieces = [
            _one_axis(problem, solution, number, table, len(types)) for number in range(len(axes))
        ]
    pieces = [piece for piece in pieces if piece[0].size]
    along = tuple(f"along {name}" for name in types)
    across = tuple(f"across {name}" for name in types)
    d, p, t = problem.dimension, len(phase_names), len(types)
    shape = (0, *problem.cells, d)
    vector = np.concatenate([piece[0] for piece in pieces]) if pieces else np.zeros(shape)
    flux = np.concatenate([piece[1] for piece in pieces]) if pieces else np.zeros((0, p + t))
    loss = np.concatenate([piece[2] for piece in pieces]) if pieces else np.zeros((0, p + 2 * t))
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
    component = np.stack([field.vector[m, ..., a] for m, a in enumerate(field.axes)])
    flat = component.reshape(len(field.axes), -1)
    share: FloatArray = flat[:, mask.ravel()].sum(axis=1) / flat.sum(axis=1)
    return share


def _one_run(
    problem: VoxelProblem,
    network: Network,
    run: AxisSolutions,
    table: NDArray[np.int32],
    kinds: int,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Vectors, flux by part and dissipation by part for the axes of one run."""
    d, voxels, phases = problem.dimension, problem.bulk.size, len(table)
    graph, kept = run.graph, np.flatnonzero(run.kept)
    axes = np.asarray(run.axes, dtype=np.int64)
    sheets = network.sheet_face
    face_type = _face_types(problem, table)
    sheet_type = face_type[sheets]
    ruled = np.zeros((0, voxels), np.int32)
    if kinds > phases * (phases + 1) // 2 and problem.faces is not None:
        ruled = np.full((d, *problem.bulk.shape), -1, np.int32)
        ruled[(problem.faces.axis, *problem.faces.index.T)] = face_type
        ruled = ruled.reshape(d, voxels)
    moment, loss = _link_sums(
        graph.indptr,
        graph.indices,
        graph.conductance,
        graph.position,
        graph.size,
        graph.electrode,
        run.deviation,
        axes,
        kept,
        voxels,
        problem.bulk.ravel(),
        problem.phase.ravel(),
        sheet_type,
        table,
        kinds,
        ruled,
        problem.spacing,
        not graph.electrode.any(),
    )
    whole = np.zeros((axes.size, voxels + sheets.size, d))
    whole[:, kept] = moment
    flux = np.zeros((axes.size, phases + kinds))
    for m, a in enumerate(axes):
        flux[m, :phases] = np.bincount(
            problem.phase.ravel(), whole[m, :voxels, a], minlength=phases
        )
        flux[m, phases:] = np.bincount(sheet_type, whole[m, voxels:, a], minlength=kinds)
    vector = _spread_sheets(problem, whole[:, :voxels].copy(), whole[:, voxels:], sheets)
    vector = vector.reshape(axes.size, *problem.cells, d) / problem.spacing.prod()
    return vector, flux, loss


def _one_axis(
    problem: VoxelProblem,
    solution: VoxelSolution,
    number: int,
    table: NDArray[np.int32],
    kinds: int,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Vectors, flux by part and dissipation by part where voxels are the only unknowns."""
    field = solution.field
    assert field is not None
    if not field.potentials:
        raise ValueError("flux_field needs a solution with potentials: solve with keep=True")
    d, phases, a = problem.dimension, len(table), field.axes[number]
    periodic = solution.result.boundary == "periodic"
    through, _ = face_conductances(problem, periodic)
    ruled = np.zeros((0, 1, 1, 1), np.int32)
    if problem.faces is not None:
        ruled = np.full((d, *problem.bulk.shape), -1, np.int32)
        ruled[(problem.faces.axis, *problem.faces.index.T)] = _face_types(problem, table)
    moment, loss = _voxel_sums(
        through,
        field.potentials[number].reshape(problem.bulk.shape),
        a,
        problem.bulk,
        problem.phase,
        table,
        kinds,
        ruled,
        problem.spacing,
        periodic,
    )
    flux = np.zeros((1, phases + kinds))
    flux[0, :phases] = np.bincount(problem.phase.ravel(), moment[..., a].ravel(), minlength=phases)
    vector = moment.reshape(1, *problem.cells, d) / problem.spacing.prod()
    return vector, flux, loss[None]


def _face_types(problem: VoxelProblem, table: NDArray[np.int32]) -> NDArray[np.int32]:
    """Class of each boundary face; faces without a film count with their pair of phases."""
    if problem.faces is None:
        return np.zeros(0, np.int32)
    pair = table[problem.faces.lower, problem.faces.upper]
    if problem.classes is None:
        return pair
    return np.where(problem.classes >= 0, problem.classes, pair).astype(np.int32)


def _spread_sheets(
    problem: VoxelProblem, voxel: FloatArray, sheet: FloatArray, faces: NDArray[np.int32]
) -> FloatArray:
    """Give half of each sheet's moment to the voxel on either side."""
    if not faces.size or problem.faces is None:
        return voxel
    axis, low = problem.faces.axis[faces], problem.faces.index[faces]
    up = low.copy()
    rows = np.arange(faces.size)
    up[rows, axis] = (up[rows, axis] + 1) % np.asarray(problem.bulk.shape)[axis]
    for side in (low, up):
        where = np.ravel_multi_index(tuple(side.T), problem.bulk.shape)
        for m in range(len(voxel)):
            np.add.at(voxel[m], where, 0.5 * sheet[m])
    return voxel


@njit(cache=True)
def _link_sums(  # type: ignore[no-untyped-def]  # noqa: C901
    indptr,
    indices,
    g,
    position,
    size,
    electrode,
    u,
    axes,
    kept,
    voxels,
    bulk,
    phase,
    sheet_type,
    types,
    pairs,
    ruled,
    spacing,
    wrap,
):
    """Moment of every node and dissipation of every part."""
    n, d = position.shape
    m = axes.size
    phases = types.shape[0]
    moment = np.zeros((m, n, d))
    loss = np.zeros((m, phases + 2 * pairs))
    step = np.empty(d)
    volume = 1.0
    for a in range(d):
        volume *= spacing[a]
    for i in range(n):
        mine = kept[i]
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            other = kept[j]
            normal = 0
            for a in range(d):
                step[a] = position[j, a] - position[i, a]
                if wrap:
                    step[a] -= size[a] * np.round(step[a] / size[a])
                if abs(step[a]) > abs(step[normal]):
                    normal = a
            for p in range(m):
                current = g[k] * (u[j, p] - u[i, p] + step[axes[p]])
                power = current * current / g[k]
                if mine < voxels:
                    weight = 0.5 if other < voxels else 1.0
                    half = 0.5 * spacing[normal] ** 2 / (bulk[mine] * volume)
                    inside = current * current * half
                    loss[p, phase[mine]] += inside
                    if other < voxels:
                        kind = types[phase[mine], phase[other]]
                        if ruled.shape[0] > 0:
                            lower = mine if step[normal] > 0 else other
                            if ruled[normal, lower] >= 0:
                                kind = ruled[normal, lower]
                        loss[p, phases + kind] += 0.5 * power - inside
                    else:
                        loss[p, phases + sheet_type[other - voxels]] += power - inside
                else:
                    weight = 0.5 if other >= voxels else 0.0
                    if other >= voxels:
                        kind = sheet_type[mine - voxels]
                        loss[p, phases + pairs + kind] += 0.5 * power
                for b in range(d):
                    moment[p, i, b] += weight * current * step[b]
        for end in range(2):
            if electrode[i, end] == 0.0:
                continue
            for p in range(m):
                a = axes[p]
                reach = position[i, a] if end == 0 else size[a] - position[i, a]
                sign = 1.0 if end == 0 else -1.0
                current = electrode[i, end] * (reach + sign * u[i, p])
                moment[p, i, a] += current * reach
                power = current * current / electrode[i, end]
                if mine < voxels:
                    loss[p, phase[mine]] += power
                else:
                    loss[p, phases + pairs + sheet_type[mine - voxels]] += power
    return moment, loss


@njit(cache=True, error_model="numpy")
def _voxel_sums(through, u, axis, bulk, phase, types, pairs, ruled, spacing, periodic):  # type: ignore[no-untyped-def]  # noqa: C901
    """Moment of every voxel and dissipation of every part, from links between voxels."""
    d = through.shape[0]
    shape = bulk.shape
    phases = types.shape[0]
    moment = np.zeros((*shape, d))
    loss = np.zeros(phases + 2 * pairs)
    volume = 1.0
    for a in range(d):
        volume *= spacing[a]
    for a in range(d):
        h = spacing[a]
        area = h * h / volume
        for i in range(shape[0]):
            for j in range(shape[1]):
                for k in range(shape[2]):
                    g = through[a, i, j, k]
                    if not periodic and a == axis:  # halves that touch the electrodes
                        place = i if a == 0 else (j if a == 1 else k)
                        contact = 2.0 * bulk[i, j, k] / area
                        current = 0.0
                        if place == 0:
                            current = contact * (u[i, j, k] + 0.5 * h)
                            loss[phase[i, j, k]] += current * (u[i, j, k] + 0.5 * h)
                            moment[i, j, k, a] += 0.5 * h * current
                        if place == shape[a] - 1:
                            current = contact * (0.5 * h - u[i, j, k])
                            loss[phase[i, j, k]] += current * (0.5 * h - u[i, j, k])
                            moment[i, j, k, a] += 0.5 * h * current
                    if g == 0.0:
                        continue
                    x, y, z = i, j, k
                    if a == 0:
                        x = (i + 1) % shape[0]
                    elif a == 1:
                        y = (j + 1) % shape[1]
                    else:
                        z = (k + 1) % shape[2]
                    step = u[x, y, z] - u[i, j, k] + (h if a == axis else 0.0)
                    current = g * step
                    moment[i, j, k, a] += 0.5 * current * h
                    moment[x, y, z, a] += 0.5 * current * h
                    one = 0.5 * current * current * area / bulk[i, j, k]
                    two = 0.5 * current * current * area / bulk[x, y, z]
                    loss[phase[i, j, k]] += one
                    loss[phase[x, y, z]] += two
                    kind = types[phase[i, j, k], phase[x, y, z]]
                    if ruled.shape[0] > 0 and ruled[a, i, j, k] >= 0:
                        kind = ruled[a, i, j, k]
                    loss[phases + kind] += current * step - one - two
    return moment, loss
