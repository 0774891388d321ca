import numpy as np
import pytest

from multiscale.circuit import ImpedanceSpectrum, parse_circuit
from multiscale.circuit.ladder import fit_ladder, time_constants


def test_time_constants_cover_the_range():
    found = time_constants(np.array([1.0, 100.0]), 3)
    assert found * 2 * np.pi == pytest.approx([1e-2, 1e-1, 1.0])
    wider = time_constants(np.array([1.0, 100.0]), 3, 10.0)
    assert wider * 2 * np.pi == pytest.approx([1e-3, 1e-1, 10.0])


def test_a_ladder_comes_back(frequency):
    times = time_constants(frequency, 8)
    resistances = np.array([1.0, -2.0, 5.0, 0.0, 3.0, 2.0, 4.0, 1.0])
    omega = 2 * np.pi * frequency[:, None]
    z = 7.0 + 1e-6j * omega[:, 0] + 0.5 / (1j * omega[:, 0])
    z = z + (resistances / (1 + 1j * omega * times)).sum(axis=1)
    spectrum = ImpedanceSpectrum(frequency, z)
    found = fit_ladder(spectrum, times, capacitance=True)
    assert found.resistances == pytest.approx(resistances, abs=1e-8)
    assert found.series_resistance == pytest.approx(7.0)
    assert found.inductance == pytest.approx(1e-6)
    assert found.elastance == pytest.approx(0.5)
    assert found.impedance(frequency) == pytest.approx(z)


def test_what_is_left_out_is_zero(frequency):
    spectrum = ImpedanceSpectrum(frequency, parse_circuit("R0-C1").impedance(frequency, [1.0, 1.0]))
    found = fit_ladder(spectrum, time_constants(frequency, 10), inductance=False)
    assert found.inductance == 0.0
    assert found.elastance == 0.0
