"""Compiled search for fragments, and their relaxation."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

WAYS = 6
SEEN, PART_OF_BODY = 1, 2
ROUNDING = 1e-13
"""Below this share of what its links would give one by one, a value is rounding."""


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
def _strongest(links, c, i, j, k):
    strongest = np.float32(0.0)
    for way in range(WAYS):
        strongest = max(strongest, _neighbour(links, c, i, j, k, way)[0])
    return strongest


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _is_weak(link, least):
    return 0.0 < link < least


@njit(cache=True, nogil=True, error_model="numpy")
def _flood(links, inverse, marks, weak, largest, c, i, j, k, cells):
    """Follow strong links; return the number of cells, 0 if they belong to a larger body."""
    least = weak * _strongest(links, c, i, j, k)
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
            if mark == 0 and link < weak * _strongest(links, 1 - c, x, y, z):
                continue  # a better conductor's bridge to this poor one
            if mark == PART_OF_BODY or inverse[1 - c, x, y, z] == 0.0 or count == largest:
                body = True
                break
            if mark == 0:
                marks[1 - c, x, y, z] = SEEN
                cells[count, 0], cells[count, 1] = 1 - c, x
                cells[count, 2], cells[count, 3] = y, z
                count += 1
    if body:
        for p in range(count):
            marks[cells[p, 0], cells[p, 1], cells[p, 2], cells[p, 3]] = PART_OF_BODY
        return 0
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _surround(links, inverse, weak, cells, count, reach, most, places, region):
    """List a fragment and the poor conductor within ``reach`` cells of it."""
    _, nx, ny, m = links.shape
    c, i, j, k = cells[0, 0], cells[0, 1], cells[0, 2], cells[0, 3]
    least = weak * _strongest(links, c, i, j, k)
    for p in range(count):
        c, i, j, k = cells[p, 0], cells[p, 1], cells[p, 2], cells[p, 3]
        places[((c * nx + i) * ny + j) * m + k] = p
        region[p] = cells[p]
    begin, end = 0, count
    for _ in range(reach):
        total = end
        for p in range(begin, end):
            c, i, j, k = region[p, 0], region[p, 1], region[p, 2], region[p, 3]
            for way in range(WAYS):
                link, x, y, z = _neighbour(links, c, i, j, k, way)
                if link == 0.0 or link >= least or total == most:
                    continue
                number = (((1 - c) * nx + x) * ny + y) * m + z
                if number in places or inverse[1 - c, x, y, z] == 0.0:
                    continue
                if _strongest(links, 1 - c, x, y, z) >= least:
                    continue  # another good conductor
                places[number] = total
                region[total, 0], region[total, 1] = 1 - c, x
                region[total, 2], region[total, 3] = y, z
                total += 1
        begin, end = end, total
    return end


@njit(cache=True, nogil=True, error_model="numpy")
def _direction(links, inverse, weak, cells, count, reach, sweeps, most):
    """One on a fragment, and nearly harmonic in the poor conductor around it."""
    _, nx, ny, m = links.shape
    places = {np.int64(0): np.int64(0)}
    places.clear()
    region = np.empty((max(most, count), 4), np.int64)
    total = _surround(links, inverse, weak, cells, count, reach, most, places, region)
    values = np.zeros(total)
    values[:count] = 1.0
    beside = np.full((total - count, WAYS), -1)
    share = np.zeros((total - count, WAYS))
    for p in range(count, total):
        c, i, j, k = region[p, 0], region[p, 1], region[p, 2], region[p, 3]
        for way in range(WAYS):
            link, x, y, z = _neighbour(links, c, i, j, k, way)
            number = (((1 - c) * nx + x) * ny + y) * m + z
            if link > 0.0 and number in places:
                beside[p - count, way] = places[number]
                share[p - count, way] = link * inverse[c, i, j, k]
    for _ in range(sweeps):
        for p in range(total - count):
            value = 0.0
            for way in range(WAYS):
                if beside[p, way] >= 0:
                    value += share[p, way] * values[beside[p, way]]
            values[count + p] = value
    return region[:total], values


@njit(cache=True, nogil=True, error_model="numpy")
def _image(  # noqa: C901
    links, inverse, region, values, flat, weights, image_cells, image
):
    """Matrix, reduced to the odd cells, times a direction; return its energy."""
    _, _, ny, m = links.shape
    even, odd = {np.int64(0): 0.0}, {np.int64(0): 0.0}
    even.clear()
    odd.clear()
    largest, scale = 0.0, 0.0
    for p in range(values.size):
        c, i, j, k = region[p, 0], region[p, 1], region[p, 2], region[p, 3]
        if c == 0 or values[p] == 0.0:
            continue
        number = (i * ny + j) * m + k
        flat.append(number)
        weights.append(values[p])
        diagonal = 0.0  # summed anew: the energy is a small difference of large numbers
        for way in range(WAYS):
            link, x, y, z = _neighbour(links, 1, i, j, k, way)
            other = (x * ny + y) * m + z
            even[other] = even.get(other, 0.0) + np.float64(link) * values[p]
            diagonal += np.float64(link)
        odd[number] = odd.get(number, 0.0) + values[p] * diagonal
        largest = max(largest, values[p] * diagonal)
        scale += values[p] * values[p] * diagonal
    for other, inflow in even.items():
        i, rest = other // (ny * m), other % (ny * m)
        j, k = rest // m, rest % m
        if inverse[0, i, j, k] == 0.0 or inflow == 0.0:
            continue
        diagonal = 0.0
        for way in range(WAYS):
            diagonal += np.float64(_neighbour(links, 0, i, j, k, way)[0])
        value = inflow / diagonal
        for way in range(WAYS):
            link, x, y, z = _neighbour(links, 0, i, j, k, way)
            if inverse[1, x, y, z] > 0.0:
                number = (x * ny + y) * m + z
                odd[number] = odd.get(number, 0.0) - link * value
    energy = 0.0
    for p in range(values.size):
        if region[p, 0] == 1 and values[p] != 0.0:
            energy += values[p] * odd[(region[p, 1] * ny + region[p, 2]) * m + region[p, 3]]
    for number, value in odd.items():
        if abs(value) > ROUNDING * largest:
            image_cells.append(number)
            image.append(value)
    return energy if energy > ROUNDING * scale else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def find(links, inverse, weak, largest, surrounded, reach, sweeps, most):
    """Find parts of at most ``largest`` cells that only weak links join to the rest.

    Those of at least ``surrounded`` cells take up to ``most`` cells within ``reach`` along.
    """
    _, nx, ny, m = links.shape
    marks = np.zeros((2, nx, ny, m), np.uint8)
    cells = np.empty((largest, 4), np.int64)
    starts, flat, weights = [np.int64(0)], [np.int64(0)], [0.0]
    image_starts, image_cells, image = [np.int64(0)], [np.int64(0)], [0.0]
    energy = [0.0]
    flat.clear()
    weights.clear()
    image_cells.clear()
    image.clear()
    energy.clear()
    for c in range(2):
        for i in range(nx):
            im = i - 1 if i > 0 else nx - 1
            for j in range(ny):
                jm = j - 1 if j > 0 else ny - 1
                shift = 1 if (i + j + c) & 1 == 0 else 0
                for k in range(m):
                    low = k - shift if k >= shift else m - 1
                    a, b, d = links[c, i, j, k], links[1 - c, im, j, k], links[2 + c, i, j, k]
                    e, f, g = links[3 - c, i, jm, k], links[4, i, j, k], links[5, i, j, low]
                    top = max(max(a, b, d), max(e, f, g))
                    least = weak * top
                    parted = _is_weak(a, least) or _is_weak(b, least) or _is_weak(d, least)
                    parted |= _is_weak(e, least) or _is_weak(f, least) or _is_weak(g, least)
                    if not parted:
                        continue
                    if marks[c, i, j, k] != 0 or inverse[c, i, j, k] == 0.0:
                        continue
                    count = _flood(links, inverse, marks, weak, largest, c, i, j, k, cells)
                    if count < 2:
                        continue
                    near = reach if count >= surrounded else 0
                    region, values = _direction(
                        links, inverse, weak, cells, count, near, sweeps if near else 0, most
                    )
                    value = _image(
                        links, inverse, region, values, flat, weights, image_cells, image
                    )
                    if value > 0.0:
                        energy.append(value)
                        starts.append(np.int64(len(flat)))
                        image_starts.append(np.int64(len(image)))
                    else:
                        for _ in range(len(flat) - starts[-1]):
                            flat.pop()
                            weights.pop()
                        for _ in range(len(image) - image_starts[-1]):
                            image.pop()
                            image_cells.pop()
    return (
        np.array(starts),
        np.array(flat),
        np.array(weights),
        np.array(image_starts),
        np.array(image_cells),
        np.array(image),
        np.array(energy),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def relax_before(starts, cells, weights, image_starts, image_cells, image, energy, residual):
    """Move fragment after fragment to balance; change the residual, and keep what it was."""
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


@njit(cache=True, nogil=True, error_model="numpy")
def relax_after(
    starts,
    cells,
    weights,
    image_starts,
    image_cells,
    image,
    energy,
    steps,
    kept,
    residual,
    scale,
    result,
    last,
):
    """Balance the fragments again, in reverse; add all steps and restore the residual."""
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
