"""Diffusivity along and across a slab, from trajectories that visit it.

Atoms do not stay where one would like to measure them. *Along* a slab, the squared displacement of
any stretch of a path is, on average, twice the sum over regions of the time spent there times the
diffusivity there, wherever the path leads: a regression of squared displacements on times of
residence needs no atom to stay, and is not biased by those that leave. *Across* it, where an atom
is depends on how it moves; there the passages between thin layers are counted and compared with
those of diffusion in a profile of free energy, whose diffusivity is one number a region.

References
----------
Hummer, New J. Phys. 7, 34 (2005), 10.1088/1367-2630/7/1/034 (passages between layers);
Bicout & Szabo, J. Chem. Phys. 109, 2325 (1998), 10.1063/1.476800 (their rates).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.optimize import fmin

from multiscale.errors import PropertyError, describe

FloatArray = NDArray[np.float64]

BLOCKS = 12
"""Parts of a trajectory that are drawn anew for the uncertainty of a regression."""
REPEATS = 400
"""How often."""


@dataclass(frozen=True, slots=True)
class RegionDiffusivity:
    """Diffusivities of regions that share a trajectory.

    Parameters
    ----------
    value : (r,) ndarray
        One a region [m²/s].
    covariance : (r, r) ndarray
        [m⁴/s²].
    residence : (r,) ndarray
        Share of the time that atoms spent in each.
    """

    value: FloatArray
    covariance: FloatArray
    residence: FloatArray

    @property
    def stderr(self) -> FloatArray:
        """Standard errors [m²/s]."""
        return np.sqrt(np.diag(self.covariance))


def along(
    positions: FloatArray,
    interval: float,
    region: NDArray[np.integer],
    axes: Sequence[int],
    lags: tuple[int, int],
    *,
    seed: int = 0,
) -> RegionDiffusivity:
    """Estimate diffusivities along a slab, region by region.

    Parameters
    ----------
    positions : (t, n, 3) ndarray
        Of the mobile atoms, never wrapped, without drift [m].
    interval : float
        Time between frames [s].
    region : (t, n) int ndarray
        Where each atom is in each frame: 0 … r−1.
    axes : sequence of int
        Axes within the slab to average over.
    lags : tuple of int
        A short and a long stretch, in frames: vibration and hops back and forth add the same to
        both, and drop out of their difference.
    seed : int, optional
        Of the bootstrap.

    Returns
    -------
    RegionDiffusivity
        Values with the covariance of a bootstrap over atoms and blocks of time.

    Raises
    ------
    PropertyError
        If a region is never visited, or the trajectory is shorter than two long stretches a block.
    """
    short, long = lags
    frames, atoms, _ = positions.shape
    regions = int(region.max()) + 1
    residence = np.bincount(region.ravel(), minlength=regions) / region.size
    if not residence.all():
        raise PropertyError(
            describe("region", "visits to each", f"none to {int(np.argmin(residence))}",
                     "join regions or run longer")
        )  # fmt: skip
    if not 1 <= short < long or frames < long + BLOCKS:
        raise PropertyError(
            describe("lags", f"1 ≤ short < long, with more than long + {BLOCKS} frames",
                     f"{lags} of {frames} frames")
        )  # fmt: skip
    spent = np.zeros((frames, atoms, regions))  # cumulated time, half a frame at either end
    for r in range(regions):
        here = (region == r).astype(float)
        spent[1:, :, r] = np.cumsum(0.5 * (here[1:] + here[:-1]), axis=0)
    sums = [_moments(positions[:, :, list(axes)], spent, lag) for lag in (short, long)]
    generator, time = np.random.default_rng(seed), (long - short) * interval
    value = _slopes(sums, np.ones(sums[0][0].shape[:2]), time)
    drawn = np.empty((REPEATS, regions))
    shape = sums[0][0].shape[:2]
    for repeat in range(REPEATS):
        weight = generator.multinomial(shape[0], np.full(shape[0], 1 / shape[0]))[:, None]
        weight = weight * generator.multinomial(shape[1], np.full(shape[1], 1 / shape[1]))[None, :]
        drawn[repeat] = _slopes(sums, weight.astype(float), time)
    return RegionDiffusivity(value, np.atleast_2d(np.cov(drawn.T)), residence)


def _moments(positions: FloatArray, spent: FloatArray, lag: int) -> tuple[FloatArray, FloatArray]:
    """Normal equations of each block and atom: squared displacement against share of time."""
    square = ((positions[lag:] - positions[:-lag]) ** 2).mean(axis=2)
    shares = (spent[lag:] - spent[:-lag]) / lag
    bounds = np.linspace(0, len(square), BLOCKS + 1).astype(int)
    spans = list(itertools.pairwise(bounds.tolist()))
    matrix = [np.einsum("tnr,tns->nrs", shares[a:b], shares[a:b]) for a, b in spans]
    right = [np.einsum("tnr,tn->nr", shares[a:b], square[a:b]) for a, b in spans]
    return np.array(matrix), np.array(right)


def _slopes(
    sums: Sequence[tuple[FloatArray, FloatArray]], weight: FloatArray, time: float
) -> FloatArray:
    """Diffusivities from the growth of the squared displacement of whole stays."""
    short, long = (
        np.linalg.lstsq(
            np.einsum("bn,bnrs->rs", weight, matrix),
            np.einsum("bn,bnr->r", weight, right),
            rcond=None,
        )[0]
        for matrix, right in sums
    )
    return np.asarray((long - short) / (2.0 * time))


def across(
    coordinate: FloatArray,
    interval: float,
    edges: FloatArray,
    region: NDArray[np.integer],
    lag: int,
    *,
    repeats: int = 60,
    seed: int = 0,
) -> RegionDiffusivity:
    """Estimate diffusivities along the normal of a slab, region by region.

    Parameters
    ----------
    coordinate : (t, n) ndarray
        Position along the normal, never wrapped, without drift [m].
    interval : float
        Time between frames [s].
    edges : (m + 1,) ndarray
        Where thin layers begin; the first and the last are the ends of the period [m].
    region : (m,) int ndarray
        Region of each layer: 0 … r−1.
    lag : int
        Frames between looks: so many that an atom moves about two layers.
    repeats : int, optional
        Drawings of the bootstrap over atoms and blocks of time.
    seed : int, optional
        Of the bootstrap.

    Returns
    -------
    RegionDiffusivity
        Values with their covariance.

    Raises
    ------
    PropertyError
        If layers are out of order or one was never visited, or the trajectory is too short.
    """
    frames, atoms = coordinate.shape
    width = np.diff(edges)
    if not (width > 0).all() or region.shape != width.shape:
        raise PropertyError(
            describe("edges", "rising, one more than there are layers",
                     f"{edges.size} edges of {region.size} layers")
        )  # fmt: skip
    if frames < lag + BLOCKS or lag < 1:
        raise PropertyError(
            describe("lag", f"1 … {frames - BLOCKS} frames", lag, "shorten it or run longer")
        )
    inside = edges[0] + (coordinate - edges[0]) % (edges[-1] - edges[0])
    layer = np.clip(np.searchsorted(edges, inside, side="right") - 1, 0, width.size - 1)
    share = np.bincount(layer.ravel(), minlength=width.size) / layer.size
    if not share.all():
        raise PropertyError(
            describe("layers", "visits to each", f"none to {int(np.argmin(share))}",
                     "make layers wider or run longer")
        )  # fmt: skip
    counts = _passages(layer, lag, width.size)
    geometry = (width, share, np.asarray(region), lag * interval)
    regions = int(region.max()) + 1
    start = np.full(regions, np.log(_rough(coordinate, lag, interval)))
    best = _most_likely(counts.sum(axis=(0, 1)), geometry, start)
    generator = np.random.default_rng(seed)
    drawn = np.empty((repeats, regions))
    for repeat in range(repeats):
        blocks = generator.multinomial(BLOCKS, np.full(BLOCKS, 1 / BLOCKS))
        some = generator.multinomial(atoms, np.full(atoms, 1 / atoms))
        weighted = np.einsum("b,n,bnij->ij", blocks, some, counts)
        drawn[repeat] = _most_likely(weighted, geometry, best)
    value = np.exp(best)
    covariance = np.atleast_2d(np.cov(np.exp(drawn).T))
    visits = np.asarray(np.bincount(region, weights=share, minlength=regions), dtype=float)
    return RegionDiffusivity(value, covariance, visits)


def _rough(coordinate: FloatArray, lag: int, interval: float) -> float:
    moved = coordinate[lag:] - coordinate[:-lag]
    return float(np.mean(moved**2) / (2.0 * lag * interval))


def _passages(layer: NDArray[np.intp], lag: int, layers: int) -> FloatArray:
    """Count passages from layer to layer in each block of time and for each atom."""
    frames, atoms = layer.shape
    bounds = np.linspace(0, frames - lag, BLOCKS + 1).astype(int)
    counts = np.zeros((BLOCKS, atoms, layers, layers))
    atom = np.arange(atoms)
    for block in range(BLOCKS):
        for frame in range(bounds[block], bounds[block + 1]):
            counts[block, atom, layer[frame], layer[frame + lag]] += 1.0 / lag
    return counts


def _most_likely(
    counts: FloatArray,
    geometry: tuple[FloatArray, FloatArray, NDArray[np.integer], float],
    start: FloatArray,
) -> FloatArray:
    """Logarithms of the diffusivities that make the passages most likely."""
    both = 0.5 * (counts + counts.T)  # equilibrium: forth as often as back

    def badness(logarithms: FloatArray) -> float:
        chance = passage_chances(np.exp(logarithms), *geometry)
        return -float((both * np.log(np.maximum(chance, 1e-300))).sum() / both.sum())

    found = fmin(badness, start, xtol=1e-4, ftol=1e-10, disp=False)
    return np.asarray(found)


def passage_chances(
    diffusivity: FloatArray,
    width: FloatArray,
    share: FloatArray,
    region: NDArray[np.integer],
    time: float,
) -> FloatArray:
    """Chances to be in a layer some time after having been in another.

    Parameters
    ----------
    diffusivity : (r,) ndarray
        Of each region [m²/s].
    width : (m,) ndarray
        Of the layers, which repeat [m].
    share : (m,) ndarray
        Of the atoms in each in equilibrium.
    region : (m,) int ndarray
        Region of each layer.
    time : float
        [s].

    Returns
    -------
    (m, m) ndarray
        Row: where from.
    """
    following = np.roll(np.arange(width.size), -1)
    density = share / width
    own, other = diffusivity[region], diffusivity[region[following]]
    resistance = 0.5 * width / (own * density) + 0.5 * width[following] / (
        other * density[following]
    )
    flow = 1.0 / resistance  # atoms a second each way in equilibrium
    symmetric = np.zeros((width.size, width.size))
    root = np.sqrt(share)
    for i, j, rate in zip(range(width.size), following, flow, strict=True):
        symmetric[i, j] += rate / (root[i] * root[j])
        symmetric[j, i] += rate / (root[i] * root[j])
        symmetric[i, i] -= rate / share[i]
        symmetric[j, j] -= rate / share[j]
    values, vectors = eigh(symmetric)
    inner = (vectors * np.exp(np.minimum(values, 0.0) * time)) @ vectors.T
    return np.asarray(inner * root[None, :] / root[:, None])
