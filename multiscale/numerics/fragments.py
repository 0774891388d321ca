"""Small well-conducting fragments that a coarse grid cannot tell from their neighbours.

A few cells of a good conductor, parted from a larger body by a layer one cell
thin, share coarse cells with that body: the coarse grid short-circuits them,
and a sweep moves their potential only as fast as the poor conductor around them
lets it. One such fragment costs several iterations. Here each gets a direction
of its own: the vector that is one on its cells and falls off smoothly in the
poor conductor around, which moves along. Before the cycle they are
relaxed exactly one after the other, after it in reverse (symmetric
multiplicative subspace correction).

References
----------
Xu, SIAM Review 34, 581 (1992), 10.1137/1034116 (subspace correction); Vuik,
Segal & Meijerink, J. Comput. Phys. 152, 385 (1999), 10.1006/jcph.1999.6255
(isolated parts of high contrast as the slow modes of conjugate gradients).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiscale.numerics._fragment_kernels import find, relax_after, relax_before

FloatArray = NDArray[np.float64]
SingleArray = NDArray[np.float32]

WEAK = 0.05
"""Links below this share of the strongest of a cell part it from what lies beyond."""
LARGEST = 20_000
"""Fragments of more cells are seen by the coarse grids."""
SURROUNDED = 8
"""From so many cells on, the poor conductor around takes part."""
REACH = 8
"""How many cells of it."""
SWEEPS = 10
"""Sweeps that make the direction smooth there."""


@dataclass(frozen=True, slots=True)
class Fragments:
    """Directions of the fragments of one grid.

    Parameters
    ----------
    starts : (n + 1,) int64 ndarray
        Where the odd cells of each begin in ``cells``.
    cells : (m,) int64 ndarray
        Flat numbers of odd cells.
    weights : (m,) ndarray
        The direction there.
    image_starts, image_cells : ndarray of int64
        The same for the cells on which the matrix times the direction is not zero.
    image : ndarray
        Its values there.
    energy : (n,) ndarray
        Direction · matrix · direction.
    """

    starts: NDArray[np.int64]
    cells: NDArray[np.int64]
    weights: FloatArray
    image_starts: NDArray[np.int64]
    image_cells: NDArray[np.int64]
    image: FloatArray
    energy: FloatArray

    @classmethod
    def of(cls, links: SingleArray, inverse: SingleArray) -> Fragments:
        """Find the fragments of a packed grid.

        Parameters
        ----------
        links : (6, X, Y, M) float32 ndarray
            Packed links.
        inverse : (2, X, Y, M) float32 ndarray
            Inverse diagonal of both colours.

        Returns
        -------
        Fragments
            Their directions; none in a field without contrast.
        """
        return cls(*find(links, inverse, WEAK, LARGEST, SURROUNDED, REACH, SWEEPS, 4 * LARGEST))

    @property
    def count(self) -> int:
        """How many there are."""
        return self.energy.size

    @property
    def _directions(self) -> tuple[NDArray[Any], ...]:
        """What the kernels take."""
        own = (self.starts, self.cells, self.weights)
        return *own, self.image_starts, self.image_cells, self.image, self.energy

    def before(self, residual: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Relax fragment after fragment and change the residual to what is left.

        Parameters
        ----------
        residual : (X, Y, M) ndarray
            Residual of the odd cells; changed near fragments.

        Returns
        -------
        steps : (n,) ndarray
            How far each was moved.
        kept : ndarray
            The residual's values where it was changed, for :meth:`after`.
        """
        found: tuple[FloatArray, FloatArray] = relax_before(self._directions, residual.ravel())
        return found

    def after(
        self,
        steps: FloatArray,
        kept: FloatArray,
        residual: FloatArray,
        scale: float,
        result: SingleArray,
        last: FloatArray,
    ) -> tuple[float, float]:
        """Restore the residual, relax again and add all steps to the result.

        Parameters
        ----------
        steps, kept : ndarray
            From :meth:`before`.
        residual : (X, Y, M) ndarray
            Residual; restored.
        scale : float
            Factor between residual and result.
        result : (X, Y, M) float32 ndarray
            What the cycle made of the changed residual times ``scale``.
        last : (X, Y, M) ndarray
            Another vector.

        Returns
        -------
        float, float
            What is to be added to the scalar products of the result with residual and
            ``last``.
        """
        vectors = (residual.ravel(), scale, result.ravel(), last.ravel())
        found: tuple[float, float] = relax_after(self._directions, steps, kept, *vectors)
        return found
