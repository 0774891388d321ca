"""Numbers that describe a microstructure.

Two-point covariance of a phase at distance r: (S₂(r) − φ²) / (φ − φ²), S₂ the
probability that two points r apart both lie in it (by FFT, averaged over
directions). Its correlation length is the distance at which it first falls to 1/e.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from multiscale.microstructure._shell_kernels import shell_sums
from multiscale.microstructure.boundaries import area_by_type
from multiscale.microstructure.crystal import Polycrystal
from multiscale.microstructure.grain_size import equivalent_diameters
from multiscale.microstructure.junctions import Heterointerfaces, find_heterointerfaces
from multiscale.microstructure.labelled import LabelImage
from multiscale.microstructure.phases import volume_fractions
from multiscale.microstructure.power_cells import FacetTable
from multiscale.microstructure.power_diagram import Floats
from multiscale.microstructure.voxel_facets import ImageFacets


@dataclass(frozen=True, slots=True)
class Descriptors:
    """Descriptors of a microstructure; in 2D volume is area and area is length.

    Parameters
    ----------
    dimension : int
        2 or 3.
    grains : int
        Number of grains.
    volume_fractions : dict of str to float
        Realised volume fraction of each phase.
    mean_volume : float
        Mean grain volume [m³].
    volume_cv : float
        Standard deviation of the volumes divided by their mean.
    mean_diameter : float
        Mean volume-equivalent diameter [m].
    diameter_cv : float
        Standard deviation of the diameters divided by their mean.
    faces_per_grain : float
        Mean number of facets of a grain.
    surface_per_volume : float
        Boundary area per volume [1/m], each boundary once.
    area_density : dict of str to float
        Boundary area of each type per volume [1/m].
    triple_line_density : float
        Triple-line length per volume [1/m²]; in 2D triple points per area [1/m²].
    heterointerfaces : int or None
        Junction points at which three types meet exactly; None for an image.
    heterointerface_radius : float
        Radius [m] of the clusters counted next.
    heterointerface_clusters : int or None
        Clusters of junction points that see three types; None for an image.
    correlation_lengths : dict of str to float
        Distance [m] at which each phase's covariance falls to 1/e; NaN if it does not.
    """

    dimension: int
    grains: int
    volume_fractions: dict[str, float]
    mean_volume: float
    volume_cv: float
    mean_diameter: float
    diameter_cv: float
    faces_per_grain: float
    surface_per_volume: float
    area_density: dict[str, float]
    triple_line_density: float
    heterointerfaces: int | None
    heterointerface_radius: float
    heterointerface_clusters: int | None
    correlation_lengths: dict[str, float]


def two_point_covariance(
    inside: ArrayLike, spacing: Floats, *, periodic: bool
) -> tuple[Floats, Floats]:
    """Measure the normalised two-point covariance of a phase.

    Parameters
    ----------
    inside : (cells) array_like of bool
        Where the phase is.
    spacing : (d,) array
        Voxel edges [m].
    periodic : bool
        Whether the image repeats; otherwise pairs are taken inside it only.

    Returns
    -------
    distance : (k,) array
        Distances [m], to half the shortest box edge.
    covariance : (k,) array
        1 at distance 0, 0 where uncorrelated; all NaN for a phase that fills all or nothing.
    """
    indicator = np.asarray(inside, dtype=float)
    cells = np.array(indicator.shape)
    fraction = float(indicator.mean())
    padded = tuple(int(n) for n in (cells if periodic else 2 * cells))
    autocorrelation = _autocorrelation(indicator - fraction, padded)
    pairs = np.full((1,) * len(padded), float(cells.prod()))
    if not periodic:
        pairs = np.maximum(_autocorrelation(np.ones_like(indicator), padded), 0.5)
    lags = [
        (np.abs(np.fft.fftfreq(count, 1 / count)) * edge) ** 2
        for count, edge in zip(padded, spacing, strict=True)
    ]
    first, second, third = [*lags, np.zeros(1)][:3]
    fill = (1,) * (3 - len(padded))
    values = autocorrelation.reshape(padded + fill)
    pairs = pairs.reshape(pairs.shape + fill)
    last = int(np.min(cells * spacing) / 2 / spacing.max())
    width = float(spacing.max())
    total, weight, radius = shell_sums(values, pairs, first, second, third, width, last)
    variance = fraction * (1 - fraction)
    if variance == 0:
        return radius, np.full(len(radius), np.nan)
    return radius, np.asarray(total / weight / variance)


def _autocorrelation(values: Floats, shape: tuple[int, ...]) -> Floats:
    """Sum of products of values at every lag."""
    spectrum = fft.rfftn(values, shape)
    power = spectrum.real**2 + spectrum.imag**2
    return np.asarray(fft.irfftn(power, shape, overwrite_x=True))


def correlation_length(inside: ArrayLike, spacing: Floats, *, periodic: bool) -> float:
    """Measure the distance at which the covariance of a phase falls to 1/e.

    Parameters
    ----------
    inside : (cells) array_like of bool
        Where the phase is.
    spacing : (d,) array
        Voxel edges [m].
    periodic : bool
        Whether the image repeats.

    Returns
    -------
    float
        Distance [m]; NaN if the covariance does not fall so far within half the box.
    """
    distance, covariance = two_point_covariance(inside, spacing, periodic=periodic)
    below = np.flatnonzero(covariance <= 1 / math.e)
    if not len(below):
        return float("nan")
    after = int(below[0])
    high, low = covariance[after - 1], covariance[after]
    part = (high - 1 / math.e) / (high - low)
    return float(distance[after - 1] + part * (distance[after] - distance[after - 1]))


def default_cells(crystal: Polycrystal) -> tuple[int, ...]:
    """Choose a grid for the two-point correlation: six voxels for each mean grain edge.

    Parameters
    ----------
    crystal : Polycrystal
        Grains.

    Returns
    -------
    tuple of int
        Voxels along each axis, at most 96 (3D) or 512 (2D).
    """
    edge = (np.prod(crystal.size) / crystal.grains) ** (1 / crystal.dimension)
    most = 512 if crystal.dimension == 2 else 96
    return tuple(int(n) for n in np.clip(np.ceil(6 * crystal.size / edge), 8, most))


@dataclass(frozen=True, slots=True)
class _Measured:
    """What is measured exactly on a tessellation and by voxels on an image."""

    volumes: Floats
    facets: FacetTable | ImageFacets
    junctions: float
    image: NDArray[np.int8]
    found: Heterointerfaces | None


def _measure(
    crystal: Polycrystal | LabelImage, cells: Sequence[int] | None, radius: float
) -> _Measured:
    """Measure cells, facets and junctions in the way that suits the crystal."""
    if isinstance(crystal, LabelImage):
        lines = crystal.triple_line_length()
        return _Measured(crystal.volumes, crystal.facets(), lines, crystal.phase_image(), None)
    geometry = crystal.tessellation
    flat = crystal.dimension == 2
    junctions = float(len(geometry.points)) if flat else float(geometry.lines.length.sum())
    image = crystal.phase_image(default_cells(crystal) if cells is None else cells)
    found = find_heterointerfaces(crystal, radius)
    return _Measured(geometry.volumes, geometry.facets, junctions, image, found)


def describe_microstructure(
    crystal: Polycrystal | LabelImage,
    cells: Sequence[int] | None = None,
    *,
    heterointerface_radius: float | None = None,
) -> Descriptors:
    """Measure a microstructure.

    Parameters
    ----------
    crystal : Polycrystal or LabelImage
        Grains; a polycrystal is measured exactly but for its two-point correlation.
    cells : sequence of int, optional
        Grid for the two-point correlation of a polycrystal; about six voxels for each
        grain edge unless given.
    heterointerface_radius : float, optional
        Junction points closer than this [m] form a cluster; a tenth of the mean grain
        edge unless given.

    Returns
    -------
    Descriptors
        All descriptors.

    Raises
    ------
    RecipeError
        If the grid or the radius cannot be used.
    """
    box = float(np.prod(crystal.size))
    edge = (box / crystal.grains) ** (1 / crystal.dimension)
    radius = 0.1 * edge if heterointerface_radius is None else float(heterointerface_radius)
    measured = _measure(crystal, cells, radius)
    volumes, facets, image = measured.volumes, measured.facets, measured.image
    diameters = equivalent_diameters(volumes, crystal.dimension)
    names = crystal.phase_names
    areas = area_by_type(facets, crystal.phases, names)
    spacing = crystal.size / np.array(image.shape)
    return Descriptors(
        dimension=crystal.dimension,
        grains=crystal.grains,
        volume_fractions=volume_fractions(crystal.phases, volumes, names),
        mean_volume=float(volumes.mean()),
        volume_cv=float(volumes.std() / volumes.mean()),
        mean_diameter=float(diameters.mean()),
        diameter_cv=float(diameters.std() / diameters.mean()),
        faces_per_grain=2 * len(facets) / crystal.grains,
        surface_per_volume=float(facets.area.sum()) / box,
        area_density={name: area / box for name, area in areas.items()},
        triple_line_density=measured.junctions / box,
        heterointerfaces=measured.found.exact if measured.found else None,
        heterointerface_radius=radius,
        heterointerface_clusters=measured.found.clusters if measured.found else None,
        correlation_lengths=_correlation_lengths(image, names, spacing, crystal.periodic),
    )


def _correlation_lengths(
    image: NDArray[np.int8], names: Sequence[str], spacing: Floats, periodic: bool
) -> dict[str, float]:
    """Correlation length of each phase; the two of a two-phase image have the same covariance."""
    measured = 1 if len(names) == 2 else len(names)
    lengths = [
        correlation_length(image == index, spacing, periodic=periodic) for index in range(measured)
    ]
    return dict(zip(names, lengths * (len(names) // measured), strict=True))
