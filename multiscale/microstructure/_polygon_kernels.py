"""Corners of plane convex polygons in space."""

import numpy as np

from multiscale.numerics.compiling import kernel


@kernel()
def polygon_order(facet, point, normal):  # type: ignore[no-untyped-def]
    """Sort the corners of each facet about their mean; return the means and the order.

    Corners of one facet follow one another. Angles count from the direction at right angles
    to the normal and to the axis it is least along.
    """
    mean = np.zeros(normal.shape)
    order = np.arange(facet.size)
    angle = np.empty(facet.size)
    along, across = np.empty(3), np.empty(3)
    start = 0
    while start < facet.size:
        f = facet[start]
        end = start
        while end < facet.size and facet[end] == f:
            for a in range(3):
                mean[f, a] += point[end, a]
            end += 1
        for a in range(3):
            mean[f, a] /= end - start
        least = np.argmin(np.abs(normal[f]))
        p, q = (least + 1) % 3, (least + 2) % 3
        along[least], along[p], along[q] = 0.0, -normal[f, q], normal[f, p]
        along /= np.sqrt(along[p] ** 2 + along[q] ** 2)
        for a in range(3):
            b, c = (a + 1) % 3, (a + 2) % 3
            across[a] = normal[f, b] * along[c] - normal[f, c] * along[b]
        for i in range(start, end):
            x, y = 0.0, 0.0
            for a in range(3):
                arm = point[i, a] - mean[f, a]
                x += arm * along[a]
                y += arm * across[a]
            turn = np.arctan2(y, x)
            place = i
            while place > start and angle[place - 1] > turn:
                angle[place], order[place] = angle[place - 1], order[place - 1]
                place -= 1
            angle[place], order[place] = turn, i
        start = end
    return mean, order
