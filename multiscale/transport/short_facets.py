"""Films of facets narrower than the films themselves.

Where a facet is shorter than about the film width, the films of its neighbours
meet above it: a grain drawn back by s from all its facets loses the facet at
some depth s* < δ/2, and between s* and δ/2 the neighbours' films adjoin. Two
fast films that end at either side of a short slow one are joined there, which
a surface that knows of one film a facet does not see. The film half in the
grain is taken as strips parallel to the facet, at depth s the facet's own film
over the share w(s)/w(0) of its width that is left there and the neighbours'
over the rest, in series along the strip; the strips act side by side.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from multiscale.transport.cut_grid import Sides

FloatArray = NDArray[np.float64]

STRIPS = 32
"""Strips that the half of a film is divided into."""
ROOM = 96
"""Most corners of a facet while it is cut out of its plane."""


@njit(cache=True)
def _axes(n):  # type: ignore[no-untyped-def]
    """Two unit vectors that span the plane normal to n."""
    p, q = np.zeros(3), np.zeros(3)
    least = 0
    for a in range(3):
        if abs(n[a]) < abs(n[least]):
            least = a
    p[least] = 1.0
    p -= n[least] * n
    p /= np.sqrt((p * p).sum())
    for a in range(3):
        b, c = (a + 1) % 3, (a + 2) % 3
        q[a] = n[b] * p[c] - n[c] * p[b]
    return p, q


@njit(cache=True)
def _inset(e, first, last, normal, distance, depth, flat, p, q, corner, tag, spare, spare_tag):  # type: ignore[no-untyped-def]
    """Facet e of a grain drawn back by ``depth``, in its plane; number of corners left."""
    reach = 0.0
    for f in range(first, last):
        reach = max(reach, abs(distance[f]))
    reach *= 100.0
    height = 0.5 if flat else reach
    square = ((-reach, -height), (reach, -height), (reach, height), (-reach, height))
    for v in range(4):
        corner[v, 0], corner[v, 1] = square[v]
        tag[v] = -1
    count = 4
    for f in range(first, last):
        if f == e:
            continue
        along_p = along_q = across = 0.0
        for a in range(3):
            along_p += normal[f, a] * p[a]
            along_q += normal[f, a] * q[a]
            across += normal[f, a] * normal[e, a]
        bound = distance[f] - depth - across * (distance[e] - depth)
        if along_p**2 + along_q**2 < 1e-20:
            continue
        kept = 0
        for v in range(count):
            u = (v + 1) % count
            here = bound - along_p * corner[v, 0] - along_q * corner[v, 1]
            there = bound - along_p * corner[u, 0] - along_q * corner[u, 1]
            if here >= 0.0:
                spare[kept] = corner[v]
                spare_tag[kept] = tag[v]
                kept += 1
            if (here >= 0.0) != (there >= 0.0):
                t = here / (here - there)
                spare[kept] = corner[v] + t * (corner[u] - corner[v])
                spare_tag[kept] = tag[v] if there >= 0.0 else f
                kept += 1
        count = kept
        for v in range(count):
            corner[v] = spare[v]
            tag[v] = spare_tag[v]
        if count == 0:
            return 0
    return count


@njit(cache=True)
def _along(start, normal, distance, half, along, flat):  # type: ignore[no-untyped-def]
    out = along.copy()
    corner, spare = np.zeros((ROOM, 2)), np.zeros((ROOM, 2))
    tag, spare_tag = np.zeros(ROOM, np.int64), np.zeros(ROOM, np.int64)
    p, q = np.zeros(3), np.zeros(3)
    for g in range(start.size - 1):
        first, last = start[g], start[g + 1]
        for e in range(first, last):
            if half[e] == 0.0:
                continue
            if flat:
                p[0], p[1] = -normal[e, 1], normal[e, 0]
                q[2] = 1.0
            else:
                p, q = _axes(normal[e])
            given = (e, first, last, normal, distance)
            room = (flat, p, q, corner, tag, spare, spare_tag)
            if _inset(*given, half[e], *room) > 0:
                continue
            count = _inset(*given, 0.0, *room)
            length = beside = 0.0
            for v in range(count):
                f = tag[v]
                if f < 0 or along[f] <= 0.0:
                    if f >= 0:
                        beside = np.inf
                    continue
                u = (v + 1) % count
                edge = np.sqrt(
                    (corner[u, 0] - corner[v, 0]) ** 2 + (corner[u, 1] - corner[v, 1]) ** 2
                )
                length += edge
                beside += edge / along[f]
            if length == 0.0 or not np.isfinite(beside):
                continue
            beside = length / beside
            low, high = 0.0, half[e]
            for _ in range(50):
                middle = 0.5 * (low + high)
                if _inset(*given, middle, *room) > 0:
                    low = middle
                else:
                    high = middle
            total = 0.0
            for s in range(STRIPS):
                own = max(0.0, 1.0 - (s + 0.5) / STRIPS * half[e] / max(low, 1e-300))
                if own > 0.0 and along[e] <= 0.0:
                    continue
                total += 1.0 / ((own / along[e] if own > 0.0 else 0.0) + (1.0 - own) / beside)
            out[e] = total / STRIPS
    return out


def along_short_facets(
    sides: Sides, half: FloatArray, along: FloatArray, dimension: int
) -> FloatArray:
    """Conductivity along each half film, with what neighbours add over short facets.

    Parameters
    ----------
    sides : Sides
        Facets of every grain.
    half : (s,) ndarray
        Half width of the film of each side [m]; zero for none.
    along : (s,) ndarray
        Coefficient along it.
    dimension : int
        Number of axes.

    Returns
    -------
    (s,) ndarray
        ``along``, replaced on the sides whose facet ends inside the film.
    """
    return np.asarray(
        _along(
            sides.start,
            sides.normal,
            sides.distance,
            np.ascontiguousarray(half, dtype=float),
            np.ascontiguousarray(np.where(half > 0, along, 0.0), dtype=float),
            dimension == 2,
        )
    )
