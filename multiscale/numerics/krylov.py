"""Conjugate gradients for several right-hand sides at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from multiscale.errors import ConvergenceError
from multiscale.numerics.compiling import kernel
from multiscale.numerics.graph import ConductanceGraph

FloatArray = NDArray[np.float64]


class Preconditioner(Protocol):
    """Anything that approximates the inverse of a matrix."""

    def precondition(self, residual: FloatArray) -> FloatArray:
        """Apply the approximate inverse to (n, m) residuals."""
        ...


@dataclass(frozen=True, slots=True)
class SolveReport:
    """How a solve went.

    Parameters
    ----------
    iterations : int
        Iterations of the slowest right-hand side.
    residual : (m,) ndarray
        Norm of each residual over the norm of its right-hand side.
    history : tuple of float
        Largest relative residual after each iteration.
    """

    iterations: int
    residual: FloatArray
    history: tuple[float, ...]


def solve(
    graph: ConductanceGraph,
    rhs: FloatArray,
    preconditioner: Preconditioner,
    *,
    rtol: float,
    start: FloatArray | None = None,
    reference: FloatArray | None = None,
    max_iterations: int = 500,
) -> tuple[FloatArray, SolveReport]:
    """Solve A u = b for all columns of b together.

    Parameters
    ----------
    graph : ConductanceGraph
        The network whose matrix A is.
    rhs : (n, m) ndarray
        Right-hand sides, orthogonal to the null space of A.
    preconditioner : Preconditioner
        Symmetric positive approximation of the inverse.
    rtol : float
        Relative residual to reach, each column by itself.
    start : (n, m) ndarray, optional
        Initial guess.
    reference : (m,) ndarray, optional
        What the residual norms are measured against; the norms of the
        right-hand sides unless given.
    max_iterations : int, optional
        Cap on the iterations.

    Returns
    -------
    u : (n, m) ndarray
        The solution; a constant may be added where A is singular.
    report : SolveReport
        What was achieved.

    Raises
    ------
    ConvergenceError
        If the tolerance is not reached or a value is not finite.

    References
    ----------
    Notay, SIAM J. Sci. Comput. 22, 1444 (2000), 10.1137/S1064827599362314
    (flexible conjugate gradients).
    """
    diagonal = graph.diagonal()
    arrays = (graph.indptr, graph.indices, graph.conductance, diagonal)
    u = np.zeros_like(rhs) if start is None else np.array(start, dtype=np.float64)
    r = rhs - _apply(*arrays, u) if start is not None else rhs.copy()
    norm = np.sqrt(_dots(rhs, rhs)) if reference is None else reference.copy()
    norm[norm == 0.0] = 1.0
    relative = np.sqrt(_dots(r, r)) / norm
    history = [float(relative.max(initial=0.0))]
    direction = np.zeros_like(rhs)
    q = np.zeros_like(rhs)
    alpha, rho_old = np.zeros(rhs.shape[1]), np.ones(rhs.shape[1])
    iteration = 0
    while not relative.max(initial=0.0) <= rtol:  # true for NaN too
        if not np.isfinite(history[-1]):
            raise ConvergenceError(
                f"multigrid-preconditioned CG: residual became {history[-1]} at iteration "
                f"{iteration}; the field holds values too far apart for double precision",
                history,
            )
        if iteration == max_iterations:
            raise ConvergenceError(
                f"multigrid-preconditioned CG: expected relative residual {rtol:.1e}, reached "
                f"{history[-1]:.1e} after {iteration} iterations; raise rtol or check the "
                "contrast of the field",
                history,
            )
        z = preconditioner.precondition(r)
        rho, along_last = _two_dots(r, q, z)
        # r·z less its part along the last r, = −α q·z: the single-precision cycle is not
        # quite the same operator twice, and this form forgives it
        beta = np.maximum(-alpha * along_last / rho_old, 0.0)
        _combine(direction, z, np.where(relative > rtol, beta, 0.0))
        q = _apply(*arrays, direction)
        curvature = _dots(direction, q)
        if (curvature < -1e-6 * np.abs(rho))[relative > rtol].any():
            raise ConvergenceError(
                f"multigrid-preconditioned CG: the matrix is not positive (iteration {iteration}, "
                f"residual {history[-1]:.1e})",
                history,
            )
        active = (relative > rtol) & (curvature > 0)
        alpha = np.divide(rho, curvature, out=np.zeros_like(rho), where=active)
        relative = np.sqrt(_advance(u, direction, alpha, r, q)) / norm
        rho_old = np.where(rho != 0, rho, 1.0)
        history.append(float(relative.max()))
        iteration += 1
    true = rhs - _apply(*arrays, u)
    return u, SolveReport(iteration, np.sqrt(_dots(true, true)) / norm, tuple(history))


def apply(graph: ConductanceGraph, u: FloatArray) -> FloatArray:
    """Multiply the network's matrix with vectors.

    Parameters
    ----------
    graph : ConductanceGraph
        The network.
    u : (n, m) ndarray
        Potentials.

    Returns
    -------
    (n, m) ndarray
        Net current out of each node.
    """
    product: FloatArray = _apply(
        graph.indptr, graph.indices, graph.conductance, graph.diagonal(), u
    )
    return product


@kernel()
def _apply(indptr, indices, g, diagonal, x):  # type: ignore[no-untyped-def]
    y = np.empty_like(x)
    for i in range(x.shape[0]):
        if x.shape[1] == 3:
            s0, s1, s2 = diagonal[i] * x[i, 0], diagonal[i] * x[i, 1], diagonal[i] * x[i, 2]
            for k in range(indptr[i], indptr[i + 1]):
                j = indices[k]
                v = g[k]
                s0 -= v * x[j, 0]
                s1 -= v * x[j, 1]
                s2 -= v * x[j, 2]
            y[i, 0], y[i, 1], y[i, 2] = s0, s1, s2
        else:
            for c in range(x.shape[1]):
                s = diagonal[i] * x[i, c]
                for k in range(indptr[i], indptr[i + 1]):
                    s -= g[k] * x[indices[k], c]
                y[i, c] = s
    return y


@kernel()
def _dots(x, y):  # type: ignore[no-untyped-def]
    """Scalar products of corresponding columns."""
    total = np.zeros(x.shape[1])
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            total[c] += x[i, c] * y[i, c]
    return total


@kernel()
def _two_dots(x, y, z):  # type: ignore[no-untyped-def]
    """x·z and y·z of corresponding columns, in one pass."""
    first, second = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            first[c] += x[i, c] * z[i, c]
            second[c] += y[i, c] * z[i, c]
    return first, second


@kernel()
def _combine(p, z, beta):  # type: ignore[no-untyped-def]
    for i in range(p.shape[0]):
        for c in range(p.shape[1]):
            p[i, c] = z[i, c] + beta[c] * p[i, c]


@kernel()
def _advance(u, p, alpha, r, q):  # type: ignore[no-untyped-def]
    """Step along p; return the squared norms of the new residuals."""
    total = np.zeros(u.shape[1])
    for i in range(u.shape[0]):
        for c in range(u.shape[1]):
            u[i, c] += alpha[c] * p[i, c]
            r[i, c] -= alpha[c] * q[i, c]
            total[c] += r[i, c] * r[i, c]
    return total
