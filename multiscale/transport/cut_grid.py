"""Voxels cut by the exact facets of a tessellation: grain fragments and facet pieces.

Every voxel is divided among the grains that reach into it, by clipping the unit
cube with the planes between a grain and its neighbours, and every facet is
divided among the voxels it passes. A grain may be drawn back from its facets by
a shift, which makes room for a film. A fragment is keyed by its grain and by
the box offset of that grain's seed, so that a grain which touches its own
periodic image has a boundary there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from multiscale.numerics.compiling import kernel
from multiscale.transport.polyhedra import (
    MOST_CORNERS,
    MOST_FACES,
    SAME_POINT,
    TOUCH,
    clip,
    clip_tagged,
    cube,
    moments,
    plane_polygon,
)

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SMALLEST_FRAGMENT = 1e-12
"""Fragments of a smaller share of their voxel are left out."""
MOST_GRAINS = 64
"""At most this many grains may meet in a voxel."""
IMAGES = 343
"""Number of codes of box offsets, −3 … 3 along each axis."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The two sides of every facet, in the order of the grain they belong to.

    Parameters
    ----------
    start : (grains + 1,) int ndarray
        First side of each grain.
    own, other : (s,) int ndarray
        Grain of this side and grain across.
    image : (s, 3) int ndarray
        Box offset of the other grain's seed, seen from the own one's.
    normal : (s, 3) ndarray
        Unit normal out of the own grain.
    distance : (s,) ndarray
        Distance of the own seed from the facet's plane [m].
    back : (s,) int ndarray
        The other side of the same facet.
    facet : (s,) int ndarray
        Number of the facet.
    first : (s,) bool ndarray
        Whether this is the side of the facet's first grain.
    """

    start: IntArray
    own: IntArray
    other: IntArray
    image: IntArray
    normal: FloatArray
    distance: FloatArray
    back: IntArray
    facet: IntArray
    first: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CutGrid:
    """Fragments and facet pieces of all voxels.

    Parameters
    ----------
    shape : (3,) int ndarray
        Voxels along each axis; one along an axis that is not there.
    spacing : (3,) ndarray
        Voxel edges [m]; one along an axis that is not there.
    size : (3,) ndarray
        Box edges [m].
    dimension : int
        Number of axes.
    periodic : bool
        Whether fragments across the box are neighbours.
    start : (voxels + 1,) int ndarray
        First fragment of each voxel.
    grain, code : (f,) int32 ndarray
        Grain and box offset of each fragment.
    volume : (f,) ndarray
        Share of the voxel, after the shift; zero where nothing conducts.
    surface : (f,) ndarray
        Area inside the voxel [m²; 2D: m].
    row : (f,) int32 ndarray
        Place in ``moments``; −1 for an undivided voxel.
    moments : (k, 3, 3, 3) ndarray
        Moments of divided fragments in unit coordinates.
    piece_start : (voxels + 1,) int ndarray
        First facet piece of each voxel.
    side : (q,) int ndarray
        Side on which a piece was found.
    piece_code : (q,) int32 ndarray
        Box offset of that side's grain.
    corner_start : (q + 1,) int ndarray
        First corner of each piece.
    corners : (c, 3) ndarray
        Corners in unit coordinates.
    edge : (c,) int ndarray
        Side whose plane makes the edge from each corner on; −1 for a voxel face.
    normal : (q, 3) ndarray
        Unit normal of each piece, out of the grain of ``side``.
    offsets : bool, optional
        Whether box offsets change where the box closes on itself; those of a
        label image stay zero.
    score : tuple, optional
        Label images: first score of each piece; grains; affine functions whose
        largest one is the grain's, value at the voxel's lower corner and
        slopes in unit coordinates.
    """

    shape: IntArray
    spacing: FloatArray
    size: FloatArray
    dimension: int
    periodic: bool
    start: IntArray
    grain: NDArray[np.int32]
    code: NDArray[np.int32]
    volume: FloatArray
    surface: FloatArray
    row: NDArray[np.int32]
    moments: FloatArray
    piece_start: IntArray
    side: IntArray
    piece_code: NDArray[np.int32]
    corner_start: IntArray
    corners: FloatArray
    edge: IntArray
    normal: FloatArray
    offsets: bool = True
    score: tuple[IntArray, IntArray, FloatArray] = field(
        default_factory=lambda: (np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros((0, 4)))
    )


@kernel()
def encode(m):  # type: ignore[no-untyped-def]
    """Number a box offset.

    Parameters
    ----------
    m : (3,) int ndarray
        Offset, −3 … 3 along each axis.

    Returns
    -------
    int
        Code, below ``IMAGES``.
    """
    return (m[0] + 3) * 49 + (m[1] + 3) * 7 + (m[2] + 3)


@kernel()
def decode(code, m):  # type: ignore[no-untyped-def]
    """Find the box offset of a code.

    Parameters
    ----------
    code : int
        What :func:`encode` returned.
    m : (3,) int ndarray
        The offset, overwritten.
    """
    m[0] = code // 49 - 3
    m[1] = code // 7 % 7 - 3
    m[2] = code % 7 - 3


@kernel()
def place_seed(i, j, k, h, size, seeds, g, m, p):  # type: ignore[no-untyped-def]
    """Find where a seed lies relative to the lower corner of a voxel.

    Parameters
    ----------
    i, j, k : int
        The voxel.
    h, size : (3,) ndarray
        Voxel and box edges [m].
    seeds : (n, 3) ndarray
        Seeds [m].
    g : int
        Grain.
    m : (3,) int ndarray
        Box offset.
    p : (3,) ndarray
        Position [m], overwritten.
    """
    p[0] = seeds[g, 0] + m[0] * size[0] - i * h[0]
    p[1] = seeds[g, 1] + m[1] * size[1] - j * h[1]
    p[2] = seeds[g, 2] + m[2] * size[2] - k * h[2]


@kernel()
def polygon_area(corners, m, h):  # type: ignore[no-untyped-def]
    """Compute the area of a planar polygon.

    Parameters
    ----------
    corners : (n, 3) ndarray
        Corners in unit coordinates; the first m count.
    m : int
        Number of corners.
    h : (3,) ndarray
        Voxel edges [m].

    Returns
    -------
    float
        Area [m²; 2D: m].
    """
    x = y = z = 0.0
    for v in range(1, m - 1):
        a0, a1, a2 = (
            (corners[v, 0] - corners[0, 0]) * h[0],
            (corners[v, 1] - corners[0, 1]) * h[1],
            (corners[v, 2] - corners[0, 2]) * h[2],
        )
        b0, b1, b2 = (
            (corners[v + 1, 0] - corners[0, 0]) * h[0],
            (corners[v + 1, 1] - corners[0, 1]) * h[1],
            (corners[v + 1, 2] - corners[0, 2]) * h[2],
        )
        x += a1 * b2 - a2 * b1
        y += a2 * b0 - a0 * b2
        z += a0 * b1 - a1 * b0
    return 0.5 * np.sqrt(x * x + y * y + z * z)


@kernel()
def inner_surface(vert, count, faces, h):  # type: ignore[no-untyped-def]
    """Add up the faces of a polyhedron that do not lie on the unit cube.

    Parameters
    ----------
    vert : (faces, corners, 3) ndarray
        Corners of each face.
    count : (faces,) int ndarray
        Corners a face.
    faces : int
        Number of faces.
    h : (3,) ndarray
        Voxel edges [m].

    Returns
    -------
    float
        Area [m²; 2D: m].
    """
    total = 0.0
    for f in range(faces):
        outer = False
        for a in range(3):
            low, high = True, True
            for v in range(count[f]):
                if vert[f, v, a] > SAME_POINT:
                    low = False
                if vert[f, v, a] < 1 - SAME_POINT:
                    high = False
            outer = outer or low or high
        if not outer:
            total += polygon_area(vert[f], count[f], h)
    return total


@kernel()
def _plane(normal, distance, p, h, nu):  # type: ignore[no-untyped-def]
    """Level, centre value and half extent of a plane in unit coordinates of a voxel."""
    level, extent, centre = distance, 0.0, 0.0
    for a in range(3):
        nu[a] = normal[a] * h[a]
        level += normal[a] * p[a]
        extent += 0.5 * abs(nu[a])
        centre += 0.5 * nu[a]
    return level, centre, extent


@kernel()
def _touches(vert, count, faces, nu, level):  # type: ignore[no-untyped-def]
    """Whether a corner of the polyhedron lies on the plane."""
    norm = np.sqrt((nu * nu).sum())
    for f in range(faces):
        for v in range(count[f]):
            d = nu[0] * vert[f, v, 0] + nu[1] * vert[f, v, 1] + nu[2] * vert[f, v, 2] - level
            if abs(d) < SAME_POINT * norm:
                return True
    return False


@kernel()
def _fragments(  # type: ignore[no-untyped-def]  # noqa: C901
    labels, images, h, size, seeds, start, other, image, normal, distance, shift, conducts
):
    """Divide every voxel among its grains; see CutGrid for what is returned.

    Starts from the grain at the voxel's centre and goes on to the neighbours
    whose facets reach into the voxel.
    """
    n = labels.shape
    voxels = n[0] * n[1] * n[2]
    first = np.zeros(voxels + 1, np.int64)
    room = 2 * voxels + 1000
    grain, code, row = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int32)
    volume, surface = np.empty(room), np.empty(room)
    table = np.empty((1000, 3, 3, 3))
    rows = found = 0
    vert, count = np.empty((MOST_FACES, MOST_CORNERS, 3)), np.empty(MOST_FACES, np.int64)
    cap, scratch = np.empty((4 * MOST_CORNERS, 3)), np.empty((2 * MOST_CORNERS, 3))
    moment = np.empty((3, 3, 3))
    list_grain, list_code = np.empty(MOST_GRAINS, np.int64), np.empty(MOST_GRAINS, np.int64)
    m, mm = np.zeros(3, np.int64), np.zeros(3, np.int64)
    p, nu = np.empty(3), np.empty(3)
    for i in range(n[0]):
        for j in range(n[1]):
            for k in range(n[2]):
                vox = (i * n[1] + j) * n[2] + k
                first[vox] = found
                for a in range(3):
                    m[a] = images[i, j, k, a]
                list_grain[0], list_code[0] = labels[i, j, k], encode(m)
                listed, turn = 1, 0
                while turn < listed:
                    g = list_grain[turn]
                    decode(list_code[turn], m)
                    place_seed(i, j, k, h, size, seeds, g, m, p)
                    c = list_code[turn]
                    turn += 1
                    faces, divided = -1, False
                    for e in range(start[g], start[g + 1]):
                        level, centre, extent = _plane(normal[e], distance[e], p, h, nu)
                        if centre + extent <= level - shift[e] + TOUCH * extent:
                            continue
                        divided = True
                        if centre + extent <= level + TOUCH * extent:
                            continue
                        if faces < 0:
                            faces = cube(vert, count)
                        faces = clip(vert, count, faces, nu, level, cap, scratch)
                        if faces == 0:
                            break
                    if faces == 0:
                        continue
                    if found == grain.size:
                        grain = np.concatenate((grain, np.empty_like(grain)))
                        code = np.concatenate((code, np.empty_like(code)))
                        row = np.concatenate((row, np.empty_like(row)))
                        volume = np.concatenate((volume, np.empty_like(volume)))
                        surface = np.concatenate((surface, np.empty_like(surface)))
                    grain[found], code[found] = g, c
                    if not divided:
                        row[found], surface[found] = -1, 0.0
                        volume[found] = 1.0 if conducts[g] else 0.0
                        found += 1
                        continue
                    if faces < 0:
                        faces = cube(vert, count)
                    moments(vert, count, faces, moment)
                    if moment[0, 0, 0] < SMALLEST_FRAGMENT:
                        continue
                    for e in range(start[g], start[g + 1]):
                        level, centre, extent = _plane(normal[e], distance[e], p, h, nu)
                        if centre + extent <= level + TOUCH * extent:
                            continue
                        if not _touches(vert, count, faces, nu, level):
                            continue
                        for a in range(3):
                            mm[a] = m[a] + image[e, a]
                        across = encode(mm)
                        known = listed == MOST_GRAINS
                        for q in range(listed):
                            if list_grain[q] == other[e] and list_code[q] == across:
                                known = True
                        if not known:
                            list_grain[listed], list_code[listed] = other[e], across
                            listed += 1
                    drawn_back = False
                    for e in range(start[g], start[g + 1]):
                        if shift[e] > 0.0 and faces > 0:
                            level, centre, extent = _plane(
                                normal[e], distance[e] - shift[e], p, h, nu
                            )
                            if centre + extent > level + TOUCH * extent:
                                faces = clip(vert, count, faces, nu, level, cap, scratch)
                                drawn_back = True
                    if drawn_back:
                        moments(vert, count, faces, moment)
                    if not conducts[g] or moment[0, 0, 0] < SMALLEST_FRAGMENT:
                        moment[:] = 0.0
                    if rows == len(table):
                        table = np.concatenate((table, np.empty_like(table)))
                    table[rows] = moment
                    row[found], volume[found] = rows, moment[0, 0, 0]
                    surface[found] = inner_surface(vert, count, faces, h)
                    rows += 1
                    found += 1
    first[voxels] = found
    return (
        first,
        grain[:found].copy(),
        code[:found].copy(),
        volume[:found].copy(),
        surface[:found].copy(),
        row[:found].copy(),
        table[:rows].copy(),
    )


@kernel()
def _pieces(  # type: ignore[no-untyped-def]  # noqa: C901
    n, h, size, seeds, first_fragment, grain, code, start, other, image, normal, distance, first
):
    """Divide every facet among the voxels it passes; see CutGrid for what is returned."""
    voxels = n[0] * n[1] * n[2]
    begin = np.zeros(voxels + 1, np.int64)
    side, piece_code = np.empty(1000, np.int64), np.empty(1000, np.int32)
    corner_start = np.zeros(1001, np.int64)
    corners, edge = np.empty((8000, 3)), np.empty(8000, np.int64)
    count = used = 0
    poly, spare = np.empty((2 * MOST_CORNERS, 3)), np.empty((2 * MOST_CORNERS, 3))
    tag, spare_tag = np.empty(2 * MOST_CORNERS, np.int64), np.empty(2 * MOST_CORNERS, np.int64)
    m, mk = np.zeros(3, np.int64), np.zeros(3, np.int64)
    p, nu, nu2 = np.empty(3), np.empty(3), np.empty(3)
    least = 1e-13 * h.max() ** 2
    for i in range(n[0]):
        for j in range(n[1]):
            for k in range(n[2]):
                vox = (i * n[1] + j) * n[2] + k
                begin[vox] = count
                for f in range(first_fragment[vox], first_fragment[vox + 1]):
                    g = grain[f]
                    decode(code[f], m)
                    place_seed(i, j, k, h, size, seeds, g, m, p)
                    for e in range(start[g], start[g + 1]):
                        level, centre, extent = _plane(normal[e], distance[e], p, h, nu)
                        if abs(level - centre) > (1 + SAME_POINT) * extent:
                            continue
                        if not first[e]:  # the first grain's turn, if it is here
                            for a in range(3):
                                mk[a] = m[a] + image[e, a]
                            across, present = encode(mk), False
                            for q in range(first_fragment[vox], first_fragment[vox + 1]):
                                if grain[q] == other[e] and code[q] == across:
                                    present = True
                            if present:
                                continue
                        norm = np.sqrt((nu * nu).sum())
                        corners_left = plane_polygon(nu / norm, level / norm, poly)
                        tag[:] = -1
                        for e2 in range(start[g], start[g + 1]):
                            if e2 == e or corners_left == 0:
                                continue
                            level2, centre2, extent2 = _plane(normal[e2], distance[e2], p, h, nu2)
                            if centre2 + extent2 < level2 - SAME_POINT * extent2:
                                continue
                            norm2 = np.sqrt((nu2 * nu2).sum())
                            corners_left = clip_tagged(
                                poly,
                                tag,
                                corners_left,
                                nu2 / norm2,
                                level2 / norm2,
                                e2,
                                spare,
                                spare_tag,
                            )
                            for v in range(corners_left):
                                poly[v] = spare[v]
                                tag[v] = spare_tag[v]
                        if corners_left == 0 or polygon_area(poly, corners_left, h) < least:
                            continue
                        if count == side.size:
                            side = np.concatenate((side, np.empty_like(side)))
                            piece_code = np.concatenate((piece_code, np.empty_like(piece_code)))
                            corner_start = np.concatenate(
                                (corner_start, np.empty_like(corner_start))
                            )
                        if used + corners_left > len(corners):
                            corners = np.concatenate((corners, np.empty_like(corners)))
                            edge = np.concatenate((edge, np.empty_like(edge)))
                        side[count], piece_code[count] = e, code[f]
                        for v in range(corners_left):
                            corners[used + v] = poly[v]
                            edge[used + v] = tag[v]
                        used += corners_left
                        count += 1
                        corner_start[count] = used
    begin[voxels] = count
    return (
        begin,
        side[:count].copy(),
        piece_code[:count].copy(),
        corner_start[: count + 1].copy(),
        corners[:used].copy(),
        edge[:used].copy(),
    )


def in_three(values: NDArray[np.generic], fill: float = 0.0) -> NDArray[np.generic]:
    """Give the last axis three places.

    Parameters
    ----------
    values : (..., d) ndarray
        Components along two or three axes.
    fill : float, optional
        What the third place holds if there are two.

    Returns
    -------
    (..., 3) ndarray
        The same components.
    """
    missing = 3 - values.shape[-1]
    width = [(0, 0)] * (values.ndim - 1) + [(0, missing)]
    return np.ascontiguousarray(np.pad(values, width, constant_values=fill))


def sides_of(
    first: IntArray,
    second: IntArray,
    image: IntArray,
    normal: FloatArray,
    distances: tuple[FloatArray, FloatArray],
    grains: int,
) -> Sides:
    """List the facets of every grain.

    Parameters
    ----------
    first, second : (m,) int ndarray
        Grains on either side of each facet.
    image : (m, d) int ndarray
        Box offset of the second seed.
    normal : (m, d) ndarray
        Unit normals from first to second.
    distances : pair of (m,) ndarray
        Distance of either seed from the plane [m].
    grains : int
        Number of grains.

    Returns
    -------
    Sides
        Two sides a facet, ordered by their grain.
    """
    count = first.size
    own = np.concatenate([first, second])
    order = np.argsort(own, kind="stable")
    rank = np.empty(2 * count, np.int64)
    rank[order] = np.arange(2 * count)
    number = np.arange(count)

    def both(a: NDArray[np.generic], b: NDArray[np.generic]) -> NDArray[np.generic]:
        return np.ascontiguousarray(np.concatenate([a, b])[order])

    return Sides(
        np.concatenate([[0], np.cumsum(np.bincount(own, minlength=grains))]).astype(np.int64),
        own[order].astype(np.int64),
        both(second, first).astype(np.int64),
        in_three(both(image, -image)).astype(np.int64),
        in_three(both(normal, -normal)).astype(float),
        both(*distances).astype(float),
        rank[both(number + count, number).astype(np.int64)],
        both(number, number).astype(np.int64),
        both(np.ones(count, bool), np.zeros(count, bool)).astype(bool),
    )


def cut(
    labels: NDArray[np.int32],
    images: NDArray[np.int8],
    seeds: FloatArray,
    box: FloatArray,
    sides: Sides,
    shift: FloatArray,
    conducts: NDArray[np.bool_],
    *,
    periodic: bool,
) -> CutGrid:
    """Cut the voxels of a box along the facets of a tessellation.

    Parameters
    ----------
    labels : (nx, ny[, nz]) int32 ndarray
        Grain at the centre of each voxel.
    images : (nx, ny[, nz], d) int8 ndarray
        Box offset of that grain's seed.
    seeds : (n, d) ndarray
        Seeds [m].
    box : (d,) ndarray
        Box edges [m].
    sides : Sides
        Facets of every grain.
    shift : (s,) ndarray
        How far the grain of each side is drawn back [m].
    conducts : (n,) bool ndarray
        Grains that conduct at all.
    periodic : bool
        Whether the problem on these voxels is periodic.

    Returns
    -------
    CutGrid
        Fragments and facet pieces.
    """
    d = box.size
    shape = np.ones(3, np.int64)
    shape[:d] = labels.shape
    size = in_three(box, 1.0).astype(float)
    h = size / shape
    labels3 = np.ascontiguousarray(labels.reshape(shape), dtype=np.int32)
    images3 = in_three(images).reshape(*shape, 3).astype(np.int64)
    seeds3 = in_three(seeds).astype(float)
    planes = (sides.start, sides.other, sides.image, sides.normal, sides.distance)
    start, grain, code, volume, surface, row, table = _fragments(
        labels3, images3, h, size, seeds3, *planes, shift, conducts
    )
    begin, side, piece_code, corner_start, corners, edge = _pieces(
        shape, h, size, seeds3, start, grain, code, *planes, sides.first
    )
    return CutGrid(
        shape=shape,
        spacing=h,
        size=size,
        dimension=d,
        periodic=periodic,
        start=start,
        grain=grain,
        code=code,
        volume=volume,
        surface=surface,
        row=row,
        moments=table,
        piece_start=begin,
        side=side,
        piece_code=piece_code,
        corner_start=corner_start,
        corners=corners,
        edge=edge,
        normal=np.ascontiguousarray(sides.normal[side]),
    )
