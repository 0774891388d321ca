"""Seven-point finite volumes with harmonic means, assembled whole and solved directly."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import spsolve


@dataclass
class Links:
    """Links between voxels; the last node stands for both electrodes, at potential zero."""

    low: np.ndarray
    up: np.ndarray
    g: np.ndarray
    step: np.ndarray  # (links, d): from low to up
    nodes: int
    volume: float

    @property
    def matrix(self):
        row = np.concatenate([self.low, self.up])
        column = np.concatenate([self.up, self.low])
        g = sparse.coo_array((np.tile(self.g, 2), (row, column)), (self.nodes,) * 2).tocsr()
        return (sparse.diags_array(g.sum(axis=1)) - g).tocsr()

    def source(self, axis):
        """Net inflow into each node under the uniform gradient."""
        flow = self.g * self.step[:, axis]
        return np.bincount(self.low, flow, self.nodes) - np.bincount(self.up, flow, self.nodes)

    def drops(self, u, axis):
        return u[self.up] - u[self.low] + self.step[:, axis]

    def deviation(self, axis):
        """Potential less the uniform gradient; one node of each part is held."""
        matrix = self.matrix
        _, part = connected_components(matrix)
        held = np.unique(part, return_index=True)[1]
        held = np.where(np.arange(len(held)) == part[-1], self.nodes - 1, held)
        free = np.setdiff1d(np.arange(self.nodes), held)
        u = np.zeros(self.nodes)
        if free.size:
            u[free] = spsolve(matrix[free][:, free].tocsc(), self.source(axis)[free])
        return u


def links(field, spacing, boundary, axis=None, through=None):
    """All links of a field, periodic or between electrodes normal to an axis."""
    field, h = np.asarray(field, float), np.asarray(spacing, float)
    number = np.arange(field.size).reshape(field.shape)
    flat = field.ravel()
    parts = []
    for a in range(field.ndim):
        n, area = field.shape[a], h.prod() / h[a]
        count = n if boundary == "periodic" else n - 1
        low = number.take(np.arange(count), axis=a).ravel()
        up = number.take(np.arange(1, count + 1) % n, axis=a).ravel()
        one, two = flat[low], flat[up]
        g = np.divide(2 * one * two, one + two, out=np.zeros_like(one), where=one + two > 0)
        g *= area / h[a]
        if through is not None:
            given = through[a].take(np.arange(count), axis=a).ravel()
            g = np.where((g > 0) & (low != up), given, g)
        step = np.zeros((low.size, field.ndim))
        step[:, a] = h[a]
        parts.append((low, up, g, step))
        if axis == a:
            ground = np.full(field.size // n, field.size)
            for low, up in (
                (ground, number.take(0, axis=a).ravel()),
                (number.take(-1, axis=a).ravel(), ground),
            ):
                inside = np.minimum(low, up)
                step = np.zeros((low.size, field.ndim))
                step[:, a] = h[a] / 2
                parts.append((low, up, 2 * flat[inside] * area / h[a], step))
    low, up, g, step = (np.concatenate(part) for part in zip(*parts, strict=True))
    keep = g > 0
    volume = field.size * h.prod()
    return Links(low[keep], up[keep], g[keep], step[keep], field.size + 1, volume)


def effective(field, spacing, boundary, through=None):
    """Effective tensor, Σ g Δ_a Δ_b over the volume."""
    d = np.ndim(field)
    tensor = np.zeros((d, d))
    if boundary == "periodic":
        found = links(field, spacing, boundary, None, through)
        drops = [found.drops(found.deviation(a), a) for a in range(d)]
        for a in range(d):
            for b in range(d):
                tensor[a, b] = (found.g * drops[a] * drops[b]).sum() / found.volume
        return tensor
    for a in range(d):
        found = links(field, spacing, boundary, a, through)
        tensor[a, a] = (found.g * found.drops(found.deviation(a), a) ** 2).sum() / found.volume
    return tensor
