"""What the flux-solver benchmark solves: fields, and the matrix that matrix solvers get.

Unit voxels, the first axis driven with a mean gradient of one.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

import multiscale as ms
from multiscale.transport.islands import carriers

PER_GRAIN = 16
"""Voxels along the mean grain."""
SECOND = {"10": 1e-1, "1e3": 1e-3, "1e6": 1e-6, "insulating": 0.0}
"""Coefficient of the second phase by name of the contrast; the first has one."""
POLYCRYSTAL, NOISE = "polycrystal", "voxel noise"


@dataclass(frozen=True)
class Problem:
    """One row: a structure, a contrast and a boundary condition."""

    structure: str
    contrast: str
    boundary: str

    @property
    def name(self):
        return f"{self.structure}, {self.contrast}, {self.boundary}"


PROBLEMS = [
    *(Problem(POLYCRYSTAL, c, b) for b in ("dirichlet", "periodic") for c in SECOND),
    Problem(NOISE, "1e3", "dirichlet"),
]


def crystal(n):
    """Periodic Voronoi polycrystal, half of it second phase, 16 voxels a grain."""
    return ms.polycrystal(max(8, round((n / PER_GRAIN) ** 3)), (1.0,) * 3, {"A": 0.5, "B": 0.5}, 1)


def field(n, structure, contrast):
    """Coefficients of n³ voxels."""
    values = np.array([1.0, SECOND[contrast]])
    if structure == NOISE:
        return values[np.random.default_rng(1).integers(0, 2, (n,) * 3, dtype=np.int8)]
    made = crystal(n)
    return values[np.asarray(made.phases)][made.labels((n,) * 3)]


def ends_of(boundary):
    """What lies behind the last voxel of each axis."""
    return ("periodic",) * 3 if boundary == "periodic" else ("electrodes", "wall", "wall")


class System:
    """The seven-point matrix of the deviation x from a uniform gradient: A x = b.

    Harmonic means between voxels, half a voxel to an electrode: the same unknowns and
    equations that the package solves. Voxels that carry no current are left out.
    """

    def __init__(self, coefficients, boundary):
        self.shape, self.periodic = coefficients.shape, boundary == "periodic"
        mask = carriers(coefficients, ends_of(boundary)).mask
        k = coefficients if mask is None else coefficients * mask
        number = np.full(k.shape, -1, np.int32)
        self.live = k > 0
        number[self.live] = np.arange(self.live.sum(), dtype=np.int32)
        self.n = int(self.live.sum())
        first, second, links, drops = [], [], [], []
        for axis in range(3):
            g, there = self._links(k, axis)
            on = g > 0
            first.append(number[on])
            second.append(there(number)[on])
            links.append(g[on])
            drops.append(np.full(int(on.sum()), float(axis == 0)))
        i, j, g, d = map(np.concatenate, (first, second, links, drops))
        self._first, self._second, self._g, self._drop = i, j, g, d
        self.ends = np.zeros(self.n)
        if not self.periodic:
            for layer in (0, -1):
                on = number[layer] >= 0
                self.ends[number[layer][on]] += 2 * k[layer][on]
        diagonal = np.bincount(i, g, self.n) + np.bincount(j, g, self.n) + self.ends
        rows = np.concatenate([i, j, np.arange(self.n, dtype=np.int32)])
        columns = np.concatenate([j, i, np.arange(self.n, dtype=np.int32)])
        self.A = sp.csr_matrix((np.concatenate([-g, -g, diagonal]), (rows, columns)))
        self.b = np.bincount(i, g * d, self.n) - np.bincount(j, g * d, self.n)
        self.constant = float((g * d).sum())
        if not self.periodic:
            half = np.zeros(self.n)
            for layer, sign in ((0, -1.0), (-1, 1.0)):
                on = number[layer] >= 0
                half[number[layer][on]] += sign * 0.5 * 2 * k[layer][on]
                self.constant += float(0.5 * k[layer][on].sum())
            self.b += half

    def _links(self, k, axis):
        """Conductance to the next voxel and what shifts an array there."""

        def there(a):
            return np.roll(a, -1, axis) if self.periodic else np.delete(a, 0, axis)

        def here(a):
            return a if self.periodic else np.delete(a, -1, axis)

        one, two = here(k), there(k)
        total = one + two
        g = np.divide(2 * one * two, total, out=np.zeros_like(total), where=total > 0)
        if self.periodic:
            return g, there
        padded = np.zeros(self.shape)
        padded[tuple(slice(0, s) for s in g.shape)] = g
        return padded, lambda a: np.roll(a, -1, axis)

    def energy(self, x):
        """D_eff from the energy of the field."""
        total = self.constant - 2 * float(x @ self.b) + float(x @ (self.A @ x))
        return total / float(np.prod(self.shape))

    def residual(self, x):
        """Residual relative to that of the uniform gradient."""
        return float(np.linalg.norm(self.b - self.A @ x) / np.linalg.norm(self.b))

    def spread(self, x):
        """(largest − smallest)/mean flux through the planes normal to the driven axis."""
        layer = np.nonzero(self.live)[0]
        across = self._drop > 0
        i, j = self._first[across], self._second[across]
        current = self._g[across] * (1 + x[j] - x[i])
        flux = np.bincount(layer[i], current, self.shape[0])
        flux = flux if self.periodic else flux[:-1]
        return float(np.ptp(flux) / abs(flux.mean()))
