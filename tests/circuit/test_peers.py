"""Against impedance.py, where it is installed."""

import numpy as np
import pytest

from multiscale.circuit import fit_circuit, parse_circuit, write_spectrum

pytest.importorskip("impedance")

CIRCUITS = {
    "R0-p(R1,CPE1)-p(R2,CPE2)-CPE3": [10, 100, 1e-8, 0.95, 300, 1e-6, 0.9, 1e-4, 0.8],
    "L0-R0-p(R1-W1,CPE1)": [1e-7, 10, 100, 30, 1e-5, 0.9],
    "R0-p(R1-Wo1,C1)-Ws2": [10, 100, 300, 3.0, 1e-5, 20, 0.1],
    "R_0-p(C1,R1-p(C2,R2-p(R3,C3)))": [10, 1e-7, 100, 1e-4, 50, 5, 1e-3],
}


@pytest.fixture(params=CIRCUITS)
def pair(request):
    """Build our circuit and theirs with the same values."""
    from impedance.models.circuits import CustomCircuit

    values = CIRCUITS[request.param]
    return parse_circuit(request.param), CustomCircuit(request.param, initial_guess=values), values


def test_names_and_order(pair):
    ours, theirs, _ = pair
    assert list(ours.parameters) == theirs.get_param_names()[0]


@pytest.mark.filterwarnings("ignore:Simulating circuit")
def test_spectra(pair, frequency):
    ours, theirs, values = pair
    z = theirs.predict(frequency, use_initial=True)
    assert np.abs(ours.impedance(frequency, values) / z - 1).max() < 1e-12


def test_fits(measured):
    from impedance.models.circuits import CustomCircuit

    text, values = "R0-p(R1,CPE1)-p(R2,CPE2)", [10, 100, 1e-7, 0.9, 300, 3e-5, 0.85]
    spectrum = measured(text, values, noise=5e-3)
    theirs = CustomCircuit(text, initial_guess=values)
    theirs.fit(spectrum.frequency, spectrum.impedance, weight_by_modulus=True)
    ours = fit_circuit(spectrum, text)
    away = np.abs(np.array(ours.values) - theirs.parameters_) / ours.standard_errors
    assert away.max() < 0.1
    misfit = np.abs(theirs.predict(spectrum.frequency) - spectrum.impedance) / spectrum.modulus
    assert ours.reduced_chi_square * (2 * 71 - 7) <= np.sum(misfit**2)  # theirs stops earlier


def test_their_reader_reads_our_files(tmp_path, measured):
    from impedance.preprocessing import readCSV

    spectrum = measured("R0-p(R1,CPE1)", [10.0, 100.0, 1e-6, 0.9], noise=0.01)
    path = tmp_path / "one.csv"
    write_spectrum(spectrum, path, plain=True)
    frequency, z = readCSV(str(path))
    assert (frequency == spectrum.frequency).all()
    assert (z == spectrum.impedance).all()
    write_spectrum(spectrum, path)  # its header becomes a line of NaN
    frequency, z = readCSV(str(path))
    assert (frequency[1:] == spectrum.frequency).all()
    assert (z[1:] == spectrum.impedance).all()
