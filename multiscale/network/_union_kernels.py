"""Union–find in which each node carries its box offset from its parent, compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from multiscale.numerics.compiling import kernel

Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]


@kernel()
def find(node: int, parent: Integers, shift: Integers) -> int:
    """Find the root of a node; point its path there, with displacements summed.

    Parameters
    ----------
    node : int
        Where to start.
    parent : ndarray of int64, shape (n,)
        Parent of each node, itself for a root; changed.
    shift : ndarray of int64, shape (n, d)
        Box offset of each node from its parent; changed.

    Returns
    -------
    int
        The root.
    """
    root = node
    while parent[root] != root:
        root = parent[root]
    # two sweeps: sum the displacements up the path, then point every node at the root
    d = shift.shape[1]
    for axis in range(d):
        total = 0
        walk = node
        while walk != root:
            total += shift[walk, axis]
            walk = parent[walk]
        walk = node
        while walk != root:
            step = shift[walk, axis]
            shift[walk, axis] = total
            total -= step
            walk = parent[walk]
    walk = node
    while walk != root:
        following = parent[walk]
        parent[walk] = root
        walk = following
    return root


@kernel()
def unite(
    nodes: int, first: Integers, second: Integers, image: Integers, active: Bools
) -> tuple[Integers, Integers, Bools]:
    """Unite all links of active nodes.

    Parameters
    ----------
    nodes : int
        Number of nodes n.
    first, second : ndarray of int64, shape (m,)
        Ends of each link.
    image : ndarray of int64, shape (m, d)
        Box offset of ``second`` seen from ``first``.
    active : ndarray of bool, shape (n,)
        Nodes that take part.

    Returns
    -------
    parent : ndarray of int64, shape (n,)
        Root of each node.
    shift : ndarray of int64, shape (n, d)
        Box offset of each node from its root.
    wraps : ndarray of bool, shape (n, d)
        Whether the cluster of each root winds around the box.
    """
    d = image.shape[1]
    parent = np.arange(nodes)
    size = np.ones(nodes, dtype=np.int64)
    shift = np.zeros((nodes, d), dtype=np.int64)
    wraps = np.zeros((nodes, d), dtype=np.bool_)
    for link in range(len(first)):
        i, j = first[link], second[link]
        if not (active[i] and active[j]):
            continue
        a, b = find(i, parent, shift), find(j, parent, shift)
        if a == b:
            for axis in range(d):
                if shift[i, axis] + image[link, axis] != shift[j, axis]:
                    wraps[a, axis] = True
            continue
        sign = 1
        if size[a] < size[b]:
            i, j, a, b, sign = j, i, b, a, -1
        for axis in range(d):
            shift[b, axis] = shift[i, axis] + sign * image[link, axis] - shift[j, axis]
            wraps[a, axis] |= wraps[b, axis]
        parent[b] = a
        size[a] += size[b]
    for node in range(nodes):
        parent[node] = find(node, parent, shift)
    return parent, shift, wraps


@kernel()
def first_wraps(
    nodes: int, first: Integers, second: Integers, image: Integers, order: Integers
) -> tuple[Integers, Bools]:
    """Add links one by one until clusters have wound around every axis.

    Parameters
    ----------
    nodes : int
        Number of nodes n.
    first, second : ndarray of int64, shape (m,)
        Ends of each link.
    image : ndarray of int64, shape (m, d)
        Box offset of ``second`` seen from ``first``.
    order : ndarray of int64, shape (m,)
        Links in the order in which they come.

    Returns
    -------
    when : ndarray of int64, shape (d,)
        Place in ``order`` of the link that first closes a loop around each axis; m if none.
    joined : ndarray of bool, shape (m,)
        Links that united two clusters: a forest. Links after the last of ``when`` are not
        looked at.
    """
    d = image.shape[1]
    parent = np.arange(nodes)
    size = np.ones(nodes, dtype=np.int64)
    shift = np.zeros((nodes, d), dtype=np.int64)
    when = np.full(d, len(order))
    joined = np.zeros(len(order), dtype=np.bool_)
    open_axes = d
    for place in range(len(order)):
        link = order[place]
        i, j = first[link], second[link]
        a, b = find(i, parent, shift), find(j, parent, shift)
        if a == b:
            for axis in range(d):
                winds = shift[i, axis] + image[link, axis] != shift[j, axis]
                if winds and when[axis] == len(order):
                    when[axis] = place
                    open_axes -= 1
            if open_axes == 0:
                break
            continue
        joined[link] = True
        sign = 1
        if size[a] < size[b]:
            i, j, a, b, sign = j, i, b, a, -1
        for axis in range(d):
            shift[b, axis] = shift[i, axis] + sign * image[link, axis] - shift[j, axis]
        parent[b] = a
        size[a] += size[b]
    return when, joined
