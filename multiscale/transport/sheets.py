"""Films that conduct along themselves, as nodes on voxel faces beside a packed grid.

Each voxel face with such a film has a potential of its own, tied to the two voxels and linked
to the faces it shares voxel edges with; an edge where several meet is taken out exactly by the
star-mesh transform.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiscale.numerics.attached import Nodes
from multiscale.numerics.checkerboard_multigrid import Axes, packed_shape
from multiscale.transport._sheet_kernels import in_memory_order, sheet_rows

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Sheets:
    """Voxel faces whose films conduct along themselves.

    Parameters
    ----------
    axis : (n,) int8 ndarray
        Normal axis of each.
    low : (n, 3) int32 ndarray
        Lower voxel.
    half : (n, 2) ndarray
        Conductance to the lower and the upper voxel.
    arm : (n, 3) ndarray
        Conductance from the centre to the edges along each axis.
    numbers : (3, nx, ny, nz) int32 ndarray
        Number of the sheet on the upper side of each voxel along each axis, −1 for none.
    origin : (n,) int32 ndarray
        Place of each among those that were put into order.
    """

    axis: NDArray[np.int8]
    low: NDArray[np.int32]
    half: FloatArray
    arm: FloatArray
    numbers: NDArray[np.int32]
    origin: NDArray[np.int32]

    @classmethod
    def of(
        cls,
        axis: NDArray[np.int8],
        low: NDArray[np.int32],
        half: FloatArray,
        arm: FloatArray,
        shape: tuple[int, ...],
    ) -> Sheets:
        """Put sheets into the order of memory.

        Parameters
        ----------
        axis, low, half, arm : ndarray
            As in the class, in any order.
        shape : tuple of int
            Voxels along three axes.

        Returns
        -------
        Sheets
            The sheets.
        """
        numbers = np.full((3, *shape), -1, np.int32)
        order = in_memory_order(axis, low, numbers)
        return cls(axis[order], low[order], half[order], arm[order], numbers, order)

    def rows(
        self, periodic: bool, electrodes: int
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], FloatArray, FloatArray]:
        """Links between sheets and to electrodes.

        Parameters
        ----------
        periodic : bool
            Whether faces across the box share edges.
        electrodes : int
            Axis between two electrodes, −1 for none.

        Returns
        -------
        indptr : (n + 1,) int32 ndarray
            Start of each sheet's links.
        indices : (links,) int32 ndarray
            Sheet at the other end.
        link : (links,) ndarray
            Conductance.
        contact : (n, 2) ndarray
            Conductance to the electrodes.
        """
        rows: tuple[NDArray[np.int32], NDArray[np.int32], FloatArray, FloatArray] = sheet_rows(
            self.numbers, self.arm, self.axis, self.low, periodic, electrodes
        )
        return rows

    def series(self) -> FloatArray:
        """Conductance from voxel to voxel through each sheet.

        Returns
        -------
        (n,) ndarray
            The two halves in series.
        """
        one, other = self.half.T
        total = one + other
        series: FloatArray = np.divide(
            one * other, total, out=np.zeros_like(total), where=total > 0
        )
        return series

    def turned(self, place: tuple[int, ...]) -> Sheets:
        """Rename the axes.

        Parameters
        ----------
        place : tuple of int
            Where each axis goes; missing ones fill the places that are left.

        Returns
        -------
        Sheets
            The same on the renamed axes.
        """
        goes = np.array([*place, *(p for p in range(3) if p not in place)])
        comes = np.argsort(goes)
        if (comes == np.arange(3)).all():
            return replace(self, origin=np.arange(self.axis.size, dtype=np.int32))
        return Sheets.of(
            goes[self.axis].astype(np.int8),
            np.ascontiguousarray(self.low[:, comes]),
            self.half,
            np.ascontiguousarray(self.arm[:, comes]),
            tuple(self.numbers.shape[1 + c] for c in comes),
        )

    def nodes(self, axes: Axes, scale: float, rows: tuple[Any, ...]) -> Nodes:
        """Attach the sheets to a packed grid.

        Parameters
        ----------
        axes : tuple of Axis
            Its layers.
        scale : float
            Factor on all conductances.
        rows : tuple
            What :meth:`rows` gave.

        Returns
        -------
        Nodes
            One a sheet.
        """
        shape = packed_shape(axes)
        cells = np.array([axis.cells for axis in axes])
        every = np.arange(self.axis.size)
        up = self.low.copy()
        up[every, self.axis] = (up[every, self.axis] + 1) % cells[self.axis]
        cell = np.stack([_packed(self.low, shape), _packed(up, shape)], axis=1)
        indptr, indices, link, contact = rows
        return Nodes(
            cell.astype(np.int32),
            (scale * self.half).astype(np.float32),
            indptr,
            indices,
            (scale * link).astype(np.float32),
            (scale * contact).astype(np.float32),
            self._hidden(axes),
        )

    def _hidden(self, axes: Axes) -> NDArray[np.int64]:
        """Links of the packed grid that lead through a sheet."""
        shape = packed_shape(axes)
        cells = np.array([axis.cells for axis in axes])
        between = np.array([axis.between for axis in axes])
        every = np.arange(self.axis.size)
        beyond = (self.low[every, self.axis] == cells[self.axis] - 1) & (between[self.axis] == 1)
        after = self.low[beyond].copy()
        after[np.arange(len(after)), self.axis[beyond]] += 1
        low = np.concatenate([self.low, after])
        way = np.concatenate([self.axis, self.axis[beyond]]).astype(np.int64)
        i, j, k = low.T.astype(np.int64)
        kind = np.where(way == 2, 4 + (k & 1), 2 * way + ((i + j + k) & 1))
        number: NDArray[np.int64] = np.ravel_multi_index((kind, i, j, k // 2), (6, *shape))
        return number


def _packed(voxel: NDArray[np.int32], shape: tuple[int, int, int]) -> NDArray[np.int64]:
    i, j, k = voxel.T.astype(np.int64)
    number: NDArray[np.int64] = np.ravel_multi_index(((i + j + k) & 1, i, j, k // 2), (2, *shape))
    return number
