"""Clusters of a periodic graph, and the axes along which each wraps around the box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from multiscale.network._union_kernels import unite

Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Clusters:
    """Connected parts of a graph whose links may cross periodic box faces.

    Attributes
    ----------
    label : ndarray of int64, shape (n,)
        Cluster of each node, 0 … k−1 in order of first appearance; −1 where inactive.
    shift : ndarray of int64, shape (n, d)
        Box image in which a node lies when its cluster is unrolled from one of its nodes.
        A link closes without winding when ``shift[second] == shift[first] + image``.
    wraps : ndarray of bool, shape (k, d)
        Whether the cluster holds a loop that ends in another image along the axis.
    """

    label: Integers
    shift: Integers
    wraps: Bools

    @property
    def count(self) -> int:
        """Number of clusters."""
        return len(self.wraps)


def wrapping_clusters(
    nodes: int,
    first: ArrayLike,
    second: ArrayLike,
    image: ArrayLike,
    active: ArrayLike | None = None,
) -> Clusters:
    """Find connected parts and the axes along which they wrap.

    Parameters
    ----------
    nodes : int
        Number of nodes n.
    first, second : array_like of int, shape (m,)
        The nodes that each link joins; a node may link to an image of itself.
    image : array_like of int, shape (m, d)
        Box offset of ``second`` seen from ``first``; zero for links inside the box.
    active : array_like of bool, shape (n,), optional
        Nodes that take part; links of other nodes are left out.

    Returns
    -------
    Clusters
        Labels, unrolled positions and wrapping axes.

    Notes
    -----
    Union–find in which each node carries its displacement to its parent: a link between two
    nodes of one cluster whose displacements disagree closes a loop around the box. Newman
    and Ziff, Phys. Rev. E 64 (2001) 016706, 10.1103/PhysRevE.64.016706; Machta et al., Phys.
    Rev. E 54 (1996) 1332, 10.1103/PhysRevE.54.1332.
    """
    offsets = np.ascontiguousarray(image, dtype=np.int64)
    kept = np.ones(nodes, dtype=np.bool_) if active is None else np.asarray(active, dtype=np.bool_)
    root, shift, wraps = unite(
        nodes,
        np.ascontiguousarray(first, dtype=np.int64),
        np.ascontiguousarray(second, dtype=np.int64),
        offsets,
        np.ascontiguousarray(kept),
    )
    label = np.full(nodes, -1, dtype=np.int64)
    roots, appearance, inverse = np.unique(root[kept], return_index=True, return_inverse=True)
    order = np.argsort(appearance)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    label[kept] = rank[inverse]
    return Clusters(label, shift, wraps[roots[order]])


def crossing_clusters(clusters: Clusters, touches: Bools, periodic: bool) -> Bools:
    """Find the axes along which each cluster crosses the box.

    Parameters
    ----------
    clusters : Clusters
        The k clusters of n nodes.
    touches : ndarray of bool, shape (n, d, 2)
        Whether each node lies on the low and high box faces; not read in a periodic box.
    periodic : bool
        Whether to ask for winding or for touching both faces.

    Returns
    -------
    ndarray of bool, shape (k, d)
        Whether the cluster crosses along the axis.
    """
    if periodic:
        return clusters.wraps
    inside = clusters.label >= 0
    touched = np.zeros((clusters.count, *touches.shape[1:]), dtype=np.bool_)
    np.logical_or.at(touched, clusters.label[inside], touches[inside])
    return np.asarray(touched.all(axis=-1))
