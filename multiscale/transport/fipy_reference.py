"""The same problems solved by FiPy, as an independent second backend.

FiPy builds its own mesh, forms its own harmonic face means, assembles its own
matrix and solves it with its own solvers. Films enter as face coefficients;
sheets along boundaries have no counterpart on a plain mesh and are refused.

References
----------
Guyer, Wheeler & Warren, Comput. Sci. Eng. 11, 6 (2009), 10.1109/MCSE.2009.52.
"""

from __future__ import annotations

import time
import warnings
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiscale.errors import ConvergenceError, InputError, describe
from multiscale.numerics.fipy_package import import_fipy
from multiscale.transport.discretisation import VoxelProblem, assemble, face_conductances
from multiscale.transport.effective import EffectiveDiffusivity

FloatArray = NDArray[np.float64]


def solve_with_fipy(problem: VoxelProblem, *, boundary: str, rtol: float) -> EffectiveDiffusivity:
    """Solve a scalar voxel problem with FiPy.

    Parameters
    ----------
    problem : VoxelProblem
        Coefficients and films; no conducting sheets.
    boundary : {"periodic", "dirichlet"}
        Kind of problem.
    rtol : float
        Tolerance on the flux balance; the linear solver is run ten
        thousand times tighter.

    Returns
    -------
    EffectiveDiffusivity
        The tensor as FiPy has it. ``iterations`` counts FiPy's sweeps (one a
        driven axis).

    Raises
    ------
    InputError
        If the problem has sheets, zeros or fewer than three cells along a
        periodic axis.
    ConvergenceError
        If FiPy's solution is not balanced to ``rtol``.
    """
    problem = problem if boundary == "periodic" else problem.walled()
    _refuse(problem, boundary)
    fipy = import_fipy()
    begin = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        solved = _Fipy(fipy, problem, boundary == "periodic", rtol)
        drops = [solved.gradient(axis) for axis in range(problem.dimension)]
    d = problem.dimension
    flux, energy, spread = np.zeros((d, d)), np.zeros((d, d)), np.zeros(d)
    for a in range(d):
        spread[a] = solved.imbalance(drops[a], a)
        for b in range(d):
            if boundary == "periodic" or a == b:
                energy[a, b] = solved.energy(drops[a], drops[b])
                flux[a, b] = solved.mean_flux(drops[a], b)
    if spread.max() > max(rtol, 1e-10):
        raise ConvergenceError(
            f"FiPy: expected the same flux through all planes to {rtol:.1e}, reached "
            f"{spread.max():.1e}; raise rtol or use backend='multigrid'"
        )
    return EffectiveDiffusivity(
        0.5 * (energy + energy.T),
        flux,
        spread,
        float(solved.residual),
        d,
        (True,) * d,
        time.perf_counter() - begin,
        boundary,
        "fipy",
    )


def _refuse(problem: VoxelProblem, boundary: str) -> None:
    if (problem.bulk <= 0).any():
        raise InputError(
            describe(
                "backend='fipy'",
                "diffusivities > 0 everywhere",
                "zeros in the field",
                "use backend='multigrid'",
            )
        )
    if min(problem.cells) < 3:
        raise InputError(describe("backend='fipy'", "at least 3 voxels an axis", problem.cells))
    if assemble(problem, None if boundary == "periodic" else 0).sheet_face.size:
        raise InputError(
            describe(
                "backend='fipy'",
                "boundaries that conduct no better along than the bulk",
                "a boundary with width·(along − bulk) > 0",
                "use backend='multigrid'",
            )
        )


class _Fipy:
    """One FiPy mesh with its face coefficients."""

    def __init__(
        self, fipy: ModuleType, problem: VoxelProblem, periodic: bool, rtol: float
    ) -> None:
        self.fipy, self.problem, self.periodic = fipy, problem, periodic
        d = problem.dimension
        kind = f"{'Periodic' if periodic else ''}Grid{d}D"
        steps = dict(zip(("dx", "dy", "dz"), problem.spacing / problem.spacing.max(), strict=False))
        counts = dict(zip(("nx", "ny", "nz"), problem.cells, strict=False))
        self.mesh: Any = getattr(fipy, kind)(**counts, **steps)
        self.scale = float(problem.bulk.max())
        value = (problem.bulk / self.scale).reshape(problem.cells).ravel(order="F")
        self.cell = fipy.CellVariable(mesh=self.mesh, value=value)
        self.face = self.cell.harmonicFaceValue
        if problem.faces is not None:
            self.face = fipy.FaceVariable(mesh=self.mesh, value=self._with_films())
        self.solver = fipy.LinearCGSolver(
            tolerance=max(1e-4 * rtol, 1e-14), iterations=20000, precon=None, criterion="RHS"
        )
        self.residual = 0.0

    def _with_films(self) -> FloatArray:
        """Face coefficients K = T h/A of the same faces in FiPy's order."""
        d, h = self.problem.dimension, self.problem.spacing
        through = face_conductances(self.problem, self.periodic)[0]
        value: FloatArray = np.array(self.face.value, dtype=float)
        first, second = (np.asarray(ids) for ids in self.mesh._adjacentCellIDs)
        normal = np.abs(np.asarray(self.mesh.faceNormals)).argmax(axis=0)
        shape = self.problem.cells
        grids = [np.array(np.unravel_index(ids, shape, order="F")) for ids in (first, second)]
        for a in range(d):
            faces = np.flatnonzero((normal == a) & (first != second))
            one, two = grids[0][:, faces], grids[1][:, faces]
            ahead = (one[a] + 1) % shape[a] == two[a]
            low = np.where(ahead, one, two)
            index = (*low, np.zeros(faces.size, int)) if d == 2 else tuple(low)
            value[faces] = through[(a, *index)] * h[a] ** 2 / h.prod() / self.scale
        return value

    def gradient(self, axis: int) -> FloatArray:
        """Solve for one axis; the potential gradient normal to every face."""
        fipy, mesh = self.fipy, self.mesh
        if self.periodic:
            unit = np.zeros((self.problem.dimension, 1))
            unit[axis] = 1.0
            drive = fipy.FaceVariable(mesh=mesh, rank=1, value=0.0)
            drive.setValue(unit * np.asarray(self.face.value))
            pin = np.zeros(mesh.numberOfCells)
            pin[0] = 1.0
            u = fipy.CellVariable(mesh=mesh, value=0.0)
            equation = (
                fipy.DiffusionTerm(coeff=self.face)
                - fipy.ImplicitSourceTerm(coeff=fipy.CellVariable(mesh=mesh, value=pin))
                + drive.divergence
            )
        else:
            length = self.problem.cells[axis] * self.problem.spacing[axis]
            length /= self.problem.spacing.max()
            u = fipy.CellVariable(mesh=mesh, value=np.asarray(mesh.cellCenters.value)[axis])
            ends = (
                ("facesLeft", "facesRight"),
                ("facesBottom", "facesTop"),
                ("facesFront", "facesBack"),
            )[axis]
            u.constrain(0.0, where=getattr(mesh, ends[0]))
            u.constrain(length, where=getattr(mesh, ends[1]))
            equation = fipy.DiffusionTerm(coeff=self.face)
        self.residual = max(self.residual, self._sweep(equation, u))
        slope: FloatArray = np.asarray(u.faceGrad.dot(mesh.faceNormals).value)
        if not self.periodic:
            slope = self._wall_slopes(u, slope, axis, length)
        sign = np.asarray(mesh.faceNormals)[axis]
        return slope + sign if self.periodic else slope

    def _sweep(self, equation: Any, u: Any) -> float:
        equation.solve(var=u, solver=self.solver)
        residual = equation.justResidualVector(var=u)
        equation.cacheRHSvector()
        return float(np.linalg.norm(residual) / np.sqrt(self.mesh.numberOfCells))

    def _wall_slopes(self, u: Any, slope: FloatArray, axis: int, length: float) -> FloatArray:
        """Slopes between a wall's fixed value and the centre of its cell."""
        mesh = self.mesh
        exterior = np.asarray(mesh.exteriorFaces.value)
        normal = np.asarray(mesh.faceNormals)
        cells = mesh._adjacentCellIDs[0]
        inside = np.asarray(u.value)[np.asarray(cells)]
        h = self.problem.spacing[axis] / self.problem.spacing.max()
        along = exterior & (np.abs(normal[axis]) > 0.5)
        at_end = np.asarray(mesh.faceCenters.value)[axis] > 0.5 * length
        value = np.where(at_end, length, 0.0)
        slope = np.where(exterior, 0.0, slope)
        result: FloatArray = np.where(along, (value - inside) / (0.5 * h), slope)
        return result

    def _weights(self) -> FloatArray:
        """Volume behind each face: a cell, half of one at a wall.

        A periodic mesh keeps the faces it joined as exterior ones: they count
        nothing.
        """
        h = self.problem.spacing / self.problem.spacing.max()
        weight = np.full(self.mesh.numberOfFaces, h.prod())
        weight[np.asarray(self.mesh.exteriorFaces.value)] *= 0.0 if self.periodic else 0.5
        return weight

    def _inner_product(self, one: FloatArray, two: FloatArray) -> float:
        coefficient = np.asarray(self.face.value)
        total = float((self._weights() * coefficient * one * two).sum())
        h = self.problem.spacing / self.problem.spacing.max()
        return float(self.scale) * total / float(np.prod(np.asarray(self.problem.cells) * h))

    def energy(self, one: FloatArray, two: FloatArray) -> float:
        """(1/V) ∫ K ∇φ_a·∇φ_b [m²/s]."""
        return self._inner_product(one, two)

    def mean_flux(self, one: FloatArray, axis: int) -> float:
        """Mean flux along an axis [m²/s]."""
        return self._inner_product(one, np.asarray(self.mesh.faceNormals)[axis])

    def imbalance(self, slope: FloatArray, axis: int) -> float:
        """(max − min)/mean of the flux through all planes normal to an axis."""
        normal = np.asarray(self.mesh.faceNormals)[axis]
        plane = np.round(
            np.asarray(self.mesh.faceCenters.value)[axis]
            / (self.problem.spacing[axis] / self.problem.spacing.max())
        ).astype(int)
        across = (np.abs(normal) > 0.5) & (self._weights() > 0)
        flux = np.asarray(self.face.value) * slope * np.sign(normal)
        total = np.bincount(plane[across], flux[across])
        total = total[np.bincount(plane[across]) > 0]
        return float(np.ptp(total) / abs(total.mean()))
