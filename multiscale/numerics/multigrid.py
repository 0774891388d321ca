"""Aggregation multigrid for conductance networks on a grid.

Nodes of one 2×2[×2] block of cells and one group become one coarse node. The
coarse conductances are sums of the fine ones between two aggregates, times
:data:`RELAXATION`: piecewise-constant interpolation makes smooth functions
twice too stiff on each level, and the factor repairs it. A W-cycle with one
Gauss–Seidel sweep before (forward) and after (backward) is a symmetric
preconditioner; it runs in single precision inside a double-precision
iteration.

References
----------
Braess, Computing 55, 379 (1995), 10.1007/BF02238488 (over-correction of
aggregation); Trottenberg, Oosterlee & Schüller, Multigrid (2001), ch. 2 and 8.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiscale.numerics.compiling import kernel
from multiscale.numerics.graph import ConductanceGraph

RELAXATION = 0.55
"""Factor on the coarse conductances; 0.5 is exact for smooth functions on one level."""
COARSEST = 250
"""At most this many nodes are solved directly."""

SingleArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Level:
    indptr: NDArray[np.int64]
    middle: NDArray[np.int64]
    indices: NDArray[np.int32]
    conductance: SingleArray
    inverse_diagonal: SingleArray
    aggregate: NDArray[np.int32]
    coarse_nodes: int


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """The levels of a multigrid preconditioner.

    Parameters
    ----------
    levels : tuple
        From fine to coarse.
    coarse_inverse : (m, m) float32 ndarray
        Pseudo-inverse of the coarsest matrix.
    """

    levels: tuple[_Level, ...]
    coarse_inverse: SingleArray

    @classmethod
    def build(cls, graph: ConductanceGraph) -> Hierarchy:
        """Aggregate a network down to a size that is solved directly.

        Parameters
        ----------
        graph : ConductanceGraph
            The network.

        Returns
        -------
        Hierarchy
            The preconditioner.
        """
        indptr, indices, values = graph.indptr, graph.indices, graph.conductance
        electrode = graph.electrode.sum(axis=1)
        coordinates, group = graph.coordinates, graph.group
        cells = np.asarray(graph.cells)
        step = graph.size / cells
        levels = []
        while indptr.size - 1 > COARSEST and cells.max() > 1:
            coarsen = (step < 1.9 * step[cells > 1].min()) & (cells > 1)
            cells = np.where(coarsen, -(-cells // 2), cells)
            step = np.where(coarsen, 2 * step, step)
            coordinates = np.where(coarsen, coordinates // 2, coordinates).astype(np.int32)
            aggregate, coordinates, group = _aggregate(coordinates, group, cells)
            count = group.size
            levels.append(_level(indptr, indices, values, electrode, aggregate, count))
            electrode = RELAXATION * np.bincount(aggregate, electrode, count)
            indptr, indices, values = _coarse_links(
                indptr, indices, values, aggregate, count, RELAXATION
            )
        return cls(tuple(levels), _pseudo_inverse(indptr, indices, values, electrode))

    def precondition(self, residual: NDArray[np.float64]) -> NDArray[np.float64]:
        """Apply one W-cycle from a zero start.

        Parameters
        ----------
        residual : (n, m) ndarray
            Right-hand sides.

        Returns
        -------
        (n, m) ndarray
            Approximate solutions.
        """
        b, scale = _to_single(residual)
        result: NDArray[np.float64] = _to_double(self._cycle(0, b), scale)
        return result

    def _cycle(self, depth: int, b: SingleArray) -> SingleArray:
        if depth == len(self.levels):
            return self.coarse_inverse @ b
        level = self.levels[depth]
        links = (level.indices, level.conductance, level.inverse_diagonal)
        x: SingleArray = _forward_from_zero(level.indptr, level.middle, *links, b)
        coarse_b = _restricted_residual(
            level.middle, level.indptr, *links[:2], x, level.aggregate, level.coarse_nodes
        )
        correction = self._cycle(depth + 1, coarse_b)
        if 0 < depth + 1 < len(self.levels):
            below = self.levels[depth + 1]
            again = coarse_b - _product(
                below.indptr, below.indices, below.conductance, below.inverse_diagonal, correction
            )
            correction += self._cycle(depth + 1, again)
        _prolong(level.aggregate, correction, x)
        _backward(level.indptr, *links, b, x)
        return x


def _aggregate(
    coordinates: NDArray[np.int32], group: NDArray[np.int32], cells: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Number the pairs (coarse cell, group); return the map and the coarse nodes."""
    key = np.zeros(group.size, dtype=np.int64)
    for axis, count in enumerate(cells):
        key = key * int(count) + coordinates[:, axis]
    key = key * (int(group.max(initial=0)) + 1) + group
    _, first, aggregate = np.unique(key, return_index=True, return_inverse=True)
    return aggregate.astype(np.int32), coordinates[first], group[first]


def _level(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[np.float64],
    electrode: NDArray[np.float64],
    aggregate: NDArray[np.int32],
    count: int,
) -> _Level:
    diagonal = _diagonal(indptr, values, electrode)
    inverse = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)
    middle, ordered, conductance = _lower_first(indptr, indices, values)
    return _Level(
        indptr,
        middle,
        ordered,
        conductance,
        inverse.astype(np.float32),
        aggregate,
        count,
    )


@kernel()
def _diagonal(indptr, values, electrode):  # type: ignore[no-untyped-def]
    total = electrode.copy()
    for i in range(total.size):
        for k in range(indptr[i], indptr[i + 1]):
            total[i] += values[k]
    return total


def _pseudo_inverse(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[np.float64],
    electrode: NDArray[np.float64],
) -> SingleArray:
    matrix = np.diag(_diagonal(indptr, values, electrode))
    rows = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
    np.subtract.at(matrix, (rows, indices), values)
    root = np.sqrt(np.where(matrix.diagonal() > 0, matrix.diagonal(), 1.0))
    scaled = np.linalg.pinv(matrix / np.outer(root, root), rcond=1e-11, hermitian=True)
    inverse: SingleArray = (scaled / np.outer(root, root)).astype(np.float32)
    return inverse


@kernel()
def _coarse_links(indptr, indices, values, aggregate, count, factor):  # type: ignore[no-untyped-def]
    """Sum the conductances between aggregates; links inside one vanish."""
    n = aggregate.size
    start = np.zeros(count + 1, np.int64)
    for i in range(n):
        start[aggregate[i] + 1] += 1
    for a in range(count):
        start[a + 1] += start[a]
    member = np.empty(n, np.int32)
    place = start[:-1].copy()
    for i in range(n):
        a = aggregate[i]
        member[place[a]] = i
        place[a] += 1
    slot = np.full(count, -1, np.int64)
    coarse_indptr = np.zeros(count + 1, np.int64)
    coarse_indices = np.empty(indices.size, np.int32)
    coarse_values = np.empty(indices.size, np.float64)
    filled = 0
    for a in range(count):
        begin = filled
        for m in range(start[a], start[a + 1]):
            i = member[m]
            for k in range(indptr[i], indptr[i + 1]):
                c = aggregate[indices[k]]
                if c == a or values[k] == 0.0:
                    continue
                if slot[c] < begin:
                    slot[c] = filled
                    coarse_indices[filled] = c
                    coarse_values[filled] = 0.0
                    filled += 1
                coarse_values[slot[c]] += factor * values[k]
        coarse_indptr[a + 1] = filled
    return coarse_indptr, coarse_indices[:filled].copy(), coarse_values[:filled].copy()


@kernel()
def _to_single(r):  # type: ignore[no-untyped-def]
    """Scale each column to a largest entry of one, in single precision."""
    scale = np.zeros(r.shape[1])
    for i in range(r.shape[0]):
        for c in range(r.shape[1]):
            scale[c] = max(scale[c], abs(r[i, c]))
    b = np.empty(r.shape, np.float32)
    inverse = np.where(scale > 0, 1.0 / np.where(scale > 0, scale, 1.0), 0.0)
    for i in range(r.shape[0]):
        for c in range(r.shape[1]):
            b[i, c] = r[i, c] * inverse[c]
    return b, scale


@kernel()
def _to_double(x, scale):  # type: ignore[no-untyped-def]
    out = np.empty(x.shape)
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            out[i, c] = x[i, c] * scale[c]
    return out


@kernel()
def _lower_first(indptr, indices, g):  # type: ignore[no-untyped-def]
    """Put each row's links to lower-numbered nodes first; return where they end."""
    n = indptr.size - 1
    middle = np.empty(n, np.int64)
    sorted_indices, sorted_g = np.empty_like(indices), np.empty(g.size, np.float32)
    for i in range(n):
        place = indptr[i]
        for k in range(indptr[i], indptr[i + 1]):
            if indices[k] < i:
                sorted_indices[place], sorted_g[place] = indices[k], g[k]
                place += 1
        middle[i] = place
        for k in range(indptr[i], indptr[i + 1]):
            if indices[k] >= i:
                sorted_indices[place], sorted_g[place] = indices[k], g[k]
                place += 1
    return middle, sorted_indices, sorted_g


@kernel()
def _forward_from_zero(indptr, middle, indices, g, inverse, b):  # type: ignore[no-untyped-def]
    """Forward Gauss–Seidel sweep from a zero start: only lower links matter."""
    x = np.empty_like(b)
    for i in range(b.shape[0]):
        if b.shape[1] == 3:
            s0, s1, s2 = b[i, 0], b[i, 1], b[i, 2]
            for k in range(indptr[i], middle[i]):
                j = indices[k]
                v = g[k]
                s0 += v * x[j, 0]
                s1 += v * x[j, 1]
                s2 += v * x[j, 2]
            x[i, 0], x[i, 1], x[i, 2] = s0 * inverse[i], s1 * inverse[i], s2 * inverse[i]
        else:
            for c in range(b.shape[1]):
                s = b[i, c]
                for k in range(indptr[i], middle[i]):
                    s += g[k] * x[indices[k], c]
                x[i, c] = s * inverse[i]
    return x


@kernel()
def _backward(indptr, indices, g, inverse, b, x):  # type: ignore[no-untyped-def]
    """Backward Gauss–Seidel sweep; three columns share each pass over the links."""
    for i in range(x.shape[0] - 1, -1, -1):
        if x.shape[1] == 3:
            s0, s1, s2 = b[i, 0], b[i, 1], b[i, 2]
            for k in range(indptr[i], indptr[i + 1]):
                j = indices[k]
                v = g[k]
                s0 += v * x[j, 0]
                s1 += v * x[j, 1]
                s2 += v * x[j, 2]
            x[i, 0], x[i, 1], x[i, 2] = s0 * inverse[i], s1 * inverse[i], s2 * inverse[i]
        else:
            for c in range(x.shape[1]):
                s = b[i, c]
                for k in range(indptr[i], indptr[i + 1]):
                    s += g[k] * x[indices[k], c]
                x[i, c] = s * inverse[i]


@kernel()
def _product(indptr, indices, g, inverse, x):  # type: ignore[no-untyped-def]
    y = np.zeros_like(x)
    for i in range(x.shape[0]):
        if inverse[i] == 0.0:
            continue
        diagonal = np.float32(1.0) / inverse[i]
        if x.shape[1] == 3:
            s0, s1, s2 = diagonal * x[i, 0], diagonal * x[i, 1], diagonal * x[i, 2]
            for k in range(indptr[i], indptr[i + 1]):
                j = indices[k]
                v = g[k]
                s0 -= v * x[j, 0]
                s1 -= v * x[j, 1]
                s2 -= v * x[j, 2]
            y[i, 0], y[i, 1], y[i, 2] = s0, s1, s2
        else:
            for c in range(x.shape[1]):
                s = diagonal * x[i, c]
                for k in range(indptr[i], indptr[i + 1]):
                    s -= g[k] * x[indices[k], c]
                y[i, c] = s
    return y


@kernel()
def _restricted_residual(middle, indptr, indices, g, x, aggregate, count):  # type: ignore[no-untyped-def]
    """Sum the residual after a forward sweep from zero over each aggregate.

    Each row was satisfied when its turn came, with its upper neighbours still
    zero: what is left is their contribution.
    """
    coarse = np.zeros((count, x.shape[1]), np.float32)
    for i in range(x.shape[0]):
        a = aggregate[i]
        if x.shape[1] == 3:
            s0, s1, s2 = np.float32(0.0), np.float32(0.0), np.float32(0.0)
            for k in range(middle[i], indptr[i + 1]):
                j = indices[k]
                v = g[k]
                s0 += v * x[j, 0]
                s1 += v * x[j, 1]
                s2 += v * x[j, 2]
            coarse[a, 0] += s0
            coarse[a, 1] += s1
            coarse[a, 2] += s2
        else:
            for c in range(x.shape[1]):
                s = np.float32(0.0)
                for k in range(middle[i], indptr[i + 1]):
                    s += g[k] * x[indices[k], c]
                coarse[a, c] += s
    return coarse


@kernel()
def _prolong(aggregate, coarse, x):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            x[i, c] += coarse[aggregate[i], c]
