import numpy as np
import pytest

from multiscale.circuit import ImpedanceSpectrum, lin_kk, parse_circuit
from multiscale.circuit.kramers_kronig import resistance_balance
from multiscale.errors import InputError

VALID = {
    "R0": [10.0],
    "R0-p(R1,C1)-p(R2,C2)": [10, 100, 1e-8, 300, 1e-5],
    "R0-p(R1,CPE1)-p(R2,CPE2)": [10, 100, 1e-7, 0.9, 300, 3e-5, 0.85],
    "p(R1,CPE1)-p(R2,CPE2)-CPE3": [100, 1e-9, 0.95, 300, 1e-6, 0.9, 1e-5, 0.8],
    "L0-R0-p(R1-W1,CPE1)": [1e-7, 10, 100, 30, 1e-5, 0.9],
    "R0-p(R1,CPE1)-Wo2": [10, 100, 1e-7, 0.9, 50, 0.5],
    "R0-p(R1,CPE1,L2-R2)": [10, 100, 1e-6, 0.9, 20, 50],
}


def drifting(frequency, growth):
    """Measure R0-p(R1,CPE1)-p(R2,CPE2) while R2 grows; each point takes three periods."""
    circuit = parse_circuit("R0-p(R1,CPE1)-p(R2,CPE2)")
    elapsed = np.cumsum(3.0 / frequency + 0.5)
    z = [
        circuit.impedance(f, [10, 100, 1e-7, 0.9, 300 * (1 + growth * t), 3e-5, 0.85])
        for f, t in zip(frequency, elapsed / elapsed[-1], strict=True)
    ]
    return ImpedanceSpectrum(frequency, z)


@pytest.mark.parametrize("circuit", VALID)
def test_circuits_pass(measured, circuit):
    found = lin_kk(measured(circuit, VALID[circuit]))
    assert found.valid
    assert found.largest_residual < 0.2
    assert "agrees" in found.verdict


@pytest.mark.parametrize("circuit", VALID)
def test_residuals_of_noise_are_the_noise(measured, circuit):
    for seed in range(3):
        found = lin_kk(measured(circuit, VALID[circuit], noise=2e-3, seed=seed))
        assert found.valid
        assert 0.12 < found.rms_residual < 0.26  # 0.2 %, less what the ladder follows
        assert abs(found.serial_correlation) < 0.45


@pytest.mark.parametrize("growth", [0.3, 1.0])
def test_a_drift_is_flagged(frequency, growth):
    found = lin_kk(drifting(frequency, growth))
    assert not found.valid
    assert found.largest_residual > 1.5
    assert found.serial_correlation > 0.3
    assert "does not agree" in found.verdict


def test_without_drift_the_same_measurement_passes(frequency):
    assert lin_kk(drifting(frequency, 0.0)).largest_residual < 0.1


def test_a_spectrum_that_is_not_causal_is_flagged(measured):
    spectrum = measured("R0-p(R1,C1)", [10.0, 100.0, 1e-6])
    mirrored = ImpedanceSpectrum(spectrum.frequency, np.conj(spectrum.impedance))
    assert not lin_kk(mirrored).valid or lin_kk(mirrored).mu < 0
    real = ImpedanceSpectrum(spectrum.frequency, spectrum.impedance.real)
    assert not lin_kk(real).valid


def test_a_blocking_spectrum_needs_the_capacitor(measured):
    spectrum = measured("R0-C1", [10.0, 1e-4])
    assert lin_kk(spectrum).largest_residual < 1e-2
    assert not lin_kk(spectrum, capacitance=False).valid


def test_an_inductive_spectrum_needs_the_coil(measured):
    spectrum = measured("L0-R0", [1e-4, 10.0])
    assert lin_kk(spectrum).largest_residual < 1e-2
    assert not lin_kk(spectrum, inductance=False).valid


def test_order_of_the_points_does_not_matter(measured):
    spectrum = measured("R0-p(R1,CPE1)", [10, 100, 1e-6, 0.9], noise=1e-3)
    turned = ImpedanceSpectrum(spectrum.frequency[::-1], spectrum.impedance[::-1])
    first, second = lin_kk(spectrum), lin_kk(turned)
    assert first.elements == second.elements
    assert first.residual_real == pytest.approx(second.residual_real[::-1], abs=1e-6)


def test_residuals_are_percentages(measured):
    spectrum = measured("R0-p(R1,CPE1)", [10, 100, 1e-6, 0.9], noise=1e-3)
    found = lin_kk(spectrum)
    expected = 100 * (spectrum.impedance - found.impedance) / spectrum.modulus
    assert found.residual_real + 1j * found.residual_imag == pytest.approx(expected)
    assert found.impedance == pytest.approx(found.ladder.impedance(spectrum.frequency))


def test_few_points_are_enough(measured):
    spectrum = measured("R0-p(R1,C1)", [10, 100, 1e-6])
    few = ImpedanceSpectrum(spectrum.frequency[20:44:3], spectrum.impedance[20:44:3])
    assert lin_kk(few).elements <= len(few.frequency)


@pytest.mark.parametrize(
    ("resistances", "expected"),
    [([1.0, 3.0], 1.0), ([4.0, -1.0], 0.75), ([-1.0], -np.inf), ([0.0], 1.0)],
)
def test_resistance_balance(resistances, expected):
    assert resistance_balance(np.array(resistances)) == expected


def test_bad_input(measured):
    spectrum = measured("R0", [1.0])
    sparse = ImpedanceSpectrum(spectrum.frequency[::5], spectrum.impedance[::5])
    with pytest.raises(InputError, match="at least 22 frequencies, 3 a decade, received 15"):
        lin_kk(sparse)
    with pytest.raises(InputError, match="at least 8 frequencies, 3 a decade, received 1"):
        lin_kk(ImpedanceSpectrum(np.ones(20), np.ones(20)))
    with pytest.raises(InputError, match="impedances other than 0"):
        lin_kk(ImpedanceSpectrum(spectrum.frequency, np.zeros(71)))
    for bad in (0.0, 1.5, np.nan):
        with pytest.raises(InputError, match="mu_limit"):
            lin_kk(spectrum, mu_limit=bad)
    with pytest.raises(InputError, match="residual_limit"):
        lin_kk(spectrum, residual_limit=-1.0)
