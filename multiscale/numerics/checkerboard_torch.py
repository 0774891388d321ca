"""The multigrid of :mod:`multiscale.numerics.checkerboard_multigrid` as torch tensors.

The same layers, colours, links, cycle and iteration, written as operations on
whole arrays, for a GPU. The finest grid is packed as on the CPU and swept by
shifted slices, so that nothing is stored beside links and vectors. Coarse grids
are small: each cell has a table of its six neighbours, and a sweep is three
operations instead of seventeen, which is what small grids cost on a GPU.

One scalar leaves the device an iteration: the norm of the residual.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from multiscale.numerics.checkerboard_multigrid import (
    RELAXATION,
    TINY,
    Axes,
    packed_shape,
    plan,
)
from multiscale.numerics.fragments import WEAK, Fragments

if TYPE_CHECKING:
    from torch import Tensor

FloatArray = NDArray[np.float64]

DIRECT = 700
"""At most this many cells are solved directly: one product instead of many small sweeps."""
A_LINK = 2 * (6 * 8 + 8) + 4
"""Bytes that a coarse grid keeps a pair of cells: neighbours, shares, diagonals, parents."""
A_SWEEP = 2 * 6 * 4 + 12 * 4
"""Bytes that its cycle takes meanwhile."""


def parities(shape: tuple[int, int, int], device: Any) -> Tensor:
    """Colour of the first cell of each pair.

    Parameters
    ----------
    shape : tuple of int
        (X, Y, M).
    device : torch.device
        Where.

    Returns
    -------
    (X, Y, 1) bool tensor
        Whether it is odd.
    """
    import torch

    i, j = (torch.arange(n, device=device) for n in shape[:2])
    return ((i[:, None, None] + j[:, None]) & 1).bool()


def split(full: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
    """Part the colours of an array of all cells.

    Parameters
    ----------
    full : (…, X, Y, 2 M) tensor
        Values.
    first : (X, Y, 1) bool tensor
        Colour of the first of each pair.

    Returns
    -------
    even, odd : (…, X, Y, M) tensor
        Values of either colour.
    """
    import torch

    one, two = full[..., ::2], full[..., 1::2]
    return torch.where(first, two, one), torch.where(first, one, two)


def join(even: Tensor, odd: Tensor, first: Tensor) -> Tensor:
    """Put the colours back into one array.

    Parameters
    ----------
    even, odd : (X, Y, M) tensor
        Values of either colour.
    first : (X, Y, 1) bool tensor
        Colour of the first of each pair.

    Returns
    -------
    (X, Y, 2 M) tensor
        Values of all cells.
    """
    import torch

    pairs = (torch.where(first, odd, even), torch.where(first, even, odd))
    return torch.stack(pairs, dim=-1).flatten(-2)


def gather(links: Tensor, colour: int, values: Tensor, out: Tensor) -> Tensor:
    """Sum links times neighbours for the cells of one colour.

    Parameters
    ----------
    links : (6, X, Y, M) tensor
        Packed links.
    colour : int
        0 for even, 1 for odd.
    values : (X, Y, M) tensor
        Values of the other colour.
    out : (X, Y, M) tensor
        Filled.

    Returns
    -------
    (X, Y, M) tensor
        ``out``.
    """
    import torch

    other = 1 - colour
    torch.mul(links[4], values, out=out)
    for axis in range(2):
        _ahead(out, links[2 * axis + colour], values, axis)
        _behind(out, links[2 * axis + other], values, axis)
    for i in range(2):
        for j in range(2):
            rows = (slice(i, None, 2), slice(j, None, 2))
            first = (i + j + colour) % 2 == 0  # of its pair: the last pair's second is behind
            (_behind if first else _ahead)(out[rows], links[5][rows], values[rows], 2)
    return out


def _ahead(out: Tensor, links: Tensor, values: Tensor, axis: int) -> None:
    """Add what the next layer gives; the first follows the last."""
    n = values.shape[axis]
    if values.numel():
        begin, end = links.narrow(axis, 0, n - 1), links.narrow(axis, n - 1, 1)
        out.narrow(axis, 0, n - 1).addcmul_(begin, values.narrow(axis, 1, n - 1))
        out.narrow(axis, n - 1, 1).addcmul_(end, values.narrow(axis, 0, 1))


def _behind(out: Tensor, links: Tensor, values: Tensor, axis: int) -> None:
    """Add what the layer before gives; links are stored with that layer."""
    n = values.shape[axis]
    if values.numel():
        begin, end = links.narrow(axis, 0, n - 1), links.narrow(axis, n - 1, 1)
        out.narrow(axis, 1, n - 1).addcmul_(begin, values.narrow(axis, 0, n - 1))
        out.narrow(axis, 0, 1).addcmul_(end, values.narrow(axis, n - 1, 1))


@dataclass(frozen=True, slots=True)
class Coarse:
    """A coarse grid: cells of both colours with tables of their neighbours.

    Parameters
    ----------
    neighbours : tuple of (6 n,) int32 tensor
        For each colour, places in the other one.
    shares : tuple of (6, n) float32 tensor
        Links over the cell's diagonal.
    inverse : (2, n) float32 tensor
        Inverse diagonals.
    diagonal : (n,) float32 tensor
        Diagonal of the odd cells; zero for idle ones.
    parents : (n,) int32 tensor
        Cell of the next grid, even cells first, that each odd cell becomes part of.
    """

    neighbours: tuple[Tensor, Tensor]
    shares: tuple[Tensor, Tensor]
    inverse: Tensor
    diagonal: Tensor
    parents: Tensor

    def sweep(self, colour: int, values: Tensor, own: Tensor) -> Tensor:
        """Relax the cells of one colour.

        Parameters
        ----------
        colour : int
            0 for even, 1 for odd.
        values : (n,) tensor
            Values of the other colour.
        own : (2, n) tensor
            Right-hand side over the diagonal.

        Returns
        -------
        (n,) tensor
            New values.
        """
        near = values.index_select(0, self.neighbours[colour]).view(6, -1)
        swept: Tensor = near.mul_(self.shares[colour]).sum(0).add_(own[colour])
        return swept


class TorchMultigrid:
    """The levels below a packed grid, and the W-cycle over them.

    Parameters
    ----------
    links : (6, X, Y, M) float32 tensor
        Packed links of the finest grid, the largest of them about one.
    axes : tuple of Axis
        Its layers.
    spacing : (3,) ndarray
        Its cell edges.
    """

    def __init__(self, links: Tensor, axes: Axes, spacing: FloatArray) -> None:
        import torch

        self.links = links
        shape, device = packed_shape(axes), links.device
        one = torch.ones((), dtype=torch.float64, device=device).expand(shape)
        self._diagonals = torch.empty((2, *shape), dtype=torch.float64, device=device)
        self.inverse = torch.empty((2, *shape), dtype=torch.float32, device=device)
        for colour in range(2):
            sums = gather(links, colour, one, self._diagonals[colour])
            self.inverse[colour] = torch.where(sums > TINY, 1.0 / sums, 0.0)
        _pin(self.inverse, axes, packed=True)
        self._live = self.inverse[1] > 0
        even = self._diagonals[0]  # kept as what the product needs: its inverse
        even.copy_(torch.where(self.inverse[0] > 0, 1.0 / even, 0.0))
        self._parents, self._levels, self._direct = _coarse_levels(links, axes, spacing)
        self.result = torch.zeros(shape, dtype=torch.float32, device=device)
        self._rhs, self._odd, self._even = (torch.zeros_like(self.result) for _ in range(3))

    def product(self, p: Tensor, q: Tensor, work: Tensor) -> Tensor:
        """Apply the matrix, reduced to the odd cells, in double precision.

        Parameters
        ----------
        p, q, work : (X, Y, M) float64 tensor
            Vector, filled with its product, and room for the even cells.

        Returns
        -------
        () tensor
            p·q.
        """
        import torch

        gather(self.links, 0, p, work).mul_(self._diagonals[0])
        gather(self.links, 1, work, q).neg_()
        q.addcmul_(self._diagonals[1], p).mul_(self._live)
        return torch.dot(p.view(-1), q.view(-1))

    def cycle(self, residual: Tensor, scale: float) -> None:
        """Apply one W-cycle to a residual of the odd cells, into ``result``.

        Parameters
        ----------
        residual : (X, Y, M) float64 tensor
            Right-hand side.
        scale : float
            Factor that brings it near one, into the range of single precision.
        """
        import torch

        torch.mul(residual, scale, out=self._rhs)
        torch.mul(self.inverse[1], self._rhs, out=self._odd)
        gather(self.links, 0, self._odd, self._even).mul_(self.inverse[0])
        left = gather(self.links, 1, self._even, self.result)
        coarse = self._visit(0, self._restrict(left.view(-1), self._parents, 0))
        self._odd.view(-1).add_(coarse.index_select(0, self._parents))
        gather(self.links, 0, self._odd, self._even).mul_(self.inverse[0])
        gather(self.links, 1, self._even, self.result).add_(self._rhs).mul_(self.inverse[1])

    def _restrict(self, left: Tensor, parents: Tensor, depth: int) -> Tensor:
        """Sum what the odd cells have left on the grid at ``depth``, even cells first."""
        import torch

        cells = (
            2 * self._levels[depth].diagonal.numel()
            if depth < len(self._levels)
            else self._direct.shape[0]
        )
        rhs = torch.zeros(cells, dtype=torch.float32, device=left.device)
        return rhs.index_add_(0, parents, left)

    def _visit(self, depth: int, rhs: Tensor) -> Tensor:
        """Two cycles on every level, one after the other: a W-cycle; the last is solved."""
        import torch

        if depth == len(self._levels):
            return torch.mv(self._direct, rhs)
        level = self._levels[depth]
        own = level.inverse * rhs.view(2, -1)
        odd = even = own[1]
        for _ in range(2):
            even = level.sweep(0, odd, own)
            left = level.sweep(1, even, own).sub_(odd).mul_(level.diagonal)
            coarse = self._visit(depth + 1, self._restrict(left, level.parents, depth + 1))
            odd = coarse.index_select(0, level.parents).add_(odd)
            even = level.sweep(0, odd, own)
            odd = level.sweep(1, even, own)
        return torch.cat((even, odd))


def _coarse_levels(
    links: Tensor, axes: Axes, spacing: FloatArray
) -> tuple[Tensor, list[Coarse], Tensor]:
    """Parents of the finest odd cells, the grids between, and the last one's inverse."""
    import torch

    levels = plan(axes, spacing)
    sizes = [2 * int(np.prod(packed_shape(level))) for level, _ in levels]
    last = next(n for n, size in enumerate(sizes) if n and (size <= DIRECT or n + 1 == len(sizes)))
    first = parities(packed_shape(axes), links.device)
    # layer after layer of one axis at a time: the finest links are never unpacked all at once
    full = [
        _coarse_links(join(links[2 * a], links[2 * a + 1], first), a, *levels[0], levels[1][0])
        for a in range(2)
    ]
    along = torch.stack((links[4], links[5]), dim=-1).flatten(-2)
    full.append(_coarse_links(along, 2, *levels[0], levels[1][0]))
    del along
    found: list[Coarse] = []
    for (own, factors), (below, _) in pairwise(levels[1 : last + 1]):
        found.append(_tables(full, own, _parents(own, factors, below, links.device)))
        full = [_coarse_links(full[a], a, own, factors, below) for a in range(3)]
    parents = _parents(axes, levels[0][1], levels[1][0], links.device)
    direct = torch.from_numpy(_pseudo_inverse(full, levels[last][0]))
    return parents, found, direct.to(links.device)


def _coarse_links(
    full: Tensor, way: int, axes: Axes, factors: tuple[int, int, int], below: Axes
) -> Tensor:
    """Sum the links along one axis between coarse cells."""
    import torch

    def put(values: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(full.device)

    for a in sorted(range(3), key=lambda a: a != way):
        shape = list(full.shape)
        shape[a] = below[a].length
        out = torch.zeros(shape, dtype=full.dtype, device=full.device)
        if a != way:
            full = out.index_add_(a, put(axes[a].parents(factors[a], below[a])), full)
            continue
        slot, weight, following = axes[a].coarse_links(factors[a], below[a])
        weight = weight * (RELAXATION if factors[a] == 2 else 1.0)
        following = following * (RELAXATION if factors[a] == 2 else 1.0)
        for share, step in ((weight, 0), (following, 1)):
            used = np.flatnonzero((slot >= 0) & (share > 0))
            part = full.index_select(a, put(used))
            sides = [-1 if b == a else 1 for b in range(3)]
            part.mul_(put(share[used].astype(np.float32)).view(sides))
            out.index_add_(a, put((slot[used] + step) % below[a].length), part)
        full = out
    return full


def _tables(full: list[Tensor], axes: Axes, parents: Tensor) -> Coarse:
    """Part links of all cells by colour, and list neighbours."""
    import torch

    shape, device = packed_shape(axes), full[0].device
    first = parities(shape, device)
    number = torch.arange(full[0].numel(), dtype=torch.int32, device=device).view(full[0].shape)
    number //= 2  # both cells of a pair stand at one place of their halves
    near = torch.stack([torch.roll(number, step, a) for a in range(3) for step in (-1, 1)])
    neighbours = [half.reshape(-1) for half in split(near, first)]
    del near, number
    links = torch.stack([one for a in range(3) for one in (full[a], torch.roll(full[a], 1, a))])
    shares = [half.reshape(6, -1) for half in split(links, first)]
    del links
    inverse = torch.empty((2, shares[0].shape[1]), dtype=torch.float32, device=device)
    for colour, half in enumerate(shares):
        sums = half.sum(0, dtype=torch.float64)
        inverse[colour] = torch.where(sums > TINY, 1.0 / sums, 0.0)
    _pin(inverse.view(2, *shape), axes, packed=True)
    diagonal = torch.where(inverse[1] > 0, 1.0 / inverse[1], 0.0)
    for colour, half in enumerate(shares):
        half.mul_(inverse[colour])
    return Coarse(
        (neighbours[0], neighbours[1]), (shares[0], shares[1]), inverse, diagonal, parents
    )


def _parents(axes: Axes, factors: tuple[int, int, int], below: Axes, device: Any) -> Tensor:
    """Coarse cell, even ones first, of each odd cell."""
    import torch

    x, y, z = (
        torch.from_numpy(axis.parents(factor, coarse).astype(np.int32)).to(device)
        for axis, factor, coarse in zip(axes, factors, below, strict=True)
    )
    row = x[:, None, None] * below[1].length + y[:, None]
    odd = (x[:, None, None] + y[:, None] + z) & 1
    place = (row * below[2].length + z) // 2
    place += odd * int(np.prod(packed_shape(below)))
    return split(place, parities(packed_shape(axes), device))[1].reshape(-1)


def _pseudo_inverse(full: list[Tensor], axes: Axes) -> NDArray[np.float32]:
    """Invert the matrix of the coarsest grid, even cells first."""
    shape = (axes[0].length, axes[1].length, axes[2].length)
    colour = np.indices(shape).sum(axis=0) & 1
    half = colour.size // 2
    number = np.arange(colour.size).reshape(shape) // 2 + half * colour
    matrix = np.zeros((colour.size, colour.size))
    for a, links in enumerate(full):
        near, values = np.roll(number, -1, axis=a).ravel(), links.cpu().numpy().ravel()
        np.add.at(matrix, (number.ravel(), near), -values)
        np.add.at(matrix, (near, number.ravel()), -values)
    np.fill_diagonal(matrix, 0.0)  # an axis of one layer has no links
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    free = np.ones(shape)
    _pin(free[None], axes, packed=False)
    keep = np.empty(colour.size)
    keep[number.ravel()] = free.ravel()
    matrix *= np.outer(keep, keep)
    root = np.sqrt(np.where(matrix.diagonal() > TINY, matrix.diagonal(), 1.0))
    matrix /= np.outer(root, root)
    inverse = np.linalg.pinv(matrix, rcond=1e-11, hermitian=True) / np.outer(root, root)
    single: NDArray[np.float32] = inverse.astype(np.float32)
    return single


def _pin(values: Any, axes: Axes, packed: bool) -> None:
    """Zero what belongs to the electrodes' cells."""
    for a, axis in enumerate(axes):
        if axis.ends == "electrodes":
            first = axis.length // 2 - 1 if a == 2 and packed else axis.length - 2
            values[(slice(None),) * (a + 1) + (slice(first, None),)] = 0


class TorchFragments:
    """Relaxation of well-conducting fragments, those that do not touch at once.

    Parameters
    ----------
    fragments : Fragments
        Directions, found on the CPU.
    device : torch.device
        Where the vectors are.
    """

    def __init__(self, fragments: Fragments, device: Any) -> None:
        import torch

        def put(values: NDArray[Any]) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(values)).to(device)

        self._batches: list[tuple[Tensor, ...]] = []
        for members in _batches(fragments):
            cells, own = _rows(fragments.starts, members)
            image, image_own = _rows(fragments.image_starts, members)
            self._batches.append(
                (
                    put(fragments.cells[cells]),
                    put(own),
                    put(fragments.weights[cells]),
                    put(fragments.image_cells[image]),
                    put(image_own),
                    put(fragments.image[image]),
                    put(fragments.energy[members]),
                )
            )
        self._touched = put(np.unique(fragments.image_cells))

    def before(self, residual: Tensor) -> tuple[list[Tensor], Tensor]:
        """Relax batch after batch and change the residual to what is left.

        Parameters
        ----------
        residual : (N,) float64 tensor
            Residual of the odd cells; changed near fragments.

        Returns
        -------
        steps : list of tensor
            How far each was moved.
        kept : tensor
            The residual's values where it was changed.
        """
        kept = residual.index_select(0, self._touched)
        steps = []
        for cells, own, weights, image_cells, image_own, image, energy in self._batches:
            pulls = residual.index_select(0, cells).mul_(weights)
            step = energy.new_zeros(energy.shape).index_add_(0, own, pulls).div_(energy)
            residual.index_add_(0, image_cells, -step.index_select(0, image_own) * image)
            steps.append(step)
        return steps, kept

    def after(
        self, steps: list[Tensor], kept: Tensor, residual: Tensor, scale: float, result: Tensor
    ) -> None:
        """Relax again in reverse, add all steps to the result, restore the residual.

        Parameters
        ----------
        steps, kept : tensor
            From :meth:`before`.
        residual : (N,) float64 tensor
            Residual; restored.
        scale : float
            Factor between residual and result.
        result : (N,) float32 tensor
            What the cycle made of the changed residual times ``scale``.
        """
        for cells, own, weights, image_cells, image_own, image, energy in reversed(self._batches):
            pulls = residual.index_select(0, cells).mul_(weights).mul_(scale)
            moved = image * result.index_select(0, image_cells)
            again = energy.new_zeros(energy.shape).index_add_(0, own, pulls)
            again.sub_(energy.new_zeros(energy.shape).index_add_(0, image_own, moved))
            again.div_(energy)
            result.index_add_(0, cells, (again.index_select(0, own) * weights).float())
        for step, (cells, own, weights, *_) in zip(steps, self._batches, strict=True):
            result.index_add_(0, cells, (step.index_select(0, own) * weights * scale).float())
        residual.index_copy_(0, self._touched, kept)


def _rows(starts: NDArray[np.int64], members: NDArray[np.int64]) -> tuple[Any, Any]:
    """Entries of some rows one after the other, and to which of the rows each belongs."""
    counts = starts[members + 1] - starts[members]
    own = np.repeat(np.arange(members.size), counts)
    within = np.arange(own.size) - (np.cumsum(counts) - counts)[own]
    return starts[members][own] + within, own


def _batches(fragments: Fragments) -> list[NDArray[np.int64]]:
    """Part fragments into sets whose members do not see each other.

    Luby, SIAM J. Comput. 15, 1036 (1986), 10.1137/0215074: again and again those whose number,
    drawn at random, is above that of all their neighbours that are left.
    """
    from scipy import sparse

    n = fragments.count
    if n == 0:
        return []
    cells = max(int(fragments.cells.max()), int(fragments.image_cells.max())) + 1
    one = sparse.csr_array(
        (np.ones(fragments.cells.size, np.float32), fragments.cells, fragments.starts),
        shape=(n, cells),
    )
    image = sparse.csr_array(
        (
            np.ones(fragments.image_cells.size, np.float32),
            fragments.image_cells,
            fragments.image_starts,
        ),
        shape=(n, cells),
    )
    seen = (one @ image.T).tocoo()
    pairs = np.stack([seen.row, seen.col])[:, seen.row != seen.col]
    pairs = np.concatenate([pairs, pairs[::-1]], axis=1)
    order = np.random.default_rng(0).permutation(n)
    left, sets = np.ones(n, dtype=bool), []
    while left.any():
        pairs = pairs[:, left[pairs].all(axis=0)]
        beaten = np.zeros(n, dtype=bool)
        beaten[pairs[0][order[pairs[0]] < order[pairs[1]]]] = True
        chosen = np.flatnonzero(left & ~beaten)
        sets.append(chosen)
        left[chosen] = False
    return sets


def fragments_of(grid: TorchMultigrid) -> TorchFragments | None:
    """Find the fragments of a grid, on the CPU, if its links allow of any.

    Parameters
    ----------
    grid : TorchMultigrid
        The matrix.

    Returns
    -------
    TorchFragments or None
        Their relaxation.
    """
    links = grid.links
    weakest = min(float(one[one > 0].min()) if bool((one > 0).any()) else 1e30 for one in links)
    if weakest >= WEAK * float(links.max()):
        return None
    found = Fragments.of(links.cpu().numpy(), grid.inverse.cpu().numpy())
    return TorchFragments(found, links.device) if found.count else None


class TorchCG:
    """Conjugate gradients on the odd cells of a packed grid.

    Parameters
    ----------
    multigrid : TorchMultigrid
        The matrix and its preconditioner.
    """

    def __init__(self, multigrid: TorchMultigrid) -> None:
        import torch

        shape, device = multigrid.result.shape, multigrid.result.device
        self.multigrid = multigrid
        self._fragments = fragments_of(multigrid)
        self.potential, self.residual, self._direction, self._product, self.work = (
            torch.zeros(shape, dtype=torch.float64, device=device) for _ in range(5)
        )
        self._alpha = torch.zeros((), dtype=torch.float64, device=device)
        self._rho = torch.ones((), dtype=torch.float64, device=device)

    def restart(self) -> None:
        """Forget the last direction."""
        self._alpha.zero_()
        self._direction.zero_()
        self._product.zero_()

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
        import torch

        grid = self.multigrid
        scale = float(np.sqrt(self.residual.numel())) / norm
        self._precondition(scale)
        rho = self.dot(grid.result, self.residual) / scale
        along_last = self.dot(grid.result, self._product) / scale
        beta = (-self._alpha * along_last / self._rho).clamp_(min=0.0)
        self._direction.mul_(beta).add_(grid.result, alpha=1.0 / scale)
        curvature = grid.product(self._direction, self._product, self.work)
        self._alpha, self._rho = rho / curvature, rho
        self.potential.addcmul_(self._direction, self._alpha)
        self.residual.addcmul_(self._product, -self._alpha)
        square = torch.dot(self.residual.view(-1), self.residual.view(-1))
        known: list[float] = torch.stack((curvature, square)).tolist()
        return float(np.sqrt(known[1])) if known[0] > 0.0 else float("nan")

    def dot(self, one: Tensor, other: Tensor) -> Tensor:
        """Multiply two vectors of whatever precision.

        Parameters
        ----------
        one, other : (X, Y, M) tensor
            The vectors.

        Returns
        -------
        () float64 tensor
            Their scalar product; stays on the device.
        """
        import torch

        return torch.mul(one, other, out=self.work).sum()

    def _precondition(self, scale: float) -> None:
        """Cycle, with the fragments relaxed before and after."""
        grid, fragments = self.multigrid, self._fragments
        if fragments is None:
            grid.cycle(self.residual, scale)
            return
        residual = self.residual.view(-1)
        steps, kept = fragments.before(residual)
        grid.cycle(self.residual, scale)
        fragments.after(steps, kept, residual, scale, grid.result.view(-1))


def coarse_memory(axes: Axes, spacing: FloatArray) -> int:
    """Count the bytes of all coarse grids.

    Parameters
    ----------
    axes : tuple of Axis
        Layers of the finest grid.
    spacing : (3,) ndarray
        Its cell edges.

    Returns
    -------
    int
        Bytes.
    """
    halves = (int(np.prod(packed_shape(below))) for below, _ in plan(axes, spacing)[1:])
    return sum((A_LINK + A_SWEEP) * half for half in halves)
