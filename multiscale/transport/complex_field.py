"""The voxel problem with complex conductivities: spectra of the resolved field.

The links are those of :mod:`multiscale.transport.discretisation`, face scheme, with complex
conductances. Small problems are factorised; large ones are iterated by conjugate gradients
without conjugates, preconditioned by the multigrid of the same network with the moduli.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csc_array, csr_array, diags_array
from scipy.sparse.linalg import splu

from multiscale.errors import ConvergenceError, InputError, describe
from multiscale.numerics import ConductanceGraph, Hierarchy, merge_links
from multiscale.properties.dielectric import (
    ComplexConductivity,
    Complexes,
    Dielectric,
    DielectricMap,
    check_frequencies,
    dielectric_films,
    dielectric_phases,
)
from multiscale.transport.boundary_model import LARGEST_REPLACEMENT, STEEPEST, Films, films
from multiscale.transport.discretisation import edge_stars
from multiscale.transport.fields import LabelledImage, TessellatedCrystal, VoxelGeometry
from multiscale.units import VACUUM_PERMITTIVITY

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LARGEST_DIRECT = {2: 150_000, 3: 4_000}
"""Unknowns up to which factors cost less than iterations."""
TOLERANCE = 1e-9
MOST_ITERATIONS = 600
PARTED = 5.0
"""Films that resist more than so many voxels part grains on coarse grids."""


@dataclass(frozen=True, slots=True)
class _Links:
    """Branches of the network: their ends, and how far they reach along each axis."""

    nodes: int
    tail: Integers
    head: Integers
    reach: Floats
    value: Complexes


def complex_conductivity(
    crystal: TessellatedCrystal | LabelledImage,
    frequencies: ArrayLike,
    phases: Mapping[str, Dielectric],
    boundaries: DielectricMap | None = None,
    *,
    cells: Sequence[int] | None = None,
    boundary: str | None = None,
) -> ComplexConductivity:
    """Effective complex conductivity of the resolved field over frequency.

    Parameters
    ----------
    crystal : Polycrystal or LabelImage
        The microstructure.
    frequencies : array_like, shape (f,)
        > 0 [Hz].
    phases : mapping of str to Dielectric
        Conductivity and permittivity of each phase.
    boundaries : mapping, optional
        :class:`~multiscale.DielectricBoundary` of each pair of phases, keyed ``("A", "B")``
        or ``"A|B"`` in either order; no films if left out.
    cells : sequence of int, optional
        Voxels along each axis; an image brings its own.
    boundary : {"periodic", "dirichlet"}, optional
        By default what the crystal is.

    Returns
    -------
    ComplexConductivity
        A tensor for each frequency.

    Raises
    ------
    PropertyError
        If a phase or a boundary type has no value, or a value is no good.
    InputError
        If a frequency is not > 0, or cells or the condition do not fit.
    ResolutionError
        If a film is too wide for its grains or voxels.
    ConvergenceError
        If the iteration misses its tolerance.

    Warns
    -----
    ResolutionWarning
        If a film is wide for its grains or voxels.

    Notes
    -----
    ∇·((σ + 2πjf ε₀ε_r)∇u) = 0, films collapsed onto voxel faces as in
    :func:`multiscale.effective_diffusivity` with ``scheme="faces"``, and with its accuracy.
    A film conducts along itself if it does so better than the bulk at zero frequency.
    """
    frequency = check_frequencies(frequencies)
    geometry = VoxelGeometry.of(crystal, cells)
    condition = boundary or ("periodic" if crystal.periodic else "dirichlet")
    if condition not in ("periodic", "dirichlet"):
        raise InputError(describe("boundary", '"periodic" or "dirichlet"', condition))
    if condition == "periodic" and not crystal.periodic:
        raise InputError(describe("boundary", "dirichlet, as the crystal has walls", condition))
    given = dielectric_phases(phases, geometry.phase_names)
    still = dielectric_films(boundaries)
    geometry.check_films(still, "faces")
    problem = _Problem.of(geometry, given, still, dielectric_films(boundaries, permittivity=True))
    axes = [None] if condition == "periodic" else list(range(geometry.spacing.size))
    solvers = [_Solver(problem, axis) for axis in axes]
    tensors, residuals = [], []
    for one in frequency:
        answers = [solver.solve(2j * np.pi * one * VACUUM_PERMITTIVITY) for solver in solvers]
        tensors.append(sum(tensor for tensor, _ in answers))
        residuals.append(max(left for _, left in answers))
    return ComplexConductivity(
        frequency, np.array(tensors), np.array(residuals), solvers[0].unknowns, condition
    )


@dataclass(frozen=True, slots=True)
class _Problem:
    """Coefficients that make complex ones at any frequency."""

    geometry: VoxelGeometry
    conductivity: Floats
    permittivity: Floats
    conducting: Films | None
    polarising: Films | None
    classes: Integers
    sheeted: NDArray[np.bool_]

    @classmethod
    def of(
        cls, geometry: VoxelGeometry, given: tuple[Dielectric, ...],
        still: dict[str, Any] | None, polarised: dict[str, Any] | None,
    ) -> _Problem:  # fmt: skip
        sigma = np.array([one.conductivity for one in given])
        eps = np.array([one.relative_permittivity for one in given])
        conducting = films(still, geometry.phase_names, eps.tolist())
        polarising = films(polarised, geometry.phase_names, eps.tolist())
        classes = np.full(geometry.faces.axis.size, -1, np.int64)
        sheeted = np.zeros(classes.size, np.bool_)
        if conducting is not None:
            classes = geometry.classes(conducting)
            mean = (sigma[geometry.faces.lower] + sigma[geometry.faces.upper]) / 2
            wide = (classes >= 0) & (conducting.width[classes] > 0)
            sheeted = wide & (conducting.along[classes] > mean)
        return cls(geometry, sigma, eps, conducting, polarising, classes, sheeted)

    def films_at(self, unit: complex, bulk: Complexes) -> tuple[Complexes, Complexes]:
        """Excess resistance on both sides and excess sheet conductance of each face."""
        faces = self.geometry.faces
        resistance = np.zeros((faces.axis.size, 2), np.complex128)
        sheet = np.zeros(faces.axis.size, np.complex128)
        if self.conducting is None or self.polarising is None:
            return resistance, sheet
        width = np.where(self.classes >= 0, self.conducting.width[self.classes], 0.0)
        across = (self.conducting.across + unit * self.polarising.across)[self.classes]
        across = np.where(width > 0, across, 1.0)
        along = (self.conducting.along + unit * self.polarising.along)[self.classes]
        sides = np.stack([bulk[faces.lower], bulk[faces.upper]], axis=1)
        resistance = width[:, None] / 2 * (1 / across[:, None] - 1 / sides)
        rows = np.arange(faces.axis.size)
        slope = np.maximum(np.abs(faces.normal[rows, faces.axis]), STEEPEST)
        worse = np.abs(across)[:, None] < np.abs(sides)  # real films: those that resist
        tilted = np.where(worse, resistance / slope[:, None], resistance)
        sheet[self.sheeted] = (width * (along - sides.mean(axis=1)))[self.sheeted]
        return tilted, sheet


class _Solver:
    """One condition, all frequencies."""

    def __init__(self, problem: _Problem, electrodes: int | None) -> None:
        self.problem, self.electrodes = problem, electrodes
        geometry = problem.geometry
        faces = geometry.faces
        if electrodes is not None:
            inside = faces.wraps == 0
            faces = replace(
                faces,
                **{name: getattr(faces, name)[inside]
                   for name in ("axis", "index", "wraps", "normal", "lower", "upper")},
            )  # fmt: skip
            clipped = VoxelGeometry(
                geometry.labels, geometry.phase, geometry.spacing, geometry.phase_names, faces,
                geometry.orientations,
            )  # fmt: skip
            self.problem = replace(
                problem, geometry=clipped, classes=problem.classes[inside],
                sheeted=problem.sheeted[inside],
            )  # fmt: skip
        self.size = np.asarray(geometry.labels.shape[: geometry.spacing.size]) * geometry.spacing
        self.unknowns = geometry.labels.size + int(self.problem.sheeted.sum())
        self.axes = list(range(self.size.size)) if electrodes is None else [electrodes]
        self.before: Complexes | None = None
        self.parted = False

    def solve(self, unit: complex) -> tuple[Complexes, float]:
        """Effective tensor at one frequency and the residual reached."""
        links = self._links(unit)
        axes = self.axes
        source = links.reach[:, axes]
        matrix, right = _system(links, source)
        potential, left = self._potential(matrix, right, links)
        drop = source + potential[links.head] - potential[links.tail]
        energy = drop.T @ (links.value[:, None] * drop) / self.size.prod()
        tensor = np.zeros((self.size.size,) * 2, np.complex128)
        tensor[np.ix_(axes, axes)] = (energy + energy.T) / 2
        return tensor, left

    def _potential(
        self, matrix: csr_array, right: Complexes, links: _Links
    ) -> tuple[Complexes, float]:
        """Potentials with the electrode, or without one the last node, at zero."""
        norm = np.linalg.norm(right, axis=0)
        norm[norm == 0] = 1.0
        if self.unknowns <= LARGEST_DIRECT[self.size.size]:
            answer = _factorised(matrix, right)
        else:
            whole = slice(None, -1) if self.electrodes is not None else slice(None)
            hierarchy = Hierarchy.build(self._moduli(links))
            start = None if self.before is None else self.before[whole]
            inner = _iterated(csr_array(matrix[whole, whole]), right[whole], hierarchy, start)
            answer = np.zeros_like(right)
            answer[whole] = inner
        self.before = answer
        return answer, float(
            (np.linalg.norm(right - _product(matrix, answer), axis=0) / norm).max()
        )

    def _moduli(self, links: _Links) -> ConductanceGraph:
        """Make the network of the moduli, without the electrode."""
        geometry, n = self.problem.geometry, self.unknowns
        d, shape = self.size.size, geometry.labels.shape
        grid = np.stack(np.unravel_index(np.arange(geometry.labels.size), shape), axis=1)
        sheets = geometry.faces.index[self.problem.sheeted]
        group = np.concatenate(
            [geometry.labels.ravel(), np.full(len(sheets), geometry.labels.max() + 1)]
        )
        inside = (links.tail < n) & (links.head < n)
        electrode = np.zeros((n, 2))
        np.add.at(electrode[:, 0], links.tail[~inside], np.abs(links.value[~inside]))
        rows = merge_links(
            n, links.tail[inside].astype(np.int32), links.head[inside].astype(np.int32),
            np.abs(links.value[inside]),
        )  # fmt: skip
        return ConductanceGraph(
            *rows, electrode, np.zeros((n, d)),
            np.concatenate([grid, sheets])[:, :d].astype(np.int32),
            group.astype(np.int32) if self.parted else np.zeros(n, np.int32),
            tuple(shape[:d]), self.size,
        )  # fmt: skip

    def _links(self, unit: complex) -> _Links:
        problem, geometry = self.problem, self.problem.geometry
        bulk = problem.conductivity + unit * problem.permittivity
        resistance, sheet = problem.films_at(unit, bulk)
        parts = [*_voxel_links(geometry, bulk, resistance, problem.sheeted, self.electrodes)]
        if problem.sheeted.any():
            parts += _sheet_links(geometry, bulk, resistance, sheet, problem.sheeted,
                                  self.electrodes)  # fmt: skip
        if self.electrodes is not None:
            parts += _contacts(geometry, bulk, self.electrodes, self.unknowns)
        tail, head, reach, value = (np.concatenate([part[k] for part in parts]) for k in range(4))
        if resistance.size:  # as for real films: grains that films part well are kept apart
            low = np.abs(bulk[geometry.faces.lower])
            far = PARTED * geometry.spacing[geometry.faces.axis]
            self.parted = bool((np.abs(resistance).sum(axis=1) * low > far).any())
        nodes = self.unknowns + (self.electrodes is not None)
        return _Links(nodes, tail, head, reach, value)


Part = tuple[Integers, Integers, Floats, Complexes]


def _voxel_links(
    geometry: VoxelGeometry, bulk: Complexes, resistance: Complexes,
    sheeted: NDArray[np.bool_], electrodes: int | None,
) -> list[Part]:  # fmt: skip
    """Links from voxel to voxel; those through a film that conducts along itself are left out."""
    h, shape = geometry.spacing, geometry.labels.shape
    field = bulk[geometry.phase]
    number = np.arange(field.size, dtype=np.int64).reshape(shape)
    through = np.empty((h.size, *shape), np.complex128)
    for a in range(h.size):
        upper = np.roll(field, -1, axis=a)
        through[a] = 2 * field * upper / (field + upper) * h.prod() / h[a] ** 2
    if resistance.size:
        half = _halves(geometry, bulk, resistance)
        where = (geometry.faces.axis, *geometry.faces.index.T)
        through[where] = 1 / (1 / half).sum(axis=1)
        through[tuple(one[sheeted] for one in where)] = 0.0
    parts: list[Part] = []
    for a in range(h.size):
        value: Complexes = np.asarray(through[a])
        following: Integers = np.roll(number, -1, axis=a)
        keep = np.ones(shape, np.bool_)
        if electrodes is not None:
            np.moveaxis(keep, a, 0)[-1] = False
        keep &= value != 0
        reach = np.zeros((int(keep.sum()), h.size))
        reach[:, a] = h[a]
        parts.append((number[keep], following[keep], reach, value[keep]))
    return parts


def _halves(geometry: VoxelGeometry, bulk: Complexes, resistance: Complexes) -> Complexes:
    """Conductance from each boundary face to its lower and upper voxel."""
    faces, h = geometry.faces, geometry.spacing
    sides = np.stack([bulk[faces.lower], bulk[faces.upper]], axis=1)
    full = h[faces.axis][:, None] / sides
    film = resistance.copy()
    most = LARGEST_REPLACEMENT * np.abs(full)
    fast = (np.abs(full + film) < np.abs(full)) & (np.abs(film) > most)
    film[fast] *= most[fast] / np.abs(film[fast])
    half: Complexes = (h.prod() / h[faces.axis][:, None]) / (0.5 * full + film)
    return half


def _sheet_links(
    geometry: VoxelGeometry, bulk: Complexes, resistance: Complexes, sheet: Complexes,
    sheeted: NDArray[np.bool_], electrodes: int | None,
) -> list[Part]:  # fmt: skip
    """Links of the nodes on faces: to both voxels, to one another, and to electrodes."""
    faces, h, shape = geometry.faces, geometry.spacing, geometry.labels.shape
    rows = np.flatnonzero(sheeted)
    axis, low = faces.axis[rows].astype(np.intp), faces.index[rows]
    count, d = geometry.labels.size, h.size
    nodes = count + np.arange(rows.size)
    up = low.copy()
    up[np.arange(rows.size), axis] += 1
    up %= np.array(shape)
    half = _halves(geometry, bulk, resistance)[rows]
    step = np.zeros((rows.size, d))
    step[np.arange(rows.size), axis] = h[axis] / 2
    below = np.ravel_multi_index(tuple(low.T), shape)
    above = np.ravel_multi_index(tuple(up.T), shape)
    parts: list[Part] = [(below, nodes, step, half[:, 0]), (nodes, above, step, half[:, 1])]
    slope = np.abs(faces.normal[rows])
    own = np.take_along_axis(slope, axis[:, None], axis=1)
    across_width = h.prod() / (h[axis][:, None] * h[None, :])
    arm = 2 * sheet[rows, None] * (own + slope) * across_width / h[None, :]
    arm[np.arange(rows.size), axis] = 0.0
    number = np.full((d, *shape), -1, np.int32)
    number[(axis, *low.T)] = nodes
    first, second, value, node, side, contact = edge_stars(
        number, np.ascontiguousarray(arm), count, d, electrodes is None,
        -1 if electrodes is None else electrodes,
    )  # fmt: skip
    centre = (low[:, :d] + 0.5) * h + step
    size = np.asarray(shape[:d]) * h
    reach = centre[second - count] - centre[first - count]
    if electrodes is None:
        reach -= size * np.round(reach / size)
    parts.append((first.astype(np.int64), second.astype(np.int64), reach, value))
    if electrodes is not None and node.size:
        wall = np.zeros((node.size, d))
        at = centre[node, electrodes]
        wall[:, electrodes] = np.where(side == 0, -at, size[electrodes] - at)
        last = np.full(node.size, count + rows.size)
        parts.append((count + node, last, wall, contact))
    return parts


def _contacts(geometry: VoxelGeometry, bulk: Complexes, axis: int, electrode: int) -> list[Part]:
    """Links from the outer voxels to the electrode, which is both of the faces."""
    h = geometry.spacing
    number = np.arange(geometry.labels.size).reshape(geometry.labels.shape)
    contact = 2 * bulk[geometry.phase] * h.prod() / h[axis] ** 2
    parts = []
    for plane, sign in ((0, -1.0), (-1, 1.0)):
        voxel = np.take(number, plane, axis=axis).ravel()
        reach = np.zeros((voxel.size, h.size))
        reach[:, axis] = sign * h[axis] / 2
        ends = np.full(voxel.size, electrode)
        parts.append((voxel, ends, reach, np.take(contact, plane, axis=axis).ravel()))
    return parts


def _system(links: _Links, source: Floats) -> tuple[csr_array, Complexes]:
    """Kirchhoff's law at every node, with what the mean gradient drives."""
    n, value = links.nodes, links.value
    off = csr_array(
        (-np.concatenate([value, value]),
         (np.concatenate([links.tail, links.head]), np.concatenate([links.head, links.tail]))),
        shape=(n, n),
    )  # fmt: skip
    off.sum_duplicates()
    matrix = csr_array(off - diags_array(np.asarray(off.sum(axis=1)).ravel()))
    current = value[:, None] * source
    right = np.zeros((n, source.shape[1]), np.complex128)
    np.add.at(right, links.tail, current)
    np.subtract.at(right, links.head, current)
    return matrix, right


def _product(matrix: csr_array, values: Complexes) -> Complexes:
    return np.asarray(matrix @ values, dtype=np.complex128)


def _factorised(matrix: csr_array, right: Complexes) -> Complexes:
    """Sparse factors; symmetric with positive real part, so no pivoting is needed."""
    scale = 1 / np.sqrt(np.abs(matrix.diagonal()))
    scaled = csr_array(matrix.multiply(scale[:, None]).multiply(scale[None, :]))
    factors = splu(
        csc_array(scaled[:-1, :-1]), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )  # fmt: skip
    answer = np.zeros_like(right)
    answer[:-1] = factors.solve((right * scale[:, None])[:-1])
    answer *= scale[:, None]
    return answer


def _iterated(
    matrix: csr_array, right: Complexes, hierarchy: Hierarchy, start: Complexes | None
) -> Complexes:
    """Conjugate orthogonal conjugate gradients (van der Vorst & Melissen 1990), all columns."""
    x = np.zeros_like(right) if start is None else start.copy()
    residual = right - _product(matrix, x)
    norm = np.linalg.norm(right, axis=0)
    norm[norm == 0] = 1.0
    direction, before = np.zeros_like(right), np.ones(right.shape[1], np.complex128)
    for step in range(MOST_ITERATIONS):
        left = np.linalg.norm(residual, axis=0) / norm
        if left.max() <= TOLERANCE:
            return x
        if not np.isfinite(left).all():
            break
        two = hierarchy.precondition(np.hstack([residual.real, residual.imag]))
        z = two[:, : right.shape[1]] + 1j * two[:, right.shape[1] :]
        rho = np.sum(residual * z, axis=0)
        direction = z + (rho / before if step else 0.0) * direction
        product = _product(matrix, direction)
        alpha = rho / np.sum(direction * product, axis=0)
        x += alpha * direction
        residual -= alpha * product
        before = rho
    raise ConvergenceError(
        f"complex field: expected relative residual {TOLERANCE:.0e}, reached {left.max():.1e} "
        f"after {step} iterations; give fewer cells or other frequencies"
    )
