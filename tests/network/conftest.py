import itertools

import numpy as np
import pytest

from multiscale.microstructure import Polycrystal


@pytest.fixture
def bricks():
    """Build brick-shaped grains of equal size; ``phase`` is called with each brick's place."""

    def build(counts, phase, *, periodic, edge=1e-7, names=("A", "B")):
        places = np.array(list(itertools.product(*(range(k) for k in counts))))
        edges = np.broadcast_to(edge, len(counts))
        return Polycrystal(
            seeds=(places + 0.5) * edges,
            weights=np.zeros(len(places)),
            size=np.array(counts) * edges,
            periodic=periodic,
            phases=np.array([phase(*place) for place in places]),
            phase_names=names,
            orientations=np.tile([1.0, 0, 0, 0], (len(places), 1)),
        )

    return build


@pytest.fixture
def two_phase():
    """Build Poisson–Voronoi (or power) grains of two phases, each A with a given chance."""

    def build(grains, dimension, chance, seed, *, periodic=True, weights=0.0):
        rng = np.random.default_rng(seed)
        size = np.array([1.0, 1.2, 0.9][:dimension]) * 1e-6
        cell = (np.prod(size) / grains) ** (2 / dimension)
        return Polycrystal(
            seeds=rng.random((grains, dimension)) * size,
            weights=weights * cell * rng.random(grains),
            size=size,
            periodic=periodic,
            phases=(rng.random(grains) >= chance).astype(int),
            phase_names=("A", "B"),
            orientations=np.tile([1.0, 0, 0, 0], (grains, 1)),
        )

    return build
