"""The effective diffusivity of a voxel field or a polycrystal: the public face."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from multiscale.errors import (
    ConvergenceError,
    InputError,
    PropertyError,
    ResolutionError,
    describe,
    nearest,
)
from multiscale.properties.validity import (
    check_contrast,
    check_widths,
    film_widths,
    mean_grain_sizes,
)
from multiscale.transport._sheeted_solver import SheetedSolver
from multiscale.transport.boundary_model import BoundaryMap, films
from multiscale.transport.cell_problem import AxisSolutions, solve_dirichlet, solve_periodic
from multiscale.transport.cut_cells import CutAssembly, assemble_cut_cells
from multiscale.transport.cut_crystal import CutProblem, cut_problem
from multiscale.transport.discretisation import (
    Network,
    VoxelProblem,
    assemble,
    without_network,
)
from multiscale.transport.fields import (
    LabelledImage,
    TessellatedCrystal,
    VoxelGeometry,
    check_cells,
    check_field,
    check_spacing,
    phase_values,
    plain_problem,
)
from multiscale.transport.gpu_solver import check_device, field_solver, stay_on_cpu
from multiscale.transport.nitsche import FIRM, GENTLE, SOFT
from multiscale.transport.orientation import grain_tensors
from multiscale.transport.tensor_solver import TensorField, solve_tensors
from multiscale.transport.voxel_solver import FieldSolution, solve_field

FloatArray = NDArray[np.float64]

BOUNDARIES = ("periodic", "dirichlet")
BACKENDS = ("multigrid", "fipy")
SCHEMES = ("faces", "cut-cells")

ENOUGH = 60
"""After so many iterations with sheets beside the grid the assembled network is faster."""


@dataclass(frozen=True, slots=True)
class EffectiveDiffusivity:
    """The effective tensor and how well it was computed.

    Parameters
    ----------
    tensor : (d, d) ndarray
        Effective diffusivity from the energy [m²/s], symmetric. With Dirichlet
        faces the diagonal alone is defined and the rest is zero.
    flux_tensor : (d, d) ndarray
        The same from the mean flux [m²/s].
    imbalance : (d,) ndarray
        (largest − smallest)/mean flux over all planes normal to each driven
        axis.
    residual : float
        Largest relative residual.
    iterations : int
        Solver iterations (all axes of a periodic problem run together).
    percolates : tuple of bool
        Whether a conducting path leads along each axis. Where it is False the
        tensor is exactly zero.
    seconds : float
        Wall time of assembly and solve.
    boundary, backend : str
        As asked for.
    scheme : str
        How thin boundaries entered.
    device : str
        Where it was solved.
    """

    tensor: FloatArray
    flux_tensor: FloatArray
    imbalance: FloatArray
    residual: float
    iterations: int
    percolates: tuple[bool, ...]
    seconds: float
    boundary: str
    backend: str
    scheme: str = "faces"
    device: str = "cpu"

    @property
    def flux_imbalance(self) -> float:
        """Largest relative difference of the fluxes through opposite faces."""
        return float(self.imbalance.max(initial=0.0))

    @property
    def status(self) -> tuple[str, ...]:
        """For each axis ``"percolating"`` or ``"not percolating"``."""
        return tuple("percolating" if p else "not percolating" for p in self.percolates)


class _Limits(TypedDict):
    rtol: float
    max_iterations: int


@dataclass(frozen=True, slots=True)
class VoxelSolution:
    """A solved voxel problem, for post-processing.

    Parameters
    ----------
    problem : VoxelProblem
        What was solved.
    runs : tuple of (Network, AxisSolutions)
        One for a periodic problem, one an axis for a Dirichlet problem; empty where
        no network was needed.
    result : EffectiveDiffusivity
        The effective tensor.
    field : FieldSolution, optional
        The solution where no network was needed: no film conducts along itself.
    """

    problem: VoxelProblem
    runs: tuple[tuple[Network, AxisSolutions], ...]
    result: EffectiveDiffusivity
    field: FieldSolution | None = None


def effective_diffusivity(
    diffusivity: ArrayLike | TessellatedCrystal | LabelledImage,
    *,
    spacing: float | ArrayLike | None = None,
    cells: Sequence[int] | None = None,
    phases: Mapping[str, float | ArrayLike] | None = None,
    boundaries: BoundaryMap | None = None,
    boundary: str = "periodic",
    rtol: float = 1e-8,
    backend: str = "multigrid",
    scheme: str | None = None,
    max_iterations: int = 500,
    threads: int | None = None,
    device: str = "cpu",
) -> EffectiveDiffusivity:
    """Compute the effective diffusivity tensor.

    Parameters
    ----------
    diffusivity : array_like, Polycrystal or LabelImage
        Voxel field of diffusivities [m²/s], shape (nx, ny[, nz]) or, for
        tensors, (nx, ny[, nz], d, d); zeros are allowed. Or a polycrystal,
        which is put on ``cells``; or a label image, which has its own.
    spacing : float or (d,) array_like, optional
        Voxel edges [m]; needed with a field.
    cells : sequence of int, optional
        Voxels along each axis; needed with a polycrystal, left out with an image.
    phases : mapping of str to float or (d, d) array_like, optional
        Diffusivity of each phase [m²/s]; needed with a crystal or an image. A tensor is
        in the crystal frame and turned by each grain's orientation.
    boundaries : mapping, optional
        ``("LLZO", "LCO")`` or ``"LLZO|LCO"`` → :class:`multiscale.Boundary`
        for every type of boundary; none at all unless given.
    boundary : {"periodic", "dirichlet"}, optional
        Periodic cell problem (full tensor), or fixed potentials on two faces
        and no flux through the others, for each axis in turn.
    rtol : float, optional
        Tolerance on the relative residual and on the flux balance.
    backend : {"multigrid", "fipy"}, optional
        Own solver, or FiPy on the same problem as an independent check.
    scheme : {"faces", "cut-cells"}, optional
        How thin boundaries enter. ``"faces"``, the fast one, puts them on
        voxel faces; ``"cut-cells"``, the accurate one, on the facets of the
        tessellation, with crystal tensors too, or on facets fitted to the
        labels of an image. Unless given, ``"faces"`` for numbers and
        ``"cut-cells"`` for tensors with thin boundaries.
    max_iterations : int, optional
        Cap on the iterations of one solve.
    threads : int, optional
        Threads of the flux solver, but for cut cells and FiPy; unless given, as many as
        the field is worth and numba may use.
    device : {"cpu", "cuda", "cuda:N"}, optional
        Where fields without conducting films are solved: on a GPU with the ``gpu`` extra.
        Everything else, and all where torch or the device is missing, is solved on the
        CPU, with a warning.

    Returns
    -------
    EffectiveDiffusivity
        The tensor, its flux balance, residual and iterations. A structure
        without a conducting path along an axis gives exactly zero there.

    Raises
    ------
    InputError
        If an argument cannot be used; ResolutionError, if a film is too wide for its
        grains or voxels (:mod:`multiscale.properties.validity`).
    MemoryLimitError
        If the solve does not fit into the free memory; it says what would.
    ConvergenceError
        If the tolerance is not reached.

    Warns
    -----
    ResolutionWarning
        If a film is wide for its grains or voxels.
    DeviceWarning
        If the CPU solves although another device was asked for.

    Notes
    -----
    Scalar fields: cell-centred finite volumes with harmonic face means; the solve
    takes at most 45 bytes a voxel beside the field, which is not copied if it is in
    single or double precision and without gaps in memory. One mapped from a file
    (``numpy.load(path, mmap_mode="r")``) may be larger than the memory.
    Tensor fields: trilinear elements on voxel vertices, at most 180 bytes a voxel beside
    the field (130 with Dirichlet faces). Thin boundaries:
    :mod:`multiscale.transport.boundary_model` (faces) and
    :mod:`multiscale.transport.cut_cells`; their measured errors are in
    ``runs/boundary-accuracy``.
    """
    check_options(boundary, backend, rtol, max_iterations)
    check_device(device)
    if scheme is not None and scheme not in SCHEMES:
        raise InputError(
            describe(
                "scheme", f"one of {', '.join(SCHEMES)}", scheme, nearest(str(scheme), SCHEMES)
            )
        )
    if not isinstance(diffusivity, TessellatedCrystal | LabelledImage):
        given = {"phases": phases, "boundaries": boundaries, "cells": cells, "scheme": scheme}
        _check_field_options(given)
        return _solve_array(
            diffusivity, spacing, boundary, rtol, backend, max_iterations, threads, device
        )
    if spacing is not None:
        raise InputError(
            describe("spacing", "none with a crystal, which has its own size", spacing)
        )
    if scheme == "cut-cells" or (scheme is None and _needs_cut_cells(phases, boundaries)):
        if backend != "multigrid":
            raise InputError(describe("backend", "'multigrid' for cut-cells", backend))
        stay_on_cpu(device, "cut cells")
        return solve_cut_cells(
            diffusivity,
            cells,
            phases,
            boundaries,
            boundary=boundary,
            rtol=rtol,
            max_iterations=max_iterations,
        ).result
    problem, tensors = _crystal(diffusivity, cells, phases, boundaries, boundary)
    if tensors is not None:
        stay_on_cpu(device, "crystal tensors")
        return _solve_tensor(*tensors, boundary, rtol, max_iterations, backend, threads)
    assert problem is not None
    if backend == "fipy":
        stay_on_cpu(device, "the backend fipy")
        return _fipy(problem, boundary, rtol)
    return solve_voxels(
        problem,
        boundary=boundary,
        rtol=rtol,
        max_iterations=max_iterations,
        threads=threads,
        device=device,
    ).result


def _check_field_options(given: Mapping[str, object]) -> None:
    """Refuse what only a crystal or an image can have."""
    if given["phases"] is not None or given["boundaries"] is not None:
        raise InputError(
            describe(
                "diffusivity",
                "a polycrystal with phases and boundaries",
                "an array",
                "give a field alone, or a crystal with phases=",
            )
        )
    if given["scheme"] == "cut-cells":
        raise InputError(
            describe("scheme", "'faces' for a field", given["scheme"], "leave scheme out")
        )
    if given["cells"] is not None:
        raise InputError(describe("cells", "none with a field, which has its own", given["cells"]))


def _solve_array(
    diffusivity: ArrayLike,
    spacing: float | ArrayLike | None,
    boundary: str,
    rtol: float,
    backend: str,
    max_iterations: int,
    threads: int | None,
    device: str,
) -> EffectiveDiffusivity:
    """Solve a field of numbers or tensors."""
    field, is_tensor = check_field(diffusivity)
    h = check_spacing(spacing, field.ndim - 2 * is_tensor)
    if is_tensor:
        stay_on_cpu(device, "tensors")
        tensors = TensorField.of(field)
        return _solve_tensor(tensors, h, boundary, rtol, max_iterations, backend, threads)
    if backend == "fipy":
        stay_on_cpu(device, "the backend fipy")
        return _fipy(plain_problem(field, h), boundary, rtol)
    solver, used = field_solver(device)
    begin = time.perf_counter()
    found = solve_field(
        field, h, boundary, rtol=rtol, max_iterations=max_iterations, threads=threads, solver=solver
    )
    return _field_result(found, boundary, time.perf_counter() - begin, used)


def _fipy(problem: VoxelProblem, boundary: str, rtol: float) -> EffectiveDiffusivity:
    from multiscale.transport.fipy_reference import solve_with_fipy

    return solve_with_fipy(problem, boundary=boundary, rtol=rtol)


def check_options(boundary: str, backend: str, rtol: float, max_iterations: int = 1) -> None:
    """Check the options shared by all solves.

    Parameters
    ----------
    boundary, backend : str
        As given.
    rtol : float
        As given.
    max_iterations : int, optional
        As given.

    Raises
    ------
    InputError
        If one of them cannot be used.
    """
    for name, value, valid in (("boundary", boundary, BOUNDARIES), ("backend", backend, BACKENDS)):
        if value not in valid:
            raise InputError(
                describe(name, f"one of {', '.join(valid)}", value, nearest(str(value), valid))
            )
    if not (isinstance(rtol, float) and 1e-13 <= rtol < 1.0):
        raise InputError(describe("rtol", "a number from 1e-13 to 1", rtol))
    whole = isinstance(max_iterations, int | np.integer) and not isinstance(max_iterations, bool)
    if not whole or max_iterations < 1:
        raise InputError(describe("max_iterations", "a whole number ≥ 1", max_iterations))


def solve_voxels(
    problem: VoxelProblem,
    *,
    boundary: str,
    rtol: float,
    max_iterations: int = 500,
    start: VoxelSolution | None = None,
    keep: bool = False,
    threads: int | None = None,
    device: str = "cpu",
) -> VoxelSolution:
    """Solve a scalar voxel problem with the project's own solver.

    Parameters
    ----------
    problem : VoxelProblem
        Coefficients and films.
    boundary : {"periodic", "dirichlet"}
        Kind of problem.
    rtol : float
        Tolerance on the relative residual and on the flux balance.
    max_iterations : int, optional
        Cap on the iterations of one solve.
    start : VoxelSolution, optional
        Solution of a similar problem, e.g. at the previous temperature.
    keep : bool, optional
        Whether the potentials are wanted too, for fluxes or a later start.
    threads : int, optional
        Threads; chosen by the size unless given.
    device : {"cpu", "cuda", "cuda:N"}, optional
        Where to solve if no film conducts along itself; else on the CPU, with a warning.

    Returns
    -------
    VoxelSolution
        Potentials and effective tensor.

    Raises
    ------
    ConvergenceError
        If the tolerance is not reached.
    """
    begin = time.perf_counter()
    limits = _Limits(rtol=rtol, max_iterations=max_iterations)
    if boundary != "periodic":
        problem = problem.walled()
    matrix_free, through, sheets = without_network(problem, boundary == "periodic")
    if matrix_free:
        if sheets is None:
            solver, used = field_solver(device)
        else:
            stay_on_cpu(device, "films that do")
            solver, used = SheetedSolver, "cpu"
            limits["max_iterations"] = min(max_iterations, ENOUGH)
        try:
            found = solve_field(
                problem.bulk.reshape(problem.cells),
                problem.spacing,
                boundary,
                **limits,
                through=through,
                sheets=sheets,
                start=None if start is None else start.field,
                keep=keep,
                threads=threads,
                solver=solver,
            )
        except ConvergenceError:
            if limits["max_iterations"] == max_iterations:
                raise
            limits["max_iterations"] = max_iterations
        else:
            result = _field_result(found, boundary, time.perf_counter() - begin, used)
            return VoxelSolution(problem, (), result, found)
    stay_on_cpu(device, "films that do")
    before: list[FloatArray | None] = [None] * problem.dimension
    if start is not None:
        before[: len(start.runs)] = [run.deviation for _, run in start.runs]
    if boundary == "periodic":
        problem = _repeated(problem)
        network = assemble(problem)
        runs = [(network, solve_periodic(network.graph, **limits, start=before[0]))]
    else:
        runs = []
        for axis in range(problem.dimension):
            network = assemble(problem, electrodes=axis)
            runs.append(
                (network, solve_dirichlet(network.graph, axis, **limits, start=before[axis]))
            )
    seconds = time.perf_counter() - begin
    return VoxelSolution(problem, tuple(runs), _result([run for _, run in runs], boundary, seconds))


def _field_result(
    found: FieldSolution, boundary: str, seconds: float, device: str
) -> EffectiveDiffusivity:
    return EffectiveDiffusivity(
        found.energy,
        found.flux,
        found.imbalance,
        found.residual,
        found.iterations,
        tuple(a in found.axes for a in range(found.imbalance.size)),
        seconds,
        boundary,
        "multigrid",
        device=device,
    )


@dataclass(frozen=True, slots=True)
class CutSolution:
    """A solved problem on cut cells, for post-processing.

    Parameters
    ----------
    problem : CutProblem
        What was solved.
    runs : tuple of (CutAssembly, AxisSolutions)
        One for a periodic problem, one an axis for a Dirichlet problem.
    result : EffectiveDiffusivity
        The effective tensor.
    """

    problem: CutProblem
    runs: tuple[tuple[CutAssembly, AxisSolutions], ...]
    result: EffectiveDiffusivity


def solve_cut_cells(
    crystal: TessellatedCrystal | LabelledImage,
    cells: Sequence[int] | None,
    phases: Mapping[str, float | ArrayLike] | None,
    boundaries: BoundaryMap | None,
    *,
    boundary: str,
    rtol: float,
    max_iterations: int = 500,
) -> CutSolution:
    """Solve a polycrystal with thin boundaries on their true facets.

    Parameters
    ----------
    crystal : Polycrystal
        The microstructure.
    cells : sequence of int or None
        Voxels along each axis.
    phases : mapping of str to float or (d, d) array_like
        Diffusivity of each phase [m²/s]; tensors in the crystal frame.
    boundaries : mapping or None
        Film, or films by rules, of each pair of phases; None for none.
    boundary : {"periodic", "dirichlet"}
        Kind of problem.
    rtol : float
        Tolerance on the relative residual and on the flux balance.
    max_iterations : int, optional
        Cap on the iterations of one solve.

    Returns
    -------
    CutSolution
        Potentials and effective tensor.

    Raises
    ------
    InputError
        If an argument cannot be used; ResolutionError, if a film is too wide.
    ConvergenceError
        If the tolerance is not reached.
    """
    begin = time.perf_counter()
    if boundary == "periodic" and not crystal.periodic:
        raise InputError(
            describe("boundary", "'dirichlet' for a crystal that is not periodic", boundary)
        )
    limits = _Limits(rtol=rtol, max_iterations=max_iterations)
    d = len(crystal.size) if isinstance(crystal, TessellatedCrystal) else crystal.labels.ndim
    values = phase_values(phases, crystal.phase_names, d)
    periodic = boundary == "periodic"
    _check_widths(crystal, cells, values, boundaries, "cut-cells")
    gentle = boundaries is None and any(value.ndim for value in values)
    for stiffness in (GENTLE, SOFT, FIRM)[not gentle :]:
        problem = cut_problem(
            crystal, cells, values, boundaries, periodic=periodic, stiffness=stiffness
        )
        try:
            runs = _run_cut_cells(problem, d, periodic, limits)
            break
        except ConvergenceError:  # contacts too soft for the grains' anisotropy
            if stiffness is FIRM:
                raise
    result = _result([run for _, run in runs], boundary, time.perf_counter() - begin)
    return CutSolution(problem, tuple(runs), replace(result, scheme="cut-cells"))


def _check_widths(
    crystal: TessellatedCrystal | LabelledImage,
    cells: Sequence[int] | None,
    values: Sequence[FloatArray],
    boundaries: BoundaryMap | None,
    scheme: str,
) -> None:
    """Refuse films too wide for the grains or voxels, and warn of wide ones."""
    if boundaries is None or not isinstance(crystal, TessellatedCrystal):
        return
    # what is no film is refused as such
    films(boundaries, crystal.phase_names, [float(np.abs(value).max()) for value in values])
    size = np.asarray(crystal.size, dtype=float)
    sizes = mean_grain_sizes(
        crystal.tessellation.volumes,  # type: ignore[attr-defined]
        np.asarray(crystal.phases),
        crystal.phase_names,
        size.size,
    )
    spacing = size / check_cells(cells, size.size)
    check_widths(film_widths(boundaries), crystal.phase_names, sizes, spacing, scheme)


def _run_cut_cells(
    problem: CutProblem, d: int, periodic: bool, limits: _Limits
) -> list[tuple[CutAssembly, AxisSolutions]]:
    """Solve the periodic problem, or every axis between electrodes."""
    runs = []
    for axis in [None] if periodic else range(d):
        assembly = assemble_cut_cells(problem.grid, problem.links, axis)
        build = assembly.preconditioner
        if axis is None:
            run = solve_periodic(assembly.graph, preconditioner=build, **limits)
        else:
            run = solve_dirichlet(assembly.graph, axis, preconditioner=build, **limits)
        runs.append((assembly, run))
    return runs


def _needs_cut_cells(
    phases: Mapping[str, float | ArrayLike] | None, boundaries: BoundaryMap | None
) -> bool:
    """Whether a phase has a tensor and boundaries are thin."""
    return (
        boundaries is not None
        and isinstance(phases, Mapping)
        and any(np.ndim(value) == 2 for value in phases.values())
    )


def _solve_tensor(
    field: TensorField,
    spacing: FloatArray,
    boundary: str,
    rtol: float,
    max_iterations: int,
    backend: str,
    threads: int | None,
) -> EffectiveDiffusivity:
    if backend != "multigrid":
        raise InputError(describe("backend", "'multigrid' for tensor fields", backend))
    begin = time.perf_counter()
    found = solve_tensors(
        field, spacing, boundary, rtol=rtol, max_iterations=max_iterations, threads=threads
    )
    result = _field_result(found, boundary, time.perf_counter() - begin, "cpu")
    return replace(result, tensor=0.5 * (found.energy + found.energy.T))


def _result(runs: Sequence[AxisSolutions], boundary: str, seconds: float) -> EffectiveDiffusivity:
    d = runs[0].energy.shape[0]
    energy = np.sum([run.energy for run in runs], axis=0)
    driven = {axis for run in runs for axis in run.axes}
    return EffectiveDiffusivity(
        0.5 * (energy + energy.T),
        np.sum([run.flux for run in runs], axis=0),
        np.max([run.imbalance for run in runs], axis=0),
        max(float(run.report.residual.max(initial=0.0)) for run in runs),
        max(run.report.iterations for run in runs),
        tuple(axis in driven for axis in range(d)),
        seconds,
        boundary,
        "multigrid",
    )


def _crystal(
    crystal: TessellatedCrystal | LabelledImage,
    cells: Sequence[int] | None,
    phases: Mapping[str, float | ArrayLike] | None,
    boundaries: BoundaryMap | None,
    boundary: str,
) -> tuple[VoxelProblem | None, tuple[TensorField, FloatArray] | None]:
    if crystal.periodic != (boundary == "periodic") and boundary == "periodic":
        raise InputError(
            describe("boundary", "'dirichlet' for a crystal that is not periodic", boundary)
        )
    geometry = VoxelGeometry.of(crystal, cells)
    if boundary == "periodic" and min(geometry.labels.shape[: geometry.spacing.size]) < 3:
        raise ResolutionError(describe("cells", "at least 3 voxels an axis", geometry.labels.shape))
    d = geometry.spacing.size
    values = phase_values(phases, crystal.phase_names, d)
    if all(value.ndim == 0 for value in values):
        problem = geometry.problem([float(value) for value in values], boundaries)
        if isinstance(crystal, TessellatedCrystal):
            _check_widths(crystal, cells, values, boundaries, "faces")
        else:
            geometry.check_films(boundaries, scheme="faces")
        if boundaries is not None:
            check_contrast(dict(zip(crystal.phase_names, map(float, values), strict=True)), "faces")
        return problem, None
    if boundaries is not None:
        raise PropertyError(
            describe(
                "phases",
                "a number for each phase where thin boundaries are given",
                "a crystal tensor",
                "pass scheme='cut-cells', or multiscale.isotropic_average(tensor)",
            )
        )
    if not isinstance(crystal, TessellatedCrystal):
        raise PropertyError(
            describe(
                "phases", "a number for each phase of an image without orientations", "a tensor"
            )
        )
    grains = grain_tensors(values, crystal.phases, crystal.orientations, d)
    labels = geometry.labels.reshape(geometry.labels.shape[:d])
    return None, (TensorField.of_labels(labels, grains), geometry.spacing)


def _repeats(cells: Sequence[int]) -> tuple[int, ...]:
    """Copies along each axis that make every periodic axis three cells long."""
    return tuple(-(-3 // n) if n < 3 else 1 for n in cells)


def _repeated(problem: VoxelProblem) -> VoxelProblem:
    """Repeat a plain field along axes too short for a shortest image."""
    copies = _repeats(problem.cells)
    if max(copies) == 1:
        return problem
    shape = (*copies, 1)[:3]
    return replace(
        problem,
        bulk=np.tile(problem.bulk, shape),
        phase=np.tile(problem.phase, shape),
        labels=np.tile(problem.labels, shape),
    )
