import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiscale.circuit import (
    ImpedanceSpectrum,
    read_plain_spectrum,
    read_spectrum,
    write_spectrum,
)
from multiscale.errors import InputError

HEADER = "frequency_Hz,Z_real_ohm,Z_imag_ohm,Z_modulus_ohm,phase_deg"
ROW = "10.0,3.0,-4.0,5.0,-53.13010235415598"


@pytest.fixture
def spectrum(measured):
    return measured("R0-p(R1,CPE1)", [10.0, 100.0, 1e-6, 0.9], noise=0.01)


def test_modulus_and_phase():
    found = ImpedanceSpectrum([1.0, 2.0], [3 - 4j, 2j])
    assert found.modulus == pytest.approx([5.0, 2.0])
    assert found.phase == pytest.approx([-53.13010235415598, 90.0])


def test_arrays_are_copies_that_cannot_change():
    frequency = np.array([1.0, 2.0])
    found = ImpedanceSpectrum(frequency, [1.0, 2.0])
    frequency[0] = 5.0
    assert found.frequency[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        found.impedance[0] = 0.0


def test_times_area():
    found = ImpedanceSpectrum([1.0], [2 - 1j]).times_area(1e-4)
    assert found.unit == "ohm m2"
    assert found.impedance == pytest.approx([2e-4 - 1e-4j])
    with pytest.raises(InputError, match="it holds the area already"):
        found.times_area(1.0)
    with pytest.raises(InputError, match="area: expected a finite value > 0"):
        ImpedanceSpectrum([1.0], [1.0]).times_area(-1.0)


@pytest.mark.parametrize(
    ("frequency", "impedance", "unit", "message"),
    [
        ([0.0], [1.0], "ohm", "frequency: expected finite values > 0"),
        ([np.nan], [1.0], "ohm", "frequency: expected finite values > 0"),
        ([], [], "ohm", "frequency: expected a list of at least one value"),
        ([[1.0]], [[1.0]], "ohm", "frequency: expected a list"),
        ([1.0, 2.0], [1.0], "ohm", "impedance: expected as many values as frequencies, 2"),
        ([1.0], [complex(1, np.nan)], "ohm", "impedance: expected finite values"),
        ([1.0], [1.0], "kohm", "unit: expected ohm or ohm m2, received kohm"),
    ],
)
def test_bad_spectra(frequency, impedance, unit, message):
    with pytest.raises(InputError, match=message):
        ImpedanceSpectrum(frequency, impedance, unit)


numbers = st.floats(-1e12, 1e12, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-9)


@given(
    rows=st.lists(st.tuples(st.floats(1e-6, 1e12), numbers, numbers), min_size=1, max_size=5),
    unit=st.sampled_from(["ohm", "ohm m2"]),
    plain=st.booleans(),
)
def test_file_holds_every_digit(tmp_path_factory, rows, unit, plain):
    path = tmp_path_factory.mktemp("spectra") / "one.csv"
    spectrum = ImpedanceSpectrum([r[0] for r in rows], [complex(r[1], r[2]) for r in rows], unit)
    write_spectrum(spectrum, path, plain=plain)
    found = read_plain_spectrum(path, unit) if plain else read_spectrum(path)
    assert (found.frequency == spectrum.frequency).all()
    assert (found.impedance == spectrum.impedance).all()
    assert found.unit == unit


def test_header_names_columns_and_units(tmp_path):
    path = tmp_path / "one.csv"
    write_spectrum(ImpedanceSpectrum([10.0], [3 - 4j]), path)
    assert path.read_text() == f"{HEADER}\n{ROW}\n"
    write_spectrum(ImpedanceSpectrum([10.0], [3 - 4j], "ohm m2"), path)
    assert path.read_text().startswith("frequency_Hz,Z_real_ohm_m2,Z_imag_ohm_m2,")
    assert [file.name for file in tmp_path.iterdir()] == ["one.csv"]


def test_a_failed_write_leaves_the_old_file(tmp_path, spectrum, monkeypatch):
    path = tmp_path / "one.csv"
    write_spectrum(spectrum, path)
    before = path.read_text()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(InputError, match=r"expected a file that can be written.*disk full"):
        write_spectrum(spectrum, path, plain=True)
    assert path.read_text() == before
    assert [file.name for file in tmp_path.iterdir()] == ["one.csv"]


def test_no_folder(tmp_path, spectrum):
    with pytest.raises(InputError, match="expected a file that can be written"):
        write_spectrum(spectrum, tmp_path / "missing" / "one.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected frequency_Hz"),
        (f"{HEADER}\n", "expected at least one line of numbers, received a header alone"),
        (f"{HEADER}\n{ROW}", "line 2: expected a line end.*the file is cut short"),
        (f"{HEADER}\n{ROW}\n10.0,3.0\n", "line 3: expected 5 numbers.*received 2: '10.0,3.0'"),
        (f"{HEADER}\n{ROW}\n\n{ROW}\n", "line 3: expected 5 numbers"),
        (f"{HEADER}\n10.0,nan,1.0,1.0,1.0\n", "line 2: expected finite numbers"),
        (f"{HEADER}\n10.0,x,1.0,1.0,1.0\n", "line 2: expected finite numbers"),
        (f"{HEADER}\n-10.0,3.0,-4.0,5.0,-53.1\n", "line 2: expected.*the frequency > 0"),
        (f"{HEADER}\n10.0,3.5,-4.0,5.0,-53.130102\n", "line 2: expected modulus 5.31.*received 5"),
        (f"{HEADER}\n10.0,3.0,4.0,5.0,-53.130102\n", "line 2: expected modulus.*phase 53.1"),
        (
            "frequency_Hz,Z_real_ohm,Z_modulus_ohm,phase_deg\n1,1,1,0\n",
            "line 1: expected .*; missing: Z_imag_ohm$",
        ),
        (
            "frequency_Hz,Z_imag_ohm,Z_real_ohm,Z_modulus_ohm,phase_deg\n",
            "line 1: .*the order is fixed",
        ),
        ("10.0,3.0,-4.0\n", "line 1: .*without a header is for read_plain_spectrum"),
        (HEADER.replace("ohm", "ohm_m2", 1) + "\n", "missing: Z_imag_ohm_m2, Z_modulus_ohm_m2"),
    ],
)
def test_bad_files(tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_spectrum(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_every_cut_is_seen(tmp_path):
    """A file cut anywhere but behind a whole line is refused."""
    path, cut = tmp_path / "one.csv", tmp_path / "cut.csv"
    write_spectrum(ImpedanceSpectrum([10.0, 20.0], [3 - 4j, 1 / 3 - 2j]), path)
    text = path.read_text()
    ends = [k + 1 for k, letter in enumerate(text) if letter == "\n"]
    for length in range(len(text)):
        cut.write_text(text[:length])
        if length in ends[1:]:
            assert len(read_spectrum(cut).frequency) == 1
        else:
            with pytest.raises(InputError):
                read_spectrum(cut)


def test_plain_file_of_others(tmp_path):
    path = tmp_path / "plain.csv"
    path.write_text("# f, Z', Z''\n1000, 1.5e1, -2\n\n 10,16,-3.5")
    found = read_plain_spectrum(path)
    assert found.frequency.tolist() == [1000.0, 10.0]
    assert found.impedance.tolist() == [15 - 2j, 16 - 3.5j]
    assert found.unit == "ohm"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3\n1,2\n", "line 2: expected 3 numbers"),
        ("1,2,3,4,5\n", "line 1: expected 3 numbers"),
        ("1,2,nan\n", "line 1: expected finite numbers"),
        ("f,Z,Z\n1,2,3\n", "line 1: expected finite numbers.*received 'f,Z,Z'"),
        ("# nothing\n", "expected at least one line of numbers"),
    ],
)
def test_bad_plain_files(tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_plain_spectrum(path)


def test_files_that_are_no_text(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_bytes(b"\xff\xfe\x00")
    for read in (read_spectrum, read_plain_spectrum):
        with pytest.raises(InputError, match="expected a text file that can be read"):
            read(path)
        with pytest.raises(InputError, match="expected a text file that can be read"):
            read(tmp_path / "missing.csv")
