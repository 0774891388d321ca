import numpy as np
import pytest

from multiscale.circuit import parse_circuit
from multiscale.circuit.starting_values import arcs_of, relaxations, starting_values


def test_parts_of_a_spectrum(measured):
    spectrum = measured("L0-R0-p(R1,C1)-p(R2,C2)-CPE3", [1e-6, 10, 100, 1e-8, 300, 1e-6, 1e-4, 0.8])
    found = relaxations(spectrum, blocking=True)
    assert found.resistance == pytest.approx(10.0, rel=0.1)
    assert found.inductance == pytest.approx(1e-6, rel=0.1)
    tail = 1 / (1e-4 * (2j * np.pi * 0.1) ** 0.8)
    assert abs(found.tail - tail) < 0.25 * abs(tail)
    assert (found.resistances >= 0).all()


def test_arcs_from_high_to_low_frequency(measured):
    spectrum = measured("R0-p(R1,C1)-p(R2,C2)", [10, 300, 1e-5, 100, 1e-8], noise=1e-3)
    fast, slow = arcs_of(relaxations(spectrum, blocking=False), spectrum, 2)
    assert fast.resistance == pytest.approx(100, rel=0.1)
    assert fast.time == pytest.approx(1e-6, rel=0.1)
    assert slow.resistance == pytest.approx(300, rel=0.1)
    assert slow.time == pytest.approx(3e-3, rel=0.1)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_as_many_arcs_as_asked_for(measured, count):
    spectrum = measured("R0-p(R1,C1)-p(R2,C2)", [10, 300, 1e-5, 100, 1e-8])
    arcs = arcs_of(relaxations(spectrum, blocking=False), spectrum, count)
    assert len(arcs) == count
    assert [arc.time for arc in arcs] == sorted(arc.time for arc in arcs)


def test_a_resistor_has_no_arc_but_values_all_the_same(measured):
    spectrum = measured("R0", [10.0])
    circuit = parse_circuit("L0-R0-p(R1,CPE1)-Ws2-C3-W4-Wo5")
    values = starting_values(circuit, spectrum)
    assert circuit.values(values) == values
    assert min(values) > 0


def test_polycrystal_within_a_factor_of_two(measured):
    values = np.array([30, 100, 1e-8, 0.95, 300, 1e-6, 0.9, 1e-5, 0.8])
    circuit = parse_circuit("R0-p(R1,CPE1)-p(R2,CPE2)-CPE3")
    found = starting_values(circuit, measured(circuit.text, values, noise=1e-3))
    ohmic = [0, 1, 4, 7, 8]
    assert np.abs(np.log2(np.array(found)[ohmic] / values[ohmic])).max() < 1.0
