"""Percolation on a grid of voxels: the check on the grain graph, and for images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from multiscale.errors import ImageError, describe
from multiscale.network.wrapping import wrapping_clusters


@dataclass(frozen=True, slots=True)
class VoxelPercolation:
    """Connectivity of the chosen voxels along d axes.

    Attributes
    ----------
    percolates : ndarray of bool, shape (d,)
        Whether a cluster winds around the box (periodic) or touches both faces.
    percolating_fraction : ndarray, shape (d,)
        Share of the chosen voxels in such clusters; 0 if none is chosen.
    clusters : int
        Number of clusters.
    cluster_sizes : ndarray of int64, shape (clusters,)
        Voxels of each, largest first.
    largest_cluster_fraction : float
        Share of the chosen voxels; 0 if none is chosen.
    """

    percolates: NDArray[np.bool_]
    percolating_fraction: NDArray[np.float64]
    clusters: int
    cluster_sizes: NDArray[np.int64]
    largest_cluster_fraction: float


def voxel_percolation(phase_mask: ArrayLike, periodic: bool) -> VoxelPercolation:
    """Find the axes along which voxels that share faces percolate.

    Parameters
    ----------
    phase_mask : array_like of bool, shape (nx, ny) or (nx, ny, nz)
        True where the voxel belongs to the phase.
    periodic : bool
        Whether opposite faces of the box meet.

    Returns
    -------
    VoxelPercolation
        Answers per axis.

    Raises
    ------
    ImageError
        If the mask is not a boolean array of two or three axes.

    Notes
    -----
    ``scipy.ndimage.label`` in the open box; in a periodic one its clusters are then joined
    across the faces with their box offsets.
    """
    mask = np.asarray(phase_mask)
    if mask.dtype != np.bool_ or mask.ndim not in (2, 3) or mask.size == 0:
        raise ImageError(
            describe("phase_mask", "a boolean array of 2 or 3 axes", f"{mask.dtype} {mask.shape}")
        )
    labels, count = ndimage.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    lows = [np.asarray(labels.take(0, axis=axis)) for axis in range(mask.ndim)]
    highs = [np.asarray(labels.take(-1, axis=axis)) for axis in range(mask.ndim)]
    if periodic:
        sizes, crosses = _join(lows, highs, sizes)
    else:
        crosses = np.zeros((count + 1, mask.ndim), dtype=np.bool_)
        for axis, (low, high) in enumerate(zip(lows, highs, strict=True)):
            crosses[np.intersect1d(low, high), axis] = True
        crosses = crosses[1:]
    total = max(int(sizes.sum()), 1)
    ordered = np.sort(sizes)[::-1].astype(np.int64)
    return VoxelPercolation(
        percolates=np.asarray(crosses.any(axis=0)),
        percolating_fraction=sizes @ crosses / total,
        clusters=len(sizes),
        cluster_sizes=ordered,
        largest_cluster_fraction=float(ordered[:1].sum()) / total,
    )


def _join(
    lows: list[NDArray[Any]], highs: list[NDArray[Any]], sizes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    first, second, image = [], [], []
    for axis, (low, high) in enumerate(zip(lows, highs, strict=True)):
        pairs = np.column_stack([high.ravel(), low.ravel()])
        pairs = np.unique(pairs[(pairs > 0).all(axis=1)], axis=0) - 1
        first.append(pairs[:, 0])
        second.append(pairs[:, 1])
        image.append(np.tile(np.eye(len(lows), dtype=np.int64)[axis], (len(pairs), 1)))
    clusters = wrapping_clusters(
        len(sizes), np.concatenate(first), np.concatenate(second), np.concatenate(image)
    )
    merged = np.bincount(clusters.label, sizes, minlength=clusters.count).astype(np.int64)
    return merged, clusters.wraps
