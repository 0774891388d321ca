"""Films of facets narrower than the films themselves.

Where a facet is shorter than about the film width, the films of its neighbours
meet above it: a grain drawn back by s from all its facets loses the facet at
some depth s* < δ/2, and between s* and δ/2 the neighbours' films adjoin. Two
fast films that end at either side of a short slow one are joined there, which
a surface that knows of one film a facet does not see. The film half in the
grain is taken as strips parallel to the facet, at depth s the facet's own film
over the share w(s)/w(0) of its width that is left there and the neighbours'
over the rest: in series along the strip, and the strips side by side, for the
coefficient along the facet; side by side in a strip, and the strips in series, across.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from multiscale.numerics.compiling import kernel
from multiscale.transport.cut_grid import Sides

FloatArray = NDArray[np.float64]

STRIPS = 32
"""Strips that the half of a film is divided into."""
ROOM = 96
"""Most corners of a facet while it is cut out of its plane."""


@kernel()
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


@kernel()
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


@kernel()
def _beside(count, corner, tag, across, along):  # type: ignore[no-untyped-def]
    """Means over the edges of a facet of the neighbours' coefficients.

    Both are along the neighbours' films for what comes from them, harmonic, and
    across them for what goes past the facet's ends, arithmetic.
    """
    length = resistance = through = 0.0
    for v in range(count):
        f = tag[v]
        if f < 0:
            continue
        u = (v + 1) % count
        edge = np.sqrt((corner[u, 0] - corner[v, 0]) ** 2 + (corner[u, 1] - corner[v, 1]) ** 2)
        length += edge
        through += edge * across[f]
        resistance += edge / along[f] if along[f] > 0.0 else np.inf
    if length == 0.0:
        return 0.0, 0.0
    return through / length, length / resistance


@kernel()
def _extent(count, corner, flat):  # type: ignore[no-untyped-def]
    """Length of a facet; in 3D four times area over perimeter, the edge of a square."""
    area = perimeter = 0.0
    for v in range(count):
        u = (v + 1) % count
        area += 0.5 * (corner[v, 0] * corner[u, 1] - corner[u, 0] * corner[v, 1])
        perimeter += np.sqrt(
            (corner[u, 0] - corner[v, 0]) ** 2 + (corner[u, 1] - corner[v, 1]) ** 2
        )
    if flat:
        return area  # of a strip of height one
    return 4.0 * area / perimeter if perimeter > 0.0 else 0.0


@kernel()
def _depth(given, half, room):  # type: ignore[no-untyped-def]
    """Depth at which a facet is used up, below ``half``."""
    e, first, last, normal, distance = given
    low, high = 0.0, half
    for _ in range(50):
        middle = 0.5 * (low + high)
        if _inset(e, first, last, normal, distance, middle, *room) > 0:
            low = middle
        else:
            high = middle
    return low


@kernel()
def _in_strips(across, along, beside_across, beside_along, depth, half):  # type: ignore[no-untyped-def]
    """Mean coefficients across and along strips that are the facet's own film down to ``depth``."""
    resistance = total = 0.0
    for s in range(STRIPS):
        share = max(0.0, 1.0 - (s + 0.5) / STRIPS * half / max(depth, 1e-300))
        through = share * across + (1.0 - share) * beside_across
        resistance += 1.0 / through if through > 0.0 else np.inf
        if share == 0.0:
            total += beside_along
        elif along > 0.0 and beside_along > 0.0:
            total += 1.0 / (share / along + (1.0 - share) / beside_along)
    return STRIPS / resistance, total / STRIPS


@kernel()
def _blended(start, normal, distance, half, across, along, flat):  # type: ignore[no-untyped-def]
    """See :func:`short_facets`; ``flat`` in 2D."""
    out_across, out_along, extent = across.copy(), along.copy(), np.zeros(along.size)
    corner, spare = np.zeros((ROOM, 2)), np.zeros((ROOM, 2))
    tag, spare_tag = np.zeros(ROOM, np.int64), np.zeros(ROOM, np.int64)
    p, q = np.zeros(3), np.zeros(3)
    for g in range(start.size - 1):
        for e in range(start[g], start[g + 1]):
            if half[e] == 0.0:
                continue
            if flat:
                p[0], p[1] = -normal[e, 1], normal[e, 0]
                q[2] = 1.0
            else:
                p, q = _axes(normal[e])
            given = (e, start[g], start[g + 1], normal, distance)
            room = (flat, p, q, corner, tag, spare, spare_tag)
            count = _inset(*given, 0.0, *room)
            extent[e] = _extent(count, corner, flat)
            if count == 0 or _inset(*given, half[e], *room) > 0:
                continue
            depth = _depth(given, half[e], room)
            count = _inset(*given, 0.0, *room)
            beside = _beside(count, corner, tag, across, along)
            out_across[e], out_along[e] = _in_strips(across[e], along[e], *beside, depth, half[e])
    return out_across, out_along, extent


def short_facets(
    sides: Sides, half: FloatArray, across: FloatArray, along: FloatArray, dimension: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Coefficients of each half film, with what neighbours add over short facets.

    Parameters
    ----------
    sides : Sides
        Facets of every grain.
    half : (s,) ndarray
        Half width of the film of each side [m]; zero for none.
    across, along : (s,) ndarray
        Coefficients across and along it.
    dimension : int
        Number of axes.

    Returns
    -------
    across, along : (s,) ndarray
        As given, replaced on the sides whose facet ends inside the film.
    extent : (s,) ndarray
        Length of the facet, in 3D four times area over perimeter [m].
    """
    found: tuple[FloatArray, FloatArray, FloatArray] = _blended(
        sides.start,
        sides.normal,
        sides.distance,
        np.ascontiguousarray(half, dtype=float),
        np.ascontiguousarray(np.where(half > 0, across, 0.0), dtype=float),
        np.ascontiguousarray(np.where(half > 0, along, 0.0), dtype=float),
        dimension == 2,
    )
    return found
