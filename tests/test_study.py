"""The chain: what goes into the solver, and that all its answers are kept."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import multiscale as ms
from multiscale import properties
from multiscale.config import load_study
from multiscale.errors import ResolutionError, ResolutionWarning, StoreError
from multiscale.provenance import config_hash
from multiscale.study import (
    coefficients,
    compute_sample,
    crystal_coefficients,
    film_warnings,
    first_of_each_ensemble,
    rebuild_report,
    run_study,
    sources,
)
from multiscale.units import BOLTZMANN, ELEMENTARY_CHARGE

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
    assert given.phases == {name: one.value for name, one in study.phases_at(300.0).items()}
    assert set(given.weights.values()) == {1.0}
    film = study.boundaries_at(300.0)["LCO", "LLZO"]
    assert given.boundaries["LCO", "LLZO"].across == pytest.approx(film.across, rel=1e-12, abs=0)


def test_chemical_potential_driving_weighs_with_the_lithium_density(tiny_study):
    study = changed(tiny_study, CHEMICAL)
    given = coefficients(study, 300.0)
    plain = {name: one.value for name, one in study.phases_at(300.0).items()}
    density = {
        name: one.lithium_density.evaluate(300.0).value for name, one in study.phases.items()
    }
    assert density["LLZO"] == pytest.approx(2.39e28, rel=0.01)
    for name, value in plain.items():
        assert given.phases[name] == pytest.approx(density[name] * value, rel=1e-12)
    film = study.boundaries_at(300.0)["LCO", "LLZO"]
    mean = 0.5 * (density["LCO"] + density["LLZO"])
    assert given.boundaries["LCO", "LLZO"].along == pytest.approx(mean * film.along, rel=1e-12)
    assert given.boundaries["LCO", "LLZO"].segregation == 1.0


HAVEN = """

[haven_ratio]
value = 0.4
unit = "1"
uncertainty = { kind = "unknown", origin = "test" }
assumed = true
reason = "a test"
valid = "not stated"

[segregation_factor]
value = 3.0
unit = "1"
uncertainty = { kind = "unknown", origin = "test" }
assumed = true
reason = "a test"
valid = "not stated"
"""


def own_lco(folder, text=HAVEN):
    """Give the study a Li0.53CoO2 with other factors."""
    library = Path(properties.__file__).parent / "library" / "Li0.53CoO2.toml"
    start = library.read_text().split("[haven_ratio]")[0]
    (folder / "own.toml").write_text(start + text)
    return ('LCO = "Li0.53CoO2"', 'LCO = "own.toml"')


def test_a_chemical_potential_drives_charge_diffusivities(tiny_study):
    study = changed(tiny_study, CHEMICAL, own_lco(tiny_study))
    given, own = coefficients(study, 300.0), study.phases_at(300.0)["LCO"].value
    density = study.density_at(300.0)
    assert given.phases["LCO"] == pytest.approx(density["LCO"] * own / 0.4, rel=1e-12)
    mean = 0.5 * (density["LCO"] + density["LLZO"])
    film = study.boundaries_at(300.0)["LCO", "LLZO"]
    expected = mean * film.along / 0.4**0.5
    assert given.boundaries["LCO", "LLZO"].along == pytest.approx(expected, rel=1e-12)


def test_phases_that_hold_more_lithium_by_file_or_by_study(tiny_study):
    study = changed(tiny_study, own_lco(tiny_study))
    assert study.segregation_at(300.0) == {"LCO": 3.0, "LLZO": 1.0}
    given = coefficients(study, 300.0)
    assert given.phases["LCO"] == 3.0 * study.phases_at(300.0)["LCO"].value
    plain = config_hash(study.resolved())
    study = changed(tiny_study, ("[transport]", "[segregation]\nLCO = 5\n\n[transport]"))
    assert study.segregation_at(300.0) == {"LCO": 5.0, "LLZO": 1.0}
    assert config_hash(study.resolved()) != plain
    assert ("LCO", "segregation_factor", "5") in [row[:3] for row in sources(study)]


def test_partition_enters_field_circuit_and_bounds_alike(tiny_study):
    plain = load_study(tiny_study)
    plan = plain.samples()[1]
    one = compute_sample(plain, plan)[0]
    both = "[segregation]\nLCO = 5\nLLZO = 5\n\n[transport]"
    two = compute_sample(changed(tiny_study, ("[transport]", both)), plan)[0]
    for name in ("effective_diffusivity", "circuit_diffusivity", "wiener_upper", "wiener_lower"):
        np.testing.assert_allclose(two[name], one[name], rtol=1e-5, atol=1e-19)
    study = changed(tiny_study, ("LCO = 5\n", ""))
    three = compute_sample(study, plan)[0]
    share = one["volume_fraction"].sel(phase=["LCO", "LLZO"]).values
    own = {name: estimate.value for name, estimate in study.phases_at(300.0).items()}
    upper = (share[0] * own["LCO"] + 5 * share[1] * own["LLZO"]) / (share[0] + 5 * share[1])
    assert three["wiener_upper"].values[0] == pytest.approx(upper, rel=1e-9)
    field, circuit = (three[f"{kind}_diffusivity"].values for kind in ("effective", "circuit"))
    assert not np.allclose(field, one["effective_diffusivity"].values, rtol=0.01, atol=0)
    np.testing.assert_allclose(circuit[:, 0, 0], field[:, 0, 0], rtol=0.5)


def test_conductivity_beside_diffusivity(tiny_study):
    assert (
        "effective_conductivity"
        not in compute_sample(load_study(tiny_study), load_study(tiny_study).samples()[0])[0]
    )
    study = changed(tiny_study, CHEMICAL)
    data, fields = compute_sample(study, study.samples()[0])
    sigma = data["effective_conductivity"]
    assert sigma.attrs["units"] == "S/m"
    assert "conductivity" in sigma.attrs["long_name"]
    share = data["volume_fraction"].sel(phase=["LCO", "LLZO"]).values
    density = study.density_at(300.0)
    mean = share @ [density["LCO"], density["LLZO"]]
    for row, kelvin in enumerate(study.temperatures):
        factor = mean * ELEMENTARY_CHARGE**2 / (BOLTZMANN * kelvin)
        diffusivity = data["effective_diffusivity"].values[row, :2, :2]
        np.testing.assert_allclose(sigma.values[row, :2, :2], factor * diffusivity, rtol=1e-9)
    effective = data["effective_diffusivity"].values[0]
    np.testing.assert_allclose(fields["effective"], [effective[0, 0], effective[1, 1]])
    assert fields["flux"].values[0, 0].mean() == pytest.approx(effective[0, 0], rel=1e-3)


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


CUT = ("[transport]", '[transport]\nscheme = "cut-cells"')


class TestCutCells:
    """A study on cut cells: layered crystals keep their tensors."""

    @pytest.fixture
    def few_grains(self, tmp_path):
        """A run folder with two phases in twelve grains."""
        recipe = RECIPE.replace("LLZO = 1.0", "LLZO = 0.5\nLCO = 0.5").replace("= 30", "= 12")
        (tmp_path / "recipe.toml").write_text(recipe)
        text = SINGLE.format(recipe=tmp_path / "recipe.toml")
        (tmp_path / "study.toml").write_text(text)
        others = '"LCO|LCO" = "LCO-LCO"\n"LLZO|LCO" = "LLZO-LCO"\n\n[transport]'
        changed(
            tmp_path,
            CUT,
            ('LLZO = "LLZO"', 'LLZO = "LLZO"\nLCO = "Li0.53CoO2"'),
            ("\n[transport]", others),
        )
        return tmp_path

    def test_a_run_with_its_report(self, few_grains):
        outcome = run_study(few_grains, workers=1, samples=1)
        assert not outcome.failures
        found = outcome.results
        plain = found["flux_share"].drop_sel(part="heterointerface neighbourhood")
        for shares in (plain.values, found["dissipation_share"].values):
            assert shares[..., :2, :].sum(axis=-1) == pytest.approx(1.0, rel=1e-6)
        near = found["flux_share"].sel(part="heterointerface neighbourhood")
        assert np.isnan(near).all()
        page = outcome.report.read_text(encoding="utf-8")
        assert "films on their true facets" in page
        assert "No example fields were stored." in page

    def test_isotropic_phases_agree_with_faces(self, tmp_path):
        (tmp_path / "study.toml").write_text(SINGLE.format(recipe=tmp_path / "recipe.toml"))
        (tmp_path / "recipe.toml").write_text(RECIPE)
        study = load_study(tmp_path)
        plan = study.samples()[0]
        plain, _ = compute_sample(study, plan)
        cut, fields = compute_sample(dataclasses.replace(study, scheme="cut-cells"), plan)
        assert fields is None
        one, two = (data["effective_diffusivity"].values[0, :2, :2] for data in (plain, cut))
        assert two == pytest.approx(one, rel=0.05, abs=0.02 * one[0, 0])
        for name in ("flux_share", "dissipation_share"):
            gap = np.abs(plain[name].values[0, :2] - cut[name].values[0, :2])
            assert np.nanmax(gap) < 0.1

    def test_layered_crystals_are_weighed_as_their_average(self, tiny_study):
        study = changed(tiny_study, CHEMICAL, CUT, own_lco(tiny_study))
        given = coefficients(study, 300.0)
        found = crystal_coefficients(study, given, 300.0)
        assert found["LLZO"] == given.phases["LLZO"]
        average = ms.isotropic_average(found["LCO"])
        assert average == pytest.approx(given.phases["LCO"], rel=1e-9, abs=0)
        assert found["LCO"][2, 2] < 1e-3 * found["LCO"][0, 0]

    def test_electrodes(self, tmp_path):
        (tmp_path / "study.toml").write_text(SINGLE.format(recipe=tmp_path / "recipe.toml"))
        (tmp_path / "recipe.toml").write_text(RECIPE)
        study = changed(tmp_path, CUT, ('"periodic"', '"dirichlet"'), ("[300, 350]", "[300]"))
        data, _ = compute_sample(study, study.samples()[0])
        assert (np.diag(data["effective_diffusivity"].values[0])[:2] > 0).all()
        flux = data["flux_share"].drop_sel(part="heterointerface neighbourhood")
        assert flux.values[0, :2].sum(axis=-1) == pytest.approx(1.0, rel=1e-6)

    def test_finer_voxels_than_films(self, tiny_study):
        fine = ("cells = [40, 40]", "cells = [225, 225]")
        study = changed(tiny_study, fine, ("[50]", "[15]"))
        assert any("voxel" in line for line in film_warnings(study))
        assert film_warnings(dataclasses.replace(study, scheme="cut-cells")) == []


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


def test_the_conductivity_is_in_the_headline(tiny_study):
    from multiscale.report import headline

    text = "\n".join(headline(run_study(tiny_study, samples=1, workers=1).results))
    assert "conductivity" not in text
    changed(tiny_study, CHEMICAL)
    told = headline(run_study(tiny_study, samples=1, workers=1, fresh=True).results)
    (line,) = [one for one in told if "conductivity" in one]
    assert "at 300 K" in line
    assert "S/m in 2D" in line


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


def test_wide_films_are_warned_of_once_and_told_in_the_report(tiny_study):
    changed(tiny_study, ("grain_size_nm = [50]", "grain_size_nm = [200, 8]"))
    with pytest.warns(ResolutionWarning, match="mean grain size") as told:
        outcome = run_study(tiny_study, samples=4, workers=1)
    assert all(one.filename == __file__ for one in told)
    lines = [str(one.message) for one in told]
    assert len(set(lines)) == len(lines)
    assert any("8 nm, received 1 nm, 0.125 of it" in line for line in lines)
    assert json.loads(outcome.results.attrs["film_warnings"]) == lines
    assert "0.125 of it" in outcome.report.read_text(encoding="utf-8")
    assert not outcome.failures


def test_films_that_fill_the_grains_are_refused_before_anything_is_written(tiny_study):
    changed(tiny_study, ("grain_size_nm = [50]", "grain_size_nm = [50, 3]"))
    with pytest.raises(ResolutionError, match=r"at most 0\.25 times the mean grain size"):
        run_study(tiny_study, workers=1)
    assert sorted(path.name for path in tiny_study.iterdir()) == ["study.toml"]
