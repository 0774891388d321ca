"""The chain: what goes into the solver, and that all its answers are kept."""

import dataclasses

import numpy as np
import pytest

from multiscale.config import load_study
from multiscale.errors import StoreError
from multiscale.study import (
    coefficients,
    compute_sample,
    first_of_each_ensemble,
    rebuild_report,
    run_study,
)

SINGLE = """
[study]
title = "One phase"
question = "Does a ceramic of one phase get its report?"
seed = 1

[[ensembles]]
name = "2D"
recipe = "{recipe}"
cells = [40, 40]

[sweep]
grain_size_nm = [50, 500]
realisations = 1

[phases]
LLZO = "LLZO"

[boundaries]
"LLZO|LLZO" = "LLZO-LCO"

[transport]
temperatures_K = [300, 350]
driving_force = "concentration"
boundary = "periodic"
"""

RECIPE = """
description = "One phase."
dimension = 2
grains = 30
grain_size_nm = 100
periodic = true

[seeding]
law = "poisson"

[grain_sizes]
law = "voronoi"

[orientation]
law = "random"

[phases]
LLZO = 1.0
"""


def changed(folder, *pairs):
    file = folder / "study.toml"
    text = file.read_text()
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    file.write_text(text)
    return load_study(folder)


CHEMICAL = ('"concentration"', '"chemical_potential"')


def test_concentration_driving_uses_diffusivities(tiny_study):
    study = load_study(tiny_study)
    given = coefficients(study, 300.0)
    assert given.bulk == {name: one.value for name, one in study.phases_at(300.0).items()}
    assert set(given.density.values()) == {1.0}
    film = study.boundaries_at(300.0)["LCO", "LLZO"]
    assert given.films["LCO", "LLZO"].across == pytest.approx(film.across, rel=1e-12, abs=0)


def test_chemical_potential_driving_weighs_with_the_lithium_density(tiny_study):
    study = changed(tiny_study, CHEMICAL)
    given = coefficients(study, 300.0)
    plain = {name: one.value for name, one in study.phases_at(300.0).items()}
    density = {
        name: one.lithium_density.evaluate(300.0).value for name, one in study.phases.items()
    }
    assert density["LLZO"] == pytest.approx(2.39e28, rel=0.01)
    for name, value in plain.items():
        assert given.bulk[name] == pytest.approx(density[name] * value, rel=1e-12)
    film = study.boundaries_at(300.0)["LCO", "LLZO"]
    mean = 0.5 * (density["LCO"] + density["LLZO"])
    assert given.films["LCO", "LLZO"].along == pytest.approx(mean * film.along, rel=1e-12)
    assert given.films["LCO", "LLZO"].segregation == 1.0


def test_the_two_driving_forces_differ_by_what_they_should(tiny_study):
    plain = load_study(tiny_study)
    plan = plain.samples()[1]
    by_concentration = compute_sample(plain, plan)[0]
    study = changed(tiny_study, CHEMICAL)
    by_potential = compute_sample(study, plan)[0]
    one, two = (data["effective_diffusivity"].values for data in (by_concentration, by_potential))
    assert not np.allclose(one, two, rtol=1e-3, atol=0)
    lower = by_potential["wiener_lower"].values
    assert (np.einsum("taa->ta", two).min(axis=1) > 0.5 * lower).all()


def test_a_sample_keeps_every_answer(tiny_study):
    study = load_study(tiny_study)
    plan = dataclasses.replace(study.samples()[1], cells=(48, 48, 48))
    data, fields = compute_sample(study, plan)
    assert plan.ensemble == "3D"
    tensor = data["effective_diffusivity"].values
    assert tensor.shape == (2, 3, 3)
    np.testing.assert_allclose(tensor, np.swapaxes(tensor, 1, 2), rtol=1e-12)
    np.testing.assert_allclose(
        data["flux_diffusivity"].values, tensor, atol=1e-4 * np.abs(tensor).max()
    )
    assert (data["flux_imbalance"].values <= study.rtol).all()
    assert data["volume_fraction"].sum() == pytest.approx(1.0)
    parts = data["flux_share"].sel(part=data["part"].values[:-1])
    np.testing.assert_allclose(parts.sum("part"), 1.0, rtol=1e-6)
    np.testing.assert_allclose(data["dissipation_share"].sum("dissipation_part"), 1.0, rtol=1e-6)
    near = data["flux_share"].sel(part="heterointerface neighbourhood").values
    assert ((near > 0) & (near < 0.5)).all()
    assert set(data["boundary_type"].values) == {"LCO|LCO", "LCO|LLZO", "LLZO|LLZO"}
    assert fields["flux"].shape == (2, 2, 48, 48)
    mean = fields["flux"].values[0, 0].mean()
    assert 0 < mean < 1e-11


def test_neighbourhoods_that_are_not_resolved_are_not_stated(tiny_study):
    study = load_study(tiny_study)
    data, _ = compute_sample(study, study.samples()[1])
    near = data["flux_share"].sel(part="heterointerface neighbourhood")
    assert np.isnan(near).all()


def test_a_pore_phase_blocks_and_a_box_with_electrodes_runs(tiny_study):
    study = changed(
        tiny_study,
        ("llzo-lco-3d.toml", "composite-porous-3d.toml"),
        ("llzo-lco-2d.toml", "composite-porous-3d.toml"),
        ("cells = [40, 40]", "cells = [24, 24, 24]"),
        ("cells = [20, 20, 20]", "cells = [24, 24, 24]"),
        ('LCO = "Li0.53CoO2"', 'LCO = "Li0.53CoO2"\npore = "blocked"'),
        ('"periodic"', '"dirichlet"'),
    )
    data, _ = compute_sample(study, study.samples()[0])
    diagonal = np.einsum("taa->ta", data["effective_diffusivity"].values)
    assert (diagonal > 0).all()
    assert (diagonal < data["wiener_upper"].values[:, None]).all()
    assert data["wiener_lower"].values.max() == 0.0
    assert np.isnan(data["circuit_diffusivity"].values).all()  # a periodic graph has no electrodes
    assert data["flux_share"].sel(part="pore").values.max() == 0.0


def test_the_first_of_each_ensemble(tiny_study):
    plans = load_study(tiny_study).samples()
    assert first_of_each_ensemble(plans, [1, 2, 3]) == [1, 2]
    assert first_of_each_ensemble(plans, []) == []


def test_same_sample_alone_and_in_a_run(tiny_study):
    study = load_study(tiny_study)
    alone = compute_sample(study, study.samples()[2])[0]
    outcome = run_study(tiny_study, workers=1)
    merged = outcome.results.isel(sample=2)
    np.testing.assert_allclose(
        alone["effective_diffusivity"], merged["effective_diffusivity"], rtol=1e-9, equal_nan=True
    )
    assert outcome.report.read_text(encoding="utf-8").count("<img") > 5


def test_a_report_needs_results(tiny_study):
    with pytest.raises(StoreError, match="run the study first"):
        rebuild_report(tiny_study)
    assert sorted(path.name for path in tiny_study.iterdir()) == ["study.toml"]


def test_a_failed_sample_is_told_and_the_rest_is_kept(tiny_study, monkeypatch):
    import multiscale.study as chain
    from multiscale.errors import ConvergenceError

    solve = chain.solve_voxels

    def sometimes(problem, **options):
        if problem.dimension == 2:
            raise ConvergenceError("no balance", [1.0])
        return solve(problem, **options)

    monkeypatch.setattr(chain, "solve_voxels", sometimes)
    outcome = run_study(tiny_study, workers=1)
    assert [one.index for one in outcome.failures] == [0, 2]
    assert all("no balance" in one.error for one in outcome.failures)
    assert outcome.results["sample"].values.tolist() == [1, 3]


def test_a_single_phase_without_swept_fractions_has_its_report(tmp_path):
    (tmp_path / "study.toml").write_text(SINGLE.format(recipe=tmp_path / "recipe.toml"))
    (tmp_path / "recipe.toml").write_text(RECIPE)
    outcome = run_study(tmp_path, workers=1)
    assert not outcome.failures
    assert (outcome.results["target_volume_fraction"] == 1.0).all()
    page = outcome.report.read_text(encoding="utf-8")
    assert "made for LLZO | Li0.53CoO2, used for LLZO | LLZO" in page


def test_fewer_samples_do_not_shrink_what_is_there(tiny_study):
    assert run_study(tiny_study, workers=1).results.sizes["sample"] == 4
    assert run_study(tiny_study, workers=1, samples=1).results.sizes["sample"] == 4


def test_outcome_is_frozen(tiny_study):
    study = load_study(tiny_study)
    with pytest.raises(dataclasses.FrozenInstanceError):
        study.seed = 1
