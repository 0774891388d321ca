"""Compiled sweeps over grids whose vertices are linked to all 26 neighbours.

``links`` has the shape (X, Y, 14, Z + 2) in single precision: for each row of
vertices thirteen rows of links, in the order of ``OFFSETS``, to the neighbours
that follow, then one row of inverse diagonals. The link to a neighbour that comes
before is read from that neighbour. An inverse diagonal of zero marks a vertex that
is not solved for. ``x`` has the shape (columns, X, Y, Z + 2). The first and the
last place of a row repeat its other end, so that nothing wraps inside a row; planes
and rows wrap by index, and where the grid ends the links are zero.

Gauss–Seidel goes through slabs of a few planes, those of one colour after the other
(even, odd, and a third where an odd number of slabs closes on itself), and inside a
slab vertex by vertex. Slabs of one colour do not touch: they can be swept at the same
time, with the same result. Where a row closes on itself its ends are not neighbours
to the sweep.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import prange

from multiscale.numerics.compiling import kernel

FAST = {"contract", "reassoc", "nsz", "arcp"}
OFFSETS = np.array(
    [[0, 0, 1]]
    + [[0, 1, c] for c in (-1, 0, 1)]
    + [[1, b, c] for b in (-1, 0, 1) for c in (-1, 0, 1)]
    + [[0, 0, 0]]
)
"""Neighbours that follow; last the vertex itself."""
LINKS, DIAGONAL = 13, 13
ALL, EARLIER, LATER = 0, 1, 2


@kernel(fastmath=FAST, error_model="numpy", forceinline=True)
def _following(links, i, j, o, x, p, q, total):
    """Add three links o … o + 2 of row (i, j) times row (p, q)."""
    if x.shape[0] == 3:  # each link is read once
        for k in range(total.shape[1]):
            one, two, three = (
                links[i, j, o, k + 1],
                links[i, j, o + 1, k + 1],
                links[i, j, o + 2, k + 1],
            )
            total[0, k] += one * x[0, p, q, k] + two * x[0, p, q, k + 1] + three * x[0, p, q, k + 2]
            total[1, k] += one * x[1, p, q, k] + two * x[1, p, q, k + 1] + three * x[1, p, q, k + 2]
            total[2, k] += one * x[2, p, q, k] + two * x[2, p, q, k + 1] + three * x[2, p, q, k + 2]
        return
    for c in range(x.shape[0]):
        for k in range(total.shape[1]):
            one, two, three = (
                links[i, j, o, k + 1],
                links[i, j, o + 1, k + 1],
                links[i, j, o + 2, k + 1],
            )
            total[c, k] += one * x[c, p, q, k] + two * x[c, p, q, k + 1] + three * x[c, p, q, k + 2]


@kernel(fastmath=FAST, error_model="numpy", forceinline=True)
def _preceding(links, o, x, p, q, total):
    """Add the links that row (p, q) has with the current row, times row (p, q)."""
    if x.shape[0] == 3:  # each link is read once
        for k in range(total.shape[1]):
            one, two, three = (
                links[p, q, o + 2, k],
                links[p, q, o + 1, k + 1],
                links[p, q, o, k + 2],
            )
            total[0, k] += one * x[0, p, q, k] + two * x[0, p, q, k + 1] + three * x[0, p, q, k + 2]
            total[1, k] += one * x[1, p, q, k] + two * x[1, p, q, k + 1] + three * x[1, p, q, k + 2]
            total[2, k] += one * x[2, p, q, k] + two * x[2, p, q, k + 1] + three * x[2, p, q, k + 2]
        return
    for c in range(x.shape[0]):
        for k in range(total.shape[1]):
            one, two, three = (
                links[p, q, o + 2, k],
                links[p, q, o + 1, k + 1],
                links[p, q, o, k + 2],
            )
            total[c, k] += one * x[c, p, q, k] + two * x[c, p, q, k + 1] + three * x[c, p, q, k + 2]


@kernel(forceinline=True)
def _wanted(order, which, i, j, p, q):
    """Tell whether row (p, q) is swept before (EARLIER) or after row (i, j)."""
    if p == i and q == j:
        return False
    if which == ALL:
        return True
    earlier = order[p] < order[i] or (p == i and q < j)
    return earlier == (which == EARLIER)


@kernel(fastmath=FAST, error_model="numpy")
def _gather(links, order, which, x, i, j, total):
    """Add links times neighbours in the eight rows around row (i, j)."""
    nx, ny = links.shape[0], links.shape[1]
    jm, jp = (j - 1 if j > 0 else ny - 1), (j + 1 if j < ny - 1 else 0)
    if ny > 1:
        if _wanted(order, which, i, j, i, jp):
            _following(links, i, j, 1, x, i, jp, total)
        if _wanted(order, which, i, j, i, jm):
            _preceding(links, 1, x, i, jm, total)
    if nx > 1:
        im, ip = (i - 1 if i > 0 else nx - 1), (i + 1 if i < nx - 1 else 0)
        if _wanted(order, which, i, j, ip, j):
            _following(links, i, j, 4, x, ip, jm, total)
            _following(links, i, j, 7, x, ip, j, total)
            _following(links, i, j, 10, x, ip, jp, total)
        if _wanted(order, which, i, j, im, j):
            _preceding(links, 4, x, im, jp, total)
            _preceding(links, 7, x, im, j, total)
            _preceding(links, 10, x, im, jm, total)


@kernel(fastmath=FAST, error_model="numpy", forceinline=True)
def _within(links, x, c, i, j, total, row):
    """Write ``total`` of a column and the links inside the row into ``row``."""
    for k in range(row.size):
        row[k] = (
            total[c, k]
            + links[i, j, 0, k] * x[c, i, j, k]
            + links[i, j, 0, k + 1] * x[c, i, j, k + 2]
        )


@kernel(fastmath=FAST, error_model="numpy", forceinline=True)
def _fetch(b, i, j, total):
    for c in range(total.shape[0]):
        for k in range(total.shape[1]):
            total[c, k] = b[c, i, j, k + 1]


@kernel(error_model="numpy", forceinline=True)
def _close(x, c, i, j):
    """Repeat the ends of a row."""
    last = x.shape[3] - 2
    x[c, i, j, 0] = x[c, i, j, last]
    x[c, i, j, last + 1] = x[c, i, j, 1]


@kernel(fastmath=FAST, error_model="numpy", forceinline=True)
def _march_forward(links, x, i, j, total, share):
    """Solve for a row of vertices one after the other, from the first on."""
    n = share.size
    for k in range(n):
        share[k] = links[i, j, DIAGONAL, k + 1] * links[i, j, 0, k]
    share[0] = 0.0
    for c in range(x.shape[0]):
        for k in range(n):
            total[c, k] *= links[i, j, DIAGONAL, k + 1]
    if x.shape[0] == 3:  # three chains at a time
        one = two = three = np.float32(0.0)
        for k in range(n):
            one = total[0, k] + share[k] * one
            two = total[1, k] + share[k] * two
            three = total[2, k] + share[k] * three
            x[0, i, j, k + 1], x[1, i, j, k + 1], x[2, i, j, k + 1] = one, two, three
    else:
        for c in range(x.shape[0]):
            one = np.float32(0.0)
            for k in range(n):
                one = total[c, k] + share[k] * one
                x[c, i, j, k + 1] = one
    for c in range(x.shape[0]):
        _close(x, c, i, j)


@kernel(fastmath=FAST, error_model="numpy", forceinline=True)
def _march_backward(links, x, i, j, total, share):
    """Solve for a row of vertices one after the other, from the last on."""
    n = share.size
    for k in range(n):
        share[k] = links[i, j, DIAGONAL, k + 1] * links[i, j, 0, k + 1]
    for c in range(x.shape[0]):
        total[c, n - 1] += links[i, j, 0, n] * x[c, i, j, n + 1]
        for k in range(n):
            total[c, k] += links[i, j, 0, k] * x[c, i, j, k]
            total[c, k] *= links[i, j, DIAGONAL, k + 1]
    share[n - 1] = 0.0
    if x.shape[0] == 3:
        one = two = three = np.float32(0.0)
        for back in range(n):
            k = n - 1 - back
            one = total[0, k] + share[k] * one
            two = total[1, k] + share[k] * two
            three = total[2, k] + share[k] * three
            x[0, i, j, k + 1], x[1, i, j, k + 1], x[2, i, j, k + 1] = one, two, three
    else:
        for c in range(x.shape[0]):
            one = np.float32(0.0)
            for back in range(n):
                k = n - 1 - back
                one = total[c, k] + share[k] * one
                x[c, i, j, k + 1] = one
    for c in range(x.shape[0]):
        _close(x, c, i, j)


@kernel(fastmath=FAST, error_model="numpy")
def _forward_slab(links, order, b, x, first, last):
    """Sweep planes forward from zero: links to what comes later do not count."""
    total = np.empty((x.shape[0], x.shape[3] - 2), np.float32)
    share = np.empty(x.shape[3] - 2, np.float32)
    for i in range(first, last):
        for j in range(links.shape[1]):
            _fetch(b, i, j, total)
            _gather(links, order, EARLIER, x, i, j, total)
            _march_forward(links, x, i, j, total, share)


@kernel(fastmath=FAST, error_model="numpy")
def _backward_slab(links, order, b, x, first, last):
    """Sweep planes backward."""
    total = np.empty((x.shape[0], x.shape[3] - 2), np.float32)
    share = np.empty(x.shape[3] - 2, np.float32)
    for i in range(last - 1, first - 1, -1):
        for j in range(links.shape[1] - 1, -1, -1):
            _fetch(b, i, j, total)
            _gather(links, order, ALL, x, i, j, total)
            _march_backward(links, x, i, j, total, share)


@kernel(parallel=True, error_model="numpy")
def forward(links, order, slabs, colours, b, x, threads):
    """Sweep forward from x = 0, whatever x holds."""
    for colour in range(colours.size - 1):
        begin, count = colours[colour], colours[colour + 1] - colours[colour]
        if threads == 1:
            for s in range(begin, begin + count):
                _forward_slab(links, order, b, x, slabs[s, 0], slabs[s, 1])
        else:
            for t in prange(threads):
                for s in range(begin + t * count // threads, begin + (t + 1) * count // threads):
                    _forward_slab(links, order, b, x, slabs[s, 0], slabs[s, 1])


@kernel(parallel=True, error_model="numpy")
def backward(links, order, slabs, colours, b, x, threads):
    """Sweep backward from x."""
    for back in range(colours.size - 1):
        colour = colours.size - 2 - back
        begin, count = colours[colour], colours[colour + 1] - colours[colour]
        if threads == 1:
            for s in range(begin, begin + count):
                _backward_slab(links, order, b, x, slabs[s, 0], slabs[s, 1])
        else:
            for t in prange(threads):
                for s in range(begin + t * count // threads, begin + (t + 1) * count // threads):
                    _backward_slab(links, order, b, x, slabs[s, 0], slabs[s, 1])


@kernel(fastmath=FAST, error_model="numpy")
def _left(links, order, x, i, j, total):
    """Residual of a row after a forward sweep from zero: what came later."""
    total[:] = 0.0
    _gather(links, order, LATER, x, i, j, total)
    for c in range(x.shape[0]):
        for k in range(total.shape[1]):
            total[c, k] += links[i, j, 0, k + 1] * x[c, i, j, k + 2]
        total[c, 0] += links[i, j, 0, 0] * x[c, i, j, 0]


@kernel(fastmath=FAST, error_model="numpy")
def _restrict_slab(links, order, x, xs, ys, zs, coarse, lo, hi):
    """Residual after a forward sweep, weighted onto the coarse planes lo … hi − 1."""
    nx, ny = links.shape[0], links.shape[1]
    total = np.empty((x.shape[0], x.shape[3] - 2), np.float32)
    parents, weights = zs
    few = np.zeros(coarse.shape[3], np.float32)
    coarse[:, lo:hi] = 0.0
    for i in range(nx):
        inside = False
        for p in range(2):
            inside |= xs[1][p, i] > 0 and lo <= xs[0][p, i] < hi
        if not inside:
            continue
        for j in range(ny):
            _left(links, order, x, i, j, total)
            for c in range(x.shape[0]):
                few[:] = 0.0
                for k in range(total.shape[1]):
                    few[parents[0, k] + 1] += weights[0, k] * total[c, k]
                    few[parents[1, k] + 1] += weights[1, k] * total[c, k]
                for p in range(2):
                    target = xs[0][p, i]
                    if target < lo or target >= hi:
                        continue
                    for q in range(2):
                        weight = xs[1][p, i] * ys[1][q, j]
                        if weight > 0:
                            across = ys[0][q, j]
                            for k in range(1, few.size - 1):
                                coarse[c, target, across, k] += weight * few[k]


@kernel(parallel=True, error_model="numpy")
def restrict(links, order, x, xs, ys, zs, coarse, threads):
    """Weight the residual after a forward sweep from zero onto the coarse grid."""
    n = coarse.shape[1]
    if threads == 1:
        _restrict_slab(links, order, x, xs, ys, zs, coarse, 0, n)
    else:
        for t in prange(threads):
            lo, hi = t * n // threads, (t + 1) * n // threads
            _restrict_slab(links, order, x, xs, ys, zs, coarse, lo, hi)


@kernel(fastmath=FAST, error_model="numpy")
def _prolong_slab(coarse, xs, ys, zs, x, lo, hi):
    """Add the interpolated coarse correction on the planes lo … hi − 1."""
    parents, weights = zs
    few = np.zeros(coarse.shape[3], np.float32)
    for i in range(lo, hi):
        for j in range(x.shape[2]):
            for c in range(x.shape[0]):
                few[:] = 0.0
                for p in range(2):
                    for q in range(2):
                        weight = xs[1][p, i] * ys[1][q, j]
                        if weight > 0:
                            source, across = xs[0][p, i], ys[0][q, j]
                            for k in range(few.size):
                                few[k] += weight * coarse[c, source, across, k]
                for k in range(x.shape[3] - 2):
                    x[c, i, j, k + 1] += (
                        weights[0, k] * few[parents[0, k] + 1]
                        + weights[1, k] * few[parents[1, k] + 1]
                    )
                _close(x, c, i, j)


@kernel(parallel=True, error_model="numpy")
def prolong(coarse, xs, ys, zs, x, threads):
    """Add the interpolated coarse correction."""
    n = x.shape[1]
    if threads == 1:
        _prolong_slab(coarse, xs, ys, zs, x, 0, n)
    else:
        for t in prange(threads):
            _prolong_slab(coarse, xs, ys, zs, x, t * n // threads, (t + 1) * n // threads)


@kernel(fastmath=FAST, error_model="numpy")
def _subtract_slab(links, order, x, b, lo, hi):
    total = np.empty((x.shape[0], x.shape[3] - 2), np.float32)
    row = np.empty(x.shape[3] - 2, np.float32)
    for i in range(lo, hi):
        for j in range(links.shape[1]):
            total[:] = 0.0
            _gather(links, order, ALL, x, i, j, total)
            for c in range(x.shape[0]):
                _within(links, x, c, i, j, total, row)
                for k in range(row.size):
                    inverse = links[i, j, DIAGONAL, k + 1]
                    own = x[c, i, j, k + 1] / inverse if inverse > 0 else np.float32(0.0)
                    b[c, i, j, k + 1] += row[k] - own


@kernel(parallel=True, error_model="numpy")
def subtract(links, order, x, b, threads):
    """Take A x off b."""
    n = x.shape[1]
    if threads == 1:
        _subtract_slab(links, order, x, b, 0, n)
    else:
        for t in prange(threads):
            _subtract_slab(links, order, x, b, t * n // threads, (t + 1) * n // threads)


@kernel(fastmath=FAST, error_model="numpy", forceinline=True)
def _drops_following(links, i, j, o, x, p, q, total):
    """Add three links of row (i, j) times the drops to row (p, q)."""
    if x.shape[0] == 3:  # each link is read once
        for k in range(total.shape[1]):
            one, two, three = (
                links[i, j, o, k + 1],
                links[i, j, o + 1, k + 1],
                links[i, j, o + 2, k + 1],
            )
            a, b, c = x[0, i, j, k + 1], x[1, i, j, k + 1], x[2, i, j, k + 1]
            total[0, k] += (
                one * (a - x[0, p, q, k])
                + two * (a - x[0, p, q, k + 1])
                + three * (a - x[0, p, q, k + 2])
            )
            total[1, k] += (
                one * (b - x[1, p, q, k])
                + two * (b - x[1, p, q, k + 1])
                + three * (b - x[1, p, q, k + 2])
            )
            total[2, k] += (
                one * (c - x[2, p, q, k])
                + two * (c - x[2, p, q, k + 1])
                + three * (c - x[2, p, q, k + 2])
            )
        return
    for c in range(x.shape[0]):
        for k in range(total.shape[1]):
            one, two, three = (
                links[i, j, o, k + 1],
                links[i, j, o + 1, k + 1],
                links[i, j, o + 2, k + 1],
            )
            own = x[c, i, j, k + 1]
            total[c, k] += (
                one * (own - x[c, p, q, k])
                + two * (own - x[c, p, q, k + 1])
                + three * (own - x[c, p, q, k + 2])
            )


@kernel(fastmath=FAST, error_model="numpy", forceinline=True)
def _drops_preceding(links, i, j, o, x, p, q, total):
    """Add the links that row (p, q) has with row (i, j), times the drops to it."""
    if x.shape[0] == 3:  # each link is read once
        for k in range(total.shape[1]):
            one, two, three = (
                links[p, q, o + 2, k],
                links[p, q, o + 1, k + 1],
                links[p, q, o, k + 2],
            )
            a, b, c = x[0, i, j, k + 1], x[1, i, j, k + 1], x[2, i, j, k + 1]
            total[0, k] += (
                one * (a - x[0, p, q, k])
                + two * (a - x[0, p, q, k + 1])
                + three * (a - x[0, p, q, k + 2])
            )
            total[1, k] += (
                one * (b - x[1, p, q, k])
                + two * (b - x[1, p, q, k + 1])
                + three * (b - x[1, p, q, k + 2])
            )
            total[2, k] += (
                one * (c - x[2, p, q, k])
                + two * (c - x[2, p, q, k + 1])
                + three * (c - x[2, p, q, k + 2])
            )
        return
    for c in range(x.shape[0]):
        for k in range(total.shape[1]):
            one, two, three = (
                links[p, q, o + 2, k],
                links[p, q, o + 1, k + 1],
                links[p, q, o, k + 2],
            )
            own = x[c, i, j, k + 1]
            total[c, k] += (
                one * (own - x[c, p, q, k])
                + two * (own - x[c, p, q, k + 1])
                + three * (own - x[c, p, q, k + 2])
            )


@kernel(fastmath=FAST, error_model="numpy")
def _currents(links, x, i, j, total):
    """Σ g (x_i − x_j) of a row: differences, so that a constant gives zero."""
    nx, ny = links.shape[0], links.shape[1]
    jm, jp = (j - 1 if j > 0 else ny - 1), (j + 1 if j < ny - 1 else 0)
    for c in range(x.shape[0]):
        for k in range(total.shape[1]):
            own = x[c, i, j, k + 1]
            total[c, k] = links[i, j, 0, k] * (own - x[c, i, j, k])
            total[c, k] += links[i, j, 0, k + 1] * (own - x[c, i, j, k + 2])
    if ny > 1:
        _drops_following(links, i, j, 1, x, i, jp, total)
        _drops_preceding(links, i, j, 1, x, i, jm, total)
    if nx > 1:
        im, ip = (i - 1 if i > 0 else nx - 1), (i + 1 if i < nx - 1 else 0)
        _drops_following(links, i, j, 4, x, ip, jm, total)
        _drops_following(links, i, j, 7, x, ip, j, total)
        _drops_following(links, i, j, 10, x, ip, jp, total)
        _drops_preceding(links, i, j, 4, x, im, jp, total)
        _drops_preceding(links, i, j, 7, x, im, j, total)
        _drops_preceding(links, i, j, 10, x, im, jm, total)


@kernel(fastmath=FAST, error_model="numpy")
def _apply_plane(links, p, q, i, total, dots):
    dots[i] = 0.0
    for j in range(links.shape[1]):
        _currents(links, p, i, j, total)
        for c in range(p.shape[0]):
            dot = 0.0
            for k in range(total.shape[1]):
                value = total[c, k] if links[i, j, DIAGONAL, k + 1] > 0 else np.float32(0.0)
                q[c, i, j, k + 1] = value
                dot += np.float64(value) * np.float64(p[c, i, j, k + 1])
            dots[i, c] += dot


@kernel(parallel=True, error_model="numpy")
def apply(links, p, q, dots, threads):
    """Write A p into q, and p·q of each plane and column into ``dots``."""
    n = p.shape[1]
    if threads == 1:
        total = np.empty((p.shape[0], p.shape[3] - 2), np.float32)
        for i in range(n):
            _apply_plane(links, p, q, i, total, dots)
    else:
        for t in prange(threads):
            scratch = np.empty((p.shape[0], p.shape[3] - 2), np.float32)
            for i in range(t * n // threads, (t + 1) * n // threads):
                _apply_plane(links, p, q, i, scratch, dots)


@kernel(fastmath=FAST, error_model="numpy")
def _advance_plane(alpha, p, q, u, r, i, dots):
    for c in range(p.shape[0]):
        dot = 0.0
        for j in range(p.shape[2]):
            for k in range(1, p.shape[3] - 1):
                u[c, i, j, k] += alpha[c] * p[c, i, j, k]
                value = r[c, i, j, k] - alpha[c] * q[c, i, j, k]
                r[c, i, j, k] = value
                dot += value * value
        dots[i, c] = dot


@kernel(parallel=True, error_model="numpy")
def advance(alpha, p, q, u, r, squares, threads):
    """Step along p; write the squared norm of the residual of each plane and column."""
    if threads == 1:
        for i in range(p.shape[1]):
            _advance_plane(alpha, p, q, u, r, i, squares)
    else:
        for i in prange(p.shape[1]):
            _advance_plane(alpha, p, q, u, r, i, squares)


@kernel(fastmath=FAST, error_model="numpy")
def _dots_plane(r, z, q, p, i, out):
    for c in range(z.shape[0]):
        rise = along = left = 0.0
        for j in range(z.shape[2]):
            for k in range(1, z.shape[3] - 1):
                value = np.float64(z[c, i, j, k])
                rise += r[c, i, j, k] * value
                along += np.float64(q[c, i, j, k]) * value
                left += r[c, i, j, k] * np.float64(p[c, i, j, k])
        out[i, 0, c], out[i, 1, c], out[i, 2, c] = rise, along, left


@kernel(parallel=True, error_model="numpy")
def dots(r, z, q, p, out, threads):
    """Write r·z, q·z and r·p of each plane and column."""
    if threads == 1:
        for i in range(z.shape[1]):
            _dots_plane(r, z, q, p, i, out)
    else:
        for i in prange(z.shape[1]):
            _dots_plane(r, z, q, p, i, out)


@kernel(fastmath=FAST, error_model="numpy")
def _combine_plane(beta, z, p, i):
    for c in range(p.shape[0]):
        for j in range(p.shape[2]):
            for k in range(p.shape[3]):
                p[c, i, j, k] = z[c, i, j, k] + beta[c] * p[c, i, j, k]


@kernel(parallel=True, error_model="numpy")
def combine(beta, z, p, threads):
    """Write z + β p into p."""
    if threads == 1:
        for i in range(p.shape[1]):
            _combine_plane(beta, z, p, i)
    else:
        for i in prange(p.shape[1]):
            _combine_plane(beta, z, p, i)


@kernel(forceinline=True)
def _place(a, b, c):
    """Number of an offset in OFFSETS, or −1 if it points backward."""
    if a < 0 or (a == 0 and (b < 0 or (b == 0 and c < 0))):
        return -1
    if a == 1:
        return 8 + 3 * b + c
    if b == 1:
        return 2 + c
    return 0 if c == 1 else DIAGONAL


@kernel(fastmath=FAST, error_model="numpy", forceinline=True)
def _add_row(weight, row, shift, out, i, j, o):
    for k in range(out.shape[3] - 2):
        out[i, j, o, k + 1] += weight * row[k + 1 - shift]


@kernel(error_model="numpy")
def coarsen_rows(fine, inverted, axis, parents, weights, out):
    """Galerkin product with interpolation along axis 0 or 1.

    ``parents`` (2, n + 2) and ``weights`` belong to the vertices −1 … n and are not
    wrapped. ``inverted`` tells whether ``fine`` holds inverse diagonals; ``out``
    holds diagonals.
    """
    cells = (out.shape[0], out.shape[1])
    count = cells[axis]
    row = np.empty(fine.shape[3], np.float32)
    out[:] = 0.0
    for i in range(fine.shape[0]):
        for j in range(fine.shape[1]):
            at, beside = (i, j) if axis == 0 else (j, i)
            for o in range(DIAGONAL + 1):
                da, db = (OFFSETS[o, 0], OFFSETS[o, 1])
                along, across = (da, db) if axis == 0 else (db, da)
                dk = OFFSETS[o, 2]
                row[:] = fine[i, j, o]
                if o == DIAGONAL and inverted:
                    for k in range(row.size):
                        row[k] = 1 / row[k] if row[k] > 0 else 0.0
                for s in range(2):
                    for t in range(2):
                        weight = weights[s, at + 1] * weights[t, at + along + 1]
                        start, end = parents[s, at + 1], parents[t, at + along + 1]
                        hop = end - start if count > 1 else 0
                        if weight == 0 or (o == DIAGONAL and hop < 0):
                            continue
                        a, b = (hop, across) if axis == 0 else (across, hop)
                        place = _place(a, b, dk)
                        sign = -1 if (o == DIAGONAL) != (place == DIAGONAL) else 1
                        if place == DIAGONAL and o != DIAGONAL:
                            sign = -2
                        if place >= 0:
                            to, other, shift = start % count, beside, 0
                        else:
                            place = _place(-a, -b, -dk)
                            to, other, shift = end % count, beside + across, dk
                            other = other % cells[1 - axis]
                        p, q = (to, other) if axis == 0 else (other, to)
                        _add_row(np.float32(sign * weight), row, shift, out, p, q, place)
    _close_links(out)


@kernel(error_model="numpy")
def coarsen_columns(fine, parents, weights, out):
    """Galerkin product with interpolation along the rows; diagonals in and out."""
    count = out.shape[3] - 2
    out[:] = 0.0
    for i in range(fine.shape[0]):
        for j in range(fine.shape[1]):
            for o in range(DIAGONAL + 1):
                dk = OFFSETS[o, 2]
                for k in range(fine.shape[3] - 2):
                    value = fine[i, j, o, k + 1]
                    for s in range(2):
                        for t in range(2):
                            weight = weights[s, k + 1] * weights[t, k + dk + 1]
                            start, end = parents[s, k + 1], parents[t, k + dk + 1]
                            hop = end - start if count > 1 else 0
                            if weight == 0 or (o == DIAGONAL and hop < 0):
                                continue
                            place = _place(OFFSETS[o, 0], OFFSETS[o, 1], hop)
                            sign = -1 if (o == DIAGONAL) != (place == DIAGONAL) else 1
                            if place == DIAGONAL and o != DIAGONAL:
                                sign = -2
                            out[i, j, place, start % count + 1] += np.float32(sign * weight * value)
    _close_links(out)


@kernel(error_model="numpy")
def _close_links(links):
    last = links.shape[3] - 2
    for i in range(links.shape[0]):
        for j in range(links.shape[1]):
            for o in range(links.shape[2]):
                links[i, j, o, 0] = links[i, j, o, last]
                links[i, j, o, last + 1] = links[i, j, o, 1]


@kernel(error_model="numpy")
def _sum_slab(links, free, lo, hi):
    """Write inverse sums of links; zero outside ``free``, the range of each axis."""
    nx, ny, nz = links.shape[0], links.shape[1], links.shape[3] - 2
    total = np.empty(nz)
    for i in range(lo, hi):
        for j in range(ny):
            total[:] = 0.0
            for o in range(DIAGONAL):
                p, q, shift = (i - OFFSETS[o, 0]) % nx, (j - OFFSETS[o, 1]) % ny, OFFSETS[o, 2]
                for k in range(nz):
                    total[k] += np.float64(links[i, j, o, k + 1]) + links[p, q, o, k + 1 - shift]
            inside = free[0, 0] <= i < free[0, 1] and free[1, 0] <= j < free[1, 1]
            for k in range(nz):
                live = inside and free[2, 0] <= k < free[2, 1] and total[k] > 0
                links[i, j, DIAGONAL, k + 1] = 1 / total[k] if live else 0.0
            links[i, j, DIAGONAL, 0] = links[i, j, DIAGONAL, nz]
            links[i, j, DIAGONAL, nz + 1] = links[i, j, DIAGONAL, 1]


@kernel(parallel=True, error_model="numpy")
def invert_sums(links, free, threads):
    """Write inverse sums of links as inverse diagonals; zero outside ``free``."""
    n = links.shape[0]
    if threads == 1:
        _sum_slab(links, free, 0, n)
    else:
        for t in prange(threads):
            _sum_slab(links, free, t * n // threads, (t + 1) * n // threads)


@kernel(error_model="numpy")
def invert_diagonals(links):
    """Replace diagonals by their inverses, zero where there is none."""
    for i in range(links.shape[0]):
        for j in range(links.shape[1]):
            for k in range(links.shape[3]):
                value = links[i, j, DIAGONAL, k]
                links[i, j, DIAGONAL, k] = 1 / value if value > 0 else 0.0


@kernel(error_model="numpy")
def as_matrix(links):
    """Write a small operator out as a dense matrix."""
    nx, ny, nz = links.shape[0], links.shape[1], links.shape[3] - 2
    out = np.zeros((nx * ny * nz, nx * ny * nz))
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                me = (i * ny + j) * nz + k
                inverse = links[i, j, DIAGONAL, k + 1]
                if inverse == 0:
                    continue
                out[me, me] += 1 / np.float64(inverse)
                for o in range(LINKS):
                    p, q = (i + OFFSETS[o, 0]) % nx, (j + OFFSETS[o, 1]) % ny
                    r = (k + OFFSETS[o, 2]) % nz
                    other = (p * ny + q) * nz + r
                    if links[p, q, DIAGONAL, r + 1] > 0 and other != me:
                        out[me, other] -= links[i, j, o, k + 1]
                        out[other, me] -= links[i, j, o, k + 1]
    return out
