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

from collections.abc import Callable
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
from multiscale.transport.sheets import Sheets

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
    sheet_potentials : tuple of (n,) ndarray
        The same on the sheets.
    """

    axes: tuple[int, ...]
    energy: FloatArray
    flux: FloatArray
    imbalance: FloatArray
    residual: float
    iterations: int
    history: tuple[float, ...]
    potentials: tuple[FloatArray, ...] = ()
    sheet_potentials: tuple[FloatArray, ...] = ()


@dataclass(frozen=True, slots=True)
class _Layout:
    """A field as three axes, rows along one with more than one cell.

    ``place`` says where each axis of the field went.
    """

    field: NDArray[Any]
    through: FloatArray | None
    sheets: Sheets | None
    spacing: FloatArray
    place: tuple[int, ...]

    @classmethod
    def of(
        cls,
        field: NDArray[Any],
        spacing: FloatArray,
        through: FloatArray | None,
        sheets: Sheets | None = None,
    ) -> _Layout:
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
        return cls(view, turned, None if sheets is None else sheets.turned(place), edges, place)

    def restored(self, values: FloatArray) -> FloatArray:
        """Bring values on the three axes back to the axes of the field."""
        d = len(self.place)
        axes = [a for p in range(3) for a in range(d) if self.place[a] == p]
        # axes of the field in the order of the layout, without the added ones
        shape = [self.field.shape[self.place[a]] for a in axes]
        back: FloatArray = values.reshape(shape).transpose(np.argsort(axes))
        return back

    def restored_sheets(self, values: FloatArray) -> FloatArray:
        """Bring values of the sheets into the order they were given in."""
        back = np.empty_like(values)
        if self.sheets is not None:
            back[self.sheets.origin] = values
        return back

    def beginning(
        self, start: FieldSolution | None, axis: int
    ) -> tuple[FloatArray, FloatArray] | None:
        """Potentials to begin with on an axis: of voxels and sheets."""
        if start is None or axis not in start.axes or not start.potentials:
            return None
        number = start.axes.index(axis)
        shape = tuple(self.field.shape[p] for p in self.place)
        if start.potentials[number].shape != shape:
            return None
        sheets = start.sheet_potentials[number]
        if self.sheets is None:
            sheets = np.zeros(0)
        elif sheets.size == self.sheets.axis.size:
            sheets = sheets[self.sheets.origin]
        else:
            return None
        return self._arranged(start.potentials[number]), sheets

    def _arranged(self, values: FloatArray) -> FloatArray:
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
    sheets: Sheets | None = None,
    start: FieldSolution | None = None,
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
    sheets : Sheets, optional
        Films that conduct along themselves; ``through`` holds their two halves in series.
    start : FieldSolution, optional
        Solution of a similar problem with potentials; left aside on another grid.
    keep : bool, optional
        Whether to return potentials.
    threads : int, optional
        Threads; chosen by the size unless given.
    solver : callable, optional
        What solves for the axes that share one set of links: this module's own unless given.

    Returns
    -------
    FieldSolution
        Tensor and potentials; axes without a conducting path are exactly zero.

    Raises
    ------
    ValueError
        If there are sheets and no solver that knows them.
    MemoryLimitError
        If it does not fit into the free memory.
    ConvergenceError
        If the tolerance is not reached.
    """
    if sheets is not None and solver is None:
        raise ValueError("solve_field: sheets need a solver that knows them")
    d = field.ndim
    layout = _Layout.of(field, np.asarray(spacing, dtype=float), through, sheets)
    threads = threads or default_threads(field.size)
    out = _Collector(d)
    options = _Options(rtol, max_iterations, start, keep, threads, solver or _FieldSolver)
    if boundary == "periodic":
        x, y, z = ("periodic" if a in layout.place else "wall" for a in range(3))
        ends = (x, y, z)
        found = carriers(layout.field, ends)
        driven = tuple(a for a in range(d) if found.along[layout.place[a]])
        _solve_axes(layout, ends, found, driven, out, options)
    else:
        for a in range(d):
            walls = ["wall"] * 3
            walls[layout.place[a]] = "electrodes"
            ends = (walls[0], walls[1], walls[2])
            found = carriers(layout.field, ends)
            if found.along[layout.place[a]]:
                _solve_axes(layout, ends, found, (a,), out, options)
    return out.solution()


@dataclass(frozen=True, slots=True)
class _Options:
    """What holds for all axes."""

    rtol: float
    max_iterations: int
    start: FieldSolution | None
    keep: bool
    threads: int
    solver: Callable[..., _FieldSolver]


class _Collector:
    """Gathers the rows of the tensor."""

    def __init__(self, d: int) -> None:
        self.energy, self.flux, self.imbalance = np.zeros((d, d)), np.zeros((d, d)), np.zeros(d)
        self.axes: list[int] = []
        self.potentials: list[FloatArray] = []
        self.sheet_potentials: list[FloatArray] = []
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
            tuple(self.sheet_potentials),
        )


def _solve_axes(
    layout: _Layout,
    ends: Ends,
    found: Carriers,
    driven: tuple[int, ...],
    out: _Collector,
    options: _Options,
) -> None:
    """Solve the axes that share one set of links, and put them into the tensor."""
    if not driven:
        return
    solver = options.solver(layout, ends, found.mask, len(driven) - 1, options.threads)
    others: list[tuple[int, Any]] = []
    for number, a in enumerate(driven):
        inner = layout.place[a]
        if layout.field.shape[inner] == 1 and ends[inner] == "periodic":
            mean = solver.mean()  # every layer is the same: a uniform field is the solution
            out.energy[a, a] = out.flux[a, a] = mean
            out.add(a, _Solved(np.zeros(0), 0.0, 0.0, (0.0,)))
            if options.keep:
                out.potentials.append(layout.restored(np.zeros(layout.field.shape)))
                count = 0 if layout.sheets is None else layout.sheets.axis.size
                out.sheet_potentials.append(np.zeros(count))
            continue
        solved = solver.solve(
            inner, options.rtol, options.max_iterations, layout.beginning(options.start, a)
        )
        out.add(a, solved)
        out.energy[a, a] = solver.unit * solved.sums[ENERGY]
        for b in range(len(layout.place)):
            out.flux[a, b] = solver.unit * solved.sums[FLUX + layout.place[b]]
        if ends[inner] == "electrodes":
            out.flux[a] = np.where(np.arange(len(layout.place)) == a, out.flux[a], 0.0)
        for b, kept in others:
            # Σ g Δ_a Δ_b: the flux, less what the residual leaves of it
            out.energy[a, b] = out.energy[b, a] = out.flux[a, b] - solver.unit * solver.left(kept)
        if number + 1 < len(driven):
            others.append((a, solver.kept()))
        if options.keep:
            voxels, sheets = solver.potentials(inner)
            out.potentials.append(layout.restored(voxels))
            out.sheet_potentials.append(layout.restored_sheets(sheets))


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
        needed = self._memory(layout, kept)
        check_memory(
            needed, f"a solve on {field_size(layout.field)}", _advice(layout.field, needed)
        )
        self._scale_to(self._largest(), layout)
        films = (layout.through, self._through_scale)
        given = (layout.field, mask, self._scale, *films, self._factors)
        self._source = (given, *self._tables)
        self.cg = self._prepare(layout, ends)

    def _lay_out(self, layout: _Layout, ends: Ends) -> None:
        """Make the layers of each axis."""
        x, y, z = (
            Axis.of(n, end, packed=a == 2)
            for a, (n, end) in enumerate(zip(layout.field.shape, ends, strict=True))
        )
        self._axes = (x, y, z)
        self._length = float(layout.spacing.max())
        self._spacing = layout.spacing / self._length
        self._tables = tuple((*axis.links(), axis.cells + axis.between) for axis in self._axes)

    def _scale_to(self, top: float, layout: _Layout) -> None:
        """Make the largest link about one; ``top`` is the largest coefficient."""
        self._scale = 1.0 / top
        areas = self._spacing.prod() / self._spacing**2
        self._factors = areas / areas.max()
        volume = layout.field.size * self._spacing.prod()
        self.unit = top * areas.max() / volume
        self._through_scale = 1.0
        if layout.through is not None:
            physical = layout.spacing[list(layout.place)].prod() / layout.spacing**2
            self._through_scale = 1.0 / (top * physical.max())

    def _memory(self, layout: _Layout, kept: int) -> int:
        """Bytes it takes."""
        return needed_memory(self._axes, self._spacing, kept)

    def _links(self) -> Any:
        """Packed links of the field, in single precision."""
        links = np.empty((6, *packed_shape(self._axes)), np.float32)
        fill_links(self._source, links, self._threads)
        return links

    def _prepare(self, layout: _Layout, ends: Ends) -> Any:
        """Make the iteration."""
        return ReducedCG(Multigrid(self._links(), self._axes, self._spacing, self._threads))

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
        drive = (self.cg.potential, self._spacing, axis, sources, None)
        return examine(self._source, drive, self.cg.residual, into, self._threads)

    def potentials(self, axis: int) -> tuple[FloatArray, FloatArray]:
        """Deviation on all voxels, and on the sheets."""
        out = np.empty(self._field.shape)
        self._examine(axis, False, out)
        return out * self._length, np.zeros(0)

    def kept(self) -> Any:
        """Copy the potential, roughly, for :meth:`left`."""
        return _Kept.of(self.cg.potential)

    def left(self, kept: Any) -> float:
        """Product of a copied potential with what is left."""
        return float(kept.dot(self.cg.residual))

    def _put(self, voxels: FloatArray, sheets: FloatArray) -> None:
        """Begin from given potentials."""
        self._pack(voxels, self.cg.potential)

    def _pack(self, voxels: FloatArray, odd: FloatArray) -> None:
        live = tuple(table[4] for table in self._tables)
        shares = np.array([axis.between_shares() for axis in self._axes])
        pack_odd(voxels, 1 / self._length, live, shares, odd)

    def _clear(self) -> None:
        """Begin from nothing."""
        self.cg.potential[:] = 0.0

    def solve(
        self,
        axis: int,
        rtol: float,
        max_iterations: int,
        start: tuple[FloatArray, FloatArray] | None,
    ) -> _Solved:
        """Drive one axis until residual and fluxes agree with the tolerance."""
        sums, norm, floor = self._begin(axis, rtol, start)
        size, spread = float(np.sqrt(sums[RESIDUAL])), np.inf
        if start is not None or size <= rtol * norm:
            sums, size, spread = self._compare(axis, floor)
        history = [size / norm]
        wanted = rtol
        while not (size <= rtol * norm and spread <= rtol):
            if size <= wanted * norm:
                wanted *= min(0.3, max(1e-3, 0.5 * rtol / spread))
            if wanted < SMALLEST_RESIDUAL:
                raise ConvergenceError(
                    f"flux solver: expected the same flux through all planes to {rtol:.1e}, "
                    f"reached {spread:.1e} at relative residual {size / norm:.1e}; raise rtol",
                    history,
                )
            goal = max(wanted * norm, DEEPEST * size)
            followed = self._follow(size, goal, norm, rtol, max_iterations, history)
            sums, size, spread = self._compare(axis, floor)
            history[-1] = size / norm
            if abs(size - followed) > 0.3 * size:  # the links' rounding shows: begin afresh
                self.cg.restart()
        return _Solved(sums, spread, size / norm, tuple(history))

    def _begin(
        self, axis: int, rtol: float, start: tuple[FloatArray, FloatArray] | None
    ) -> tuple[FloatArray, float, float]:
        """Set the potential; return sums without one, what residuals and fluxes compare with."""
        self._clear()
        self.cg.restart()
        sums, _ = self._examine(axis, True)
        norm = max(float(np.sqrt(sums[SOURCE])), ROUNDING / rtol * float(np.sqrt(sums[SCALE])))
        if start is not None:
            self._put(*start)
        return sums, norm or 1.0, 0.5 * sums[PARALLEL] / self._axes[axis].cells

    def _compare(self, axis: int, floor: float) -> tuple[FloatArray, float, float]:
        """Sums of the present potential, its residual, and how much fluxes differ."""
        sums, planes = self._examine(axis, False)
        crossed = self._tables[axis][2] > 0
        fluxes = planes[: crossed.size][crossed]
        return sums, float(np.sqrt(sums[RESIDUAL])), _spread(fluxes, floor)

    def _follow(
        self, size: float, goal: float, norm: float, rtol: float, most: int, history: list[float]
    ) -> float:
        """Iterate to a residual; append what is reached after each step."""
        while size > goal:
            if len(history) > most:
                raise ConvergenceError(
                    f"multigrid-preconditioned CG: expected relative residual {rtol:.1e}, "
                    f"reached {history[-1]:.1e} after {most} iterations; raise rtol "
                    "or max_iterations",
                    history,
                )
            size = self.cg.step(size)
            history.append(size / norm)
            if not np.isfinite(size):
                raise ConvergenceError(
                    f"multigrid-preconditioned CG: residual became {size} at iteration "
                    f"{len(history) - 1}; the field holds values too far apart for it",
                    history,
                )
        return size


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
