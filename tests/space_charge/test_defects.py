"""Defects in a potential: statistics, derivatives, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiscale.errors import InputError
from multiscale.space_charge import Defect, IonicPhase, thermal_voltage
from multiscale.space_charge.defects import strength
from tests.space_charge.cases import ALL, TEMPERATURE, frozen, symmetric

Y = np.concatenate([np.linspace(-14, 14, 57), [1e-9, -1e-7]])


@pytest.mark.parametrize("phase", ALL.values(), ids=ALL)
class TestEveryPhase:
    def test_bulk_is_neutral_and_flat(self, phase):
        zero = np.zeros(1)
        assert phase.charge_density(zero) == 0.0
        assert phase.pressure(zero) == 0.0
        np.testing.assert_allclose(
            phase.densities(zero)[:, 0], [one.density for one in phase.mobile], rtol=1e-14
        )

    def test_charge_is_that_of_the_defects(self, phase):
        z = np.array([one.charge for one in phase.mobile])
        total = z @ phase.densities(Y) + phase.frozen_charge
        size = np.abs(z) @ phase.densities(Y) + abs(phase.frozen_charge)
        np.testing.assert_allclose(phase.charge_density(Y), total, atol=1e-13 * size.max())

    def test_charge_falls_from_the_pressure(self, phase):
        step = 1e-5
        slope = (phase.pressure(Y + step) - phase.pressure(Y - step)) / (2 * step)
        wanted = -phase.charge_density(Y)
        np.testing.assert_allclose(slope, wanted, rtol=1e-6, atol=1e-5 * phase.mobile[0].density)

    def test_stiffness_is_the_slope_of_the_charge_and_not_negative(self, phase):
        step = 1e-5
        slope = (phase.charge_density(Y + step) - phase.charge_density(Y - step)) / (2 * step)
        np.testing.assert_allclose(
            phase.stiffness(Y), -slope, rtol=1e-6, atol=1e-5 * phase.mobile[0].density
        )
        assert (phase.stiffness(Y) >= 0).all()

    def test_scarcity_and_excess_are_two_sides_of_one_ratio(self, phase):
        bulk = phase.densities(np.zeros(1))
        ratio = phase.densities(Y) / bulk
        np.testing.assert_allclose(1 + phase.relative_scarcity(Y), 1 / ratio, rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(1 + phase.relative_excess(Y), ratio, rtol=1e-9, atol=1e-13)

    def test_no_site_is_filled_twice(self, phase):
        if phase.steric == "none":
            pytest.skip("no sites")
        sites = np.array([one.site_density for one in phase.mobile])[:, None]
        found = phase.densities(np.array([-200.0, -30.0, 30.0, 200.0]))
        filled = found.sum(axis=0) / sites if phase.steric == "bikerman" else found / sites
        assert (filled <= 1 + 1e-12).all()


def test_lattice_statistics_are_those_of_fermi_and_dirac():
    # c/N = 1/(1 + e^(E + y)), the filling of the bulk giving E
    phase = frozen(steric="lattice", sites=4e27)
    energy = math.log(4e27 / 1e27 - 1)
    np.testing.assert_allclose(
        phase.densities(Y)[0] / 4e27, 1 / (1 + np.exp(energy + Y)), rtol=1e-12
    )


def test_debye_length_is_the_textbooks():
    wanted = math.sqrt(strength(50.0, TEMPERATURE) / 2e27)
    assert symmetric().debye_length(TEMPERATURE) == pytest.approx(wanted, rel=1e-14)
    # half-filled sites screen half as well
    half = frozen(steric="lattice", sites=2e27)
    assert half.debye_length(TEMPERATURE) == pytest.approx(math.sqrt(2) * math.sqrt(2) * wanted)
    assert thermal_voltage(TEMPERATURE) == pytest.approx(0.025852, rel=1e-4)


@given(st.floats(1e20, 1e29), st.floats(1.01, 1e6), st.floats(-20, 20))
def test_many_sites_are_as_good_as_none(density, room, y):
    plain = frozen(density=density)
    sites = frozen(density=density, steric="lattice", sites=density * room * math.exp(abs(y)))
    one = plain.densities(np.array([y]))[0, 0]
    two = sites.densities(np.array([y]))[0, 0]
    assert abs(two / one - 1) <= 2 / room


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"charge": 0}, "charge: expected an integer, not 0, received 0"),
        ({"charge": 0.5}, "an integer"),
        ({"density": 0.0}, "density: expected a finite number > 0"),
        ({"density": math.nan}, "received nan"),
        ({"site_density": 1e26}, "more sites than defects"),
    ],
)
def test_defects_refused(change, words):
    with pytest.raises(InputError, match=words):
        Defect(**{"name": "Li", "charge": 1, "density": 1e27, **change})


def phase_with(*defects, **given):
    return IonicPhase(**{"name": "A", "relative_permittivity": 10.0, "defects": defects, **given})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda li, v: phase_with(li), r"neutral bulk, Σ z c = 0, received 1e\+27 e/m³"),
        (lambda li, v: phase_with(li, v, relative_permittivity=0.0), "relative_permittivity"),
        (lambda li, v: phase_with(li, v, steric="hard"), "steric"),
        (lambda li, v: phase_with(li, v, steric="lattice"), "none for V"),
    ],
)
def test_phases_refused(make, words):
    li = Defect(name="Li", charge=1, density=1e27, site_density=2e27)
    with pytest.raises(InputError, match=words) as caught:
        make(li, Defect(name="V", charge=-1, density=1e27))
    assert "\n" not in str(caught.value)


def test_nothing_mobile_is_refused():
    with pytest.raises(InputError, match="at least one mobile defect"):
        phase_with(Defect(name="a", charge=1, density=1.0, mobile=False))


def test_shared_sites_must_hold_all_defects():
    full = {"density": 1e27, "site_density": 1.5e27}
    pair = (Defect(name="a", charge=1, **full), Defect(name="b", charge=-1, **full))
    with pytest.raises(InputError, match="share the sites"):
        phase_with(*pair, steric="bikerman")
