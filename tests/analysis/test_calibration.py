"""Synthetic truth is recovered at the stated rate, and what a spectrum cannot tell is said."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from multiscale.analysis.calibration import MeasuredSample, calibrate, check_spectrum, without_width
from multiscale.circuit import (
    BrickLayer,
    ImpedanceSpectrum,
    brick_layer_conductivity,
    read_any_spectrum,
    write_spectrum,
)
from multiscale.cli import app
from multiscale.errors import ComputationError, InputError

pytest.importorskip("emcee")
SAMPLE = MeasuredSample(thickness=1e-3, area=1e-4, grain_size=5e-7)
TRUTH = {
    "bulk_conductivity": 0.04, "boundary_conductivity": 4e-5, "bulk_permittivity": 60.0,
    "boundary_permittivity": 40.0,
}  # fmt: skip
FREQUENCY = np.logspace(1, 9.5, 60)


def measured(noise=0.005, seed=0, frequency=FREQUENCY):
    ceramic = BrickLayer(grain_size=5e-7, boundary_width=1e-9, **TRUTH)
    found = SAMPLE.thickness / SAMPLE.area / brick_layer_conductivity(ceramic, frequency)
    rng = np.random.default_rng(seed)
    error = rng.normal(size=(2, len(frequency)))
    return ImpedanceSpectrum(frequency, found + noise * abs(found) * (error[0] + 1j * error[1]))


def test_the_truth_is_recovered_at_the_stated_rate():
    scores = []
    for seed in range(8):
        found = calibrate(measured(seed=seed), SAMPLE, steps=2400, seed=seed)
        logs = np.log(found.samples)
        for place, one in enumerate(found.parameters):
            truth = TRUTH.get(one.name, 0.005)
            scores.append((np.log(truth) - logs[:, place].mean()) / logs[:, place].std())
    scores = np.array(scores)
    assert 0.75 < np.sqrt(np.mean(scores**2)) < 1.35
    assert np.mean(np.abs(scores) < 1.96) > 0.85
    assert found.warnings == ()
    assert json.loads(json.dumps(found.to_dict()))["parameters"][0]["unit"] == "S/m"


def test_the_band_holds_the_measurement():
    spectrum = measured(seed=3)
    found = calibrate(spectrum, SAMPLE, steps=2400)
    real = spectrum.impedance.real
    inside = np.mean((real > found.band[0, 0]) & (real < found.band[1, 0]))
    assert 0.87 < inside <= 1.0


def test_what_cannot_be_told_apart_is_said():
    found = calibrate(measured(), without_width(SAMPLE), steps=12000)
    said = " ".join(found.warnings)
    assert "boundary_width" in said
    assert "cannot be told apart" in said
    width = next(one for one in found.parameters if one.name == "boundary_width")
    assert width.interval_95[1] / width.interval_95[0] > 10
    # the resistance of a boundary, δ/σ, is told all the same
    names = [one.name for one in found.parameters]
    ratio = found.samples[:, names.index("boundary_width")]
    ratio = ratio / found.samples[:, names.index("boundary_conductivity")]
    assert np.median(ratio) == pytest.approx(1e-9 / 4e-5, rel=0.02)
    assert np.std(np.log(ratio)) < 0.02


def test_a_bulk_beyond_the_band_is_said():
    found = calibrate(measured(frequency=np.logspace(1, 4.7, 40)), SAMPLE, steps=9000)
    assert any("bulk_permittivity" in one for one in found.warnings)


def test_a_short_chain_is_not_reported():
    with pytest.raises(ComputationError, match="not converged"):
        calibrate(measured(), SAMPLE, steps=150)


def bad(change):
    spectrum = measured()
    return ImpedanceSpectrum(*change(spectrum.frequency, spectrum.impedance))


@pytest.mark.parametrize(
    ("spectrum", "said"),
    [
        (lambda: measured(frequency=np.logspace(4.6, 9.5, 50)), "cut short"),
        (lambda: measured(frequency=np.logspace(1, 9.5, 8)), "12 different frequencies"),
        (lambda: bad(lambda f, z: (f, z.conj())), "signs"),
        (lambda: bad(lambda f, z: (f, -z)), "Z′"),
        (lambda: bad(lambda f, z: (f, z + 1 / (1j * 2 * np.pi * f * 1e-5))), "electrodes"),
        (lambda: measured().times_area(1e-4), "in ohm"),
        (lambda: bad(lambda f, z: (-f, z)), "frequency"),
    ],
)
def test_a_bad_spectrum_is_one_line(spectrum, said):
    with pytest.raises(InputError, match=said) as told:
        check_spectrum(spectrum())
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "values", [{"thickness": 0.0}, {"area": float("nan")}, {"grain_size": 2e-9}]
)
def test_a_bad_sample_is_one_line(values):
    with pytest.raises(InputError):
        MeasuredSample(**({"thickness": 1e-3, "area": 1e-4, "grain_size": 5e-7} | values))


def test_files_with_and_without_a_header_go_in(tmp_path):
    for plain in (False, True):
        write_spectrum(measured(), tmp_path / "a.csv", plain=plain)
        found = read_any_spectrum(tmp_path / "a.csv")
        check_spectrum(found)
        np.testing.assert_array_equal(found.impedance, measured().impedance)


def run(*more):
    return CliRunner().invoke(app, ["calibrate", *map(str, more)])


GEOMETRY = ("--thickness-mm", 1, "--area-mm2", 100, "--grain-size-nm", 500)


def test_the_command_line(tmp_path):
    file = tmp_path / "a.csv"
    write_spectrum(measured(), file)
    found = run(file, *GEOMETRY, "--json")
    assert found.exit_code == 0
    medians = {one["name"]: one["median"] for one in json.loads(found.stdout)["parameters"]}
    assert medians["boundary_conductivity"] == pytest.approx(4e-5, rel=0.02)
    assert "S/m" in run(file, *GEOMETRY).stdout


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"a,b\n1,2\n", b"1e3,1\n", b"1e3,1,nan\n", b"-1,1,-1\n" * 20,
     b"1;2;3\n", b"0,1,-1\n" * 20],
)  # fmt: skip
def test_a_bad_file_is_one_line_and_exit_code_two(tmp_path, content):
    file = tmp_path / "a.csv"
    file.write_bytes(content)
    told = run(file, *GEOMETRY)
    assert told.exit_code == 2
    assert len(told.stderr.strip().splitlines()) == 1
    assert told.stderr.startswith("error: ")
