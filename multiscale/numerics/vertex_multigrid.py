"""Multigrid for several fields that live on the vertices of one grid.

Each unknown is the value of one field (a grain's, a film's) at one vertex. A
coarse unknown interpolates multilinearly inside its own field only, the coarse
matrices are Galerkin products, and the smoother is Gauss–Seidel by vertex: all
fields at a vertex are solved for together, because it is there that stiff
contacts tie them. A W-cycle with forward sweeps before and backward sweeps after
is a symmetric preconditioner.

References
----------
Trottenberg, Oosterlee & Schüller, Multigrid (2001), ch. 4 (Galerkin) and 8
(several unknowns a point).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spl
from numpy.typing import NDArray

from multiscale.numerics.compiling import kernel
from multiscale.numerics.graph import ConductanceGraph

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

COARSEST = 300
"""At most this many unknowns are solved for directly."""
SWEEPS = 2
"""Sweeps before and after the coarse grid: two cost less time in all than one."""
DENSE = 1000
"""Up to this many unknowns the pseudo-inverse is formed."""
STALLED = 0.8
"""Coarsening has stalled when this share of the unknowns is left: many fields, few vertices."""
SHIFT = 1e-9
"""Makes a sparse factor of a singular matrix exist."""
MOST_FIELDS = 200
"""At most this many fields may meet at a vertex."""


@dataclass(frozen=True, slots=True)
class FieldNodes:
    """Which field each node of a graph belongs to.

    Parameters
    ----------
    field : (n,) int64 ndarray
        Number of the field.
    image : (n, d) int64 ndarray
        Box offset of the field at this vertex: one field may reach around a
        periodic box and meet itself.
    periodic : bool
        Whether the grid closes on itself.
    offsets : bool, optional
        Whether the box offset of a field changes where the grid closes.
    """

    field: IntArray
    image: IntArray
    periodic: bool
    offsets: bool = True


@dataclass(frozen=True, slots=True)
class _Level:
    indptr: NDArray[np.int32]
    indices: NDArray[np.int32]
    values: FloatArray
    block: IntArray
    inverse: FloatArray
    place: IntArray
    matrix: sp.csr_matrix
    up: sp.csr_matrix
    down: sp.csr_matrix


@dataclass(frozen=True, slots=True)
class VertexHierarchy:
    """The levels of the preconditioner.

    Parameters
    ----------
    levels : tuple
        From fine to coarse.
    coarsest : callable
        Solves the coarsest problem.
    """

    levels: tuple[_Level, ...]
    coarsest: Callable[[FloatArray], FloatArray]

    @classmethod
    def build(cls, graph: ConductanceGraph, nodes: FieldNodes) -> VertexHierarchy:
        """Coarsen a network down to a size that is solved directly.

        Parameters
        ----------
        graph : ConductanceGraph
            The network; ``coordinates`` are vertex numbers, and nodes of one
            vertex follow one another.
        nodes : FieldNodes
            Field of each node.

        Returns
        -------
        VertexHierarchy
            The preconditioner.
        """
        n = graph.nodes
        links = sp.csr_matrix((graph.conductance, graph.indices, graph.indptr), shape=(n, n))
        matrix = (sp.diags(graph.diagonal()) - links).tocsr()
        coordinates = graph.coordinates.astype(np.int64)
        field, image, cells = nodes.field, nodes.image, np.asarray(graph.cells, dtype=np.int64)
        levels = []
        while matrix.shape[0] > COARSEST and cells.max() > 2:
            up, coordinates_up, field_up, image_up, cells_up = _interpolation(
                coordinates, field, image, cells, nodes.periodic, nodes.offsets
            )
            if up.shape[1] > STALLED * up.shape[0]:
                break
            down = up.T.tocsr()
            levels.append(_level(matrix, coordinates, cells, up, down))
            matrix = (down @ matrix @ up).tocsr()
            coordinates, field, image, cells = coordinates_up, field_up, image_up, cells_up
        return cls(tuple(levels), _direct(matrix))

    def precondition(self, residual: FloatArray) -> FloatArray:
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
        return self._cycle(0, np.ascontiguousarray(residual))

    def _cycle(self, depth: int, b: FloatArray) -> FloatArray:
        if depth == len(self.levels):
            return self.coarsest(b)
        level = self.levels[depth]
        arrays = (level.indptr, level.indices, level.values)
        blocks = (level.block, level.inverse, level.place)
        x = np.zeros_like(b)
        for _ in range(SWEEPS):
            _sweep(*arrays, *blocks, b, x, False)
        rest = level.down @ (b - level.matrix @ x)
        coarse = self._cycle(depth + 1, rest)
        if depth + 1 < len(self.levels):  # twice: halves the iterations for a third of the cost
            coarse += self._cycle(depth + 1, rest - self.levels[depth + 1].matrix @ coarse)
        x += level.up @ coarse
        for _ in range(SWEEPS):
            _sweep(*arrays, *blocks, b, x, True)
        return x


def _direct(matrix: sp.csr_matrix) -> Callable[[FloatArray], FloatArray]:
    """Solve by the pseudo-inverse, or by a sparse factorisation where coarsening stalled."""
    diagonal = matrix.diagonal()
    root = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    if matrix.shape[0] <= DENSE:
        scaled = matrix.toarray() / np.outer(root, root)
        inverse = np.linalg.pinv(scaled, rcond=1e-12, hermitian=True) / np.outer(root, root)
        return lambda b: inverse @ b
    scale = sp.diags(1 / root)
    shifted = (scale @ matrix @ scale + SHIFT * sp.identity(matrix.shape[0])).tocsc()
    factors = spl.splu(shifted, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    return lambda b: factors.solve(b / root[:, None]) / root[:, None]


def _vertex(coordinates: IntArray, cells: IntArray) -> IntArray:
    key = np.zeros(len(coordinates), np.int64)
    for axis, count in enumerate(cells):
        key = key * int(count) + coordinates[:, axis]
    return key


def _interpolation(
    coordinates: IntArray,
    field: IntArray,
    image: IntArray,
    cells: IntArray,
    periodic: bool,
    offsets: bool,
) -> tuple[sp.csr_matrix, IntArray, IntArray, IntArray, IntArray]:
    """Multilinear interpolation inside each field, and the coarse unknowns.

    Of a node's parents only those count whose vertex carries the field; if
    there is none, the first of them becomes an unknown.
    """
    n, d = coordinates.shape
    coarse = -(-cells // 2) if periodic else cells // 2 + 1
    base, odd = coordinates // 2, coordinates % 2
    fields = int(field.max(initial=0)) + 1

    def key(at: IntArray, of: IntArray, offset: IntArray) -> IntArray:
        # offsets may leave −3 … 3 by one when a vertex is passed on across the box
        code = ((offset + 4) * 9 ** np.arange(d)).sum(axis=1)
        keys: IntArray = (_vertex(at, coarse) * fields + of) * 9**d + code
        return keys

    rows, keys, weights, where, images, firsts = [], [], [], [], [], []
    for mask in range(2**d):
        bit = (mask // 2 ** np.arange(d)) % 2
        takes = ((odd == 1) | (bit == 0)).all(axis=1)
        at, offset = base[takes] + bit, image[takes].copy()
        if periodic:
            over = at >= coarse
            at = np.where(over, at - coarse, at)
            offset = offset - over if offsets else offset
        rows.append(np.flatnonzero(takes))
        keys.append(key(at, field[takes], offset))
        weights.append(np.where(odd[takes] == 1, 0.5, 1.0).prod(axis=1))
        where.append(at)
        images.append(offset)
        firsts.append(np.full(len(at), mask == 0))
    row, all_keys, weight = (np.concatenate(part) for part in (rows, keys, weights))
    on = (odd == 0).all(axis=1)
    carried = np.isin(all_keys, key(base[on], field[on], image[on]))
    some = np.bincount(row, carried, n) > 0
    keep = carried | (~some[row] & np.concatenate(firsts))
    unknowns, first, column = np.unique(all_keys[keep], return_index=True, return_inverse=True)
    total = np.bincount(row[keep], weight[keep], n)
    up = sp.csr_matrix(
        (weight[keep] / total[row[keep]], (row[keep], column)), shape=(n, unknowns.size)
    )
    parent = np.flatnonzero(keep)[first]
    return (
        up,
        np.concatenate(where)[parent],
        field[row[parent]],
        np.concatenate(images)[parent],
        coarse,
    )


def _level(
    matrix: sp.csr_matrix,
    coordinates: IntArray,
    cells: IntArray,
    up: sp.csr_matrix,
    down: sp.csr_matrix,
) -> _Level:
    vertex = _vertex(coordinates, cells)
    block = np.concatenate([[0], np.flatnonzero(np.diff(vertex)) + 1, [vertex.size]])
    place = np.concatenate([[0], np.cumsum(np.diff(block) ** 2)])
    arrays = (matrix.indptr, matrix.indices, matrix.data)
    inverse = _block_inverses(*arrays, block, place)
    return _Level(*arrays, block, inverse, place, matrix, up, down)


@kernel()
def _block_inverses(indptr, indices, values, block, place):  # type: ignore[no-untyped-def]  # noqa: C901
    """Invert the diagonal block of every vertex, scaled and slightly shifted."""
    out = np.zeros(place[-1])
    for q in range(block.size - 1):
        low, high = block[q], block[q + 1]
        size = high - low
        local = np.zeros((size, size))
        for i in range(low, high):
            for k in range(indptr[i], indptr[i + 1]):
                j = indices[k]
                if low <= j < high:
                    local[i - low, j - low] = values[k]
        if size == 1:
            if local[0, 0] > 0:
                out[place[q]] = 1.0 / local[0, 0]
            continue
        root = np.zeros(size)
        for i in range(size):
            if local[i, i] > 0:
                root[i] = 1.0 / np.sqrt(local[i, i])
        for i in range(size):
            for j in range(size):
                local[i, j] *= root[i] * root[j]
            local[i, i] = 1.0 + 1e-8
        inverse = np.linalg.inv(local)
        for i in range(size):
            for j in range(size):
                out[place[q] + i * size + j] = inverse[i, j] * root[i] * root[j]
    return out


@kernel()
def _sweep(indptr, indices, values, block, inverse, place, b, x, backward):  # type: ignore[no-untyped-def]
    """One Gauss–Seidel sweep over the vertices."""
    count, columns = block.size - 1, b.shape[1]
    r = np.empty((MOST_FIELDS, columns))
    for turn in range(count):
        q = count - 1 - turn if backward else turn
        low, high = block[q], block[q + 1]
        size = high - low
        for i in range(low, high):
            if columns == 3:
                s0, s1, s2 = b[i, 0], b[i, 1], b[i, 2]
                for k in range(indptr[i], indptr[i + 1]):
                    j, v = indices[k], values[k]
                    s0 -= v * x[j, 0]
                    s1 -= v * x[j, 1]
                    s2 -= v * x[j, 2]
                r[i - low, 0], r[i - low, 1], r[i - low, 2] = s0, s1, s2
            else:
                for c in range(columns):
                    s = b[i, c]
                    for k in range(indptr[i], indptr[i + 1]):
                        s -= values[k] * x[indices[k], c]
                    r[i - low, c] = s
        for i in range(size):
            for j in range(size):
                w = inverse[place[q] + i * size + j]
                for c in range(columns):
                    x[low + i, c] += w * r[j, c]
