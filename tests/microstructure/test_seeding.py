"""Seeding laws."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from multiscale.errors import GenerationError, RecipeError
from multiscale.microstructure import polycrystal
from multiscale.microstructure.seeding import (
    lloyd_seeds,
    minimum_distance_seeds,
    place_seeds,
    poisson_seeds,
)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("periodic", [True, False])
def test_no_two_seeds_are_nearer_than_the_least_distance(dimension: int, periodic: bool) -> None:
    size = np.array([1.0, 2.0, 1.0])[:dimension]
    distance = 0.7 * (np.prod(size) / 150) ** (1 / dimension)
    seeds = minimum_distance_seeds(150, size, distance, np.random.default_rng(0), periodic=periodic)
    gap = cKDTree(seeds, boxsize=size if periodic else None).query(seeds, k=2)[0][:, 1]
    assert len(seeds) == 150
    assert gap.min() >= distance
    assert gap.min() < 1.1 * distance  # the law is a hard core, not a lattice


def test_a_least_distance_that_does_not_fit_is_named() -> None:
    with pytest.raises(GenerationError, match="least distance"):
        minimum_distance_seeds(20, np.ones(2), 0.5, np.random.default_rng(0), periodic=True)


def test_lloyd_relaxation_evens_out_the_cells() -> None:
    size = np.ones(3)
    seeds = poisson_seeds(80, size, np.random.default_rng(1))
    spread = []
    for steps in (0, 2, 8):
        moved = lloyd_seeds(seeds, size, steps, periodic=True)
        crystal = polycrystal(80, size, {"A": 1.0}, 0)
        volumes = type(crystal)(
            moved, np.zeros(80), size, True, np.zeros(80), ("A",), crystal.orientations
        ).tessellation.volumes
        spread.append(volumes.std() / volumes.mean())
    assert spread[0] > 0.35
    assert spread[1] < 0.25
    assert spread[2] < spread[1] / 1.5


@pytest.mark.parametrize("seeding", ["poisson", "minimum-distance", "lloyd"])
def test_seeds_lie_in_the_box(seeding: str) -> None:
    size = np.array([1e-6, 3e-6])
    seeds = place_seeds(
        40, size, np.random.default_rng(2), seeding=seeding, periodic=True, lloyd_steps=2
    )
    assert seeds.shape == (40, 2)
    assert np.all((seeds >= 0) & (seeds < size))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeding": "loyd"}, "did you mean 'lloyd'"),
        ({"minimum_distance": -1.0}, "minimum_distance: expected a positive length"),
        ({"minimum_distance": float("nan")}, "minimum_distance"),
        ({"lloyd_steps": -1}, "lloyd_steps"),
        ({"lloyd_steps": 1.5}, "lloyd_steps"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], message: str) -> None:
    given = {"seeding": "lloyd", "periodic": True, **options}
    with pytest.raises(RecipeError, match=message):
        place_seeds(4, np.ones(2), np.random.default_rng(0), **given)  # type: ignore[arg-type]
