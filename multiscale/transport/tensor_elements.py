"""Trilinear elements for fields whose coefficient is a full tensor.

Unknowns sit at voxel vertices and every voxel has one constant symmetric
tensor K. The element energy ∫ ∇u·K∇u is the energy of links between the voxel's
vertices, g_ij = −∫ ∇N_i·K∇N_j; some links are negative, the sum is still positive
semi-definite. Off-diagonal terms are consistent, a uniform tensor comes back
exactly, and D_eff converges from above with second order.

References
----------
Hughes, The Finite Element Method (2000), ch. 3.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def element_energies(spacing: FloatArray) -> FloatArray:
    """Integrate the products of shape-function derivatives over one voxel.

    Parameters
    ----------
    spacing : (d,) ndarray
        Voxel edges [m].

    Returns
    -------
    (d, d, 2**d, 2**d) ndarray
        ∫ ∂_a N_i ∂_b N_j; corner i has the binary digits of its offsets, first
        axis first.
    """
    d = spacing.size
    mass = np.array([[2.0, 1.0], [1.0, 2.0]]) / 6.0
    slope = np.array([-1.0, 1.0])
    stiffness = np.outer(slope, slope)
    left = np.outer(slope, [0.5, 0.5])
    out = np.empty((d, d, 2**d, 2**d))
    for a, b in product(range(d), repeat=2):
        matrix = np.ones((1, 1))
        for c in range(d):
            if c == a == b:
                factor = stiffness / spacing[c]
            elif c == a:
                factor = left
            elif c == b:
                factor = left.T
            else:
                factor = mass * spacing[c]
            matrix = np.kron(matrix, factor)
        out[a, b] = matrix
    return out
