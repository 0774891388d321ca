"""Compiled search for fragments, and their relaxation."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from multiscale.numerics.compiling import kernel, piece
from multiscale.numerics.planes import around

WAYS = 6
SEEN, PART_OF_BODY, PARTED = 1, 2, 4
CLOSED = 0.02
"""A direction with less of the fragment's energy is almost the same everywhere: no direction."""
ROUNDING = 1e-13
"""Below this share of what its links would give one by one, a value is rounding."""


@kernel(error_model="numpy")
def _neighbour(links, c, i, j, k, way):
    """Link of a cell along one of six ways, and the place of the neighbour in its half."""
    _, nx, ny, m = links.shape
    if way == 0:
        return links[c, i, j, k], i + 1 if i < nx - 1 else 0, j, k
    if way == 1:
        low = i - 1 if i > 0 else nx - 1
        return links[1 - c, low, j, k], low, j, k
    if way == 2:
        return links[2 + c, i, j, k], i, j + 1 if j < ny - 1 else 0, k
    if way == 3:
        low = j - 1 if j > 0 else ny - 1
        return links[3 - c, i, low, k], i, low, k
    if way == 4:
        return links[4, i, j, k], i, j, k
    if (i + j + c) & 1 == 0:
        low = k - 1 if k > 0 else m - 1
        return links[5, i, j, low], i, j, low
    return links[5, i, j, k], i, j, k + 1 if k < m - 1 else 0


@piece(error_model="numpy")
def _positive(link):
    return link if link > 0.0 else np.float32(np.inf)


@piece(error_model="numpy")
def _extremes(links, c, planes, rows, top, low):
    """Strongest and weakest link of each cell of a row; zero is none."""
    im, i, _ = planes
    jm, j, _ = rows
    m = top.size
    o = 1 - c
    for k in range(m):
        e, f, g = links[c, i, j, k], links[o, im, j, k], links[2 + c, i, j, k]
        h, p = links[2 + o, i, jm, k], links[4, i, j, k]
        top[k] = max(max(max(e, f), max(g, h)), p)
        low[k] = min(
            min(min(_positive(e), _positive(f)), min(_positive(g), _positive(h))), _positive(p)
        )
    shift = 1 if (i + j + c) & 1 == 0 else 0
    for k in range(shift, m):
        last = links[5, i, j, k - shift]
        top[k] = max(top[k], last)
        low[k] = min(low[k], _positive(last))
    if shift == 1:
        last = links[5, i, j, m - 1]
        top[0] = max(top[0], last)
        low[0] = min(low[0], _positive(last))


@kernel(error_model="numpy")
def _flood(links, inverse, top, marks, weak, largest, c, i, j, k, cells):
    """Follow strong links; return the number of cells, 0 if they belong to a larger body."""
    least = weak * top[c, i, j, k]
    for way in range(WAYS):  # most have a neighbour that is known to belong to one
        link, x, y, z = _neighbour(links, c, i, j, k, way)
        if link >= least and marks[1 - c, x, y, z] == PART_OF_BODY:
            marks[c, i, j, k] = PART_OF_BODY
            return 0
    cells[0, 0], cells[0, 1], cells[0, 2], cells[0, 3] = c, i, j, k
    marks[c, i, j, k] = SEEN
    count, head, body = 1, 0, False
    while head < count and not body:
        c, i, j, k = cells[head, 0], cells[head, 1], cells[head, 2], cells[head, 3]
        head += 1
        for way in range(WAYS):
            link, x, y, z = _neighbour(links, c, i, j, k, way)
            if link < least:
                continue
            mark = marks[1 - c, x, y, z]
            if mark == SEEN:
                continue
            if mark != PART_OF_BODY and link < weak * top[1 - c, x, y, z]:
                continue  # a better conductor's bridge to this poor one
            if mark == PART_OF_BODY or inverse[1 - c, x, y, z] == 0.0 or count == largest:
                body = True
                break
            marks[1 - c, x, y, z] = SEEN
            cells[count, 0], cells[count, 1] = 1 - c, x
            cells[count, 2], cells[count, 3] = y, z
            count += 1
    if body:
        for p in range(count):
            marks[cells[p, 0], cells[p, 1], cells[p, 2], cells[p, 3]] = PART_OF_BODY
        return 0
    return count


@piece(error_model="numpy")
def _enlist(region, total, slots, c, i, j, k):
    """Give a cell a number if it has none yet; return how many have."""
    if slots[c, i, j, k] < 0:
        slots[c, i, j, k] = total
        region[total, 0], region[total, 1], region[total, 2], region[total, 3] = c, i, j, k
        return total + 1
    return total


@kernel(error_model="numpy")
def _surround(links, inverse, top, weak, region, count, reach, most, slots):
    """Add to a fragment the poor conductor within ``reach`` cells; return their number."""
    c, i, j, k = region[0, 0], region[0, 1], region[0, 2], region[0, 3]
    least = weak * top[c, i, j, k]
    begin, end = 0, count
    for _ in range(reach):
        total = end
        for p in range(begin, end):
            c, i, j, k = region[p, 0], region[p, 1], region[p, 2], region[p, 3]
            for way in range(WAYS):
                link, x, y, z = _neighbour(links, c, i, j, k, way)
                if link == 0.0 or link >= least or total >= most:
                    continue
                if inverse[1 - c, x, y, z] > 0.0 and top[1 - c, x, y, z] < least:
                    total = _enlist(region, total, slots, 1 - c, x, y, z)
        begin, end = end, total
    return end


@kernel(error_model="numpy")
def _direction(links, inverse, region, count, total, sweeps, slots):
    """One on a fragment, and nearly harmonic in the poor conductor around it."""
    values = np.zeros(total)
    values[:count] = 1.0
    beside = np.full((total - count, WAYS), -1)
    share = np.zeros((total - count, WAYS))
    for p in range(count, total):
        c, i, j, k = region[p, 0], region[p, 1], region[p, 2], region[p, 3]
        for way in range(WAYS):
            link, x, y, z = _neighbour(links, c, i, j, k, way)
            beside[p - count, way] = slots[1 - c, x, y, z]
            share[p - count, way] = link * inverse[c, i, j, k]
    for _ in range(sweeps):
        for p in range(total - count):
            value = 0.0
            for way in range(WAYS):
                if beside[p, way] >= 0:
                    value += share[p, way] * values[beside[p, way]]
            values[count + p] = value
    alone, together = 0.0, 0.0  # energies of the fragment by itself and with what is around
    for p in range(total):
        c, i, j, k = region[p, 0], region[p, 1], region[p, 2], region[p, 3]
        for way in range(WAYS):
            link, x, y, z = _neighbour(links, c, i, j, k, way)
            q = slots[1 - c, x, y, z]
            together += link * values[p] * (values[p] - (values[q] if q >= 0 else 0.0))
            if p < count and (q < 0 or q >= count):
                alone += link
    if together < CLOSED * alone:
        values[count:] = 0.0
    return values


@piece(error_model="numpy")
def _link_sum(links, c, i, j, k):
    """Diagonal, summed anew: energies are small differences of large numbers."""
    total = 0.0
    for way in range(WAYS):
        total += np.float64(_neighbour(links, c, i, j, k, way)[0])
    return total


@kernel(error_model="numpy")
def _image(links, inverse, region, values, slots):
    """Matrix, reduced to the odd cells, times a direction.

    Returns its values on cells of the region, which grows, and their number.
    """
    direction = values.size
    total = direction
    image = np.zeros(region.shape[0])
    for p in range(direction):
        c, i, j, k = region[p, 0], region[p, 1], region[p, 2], region[p, 3]
        if c == 0:
            continue
        image[p] += values[p] * _link_sum(links, 1, i, j, k)
        for way in range(WAYS):
            link, x, y, z = _neighbour(links, 1, i, j, k, way)
            if inverse[0, x, y, z] > 0.0:
                total = _enlist(region, total, slots, 0, x, y, z)
                image[slots[0, x, y, z]] += np.float64(link) * values[p]
    touched = total
    for p in range(touched):
        c, i, j, k = region[p, 0], region[p, 1], region[p, 2], region[p, 3]
        if c == 1 or image[p] == 0.0:
            continue
        value = image[p] / _link_sum(links, 0, i, j, k)
        for way in range(WAYS):
            link, x, y, z = _neighbour(links, 0, i, j, k, way)
            if inverse[1, x, y, z] > 0.0:
                total = _enlist(region, total, slots, 1, x, y, z)
                image[slots[1, x, y, z]] -= np.float64(link) * value
    return image, total


@kernel(error_model="numpy")
def _append(links, region, values, image, total, flat, weights, image_cells, parts):
    """Append the odd cells of a direction and of its image; return its energy."""
    _, _, ny, m = links.shape
    energy, largest, scale = 0.0, 0.0, 0.0
    for p in range(values.size):
        if region[p, 0] == 0 or values[p] == 0.0:
            continue
        i, j, k = region[p, 1], region[p, 2], region[p, 3]
        flat.append((i * ny + j) * m + k)
        weights.append(values[p])
        energy += values[p] * image[p]
        diagonal = _link_sum(links, 1, i, j, k)
        largest = max(largest, values[p] * diagonal)
        scale += values[p] * values[p] * diagonal
    for p in range(total):
        if region[p, 0] == 1 and abs(image[p]) > ROUNDING * largest:
            image_cells.append((region[p, 1] * ny + region[p, 2]) * m + region[p, 3])
            parts.append(image[p])
    return energy if energy > ROUNDING * scale else 0.0


@kernel(error_model="numpy")
def _scan(links, inverse, weak, top, marks):
    """Store the strongest link of each cell; mark those with a much weaker one."""
    _, nx, ny, m = links.shape
    low = np.empty(m, np.float32)
    for c in range(2):
        for i in range(nx):
            for j in range(ny):
                _extremes(links, c, around(i, nx), around(j, ny), top[c, i, j], low)
                for k in range(m):
                    parted = low[k] < weak * top[c, i, j, k] and inverse[c, i, j, k] > 0.0
                    marks[c, i, j, k] = PARTED if parted else 0


@kernel(error_model="numpy")
def _search(links, inverse, top, marks, weak, largest):
    """List the cells of all fragments, one after the other."""
    _, nx, ny, m = links.shape
    cells = np.empty((largest, 4), np.int64)
    starts = [np.int64(0)]
    found = [(np.int64(0), np.int64(0), np.int64(0), np.int64(0))]
    found.clear()
    for c in range(2):
        for i in range(nx):
            for j in range(ny):
                for k in range(m):
                    if marks[c, i, j, k] != PARTED:
                        continue
                    count = _flood(links, inverse, top, marks, weak, largest, c, i, j, k, cells)
                    if count < 2:
                        continue
                    for p in range(count):
                        cell = (cells[p, 0], cells[p, 1], cells[p, 2], cells[p, 3])
                        found.append(cell)
                    starts.append(np.int64(len(found)))
    return starts, found


@kernel(error_model="numpy")
def _outline(links, inverse, top, weak, cells, reach, sweeps, room, slots):
    """Cells of a fragment's direction and of its image, how many, and both their values."""
    region = np.empty((min(38 * room, slots.size), 4), np.int64)
    count = len(cells)
    for p in range(count):
        c, i, j, k = cells[p]
        _enlist(region, p, slots, c, i, j, k)
    total = _surround(links, inverse, top, weak, region, count, reach, room, slots)
    values = _direction(links, inverse, region, count, total, sweeps, slots)
    image, total = _image(links, inverse, region, values, slots)
    for p in range(total):
        slots[region[p, 0], region[p, 1], region[p, 2], region[p, 3]] = -1
    return region, total, values, image


@kernel(error_model="numpy")
def _shorten(values, size):
    while len(values) > size:
        values.pop()


@kernel(error_model="numpy")
def find(links, inverse, weak, largest, surrounded, reach, sweeps, most):
    """Find parts of at most ``largest`` cells that only weak links join to the rest.

    Those of at least ``surrounded`` cells take up to ``most`` cells within ``reach`` along.
    """
    shape = inverse.shape
    top, marks = np.empty(shape, np.float32), np.empty(shape, np.uint8)
    _scan(links, inverse, weak, top, marks)
    bounds, found = _search(links, inverse, top, marks, weak, largest)
    starts, image_starts, some = [np.int64(0)], [np.int64(0)], [0.0]
    flat, image_cells = starts[1:], starts[1:]  # empty, but of a known type
    weights, image, energy = some[1:], some[1:], some[1:]
    slots = np.full(shape, -1, np.int32) if len(bounds) > 1 else np.empty((0, 0, 0, 0), np.int32)
    for f in range(len(bounds) - 1):
        cells = found[bounds[f] : bounds[f + 1]]
        near, times, room = 0, 0, len(cells)
        if len(cells) >= surrounded:
            near, times, room = reach, sweeps, max(most, len(cells))
        region, total, values, parts = _outline(
            links, inverse, top, weak, cells, near, times, room, slots
        )
        value = _append(links, region, values, parts, total, flat, weights, image_cells, image)
        if value > 0.0:
            energy.append(value)
            starts.append(np.int64(len(flat)))
            image_starts.append(np.int64(len(image)))
        else:
            _shorten(flat, starts[-1])
            _shorten(weights, starts[-1])
            _shorten(image, image_starts[-1])
            _shorten(image_cells, image_starts[-1])
    own = (np.array(starts), np.array(flat), np.array(weights))
    return *own, np.array(image_starts), np.array(image_cells), np.array(image), np.array(energy)


@kernel(error_model="numpy")
def relax_before(directions, residual):
    """Move fragment after fragment to balance; change the residual, and keep what it was.

    ``directions`` are what :func:`find` returns.
    """
    starts, cells, weights, image_starts, image_cells, image, energy = directions
    kept = np.empty(image.size)
    for p in range(image.size):
        kept[p] = residual[image_cells[p]]
    steps = np.zeros(energy.size)
    for f in range(energy.size):
        total = 0.0
        for p in range(starts[f], starts[f + 1]):
            total += weights[p] * residual[cells[p]]
        steps[f] = total / energy[f]
        for p in range(image_starts[f], image_starts[f + 1]):
            residual[image_cells[p]] -= steps[f] * image[p]
    return steps, kept


@kernel(error_model="numpy")
def relax_after(directions, steps, kept, residual, scale, result, last):
    """Balance the fragments again, in reverse; add all steps and restore the residual."""
    starts, cells, weights, image_starts, image_cells, image, energy = directions
    dot, other = 0.0, 0.0
    for f in range(energy.size):
        for p in range(image_starts[f], image_starts[f + 1]):
            dot += steps[f] * image[p] * result[image_cells[p]]  # the cycle saw less
    again = np.zeros(energy.size)
    for f in range(energy.size - 1, -1, -1):
        total = 0.0
        for p in range(starts[f], starts[f + 1]):
            total += weights[p] * scale * residual[cells[p]]
        for p in range(image_starts[f], image_starts[f + 1]):
            total -= image[p] * result[image_cells[p]]
        again[f] = total / energy[f]
        for p in range(starts[f], starts[f + 1]):
            result[cells[p]] += weights[p] * again[f]
    for p in range(image.size):
        residual[image_cells[p]] = kept[p]
    for f in range(energy.size):
        step = scale * steps[f] + again[f]
        for p in range(starts[f], starts[f + 1]):
            result[cells[p]] += weights[p] * scale * steps[f]
            dot += weights[p] * step * residual[cells[p]]
            other += weights[p] * step * last[cells[p]]
    return dot, other
