"""Other solvers of the same problems, each behind one function.

A peer takes coefficients, a boundary condition and limits, and returns what it measured.
Matrix solvers get the seven-point matrix of :class:`bench_problems.System`, whose making is
not timed, and stop at a relative residual of 1e-6.
"""

import contextlib
import importlib.util
import io
import os
import sys
import time
import warnings

import numpy as np
from bench_problems import System

RTOL = 1e-6
TAUFACTOR_RTOL = 1e-4
"""TauFactor iterates in single precision; 1e-6 is out of its reach."""


class Clock:
    """CPU seconds since the last look."""

    def __init__(self):
        self.begin = time.process_time()

    def look(self):
        before, self.begin = self.begin, time.process_time()
        return self.begin - before


def _solved(system, x, setup, solve, iterations, note=""):
    return {
        "setup": setup,
        "solve": solve,
        "iterations": int(iterations),
        "deff": system.energy(x),
        "residual": system.residual(x),
        "imbalance": system.spread(x),
        "note": note,
    }


def _pyamg(build, coefficients, boundary, begin):
    import pyamg

    system = System(coefficients, boundary)
    begin()
    clock = Clock()
    levels = getattr(pyamg, build)(system.A)
    setup = clock.look()
    residuals = []
    x = levels.solve(system.b, tol=RTOL, accel="cg", maxiter=300, residuals=residuals)
    return _solved(system, x, setup, clock.look(), len(residuals) - 1)


def pyamg_rs(coefficients, boundary, begin, limit):
    """PyAMG, Ruge–Stüben."""
    return _pyamg("ruge_stuben_solver", coefficients, boundary, begin)


def pyamg_sa(coefficients, boundary, begin, limit):
    """PyAMG, smoothed aggregation."""
    return _pyamg("smoothed_aggregation_solver", coefficients, boundary, begin)


def amgcl(coefficients, boundary, begin, limit):
    """amgcl, smoothed aggregation with its default smoother; a periodic matrix is pinned."""
    import pyamgcl

    system = System(coefficients, boundary)
    matrix = system.A.copy()
    if boundary == "periodic":  # its coarsest level is factorised
        matrix[0, 0] *= 2
    begin()
    clock = Clock()
    levels = pyamgcl.amg(matrix, {"coarsening.type": "smoothed_aggregation"})
    setup = clock.look()
    solver = pyamgcl.solver(levels, {"type": "cg", "tol": RTOL, "maxiter": 500})
    x = solver(system.b)
    iterations = solver.iters() if callable(solver.iters) else solver.iters
    note = "one unknown pinned" if boundary == "periodic" else ""
    return _solved(system, x, setup, clock.look(), iterations, note)


def taufactor(coefficients, boundary, begin, limit):
    """TauFactor 2 on the CPU, stopped at the limit if it has not converged."""
    import taufactor as tf

    values = np.unique(coefficients)
    begin()
    clock = Clock()
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if values[0] == 0:
            solver = tf.Solver((coefficients > 0).astype(np.int64), device="cpu")
            note = "same problem"
        else:
            image = 1 + np.searchsorted(values, coefficients)
            phases = {1 + i: float(v) for i, v in enumerate(values)}
            solver = tf.MultiPhaseSolver(image, phases, device="cpu")
            note = "electrodes a voxel, not half, from the outermost centres"
        setup, spent = clock.look(), 0.0
        while not solver.converged and spent < limit:
            solver.solve(iter_limit=solver.iter + 200, verbose=False, conv_crit=TAUFACTOR_RTOL)
            spent += clock.look()
        _, spread = solver.compute_metrics()
    if not solver.converged:
        note += f"; stopped after {limit:.0f} s, not converged"
    return {
        "setup": setup,
        "solve": spent,
        "iterations": solver.iter,
        "deff": float(np.ravel(solver.D_eff)[0]),
        "residual": None,
        "imbalance": float(np.max(spread)),
        "note": note,
        "converged": bool(solver.converged),
    }


def openimpala(coefficients, boundary, begin, limit):
    """OpenImpala's tortuosity with its default solver, one conducting phase."""
    import openimpala as oi

    image = (coefficients > 0).astype(np.int32)
    with contextlib.redirect_stderr(io.StringIO()), oi.Session():
        begin()
        clock = Clock()
        found = oi.tortuosity(image, phase=1, direction="x")
        spent = clock.look()
        pure = oi.Session._pure_python
    return {
        "setup": 0.0,
        "solve": spent,
        "iterations": int(found.iterations),
        "deff": found.active_volume_fraction / found.tortuosity,
        "residual": float(found.residual_norm),
        "imbalance": abs(found.flux_in - found.flux_out) / max(abs(found.flux_in), 1e-300),
        "note": "centres of the outermost voxels fixed; "
        + ("SciPy CG, its own fallback" if pure else "compiled MLMG"),
    }


def fipy(coefficients, boundary, begin, limit):
    """FiPy: its mesh, its harmonic means, its own CG."""
    os.environ.setdefault("FIPY_SOLVERS", "scipy")
    arguments, sys.argv = sys.argv, sys.argv[:1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import fipy as fp

        sys.argv = arguments
        system = System(coefficients, boundary)
        nx, ny, nz = coefficients.shape
        begin()
        clock = Clock()
        mesh = fp.Grid3D(nx=nx, ny=ny, nz=nz, dx=1.0, dy=1.0, dz=1.0)
        coefficient = fp.CellVariable(mesh=mesh, value=coefficients.ravel(order="F"))
        ramp = np.asarray(mesh.cellCenters.value)[0].copy()
        u = fp.CellVariable(mesh=mesh, value=ramp)
        u.constrain(0.0, where=mesh.facesLeft)
        u.constrain(float(nx), where=mesh.facesRight)
        solver = fp.LinearCGSolver(tolerance=RTOL, iterations=20000)
        equation = fp.DiffusionTerm(coeff=coefficient.harmonicFaceValue)
        setup = clock.look()
        equation.solve(var=u, solver=solver)
        spent = clock.look()
    x = (np.asarray(u.value) - ramp).reshape(coefficients.shape, order="F").ravel()
    steps = getattr(getattr(solver, "convergence", None), "iterations", -1)
    return _solved(system, x, setup, spent, steps if steps is not None else -1)


PEERS = {
    "pyamg-rs": pyamg_rs,
    "pyamg-sa": pyamg_sa,
    "amgcl": amgcl,
    "taufactor": taufactor,
    "openimpala": openimpala,
    "fipy": fipy,
}
TITLES = {
    "pyamg-rs": "PyAMG Ruge–Stüben CG",
    "pyamg-sa": "PyAMG smoothed aggregation CG",
    "amgcl": "amgcl smoothed aggregation CG",
    "taufactor": "TauFactor 2",
    "openimpala": "OpenImpala",
    "fipy": "FiPy CG",
}
MODULES = {
    "pyamg-rs": ("pyamg",),
    "pyamg-sa": ("pyamg",),
    "amgcl": ("pyamgcl",),
    "taufactor": ("torch", "taufactor"),
    "openimpala": ("openimpala",),
    "fipy": ("fipy",),
}
HINTS = {
    "pyamgcl": "; it is compiled from source, which needs the headers of Boost",
    "openimpala": "; it has wheels for some systems only",
}


def missing(peer):
    """Say why a peer cannot run here; empty if it can."""
    for module in MODULES[peer]:
        if importlib.util.find_spec(module) is None:
            return f"{module} is not installed{HINTS.get(module, '')}"
    return ""


def takes(peer, problem):
    """Whether a peer can pose a problem."""
    if peer == "taufactor":
        return problem.boundary == "dirichlet"
    if peer == "openimpala":
        return problem.boundary == "dirichlet" and problem.contrast == "insulating"
    if peer == "fipy":
        return problem.boundary == "dirichlet" and problem.contrast in ("10", "1e3")
    return True
