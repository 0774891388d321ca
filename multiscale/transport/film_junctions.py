"""Where films meet: links that join them along the edges of their facets.

Between each film and the mean of those that meet it, weighted by their sheet
conductances, a consistent contact without resistance: the current is conserved.
Films meet along an edge of three facets, of four in lattices, and across facets
so short that their two edges are one.
"""

from __future__ import annotations

import numpy as np

from multiscale.numerics.compiling import kernel
from multiscale.transport.cut_grid import decode, encode, place_seed, polygon_area
from multiscale.transport.nitsche import (
    SLIVER,
    add_contact,
    direction_from,
    emit_links,
    shape_functions,
    step_back,
)

JUNCTION = 3.0
"""Stiffness of the contact of films where they meet, in units of G/h."""
NUDGE = 1e-6
"""How far beside a point its piece of a facet is looked for [voxels]."""
MOST_JOINED = 8
"""At most this many films are joined at a point of an edge."""
MOST_AROUND = 12
"""At most this many grains are looked at around it."""


@kernel()
def _find_piece(  # type: ignore[no-untyped-def]
    i, j, k, n, wrap, xi, away, facet, m, start, piece_facet, piece_frame, cell, local, image
):
    """Piece of a facet that holds a point of its edge, or begins close to it.

    A facet in the plane between two voxels has its pieces in one of them, which
    rounding decides: the last tries are a little off to every side.
    """
    nudged = np.empty(3)
    for octant in range(-1, 8):
        for a in range(3):
            if octant < 0:
                nudged[a] = xi[a]
            else:
                nudged[a] = xi[a] + (NUDGE if (octant >> a) & 1 else -NUDGE)
        for step in (-1e-9, 1e-6, 0.02, 0.1, 0.3):
            step_back(i, j, k, n, wrap, nudged, away, step, True, m, cell, local, image)
            vox = (cell[0] * n[1] + cell[1]) * n[2] + cell[2]
            c = encode(image)
            for q in range(start[vox], start[vox + 1]):
                if piece_facet[q] == facet and piece_frame[q] == c:
                    return q
    return -1


@kernel()
def _around(  # type: ignore[no-untyped-def]
    i, j, k, h, size, seeds, d, x, g, m, start, other, image, plane, distance, near, names, at
):
    """Grains that come within ``near`` of a point of the closed cell (g, m); their number.

    Four grains may meet along an edge, and an edge may be next to another one.
    """
    names[0] = g
    at[0] = m
    count, turn = 1, 0
    seed = np.zeros(3)
    while turn < count:
        place_seed(i, j, k, h, size, seeds, names[turn], at[turn], seed)
        for e in range(start[names[turn]], start[names[turn] + 1]):
            level = distance[e]
            for a in range(d):
                level -= plane[e, a] * (x[a] * h[a] - seed[a])
            if level > near or count == MOST_AROUND:
                continue
            known = False
            for q in range(count):
                same = names[q] == other[e]
                for a in range(3):
                    same = same and at[q, a] == at[turn, a] + image[e, a]
                known = known or same
            if not known:
                names[count] = other[e]
                for a in range(3):
                    at[count, a] = at[turn, a] + image[e, a]
                count += 1
        turn += 1
    return count


@kernel()
def _filmed(  # type: ignore[no-untyped-def]
    i, j, k, h, size, seeds, d, x, count, names, at, start, plane, distance, first, sheet, near,
    sides, frames,
):  # fmt: skip
    """Sides (of the facets' first grains) of the films among some grains around a point."""
    found = 0
    seed = np.zeros(3)
    for q in range(count):
        place_seed(i, j, k, h, size, seeds, names[q], at[q], seed)
        for e in range(start[names[q]], start[names[q] + 1]):
            if not first[e] or sheet[e] <= 0.0 or found == MOST_JOINED:
                continue
            level = distance[e]
            for a in range(d):
                level -= plane[e, a] * (x[a] * h[a] - seed[a])
            if level <= near:
                sides[found] = e
                frames[found] = at[q]
                found += 1
    return found


@kernel()
def _two_others(e, e2, m, back, start, other, image, first, sheet, sides, frames):  # type: ignore[no-untyped-def]
    """The same from the labels alone: the facets of both grains of side e with the third one."""
    found = 0
    for which in range(2):
        e3 = -1
        if which == 0:
            e3 = e2
        else:
            g = other[e]
            for e4 in range(start[g], start[g + 1]):
                if other[e4] == other[e2]:
                    e3 = e4
        if e3 >= 0 and sheet[e3] > 0.0:
            sides[found] = e3 if first[e3] else back[e3]
            frames[found] = m
            found += 1
    return found


@kernel()
def junction_links(  # type: ignore[no-untyped-def]  # noqa: C901
    grid, film_node, piece_facet, piece_frame, seeds, sides, films, centroid, d, wrap
):
    """Links between films where they meet.

    Parameters
    ----------
    grid : tuple
        As for :func:`multiscale.transport.nitsche.facet_links`.
    film_node : (q, 2**d) int32 ndarray
        Unknowns of the film of each piece; −1 without one.
    piece_facet, piece_frame : (q,) int ndarray
        Facet of each piece and the box offset of the facet's first grain.
    seeds : (n, 3) ndarray
        Seeds [m].
    sides : tuple
        Arrays of Sides: start, own, other, image, back, facet, first, normal, distance.
    films : tuple
        For each side: sheet of the whole facet [m × coefficient], firmness of
        the junctions, distance within which edges are one [m], part to book on.
    centroid : (facets, 3) ndarray
        Facet centroids beside the first grain's seed [m].
    d : int
        Number of axes.
    wrap : int
        Whether the box is periodic; 2 if box offsets stay when it closes.

    Returns
    -------
    first, second : (l,) int32 ndarray
        Ends of each link.
    value : (l,) ndarray
        Conductance.
    part : (l,) int16 ndarray
        Part the link is booked on.
    """
    n, h, size = grid[:3]
    piece_start, side, piece_code = grid[8:11]
    corner_start, corner, edge, piece_normal = grid[11:15]
    scored = grid[17].shape[0] > 0
    side_start, own, other, side_image, back, side_facet, side_first, plane, distance = sides
    sheet, firmness, near, part_along = films
    corners = 1 << d
    longest = 0.0
    for a in range(d):
        longest = max(longest, h[a])
    first, second = np.empty(100_000, np.int32), np.empty(100_000, np.int32)
    value, parts = np.empty(100_000), np.empty(100_000, np.int16)
    count = 0
    m, ml = np.zeros(3, np.int64), np.zeros(3, np.int64)
    cell, image = np.zeros(3, np.int64), np.zeros(3, np.int64)
    xi, away, centre, tangent, outward, target, at = (
        np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(3),
    )  # fmt: skip
    size_joint = (MOST_JOINED + 1) * 8
    joint, joint_ids = np.zeros((size_joint, size_joint)), np.zeros(size_joint, np.int64)
    jump, flux = np.zeros(size_joint), np.zeros(size_joint)
    names, places = np.zeros(MOST_AROUND, np.int64), np.zeros((MOST_AROUND, 3), np.int64)
    meeting, frames = np.zeros(MOST_JOINED, np.int64), np.zeros((MOST_JOINED, 3), np.int64)
    value_a, slope_a = np.zeros(8), np.zeros((8, 3))
    value_b, slope_b = np.zeros(8), np.zeros((8, 3))
    for i in range(n[0]):
        for j in range(n[1]):
            for k in range(n[2]):
                vox = (i * n[1] + j) * n[2] + k
                for piece in range(piece_start[vox], piece_start[vox + 1]):
                    e = side[piece]
                    G = sheet[e]
                    if G <= 0.0:
                        continue
                    decode(piece_code[piece], m)
                    normal = piece_normal[piece]
                    polygon = corner[corner_start[piece] : corner_start[piece + 1]]
                    piece_area = polygon_area(polygon, len(polygon), h)
                    for a in range(3):
                        centre[a] = 0.0
                        for v in range(len(polygon)):
                            centre[a] += polygon[v, a] / len(polygon)
                    for v in range(len(polygon)):
                        e2 = edge[corner_start[piece] + v]
                        if e2 < 0:
                            continue
                        v2 = (v + 1) % len(polygon)
                        length = 0.0
                        for a in range(3):
                            tangent[a] = (polygon[v2, a] - polygon[v, a]) * h[a]
                            length += tangent[a] ** 2
                        length = np.sqrt(length)
                        if length < 1e-12 * longest:
                            continue
                        side_of_edge = 0.0
                        for a in range(3):
                            b, c = (a + 1) % 3, (a + 2) % 3
                            outward[a] = (tangent[b] * normal[c] - tangent[c] * normal[b]) / length
                            side_of_edge += outward[a] * (polygon[v, a] - centre[a]) * h[a]
                        sign = 1.0 if side_of_edge > 0 else -1.0
                        stiff = G * JUNCTION * firmness[e]
                        tau_edge = piece_area / (length * stiff)
                        lam = max(tau_edge, longest / (stiff * SLIVER))
                        share = sign * G * (np.sqrt(tau_edge / lam) if tau_edge < lam else 1.0)
                        for q in range(2):
                            t = 0.5 + (q - 0.5) / np.sqrt(3.0)
                            for a in range(3):
                                xi[a] = polygon[v, a] + t * (polygon[v2, a] - polygon[v, a])
                            shape_functions(xi, d, h, value_a, slope_a)
                            flux[:] = 0.0
                            for c in range(corners):
                                joint_ids[c] = film_node[piece, c]
                                jump[c] = value_a[c]
                                for a in range(d):
                                    flux[c] += share * outward[a] * slope_a[c, a]
                            met, whole_sheet = 1, G
                            if scored:
                                others = _two_others(
                                    e, e2, m, back, side_start, other, side_image, side_first,
                                    sheet, meeting, frames,
                                )  # fmt: skip
                            else:
                                grains = _around(
                                    i, j, k, h, size, seeds, d, xi, own[e], m, side_start, other,
                                    side_image, plane, distance, near[e], names, places,
                                )  # fmt: skip
                                others = _filmed(
                                    i, j, k, h, size, seeds, d, xi, grains, names, places,
                                    side_start, plane, distance, side_first, sheet, near[e],
                                    meeting, frames,
                                )  # fmt: skip
                            for which in range(others):
                                e3 = meeting[which]
                                ml[:] = frames[which]
                                if side_facet[e3] == side_facet[e] and (
                                    scored or encode(ml) == piece_frame[piece]
                                ):
                                    continue
                                facet = side_facet[e3]
                                for a in range(3):
                                    corner_at = (i if a == 0 else (j if a == 1 else k)) * h[a]
                                    target[a] = centroid[facet, a] + ml[a] * size[a] - corner_at
                                    if scored:
                                        target[a] = 0.5 * h[a]
                                direction_from(xi, target, h, d, longest, away)
                                hit = _find_piece(
                                    i, j, k, n, wrap, xi, away, facet, ml,
                                    piece_start, piece_facet, piece_frame, cell, at, image,
                                )  # fmt: skip
                                if hit < 0:
                                    continue
                                shape_functions(at, d, h, value_b, slope_b)
                                for c in range(corners):
                                    joint_ids[met * corners + c] = film_node[hit, c]
                                    jump[met * corners + c] = -value_b[c] * sheet[e3]
                                met += 1
                                whole_sheet += sheet[e3]
                            if met == 1:
                                continue
                            for c in range(corners):
                                jump[c] *= 1.0 - G / whole_sheet
                            for c in range(corners, met * corners):
                                jump[c] /= whole_sheet
                            joint[:] = 0.0
                            add_contact(joint, 0.5 * length, 0.0, lam, jump, flux, met * corners)
                            first, second, value, parts, count = emit_links(
                                joint, joint_ids, met * corners, part_along[e],
                                first, second, value, parts, count,
                            )  # fmt: skip
    return first[:count].copy(), second[:count].copy(), value[:count].copy(), parts[:count].copy()
