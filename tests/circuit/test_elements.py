import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiscale.circuit.elements import (
    ELEMENTS,
    arc_capacitance,
    capacitor,
    constant_phase,
    inductor,
    resistor,
    warburg,
    warburg_open,
    warburg_short,
    zarc,
)
from multiscale.errors import InputError

sizes = st.floats(-6.0, 6.0).map(lambda power: 10.0**power)
exponents = st.floats(0.1, 1.0)


def close(found, expected, rtol=1e-12):
    return np.all(np.abs(found - expected) <= rtol * np.abs(expected))


def test_simple_elements_by_hand():
    f = 1.0 / (2.0 * np.pi)  # ω = 1
    assert resistor(f, 3.0) == 3.0
    assert inductor(f, 3.0) == pytest.approx(3.0j)
    assert capacitor(f, 4.0) == pytest.approx(-0.25j)
    assert constant_phase(f, 4.0, 0.5) == pytest.approx(0.25 * (1 - 1j) / np.sqrt(2))
    assert warburg(f, 2.0) == pytest.approx(2.0 - 2.0j)


def test_zarc_of_exponent_one_is_an_rc_arc(frequency):
    resistance, capacitance = 50.0, 1e-5
    omega = 2 * np.pi * frequency
    expected = resistance / (1 + 1j * omega * resistance * capacitance)
    assert close(zarc(frequency, resistance, capacitance, 1.0), expected)
    assert close(constant_phase(frequency, capacitance, 1.0), capacitor(frequency, capacitance))


def test_zarc_without_resistance_is_a_wire(frequency):
    assert not zarc(frequency, 0.0, 1e-5, 0.8).any()


@given(resistance=sizes, coefficient=sizes, exponent=exponents)
def test_zarc_peaks_where_its_capacitance_says(resistance, coefficient, exponent):
    capacitance = arc_capacitance(resistance, coefficient, exponent)
    peak = 1.0 / (2 * np.pi * resistance * capacitance)
    height = -zarc(np.array([0.98, 1.0, 1.02]) * peak, resistance, coefficient, exponent).imag
    assert height[1] > height[0]
    assert height[1] > height[2]
    assert height[1] == pytest.approx(0.5 * resistance * np.tan(exponent * np.pi / 4), rel=1e-9)


@given(resistance=sizes, coefficient=sizes)
def test_arc_capacitance_of_exponent_one(resistance, coefficient):
    assert arc_capacitance(resistance, coefficient, 1.0) == pytest.approx(coefficient)


def test_finite_diffusion_becomes_infinite_at_high_frequency():
    resistance, time = 30.0, 2.0
    f = np.array([1e4, 1e8])
    expected = warburg(f, resistance / np.sqrt(2 * time))
    assert close(warburg_open(f, resistance, time), expected)
    assert close(warburg_short(f, resistance, time), expected)


def test_finite_diffusion_at_low_frequency():
    resistance, time, f = 30.0, 2.0, 1e-6
    omega = 2 * np.pi * f
    assert close(warburg_short(f, resistance, time), resistance, 1e-5)
    assert close(warburg_open(f, resistance, time).real, resistance / 3, 1e-5)
    assert close(warburg_open(f, resistance, time).imag, -resistance / (omega * time), 1e-5)


@given(
    symbol=st.sampled_from(sorted(ELEMENTS)),
    sizes=st.lists(sizes, min_size=2, max_size=2),
    exponent=exponents,
    frequency=sizes,
)
def test_elements_are_passive(symbol, sizes, exponent, frequency):
    element = ELEMENTS[symbol]
    values = [sizes[0], exponent if symbol == "CPE" else sizes[1]][: len(element.parameters)]
    z = element.impedance(frequency, *values)
    assert z.real >= -1e-12 * abs(z)
    assert z.imag <= 0 or symbol == "L"


def test_shape_of_the_frequencies_is_kept():
    f = np.ones((2, 3))
    for symbol, element in ELEMENTS.items():
        values = [0.5] * len(element.parameters)
        assert element.impedance(f, *values).shape == (2, 3), symbol


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_bad_frequency(bad):
    with pytest.raises(InputError, match=r"frequency: expected finite values > 0 \[Hz\]"):
        resistor([1.0, bad], 1.0)


@pytest.mark.parametrize("symbol", sorted(ELEMENTS))
@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_bad_parameters(symbol, bad):
    element = ELEMENTS[symbol]
    for place, parameter in enumerate(element.parameters):
        values = [0.5] * len(element.parameters)
        values[place] = bad
        with pytest.raises(InputError, match=f"^{parameter.name}: expected a finite") as caught:
            element.impedance(1.0, *values)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", [0.0, 1.001])
def test_exponent_outside_its_range(bad):
    with pytest.raises(InputError, match="exponent > 0 and ≤ 1"):
        constant_phase(1.0, 1.0, bad)


@pytest.mark.parametrize("bad", [(0.0, 1.0, 0.5), (1.0, -1.0, 0.5), (1.0, 1.0, 2.0)])
def test_arc_capacitance_refuses(bad):
    with pytest.raises(InputError):
        arc_capacitance(*bad)
