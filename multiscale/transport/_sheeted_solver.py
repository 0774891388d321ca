"""Solve a scalar voxel field with films that conduct along themselves.

The sheets are nodes beside the grid (:mod:`multiscale.numerics.attached`); their currents are
looked at in double precision like those of the voxels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiscale.numerics.attached import AttachedCG
from multiscale.numerics.checkerboard_multigrid import packed_shape
from multiscale.transport._sheet_kernels import beside_sheets, examine_sheets, sheet_sources
from multiscale.transport._voxel_kernels import examine
from multiscale.transport.voxel_solver import Ends, _FieldSolver, _Kept, _Layout

FloatArray = NDArray[np.float64]

PAIR, SHEET = 104, 530
"""Bytes more for each pair of cells, and bytes for each sheet."""


class SheetedSolver(_FieldSolver):
    """Links, preconditioner and iteration of one field with sheets between given ends."""

    cg: AttachedCG

    def _memory(self, layout: _Layout, kept: int) -> int:
        assert layout.sheets is not None
        pairs = int(np.prod(packed_shape(self._axes)))
        return super()._memory(layout, kept) + PAIR * pairs + SHEET * layout.sheets.axis.size

    def _prepare(self, layout: _Layout, ends: Ends) -> AttachedCG:
        """Attach the sheets; from then on their faces let nothing through but by them."""
        sheets, through, scale = layout.sheets, layout.through, self._through_scale
        assert sheets is not None
        assert through is not None
        where = (sheets.axis, *sheets.low.T)
        through[where] = sheets.series()
        links = self._links()
        through[where] = 0.0
        electrodes = ends.index("electrodes") if "electrodes" in ends else -1
        rows = sheets.rows(electrodes < 0, electrodes)
        indptr, indices, link, contact = rows
        here = (sheets.low, sheets.axis, scale * sheets.half)
        self._sheets: tuple[Any, ...] = (*here, indptr, indices, scale * link, scale * contact)
        self._grid = tuple(
            np.array([getattr(axis, name) for axis in self._axes])
            for name in ("cells", "between", "length")
        )
        self._voxels = np.empty(self._field.shape)
        self._beside = np.empty((2, *self._field.shape))
        self._look_beside(-1, np.ones(sheets.axis.size), self._beside[1])
        nodes = sheets.nodes(self._axes, scale, rows)
        return AttachedCG(links, nodes, self._axes, self._spacing, self._threads)

    def _look_beside(self, axis: int, potential: FloatArray, inflow: FloatArray) -> None:
        beside_sheets(self._sheets, self._grid[0], self._spacing, axis, potential, inflow)

    def _examine(
        self, axis: int, sources: bool, into: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        cg, voxels = self.cg, self._voxels if into is None else into
        self._look_beside(axis, cg.node_potential, self._beside[0])
        drive = (cg.potential, self._spacing, axis, sources, self._beside)
        sums, planes = examine(self._source, drive, cg.residual, voxels, self._threads)
        given = (self._sheets, self._grid, self._spacing, axis)
        if sources:
            sheet_sources(*given, sums)
        examine_sheets(*given, voxels, cg.node_potential, cg.node_residual, sums, planes)
        return sums, planes

    def potentials(self, axis: int) -> tuple[FloatArray, FloatArray]:
        """Deviation on all voxels, and on the sheets."""
        voxels, _ = super().potentials(axis)
        return voxels, self.cg.node_potential * self._length

    def kept(self) -> Any:
        """Copy the potentials, roughly, for :meth:`left`."""
        return super().kept(), _Kept.of(self.cg.node_potential.reshape(1, -1))

    def left(self, kept: Any) -> float:
        """Product of copied potentials with what is left."""
        voxels, sheets = kept
        return super().left(voxels) + float(sheets.dot(self.cg.node_residual.reshape(1, -1)))

    def _put(self, voxels: FloatArray, sheets: FloatArray) -> None:
        super()._put(voxels, sheets)
        self.cg.node_potential[:] = sheets / self._length

    def _clear(self) -> None:
        super()._clear()
        self.cg.node_potential[:] = 0.0
