"""Multigrid-preconditioned conjugate gradients on packed checkerboard grids.

The even cells are eliminated exactly, so the iteration runs on the odd ones:
half the vectors, and its product costs no more than one of the whole matrix.
The preconditioner is a W-cycle with one half sweep of each colour before and
after; blocks of 2×2×2 cells (2 along axes whose cells are shortest) become one
coarse cell whose links are the sums of the fine ones, times :data:`RELAXATION`
along joined axes.
Links and cycle are in single, iteration and products in double precision.

References
----------
Braess, Computing 55, 379 (1995), 10.1007/BF02238488 (over-correction of
aggregation); Trottenberg, Oosterlee & Schüller, Multigrid (2001), ch. 2;
Notay, SIAM J. Sci. Comput. 22, 1444 (2000), 10.1137/S1064827599362314
(flexible conjugate gradients).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiscale.numerics._checkerboard_kernels import (
    FIELDS,
    add_coarse_links,
    advance,
    coarse_cycle,
    down,
    inverse_diagonal,
    product,
    sum_links,
    turn,
    up,
)
from multiscale.numerics.checkerboard import Axis
from multiscale.numerics.fragments import Fragments

FloatArray = NDArray[np.float64]
SingleArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
Axes = tuple[Axis, Axis, Axis]
Spans = tuple[IntArray, IntArray, int, int]

RELAXATION = 0.55
"""Factor on the coarse links of joined axes: what piecewise-constant transfer makes too stiff.

Well above a half: below it, two cycles on a level turn the sign of what they should damp.
"""
COARSEST = 100
"""At most this many cells are solved directly."""
STRETCHED = 1.9
"""Axes whose cells are longer than this times the shortest wait for the others."""
TINY = 1e-30
"""A cell whose links sum to less than this, beside a largest of about one, is idle."""


@dataclass(frozen=True, slots=True)
class Level:
    """Arrays of one grid.

    Parameters
    ----------
    axes : tuple of Axis
        Its layers.
    links : (6, X, Y, M) float32 ndarray
        Packed links.
    inverse : (2, X, Y, M) float32 ndarray
        Inverse diagonal of both colours.
    """

    axes: Axes
    links: SingleArray
    inverse: SingleArray


def packed_shape(axes: Axes) -> tuple[int, int, int]:
    """Shape of one colour's half.

    Parameters
    ----------
    axes : tuple of Axis
        Layers along each axis.

    Returns
    -------
    tuple of int
        (X, Y, M).
    """
    return axes[0].length, axes[1].length, axes[2].length // 2


def plan(axes: Axes, spacing: FloatArray) -> list[tuple[Axes, tuple[int, int, int]]]:
    """Choose the levels before anything is allocated.

    Parameters
    ----------
    axes : tuple of Axis
        Layers of the finest grid.
    spacing : (3,) ndarray
        Cell edges.

    Returns
    -------
    list of (axes, factors)
        Each level with the cells that are joined to reach the next.
    """
    step = np.array(spacing, dtype=float)
    levels: list[tuple[Axes, tuple[int, int, int]]] = []
    while True:
        cells = np.array([axis.cells for axis in axes])
        if levels and (cells.prod() <= COARSEST or cells.max() == 1):
            return [*levels, (axes, (1, 1, 1))]
        joined = (cells > 1) & (step < STRETCHED * step[cells > 1].min(initial=np.inf))
        factors = np.where(joined, 2, 1)
        levels.append((axes, (int(factors[0]), int(factors[1]), int(factors[2]))))
        x, y, z = (
            axis.coarser(int(f), packed=a == 2)
            for a, (axis, f) in enumerate(zip(axes, factors, strict=True))
        )
        axes = (x, y, z)
        step = step * factors


class Multigrid:
    """The levels below a packed grid, and the W-cycle over them.

    Parameters
    ----------
    links : (6, X, Y, M) float32 ndarray
        Packed links of the finest grid, the largest of them about one.
    axes : tuple of Axis
        Its layers.
    spacing : (3,) ndarray
        Its cell edges.
    threads : int
        Threads to use.
    more : callable, optional
        Adds to the links of the first coarse level what the finest ones do not tell.
    """

    def __init__(
        self,
        links: SingleArray,
        axes: Axes,
        spacing: FloatArray,
        threads: int = 1,
        more: Callable[[SingleArray], None] | None = None,
    ) -> None:
        self.threads, self._axes = threads, axes
        levels = plan(axes, spacing)
        shape = packed_shape(axes)
        self.links = links
        self.inverse = np.empty((2, *shape), np.float32)
        inverse_diagonal(links, TINY, self.inverse, threads)
        _pin(self.inverse, axes)
        self._pool, self._table = _allocate(levels[1:])
        self._numbers, spans = _index(levels)
        self._table[:, FIELDS["starts"] : FIELDS["starts"] + 8] = spans[1:]
        self._first = spans[0]
        self._fill(levels, more)
        self.result = np.zeros(shape, np.float32)
        self._direct = _pseudo_inverse(self._coarse_links(-1), levels[-1][0])

    def _coarse_links(self, depth: int) -> SingleArray:
        start, x, y, m = self._table[depth, :4]
        return self._pool[start : start + 6 * x * y * m].reshape(6, x, y, m)

    def _coarse_inverse(self, depth: int) -> SingleArray:
        start, x, y, m = self._table[depth, :4]
        start += 6 * x * y * m
        return self._pool[start : start + 2 * x * y * m].reshape(2, x, y, m)

    def _fill(
        self,
        levels: list[tuple[Axes, tuple[int, int, int]]],
        more: Callable[[SingleArray], None] | None,
    ) -> None:
        """Add up the links of each level from the one above."""
        fine = self.links
        for depth, ((axes, factors), (below, _)) in enumerate(pairwise(levels)):
            coarse = self._coarse_links(depth)
            tables = [
                (*axis.coarse_links(factor, joined), axis.parents(factor, joined))
                for axis, factor, joined in zip(axes, factors, below, strict=True)
            ]
            # along axes whose cells are not joined, the sums are exact
            relaxed = np.where(np.array(factors) == 2, RELAXATION, 1.0)
            add_coarse_links(fine, *tables, relaxed, coarse)
            if depth == 0 and more is not None:
                more(coarse)
            inverse_diagonal(coarse, TINY, self._coarse_inverse(depth), 1)
            _pin(self._coarse_inverse(depth), below)
            fine = coarse

    def cycle(self, residual: FloatArray, scale: float, last: FloatArray) -> tuple[float, float]:
        """Apply one W-cycle to a residual of the odd cells, into ``result``.

        Parameters
        ----------
        residual : (X, Y, M) ndarray
            Right-hand side.
        scale : float
            Factor that brings it near one, into the range of single precision.
        last : (X, Y, M) ndarray
            Another vector.

        Returns
        -------
        float, float
            Scalar products of the result, which is scaled too, with residual and ``last``.
        """
        blocks, parents = self._spans()
        rhs, _ = self._coarse_vectors()
        nothing, threads = self.result, self.threads
        sweep = (self.links, self.inverse, residual, scale, nothing, False, nothing, False)
        down(sweep, blocks, rhs, threads)
        solution = self.solve_coarse()
        dots = np.zeros((2, threads))
        up(sweep, parents, solution, (self.result, nothing, False, last, True, dots), threads)
        dot, other = dots.sum(axis=1)
        return float(dot), float(other)

    def _coarse_vectors(self) -> tuple[SingleArray, SingleArray]:
        """Right-hand side and solution of the first coarse level."""
        start, x, y, m = self._table[0, :4]
        size = 2 * x * y * m
        base = start + 4 * size
        rhs = self._pool[base : base + size].reshape(2, x, y, m)
        return rhs, self._pool[base + size : base + 2 * size].reshape(2, x, y, m)

    def reinforce(self, own: FloatArray) -> FloatArray:
        """Add to the diagonal what ties each cell to something else.

        Parameters
        ----------
        own : (2, X, Y, M) ndarray
            Sum of those conductances.

        Returns
        -------
        (2, X, Y, M) ndarray
            The diagonal.
        """
        diagonal = np.empty_like(own)
        sum_links(self.links, diagonal)
        diagonal += own
        self.inverse[:] = np.divide(
            1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > TINY
        )
        _pin(self.inverse, self._axes)
        return diagonal

    def descend(self, rhs: SingleArray) -> SingleArray:
        """Sweep odd → even from zero, with right-hand sides for both colours.

        Parameters
        ----------
        rhs : (2, X, Y, M) float32 ndarray
            Right-hand sides.

        Returns
        -------
        (2, X, Y, M) float32 ndarray
            The first coarse level's right-hand side, to be added to.
        """
        blocks, _ = self._spans()
        coarse, _ = self._coarse_vectors()
        nothing = self.result
        sweep = (self.links, self.inverse, rhs[1], np.float32(1.0), rhs[0], True, nothing, False)
        down(sweep, blocks, coarse, self.threads)
        return coarse

    def solve_coarse(self) -> SingleArray:
        """Solve the coarse levels by one W-cycle.

        Returns
        -------
        (2, X, Y, M) float32 ndarray
            Solution on the first coarse level.
        """
        several = self.threads if self.threads > 1 else None
        coarse_cycle(self._pool, self._table, self._numbers, self._direct, several)
        return self._coarse_vectors()[1]

    def ascend(self, rhs: SingleArray, cells: SingleArray) -> None:
        """Correct from the coarse level and sweep even → odd, into ``result``.

        Parameters
        ----------
        rhs : (2, X, Y, M) float32 ndarray
            Right-hand sides.
        cells : (2, X, Y, M) float32 ndarray
            Values before the correction; on return, the even cells hold theirs after it.
        """
        _, parents = self._spans()
        _, coarse = self._coarse_vectors()
        sweep = (self.links, self.inverse, rhs[1], np.float32(1.0), rhs[0], True, cells[1], True)
        result = (self.result, cells[0], True, rhs[1], False, np.zeros((2, self.threads)))
        up(sweep, parents, coarse, result, self.threads)

    def _spans(self) -> tuple[Spans, Spans]:
        """Blocks and parents of the finest grid."""
        x, nx, y, ny, px, py, factor, halves = (int(value) for value in self._first)
        n = self._numbers
        big_x, big_y, _ = self.result.shape
        return (
            (n[x : x + nx], n[y : y + ny], factor, halves),
            (n[px : px + big_x], n[py : py + big_y], factor, halves),
        )


def pool_size(levels: list[tuple[Axes, tuple[int, int, int]]]) -> int:
    """Count the single-precision numbers that the coarse levels need.

    Parameters
    ----------
    levels : list of (axes, factors)
        Levels without the finest.

    Returns
    -------
    int
        Numbers.
    """
    return sum(13 * int(np.prod(packed_shape(axes))) for axes, _ in levels)


def _allocate(levels: list[tuple[Axes, tuple[int, int, int]]]) -> tuple[SingleArray, IntArray]:
    """One array for all coarse levels: links, inverse, right-hand side, solution, spare."""
    table = np.zeros((len(levels), FIELDS["count"]), np.int64)
    start = 0
    for depth, (axes, _) in enumerate(levels):
        shape = packed_shape(axes)
        table[depth, :4] = (start, *shape)
        start += 13 * int(np.prod(shape))
    return np.zeros(start, np.float32), table


def _index(levels: list[tuple[Axes, tuple[int, int, int]]]) -> tuple[IntArray, IntArray]:
    """Where each coarse layer starts in the finer one, and which layer each fine one joins."""
    numbers: list[IntArray] = []
    spans = np.zeros((len(levels), 8), np.int64)
    filled = 0
    for depth, (axes, factors) in enumerate(levels[:-1]):
        below = levels[depth + 1][0]
        for a in range(2):
            parent = axes[a].parents(factors[a], below[a])
            starts = np.searchsorted(parent, np.arange(below[a].length + 1))
            numbers += [starts, parent]
            spans[depth, 2 * a : 2 * a + 2] = filled, starts.size
            spans[depth, 4 + a] = filled + starts.size
            filled += starts.size + parent.size
        joined = axes[2].cells + axes[2].between
        halves = joined // 2 if factors[2] == 2 else axes[2].length // 2
        spans[depth, 6:] = factors[2], halves
    return np.concatenate([*numbers, np.zeros(1, np.int64)]).astype(np.int64), spans


def _pseudo_inverse(links: SingleArray, axes: Axes) -> SingleArray:
    """Invert the coarsest matrix, of both colours one after the other."""
    shape = packed_shape(axes)
    number = np.arange(2 * np.prod(shape)).reshape(2, *shape)
    i, j = np.indices(shape[:2])
    matrix = np.zeros((number.size, number.size))
    first = (i + j) & 1  # colour of the first of each pair
    one = np.take_along_axis(number, first[None, :, :, None], axis=0)[0]
    two = np.take_along_axis(number, 1 - first[None, :, :, None], axis=0)[0]
    ends = [
        (number[0], np.roll(number[1], -1, axis=0)),
        (number[1], np.roll(number[0], -1, axis=0)),
        (number[0], np.roll(number[1], -1, axis=1)),
        (number[1], np.roll(number[0], -1, axis=1)),
        (one, two),
        (two, np.roll(one, -1, axis=2)),
    ]
    for value, (a, b) in zip(links.astype(float), ends, strict=True):
        for row, column, sign in ((a, b, -1), (b, a, -1), (a, a, 1), (b, b, 1)):
            np.add.at(matrix, (row.ravel(), column.ravel()), sign * value.ravel())
    free = np.ones_like(number)
    _pin(free, axes)
    matrix *= np.outer(free, free)
    root = np.sqrt(np.where(matrix.diagonal() > TINY, matrix.diagonal(), 1.0))
    matrix /= np.outer(root, root)
    inverse = np.linalg.pinv(matrix, rcond=1e-11, hermitian=True) / np.outer(root, root)
    single: SingleArray = inverse.astype(np.float32)
    return single


def _pin(values: NDArray[Any], axes: Axes) -> None:
    """Zero what belongs to the electrodes' cells."""
    for a, axis in enumerate(axes):
        if axis.ends == "electrodes":
            layers = slice(axis.length - 2, None) if a < 2 else slice(axis.length // 2 - 1, None)
            values[(slice(None),) * (a + 1) + (layers,)] = 0


class ReducedCG:
    """Conjugate gradients on the odd cells of a packed grid.

    Parameters
    ----------
    multigrid : Multigrid
        The matrix and its preconditioner.
    """

    def __init__(self, multigrid: Multigrid) -> None:
        shape = multigrid.result.shape
        self.multigrid = multigrid
        self._fragments = Fragments.of(multigrid.links, multigrid.inverse)
        self.potential = np.zeros(shape)
        self.residual = np.zeros(shape)
        self._direction = np.zeros(shape)
        self._product = np.zeros(shape)
        self._alpha, self._rho = 0.0, 1.0

    def restart(self) -> None:
        """Forget the last direction."""
        self._alpha = 0.0
        self._direction[:] = 0.0
        self._product[:] = 0.0

    def step(self, norm: float) -> float:
        """Do one iteration from the potential and residual that are stored.

        Parameters
        ----------
        norm : float
            Norm of the residual.

        Returns
        -------
        float
            Norm of the next one; NaN if the matrix is not positive.
        """
        grid, threads = self.multigrid, self.multigrid.threads
        scale = float(np.sqrt(self.residual.size)) / norm
        dot, other = self._precondition(scale)
        rho, along_last = dot / scale, other / scale
        beta = max(-self._alpha * along_last / self._rho, 0.0)
        turn(self._direction, grid.result, 1.0 / scale, beta, threads)
        curvature = product(grid.links, grid.inverse, self._direction, self._product, threads)
        if not curvature > 0.0:
            return float("nan")
        self._alpha, self._rho = rho / curvature, rho
        square = advance(
            self.potential, self._direction, self.residual, self._product, self._alpha, threads
        )
        return float(np.sqrt(square))

    def _precondition(self, scale: float) -> tuple[float, float]:
        """Cycle, with the fragments relaxed before and after."""
        grid, fragments = self.multigrid, self._fragments
        if fragments.count == 0:
            return grid.cycle(self.residual, scale, self._product)
        steps, kept = fragments.before(self.residual)
        dot, other = grid.cycle(self.residual, scale, self._product)
        more, rest = fragments.after(steps, kept, self.residual, scale, grid.result, self._product)
        return dot + more, other + rest
