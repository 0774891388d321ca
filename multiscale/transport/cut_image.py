"""Voxels of a label image cut where the labels say that boundaries pass.

A label image is a staircase; where the boundaries pass is estimated. At every
voxel corner near one, the labels in a round window are fitted by affine scores of
their positions (multinomial logistic regression), in a window that stands on the
nearest boundary; the scores at that corner say whose it is, and by how much. A
grain that reaches into the window from several places has a score for each of
them, the largest of which counts. Scores are interpolated linearly on the d!
simplices of a voxel, and the largest one says which grain a point is in: pieces
are convex, and boundaries go on without a gap from voxel to voxel and into their
junctions. Since a tessellation is itself the largest of affine functions, nothing
is smoothed off at its junctions. Flat boundaries along voxel faces are found where
the faces are: laminates are exact.

References
----------
Böhning, Ann. Inst. Stat. Math. 44, 197 (1992), 10.1007/BF00048682 (multinomial
logistic regression).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from multiscale.numerics.compiling import kernel
from multiscale.transport.cut_grid import (
    SMALLEST_FRAGMENT,
    CutGrid,
    Sides,
    in_three,
    polygon_area,
    sides_of,
)
from multiscale.transport.polyhedra import (
    MOST_CORNERS,
    MOST_FACES,
    SAME_POINT,
    TOUCH,
    clip,
    clip_tagged,
    moments,
    order_polygon,
)

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

RADIUS = (4.0, 3.2)
"""Radius of the window in 2D and 3D [voxels]."""
PENALTY = 1e-4
"""Weight of the squared slopes of the scores; a smaller one sharpens them."""
TURNS = 2
"""Fits at a corner: the last window stands on the boundary that the one before found."""
FARTHEST = 2.0
"""Windows move by at most so much [voxels]."""
CLOSE = 2.0
"""A grain is looked for in a voxel if its score is no more behind at a corner [voxels]."""
ABSENT = 4.0
"""How far a grain is behind that is not in the window, and at most any grain [voxels]."""
MOST_PLACES = 12
"""At most this many grains, or places of them, count in a window."""
MOST_LABELS = 24
"""At most this many grains are looked for in a voxel."""
NO_OFFSET = 171
"""Code of the box offset zero."""
FLAT = 0.02
"""Boundaries are along a voxel face if their normals are, to this."""
ON_FACE = 0.1
"""Such boundaries pass through a voxel corner if they are no farther from it [voxels]."""


@kernel()
def _collect(labels, i, j, k, centre, radius, wrap, offset, kind, weight):  # type: ignore[no-untyped-def]  # noqa: C901
    """Voxels around a point, the places that they belong to, and the label of each place."""
    n = labels.shape
    low, high = np.zeros(3, np.int64), np.zeros(3, np.int64)
    for a in range(3):
        if n[a] > 1:
            low[a] = int(np.ceil(centre[a] - radius))
            high[a] = int(np.floor(centre[a] + radius))
    points = 0
    raw = np.empty(offset.shape[0], np.int64)
    for x in range(low[0], high[0] + 1):
        for y in range(low[1], high[1] + 1):
            for z in range(low[2], high[2] + 1):
                r = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2
                r /= radius * radius
                if r >= 1.0:
                    continue
                p, q, s = i + x, j + y, k + z
                if wrap:
                    p, q, s = p % n[0], q % n[1], s % n[2]
                elif p < 0 or q < 0 or s < 0 or p >= n[0] or q >= n[1] or s >= n[2]:
                    continue
                offset[points, 0], offset[points, 1], offset[points, 2] = x, y, z
                raw[points] = labels[p, q, s]
                weight[points] = (1.0 - r) ** 2
                kind[points] = -1
                points += 1
    # connected voxels of one label are one place
    stack = np.empty(points, np.int64)
    places = 0
    for p in range(points):
        if kind[p] >= 0:
            continue
        kind[p] = places
        stack[0], top = p, 1
        while top:
            top -= 1
            q = stack[top]
            for s in range(points):
                if kind[s] < 0 and raw[s] == raw[q]:
                    apart = (
                        abs(offset[s, 0] - offset[q, 0])
                        + abs(offset[s, 1] - offset[q, 1])
                        + abs(offset[s, 2] - offset[q, 2])
                    )
                    if apart == 1:
                        kind[s] = places
                        stack[top] = s
                        top += 1
        places += 1
    share = np.zeros(places)
    name = np.zeros(places, np.int64)
    for p in range(points):
        share[kind[p]] += weight[p]
        name[kind[p]] = raw[p]
    order = np.argsort(-share)
    rank = np.full(places, -1, np.int64)
    kept = min(places, MOST_PLACES)
    names = np.empty(kept, np.int64)
    for r in range(kept):
        rank[order[r]] = r
        names[r] = name[order[r]]
    m = 0
    total = 0.0
    for p in range(points):
        if rank[kind[p]] >= 0:
            for a in range(3):
                offset[m, a] = offset[p, a]
            kind[m], weight[m] = rank[kind[p]], weight[p]
            total += weight[p]
            m += 1
    for p in range(m):
        weight[p] /= total
    return m, names


@kernel()
def _loss(score, feature, kind, weight, points, penalty, prob):  # type: ignore[no-untyped-def]
    """Penalised logarithmic loss of scores, and the probabilities."""
    places, terms = score.shape
    loss = 0.0
    for c in range(places):
        loss += 0.5e-9 * score[c, 0] ** 2
        for t in range(1, terms):
            loss += 0.5 * penalty * score[c, t] ** 2
    for p in range(points):
        top = -1e300
        for c in range(places):
            s = 0.0
            for t in range(terms):
                s += score[c, t] * feature[p, t]
            prob[p, c] = s
            top = max(top, s)
        total = 0.0
        own = prob[p, kind[p]] - top
        for c in range(places):
            prob[p, c] = np.exp(prob[p, c] - top)
            total += prob[p, c]
        for c in range(places):
            prob[p, c] /= total
        loss += weight[p] * (np.log(total) - own)
    return loss


@kernel()
def _fit(score, feature, kind, weight, points, penalty):  # type: ignore[no-untyped-def]  # noqa: C901
    """Fit the scores by Newton's method with step halving, in place."""
    places, terms = score.shape
    size = places * terms
    prob = np.empty((points, places))
    loss = _loss(score, feature, kind, weight, points, penalty, prob)
    matrix, right = np.empty((size, size)), np.empty(size)
    for _ in range(40):
        matrix[:] = 0.0
        for c in range(places):
            for t in range(terms):
                ridge = penalty if t > 0 else 1e-9
                matrix[c * terms + t, c * terms + t] = ridge
                right[c * terms + t] = -ridge * score[c, t]
        for p in range(points):
            for c in range(places):
                pc = prob[p, c]
                pull = weight[p] * ((1.0 if kind[p] == c else 0.0) - pc)
                for t in range(terms):
                    right[c * terms + t] += pull * feature[p, t]
                if pc < 1e-12:
                    continue
                for e in range(c, places):
                    factor = weight[p] * pc * ((1.0 if c == e else 0.0) - prob[p, e])
                    if abs(factor) < 1e-14:
                        continue
                    for t in range(terms):
                        for u in range(terms):
                            matrix[c * terms + t, e * terms + u] += (
                                factor * feature[p, t] * feature[p, u]
                            )
        for x in range(size):
            for y in range(x):
                matrix[x, y] = matrix[y, x]
        step = np.linalg.solve(matrix, right).reshape(places, terms)
        move = np.abs(step).max()
        gain = (step.ravel() * right).sum()
        scale = 1.0
        for _ in range(20):
            new = _loss(score + scale * step, feature, kind, weight, points, penalty, prob)
            if new <= loss - 1e-4 * scale * gain + 1e-15:
                break
            scale *= 0.5
        score += scale * step
        loss = new
        if move < 1e-9 * (1.0 + np.abs(score).max()):
            break


@kernel()
def _fit_at(labels, i, j, k, wrap, radius, work, names, values):  # type: ignore[no-untyped-def]  # noqa: C901
    """Scores of the labels around the lower corner of a voxel, at that corner; their number."""
    n = labels.shape
    offset, kind, weight, feature = work
    axes, corner, centre = np.zeros(3, np.int64), np.zeros(3), np.zeros(3)
    d = 0
    for a in range(3):
        if n[a] > 1:
            axes[d] = a
            corner[a] = -0.5
            d += 1
    centre[:] = corner
    unit = 1.0
    for _ in range(TURNS):
        points, found = _collect(labels, i, j, k, centre, radius, wrap, offset, kind, weight)
        places = found.size
        for p in range(points):
            for a in range(d):
                feature[p, a + 1] = offset[p, axes[a]] - centre[axes[a]]
        score = np.zeros((places, d + 1))
        if places == 1:
            break
        _fit(score, feature, kind, weight, points, PENALTY)
        for c in range(places):
            for a in range(d):
                score[c, 0] += score[c, a + 1] * (corner[axes[a]] - centre[axes[a]])
        # the nearest boundary of the grain at the corner
        best = np.argmax(score[:, 0])
        near, which, far = 1e300, -1, 0.0
        for c in range(places):
            if c == best:
                continue
            square = 0.0
            for a in range(d):
                square += (score[best, a + 1] - score[c, a + 1]) ** 2
            ahead = score[best, 0] - score[c, 0]
            if square > 0.0 and ahead * ahead / square < near:
                near, which, far = ahead * ahead / square, c, ahead / square
                unit = np.sqrt(square)
        if which < 0 or near > FARTHEST**2:
            break
        for a in range(d):
            centre[axes[a]] = corner[axes[a]] + far * (score[which, a + 1] - score[best, a + 1])
    best = np.argmax(score[:, 0])
    count = 0
    for c in range(places):
        behind = (score[c, 0] - score[best, 0]) / unit
        largest = total = 0.0
        for a in range(d):
            slope = abs(score[c, a + 1] - score[best, a + 1])
            largest, total = max(largest, slope), total + slope
        # a boundary along voxel faces passes through this corner
        if total - largest < FLAT * largest and behind > -ON_FACE * largest / unit:
            behind = 0.0
        known = -1
        for o in range(count):
            if names[o] == found[c]:
                known = o
        if known >= 0:
            values[known] = max(values[known], behind)
        else:
            names[count], values[count] = found[c], behind
            count += 1
    return count


@kernel()
def _whole(labels, i, j, k, low, high, wrap):  # type: ignore[no-untyped-def]
    """Whether the voxels of a block around a voxel all have one label."""
    n = labels.shape
    g = -1
    for x in range(low if n[0] > 1 else 0, (high if n[0] > 1 else 0) + 1):
        for y in range(low if n[1] > 1 else 0, (high if n[1] > 1 else 0) + 1):
            for z in range(low if n[2] > 1 else 0, (high if n[2] > 1 else 0) + 1):
                p, q, s = i + x, j + y, k + z
                if wrap:
                    p, q, s = p % n[0], q % n[1], s % n[2]
                else:
                    p = min(max(p, 0), n[0] - 1)
                    q = min(max(q, 0), n[1] - 1)
                    s = min(max(s, 0), n[2] - 1)
                if g < 0:
                    g = labels[p, q, s]
                if labels[p, q, s] != g:
                    return False
    return True


@kernel()
def scores(labels, corners, wrap, margin, radius):  # type: ignore[no-untyped-def]
    """Fit scores at the voxel corners near the boundaries of a label image.

    Parameters
    ----------
    labels : (nx, ny, nz) int32 ndarray
        Labels.
    corners : (3,) int ndarray
        Voxel corners along each axis.
    wrap : bool
        Whether the image repeats.
    margin : int
        Voxels whose neighbours up to this many voxels away have their label
        are left whole.
    radius : float
        Radius of the window [voxels].

    Returns
    -------
    start : (corners + 1,) int ndarray
        First score of each corner.
    name : (p,) int ndarray
        Label of each score.
    value : (p,) ndarray
        Scores less the largest one there, scaled to the distance from the
        nearest boundary [voxels].
    """
    total = corners[0] * corners[1] * corners[2]
    start = np.zeros(total + 1, np.int64)
    name, value = np.empty(1000, np.int64), np.empty(1000)
    names, values = np.empty(MOST_PLACES, np.int64), np.empty(MOST_PLACES)
    d = 0
    for a in range(3):
        d += 1 if labels.shape[a] > 1 else 0
    room = int(2 * radius + 2) ** d
    work = (
        np.empty((room, 3), np.int64),
        np.empty(room, np.int64),
        np.empty(room),
        np.ones((room, d + 1)),
    )
    count = 0
    for i in range(corners[0]):
        for j in range(corners[1]):
            for k in range(corners[2]):
                here = (i * corners[1] + j) * corners[2] + k
                start[here] = count
                if _whole(labels, i, j, k, -margin - 1, margin, wrap):
                    continue
                found = _fit_at(labels, i, j, k, wrap, radius, work, names, values)
                if count + found > name.size:
                    name = np.concatenate((name, np.empty_like(name)))
                    value = np.concatenate((value, np.empty_like(value)))
                for c in range(found):
                    name[count], value[count] = names[c], values[c]
                    count += 1
    start[total] = count
    return start, name[:count].copy(), value[:count].copy()


@kernel()
def _corner(i, j, k, d, corners, which):  # type: ignore[no-untyped-def]
    """Number of one corner of a voxel."""
    here = 0
    for a in range(3):
        bit = (which >> (d - 1 - a)) & 1 if a < d else 0
        at = ((i if a == 0 else (j if a == 1 else k)) + bit) % corners[a]
        here = here * corners[a] + at
    return here


@kernel()
def _voxel_scores(i, j, k, d, corners, start, name, value, names, table):  # type: ignore[no-untyped-def]
    """Scores at a voxel's corners of the labels that may reach into it; their number."""
    count = 0
    for corner in range(1 << d):
        here = _corner(i, j, k, d, corners, corner)
        for s in range(start[here], start[here + 1]):
            if value[s] < -CLOSE:
                continue
            known = False
            for c in range(count):
                known = known or names[c] == name[s]
            if not known and count < MOST_LABELS:
                names[count] = name[s]
                count += 1
    names[:count].sort()  # so that neighbouring voxels see pairs the same way
    for corner in range(1 << d):
        here = _corner(i, j, k, d, corners, corner)
        for c in range(count):
            table[c, corner] = -ABSENT
            for s in range(start[here], start[here + 1]):
                if name[s] == names[c]:
                    table[c, corner] = max(value[s], -ABSENT)
    return count


@kernel()
def _simplex(turn, d, order, path, ends):  # type: ignore[no-untyped-def]
    """Order of the axes, corner numbers and corners of one of the d! parts of a voxel."""
    if d == 2:
        order[0], order[1] = turn, 1 - turn
    else:
        order[0] = turn // 2
        order[1] = (order[0] + 1 + turn % 2) % 3
        order[2] = 3 - order[0] - order[1]
    path[0] = 0
    ends[0] = 0.0
    for t in range(d):
        path[t + 1] = path[t] + (1 << (d - 1 - order[t]))
        ends[t + 1] = ends[t]
        ends[t + 1, order[t]] = 1.0


@kernel()
def _solid(ends, d, vert, count):  # type: ignore[no-untyped-def]
    """Fill a polyhedron with a tetrahedron, in 2D with a prism; the number of faces."""
    if d == 3:
        for f in range(4):
            v = 0
            for t in range(4):
                if t != f:
                    vert[f, v] = ends[t]
                    v += 1
            count[f] = 3
        return 4
    for f in range(3):
        g = (f + 1) % 3
        for v in range(4):
            vert[f, v] = ends[f] if v == 0 or v == 3 else ends[g]
            vert[f, v, 2] = 0.0 if v < 2 else 1.0
        count[f] = 4
    for f in range(2):
        for v in range(3):
            vert[3 + f, v] = ends[v]
            vert[3 + f, v, 2] = float(f)
        count[3 + f] = 3
    return 5


@kernel()
def _affine(table, count, order, path, d, score):  # type: ignore[no-untyped-def]
    """Affine functions of the corner values on one part of a voxel."""
    for c in range(count):
        score[c, 0] = table[c, 0]
        score[c, 3] = 0.0
        for t in range(d):
            score[c, 1 + order[t]] = table[c, path[t + 1]] - table[c, path[t]]


@kernel()
def _beyond(own, other, nu):  # type: ignore[no-untyped-def]
    """Plane nu·x = level beyond which the other score is the larger one."""
    for a in range(3):
        nu[a] = other[a + 1] - own[a + 1]
    return own[0] - other[0]


@kernel()
def _fragments(  # type: ignore[no-untyped-def]  # noqa: C901
    labels, h, d, wrap, margin, corners, start, name, value, side_start, other, shift, conducts
):
    """Divide every voxel by the largest score; see CutGrid for what is returned."""
    n = labels.shape
    voxels = n[0] * n[1] * n[2]
    first = np.zeros(voxels + 1, np.int64)
    room = 2 * voxels + 1000
    grain, row, volume = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room)
    rooms = np.empty((1000, 3, 3, 3))
    vert, count = np.empty((MOST_FACES, MOST_CORNERS, 3)), np.empty(MOST_FACES, np.int64)
    cap, scratch = np.empty((4 * MOST_CORNERS, 3)), np.empty((2 * MOST_CORNERS, 3))
    moment, nu = np.empty((3, 3, 3)), np.empty(3)
    names, table = np.empty(MOST_LABELS, np.int64), np.empty((MOST_LABELS, 8))
    score = np.zeros((MOST_LABELS, 4))
    order, path, ends = np.zeros(3, np.int64), np.zeros(4, np.int64), np.zeros((4, 3))
    sums, filled = np.zeros((MOST_LABELS, 3, 3, 3)), np.zeros(MOST_LABELS)
    rows = found = 0
    worst = 0.0
    for i in range(n[0]):
        for j in range(n[1]):
            for k in range(n[2]):
                vox = (i * n[1] + j) * n[2] + k
                first[vox] = found
                if found + MOST_LABELS > grain.size:
                    grain = np.concatenate((grain, np.empty_like(grain)))
                    row = np.concatenate((row, np.empty_like(row)))
                    volume = np.concatenate((volume, np.empty_like(volume)))
                if _whole(labels, i, j, k, -margin, margin, wrap):
                    grain[found], row[found] = labels[i, j, k], -1
                    volume[found] = 1.0 if conducts[labels[i, j, k]] else 0.0
                    found += 1
                    continue
                places = _voxel_scores(i, j, k, d, corners, start, name, value, names, table)
                sums[:] = 0.0
                filled[:] = 0.0
                for turn in range(2 if d == 2 else 6):
                    _simplex(turn, d, order, path, ends)
                    _affine(table, places, order, path, d, score)
                    for c in range(places):
                        faces = _solid(ends, d, vert, count)
                        for e in range(places):
                            if e == c:
                                continue
                            level = _beyond(score[c], score[e], nu)
                            if np.abs(nu).max() < TOUCH:
                                if level < 0.0 or (level == 0.0 and e < c):
                                    faces = 0
                            else:
                                faces = clip(vert, count, faces, nu, level, cap, scratch)
                            if faces == 0:
                                break
                        if faces == 0:
                            continue
                        moments(vert, count, faces, moment)
                        filled[c] += moment[0, 0, 0]
                        moved = False
                        for e in range(places):
                            s = -1
                            for t in range(side_start[names[c]], side_start[names[c] + 1]):
                                if other[t] == names[e]:
                                    s = t
                            if s < 0 or shift[s] <= 0.0 or faces == 0:
                                continue
                            level = _beyond(score[c], score[e], nu)
                            if np.abs(nu).max() > TOUCH:
                                level -= shift[s] * np.sqrt(((nu / h) ** 2).sum())
                                faces = clip(vert, count, faces, nu, level, cap, scratch)
                                moved = True
                        if moved:
                            moments(vert, count, faces, moment)
                        sums[c] += moment
                worst = max(worst, abs(filled.sum() - 1.0))
                for c in range(places):
                    if filled[c] < SMALLEST_FRAGMENT:
                        continue
                    grain[found], row[found] = names[c], -1
                    if not conducts[names[c]] or sums[c, 0, 0, 0] < SMALLEST_FRAGMENT:
                        sums[c] = 0.0
                    volume[found] = sums[c, 0, 0, 0]
                    if volume[found] > 1.0 - TOUCH:
                        volume[found] = 1.0
                    else:
                        if rows == len(rooms):
                            rooms = np.concatenate((rooms, np.empty_like(rooms)))
                        rooms[rows] = sums[c]
                        row[found] = rows
                        rows += 1
                    found += 1
    first[voxels] = found
    return (
        first,
        grain[:found].copy(),
        volume[:found].copy(),
        row[:found].copy(),
        rooms[:rows].copy(),
        worst,
    )


@kernel()
def _pieces(labels, h, d, wrap, margin, corners, start, name, value):  # type: ignore[no-untyped-def]  # noqa: C901
    """Boundary pieces in every voxel; see ImageFacets for what is returned."""
    n = labels.shape
    voxels = n[0] * n[1] * n[2]
    begin = np.zeros(voxels + 1, np.int64)
    own, across = np.empty(1000, np.int64), np.empty(1000, np.int64)
    normal, area = np.empty((1000, 3)), np.empty(1000)
    corner_start, score_start = np.zeros(1001, np.int64), np.zeros(1001, np.int64)
    point, edge = np.empty((8000, 3)), np.empty(8000, np.int64)
    kept_name, kept = np.empty(8000, np.int64), np.empty((8000, 4))
    count = used = held = 0
    poly, spare = np.empty((2 * MOST_CORNERS, 3)), np.empty((2 * MOST_CORNERS, 3))
    tag, spare_tag = np.empty(2 * MOST_CORNERS, np.int64), np.empty(2 * MOST_CORNERS, np.int64)
    nu, nu2, sign = np.empty(3), np.empty(3), np.empty(4)
    names, table = np.empty(MOST_LABELS, np.int64), np.empty((MOST_LABELS, 8))
    score = np.zeros((MOST_LABELS, 4))
    order, path, ends = np.zeros(3, np.int64), np.zeros(4, np.int64), np.zeros((4, 3))
    least = 1e-13 * h.max() ** 2
    for i in range(n[0]):
        for j in range(n[1]):
            for k in range(n[2]):
                vox = (i * n[1] + j) * n[2] + k
                begin[vox] = count
                if _whole(labels, i, j, k, -margin, margin, wrap):
                    continue
                places = _voxel_scores(i, j, k, d, corners, start, name, value, names, table)
                for turn in range(2 if d == 2 else 6):
                    _simplex(turn, d, order, path, ends)
                    _affine(table, places, order, path, d, score)
                    for c in range(places):
                        for e in range(c + 1, places):
                            # zero counts as negative: a piece in a shared face counts once
                            left = 0
                            for t in range(d + 1):
                                sign[t] = table[c, path[t]] - table[e, path[t]]
                                if abs(sign[t]) < SAME_POINT:
                                    sign[t] = 0.0
                            for t in range(d + 1):
                                for u in range(t + 1, d + 1):
                                    if (sign[t] > 0.0) == (sign[u] > 0.0):
                                        continue
                                    f = sign[t] / (sign[t] - sign[u])
                                    for a in range(3):
                                        poly[left, a] = ends[t, a] + f * (ends[u, a] - ends[t, a])
                                    left += 1
                            if left == 0:
                                continue
                            _beyond(score[c], score[e], nu)
                            if d == 2:
                                for v in range(2):
                                    poly[3 - v] = poly[v]
                                    poly[3 - v, 2] = 1.0
                                left = 4
                            left = order_polygon(poly, left, nu / np.sqrt((nu * nu).sum()))
                            tag[:] = -1
                            for o in range(places):
                                if o in (c, e) or left == 0:
                                    continue
                                level2 = _beyond(score[c], score[o], nu2)
                                norm2 = np.sqrt((nu2 * nu2).sum())
                                if norm2 < TOUCH:
                                    if level2 < 0.0:
                                        left = 0
                                    continue
                                left = clip_tagged(
                                    poly, tag, left, nu2 / norm2, level2 / norm2, names[o],
                                    spare, spare_tag,
                                )  # fmt: skip
                                for v in range(left):
                                    poly[v] = spare[v]
                                    tag[v] = spare_tag[v]
                            if left == 0 or polygon_area(poly, left, h) < least:
                                continue
                            if count == own.size:
                                own = np.concatenate((own, np.empty_like(own)))
                                across = np.concatenate((across, np.empty_like(across)))
                                normal = np.concatenate((normal, np.empty_like(normal)))
                                area = np.concatenate((area, np.empty_like(area)))
                                corner_start = np.concatenate(
                                    (corner_start, np.empty_like(corner_start))
                                )
                                score_start = np.concatenate(
                                    (score_start, np.empty_like(score_start))
                                )
                            if used + left > len(point):
                                point = np.concatenate((point, np.empty_like(point)))
                                edge = np.concatenate((edge, np.empty_like(edge)))
                            if held + places > kept_name.size:
                                kept_name = np.concatenate((kept_name, np.empty_like(kept_name)))
                                kept = np.concatenate((kept, np.empty_like(kept)))
                            own[count], across[count] = names[c], names[e]
                            area[count] = polygon_area(poly, left, h)
                            normal[count] = nu / h / np.sqrt(((nu / h) ** 2).sum())
                            for v in range(left):
                                point[used + v] = poly[v]
                                edge[used + v] = tag[v]
                            for o in range(places):
                                kept_name[held + o] = names[o]
                                kept[held + o] = score[o]
                            used += left
                            held += places
                            count += 1
                            corner_start[count] = used
                            score_start[count] = held
    begin[voxels] = count
    return (
        begin,
        own[:count].copy(),
        across[:count].copy(),
        normal[:count].copy(),
        area[:count].copy(),
        corner_start[: count + 1].copy(),
        point[:used].copy(),
        edge[:used].copy(),
        score_start[: count + 1].copy(),
        kept_name[:held].copy(),
        kept[:held].copy(),
    )


class Pieces(NamedTuple):
    """Boundary pieces of a label image.

    Parameters
    ----------
    start : (voxels + 1,) int ndarray
        First piece of each voxel.
    own, across : (q,) int ndarray
        Grains on either side, the lower one first.
    normal : (q, 3) ndarray
        Unit normals from own to across.
    area : (q,) ndarray
        Areas [m²; 2D: m].
    corner_start : (q + 1,) int ndarray
        First corner of each piece.
    corners : (c, 3) ndarray
        Corners in unit coordinates.
    edge : (c,) int ndarray
        Grain that bounds the edge from each corner on; −1 for none.
    score_start : (q + 1,) int ndarray
        First score of each piece.
    name : (p,) int ndarray
        Grain of each score.
    score : (p, 4) ndarray
        Value at the voxel's lower corner and slopes, in unit coordinates.
    """

    start: IntArray
    own: IntArray
    across: IntArray
    normal: FloatArray
    area: FloatArray
    corner_start: IntArray
    corners: FloatArray
    edge: IntArray
    score_start: IntArray
    name: IntArray
    score: FloatArray


@dataclass(frozen=True, slots=True)
class ImageFacets:
    """Boundaries estimated from a label image.

    Parameters
    ----------
    labels : (nx, ny, nz) int32 ndarray
        Grain of each voxel.
    spacing : (d,) ndarray
        Voxel edges [m].
    periodic : bool
        Whether the image repeats.
    margin : int
        Voxels with one label up to this many voxels around are whole.
    scores : tuple
        Voxel corners along each axis and, of each, first score; labels; scores.
    first, second : (m,) int ndarray
        Grains on either side of each facet, the lower one first.
    normal : (m, d) ndarray
        Unit normal from first to second, in the mean over the facet's area.
    pieces : Pieces
        The facets divided among the voxels.
    """

    labels: NDArray[np.int32]
    spacing: FloatArray
    periodic: bool
    margin: int
    scores: tuple[IntArray, IntArray, IntArray, FloatArray]
    first: IntArray
    second: IntArray
    normal: FloatArray
    pieces: Pieces

    def sides(self, grains: int) -> Sides:
        """List the facets of every grain.

        Parameters
        ----------
        grains : int
            Number of grains.

        Returns
        -------
        Sides
            Two sides a facet, without box offsets or distances.
        """
        count, d = self.normal.shape
        nothing = np.zeros(count)
        image = np.zeros((count, d), np.int64)
        return sides_of(self.first, self.second, image, self.normal, (nothing, nothing), grains)


def image_facets(
    labels: NDArray[np.int32], spacing: FloatArray, *, periodic: bool, widest: float = 0.0
) -> ImageFacets:
    """Estimate the boundaries of a label image.

    Parameters
    ----------
    labels : (nx, ny[, nz]) int32 ndarray
        Grain of each voxel.
    spacing : (d,) ndarray
        Voxel edges [m].
    periodic : bool
        Whether the image repeats.
    widest : float, optional
        Width of the widest film [m].

    Returns
    -------
    ImageFacets
        Scores, facets and pieces.
    """
    d = labels.ndim
    shape = np.ones(3, np.int64)
    shape[:d] = labels.shape
    labels3 = np.ascontiguousarray(labels.reshape(shape), dtype=np.int32)
    h = in_three(spacing, 1.0).astype(float)
    margin = 1 if widest < spacing.min() else 2
    corners = shape.copy()
    if not periodic:
        corners[:d] += 1
    found = scores(labels3, corners, periodic, margin, RADIUS[d - 2])
    pieces = Pieces(*_pieces(labels3, h, d, periodic, margin, corners, *found))
    grains = int(labels.max(initial=0)) + 1
    pairs, facet = np.unique(pieces.own * grains + pieces.across, return_inverse=True)
    mean = np.stack(
        [np.bincount(facet, pieces.normal[:, a] * pieces.area, pairs.size) for a in range(d)],
        axis=1,
    )
    length = np.linalg.norm(mean, axis=1)
    closed = length <= 1e-9 * np.bincount(facet, pieces.area, pairs.size)
    mean[closed], length[closed] = np.eye(d)[0], 1.0
    return ImageFacets(
        labels3, np.asarray(spacing, dtype=float), periodic, margin, (corners, *found),
        pairs // grains, pairs % grains, mean / length[:, None], pieces,
    )  # fmt: skip


def cut_image(
    facets: ImageFacets,
    sides: Sides,
    shift: FloatArray,
    conducts: NDArray[np.bool_],
    *,
    periodic: bool,
) -> CutGrid:
    """Cut the voxels of a label image along its estimated boundaries.

    Parameters
    ----------
    facets : ImageFacets
        The boundaries.
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
        Fragments and facet pieces; every box offset is zero.
    """
    d, grains, pieces = facets.spacing.size, conducts.size, facets.pieces
    h = in_three(facets.spacing, 1.0).astype(float)
    shape = np.array(facets.labels.shape, dtype=np.int64)
    start, grain, volume, row, table, _ = _fragments(
        facets.labels, h, d, facets.periodic, facets.margin, *facets.scores,
        sides.start, sides.other, shift, conducts,
    )  # fmt: skip
    number = sides.own * grains + sides.other
    edge_own = np.repeat(pieces.own, np.diff(pieces.corner_start))
    beyond = _places(number, edge_own * grains + pieces.edge)
    fragment = np.repeat(np.arange(shape.prod()), np.diff(start)) * grains + grain
    voxel = np.repeat(np.arange(shape.prod()), np.diff(pieces.start)) * grains
    surface = np.zeros(grain.size)
    for label in (pieces.own, pieces.across):
        place = _places(fragment, voxel + label)
        surface += np.bincount(place[place >= 0], pieces.area[place >= 0], grain.size)
    return CutGrid(
        shape=shape,
        spacing=h,
        size=h * shape,
        dimension=d,
        periodic=periodic,
        start=start,
        grain=grain,
        code=np.full(grain.size, NO_OFFSET, np.int32),
        volume=volume,
        surface=surface,
        row=row,
        moments=table,
        piece_start=pieces.start,
        side=_places(number, pieces.own * grains + pieces.across),
        piece_code=np.full(pieces.own.size, NO_OFFSET, np.int32),
        corner_start=pieces.corner_start,
        corners=pieces.corners,
        edge=np.where(pieces.edge >= 0, beyond, -1),
        normal=pieces.normal,
        offsets=False,
        score=(pieces.score_start, pieces.name, pieces.score),
    )


def _places(values: IntArray, wanted: IntArray) -> IntArray:
    """Place of each wanted number among different values; −1 where it is not there."""
    if values.size == 0:
        return np.full(wanted.size, -1, np.int64)
    order = np.argsort(values)
    place = order[np.minimum(np.searchsorted(values, wanted, sorter=order), values.size - 1)]
    found: IntArray = np.where(values[place] == wanted, place, -1)
    return found
