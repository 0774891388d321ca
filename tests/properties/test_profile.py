"""Widths of slabs whose disorder is known."""

import numpy as np
import pytest
from ase.build import bulk

from multiscale.errors import PropertyError
from multiscale.properties.profile import disorder, slab_width

HEIGHT, PLANES = 40e-10, (0.0, 0.5)


def box(width, seed, count=900, noise=0.03, excess=0.4):
    generator = np.random.default_rng(seed)
    z = generator.uniform(0, HEIGHT, count)
    away = np.min([np.abs((z - p * HEIGHT + HEIGHT / 2) % HEIGHT - HEIGHT / 2) for p in PLANES], 0)
    value = 0.1 + noise * generator.normal(size=count) + excess * (away < width / 2)
    return z, value


@pytest.mark.parametrize("width", [4e-10, 6e-10, 10e-10])
def test_a_box_is_as_wide_as_it_is(width):
    found = slab_width(*box(width, 1), HEIGHT, PLANES)
    assert abs(found.value - width) < max(3 * found.stderr, 0.5e-10)
    assert found.stderr < 0.15 * width


def test_the_error_is_that_of_repeats():
    found = [slab_width(*box(6e-10, seed, count=300), HEIGHT, PLANES) for seed in range(25)]
    spread = np.std([one.value for one in found], ddof=1)
    assert 0.4 * spread < np.mean([one.stderr for one in found]) < 2.5 * spread
    assert np.mean([one.value for one in found]) == pytest.approx(6e-10, rel=0.12)


def test_planes_may_be_anywhere():
    z, value = box(6e-10, 3)
    moved = slab_width((z + 0.3 * HEIGHT) % HEIGHT, value, HEIGHT, [p + 0.3 for p in PLANES])
    assert moved.value == pytest.approx(slab_width(z, value, HEIGHT, PLANES).value, rel=1e-6)


def test_no_boundary_is_told():
    with pytest.raises(PropertyError, match="more disorder than in the grains"):
        slab_width(*box(6e-10, 4, excess=0.0), HEIGHT, PLANES)


def test_disorder_is_zero_in_the_crystal_and_high_beside_a_fault():
    crystal = bulk("Cu", "fcc", a=3.6, cubic=True) * (3, 3, 3)
    _, value = disorder(crystal, [crystal], "Li")
    assert np.abs(value).max() < 1e-9
    faulty = crystal.copy()
    del faulty[40]
    which, value = disorder(faulty, [crystal], "Li")
    near = faulty.get_distances(0, range(len(faulty)), mic=True)
    assert near.size == which.size
    gone = crystal.positions[40]
    away = np.linalg.norm((faulty.positions - gone + 5.4) % 10.8 - 5.4, axis=1)
    assert value[away < 2.6].min() > 0.0
    assert np.abs(value[away > 4.0]).max() < 1e-9
    with pytest.raises(PropertyError, match="as in the boundary"):
        disorder(bulk("Au") * (4, 4, 4), [crystal], "Li")
