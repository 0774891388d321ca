"""Space charge in a study file."""

import numpy as np
import pytest

import multiscale as ms
from multiscale.config import load_study
from multiscale.errors import StudyError
from multiscale.properties import BoundaryRules

LAYERS = """
[space_charge."LLZO|LLZO"]
potential_V = 0.15
relative_permittivity = 50
density_per_cm3 = 1e20
model = "mott-schottky"

[transport]
"""


def charged(project, old="", new=""):
    project.spoil(project.study, "[transport]\n", LAYERS.replace(old, new) if old else LAYERS)
    return load_study(project.run)


def test_films_carry_the_layers(project):
    plain = load_study(project.run)
    study = charged(project)
    bulk = study.phases_at(300)["LLZO"].value
    before, after = plain.boundaries_at(300), study.boundaries_at(300)
    core, film = before["LLZO", "LLZO"], after["LLZO", "LLZO"]
    layer = ms.space_charge_layer(0.15, 300.0, 50.0, 1e26, 1, "mott-schottky")
    resistance = core.width / core.across + (film.width - core.width) / bulk
    resistance += layer.excess_resistance_length / bulk
    assert film.width / film.across == pytest.approx(resistance, rel=1e-12)
    # a potential empties more at the lowest temperature, which sets the width of all
    hot = ms.space_charge_layer(0.15, 600.0, 50.0, 1e26, 1, "mott-schottky")
    assert film.width == study.boundaries_at(600)["LLZO", "LLZO"].width
    assert film.width == layer.boundary(bulk, core).width > hot.boundary(bulk, core).width
    assert after["LCO", "LLZO"] == before["LCO", "LLZO"]


def test_the_hash_follows_the_layers_and_older_ones_stay(project):
    assert "space_charge" not in load_study(project.run).resolved()
    spelt = charged(project).resolved()["space_charge"]["LLZO|LLZO"]
    assert spelt["potential"] == 0.15
    assert spelt["density"] == pytest.approx(1e26)


def test_rules_carry_them_too(project):
    project.spoil(project.study, '"LLZO|LLZO" = "LLZO-LLZO"', '"LLZO|LLZO" = "LLZO-LLZO-by-sigma"')
    plain = load_study(project.run).boundaries_at(300)["LLZO", "LLZO"]
    film = charged(project).boundaries_at(300)["LLZO", "LLZO"]
    assert isinstance(film, BoundaryRules)
    assert [one.name for one in film.rules] == [one.name for one in plain.rules]
    for one, other in zip(
        [plain.default, *(rule.film for rule in plain.rules)],
        [film.default, *(rule.film for rule in film.rules)],
        strict=True,
    ):
        assert other.width > one.width
        assert other.width / other.across > one.width / one.across


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"LLZO|LLZO"', '"LLZO|LCO"', "a boundary type within one open phase"),
        ('"LLZO|LLZO"', '"LLZO|LLZ"', "LLZO"),
        ("potential_V = 0.15", "potential_V = 9", "potential: expected at most 7.76 V"),
        ("potential_V = 0.15", "potential_mV = 150", "potential_V"),
        ("relative_permittivity = 50", "relative_permittivity = 0", "relative_permittivity"),
        ("density_per_cm3 = 1e20", "density_per_cm3 = nan", "density_per_cm3"),
        ('"mott-schottky"', '"mott"', "model"),
    ],
)
def test_mistakes_are_one_line(project, old, new, words):
    with pytest.raises(StudyError, match=words) as caught:
        charged(project, old, new)
    assert "\n" not in str(caught.value)
    assert "space_charge" in str(caught.value)


def test_a_study_runs_with_them(project, tmp_path):
    project.spoil(project.study, "grain_size_nm = [20, 1000]", "grain_size_nm = [1000]")
    project.spoil(project.study, "temperatures_K = [300, 600]", "temperatures_K = [300]")
    plain = ms.run_study(project.run, samples=1, workers=1, output=tmp_path / "plain")
    charged(project)
    layered = ms.run_study(project.run, samples=1, workers=1, output=tmp_path / "layered")
    one, two = (np.asarray(done.results.effective_diffusivity).ravel() for done in (plain, layered))
    assert np.nanmax(two) < np.nanmax(one)
    assert "space charge" in layered.report.read_text(encoding="utf-8")
