"""Compiled sweeps over packed checkerboard grids.

Arrays of one colour have the shape (X, Y, M). ``links`` has the shape (6, X, Y,
M): two for each axis. Along x, ``links[c]`` joins the cell of colour c to the
next layer; along y, ``links[2 + c]``; along rows, ``links[4]`` joins the two
cells of a pair and ``links[5]`` the second of a pair to the first of the next
pair. All links join different colours.

Planes are worked off one after the other with a few planes of scratch in ring
buffers, so that both colours of a sweep, and what follows from it, need each
array once. A range of planes can be done by itself: the planes next to it are
done again rather than shared.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import prange

from multiscale.numerics.compiling import kernel

FAST = {"contract", "reassoc", "nsz", "arcp"}
RING = 4
PARALLEL_FROM = 20_000
"""Levels of fewer cells are swept by one thread."""
FIELDS = {"shape": 0, "starts": 4, "count": 12}
"""Columns of the table of coarse levels."""


@kernel(fastmath=FAST, error_model="numpy", forceinline=True)
def _gather(links, c, v, here, below, above, i, im, j, jm, jp, out):
    """Sum links times neighbours for a row of colour c; v holds the other colour.

    ``here``, ``below`` and ``above`` are the planes i, i − 1 and i + 1 in v.
    """
    m = v.shape[2]
    o = 1 - c
    for k in range(m):
        out[k] = (
            links[c, i, j, k] * v[above, j, k]
            + links[o, im, j, k] * v[below, j, k]
            + links[2 + c, i, j, k] * v[here, jp, k]
            + links[2 + o, i, jm, k] * v[here, jm, k]
            + links[4, i, j, k] * v[here, j, k]
        )
    if (i + j + c) & 1 == 0:  # the first of its pair
        for k in range(m - 1):
            out[k + 1] += links[5, i, j, k] * v[here, j, k]
        out[0] += links[5, i, j, m - 1] * v[here, j, m - 1]
    else:
        for k in range(m - 1):
            out[k] += links[5, i, j, k] * v[here, j, k + 1]
        out[m - 1] += links[5, i, j, m - 1] * v[here, j, 0]


@kernel(fastmath=FAST, error_model="numpy", forceinline=True)
def _row_sum(links, c, i, im, j, jm, out):
    """Sum the links of a row of colour c, in double precision."""
    m = links.shape[3]
    o = 1 - c
    for k in range(m):
        out[k] = (
            np.float64(links[c, i, j, k])
            + links[o, im, j, k]
            + links[2 + c, i, j, k]
            + links[2 + o, i, jm, k]
            + links[4, i, j, k]
        )
    if (i + j + c) & 1 == 0:
        for k in range(m - 1):
            out[k + 1] += links[5, i, j, k]
        out[0] += links[5, i, j, m - 1]
    else:
        for k in range(m):
            out[k] += links[5, i, j, k]


@kernel(error_model="numpy")
def _inverse_slab(links, tiny, inverse, first, last):
    _, nx, ny, m = links.shape
    total = np.empty(m)
    for i in range(first, last):
        im = i - 1 if i > 0 else nx - 1
        for j in range(ny):
            jm = j - 1 if j > 0 else ny - 1
            for c in range(2):
                _row_sum(links, c, i, im, j, jm, total)
                for k in range(m):
                    inverse[c, i, j, k] = 1.0 / total[k] if total[k] > tiny else 0.0


@kernel(error_model="numpy")
def sum_links(links, sums):
    """Sum the links of every cell."""
    _, nx, ny, _ = links.shape
    for i in range(nx):
        im = i - 1 if i > 0 else nx - 1
        for j in range(ny):
            jm = j - 1 if j > 0 else ny - 1
            for c in range(2):
                _row_sum(links, c, i, im, j, jm, sums[c, i, j])


@kernel(parallel=True, error_model="numpy")
def inverse_diagonal(links, tiny, inverse, threads):
    """Fill 1/Σ links of both colours; zero where a cell has next to none."""
    nx = links.shape[1]
    if threads == 1:
        _inverse_slab(links, tiny, inverse, 0, nx)
    else:
        for t in prange(threads):
            _inverse_slab(links, tiny, inverse, t * nx // threads, (t + 1) * nx // threads)


@kernel(fastmath=FAST, error_model="numpy")
def _product_slab(links, inverse, p, q, first, last):
    """Apply the matrix, reduced to the odd cells; return p·q of planes first … last − 1."""
    nx, ny, m = p.shape
    ring = np.empty((RING, ny, m))
    total, diagonal = np.empty(m), np.empty(m)
    dot = 0.0
    for step in range(first - 1, last + 1):
        i = step % nx
        im, ip = (i - 1) % nx, (i + 1) % nx
        slot = (step + 1) % RING
        for j in range(ny):
            jm, jp = j - 1 if j > 0 else ny - 1, j + 1 if j < ny - 1 else 0
            _gather(links, 0, p, i, im, ip, i, im, j, jm, jp, total)
            _row_sum(links, 0, i, im, j, jm, diagonal)
            for k in range(m):
                rough = np.float64(inverse[0, i, j, k])  # one Newton step to double precision
                ring[slot, j, k] = total[k] * (rough * (2.0 - diagonal[k] * rough))
        if step <= first:
            continue
        i = (step - 1) % nx
        im = (i - 1) % nx
        here, below = step % RING, (step - 1) % RING
        for j in range(ny):
            jm, jp = j - 1 if j > 0 else ny - 1, j + 1 if j < ny - 1 else 0
            _gather(links, 1, ring, here, below, slot, i, im, j, jm, jp, total)
            _row_sum(links, 1, i, im, j, jm, diagonal)
            for k in range(m):
                value = diagonal[k] * p[i, j, k] - total[k]
                value = value if inverse[1, i, j, k] > 0.0 else 0.0
                q[i, j, k] = value
                dot += value * p[i, j, k]
    return dot


@kernel(parallel=True, error_model="numpy")
def product(links, inverse, p, q, threads):
    """Apply the reduced matrix, q = S p; return p·q."""
    nx = p.shape[0]
    if threads == 1:
        return _product_slab(links, inverse, p, q, 0, nx)
    parts = np.zeros(threads)
    for t in prange(threads):
        parts[t] = _product_slab(links, inverse, p, q, t * nx // threads, (t + 1) * nx // threads)
    return parts.sum()


@kernel(fastmath=FAST, error_model="numpy")
def _advance_slab(u, p, r, q, alpha, first, last):
    _, ny, m = u.shape
    total = 0.0
    for i in range(first, last):
        for j in range(ny):
            for k in range(m):
                u[i, j, k] += alpha * p[i, j, k]
                value = r[i, j, k] - alpha * q[i, j, k]
                r[i, j, k] = value
                total += value * value
    return total


@kernel(parallel=True, error_model="numpy")
def advance(u, p, r, q, alpha, threads):
    """Step along p: u += α p, r −= α q; return r·r."""
    nx = u.shape[0]
    if threads == 1:
        return _advance_slab(u, p, r, q, alpha, 0, nx)
    parts = np.zeros(threads)
    for t in prange(threads):
        parts[t] = _advance_slab(u, p, r, q, alpha, t * nx // threads, (t + 1) * nx // threads)
    return parts.sum()


@kernel(fastmath=FAST, error_model="numpy")
def _turn_slab(p, z, scale, beta, first, last):
    _, ny, m = p.shape
    for i in range(first, last):
        for j in range(ny):
            for k in range(m):
                p[i, j, k] = scale * z[i, j, k] + beta * p[i, j, k]


@kernel(parallel=True, error_model="numpy")
def turn(p, z, scale, beta, threads):
    """Take the next direction, p = scale z + β p."""
    nx = p.shape[0]
    if threads == 1:
        _turn_slab(p, z, scale, beta, 0, nx)
    else:
        for t in prange(threads):
            _turn_slab(p, z, scale, beta, t * nx // threads, (t + 1) * nx // threads)


@kernel(fastmath=FAST, error_model="numpy", forceinline=True)
def _start_plane(inverse, b, scale, x, again, i, ring, slot):
    """Put the odd cells' values before a sweep into a ring: b/diagonal, or what is there."""
    _, ny, m = b.shape
    for j in range(ny):
        if again:
            for k in range(m):
                ring[slot, j, k] = x[i, j, k]
        else:
            for k in range(m):
                ring[slot, j, k] = inverse[1, i, j, k] * np.float32(scale * b[i, j, k])


@kernel(fastmath=FAST, error_model="numpy", forceinline=True)
def _even_plane(links, inverse, even, both, odd, here, below, above, i, im, ring, slot, total):
    """Relax the even cells of a plane into a ring."""
    ny, m = ring.shape[1:]
    for j in range(ny):
        jm, jp = j - 1 if j > 0 else ny - 1, j + 1 if j < ny - 1 else 0
        _gather(links, 0, odd, here, below, above, i, im, j, jm, jp, total)
        if both:
            for k in range(m):
                ring[slot, j, k] = inverse[0, i, j, k] * (total[k] + even[i, j, k])
        else:
            for k in range(m):
                ring[slot, j, k] = inverse[0, i, j, k] * total[k]


@kernel(fastmath=FAST, error_model="numpy")
def _down_slab(  # noqa: C901
    links, inverse, b, scale, even, both, x, again, starts, halves, coarse, first, last
):
    """Sweep odd → even from x; put what is left, summed, on coarse planes first … last − 1."""
    nx, ny, m = b.shape
    odd = np.empty((RING, ny, m), np.float32)
    ring = np.empty((RING, ny, m), np.float32)
    total, joined = np.empty(m, np.float32), np.empty(m, np.float32)
    x_starts, y_starts, factor = starts
    lo, hi = x_starts[first], x_starts[last]
    for c in range(2):
        coarse[c, first:last] = 0.0
    if lo == hi:
        return
    for step in range(lo - 2, lo):
        _start_plane(inverse, b, scale, x, again, step % nx, odd, (step + 2) % RING)
    parent = first
    for step in range(lo - 1, hi + 1):  # even plane `step`, then the residual of the one before
        i = step % nx
        _start_plane(inverse, b, scale, x, again, (step + 1) % nx, odd, (step + 3) % RING)
        _even_plane(
            links,
            inverse,
            even,
            both,
            odd,
            (step + 2) % RING,
            (step + 1) % RING,
            (step + 3) % RING,
            i,
            (i - 1) % nx,
            ring,
            (step + 2) % RING,
            total,
        )
        if step <= lo:
            continue
        i = step - 1
        while i >= x_starts[parent + 1]:
            parent += 1
        for coarse_j in range(y_starts.size - 1):
            for j in range(y_starts[coarse_j], y_starts[coarse_j + 1]):
                jm, jp = j - 1 if j > 0 else ny - 1, j + 1 if j < ny - 1 else 0
                _gather(
                    links,
                    1,
                    ring,
                    (step + 1) % RING,
                    step % RING,
                    (step + 2) % RING,
                    i,
                    (i - 1) % nx,
                    j,
                    jm,
                    jp,
                    total,
                )
                if again:
                    for k in range(m):
                        d = inverse[1, i, j, k]
                        total[k] = total[k] + b[i, j, k] - x[i, j, k] / d if d > 0.0 else 0.0
                if factor == 1:
                    c = (parent + coarse_j + i + j + 1) & 1
                    for k in range(halves):
                        coarse[c, parent, coarse_j, k] += total[k]
                elif j == y_starts[coarse_j]:
                    for k in range(m):
                        joined[k] = total[k]
                else:
                    for k in range(m):
                        joined[k] += total[k]
            if factor == 2 and y_starts[coarse_j] < y_starts[coarse_j + 1]:
                c = (parent + coarse_j) & 1
                for k in range(halves // 2):
                    coarse[c, parent, coarse_j, k] += joined[2 * k]
                    coarse[1 - c, parent, coarse_j, k] += joined[2 * k + 1]
                if halves & 1:
                    coarse[c, parent, coarse_j, halves // 2] += joined[halves - 1]


@kernel(parallel=True, error_model="numpy")
def down(links, inverse, b, scale, even, both, x, again, starts, halves, coarse, threads):
    """Pre-smooth, and restrict the residual to the next level."""
    n = starts[0].size - 1
    if threads == 1:
        _down_slab(links, inverse, b, scale, even, both, x, again, starts, halves, coarse, 0, n)
    else:
        for t in prange(threads):
            _down_slab(
                links,
                inverse,
                b,
                scale,
                even,
                both,
                x,
                again,
                starts,
                halves,
                coarse,
                t * n // threads,
                (t + 1) * n // threads,
            )


@kernel(fastmath=FAST, error_model="numpy", forceinline=True)
def _corrected_plane(inverse, b, scale, x, again, i, parents, halves, coarse, odd, slot, row):
    """Odd cells before the sweep plus the coarse correction, into a ring."""
    x_parent, y_parent, factor = parents
    _start_plane(inverse, b, scale, x, again, i, odd, slot)
    ny = odd.shape[1]
    ci = x_parent[i]
    for j in range(ny):
        cj = y_parent[j]
        if factor == 1:
            c = (ci + cj + i + j + 1) & 1
            for k in range(halves):
                odd[slot, j, k] += coarse[c, ci, cj, k]
        else:
            c = (ci + cj) & 1
            for k in range(halves // 2):
                row[2 * k] = coarse[c, ci, cj, k]
                row[2 * k + 1] = coarse[1 - c, ci, cj, k]
            if halves & 1:
                row[halves - 1] = coarse[c, ci, cj, halves // 2]
            for k in range(halves):
                odd[slot, j, k] += row[k]


@kernel(fastmath=FAST, error_model="numpy")
def _up_slab(
    links,
    inverse,
    b,
    scale,
    even,
    both,
    x,
    again,
    parents,
    halves,
    coarse,
    out,
    out_even,
    keep,
    last_q,
    measure,
    first,
    last,
):
    """Correct, sweep even → odd; return out·b and out·last_q."""
    nx, ny, m = b.shape
    odd = np.empty((RING, ny, m), np.float32)
    ring = np.empty((RING, ny, m), np.float32)
    total, row = np.empty(m, np.float32), np.empty(m, np.float32)
    dot, other = 0.0, 0.0
    for step in range(first - 2, first):
        _corrected_plane(
            inverse,
            b,
            scale,
            x,
            again,
            step % nx,
            parents,
            halves,
            coarse,
            odd,
            (step + 2) % RING,
            row,
        )
    for step in range(first - 1, last + 1):
        i = step % nx
        _corrected_plane(
            inverse,
            b,
            scale,
            x,
            again,
            (step + 1) % nx,
            parents,
            halves,
            coarse,
            odd,
            (step + 3) % RING,
            row,
        )
        _even_plane(
            links,
            inverse,
            even,
            both,
            odd,
            (step + 2) % RING,
            (step + 1) % RING,
            (step + 3) % RING,
            i,
            (i - 1) % nx,
            ring,
            (step + 2) % RING,
            total,
        )
        if keep and first <= step < last:
            for j in range(ny):
                for k in range(m):
                    out_even[i, j, k] = ring[(step + 2) % RING, j, k]
        if step <= first:
            continue
        i = step - 1
        for j in range(ny):
            jm, jp = j - 1 if j > 0 else ny - 1, j + 1 if j < ny - 1 else 0
            _gather(
                links,
                1,
                ring,
                (step + 1) % RING,
                step % RING,
                (step + 2) % RING,
                i,
                (i - 1) % nx,
                j,
                jm,
                jp,
                total,
            )
            for k in range(m):
                value = inverse[1, i, j, k] * (total[k] + np.float32(scale * b[i, j, k]))
                out[i, j, k] = value
            if measure:
                for k in range(m):
                    dot += out[i, j, k] * b[i, j, k]
                    other += out[i, j, k] * last_q[i, j, k]
    return dot, other


@kernel(parallel=True, error_model="numpy")
def up(
    links,
    inverse,
    b,
    scale,
    even,
    both,
    x,
    again,
    parents,
    halves,
    coarse,
    out,
    out_even,
    keep,
    last_q,
    measure,
    threads,
):
    """Correct from the next level and post-smooth; return out·b and out·last_q."""
    n = b.shape[0]
    if threads == 1:
        return _up_slab(
            links,
            inverse,
            b,
            scale,
            even,
            both,
            x,
            again,
            parents,
            halves,
            coarse,
            out,
            out_even,
            keep,
            last_q,
            measure,
            0,
            n,
        )
    dots, others = np.zeros(threads), np.zeros(threads)
    for t in prange(threads):
        dots[t], others[t] = _up_slab(
            links,
            inverse,
            b,
            scale,
            even,
            both,
            x,
            again,
            parents,
            halves,
            coarse,
            out,
            out_even,
            keep,
            last_q,
            measure,
            t * n // threads,
            (t + 1) * n // threads,
        )
    return dots.sum(), others.sum()


@kernel(error_model="numpy")
def add_coarse_links(links, xs, ys, zs, x_parent, y_parent, z_parent, factors, coarse):  # noqa: C901
    """Sum the links between coarse cells, each axis times its factor.

    ``xs`` … say to which link each adds what share.
    """
    _, nx, ny, m = links.shape
    _, big_x, big_y, half = coarse.shape
    coarse[:] = 0.0
    row = np.empty(2 * m, np.float32)
    for i in range(nx):
        for j in range(ny):
            even = (i + j) & 1
            for way in range(2):
                slots, weights, after = xs if way == 0 else ys
                own = i if way == 0 else j
                slot = slots[own]
                if slot < 0:
                    continue
                ci, cj = x_parent[i], y_parent[j]
                for turn in range(2):
                    share = factors[way] * (weights[own] if turn == 0 else after[own])
                    if share == 0.0:
                        continue
                    if way == 0:
                        ci = (slot + turn) % big_x
                    else:
                        cj = (slot + turn) % big_y
                    for k in range(m):
                        row[2 * k + even] = links[2 * way, i, j, k]
                        row[2 * k + 1 - even] = links[2 * way + 1, i, j, k]
                    for k in range(2 * m):
                        big = z_parent[k]
                        coarse[2 * way + ((ci + cj + big) & 1), ci, cj, big // 2] += share * row[k]
            ci, cj = x_parent[i], y_parent[j]
            slots, weights, after = zs
            for k in range(2 * m):
                slot = slots[k]
                if slot < 0:
                    continue
                value = factors[2] * links[4 + (k & 1), i, j, k // 2]
                coarse[4 + (slot & 1), ci, cj, slot // 2] += weights[k] * value
                if after[k] > 0.0:
                    slot = (slot + 1) % (2 * half)
                    coarse[4 + (slot & 1), ci, cj, slot // 2] += after[k] * value


@kernel(error_model="numpy")
def _arrays(pool, table, depth):
    """Views of one level: links, inverse, right-hand side, solution, spare."""
    start, nx, ny, m = table[depth, 0], table[depth, 1], table[depth, 2], table[depth, 3]
    n = nx * ny * m
    links = pool[start : start + 6 * n].reshape((6, nx, ny, m))
    inverse = pool[start + 6 * n : start + 8 * n].reshape((2, nx, ny, m))
    rhs = pool[start + 8 * n : start + 10 * n].reshape((2, nx, ny, m))
    solution = pool[start + 10 * n : start + 12 * n].reshape((2, nx, ny, m))
    spare = pool[start + 12 * n : start + 13 * n].reshape((nx, ny, m))
    return links, inverse, rhs, solution, spare


@kernel(fastmath=FAST, error_model="numpy")
def _multiply(matrix, x, y):
    for i in range(y.size):
        total = np.float32(0.0)
        for j in range(x.size):
            total += matrix[i, j] * x[j]
        y[i] = total


@kernel(error_model="numpy")
def coarse_cycle(pool, table, numbers, direct, threads):
    """Two cycles on every level, one after the other: a W-cycle; the last is solved."""
    levels = table.shape[0]
    visits = np.zeros(levels, np.int64)
    depth = 0
    while True:
        links, inverse, rhs, solution, spare = _arrays(pool, table, depth)
        if depth == levels - 1:
            _multiply(direct, rhs.ravel(), solution.ravel())
        else:
            again = visits[depth] > 0
            first, halves, factor = table[depth, 4:8], table[depth, 11], table[depth, 10]
            starts = (
                numbers[first[0] : first[0] + first[1]],
                numbers[first[2] : first[2] + first[3]],
                factor,
            )
            below = _arrays(pool, table, depth + 1)[2]
            shared = threads if rhs.size > PARALLEL_FROM else 1
            down(
                links,
                inverse,
                rhs[1],
                np.float32(1.0),
                rhs[0],
                True,
                spare,
                again,
                starts,
                halves,
                below,
                shared,
            )
            depth += 1
            visits[depth] = 0
            continue
        while True:  # go up until a level wants its second visit
            if depth == 0:
                return
            depth -= 1
            links, inverse, rhs, solution, spare = _arrays(pool, table, depth)
            again = visits[depth] > 0
            halves, factor = table[depth, 11], table[depth, 10]
            x, y = table[depth, 8], table[depth, 9]
            parents = (numbers[x : x + rhs.shape[1]], numbers[y : y + rhs.shape[2]], factor)
            coarse = _arrays(pool, table, depth + 1)[3]
            shared = threads if rhs.size > PARALLEL_FROM else 1
            up(
                links,
                inverse,
                rhs[1],
                np.float32(1.0),
                rhs[0],
                True,
                spare,
                again,
                parents,
                halves,
                coarse,
                solution[1] if again else spare,
                solution[0],
                again,
                rhs[1],
                False,
                shared,
            )
            visits[depth] += 1
            if visits[depth] < 2:
                break
