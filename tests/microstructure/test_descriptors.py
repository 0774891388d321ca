"""Descriptors: exact numbers, and exact cases of the two-point correlation."""

import numpy as np
import pytest

from multiscale.microstructure import (
    correlation_length,
    describe_microstructure,
    label_image,
    polycrystal,
    two_point_covariance,
)


def test_poisson_voronoi_in_3d() -> None:
    crystal = polycrystal(500, (1e-6,) * 3, {"A": 0.5, "B": 0.5}, 3)
    found = describe_microstructure(crystal, (48, 48, 48))
    assert found.dimension == 3
    assert found.faces_per_grain == pytest.approx(15.5355, abs=0.45)
    assert found.surface_per_volume == pytest.approx(2.9105 * (500e18) ** (1 / 3), rel=0.02)
    assert found.volume_cv**2 == pytest.approx(0.179, abs=0.04)
    # triple lines: edges per cell / 3 of mean length 0.4306 (Møller 1989): 5.832 per volume
    assert found.triple_line_density == pytest.approx(5.832 * (500e18) ** (2 / 3), rel=0.02)
    assert sum(found.area_density.values()) == pytest.approx(found.surface_per_volume)
    assert found.volume_fractions["A"] == pytest.approx(0.5, abs=1e-5)
    assert found.mean_volume == pytest.approx(1e-18 / 500)


@pytest.mark.parametrize("dimension", [2, 3])
def test_an_image_gives_what_its_crystal_gives(dimension: int) -> None:
    crystal = polycrystal(30, (1.0,) * dimension, {"A": 0.5, "B": 0.5}, 1)
    cells = (240,) * 2 if dimension == 2 else (72,) * 3
    names = [crystal.phase_names[phase] for phase in crystal.phases]
    image = label_image(crystal.labels(cells), 1 / cells[0], phases=names, periodic=True)
    exact, measured = describe_microstructure(crystal, cells), describe_microstructure(image)
    assert measured.grains == exact.grains
    for name in ("surface_per_volume", "triple_line_density", "mean_diameter", "volume_cv"):
        assert getattr(measured, name) == pytest.approx(getattr(exact, name), rel=0.05)
    for kind, density in exact.area_density.items():
        assert measured.area_density[kind] == pytest.approx(density, rel=0.05)
    assert measured.correlation_lengths == pytest.approx(exact.correlation_lengths)
    assert measured.heterointerfaces is None


def test_covariance_of_stripes() -> None:
    image = np.zeros((64, 64), dtype=bool)
    image[:32] = True
    direct = []
    shifted = [np.mean(image & np.roll(image, lag, axis=0)) for lag in range(33)]
    direct = (np.array(shifted) - 0.25) / 0.25
    assert direct[0] == 1
    assert direct[-1] == -1
    line = np.tile(image[:, :1], (1, 1))
    distance, covariance = two_point_covariance(line, np.array([0.5, 0.5]), periodic=True)
    assert covariance[0] == pytest.approx(direct[0])
    assert distance[0] == 0


@pytest.mark.parametrize("periodic", [True, False])
def test_covariance_equals_counting_pairs(periodic: bool) -> None:
    image = np.random.default_rng(0).random((7, 7)) < 0.4
    distance, covariance = two_point_covariance(image, np.ones(2), periodic=periodic)
    places = np.argwhere(np.ones_like(image))
    value = image.ravel() - image.mean()
    arm = np.abs(places[:, None] - places)
    if periodic:
        arm = np.minimum(arm, 7 - arm)
    gap = np.sqrt(np.sum(arm**2, axis=2))
    shell = np.rint(gap)
    for index in range(len(distance)):
        chosen = shell == index
        mean = np.sum(np.outer(value, value)[chosen]) / chosen.sum()
        assert covariance[index] == pytest.approx(mean / image.var(), abs=1e-12)


def test_correlation_length_grows_with_the_blocks() -> None:
    generator = np.random.default_rng(1)
    lengths = []
    for block in (4, 8, 16):
        coarse = generator.random((256 // block,) * 2) < 0.5
        image = np.kron(coarse, np.ones((block, block))) > 0
        lengths.append(correlation_length(image, np.full(2, 1e-9), periodic=True))
    assert lengths[1] / lengths[0] == pytest.approx(2, rel=0.15)
    assert lengths[2] / lengths[1] == pytest.approx(2, rel=0.15)
    # squares of edge b: covariance is about 1 − 4r/πb at first
    assert lengths[2] == pytest.approx(16e-9 * 0.55, rel=0.15)


def test_a_phase_that_fills_all_has_no_correlation_length() -> None:
    assert np.isnan(correlation_length(np.ones((8, 8)), np.ones(2), periodic=True))
    found = describe_microstructure(polycrystal(5, (1.0, 1.0), {"A": 1.0, "B": 0.0}, 0))
    assert np.isnan(found.correlation_lengths["B"])
    assert found.volume_fractions == pytest.approx({"A": 1.0, "B": 0.0})
