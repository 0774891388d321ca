"""The studies of trends and spectra: their tables, figures, and the agreement they are about."""

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from multiscale.circuit import read_spectrum

RUNS = Path(__file__).parents[1] / "runs"


@pytest.fixture
def load(monkeypatch):
    def load(folder, script="make_trends.py"):
        monkeypatch.syspath_prepend(RUNS / folder)
        spec = importlib.util.spec_from_file_location(f"study_{folder}", RUNS / folder / script)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


def run(module, monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["make_trends.py", *map(str, arguments)])
    module.main()


def table(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    header = dict(line[2:].split(": ", 1) for line in lines if line.startswith("#"))
    assert {"command", "git_revision", "versions", "crystal", "created"} <= set(header)
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def test_grain_sizes(load, monkeypatch, tmp_path):
    module = load("grain-size")
    kept = {name: module.SETS[name] for name in ("Li3OCl", "NMC532 Σ2", "NMC532 Σ3")}
    monkeypatch.setattr(module, "SETS", kept)
    monkeypatch.setattr(module, "SIZES", 1e-9 * np.array([3.0, 50.0, 300.0, 50000.0]))
    monkeypatch.setattr(module, "TEMPERATURES", (300.0, 350.0))
    run(module, monkeypatch, "--cells", 16, "--samples", 12, "--output", tmp_path)
    rows = table(tmp_path / "trends.csv")
    assert len(rows) == 12
    assert {row["status"] for row in rows} == {"refused", "fine"}
    for row in rows:
        if row["status"] == "fine":
            field, circuit = float(row["field_over_bulk"]), float(row["circuit_over_bulk"])
            assert circuit == pytest.approx(field, rel=0.2)
    sizes = {(row["set"], row["temperature_K"]): row for row in table(tmp_path / "crossover.csv")}
    one = sizes["Li3OCl", "300"]
    # thin films in series: 1/K = 1/K_b + S_V R/3, S_V = 2.91/d for these cells
    assert float(one["crossover_m"]) == pytest.approx(1e-9 * (1 / 0.0033 - 1) * 2.91 / 3, rel=0.15)
    assert float(one["crossover_q16_m"]) < float(one["crossover_q84_m"])
    assert sizes["NMC532 Σ3", "300"]["no_uncertainty_known_of"] == "across"
    assert (tmp_path / "trends.png").stat().st_size > 10_000


def test_space_charge(load, monkeypatch, tmp_path):
    module = load("space-charge")
    monkeypatch.setattr(module, "DENSITIES", (1e26,))
    monkeypatch.setattr(module, "POTENTIALS", np.array([0.0, 0.1, 0.3]))
    monkeypatch.setattr(module, "SHOWN", (0.1,))
    monkeypatch.setattr(module, "SIZES", 1e-9 * np.array([10.0, 2000.0]))
    run(module, monkeypatch, "--cells", 64, "--output", tmp_path)
    layers = table(tmp_path / "layers.csv")
    assert len(layers) == 6
    for row in layers:
        exact = float(row["exact_m"])
        assert float(row["excess_resistance_length_m"]) == pytest.approx(exact, rel=1e-6, abs=1e-20)
        if float(row["potential_V"]) == 0.3:
            assert float(row["crossover_brick_m"]) == pytest.approx(exact, rel=1e-3)
    small, large = table(tmp_path / "sizes.csv")
    assert small["status"] == "refused"
    assert 0.3 < float(small["field_poisson_boltzmann"]) / float(small["bricks_overlapping"]) < 1.0
    assert large["field_poisson_boltzmann"] == ""
    for key in ("field_films", "circuit_films"):
        assert float(large[key]) == pytest.approx(float(large["bricks_apart"]), rel=0.03)
    assert (tmp_path / "trends.png").stat().st_size > 10_000


def test_impedance(load, monkeypatch, tmp_path):
    module = load("impedance", "make_spectra.py")
    monkeypatch.setattr(module, "GRAINS", 8)
    run(module, monkeypatch, "--cells", 12, "--decade", 4, "--output", tmp_path)
    rows = table(tmp_path / "recovered.csv")
    bulk, boundary = rows[0], rows[1]
    assert (bulk["quantity"], boundary["quantity"]) == ("bulk resistance", "boundary resistance")
    assert float(bulk["found_over_reference"]) == pytest.approx(1.0, abs=0.03)
    assert float(boundary["found_over_reference"]) == pytest.approx(1.0, abs=0.08)
    assert float(rows[-1]["found"]) < 1.0
    for name in ("field", "grain-circuit", "brick-layer", "measured"):
        spectrum = read_spectrum(tmp_path / f"{name}.csv")
        assert (spectrum.impedance.real > 0).all()
    assert (tmp_path / "spectra.png").stat().st_size > 10_000
    assert (tmp_path / "fit.png").stat().st_size > 10_000
