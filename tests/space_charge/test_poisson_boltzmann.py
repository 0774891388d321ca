"""The solver in one dimension: first integrals, jumps, FiPy, and how it ends."""

import numpy as np
import pytest

from multiscale.errors import ConvergenceError
from multiscale.space_charge import Section, poisson_boltzmann, solve, thermal_voltage
from multiscale.space_charge.defects import strength
from multiscale.space_charge.fipy_reference import solve_with_fipy
from tests.space_charge.cases import ALL, TEMPERATURE, frozen, symmetric

DEEP = 45.0


def endless(phase):
    return Section(phase, (DEEP + 12.0) * phase.debye_length(TEMPERATURE))


@pytest.mark.parametrize("y", [-12.0, -0.3, 1.0, 8.0])
@pytest.mark.parametrize("phase", ALL.values(), ids=ALL)
def test_the_field_at_the_core_is_that_of_the_first_integral(phase, y):
    # a y'²/2 = P(y) everywhere, for any statistics, once the grain is endless
    found = solve([endless(phase)], TEMPERATURE, left=y)
    a = strength(phase.relative_permittivity, TEMPERATURE)
    wanted = 2 * phase.pressure(np.array([y]))[0] / a
    assert found.slope(0) ** 2 == pytest.approx(wanted, rel=1e-8)
    assert np.sign(found.slope(0)) == -np.sign(y)


@pytest.mark.parametrize("phase", ALL.values(), ids=ALL)
def test_the_charge_given_is_the_charge_screened(phase):
    sheet = 3.0 * phase.mobile[0].density * phase.debye_length(TEMPERATURE)
    found = solve([endless(phase)], TEMPERATURE, sheets=(sheet,))
    a = strength(phase.relative_permittivity, TEMPERATURE)
    assert -a * found.slope(0) == pytest.approx(sheet, rel=1e-9)
    _, weight, y = found.quadrature(0)
    assert weight @ phase.charge_density(y) == pytest.approx(-sheet, rel=1e-9)


def test_debye_and_hueckel():
    phase = symmetric()
    found = solve([endless(phase)], TEMPERATURE, left=1e-6)
    x = np.linspace(0, 5, 40) * phase.debye_length(TEMPERATURE)
    wanted = 1e-6 * np.exp(-x / phase.debye_length(TEMPERATURE))
    np.testing.assert_allclose(found.at(x), wanted, rtol=1e-8)


def test_gouy_and_chapmans_profile():
    phase = symmetric()
    found = solve([endless(phase)], TEMPERATURE, left=14.0)
    x = np.concatenate([[0.0], np.geomspace(1e-4, 8, 60)]) * phase.debye_length(TEMPERATURE)
    fall = np.tanh(14.0 / 4) * np.exp(-x / phase.debye_length(TEMPERATURE))
    np.testing.assert_allclose(found.at(x), 4 * np.arctanh(fall), rtol=1e-8)


def test_two_phases_share_the_displacement_but_for_the_sheet():
    sections = [
        Section(frozen(density=3e27, permittivity=12.0), 6e-9),
        Section(symmetric(density=1e26, permittivity=60.0), 20e-9, reference=-9.0),
    ]
    sheet = 2e17
    found = solve(sections, TEMPERATURE, sheets=(0.0, sheet))
    eps = 1e-15
    inside = found.at(np.array([6e-9 - eps, 6e-9, 6e-9 + eps]))
    a = [strength(s.phase.relative_permittivity, TEMPERATURE) for s in sections]
    left, right = a[0] * (inside[1] - inside[0]) / eps, a[1] * (inside[2] - inside[1]) / eps
    assert right - left == pytest.approx(-sheet, rel=1e-3)
    # far from the contact each is neutral
    assert found.values[0, 0] == pytest.approx(0.0, abs=1e-6)
    assert found.values[-1, -1] == pytest.approx(-9.0, abs=1e-6)
    charges = []
    for number, one in enumerate(sections):
        _, weight, y = found.quadrature(number)
        charges.append(weight @ one.phase.charge_density(y))
    assert sum(charges) == pytest.approx(-sheet, rel=1e-8)


STACKS = {
    "one grain": ([Section(symmetric(), 2e-9)], 4.0),
    "overlap, frozen": ([Section(frozen(density=2e26), 1.5e-9)], 5.0),
    "two phases": (
        [
            Section(frozen(density=3e27, permittivity=12.0, steric="lattice", sites=5e27), 2e-9),
            Section(symmetric(density=1e27, permittivity=60.0), 2e-9, reference=-6.0),
        ],
        None,
    ),
}


@pytest.mark.parametrize(("sections", "left"), STACKS.values(), ids=STACKS)
def test_fipy_comes_to_the_same_profile_with_its_own_order(sections, left):
    ours = solve(sections, TEMPERATURE, left=left)
    total = sum(one.length for one in sections)
    errors = []
    for cells in (120, 240, 480):
        edges = np.linspace(0.0, total, cells + 1)
        x, y = solve_with_fipy(sections, TEMPERATURE, edges, left=left)
        errors.append(np.abs(y - ours.at(x)).max())
    order = np.log2(errors[1] / errors[2])
    assert 1.7 < order < 2.3, errors
    assert errors[-1] < 0.01


def test_a_mesh_that_may_not_grow_says_where_it_stopped(monkeypatch):
    monkeypatch.setattr(poisson_boltzmann, "MOST_ELEMENTS", 50)
    with pytest.raises(ConvergenceError, match=r"elements after \d+ Newton steps"):
        solve([endless(symmetric())], TEMPERATURE, left=20.0)


def test_newton_that_may_not_go_on_says_where_it_stopped(monkeypatch):
    monkeypatch.setattr(poisson_boltzmann, "MOST_STEPS", 3)
    with pytest.raises(ConvergenceError, match="3 Newton steps left a largest change"):
        solve([endless(symmetric())], TEMPERATURE, left=20.0)


def test_steps_stay_few():
    assert solve([endless(frozen())], TEMPERATURE, left=0.4 / thermal_voltage(300.0)).steps < 25
