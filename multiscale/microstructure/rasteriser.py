"""Draw power cells on a voxel grid.

The power of a point to two seeds differs by a linear function, so over a block
of voxels its least value is known exactly: a copy of a seed that loses to the
winner at the block's centre all over the block cannot win in it. Copies are
sifted so for blocks of 64, 16 and 4 voxels an edge; each voxel then compares the
few that are left. The result is that of comparing all (``naive_labels``).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from multiscale.errors import RecipeError, describe
from multiscale.microstructure.power_diagram import Floats
from multiscale.numerics.compiling import kernel

BLOCK = 4  # voxels along an edge of the smallest block; each level is four times the last


@kernel()
def _sift(candidates, count, position, weight, centre, half, slack, kept):  # type: ignore[no-untyped-def]
    """Keep the copies that can win somewhere in a block; return how many."""
    best = -1
    least = np.inf
    for k in range(count):
        c = candidates[k]
        power = -weight[c]
        for a in range(3):
            power += (centre[a] - position[c, a]) ** 2
        if power < least:
            least = power
            best = c
    number = 0
    for k in range(count):
        c = candidates[k]
        margin = -weight[c] - least
        for a in range(3):
            margin += (centre[a] - position[c, a]) ** 2
            margin -= 2.0 * half[a] * abs(position[c, a] - position[best, a])
        if margin <= slack:
            kept[number] = c
            number += 1
    return number


@kernel()
def _fill(low, high, candidates, count, position, weight, spacing, winner):  # type: ignore[no-untyped-def]
    """Compare the candidates in each voxel of a block."""
    for i in range(low[0], high[0]):
        x = (i + 0.5) * spacing[0]
        for j in range(low[1], high[1]):
            y = (j + 0.5) * spacing[1]
            for k in range(low[2], high[2]):
                z = (k + 0.5) * spacing[2]
                best = candidates[0]
                least = np.inf
                for m in range(count if count > 1 else 0):
                    c = candidates[m]
                    power = (
                        (x - position[c, 0]) ** 2
                        + (y - position[c, 1]) ** 2
                        + (z - position[c, 2]) ** 2
                        - weight[c]
                    )
                    if power < least:
                        least = power
                        best = c
                winner[i, j, k] = best


@kernel()
def _block(low, high, edge, index, first, last):  # type: ignore[no-untyped-def]
    """Set the bounds of one block of a region; false once past the last block."""
    for a in range(2, -1, -1):
        count = (high[a] - low[a] + edge - 1) // edge
        first[a] = low[a] + (index % count) * edge
        last[a] = min(first[a] + edge, high[a])
        index //= count
    return index == 0


@kernel()
def _sift_block(first, last, spacing, candidates, count, position, weight, slack, kept):  # type: ignore[no-untyped-def]
    """Sift the candidates of one block, over the centres of its voxels."""
    centre = np.empty(3)
    half = np.empty(3)
    for a in range(3):
        centre[a] = 0.5 * (first[a] + last[a]) * spacing[a]
        half[a] = 0.5 * (last[a] - first[a] - 1) * spacing[a]
    return _sift(candidates, count, position, weight, centre, half, slack, kept)


@kernel()
def _rasterise(position, weight, spacing, slack, winner):  # type: ignore[no-untyped-def]
    """Fill ``winner`` with the number of the copy that wins in each voxel."""
    everything = np.arange(len(weight))
    coarse, middle, fine = everything.copy(), everything.copy(), everything.copy()
    bounds = np.zeros((4, 2, 3), np.int64)
    for a in range(3):
        bounds[0, 1, a] = winner.shape[a]
    i = 0
    while _block(bounds[0, 0], bounds[0, 1], 16 * BLOCK, i, bounds[1, 0], bounds[1, 1]):
        first, last = bounds[1, 0], bounds[1, 1]
        n = _sift_block(
            first, last, spacing, everything, len(weight), position, weight, slack, coarse
        )
        j = 0
        while _block(first, last, 4 * BLOCK, j, bounds[2, 0], bounds[2, 1]):
            low, high = bounds[2, 0], bounds[2, 1]
            m = _sift_block(low, high, spacing, coarse, n, position, weight, slack, middle)
            k = 0
            while _block(low, high, BLOCK, k, bounds[3, 0], bounds[3, 1]):
                begin, end = bounds[3, 0], bounds[3, 1]
                p = _sift_block(begin, end, spacing, middle, m, position, weight, slack, fine)
                _fill(begin, end, fine, p, position, weight, spacing, winner)
                k += 1
            j += 1
        i += 1


def check_cells(cells: Sequence[int] | NDArray[np.integer], dimension: int) -> tuple[int, ...]:
    """Check the voxel counts of a grid.

    Parameters
    ----------
    cells : sequence of int
        Voxels along each axis.
    dimension : int
        Number of axes.

    Returns
    -------
    tuple of int
        The same counts.

    Raises
    ------
    RecipeError
        If they are not ``dimension`` positive integers.
    """
    wanted = f"{dimension} positive whole numbers"
    try:
        counts = tuple(int(count) for count in cells)
        whole = all(count == given for count, given in zip(counts, cells, strict=True))
    except (TypeError, ValueError, OverflowError):
        raise RecipeError(describe("cells", wanted, cells)) from None
    if len(counts) != dimension or min(counts) < 1 or not whole:
        raise RecipeError(describe("cells", wanted, cells))
    return counts


def _images(
    seeds: Floats, weights: Floats, size: Floats, periodic: bool
) -> tuple[Floats, Floats, NDArray[np.int8]]:
    """Copy seeds to all neighbouring boxes; the image of copy c is ``images[c % len(images)]``."""
    dimension = len(size)
    reach = (-1, 0, 1) if periodic else (0,)
    images = np.array(list(itertools.product(reach, repeat=dimension)), dtype=np.int8)
    position = np.zeros((len(seeds), len(images), 3))
    position[:, :, :dimension] = seeds[:, None, :] + images * size
    return position.reshape(-1, 3), np.repeat(weights, len(images)), images


class Raster:
    """Power cells on voxel grids; the winners on the last grid are remembered.

    Parameters
    ----------
    seeds : (n, d) array
        Seeds [m] in the box.
    weights : (n,) array
        Power weights [m²].
    size : (d,) array
        Box edges [m].
    periodic : bool
        Whether the box repeats.
    """

    __slots__ = ("_cells", "_images", "_position", "_size", "_slack", "_weights", "_winner")

    def __init__(self, seeds: Floats, weights: Floats, size: Floats, *, periodic: bool) -> None:
        self._position, self._weights, self._images = _images(seeds, weights, size, periodic)
        self._size = size
        self._slack = 1e-12 * float(np.sum(size**2) + np.ptp(weights))
        self._cells: tuple[int, ...] = ()
        self._winner = np.zeros((0, 0, 0), dtype=np.int32)

    def labels(self, cells: Sequence[int]) -> NDArray[np.int32]:
        """Draw the cells on a grid: :meth:`.Polycrystal.labels` says what comes of it.

        Parameters
        ----------
        cells : sequence of int
            Voxels along each axis.

        Returns
        -------
        (cells) array of int32
            Grain numbers.
        """
        winner = self._winners(cells)
        labels = np.empty_like(winner)
        _grains(winner.ravel(), len(self._images), labels.ravel())
        return labels.reshape(self._cells)

    def labels_and_images(self, cells: Sequence[int]) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
        """Draw cells and images: :meth:`.Polycrystal.labels_and_images` says what comes of it.

        Parameters
        ----------
        cells : sequence of int
            Voxels along each axis.

        Returns
        -------
        labels, images : array of integers
            Grain numbers, and boxes between the seed and the image that wins.
        """
        winner = self._winners(cells)
        labels = np.empty_like(winner)
        images = np.empty((winner.size, len(self._size)), dtype=np.int8)
        _grains_and_images(winner.ravel(), self._images, labels.ravel(), images)
        return labels.reshape(self._cells), images.reshape(*self._cells, -1)

    def _winners(self, cells: Sequence[int]) -> NDArray[np.int32]:
        """Number of the winning copy in each voxel, with three axes."""
        counts = check_cells(cells, len(self._size))
        if counts != self._cells:
            position = self._position
            spacing = np.ones(3)
            spacing[: len(counts)] = self._size / counts
            if len(counts) == 2:
                position[:, 2] = 0.5 * spacing[2]
            self._winner = np.empty(counts + (1,) * (3 - len(counts)), dtype=np.int32)
            _rasterise(position, self._weights, spacing, self._slack, self._winner)
            self._cells = counts
        return self._winner


@kernel()
def _grains(winner, count, labels):  # type: ignore[no-untyped-def]
    """Turn numbers of copies into numbers of grains, of which there are ``count`` copies each."""
    for i in range(winner.size):
        labels[i] = winner[i] // count


@kernel()
def _grains_and_images(winner, offsets, labels, images):  # type: ignore[no-untyped-def]
    """Turn numbers of copies into grains and box offsets."""
    for i in range(winner.size):
        grain = winner[i] // len(offsets)
        labels[i] = grain
        for a in range(images.shape[1]):
            images[i, a] = offsets[winner[i] - grain * len(offsets), a]


def rasterise(
    seeds: Floats, weights: Floats, size: Floats, cells: Sequence[int], *, periodic: bool
) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
    """Draw cells and images once.

    Parameters
    ----------
    seeds, weights, size
        As :class:`Raster` takes them.
    cells : sequence of int
        Voxels along each axis.
    periodic : bool
        Whether the box repeats.

    Returns
    -------
    labels, images : array of integers
        As :meth:`Raster.labels_and_images` returns them.
    """
    return Raster(seeds, weights, size, periodic=periodic).labels_and_images(cells)


def rasterise_labels(
    seeds: Floats, weights: Floats, size: Floats, cells: Sequence[int], *, periodic: bool
) -> NDArray[np.int32]:
    """Draw the cells once.

    Parameters
    ----------
    seeds, weights, size, cells, periodic
        As :func:`rasterise` takes them.

    Returns
    -------
    (cells) array of int32
        As :meth:`Raster.labels` returns them.
    """
    return Raster(seeds, weights, size, periodic=periodic).labels(cells)


def naive_labels(
    seeds: Floats, weights: Floats, size: Floats, cells: Sequence[int], *, periodic: bool
) -> NDArray[np.int32]:
    """Find the grain of each voxel by comparing all seeds: slow, obvious, a reference.

    Parameters
    ----------
    seeds, weights, size, cells, periodic
        As :func:`rasterise` takes them.

    Returns
    -------
    (cells) array of int32
        As :meth:`Raster.labels` returns them.
    """
    axes = [(np.arange(n) + 0.5) * edge / n for n, edge in zip(cells, size, strict=True)]
    centres = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    least = np.full(tuple(cells), np.inf)
    labels = np.zeros(tuple(cells), dtype=np.int32)
    for number, (seed, weight) in enumerate(zip(seeds, weights, strict=True)):
        arm = np.abs(centres - seed)
        if periodic:
            arm = np.minimum(arm, size - arm)
        power = np.sum(arm**2, axis=-1) - weight
        labels[power < least] = number
        least = np.minimum(power, least)
    return labels
