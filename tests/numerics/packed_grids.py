"""Packed grids and their matrices, put together cell by cell from what the docstrings say."""

import numpy as np

from multiscale.numerics.checkerboard import Axis
from multiscale.numerics.checkerboard_multigrid import packed_shape

SHAPES = {  # cells and ends along each axis
    "even": ((4, 6, 4), ("periodic",) * 3),
    "odd": ((5, 3, 7), ("periodic",) * 3),
    "prime": ((7, 5, 3), ("periodic",) * 3),
    "2D": ((7, 1, 10), ("periodic", "wall", "periodic")),
    "slab": ((1, 9, 5), ("periodic",) * 3),
    "two cells": ((2, 2, 2), ("periodic",) * 3),
    "row": ((1, 1, 11), ("periodic",) * 3),
    "electrodes x": ((5, 4, 3), ("electrodes", "wall", "wall")),
    "electrodes y": ((3, 6, 5), ("wall", "electrodes", "wall")),
    "electrodes z": ((4, 3, 5), ("wall", "wall", "electrodes")),
    "electrodes 2D": ((9, 1, 8), ("electrodes", "wall", "wall")),
    "one cell between electrodes": ((1, 4, 3), ("electrodes", "wall", "wall")),
}


def lay_out(cells, ends):
    return tuple(
        Axis.of(n, end, packed=a == 2) for a, (n, end) in enumerate(zip(cells, ends, strict=True))
    )


def rough(cells, decades=2.0, seed=0):
    field = 10 ** np.random.default_rng(seed).uniform(-decades, 0, cells)
    return field / field.max()


def harmonic(a, b):
    return np.divide(2 * a * b, a + b, out=np.zeros_like(a), where=a + b > 0)


def layer_links(field, axes, factors=(1.0, 1.0, 1.0)):
    """Conductance from every cell of the even grid to the next one along each axis."""
    whole = np.zeros((3, *(axis.length for axis in axes)))
    real = tuple(slice(axis.cells) for axis in axes)
    for a, (axis, factor) in enumerate(zip(axes, factors, strict=True)):
        lower, upper, weight, _ = axis.links()
        value = harmonic(field.take(lower, axis=a), field.take(upper, axis=a))
        turned = [1, 1, 1]
        turned[a] = -1
        there = list(real)
        there[a] = slice(None)
        whole[(a, *there)] = factor * value * weight.reshape(turned)
    return whole


def pack(whole):
    """Links in the order of the solver."""
    _, x, y, z = whole.shape
    links = np.zeros((6, x, y, z // 2), np.float32)
    for i, j, k in np.ndindex(x, y, z):
        colour = (i + j + k) % 2
        links[colour, i, j, k // 2] = whole[0, i, j, k]
        links[2 + colour, i, j, k // 2] = whole[1, i, j, k]
        links[4 + k % 2, i, j, k // 2] = whole[2, i, j, k]
    return links


def unpack(links):
    _, x, y, m = links.shape
    whole = np.zeros((3, x, y, 2 * m))
    for i, j, k in np.ndindex(x, y, 2 * m):
        colour = (i + j + k) % 2
        whole[0, i, j, k] = links[colour, i, j, k // 2]
        whole[1, i, j, k] = links[2 + colour, i, j, k // 2]
        whole[2, i, j, k] = links[4 + k % 2, i, j, k // 2]
    return whole


def matrix(whole):
    """Every cell a row, in C order: what flows out of it."""
    shape = whole.shape[1:]
    number = np.arange(np.prod(shape)).reshape(shape)
    out = np.zeros((number.size,) * 2)
    for a in range(3):
        following = np.roll(number, -1, axis=a)
        for one, two, value in zip(number.flat, following.flat, whole[a].flat, strict=True):
            out[one, one] += value
            out[two, two] += value
            out[one, two] -= value
            out[two, one] -= value
    return out


def places(axes):
    """Numbers of the even and of the odd cells in packed order, and of electrode cells."""
    shape = tuple(axis.length for axis in axes)
    number = np.arange(np.prod(shape)).reshape(shape)
    colours = np.zeros((2, *packed_shape(axes)), int)
    for i, j, k in np.ndindex(shape):
        colours[(i + j + k) % 2, i, j, k // 2] = number[i, j, k]
    pinned = np.zeros(shape, bool)
    for a, axis in enumerate(axes):
        if axis.ends == "electrodes":
            np.moveaxis(pinned, a, 0)[-2:] = True
    return colours[0].ravel(), colours[1].ravel(), pinned.ravel()


def schur(full, kept, gone):
    """Eliminate unknowns; those without any link drop out."""
    used = full.diagonal()[gone] > 1e-30
    gone = gone[used]
    return full[np.ix_(kept, kept)] - full[np.ix_(kept, gone)] @ np.linalg.solve(
        full[np.ix_(gone, gone)], full[np.ix_(gone, kept)]
    )


def reduced(links, axes):
    """Matrix of the odd cells with electrodes at zero."""
    full = matrix(unpack(links))
    even, odd, pinned = places(axes)
    free = ~pinned
    full *= np.outer(free, free)
    return schur(full, odd, even)


def real_cells(axes):
    """Numbers of the field's own cells, in C order, among those of the even grid."""
    shape = tuple(axis.length for axis in axes)
    number = np.arange(np.prod(shape)).reshape(shape)
    return number[tuple(slice(axis.cells) for axis in axes)].ravel()
