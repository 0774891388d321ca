"""Multigrid for grids whose vertices are linked to all 26 neighbours.

Coarse vertices are every other one, interpolation is trilinear, the coarse
operators are Galerkin products, which link 26 neighbours again. The operator
decides about the weights nowhere: interpolation by the operator was measured to need
as many iterations where coefficients jump and half as many again where tensors are
long (100:1). A W-cycle with one Gauss–Seidel sweep forward before and one backward
after is symmetric. All of it is in single precision; the iteration around it is not.

References
----------
Trottenberg, Oosterlee & Schüller, Multigrid (2001), ch. 4 (Galerkin).
Notay, SIAM J. Sci. Comput. 22, 1444 (2000), 10.1137/S1064827599362314 (flexible
conjugate gradients).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiscale.numerics import _stencil_kernels as kernels

FloatArray = NDArray[np.float64]
SingleArray = NDArray[np.float32]

COARSEST = 216
"""At most this many vertices are solved for directly."""
MUCH_WIDER = 1.5
"""Axes whose vertices lie this much further apart than the closest are not coarsened yet."""
PARALLEL_FROM = 20_000
"""Levels of fewer vertices are swept by one thread."""
SLAB = 4
"""Planes swept one after the other at least: thinner slabs need more iterations."""
ROWS = kernels.DIAGONAL + 1


@dataclass(frozen=True, slots=True)
class VertexAxis:
    """Vertices along one axis.

    Parameters
    ----------
    vertices : int
        How many, those on electrodes included.
    end : {"periodic", "wall", "electrodes"}
        What lies behind the last one.
    spacing : float
        Distance.
    """

    vertices: int
    end: str
    spacing: float

    @classmethod
    def of(cls, cells: int, end: str, spacing: float) -> VertexAxis:
        """Number the vertices of a row of cells.

        Parameters
        ----------
        cells : int
            Cells along the axis.
        end : {"periodic", "wall", "electrodes"}
            What lies behind the last one.
        spacing : float
            Their length.

        Returns
        -------
        VertexAxis
            The vertices.
        """
        return cls(cells + (end != "periodic"), end, spacing)

    @property
    def free(self) -> slice:
        """Vertices that are solved for."""
        return slice(1, -1) if self.end == "electrodes" else slice(None)

    @property
    def shrinks(self) -> bool:
        """Whether there is a coarser axis."""
        return self.vertices > (3 if self.end == "electrodes" else 1)

    def coarse(self) -> VertexAxis:
        """Take every other vertex; of two, none but their mean.

        Returns
        -------
        VertexAxis
            Coarser axis.
        """
        n = self.vertices
        count = (n + 1) // 2 if self.end == "periodic" else n // 2 + 1
        return VertexAxis(count if n > 2 else 1, self.end, 2 * self.spacing)

    def parents(self, coarse: VertexAxis) -> tuple[NDArray[np.int64], FloatArray]:
        """Find which coarse vertices each vertex interpolates.

        Parameters
        ----------
        coarse : VertexAxis
            The coarser axis, or this one.

        Returns
        -------
        parents : (2, vertices + 2) ndarray
            Of the vertices −1 … n, not wrapped.
        weights : (2, vertices + 2) ndarray
            Weights; zero for and of vertices that are not solved for.
        """
        n, m = self.vertices, coarse.vertices
        at = np.arange(-1, n + 1)
        inside = at % n
        if coarse == self:
            first = second = inside
        elif m == 1:
            first = second = np.zeros(n + 2, np.int64)
        else:
            first, second = inside // 2, inside // 2 + inside % 2
        parents = np.stack([first, second]) + m * (at // n)
        share = np.where(second > first, 0.5, 0.0)
        weights = np.stack([1.0 - share, share])
        if self.end != "periodic":
            weights[:, [0, -1]] = 0.0
        if self.end == "electrodes":
            weights[:, [1, -2]] = 0.0
            weights[(parents <= 0) | (parents >= m - 1)] = 0.0
        return parents, weights


Axes = tuple[VertexAxis, VertexAxis, VertexAxis]


def coarser(axes: Axes) -> Axes | None:
    """Choose the next grid.

    Parameters
    ----------
    axes : tuple of VertexAxis
        The grid.

    Returns
    -------
    tuple of VertexAxis or None
        Coarser along the axes that are coupled most; None if none is left.
    """
    widths = [axis.spacing for axis in axes if axis.shrinks]
    if not widths:
        return None
    limit = MUCH_WIDER * min(widths)
    x, y, z = (axis.coarse() if axis.shrinks and axis.spacing <= limit else axis for axis in axes)
    return x, y, z


def plan(axes: Axes) -> list[Axes]:
    """List the grids from fine to coarse.

    Parameters
    ----------
    axes : tuple of VertexAxis
        The finest grid.

    Returns
    -------
    list of tuple of VertexAxis
        All grids.
    """
    levels = [axes]
    while np.prod([axis.vertices for axis in levels[-1]]) > COARSEST:
        following = coarser(levels[-1])
        if following is None:
            break
        levels.append(following)
    return levels


def links_shape(axes: Axes) -> tuple[int, int, int, int]:
    """Give the shape of the links of a grid.

    Parameters
    ----------
    axes : tuple of VertexAxis
        The grid.

    Returns
    -------
    tuple of int
        Planes, rows, links and inverse diagonals, places in a row.
    """
    x, y, z = axes
    return x.vertices, y.vertices, ROWS, z.vertices + 2


def vector_shape(axes: Axes, columns: int) -> tuple[int, int, int, int]:
    """Give the shape of vectors on a grid.

    Parameters
    ----------
    axes : tuple of VertexAxis
        The grid.
    columns : int
        Right-hand sides solved for together.

    Returns
    -------
    tuple of int
        Columns, planes, rows, places in a row.
    """
    x, y, z = axes
    return columns, x.vertices, y.vertices, z.vertices + 2


def needed_memory(axes: Axes, columns: int) -> int:
    """Count the bytes of links, preconditioner and iteration.

    Parameters
    ----------
    axes : tuple of VertexAxis
        The grid.
    columns : int
        Right-hand sides solved for together.

    Returns
    -------
    int
        Bytes.
    """
    sizes = [int(np.prod(vector_shape(level, 1))) for level in plan(axes)]
    fine = sizes[0] * (4 * ROWS + columns * (2 * 8 + 3 * 4))
    coarse = sum(sizes[1:]) * (4 * ROWS + columns * 3 * 4)
    half_coarsened = 4 * ROWS * 3 * sizes[0] // 4  # while vectors are not there yet
    return max(fine + coarse, 4 * ROWS * sizes[0] + half_coarsened + coarse)


def invert_sums(links: SingleArray, axes: Axes, threads: int) -> None:
    """Write the inverse diagonals that make a constant a solution.

    Parameters
    ----------
    links : (X, Y, 14, Z + 2) float32 ndarray
        Links, ends of rows repeated; the inverse diagonals are written to.
    axes : tuple of VertexAxis
        The grid; vertices on electrodes are not solved for.
    threads : int
        Threads.
    """
    free = [range(axis.vertices)[axis.free] for axis in axes]
    kernels.invert_sums(links, np.array([[r.start, r.stop] for r in free]), threads)


def _slabs(axis: VertexAxis) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut the planes into slabs, sorted by colour, and tell where each colour begins."""
    count = max(1, axis.vertices // SLAB)
    edges = np.arange(count + 1) * axis.vertices // count
    colour = np.arange(count) % 2
    if axis.end == "periodic" and count % 2 and count > 1:
        colour[-1] = 2
    slabs = np.stack([edges[:-1], edges[1:]], axis=1)[np.argsort(colour, kind="stable")]
    return slabs, np.concatenate([[0], np.cumsum(np.bincount(colour))])


class _Level:
    """Links of one grid, the order of its sweeps and how to leave it."""

    def __init__(self, links: SingleArray, axes: Axes, threads: int) -> None:
        self.links, self.axes = links, axes
        self.slabs, self.colours = _slabs(axes[0])
        planes = np.concatenate([np.arange(*slab) for slab in self.slabs])
        self.order = np.argsort(planes)
        self.threads = threads if links.size >= PARALLEL_FROM * ROWS else 1
        self.transfers: tuple[Any, Any, Any] | None = None

    def coarsened(self, axes: Axes, threads: int) -> _Level:
        """Interpolate along one axis after the other."""
        transfers, links = [], self.links
        now = list(self.axes)
        for a in range(3):
            parents, weights = now[a].parents(axes[a])
            inner = np.ascontiguousarray(parents[:, 1:-1] % axes[a].vertices)
            transfers.append((inner, np.ascontiguousarray(weights[:, 1:-1], dtype=np.float32)))
            now[a] = axes[a]
            out = np.empty(links_shape((now[0], now[1], now[2])), np.float32)
            if a < 2:
                kernels.coarsen_rows(links, a == 0, a, parents, weights, out)
            else:
                kernels.coarsen_columns(links, parents, weights, out)
            links = out
        if any(axis.end == "electrodes" for axis in axes):
            kernels.invert_diagonals(links)
        else:  # a constant stays a solution, whatever was rounded
            invert_sums(links, axes, threads)
        self.transfers = (transfers[0], transfers[1], transfers[2])
        return _Level(links, axes, threads)

    def sweep_forward(self, b: NDArray[Any], x: SingleArray) -> None:
        kernels.forward(self.links, self.order, self.slabs, self.colours, b, x, self.threads)

    def sweep_backward(self, b: NDArray[Any], x: SingleArray) -> None:
        kernels.backward(self.links, self.order, self.slabs, self.colours, b, x, self.threads)

    def restrict(self, x: SingleArray, coarse: SingleArray) -> None:
        assert self.transfers is not None
        kernels.restrict(self.links, self.order, x, *self.transfers, coarse, self.threads)

    def prolong(self, coarse: SingleArray, x: SingleArray) -> None:
        assert self.transfers is not None
        kernels.prolong(coarse, *self.transfers, x, self.threads)

    def subtract(self, x: SingleArray, b: SingleArray) -> None:
        kernels.subtract(self.links, self.order, x, b, self.threads)


class StencilMultigrid:
    """Links on all grids and the cycle over them.

    Parameters
    ----------
    links : (X, Y, 14, Z + 2) float32 ndarray
        Links of the finest grid and their inverse diagonals; ends of rows repeated.
    axes : tuple of VertexAxis
        The finest grid.
    columns : int
        Right-hand sides solved for together.
    threads : int
        Threads.
    """

    def __init__(self, links: SingleArray, axes: Axes, columns: int, threads: int) -> None:
        levels = plan(axes)
        self.threads = threads
        self.levels = [_Level(links, axes, threads)]
        for following in levels[1:]:
            self.levels.append(self.levels[-1].coarsened(following, threads))
        self._b = [np.zeros(vector_shape(level, columns), np.float32) for level in levels[1:]]
        self._x = [np.zeros_like(b) for b in self._b]
        self._inverse = _pseudo_inverse(
            self.levels[-1].links, not any(axis.end == "electrodes" for axis in axes)
        )

    def cycle(self, b: NDArray[Any], x: SingleArray) -> None:
        """Approximate the solution of A x = b from a zero start.

        Parameters
        ----------
        b : (columns, X, Y, Z + 2) ndarray
            Right-hand sides.
        x : (columns, X, Y, Z + 2) float32 ndarray
            Written to.
        """
        self._descend(0, b, x)

    def _descend(self, depth: int, b: NDArray[Any], x: SingleArray) -> None:
        if depth == len(self.levels) - 1:
            self._solve(b, x)
            return
        level = self.levels[depth]
        level.sweep_forward(b, x)
        rest, correction = self._b[depth], self._x[depth]
        level.restrict(x, rest)
        self._descend(depth + 1, rest, correction)
        if depth + 2 < len(self.levels):
            first = correction.copy()
            self.levels[depth + 1].subtract(first, rest)
            self._descend(depth + 1, rest, correction)
            correction += first
        level.prolong(correction, x)
        level.sweep_backward(b, x)

    def _solve(self, b: NDArray[Any], x: SingleArray) -> None:
        inner = b[..., 1:-1]
        flat = inner.reshape(len(b), -1) @ self._inverse
        x[..., 1:-1] = flat.reshape(inner.shape)
        x[..., 0], x[..., -1] = x[..., -2], x[..., 1]


def _pseudo_inverse(links: SingleArray, singular: bool) -> SingleArray:
    """Invert a small operator; ``singular`` if it leaves a constant alone."""
    matrix = kernels.as_matrix(links)
    diagonal = np.diag(matrix)
    root = np.sqrt(diagonal)
    scale = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = matrix * np.outer(scale, scale)
    if singular:
        null = root / np.linalg.norm(root)
        scaled -= np.outer(null, null @ scaled)
        scaled -= np.outer(scaled @ null, null)
    inverse = np.linalg.pinv(scaled, rcond=1e-6, hermitian=True) * np.outer(scale, scale)
    single: SingleArray = inverse.astype(np.float32)
    return single


class StencilCG:
    """Conjugate gradients for several right-hand sides at once.

    Parameters
    ----------
    multigrid : StencilMultigrid
        Preconditioner; its finest links are the operator.
    columns : int
        Right-hand sides.

    Attributes
    ----------
    potential, residual : (columns, X, Y, Z + 2) ndarray
        What has been reached, in double precision; the caller may replace the
        residual by the true one at any time.
    """

    def __init__(self, multigrid: StencilMultigrid, columns: int) -> None:
        self._multigrid = multigrid
        shape = vector_shape(multigrid.levels[0].axes, columns)
        self.potential, self.residual = np.zeros(shape), np.zeros(shape)
        self._p, self._q, self._z = (np.zeros(shape, np.float32) for _ in range(3))
        self._curvature = np.full(columns, np.inf)

    def restart(self) -> None:
        """Forget the search directions."""
        self._curvature[:] = np.inf

    def step(self, active: NDArray[np.bool_]) -> FloatArray:
        """Do one iteration.

        Parameters
        ----------
        active : (columns,) bool ndarray
            Columns that go on.

        Returns
        -------
        (columns,) ndarray
            Norms of the residuals.
        """
        threads, links = self._multigrid.threads, self._multigrid.levels[0].links
        self._multigrid.cycle(self.residual, self._z)
        sums = np.empty((self._p.shape[1], 3, len(active)))
        kernels.dots(self.residual, self._z, self._q, self._p, sums, threads)
        rise, along, left = sums.sum(axis=0)
        # conjugate to the last direction and a true minimum along it: the single-precision
        # cycle is not quite the same operator twice, and this form forgives it
        beta = np.where(active, -along / self._curvature, 0.0)
        kernels.combine(beta.astype(np.float32), self._z, self._p, threads)
        sums = np.empty((self._p.shape[1], len(active)))
        kernels.apply(links, self._p, self._q, sums, threads)
        curvature = sums.sum(axis=0)
        goes = active & (curvature > 0)
        alpha = np.divide(rise + beta * left, curvature, out=np.zeros_like(rise), where=goes)
        self._curvature = np.where(goes, curvature, np.inf)
        squares = np.empty_like(sums)
        kernels.advance(alpha, self._p, self._q, self.potential, self.residual, squares, threads)
        norms: FloatArray = np.sqrt(squares.sum(axis=0))
        return norms
