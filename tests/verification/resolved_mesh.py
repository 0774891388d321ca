"""Triangles that fit grains and films of real thickness in a periodic 2D polycrystal.

A cell is the convex polygon d_k(x) ≥ 0, d_k the distance to the plane of its facet k. Its
grain is the polygon d_k ≥ δ/2 for all k; the film of facet k is the part of the rest that
lies nearest to that plane: d_k ≤ δ/2 and d_k ≤ d_j for all j. All are convex, so each comes
from clipping by half-planes, and films of any thickness, also wider than short facets or
whole grains, are partitioned without special cases. At a triple point six pieces meet, and
no junction region has to be invented.

A vertex has one number and one position in the periodic box; a triangle adds the box offset
of each of its corners. An edge is a pair of numbers and a difference of offsets, integers
all, so refinement never has to compare positions.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

COINCIDENT = 1e-9
"""Corners nearer than this times the mean grain edge are one."""
NEEDLE = 0.3
"""A triangle whose shortest edge is below this times its longest is cut across."""
GRAIN = -1
"""Facet number of triangles that lie in no film."""


@dataclass(frozen=True)
class Piece:
    """A convex polygon inside one cell: its grain, or the film beside one facet."""

    grain: int
    facet: int
    corners: np.ndarray


@dataclass(frozen=True)
class Mesh:
    """Triangles of a periodic box.

    ``vertices`` (v, 2); ``corner`` (t, 3) vertex numbers, anticlockwise; ``offset`` (t, 3, 2)
    boxes to add to the vertex; ``grain`` and ``facet`` (t,), the latter −1 outside films.
    """

    size: np.ndarray
    vertices: np.ndarray
    corner: np.ndarray
    offset: np.ndarray
    grain: np.ndarray
    facet: np.ndarray

    @property
    def points(self):
        """Corners of the triangles in a connected frame, (t, 3, 2)."""
        return self.vertices[self.corner] + self.offset * self.size

    def edges(self):
        """Number the edges.

        Edge e of a triangle is opposite its corner e. Returns the edge numbers (t, 3), the
        vertices (m, 2) and the offset (m, 2) of the second against the first, and for each
        triangle the offset (t, 3, 2) of the frame in which its edge starts.
        """
        start, end = np.roll(self.corner, -1, axis=1), np.roll(self.corner, -2, axis=1)
        frame, far = np.roll(self.offset, -1, axis=1), np.roll(self.offset, -2, axis=1)
        step = far - frame
        negative = (step[..., 0] < 0) | ((step[..., 0] == 0) & (step[..., 1] < 0))
        swap = (start > end) | ((start == end) & negative)
        low, high = np.where(swap, end, start), np.where(swap, start, end)
        frame = np.where(swap[..., None], far, frame)
        step = np.where(swap[..., None], -step, step)
        assert np.abs(step).max(initial=0) < 8
        code = (low * len(self.vertices) + high) * 256 + (step[..., 0] + 8) * 16 + step[..., 1] + 8
        _, index, number = np.unique(code.ravel(), return_index=True, return_inverse=True)
        pick = np.column_stack([low.ravel()[index], high.ravel()[index]])
        return number.reshape(code.shape), pick, step.reshape(-1, 2)[index], frame

    def refined(self, marked):
        """Halve all edges of the marked triangles and what conformity demands (Rivara).

        A triangle of which any edge is halved is first cut from the middle of its longest
        edge, so angles stay bounded. Needles, as in films, have both long edges halved or
        neither: the cut then runs across the film, where half of it would leave an angle
        near 180°.
        """
        number, pick, step, frame = self.edges()
        ends = self.vertices[pick[:, 1]] + step * self.size - self.vertices[pick[:, 0]]
        length = np.hypot(*ends.T)
        ranked = _by_length(length, number)
        longest = ranked[:, 2]
        needle = length[ranked[:, 0]] < NEEDLE * length[longest]
        cut = np.zeros(len(pick), bool)
        cut[number[marked]] = True
        cut[ranked[marked[needle[marked]], 0]] = False
        while True:
            before = cut.sum()
            cut[longest[cut[number].any(axis=1)]] = True
            cut[ranked[needle & cut[longest], 1]] = True
            if cut.sum() == before:
                break
        new = np.cumsum(cut) - 1 + len(self.vertices)
        middle = self.vertices[pick[cut, 0]] + 0.5 * ends[cut]
        turn = (number == longest[:, None]).argmax(axis=1)
        order = (turn[:, None] + np.arange(3)) % 3  # longest edge becomes edge 0
        take = lambda a: np.take_along_axis(a, order.reshape(order.shape + (1,) * (a.ndim - 2)), 1)  # noqa: E731
        corner, offset = take(self.corner), take(self.offset)
        number, frame = take(number), take(frame)
        halves = cut[number]
        mid, midframe = new[number], frame

        parts = []

        def emit(rows, *nodes):
            ids = [corner[rows, n] if n < 3 else mid[rows, n - 3] for n in nodes]
            off = [offset[rows, n] if n < 3 else midframe[rows, n - 3] for n in nodes]
            parts.append((rows, np.stack(ids, 1), np.stack(off, 1)))

        whole = np.flatnonzero(~halves[:, 0])
        emit(whole, 0, 1, 2)
        left = halves[:, 0] & ~halves[:, 2]  # half with corners 0, 1; its old edge is edge 2
        emit(np.flatnonzero(left), 0, 1, 3)
        left = np.flatnonzero(halves[:, 0] & halves[:, 2])
        emit(left, 0, 5, 3)
        emit(left, 5, 1, 3)
        right = np.flatnonzero(halves[:, 0] & ~halves[:, 1])  # corners 0, 2; old edge 1
        emit(right, 0, 3, 2)
        right = np.flatnonzero(halves[:, 0] & halves[:, 1])
        emit(right, 0, 3, 4)
        emit(right, 4, 3, 2)
        rows = np.concatenate([p[0] for p in parts])
        return Mesh(
            self.size,
            np.vstack([self.vertices, middle]),
            np.concatenate([p[1] for p in parts]),
            np.concatenate([p[2] for p in parts]),
            self.grain[rows],
            self.facet[rows],
        )


def _by_length(length, number):
    """Edges of each triangle, shortest first; ties fall alike on both sides of an edge."""
    rank = np.empty(len(length), int)
    rank[np.argsort(length, kind="stable")] = np.arange(len(length))
    return np.take_along_axis(number, np.argsort(rank[number], axis=1), 1)


def clip(polygon, normal, bound):
    """Keep the part of a convex polygon with normal · x ≤ bound."""
    if len(polygon) == 0:
        return polygon
    height = polygon @ normal - bound
    keep = []
    for p, q, a, b in zip(
        polygon, np.roll(polygon, -1, axis=0), height, np.roll(height, -1), strict=True
    ):
        if a <= 0:
            keep.append(p)
        if a * b < 0:
            keep.append(p + (q - p) * a / (a - b))
    return np.array(keep).reshape(-1, 2)


def cell_planes(crystal):
    """Facet, unit outward normal and bound of the half-planes of each cell, n · x ≤ bound.

    Positions are in the frame of the cell's own seed.
    """
    facets = crystal.tessellation.facets
    planes = [[] for _ in range(crystal.grains)]
    for number, (first, second) in enumerate(zip(facets.first, facets.second, strict=True)):
        normal = facets.normal[number]
        at = crystal.seeds[first] @ normal + facets.distance_first[number]
        planes[first].append((number, normal, at))
        at = facets.distance_second[number] - crystal.seeds[second] @ normal
        planes[second].append((number, -normal, at))
    return planes


def pieces(crystal, width):
    """Divide all cells into grain and films."""
    reach = 4 * crystal.size.max()
    square = reach * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], float)
    found = []
    for grain, planes in enumerate(cell_planes(crystal)):
        cell = square + crystal.seeds[grain]
        for _, normal, bound in planes:
            cell = clip(cell, normal, bound)
        if width == 0:
            found.append(Piece(grain, GRAIN, cell))
            continue
        inner = cell
        for _, normal, bound in planes:
            inner = clip(inner, normal, bound - width / 2)
        found.append(Piece(grain, GRAIN, inner))
        for number, normal, bound in planes:
            film = clip(cell, -normal, width / 2 - bound)  # bound − n·x ≤ δ/2
            for _, other, far in planes:  # bound − n·x ≤ far − other·x
                if other is not normal:
                    film = clip(film, other - normal, far - bound)
            found.append(Piece(grain, number, film))
    return found


def triangulate(crystal, width):
    """Make the coarsest mesh that fits the pieces.

    Raises ValueError if the triangles do not fit together or do not fill the box, as for
    corners that almost coincide.
    """
    if crystal.dimension != 2 or not crystal.periodic:
        raise ValueError("a periodic crystal in 2D is needed")
    size = crystal.size
    edge = np.sqrt(size.prod() / crystal.grains)
    todo = [piece for piece in pieces(crystal, width) if len(piece.corners) >= 3]
    points = np.concatenate([piece.corners for piece in todo])
    wrapped = np.mod(points, size)
    wrapped[wrapped >= size] = 0.0
    near = cKDTree(wrapped, boxsize=size).query_ball_point(wrapped, COINCIDENT * edge)
    first = np.array([min(group) for group in near])
    first = first[first]
    where, ids = np.unique(first, return_inverse=True)
    vertices = wrapped[where]
    offsets = np.round((points - vertices[ids]) / size).astype(int)
    corner, offset, grain, facet, extra = [], [], [], [], []
    begin = 0
    for piece in todo:
        rows = np.arange(begin, begin + len(piece.corners))
        begin += len(rows)
        loop = np.column_stack([ids[rows], offsets[rows]])
        loop = loop[(loop != np.roll(loop, 1, axis=0)).any(axis=1)]
        if len(loop) < 3:
            continue
        place = vertices[loop[:, 0]] + loop[:, 1:] * size
        if len(loop) == 3:
            cuts = [(0, 1, 2)]
        elif len(loop) == 4:
            short = np.argmin([np.sum((place[i] - place[i + 2]) ** 2) for i in (0, 1)])
            cuts = [(0, 1, 2), (0, 2, 3)] if short == 0 else [(1, 2, 3), (1, 3, 0)]
        else:
            loop = np.vstack([loop, [len(vertices) + len(extra), 0, 0]])
            extra.append(place.mean(axis=0))
            n = len(place)
            cuts = [(n, i, (i + 1) % n) for i in range(n)]
        for cut in cuts:
            corner.append(loop[list(cut), 0])
            offset.append(loop[list(cut), 1:])
            grain.append(piece.grain)
            facet.append(piece.facet)
    mesh = Mesh(
        size,
        np.vstack([vertices, np.array(extra).reshape(-1, 2)]),
        np.array(corner),
        np.array(offset),
        np.array(grain),
        np.array(facet),
    )
    _check(mesh, crystal)
    return mesh


def areas(points):
    a, b = points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]
    return 0.5 * (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])


def _check(mesh, crystal):
    area = areas(mesh.points)
    shared = np.bincount(mesh.edges()[0].ravel())
    if (area <= 0).any() or (shared != 2).any():
        raise ValueError("pieces of grains and films do not fit together: nearly equal corners")
    volumes = np.bincount(mesh.grain, area, minlength=crystal.grains)
    if np.abs(volumes - crystal.tessellation.volumes).max() > 1e-8 * mesh.size.prod():
        raise ValueError("pieces of grains and films do not fill the cells")
