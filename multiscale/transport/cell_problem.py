"""Solve the transport problem on an assembled network and read the tensor off it.

Periodic: for unit mean gradients e_a the potential is e_a·x + u_a with u_a
periodic, and D_ab = (1/V) Σ_links g Δ_a Δ_b with Δ_a = u_a(j) − u_a(i) + d_a
(energy), or (1/V) Σ g Δ_a d_b (flux). Dirichlet: potential 1 and 0 on the two
faces of one axis, no flux through the others.

Parts that close on themselves along no axis (or touch fewer than two
electrodes) carry no current and are taken out exactly, before the solve.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from multiscale.errors import ConvergenceError
from multiscale.numerics import (
    ConductanceGraph,
    Hierarchy,
    Preconditioner,
    SolveReport,
    connected_parts,
    solve,
)
from multiscale.numerics.compiling import kernel

FloatArray = NDArray[np.float64]
TINY_FLUX = 1e-10
"""A mean flux below this share of the parallel bound is measured against that."""
ROUNDING = 4e-15
"""A residual below this share of the current through a uniform field is rounding."""
TIGHTENINGS = 12
"""How often the residual tolerance is tightened, ten- to thousandfold, to balance the flux."""
SMALLEST_RESIDUAL = 1e-15
"""Below this, double precision has nothing left to give."""


@dataclass(frozen=True, slots=True)
class AxisSolutions:
    """Solutions for several driving axes.

    Parameters
    ----------
    graph : ConductanceGraph
        The network, without the parts that carry no current.
    kept : (n,) bool ndarray
        Nodes of the full network that are in ``graph``.
    axes : tuple of int
        Axes that were driven and conduct.
    deviation : (nodes, len(axes)) ndarray
        u_a on the kept nodes.
    energy, flux : (d, d) ndarray
        Effective tensor by either formula.
    imbalance : (d,) ndarray
        (largest − smallest)/mean flux over all planes normal to each axis.
    report : SolveReport
        Of the last solve; iterations summed.
    """

    graph: ConductanceGraph
    kept: NDArray[np.bool_]
    axes: tuple[int, ...]
    deviation: FloatArray
    energy: FloatArray
    flux: FloatArray
    imbalance: FloatArray
    report: SolveReport


@kernel()
def _divergence(indptr, indices, g, position, size, wrap):  # type: ignore[no-untyped-def]
    """Net link moment Σ_j g d of every node, and Σ g |d| as its scale."""
    n, d = position.shape
    rhs = np.zeros((n, d))
    scale = np.zeros((n, d))
    for i in range(n):
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            for a in range(d):
                step = position[j, a] - position[i, a]
                if wrap:
                    step -= size[a] * np.round(step / size[a])
                rhs[i, a] += g[k] * step
                scale[i, a] += abs(g[k] * step)
    return rhs, scale


@kernel()
def _moments(indptr, indices, g, position, size, coordinates, cells, u, axes, wrap):  # type: ignore[no-untyped-def]  # noqa: C901
    """Energy and flux sums over links, and the flux through every cut plane.

    Rows of ``planes`` are as long as the longest axis; the surplus stays zero.
    """
    n, d = position.shape
    m = u.shape[1]
    energy = np.zeros((m, m))
    flux = np.zeros((m, d))
    planes = np.zeros((m, cells.max()))
    step, delta = np.empty(d), np.empty(m)
    for i in range(n):
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            for a in range(d):
                step[a] = position[j, a] - position[i, a]
                if wrap:
                    step[a] -= size[a] * np.round(step[a] / size[a])
            for p in range(m):
                a = axes[p]
                delta[p] = u[j, p] - u[i, p] + step[a]
                hop = coordinates[j, a] - coordinates[i, a]
                if wrap:
                    if 2 * hop > cells[a]:
                        hop -= cells[a]
                    elif 2 * hop < -cells[a]:
                        hop += cells[a]
                for turn in range(hop):  # elements that reach further cross several planes
                    planes[p, (coordinates[i, a] + turn) % cells[a]] += g[k] * delta[p]
            for p in range(m):
                for q in range(m):
                    energy[p, q] += 0.5 * g[k] * delta[p] * delta[q]
                for b in range(d):
                    flux[p, b] += 0.5 * g[k] * delta[p] * step[b]
    return energy, flux, planes


def restrict(graph: ConductanceGraph, keep: NDArray[np.bool_]) -> ConductanceGraph:
    """Take the other nodes and all their links out of a network.

    Parameters
    ----------
    graph : ConductanceGraph
        The network.
    keep : (n,) bool ndarray
        Nodes to keep; no kept node may have a conducting link to a dropped one.

    Returns
    -------
    ConductanceGraph
        The smaller network.
    """
    if keep.all():
        return graph
    number = np.cumsum(keep, dtype=np.int64) - 1
    rows = np.repeat(np.arange(graph.nodes), np.diff(graph.indptr))
    entry = keep[rows] & keep[graph.indices]
    count = np.bincount(number[rows[entry]], minlength=int(keep.sum()))
    return replace(
        graph,
        indptr=np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
        indices=number[graph.indices[entry]].astype(np.int32),
        conductance=graph.conductance[entry],
        electrode=graph.electrode[keep],
        position=graph.position[keep],
        coordinates=graph.coordinates[keep],
        group=graph.group[keep],
    )


Measure = tuple[FloatArray, FloatArray, FloatArray]
Builder = Callable[[ConductanceGraph, NDArray[np.bool_]], Preconditioner]


def aggregated(graph: ConductanceGraph, kept: NDArray[np.bool_]) -> Preconditioner:
    """Build the preconditioner of networks whose links are positive.

    Parameters
    ----------
    graph : ConductanceGraph
        The network, without the parts that carry no current.
    kept : (n,) bool ndarray
        Nodes of the full network that are in ``graph``.

    Returns
    -------
    Preconditioner
        Aggregation multigrid.
    """
    return Hierarchy.build(graph)


def _balanced(
    graph: ConductanceGraph,
    rhs: FloatArray,
    reference: FloatArray,
    measure: Callable[[FloatArray], Measure],
    rtol: float,
    max_iterations: int,
    start: FloatArray | None,
    hierarchy: Preconditioner,
) -> tuple[FloatArray, Measure, SolveReport]:
    """Tighten the residual until the flux through all planes agrees too.

    ``measure`` gives energy sums, flux sums and flux imbalances of potentials.
    """
    u = start if start is not None and start.shape == rhs.shape else None
    history: list[float] = []
    iterations, target = 0, rtol
    for _ in range(TIGHTENINGS):
        u, report = solve(
            graph,
            rhs,
            hierarchy,
            rtol=target,
            start=u,
            reference=reference,
            max_iterations=max_iterations,
        )
        iterations += report.iterations
        history += report.history[1:]
        sums = measure(u)
        spread = float(sums[2].max(initial=0.0))
        if spread <= rtol:
            return u, sums, SolveReport(iterations, report.residual, tuple(history))
        target *= min(0.1, max(1e-3, 0.3 * rtol / spread))
        if target < SMALLEST_RESIDUAL:
            break
    raise ConvergenceError(
        f"flux solver: expected the same flux through all planes to {rtol:.1e}, reached "
        f"{spread:.1e} at relative residual {report.residual.max():.1e}; raise rtol",
        history,
    )


def solve_periodic(
    graph: ConductanceGraph,
    *,
    rtol: float,
    max_iterations: int,
    start: FloatArray | None = None,
    preconditioner: Builder = aggregated,
) -> AxisSolutions:
    """Solve the periodic cell problem for all axes.

    Parameters
    ----------
    graph : ConductanceGraph
        The network; every axis has at least three cells.
    rtol : float
        Tolerance on the residual and on the flux balance.
    max_iterations : int
        Cap on the iterations of one solve.
    start : (nodes, axes) ndarray, optional
        Deviation of a similar problem; left aside if its shape differs.
    preconditioner : callable, optional
        Builds the preconditioner from the network and the nodes kept in it.

    Returns
    -------
    AxisSolutions
        Potentials and tensor; axes without a connected path are exactly zero.

    Raises
    ------
    ConvergenceError
        If the tolerance is not reached.
    """
    d = graph.position.shape[1]
    part, spans = connected_parts(graph)
    carries = (spans != 0).any(axis=(1, 2))
    axes = tuple(int(a) for a in np.flatnonzero((spans != 0).any(axis=(0, 1))))
    kept = carries[part]
    graph = restrict(graph, kept)
    if not axes:
        return _nothing(graph, kept, d)
    volume = float(graph.size.prod())
    links = (graph.indptr, graph.indices, graph.conductance, graph.position, graph.size)
    grid = (graph.coordinates, np.asarray(graph.cells))
    rhs, scale = _divergence(*links, True)
    rhs, scale = rhs[:, axes], scale[:, axes]
    reference = np.maximum(
        np.linalg.norm(rhs, axis=0), ROUNDING / rtol * np.linalg.norm(scale, axis=0)
    )
    driven = np.asarray(axes)
    floor = 0.5 * scale.sum(axis=0) / np.asarray(graph.cells)[driven]

    def measure(u: FloatArray) -> Measure:
        energy, flux, planes = _moments(*links, *grid, u, driven, True)
        cuts = [planes[p, : graph.cells[a]] for p, a in enumerate(axes)]
        return energy, flux, _spread(cuts, floor)

    u, sums, report = _balanced(
        graph, rhs, reference, measure, rtol, max_iterations, start, preconditioner(graph, kept)
    )
    energy, flux, spread = np.zeros((d, d)), np.zeros((d, d)), np.zeros(d)
    energy[np.ix_(axes, axes)] = sums[0] / volume
    flux[np.ix_(axes, axes)] = sums[1][:, axes] / volume
    spread[driven] = sums[2]
    return AxisSolutions(graph, kept, axes, u, energy, flux, spread, report)


def solve_dirichlet(
    graph: ConductanceGraph,
    axis: int,
    *,
    rtol: float,
    max_iterations: int,
    start: FloatArray | None = None,
    preconditioner: Builder = aggregated,
) -> AxisSolutions:
    """Solve between two electrodes on the box faces of one axis.

    Parameters
    ----------
    graph : ConductanceGraph
        The network, with conductances to the electrodes.
    axis : int
        The driven axis.
    rtol : float
        Tolerance on the residual and on the flux balance.
    max_iterations : int
        Cap on the iterations of one solve.
    start : (nodes, axes) ndarray, optional
        Deviation of a similar problem; left aside if its shape differs.
    preconditioner : callable, optional
        Builds the preconditioner from the network and the nodes kept in it.

    Returns
    -------
    AxisSolutions
        Potentials and the one entry of the tensor; exactly zero if no part
        touches both electrodes.

    Raises
    ------
    ConvergenceError
        If the tolerance is not reached.
    """
    d = graph.position.shape[1]
    part, spans = connected_parts(graph)
    touches = np.stack(
        [np.bincount(part, graph.electrode[:, end], len(spans)) > 0 for end in (0, 1)]
    )
    kept = np.asarray(touches.all(axis=0))[part]
    graph = restrict(graph, kept)
    if graph.nodes == 0:
        return _nothing(graph, kept, d)
    length = graph.size[axis]
    links = (graph.indptr, graph.indices, graph.conductance, graph.position, graph.size)
    driven = np.array([axis])
    x = graph.position[:, axis]
    divergence, scale = _divergence(*links, False)
    inlet, outlet = graph.electrode.T
    rhs = (divergence[:, axis] - inlet * x + outlet * (length - x))[:, None]
    size = np.linalg.norm(scale[:, axis] + inlet * x + outlet * (length - x))
    reference = np.maximum(np.linalg.norm(rhs, axis=0), ROUNDING / rtol * size)
    floor = np.array([0.5 * scale[:, axis].sum() / graph.cells[axis]])

    def measure(u: FloatArray) -> Measure:
        energy, flux, planes = _moments(
            *links, graph.coordinates, np.asarray(graph.cells), u, driven, False
        )
        above, below = u[:, 0] + x, length - x - u[:, 0]
        energy += inlet @ above**2 + outlet @ below**2
        flux[0, axis] += (inlet * above) @ x + (outlet * below) @ (length - x)
        count = graph.cells[axis]
        enter = np.bincount(graph.coordinates[:, axis], inlet * above, count)
        leave = np.bincount(graph.coordinates[:, axis], outlet * below, count)
        # electrode links of elements that reach further cross inner planes too
        inner = planes[0, : count - 1] + enter.sum() - np.cumsum(enter)[:-1] + np.cumsum(leave)[:-1]
        cuts = np.concatenate([[enter.sum()], inner, [leave.sum()]])
        return energy, flux, _spread([cuts], floor)

    u, sums, report = _balanced(
        graph, rhs, reference, measure, rtol, max_iterations, start, preconditioner(graph, kept)
    )
    volume = float(graph.size.prod())
    energy, flux, spread = np.zeros((d, d)), np.zeros((d, d)), np.zeros(d)
    energy[axis, axis] = sums[0][0, 0] / volume
    flux[axis, axis] = sums[1][0, axis] / volume
    spread[axis] = sums[2][0]
    return AxisSolutions(graph, kept, (axis,), u, energy, flux, spread, report)


def _spread(planes: list[FloatArray], floor: FloatArray) -> FloatArray:
    """(max − min)/mean of the plane fluxes of each driven axis."""
    out = np.zeros(len(planes))
    for p, values in enumerate(planes):
        mean = max(abs(values.mean()), TINY_FLUX * floor[p])
        out[p] = np.ptp(values) / mean if mean > 0 else 0.0
    return out


def _nothing(graph: ConductanceGraph, kept: NDArray[np.bool_], d: int) -> AxisSolutions:
    report = SolveReport(0, np.zeros(0), ())
    zero = np.zeros((d, d))
    return AxisSolutions(
        graph, kept, (), np.zeros((graph.nodes, 0)), zero, zero, np.zeros(d), report
    )
