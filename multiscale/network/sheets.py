"""Conduction along the facets: a potential on each facet and on each of its edges.

A linear potential with gradient g in the facet's plane differs by C_e · g between the facet's
point and the middle of edge e, and drives the current −G N_e · g out through that edge (C the
arms, N the outward normals times length, G the sheet conductance). The matrix ::

    W = G [ N Nᵀ / A  +  D − D C (Cᵀ D C)⁻¹ Cᵀ D ],   D = diag(|N_e| / |C_e|)

gives exactly these currents, because Nᵀ C = A (1 − n nᵀ) for any point in the plane, and damps
what is not linear. On a regular polygon with the point at its middle it is the plain two-point
resistor G L_e / d_e of every edge.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from multiscale.network.grains import Floats, Integers
from multiscale.network.junctions import Junctions

SHORTEST_ARM = 0.02
"""Least arm in D, in units of the longest of the facet."""


def sheet_matrices(
    junctions: Junctions, sheet: NDArray[Any], area: Floats
) -> tuple[Integers, csr_array]:
    """Assemble W of all facets that conduct along themselves.

    Parameters
    ----------
    junctions : Junctions
        Edges of the facets.
    sheet : ndarray, shape (m,)
        Sheet conductance G of each facet in m³/s; none where 0.
    area : ndarray, shape (m,)
        Facet areas in m² (2D: lengths in m).

    Returns
    -------
    edges : ndarray of int64, shape (q,)
        Rows of ``junctions`` that take part.
    matrix : csr_array, shape (q, q)
        W: currents out of the edges for the potentials of the facets above their edges.
    """
    edges = np.flatnonzero(sheet[junctions.facet] != 0)
    facet, counts = np.unique(junctions.facet[edges], return_counts=True)
    begin = np.concatenate([[0], np.cumsum(counts)[:-1]])
    values, rows, columns = [], [], []
    for k in np.unique(counts):  # facets with the same number of edges together
        chosen = counts == k
        local = begin[chosen][:, None] + np.arange(k)
        where = edges[local]
        block = _blocks(junctions.outward[where], junctions.arm[where], area[facet[chosen]])
        values.append((block * sheet[facet[chosen]][:, None, None]).ravel())
        rows.append(np.repeat(local, k, axis=1).ravel())
        columns.append(np.tile(local, (1, k)).ravel())
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return edges.astype(np.int64), csr_array(entries, shape=(len(edges), len(edges)))


def _blocks(outward: Floats, arm: Floats, area: Floats) -> Floats:
    """W / G of facets with k edges each: (f, k, d), (f, k, d), (f,) to (f, k, k)."""
    reach = np.linalg.norm(arm, axis=-1)
    reach = np.maximum(reach, SHORTEST_ARM * reach.max(axis=1, keepdims=True))
    weight = np.linalg.norm(outward, axis=-1) / reach
    consistent = outward @ outward.transpose(0, 2, 1) / area[:, None, None]
    weighted = weight[..., None] * arm
    # the arms span a plane (2D: a line); the pseudo-inverse leaves the normal out
    inner = np.linalg.pinv(arm.transpose(0, 2, 1) @ weighted, rcond=1e-9, hermitian=True)
    identity = np.eye(arm.shape[1]) * weight[:, None, :]
    result: Floats = consistent + identity - weighted @ inner @ weighted.transpose(0, 2, 1)
    return result
