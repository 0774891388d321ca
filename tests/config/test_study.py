"""What a study holds once it is read."""

import dataclasses
import itertools
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from multiscale.config import build, load_recipe, load_study
from multiscale.provenance import config_hash
from multiscale.units import to_si

ROOT = Path(__file__).parents[2]


def test_samples_cover_every_group_before_the_second_realisation(project):
    study = load_study(project.run)
    plans = study.samples()
    assert study.total == len(plans) == 3 * 2 * 2
    assert [plan.index for plan in plans] == list(range(12))
    assert [plan.realisation for plan in plans] == [0] * 4 + [1] * 4 + [2] * 4
    groups = {(plan.fractions["LLZO"], plan.grain_size) for plan in plans[:4]}
    sizes = [to_si(value, "nm", "length") for value in (20, 1000)]
    assert groups == set(itertools.product((0.2, 0.8), sizes))
    assert all(sum(plan.fractions.values()) == pytest.approx(1.0) for plan in plans)


def test_a_limit_keeps_the_first_samples_as_they_are(project):
    every, few = load_study(project.run), load_study(project.run, samples=5)
    assert few.samples() == every.samples()[:5]
    assert few.total == 12
    assert load_study(project.run, samples=99).samples() == every.samples()


def test_cells_override_every_axis_of_every_ensemble(project):
    assert {plan.cells for plan in load_study(project.run, cells=48).samples()} == {(48, 48)}


def test_the_hash_follows_what_decides_the_results(project):
    first = config_hash(load_study(project.run).resolved())
    assert config_hash(load_study(project.run, samples=2).resolved()) == first
    assert config_hash(load_study(project.study).resolved()) == first
    assert config_hash(load_study(project.run, cells=48).resolved()) != first
    project.spoil(project.recipe, "grains = 16", "grains = 17")
    assert config_hash(load_study(project.run).resolved()) != first
    project.spoil(project.recipe, "grains = 17", "grains = 16")
    project.spoil(project.study, 'LLZO = "LLZO"', 'LLZO = "own.toml"')
    second = config_hash(load_study(project.run).resolved())
    project.spoil(project.property, "1e-4", "2e-4")
    assert len({first, second, config_hash(load_study(project.run).resolved())}) == 3


def test_the_scheme_counts_in_the_hash_unless_it_is_the_default(project):
    left_out = load_study(project.run)
    assert left_out.scheme == "faces"
    assert "scheme" not in left_out.resolved()["transport"]
    hashes = [config_hash(left_out.resolved())]
    project.spoil(project.study, "[transport]", '[transport]\nscheme = "faces"')
    hashes.append(config_hash(load_study(project.run).resolved()))
    project.spoil(project.study, '"faces"', '"cut-cells"')
    hashes.append(config_hash(load_study(project.run).resolved()))
    assert hashes[0] == hashes[1] != hashes[2]


def test_what_is_resolved_is_json_without_paths(project):
    resolved = load_study(project.run).resolved()
    assert json.loads(json.dumps(resolved, allow_nan=False)) == resolved
    assert str(project.root) not in json.dumps(resolved)


def test_either_order_of_a_boundary_means_the_same(project):
    first = load_study(project.run)
    project.spoil(project.study, '"LLZO|LCO" =', '"LCO|LLZO" =')
    assert load_study(project.run).boundaries == first.boundaries
    assert set(first.boundaries) == {("LCO", "LCO"), ("LCO", "LLZO"), ("LLZO", "LLZO")}


def test_a_blocked_phase_needs_no_boundaries(project):
    project.spoil(project.recipe, "LCO = 0.5", "LCO = 0.4\npore = 0.1")
    project.spoil(project.study, 'LLZO = "LLZO"', 'LLZO = "LLZO"\npore = "blocked"')
    study = load_study(project.run)
    assert study.phases["pore"] is None
    assert study.phases_at(300.0)["pore"].value == 0.0
    assert all("pore" not in pair for pair in study.boundaries_at(300.0))
    fractions = study.samples()[0].fractions
    assert fractions["LLZO"] == 0.2
    assert fractions["LCO"] / fractions["pore"] == pytest.approx(4.0)


def test_boundaries_take_the_bulk_of_the_phases_of_the_study(project):
    before = load_study(project.run).boundaries_at(300.0)
    project.spoil(project.study, '"Li0.53CoO2"', '"Li0.73CoO2"')
    after = load_study(project.run).boundaries_at(300.0)
    assert after["LCO", "LCO"].across / before["LCO", "LCO"].across == pytest.approx(2.8)
    assert after["LCO", "LLZO"].along / before["LCO", "LLZO"].along == pytest.approx(2.8**0.5)
    assert after["LLZO", "LLZO"] == before["LLZO", "LLZO"]


def test_plans_travel_between_processes_and_do_not_change(project):
    plan = load_study(project.run).samples()[3]
    assert pickle.loads(pickle.dumps(plan)) == plan
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.index = 0
    one, same = plan.build(), plan.build()
    np.testing.assert_array_equal(one.seeds, same.seeds)
    assert one.size == pytest.approx([4 * plan.grain_size] * 2)


@pytest.mark.parametrize(("run", "per_ensemble"), [("llzo-lco", 600), ("quickstart", 18)])
def test_the_studies_that_ship(run, per_ensemble):
    study = load_study(ROOT / "runs" / run)
    names = [plan.ensemble for plan in study.samples()]
    assert {name: names.count(name) for name in set(names)} == {
        "2D": per_ensemble,
        "3D": per_ensemble,
    }
    assert len(study.temperatures) == 3
    for temperature in study.temperatures:
        for material in study.phases.values():
            assert not material.extrapolated(temperature)
    assert len(study.boundaries_at(300.0)) == 3
    readme = (ROOT / "runs" / run / "README.md").read_text()
    assert "**Question.**" in readme
    assert "**What to expect.**" in readme


RECIPES = sorted((ROOT / "microstructures").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_recipes_that_ship_can_be_grown(path):
    recipe = load_recipe(path)
    crystal = build(recipe, seed=1)
    assert len(crystal.seeds) == recipe.grains
    assert tuple(crystal.phase_names) == tuple(recipe.phases)
    mean = (np.prod(crystal.size) / recipe.grains) ** (1 / recipe.dimension)
    assert mean == pytest.approx(recipe.grain_size)


def test_build_takes_other_fractions_and_sizes(project):
    from multiscale.errors import RecipeError

    recipe = load_recipe(project.recipe)
    crystal = build(recipe, seed=1, fractions={"LLZO": 0.25, "LCO": 0.75}, grain_size=1e-6)
    assert crystal.size == pytest.approx([4e-6, 4e-6])
    with pytest.raises(RecipeError, match="small: fractions: expected"):
        build(recipe, seed=1, fractions={"LLZO": 1.0})
