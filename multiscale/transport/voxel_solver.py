"""Solve a scalar voxel field without assembling anything.

The field stays where it is. Beside it are stored, a voxel, 6 single-precision
links a pair of cells and their inverse diagonals, four half vectors in double
precision and the coarse levels (:func:`needed_memory`). The iteration runs on
single-precision links; the residual, the energy and the fluxes are formed from
the field itself in double precision, and the iteration goes on from that
residual, so nothing in the result is single.

Accepted is a solution whose residual *and* whose fluxes through all planes
normal to the driven axis agree to the tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from multiscale.errors import ConvergenceError
from multiscale.numerics.checkerboard import Axis
from multiscale.numerics.checkerboard_multigrid import (
    Axes,
    Multigrid,
    ReducedCG,
    packed_shape,
    plan,
    pool_size,
)
from multiscale.numerics.memory import check_memory, free_memory
from multiscale.transport._voxel_kernels import (
    ENERGY,
    FLUX,
    PARALLEL,
    RESIDUAL,
    SCALE,
    SOURCE,
    examine,
    fill_links,
    pack_odd,
)
from multiscale.transport.islands import Carriers, carriers

FloatArray = NDArray[np.float64]
Ends = tuple[str, str, str]

TINY_FLUX = 1e-10
"""A mean flux below this share of the parallel bound is measured against that."""
ROUNDING = 4e-15
"""A residual below this share of the current through a uniform field is rounding."""
SMALLEST_RESIDUAL = 1e-15
"""Below this, double precision has nothing left to give."""
DEEPEST = 1e-6
"""Single-precision links are followed this far before the true residual is taken."""
WORTH_A_THREAD = 100_000
"""Voxels a thread should have at least."""


@dataclass(frozen=True, slots=True)
class FieldSolution:
    """The effective tensor of a field and how well it was computed.

    Parameters
    ----------
    axes : tuple of int
        Axes that were driven and conduct.
    energy, flux : (d, d) ndarray
        Effective tensor by either formula.
    imbalance : (d,) ndarray
        (largest − smallest)/mean flux over all planes normal to each axis.
    residual : float
        Largest relative residual.
    iterations : int
        Most iterations of an axis.
    history : tuple of float
        Relative residuals of the slowest axis, one an iteration.
    potentials : tuple of (nx, ny[, nz]) ndarray
        Deviation from the uniform gradient on all voxels, one an axis in ``axes``;
        empty unless asked for.
    """

    axes: tuple[int, ...]
    energy: FloatArray
    flux: FloatArray
    imbalance: FloatArray
    residual: float
    iterations: int
    history: tuple[float, ...]
    potentials: tuple[FloatArray, ...] = ()


@dataclass(frozen=True, slots=True)
class _Layout:
    """A field as three axes, rows along one with more than one cell.

    ``place`` says where each axis of the field went.
    """

    field: NDArray[Any]
    through: FloatArray | None
    spacing: FloatArray
    place: tuple[int, ...]

    @classmethod
    def of(cls, field: NDArray[Any], spacing: FloatArray, through: FloatArray | None) -> _Layout:
        d = field.ndim
        long = [a for a in range(d) if field.shape[a] > 1] or [d - 1]
        long.sort(key=lambda a: -abs(field.strides[a]))  # rows along what is next in memory
        short = [a for a in range(d) if a not in long] + [-1] * (3 - d)
        # single layers in front of the last axis: the order in memory stays
        order = [*long[:-1], *short, long[-1]] if len(long) < 3 else long
        shape = tuple(field.shape[a] if a >= 0 else 1 for a in order)
        edges = np.array([spacing[a] if a >= 0 else spacing.max() for a in order])
        axes = [a for a in order if a >= 0]
        turned = None
        if through is not None:
            rows = [
                through[a].transpose(axes).reshape(shape) if a >= 0 else np.zeros(shape)
                for a in order
            ]
            turned = np.stack(rows)
        place = tuple(order.index(a) for a in range(d))
        view = np.ascontiguousarray(field.transpose(axes).reshape(shape)).view()
        view.flags.writeable = False  # one compiled version for what may and may not be written
        return cls(view, turned, edges, place)

    def restored(self, values: FloatArray) -> FloatArray:
        """Bring values on the three axes back to the axes of the field."""
        d = len(self.place)
        axes = [a for p in range(3) for a in range(d) if self.place[a] == p]
        # axes of the field in the order of the layout, without the added ones
        shape = [self.field.shape[self.place[a]] for a in axes]
        back: FloatArray = values.reshape(shape).transpose(np.argsort(axes))
        return back

    def arranged(self, values: FloatArray) -> FloatArray:
        """Bring values on the axes of the field to the three axes."""
        d = len(self.place)
        axes = [a for p in range(3) for a in range(d) if self.place[a] == p]
        return np.ascontiguousarray(values.transpose(axes).reshape(self.field.shape))


@dataclass(frozen=True, slots=True)
class _Solved:
    """One driven axis: sums of the last look, and what the iteration did."""

    sums: FloatArray
    imbalance: float
    residual: float
    history: tuple[float, ...]


def needed_memory(axes: Axes, spacing: FloatArray, kept: int = 0) -> int:
    """Count the bytes a solve takes beside its field.

    Parameters
    ----------
    axes : tuple of Axis
        Layers along each axis.
    spacing : (3,) ndarray
        Voxel edges.
    kept : int, optional
        Solutions of other axes that are kept meanwhile.

    Returns
    -------
    int
        Bytes.
    """
    half = int(np.prod(packed_shape(axes)))
    links, inverse, result, vectors = 6 * 4, 2 * 4, 4, 4 * 8
    return half * (links + inverse + result + vectors + 2 * kept) + 4 * pool_size(
        plan(axes, spacing)[1:]
    )


def default_threads(voxels: int) -> int:
    """Choose how many threads a grid is worth.

    Parameters
    ----------
    voxels : int
        Cells of the grid.

    Returns
    -------
    int
        At least one, at most what numba may use.
    """
    most: int = numba.get_num_threads()
    return max(1, min(most, voxels // WORTH_A_THREAD))


def solve_field(
    field: NDArray[Any],
    spacing: FloatArray,
    boundary: str,
    *,
    rtol: float,
    max_iterations: int = 500,
    through: FloatArray | None = None,
    start: Sequence[FloatArray] = (),
    keep: bool = False,
    threads: int | None = None,
    solver: Callable[..., _FieldSolver] | None = None,
) -> FieldSolution:
    """Solve a scalar field for its effective tensor.

    Parameters
    ----------
    field : (nx, ny[, nz]) ndarray of float
        Coefficients ≥ 0; read, never copied.
    spacing : (d,) ndarray
        Voxel edges [m].
    boundary : {"periodic", "dirichlet"}
        Periodic cell problem for all axes, or electrodes on two faces and no flux
        through the others, for each axis in turn.
    rtol : float
        Tolerance on the residual and on the flux balance.
    max_iterations : int, optional
        Cap on the iterations of one axis.
    through : (d, nx, ny[, nz]) ndarray, optional
        Conductance to the next voxel along each axis, where films resist; positive
        between voxels that conduct; harmonic means of the field unless given.
    start : sequence of (nx, ny[, nz]) ndarray, optional
        Potentials of a similar problem, one an axis that conducts.
    keep : bool, optional
        Whether to return potentials.
    threads : int, optional
        Threads; chosen by the size unless given.
    solver : callable, optional
        What solves for the axes that share one set of links: on the CPU unless given.

    Returns
    -------
    FieldSolution
        Tensor and potentials; axes without a conducting path are exactly zero.

    Raises
    ------
    MemoryLimitError
        If it does not fit into the free memory.
    ConvergenceError
        If the tolerance is not reached.
    """
    d = field.ndim
    layout = _Layout.of(field, np.asarray(spacing, dtype=float), through)
    threads = threads or default_threads(field.size)
    out = _Collector(d)
    build = solver or _FieldSolver
    if boundary == "periodic":
        x, y, z = ("periodic" if a in layout.place else "wall" for a in range(3))
        ends = (x, y, z)
        found = carriers(layout.field, ends)
        driven = tuple(a for a in range(d) if found.along[layout.place[a]])
        _solve_axes(
            layout,
            ends,
            found,
            driven,
            out,
            rtol,
            max_iterations,
            tuple(start),
            keep,
            threads,
            build,
        )
    else:
        begins = iter(start)
        for a in range(d):
            walls = ["wall"] * 3
            walls[layout.place[a]] = "electrodes"
            ends = (walls[0], walls[1], walls[2])
            found = carriers(layout.field, ends)
            if found.along[layout.place[a]]:
                begin = tuple(u for u in (next(begins, None),) if u is not None)
                _solve_axes(
                    layout,
                    ends,
                    found,
                    (a,),
                    out,
                    rtol,
                    max_iterations,
                    begin,
                    keep,
                    threads,
                    build,
                )
    return out.solution()


class _Collector:
    """Gathers the rows of the tensor."""

    def __init__(self, d: int) -> None:
        self.energy, self.flux, self.imbalance = np.zeros((d, d)), np.zeros((d, d)), np.zeros(d)
        self.axes: list[int] = []
        self.potentials: list[FloatArray] = []
        self.residual = 0.0
        self.history: tuple[float, ...] = ()

    def add(self, axis: int, solved: _Solved) -> None:
        self.axes.append(axis)
        self.imbalance[axis] = solved.imbalance
        self.residual = max(self.residual, solved.residual)
        if len(solved.history) > len(self.history):
            self.history = solved.history

    def solution(self) -> FieldSolution:
        return FieldSolution(
            tuple(self.axes),
            self.energy,
            self.flux,
            self.imbalance,
            self.residual,
            max(len(self.history) - 1, 0),
            self.history,
            tuple(self.potentials),
        )


def _solve_axes(
    layout: _Layout,
    ends: Ends,
    found: Carriers,
    driven: tuple[int, ...],
    out: _Collector,
    rtol: float,
    max_iterations: int,
    start: tuple[FloatArray, ...],
    keep: bool,
    threads: int,
    build: Callable[..., _FieldSolver],
) -> None:
    """Solve the axes that share one set of links, and put them into the tensor."""
    if not driven:
        return
    solver = build(layout, ends, found.mask, len(driven) - 1, threads)
    others: list[tuple[int, Any]] = []
    for number, a in enumerate(driven):
        inner = layout.place[a]
        if layout.field.shape[inner] == 1 and ends[inner] == "periodic":
            mean = solver.mean()  # every layer is the same: a uniform field is the solution
            out.energy[a, a] = out.flux[a, a] = mean
            out.add(a, _Solved(np.zeros(0), 0.0, 0.0, (0.0,)))
            if keep:
                out.potentials.append(layout.restored(np.zeros(layout.field.shape)))
            continue
        begin = layout.arranged(start[number]) if number < len(start) else None
        solved = solver.solve(inner, rtol, max_iterations, begin)
        out.add(a, solved)
        out.energy[a, a] = solver.unit * solved.sums[ENERGY]
        for b in range(len(layout.place)):
            out.flux[a, b] = solver.unit * solved.sums[FLUX + layout.place[b]]
        if ends[inner] == "electrodes":
            out.flux[a] = np.where(np.arange(len(layout.place)) == a, out.flux[a], 0.0)
        for b, potential in others:
            # Σ g Δ_a Δ_b: the flux, less what the residual leaves of it
            left = potential.dot(solver.cg.residual)
            out.energy[a, b] = out.energy[b, a] = out.flux[a, b] - solver.unit * left
        if number + 1 < len(driven):
            others.append((a, solver.kept()))
        if keep:
            out.potentials.append(layout.restored(solver.potentials(inner)))


@dataclass(frozen=True, slots=True)
class _Kept:
    """A potential in half precision: enough to multiply a small residual."""

    values: NDArray[np.float16]
    scale: float

    @classmethod
    def of(cls, potential: FloatArray) -> _Kept:
        scale = max(float(potential.max()), -float(potential.min())) or 1.0
        values = np.empty(potential.shape, np.float16)
        for plane, into in zip(potential, values, strict=True):
            into[:] = plane / scale
        return cls(values, scale)

    def dot(self, residual: FloatArray) -> float:
        planes = zip(self.values, residual, strict=True)
        return self.scale * sum(float(np.vdot(one.astype(float), r)) for one, r in planes)


class _FieldSolver:
    """Links, preconditioner and iteration of one field between given ends."""

    def __init__(
        self,
        layout: _Layout,
        ends: Ends,
        mask: NDArray[np.uint8] | None,
        kept: int,
        threads: int,
    ) -> None:
        self._field, self._mask, self._threads = layout.field, mask, threads
        self._lay_out(layout, ends)
        needed = needed_memory(self._axes, self._spacing, kept)
        check_memory(
            needed, f"a solve on {field_size(layout.field)}", _advice(layout.field, needed)
        )
        self._through = layout.through
        self._scale_to(self._largest(), layout)
        links = np.empty((6, *packed_shape(self._axes)), np.float32)
        fill_links(*self._source(), links, threads)
        self.cg = ReducedCG(Multigrid(links, self._axes, self._spacing, threads))

    def _lay_out(self, layout: _Layout, ends: Ends) -> None:
        """Make the layers of each axis."""
        x, y, z = (
            Axis.of(n, end, packed=a == 2)
            for a, (n, end) in enumerate(zip(layout.field.shape, ends, strict=True))
        )
        self._axes = (x, y, z)
        self._length = float(layout.spacing.max())
        self._spacing = layout.spacing / self._length
        tables = [axis.links() for axis in self._axes]
        self._tables = tuple(
            (*table, axis.cells + axis.between)
            for table, axis in zip(tables, self._axes, strict=True)
        )

    def _scale_to(self, top: float, layout: _Layout) -> None:
        """Make the largest link about one; ``top`` is the largest coefficient."""
        self._scale = 1.0 / top
        areas = self._spacing.prod() / self._spacing**2
        self._factors = areas / areas.max()
        volume = layout.field.size * self._spacing.prod()
        self.unit = top * areas.max() / volume
        if layout.through is not None:
            physical = layout.spacing[list(layout.place)].prod() / layout.spacing**2
            self._through_scale = 1.0 / (top * physical.max())
        else:
            self._through_scale = 1.0

    def _source(self) -> tuple[Any, ...]:
        return (
            self._field,
            self._mask,
            self._scale,
            self._through,
            self._through_scale,
            self._factors,
            *self._tables,
        )

    def _largest(self) -> float:
        """Largest coefficient of the voxels that take part."""
        parts = (
            plane if self._mask is None else plane[self._mask[i] > 0]
            for i, plane in enumerate(self._field)
        )
        return max(float(part.max(initial=0.0)) for part in parts)

    def mean(self) -> float:
        """Mean of the field over all voxels, counting those that take part."""
        total = 0.0
        for i, plane in enumerate(self._field):
            total += float(plane.sum() if self._mask is None else plane[self._mask[i] > 0].sum())
        return total / self._field.size

    def _examine(
        self, axis: int, sources: bool, into: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        potential = np.zeros((1, 1, 1)) if into is None else into
        found: tuple[FloatArray, FloatArray] = examine(
            *self._source(),
            self._spacing,
            self.cg.potential,
            axis,
            sources,
            self.cg.residual,
            into is not None,
            potential,
            self._threads,
        )
        return found

    def potentials(self, axis: int) -> FloatArray:
        """Deviation on all voxels."""
        out = np.empty(self._field.shape)
        self._examine(axis, False, out)
        return out * self._length

    def kept(self) -> Any:
        """Copy the potential, roughly, for :meth:`_Kept.dot`."""
        return _Kept.of(self.cg.potential)

    def _begin(self, start: FloatArray) -> None:
        """Begin from a given potential of all voxels."""
        self._pack(start, self.cg.potential)

    def _pack(self, start: FloatArray, odd: FloatArray) -> None:
        live = tuple(table[4] for table in self._tables)
        shares = np.array([axis.between_shares() for axis in self._axes])
        pack_odd(start, 1 / self._length, live, shares, odd)

    def solve(
        self, axis: int, rtol: float, max_iterations: int, start: FloatArray | None
    ) -> _Solved:
        """Drive one axis until residual and fluxes agree with the tolerance."""
        cg = self.cg
        cg.potential[:] = 0.0
        cg.restart()
        sums, _ = self._examine(axis, True)
        norm = max(float(np.sqrt(sums[SOURCE])), ROUNDING / rtol * float(np.sqrt(sums[SCALE])))
        norm = norm or 1.0
        floor = 0.5 * sums[PARALLEL] / self._axes[axis].cells
        crossed = np.flatnonzero(self._tables[axis][2] > 0)
        if start is not None:
            self._begin(start)
        size, spread = float(np.sqrt(sums[RESIDUAL])), np.inf
        if start is not None or size <= rtol * norm:
            sums, planes = self._examine(axis, False)
            size, spread = float(np.sqrt(sums[RESIDUAL])), _spread(planes[crossed], floor)
        history = [size / norm]
        wanted = rtol
        while True:
            if size <= rtol * norm and spread <= rtol:
                return _Solved(sums, spread, size / norm, tuple(history))
            if size <= wanted * norm:
                wanted *= min(0.3, max(1e-3, 0.5 * rtol / spread))
            if wanted < SMALLEST_RESIDUAL:
                raise ConvergenceError(
                    f"flux solver: expected the same flux through all planes to {rtol:.1e}, "
                    f"reached {spread:.1e} at relative residual {size / norm:.1e}; raise rtol",
                    history,
                )
            goal = max(wanted * norm, DEEPEST * size)
            while size > goal:
                if len(history) > max_iterations:
                    raise ConvergenceError(
                        f"multigrid-preconditioned CG: expected relative residual {rtol:.1e}, "
                        f"reached {history[-1]:.1e} after {max_iterations} iterations; raise rtol "
                        "or max_iterations",
                        history,
                    )
                size = cg.step(size)
                history.append(size / norm)
                if not np.isfinite(size):
                    raise ConvergenceError(
                        f"multigrid-preconditioned CG: residual became {size} at iteration "
                        f"{len(history) - 1}; the field holds values too far apart for it",
                        history,
                    )
            followed = size
            sums, planes = self._examine(axis, False)
            size, spread = float(np.sqrt(sums[RESIDUAL])), _spread(planes[crossed], floor)
            history[-1] = size / norm
            if abs(size - followed) > 0.3 * size:  # the links' rounding shows: begin afresh
                cg.restart()


def field_size(field: NDArray[Any]) -> str:
    """Name the size of a grid.

    Parameters
    ----------
    field : ndarray
        Any field.

    Returns
    -------
    str
        As in "128×128×128 voxels".
    """
    return "×".join(str(n) for n in field.shape if n > 1) + " voxels"


def _advice(field: NDArray[Any], needed: int) -> str:
    free = free_memory() or 0
    axes = max(sum(n > 1 for n in field.shape), 1)
    fits = int((field.size * free / max(needed, 1)) ** (1 / axes))
    return f"about {'×'.join([str(fits)] * axes)} voxels fit; cut the image or coarsen it"


def _spread(values: FloatArray, floor: float) -> float:
    """(max − min)/mean of the plane fluxes."""
    mean = max(abs(float(values.mean())), TINY_FLUX * floor)
    return float(np.ptp(values)) / mean if mean > 0 else 0.0
