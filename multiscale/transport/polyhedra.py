"""Convex polyhedra and polygons in the unit cube: clipping, moments, quadrature.

Voxels are unit cubes here; planes are given as normal·x = level in these
coordinates. In 2D a polygon is a prism of height one. A polyhedron is a list of
faces, each a loop of vertices, in arrays that the caller owns.

References
----------
Sutherland & Hodgman, Commun. ACM 17, 32 (1974), 10.1145/360767.360802 (clipping);
Walkington, Quadrature on simplices of arbitrary dimension (2000) (14 points);
Dunavant, Int. J. Numer. Methods Eng. 21, 1129 (1985), 10.1002/nme.1620210612 (6 points).
"""

from __future__ import annotations

import numpy as np

from multiscale.numerics.compiling import kernel

MOST_FACES = 40
MOST_CORNERS = 40
TOUCH = 1e-10
"""Distances below this, in voxels, count as touching."""
SAME_POINT = 1e-9
"""Points closer than this, in voxels, are one."""

_T = (0.31088591926330060980, 0.09273525031089122640, 0.04550370412564964949)
_W = (0.11268792571801585080, 0.07349304311636194954, 0.04254602077708146644)
TETRAHEDRON_POINTS = np.array(
    [[1 - 3 * t if j == i else t for j in range(4)] for t in _T[:2] for i in range(4)]
    + [
        [_T[2] if j in (p, q) else 0.5 - _T[2] for j in range(4)]
        for p in range(4)
        for q in range(p + 1, 4)
    ]
)
"""Barycentric points of a rule of degree five."""
TETRAHEDRON_WEIGHTS = np.repeat(_W, (4, 4, 6))
_A, _B = 0.445948490915965, 0.091576213509771
TRIANGLE_POINTS = np.array(
    [[1 - 2 * t if j == i else t for j in range(3)] for t in (_A, _B) for i in range(3)]
)
"""Barycentric points of a rule of degree four."""
TRIANGLE_WEIGHTS = np.repeat((0.223381589678011, 1 / 3 - 0.223381589678011), (3, 3))


@kernel()
def cube(vert, count):  # type: ignore[no-untyped-def]
    """Fill a polyhedron with the unit cube.

    Parameters
    ----------
    vert : (faces, corners, 3) ndarray
        Corners of each face, overwritten.
    count : (faces,) int ndarray
        Corners a face, overwritten.

    Returns
    -------
    int
        Number of faces.
    """
    n = 0
    for a in range(3):
        b, c = (a + 1) % 3, (a + 2) % 3
        for s in range(2):
            for v in range(4):
                vert[n, v, a] = s
                vert[n, v, b] = 1.0 if v == 1 or v == 2 else 0.0
                vert[n, v, c] = 1.0 if v >= 2 else 0.0
            count[n] = 4
            n += 1
    return 6


@kernel()
def order_polygon(points, m, normal):  # type: ignore[no-untyped-def]
    """Sort the points of a convex planar polygon by angle and drop repeats, in place.

    Parameters
    ----------
    points : (n, 3) ndarray
        Points; the first m count.
    m : int
        Number of points.
    normal : (3,) ndarray
        Unit normal of the plane.

    Returns
    -------
    int
        Number of corners left; zero if fewer than three.
    """
    if m < 3:
        return 0
    c = np.zeros(3)
    for i in range(m):
        c += points[i]
    c /= m
    t = np.zeros(3)
    k = 0
    for a in range(3):
        if abs(normal[a]) < abs(normal[k]):
            k = a
    t[k] = 1.0
    u = np.cross(normal, t)
    u /= np.sqrt((u * u).sum())
    w = np.cross(normal, u)
    angle = np.empty(m)
    for i in range(m):
        d = points[i] - c
        angle[i] = np.arctan2((d * w).sum(), (d * u).sum())
    order = np.argsort(angle)
    copy = points[:m].copy()
    n = 0
    for i in range(m):
        p = copy[order[i]]
        if n > 0 and np.abs(p - points[n - 1]).max() < SAME_POINT:
            continue
        points[n] = p
        n += 1
    while n > 1 and np.abs(points[n - 1] - points[0]).max() < SAME_POINT:
        n -= 1
    return n if n >= 3 else 0


@kernel()
def clip_polygon(points, m, normal, level, out):  # type: ignore[no-untyped-def]
    """Keep the part of a polygon with normal·x <= level.

    Parameters
    ----------
    points : (n, 3) ndarray
        Corners; the first m count.
    m : int
        Number of corners.
    normal : (3,) ndarray
        Unit normal.
    level : float
        Level of the plane.
    out : (n, 3) ndarray
        Corners of the part, overwritten.

    Returns
    -------
    int
        Number of corners of the part.
    """
    n = 0
    for i in range(m):
        j = (i + 1) % m
        p, q = points[i], points[j]
        dp = normal[0] * p[0] + normal[1] * p[1] + normal[2] * p[2] - level
        dq = normal[0] * q[0] + normal[1] * q[1] + normal[2] * q[2] - level
        if dp <= TOUCH:
            out[n] = p
            n += 1
        if (dp > TOUCH and dq < -TOUCH) or (dp < -TOUCH and dq > TOUCH):
            t = dp / (dp - dq)
            for a in range(3):
                out[n, a] = p[a] + t * (q[a] - p[a])
            n += 1
    if n < 3:
        n = 0
    return n


@kernel()
def clip(vert, count, faces, normal, level, cap, scratch):  # type: ignore[no-untyped-def]  # noqa: C901
    """Keep the part of a convex polyhedron with normal·x <= level, in place.

    Parameters
    ----------
    vert : (faces, corners, 3) ndarray
        Corners of each face.
    count : (faces,) int ndarray
        Corners a face.
    faces : int
        Number of faces.
    normal : (3,) ndarray
        Normal of the plane, of any length.
    level : float
        Level of the plane.
    cap, scratch : (n, 3) ndarray
        Work space.

    Returns
    -------
    int
        Number of faces left; zero if nothing is left.
    """
    norm = np.sqrt((normal * normal).sum())
    out = False
    inside = False
    for f in range(faces):
        for v in range(count[f]):
            d = (
                normal[0] * vert[f, v, 0]
                + normal[1] * vert[f, v, 1]
                + normal[2] * vert[f, v, 2]
                - level
            )
            if d > TOUCH * norm:
                out = True
            elif d < -TOUCH * norm:
                inside = True
    if not out:
        return faces
    if not inside:
        return 0
    unit = normal / norm
    height = level / norm
    kept = 0
    m = 0
    for f in range(faces):
        n = clip_polygon(vert[f], count[f], unit, height, scratch)
        for v in range(n):
            d = unit[0] * scratch[v, 0] + unit[1] * scratch[v, 1] + unit[2] * scratch[v, 2] - height
            if abs(d) < 10 * TOUCH and m < cap.shape[0]:
                cap[m] = scratch[v]
                m += 1
        if n:
            for v in range(n):
                vert[kept, v] = scratch[v]
            count[kept] = n
            kept += 1
    m = order_polygon(cap, m, unit)
    if m:
        for v in range(m):
            vert[kept, v] = cap[v]
        count[kept] = m
        kept += 1
    return kept


@kernel()
def moments(vert, count, faces, M):  # type: ignore[no-untyped-def]
    """Integrate x^a y^b z^c over a convex polyhedron, a, b, c <= 2, degree <= 5.

    Parameters
    ----------
    vert : (faces, corners, 3) ndarray
        Corners of each face.
    count : (faces,) int ndarray
        Corners a face.
    faces : int
        Number of faces.
    M : (3, 3, 3) ndarray
        The moments, overwritten; those of higher degree are not exact.
    """
    M[:] = 0.0
    o = np.zeros(3)
    total = 0
    for f in range(faces):
        for v in range(count[f]):
            o += vert[f, v]
            total += 1
    if total == 0:
        return
    o /= total
    p = np.empty(3)
    for f in range(faces):
        a = vert[f, 0]
        for v in range(1, count[f] - 1):
            b, c = vert[f, v], vert[f, v + 1]
            det = (
                (a[0] - o[0]) * ((b[1] - o[1]) * (c[2] - o[2]) - (b[2] - o[2]) * (c[1] - o[1]))
                - (a[1] - o[1]) * ((b[0] - o[0]) * (c[2] - o[2]) - (b[2] - o[2]) * (c[0] - o[0]))
                + (a[2] - o[2]) * ((b[0] - o[0]) * (c[1] - o[1]) - (b[1] - o[1]) * (c[0] - o[0]))
            )
            volume = abs(det) / 6.0
            if volume == 0.0:
                continue
            for q in range(TETRAHEDRON_WEIGHTS.size):
                for t in range(3):
                    p[t] = (
                        TETRAHEDRON_POINTS[q, 0] * o[t]
                        + TETRAHEDRON_POINTS[q, 1] * a[t]
                        + TETRAHEDRON_POINTS[q, 2] * b[t]
                        + TETRAHEDRON_POINTS[q, 3] * c[t]
                    )
                w = TETRAHEDRON_WEIGHTS[q] * volume
                for i in range(3):
                    wi = w if i == 0 else (w * p[0] if i == 1 else w * p[0] * p[0])
                    for j in range(3):
                        wj = wi if j == 0 else (wi * p[1] if j == 1 else wi * p[1] * p[1])
                        M[i, j, 0] += wj
                        M[i, j, 1] += wj * p[2]
                        M[i, j, 2] += wj * p[2] * p[2]


@kernel()
def plane_polygon(normal, level, points):  # type: ignore[no-untyped-def]
    """Find the polygon in which a plane meets the unit cube.

    A plane that coincides with a face of the cube belongs to the cube on its
    upper side.

    Parameters
    ----------
    normal : (3,) ndarray
        Unit normal.
    level : float
        Level of the plane.
    points : (n, 3) ndarray
        Corners, overwritten.

    Returns
    -------
    int
        Number of corners; zero if they do not meet.
    """
    for a in range(3):
        b, c = (a + 1) % 3, (a + 2) % 3
        if abs(normal[b]) < 1e-12 and abs(normal[c]) < 1e-12:
            t = level / normal[a]
            if abs(t) < SAME_POINT:
                t = 0.0
            if t < 0.0 or t > 1.0 - SAME_POINT:
                return 0
            for v in range(4):
                points[v, a] = t
                points[v, b] = 1.0 if v == 1 or v == 2 else 0.0
                points[v, c] = 1.0 if v >= 2 else 0.0
            return 4
    m = 0
    p = np.empty(3)
    for a in range(3):
        b, c = (a + 1) % 3, (a + 2) % 3
        for s in range(4):
            p[a], p[b], p[c] = 0.0, float(s & 1), float(s >> 1)
            d0 = normal[0] * p[0] + normal[1] * p[1] + normal[2] * p[2] - level
            d1 = d0 + normal[a]
            if abs(d0) < TOUCH:
                points[m] = p
                m += 1
            elif abs(d1) >= TOUCH and d0 * d1 < 0:
                points[m] = p
                points[m, a] = d0 / (d0 - d1)
                m += 1
            if abs(d1) < TOUCH:
                points[m] = p
                points[m, a] = 1.0
                m += 1
    return order_polygon(points, m, normal)


@kernel()
def clip_tagged(points, tags, m, normal, level, tag, out, out_tags):  # type: ignore[no-untyped-def]
    """Keep the part of a polygon with normal·x <= level, and mark the new edge.

    Parameters
    ----------
    points : (n, 3) ndarray
        Corners; the first m count.
    tags : (n,) int ndarray
        Mark of the edge from each corner to the next.
    m : int
        Number of corners.
    normal : (3,) ndarray
        Unit normal.
    level : float
        Level of the plane.
    tag : int
        Mark of the edge that the plane makes.
    out : (n, 3) ndarray
        Corners of the part, overwritten.
    out_tags : (n,) int ndarray
        Marks of its edges, overwritten.

    Returns
    -------
    int
        Number of corners of the part.
    """
    n = 0
    for i in range(m):
        j = (i + 1) % m
        p, q = points[i], points[j]
        dp = normal[0] * p[0] + normal[1] * p[1] + normal[2] * p[2] - level
        dq = normal[0] * q[0] + normal[1] * q[1] + normal[2] * q[2] - level
        if dp <= TOUCH:
            out[n] = p
            out_tags[n] = tag if (dq > TOUCH and dp > -TOUCH) else tags[i]
            if abs(dp) <= TOUCH and abs(dq) <= TOUCH:
                out_tags[n] = tag
            n += 1
        if (dp > TOUCH and dq < -TOUCH) or (dp < -TOUCH and dq > TOUCH):
            t = dp / (dp - dq)
            for a in range(3):
                out[n, a] = p[a] + t * (q[a] - p[a])
            out_tags[n] = tag if dp < 0 else tags[i]
            n += 1
    if n < 3:
        n = 0
    return n
