"""Two phases in contact: balance, limits, buffer films, and what is refused."""

import math

import pytest

import multiscale as ms
from multiscale.errors import InputError
from multiscale.space_charge import Buffer, thermal_voltage
from tests.space_charge.cases import frozen, symmetric

COBALTATE = frozen(density=1.7e28, permittivity=12.0, steric="lattice", sites=5.2e28, name="LCO")
GARNET = frozen(density=2.39e28, permittivity=60.0, steric="lattice", sites=3.8e28, name="LLZO")
NIOBATE = symmetric(density=1e26, permittivity=40.0)


@pytest.mark.parametrize("drop", [-0.5, 0.1, 1.0, 2.5])
def test_what_one_phase_gives_the_other_takes(drop):
    found = ms.space_charge_junction(COBALTATE, GARNET, drop)
    assert found.left.charge == pytest.approx(-found.right.charge, rel=1e-7)
    assert found.left.excess_carriers == pytest.approx(-found.right.excess_carriers, rel=1e-7)
    assert found.right.drop - found.left.drop == pytest.approx(drop, rel=1e-9)
    assert math.copysign(1, found.left.charge) == math.copysign(1, drop)
    assert found.x[0] < 0 < found.x[-1]


def test_lithium_leaves_the_electrolyte_within_a_nanometre():
    # de Klerk & Wagemaker 2018: about 1 nm, resistance small unless fully depleted
    mild = ms.space_charge_junction(COBALTATE, GARNET, 0.5)
    assert 0.2e-9 < mild.right.extent < 2e-9
    assert mild.right.excess_conductance_length < 0 < mild.left.excess_conductance_length
    assert mild.right.excess_resistance_length < 10e-9
    full = ms.space_charge_junction(COBALTATE, GARNET, 2.0)
    assert full.right.excess_resistance_length > 1e-6


def test_equal_phases_share_the_drop():
    found = ms.space_charge_junction(symmetric(), symmetric(), 0.3)
    assert found.left.drop == pytest.approx(-0.15, rel=1e-8)
    assert found.right.drop == pytest.approx(0.15, rel=1e-8)
    half = ms.space_charge_layer(potential=0.15)
    wanted = half.excess_resistance_length / 2
    assert found.right.excess_resistance_length == pytest.approx(wanted, rel=1e-8)


def test_a_metal_like_phase_leaves_all_of_the_drop_to_the_other():
    metal = symmetric(density=1e33, permittivity=50.0)
    found = ms.space_charge_junction(metal, symmetric(), -0.2)
    layer = ms.space_charge_layer(potential=-0.2)
    assert found.right.drop == pytest.approx(-0.2, rel=0.01)
    assert found.right.excess_conductance_length == pytest.approx(
        layer.excess_conductance_length / 2, rel=0.04
    )


def test_a_thick_buffer_makes_two_junctions():
    middle = symmetric(density=1e27, permittivity=40.0)
    found = ms.space_charge_junction(
        COBALTATE, GARNET, 1.0, buffer=Buffer(phase=middle, width=60e-9, potential_difference=0.6)
    )
    first = ms.space_charge_junction(COBALTATE, middle, 0.6)
    second = ms.space_charge_junction(middle, GARNET, 0.4)
    assert found.left.excess_carriers == pytest.approx(first.left.excess_carriers, rel=1e-7)
    assert found.right.excess_carriers == pytest.approx(second.right.excess_carriers, rel=1e-7)
    assert found.buffer is not None
    total = first.right.excess_resistance_length + second.left.excess_resistance_length
    assert found.buffer.excess_resistance_length == pytest.approx(total, rel=1e-6)


def test_a_buffer_takes_the_depletion_off_the_electrolyte():
    bare = ms.space_charge_junction(COBALTATE, GARNET, 1.0)
    buffered = ms.space_charge_junction(
        COBALTATE, GARNET, 1.0, buffer=Buffer(phase=NIOBATE, width=5e-9, potential_difference=0.9)
    )
    assert abs(buffered.right.drop) < 0.5 * abs(bare.right.drop)
    assert buffered.right.excess_resistance_length < 0.1 * bare.right.excess_resistance_length
    sigma = {"LCO": 1e-2, "LLZO": 5e-2, "A": 1e-4}
    assert buffered.buffer is not None
    wanted = (5e-9 + buffered.buffer.excess_resistance_length) / 1e-4
    wanted += buffered.left.excess_resistance_length / 1e-2
    wanted += buffered.right.excess_resistance_length / 5e-2
    assert buffered.areal_resistance(sigma) == pytest.approx(wanted, rel=1e-12)


def test_thin_phases_hold_all_of_the_charge():
    found = ms.space_charge_junction(COBALTATE, GARNET, 0.5, sizes=(2e-9, 1.5e-9))
    assert found.x[0] == pytest.approx(-2e-9)
    assert found.x[-1] == pytest.approx(1.5e-9)
    assert found.left.charge == pytest.approx(-found.right.charge, rel=1e-7)


def test_interface_charge_is_screened_by_both():
    found = ms.space_charge_junction(COBALTATE, GARNET, 0.0, interface_charge=0.05)
    assert found.left.charge + found.right.charge == pytest.approx(-0.05, rel=1e-6)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"potential_difference": math.nan}, "potential_difference"),
        ({"potential_difference": 40.0}, "at most 7.76 V"),
        ({"temperature": -1.0}, "temperature"),
        ({"sizes": (0.0, None)}, r"sizes\[0\]"),
        ({"interface_charge": math.inf}, "interface_charge"),
        ({"carriers": {"LCO": "Na"}}, r"carriers\['LCO'\]: expected one of Li, received"),
    ],
)
def test_refused(given, words):
    with pytest.raises(InputError, match=words):
        ms.space_charge_junction(COBALTATE, GARNET, **{"potential_difference": 0.1, **given})


def test_buffers_and_conductivities_refused():
    with pytest.raises(InputError, match="buffer width"):
        Buffer(phase=NIOBATE, width=0.0, potential_difference=0.0)
    found = ms.space_charge_junction(COBALTATE, GARNET, 0.1)
    with pytest.raises(InputError, match=r"conductivities\['LLZO'\]"):
        found.areal_resistance({"LCO": 1.0})
    assert thermal_voltage(300.0) > 0
