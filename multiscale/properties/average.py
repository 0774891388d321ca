"""From a crystal's diffusivity tensor to that of its untextured polycrystal."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from multiscale.errors import PropertyError, describe


def isotropic_average(tensor: ArrayLike) -> float:
    """Self-consistent diffusivity of a polycrystal of randomly oriented equiaxed grains.

    Solves Σᵢ (Kᵢ − K)/(Kᵢ + 2K) = 0 over the principal values Kᵢ, the effective-medium
    condition in three dimensions. A layered crystal (a, a, c → 0) gives a/2.

    Parameters
    ----------
    tensor : array_like, shape (3, 3)
        Symmetric, positive semi-definite crystal tensor.

    Returns
    -------
    float
        The average, in the unit of the tensor.

    Raises
    ------
    PropertyError
        If the tensor is not (3, 3), finite, symmetric and positive semi-definite.

    References
    ----------
    D. Stroud, Phys. Rev. B 12, 3368 (1975), 10.1103/PhysRevB.12.3368.
    """
    matrix = np.asarray(tensor, dtype=float)
    if matrix.shape != (3, 3):
        raise PropertyError(describe("tensor", "shape (3, 3)", matrix.shape))
    slack = 1e-9 * float(np.abs(matrix).max())
    if not np.all(np.isfinite(matrix)) or not np.allclose(matrix, matrix.T, rtol=0.0, atol=slack):
        raise PropertyError(describe("tensor", "a finite symmetric matrix", matrix.tolist()))
    principal = np.linalg.eigvalsh(matrix)
    scale = float(np.abs(principal).max())
    if principal.min() < -1e-12 * scale:
        raise PropertyError(describe("tensor", "no negative eigenvalue", principal.min()))
    if scale == 0.0:
        return 0.0
    values = np.clip(principal / scale, 0.0, None)
    # one open direction of three does not percolate: Σ(Kᵢ − K)/(Kᵢ + 2K) → 1 − 2/2 = 0 at K = 0
    if np.count_nonzero(values > 1e-100) < 2:
        return 0.0
    low = 1e-6 * float(np.sort(values)[1]) ** 2
    return scale * float(brentq(_mismatch, min(low, 0.5), 1.0, args=(values,), xtol=1e-300))


def _mismatch(average: float, values: np.ndarray) -> float:
    """Left side of the effective-medium condition."""
    return float(np.sum((values - average) / (values + 2.0 * average)))
