import numpy as np
import pytest

from multiscale.circuit import ImpedanceSpectrum, fit_circuit
from multiscale.errors import ComputationError, ConvergenceError, InputError

TWO_ZARCS = "R0-p(R1,CPE1)-p(R2,CPE2)"
VALUES = [10, 100, 1e-7, 0.9, 300, 3e-5, 0.85]
CIRCUITS = {
    "R0": [10],
    "L0-R0-C0": [1e-6, 10, 1e-3],
    "R0-p(R1,C1)-p(R2,C2)": [10, 100, 1e-8, 300, 1e-5],
    TWO_ZARCS: VALUES,
    "R0-p(R1,CPE1)-p(R2,CPE2)-p(R3,CPE3)": [
        *(10, 100, 1e-8, 0.95, 300, 3e-6, 0.85),
        *(150, 1e-3, 0.8),
    ],
    "R0-p(R1,CPE1)-p(R2,CPE2)-CPE3": [30, 100, 1e-8, 0.95, 300, 1e-6, 0.9, 1e-5, 0.8],
    "L0-R0-p(R1-W1,CPE1)": [1e-7, 10, 100, 30, 1e-5, 0.9],
    "R0-p(C1,R1-p(C2,R2))": [10, 1e-7, 100, 1e-4, 50],
    "R0-p(R1,C1)-Ws1": [10, 100, 1e-6, 200, 1.0],
    "R0-p(R1,CPE1)-Wo2": [10, 100, 1e-7, 0.9, 50, 0.5],
}


@pytest.mark.parametrize("circuit", CIRCUITS)
def test_exact_spectra_give_their_values_back(measured, circuit):
    found = fit_circuit(measured(circuit, CIRCUITS[circuit]), circuit)
    assert found.values == pytest.approx(CIRCUITS[circuit], rel=1e-6)
    assert found.reduced_chi_square < 1e-18
    assert found.at_bound == ()


@pytest.mark.parametrize("circuit", CIRCUITS)
def test_noisy_spectra_give_their_values_within_errors(measured, circuit):
    found = fit_circuit(measured(circuit, CIRCUITS[circuit], noise=3e-3, seed=1), circuit)
    pulls = (np.array(found.values) - CIRCUITS[circuit]) / found.standard_errors
    assert np.abs(pulls).max() < 4.0
    assert np.sqrt(found.reduced_chi_square) == pytest.approx(3e-3, rel=0.25)


def test_standard_errors_cover_the_truth(measured):
    """Of 100 measurements, 68 % of the values lie within one standard error, 95 % within two."""
    pulls, misfits = [], []
    for seed in range(100):
        found = fit_circuit(measured(TWO_ZARCS, VALUES, noise=5e-3, seed=seed), TWO_ZARCS)
        pulls.append((np.array(found.values) - VALUES) / found.standard_errors)
        misfits.append(found.reduced_chi_square / 5e-3**2)
    inside = np.abs(np.array(pulls))
    assert np.mean(inside < 1) == pytest.approx(0.683, abs=0.06)
    assert np.mean(inside < 2) == pytest.approx(0.954, abs=0.035)
    assert np.mean(misfits) == pytest.approx(1.0, abs=0.04)


def test_given_deviations_leave_errors_unscaled(measured):
    spectrum = measured(TWO_ZARCS, VALUES, noise=5e-3)
    free = fit_circuit(spectrum, TWO_ZARCS)
    given = fit_circuit(spectrum, TWO_ZARCS, weights=5e-3 * spectrum.modulus)
    assert given.reduced_chi_square == pytest.approx(1.0, abs=0.35)
    assert given.values == pytest.approx(free.values, rel=1e-5)
    scale = np.sqrt(given.reduced_chi_square)
    expected = np.array(given.standard_errors) * scale
    assert np.array(free.standard_errors) == pytest.approx(expected, rel=1e-3)
    assert (free.weights, given.weights) == ("modulus", "given")


def test_unit_weights_take_constant_noise(measured):
    exact = measured("R0-p(R1,C1)", [10, 100, 1e-6])
    parts = np.random.default_rng(2).normal(size=(2, 71))
    spectrum = ImpedanceSpectrum(
        exact.frequency, exact.impedance + 0.3 * (parts[0] + 1j * parts[1])
    )
    found = fit_circuit(spectrum, "R0-p(R1,C1)", weights="unit")
    assert np.sqrt(found.reduced_chi_square) == pytest.approx(0.3, rel=0.2)
    pulls = (np.array(found.values) - [10, 100, 1e-6]) / found.standard_errors
    assert np.abs(pulls).max() < 4.0


def test_covariance_and_names(measured, frequency):
    found = fit_circuit(measured(TWO_ZARCS, VALUES, noise=1e-3), TWO_ZARCS)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(found.standard_errors)
    assert np.allclose(found.covariance, found.covariance.T, rtol=1e-9, atol=0)
    assert found.by_name["CPE1_1"] == (found.values[3], found.standard_errors[3])
    expected = found.circuit.impedance(frequency, found.values)
    assert found.impedance == pytest.approx(expected)


def test_arcs_are_named_from_high_to_low_frequency(measured, monkeypatch):
    spectrum = measured(TWO_ZARCS, VALUES, noise=1e-3)
    expected = fit_circuit(spectrum, TWO_ZARCS)
    turned = [10, 300, 3e-5, 0.85, 100, 1e-7, 0.9]
    monkeypatch.setattr("multiscale.circuit.fitting.starting_values", lambda *_: turned)
    found = fit_circuit(spectrum, TWO_ZARCS)
    assert found.values == pytest.approx(expected.values, rel=1e-5)
    assert found.standard_errors == pytest.approx(expected.standard_errors, rel=1e-3)
    assert np.allclose(found.covariance, expected.covariance, rtol=1e-2, atol=0)


def test_own_initial_values_are_the_only_start(measured):
    spectrum = measured(TWO_ZARCS, VALUES)
    turned = [10, 300, 3e-5, 0.85, 100, 1e-7, 0.9]
    found = fit_circuit(spectrum, TWO_ZARCS, [1.1 * v for v in turned[:3]] + turned[3:])
    assert found.values == pytest.approx(turned, rel=1e-5)
    named = dict(zip(found.circuit.parameters, VALUES, strict=True))
    assert fit_circuit(spectrum, TWO_ZARCS, named).values == pytest.approx(VALUES, rel=1e-5)


def test_the_same_seed_gives_the_same_fit(measured):
    spectrum = measured(TWO_ZARCS, VALUES, noise=1e-2)
    first, second = (fit_circuit(spectrum, TWO_ZARCS, seed=7).values for _ in range(2))
    assert first == second


def test_values_scale_with_the_impedance(measured):
    spectrum = measured(TWO_ZARCS, VALUES, noise=1e-3)
    scaled = ImpedanceSpectrum(spectrum.frequency, 1e6 * spectrum.impedance)
    first, second = (np.array(fit_circuit(s, TWO_ZARCS).values) for s in (spectrum, scaled))
    factors = [1e6, 1e6, 1e-6, 1, 1e6, 1e-6, 1]
    assert second == pytest.approx(first * factors, rel=1e-4)


def test_an_exponent_at_its_bound_has_no_error(measured):
    spectrum = measured("R0-p(R1,C1)", [10, 100, 1e-6])
    found = fit_circuit(spectrum, "R0-p(R1,CPE1)")
    assert found.values == pytest.approx([10, 100, 1e-6, 1.0], rel=1e-5)
    if found.at_bound:
        assert found.at_bound == ("CPE1_1",)
        assert np.isnan(found.standard_errors[3])
    assert found.values[3] <= 1.0
    assert np.isfinite(found.standard_errors[:3]).all()


def test_a_superfluous_element_is_named(measured):
    spectrum = measured("R0-p(R1,C1)", [10, 100, 1e-6], noise=1e-3)
    with pytest.raises(ComputationError, match="does not determine R0, R5;") as caught:
        fit_circuit(spectrum, "R0-R5-p(R1,C1)")
    assert "\n" not in str(caught.value)


def test_no_convergence_says_where_it_stopped(measured):
    spectrum = measured(TWO_ZARCS, VALUES)
    with pytest.raises(ConvergenceError, match=r"within 2 evaluations.*misfit.*R0 = ") as caught:
        fit_circuit(spectrum, TWO_ZARCS, [1, 1, 1, 0.5, 1, 1, 0.5], max_evaluations=2)
    assert len(caught.value.history) == 1
    assert "\n" not in str(caught.value)


def test_bad_input(measured):
    spectrum = measured("R0-p(R1,C1)", [10, 100, 1e-6])
    few = ImpedanceSpectrum(spectrum.frequency[:1], spectrum.impedance[:1])
    with pytest.raises(InputError, match=r"more than 1\.5 points for 3 parameters, received 1"):
        fit_circuit(few, "R0-p(R1,C1)")
    with pytest.raises(InputError, match="comes twice"):
        fit_circuit(spectrum, "R0-R0")
    with pytest.raises(InputError, match="start R0: expected a value > 0"):
        fit_circuit(spectrum, "R0-C1", [0.0, 1.0])
    with pytest.raises(InputError, match="expected 2 values"):
        fit_circuit(spectrum, "R0-C1", [1.0])
    with pytest.raises(InputError, match='weights: expected "modulus", "unit" or an array'):
        fit_circuit(spectrum, "R0", weights="none")
    with pytest.raises(InputError, match="weights: expected one deviation for each of 71 points"):
        fit_circuit(spectrum, "R0", weights=[1.0])
    with pytest.raises(InputError, match="weights: expected deviations > 0"):
        fit_circuit(spectrum, "R0", weights=np.zeros(71))
    with pytest.raises(InputError, match=r"weights: expected \|Z\| > 0"):
        fit_circuit(ImpedanceSpectrum(spectrum.frequency, np.zeros(71)), "R0")
