"""Files of computed laws give back the laws."""

import numpy as np
import pytest

from multiscale.errors import PropertyError
from multiscale.properties import load
from multiscale.properties.arrhenius import ArrheniusLaw
from multiscale.properties.writing import boundary_file, material_file
from multiscale.provenance import Estimate
from multiscale.units import ELEMENTARY_CHARGE

LAW = ArrheniusLaw(
    3.2e-9, 0.11, 0.24 * ELEMENTARY_CHARGE, 0.03 * ELEMENTARY_CHARGE, 1130.0, (900.0, 1400.0), 1.3
)
GIVEN = {
    "title": 'A "quoted" title \\ with é',
    "description": "two\nlines",
    "source": "computed: potential chgnet, 3 × 40 ps",
}


def test_a_material_keeps_values_and_errors_at_all_temperatures(tmp_path):
    density = Estimate(2.4e28, float("nan"), "1/m3", "cell")
    path = material_file(
        tmp_path / "deep" / "LLZO-md.toml", composition="Li7La3Zr2O12", law=LAW,
        lithium_density=density, haven_ratio=Estimate(0.32, 0.03, "1", "runs"), note="one",
        **GIVEN,
    )  # fmt: skip
    found = load(path)
    assert found.haven_ratio.number.value == pytest.approx(0.32)
    charge = found.charge_diffusivity(1130.0)
    assert charge.value == pytest.approx(LAW.value / 0.32, rel=1e-4)
    assert charge.stderr / charge.value == pytest.approx(np.hypot(0.11, 0.03 / 0.32), rel=1e-3)
    assert found.title == GIVEN["title"]
    assert found.description == GIVEN["description"]
    for temperature in (300.0, 900.0, 1130.0, 1400.0):
        estimate = found.diffusivity(temperature)
        value, stderr = LAW.at(temperature)
        assert estimate.value == pytest.approx(value, rel=1e-4)
        assert estimate.stderr == pytest.approx(stderr, rel=1e-3)
        assert ("extrapolated" in estimate.source) == (temperature == 300.0)
    assert found.lithium_density.number.value == pytest.approx(2.4e28)
    assert [one.name for one in path.parent.iterdir()] == ["LLZO-md.toml"]


def test_layers_and_a_bound_along_c(tmp_path):
    ratio = Estimate(0.01, float("nan"), "1", "bound")
    path = material_file(
        tmp_path / "LCO.toml", composition="Li0.67CoO2", law=LAW, c_ratio=ratio,
        c_note="an upper bound", **GIVEN,
    )  # fmt: skip
    found = load(path)
    assert found.in_plane.evaluate(1000.0).value == pytest.approx(LAW.at(1000.0)[0], rel=1e-4)
    assert found.c_ratio.evaluate(1000.0).value == pytest.approx(0.01)
    assert found.c_ratio.note == "an upper bound"


def test_a_boundary(tmp_path):
    soft = LAW.corrected(0.15 * ELEMENTARY_CHARGE)
    path = boundary_file(
        tmp_path / "b.toml", between=("LLZO", "LLZO"), width=Estimate(7e-10, 1e-10, "m", "profile"),
        across=LAW, along=soft, boundary_energy=Estimate(0.8, 0.1, "J/m2", "cells"), **GIVEN,
    )  # fmt: skip
    found = load(path)
    assert found.across_quantity.evaluate(300.0).value == pytest.approx(LAW.at(300.0)[0], rel=1e-3)
    assert found.along_quantity.evaluate(300.0).value == pytest.approx(soft.at(300.0)[0], rel=1e-3)
    assert "raised by 0.15 eV" in found.along_quantity.note
    assert "raised" not in found.across_quantity.note


def test_a_law_that_falls_with_temperature_is_refused_and_nothing_is_left(tmp_path):
    law = ArrheniusLaw(1e-9, 0.1, -1e-21, 1e-21, 1000.0, (900.0, 1200.0), 1.0)
    with pytest.raises(PropertyError, match="grows with temperature"):
        material_file(tmp_path / "x.toml", composition="x", law=law, **GIVEN)
    wrong = ArrheniusLaw(np.nan, 0.1, 1e-20, 1e-21, 1000.0, (900.0, 1200.0), 1.0)
    with pytest.raises(PropertyError):
        material_file(tmp_path / "x.toml", composition="x", law=wrong, **GIVEN)
    assert not list(tmp_path.iterdir())
