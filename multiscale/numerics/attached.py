"""Conjugate gradients on a packed checkerboard grid with nodes attached to pairs of cells.

A node is tied to two cells and may be linked with other nodes: a thin sheet between two layers
of cells. The even cells are eliminated, as without nodes; the preconditioner sweeps over nodes,
odd cells, even cells, corrects all of them from the coarse grid, and sweeps back. On the coarse
grids there are no nodes: each stands for the mean of its cells, weighted with its ties, and
links between nodes become links between cells, which conduct no less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiscale.numerics._attached_kernels import (
    FOUR,
    add_contacts,
    add_node_links,
    correct,
    dots,
    even_cells,
    grid_product,
    node_product,
    pack_rows,
    relax_backwards,
    relax_forwards,
    restrict,
    scatter,
    set_right_hand_side,
)
from multiscale.numerics._checkerboard_kernels import advance, turn
from multiscale.numerics.checkerboard_multigrid import (
    RELAXATION,
    TINY,
    Axes,
    Multigrid,
    packed_shape,
    plan,
)

FloatArray = NDArray[np.float64]
SingleArray = NDArray[np.float32]
IndexArray = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Nodes:
    """Nodes attached to the cells of a packed grid.

    Parameters
    ----------
    cell : (n, 2) int32 ndarray
        The two cells of each node, numbered as in an array of the shape (2, X, Y, M) that
        holds the even cells first.
    tie : (n, 2) float32 ndarray
        Conductance to them.
    indptr : (n + 1,) int32 ndarray
        Start of each node's links.
    indices : (links,) int32 ndarray
        Node at the other end, in rising order; every link appears twice.
    link : (links,) float32 ndarray
        Conductance of the links.
    contact : (n, 2) float32 ndarray
        Conductance to the electrodes before the first and behind the last layer.
    hidden : (k,) int64 ndarray
        Links of the grid, numbered as in its packed array, that the nodes stand in for.
    """

    cell: IndexArray
    tie: SingleArray
    indptr: IndexArray
    indices: IndexArray
    link: SingleArray
    contact: SingleArray
    hidden: NDArray[np.int64]

    def rows(self) -> tuple[IndexArray, SingleArray, IndexArray, IndexArray, SingleArray]:
        """Lay the links out with four a node side by side, and the rest behind.

        Returns
        -------
        near : (n, 4) int32 ndarray
            Four nodes at the other end; the node itself where there are fewer.
        link : (n, 4) float32 ndarray
            Conductance to them.
        start : (n + 1,) int32 ndarray
            Start of each node's other links.
        more : (k,) int32 ndarray
            Nodes at their other end.
        more_link : (k,) float32 ndarray
            Conductance to those.
        """
        n = self.indptr.size - 1
        near, link = np.empty((n, FOUR), np.int32), np.empty((n, FOUR), np.float32)
        start = np.empty(n + 1, np.int32)
        more, more_link = pack_rows(self.indptr, self.indices, self.link, near, link, start)
        return near, link, start, more, more_link

    @property
    def ties(self) -> tuple[IndexArray, SingleArray]:
        """Cells and the conductances to them."""
        return self.cell, self.tie

    @property
    def shares(self) -> SingleArray:
        """Weights of the two cells in the mean that a node stands for, (n, 2)."""
        total = self.tie.sum(axis=1, keepdims=True)
        halves = np.full_like(self.tie, 0.5)
        shares: SingleArray = np.divide(self.tie, total, out=halves, where=total > 0)
        return shares

    def diagonal(self) -> FloatArray:
        """Sum the conductances at each node.

        Returns
        -------
        (n,) ndarray
            The sums, in double precision.
        """
        rows = np.repeat(np.arange(self.indptr.size - 1), np.diff(self.indptr))
        linked = np.bincount(rows, self.link, self.indptr.size - 1)
        own = self.tie.sum(axis=1, dtype=float) + self.contact.sum(axis=1, dtype=float)
        total: FloatArray = linked + own
        return total

    def parents(self, axes: Axes, factors: tuple[int, int, int], below: Axes) -> IndexArray:
        """Cells of the next level that hold the two cells of each node.

        Parameters
        ----------
        axes : tuple of Axis
            Layers of this level.
        factors : tuple of int
            Cells joined along each axis.
        below : tuple of Axis
            Layers of the next level.

        Returns
        -------
        (n, 2) int32 ndarray
            Numbered as in an array of the next level's shape (2, X, Y, M).
        """
        colour, i, j, half = np.unravel_index(self.cell, (2, *packed_shape(axes)))
        k = 2 * half + ((i + j + colour) & 1)
        i, j, k = (
            axis.parents(f, coarse)[layer]
            for axis, f, coarse, layer in zip(axes, factors, below, (i, j, k), strict=True)
        )
        number = np.ravel_multi_index(((i + j + k) & 1, i, j, k // 2), (2, *packed_shape(below)))
        parents: IndexArray = number.astype(np.int32)
        return parents


class AttachedCG:
    """Conjugate gradients on the odd cells of a packed grid and the nodes attached to it.

    Parameters
    ----------
    links : (6, X, Y, M) float32 ndarray
        Packed links, the hidden ones in series with the nodes' ties; they are set to zero.
    nodes : Nodes
        What is attached.
    axes : tuple of Axis
        Layers of the grid.
    spacing : (3,) ndarray
        Its cell edges.
    threads : int
        Threads to use.
    """

    def __init__(
        self, links: SingleArray, nodes: Nodes, axes: Axes, spacing: FloatArray, threads: int
    ) -> None:
        self.nodes = nodes
        self._rows, self._shares = nodes.rows(), nodes.shares
        levels = plan(axes, spacing)
        (_, factors), (below, _) = levels[:2]
        self._parent = nodes.parents(axes, factors, below)
        self.multigrid = Multigrid(
            links, axes, spacing, threads, lambda coarse: self._join(coarse, factors, below)
        )
        links.reshape(-1)[nodes.hidden] = 0.0
        own = np.zeros(2 * self.multigrid.result.size)
        scatter(nodes.ties, np.ones(nodes.cell.shape[0]), own)
        diagonal = self.multigrid.reinforce(own.reshape(2, *packed_shape(axes)))
        self._even_inverse = np.divide(
            1.0, diagonal[0], out=np.zeros_like(diagonal[0]), where=diagonal[0] > TINY
        )
        self._odd_diagonal = np.where(self.multigrid.inverse[1] > 0, diagonal[1], 0.0)
        self._even_inverse[self.multigrid.inverse[0] == 0] = 0.0
        self._diagonal = nodes.diagonal()
        self._inverse = np.divide(
            1.0, self._diagonal, out=np.zeros_like(self._diagonal), where=self._diagonal > TINY
        ).astype(np.float32)
        self._diagonal[self._inverse == 0] = 0.0
        shape, count = self.multigrid.result.shape, nodes.cell.shape[0]
        self.potential, self.residual = np.zeros(shape), np.zeros(shape)
        self.node_potential, self.node_residual = np.zeros(count), np.zeros(count)
        self._vector = np.zeros((2, *shape))  # direction on the odd cells, and what even ones take
        self._direction, self._product = self._vector[1], np.zeros(shape)
        self._node_direction, self._node_product = np.zeros(count), np.zeros(count)
        self._node_result = np.zeros(count, np.float32)
        self._left = np.zeros(count, np.float32)
        self._inflow = np.zeros((2, *shape))
        self._cells = np.zeros((2, *shape), np.float32)
        self._rhs = np.zeros((2, *shape), np.float32)
        self._alpha, self._rho = 0.0, 1.0

    def _join(self, coarse: SingleArray, factors: tuple[int, int, int], below: Axes) -> None:
        """Add the nodes' links and contacts to the links of the first coarse level."""
        relaxed = tuple(RELAXATION if joined == 2 else 1.0 for joined in factors)
        cells = tuple(axis.cells for axis in below)
        between = tuple(axis.between for axis in below)
        nodes = self.nodes
        given = (self._shares, self._parent, (cells, between, relaxed))
        add_node_links((nodes.indptr, nodes.indices, nodes.link), *given, coarse)
        for way, axis in enumerate(below):
            if axis.ends == "electrodes" and nodes.contact.any():
                add_contacts(nodes.contact, *given, way, axis.length, coarse)

    def restart(self) -> None:
        """Forget the last direction."""
        self._alpha = 0.0
        for vector in (
            self._direction,
            self._product,
            self._node_direction,
            self._node_product,
        ):
            vector[:] = 0.0

    def step(self, norm: float) -> float:
        """Do one iteration from the potentials and residuals that are stored.

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
        line = (1, 1, -1)
        turn(
            self._node_direction.reshape(line),
            self._node_result.reshape(line),
            1.0 / scale,
            beta,
            1,
        )
        curvature = self._multiply()
        if not curvature > 0.0:
            return float("nan")
        self._alpha, self._rho = rho / curvature, rho
        square = advance(
            self.potential, self._direction, self.residual, self._product, self._alpha, threads
        )
        square += advance(
            self.node_potential.reshape(line),
            self._node_direction.reshape(line),
            self.node_residual.reshape(line),
            self._node_product.reshape(line),
            self._alpha,
            1,
        )
        return float(np.sqrt(square))

    def _multiply(self) -> float:
        """Apply the matrix, reduced to odd cells and nodes, to the direction."""
        nodes, grid = self.nodes, self.multigrid
        self._inflow[:] = 0.0
        scatter(nodes.ties, self._node_direction, self._inflow.reshape(-1))
        matrix = (grid.links, self._even_inverse, self._odd_diagonal)
        dot = grid_product(matrix, self._inflow, self._vector, self._product, grid.threads)
        dot += node_product(
            self._rows,
            nodes.ties,
            self._diagonal,
            self._vector.reshape(-1),
            self._node_direction,
            self._node_product,
        )
        return float(dot)

    def _precondition(self, scale: float) -> tuple[float, float]:
        """Apply one W-cycle; return the products of its result with residual and product."""
        nodes, grid = self.nodes, self.multigrid
        values, cells = self._node_result, self._cells.reshape(-1)
        given = (self._inverse, self.node_residual, scale)
        set_right_hand_side(self.residual, scale, self._rhs)
        even_cells(grid.links, grid.inverse, self._rhs, self._cells)
        coarse = grid.descend(self._rhs).reshape(-1)
        relax_forwards(self._rows, nodes.ties, *given, cells, values, self._left)
        restrict(nodes.tie, self._parent, values, self._left, coarse)
        coarse = grid.solve_coarse().reshape(-1)
        correct(nodes.ties, self._parent, coarse, values)
        along = relax_backwards(
            self._rows,
            nodes.ties,
            self._parent,
            *given,
            cells,
            coarse,
            values,
            self._node_product,
            self._rhs.reshape(-1),
        )
        grid.ascend(self._rhs, self._cells)
        dot, other = dots(grid.result, self.residual, self._product)
        return dot + along[0], other + along[1]
