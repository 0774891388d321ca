"""Crystal tensors turned into the sample frame of each grain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from multiscale.microstructure import rotation_matrices

FloatArray = NDArray[np.float64]


def frame_rotations(quaternions: FloatArray, dimension: int) -> FloatArray:
    """Turn unit quaternions into rotations of a frame of two or three axes.

    Parameters
    ----------
    quaternions : (n, 4) ndarray
        w, x, y, z; crystal frame to sample frame.
    dimension : int
        2 gives the rotation about z (the twist part of the quaternion).

    Returns
    -------
    (n, dimension, dimension) ndarray
        Rotation matrices.
    """
    if dimension == 3:
        return rotation_matrices(quaternions)
    w, _, _, z = np.asarray(quaternions, dtype=float).T
    angle = 2 * np.arctan2(z, w)
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], axis=-2)


def grain_tensors(
    values: list[FloatArray], phases: NDArray[np.intp], quaternions: FloatArray, dimension: int
) -> FloatArray:
    """Rotate each grain's crystal tensor into the sample frame.

    Parameters
    ----------
    values : list of ndarray
        For each phase a scalar, a (d, d) tensor, or a (3, 3) tensor of which
        a 2D problem takes the in-plane block after rotation.
    phases : (n,) int ndarray
        Phase of each grain.
    quaternions : (n, 4) ndarray
        Orientation of each grain.
    dimension : int
        Number of axes.

    Returns
    -------
    (n, d, d) ndarray
        R K Rᵀ of each grain.
    """
    out = np.zeros((len(phases), dimension, dimension))
    for number, value in enumerate(values):
        grains = np.flatnonzero(np.asarray(phases) == number)
        if value.ndim == 0:
            out[grains] = float(value) * np.eye(dimension)
            continue
        r = frame_rotations(quaternions[grains], value.shape[0])
        turned = np.einsum("gab,bc,gdc->gad", r, value, r)
        turned = 0.5 * (turned + np.swapaxes(turned, 1, 2))
        out[grains] = turned[:, :dimension, :dimension]
    return out
