"""Compiled sweeps over packed checkerboard grids.

Arrays of one colour have the shape (X, Y, M). ``links`` has the shape (6, X, Y,
M): two for each axis. Along x, ``links[c]`` joins the cell of colour c to the
next layer; along y, ``links[2 + c]``; along rows, ``links[4]`` joins the two
cells of a pair and ``links[5]`` the second of a pair to the first of the next
pair. All links join different colours.

Planes are worked off one after the other with a few planes of scratch in rings,
so that both colours of a sweep, and what follows from it, need each array once.
A ``_slab`` does one part of the planes, ``_slabs`` a part a thread.

Tuples that go together:

``sweep``
    links, inverse, right-hand side of the odd cells, factor on it, right-hand side
    of the even cells, whether there is one, odd cells before the sweep, and whether
    they are given (else they start from nothing).
``blocks``
    First layer of each coarse layer along x and along y, cells joined along rows,
    and how many places of a row take part.
``parents``
    Coarse layer of each layer along x and along y, and the last two of ``blocks``.
``result``
    Odd cells, even cells and whether to store those, another vector, whether to
    measure, and the scalar products of the odd cells with their right-hand side and
    with that vector, (2, parts).
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from multiscale.numerics.compiling import kernel, piece
from multiscale.numerics.planes import RING, around, run, slots, span

FloatArray = NDArray[np.float64]
SingleArray = NDArray[np.float32]
Together = tuple[Any, ...]

FAST = {"contract", "reassoc", "nsz", "arcp"}
PARALLEL_FROM = 20_000
"""Levels of fewer cells are swept by one thread."""
FIELDS = {"shape": 0, "starts": 4, "count": 12}
"""Columns of the table of coarse levels."""


@piece(fastmath=FAST, error_model="numpy")
def _gather(links, c, v, ring, planes, rows, out):
    """Sum links times neighbours for a row of colour c; v holds the other colour.

    ``planes`` and ``rows`` are those before, here and after; ``ring`` says where v
    has these planes.
    """
    below, here, above = ring
    im, i, _ = planes
    jm, j, jp = rows
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


@piece(fastmath=FAST, error_model="numpy")
def _row_sum(links, c, planes, rows, out):
    """Sum the links of a row of colour c, in double precision."""
    im, i, _ = planes
    jm, j, _ = rows
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
def sum_links(links, sums):
    """Sum the links of every cell."""
    _, nx, ny, _ = links.shape
    for i in range(nx):
        for j in range(ny):
            for c in range(2):
                _row_sum(links, c, around(i, nx), around(j, ny), sums[c, i, j])


@kernel(error_model="numpy")
def _inverse_slab(links, tiny, inverse, part, parts):
    _, nx, ny, m = links.shape
    total = np.empty(m)
    first, last = span(nx, part, parts)
    for i in range(first, last):
        for j in range(ny):
            for c in range(2):
                _row_sum(links, c, around(i, nx), around(j, ny), total)
                for k in range(m):
                    inverse[c, i, j, k] = 1.0 / total[k] if total[k] > tiny else 0.0


@kernel(parallel=True, error_model="numpy")
def _inverse_slabs(links, tiny, inverse, threads):
    for t in prange(threads):
        _inverse_slab(links, tiny, inverse, np.int64(t), threads)


def inverse_diagonal(links: SingleArray, tiny: float, inverse: SingleArray, threads: int) -> None:
    """Fill 1/Σ links of both colours; zero where a cell has next to none."""
    run(_inverse_slab, _inverse_slabs, (links, tiny, inverse), threads)


@piece(fastmath=FAST, error_model="numpy")
def _even_product(links, inverse, p, planes, scratch, out):
    """Even cells that follow from the odd ones of a plane."""
    total, diagonal = scratch
    i = planes[1]
    ny, m = out.shape
    for j in range(ny):
        rows = around(j, ny)
        _gather(links, 0, p, planes, planes, rows, total)
        _row_sum(links, 0, planes, rows, diagonal)
        for k in range(m):
            rough = np.float64(inverse[0, i, j, k])  # one Newton step to double precision
            out[j, k] = total[k] * (rough * (2.0 - diagonal[k] * rough))


@kernel(fastmath=FAST, error_model="numpy")
def _product_slab(links, inverse, p, q, dots, part, parts):
    nx, ny, m = p.shape
    ring = np.empty((RING, ny, m))
    total, diagonal = np.empty(m), np.empty(m)
    dot = 0.0
    first, last = span(nx, part, parts)
    for step in range(first - 1, last + 1):
        scratch = (total, diagonal)
        _even_product(links, inverse, p, around(step % nx, nx), scratch, ring[slots(step)[1]])
        if step <= first:
            continue
        i = step - 1
        for j in range(ny):
            rows = around(j, ny)
            _gather(links, 1, ring, slots(i), around(i, nx), rows, total)
            _row_sum(links, 1, around(i, nx), rows, diagonal)
            for k in range(m):
                value = diagonal[k] * p[i, j, k] - total[k]
                value = value if inverse[1, i, j, k] > 0.0 else 0.0
                q[i, j, k] = value
                dot += value * p[i, j, k]
    dots[part] = dot


@kernel(parallel=True, error_model="numpy")
def _product_slabs(links, inverse, p, q, dots, threads):
    for t in prange(threads):
        _product_slab(links, inverse, p, q, dots, np.int64(t), threads)


def product(
    links: SingleArray, inverse: SingleArray, p: FloatArray, q: FloatArray, threads: int
) -> float:
    """Apply the matrix, reduced to the odd cells, q = S p; return p·q."""
    dots = np.zeros(threads)
    run(_product_slab, _product_slabs, (links, inverse, p, q, dots), threads)
    return float(dots.sum())


@kernel(fastmath=FAST, error_model="numpy")
def _advance_slab(u, p, r, q, alpha, squares, part, parts):
    nx, ny, m = u.shape
    total = 0.0
    first, last = span(nx, part, parts)
    for i in range(first, last):
        for j in range(ny):
            for k in range(m):
                u[i, j, k] += alpha * p[i, j, k]
                value = r[i, j, k] - alpha * q[i, j, k]
                r[i, j, k] = value
                total += value * value
    squares[part] = total


@kernel(parallel=True, error_model="numpy")
def _advance_slabs(u, p, r, q, alpha, squares, threads):
    for t in prange(threads):
        _advance_slab(u, p, r, q, alpha, squares, np.int64(t), threads)


def advance(
    u: FloatArray, p: FloatArray, r: FloatArray, q: FloatArray, alpha: float, threads: int
) -> float:
    """Step along p: u += α p, r −= α q; return r·r."""
    squares = np.zeros(threads)
    run(_advance_slab, _advance_slabs, (u, p, r, q, alpha, squares), threads)
    return float(squares.sum())


@kernel(fastmath=FAST, error_model="numpy")
def _turn_slab(p, z, scale, beta, part, parts):
    nx, ny, m = p.shape
    first, last = span(nx, part, parts)
    for i in range(first, last):
        for j in range(ny):
            for k in range(m):
                p[i, j, k] = scale * z[i, j, k] + beta * p[i, j, k]


@kernel(parallel=True, error_model="numpy")
def _turn_slabs(p, z, scale, beta, threads):
    for t in prange(threads):
        _turn_slab(p, z, scale, beta, np.int64(t), threads)


def turn(p: FloatArray, z: SingleArray, scale: float, beta: float, threads: int) -> None:
    """Take the next direction, p = scale z + β p."""
    run(_turn_slab, _turn_slabs, (p, z, scale, beta), threads)


@piece(fastmath=FAST, error_model="numpy")
def _start_plane(sweep, i, out):
    """Odd cells of a plane before a sweep: b/diagonal, or what is there."""
    _, inverse, b, scale, _, _, x, again = sweep
    ny, m = out.shape
    for j in range(ny):
        if again:
            for k in range(m):
                out[j, k] = x[i, j, k]
        else:
            for k in range(m):
                out[j, k] = inverse[1, i, j, k] * np.float32(scale * b[i, j, k])


@piece(fastmath=FAST, error_model="numpy")
def _even_plane(sweep, odd, step, total, out):
    """Relax the even cells of a plane."""
    links, inverse, b, _, even, both, _, _ = sweep
    planes, ring = around(step % b.shape[0], b.shape[0]), slots(step)
    i = planes[1]
    ny, m = out.shape
    for j in range(ny):
        _gather(links, 0, odd, ring, planes, around(j, ny), total)
        if both:
            for k in range(m):
                out[j, k] = inverse[0, i, j, k] * (total[k] + even[i, j, k])
        else:
            for k in range(m):
                out[j, k] = inverse[0, i, j, k] * total[k]


@piece(fastmath=FAST, error_model="numpy")
def _left_row(sweep, ring, i, j, total):
    """Residual of a row of odd cells, after the even ones were relaxed."""
    links, inverse, b, _, _, _, x, again = sweep
    nx, ny, m = b.shape
    _gather(links, 1, ring, slots(i), around(i, nx), around(j, ny), total)
    if again:
        for k in range(m):
            d = inverse[1, i, j, k]
            total[k] = total[k] + b[i, j, k] - x[i, j, k] / d if d > 0.0 else 0.0


@piece(fastmath=FAST, error_model="numpy")
def _add_pairs(joined, halves, coarse, parent, big):
    """Sum a joined row into a coarse one."""
    c = (parent + big) & 1
    for k in range(halves // 2):
        coarse[c, parent, big, k] += joined[2 * k]
        coarse[1 - c, parent, big, k] += joined[2 * k + 1]
    if halves & 1:
        coarse[c, parent, big, halves // 2] += joined[halves - 1]


@piece(fastmath=FAST, error_model="numpy")
def _restrict_plane(sweep, blocks, ring, i, parent, scratch, coarse):
    """Sum what is left of a plane into coarse plane ``parent``."""
    _, y_starts, factor, halves = blocks
    total, joined = scratch
    for big in range(y_starts.size - 1):
        first, last = y_starts[big], y_starts[big + 1]
        for j in range(first, last):
            _left_row(sweep, ring, i, j, total)
            if factor == 1:
                c = (parent + big + i + j + 1) & 1
                for k in range(halves):
                    coarse[c, parent, big, k] += total[k]
            elif j == first:
                for k in range(total.size):
                    joined[k] = total[k]
            else:
                for k in range(total.size):
                    joined[k] += total[k]
        if factor == 2 and first < last:
            _add_pairs(joined, halves, coarse, parent, big)


@kernel(fastmath=FAST, error_model="numpy")
def _down_slab(sweep, blocks, coarse, part, parts):
    """Sweep odd → even from x; put what is left, summed, on a part of the coarse planes."""
    nx, ny, m = sweep[2].shape
    x_starts = blocks[0]
    first, last = span(x_starts.size - 1, part, parts)
    lo, hi = x_starts[first], x_starts[last]
    coarse[0, first:last] = 0.0
    coarse[1, first:last] = 0.0
    if lo == hi:
        return
    odd = np.empty((RING, ny, m), np.float32)
    ring = np.empty((RING, ny, m), np.float32)
    scratch = (np.empty(m, np.float32), np.empty(m, np.float32))
    parent = first
    for step in range(lo - 3, hi + 1):
        _start_plane(sweep, (step + 1) % nx, odd[(step + 3) % RING])
        if step < lo - 1:
            continue
        _even_plane(sweep, odd, step, scratch[0], ring[slots(step)[1]])
        if step <= lo:
            continue
        while step - 1 >= x_starts[parent + 1]:
            parent += 1
        _restrict_plane(sweep, blocks, ring, step - 1, parent, scratch, coarse)


@kernel(parallel=True, error_model="numpy")
def _down_slabs(sweep, blocks, coarse, threads):
    for t in prange(threads):
        _down_slab(sweep, blocks, coarse, np.int64(t), threads)


def down(sweep: Together, blocks: Together, coarse: SingleArray, threads: int) -> None:
    """Pre-smooth, and restrict the residual to the next level."""
    run(_down_slab, _down_slabs, (sweep, blocks, coarse), threads)


@piece(fastmath=FAST, error_model="numpy")
def _correct_plane(parents, coarse, i, row, out):
    """Add the coarse correction to the odd cells of a plane."""
    x_parent, y_parent, factor, halves = parents
    ci = x_parent[i]
    for j in range(out.shape[0]):
        cj = y_parent[j]
        if factor == 1:
            c = (ci + cj + i + j + 1) & 1
            for k in range(halves):
                out[j, k] += coarse[c, ci, cj, k]
        else:
            c = (ci + cj) & 1
            for k in range(halves // 2):
                row[2 * k] = coarse[c, ci, cj, k]
                row[2 * k + 1] = coarse[1 - c, ci, cj, k]
            if halves & 1:
                row[halves - 1] = coarse[c, ci, cj, halves // 2]
            for k in range(halves):
                out[j, k] += row[k]


@piece(fastmath=FAST, error_model="numpy")
def _odd_plane(sweep, result, ring, i, total):
    """Relax the odd cells of a plane; return their products with b and another vector."""
    links, inverse, b, scale, _, _, _, _ = sweep
    out, _, _, last_q, measure, _ = result
    nx, ny, m = b.shape
    dot, other = 0.0, 0.0
    for j in range(ny):
        _gather(links, 1, ring, slots(i), around(i, nx), around(j, ny), total)
        for k in range(m):
            out[i, j, k] = inverse[1, i, j, k] * (total[k] + np.float32(scale * b[i, j, k]))
        if measure:
            for k in range(m):
                dot += out[i, j, k] * b[i, j, k]
                other += out[i, j, k] * last_q[i, j, k]
    return dot, other


@kernel(fastmath=FAST, error_model="numpy")
def _up_slab(sweep, parents, coarse, result, part, parts):
    """Correct, sweep even → odd; return out·b and out·last_q."""
    _, out_even, keep, _, measure, dots = result
    nx, ny, m = sweep[2].shape
    odd = np.empty((RING, ny, m), np.float32)
    ring = np.empty((RING, ny, m), np.float32)
    total, row = np.empty(m, np.float32), np.empty(m, np.float32)
    dot, other = 0.0, 0.0
    first, last = span(nx, part, parts)
    for step in range(first - 3, last + 1):
        new = odd[(step + 3) % RING]
        _start_plane(sweep, (step + 1) % nx, new)
        _correct_plane(parents, coarse, (step + 1) % nx, row, new)
        if step < first - 1:
            continue
        even = ring[slots(step)[1]]
        _even_plane(sweep, odd, step, total, even)
        if keep and first <= step < last:
            for j in range(ny):
                for k in range(m):
                    out_even[step, j, k] = even[j, k]
        if step > first:
            more, rest = _odd_plane(sweep, result, ring, step - 1, total)
            dot += more
            other += rest
    if measure:
        dots[0, part], dots[1, part] = dot, other


@kernel(parallel=True, error_model="numpy")
def _up_slabs(sweep, parents, coarse, result, threads):
    for t in prange(threads):
        _up_slab(sweep, parents, coarse, result, np.int64(t), threads)


def up(
    sweep: Together, parents: Together, coarse: SingleArray, result: Together, threads: int
) -> None:
    """Correct from the next level and post-smooth."""
    run(_up_slab, _up_slabs, (sweep, parents, coarse, result), threads)


@piece(error_model="numpy")
def _add_across(links, way, i, j, xs, ys, z_parent, factor, row, coarse):
    """Sum the links of a row along x or y into those of the next level."""
    table, own = (xs, i) if way == 0 else (ys, j)
    slot = table[0][own]
    if slot < 0:
        return
    even = (i + j) & 1
    for k in range(links.shape[3]):
        row[2 * k + even] = links[2 * way, i, j, k]
        row[2 * k + 1 - even] = links[2 * way + 1, i, j, k]
    for turn in range(2):
        share = factor * (table[1][own] if turn == 0 else table[2][own])
        if share == 0.0:
            continue
        ci, cj = xs[3][i], ys[3][j]
        if way == 0:
            ci = (slot + turn) % coarse.shape[1]
        else:
            cj = (slot + turn) % coarse.shape[2]
        for k in range(row.size):
            big = z_parent[k]
            coarse[2 * way + ((ci + cj + big) & 1), ci, cj, big // 2] += share * row[k]


@kernel(error_model="numpy")
def add_coarse_links(links, xs, ys, zs, factors, coarse):
    """Sum the links between coarse cells, each axis times its factor.

    ``xs`` … hold for each layer of an axis the coarse link that its link adds to, the
    share of that, the share of the one after it, and the coarse layer that it joins.
    """
    _, nx, ny, m = links.shape
    whole = 2 * coarse.shape[3]
    coarse[:] = 0.0
    row = np.empty(2 * m, np.float32)
    into, weights, after, z_parent = zs
    for i in range(nx):
        for j in range(ny):
            for way in range(2):
                _add_across(links, way, i, j, xs, ys, z_parent, factors[way], row, coarse)
            ci, cj = xs[3][i], ys[3][j]
            for k in range(2 * m):
                slot = into[k]
                if slot < 0:
                    continue
                value = factors[2] * links[4 + (k & 1), i, j, k // 2]
                coarse[4 + (slot & 1), ci, cj, slot // 2] += weights[k] * value
                if after[k] > 0.0:
                    slot = (slot + 1) % whole
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


@kernel(error_model="numpy")
def _sweep(pool, table, depth, again):
    """What sweeps on a coarse level take."""
    links, inverse, rhs, _, spare = _arrays(pool, table, depth)
    return links, inverse, rhs[1], np.float32(1.0), rhs[0], True, spare, again


@kernel(error_model="numpy")
def _way_down(pool, table, numbers, depth):
    """Blocks of a level, and the right-hand side of the next."""
    x, nx, y, ny = table[depth, 4], table[depth, 5], table[depth, 6], table[depth, 7]
    blocks = (numbers[x : x + nx], numbers[y : y + ny], table[depth, 10], table[depth, 11])
    return blocks, _arrays(pool, table, depth + 1)[2]


@kernel(error_model="numpy")
def _way_up(pool, table, numbers, depth, again):
    """Parents of a level, the solution of the next, and where the result goes."""
    x, y = table[depth, 8], table[depth, 9]
    nx, ny = table[depth, 1], table[depth, 2]
    parents = (numbers[x : x + nx], numbers[y : y + ny], table[depth, 10], table[depth, 11])
    _, _, rhs, solution, spare = _arrays(pool, table, depth)
    out = solution[1] if again else spare
    result = (out, solution[0], again, rhs[1], False, np.zeros((2, 0)))
    return parents, _arrays(pool, table, depth + 1)[3], result


@kernel(fastmath=FAST, error_model="numpy")
def _multiply(matrix, x, y):
    for i in range(y.size):
        total = np.float32(0.0)
        for j in range(x.size):
            total += matrix[i, j] * x[j]
        y[i] = total


@kernel(error_model="numpy")
def coarse_cycle(pool, table, numbers, direct, threads):
    """Two cycles on every level, one after the other: a W-cycle; the last is solved.

    ``threads`` is None for one: then nothing is compiled for several.
    """
    levels = table.shape[0]
    visits = np.zeros(levels, np.int64)
    part, parts = np.int64(0), np.int64(1)  # of one thread
    depth = 0
    while True:
        while depth < levels - 1:
            sweep = _sweep(pool, table, depth, visits[depth] > 0)
            blocks, below = _way_down(pool, table, numbers, depth)
            if threads is None or 2 * sweep[2].size <= PARALLEL_FROM:
                _down_slab(sweep, blocks, below, part, parts)
            else:
                _down_slabs(sweep, blocks, below, threads)
            depth += 1
            visits[depth] = 0
        _, _, rhs, solution, _ = _arrays(pool, table, depth)
        _multiply(direct, rhs.ravel(), solution.ravel())
        visits[depth] = 2
        while visits[depth] == 2:  # go up until a level wants its second visit
            if depth == 0:
                return
            depth -= 1
            sweep = _sweep(pool, table, depth, visits[depth] > 0)
            parents, coarse, result = _way_up(pool, table, numbers, depth, visits[depth] > 0)
            if threads is None or 2 * sweep[2].size <= PARALLEL_FROM:
                _up_slab(sweep, parents, coarse, result, part, parts)
            else:
                _up_slabs(sweep, parents, coarse, result, threads)
            visits[depth] += 1
