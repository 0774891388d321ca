"""Studies whose boundary files choose films by crystallography, from file to results."""

import numpy as np
import pytest
import xarray as xr

import multiscale as ms
from multiscale.config import load_study
from multiscale.errors import PropertyError
from multiscale.microstructure import boundary_types
from multiscale.study import coefficients, compute_sample, sources, with_properties

RULED = ("LLZO|LLZO", "LLZO|LLZO sigma3", "LLZO|LLZO sigma5")


def edited(folder, *changes):
    path = folder / "study.toml"
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return folder


@pytest.fixture
def ruled(tiny_study):
    return edited(tiny_study, ('= "LLZO-LLZO"', '= "LLZO-LLZO-by-sigma"'))


def test_classes(tiny_study):
    plain = load_study(tiny_study)
    assert plain.boundary_classes == tuple(boundary_types(tuple(plain.phases)))
    study = load_study(edited(tiny_study, ('= "LLZO-LLZO"', '= "LLZO-LLZO-by-sigma"')))
    assert study.boundary_classes == ("LCO|LCO", "LCO|LLZO", *RULED)
    assert study.resolved() != plain.resolved()


def test_films_at_a_temperature(ruled):
    study = load_study(ruled)
    bulk = study.phases_at(350.0)["LLZO"].value
    film = study.boundaries_at(350.0)["LLZO", "LLZO"]
    assert isinstance(film, ms.BoundaryRules)
    assert film.rules[0].film.across == pytest.approx(5e-3 * bulk)
    assert isinstance(coefficients(study, 350.0).boundaries["LLZO", "LLZO"], ms.BoundaryRules)


@pytest.mark.parametrize("force", ["concentration", "chemical_potential"])
def test_a_sample_and_what_is_stored(ruled, force):
    edited(ruled, ('"concentration"', f'"{force}"'))
    study = load_study(ruled)
    plan = study.samples()[2]  # 2D, mostly LLZO: ⟨100⟩ tilt boundaries, of which many are Σ5
    assert (len(plan.cells), plan.fractions["LLZO"]) == (2, 0.7)
    data, _ = compute_sample(study, plan)
    parts = data.dissipation_share.sel(axis=["x", "y"])
    assert parts.sum("dissipation_part").values == pytest.approx(1.0, abs=1e-6)
    for rule, some in (("", True), (" sigma3", False), (" sigma5", True)):
        share = parts.sel(dissipation_part=f"across LLZO|LLZO{rule}")
        assert bool((abs(share) > 1e-4).all()) == some
    merged = with_properties(study, data)
    assert merged.class_across.dims == ("temperature", "boundary_class")
    by_class = merged.class_across.sel(boundary_class=list(RULED))
    assert (by_class[:, 0] == merged.boundary_across.sel(boundary_type="LLZO|LLZO")).all()
    assert (by_class[:, 1] < by_class[:, 0]).all()
    assert isinstance(merged, xr.Dataset)
    circuit, field = (
        np.trace(data[name].isel(temperature=0).values[:2, :2])
        for name in ("circuit_diffusivity", "effective_diffusivity")
    )
    assert circuit == pytest.approx(field, rel=0.3)


def test_rules_are_among_the_sources(ruled):
    rows = {(row[0], row[1]): row for row in sources(load_study(ruled))}
    where = rows["LLZO-LLZO-by-sigma", "sigma3: where"]
    assert where[2] == "sigma 3"
    assert "10.1016/0001-6160(66)90168-4" in where[5]
    assert (
        "10.1021/acs.chemmater.7b02805"
        in rows["LLZO-LLZO-by-sigma", "sigma5: across.ratio_to_bulk"][5]
    )


OPEN = """
kind = "boundary"
title = "open or closed"
between = ["LLZO", "Li0.53CoO2"]
symmetry = "trigonal"
use = "LLZO-LCO-reacted"

[[rules]]
name = "open"
reason = "layers end on the boundary"
c_axis_to_plane = [0, 30]
c_axis_of = "Li0.53CoO2"
use = "LLZO-LCO"
"""


def test_own_file_names_the_material_and_the_study_its_phase(tiny_study):
    (tiny_study / "open.toml").write_text(OPEN)
    study = load_study(edited(tiny_study, ('= "LLZO-LCO"', '= "open.toml"')))
    rules = study.boundaries_at(300.0)["LCO", "LLZO"]
    assert rules.rules[0].c_axis_of == "LCO"
    where = next(row for row in sources(study) if row[1] == "open: where")
    assert where[2] == "c_axis_to_plane 0–30, c_axis_of Li0.53CoO2"


@pytest.mark.parametrize(
    ("pair", "name", "words"),
    [
        ("LLZO-LCO", "LLZO-LLZO-by-sigma", ['"LLZO|LCO"', "rule 'sigma3'", "grains of one phase"]),
        ("LCO-LCO", "open.toml", ['"LCO|LCO"', "rule 'open'", "'both' or 'either'"]),
    ],
)
def test_rules_that_do_not_fit_their_pair(tiny_study, pair, name, words):
    (tiny_study / "open.toml").write_text(OPEN)
    edited(tiny_study, (f'= "{pair}"', f'= "{name}"'))
    with pytest.raises(PropertyError) as caught:
        load_study(tiny_study)
    assert "\n" not in str(caught.value)
    for word in ("study.toml", *words):
        assert word in str(caught.value)
