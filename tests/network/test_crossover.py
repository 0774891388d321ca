"""The boundaries' share and the grain size at which it is a half: bricks are exact."""

import numpy as np
import pytest

import multiscale as ms
from multiscale.errors import InputError

WIDTH, BULK, EDGE = 1e-9, 1e-12, 1e-7


@pytest.fixture
def cubes(bricks):
    def build(dimension):
        return bricks((2,) * dimension, lambda *_: 0, periodic=True, names=("A",), edge=EDGE)

    return build


def film(across, along):
    return {"A|A": ms.Boundary(width=WIDTH, across=across * BULK, along=along * BULK)}


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("ratio", [1e-3, 0.1])
def test_blocking_bricks(cubes, dimension, ratio):
    excess = WIDTH * (1 / ratio - 1)
    share = ms.boundary_share(cubes(dimension), {"A": BULK}, film(ratio, ratio))
    np.testing.assert_allclose(share, excess / (EDGE + excess), rtol=1e-6)
    size = ms.crossover_grain_size(cubes(dimension), {"A": BULK}, film(ratio, ratio))
    assert size == pytest.approx(excess, rel=1e-5)


@pytest.mark.parametrize("dimension", [2, 3])
def test_conducting_bricks(cubes, dimension):
    excess = (dimension - 1) * WIDTH * (1000.0 - 1.0)
    films = film(1.0, 1000.0)
    share = ms.boundary_share(cubes(dimension), {"A": BULK}, films)
    np.testing.assert_allclose(share, -excess / (EDGE + excess), rtol=1e-6)
    size = ms.crossover_grain_size(cubes(dimension), {"A": BULK}, films)
    assert size == pytest.approx(excess, rel=1e-5)


def test_films_like_the_bulk_have_no_share(cubes):
    share = ms.boundary_share(cubes(3), {"A": BULK}, film(1.0, 1.0))
    np.testing.assert_allclose(share, 0.0, atol=1e-9)
    assert ms.crossover_grain_size(cubes(3), {"A": BULK}, film(1.0, 1.0)) == 0.0


def test_random_grains_cross_where_the_field_does(two_phase):
    # at the crossover the resistance is twice that of the bulk, or nearly so
    crystal = two_phase(60, 2, 1.0, 1, periodic=True, weights=0.0)
    phases, films = (
        dict.fromkeys("AB", BULK),
        dict.fromkeys(("A|A", "A|B", "B|B"), film(0.01, 0.01)["A|A"]),
    )
    size = ms.crossover_grain_size(crystal, phases, films)
    mean = np.sqrt(np.prod(crystal.size) / crystal.grains)
    solved = ms.effective_diffusivity(
        crystal.scaled(size / mean), cells=(128, 128), phases=phases, boundaries=films
    )
    assert BULK / (np.trace(solved.tensor) / 2) == pytest.approx(2.0, rel=0.05)


def test_rules_are_scaled_with_the_rest(cubes):
    plain = film(0.01, 0.01)["A|A"]
    ruled = {
        "A|A": ms.BoundaryRules(plain, (ms.BoundaryRule("all", plain, misorientation=(0, 180)),))
    }
    np.testing.assert_allclose(
        ms.boundary_share(cubes(3), {"A": BULK}, ruled),
        ms.boundary_share(cubes(3), {"A": BULK}, {"A|A": plain}),
    )


def test_a_crystal_that_conducts_nothing_is_refused(cubes):
    with pytest.raises(InputError, match="a conducting path along x"):
        ms.boundary_share(cubes(2), {"A": BULK}, film(0.0, 0.0))
