"""Solve a field of tensors with trilinear elements, without a matrix.

Unknowns sit at voxel vertices (:mod:`multiscale.transport.tensor_elements`). Stored
are, a vertex, 13 single-precision links and an inverse diagonal, the coarse grids,
and the vectors of all driven axes, which are solved for together
(:func:`needed_memory`). The iteration runs on these links; the residual, the energy
and the fluxes are formed from the tensors themselves in double precision, and the
iteration goes on from that residual, so nothing in the result is single.

Accepted is a solution whose residual *and* whose fluxes through all planes normal
to the driven axis agree to the tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiscale.errors import ConvergenceError, ResolutionError, describe
from multiscale.numerics.memory import check_memory, free_memory
from multiscale.numerics.stencil_multigrid import (
    Axes,
    StencilCG,
    StencilMultigrid,
    VertexAxis,
    invert_sums,
    links_shape,
)
from multiscale.numerics.stencil_multigrid import needed_memory as multigrid_memory
from multiscale.transport._tensor_kernels import (
    ENERGY,
    FLUX,
    RESIDUAL,
    SCALE,
    SUMS,
    assemble,
    examine,
)
from multiscale.transport.islands import carriers
from multiscale.transport.tensor_elements import element_energies
from multiscale.transport.voxel_solver import (
    ROUNDING,
    SMALLEST_RESIDUAL,
    TINY_FLUX,
    FieldSolution,
    default_threads,
)

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Ends = tuple[str, str, str]

DEEPEST = 2e-5
"""Single-precision links and directions are followed this far before the true residual is taken."""
FEWEST = 3
"""A periodic axis of fewer voxels is repeated."""


@dataclass(frozen=True, slots=True)
class TensorField:
    """One tensor a voxel.

    Parameters
    ----------
    tensors : (n, d, d) ndarray
        Symmetric positive semi-definite tensors [m²/s].
    labels : (nx, ny[, nz]) ndarray of int or None
        Which of them each voxel has; None if each has its own, in C order.
    cells : tuple of int
        Voxels along each axis.
    """

    tensors: FloatArray
    labels: NDArray[np.int32] | None
    cells: tuple[int, ...]

    @classmethod
    def of(cls, field: NDArray[Any]) -> TensorField:
        """Read a field with a tensor for each voxel.

        Parameters
        ----------
        field : (nx, ny[, nz], d, d) ndarray
            Tensors [m²/s]; not copied if it has no gaps in memory.

        Returns
        -------
        TensorField
            The same.
        """
        d = field.shape[-1]
        tensors = np.ascontiguousarray(field, dtype=float).reshape(-1, d, d)
        return cls(_read_only(tensors), None, field.shape[:d])

    @classmethod
    def of_labels(cls, labels: NDArray[Any], tensors: FloatArray) -> TensorField:
        """Give every voxel the tensor of its grain.

        Parameters
        ----------
        labels : (nx, ny[, nz]) ndarray of int
            Number of the grain.
        tensors : (grains, d, d) ndarray
            Tensor of each grain [m²/s].

        Returns
        -------
        TensorField
            4 bytes a voxel.
        """
        numbers = np.ascontiguousarray(labels, dtype=np.int32)
        chosen = _read_only(np.ascontiguousarray(tensors, dtype=float))
        return cls(chosen, _read_only(numbers), labels.shape)

    def repeated(self, copies: tuple[int, ...]) -> TensorField:
        """Repeat the field.

        Parameters
        ----------
        copies : tuple of int
            Along each axis.

        Returns
        -------
        TensorField
            The longer field.
        """
        if max(copies) == 1:
            return self
        labels = self.labels
        if labels is None:
            labels = np.arange(len(self.tensors), dtype=np.int32).reshape(self.cells)
        return TensorField.of_labels(np.tile(labels, copies), self.tensors)

    def conducts(self) -> NDArray[np.bool_]:
        """Tell which voxels have a tensor other than zero.

        Returns
        -------
        (nx, ny[, nz]) ndarray of bool
            True where current can flow.
        """
        positive: NDArray[np.bool_] = (np.einsum("naa->na", self.tensors) > 0).any(axis=1)
        chosen = positive if self.labels is None else positive[self.labels]
        return chosen.reshape(self.cells)


def _read_only(values: NDArray[Any]) -> NDArray[Any]:
    """One compiled version for what may and what may not be written."""
    view = values.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, slots=True)
class _Layout:
    """A field on three axes, the rows along a long one.

    ``order`` names the axis of the field behind each axis of the grid; −1 is an added one.
    """

    field: TensorField
    order: tuple[int, int, int]
    cells: IntArray
    spacing: FloatArray

    @classmethod
    def of(cls, field: TensorField, spacing: FloatArray) -> _Layout:
        d = len(field.cells)
        axes = list(range(d))
        longest = max(axes, key=lambda a: (field.cells[a], a))
        if 2 * field.cells[-1] < field.cells[longest]:  # short rows are slow
            axes.remove(longest)
            axes.append(longest)
        x, y, z = [-1] * (3 - d) + axes
        order = (x, y, z)
        cells = np.array([field.cells[a] if a >= 0 else 1 for a in order])
        edges = np.array([spacing[a] if a >= 0 else spacing.max() for a in order])
        return cls(field, order, cells, edges / spacing.max())

    def place(self, axis: int) -> int:
        return self.order.index(axis)

    @property
    def inverse(self) -> FloatArray:
        """1/spacing."""
        return 1 / self.spacing

    @property
    def steps(self) -> IntArray:
        """Distance of neighbouring voxels in memory."""
        strides = np.cumprod([1, *self.field.cells[:0:-1]])[::-1]
        return np.array([strides[a] if a >= 0 else 0 for a in self.order])

    @property
    def entries(self) -> IntArray:
        """Entry of a tensor for xx, yy, zz, xy, xz, yz of the grid."""
        pairs = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]
        named = np.array([(self.order[a], self.order[b]) for a, b in pairs])
        return np.where((named < 0).any(axis=1, keepdims=True), -1, named)

    def arranged(self, values: NDArray[Any]) -> NDArray[Any]:
        """Bring values on the axes of the field to those of the grid."""
        return values.transpose([a for a in self.order if a >= 0]).reshape(self.cells)

    def restored(self, values: NDArray[Any]) -> NDArray[Any]:
        """Bring values on the axes of the grid back to those of the field."""
        axes = [a for a in self.order if a >= 0]
        shape = [self.field.cells[a] for a in axes]
        return np.ascontiguousarray(values.reshape(shape).transpose(np.argsort(axes)))

    def pairs(self) -> tuple[FloatArray, IntArray]:
        """List the links of a voxel.

        Returns
        -------
        shares : (pairs, 6) ndarray
            Link for each unit entry of the tensor, for a voxel of unit volume.
        pairs : (pairs, 4) ndarray
            Offset of the first corner, and the number of the link.
        """
        real = [a for a in range(3) if self.order[a] >= 0]
        energies = element_energies(self.spacing[real]) / self.spacing[real].prod()
        offsets = np.zeros((2 ** len(real), 3), np.int64)
        offsets[:, real] = np.stack(
            np.unravel_index(np.arange(len(offsets)), (2,) * len(real)), axis=1
        )
        shares, pairs = [], []
        for c in range(len(offsets)):
            for e in range(c + 1, len(offsets)):
                share = np.zeros(6)
                for t, (a, b) in enumerate([(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]):
                    if a in real and b in real:
                        one, other = real.index(a), real.index(b)
                        both = energies[one, other, c, e] + energies[other, one, c, e]
                        share[t] = -both if a != b else -0.5 * both
                shares.append(share)
                pairs.append([*offsets[c], _link_number(offsets[e] - offsets[c])])
        return np.array(shares), np.array(pairs)


def _link_number(offset: IntArray) -> int:
    """Find the place of a forward offset among the links of a vertex."""
    x, y, z = (int(v) for v in offset)
    if x:
        return 8 + 3 * y + z
    return 2 + z if y else 0


def needed_memory(field: TensorField, axes: Axes, columns: int) -> int:
    """Count the bytes a solve takes beside its field.

    Parameters
    ----------
    field : TensorField
        The field.
    axes : tuple of VertexAxis
        Vertices along each axis.
    columns : int
        Driven axes solved for together.

    Returns
    -------
    int
        Bytes.
    """
    return multigrid_memory(axes, columns) + int(np.prod(field.cells))


def solve_tensors(
    field: TensorField,
    spacing: FloatArray,
    boundary: str,
    *,
    rtol: float,
    max_iterations: int = 500,
    threads: int | None = None,
) -> FieldSolution:
    """Solve a field of tensors for its effective tensor.

    Parameters
    ----------
    field : TensorField
        Coefficients.
    spacing : (d,) ndarray
        Voxel edges [m].
    boundary : {"periodic", "dirichlet"}
        Periodic cell problem for all axes, or electrodes on two faces and no flux
        through the others, for each axis in turn.
    rtol : float
        Tolerance on the residual and on the flux balance.
    max_iterations : int, optional
        Cap on the iterations of one solve.
    threads : int, optional
        Threads; chosen by the size unless given.

    Returns
    -------
    FieldSolution
        Tensor; axes without a conducting path are exactly zero.

    Raises
    ------
    ResolutionError
        If there are fewer than two voxels between electrodes.
    MemoryLimitError
        If it does not fit into the free memory.
    ConvergenceError
        If the tolerance is not reached.
    """
    d = len(field.cells)
    spacing = np.asarray(spacing, dtype=float)
    threads = threads or default_threads(int(np.prod(field.cells)))
    if boundary == "periodic":
        field = field.repeated(tuple(-(-FEWEST // n) if n < FEWEST else 1 for n in field.cells))
        layout = _Layout.of(field, spacing)
        x, y, z = ("periodic" if a >= 0 else "wall" for a in layout.order)
        runs = [_solve_axes(layout, (x, y, z), tuple(range(d)), rtol, max_iterations, threads)]
    else:
        if min(field.cells) < 2:
            raise ResolutionError(describe("diffusivity", "at least 2 voxels an axis", field.cells))
        layout = _Layout.of(field, spacing)
        runs = []
        for axis in range(d):
            x, y, z = ("electrodes" if a == axis else "wall" for a in layout.order)
            runs.append(_solve_axes(layout, (x, y, z), (axis,), rtol, max_iterations, threads))
    return _together(runs)


def _together(runs: list[FieldSolution]) -> FieldSolution:
    slowest = max(runs, key=lambda run: run.iterations)
    return FieldSolution(
        tuple(axis for run in runs for axis in run.axes),
        np.sum([run.energy for run in runs], axis=0),
        np.sum([run.flux for run in runs], axis=0),
        np.max([run.imbalance for run in runs], axis=0),
        max(run.residual for run in runs),
        slowest.iterations,
        slowest.history,
    )


def _solve_axes(
    layout: _Layout,
    ends: Ends,
    wanted: tuple[int, ...],
    rtol: float,
    max_iterations: int,
    threads: int,
) -> FieldSolution:
    """Drive the axes that share one set of links."""
    d = len(layout.field.cells)
    x, y, z = (
        VertexAxis.of(int(n), end, float(h))
        for n, end, h in zip(layout.cells, _closed(layout, ends), layout.spacing, strict=True)
    )
    needed = needed_memory(layout.field, (x, y, z), len(wanted))
    check_memory(needed, f"a solve on {_size(layout.field)}", _advice(layout.field, needed))
    found = carriers(layout.arranged(layout.field.conducts()), ends, corners=True)
    driven = tuple(a for a in wanted if found.along[layout.place(a)])
    energy, flux, imbalance = np.zeros((d, d)), np.zeros((d, d)), np.zeros(d)
    if not driven:
        return FieldSolution((), energy, flux, imbalance, 0.0, 0, ())
    mask = None if found.mask is None else layout.restored(found.mask)
    problem = _Problem(layout, (x, y, z), mask, driven, threads)
    reached = _balanced(problem, rtol, max_iterations)
    real = [layout.place(a) for a in range(d)]
    for c, a in enumerate(driven):
        flux[a] = reached.sums[c, FLUX : FLUX + 3][real]
        imbalance[a] = reached.spread[c]
        for e, b in enumerate(driven):
            # Σ (K ∇_a) · ∇_b: the flux, less what the residual leaves of it
            energy[a, b] = flux[a, b] - problem.left(e, c)
        energy[a, a] = reached.sums[c, ENERGY]
        if ends[layout.place(a)] == "electrodes":
            flux[a] = np.where(np.arange(d) == a, flux[a], 0.0)
    unit = problem.unit
    history = tuple(reached.history)
    return FieldSolution(
        driven, unit * energy, unit * flux, imbalance, history[-1], len(history) - 1, history
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """Sums over all voxels, norms of the residuals and imbalances of the fluxes."""

    sums: FloatArray
    size: FloatArray
    spread: FloatArray
    history: tuple[float, ...] = ()


class _Problem:
    """Links, iteration and true residual of the axes driven together."""

    def __init__(
        self,
        layout: _Layout,
        axes: Axes,
        mask: NDArray[np.uint8] | None,
        driven: tuple[int, ...],
        threads: int,
    ) -> None:
        field, columns = layout.field, len(driven)
        self._threads, self._layout = threads, layout
        top = float(np.abs(field.tensors).max())
        self.unit = top / float(np.prod(field.cells))
        labels = np.zeros(0, np.int32) if field.labels is None else field.labels.ravel()
        parts = np.zeros(0, np.uint8) if mask is None else mask.ravel()
        self._voxels = (
            field.tensors,
            _read_only(labels),
            _read_only(parts),
            layout.steps,
            layout.entries,
            1 / top,
        )
        self._places = [layout.place(a) for a in driven]
        self._drives = np.eye(3)[self._places]
        self.links = np.empty(links_shape(axes), np.float32)
        assemble(self._voxels, *layout.pairs(), layout.cells, self.links, threads)
        invert_sums(self.links, axes, threads)
        self.cg = StencilCG(StencilMultigrid(self.links, axes, columns, threads), columns)

    def look(self, floor: FloatArray | None) -> _Look:
        """Form the true residual; ``floor`` is the least that fluxes are measured against."""
        cells, columns = self._layout.cells, len(self._places)
        layers = np.zeros((self.links.shape[0], columns, SUMS))
        planes = np.zeros((cells[0], columns, cells.max()))
        examine(
            self._voxels,
            cells,
            self._layout.inverse,
            self._drives,
            self.links,
            self.cg.potential,
            self.cg.residual,
            layers,
            planes,
            self._threads,
        )
        sums: FloatArray = layers.sum(axis=0)
        spread = np.full(len(self._places), np.inf)
        if floor is not None:
            for c, a in enumerate(self._places):
                through = planes[:, c].sum(axis=0)[: cells[a]]
                spread[c] = _spread(through, floor[c])
        return _Look(sums, np.sqrt(sums[:, RESIDUAL]), spread)

    def floors(self, sums: FloatArray) -> FloatArray:
        """Mean plane flux of the uniform gradients."""
        return np.array(
            [sums[c, FLUX + a] / self._layout.cells[a] for c, a in enumerate(self._places)]
        )

    def left(self, e: int, c: int) -> float:
        """Product of one potential with the residual of another."""
        return float(np.vdot(self.cg.potential[e, ..., 1:-1], self.cg.residual[c, ..., 1:-1]))


def _closed(layout: _Layout, ends: Ends) -> Ends:
    """Let an added axis close on itself: it has one layer of vertices."""
    x, y, z = (end if a >= 0 else "periodic" for a, end in zip(layout.order, ends, strict=True))
    return x, y, z


def _balanced(problem: _Problem, rtol: float, max_iterations: int) -> _Look:
    """Iterate until residuals and fluxes of all axes agree with the tolerance."""
    cg = problem.cg
    look = problem.look(None)
    norm = np.maximum(look.size, ROUNDING / rtol * np.sqrt(look.sums[:, SCALE]))
    norm[norm == 0] = 1.0
    floor = problem.floors(look.sums)
    if (look.size <= rtol * norm).any():
        look = problem.look(floor)
    history = [float((look.size / norm).max())]
    wanted = np.full_like(norm, rtol)
    while True:
        done = (look.size <= rtol * norm) & (look.spread <= rtol)
        if done.all():
            return _Look(look.sums, look.size, look.spread, tuple(history))
        reached = look.size <= wanted * norm
        with np.errstate(divide="ignore"):
            tighter = np.clip(0.5 * rtol / look.spread, 1e-3, 0.3)
        wanted = np.where(reached & ~done, wanted * tighter, wanted)
        if wanted.min() < SMALLEST_RESIDUAL:
            raise ConvergenceError(
                f"flux solver: expected the same flux through all planes to {rtol:.1e}, "
                f"reached {look.spread.max():.1e} at relative residual {history[-1]:.1e}; "
                "raise rtol",
                history,
            )
        goal = np.maximum(wanted * norm, DEEPEST * look.size)
        followed = _follow(cg, look.size, goal, ~done, norm, history, rtol, max_iterations)
        look = problem.look(floor)
        history[-1] = float((look.size / norm).max())
        if (np.abs(look.size - followed) > 0.3 * look.size).any():
            cg.restart()  # the rounding of the links shows: begin afresh


def _follow(
    cg: StencilCG,
    size: FloatArray,
    goal: FloatArray,
    active: NDArray[np.bool_],
    norm: FloatArray,
    history: list[float],
    rtol: float,
    max_iterations: int,
) -> FloatArray:
    """Iterate on the single-precision links down to the goals."""
    while (active & (size > goal)).any():
        if len(history) > max_iterations:
            raise ConvergenceError(
                f"multigrid-preconditioned CG: expected relative residual {rtol:.1e}, "
                f"reached {history[-1]:.1e} after {max_iterations} iterations; raise rtol "
                "or max_iterations",
                history,
            )
        size = cg.step(active & (size > goal))
        history.append(float((size / norm).max()))
        if not np.isfinite(history[-1]):
            raise ConvergenceError(
                f"multigrid-preconditioned CG: residual became {history[-1]} at iteration "
                f"{len(history) - 1}; the field holds values too far apart for it",
                history,
            )
    return size


def _size(field: TensorField) -> str:
    return "×".join(str(n) for n in field.cells if n > 1) + " voxels"


def _advice(field: TensorField, needed: int) -> str:
    free = free_memory() or 0
    axes = max(sum(n > 1 for n in field.cells), 1)
    voxels = int(np.prod(field.cells))
    fits = int((voxels * free / max(needed, 1)) ** (1 / axes))
    return f"about {'×'.join([str(fits)] * axes)} voxels fit; cut the image or coarsen it"


def _spread(values: FloatArray, floor: float) -> float:
    """(max − min)/mean of the plane fluxes."""
    mean = max(abs(float(values.mean())), TINY_FLUX * floor)
    return float(np.ptp(values)) / mean if mean > 0 else 0.0
