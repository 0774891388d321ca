"""Problems whose effective diffusivity is known exactly, as objects.

A problem builds its field or crystal at any resolution and says what the answer
is. Where the scheme is exact on the voxels ``error`` is rounding and solver
tolerance; elsewhere a problem declares the order at which the error falls. The
tests cross the problems with boundary conditions, spacings and discretisations.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from multiscale.microstructure import Polycrystal

ISOTROPIC = (1.0, 1.0, 1.0)
ANISOTROPIC = (1.0, 0.4, 1.7)


def wiener_means(values, fractions):
    """Series and parallel means; exactly zero in series with an insulator."""
    values, fractions = np.asarray(values, float), np.asarray(fractions, float)
    series = 0.0 if (values == 0).any() else 1 / (fractions / values).sum()
    return series, fractions @ values


@dataclass(frozen=True)
class FieldProblem:
    """A scalar field on ``cells`` whose tensor no discretisation error touches."""

    name: str
    field: np.ndarray
    tensor: np.ndarray
    error: float = 1e-10

    @property
    def dimension(self):
        return self.field.ndim


def uniform(dimension):
    return FieldProblem(
        f"uniform-{dimension}d",
        np.full((5, 6, 4)[:dimension], 3e-12),
        3e-12 * np.eye(dimension),
    )


def laminate(dimension, axis, values, thickness):
    """Layers normal to ``axis``; series across, parallel along (Wiener 1912)."""
    shape = [4, 5, 3][:dimension]
    shape[axis] = sum(thickness)
    column = np.repeat(np.asarray(values, float), thickness)
    turned = column.reshape([-1 if a == axis else 1 for a in range(dimension)])
    series, parallel = wiener_means(values, np.asarray(thickness) / sum(thickness))
    tensor = np.diag([series if a == axis else parallel for a in range(dimension)])
    label = "/".join(f"{value:g}" for value in values)
    return FieldProblem(
        f"laminate-{dimension}d-{'xyz'[axis]}-{label}",
        np.array(np.broadcast_to(turned, shape)),
        tensor,
    )


def channels(dimension):
    """Straight channels of two widths and coefficients along x, dead ends beside them.

    The channels carry 1 and 3 in parallel; stubs that leave them and islands that touch
    nothing carry no current.
    """
    field = np.zeros((7, 9, 5)[:dimension])
    field[:, 1] = 1.0
    field[:, 4] = 3.0
    field[2, 2] = 5.0  # a stub on the first channel
    field[5, 6:8] = 2.0  # an island
    if dimension == 3:
        field[..., 1::2] = 0.0
        field[5, 7, 1] = 9.0  # a single voxel, connected to the island by an edge only
    share = 1 / 9 * (3 / 5 if dimension == 3 else 1)
    tensor = np.zeros((dimension, dimension))
    tensor[0, 0] = 4 * share
    return FieldProblem(f"channels-along-x-{dimension}d", field, tensor)


def checkerboard_of_voids(dimension):
    """Voxels that meet at edges and corners alone: nothing conducts."""
    parity = sum(np.indices((6, 4, 8)[:dimension])) % 2
    return FieldProblem(
        f"corners-only-{dimension}d", parity.astype(float), np.zeros((dimension, dimension))
    )


FIELDS = [
    *(uniform(d) for d in (2, 3)),
    *(laminate(d, a, (1.0, 100.0), (2, 4)) for d in (2, 3) for a in range(d)),
    laminate(2, 0, (2.0, 0.1, 10.0), (1, 3, 2)),
    laminate(3, 2, (2.0, 0.1, 10.0), (1, 3, 2)),
    *(laminate(d, a, (1.0, 0.0), (3, 2)) for d, a in ((2, 0), (2, 1), (3, 1))),
    channels(2),
    channels(3),
]


def tensor_laminate(first, second, fraction, axis):
    """Effective tensor of layers of two tensors, normal to ``axis``.

    The normal flux and the tangential gradient are the same in both layers, which leaves
    averages of 1/K_nn, K_tn/K_nn and K_tt − K_tn K_nt/K_nn: Milton, The Theory of
    Composites (2002), ch. 9, 10.1017/CBO9780511613357.
    """
    weights = (fraction, 1 - fraction)
    rest = [a for a in range(len(first)) if a != axis]
    inverse = sum(w / k[axis, axis] for w, k in zip(weights, (first, second), strict=True))
    slope = sum(
        w * k[rest, axis] / k[axis, axis] for w, k in zip(weights, (first, second), strict=True)
    )
    schur = sum(
        w * (k[np.ix_(rest, rest)] - np.outer(k[rest, axis], k[rest, axis]) / k[axis, axis])
        for w, k in zip(weights, (first, second), strict=True)
    )
    out = np.empty_like(first)
    out[axis, axis] = 1 / inverse
    out[rest, axis] = out[axis, rest] = slope / inverse
    out[np.ix_(rest, rest)] = schur + np.outer(slope, slope) / inverse
    return out


def positive_tensor(dimension, seed):
    """A random symmetric positive definite tensor of condition about ten."""
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.standard_normal((dimension, dimension)))
    return q @ np.diag(np.geomspace(1.0, 10.0, dimension)) @ q.T


@dataclass(frozen=True)
class ConvergingProblem:
    """A scalar field that voxels can only approach.

    ``field(n)`` has n voxels along the shortest feature; the error falls as n**(−order).
    """

    name: str
    field: Callable[[int], np.ndarray]
    value: float
    order: float


def _squares(n, contrast):
    place = np.arange(2 * n) // n
    return np.where((place[:, None] + place[None]) % 2 == 0, contrast, 1.0)


def checkerboard(contrast):
    """Two-dimensional checkerboard, √(k1 k2): Dykhne, Sov. Phys. JETP 32, 63 (1971).

    At the corners the potential goes as r^λ; potential and flux match between quadrants
    if tan(πλ/4)² = k2/k1, and an energy then converges as h^2λ.
    """
    exponent = 4 / np.pi * np.arctan(1 / np.sqrt(contrast))
    return ConvergingProblem(
        f"checkerboard-{contrast:g}",
        partial(_squares, contrast=contrast),
        np.sqrt(contrast),
        2 * exponent,
    )


LATTICES = {
    "simple cubic": [(0, 0, 0)],
    "body-centred": [(0, 0, 0), (0.5, 0.5, 0.5)],
    "face-centred": [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)],
}
SUPERCONDUCTING = 1e6
"""Stands for k = ∞; the difference is of the order 1e-6."""
SPHERES = {  # array: volume fraction, {k: conductivity for a matrix of one}
    "simple cubic": (0.3, {1e6: 2.3329, 100: 2.2746, 10: 1.8877, 0.1: 0.65629, 0: 0.60566}),
    "body-centred": (0.4, {1e6: 3.0351, 100: 2.9349, 10: 2.2970, 0.1: 0.55998, 0: 0.49846}),
    "face-centred": (0.4, {1e6: 3.0230, 100: 2.9242, 10: 2.2933, 0.1: 0.56022, 0: 0.49881}),
}
"""Multipole expansion of periodic arrays of spheres with Ewald sums; the leading terms
are those of Sangani & Acrivos, Proc. R. Soc. A 386, 263 (1983), 10.1098/rspa.1983.0036."""


def sphere_octant(array, conductivity, n):
    """One octant of the cubic cell, n voxels along its edge (2 n along the cell's).

    By mirror symmetry fixed potentials on two faces and no flux through the others give
    the value of the periodic array. The radius is the one at which the voxels hold the
    volume fraction most nearly.
    """
    fraction = SPHERES[array][0]
    x = (np.arange(n) + 0.5) / (2 * n)
    place = np.stack(np.meshgrid(x, x, x, indexing="ij"), axis=-1)
    reach = np.full((n, n, n), np.inf)
    for centre in LATTICES[array]:
        away = place - centre
        away -= np.round(away)
        reach = np.minimum(reach, (away**2).sum(axis=-1))
    levels, count = np.unique(reach.round(12), return_counts=True)
    best = np.abs(np.cumsum(count) / n**3 - fraction).argmin()
    return np.where(reach.round(12) <= levels[best], float(conductivity), 1.0)


@dataclass(frozen=True)
class FilmProblem:
    """A polycrystal with one kind of film whose D is known for a bulk of one.

    ``value(film resistance per area, sheet conductance)`` takes the excess quantities of
    the whole film, δ(1/K⊥ − 1) and δ(K∥ − 1).
    """

    name: str
    crystal: Polycrystal
    value: Callable[[float, float], np.ndarray]


def grains_at(seeds, size, *, periodic=True):
    seeds = np.atleast_2d(np.asarray(seeds, float))
    count = len(seeds)
    return Polycrystal(
        seeds,
        np.zeros(count),
        np.asarray(size, float),
        periodic,
        np.zeros(count, int),
        ("A",),
        np.tile([1.0, 0, 0, 0], (count, 1)),
    )


def bricks(edges, *, periodic=True):
    """Two bricks along each axis, aligned with the voxels.

    A period e_a along the axis a crosses one film, so the series value is
    e_a / (e_a + R); with films that only conduct, each family of planes normal to b ≠ a
    adds G / e_b. Neither disturbs the other: under u = x the planes normal to x are
    equipotential.
    """
    edges = np.asarray(edges, float)
    corner = np.stack(np.meshgrid(*[(0.5, 1.5)] * edges.size, indexing="ij"), -1)
    seeds = corner.reshape(-1, edges.size) * edges

    def value(resistance, sheet):
        crossed = edges if periodic else 2 * edges
        series = crossed / (crossed + resistance)
        planes = 1 / edges if periodic else 1 / (2 * edges)
        parallel = sheet * (planes.sum() - planes)
        if sheet and resistance:
            raise ValueError("series and sheets together have no closed form")
        return np.diag(series + parallel)

    kind = "" if periodic else "-walls"
    return FilmProblem(
        f"bricks-{edges.size}d{kind}", grains_at(seeds, 2 * edges, periodic=periodic), value
    )


def diamonds():
    """Squares at 45°: the bricks' values, isotropic, with edge 1/√2."""
    edge = 1 / np.sqrt(2)

    def value(resistance, sheet):
        return (edge / (edge + resistance) + sheet / edge) * np.eye(2)

    return FilmProblem("diamonds-45", grains_at([(0, 0), (0.5, 0.5)], (1, 1)), value)


def honeycomb():
    """Hexagons of distance one: sheets meet at 120° in balance, so D = 1 + S_V G/2."""
    height = np.sqrt(3)
    surface = 2.0  # perimeter 2√3, shared by two, over area √3/2

    def value(resistance, sheet):
        if resistance:
            raise ValueError("blocking honeycombs have no closed form")
        return (1 + 0.5 * surface * sheet) * np.eye(2)

    return FilmProblem("honeycomb", grains_at([(0, 0), (0.5, height / 2)], (1, height)), value)


def truncated_octahedra():
    """Grains of a body-centred lattice: dD/dG = ⅔ S_V at G = 0, by perturbation.

    A weak sheet sees the uniform gradient of the bulk; averaged over the cubic
    symmetry it keeps two thirds of it.
    """
    edge = np.sqrt(2) / 4
    surface = (6 + 12 * np.sqrt(3)) * edge**2  # two cells, each facet shared by two

    def value(resistance, sheet):
        return (1 + 2 / 3 * surface * sheet) * np.eye(3)

    return FilmProblem(
        "truncated-octahedra", grains_at([(0, 0, 0), (0.5, 0.5, 0.5)], (1, 1, 1)), value
    )
