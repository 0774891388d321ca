import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiscale.circuit import parse_circuit
from multiscale.circuit.elements import (
    capacitor,
    constant_phase,
    inductor,
    resistor,
    warburg,
    warburg_open,
    warburg_short,
    zarc,
)
from multiscale.circuit.parsing import peak_frequency
from multiscale.errors import ComputationError, InputError

POLYCRYSTAL = "R0-p(R1,CPE1)-p(R2,CPE2)-CPE3"


def close(found, expected, rtol=1e-12):
    return np.all(np.abs(found - expected) <= rtol * np.abs(expected))


def beside(*branches):
    return 1 / sum(1 / z for z in branches)


def test_names_and_units():
    circuit = parse_circuit("L1-R0-p(R1,CPE1)-Wo2-W3-C4-Ws5")
    assert circuit.parameters == (
        *("L1", "R0", "R1", "CPE1_0", "CPE1_1", "Wo2_0", "Wo2_1", "W3", "C4"),
        *("Ws5_0", "Ws5_1"),
    )
    assert circuit.units == (
        *("H", "ohm", "ohm", "S s^n", "1", "ohm", "s", "ohm s^-1/2", "F"),
        *("ohm", "s"),
    )


def test_spaces_and_underscores():
    circuit = parse_circuit(" R_0 - p( R1 , C1 ) ")
    assert circuit.text == "R_0-p(R1,C1)"
    assert circuit.parameters == ("R_0", "R1", "C1")


def test_polycrystal_by_hand(frequency):
    values = [10, 100, 1e-8, 0.95, 300, 1e-6, 0.9, 1e-4, 0.8]
    expected = (
        resistor(frequency, 10)
        + zarc(frequency, 100, 1e-8, 0.95)
        + zarc(frequency, 300, 1e-6, 0.9)
        + constant_phase(frequency, 1e-4, 0.8)
    )
    circuit = parse_circuit(POLYCRYSTAL)
    assert close(circuit.impedance(frequency, values), expected)
    named = dict(zip(circuit.parameters, values, strict=True))
    assert (circuit.impedance(frequency, named) == circuit.impedance(frequency, values)).all()


def test_nested_by_hand(frequency):
    circuit = parse_circuit("L0-p(C1,R1-p(C2,R2-W2,Ws2),Wo3)")
    inner = beside(
        capacitor(frequency, 1e-3),
        resistor(frequency, 20) + warburg(frequency, 3),
        warburg_short(frequency, 7, 0.1),
    )
    expected = inductor(frequency, 1e-6) + beside(
        capacitor(frequency, 1e-6), resistor(frequency, 10) + inner, warburg_open(frequency, 4, 2)
    )
    found = circuit.impedance(frequency, [1e-6, 1e-6, 10, 1e-3, 20, 3, 7, 0.1, 4, 2])
    assert close(found, expected)


def test_nothing_beside_a_wire(frequency):
    assert not parse_circuit("p(R1,C1)").impedance(frequency, [0.0, 1.0]).any()


def test_resonance_is_not_finite():
    f = 1 / (2 * np.pi)
    with pytest.raises(ComputationError, match=r"p\(L1,C1\): the impedance is not finite at"):
        parse_circuit("p(L1,C1)").impedance(f, [1.0, 1.0])


def test_peak_frequency(frequency):
    circuit = parse_circuit("R0-p(R1,C1)")
    peak = peak_frequency(circuit.root.parts[1], frequency, [5.0, 10.0, 1e-3])
    assert peak == pytest.approx(1 / (2 * np.pi * 1e-2), rel=0.05)


scales = st.floats(-3.0, 3.0).map(lambda power: 10.0**power)


@given(factor=scales, values=st.lists(scales, min_size=7, max_size=7), n=st.floats(0.1, 1.0))
def test_impedance_scales(factor, values, n):
    """Z(aR, C/a, Q/a, aL) = a Z."""
    circuit = parse_circuit("L0-R0-p(R1-W1,C1)-p(R2,CPE2)")
    powers = np.array([1, 1, 1, 1, -1, 1, -1, 0])
    first = np.array([*values, n])
    f = np.geomspace(1e-2, 1e2, 9)
    scaled = circuit.impedance(f, (first * factor**powers).tolist())
    assert close(scaled, factor * circuit.impedance(f, first.tolist()), 1e-9)


@given(values=st.lists(scales, min_size=10, max_size=10), n=st.floats(0.1, 1.0))
def test_circuits_are_passive(values, n):
    circuit = parse_circuit("L0-R0-p(R1-Wo1,C1-p(L2,R2))-p(R3,CPE3)")
    z = circuit.impedance(np.geomspace(1e-2, 1e2, 9), [*values, n])
    assert (z.real >= -1e-9 * np.abs(z)).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "character 1: expected an element with its number, such as R1, or p"),
        ("R", "character 1: expected an element with its number.*received 'R'"),
        ("R1-", "character 4: expected an element.*received the end"),
        ("-R1", "character 1: expected an element.*received '-'"),
        ("R1--R2", "character 4: expected an element.*received '-'"),
        ("R1R2", "character 3: expected '-' or the end, received 'R2'"),
        ("R1,R2", "character 3: expected '-' or the end, received ','"),
        ("R0-p(R1,C1", r"character 11: expected '\)'.*opened at character 4"),
        ("R0-p(R1,C1))", r"character 12: expected '-' or the end, received '\)'"),
        ("R0-(R1,C1)", r"character 4: expected an element.*received '\('"),
        ("p(R1)", "expected ','.*at least two branches"),
        ("p()", r"character 3: expected an element.*received '\)'"),
        ("p(R1,)", r"character 6: expected an element.*received '\)'"),
        ("R0-Q1", "expected a known element, received 'Q1'"),
        ("CPF1", "received 'CPF1'; did you mean 'CPE'"),
        ("R1-p(R1,C1)", "character 6: expected a name that is not in use.*'R1' comes twice"),
        ("R1-R_1", "'R_1' comes twice"),
        ("R1+C1", r"expected '-' or the end, received '\+'"),
    ],
)
def test_bad_strings(text, message):
    with pytest.raises(InputError, match=message) as caught:
        parse_circuit(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, 1.0], r"expected 4 values \(R0, R1, CPE1_0, CPE1_1\), received 2"),
        ([1.0] * 5, "expected 4 values.*received 5"),
        ([-1.0, 1.0, 1.0, 1.0], "R0: expected a finite resistance ≥ 0.*received -1"),
        ([1.0, np.nan, 1.0, 1.0], "R1: expected.*received nan"),
        ([1.0, 1.0, 0.0, 1.0], r"CPE1_0: expected a finite coefficient > 0 \[S s\^n\]"),
        ([1.0, 1.0, 1.0, 1.2], "CPE1_1: expected a finite exponent > 0 and ≤ 1"),
        ([1.0, 1.0, 1.0, 0.0], "CPE1_1: expected"),
        ({"R0": 1.0, "R1": 1.0, "CPE1_0": 1.0}, "none for CPE1_1"),
        ({"R0": 1.0, "R2": 1.0, "CPE1_0": 1.0, "CPE1_1": 1.0}, "received R2; did you mean"),
    ],
)
def test_bad_values(values, message):
    with pytest.raises(InputError, match=message) as caught:
        parse_circuit("R0-p(R1,CPE1)").impedance([1.0], values)
    assert "\n" not in str(caught.value)


def test_bad_frequency():
    with pytest.raises(InputError, match="frequency"):
        parse_circuit("R0").impedance([-1.0], [1.0])
