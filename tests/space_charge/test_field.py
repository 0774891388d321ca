"""A whole polycrystal: layers in one dimension, bounds, symmetry, and what is refused."""

import math
from dataclasses import replace

import numpy as np
import pytest

import multiscale as ms
from multiscale.errors import InputError, ResolutionError
from multiscale.space_charge import thermal_voltage
from tests.space_charge.cases import TEMPERATURE, frozen, symmetric

PHASE = frozen(density=1e26)
DEBYE = PHASE.debye_length(TEMPERATURE)


@pytest.fixture(scope="module")
def crystal():
    return ms.polycrystal(grains=20, size=(1e-8,) * 2, phases={"A": 1.0}, seed=1)


@pytest.fixture(scope="module")
def slabs():
    """Two grains side by side, with walls: half a grain each, one facet at 0.465 of the box."""
    length = 8 * DEBYE
    some = ms.polycrystal(grains=2, size=(1e-8,) * 2, phases={"A": 1.0}, seed=1)
    return replace(
        some,
        seeds=np.array([[0.3, 0.125], [0.63, 0.125]]) * length,
        weights=np.zeros(2),
        size=(length, length / 4),
        periodic=False,
    )


def laminate(slabs, cells):
    length = slabs.size[0]
    field = ms.space_charge_field(slabs, (cells, cells // 4), {"A": PHASE}, 0.1, TEMPERATURE)
    solved = ms.effective_diffusivity(
        field.carrier_ratio, spacing=length / cells, boundary="dirichlet"
    )
    layers = [
        ms.space_charge_layer(0.1, TEMPERATURE, 50.0, 1e26, 1, "mott-schottky", 2 * part * length)
        for part in (0.465, 0.535)
    ]
    resistance = 1 + sum(one.excess_resistance_length for one in layers) / (2 * length)
    conductance = 1 + sum(one.excess_conductance_length for one in layers) / (2 * length)
    return (
        field.potential.min() / min(one.middle_potential for one in layers) - 1,
        solved.tensor[0, 0] * resistance - 1,
        solved.tensor[1, 1] / conductance - 1,
    )


def test_slabs_are_those_of_one_dimension(slabs):
    coarse, fine = laminate(slabs, 32), laminate(slabs, 128)
    assert abs(fine[0]) < 2e-3
    assert abs(fine[0]) < abs(coarse[0]) / 6
    assert abs(fine[1]) < 5e-3
    assert abs(fine[2]) < 5e-4


def test_potentials_lie_between_bulk_and_core(crystal):
    field = ms.space_charge_field(crystal, (64, 64), {"A": PHASE}, 0.1, TEMPERATURE)
    assert field.potential.min() > 0
    assert field.potential.max() < 0.1
    assert field.steps < 30
    np.testing.assert_allclose(
        field.carrier_ratio, np.exp(-field.potential / thermal_voltage(TEMPERATURE)), rtol=1e-9
    )


def test_the_smaller_the_grains_the_less_they_conduct():
    values = []
    for size in (4e-8, 1e-8):
        some = ms.polycrystal(grains=20, size=(size,) * 2, phases={"A": 1.0}, seed=1)
        field = ms.space_charge_field(some, (96, 96), {"A": PHASE}, 0.1, TEMPERATURE)
        solved = ms.effective_diffusivity(field.carrier_ratio, spacing=size / 96)
        values.append(np.trace(solved.tensor) / 2)
    assert values[1] < 0.5 * values[0] < 0.5


def test_no_potential_no_field(crystal):
    field = ms.space_charge_field(crystal, (32, 32), {"A": PHASE}, 0.0, TEMPERATURE)
    assert not field.potential.any()
    assert (field.carrier_ratio == 1.0).all()


def test_three_dimensions_and_two_phases():
    crystal = ms.polycrystal(
        grains=30, size=(8e-9,) * 3, phases={"A": 0.5, "B": 0.5}, seed=3
    )  # fmt: skip
    given = {"A": PHASE, "B": symmetric(density=1e27)}
    cores = {("A", "A"): 0.1, "B|A": -0.05, ("B", "B"): 0.0}
    field = ms.space_charge_field(crystal, (24,) * 3, given, cores, TEMPERATURE)
    assert field.potential.shape == (24,) * 3
    assert -0.05 <= field.potential.min() < 0 < field.potential.max() <= 0.1
    inside = crystal.phase_image((24,) * 3) == crystal.phase_names.index("B")
    assert field.potential[inside].max() <= 0.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"phases": {"B": PHASE}}, "phases: expected the defects of 'A'"),
        ({"core_potential": math.nan}, "core_potential"),
        ({"core_potential": 50.0}, "core_potential"),
        ({"core_potential": {}}, "one for 'A|A'"),
        ({"core_potential": {"A|Q": 0.1}}, "two phases of this crystal"),
        ({"temperature": 0.0}, "temperature"),
        ({"carriers": {"A": "Na"}}, "carriers"),
    ],
)
def test_refused(crystal, change, words):
    given = {"phases": {"A": PHASE}, "core_potential": 0.1, "temperature": 300.0, **change}
    with pytest.raises(InputError, match=words.replace("|", r"\|")):
        ms.space_charge_field(crystal, (32, 32), **given)


def test_too_coarse_is_refused(crystal):
    with pytest.raises(ResolutionError):
        ms.space_charge_field(crystal, (8, 8), {"A": PHASE}, 0.1, TEMPERATURE)
