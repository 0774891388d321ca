"""Element energies of cut voxels: grains, facets with films, and film junctions.

Every grain has its own multilinear field on the voxels it reaches into, and
every conducting film one on the voxels its facet passes. The energy is

* ∫ ∇u·K∇u over the exact part of each voxel that a grain fills,
* on a facet between traces u, v that meet through a resistance R ≥ 0 (areal),
  with F the normal flux K∂_n u of one grain or a weighted mean of both,

      [ (u − v)² − 2λ F (u − v) − R λ F² ] / (R + λ),

  which is consistent for every R from perfect contact to a block (Juntunen &
  Stenberg); λ ∼ h/K is small enough that the whole stays positive,
* ∫ G |∇_t w|² along the facet for the film's field w,
* where films meet, the same with R = 0 between each film and their mean,
  weighted by their sheet conductances, which conserves the current there.

Fragments may be slivers. Their share in the flux mean falls with their volume
over surface, which keeps the energy positive (Annavarapu et al.), and the part
of a field that is not linear, which a sliver hardly feels, is held by the full
voxel's energy of that part times the fragment's volume. Linear fields meet
nothing of it: uniform gradients and laminates at any angle stay exact.

Everything comes out as links g (u_i − u_j)², some of them negative.

References
----------
Hansbo & Hansbo, Comput. Methods Appl. Mech. Eng. 191, 5537 (2002),
10.1016/S0045-7825(02)00524-8 (a field for each side of a cut); Juntunen &
Stenberg, Math. Comput. 78, 1353 (2009), 10.1090/S0025-5718-08-02183-2;
Annavarapu, Hautefeuille & Dolbow, Comput. Methods Appl. Mech. Eng. 225, 44
(2012), 10.1016/j.cma.2012.03.008 (weights); Burman et al., Int. J. Numer.
Methods Eng. 104, 472 (2015), 10.1002/nme.4823 (cut elements in general).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from multiscale.numerics.compiling import kernel
from multiscale.transport.cut_grid import decode, encode, place_seed
from multiscale.transport.polyhedra import TRIANGLE_POINTS, TRIANGLE_WEIGHTS


@dataclass(frozen=True, slots=True)
class Stiffness:
    """What keeps the energy positive.

    Parameters
    ----------
    contact : float
        Stiffness of a contact in units of K/h.
    unbent : float
        Weight of the energy that holds the nonlinear part of a field.
    """

    contact: float
    unbent: float


GENTLE = Stiffness(1.8, 0.4)
"""Enough for most turned tensors without films, whose error grows with the stiffness."""
SOFT = Stiffness(2.2, 0.5)
"""Enough for every crystal tried with scalars, and for most with tensors."""
FIRM = Stiffness(4.0, 1.0)
"""Twice that; the error of strongly anisotropic grains grows by a third."""
SLIVER = 5.0
"""Contacts of slivers are at most this much stiffer than those of whole voxels."""
CORNER = 0.7
"""Share of a facet that counts past the edge of its grain, where films share a corner.

The current through the corner of three films, from resolved films: 0.64 at 120°
(honeycomb), 0.71 on average over the junctions of Poisson–Voronoi crystals. Films
that conduct towards the corner conduct 1/0.7 times better there.
"""
TRAPEZOID = 0.5
"""The same for slow films that conduct well along, half of which is a trapezoid."""
OVERLAP = 0.5
"""The same along the line where films meet: two facets share what lies in a grain's corner."""
MIDDLE = 0.44
"""Least share of a film's energy along it that its middle holds, if it has an inside of its own."""
NORMAL = 2.0
"""Weight of a film field's normal gradient, which the film itself does not feel."""


@kernel()
def full_moments():  # type: ignore[no-untyped-def]
    """Moments of the whole unit cube.

    Returns
    -------
    (3, 3, 3) ndarray
        ∫ x^a y^b z^c.
    """
    table = np.empty((3, 3, 3))
    for a in range(3):
        for b in range(3):
            for c in range(3):
                table[a, b, c] = 1.0 / ((a + 1) * (b + 1) * (c + 1))
    return table


@kernel()
def nonlinear(d):  # type: ignore[no-untyped-def]
    """Projector of a voxel's corner values onto their nonlinear part.

    Parameters
    ----------
    d : int
        Number of axes.

    Returns
    -------
    (2**d, 2**d) ndarray
        Symmetric projector; linear functions map to zero.
    """
    corners = 1 << d
    projector = np.eye(corners)
    for i in range(corners):
        for j in range(corners):
            projector[i, j] -= 1.0 / corners
            for a in range(d):
                same = ((i >> a) & 1) == ((j >> a) & 1)
                projector[i, j] -= (1.0 if same else -1.0) / corners
    return projector


@kernel()
def stiffness(M, K, h, d, A):  # type: ignore[no-untyped-def]  # noqa: C901
    """Integrate ∇N_i·K∇N_j over a fragment.

    Parameters
    ----------
    M : (3, 3, 3) ndarray
        Moments of the fragment in unit coordinates.
    K : (3, 3) ndarray
        Tensor of the grain.
    h : (3,) ndarray
        Voxel edges [m].
    d : int
        Number of axes.
    A : (2**d, 2**d) ndarray
        The matrix, overwritten; corner i has the binary digits of its offsets,
        first axis first.
    """
    corners = 1 << d
    volume = h[0] * h[1] * h[2]
    poly = np.zeros((3, 3))
    for i in range(corners):
        for j in range(i, corners):
            total = 0.0
            for a in range(d):
                for b in range(d):
                    if K[a, b] == 0.0:
                        continue
                    for c in range(3):
                        poly[c, 0], poly[c, 1], poly[c, 2] = 1.0, 0.0, 0.0
                        if c >= d:
                            continue
                        p0, p1 = (0.0, 1.0) if (i >> (d - 1 - c)) & 1 else (1.0, -1.0)
                        q0, q1 = (0.0, 1.0) if (j >> (d - 1 - c)) & 1 else (1.0, -1.0)
                        if c == a and c == b:
                            poly[c, 0] = p1 * q1
                        elif c == a:
                            poly[c, 0], poly[c, 1] = p1 * q0, p1 * q1
                        elif c == b:
                            poly[c, 0], poly[c, 1] = q1 * p0, q1 * p1
                        else:
                            poly[c, 0], poly[c, 1], poly[c, 2] = p0 * q0, p0 * q1 + p1 * q0, p1 * q1
                    s = 0.0
                    for x in range(3):
                        for y in range(3):
                            xy = poly[0, x] * poly[1, y]
                            if xy != 0.0:
                                for z in range(3):
                                    s += xy * poly[2, z] * M[x, y, z]
                    total += K[a, b] / (h[a] * h[b]) * s
            A[i, j] = A[j, i] = total * volume


@kernel()
def shape_functions(xi, d, h, value, slope):  # type: ignore[no-untyped-def]
    """Shape functions and their gradients at a point.

    Parameters
    ----------
    xi : (3,) ndarray
        The point in unit coordinates.
    d : int
        Number of axes.
    h : (3,) ndarray
        Voxel edges [m].
    value : (2**d,) ndarray
        Values, overwritten.
    slope : (2**d, d) ndarray
        Gradients [1/m], overwritten.
    """
    for i in range(1 << d):
        v = 1.0
        for c in range(d):
            v *= xi[c] if (i >> (d - 1 - c)) & 1 else 1.0 - xi[c]
        value[i] = v
        for a in range(d):
            g = 1.0 / h[a] if (i >> (d - 1 - a)) & 1 else -1.0 / h[a]
            for c in range(d):
                if c != a:
                    g *= xi[c] if (i >> (d - 1 - c)) & 1 else 1.0 - xi[c]
            slope[i, a] = g


@kernel()
def emit_links(B, ids, size, part, first, second, value, parts, count):  # type: ignore[no-untyped-def]
    """Append the links of a local matrix, growing the arrays where they are full.

    Parameters
    ----------
    B : (n, n) ndarray
        Local matrix; its upper triangle is read.
    ids : (n,) int ndarray
        Unknowns of its rows.
    size : int
        Rows that count.
    part : int
        Part the links are booked on.
    first, second, value, parts : (room,) ndarray
        Links so far.
    count : int
        Number of them.

    Returns
    -------
    first, second, value, parts, count
        The same with the new links.
    """
    if count + size * (size - 1) // 2 > first.size:
        first = np.concatenate((first, np.empty_like(first)))
        second = np.concatenate((second, np.empty_like(second)))
        value = np.concatenate((value, np.empty_like(value)))
        parts = np.concatenate((parts, np.empty_like(parts)))
    for x in range(size):
        for y in range(x + 1, size):
            if B[x, y] != 0.0 and ids[x] != ids[y]:
                first[count], second[count] = ids[x], ids[y]
                value[count], parts[count] = -B[x, y], part
                count += 1
    return first, second, value, parts, count


@kernel()
def grain_links(node, grain, row, volume, table, tensor, phase, h, d, unbent):  # type: ignore[no-untyped-def]
    """Links of all fragments.

    Parameters
    ----------
    node : (f, 2**d) int32 ndarray
        Unknown at each corner of the fragment's voxel.
    grain, row : (f,) int32 ndarray
        Grain, and place in ``table`` or −1 for an undivided voxel.
    volume : (f,) ndarray
        Share of the voxel.
    table : (k, 3, 3, 3) ndarray
        Moments of divided fragments.
    tensor : (n, 3, 3) ndarray
        Tensor of each grain.
    phase : (n,) int ndarray
        Phase of each grain: the part its links are booked on.
    h : (3,) ndarray
        Voxel edges [m].
    d : int
        Number of axes.
    unbent : float
        Weight of the energy that holds the nonlinear part of a field.

    Returns
    -------
    first, second : (l,) int32 ndarray
        Ends of each link.
    value : (l,) ndarray
        Conductance.
    part : (l,) int16 ndarray
        Phase.
    """
    corners = 1 << d
    room = max(1, volume.size * (corners * (corners - 1) // 2))
    first, second = np.empty(room, np.int32), np.empty(room, np.int32)
    value, parts = np.empty(room), np.empty(room, np.int16)
    count = 0
    A, whole = np.empty((corners, corners)), np.empty((corners, corners))
    full, bend = full_moments(), nonlinear(d)
    for f in range(volume.size):
        if volume[f] == 0.0:
            continue
        K = tensor[grain[f]]
        if row[f] < 0:
            stiffness(full, K, h, d, A)
        else:
            stiffness(table[row[f]], K, h, d, A)
            stiffness(full, K, h, d, whole)
            A += unbent * volume[f] * (bend @ whole @ bend)
        first, second, value, parts, count = emit_links(
            A, node[f], corners, phase[grain[f]], first, second, value, parts, count
        )
    return first[:count].copy(), second[:count].copy(), value[:count].copy(), parts[:count].copy()


@kernel()
def step_back(i, j, k, n, wrap, xi, away, step, keep, m, cell, local, image):  # type: ignore[no-untyped-def]
    """Voxel of the point xi − step·away, its coordinates there, and the box offset m from there.

    Parameters
    ----------
    i, j, k : int
        Voxel of the point.
    n : (3,) int ndarray
        Voxels along each axis.
    wrap : int
        Whether the box is periodic; 2 if box offsets stay when it closes.
    xi, away : (3,) ndarray
        Point and direction in unit coordinates.
    step : float
        How far to go.
    keep : bool
        Whether the coordinates stay those of the point itself.
    m : (3,) int ndarray
        Box offset seen from the voxel.
    cell : (3,) int ndarray
        The voxel found, overwritten.
    local : (3,) ndarray
        Coordinates in it, overwritten.
    image : (3,) int ndarray
        Box offset seen from there, overwritten.
    """
    for a in range(3):
        moved = xi[a] - step * away[a]
        o = int(np.floor(moved))
        if n[a] == 1:
            o = 0
        q = (i if a == 0 else (j if a == 1 else k)) + o
        image[a] = m[a]
        if wrap:
            if q < 0:
                q += n[a]
                image[a] += 1 if wrap == 1 else 0
            elif q >= n[a]:
                q -= n[a]
                image[a] -= 1 if wrap == 1 else 0
        elif q < 0:
            o -= q
            q = 0
        elif q >= n[a]:
            o -= q - n[a] + 1
            q = n[a] - 1
        cell[a] = q
        local[a] = (xi[a] if keep else moved) - o


@kernel()
def _find_fragment(  # type: ignore[no-untyped-def]
    i, j, k, n, wrap, xi, away, g, m, start, grain, code, volume, cell, local, image
):
    """Fragment of grain (g, m) that holds a point, or the nearest one on the way −away.

    A point in the corner that two films share lies in no fragment; the grain's
    value is then taken at the place where its fragment begins.
    """
    for step in (1e-7, 0.02, 0.1, 0.3, 0.6, 1.0, 1.5, 2.0, 3.0, 4.0):
        step_back(i, j, k, n, wrap, xi, away, step, step < 0.05, m, cell, local, image)
        vox = (cell[0] * n[1] + cell[1]) * n[2] + cell[2]
        c = encode(image)
        for f in range(start[vox], start[vox + 1]):
            if grain[f] == g and code[f] == c and volume[f] > 0.0:
                return f
    return -1


@kernel()
def _beyond(x, seed, h, d, first, last, plane, distance, shift):  # type: ignore[no-untyped-def]
    """Find a side that a point is beyond, of a grain drawn back from its facets; −1 if inside."""
    for e in range(first, last):
        level = distance[e] - shift[e]
        for a in range(d):
            level -= plane[e, a] * (x[a] * h[a] - seed[a])
        if level < -1e-7 * h[0]:
            return e
    return -1


@kernel()
def _beyond_score(  # type: ignore[no-untyped-def]
    x, h, d, g, first, last, name, score, side_start, other, shift, plane
):
    """Do the same for a grain of a label image; the plane's normal is written too."""
    own = first
    while name[own] != g:
        own += 1
    for k in range(first, last):
        for e in range(side_start[g], side_start[g + 1]):
            if other[e] != name[k]:
                continue
            ahead, slope = score[own, 0] - score[k, 0], 0.0
            for a in range(d):
                plane[a] = score[k, a + 1] - score[own, a + 1]
                ahead -= plane[a] * x[a]
                plane[a] /= h[a]
                slope += plane[a] ** 2
            slope = np.sqrt(slope)
            if ahead < (shift[e] - 1e-7 * h[0]) * slope:
                for a in range(d):
                    plane[a] /= slope
                return e
    return -1


@kernel()
def direction_from(xi, target, h, d, longest, away):  # type: ignore[no-untyped-def]
    """Unit vector [voxels] from a target to a point.

    Parameters
    ----------
    xi : (3,) ndarray
        The point in unit coordinates.
    target : (3,) ndarray
        The target beside the voxel's lower corner [m].
    h : (3,) ndarray
        Voxel edges [m].
    d : int
        Number of axes.
    longest : float
        Longest voxel edge [m].
    away : (3,) ndarray
        The vector, overwritten.
    """
    s = 0.0
    for a in range(3):
        away[a] = xi[a] * h[a] - target[a] if a < d else 0.0
        s += away[a] ** 2
    s = np.sqrt(s)
    for a in range(3):
        away[a] = away[a] * longest / (s * h[a]) if s > 0 else 0.0


@kernel()
def add_contact(B, w, R, lam, jump, flux, size):  # type: ignore[no-untyped-def]
    """Add w [(jump)² − 2λ flux·jump − R λ flux²] / (R + λ).

    Parameters
    ----------
    B : (n, n) ndarray
        Local matrix; its upper triangle is added to.
    w : float
        Weight of the quadrature point [m² or m].
    R, lam : float
        Resistance and λ [m / coefficient].
    jump, flux : (n,) ndarray
        Coefficients of the jump and of the normal flux.
    size : int
        Rows that count.
    """
    a0 = w / (R + lam)
    a1 = -a0 * lam
    a2 = a1 * R
    for x in range(size):
        for y in range(x, size):
            B[x, y] += (
                a0 * jump[x] * jump[y]
                + a1 * (flux[x] * jump[y] + jump[x] * flux[y])
                + a2 * flux[x] * flux[y]
            )


@kernel()
def _normal_flux(normal, K, slope, d, corners, weight, out, at):  # type: ignore[no-untyped-def]
    """Write weight · n·K∇N into out."""
    for c in range(corners):
        s = 0.0
        for a in range(d):
            for b in range(d):
                s += normal[a] * K[a, b] * slope[c, b]
        out[at + c] = weight * s


@kernel()
def _inside_film(B, sheet, bow, shapes, slopes, normal, d, corners):  # type: ignore[no-untyped-def]
    """Add what a potential that is quadratic over a film's width adds to its middle's.

    Along: sheet · Σ M_st ∇_t u_s·∇_t u_t over both surfaces and the middle, M the
    mass matrix of quadratic interpolation; across: bow (u_a − 2 w + u_b)².
    """
    for x in range(3 * corners):
        s, i = x // corners, x % corners
        for y in range(x, 3 * corners):
            t, j = y // corners, y % corners
            if s == 1 and t == 1:
                mass = 16.0 / 30.0
            elif s == t:
                mass = 4.0 / 30.0
            elif s == 1 or t == 1:
                mass = 2.0 / 30.0
            else:
                mass = -1.0 / 30.0
            gradient = out_x = out_y = 0.0
            for a in range(d):
                gradient += slopes[s, i, a] * slopes[t, j, a]
                out_x += slopes[s, i, a] * normal[a]
                out_y += slopes[t, j, a] * normal[a]
            sign = (-2.0 if s == 1 else 1.0) * (-2.0 if t == 1 else 1.0)
            B[x, y] += sheet * mass * (gradient - out_x * out_y) + bow * sign * (
                shapes[s, i] * shapes[t, j]
            )


@kernel()
def facet_links(  # type: ignore[no-untyped-def]  # noqa: C901
    grid,
    node,
    film_node,
    piece_facet,
    piece_frame,
    seeds,
    sides,
    films,
    centroid,
    tensor,
    d,
    wrap,
    contact,
    unbent,
):
    """Links across and along all facets.

    Parameters
    ----------
    grid : tuple
        Arrays of a CutGrid: shape, spacing, size, start, grain, code, volume,
        surface, piece_start, side, piece_code, corner_start, corners, edge,
        normal, score_start, score_name, score.
    node : (f, 2**d) int32 ndarray
        Unknowns of each fragment.
    film_node : (q, 2**d) int32 ndarray
        Unknowns of the film of each piece; −1 without one.
    piece_facet, piece_frame : (q,) int ndarray
        Facet of each piece and the box offset of the facet's first grain.
    seeds : (n, 3) ndarray
        Seeds [m]; points are looked for towards them.
    sides : tuple
        Arrays of Sides: start, own, other, image, back, facet, first, normal, distance.
    films : tuple
        For each side: shift [m], resistance [m / coefficient], sheet of the
        whole facet [m × coefficient], conductance across films with an inside
        of their own [coefficient / m], parts for what goes across and along.
    centroid : (facets, 3) ndarray
        Facet centroids beside the first grain's seed [m].
    tensor : (n, 3, 3) ndarray
        Tensor of each grain.
    d : int
        Number of axes.
    wrap : int
        Whether the box is periodic; 2 if box offsets stay when it closes.
    contact, unbent : float
        As in :class:`Stiffness`.

    Returns
    -------
    first, second : (l,) int32 ndarray
        Ends of each link.
    value : (l,) ndarray
        Conductance.
    part : (l,) int16 ndarray
        Part the link is booked on.
    lost : float
        Share of the facet area that found no grain to join.
    """
    n, h, size, start, grain, code, volume, surface, piece_start, side, piece_code = grid[:11]
    corner_start, corner, _, piece_normal, score_start, score_name, score = grid[11:]
    scored = score.shape[0] > 0  # an image without seeds
    side_start, own, other, side_image, back, _, _, plane, distance = sides
    shift, resistance, sheet, layer, part_across, part_along = films
    corners = 1 << d
    cell_volume = h[0] * h[1] * h[2]
    longest = 0.0
    for a in range(d):
        longest = max(longest, h[a])
    first, second = np.empty(100_000, np.int32), np.empty(100_000, np.int32)
    value, parts = np.empty(100_000), np.empty(100_000, np.int16)
    count = 0
    m, mk = np.zeros(3, np.int64), np.zeros(3, np.int64)
    cell, image = np.zeros(3, np.int64), np.zeros(3, np.int64)
    seed, moved = np.zeros((2, 3)), np.zeros(3)
    xi, away = np.zeros(3), np.zeros(3)
    at, line, beyond = np.zeros((2, 3)), np.zeros(3), np.zeros(3)
    found, before = np.full(2, -1, np.int64), np.full(2, -2, np.int64)
    Kn, tau, weight = np.zeros(2), np.zeros(2), np.ones(2)
    across, along = np.zeros((3, 16, 16)), np.zeros((8, 8))
    ids = np.zeros((3, 16), np.int64)
    jump, flux = np.zeros(24), np.zeros(24)
    value_a, slope_a, value_b, slope_b = (
        np.zeros(8),
        np.zeros((8, 3)),
        np.zeros(8),
        np.zeros((8, 3)),
    )
    inner, inner_ids = np.zeros((24, 24)), np.zeros(24, np.int64)
    shapes, slopes = np.zeros((3, 8)), np.zeros((3, 8, 3))
    bend, whole = nonlinear(d), np.empty((corners, corners))
    stiffness(full_moments(), np.eye(3), h, d, whole)
    bent = bend @ whole @ bend * (unbent / cell_volume)
    total = lost = 0.0
    for i in range(n[0]):
        for j in range(n[1]):
            for k in range(n[2]):
                vox = (i * n[1] + j) * n[2] + k
                for piece in range(piece_start[vox], piece_start[vox + 1]):
                    e = side[piece]
                    e_of = (e, back[e])
                    g_of = (own[e], other[e])
                    normal = piece_normal[piece]
                    decode(piece_code[piece], m)
                    for a in range(3):
                        mk[a] = m[a] + side_image[e, a]
                    place_seed(i, j, k, h, size, seeds, g_of[0], m, seed[0])
                    place_seed(i, j, k, h, size, seeds, g_of[1], mk, seed[1])
                    for s in range(2):
                        Kn[s] = 0.0
                        for a in range(d):
                            for b in range(d):
                                Kn[s] += normal[a] * tensor[g_of[s], a, b] * normal[b]
                    G = sheet[e]
                    polygon = corner[corner_start[piece] : corner_start[piece + 1]]
                    across[:] = 0.0
                    along[:] = 0.0
                    inner[:] = 0.0
                    before[:] = -2
                    for v in range(1, len(polygon) - 1):
                        ax, ay, az = (
                            (polygon[v, 0] - polygon[0, 0]) * h[0],
                            (polygon[v, 1] - polygon[0, 1]) * h[1],
                            (polygon[v, 2] - polygon[0, 2]) * h[2],
                        )
                        bx, by, bz = (
                            (polygon[v + 1, 0] - polygon[0, 0]) * h[0],
                            (polygon[v + 1, 1] - polygon[0, 1]) * h[1],
                            (polygon[v + 1, 2] - polygon[0, 2]) * h[2],
                        )
                        area = 0.5 * np.sqrt(
                            (ay * bz - az * by) ** 2
                            + (az * bx - ax * bz) ** 2
                            + (ax * by - ay * bx) ** 2
                        )
                        for q in range(TRIANGLE_WEIGHTS.size):
                            w = area * TRIANGLE_WEIGHTS[q]
                            if w == 0.0:
                                continue
                            total += w
                            for a in range(3):
                                xi[a] = (
                                    TRIANGLE_POINTS[q, 0] * polygon[0, a]
                                    + TRIANGLE_POINTS[q, 1] * polygon[v, a]
                                    + TRIANGLE_POINTS[q, 2] * polygon[v + 1, a]
                                )
                            missing = False
                            for s in range(2):
                                found[s], weight[s] = -1, 1.0
                                if Kn[s] <= 0.0:
                                    continue
                                sign = 1.0 if s == 0 else -1.0
                                for a in range(3):
                                    moved[a] = xi[a] - sign * shift[e_of[s]] * normal[a] / h[a]
                                direction_from(moved, seed[s], h, d, longest, away)
                                if scored:
                                    for a in range(3):
                                        away[a] = sign * normal[a] * longest / h[a]
                                found[s] = _find_fragment(
                                    i, j, k, n, wrap, moved, away, g_of[s], m if s == 0 else mk,
                                    start, grain, code, volume, cell, at[s], image,
                                )  # fmt: skip
                                missing = missing or found[s] < 0
                                f = found[s]
                                if shift[e_of[s]] > 0.0:
                                    if scored:
                                        e4 = _beyond_score(
                                            moved, h, d, g_of[s], score_start[piece],
                                            score_start[piece + 1], score_name, score,
                                            side_start, other, shift, beyond,
                                        )  # fmt: skip
                                    else:
                                        e4 = _beyond(
                                            moved, seed[s], h, d, side_start[g_of[s]],
                                            side_start[g_of[s] + 1], plane, distance, shift,
                                        )  # fmt: skip
                                        if e4 >= 0:
                                            beyond[:] = plane[e4]
                                    if e4 >= 0:
                                        weight[s] = CORNER if layer[e] == 0.0 else TRAPEZOID
                                        for a in range(3):
                                            b, c = (a + 1) % 3, (a + 2) % 3
                                            line[a] = normal[b] * beyond[c] - normal[c] * beyond[b]
                                if f >= 0:
                                    thick = max(surface[f], cell_volume / longest)
                                    tau[s] = volume[f] * cell_volume / (thick * Kn[s] * contact)
                            if missing:
                                lost += w
                            if found[0] != before[0] or found[1] != before[1]:
                                if before[0] != -2:
                                    for s in range(3):
                                        first, second, value, parts, count = emit_links(
                                            across[s], ids[s], 2 * corners, part_across[e],
                                            first, second, value, parts, count,
                                        )  # fmt: skip
                                    first, second, value, parts, count = emit_links(
                                        inner, inner_ids, 3 * corners, part_along[e],
                                        first, second, value, parts, count,
                                    )  # fmt: skip
                                    across[:] = 0.0
                                    inner[:] = 0.0
                                before[0], before[1] = found[0], found[1]
                                for c in range(corners):
                                    for s in range(2):
                                        ids[s, c] = node[found[s], c] if found[s] >= 0 else -1
                                        ids[s, corners + c] = film_node[piece, c]
                                        ids[2, s * corners + c] = ids[s, c]
                                        inner_ids[2 * s * corners + c] = ids[s, c]
                                    inner_ids[corners + c] = film_node[piece, c]
                            if G > 0.0:
                                shape_functions(xi, d, h, value_b, slope_b)
                                for s in range(2):
                                    R = resistance[e_of[s]]
                                    if found[s] < 0 or np.isinf(R):
                                        continue
                                    lam = max(tau[s], longest / (Kn[s] * contact * SLIVER))
                                    share = np.sqrt(tau[s] / lam) if tau[s] < lam else 1.0
                                    if weight[s] < 1.0:  # no surface of the grain, no flux
                                        lam, share = longest / (Kn[s] * contact * SLIVER), 0.0
                                    shape_functions(at[s], d, h, value_a, slope_a)
                                    _normal_flux(
                                        normal, tensor[g_of[s]], slope_a, d, corners,
                                        share if s == 0 else -share, flux, 0,
                                    )  # fmt: skip
                                    for c in range(corners):
                                        jump[c], jump[corners + c] = value_a[c], -value_b[c]
                                        flux[corners + c] = 0.0
                                    add_contact(
                                        across[s], w * weight[s], R, lam, jump, flux, 2 * corners
                                    )
                                inside = layer[e] > 0.0 and found[0] >= 0 and found[1] >= 0
                                towards = 0.5 / weight[0] + 0.5 / weight[1]
                                beside = 0.0
                                if towards > 1.0:
                                    outside = (weight[0] < 1.0) + (weight[1] < 1.0)
                                    beside = 1.0 - 0.5 * outside * (1.0 - OVERLAP) - towards
                                    square = line[0] ** 2 + line[1] ** 2 + line[2] ** 2
                                    beside = beside / square if square > 0 else 0.0
                                for x in range(corners):
                                    for y in range(x, corners):
                                        gradient = out_x = out_y = line_x = line_y = 0.0
                                        for a in range(d):
                                            gradient += slope_b[x, a] * slope_b[y, a]
                                            out_x += slope_b[x, a] * normal[a]
                                            out_y += slope_b[y, a] * normal[a]
                                            line_x += slope_b[x, a] * line[a]
                                            line_y += slope_b[y, a] * line[a]
                                        held = out_x * out_y * NORMAL + bent[x, y]
                                        if not inside:
                                            held += towards * (gradient - out_x * out_y)
                                            held += beside * line_x * line_y
                                        along[x, y] += w * G * held
                                if inside:
                                    shape_functions(at[0], d, h, shapes[0], slopes[0])
                                    shapes[1], slopes[1] = value_b, slope_b
                                    shape_functions(at[1], d, h, shapes[2], slopes[2])
                                    _inside_film(
                                        inner, w * G,
                                        w * layer[e] * 0.5 * (weight[0] + weight[1]) / 3.0,
                                        shapes, slopes, normal, d, corners,
                                    )  # fmt: skip
                            elif found[0] >= 0 and found[1] >= 0:
                                R = resistance[e_of[0]] + resistance[e_of[1]]
                                if np.isinf(R):
                                    continue
                                both = tau[0] + tau[1]
                                lam, share = both, 1.0
                                if shift[e_of[0]] + shift[e_of[1]] > 0.0:
                                    lam = max(
                                        both, longest / (max(Kn[0], Kn[1]) * contact * SLIVER)
                                    )
                                    share = np.sqrt(both / lam)
                                if weight[0] + weight[1] < 2.0:
                                    lam = longest / (max(Kn[0], Kn[1]) * contact * SLIVER)
                                    share = 0.0
                                for s in range(2):
                                    shape_functions(at[s], d, h, value_a, slope_a)
                                    _normal_flux(
                                        normal, tensor[g_of[s]], slope_a, d, corners,
                                        share * tau[s] / both, flux, s * corners,
                                    )  # fmt: skip
                                    for c in range(corners):
                                        jump[s * corners + c] = (
                                            value_a[c] if s == 0 else -value_a[c]
                                        )
                                add_contact(
                                    across[2], w * 0.5 * (weight[0] + weight[1]),
                                    R, lam, jump, flux, 2 * corners,
                                )  # fmt: skip
                    if before[0] != -2:
                        for s in range(3):
                            first, second, value, parts, count = emit_links(
                                across[s], ids[s], 2 * corners, part_across[e],
                                first, second, value, parts, count,
                            )  # fmt: skip
                        first, second, value, parts, count = emit_links(
                            inner, inner_ids, 3 * corners, part_along[e],
                            first, second, value, parts, count,
                        )  # fmt: skip
                    if G <= 0.0:
                        continue
                    first, second, value, parts, count = emit_links(
                        along, film_node[piece], corners, part_along[e],
                        first, second, value, parts, count,
                    )  # fmt: skip
    return (
        first[:count].copy(),
        second[:count].copy(),
        value[:count].copy(),
        parts[:count].copy(),
        lost / max(total, 1e-300),
    )
