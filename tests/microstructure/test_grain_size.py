"""The log-normal law and the transport that meets it."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from multiscale.errors import RecipeError
from multiscale.microstructure import grain_size, polycrystal
from multiscale.microstructure.grain_size import (
    equivalent_diameters,
    lognormal_volumes,
    transport_weights,
)
from multiscale.microstructure.power_cells import cell_measures, measure


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("cv", [0.0, 0.1, 0.35, 0.8])
def test_targets_have_the_spread_of_the_law(dimension: int, cv: float) -> None:
    volumes = lognormal_volumes(200, 5.0, cv, dimension)
    diameters = equivalent_diameters(volumes, dimension)
    assert volumes.sum() == pytest.approx(5.0, rel=1e-12)
    assert diameters.std() / diameters.mean() == pytest.approx(cv, abs=1e-9)


def test_targets_are_log_normal() -> None:
    diameters = equivalent_diameters(lognormal_volumes(400, 1.0, 0.4, 3), 3)
    logarithms = np.log(diameters)
    standard = (logarithms - logarithms.mean()) / logarithms.std()
    assert stats.kstest(standard, "norm").statistic < 0.01
    assert logarithms.std() == pytest.approx(np.sqrt(np.log(1 + 0.4**2)), rel=0.03)


def test_diameter_of_a_unit_ball_and_disc() -> None:
    assert equivalent_diameters(np.array([4 * np.pi / 3]), 3)[0] == pytest.approx(2.0)
    assert equivalent_diameters(np.array([np.pi]), 2)[0] == pytest.approx(2.0)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("periodic", [True, False])
def test_transport_meets_every_volume(dimension: int, periodic: bool) -> None:
    generator = np.random.default_rng(1)
    size = np.array([1.0, 2.0, 1.5])[:dimension]
    seeds = generator.random((60, dimension)) * size
    target = generator.permutation(lognormal_volumes(60, float(np.prod(size)), 0.4, dimension))
    weights = transport_weights(seeds, size, target, periodic=periodic)
    volumes, _ = cell_measures(seeds, size, weights, periodic=periodic)
    assert np.abs(volumes / target - 1).max() <= 1e-3
    unweighted, _ = cell_measures(seeds, size, np.zeros(60), periodic=periodic)
    assert np.abs(unweighted / target - 1).max() > 0.3


def test_newton_steps_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        return measure(*arguments, **options)

    monkeypatch.setattr(grain_size, "measure", counted)
    seeds = np.random.default_rng(3).random((80, 3))
    transport_weights(seeds, np.ones(3), lognormal_volumes(80, 1.0, 0.2, 3), periodic=True)
    assert len(calls) <= 16


def test_crystal_meets_mean_and_standard_deviation_of_the_law() -> None:
    crystal = polycrystal(120, (1e-6,) * 3, {"A": 1.0}, 3, grain_size_cv=0.3)
    diameters = equivalent_diameters(crystal.tessellation.volumes, 3)
    law = equivalent_diameters(lognormal_volumes(120, 1e-18, 0.3, 3), 3)
    assert diameters.mean() == pytest.approx(law.mean(), rel=1e-3)
    assert diameters.std() == pytest.approx(0.3 * law.mean(), rel=1e-3)


def test_a_spread_that_few_grains_cannot_have_is_refused() -> None:
    with pytest.raises(RecipeError, match="grain_size_cv"):
        lognormal_volumes(2, 1.0, 1.5, 3)
    with pytest.raises(RecipeError, match="grain_size_cv"):
        lognormal_volumes(1, 1.0, 0.1, 3)
