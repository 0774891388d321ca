import numpy as np
import pytest

from multiscale.circuit import ImpedanceSpectrum, parse_circuit

FREQUENCY = np.geomspace(1e6, 1e-1, 71)


@pytest.fixture
def frequency():
    """Return 7 decades, 10 points each, from high to low as instruments measure."""
    return FREQUENCY


@pytest.fixture
def measured():
    """Simulate a measurement: a circuit, its values, and noise relative to |Z| of each part."""

    def measure(circuit, values, noise=0.0, seed=0):
        z = parse_circuit(circuit).impedance(FREQUENCY, values)
        parts = np.random.default_rng(seed).normal(size=(2, len(z)))
        return ImpedanceSpectrum(FREQUENCY, z + noise * np.abs(z) * (parts[0] + 1j * parts[1]))

    return measure
