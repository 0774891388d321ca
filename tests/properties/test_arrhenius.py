"""Arrhenius laws: exact recovery, coverage, covariance, refusals."""

import numpy as np
import pytest

from multiscale.errors import PropertyError
from multiscale.properties.arrhenius import fit_arrhenius
from multiscale.units import BOLTZMANN, ELEMENTARY_CHARGE

E, D0 = 0.25 * ELEMENTARY_CHARGE, 3e-7
T = np.array([700.0, 900.0, 1100.0, 1400.0])


def law(temperature):
    return D0 * np.exp(-E / (BOLTZMANN * np.asarray(temperature)))


def drawn(seed, relative=(0.3, 0.2, 0.1, 0.08)):
    generator = np.random.default_rng(seed)
    relative = np.array(relative)
    value = law(T) * np.exp(relative * generator.normal(size=T.size))
    return value, relative * value


def test_exact_points_are_recovered():
    fit = fit_arrhenius(T, law(T), 0.1 * law(T))
    assert fit.energy == pytest.approx(E, rel=1e-10)
    assert fit.prefactor[0] == pytest.approx(D0, rel=1e-9)
    for temperature in (300.0, 800.0, 2000.0):
        assert fit.at(temperature)[0] == pytest.approx(law(temperature), rel=1e-9)
    assert fit.chi_squared < 1e-15
    assert fit.sampled == (700.0, 1400.0)
    assert fit.extrapolated(300.0)
    assert not fit.extrapolated(800.0)


def test_covariance_is_that_of_many_repeats():
    fits = [fit_arrhenius(T, *drawn(seed)) for seed in range(4000)]
    logs = np.array([np.log(one.prefactor[0]) for one in fits])
    energies = np.array([one.energy for one in fits]) / ELEMENTARY_CHARGE
    found = np.cov(logs, energies)
    value = law(T)
    exact = fit_arrhenius(T, value, np.array([0.3, 0.2, 0.1, 0.08]) * value).covariance
    exact = exact / np.array([[1, ELEMENTARY_CHARGE], [ELEMENTARY_CHARGE, ELEMENTARY_CHARGE**2]])
    np.testing.assert_allclose(found, exact, rtol=0.06)


def test_value_at_the_pivot_and_energy_are_uncorrelated():
    whole = fit_arrhenius(T, law(T), np.array([0.3, 0.2, 0.1, 0.08]) * law(T))
    fits = [fit_arrhenius(T, *drawn(seed)) for seed in range(3000)]
    values = np.log([one.at(whole.pivot)[0] for one in fits])
    assert abs(np.corrcoef(values, [one.energy for one in fits])[0, 1]) < 0.06
    elsewhere = np.log([one.at(300.0)[0] for one in fits])
    assert np.corrcoef(elsewhere, [one.energy for one in fits])[0, 1] < -0.9


def test_intervals_cover():
    """Also when the points scatter more than they say, for errors are then widened."""
    count, inside = 500, np.zeros((2, 2))
    for seed in range(count):
        fit = fit_arrhenius(T, *drawn(seed))
        value, stderr = fit.at(300.0)
        z = abs(np.log(value / law(300.0))) / (stderr / value)
        y = abs(fit.energy - E) / fit.energy_stderr
        inside += [[z < 1, z < 1.96], [y < 1, y < 1.96]]
    inside /= count
    assert ((inside[:, 0] > 0.64) & (inside[:, 0] < 0.85)).all()  # widened at times: above 0.68
    assert ((inside[:, 1] > 0.93) & (inside[:, 1] <= 1.0)).all()


def test_points_that_scatter_widen_the_errors():
    value = law(T) * np.exp([0.5, -0.5, 0.5, -0.5])
    narrow = fit_arrhenius(T, law(T), 0.05 * law(T))
    wide = fit_arrhenius(T, value, 0.05 * value)
    assert wide.chi_squared > 20
    assert wide.energy_stderr == pytest.approx(
        narrow.energy_stderr * np.sqrt(wide.chi_squared), rel=1e-6
    )


def test_softening_raises_the_energy_and_lowers_the_diffusivity_everywhere():
    fit = fit_arrhenius(T, law(T), 0.1 * law(T))
    shift = 0.15 * ELEMENTARY_CHARGE
    hard = fit.corrected(shift)
    for temperature in (300.0, 1000.0):
        ratio = hard.at(temperature)[0] / fit.at(temperature)[0]
        assert ratio == pytest.approx(np.exp(-shift / BOLTZMANN / temperature))
    assert hard.energy == pytest.approx(E + shift)
    assert hard.shift == shift
    assert hard.prefactor[0] == pytest.approx(fit.prefactor[0])
    with pytest.raises(PropertyError, match="softening"):
        fit.corrected(np.nan)


@pytest.mark.parametrize(
    ("temperatures", "values", "stderrs", "part"),
    [
        ([700, 900], [1, 2], [0.1, 0.1], "3 temperatures or more"),
        ([700, 900, 900], [1, 2, 3], [0.1, 0.1, 0.1], "3 temperatures or more"),
        ([700, 900, 1100], [1, -2, 3], [0.1, 0.1, 0.1], "values"),
        ([700, 900, 1100], [1, 2, 3], [0.1, 0.0, 0.1], "stderrs"),
        ([700, 900, np.nan], [1, 2, 3], [0.1, 0.1, 0.1], "temperatures"),
        ([700, 900, 1100], [1, 2], [0.1, 0.1, 0.1], "values"),
        ([], [], [], "3 temperatures or more"),
    ],
)
def test_refusals(temperatures, values, stderrs, part):
    with pytest.raises(PropertyError, match=part) as caught:
        fit_arrhenius(temperatures, values, stderrs)
    assert "\n" not in str(caught.value)
