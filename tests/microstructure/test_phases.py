"""Volume fractions and the correlation of phases."""

import numpy as np
import pytest

from multiscale.errors import RecipeError
from multiscale.microstructure import Polycrystal, correlation_length, polycrystal
from multiscale.microstructure.phases import gaussian_field


def fractions(crystal: Polycrystal) -> np.ndarray:
    count = len(crystal.phase_names)
    volumes = np.bincount(crystal.phases, crystal.tessellation.volumes, minlength=count)
    return volumes / np.prod(crystal.size)


@pytest.mark.parametrize("grains", [1, 2, 3, 7, 40])
@pytest.mark.parametrize("wanted", [0.0, 0.07, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("clustered", [None, 0.4])
def test_two_phases_are_met_within_half_a_grain(
    grains: int, wanted: float, clustered: float | None
) -> None:
    phases = {"LLZO": wanted, "LCO": 1 - wanted}
    crystal = polycrystal(grains, (1.0, 1.0), phases, 5, correlation_length=clustered)
    error = np.abs(fractions(crystal) - [wanted, 1 - wanted]).max()
    assert error <= crystal.tessellation.volumes.max() / 2 + 1e-12


def test_many_grains_come_far_closer_by_swapping() -> None:
    phases = {"LLZO": 0.45, "LCO": 0.35, "pore": 0.2}
    for seed in range(3):
        for length in (None, 3e-7):
            crystal = polycrystal(100, (1e-6,) * 3, phases, seed, correlation_length=length)
            assert np.abs(fractions(crystal) - [0.45, 0.35, 0.2]).max() < 1e-4


def test_phases_are_random_not_sorted_by_size() -> None:
    share = []
    for seed in range(20):
        crystal = polycrystal(60, (1.0, 1.0), {"A": 0.5, "B": 0.5}, seed)
        first = crystal.tessellation.volumes[crystal.phases == 0].mean()
        share.append(first / crystal.tessellation.volumes.mean())
    assert np.mean(share) == pytest.approx(1.0, abs=0.06)


def test_gaussian_field_has_the_stated_covariance() -> None:
    generator = np.random.default_rng(0)
    size, length = np.array([1.0, 1.0]), 0.15
    points = np.array([[0.0, 0.5], [0.15, 0.5], [0.95, 0.5], [0.5, 0.0]])
    draws = np.array(
        [gaussian_field(points, size, length, generator, periodic=True) for _ in range(4000)]
    )
    covariance = np.cov(draws.T)
    assert covariance[0, 0] == pytest.approx(1.0, abs=0.08)
    assert covariance[0, 1] == pytest.approx(np.exp(-1), abs=0.07)
    assert covariance[0, 2] == pytest.approx(np.exp(-((0.05 / 0.15) ** 2)), abs=0.07)
    assert covariance[0, 3] == pytest.approx(0.0, abs=0.07)


def test_a_correlation_length_clusters_the_phases() -> None:
    measured = []
    for length in (None, 1.5e-7, 3e-7):
        crystal = polycrystal(
            1500, (1e-6, 1e-6), {"A": 0.4, "B": 0.6}, 1, correlation_length=length
        )
        image = crystal.phase_image((200, 200)) == 0
        measured.append(correlation_length(image, np.full(2, 5e-9), periodic=True))
    assert measured[0] < 0.03e-6
    assert 2 * measured[0] < measured[1] < measured[2]
    assert 0.5 * 1.5e-7 < measured[1] < 1.1 * 1.5e-7


@pytest.mark.parametrize(
    ("phases", "message"),
    [
        ({}, "phases: expected a volume fraction"),
        ({"A": 0.5, "B": 0.6}, "add up to 1, received 0.5 . 0.6 = 1.1"),
        ({"A": -0.5, "B": 1.5}, "phases.A: expected a volume fraction in"),
        ({"A": float("nan"), "B": 0.5}, "phases.A"),
        ({"A": "half", "B": 0.5}, "phases.A"),
        ({"A": True}, "phases.A"),
        ({"A|B": 1.0}, "names without"),
        ({3: 1.0}, "names without"),
        ([0.5, 0.5], "phases: expected a volume fraction for each"),
    ],
)
def test_wrong_fractions_are_refused(phases: object, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        polycrystal(4, (1.0, 1.0), phases, 0)  # type: ignore[arg-type]
