"""Crystal orientations as unit quaternions (w, x, y, z) that rotate crystal into sample frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from multiscale.microstructure.power_diagram import Floats


def random_orientations(count: int, generator: np.random.Generator) -> Floats:
    """Draw orientations uniform on the rotation group (Shoemake 1992).

    Parameters
    ----------
    count : int
        Number of orientations.
    generator : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    (n, 4) array
        Unit quaternions with w ≥ 0.
    """
    quaternions = generator.standard_normal((count, 4))
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    quaternions[quaternions[:, 0] < 0] *= -1
    return quaternions


def rotation_matrices(orientations: ArrayLike) -> Floats:
    """Turn unit quaternions into rotation matrices.

    Parameters
    ----------
    orientations : (n, 4) array_like
        Unit quaternions (w, x, y, z).

    Returns
    -------
    (n, 3, 3) array
        Matrices R with sample vector = R @ crystal vector.
    """
    w, x, y, z = np.moveaxis(np.asarray(orientations, dtype=float), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
