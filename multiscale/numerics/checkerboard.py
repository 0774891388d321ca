"""Voxel grids coloured like a checkerboard, packed colour by colour.

Every axis is made even, so that neighbours always differ in colour, across a
periodic box too. What is added changes nothing: a layer *between* the last
cell and its neighbour, in series with it (:data:`SPLIT`), or, on an axis with
walls, one without any link. Electrodes are two layers of cells at potential
zero behind the last one; the wrap closes them to the first.

Rows run along the last axis. Cell (i, j, k) has the colour (i + j + k) mod 2
and stands at (i, j, k // 2) of its colour's half; so the two cells of a pair
along the last axis share one place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ENDS = ("periodic", "wall", "electrodes")
SPLIT = 1.0
"""A layer put between two cells is this many times closer to the former.

Halfway, sweeps relax it as easily as its neighbours. Its outer link conducts twice as much as
the whole, which makes up on coarse grids for their last cell being half as long as the others:
fastened more softly there, the W-cycle would not stay positive.
"""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a grid on one level.

    Parameters
    ----------
    cells : int
        Real cells.
    ends : {"periodic", "wall", "electrodes"}
        What follows the last cell.
    between : int
        One if a layer is added to make the axis even.
    length : int
        Layers in all.
    """

    cells: int
    ends: str
    between: int
    length: int

    @classmethod
    def of(cls, cells: int, ends: str, packed: bool = False) -> Axis:
        """Lay out an axis.

        Parameters
        ----------
        cells : int
            Real cells.
        ends : {"periodic", "wall", "electrodes"}
            What follows the last cell.
        packed : bool, optional
            Whether rows run along it: then it is never a single layer.

        Returns
        -------
        Axis
            The layers.
        """
        if ends == "electrodes":
            between = cells % 2
            return cls(cells, ends, between, cells + between + 2)
        single = cells == 1 and not packed
        between = 0 if single or (ends == "wall" and not packed) else cells % 2
        return cls(cells, ends, between, cells + between)

    @property
    def single(self) -> bool:
        """Whether the axis has no links at all."""
        return self.length == 1

    def links(self) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
        """Describe the link from each layer to the next, the last to the first.

        Returns
        -------
        lower, upper : (length,) int64 ndarray
            Cells on either side.
        weight : (length,) ndarray
            Its conductance over that between the centres of those cells; zero
            for no link. A half cell conducts twice as much as a whole one.
        reach : (length,) ndarray
            Its length in cells.
        """
        n, last = self.cells, self.length - 1
        lower, upper = np.arange(self.length), np.arange(self.length) + 1
        weight, reach = np.zeros(self.length), np.zeros(self.length)
        weight[: n - 1], reach[: n - 1] = 1.0, 1.0
        if self.ends == "electrodes":
            lower[n - 1 :], upper[n - 1 :] = n - 1, n - 1
            lower[last], upper[last] = 0, 0
            weight[last], reach[last] = 2.0, 0.5
            weight[n - 1], reach[n - 1] = 2.0, 0.5
        elif self.ends == "periodic":
            lower[n - 1 :], upper[n - 1 :] = n - 1, 0
            weight[n - 1], reach[n - 1] = 1.0, 1.0
        else:
            lower[n - 1 :], upper[n - 1 :] = n - 1, n - 1
        if self.between and weight[n - 1] > 0:
            weight[n] = weight[n - 1] * (1.0 + SPLIT) / SPLIT
            weight[n - 1] *= 1.0 + SPLIT
            reach[n] = reach[n - 1] * SPLIT / (1.0 + SPLIT)  # as a uniform field has it
            reach[n - 1] /= 1.0 + SPLIT
        if self.single:
            weight[:] = 0.0
        return lower, upper, weight, reach

    def between_shares(self) -> tuple[float, float]:
        """Say where the added layer's potential lies, as its links have it.

        Returns
        -------
        last, first : float
            Shares of the last cell and, across a periodic box, of the first.
        """
        if self.ends == "wall":
            return 1.0, 0.0
        near = SPLIT / (1.0 + SPLIT)
        return near, 1.0 - near if self.ends == "periodic" else 0.0

    def coarser(self, factor: int, packed: bool = False) -> Axis:
        """Lay out the axis of the next level.

        Parameters
        ----------
        factor : int
            Cells joined to one: 1 or 2.
        packed : bool, optional
            Whether rows run along it.

        Returns
        -------
        Axis
            The coarser axis.
        """
        return Axis.of(-(-self.cells // factor), self.ends, packed)

    def parents(self, factor: int, coarse: Axis) -> IntArray:
        """Name the coarse layer that each layer becomes part of.

        Parameters
        ----------
        factor : int
            Cells joined to one.
        coarse : Axis
            The axis of the next level.

        Returns
        -------
        (length,) int64 ndarray
            Coarse layers; electrodes become electrodes.
        """
        parent = np.arange(self.length) // factor
        if self.ends == "electrodes":
            parent[self.length - 2 :] = coarse.length - 2
        return parent

    def coarse_links(self, factor: int, coarse: Axis) -> tuple[IntArray, FloatArray, FloatArray]:
        """Say to which coarse links each link adds its conductance.

        Parameters
        ----------
        factor : int
            Cells joined to one.
        coarse : Axis
            The axis of the next level.

        Returns
        -------
        slot : (length,) int64 ndarray
            Coarse link, −1 for links inside a coarse layer.
        weight, following : (length,) ndarray
            Share that goes there, and to the link after it.
        """
        if factor == 1:
            return np.arange(self.length), np.ones(self.length), np.zeros(self.length)
        parent = self.parents(factor, coarse)
        towards = np.roll(parent, -1)
        slot = np.where(parent == towards, -1, parent)
        weight, following = np.ones(self.length), np.zeros(self.length)
        if self.ends == "electrodes":
            slot[-2], slot[-1] = -1, coarse.length - 1
        if coarse.single:
            slot[:] = -1
        if coarse.between and self.ends != "wall":
            leaves = slot == coarse.cells - 1
            weight[leaves] = 1.0 + SPLIT
            following[leaves] = (1.0 + SPLIT) / SPLIT
        return slot, weight, following
