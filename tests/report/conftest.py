"""A synthetic result set with the shape of a study's, and pictures to go with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import xarray as xr

from multiscale.report import FieldPicture
from multiscale.units import BOLTZMANN, ELEMENTARY_CHARGE

PHASES = ("LCO", "LLZO")
TYPES = ("LCO|LCO", "LCO|LLZO", "LLZO|LLZO")
PARTS = (
    *PHASES,
    *(f"along {name}" for name in TYPES),
    *(f"across {name}" for name in TYPES),
    "heterointerface neighbourhood",
)


def arrhenius(prefactor: float, energy: float, temperatures: np.ndarray) -> np.ndarray:
    return prefactor * np.exp(-energy * ELEMENTARY_CHARGE / (BOLTZMANN * temperatures))


def _sweep(
    ensembles: Sequence[str],
    fractions: Sequence[float],
    sizes: Sequence[float],
    realisations: int,
) -> tuple[np.ndarray, ...]:
    rows = [
        (int(name[0]), fraction, size, number)
        for name in ensembles
        for fraction in fractions
        for size in sizes
        for number in range(realisations)
    ]
    dimension, fraction, size, realisation = map(np.array, zip(*rows, strict=True))
    return dimension, fraction, size, realisation


def _percolates(
    dimension: np.ndarray, fraction: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    threshold = np.where(dimension == 2, 0.5, 0.17)
    width = np.where(dimension == 2, 0.08, 0.04)
    result = np.empty((dimension.size, 2, 3), dtype=np.int8)
    for index, share in enumerate((1 - fraction, fraction)):
        chance = 1 / (1 + np.exp(-(share - threshold) / width))
        result[:, index] = rng.random((dimension.size, 3)) < chance[:, None]
    return result


def _tensors(
    fast: np.ndarray,
    fraction: np.ndarray,
    size: np.ndarray,
    dimension: np.ndarray,
    bulk: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """(sample, temperature, 3, 3): a fast branch where the fast phase percolates."""
    slow, quick = bulk[:, 0], bulk[:, 1]
    high = quick * fraction[:, None, None] ** 1.5
    low = slow / (1.02 - fraction)[:, None, None]
    value = np.where(fast[:, :, None] == 1, high, low)
    value = value * np.exp(0.15 * rng.standard_normal((*fast.shape, 1)))
    value = value / (1 + 1e-8 / size)[:, None, None]
    tensor = np.zeros((fast.shape[0], bulk.shape[0], 3, 3))
    for axis in range(3):
        tensor[:, :, axis, axis] = value[:, axis]
    flat = dimension == 2
    tensor[flat, :, 2, :] = np.nan
    tensor[flat, :, :, 2] = np.nan
    return tensor


def build(
    *,
    ensembles: Sequence[str] = ("2D", "3D"),
    fractions: Sequence[float] = (0.1, 0.3, 0.5, 0.7, 0.9),
    sizes: Sequence[float] = (1e-7, 1e-6),
    realisations: int = 6,
    temperatures: Sequence[float] = (300.0, 500.0, 800.0),
    seed: int = 0,
) -> xr.Dataset:
    """Make results such as a study merges; nothing is solved."""
    rng = np.random.default_rng(seed)
    dimension, fraction, size, realisation = _sweep(ensembles, fractions, sizes, realisations)
    n, kelvin = dimension.size, np.array(temperatures)
    bulk = np.stack([arrhenius(1e-9, 0.45, kelvin), arrhenius(1e-8, 0.30, kelvin)], axis=1)
    percolates = _percolates(dimension, fraction, rng)
    tensor = _tensors(percolates[:, 1], fraction, size, dimension, bulk, rng)
    flat = dimension == 2
    share = fraction[:, None]
    arithmetic = share * bulk[:, 1] + (1 - share) * bulk[:, 0]
    harmonic = 1 / (share / bulk[:, 1] + (1 - share) / bulk[:, 0])
    noise = rng.normal(-0.05, 0.04, tensor.shape)
    shares = rng.dirichlet(np.r_[20.0, 40.0, np.full(6, 2.0)], size=(n, kelvin.size, 3))
    shares = np.concatenate([shares, 0.1 * rng.random((n, kelvin.size, 3, 1))], axis=-1)
    shares[flat, :, 2] = np.nan
    imbalance = 10.0 ** rng.normal(-9, 0.5, (n, kelvin.size, 3))
    imbalance[flat, :, 2] = np.nan
    area = np.stack([(1 - fraction) ** 2, 2 * fraction * (1 - fraction), fraction**2], axis=1)
    by_temperature = ("sample", "temperature")
    tensor_dims = ("sample", "temperature", "axis", "axis2")
    phase_axis = ("sample", "phase", "axis")
    diffusivity = {"units": "m2 s-1"}
    variables = {
        "ensemble": ("sample", np.array([f"{d}D" for d in dimension], dtype=object)),
        "dimension": ("sample", dimension),
        "target_volume_fraction": ("sample", fraction, {"phase": "LLZO", "units": "1"}),
        "volume_fraction": (("sample", "phase"), np.stack([1 - fraction, fraction], axis=1)),
        "grain_size": ("sample", size, {"units": "m"}),
        "realisation": ("sample", realisation),
        "effective_diffusivity": (tensor_dims, tensor, diffusivity),
        "circuit_diffusivity": (tensor_dims, tensor * (1 + noise), diffusivity),
        "wiener_lower": (by_temperature, harmonic, diffusivity),
        "wiener_upper": (by_temperature, arithmetic, diffusivity),
        "hashin_shtrikman_lower": (by_temperature, harmonic**0.7 * arithmetic**0.3, diffusivity),
        "hashin_shtrikman_upper": (by_temperature, harmonic**0.2 * arithmetic**0.8, diffusivity),
        "flux_imbalance": (("sample", "temperature", "axis"), imbalance),
        "residual": (by_temperature, 10.0 ** rng.normal(-8.5, 0.2, (n, kelvin.size))),
        "iterations": (by_temperature, rng.integers(8, 20, (n, kelvin.size))),
        "solve_seconds": (by_temperature, rng.lognormal(0.0, 0.4, (n, kelvin.size))),
        "percolates": (phase_axis, percolates),
        "percolating_fraction": (phase_axis, percolates * 0.9),
        "boundary_percolates": (
            ("sample", "boundary_type", "axis"),
            (rng.random((n, 3, 3)) < area[:, :, None]).astype(np.int8),
        ),
        "largest_cluster_fraction": (("sample", "phase"), percolates.mean(axis=2)),
        "boundary_area_density": (("sample", "boundary_type"), 3 * area / size[:, None]),
        "heterointerfaces": ("sample", rng.integers(0, 40, n)),
        "heterointerface_density": ("sample", fraction * (1 - fraction) / size**2),
        "triple_line_density": ("sample", 5.0 / size**2),
        "grains": ("sample", np.full(n, 100)),
        "heterointerface_clusters": ("sample", rng.integers(10, 60, n)),
        "flux_share": (("sample", "temperature", "axis", "part"), shares),
        "dissipation_share": (
            ("sample", "temperature", "axis", "dissipation_part"),
            shares[..., :-1],
        ),
        "phase_diffusivity": (("temperature", "phase"), bulk, diffusivity),
        "boundary_across": (("temperature", "boundary_type"), 0.1 * bulk[:, [0, 0, 1]]),
        "boundary_along": (("temperature", "boundary_type"), 2.0 * bulk[:, [0, 0, 1]]),
        "boundary_width": ("boundary_type", np.full(3, 1e-9), {"units": "m"}),
    }
    coordinates = {
        "temperature": ("temperature", kelvin, {"units": "K"}),
        "axis": ["x", "y", "z"],
        "axis2": ["x", "y", "z"],
        "phase": list(PHASES),
        "boundary_type": list(TYPES),
        "part": list(PARTS),
        "dissipation_part": list(PARTS[:-1]),
    }
    attributes = {
        "title": "Synthetic LLZO | LCO",
        "question": "How many modes has D_eff, and why?",
        "study_hash": "0123456789abcdef",
        "git_revision": "f" * 40,
        "versions": json.dumps({"python": "3.11", "numpy": "2.4"}),
        "seed": seed,
        "resolved_study": json.dumps({"name": "synthetic", "cells": [64, 64]}),
        "created": "2026-01-01T00:00:00+00:00",
    }
    return xr.Dataset(variables, coords=coordinates, attrs=attributes)


def picture(
    *, dimension: int = 2, cells: int = 48, fraction: float = 0.5, seed: int = 0
) -> FieldPicture:
    """Make a Voronoi map with a divergence-free flux on it."""
    rng = np.random.default_rng(seed)
    seeds = rng.random((40, 2))
    phase_of = (rng.random(40) < fraction).astype(int)
    x, y = np.meshgrid(*[(np.arange(cells) + 0.5) / cells] * 2, indexing="ij")
    apart = np.stack([x, y], axis=-1)[:, :, None] - seeds
    apart -= np.round(apart)
    labels = np.argmin((apart**2).sum(axis=-1), axis=-1)
    wave = 2 * np.pi
    flux = np.zeros((2, 2, cells, cells))
    flux[0, 0] = 1 + 0.8 * np.sin(wave * x) * np.cos(wave * y)
    flux[0, 1] = -0.8 * np.cos(wave * x) * np.sin(wave * y)
    flux[1, 1] = 1 + 0.8 * np.cos(wave * 2 * x) * np.sin(wave * y)
    flux[1, 0] = 0.4 * np.sin(wave * 2 * x) * np.cos(wave * y)
    return FieldPicture(
        title=f"{dimension}D, LLZO {100 * fraction:.0f} %",
        dimension=dimension,
        phase_names=PHASES,
        spacing=(1e-6 / cells, 1e-6 / cells),
        phase=phase_of[labels],
        labels=labels,
        flux=1e-13 * flux,
        temperature=300.0,
        effective=(1e-13, 1.1e-13),
    )


@pytest.fixture
def make_dataset() -> Callable[..., xr.Dataset]:
    return build


@pytest.fixture
def make_picture() -> Callable[..., FieldPicture]:
    return picture


@pytest.fixture
def provenance_rows() -> list[tuple[str, ...]]:
    return [
        ("LLZO", "D0", "1.2e-8 m²/s", "± 20 %", "300–900 K", "Author 2014, 10.1021/cm5045122"),
        ("LCO|LLZO", "width", "1 nm", "–", "–", "assumed: no measurement is published"),
    ]
